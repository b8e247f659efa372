// A pull reader for the small XML that clients send: elements, text, entities, comments; no DTD.
#ifndef PAUSEMARK_XML_H
#define PAUSEMARK_XML_H
#include "text.h"

enum xml_kind { XML_OPEN, XML_CLOSE, XML_TEXT, XML_END, XML_ERROR };

struct xml {
    struct text rest;
    struct text name; // of the element just opened or closed, without its namespace prefix
    struct text raw;  // of the text just read, entities not yet replaced
    bool is_empty;    // "<a/>": the close follows
};

enum xml_kind xml_next(struct xml *x);
// Replaces entities; `to` has room for raw.n bytes. False on an unknown entity.
bool xml_decode(struct text raw, char *to, size_t *n);
#endif
