// Bodies by path: a hash table of chains behind one lock.
#include "store.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHAINS = 1 << 16 };

struct entry {
    struct entry *next;
    char *path;
    char *body;
    size_t length;
};

static struct entry *chains[CHAINS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct entry **find(const char *path) {
    uint32_t hash = 2166136261u; // FNV-1a
    for (const char *at = path; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    }
    struct entry **link = &chains[hash % CHAINS];
    while (*link != NULL && strcmp((*link)->path, path) != 0) {
        link = &(*link)->next;
    }
    return link;
}

void store_put(const char *path, char *body, size_t length) {
    pthread_mutex_lock(&lock);
    struct entry **link = find(path);
    if (*link == NULL) {
        *link = calloc(1, sizeof **link);
        (*link)->path = strdup(path);
    }
    free((*link)->body);
    (*link)->body = body;
    (*link)->length = length;
    pthread_mutex_unlock(&lock);
}

char *store_get(const char *path, size_t *length) {
    char *copy = NULL;
    pthread_mutex_lock(&lock);
    struct entry *found = *find(path);
    if (found != NULL) {
        *length = found->length;
        copy = malloc(found->length + 1);
        memcpy(copy, found->body, found->length);
    }
    pthread_mutex_unlock(&lock);
    return copy;
}
