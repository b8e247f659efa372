// Bodies by path in memory, behind one lock; readers get copies.
#ifndef PAUSEMARK_FAULTY_STORE_H
#define PAUSEMARK_FAULTY_STORE_H

#include <stdbool.h>
#include <stddef.h>

// Takes ownership of `body` (from malloc). Any thread.
void store_put(const char *path, char *body, size_t length);

// A copy that the caller frees, or NULL when there is none. Any thread.
char *store_get(const char *path, size_t *length);

#endif
