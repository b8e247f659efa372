// Blocks that lie in a file of memory (memfd), so that a socket can take their pages without a
// copy.
#ifndef PAUSEMARK_MEMORY_FILE_H
#define PAUSEMARK_MEMORY_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Call once before any thread starts: a sparse file of this size, mapped whole. False with errno
// set.
bool memory_file_start(uint64_t bytes);
// The next bytes that nobody had yet, which belong to the caller for good; NULL when there are none
// left. Thread safe.
void *memory_file_cut(size_t bytes);
// Whether the bytes lie in the file. Without one, none do.
bool memory_file_has(const void *bytes);
// Sends like send(2). The socket refers to the pages until its reader has read them.
ssize_t memory_file_send(int socket, const char *bytes, size_t n);
// Takes away the pages of a block if any of them was sent: who still reads keeps them, and the
// block has new ones when it is used again. The block is aligned to 16 KiB. False: it must not be
// used again.
bool memory_file_forget(void *block, size_t bytes);
#endif
