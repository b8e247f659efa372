// How a request says who asks, in the Authorization header or in its query: the form of it.
#ifndef PAUSEMARK_AUTHORIZATION_H
#define PAUSEMARK_AUTHORIZATION_H
#include "request.h"

struct authorization {
    struct text credential, signed_headers, signature;
    struct text key_id, scope, day, region; // parts of the credential
    bool is_query;                          // a presigned URL
    int64_t at_s, expires_s;                // of a query alone
};

// All that must be there is, and has its form. False otherwise.
bool authorization_read_header(struct text header, struct authorization *z);
bool authorization_read_query(struct request *r, struct authorization *z);
// Whether the query tries to say it.
bool authorization_is_in_query(struct text query);
// Sets the parts of the credential; false when it, or the signed headers, is not of its form.
bool authorization_read_parts(struct authorization *z);
#endif
