// The log from record to recovery, on real files in directories of their own.
#include "crc32c.h"
#include "folder.h"
#include "log_journal.h"
#include <errno.h>

#define SEGMENT_BYTES 4096
#define COUNT_MAX 16

// A record as bytes, with its CRC, data and fill; returns the length without the fill.
static size_t put_record(char *to, struct log_record r, const char *data) {
    r.data_bytes = strlen(data);
    size_t length = log_record_length(&r);
    memset(to, 0, log_round_up(length));
    log_record_put(to, &r);
    memcpy(to + LOG_RECORD_HEAD_BYTES + r.key.n, r.metadata.p, r.metadata.n);
    memcpy(to + length - r.data_bytes, data, r.data_bytes);
    log_record_put_crc(to, crc32c(0, to + 8, length - 8));
    return length;
}

static struct log_record make_record(uint64_t lsn, uint64_t durable_lsn, uint32_t epoch) {
    struct log_record r = {.operation = LOG_PUT_OBJECT,
                           .epoch = epoch,
                           .lsn = lsn,
                           .durable_lsn = durable_lsn,
                           .time_ns = 1700000000000000001,
                           .key = TEXT("bucket/key"),
                           .metadata = TEXT("content-type\0a/b\0")};
    memset(r.md5, 7, sizeof r.md5);
    r.metadata.n = 17;
    return r;
}

static void test_record(void) {
    char bytes[256];
    struct log_record r = make_record(0x0102030405060708, 5, 9), back;
    r.parts = 3;
    size_t n = put_record(bytes, r, "hello");
    EXPECT(n == 112 && log_round_up(n) == 112 && memcmp(bytes, "PMR1", 4) == 0);
    EXPECT(memcmp(bytes + 8, "\x70\0\0\0\0\0\0\0", 8) == 0);
    EXPECT(memcmp(bytes + 16, "\x08\x07\x06\x05\x04\x03\x02\x01", 8) == 0);
    EXPECT(bytes[36] == 1 && bytes[37] == 0 && bytes[38] == 3 && bytes[40] == 10);
    EXPECT(log_record_read((struct text){bytes, n}, 9, &back) && log_record_is_supported(&back));
    EXPECT(back.lsn == r.lsn && back.durable_lsn == 5 && back.parts == 3);
    EXPECT(text_is(back.key, r.key) && text_is(back.metadata, r.metadata));
    EXPECT(text_is(back.data, TEXT("hello")) && back.time_ns == r.time_ns);
    EXPECT(memcmp(back.md5, r.md5, sizeof back.md5) == 0);
    EXPECT(!log_record_read((struct text){bytes, n}, 8, &back));
    EXPECT(!log_record_read((struct text){bytes, n - 1}, 9, &back));
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (char)(bytes[i] ^ 1);
        EXPECT(!log_record_read((struct text){bytes, n}, 9, &back));
        bytes[i] = (char)(bytes[i] ^ 1);
    }
}

static void test_segment_head(void) {
    char bytes[LOG_SEGMENT_HEAD_BYTES], name[LOG_SEGMENT_NAME_BYTES];
    struct text whole = {bytes, sizeof bytes};
    struct log_segment_head head = {.epoch = 3, .first_lsn = 77, .bytes = 4096}, back;
    uint64_t lsn;
    log_segment_put_head(bytes, head);
    EXPECT(memcmp(bytes, "PAUSELOG\x01", 9) == 0 && bytes[12] == 3 && bytes[16] == 77);
    EXPECT(log_segment_read_head(whole, &back) && back.epoch == 3 && back.first_lsn == 77);
    EXPECT(back.bytes == 4096);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(bytes[i] ^ 1);
        EXPECT(!log_segment_read_head(whole, &back));
        bytes[i] = (char)(bytes[i] ^ 1);
    }
    log_segment_put_name(name, 0xab);
    EXPECT(strcmp(name, "segment-00000000000000ab.log") == 0);
    EXPECT(log_segment_read_name(TEXT("segment-00000000000000ab.log"), &lsn) && lsn == 0xab);
    EXPECT(!log_segment_read_name(TEXT("segment-00000000000000AB.log"), &lsn));
    EXPECT(!log_segment_read_name(TEXT("segment-00000000000000g0.log"), &lsn));
    EXPECT(!log_segment_read_name(TEXT("segment-00000000000000ab.new"), &lsn));
    EXPECT(!log_segment_read_name(TEXT("lock"), &lsn));
}

