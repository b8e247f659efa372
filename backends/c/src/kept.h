// The names of kept headers, and their form in the log: for each name, NUL, value, NUL.
#ifndef PAUSEMARK_KEPT_H
#define PAUSEMARK_KEPT_H
#include "object.h"

struct text kept_name(enum kept_header which); // as answers write it
// By its name in lower case; KEPT_COUNT when it is none.
enum kept_header kept_find(struct text name);

size_t kept_bytes(const struct object *o);
// Writes kept_bytes(o) bytes.
void kept_put(char *to, const struct object *o);
// Views into `from`; false when it is not such a list, or names what is not kept.
bool kept_read(struct text from, struct kept_headers *kept, struct checksums *sums);
#endif
