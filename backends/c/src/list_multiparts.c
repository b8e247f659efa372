// The listings of a bucket's open multipart uploads, and of the parts of one.
#include "listing.h"
#include <stdlib.h>

#define PARTS_LISTED_MAX 1000
// Who began an upload, who will own the object, and how it is stored.
#define KEEPER                                                                                     \
    "<Initiator><ID>pausemark</ID><DisplayName>pausemark</DisplayName></Initiator>" DOCUMENT_OWNER \
    "<StorageClass>STANDARD</StorageClass>"

static void read_start(struct listing *l, struct text name, struct text raw) {
    if (text_is(name, TEXT("key-marker")))
        l->start = l->after = listing_decode(l, raw);
    else if (text_is(name, TEXT("upload-id-marker")))
        l->id_marker = listing_decode(l, raw);
}

// With an id the page goes on within the key of the marker, without one behind all of that key.
static bool is_behind(const struct listing *l, const struct listed_multipart *item) {
    int order = text_compare(item->key, l->after);
    bool is_within = order == 0 && l->id_marker.n > 0;
    return order > 0 || (is_within && text_compare(item->id, l->id_marker) > 0);
}

static void add_multipart(struct listing *l, const struct listed_multipart *item) {
    struct document *d = &l->contents;
    DOCUMENT_ADD(d, "<Upload>");
    listing_add_element(l, d, TEXT("Key"), item->key);
    document_add_element(d, TEXT("UploadId"), item->id);
    DOCUMENT_ADD(d, KEEPER);
    document_add_date(d, TEXT("Initiated"), item->begun_s);
    DOCUMENT_ADD(d, "</Upload>");
}

static bool visit(void *context, const struct listed_multipart *item) {
    struct listing *l = context;
    bool is_prefix;
    if (!text_starts(item->key, l->prefix))
        return false;
    struct text name = listing_roll_up(l, item->key, &is_prefix);
    bool is_told = is_prefix && (text_compare(name, l->after) <= 0 ||
                                 text_is(name, (struct text){l->last, l->last_n}));
    if (is_told || !is_behind(l, item))
        return true;
    if (!listing_take(l, name))
        return false;
    l->last_id_n = is_prefix ? 0 : item->id.n;
    memcpy(l->last_id, item->id.p, l->last_id_n);
    if (is_prefix)
        listing_add_prefix(l, name);
    else
        add_multipart(l, item);
    return true;
}

static enum store_result walk(struct listing *l, struct text from) {
    if (!store_has_bucket(l->request->bucket))
        return STORE_NO_BUCKET;
    multipart_list(l->request->bucket, from, visit, l);
    return STORE_OK;
}

static void answer_multiparts(struct connection *c, struct listing *l) {
    struct document d = {0};
    DOCUMENT_ADD(&d, XML_DECLARATION "<ListMultipartUploadsResult" XML_NAMESPACE ">");
    document_add_element(&d, TEXT("Bucket"), l->request->bucket);
    listing_add_element(l, &d, TEXT("KeyMarker"), l->start);
    document_add_element(&d, TEXT("UploadIdMarker"), l->id_marker);
    if (l->truncated) {
        listing_add_element(l, &d, TEXT("NextKeyMarker"), (struct text){l->last, l->last_n});
        document_add_element(&d, TEXT("NextUploadIdMarker"),
                             (struct text){l->last_id, l->last_id_n});
    }
    listing_add_element(l, &d, TEXT("Prefix"), l->prefix);
    listing_end(c, l, &d, TEXT("ListMultipartUploadsResult"));
}

void s3_list_multiparts(struct connection *c, struct request *r) {
    static const struct listing_kind kind = {
        {"max-uploads", 11}, {"MaxUploads", 10}, walk, read_start, NULL, answer_multiparts};
    listing_serve(c, r, &kind);
}

// A page of parts.
struct page {
    uint64_t parts_max, after, count;
    unsigned last;
    bool truncated;
    struct document parts;
};

static bool read_count(struct request *r, struct text raw, uint64_t *count) {
    struct text value;
    return request_decode(r, raw, &value) && text_to_u64(value, count) && *count <= INT32_MAX;
}

static bool read_page(struct page *p, struct request *r) {
    struct text rest = r->query, name, value;
    bool is_good = true;
    p->parts_max = PARTS_LISTED_MAX;
    while (request_parameter(&rest, &name, &value)) {
        if (text_is(name, TEXT("max-parts")))
            is_good = is_good && read_count(r, value, &p->parts_max);
        else if (text_is(name, TEXT("part-number-marker")))
            is_good = is_good && read_count(r, value, &p->after);
    }
    if (p->parts_max > PARTS_LISTED_MAX)
        p->parts_max = PARTS_LISTED_MAX;
    return is_good;
}

static bool visit_part(void *context, unsigned number, const struct object *part) {
    struct page *p = context;
    if (p->count == p->parts_max) {
        p->truncated = p->parts_max > 0;
        return false;
    }
    p->count++;
    p->last = number;
    DOCUMENT_ADD(&p->parts, "<Part>");
    document_add_number(&p->parts, TEXT("PartNumber"), number);
    document_add_date(&p->parts, TEXT("LastModified"), part->modified_s);
    document_add_etag(&p->parts, part->md5, 0);
    document_add_number(&p->parts, TEXT("Size"), part->size_bytes);
    DOCUMENT_ADD(&p->parts, "</Part>");
    return true;
}

static void answer_parts(struct connection *c, const struct request *r, const struct page *p) {
    struct document d = {0};
    DOCUMENT_ADD(&d, XML_DECLARATION "<ListPartsResult" XML_NAMESPACE ">");
    document_add_element(&d, TEXT("Bucket"), r->bucket);
    document_add_element(&d, TEXT("Key"), r->key);
    document_add_element(&d, TEXT("UploadId"), r->multipart_id);
    DOCUMENT_ADD(&d, KEEPER);
    document_add_number(&d, TEXT("PartNumberMarker"), p->after);
    if (p->truncated)
        document_add_number(&d, TEXT("NextPartNumberMarker"), p->last);
    document_add_number(&d, TEXT("MaxParts"), p->parts_max);
    document_add(&d, p->truncated ? TEXT("<IsTruncated>true</IsTruncated>")
                                  : TEXT("<IsTruncated>false</IsTruncated>"));
    document_add(&d, (struct text){p->parts.p, p->parts.n});
    DOCUMENT_ADD(&d, "</ListPartsResult>");
    d.failed = d.failed || p->parts.failed;
    answer_document(c, &d);
}

void s3_list_parts(struct connection *c, struct request *r) {
    struct page p = {0};
    struct multipart_name name = {r->bucket, r->key, r->multipart_id};
    if (!read_page(&p, r))
        answer_error(c, ERROR_INVALID_ARGUMENT, r->path);
    else if (!store_has_bucket(r->bucket))
        answer_error(c, ERROR_NO_SUCH_BUCKET, r->path);
    else if (multipart_list_parts(name, p.after, visit_part, &p) != MULTIPART_OK)
        answer_error(c, ERROR_NO_SUCH_UPLOAD, r->path);
    else
        answer_parts(c, r, &p);
    free(p.parts.p);
}
