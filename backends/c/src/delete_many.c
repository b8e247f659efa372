// POST ?delete: parse the whole list first, so that a malformed one deletes nothing.
#include "s3.h"
#include "xml.h"
#include <stdlib.h>

#define KEYS_MAX 1000

struct key_list {
    struct text keys[KEYS_MAX];
    size_t count;
    bool quiet, has_version, seen_root;
    char *text; // decoded keys
    size_t text_n;
};

// Where the reader is: the names of the open elements.
struct path {
    struct text names[4];
    size_t depth;
};

static bool read_text(struct key_list *list, const struct path *path, struct text raw) {
    bool is_key = path->depth == 3 && text_is(path->names[2], TEXT("Key"));
    size_t n;
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
    if (path->depth == 3 && text_is(name, TEXT("VersionId")))
        list->has_version = true;
    return true;
}

static bool close_element(const struct key_list *list, struct path *path, struct text name) {
    if (path->depth == 0 || !text_is(path->names[path->depth - 1], name))
        return false;
    path->depth--;
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

static void delete_one(const struct upload *u, struct text key, bool quiet, struct document *d) {
    if (key.n > KEY_BYTES_MAX || !text_is_utf8(key)) {
        DOCUMENT_ADD(d, "<Error><Key>");
        document_add_escaped(d, key);
        DOCUMENT_ADD(d, "</Key><Code>");
        document_add(d, error_name(ERROR_KEY_TOO_LONG));
        DOCUMENT_ADD(d, "</Code><Message>");
        document_add(d, error_message(ERROR_KEY_TOO_LONG));
        DOCUMENT_ADD(d, "</Message></Error>");
        return;
    }
    store_delete((struct text){u->bucket, u->bucket_n}, key);
    if (quiet)
        return;
    DOCUMENT_ADD(d, "<Deleted><Key>");
    document_add_escaped(d, key);
    DOCUMENT_ADD(d, "</Key></Deleted>");
}

static void answer_deleted(struct connection *c, const struct upload *u,
                           const struct key_list *list) {
    struct document d = {0};
    DOCUMENT_ADD(&d, XML_DECLARATION "<DeleteResult" XML_NAMESPACE ">");
    for (size_t i = 0; i < list->count; i++)
        delete_one(u, list->keys[i], list->quiet, &d);
    DOCUMENT_ADD(&d, "</DeleteResult>");
    answer_document(c, &d);
}

void delete_many(struct connection *c, struct upload *u) {
    struct text resource = {u->resource, u->resource_n};
    struct document body = {0};
    struct key_list *list = calloc(1, sizeof *list);
    for (uint64_t at = 0; at < u->object->size_bytes;) {
        struct text slice = object_slice(u->object, at);
        document_add(&body, slice);
        at += slice.n;
    }
    char *text = malloc(body.n + 1);
    if (list == NULL || text == NULL || body.failed) {
        answer_error(c, ERROR_INTERNAL, resource);
    } else {
        list->text = text;
        if (!read_keys(list, (struct text){body.p, body.n}))
            answer_error(c, ERROR_MALFORMED_XML, resource);
        else if (list->has_version)
            answer_error(c, ERROR_NOT_IMPLEMENTED, resource);
        else
            answer_deleted(c, u, list);
    }
    free(text);
    free(body.p);
    free(list);
}
