// Reads tags and text in order; nesting is the caller's business.
#include "xml.h"

static enum xml_kind fail(struct xml *x) {
    x->rest.n = 0;
    return XML_ERROR;
}

static void advance(struct xml *x, size_t n) {
    x->rest.p += n;
    x->rest.n -= n;
}

// Skips a declaration or comment that starts at rest. False when it does not end.
static bool skip_to(struct xml *x, struct text end) {
    size_t at;
    if (!text_find(x->rest, end, 0, &at))
        return false;
    advance(x, at + end.n);
    return true;
}

static struct text local_name(struct text name) {
    const char *colon = name.n == 0 ? NULL : memchr(name.p, ':', name.n);
    if (colon == NULL)
        return name;
    return (struct text){colon + 1, (size_t)(name.p + name.n - colon - 1)};
}

static enum xml_kind read_tag(struct xml *x) {
    size_t end, name_n = 0;
    if (!text_find(x->rest, TEXT(">"), 0, &end))
        return fail(x);
    struct text tag = {x->rest.p + 1, end - 1};
    bool closes = text_starts(tag, TEXT("/"));
    advance(x, end + 1);
    if (closes) {
        tag.p++;
        tag.n--;
    }
    x->is_empty = !closes && tag.n > 0 && tag.p[tag.n - 1] == '/';
    if (x->is_empty)
        tag.n--;
    while (name_n < tag.n && memchr(" \t\r\n", tag.p[name_n], 4) == NULL)
        name_n++;
    x->name = local_name((struct text){tag.p, name_n});
    if (x->name.n == 0 || memchr(tag.p, '<', tag.n) != NULL)
        return fail(x);
    return closes ? XML_CLOSE : XML_OPEN;
}

enum xml_kind xml_next(struct xml *x) {
    if (x->is_empty) {
        x->is_empty = false;
        return XML_CLOSE;
    }
    while (x->rest.n > 0) {
        size_t at = x->rest.n;
        if (text_starts(x->rest, TEXT("<?")) || text_starts(x->rest, TEXT("<!--"))) {
            if (!skip_to(x, x->rest.p[1] == '?' ? TEXT("?>") : TEXT("-->")))
                return fail(x);
            continue;
        }
        if (text_starts(x->rest, TEXT("<!")))
            return fail(x);
        if (x->rest.p[0] == '<')
            return read_tag(x);
        text_find(x->rest, TEXT("<"), 0, &at);
        x->raw = (struct text){x->rest.p, at};
        advance(x, at);
        return XML_TEXT;
    }
    return XML_END;
}

static size_t put_utf8(char *to, uint32_t code) {
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t leads[] = {0, 0xc0, 0xe0, 0xf0};
    to[0] = (char)(leads[more] | code >> 6 * more);
    for (size_t i = 1; i <= more; i++)
        to[i] = (char)(0x80 | (code >> 6 * (more - i) & 63));
    return more + 1;
}

static bool read_reference(struct text body, uint32_t *code) {
    bool is_hex = text_starts(body, TEXT("x"));
    size_t at = is_hex ? 1 : 0;
    if (body.n == at || body.n > 8)
        return false;
    for (*code = 0; at < body.n; at++) {
        int digit = text_hex_digit(body.p[at]);
        if (digit < 0 || (!is_hex && digit > 9))
            return false;
        *code = *code * (is_hex ? 16 : 10) + (uint32_t)digit;
    }
    return *code > 0 && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff);
}

static bool read_entity(struct text body, uint32_t *code) {
    static const struct {
        struct text name;
        uint32_t code;
    } named[] = {{{"amp", 3}, '&'},
                 {{"lt", 2}, '<'},
                 {{"gt", 2}, '>'},
                 {{"quot", 4}, '"'},
                 {{"apos", 4}, '\''}};
    if (text_starts(body, TEXT("#")))
        return read_reference((struct text){body.p + 1, body.n - 1}, code);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        *code = named[i].code;
        if (text_is(body, named[i].name))
            return true;
    }
    return false;
}

bool xml_decode(struct text raw, char *to, size_t *n) {
    *n = 0;
    while (raw.n > 0) {
        uint32_t code;
        size_t end;
        if (raw.p[0] != '&') {
            to[(*n)++] = *raw.p++;
            raw.n--;
            continue;
        }
        if (!text_find(raw, TEXT(";"), 1, &end) ||
            !read_entity((struct text){raw.p + 1, end - 1}, &code))
            return false;
        *n += put_utf8(to + *n, code); // never longer than its reference: "&#1;" is 4 bytes
        raw.p += end + 1;
        raw.n -= end + 1;
    }
    return true;
}
