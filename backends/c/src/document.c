// The growing XML document, its two ways of escaping, and its commonest elements.
#include "answer.h"
#include <stdlib.h>

void document_add(struct document *d, struct text t) {
    if (d->failed || t.n == 0)
        return;
    if (d->capacity - d->n < t.n) {
        size_t wider = d->capacity == 0 ? 1024 : d->capacity * 2;
        while (wider - d->n < t.n)
            wider *= 2;
        char *p = realloc(d->p, wider);
        if (p == NULL) {
            d->failed = true;
            return;
        }
        d->p = p;
        d->capacity = wider;
    }
    memcpy(d->p + d->n, t.p, t.n);
    d->n += t.n;
}

void document_add_u64(struct document *d, uint64_t value) {
    char digits[20];
    document_add(d, (struct text){digits, text_put_u64(digits, value)});
}

static struct text xml_escape(char c) {
    switch (c) {
    case '&':
        return TEXT("&amp;");
    case '<':
        return TEXT("&lt;");
    case '>':
        return TEXT("&gt;");
    case '"':
        return TEXT("&quot;");
    case '\'':
        return TEXT("&apos;");
    case '\r':
        return TEXT("&#13;");
    default:
        return (struct text){NULL, 0};
    }
}

void document_add_escaped(struct document *d, struct text t) {
    size_t plain = 0;
    for (size_t i = 0; i < t.n; i++) {
        struct text escape = xml_escape(t.p[i]);
        char reference[] = "&#x00;";
        if (escape.p == NULL && (unsigned char)t.p[i] < 0x20 && t.p[i] != '\t' && t.p[i] != '\n') {
            reference[3] = (char)('0' + (t.p[i] >> 4));
            reference[4] = "0123456789ABCDEF"[t.p[i] & 15];
            escape = TEXT(reference);
        }
        if (escape.p == NULL)
            continue;
        document_add(d, (struct text){t.p + plain, i - plain});
        document_add(d, escape);
        plain = i + 1;
    }
    if (plain < t.n)
        document_add(d, (struct text){t.p + plain, t.n - plain});
}

static void add_tag(struct document *d, struct text opening, struct text tag) {
    document_add(d, opening);
    document_add(d, tag);
    DOCUMENT_ADD(d, ">");
}

void document_add_element(struct document *d, struct text tag, struct text value) {
    add_tag(d, TEXT("<"), tag);
    document_add_escaped(d, value);
    add_tag(d, TEXT("</"), tag);
}

void document_add_number(struct document *d, struct text tag, uint64_t value) {
    add_tag(d, TEXT("<"), tag);
    document_add_u64(d, value);
    add_tag(d, TEXT("</"), tag);
}

void document_add_date(struct document *d, struct text tag, int64_t unix_s) {
    char date[ISO_DATE_BYTES];
    text_put_iso_date(date, unix_s);
    document_add_element(d, tag, (struct text){date, sizeof date});
}

void document_add_etag(struct document *d, const uint8_t md5[16], uint16_t parts) {
    char etag[ETAG_BYTES_MAX];
    DOCUMENT_ADD(d, "<ETag>&quot;");
    document_add(d, (struct text){etag, object_put_etag(etag, md5, parts)});
    DOCUMENT_ADD(d, "&quot;</ETag>");
}

static bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~' || c == '/';
}

void document_add_url(struct document *d, struct text t) {
    for (size_t i = 0; i < t.n; i++) {
        char coded[3] = {'%', "0123456789ABCDEF"[(unsigned char)t.p[i] >> 4],
                         "0123456789ABCDEF"[t.p[i] & 15]};
        document_add(d, is_unreserved(t.p[i]) ? (struct text){t.p + i, 1}
                                              : (struct text){coded, sizeof coded});
    }
}
