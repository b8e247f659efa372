// The stubs of the profile versions: no versioning was ever configured, each object is its only
// version.
#include "listing.h"

// A key has one version, so the marker of a version says no more than that of its key.
static void read_start(struct listing *l, struct text name, struct text raw) {
    if (text_is(name, TEXT("key-marker")))
        l->start = l->after = listing_decode(l, raw);
    else if (text_is(name, TEXT("version-id-marker")))
        l->id_marker = listing_decode(l, raw);
}

static void add_version(struct listing *l, const struct listed *item) {
    DOCUMENT_ADD(&l->contents, "<Version><Key>");
    listing_add_name(l, &l->contents, item->key);
    DOCUMENT_ADD(&l->contents, "</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>");
    listing_add_object(&l->contents, item, true);
    DOCUMENT_ADD(&l->contents, "</Version>");
}

static void answer_versions(struct connection *c, struct listing *l) {
    struct document d = {0};
    listing_begin(l, &d, TEXT("ListVersionsResult"));
    listing_add_element(l, &d, TEXT("KeyMarker"), l->start);
    DOCUMENT_ADD(&d, "<VersionIdMarker>");
    document_add_escaped(&d, l->id_marker);
    DOCUMENT_ADD(&d, "</VersionIdMarker>");
    if (l->truncated) {
        listing_add_element(l, &d, TEXT("NextKeyMarker"), (struct text){l->last, l->last_n});
        DOCUMENT_ADD(&d, "<NextVersionIdMarker>null</NextVersionIdMarker>");
    }
    listing_end(c, l, &d, TEXT("ListVersionsResult"));
}

void s3_list_versions(struct connection *c, struct request *r) {
    static const struct listing_kind kind = {LISTING_OF_KEYS, read_start, add_version,
                                             answer_versions};
    listing_serve(c, r, &kind);
}

void s3_get_versioning(struct connection *c, struct request *r) {
    struct document d = {0};
    if (!store_has_bucket(r->bucket)) {
        answer_error(c, ERROR_NO_SUCH_BUCKET, r->path);
        return;
    }
    DOCUMENT_ADD(&d, XML_DECLARATION "<VersioningConfiguration" XML_NAMESPACE "/>");
    answer_document(c, &d);
}
