// The lines of a head from REQUEST_METHOD, REQUEST_URI and the pairs HTTP_*.
#include "fastcgi_head.h"
#include "fastcgi_record.h"
#include "front.h"

// By the status that the front would have answered; its configuration (front_config.c) sends them.
// Where two have one code, the first is its place.
static const struct {
    struct text status, place;
    enum error_code code;
} refusals[] = {
#define ROW(status, code)                                                                          \
    { {status, 3}, {FRONT_REFUSED status, sizeof FRONT_REFUSED + 2}, code }
    ROW("400", ERROR_BAD_REQUEST),      ROW("405", ERROR_METHOD_NOT_ALLOWED),
    ROW("413", ERROR_ENTITY_TOO_LARGE), ROW("494", ERROR_HEAD_TOO_LARGE),
    ROW("414", ERROR_HEAD_TOO_LARGE),   ROW("501", ERROR_BAD_REQUEST),
#undef ROW
};
#define REFUSAL_COUNT (sizeof refusals / sizeof *refusals)

static enum error_code refusal(struct text status) {
    for (size_t i = 0; i < REFUSAL_COUNT; i++) {
        if (text_is(status, refusals[i].status))
            return refusals[i].code;
    }
    return ERROR_BAD_REQUEST;
}

struct text fastcgi_refusal_place(enum error_code code) {
    for (size_t i = 0; i < REFUSAL_COUNT; i++) {
        if (code == refusals[i].code)
            return refusals[i].place;
    }
    return refusals[0].place;
}

static bool put(struct fastcgi_head *head, struct text t) {
    if (t.n > sizeof head->bytes - head->n)
        return false;
    if (t.n > 0)
        memcpy(head->bytes + head->n, t.p, t.n);
    head->n += t.n;
    return true;
}

static bool put_name(struct fastcgi_head *head, struct text name) {
    size_t from = head->n;
    if (!put(head, name))
        return false;
    for (char *c = head->bytes + from; c < head->bytes + head->n; c++)
        *c = (char)(*c == '_' ? '-' : *c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    return true;
}

// Nothing that a pair says may begin another line.
static bool is_one_line(struct text t) {
    return t.n == 0 || (memchr(t.p, '\r', t.n) == NULL && memchr(t.p, '\n', t.n) == NULL);
}

static enum head_state put_headers(struct fastcgi_head *head, struct text params) {
    struct text name, value, prefix = TEXT("HTTP_");
    bool is_whole;
    while (fastcgi_next_pair(&params, &name, &value, &is_whole)) {
        if (!text_starts(name, prefix))
            continue;
        struct text rest = {name.p + prefix.n, name.n - prefix.n};
        if (rest.n == 0 || !is_one_line(name) || !is_one_line(value))
            return HEAD_BAD;
        if (!put_name(head, rest) || !put(head, TEXT(": ")) || !put(head, value) ||
            !put(head, TEXT("\r\n")))
            return HEAD_TOO_LARGE;
    }
    return is_whole ? HEAD_COMPLETE : HEAD_BAD;
}

enum head_state fastcgi_read_head(struct text params, struct fastcgi_head *head) {
    struct text name, value, method = {NULL, 0}, target = {NULL, 0};
    struct text rest = params;
    bool is_whole;
    head->refused = ERROR_NONE;
    head->n = 0;
    while (fastcgi_next_pair(&rest, &name, &value, &is_whole)) {
        if (text_is(name, TEXT("REQUEST_METHOD")))
            method = value;
        else if (text_is(name, TEXT("REQUEST_URI")))
            target = value;
        else if (text_is(name, TEXT("PAUSEMARK_REFUSED")))
            head->refused = refusal(value);
    }
    if (text_starts(target, TEXT(FRONT_REFUSED)))
        head->refused = ERROR_NONE; // a client that asks for this place itself
    if (head->refused != ERROR_NONE && is_whole)
        return HEAD_COMPLETE;
    if (method.n == 0 || target.n == 0 || !is_one_line(method) || !is_one_line(target))
        return HEAD_BAD;
    if (!put(head, method) || !put(head, TEXT(" ")) || !put(head, target) ||
        !put(head, TEXT(" HTTP/1.1\r\n")))
        return HEAD_TOO_LARGE;
    enum head_state state = put_headers(head, params);
    if (state == HEAD_COMPLETE && !put(head, TEXT("\r\n")))
        return HEAD_TOO_LARGE;
    return state;
}
