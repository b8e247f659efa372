// The log writer between its gates and recovery: conditions, segments, a full log, a failed one.
#include "crc32c.h"
#include "folder.h"
#include "kept.h"
#include "log_writer.h"
#include "replay.h"
#include <poll.h>
#include <stdatomic.h>

#define SEGMENT_BYTES 4096
#define BUCKET TEXT("bucket")

static void test_kept(void) {
    static const char expected[] =
        "content-type\0a/b\0content-disposition\0inline\0content-encoding\0gzip\0"
        "content-language\0eo\0expires\0never\0x-amz-checksum-crc32c\0AAAAAQ==\0x-amz-meta-a\0";
    struct kept_headers kept = {.values = {[KEPT_CONTENT_TYPE] = TEXT("a/b"),
                                           [KEPT_CONTENT_DISPOSITION] = TEXT("inline"),
                                           [KEPT_CONTENT_ENCODING] = TEXT("gzip"),
                                           [KEPT_CONTENT_LANGUAGE] = TEXT("eo"),
                                           [KEPT_EXPIRES] = TEXT("never")}};
    struct kept_headers back;
    struct checksums sums;
    char bytes[256] = {0};
    kept.metadata[0].name = TEXT("a");
    kept.metadata[0].value = TEXT("");
    kept.metadata_count = 1;
    struct object *o = object_create(&kept, 0, 1);
    o->checksums.kinds = 1u << CHECKSUM_CRC32C;
    o->checksums.values[CHECKSUM_CRC32C] = 1;
    size_t n = kept_bytes(o);
    kept_put(bytes, o);
    EXPECT(n == sizeof expected && memcmp(bytes, expected, n) == 0);
    EXPECT(kept_read((struct text){bytes, n}, &back, &sums) && back.metadata_count == 1);
    for (unsigned which = 0; which < KEPT_COUNT; which++)
        EXPECT(text_is(back.values[which], kept.values[which]));
    EXPECT(text_is(back.metadata[0].name, TEXT("a")) && sums.kinds == o->checksums.kinds);
    EXPECT(sums.values[CHECKSUM_CRC32C] == 1);
    EXPECT(kept_read(TEXT(""), &back, &sums) && back.values[KEPT_CONTENT_TYPE].n > 0);
    EXPECT(!kept_read((struct text){bytes, n - 1}, &back, &sums));
    EXPECT(!kept_read(TEXT("name"), &back, &sums) &&
           !kept_read(TEXT("name\0value\0"), &back, &sums));
    object_release(o);
}

static const struct conditions always; // asks for nothing

// Waits for the next write that is done, as a worker does.
static struct write *take_back(struct log_gate *g) {
    struct pollfd wait = {.fd = g->wake_fd, .events = POLLIN};
    struct write *back;
    while ((back = log_gate_next(g)) == NULL) {
        EXPECT(poll(&wait, 1, 10000) == 1);
        log_gate_begin(g);
    }
    return back;
}

static enum write_outcome ask(struct log_gate *g, struct write *w) {
    w->bucket = BUCKET;
    EXPECT(log_gate_submit(g, w));
    log_gate_hand_over(g);
    EXPECT(take_back(g) == w && log_gate_next(g) == NULL);
    write_release(w);
    return w->outcome;
}

static enum write_outcome change(struct log_gate *g, enum log_operation operation,
                                 struct text key) {
    struct write w = {.operation = operation, .key = key};
    return ask(g, &w);
}

static struct write make_put(struct text key, struct text data, struct conditions asked) {
    struct kept_headers kept = {.values = {[KEPT_CONTENT_TYPE] = TEXT("a/b")}};
    struct write w = {.operation = LOG_PUT_OBJECT, .bucket = BUCKET, .key = key};
    EXPECT(precondition_keep(&asked, &w.conditions));
    w.object = object_create(&kept, data.n, key.n);
    w.room = store_reserve(BUCKET, key);
    EXPECT(w.object != NULL && object_append(w.object, data.p, data.n) && w.room != NULL);
    return w;
}

static enum write_outcome put(struct log_gate *g, struct text key, struct text data,
                              struct conditions asked) {
    struct write w = make_put(key, data, asked);
    return ask(g, &w);
}

static bool stored_is(struct text key, struct text expected) {
    struct object *o;
    if (store_get(BUCKET, key, &o) != STORE_OK)
        return expected.p == NULL;
    struct text slice = o->size_bytes == 0 ? TEXT("") : object_slice(o, 0);
    bool same = text_is(slice, expected) && text_is(object_kept(o, KEPT_CONTENT_TYPE), TEXT("a/b"));
    object_release(o);
    return same;
}

