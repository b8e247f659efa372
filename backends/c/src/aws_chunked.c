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

static void read_signature(struct aws_chunked *a, struct text extensions) {
    static const struct text name = {"chunk-signature=", 16};
    a->signature_n = 0;
    while (extensions.n > 0) {
        struct text one = text_cut(&extensions, ';');
        if (!text_starts(one, name) || one.n != name.n + sizeof a->signature)
            continue;
        memcpy(a->signature, one.p + name.n, sizeof a->signature);
        a->signature_n = sizeof a->signature;
    }
}

static enum aws_event read_size(struct aws_chunked *a) {
    struct text rest = {a->line, a->line_n};
    struct text size = text_cut(&rest, ';');
    a->chunk_rest = 0;
    if (size.n == 0 || size.n > 15)
        return AWS_BAD;
    for (size_t i = 0; i < size.n; i++) {
        int digit = text_hex_digit(size.p[i]);
        if (digit < 0)
            return AWS_BAD;
        a->chunk_rest = a->chunk_rest << 4 | (uint64_t)digit;
    }
    read_signature(a, rest);
    a->state = a->chunk_rest == 0 ? AWS_TRAILER : AWS_DATA;
    return a->chunk_rest == 0 ? AWS_CHUNK_END : AWS_NOTHING;
}

static enum aws_event read_trailer(struct aws_chunked *a) {
    struct text value = {a->line, a->line_n};
    if (value.n == 0) {
        a->state = AWS_DONE;
        return AWS_END;
    }
    a->name = text_trim(text_cut(&value, ':'));
    a->value = text_trim(value);
    for (char *p = a->line; p < a->name.p + a->name.n; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    return AWS_TRAILER_ONE;
}

static enum aws_event end_line(struct aws_chunked *a) {
    enum aws_event event;
    if (a->state == AWS_SIZE) {
        event = read_size(a);
    } else if (a->state == AWS_DATA_END) {
        event = a->line_n == 0 ? AWS_CHUNK_END : AWS_BAD;
        a->state = AWS_SIZE;
    } else {
        event = read_trailer(a);
    }
    a->line_n = 0;
    return event;
}

enum aws_event aws_chunked_next(struct aws_chunked *a, struct text *input, struct text *content) {
    *content = (struct text){input->p, 0};
    if (a->state == AWS_DONE)
        return input->n == 0 ? AWS_NOTHING : AWS_BAD;
    if (a->state == AWS_DATA) {
        content->n = input->n < a->chunk_rest ? input->n : (size_t)a->chunk_rest;
        input->p += content->n;
        input->n -= content->n;
        a->chunk_rest -= content->n;
        if (a->chunk_rest == 0)
            a->state = AWS_DATA_END;
        return AWS_CONTENT;
    }
    bool ended;
    if (!take_line(a, input, &ended))
        return AWS_BAD;
    return ended ? end_line(a) : AWS_NOTHING;
}
