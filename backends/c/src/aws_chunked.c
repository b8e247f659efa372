// A line-driven state machine: sizes and trailers are lines, data is counted.
#include "aws_chunked.h"

// Moves bytes to the line until LF. False when the line is too long; *ended tells a whole line.
static bool take_line(struct aws_chunked *a, struct text *input, bool *ended) {
    *ended = false;
    while (input->n > 0 && !*ended) {
        char c = *input->p++;
        input->n--;
        if (c == '\n')
            *ended = true;
        else if (a->line_n == AWS_LINE_BYTES_MAX)
            return false;
        else
            a->line[a->line_n++] = c;
    }
    return !*ended || (a->line_n > 0 && a->line[--a->line_n] == '\r');
}

static bool read_size(struct aws_chunked *a) {
    struct text rest = {a->line, a->line_n};
    struct text size = text_cut(&rest, ';');
    a->chunk_rest = 0;
    if (size.n == 0 || size.n > 15)
        return false;
    for (size_t i = 0; i < size.n; i++) {
        int digit = text_hex_digit(size.p[i]);
        if (digit < 0)
            return false;
        a->chunk_rest = a->chunk_rest << 4 | (uint64_t)digit;
    }
    a->state = a->chunk_rest == 0 ? AWS_TRAILER : AWS_DATA;
    return true;
}

static bool read_trailer(struct aws_chunked *a) {
    struct text value = {a->line, a->line_n};
    if (value.n == 0) {
        a->state = AWS_DONE;
        return true;
    }
    struct text name = text_trim(text_cut(&value, ':'));
    value = text_trim(value);
    if (!text_is_nocase(name, TEXT("x-amz-checksum-crc32")))
        return true;
    a->has_crc32 = true;
    a->crc32_n = value.n < sizeof a->crc32 ? value.n : sizeof a->crc32;
    memcpy(a->crc32, value.p, a->crc32_n);
    return value.n <= sizeof a->crc32;
}

static bool end_line(struct aws_chunked *a) {
    bool good = true;
    if (a->state == AWS_SIZE)
        good = read_size(a);
    else if (a->state == AWS_DATA_END) {
        good = a->line_n == 0;
        a->state = AWS_SIZE;
    } else
        good = read_trailer(a);
    a->line_n = 0;
    return good;
}

bool aws_chunked_next(struct aws_chunked *a, struct text *input, struct text *content) {
    *content = (struct text){input->p, 0};
    if (a->state == AWS_DONE)
        return input->n == 0;
    if (a->state == AWS_DATA) {
        content->n = input->n < a->chunk_rest ? input->n : (size_t)a->chunk_rest;
        input->p += content->n;
        input->n -= content->n;
        a->chunk_rest -= content->n;
        if (a->chunk_rest == 0)
            a->state = AWS_DATA_END;
        return true;
    }
    bool ended;
    if (!take_line(a, input, &ended))
        return false;
    return !ended || end_line(a);
}
