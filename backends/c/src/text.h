// Borrowed pieces of text and the small conversions that HTTP and S3 need. No function here
// allocates.
#ifndef PAUSEMARK_TEXT_H
#define PAUSEMARK_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// A view of bytes that somebody else owns; p may be NULL when n is 0 (absent and empty differ by
// p).
struct text {
    const char *p;
    size_t n;
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

bool text_is(struct text a, struct text b);
bool text_is_nocase(struct text a, struct text b);
bool text_starts(struct text a, struct text prefix);
bool text_starts_nocase(struct text a, struct text prefix);
int text_compare(struct text a, struct text b); // byte order, shorter first
struct text text_trim(struct text a);
struct text text_cut(struct text *rest, char separator); // the part before separator; rest moves on
bool text_find(struct text haystack, struct text needle, size_t from, size_t *at);

bool text_to_u64(struct text a, uint64_t *value); // decimal digits only, no overflow
int text_hex_digit(char c);                       // -1 when it is none
size_t text_put_u64(char *to, uint64_t value);    // at most 20 bytes; returns the length
void text_put_hex(char *to, const uint8_t *bytes, size_t n);

// Exact decoding: false unless `a` is the padded base64 of exactly `n` bytes.
bool text_from_base64(struct text a, uint8_t *to, size_t n);
size_t text_put_base64(char *to, const uint8_t *bytes, size_t n);

// Percent-decodes into `to` (never longer than `a`). False on a bad escape.
bool text_percent_decode(struct text a, char *to, size_t *n);
bool text_is_utf8(struct text a);

#define HTTP_DATE_BYTES 29
#define ISO_DATE_BYTES 24
#define BASIC_DATE_BYTES 16 // 20260101T000000Z
void text_put_http_date(char *to, int64_t unix_s);
void text_put_iso_date(char *to, int64_t unix_s);
void text_put_basic_date(char *to, int64_t unix_s);
bool text_from_http_date(struct text a, int64_t *unix_s);  // IMF-fixdate only
bool text_from_basic_date(struct text a, int64_t *unix_s); // from 1970 on
#endif
