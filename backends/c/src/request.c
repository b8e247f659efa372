// llhttp's callbacks, and the header names that the contract gives a meaning.
#include "request.h"

// The request whose head this thread is parsing; a head is always parsed in one call.
static _Thread_local struct request *parsing;
static request_body_sink *body_sink;

void request_on_body(request_body_sink *sink) {
    body_sink = sink;
}

enum head_state request_scan(const char *input, size_t n, size_t *head_n) {
    size_t limit = n < HEAD_BYTES_MAX ? n : HEAD_BYTES_MAX;
    size_t line = 0;
    if (n > 0 && (input[0] < 'A' || input[0] > 'Z'))
        return HEAD_BAD;
    while (line < limit) {
        const char *feed = memchr(input + line, '\n', limit - line);
        size_t end = feed == NULL ? limit : (size_t)(feed - input);
        const char *carriage = memchr(input + line, '\r', end - line);
        if (carriage != NULL && carriage + 1 < input + limit && carriage[1] != '\n')
            return HEAD_BAD;
        if (feed == NULL)
            break;
        if (carriage == NULL || carriage + 1 != feed)
            return HEAD_BAD;
        if (line > 0 && (input[line] == ' ' || input[line] == '\t'))
            return HEAD_BAD;
        if (carriage == input + line) {
            *head_n = end + 1;
            return HEAD_COMPLETE;
        }
        line = end + 1;
    }
    return n >= HEAD_BYTES_MAX ? HEAD_TOO_LARGE : HEAD_PARTIAL;
}

static int on_url(llhttp_t *parser, const char *at, size_t n) {
    (void)parser;
    struct text *target = &parsing->target;
    if (target->p == NULL)
        target->p = at;
    target->n = (size_t)(at + n - target->p);
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t n) {
    (void)parser;
    if (parsing == NULL) // a trailer of a chunked body: read past
        return 0;
    if (parsing->name.p == NULL)
        parsing->name.p = at;
    parsing->name.n = (size_t)(at + n - parsing->name.p);
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t n) {
    (void)parser;
    if (parsing == NULL)
        return 0;
    if (parsing->value.p == NULL)
        parsing->value.p = at;
    parsing->value.n = (size_t)(at + n - parsing->value.p);
    return 0;
}

static void keep_metadata(struct request *r, struct text name, struct text value) {
    if (r->kept.metadata_count == METADATA_COUNT_MAX) {
        r->metadata_bytes = METADATA_BYTES_MAX + 1;
        return;
    }
    r->metadata_bytes += name.n + value.n;
    r->kept.metadata[r->kept.metadata_count].name = name;
    r->kept.metadata[r->kept.metadata_count++].value = value;
}

static void read_length(struct request *r, struct text value) {
    uint64_t length;
    if (!text_to_u64(value, &length) || (r->has_length && length != r->length))
        r->bad = true;
    else
        r->length = length;
    r->has_length = true;
}

static void read_encoding(struct request *r, struct text value) {
    if (r->has_encoding || !text_is_nocase(value, TEXT("chunked")))
        r->bad = true;
    r->has_encoding = r->chunked = true;
}

#define COPY_SOURCE "x-amz-copy-source"

// Headers whose value is kept as it came. A table, so that adding one is adding a line.
static const struct {
    struct text name;
    size_t offset;
} plain_headers[] = {
    {{"authorization", 13}, offsetof(struct request, authorization)},
    {{"x-amz-date", 10}, offsetof(struct request, amz_date)},
    {{"date", 4}, offsetof(struct request, date)},
    {{"range", 5}, offsetof(struct request, range)},
    {{"if-range", 8}, offsetof(struct request, if_range)},
    {{"if-match", 8}, offsetof(struct request, conditions.match)},
    {{"if-none-match", 13}, offsetof(struct request, conditions.none_match)},
    {{"if-modified-since", 17}, offsetof(struct request, conditions.modified_since)},
    {{"if-unmodified-since", 19}, offsetof(struct request, conditions.unmodified_since)},
    {{"content-type", 12}, offsetof(struct request, kept.values[KEPT_CONTENT_TYPE])},
    {{"cache-control", 13}, offsetof(struct request, kept.values[KEPT_CACHE_CONTROL])},
    {{"content-disposition", 19}, offsetof(struct request, kept.values[KEPT_CONTENT_DISPOSITION])},
    {{"content-encoding", 16}, offsetof(struct request, kept.values[KEPT_CONTENT_ENCODING])},
    {{"content-language", 16}, offsetof(struct request, kept.values[KEPT_CONTENT_LANGUAGE])},
    {{"expires", 7}, offsetof(struct request, kept.values[KEPT_EXPIRES])},
    {{"content-md5", 11}, offsetof(struct request, content_md5)},
    {{"x-amz-content-sha256", 20}, offsetof(struct request, content_sha256)},
    {{"x-amz-decoded-content-length", 28}, offsetof(struct request, decoded_length)},
    {{"x-amz-checksum-crc32", 20}, offsetof(struct request, checksums[CHECKSUM_CRC32])},
    {{"x-amz-checksum-crc32c", 21}, offsetof(struct request, checksums[CHECKSUM_CRC32C])},
    {{"x-amz-checksum-crc64nvme", 24}, offsetof(struct request, checksums[CHECKSUM_CRC64NVME])},
    {{"x-amz-checksum-mode", 19}, offsetof(struct request, checksum_mode)},
    {{"x-amz-trailer", 13}, offsetof(struct request, trailer)},
    {{"x-amz-metadata-directive", 24}, offsetof(struct request, metadata_directive)},
    {{COPY_SOURCE, 17}, offsetof(struct request, copy_source)},
    {{COPY_SOURCE "-range", 23}, offsetof(struct request, copy_range)},
    {{COPY_SOURCE "-if-match", 26}, offsetof(struct request, copy_conditions.match)},
    {{COPY_SOURCE "-if-none-match", 31}, offsetof(struct request, copy_conditions.none_match)},
    {{COPY_SOURCE "-if-modified-since", 35},
     offsetof(struct request, copy_conditions.modified_since)},
    {{COPY_SOURCE "-if-unmodified-since", 37},
     offsetof(struct request, copy_conditions.unmodified_since)},
};

