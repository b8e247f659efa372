// The document that completes a multipart upload: the parts that it names.
#ifndef PAUSEMARK_COMPLETION_H
#define PAUSEMARK_COMPLETION_H
#include "text.h"

#define COMPLETION_PARTS_MAX 10000

struct completion {
    size_t count;
    struct completion_part {
        uint64_t number;
        struct text etag; // without quotes
    } parts[COMPLETION_PARTS_MAX];
};

enum completion_result { COMPLETION_GOOD, COMPLETION_MALFORMED, COMPLETION_UNORDERED };
// Decodes in place: the tags are views of `body`.
enum completion_result completion_read(struct completion *c, char *body, size_t n);
#endif