static void clear_store(void) {
    static const struct text keys[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"large", 5}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        (void)store_delete(BUCKET, keys[i]);
    EXPECT(store_delete_bucket(BUCKET) == STORE_OK);
}

struct log {
    struct log_directory directory;
    struct log_writer *writer;
};

static atomic_uint failures;

static void count_failure(void) {
    failures++;
}

static struct log_gate *begin_with(struct log *l, const char *path, struct log_settings settings) {
    struct log_end end = {.next_lsn = 1};
    EXPECT(log_directory_open(&l->directory, path) && log_directory_lock(&l->directory));
    l->writer = log_writer_create(&l->directory, &settings, &end, 2);
    EXPECT(l->writer != NULL && log_writer_start(l->writer, count_failure));
    return log_writer_gate(l->writer, 0);
}

static struct log_gate *begin(struct log *l, const char *path, enum durability mode,
                              uint64_t log_bytes_max) {
    return begin_with(l, path, (struct log_settings){mode, 1, {SEGMENT_BYTES, log_bytes_max}});
}

static void end(struct log *l) {
    log_writer_destroy(l->writer);
    log_directory_close(&l->directory);
}

static void write_everything(struct log *l) {
    static char large[50000];
    struct log_gate *one = log_writer_gate(l->writer, 0), *two = log_writer_gate(l->writer, 1);
    struct text nothing = {NULL, 0}, none = {"none", 4};
    struct conditions absent = {.none_match = TEXT("*")}, present = {.match = TEXT("*")};
    struct conditions other = {.match = TEXT("\"0\"")};
    EXPECT(put(one, TEXT("a"), TEXT("1"), always) == WRITE_NO_BUCKET);
    EXPECT(change(one, LOG_CREATE_BUCKET, nothing) == WRITE_DONE);
    EXPECT(put(one, TEXT("a"), TEXT("1"), always) == WRITE_DONE && stored_is(TEXT("a"), TEXT("1")));
    EXPECT(put(two, TEXT("a"), TEXT("2"), absent) == WRITE_UNMET);
    EXPECT(put(two, TEXT("a"), TEXT("2"), other) == WRITE_UNMET);
    EXPECT(put(two, TEXT("b"), TEXT("2"), present) == WRITE_NO_KEY);
    EXPECT(put(two, TEXT("b"), TEXT("2"), absent) == WRITE_DONE);
    EXPECT(change(two, LOG_DELETE_BUCKET, nothing) == WRITE_NOT_EMPTY);
    EXPECT(put(one, TEXT("large"), (struct text){large, sizeof large}, always) == WRITE_DONE);
    for (char i = 0; i < 100; i++)
        EXPECT(put(two, TEXT("c"), (struct text){&i, 1}, always) == WRITE_DONE);
    EXPECT(change(one, LOG_DELETE_OBJECT, TEXT("b")) == WRITE_DONE);
    EXPECT(change(one, LOG_DELETE_OBJECT, none) == WRITE_DONE);
}

static void test_mode(enum durability mode) {
    const char *path = folder_fresh();
    struct log l;
    begin(&l, path, mode, 1 << 20);
    write_everything(&l);
    log_writer_stop(l.writer);
    EXPECT(!log_writer_has_failed(l.writer));
    end(&l);
    clear_store();
    struct log_end found;
    struct replay into = {.store_bytes_max = UINT64_MAX};
    EXPECT(log_directory_open(&l.directory, path) && log_directory_lock(&l.directory));
    EXPECT(log_recover(&l.directory, replay_record, &into, &found) == LOG_RECOVERED);
    EXPECT(found.next_lsn == 106); // refused writes and a delete of nothing left no record
    EXPECT(stored_is(TEXT("a"), TEXT("1")) && stored_is(TEXT("c"), TEXT("\143")));
    EXPECT(stored_is(TEXT("b"), (struct text){NULL, 0}));
    log_directory_close(&l.directory);
    clear_store();
}

