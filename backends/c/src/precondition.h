// Conditions on an object that is there, by RFC 9110 section 13.2.2.
#ifndef PAUSEMARK_PRECONDITION_H
#define PAUSEMARK_PRECONDITION_H
#include "request.h"

enum precondition { PRECONDITION_HOLDS, PRECONDITION_NOT_MODIFIED, PRECONDITION_FAILED };
enum precondition precondition_judge(const struct conditions *asked, const struct object *o);
#endif