// Headers of features that S3 has and this subset has not.
static bool is_unsupported(struct text name) {
    return text_is_nocase(name, TEXT("x-amz-tagging")) ||
           text_starts_nocase(name, TEXT("x-amz-server-side-encryption")) ||
           text_starts_nocase(name, TEXT("x-amz-object-lock-"));
}

static void read_header(struct request *r, struct text name, struct text value) {
    if (name.n == 0)
        r->bad = true; // llhttp 8 lets ": value" pass
    if (text_is_nocase(name, TEXT("host"))) {
        r->host_count++;
        return;
    }
    for (size_t i = 0; i < sizeof plain_headers / sizeof *plain_headers; i++) {
        if (text_is_nocase(name, plain_headers[i].name)) {
            memcpy((char *)r + plain_headers[i].offset, &value, sizeof value);
            return;
        }
    }
    if (text_is_nocase(name, TEXT("content-length")))
        read_length(r, value);
    else if (text_is_nocase(name, TEXT("transfer-encoding")))
        read_encoding(r, value);
    else if (text_is_nocase(name, TEXT("expect")))
        r->expect_continue = text_is_nocase(value, TEXT("100-continue"));
    else if (text_starts_nocase(name, TEXT("x-amz-meta-")))
        keep_metadata(r, (struct text){name.p + 11, name.n - 11}, value);
    else if (is_unsupported(name))
        r->unsupported = true;
}

static int on_value_complete(llhttp_t *parser) {
    (void)parser;
    struct request *r = parsing;
    if (r == NULL)
        return 0;
    struct text value = r->value;
    if (value.p == NULL)
        value.p = ""; // present but empty, which is not absent
    read_header(r, r->name, text_trim(value));
    r->name = r->value = (struct text){NULL, 0};
    return 0;
}

static int on_headers_complete(llhttp_t *parser) {
    parser->upgrade = 0; // we speak one protocol: an Upgrade header is just a header
    parsing->keep_alive = llhttp_should_keep_alive(parser) != 0 && parser->http_minor == 1;
    parsing->head_done = true;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t n) {
    body_sink(parser, at, n);
    return 0;
}

// Pausing here is what keeps pipelined requests apart.
static int on_message_complete(llhttp_t *parser) {
    (void)parser;
    if (parsing != NULL)
        parsing->message_done = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void request_parser_init(llhttp_t *parser) {
    void *data = parser->data;
    llhttp_init(parser, HTTP_REQUEST, &settings);
    parser->data = data;
}

bool request_parse(struct request *r, llhttp_t *parser, const char *head, size_t n) {
    memset(r, 0, offsetof(struct request, kept.metadata));
    memset((char *)r + offsetof(struct request, metadata_bytes), 0,
           offsetof(struct request, decoded) - offsetof(struct request, metadata_bytes));
    r->head = (struct text){head, n};
    parsing = r;
    llhttp_errno_t error = llhttp_execute(parser, head, n);
    parsing = NULL;
    if (error == HPE_PAUSED)
        llhttp_resume(parser);
    else if (error != HPE_OK)
        return false;
    if (r->target.p == NULL || r->target.p[-2] == ' ' || r->target.p[r->target.n + 1] == ' ')
        return false; // llhttp lets more than one space pass
    if (!r->head_done || r->bad || r->host_count != 1 || (r->has_length && r->has_encoding))
        return false;
    if (parser->http_major != 1 || (r->has_encoding && parser->http_minor == 0))
        return false;
    r->method = (llhttp_method_t)parser->method;
    return true;
}

// "http://host/path" is how a proxy asks; the path is what counts.
static void drop_authority(struct text *target) {
    size_t at;
    if (!text_starts_nocase(*target, TEXT("http://")))
        return;
    if (!text_find(*target, TEXT("/"), 7, &at))
        at = target->n;
    target->p += at;
    target->n -= at;
}

bool request_decode(struct request *r, struct text raw, struct text *decoded) {
    char *to = r->decoded + r->decoded_n; // decoding only shrinks
    size_t n;
    if (!text_percent_decode(raw, to, &n))
        return false;
    r->decoded_n += n;
    *decoded = (struct text){to, n};
    return text_is_utf8(*decoded);
}

bool request_route(struct request *r) {
    drop_authority(&r->target);
    r->query = r->target;
    r->path = text_cut(&r->query, '?');
    struct text judged, rest = r->path;
    if (!request_decode(r, r->query, &judged))
        return false;
    r->decoded_n -= judged.n; // who needs a parameter decodes it again
    if (rest.n > 0 && rest.p[0] != '/')
        return false;
    if (rest.n > 0) {
        rest.p++;
        rest.n--;
    }
    struct text bucket = text_cut(&rest, '/');
    return request_decode(r, bucket, &r->bucket) && request_decode(r, rest, &r->key);
}

bool request_parameter(struct text *rest, struct text *name, struct text *value) {
    while (rest->n > 0) {
        struct text pair = text_cut(rest, '&');
        *name = text_cut(&pair, '=');
        *value = pair;
        if (name->n > 0)
            return true;
    }
    return false;
}
