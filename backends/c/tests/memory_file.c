// A block that a socket still has is forgotten and used again: its reader must not see that.
#include "memory_file.h"
#include "expect.h"
#include "slab.h"
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCK_BYTES = 65536, STILL_UNREAD = 30000 };

static bool is_all(const char *bytes, size_t n, char letter) {
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != letter)
            return false;
    return true;
}

static void test_what_is_sent_stays(void) {
    static char got[STILL_UNREAD];
    int ends[2];
    char *block = slab_take(BLOCK_BYTES);
    EXPECT(block != NULL && memory_file_has(block));
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    memset(block, 'o', BLOCK_BYTES);
    EXPECT(memory_file_send(ends[0], block + 100, STILL_UNREAD) == STILL_UNREAD);
    slab_give(block, BLOCK_BYTES);
    EXPECT(slab_take(BLOCK_BYTES) == block);
    memset(block, 'n', BLOCK_BYTES);
    EXPECT(recv(ends[1], got, sizeof got, MSG_WAITALL) == STILL_UNREAD);
    EXPECT(is_all(got, sizeof got, 'o'));
    EXPECT(is_all(block, BLOCK_BYTES, 'n'));
    slab_give(block, BLOCK_BYTES);
    close(ends[0]);
    close(ends[1]);
}

static void test_small_blocks_lie_elsewhere(void) {
    char *block = slab_take(32768);
    EXPECT(block != NULL && !memory_file_has(block));
    slab_give(block, 32768);
}

static void test_it_ends(void) {
    size_t count = 0;
    while (slab_take(BLOCK_BYTES) != NULL)
        count++;
    EXPECT(count == 2 * 16); // two chunks of 1 MiB, and all of it was free
}

int main(void) {
    EXPECT(slab_start(SLAB_POOL));
    EXPECT(memory_file_start((uint64_t)2 << 20));
    slab_use_memory_file();
    test_what_is_sent_stays();
    test_small_blocks_lie_elsewhere();
    test_it_ends();
    puts("memory_file: good");
    return 0;
}
