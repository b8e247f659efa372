// Elements that nobody knows are read past; the two of a part may come in any order.
#include "completion.h"
#include "xml.h"

#define DEPTH_MAX 16
#define BLANKS TEXT(" \t\r\n")

// Where the reader is, and what it has of the part that is open.
struct reader {
    struct completion *to;
    struct text names[DEPTH_MAX];
    size_t depth;
    bool has_root, is_unordered, has_number, has_etag;
    struct text number, etag;
};

static bool is_at(const struct reader *r, size_t depth, struct text name) {
    return r->depth == depth && text_is(r->names[depth - 1], name) &&
           (depth < 2 || text_is(r->names[1], TEXT("Part")));
}

static bool open_element(struct reader *r, struct text name) {
    if (r->depth == DEPTH_MAX)
        return false;
    r->names[r->depth++] = name;
    if (r->depth == 1) {
        bool is_first = !r->has_root;
        r->has_root = true;
        return is_first && text_is(name, TEXT("CompleteMultipartUpload"));
    }
    if (is_at(r, 2, TEXT("Part")))
        r->has_number = r->has_etag = false;
    if (is_at(r, 3, TEXT("PartNumber"))) {
        r->has_number = true;
        r->number = TEXT("");
    } else if (is_at(r, 3, TEXT("ETag"))) {
        r->has_etag = true;
        r->etag = TEXT("");
    }
    return true;
}

// Decodes in place and behind what a comment cut off before.
static bool add_text(struct text *to, struct text raw) {
    char *at = (char *)(uintptr_t)(to->n == 0 ? raw.p : to->p + to->n); // our caller's buffer
    size_t n;
    if (!xml_decode(raw, at, &n))
        return false;
    *to = (struct text){to->n == 0 ? at : to->p, to->n + n};
    return true;
}

static struct text trim(struct text t, struct text set) {
    while (t.n > 0 && memchr(set.p, t.p[0], set.n) != NULL) {
        t.p++;
        t.n--;
    }
    while (t.n > 0 && memchr(set.p, t.p[t.n - 1], set.n) != NULL)
        t.n--;
    return t;
}

static bool read_text(struct reader *r, struct text raw) {
    if (is_at(r, 3, TEXT("PartNumber")))
        return add_text(&r->number, raw);
    if (is_at(r, 3, TEXT("ETag")))
        return add_text(&r->etag, raw);
    return r->depth > 0 || trim(raw, BLANKS).n == 0;
}

static bool end_part(struct reader *r) {
    struct completion *c = r->to;
    uint64_t number;
    if (!r->has_number || !r->has_etag || c->count == COMPLETION_PARTS_MAX ||
        !text_to_u64(trim(r->number, BLANKS), &number))
        return false;
    if (c->count > 0 && number <= c->parts[c->count - 1].number)
        r->is_unordered = true;
    struct text etag = trim(trim(r->etag, BLANKS), TEXT("\""));
    c->parts[c->count++] = (struct completion_part){number, etag};
    return true;
}

static bool close_element(struct reader *r, struct text name) {
    if (r->depth == 0 || !text_is(r->names[r->depth - 1], name))
        return false;
    bool is_part = is_at(r, 2, TEXT("Part"));
    r->depth--;
    return !is_part || end_part(r);
}

enum completion_result completion_read(struct completion *c, char *body, size_t n) {
    struct xml x = {.rest = {body, n}};
    struct reader r = {.to = c};
    bool is_good = true;
    c->count = 0;
    while (is_good) {
        switch (xml_next(&x)) {
        case XML_OPEN:
            is_good = open_element(&r, x.name);
            break;
        case XML_CLOSE:
            is_good = close_element(&r, x.name);
            break;
        case XML_TEXT:
            is_good = read_text(&r, x.raw);
            break;
        case XML_END:
            if (r.depth > 0 || c->count == 0)
                return COMPLETION_MALFORMED;
            return r.is_unordered ? COMPLETION_UNORDERED : COMPLETION_GOOD;
        case XML_ERROR:
            is_good = false;
        }
    }
    return COMPLETION_MALFORMED;
}
