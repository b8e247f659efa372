// POST ?delete: parse the whole list first, so that a malformed one deletes nothing.
#include "s3.h"
#include "xml.h"
#include <stdlib.h>

#define KEYS_MAX 1000
#define WRITES_MAX 64 // under way at a time: one request does not fill the log's queue

struct key_list {
    struct text keys[KEYS_MAX];
    bool names_version[KEYS_MAX]; // as "null", which every object's only version is
    size_t count;
    bool quiet, is_null_version, asks_for_more, seen_root;
    char *text; // decoded keys
    size_t text_n;
};

// The keys, the writes of those under way, and the answer so far.
struct deletion {
    struct key_list list;
    struct document body, answer;
    struct write writes[WRITES_MAX];
    size_t done_count, write_count;
};

// Where the reader is: the names of the open elements.
struct path {
    struct text names[4];
    size_t depth;
};

static bool read_text(struct key_list *list, const struct path *path, struct text raw) {
    bool is_key = path->depth == 3 && text_is(path->names[2], TEXT("Key"));
    size_t n;
    if (path->depth == 3 && text_is(path->names[2], TEXT("VersionId")))
        list->is_null_version = text_is(raw, TEXT("null"));
    if (path->depth == 2 && text_is(path->names[1], TEXT("Quiet"))) {
        list->quiet = text_is(raw, TEXT("true"));
        return true;
    }
    if (!is_key)
        return true;
    char *to = list->text + list->text_n;
    if (!xml_decode(raw, to, &n) || list->count == 0)
        return false;
    struct text *key = &list->keys[list->count - 1];
    key->p = key->n == 0 ? to : key->p; // a comment may split the text
    key->n += n;
    list->text_n += n;
    return true;
}

// Of a deletion; none is here, and one that is passed over would delete what it protects.
static bool is_condition(struct text name) {
    return text_is(name, TEXT("ETag")) || text_is(name, TEXT("LastModifiedTime")) ||
           text_is(name, TEXT("Size"));
}

static bool open_element(struct key_list *list, struct path *path, struct text name) {
    if (path->depth == 4 || (path->depth == 0 && !text_is(name, TEXT("Delete"))))
        return false;
    if (path->depth == 0 && list->seen_root)
        return false;
    list->seen_root = true;
    path->names[path->depth++] = name;
    if (path->depth == 2 && text_is(name, TEXT("Object"))) {
        if (list->count == KEYS_MAX)
            return false;
        list->keys[list->count++] = (struct text){NULL, 0};
    }
    list->is_null_version = false;
    list->asks_for_more = list->asks_for_more || (path->depth == 3 && is_condition(name));
    return true;
}

static bool close_element(struct key_list *list, struct path *path, struct text name) {
    if (path->depth == 0 || !text_is(path->names[path->depth - 1], name))
        return false;
    path->depth--;
    if (path->depth == 2 && text_is(name, TEXT("VersionId")) && list->count > 0) {
        list->names_version[list->count - 1] = list->is_null_version;
        list->asks_for_more = list->asks_for_more || !list->is_null_version;
    }
    bool is_object = path->depth == 1 && text_is(name, TEXT("Object"));
    return !is_object || list->keys[list->count - 1].n > 0;
}

static bool read_keys(struct key_list *list, struct text body) {
    struct xml x = {.rest = body};
    struct path path = {.depth = 0};
    for (;;) {
        bool good = true;
        switch (xml_next(&x)) {
        case XML_OPEN:
            good = open_element(list, &path, x.name);
            break;
        case XML_CLOSE:
            good = close_element(list, &path, x.name);
            break;
        case XML_TEXT:
            good = read_text(list, &path, x.raw);
            break;
        case XML_END:
            return path.depth == 0 && list->count > 0;
        case XML_ERROR:
            return false;
        }
        if (!good)
            return false;
    }
}

static enum error_code outcome_of(const struct write *w) {
    bool is_key = w->key.n <= KEY_BYTES_MAX && text_is_utf8(w->key);
    return is_key ? commit_error(w->outcome) : ERROR_KEY_TOO_LONG;
}

