// Fresh directories for tests that need real files, below one that is removed at the end; what the
// log says meanwhile is expected, and not shown.
#ifndef PAUSEMARK_FOLDER_H
#define PAUSEMARK_FOLDER_H
#include "expect.h"
#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#define FOLDER_BYTES_MAX 96

static char folder_root[FOLDER_BYTES_MAX / 2];
static int folder_stderr;

static inline void folder_begin(void) {
    snprintf(folder_root, sizeof folder_root, "/tmp/pausemark-c-XXXXXX");
    EXPECT(mkdtemp(folder_root) != NULL);
    folder_stderr = dup(STDERR_FILENO);
    EXPECT(freopen("/dev/null", "w", stderr) != NULL);
}

// Not there yet. The text stays until the next call.
static inline const char *folder_fresh(void) {
    static unsigned number;
    static char path[FOLDER_BYTES_MAX];
    snprintf(path, sizeof path, "%s/%u/data", folder_root, ++number);
    return path;
}

static int folder_remove_one(const char *path, const struct stat *about, int kind,
                             struct FTW *place) {
    (void)about, (void)kind, (void)place;
    return remove(path);
}

static inline void folder_end(void) {
    fflush(stderr);
    dup2(folder_stderr, STDERR_FILENO); // for what sanitizers find at the end
    close(folder_stderr);
    nftw(folder_root, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
#endif
