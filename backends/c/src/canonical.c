// Method, path, query, headers, their names and the payload's digest, in the one form that both
// sides sign.
#include "canonical.h"

static void flush(struct canonical *c) {
    sha256_add(c->sha256, (struct text){c->pending, c->pending_n});
    c->pending_n = 0;
}

static void put(struct canonical *c, struct text t) {
    if (t.n > sizeof c->pending - c->pending_n)
        flush(c);
    if (t.n > sizeof c->pending) {
        sha256_add(c->sha256, t);
    } else if (t.n > 0) {
        memcpy(c->pending + c->pending_n, t.p, t.n);
        c->pending_n += t.n;
    }
}

static bool is_unreserved(char b) {
    return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '-' ||
           b == '.' || b == '_' || b == '~';
}

// Decodes and encodes in one pass; a bad escape stands for itself. Returns the length.
static size_t encode(char *to, struct text raw, bool keep_slash) {
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        char b = raw.p[i];
        int high = b == '%' && i + 2 < raw.n ? text_hex_digit(raw.p[i + 1]) : -1;
        int low = high >= 0 ? text_hex_digit(raw.p[i + 2]) : -1;
        if (low >= 0) {
            b = (char)(high * 16 + low);
            i += 2;
        }
        if (is_unreserved(b) || (b == '/' && keep_slash)) {
            to[n++] = b;
            continue;
        }
        to[n++] = '%';
        to[n++] = digits[(uint8_t)b >> 4];
        to[n++] = digits[b & 15];
    }
    return n;
}

static void put_path(struct canonical *c, struct text path) {
    size_t n = encode(c->encoded, path, true);
    put(c, n == 0 ? TEXT("/") : (struct text){c->encoded, n});
    put(c, TEXT("\n"));
}

static bool is_before(const struct canonical_parameter *a, const struct canonical_parameter *b) {
    int order = text_compare(a->name, b->name);
    return order < 0 || (order == 0 && text_compare(a->value, b->value) < 0);
}

// Encodes every parameter and inserts it where it belongs. False when there are too many.
static bool sort_query(struct canonical *c, struct text query) {
    char *to = c->encoded;
    c->parameter_count = 0;
    while (query.n > 0) {
        struct text value = text_cut(&query, '&');
        if (value.n == 0)
            continue;
        if (c->parameter_count == SIGNED_PARAMETERS_MAX)
            return false;
        struct text name = text_cut(&value, '=');
        if (text_is(name, TEXT("X-Amz-Signature")))
            continue; // it is of the rest
        struct canonical_parameter p = {{to, encode(to, name, false)}, {NULL, 0}};
        to += p.name.n;
        p.value = (struct text){to, encode(to, value, false)};
        to += p.value.n;
        size_t at = c->parameter_count++;
        for (; at > 0 && is_before(&p, &c->parameters[at - 1]); at--)
            c->parameters[at] = c->parameters[at - 1];
        c->parameters[at] = p;
    }
    return true;
}

static void put_query(struct canonical *c) {
    for (size_t i = 0; i < c->parameter_count; i++) {
        if (i > 0)
            put(c, TEXT("&"));
        put(c, c->parameters[i].name);
        put(c, TEXT("="));
        put(c, c->parameters[i].value);
    }
    put(c, TEXT("\n"));
}

// The head is known to be lines that end in CRLF, none of them folded. False when they are too
// many.
static bool index_headers(struct canonical *c, struct text head) {
    c->header_count = 0;
    text_cut(&head, '\n');
    while (head.n > 2) {
        struct text value = text_cut(&head, '\n');
        value.n--; // CR
        if (c->header_count == SIGNED_HEADERS_MAX)
            return false;
        struct text name = text_cut(&value, ':');
        c->headers[c->header_count++] = (struct canonical_header){name, text_trim(value), false};
    }
    return true;
}

static void put_folded(struct canonical *c, struct text value) {
    size_t at;
    while (text_find(value, TEXT("  "), 0, &at)) {
        put(c, (struct text){value.p, at + 1});
        for (at += 2; at < value.n && value.p[at] == ' ';)
            at++;
        value.p += at;
        value.n -= at;
    }
    put(c, value);
}

// False when no such header was sent.
static bool put_header(struct canonical *c, struct text name) {
    bool found = false;
    put(c, name);
    for (size_t i = 0; i < c->header_count; i++) {
        struct canonical_header *h = &c->headers[i];
        if (!text_is_nocase(h->name, name))
            continue;
        put(c, found ? TEXT(",") : TEXT(":"));
        put_folded(c, h->value);
        h->is_signed = found = true;
    }
    put(c, TEXT("\n"));
    return found;
}

static bool must_be_signed(const struct canonical_header *h) {
    return text_is_nocase(h->name, TEXT("host")) || text_starts_nocase(h->name, TEXT("x-amz-"));
}

bool canonical_names_rise(struct text names) {
    struct text last = {NULL, 0};
    while (names.n > 0) {
        struct text name = text_cut(&names, ';');
        if (text_compare(last, name) >= 0)
            return false;
        last = name;
    }
    return true;
}

static enum canonical_result put_headers(struct canonical *c, struct text names) {
    while (names.n > 0) {
        if (!put_header(c, text_cut(&names, ';')))
            return CANONICAL_ABSENT;
    }
    for (size_t i = 0; i < c->header_count; i++) {
        if (!c->headers[i].is_signed && must_be_signed(&c->headers[i]))
            return CANONICAL_UNSIGNED;
    }
    put(c, TEXT("\n"));
    return CANONICAL_OK;
}

enum canonical_result canonical_digest(struct canonical *c, const struct request *r,
                                       struct text names, char *hex) {
    const char *method = llhttp_method_name(r->method);
    if (!index_headers(c, r->head))
        return CANONICAL_TOO_MANY;
    c->pending_n = 0;
    sha256_begin(c->sha256);
    put(c, (struct text){method, strlen(method)});
    put(c, TEXT("\n"));
    put_path(c, r->path);
    if (!sort_query(c, r->query))
        return CANONICAL_TOO_MANY;
    put_query(c);
    enum canonical_result result = put_headers(c, names);
    put(c, names);
    put(c, TEXT("\n"));
    put(c, r->content_sha256);
    flush(c);
    sha256_end_hex(c->sha256, hex);
    return result;
}
