// What the calls on multipart uploads share.
#ifndef PAUSEMARK_MULTIPART_CALLS_H
#define PAUSEMARK_MULTIPART_CALLS_H
#include "upload.h"

enum error_code multipart_error(enum multipart_result result);
// The number that a part's PUT names.
enum error_code multipart_read_number(const struct request *r, unsigned *number);
// Keeps the part that `u` is, and answers; takes `u` over.
void multipart_keep_part(struct connection *c, struct upload *u);
// complete.c: makes an object of the parts that `u` names; takes `u` over.
void multipart_complete(struct connection *c, struct upload *u);
#endif
