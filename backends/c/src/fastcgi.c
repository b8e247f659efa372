// Records of one connection, in order; whatever breaks the protocol ends the connection.
#include "fastcgi.h"
#include "upload.h"
#include <stdlib.h>

#define CONNECTIONS_MAX 65535 // what GET_VALUES tells; descriptors are the limit

struct fastcgi *fastcgi_create(void) {
    struct fastcgi *f = malloc(sizeof *f);
    if (f != NULL)
        memset(f, 0, offsetof(struct fastcgi, params));
    return f;
}

// An answer begins with "HTTP/1.1 ", which a record's header and "Status: " replace: 16 bytes.
#define RESERVED_BYTES (FASTCGI_HEADER_BYTES + sizeof "Status: " - sizeof "HTTP/1.1 ")

_Static_assert(ANSWER_BYTES_MAX + RESERVED_BYTES <= UINT16_MAX, "one record holds an answer");

void fastcgi_begin_answer(struct connection *c) {
    c->fastcgi->answer_at = c->worker->output_n;
    c->worker->output_n += RESERVED_BYTES;
}

void fastcgi_end_answer(struct connection *c) {
    struct fastcgi *f = c->fastcgi;
    struct worker *w = c->worker;
    char *answer = w->output + f->answer_at;
    size_t n = w->output_n - f->answer_at;
    if (n == RESERVED_BYTES) { // it waits for the body, or for the log
        w->output_n = f->answer_at;
        return;
    }
    fastcgi_put_header(answer, FASTCGI_STDOUT, f->request_id, n - FASTCGI_HEADER_BYTES);
    memcpy(answer + FASTCGI_HEADER_BYTES, "Status: ", sizeof "Status: " - 1);
    fastcgi_put_last(f->last, f->request_id);
    f->last_left = sizeof f->last;
    f->record_end = c->source_at;
    f->is_active = c->in_body = false;
    c->closing = !f->keeps; // the client's connection is the front's affair
}

bool fastcgi_refuse(struct connection *c, enum error_code code) {
    if (!c->worker->options->front || !c->fastcgi->reads_head)
        return false;
    answer_put(c, TEXT("HTTP/1.1 200 OK\r\nX-Accel-Redirect: "));
    answer_put(c, fastcgi_refusal_place(code));
    answer_put(c, TEXT("\r\n\r\n"));
    return true;
}

bool fastcgi_owes(const struct connection *c) {
    return c->fastcgi->last_left > 0;
}

static void next_record(struct connection *c) {
    struct fastcgi *f = c->fastcgi;
    uint64_t left = c->source_end - c->source_at;
    size_t n = left < FASTCGI_CONTENT_BYTES_MAX ? (size_t)left : FASTCGI_CONTENT_BYTES_MAX;
    fastcgi_put_header(f->header, FASTCGI_STDOUT, f->request_id, n);
    f->header_left = sizeof f->header;
    f->record_end = c->source_at + n;
}

int fastcgi_gather(struct connection *c, struct iovec *pieces, int count, int most) {
    struct fastcgi *f = c->fastcgi;
    if (c->source_at == f->record_end && f->header_left == 0 && c->source_at < c->source_end)
        next_record(c);
    if (f->header_left > 0)
        pieces[count++] =
            (struct iovec){f->header + sizeof f->header - f->header_left, f->header_left};
    uint64_t at = connection_gather_source(c, f->record_end, pieces, &count, most - 1);
    if (at == c->source_end && f->last_left > 0)
        pieces[count++] = (struct iovec){f->last + sizeof f->last - f->last_left, f->last_left};
    return count;
}

static size_t take_sent(size_t *left, size_t n) {
    size_t taken = n < *left ? n : *left;
    *left -= taken;
    return n - taken;
}

void fastcgi_sent(struct connection *c, size_t n) {
    struct fastcgi *f = c->fastcgi;
    size_t content = (size_t)(f->record_end - c->source_at);
    n = take_sent(&f->header_left, n);
    size_t behind = take_sent(&content, n);
    c->source_at += n - behind;
    take_sent(&f->last_left, behind);
}

