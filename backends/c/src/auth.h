// Who asks, by header or presigned URL: the form, and with `--auth=verify` the signature.
#ifndef PAUSEMARK_AUTH_H
#define PAUSEMARK_AUTH_H
#include "answer.h"
#include "seal.h"

#define SKEW_S_MAX (15 * 60)

// One worker's scratch and derived keys; NULL when memory is exhausted.
struct auth *auth_create(const struct options *options);
void auth_destroy(struct auth *a); // NULL is allowed
// What is wrong with who asks. `a` is NULL under `--auth=parse`, when only the form counts. A
// verified URL without x-amz-content-sha256 has one behind it: UNSIGNED-PAYLOAD.
enum error_code auth_check(struct auth *a, struct request *r, int64_t wall_s);
// Of the request that was checked last, for the body that follows it.
const struct seal *auth_seal(const struct auth *a);
#endif