// What one recovery found.
struct run {
    enum log_recovered outcome;
    struct log_end end;
    size_t count;
    uint64_t lsns[COUNT_MAX];
    char data[COUNT_MAX][16];
};

static bool collect(void *context, const struct log_record *r) {
    struct run *found = context;
    EXPECT(found->count < COUNT_MAX && r->data.n < sizeof found->data[0]);
    found->lsns[found->count] = r->lsn;
    memcpy(found->data[found->count++], r->data.p, r->data.n);
    return true;
}

// The directory is free again behind it.
static struct run run_recovery(const char *path) {
    struct run found = {0};
    struct log_directory directory;
    EXPECT(log_directory_open(&directory, path) && log_directory_lock(&directory));
    found.outcome = log_recover(&directory, collect, &found, &found.end);
    log_directory_close(&directory);
    return found;
}

// A segment in the making.
struct image {
    char bytes[SEGMENT_BYTES];
    size_t n; // of head and records
};

static void image_begin(struct image *s, uint32_t epoch, uint64_t first_lsn) {
    struct log_segment_head head = {epoch, first_lsn, SEGMENT_BYTES};
    memset(s->bytes, 0, sizeof s->bytes);
    log_segment_put_head(s->bytes, head);
    s->n = LOG_SEGMENT_HEAD_BYTES;
}

// Returns where the record begins.
static size_t image_add(struct image *s, struct log_record r, const char *data) {
    size_t at = s->n;
    s->n += log_round_up(put_record(s->bytes + at, r, data));
    return at;
}

