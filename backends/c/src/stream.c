// Streams of one worker: what came and is not read yet, what may be sent, who is due an event.
#include "stream.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RECORDS_A_TURN_MAX 256 // then the log and the stop have their turn
#define CREDIT_BYTES_LEAST (CHANNEL_WINDOW_BYTES / 2)

static atomic_bool failed;

struct stream {
    struct links due;  // on the list of those that may be due an event, exactly while is_listed
    struct links owed; // on the list of those that owe the bridge a record, while owes
    struct streams *all;
    struct connection *connection; // NULL once it has let go
    uint32_t id;
    bool is_listed, owes, owes_end, owes_close;
    bool has_ended, has_hung_up; // the bridge said so
    uint32_t may_send, taken;    // credit we have; bytes for which we owe some
    struct text direct;          // the record that is being taken, before the inbox is needed
    char *inbox;                 // what the connection did not want yet, owned
    size_t inbox_at, inbox_n;    // where it begins, and how much is left
};

struct streams {
    struct worker *worker;
    struct channel channel;
    struct links due, owed;
    bool is_broken;
    struct stream *by_id[CHANNEL_STREAMS_MAX];
};

static void init(struct links *list) {
    list->next = list->previous = list;
}

struct streams *streams_create(struct worker *w, struct channel *channel) {
    struct streams *all = calloc(1, sizeof *all);
    if (all == NULL)
        return NULL;
    all->worker = w;
    all->channel = *channel;
    init(&all->due);
    init(&all->owed);
    return all;
}

static void forget(struct stream *s) {
    s->all->by_id[s->id] = NULL;
    if (s->is_listed)
        links_remove(&s->due);
    if (s->owes)
        links_remove(&s->owed);
    free(s->inbox);
    free(s);
}

void streams_destroy(struct streams *all) {
    for (uint32_t id = 0; id < CHANNEL_STREAMS_MAX; id++) {
        if (all->by_id[id] != NULL)
            forget(all->by_id[id]);
    }
    channel_detach(&all->channel);
    free(all);
}

int streams_wake_fd(const struct streams *all) {
    return all->channel.wake_fd;
}

// The bridge is the same program: this is a fault, and serving on could mix clients up.
static void break_off(struct streams *all, const char *what) {
    if (!all->is_broken)
        fprintf(stderr, "error: stream: the bridge's ring: %s\n", what);
    all->is_broken = true;
    atomic_store(&failed, true);
    kill(getpid(), SIGTERM);
}

bool streams_have_failed(void) {
    return atomic_load(&failed);
}

static void list_due(struct stream *s) {
    if (s->is_listed || s->connection == NULL)
        return;
    s->is_listed = true;
    links_add(&s->all->due, &s->due);
}

static void list_owed(struct stream *s) {
    if (s->owes)
        return;
    s->owes = true;
    links_add(&s->all->owed, &s->owed);
}

static bool has_input(const struct stream *s) {
    return s->direct.n > 0 || s->inbox_n > 0 || s->has_ended;
}

// What epoll would report; a hang-up is reported without being asked for.
static uint32_t events_of(const struct stream *s) {
    uint32_t watched = s->connection->watched, events = s->has_hung_up ? EPOLLHUP : 0u;
    if ((watched & EPOLLIN) != 0 && has_input(s))
        events |= EPOLLIN;
    if ((watched & EPOLLOUT) != 0 && s->may_send > 0 && channel_has_room(&s->all->channel))
        events |= EPOLLOUT;
    return events;
}

ssize_t stream_receive(struct stream *s, char *to, size_t n) {
    char *inbox = s->inbox == NULL ? NULL : s->inbox + s->inbox_at;
    const char *from = s->inbox_n > 0 ? inbox : s->direct.p;
    size_t most = s->inbox_n > 0 ? s->inbox_n : s->direct.n;
    if (most == 0 && (s->has_ended || s->has_hung_up))
        return 0;
    if (most == 0) {
        errno = EAGAIN;
        return -1;
    }
    n = n < most ? n : most;
    memcpy(to, from, n);
    if (s->inbox_n > 0) {
        s->inbox_at += n;
        s->inbox_n -= n;
    } else {
        s->direct = (struct text){s->direct.p + n, s->direct.n - n};
    }
    s->taken += (uint32_t)n;
    if (s->taken >= CREDIT_BYTES_LEAST)
        list_owed(s);
    return (ssize_t)n;
}