// All at once, so that they share batches: of those that ask for one ETag the first wins.
static void test_rivals(void) {
    struct log l;
    struct log_gate *g = begin(&l, folder_fresh(), DURABILITY_BATCH, 1 << 20);
    struct conditions old = {.match = TEXT("\"00000000000000000000000000000000\"")};
    struct write rivals[8];
    unsigned won = 0;
    EXPECT(change(g, LOG_CREATE_BUCKET, (struct text){NULL, 0}) == WRITE_DONE);
    EXPECT(put(g, TEXT("a"), TEXT("old"), always) == WRITE_DONE);
    for (size_t i = 0; i < 8; i++) {
        rivals[i] = make_put(TEXT("a"), TEXT("new"), old);
        rivals[i].object->md5[0] = 1;
        EXPECT(log_gate_submit(g, &rivals[i]));
    }
    log_gate_hand_over(g);
    for (size_t i = 0; i < 8; i++)
        EXPECT(take_back(g) == &rivals[i]);
    for (size_t i = 0; i < 8; i++) {
        won += rivals[i].outcome == WRITE_DONE;
        EXPECT(rivals[i].outcome == WRITE_DONE || rivals[i].outcome == WRITE_UNMET);
        write_release(&rivals[i]);
    }
    EXPECT(won == 1 && stored_is(TEXT("a"), TEXT("new")));
    end(&l);
    clear_store();
}

// Refused when full, and what fits is still taken.
static void test_full_log(void) {
    static char large[5000], middle[500];
    struct log l;
    struct log_gate *g = begin(&l, folder_fresh(), DURABILITY_BATCH, 2 * SEGMENT_BYTES);
    unsigned count = 0;
    EXPECT(change(g, LOG_CREATE_BUCKET, (struct text){NULL, 0}) == WRITE_DONE);
    EXPECT(put(g, TEXT("large"), (struct text){large, sizeof large}, always) == WRITE_FULL);
    while (put(g, TEXT("a"), (struct text){middle, sizeof middle}, always) == WRITE_DONE)
        EXPECT(++count < 20);
    EXPECT(count >= 8 && !log_writer_has_failed(l.writer));
    EXPECT(put(g, TEXT("b"), TEXT("x"), always) == WRITE_DONE && stored_is(TEXT("b"), TEXT("x")));
    end(&l);
    clear_store();
}

// Every descriptor of the segment now leads to a file that is full, or to one that has no sync.
static void break_segment(const char *instead) {
    int broken = open(instead, O_WRONLY);
    char link[64], target[256];
    EXPECT(broken >= 0);
    for (int fd = 3; fd < 64; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof target);
        if (n > 4 && memcmp(target + n - 4, ".log", 4) == 0)
            dup2(broken, fd);
    }
    close(broken);
}

// The write that waits fails, and so does all that follows.
static void test_failed_write(void) {
    struct log l;
    struct log_gate *g = begin(&l, folder_fresh(), DURABILITY_BATCH, 1 << 20);
    failures = 0;
    EXPECT(change(g, LOG_CREATE_BUCKET, (struct text){NULL, 0}) == WRITE_DONE);
    break_segment("/dev/full");
    EXPECT(put(g, TEXT("a"), TEXT("1"), always) == WRITE_NOT_LOGGED);
    EXPECT(stored_is(TEXT("a"), (struct text){NULL, 0}));
    EXPECT(put(g, TEXT("a"), TEXT("1"), always) == WRITE_NOT_LOGGED && failures == 1);
    EXPECT(log_writer_has_failed(l.writer));
    end(&l);
    clear_store();
}

// /dev/null takes every write and refuses to sync: the last sync tells, behind the last answer.
// An interval that does not end meanwhile, however slow the machine is.
static void test_failed_last_sync(void) {
    struct log l;
    struct log_gate *g =
        begin_with(&l, folder_fresh(),
                   (struct log_settings){DURABILITY_INTERVAL, 60000, {SEGMENT_BYTES, 1 << 20}});
    failures = 0;
    EXPECT(change(g, LOG_CREATE_BUCKET, (struct text){NULL, 0}) == WRITE_DONE);
    break_segment("/dev/null");
    EXPECT(put(g, TEXT("a"), TEXT("1"), always) == WRITE_DONE);
    log_writer_stop(l.writer);
    EXPECT(log_writer_has_failed(l.writer) && failures == 1);
    end(&l);
    clear_store();
}

int main(void) {
    crc32c_start();
    slab_start(SLAB_MALLOC); // malloc, so that ASan sees every block
    object_limit_store((uint64_t)64 << 20);
    EXPECT(store_start());
    folder_begin();
    test_kept();
    for (enum durability mode = DURABILITY_BUFFERED; mode <= DURABILITY_SYNC; mode++)
        test_mode(mode);
    test_rivals();
    test_full_log();
    test_failed_write();
    test_failed_last_sync();
    folder_end();
    puts("writer: good");
    return 0;
}
