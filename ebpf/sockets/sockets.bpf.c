/* Server time and no-progress gaps of the server on one TCP port, keyed by the socket: language,
 * thread and event loop do not matter.
 *
 * data_ready runs where the packet arrives (often the client's CPU), receive and send on the
 * server's. What must happen exactly once therefore rests on the map `unanswered`, whose insert and
 * delete succeed on one CPU only; the plain words (progress_ns, first_ns) may lose a race by
 * nanoseconds, and the next event puts them right.
 *
 * The kernel tells of a send when it is over, and by then a quick client may have sent its next
 * request: bytes that came since the last receive are therefore remembered, and a send that answers
 * makes them the next request.
 *
 * Settings: GAP_NS. The port is in `settings`, because it may change from trial to trial. */
#include "histogram.h"
#include "tree.h"

#define TCP_ESTABLISHED 1
#define TCP_SYN_RECV 3
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define OPEN 1
#define HALF_CLOSED 2 /* by the client: no request can come any more */
#define FLAG_PEEK 2 /* MSG_PEEK: the bytes stay in the queue */

struct settings {
    u64 port;
};

struct connection {
    u64 state;     /* OPEN or HALF_CLOSED */
    u64 unread_ns; /* first arrival since the last receive; 0: none */
};

struct progress {
    u64 last_ns;   /* last receive or send of any connection */
    u64 first_ns;  /* when `in_flight` last rose from 0 */
    s64 in_flight; /* connections whose request is unanswered */
};

struct totals {
    u64 requests;  /* arrivals on a connection that owed nothing */
    u64 answers;   /* first sends after an arrival */
    u64 abandoned; /* requests whose connection closed first */
    u64 opened;
    u64 closed;
    u64 unknown; /* receives of the backend on sockets that opened before the trial */
    u64 full;    /* connections that found the map full */
};

struct gap {
    u64 start_ns;
    u64 end_ns;
    u32 in_flight;
    u32 pad;
};

BPF_ARRAY(settings, struct settings, 1);
BPF_HASH(connections, u64, struct connection, 65536); /* by socket */
BPF_HASH(unanswered, u64, u64, 65536);                /* socket -> arrival of its request */
BPF_ARRAY(progress, struct progress, 1);
BPF_ARRAY(totals, struct totals, 1);
BPF_ARRAY(server_time, struct histogram, 1);
BPF_PERCPU_ARRAY(server_time_peak, u64, 2); /* the maximum, in the element that peak_turn names */
BPF_ARRAY(peak_turn, u64, 1);
/* Two threads may end one gap at once: only the first to claim its start reports it. */
BPF_TABLE("lru_hash", u64, u64, gaps_claimed, 1024);
BPF_RINGBUF_OUTPUT(gaps, 256);
BPF_ARRAY(gaps_drops, u64, 1);

static __always_inline struct totals *the_totals(void)
{
    int zero = 0;
    return totals.lookup(&zero);
}

static __always_inline struct progress *the_progress(void)
{
    int zero = 0;
    return progress.lookup(&zero);
}

static __always_inline void report_gap(u64 start_ns, u64 end_ns, s64 in_flight)
{
    if (gaps_claimed.insert(&start_ns, &end_ns) != 0)
        return;
    struct gap *gap = gaps.ringbuf_reserve(sizeof(struct gap));
    if (!gap) {
        gaps_drops.increment(0);
        return;
    }
    gap->start_ns = start_ns;
    gap->end_ns = end_ns;
    gap->in_flight = (u32)in_flight;
    gap->pad = 0;
    gaps.ringbuf_submit(gap, BPF_RB_NO_WAKEUP);
}

/* The backend received or sent: ends a gap if there was one. */
static __always_inline void make_progress(struct progress *state, u64 now_ns)
{
    u64 last_ns = state->last_ns;
    u64 first_ns = state->first_ns;
    s64 in_flight = state->in_flight;
    state->last_ns = now_ns;
    u64 start_ns = last_ns > first_ns ? last_ns : first_ns;
    if (in_flight > 0 && now_ns > start_ns && now_ns - start_ns >= GAP_NS)
        report_gap(start_ns, now_ns, in_flight);
}

static __always_inline void measure_server_time(u64 server_time_ns)
{
    int zero = 0;
    struct histogram *histogram = server_time.lookup(&zero);
    if (histogram)
        histogram_add(histogram, server_time_ns);
    u64 *turn = peak_turn.lookup(&zero);
    int element = turn ? *turn & 1 : 0;
    u64 *peak = server_time_peak.lookup(&element);
    if (peak && *peak < server_time_ns)
        *peak = server_time_ns;
}

