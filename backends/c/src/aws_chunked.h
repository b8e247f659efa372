// Decoder of `aws-chunked` bodies: signed or unsigned chunks, with or without a trailer.
#ifndef PAUSEMARK_AWS_CHUNKED_H
#define PAUSEMARK_AWS_CHUNKED_H
#include "text.h"

#define AWS_LINE_BYTES_MAX 512
#define AWS_SIGNATURE_BYTES 64

struct aws_chunked {
    enum { AWS_SIZE, AWS_DATA, AWS_DATA_END, AWS_TRAILER, AWS_DONE } state;
    uint64_t chunk_rest;
    size_t line_n, signature_n;
    char signature[AWS_SIGNATURE_BYTES]; // of the chunk that is being read, as its size line has it
    struct text name, value;             // of the trailer that was read last, views of the line
    char line[AWS_LINE_BYTES_MAX];
};

enum aws_event {
    AWS_BAD,         // a framing error
    AWS_NOTHING,     // input was consumed
    AWS_CONTENT,     // a piece of content
    AWS_CHUNK_END,   // also of the last chunk, which is empty
    AWS_TRAILER_ONE, // name (in lower case) and value stand until the next call
    AWS_END          // the body is complete
};
// Consumes some of `input`; *content is what was found, empty but for AWS_CONTENT.
enum aws_event aws_chunked_next(struct aws_chunked *a, struct text *input, struct text *content);
#endif
