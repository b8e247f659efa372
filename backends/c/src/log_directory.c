// The directory as a whole: made where it is missing, held by one process, listed.
#include "log_segment.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_MODE 0755
#define LOCK_MODE 0644

// A directory that a crash takes back takes its files along: its entry is synced where it was made.
static void sync_parent(const char *path) {
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    memcpy(parent, n == 0 ? "." : path, n == 0 ? 1 : n);
    parent[n == 0 ? 1 : n] = '\0';
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        fsync(fd);
    if (fd >= 0)
        close(fd);
}

// Failures show when the path is opened.
static void make_directories(const char *path) {
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n >= sizeof part)
        return;
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, DIRECTORY_MODE) == 0)
            sync_parent(part);
    }
}

bool log_directory_open(struct log_directory *d, const char *path) {
    make_directories(path);
    d->path = path;
    d->lock = -1;
    d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return d->fd >= 0;
}

void log_directory_close(struct log_directory *d) {
    if (d->lock >= 0)
        close(d->lock);
    if (d->fd >= 0)
        close(d->fd);
    d->fd = d->lock = -1;
}

bool log_directory_lock(struct log_directory *d) {
    d->lock = openat(d->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, LOCK_MODE);
    return d->lock >= 0 && flock(d->lock, LOCK_EX | LOCK_NB) == 0;
}

bool log_directory_sync(const struct log_directory *d) {
    return fsync(d->fd) == 0;
}

static int compare_lsn(const void *a, const void *b) {
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return (first > second) - (first < second);
}

static bool append(uint64_t **lsns, size_t count, uint64_t lsn) {
    if ((count & (count - 1)) == 0) { // full at each power of two, and at none
        uint64_t *wider = realloc(*lsns, (count == 0 ? 1 : 2 * count) * sizeof **lsns);
        if (wider == NULL)
            return false;
        *lsns = wider;
    }
    (*lsns)[count] = lsn;
    return true;
}

static bool ends_in_new(struct text name) {
    return name.n > 4 && memcmp(name.p + name.n - 4, ".new", 4) == 0;
}

static bool collect(const struct log_directory *d, DIR *listing, uint64_t **lsns, size_t *count) {
    struct dirent *entry;
    while (errno = 0, (entry = readdir(listing)) != NULL) {
        struct text name = {entry->d_name, strlen(entry->d_name)};
        uint64_t lsn;
        if (ends_in_new(name))
            log_directory_remove(d, entry->d_name);
        if (!log_segment_read_name(name, &lsn))
            continue;
        if (!append(lsns, *count, lsn))
            return false;
        ++*count;
    }
    return errno == 0;
}

bool log_directory_list(const struct log_directory *d, uint64_t **lsns, size_t *count) {
    *lsns = NULL;
    *count = 0;
    int again = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = again < 0 ? NULL : fdopendir(again);
    if (listing == NULL) {
        if (again >= 0)
            close(again);
        return false;
    }
    bool good = collect(d, listing, lsns, count);
    int why = errno;
    closedir(listing); // and `again`
    errno = why;
    if (good && *count > 0)
        qsort(*lsns, *count, sizeof **lsns, compare_lsn);
    return good;
}
