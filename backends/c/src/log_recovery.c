// The hole is the first place that holds no valid record. Whether it is the torn end or the loss of
// something synced is told by the durable LSN of any valid record behind it.
#include "log_recovery.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// A segment in memory, as it is on the disk.
struct segment {
    int fd;
    uint64_t first_lsn; // by its name
    char *memory;       // owned
    struct text bytes;
    bool has_head;
    struct log_segment_head head;
};
#define NO_SEGMENT ((struct segment){.fd = -1})

struct reader {
    const struct log_directory *directory;
    log_visitor *visit;
    void *context;
    struct log_end *end;
    uint64_t *names; // first LSNs
    size_t name_count, kept_count;
    struct segment last; // the last that is kept, where the hole is
    bool head_lost;      // by a segment behind the hole
    bool has_proof;      // of corruption: a record that relies on what is lost
    uint64_t proof_segment, proof_offset;
    uint64_t dropped_bytes;
};

static void segment_close(struct segment *s) {
    free(s->memory);
    if (s->fd >= 0)
        close(s->fd);
    *s = NO_SEGMENT;
}

static bool read_whole(int fd, char *to, size_t n) {
    for (size_t at = 0; at < n;) {
        ssize_t got = pread(fd, to + at, n - at, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO; // shorter than it said
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

// False when the file cannot be read, with nothing to close; what is wrong inside is for the
// caller.
static bool segment_load(struct segment *s, const struct log_directory *d, uint64_t first_lsn) {
    struct stat about;
    *s = NO_SEGMENT;
    s->first_lsn = first_lsn;
    s->fd = log_directory_open_segment(d, first_lsn);
    bool good = s->fd >= 0 && fstat(s->fd, &about) == 0;
    size_t n = good ? (size_t)about.st_size : 0;
    s->memory = good ? malloc(n + 1) : NULL; // one more, so that nothing has an address too
    good = s->memory != NULL && read_whole(s->fd, s->memory, n);
    if (!good) {
        int why = errno;
        segment_close(s);
        errno = why;
        return false;
    }
    s->bytes = (struct text){s->memory, n};
    s->has_head = log_segment_read_head(s->bytes, &s->head) && s->head.first_lsn == first_lsn &&
                  s->head.bytes == n;
    return true;
}

static struct text rest_of(const struct segment *s, uint64_t offset) {
    size_t at = offset < s->bytes.n ? (size_t)offset : s->bytes.n;
    return (struct text){s->bytes.p + at, s->bytes.n - at};
}

static bool is_zero(struct text t) {
    return t.n == 0 || (t.p[0] == 0 && memcmp(t.p, t.p + 1, t.n - 1) == 0);
}

static enum log_recovered fail(const struct reader *r, const char *what) {
    fprintf(stderr, "error: recovery: cannot %s in %s: %s\n", what, r->directory->path,
            strerror(errno));
    return LOG_FAILED;
}

static enum log_recovered refuse_unsupported(const struct reader *r, const struct log_record *got) {
    char name[LOG_SEGMENT_NAME_BYTES];
    log_segment_put_name(name, r->last.first_lsn);
    fprintf(stderr,
            "error: recovery: %s offset %" PRIu64 ": the record with LSN %" PRIu64
            " cannot be read, expected operation 1 to 4 with data place 0, got %u with %u\n",
            name, r->end->offset, got->lsn, got->operation, got->data_place);
    return LOG_REFUSED;
}

static enum log_recovered refuse_corrupt(const struct reader *r) {
    char hole[LOG_SEGMENT_NAME_BYTES], proof[LOG_SEGMENT_NAME_BYTES];
    // A segment that should begin with the LSN that is missing has lost its head.
    bool headless = r->kept_count == 0 ||
                    (r->kept_count < r->name_count && r->names[r->kept_count] == r->end->next_lsn);
    log_segment_put_name(hole, headless ? r->names[r->kept_count] : r->end->first_lsn);
    log_segment_put_name(proof, r->proof_segment);
    fprintf(stderr,
            "error: recovery: %s offset %" PRIu64 ": corrupt, expected the record with LSN %" PRIu64
            ", which the one in %s offset %" PRIu64 " relies on\n",
            hole, headless ? 0 : r->end->offset, r->end->next_lsn, proof, r->proof_offset);
    return LOG_REFUSED;
}

// `*whole`: the segment ends where its records end, so that the next one may follow.
static enum log_recovered read_records(struct reader *r, bool *whole) {
    struct log_end *end = r->end;
    struct log_record found;
    end->offset = LOG_SEGMENT_HEAD_BYTES;
    for (;;) {
        struct text rest = rest_of(&r->last, end->offset);
        *whole = rest.n < LOG_RECORD_HEAD_BYTES || is_zero(rest);
        if (*whole)
            return LOG_RECOVERED;
        if (!log_record_read(rest, end->epoch, &found) || found.lsn != end->next_lsn)
            return LOG_RECOVERED;
        if (!log_record_is_supported(&found))
            return refuse_unsupported(r, &found);
        if (!r->visit(r->context, &found))
            return LOG_STOPPED;
        end->offset += log_round_up(log_record_length(&found));
        end->next_lsn++;
    }
}

// Takes `s` over as the last segment that the log keeps.
static void keep_segment(struct reader *r, struct segment *s) {
    segment_close(&r->last);
    r->last = *s;
    r->kept_count++;
    r->end->epoch = s->head.epoch;
    r->end->first_lsn = s->first_lsn;
    r->end->segment_bytes = s->bytes.n;
    r->end->log_bytes += s->bytes.n;
}

// Until the first hole or the end. A segment that does not follow the one before it makes that
// one's end the hole. What a kill left in the kernel's memory is synced here.
static enum log_recovered read_all(struct reader *r) {
    bool whole = true;
    while (whole && r->kept_count < r->name_count) {
        struct segment s;
        if (!segment_load(&s, r->directory, r->names[r->kept_count]))
            return fail(r, "read a segment");
        if (!s.has_head || s.first_lsn != r->end->next_lsn || s.head.epoch != r->end->epoch + 1) {
            segment_close(&s);
            break;
        }
        keep_segment(r, &s);
        if (fdatasync(r->last.fd) != 0)
            return fail(r, "sync a segment");
        enum log_recovered outcome = read_records(r, &whole);
        if (outcome != LOG_RECOVERED)
            return outcome;
    }
    return LOG_RECOVERED;
}

static bool word_is_zero(struct text t) {
    static const char nothing[8];
    return memcmp(t.p, nothing, t.n < sizeof nothing ? t.n : sizeof nothing) == 0;
}

// Looks at every multiple of 8 for a valid record that relies on the hole. Where a head is lost, so
// is the epoch, and any record proves that the head was there.
static void look_behind_in(struct reader *r, const struct segment *s, uint64_t from) {
    uint64_t used_to = from, step;
    for (uint64_t at = from; at < s->bytes.n; at += step) {
        struct text rest = rest_of(s, at);
        struct log_record found;
        step = 8;
        if (word_is_zero(rest))
            continue;
        uint32_t epoch = s->has_head ? s->head.epoch : log_record_claimed_epoch(rest);
        if (log_record_read(rest, epoch, &found)) {
            bool relies = found.lsn > r->end->next_lsn && found.durable_lsn >= r->end->next_lsn;
            if ((relies || r->head_lost) && !r->has_proof) {
                r->has_proof = true;
                r->proof_segment = s->first_lsn;
                r->proof_offset = at;
            }
            step = log_round_up(log_record_length(&found));
        }
        used_to = at + step < s->bytes.n ? at + step : s->bytes.n;
    }
    r->dropped_bytes += used_to - from;
}

static enum log_recovered look_behind(struct reader *r) {
    if (r->kept_count > 0 && r->end->offset < r->last.bytes.n)
        look_behind_in(r, &r->last, r->end->offset);
    for (size_t i = r->kept_count; i < r->name_count && !r->has_proof; i++) {
        struct segment s;
        if (!segment_load(&s, r->directory, r->names[i]))
            return fail(r, "read a segment");
        r->head_lost = r->head_lost || !s.has_head;
        if (s.bytes.n > LOG_SEGMENT_HEAD_BYTES)
            look_behind_in(r, &s, LOG_SEGMENT_HEAD_BYTES);
        segment_close(&s);
    }
    return r->has_proof ? refuse_corrupt(r) : LOG_RECOVERED;
}

// From the end backwards, and the torn segment last: wherever a crash interrupts this, the hole is
// still there for the next start.
static enum log_recovered drop_tail(struct reader *r) {
    size_t later = r->name_count - r->kept_count;
    if (r->dropped_bytes > 0 || later > 0)
        fprintf(stderr,
                "recovery: torn tail: dropped %" PRIu64
                " bytes and %zu segments behind LSN %" PRIu64 "\n",
                r->dropped_bytes, later, r->end->next_lsn - 1);
    for (size_t i = r->name_count; i > r->kept_count; i--) {
        if (!log_directory_remove_segment(r->directory, r->names[i - 1]))
            return fail(r, "remove a segment");
    }
    if (!log_directory_sync(r->directory))
        return fail(r, "sync the directory");
    if (r->kept_count > 0 && r->dropped_bytes > 0 &&
        !(log_write_zeros(r->last.fd, r->end->offset, r->last.bytes.n) &&
          fdatasync(r->last.fd) == 0))
        return fail(r, "zero a torn tail");
    return LOG_RECOVERED;
}

enum log_recovered log_recover(const struct log_directory *d, log_visitor *visit, void *context,
                               struct log_end *end) {
    struct reader r = {
        .directory = d, .visit = visit, .context = context, .end = end, .last = NO_SEGMENT};
    *end = (struct log_end){.next_lsn = 1};
    enum log_recovered outcome = LOG_RECOVERED;
    if (!log_directory_list(d, &r.names, &r.name_count))
        outcome = fail(&r, "list the segments");
    if (outcome == LOG_RECOVERED)
        outcome = read_all(&r);
    if (outcome == LOG_RECOVERED)
        outcome = look_behind(&r);
    if (outcome == LOG_RECOVERED)
        outcome = drop_tail(&r);
    segment_close(&r.last);
    free(r.names);
    return outcome;
}