static void add_key(struct document *xml, struct text key, bool names_version) {
    DOCUMENT_ADD(xml, "<Key>");
    document_add_escaped(xml, key);
    DOCUMENT_ADD(xml, "</Key>");
    if (names_version)
        DOCUMENT_ADD(xml, "<VersionId>null</VersionId>");
}

static void add_outcome(struct deletion *d, size_t at) {
    const struct write *w = &d->writes[at];
    bool names_version = d->list.names_version[d->done_count + at];
    struct document *xml = &d->answer;
    enum error_code error = outcome_of(w);
    if (error != ERROR_NONE) {
        DOCUMENT_ADD(xml, "<Error>");
        add_key(xml, w->key, names_version);
        DOCUMENT_ADD(xml, "<Code>");
        document_add(xml, error_name(error));
        DOCUMENT_ADD(xml, "</Code><Message>");
        document_add_escaped(xml, error_message(error));
        DOCUMENT_ADD(xml, "</Message></Error>");
    } else if (!d->list.quiet) {
        DOCUMENT_ADD(xml, "<Deleted>");
        add_key(xml, w->key, names_version);
        DOCUMENT_ADD(xml, "</Deleted>");
    }
}

static void begin_some(struct connection *c, struct commit *k) {
    struct deletion *d = k->deletion;
    size_t rest = d->list.count - d->done_count;
    d->write_count = rest < WRITES_MAX ? rest : WRITES_MAX;
    for (size_t i = 0; i < d->write_count; i++) {
        struct write *w = &d->writes[i];
        *w = (struct write){.operation = LOG_DELETE_OBJECT,
                            .bucket = {k->upload->bucket, k->upload->bucket_n},
                            .key = d->list.keys[d->done_count + i]};
        if (outcome_of(w) == ERROR_NONE)
            commit_submit(c, k, w);
    }
}

static void end_some(struct deletion *d) {
    for (size_t i = 0; i < d->write_count; i++)
        add_outcome(d, i);
    d->done_count += d->write_count;
}

static void go_on(struct connection *c, struct commit *k) {
    struct deletion *d = k->deletion;
    end_some(d);
    while (d->done_count < d->list.count) {
        begin_some(c, k);
        if (k->waiting > 0)
            return;
        end_some(d);
    }
    DOCUMENT_ADD(&d->answer, "</DeleteResult>");
    answer_document(c, &d->answer); // which is its own from now on
    d->answer = (struct document){0};
}

void deletion_free(struct deletion *d) {
    if (d == NULL)
        return;
    free(d->list.text);
    free(d->body.p);
    free(d->answer.p);
    free(d);
}

static enum error_code read_body(struct deletion *d, const struct object *body) {
    for (uint64_t at = 0; at < body->size_bytes;) {
        struct text slice = object_slice(body, at);
        document_add(&d->body, slice);
        at += slice.n;
    }
    d->list.text = malloc(d->body.n + 1);
    if (d->list.text == NULL || d->body.failed)
        return ERROR_SLOW_DOWN;
    if (!read_keys(&d->list, (struct text){d->body.p, d->body.n}))
        return ERROR_MALFORMED_XML;
    return d->list.asks_for_more ? ERROR_NOT_IMPLEMENTED : ERROR_NONE;
}

void delete_many(struct connection *c, struct upload *u) {
    struct deletion *d = calloc(1, sizeof *d);
    enum error_code error = d == NULL ? ERROR_SLOW_DOWN : read_body(d, u->object);
    struct commit *k = error == ERROR_NONE ? commit_take(c->worker) : NULL;
    if (k == NULL) {
        answer_error(c, error != ERROR_NONE ? error : ERROR_SLOW_DOWN,
                     (struct text){u->resource, u->resource_n});
        deletion_free(d);
        upload_close(c->worker, u);
        return;
    }
    k->upload = u;
    k->deletion = d;
    k->then = go_on;
    DOCUMENT_ADD(&d->answer, XML_DECLARATION "<DeleteResult" XML_NAMESPACE ">");
    commit_go_on(c, k);
}
