// Comparisons, numbers, base64 and percent coding on borrowed text.
#include "text.h"
#include <strings.h>

bool text_is(struct text a, struct text b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool text_is_nocase(struct text a, struct text b) {
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

bool text_starts(struct text a, struct text prefix) {
    return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

bool text_starts_nocase(struct text a, struct text prefix) {
    return a.n >= prefix.n && (prefix.n == 0 || strncasecmp(a.p, prefix.p, prefix.n) == 0);
}

int text_compare(struct text a, struct text b) {
    size_t shared = a.n < b.n ? a.n : b.n;
    int order = shared == 0 ? 0 : memcmp(a.p, b.p, shared);
    if (order != 0)
        return order;
    return (a.n > b.n) - (a.n < b.n);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

struct text text_trim(struct text a) {
    while (a.n > 0 && is_blank(a.p[0])) {
        a.p++;
        a.n--;
    }
    while (a.n > 0 && is_blank(a.p[a.n - 1]))
        a.n--;
    return a;
}

struct text text_cut(struct text *rest, char separator) {
    struct text head = *rest;
    const char *end = rest->n == 0 ? NULL : memchr(rest->p, separator, rest->n);
    if (end == NULL) {
        if (rest->n > 0) // nothing may be added to NULL, not even 0
            rest->p += rest->n;
        rest->n = 0;
        return head;
    }
    head.n = (size_t)(end - head.p);
    rest->p = end + 1;
    rest->n -= head.n + 1;
    return head;
}

bool text_find(struct text haystack, struct text needle, size_t from, size_t *at) {
    if (from >= haystack.n || needle.n == 0)
        return false;
    const char *found = memmem(haystack.p + from, haystack.n - from, needle.p, needle.n);
    if (found == NULL)
        return false;
    *at = (size_t)(found - haystack.p);
    return true;
}

bool text_to_u64(struct text a, uint64_t *value) {
    uint64_t sum = 0;
    if (a.n == 0)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (a.p[i] < '0' || a.p[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(a.p[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

int text_hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

size_t text_put_u64(char *to, uint64_t value) {
    char reversed[20];
    size_t n = 0;
    do {
        reversed[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < n; i++)
        to[i] = reversed[n - 1 - i];
    return n;
}

void text_put_hex(char *to, const uint8_t *bytes, size_t n) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = digits[bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 15];
    }
}

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool text_from_base64(struct text a, uint8_t *to, size_t n) {
    size_t padding = (3 - n % 3) % 3;
    if (a.n != (n + 2) / 3 * 4)
        return false;
    for (size_t i = 0; i < padding; i++) {
        if (a.p[a.n - 1 - i] != '=')
            return false;
    }
    uint32_t bits = 0;
    size_t at = 0;
    for (size_t i = 0; i < a.n; i++) {
        int digit = i < a.n - padding ? base64_digit(a.p[i]) : 0;
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 3)
            continue;
        for (int shift = 16; shift >= 0 && at < n; shift -= 8)
            to[at++] = (uint8_t)(bits >> shift);
    }
    return true;
}

size_t text_put_base64(char *to, const uint8_t *bytes, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = (uint32_t)bytes[i] << 16;
        bits |= i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0;
        bits |= i + 2 < n ? (uint32_t)bytes[i + 2] : 0;
        to[at++] = digits[bits >> 18];
        to[at++] = digits[bits >> 12 & 63];
        to[at++] = i + 1 < n ? digits[bits >> 6 & 63] : '=';
        to[at++] = i + 2 < n ? digits[bits & 63] : '=';
    }
    return at;
}

bool text_percent_decode(struct text a, char *to, size_t *n) {
    size_t at = 0;
    for (size_t i = 0; i < a.n; i++) {
        if (a.p[i] != '%') {
            to[at++] = a.p[i];
            continue;
        }
        if (i + 2 >= a.n)
            return false;
        int high = text_hex_digit(a.p[i + 1]);
        int low = text_hex_digit(a.p[i + 2]);
        if (high < 0 || low < 0)
            return false;
        to[at++] = (char)(high * 16 + low);
        i += 2;
    }
    *n = at;
    return true;
}

// Length of the sequence that starts with `lead`, and the smallest code point it may carry.
static size_t utf8_length(uint8_t lead, uint32_t *bits, uint32_t *least) {
    if (lead >= 0xf0 && lead < 0xf8) {
        *bits = lead & 7u;
        *least = 0x10000;
        return 4;
    }
    if (lead >= 0xe0 && lead < 0xf0) {
        *bits = lead & 15u;
        *least = 0x800;
        return 3;
    }
    *bits = lead & 31u;
    *least = 0x80;
    return lead >= 0xc0 && lead < 0xe0 ? 2 : 0;
}

bool text_is_utf8(struct text a) {
    for (size_t i = 0; i < a.n;) {
        uint8_t lead = (uint8_t)a.p[i];
        if (lead < 0x80) {
            i++;
            continue;
        }
        uint32_t code, least;
        size_t length = utf8_length(lead, &code, &least);
        if (length == 0 || i + length > a.n)
            return false;
        for (size_t k = 1; k < length; k++) {
            uint8_t next = (uint8_t)a.p[i + k];
            if ((next & 0xc0) != 0x80)
                return false;
            code = code << 6 | (next & 63u);
        }
        if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return false;
        i += length;
    }
    return true;
}
