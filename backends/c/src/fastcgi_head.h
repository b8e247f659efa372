// What FastCGI tells of a request, as the HTTP head that the rest of the program reads.
#ifndef PAUSEMARK_FASTCGI_HEAD_H
#define PAUSEMARK_FASTCGI_HEAD_H
#include "answer.h"

// Pairs have longer names than headers (HTTP_), and say more than a head does.
#define FASTCGI_PARAMS_BYTES_MAX ((size_t)2 * HEAD_BYTES_MAX)

struct fastcgi_head {
    enum error_code refused; // what the front itself refused, and we are to say why; or ERROR_NONE
    size_t n;
    char bytes[HEAD_BYTES_MAX];
};

// The place that the front sends such a refusal to.
struct text fastcgi_refusal_place(enum error_code code);

// HEAD_COMPLETE, HEAD_BAD or HEAD_TOO_LARGE. Header names come out in lower case, '_' as '-': the
// protocol has lost what they were.
enum head_state fastcgi_read_head(struct text params, struct fastcgi_head *head);
#endif
