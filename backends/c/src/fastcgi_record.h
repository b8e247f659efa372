// FastCGI 1.0 as bytes: records, name-value pairs, and the answers that say nothing but themselves.
#ifndef PAUSEMARK_FASTCGI_RECORD_H
#define PAUSEMARK_FASTCGI_RECORD_H
#include "text.h"

#define FASTCGI_HEADER_BYTES 8
#define FASTCGI_END_BYTES 24 // the end of STDOUT, then END_REQUEST
// A multiple of 8 under the 65535 that a record can hold: what follows it stays aligned.
#define FASTCGI_CONTENT_BYTES_MAX ((size_t)65528)
// Of records that are read whole: BEGIN_REQUEST has 8, GET_VALUES three names.
#define FASTCGI_SMALL_BYTES_MAX ((size_t)512)
#define FASTCGI_ANSWER_BYTES_MAX ((size_t)256) // to one such record

enum fastcgi_type {
    FASTCGI_BEGIN_REQUEST = 1,
    FASTCGI_ABORT_REQUEST = 2,
    FASTCGI_END_REQUEST = 3,
    FASTCGI_PARAMS = 4,
    FASTCGI_STDIN = 5,
    FASTCGI_STDOUT = 6,
    FASTCGI_DATA = 8,
    FASTCGI_GET_VALUES = 9,
    FASTCGI_GET_VALUES_RESULT = 10,
    FASTCGI_UNKNOWN_TYPE = 11
};
enum fastcgi_status {
    FASTCGI_REQUEST_COMPLETE = 0,
    FASTCGI_CANNOT_MULTIPLEX = 1,
    FASTCGI_UNKNOWN_ROLE = 3
};
#define FASTCGI_RESPONDER 1
#define FASTCGI_KEEP_CONNECTION 1

struct fastcgi_header {
    uint8_t type;
    uint16_t request_id;
    size_t content_n, padding_n;
};

// Of FASTCGI_HEADER_BYTES at `from`. False when the version is none that exists.
bool fastcgi_read_header(const char *from, struct fastcgi_header *h);
// Takes the first pair from `rest`. False at the end, where *is_whole says whether it was one.
bool fastcgi_next_pair(struct text *rest, struct text *name, struct text *value, bool *is_whole);

void fastcgi_put_header(char *to, enum fastcgi_type type, uint16_t request_id, size_t content_n);
// Each returns how much it wrote, at most FASTCGI_ANSWER_BYTES_MAX.
size_t fastcgi_put_end(char *to, uint16_t request_id, enum fastcgi_status status);
size_t fastcgi_put_last(char *to, uint16_t request_id); // FASTCGI_END_BYTES
size_t fastcgi_put_unknown(char *to, uint8_t type);
// The values of those names in `asked` that the protocol knows.
size_t fastcgi_put_values(char *to, struct text asked, unsigned connections_max);
#endif
