// One sparse file and one mapping of it: a block's place in the file is its distance from the
// begin.
#include "memory_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

// What is marked as sent together; every block is a multiple of it.
#define GRAIN_BYTES ((size_t)16384)

static int file = -1;
static char *base;
static uint64_t size;
static atomic_uint_fast64_t cut;
static atomic_uchar *was_sent; // a byte a grain

bool memory_file_start(uint64_t bytes) {
    file = memfd_create("pausemark-bodies", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, (off_t)bytes) != 0)
        return false;
    base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (base == MAP_FAILED)
        return false;
    was_sent = mmap(NULL, bytes / GRAIN_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size = bytes;
    return was_sent != MAP_FAILED;
}

void *memory_file_cut(size_t bytes) {
    uint64_t at = atomic_fetch_add(&cut, bytes);
    if (at + bytes > size) {
        atomic_fetch_sub(&cut, bytes);
        return NULL;
    }
    return base + at;
}

bool memory_file_has(const void *bytes) {
    const char *at = bytes;
    return size > 0 && at >= base && at < base + size;
}

ssize_t memory_file_send(int socket, const char *bytes, size_t n) {
    off_t offset = bytes - base;
    size_t last = ((size_t)offset + n - 1) / GRAIN_BYTES;
    for (size_t grain = (size_t)offset / GRAIN_BYTES; grain <= last; grain++)
        atomic_store_explicit(&was_sent[grain], 1, memory_order_relaxed);
    ssize_t sent = sendfile(socket, file, &offset, n);
    if (sent == 0)
        errno = EIO; // a file that nobody cuts short has ended
    return sent > 0 ? sent : -1;
}

bool memory_file_forget(void *block, size_t bytes) {
    size_t offset = (size_t)((char *)block - base);
    bool any = false;
    for (size_t grain = offset / GRAIN_BYTES; grain < (offset + bytes) / GRAIN_BYTES; grain++)
        any |= atomic_exchange_explicit(&was_sent[grain], 0, memory_order_relaxed) != 0;
    return !any || fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                             (off_t)bytes) == 0;
}