static void put_small(struct connection *c, const char *bytes, size_t n) {
    answer_put(c, (struct text){bytes, n});
}

static void end_request(struct connection *c, uint16_t id, enum fastcgi_status status) {
    char answer[FASTCGI_ANSWER_BYTES_MAX];
    put_small(c, answer, fastcgi_put_end(answer, id, status));
}

static void begin_request(struct connection *c, const uint8_t *content) {
    struct fastcgi *f = c->fastcgi;
    uint16_t id = f->record.request_id;
    unsigned role = (unsigned)content[0] << 8 | content[1];
    if (f->is_active && id == f->request_id) {
        c->dead = true;
    } else if (f->is_active) {
        end_request(c, id, FASTCGI_CANNOT_MULTIPLEX);
    } else if (role != FASTCGI_RESPONDER) {
        end_request(c, id, FASTCGI_UNKNOWN_ROLE);
    } else {
        f->is_active = c->in_body = true;
        f->has_head = f->is_too_large = false;
        f->keeps = (content[2] & FASTCGI_KEEP_CONNECTION) != 0;
        f->request_id = id;
        f->params_n = 0;
    }
}

// A request whose answer has begun is no longer active: then the rest of the answer is sent.
static void abort_request(struct connection *c) {
    struct fastcgi *f = c->fastcgi;
    if (!f->is_active || f->record.request_id != f->request_id)
        return;
    upload_close(c->worker, c->upload);
    c->upload = NULL;
    f->is_active = c->in_body = false;
    c->closing = !f->keeps;
    end_request(c, f->request_id, FASTCGI_REQUEST_COMPLETE);
}

// A record that is there whole.
static void take_small(struct connection *c, const char *content) {
    struct fastcgi *f = c->fastcgi;
    const struct fastcgi_header *record = &f->record;
    char answer[FASTCGI_ANSWER_BYTES_MAX];
    if (record->type == FASTCGI_GET_VALUES) {
        struct text asked = {content, record->content_n};
        put_small(c, answer, fastcgi_put_values(answer, asked, CONNECTIONS_MAX));
    } else if (record->request_id == 0) {
        put_small(c, answer, fastcgi_put_unknown(answer, record->type));
    } else if (record->type == FASTCGI_ABORT_REQUEST) {
        abort_request(c);
    } else if (record->type == FASTCGI_BEGIN_REQUEST && record->content_n == 8) {
        begin_request(c, (const uint8_t *)content);
    } else {
        c->dead = true;
    }
}

static void serve_head(struct connection *c, struct text end) {
    (void)end;
    struct fastcgi *f = c->fastcgi;
    static _Thread_local struct fastcgi_head head;
    enum head_state state = HEAD_TOO_LARGE;
    f->has_head = f->reads_head = true;
    if (!f->is_too_large)
        state = fastcgi_read_head((struct text){f->params, f->params_n}, &head);
    if (state == HEAD_TOO_LARGE) {
        connection_refuse(c, ERROR_HEAD_TOO_LARGE);
    } else if (state == HEAD_BAD) {
        connection_refuse(c, ERROR_BAD_REQUEST);
    } else if (head.refused != ERROR_NONE) {
        f->reads_head = false;
        connection_refuse(c, head.refused);
    } else {
        request_parser_init(&c->parser);
        connection_take_request(c, head.bytes, head.n);
        f->has_length = c->worker->request.has_length;
        f->body_left = c->worker->request.length;
    }
    f->reads_head = false;
}

static void take_params(struct connection *c, struct text piece) {
    struct fastcgi *f = c->fastcgi;
    if (piece.n > sizeof f->params - f->params_n) {
        f->is_too_large = true;
        return;
    }
    memcpy(f->params + f->params_n, piece.p, piece.n);
    f->params_n += piece.n;
}

