// What the head of a write says of the object that it makes and of the key's state before it.
#ifndef PAUSEMARK_PUT_HEAD_H
#define PAUSEMARK_PUT_HEAD_H
#include "answer.h"

// Refuses what is not here or too much, and makes r->kept ready to be kept. A copy that has its
// source's headers asks without `keeps_headers`.
enum error_code put_head_check(struct request *r, bool keeps_headers, bool *only_if_absent);
// Whether the key has an object now; its write judges that again.
bool put_head_is_taken(const struct request *r);
#endif
