// What any bytes do to the log's recovery: a segment or two, with their CRCs put right first.
#include "checksum.h"
#include "crc32c.h"
#include "log_recovery.h"
#include "replay.h"
#include "slab.h"
#include "store.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/dev/shm/pausemark-fuzz-XXXXXX"; // a device would sync: nothing to learn

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count;
    (void)arguments;
    if (mkdtemp(root) == NULL)
        abort();
    slab_start(SLAB_POOL);
    object_limit_store(16 << 20);
    checksum_start();
    if (!store_start())
        abort();
    return 0;
}

// Takes every record; their LSNs have no gap, whatever the bytes were.
static bool count_record(void *context, const struct log_record *r) {
    uint64_t *count = context;
    if (r->lsn != ++*count)
        abort();
    return true;
}

static void put_crc(char *to, const char *of, size_t n) {
    uint32_t crc = crc32c(0, of, n);
    memcpy(to, &crc, sizeof crc);
}

// Random bytes hardly ever have the right CRC: behind it lies what is worth trying.
static void put_crcs(char *bytes, size_t n) {
    if (n < LOG_SEGMENT_HEAD_BYTES)
        return;
    put_crc(bytes + 32, bytes, 32);
    for (size_t at = LOG_SEGMENT_HEAD_BYTES; at + LOG_RECORD_HEAD_BYTES <= n;) {
        uint64_t length;
        memcpy(&length, bytes + at + 8, sizeof length);
        if (length < LOG_RECORD_HEAD_BYTES || length > n - at)
            return;
        put_crc(bytes + at + 4, bytes + at + 8, (size_t)length - 8);
        at += log_round_up((size_t)length);
    }
}

static void write_segment(int folder, uint64_t lsn, const uint8_t *data, size_t n, bool right) {
    char name[LOG_SEGMENT_NAME_BYTES];
    char *bytes = malloc(n + 1);
    log_segment_put_name(name, lsn);
    int fd = openat(folder, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (bytes == NULL || fd < 0)
        abort();
    memcpy(bytes, data, n);
    if (right)
        put_crcs(bytes, n);
    if (write(fd, bytes, n) != (ssize_t)n)
        abort();
    close(fd);
    free(bytes);
}

static void remove_segments(const struct log_directory *d) {
    uint64_t *lsns = NULL;
    size_t count = 0;
    if (!log_directory_list(d, &lsns, &count))
        abort();
    for (size_t i = 0; i < count; i++)
        (void)log_directory_remove_segment(d, lsns[i]);
    free(lsns);
}

static void recover(const struct log_directory *d) {
    uint64_t once = 0, again = 0;
    struct log_end end;
    if (log_recover(d, count_record, &once, &end) != LOG_RECOVERED)
        return;
    // What was recovered once is recovered again, to the same end.
    if (log_recover(d, count_record, &again, &end) != LOG_RECOVERED || again != once ||
        end.next_lsn != once + 1)
        abort();
    // May refuse: earlier inputs have left what they will in the index.
    struct replay into = {.store_bytes_max = 16 << 20};
    (void)log_recover(d, replay_record, &into, &end);
}

// The first byte: bit 0 puts CRCs right, bit 1 makes two segments, the rest cuts.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct log_directory d = {.fd = -1, .lock = -1};
    if (size < 2)
        return 0;
    size_t n = size - 1, cut = (data[0] & 2) != 0 ? n * data[0] / 255 : n;
    if (!log_directory_open(&d, root) || !log_directory_lock(&d))
        abort();
    remove_segments(&d);
    write_segment(d.fd, 1, data + 1, cut, (data[0] & 1) != 0);
    if (cut < n)
        write_segment(d.fd, 2, data + 1 + cut, n - cut, (data[0] & 1) != 0);
    recover(&d);
    log_directory_close(&d);
    return 0;
}