static void take_body(struct connection *c, struct text piece) {
    struct fastcgi *f = c->fastcgi;
    if (f->has_length && piece.n > f->body_left) {
        c->dead = true; // more than the head said: who frames like this is not to be trusted
        return;
    }
    f->body_left -= f->has_length ? piece.n : 0;
    if (c->upload == NULL)
        return;
    upload_feed(c->upload, piece);
    if (c->upload->error == ERROR_ENTITY_TOO_LARGE)
        connection_refuse(c, ERROR_ENTITY_TOO_LARGE); // an unbounded body: do not read on
}

static void end_body(struct connection *c, struct text end) {
    (void)end;
    struct fastcgi *f = c->fastcgi;
    if (c->upload == NULL)
        return;
    if (f->has_length && f->body_left > 0 && c->upload->error == ERROR_NONE)
        c->upload->error = ERROR_INCOMPLETE_BODY;
    upload_finish(c);
}

// A piece of a stream, or its end: a record without content. What belongs to no request, or to one
// that has its answer, is read past.
static void take_stream(struct connection *c, struct text piece) {
    struct fastcgi *f = c->fastcgi;
    bool is_end = f->record.content_n == 0;
    if (!f->is_active || f->record.request_id != f->request_id)
        return;
    fastcgi_begin_answer(c);
    if (f->record.type == FASTCGI_PARAMS && !f->has_head)
        (is_end ? serve_head : take_params)(c, piece);
    else if (f->record.type == FASTCGI_STDIN && f->has_head)
        (is_end ? end_body : take_body)(c, piece);
    else
        c->dead = c->dead || f->record.type != FASTCGI_DATA;
    fastcgi_end_answer(c);
}

static bool is_stream(const struct fastcgi_header *record) {
    return record->type == FASTCGI_PARAMS || record->type == FASTCGI_STDIN ||
           record->type == FASTCGI_DATA;
}

// A header, with the whole record where it is none of a stream. 0 asks for more.
static size_t take_record(struct connection *c, const char *input, size_t n) {
    struct fastcgi *f = c->fastcgi;
    if (n < FASTCGI_HEADER_BYTES)
        return 0;
    bool good = fastcgi_read_header(input, &f->record);
    bool streams = is_stream(&f->record);
    size_t used = FASTCGI_HEADER_BYTES;
    if (!good || (!streams && f->record.content_n > FASTCGI_SMALL_BYTES_MAX) ||
        (streams && f->record.request_id == 0)) {
        c->dead = true;
        return n;
    }
    if (!streams && n - used < f->record.content_n)
        return 0;
    f->content_left = streams ? f->record.content_n : 0;
    f->padding_left = f->record.padding_n;
    if (!streams) {
        take_small(c, input + used);
        used += f->record.content_n;
    } else if (f->record.content_n == 0) {
        take_stream(c, (struct text){input + used, 0});
    }
    return used;
}

static size_t take_some(struct connection *c, const char *input, size_t n) {
    struct fastcgi *f = c->fastcgi;
    size_t used;
    if (f->content_left > 0) {
        used = n < f->content_left ? n : f->content_left;
        f->content_left -= used;
        take_stream(c, (struct text){input, used});
    } else if (f->padding_left > 0) {
        used = n < f->padding_left ? n : f->padding_left;
        f->padding_left -= used;
    } else {
        used = take_record(c, input, n);
    }
    return used;
}

size_t fastcgi_consume(struct connection *c, const char *input, size_t n) {
    struct worker *w = c->worker;
    size_t at = 0;
    while (at < n && !c->dead && c->commit == NULL) {
        if (c->closing && !c->fastcgi->is_active)
            return n;
        size_t used = take_some(c, input + at, n - at);
        at += used;
        bool answered = fastcgi_owes(c) || w->output_n > OUTPUT_BYTES - ANSWER_BYTES_MAX;
        if (answered && !connection_flush(c))
            return at;
        if (used == 0)
            return at;
    }
    return at;
}