static ssize_t refuse(int error) {
    errno = error;
    return -1;
}

ssize_t stream_send(struct stream *s, const struct iovec *pieces, int count) {
    struct channel *channel = &s->all->channel;
    size_t most =
        s->may_send < SHARED_RING_RECORD_BYTES_MAX ? s->may_send : SHARED_RING_RECORD_BYTES_MAX;
    size_t total = 0, n = 0;
    for (int i = 0; i < count; i++)
        total += pieces[i].iov_len;
    most = most < total ? most : total;
    if (s->has_hung_up)
        return refuse(EPIPE);
    char *to = most == 0 ? NULL : shared_ring_reserve(&channel->out, most);
    if (to == NULL) {
        list_due(s); // where the ring was full; credit lists it itself
        return refuse(EAGAIN);
    }
    for (int i = 0; n < most; i++) {
        size_t piece = pieces[i].iov_len < most - n ? pieces[i].iov_len : most - n;
        memcpy(to + n, pieces[i].iov_base, piece);
        n += piece;
    }
    shared_ring_commit(&channel->out, CHANNEL_DATA, s->id, n);
    channel->has_put = true;
    s->may_send -= (uint32_t)n;
    return (ssize_t)n;
}

void stream_watch(struct stream *s) {
    list_due(s);
}

void stream_shut_down(struct stream *s) {
    s->owes_end = true;
    list_owed(s);
}

void stream_close(struct stream *s) {
    s->connection = NULL;
    s->owes_close = true;
    free(s->inbox);
    s->inbox = NULL;
    s->inbox_n = 0;
    list_owed(s);
}

// Keeps what the connection did not want; the bridge's credit bounds it. False: it does not.
static bool keep_direct(struct stream *s) {
    size_t n = s->inbox_n + s->direct.n;
    if (s->direct.n == 0)
        return true;
    char *kept = n > CHANNEL_WINDOW_BYTES ? NULL : malloc(n);
    if (kept == NULL)
        return false;
    if (s->inbox_n > 0)
        memcpy(kept, s->inbox + s->inbox_at, s->inbox_n);
    memcpy(kept + s->inbox_n, s->direct.p, s->direct.n);
    free(s->inbox);
    s->inbox = kept;
    s->inbox_at = 0;
    s->inbox_n = n;
    s->direct.n = 0;
    return true;
}

static void tell(struct stream *s) {
    uint32_t events = events_of(s);
    if (events != 0)
        connection_event(s->connection, events);
}

static void take_data(struct stream *s, struct text bytes) {
    s->direct = bytes;
    if (s->inbox_n == 0)
        tell(s); // mostly it takes all of it from the ring
    bool is_closed = s->connection == NULL;
    if (!is_closed && !keep_direct(s))
        connection_close(s->connection);
    s->direct = (struct text){0};
    if (!is_closed)
        list_due(s);
}

static bool open_one(struct streams *all, uint32_t id) {
    struct stream *s = all->by_id[id] == NULL ? calloc(1, sizeof *s) : NULL;
    if (s == NULL)
        return false;
    all->by_id[id] = s;
    s->all = all;
    s->id = id;
    s->may_send = CHANNEL_WINDOW_BYTES;
    s->connection = connection_accept_stream(all->worker, s);
    if (s->connection == NULL)
        stream_close(s);
    return true;
}

static bool add_credit(struct stream *s, const struct shared_record *r) {
    uint32_t credit = 0;
    if (r->n != sizeof credit)
        return false;
    memcpy(&credit, r->p, sizeof credit);
    if (credit > CHANNEL_WINDOW_BYTES - s->may_send)
        return false;
    s->may_send += credit;
    list_due(s);
    return true;
}