static void image_write(const struct image *s, const char *path, uint64_t first_lsn) {
    struct log_directory directory;
    char name[LOG_SEGMENT_NAME_BYTES];
    log_segment_put_name(name, first_lsn);
    EXPECT(log_directory_open(&directory, path));
    int fd = openat(directory.fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    EXPECT(fd >= 0 && write(fd, s->bytes, sizeof s->bytes) == (ssize_t)sizeof s->bytes);
    close(fd);
    log_directory_close(&directory);
}

static bool segment_exists(const char *path, uint64_t first_lsn, char *bytes) {
    struct log_directory directory;
    EXPECT(log_directory_open(&directory, path));
    int fd = log_directory_open_segment(&directory, first_lsn);
    if (fd >= 0 && bytes != NULL)
        EXPECT(pread(fd, bytes, SEGMENT_BYTES, 0) == SEGMENT_BYTES);
    if (fd >= 0)
        close(fd);
    log_directory_close(&directory);
    return fd >= 0;
}

// Offsets of three records in at[], and of their end in at[3].
static void three_records(struct image *s, uint64_t durable_lsn_of_third, size_t at[4]) {
    image_begin(s, 1, 1);
    at[0] = image_add(s, make_record(1, 0, 1), "first");
    at[1] = image_add(s, make_record(2, 1, 1), "second");
    at[2] = image_add(s, make_record(3, durable_lsn_of_third, 1), "third");
    at[3] = s->n;
}

// Appends one record to what a recovery left, with the journal that the server uses.
static void append_one(const char *path, const struct log_end *end, const char *data) {
    struct log_directory directory;
    struct log_journal j;
    struct log_limits limits = {SEGMENT_BYTES, 1 << 20};
    char bytes[256];
    EXPECT(log_directory_open(&directory, path) && log_directory_lock(&directory));
    EXPECT(log_journal_open(&j, &directory, limits, end));
    struct log_record r = make_record(end->next_lsn, end->next_lsn - 1, end->epoch);
    size_t n = log_round_up(put_record(bytes, r, data));
    struct iovec piece = {bytes, n};
    EXPECT(log_journal_has_room(&j, 0, n) && log_journal_append(&j, &piece, 1, n));
    EXPECT(log_journal_sync(&j));
    log_journal_close(&j);
    log_directory_close(&directory);
}

static void test_recovery(void) {
    const char *path = folder_fresh();
    struct image first, second;
    struct run found = run_recovery(path);
    size_t at[4];
    EXPECT(found.outcome == LOG_RECOVERED && found.end.next_lsn == 1 && found.end.epoch == 0);
    three_records(&first, 2, at);
    image_begin(&second, 2, 4);
    image_add(&second, make_record(4, 3, 2), "fourth");
    image_write(&first, path, 1);
    image_write(&second, path, 4);
    char left_over[FOLDER_BYTES_MAX + 32];
    snprintf(left_over, sizeof left_over, "%s/segment-x.log.new", path);
    close(open(left_over, O_WRONLY | O_CREAT, 0644));
    found = run_recovery(path);
    EXPECT(found.outcome == LOG_RECOVERED && found.count == 4 && found.lsns[3] == 4);
    EXPECT(strcmp(found.data[3], "fourth") == 0 && found.end.epoch == 2);
    EXPECT(found.end.log_bytes == 2 * SEGMENT_BYTES && access(left_over, F_OK) != 0);
    append_one(path, &found.end, "fifth");
    EXPECT(strcmp(run_recovery(path).data[4], "fifth") == 0);
}

static void test_lock(void) {
    const char *path = folder_fresh();
    struct log_directory first, second;
    EXPECT(log_directory_open(&first, path) && log_directory_lock(&first));
    EXPECT(log_directory_open(&second, path) && !log_directory_lock(&second));
    EXPECT(errno == EWOULDBLOCK);
    log_directory_close(&first);
    log_directory_close(&second);
}

// Zeros from every byte of the last record on: it is dropped, and the log goes on in its place.
static void test_torn_tail(void) {
    struct image whole;
    size_t at[4];
    three_records(&whole, 2, at);
    EXPECT(whole.bytes[at[3] - 1] == 'd'); // no fill: each cut loses something
    for (size_t cut = at[2]; cut < at[3]; cut++) {
        const char *path = folder_fresh();
        char left[SEGMENT_BYTES];
        struct image torn = whole;
        memset(torn.bytes + cut, 0, at[3] - cut);
        image_write(&torn, path, 1);
        struct run found = run_recovery(path);
        EXPECT(found.outcome == LOG_RECOVERED && found.count == 2 && found.end.next_lsn == 3);
        EXPECT(segment_exists(path, 1, left));
        for (size_t i = found.end.offset; i < sizeof left; i++)
            EXPECT(left[i] == 0);
        append_one(path, &found.end, "again");
        found = run_recovery(path);
        EXPECT(found.outcome == LOG_RECOVERED && found.count == 3);
        EXPECT(strcmp(found.data[2], "again") == 0);
    }
}

// The second record is damaged, or zeros. Whether that is corruption is for the third's durable
// LSN to say.
static void test_corruption(void) {
    static const uint64_t durable_lsns[] = {0, 1, 2, 9};
    for (size_t i = 0; i < 8; i++) {
        const char *path = folder_fresh();
        bool refused = durable_lsns[i / 2] >= 2;
        struct image s;
        size_t at[4];
        three_records(&s, durable_lsns[i / 2], at);
        if (i % 2 == 0)
            memset(s.bytes + at[1], 0, at[2] - at[1]);
        else
            s.bytes[at[1] + 90] ^= 4;
        image_write(&s, path, 1);
        struct run found = run_recovery(path);
        EXPECT(found.outcome == (refused ? LOG_REFUSED : LOG_RECOVERED));
        EXPECT(found.end.next_lsn == 2);
        // Again the same: what was dropped stays away, and what was refused was not touched.
        EXPECT(run_recovery(path).outcome == found.outcome);
    }
}

static void test_corruption_over_segments(void) {
    for (uint64_t durable_lsn = 2; durable_lsn <= 3; durable_lsn++) {
        const char *path = folder_fresh();
        struct image first, second;
        size_t at[4];
        three_records(&first, 2, at);
        first.bytes[at[3] - 1] ^= 1;
        image_begin(&second, 2, 4);
        image_add(&second, make_record(4, durable_lsn, 2), "x");
        image_write(&first, path, 1);
        image_write(&second, path, 4);
        bool refused = durable_lsn >= 3;
        EXPECT(run_recovery(path).outcome == (refused ? LOG_REFUSED : LOG_RECOVERED));
        EXPECT(segment_exists(path, 4, NULL) == refused);
    }
    // A gap between segments is a hole at the first one's end.
    for (uint64_t durable_lsn = 3; durable_lsn <= 4; durable_lsn++) {
        const char *path = folder_fresh();
        struct image first, second;
        size_t at[4];
        three_records(&first, 2, at);
        image_begin(&second, 2, 5);
        image_add(&second, make_record(5, durable_lsn, 2), "x");
        image_write(&first, path, 1);
        image_write(&second, path, 5);
        bool refused = durable_lsn >= 4;
        EXPECT(run_recovery(path).outcome == (refused ? LOG_REFUSED : LOG_RECOVERED));
    }
}

// Zeros end a segment only when nothing is behind them, also where another segment follows.
static void test_hole_before_a_segment(void) {
    const char *path = folder_fresh();
    struct image first, second;
    size_t at[4];
    three_records(&first, 2, at);
    first.bytes[SEGMENT_BYTES - 100] = 'x';
    image_begin(&second, 2, 4);
    image_add(&second, make_record(4, 0, 2), "fourth");
    image_add(&second, make_record(5, 4, 2), "fifth");
    image_write(&first, path, 1);
    image_write(&second, path, 4);
    EXPECT(run_recovery(path).outcome == LOG_REFUSED);
}

// A record of the LSN that is expected proves no less than a later one.
static void test_lost_segment_head(void) {
    for (int with_record = 0; with_record < 2; with_record++) {
        const char *path = folder_fresh();
        struct image first, second;
        size_t at[4];
        three_records(&first, 2, at);
        image_begin(&second, 2, 4);
        if (with_record)
            image_add(&second, make_record(4, 0, 2), "x");
        second.bytes[0] = '?';
        image_write(&first, path, 1);
        image_write(&second, path, 4);
        EXPECT(run_recovery(path).outcome == (with_record ? LOG_REFUSED : LOG_RECOVERED));
        EXPECT(segment_exists(path, 4, NULL) == with_record);
    }
}

static void test_unsupported(void) {
    const char *path = folder_fresh();
    struct image s;
    struct log_record r = make_record(1, 0, 1);
    r.data_place = 1;
    image_begin(&s, 1, 1);
    image_add(&s, r, "x");
    image_write(&s, path, 1);
    EXPECT(run_recovery(path).outcome == LOG_REFUSED);
}

static void test_journal(void) {
    struct log_directory directory;
    struct log_journal j;
    struct log_limits limits = {SEGMENT_BYTES, 3 * SEGMENT_BYTES};
    struct log_end end = {.next_lsn = 1};
    char bytes[SEGMENT_BYTES / 2] = {0};
    const char *path = folder_fresh();
    EXPECT(log_directory_open(&directory, path));
    EXPECT(log_journal_open(&j, &directory, limits, &end) && j.epoch == 1);
    EXPECT(log_journal_has_room(&j, 0, SEGMENT_BYTES - 64));
    EXPECT(!log_journal_has_room(&j, 8, SEGMENT_BYTES - 64));
    for (uint64_t lsn = 2; lsn < 4; lsn++) { // the second file is one that was made ahead
        struct iovec piece = {bytes, sizeof bytes};
        EXPECT(log_journal_append(&j, &piece, 1, sizeof bytes));
        EXPECT(log_journal_extend(&j, 8, lsn) && j.epoch == lsn);
    }
    EXPECT(!log_journal_extend(&j, 8, 4) && errno == ENOSPC);
    log_journal_close(&j);
    log_directory_close(&directory);
    EXPECT(segment_exists(path, 1, NULL) && segment_exists(path, 3, NULL));
}

int main(void) {
    crc32c_start();
    folder_begin();
    test_record();
    test_segment_head();
    test_recovery();
    test_lock();
    test_torn_tail();
    test_corruption();
    test_corruption_over_segments();
    test_hole_before_a_segment();
    test_lost_segment_head();
    test_unsupported();
    test_journal();
    folder_end();
    puts("log: good");
    return 0;
}
