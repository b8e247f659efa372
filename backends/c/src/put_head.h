// What the head of a write says of the object that it makes and of the key's state before it.
#ifndef PAUSEMARK_PUT_HEAD_H
#define PAUSEMARK_PUT_HEAD_H
#include "answer.h"

// Refuses what is not here or too much, and makes r->kept ready to be kept. A copy that has its
// source's headers asks without `keeps_headers`.
enum error_code put_head_check(struct request *r, bool keeps_headers);
// Judges the request's conditions by the object that its key has now; its write judges them again.
enum error_code put_head_judge(const struct request *r);
#endif