// False when the record is none that the bridge may send.
static bool take(struct streams *all, const struct shared_record *r) {
    struct stream *s = r->id < CHANNEL_STREAMS_MAX ? all->by_id[r->id] : NULL;
    if (r->id >= CHANNEL_STREAMS_MAX)
        return false;
    if (r->kind == CHANNEL_OPEN)
        return open_one(all, r->id);
    if (s == NULL || s->connection == NULL)
        return true; // it crossed our CLOSE
    switch (r->kind) {
    case CHANNEL_DATA:
        take_data(s, (struct text){r->p, r->n});
        return true;
    case CHANNEL_CREDIT:
        return add_credit(s, r);
    case CHANNEL_HANG_UP:
        s->has_hung_up = true;
        // fall through
    case CHANNEL_END:
        s->has_ended = true;
        list_due(s);
        return true;
    default:
        return false;
    }
}

static void take_records(struct streams *all) {
    struct shared_record record;
    for (int i = 0; i < RECORDS_A_TURN_MAX && !all->is_broken; i++) {
        enum shared_ring_state state = channel_next(&all->channel, &record);
        if (state == SHARED_RING_EMPTY)
            return;
        if (state == SHARED_RING_BROKEN || !take(all, &record)) {
            break_off(all, "a record that cannot be");
            return;
        }
        channel_pop(&all->channel);
    }
}

#define FROM_DUE(link) ((struct stream *)(link)) // `due` is its first member
#define FROM_OWED(link) ((struct stream *)((char *)(link)-offsetof(struct stream, owed)))

// Each at most once: who is due more is listed again, at the end of the next round's list.
static void tell_due(struct streams *all) {
    struct links round = all->due;
    if (round.next == &all->due)
        return;
    round.next->previous = round.previous->next = &round;
    init(&all->due);
    while (round.next != &round) {
        struct stream *s = FROM_DUE(round.next);
        links_remove(&s->due);
        s->is_listed = false;
        if (s->connection == NULL)
            continue;
        uint32_t before = events_of(s), watched = s->connection->watched;
        tell(s);
        bool waits_for_room = s->connection != NULL && (watched & EPOLLOUT) != 0 && s->may_send > 0;
        if (before != 0 || waits_for_room)
            list_due(s);
    }
}

// False when the ring is full.
static bool pay(struct stream *s) {
    struct channel *channel = &s->all->channel;
    if (s->taken >= CREDIT_BYTES_LEAST && s->connection != NULL) {
        if (!channel_put(channel, CHANNEL_CREDIT, s->id, &s->taken, sizeof s->taken))
            return false;
        s->taken = 0;
    }
    if (s->owes_end && !channel_put(channel, CHANNEL_END, s->id, NULL, 0))
        return false;
    s->owes_end = false;
    return !s->owes_close || channel_put(channel, CHANNEL_CLOSE, s->id, NULL, 0);
}

static void pay_owed(struct streams *all) {
    while (all->owed.next != &all->owed) {
        struct stream *s = FROM_OWED(all->owed.next);
        if (!pay(s))
            return;
        links_remove(&s->owed);
        s->owes = false;
        if (s->owes_close)
            forget(s);
    }
}

bool streams_lie_down(struct streams *all) {
    bool wants_room = !channel_has_room(&all->channel);
    bool is_quiet = channel_lie_down(&all->channel, wants_room);
    for (struct links *link = all->due.next; is_quiet && link != &all->due; link = link->next) {
        const struct stream *s = FROM_DUE(link);
        is_quiet = s->connection == NULL || events_of(s) == 0;
    }
    return is_quiet || all->is_broken;
}

void streams_turn(struct streams *all, bool was_woken) {
    channel_get_up(&all->channel, was_woken);
    take_records(all);
    tell_due(all);
    pay_owed(all);
    channel_wake(&all->channel);
}
