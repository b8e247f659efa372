// Decoder of `aws-chunked` bodies: signed or unsigned chunks, with or without a trailer.
#ifndef PAUSEMARK_AWS_CHUNKED_H
#define PAUSEMARK_AWS_CHUNKED_H
#include "text.h"

#define AWS_LINE_BYTES_MAX 512

struct aws_chunked {
    enum { AWS_SIZE, AWS_DATA, AWS_DATA_END, AWS_TRAILER, AWS_DONE } state;
    uint64_t chunk_rest;
    size_t line_n;
    char line[AWS_LINE_BYTES_MAX];
    bool has_crc32;
    char crc32[8]; // base64 of the trailer
    size_t crc32_n;
};

// Consumes some of `input` and returns a piece of content (possibly empty). False on a framing
// error.
bool aws_chunked_next(struct aws_chunked *a, struct text *input, struct text *content);
#endif