/* A request has come, if the connection owed nothing: told at both ends of a race, once counted. */
static __always_inline void
arrive(u64 socket, u64 arrival_ns, struct progress *state, struct totals *count)
{
    if (unanswered.insert(&socket, &arrival_ns) != 0)
        return;
    if (state->in_flight <= 0)
        state->first_ns = arrival_ns;
    __sync_fetch_and_add(&state->in_flight, 1);
    __sync_fetch_and_add(&count->requests, 1);
}

static __always_inline void abandon(u64 socket)
{
    struct progress *state = the_progress();
    struct totals *count = the_totals();
    if (state && count && unanswered.delete(&socket) == 0) {
        __sync_fetch_and_add(&state->in_flight, -1);
        __sync_fetch_and_add(&count->abandoned, 1);
    }
}

int on_set_state(struct tracepoint__sock__inet_sock_set_state *args)
{
    int zero = 0;
    u64 socket = (u64)args->skaddr;
    struct totals *count = the_totals();
    struct settings *set = settings.lookup(&zero);
    if (!count || !set)
        return 0;
    if (args->newstate == TCP_ESTABLISHED && args->oldstate == TCP_SYN_RECV) {
        if (args->sport != set->port)
            return 0;
        struct connection open = {.state = OPEN};
        abandon(socket); /* a recycled address whose close was not seen */
        if (connections.update(&socket, &open) != 0)
            __sync_fetch_and_add(&count->full, 1);
        else
            __sync_fetch_and_add(&count->opened, 1);
    } else if (args->newstate == TCP_CLOSE_WAIT) {
        /* data_ready follows for the end itself, which is no request. */
        struct connection *connection = connections.lookup(&socket);
        if (connection)
            connection->state = HALF_CLOSED;
    } else if (args->newstate == TCP_FIN_WAIT1 || args->newstate == TCP_CLOSE) {
        /* The server will answer no more; a client that only half-closed may still be answered. */
        if (connections.delete(&socket) == 0) {
            abandon(socket);
            __sync_fetch_and_add(&count->closed, 1);
        }
    }
    return 0;
}

int on_data_ready(struct tracepoint__sock__sk_data_ready *args)
{
    u64 socket = (u64)args->skaddr;
    struct connection *connection = connections.lookup(&socket);
    if (!connection || connection->state != OPEN || connection->unread_ns)
        return 0;
    struct progress *state = the_progress();
    struct totals *count = the_totals();
    if (!state || !count)
        return 0;
    u64 now_ns = bpf_ktime_get_ns();
    connection->unread_ns = now_ns; /* before the map is asked, whose lock is a barrier */
    arrive(socket, now_ns, state, count);
    return 0;
}

int on_receive(struct tracepoint__sock__sock_recv_length *args)
{
    u64 socket = (u64)args->sk;
    if (args->ret <= 0 || (args->flags & FLAG_PEEK))
        return 0;
    struct connection *connection = connections.lookup(&socket);
    if (connection) {
        connection->unread_ns = 0;
        struct progress *state = the_progress();
        if (state)
            make_progress(state, bpf_ktime_get_ns());
    } else if (args->protocol == 6 && role_of_current() == ROLE_BACKEND) {
        struct totals *count = the_totals();
        if (count)
            __sync_fetch_and_add(&count->unknown, 1);
    }
    return 0;
}

int on_send(struct tracepoint__sock__sock_send_length *args)
{
    u64 socket = (u64)args->sk;
    struct connection *connection = args->ret > 0 ? connections.lookup(&socket) : NULL;
    if (!connection)
        return 0;
    struct progress *state = the_progress();
    struct totals *count = the_totals();
    if (!state || !count)
        return 0;
    u64 now_ns = bpf_ktime_get_ns();
    make_progress(state, now_ns);
    u64 *arrival = unanswered.lookup(&socket);
    if (!arrival)
        return 0; /* a further part of an answer */
    u64 server_time_ns = now_ns - *arrival;
    if (unanswered.delete(&socket) == 0) {
        __sync_fetch_and_add(&state->in_flight, -1);
        __sync_fetch_and_add(&count->answers, 1);
        measure_server_time(server_time_ns);
        u64 unread_ns = connection->unread_ns; /* behind the delete, whose lock is a barrier */
        if (unread_ns && connection->state == OPEN)
            arrive(socket, unread_ns, state, count);
    }
    return 0;
}
