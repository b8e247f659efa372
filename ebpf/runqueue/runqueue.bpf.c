/*
 * The run-queue probe's kernel side: how long the backend's threads were runnable and did not run,
 * and who ran on their CPU meanwhile.
 *
 * Settings by -D: BACKEND_CPUS (a mask of CPUs 0 to 63; ~0 for all), HOLDERS_MAX.
 * The waiter is known by its thread id (wake-ups name no process), from the tracked tree's threads.
 *
 * A wait runs from sched_wakeup, or from being switched out while runnable, to being switched in.
 * It is charged to those who held the CPU where it ended: each CPU keeps its last SLICES switches,
 * and the wait is cut at them, so that the parts add up to the wait exactly. What lies before the
 * oldest kept switch, or on a CPU that is not the backend's, is counted as not named.
 */
#include <linux/types.h>

#include "histogram.h"
#include "tree.h"

#define SLICES 32 /* a power of two; a wait behind more switches than this is named in part */
#define COMM_BYTES 16
#define STATE_BLOCKED 0xff /* prev_state bits of a task that left the queue; 0x100 is preempted */

struct totals {
    u64 waits;
    u64 wait_ns;
    u64 wait_ns_max;
    u64 preempted; /* waits that began by being switched out while runnable */
    u64 unnamed_ns;
    u64 lost;
};

struct wait {
    u64 since_ns;
    u64 preempted;
};

struct slice {
    u64 since_ns;
    u64 own; /* 1: a thread of the backend itself; 2: the idle task; 0: anybody else */
    char comm[COMM_BYTES];
};

struct history {
    u64 count;
    struct slice slices[SLICES];
};

struct holder {
    u32 own;
    u32 half; /* so that names and counters are of the same second */
    char comm[COMM_BYTES];
};

struct held {
    u64 ns;
    u64 times;
};

BPF_ARRAY(half, u32, 1);
BPF_PERCPU_ARRAY(seconds, struct totals, 2);
BPF_ARRAY(wait_histogram, struct histogram, 2);
BPF_PERCPU_ARRAY(histories, struct history, 1);
BPF_HASH(waiting, u32, struct wait, 16384);
BPF_HASH(holders, struct holder, struct held, HOLDERS_MAX);

static u32 current_half(void) {
    u32 zero = 0;
    u32 *which = half.lookup(&zero);
    return which ? *which & 1 : 0;
}

static int is_backend_cpu(u32 cpu) {
    return cpu > 63 ? BACKEND_CPUS == ~0ULL : (BACKEND_CPUS >> cpu) & 1;
}

static void begin(u32 thread, u64 now, u64 preempted) {
    struct wait wait = {.since_ns = now, .preempted = preempted};
    if (waiting.update(&thread, &wait)) {
        u32 index = current_half();
        struct totals *sum = seconds.lookup(&index);
        if (sum) sum->lost++;
    }
}

/* Returns 0 where the map is full: the time then has no name. */
static u64 charge(struct slice *slice, u64 ns, u32 index) {
    struct holder key = {.own = slice->own, .half = index};
    struct held fresh = {};
    __builtin_memcpy(key.comm, slice->comm, COMM_BYTES);
    struct held *held = holders.lookup_or_try_init(&key, &fresh);
    if (!held) return 0;
    __sync_fetch_and_add(&held->ns, ns);
    __sync_fetch_and_add(&held->times, 1);
    return ns;
}

static u64 name_holders(struct history *history, u64 from, u64 to, u32 index) {
    u64 named = 0;
    for (u64 back = 1; back <= SLICES; back++) {
        struct slice *slice = &history->slices[(history->count - back) & (SLICES - 1)];
        if (!slice->since_ns || slice->since_ns > to) break;
        u64 start = slice->since_ns > from ? slice->since_ns : from;
        if (to > start) named += charge(slice, to - start, index);
        to = start;
        if (slice->since_ns <= from) break;
    }
    return named;
}

static void end(u32 thread, u64 now, struct history *history, int backend_cpu) {
    struct wait *wait = waiting.lookup(&thread);
    if (!wait) return;
    u64 since = wait->since_ns, preempted = wait->preempted;
    waiting.delete(&thread);
    u32 index = current_half();
    struct totals *sum = seconds.lookup(&index);
    if (!sum || now < since) return;
    u64 ns = now - since;
    struct histogram *lengths = wait_histogram.lookup(&index);
    if (lengths) histogram_add(lengths, ns);
    sum->waits++;
    sum->wait_ns += ns;
    sum->preempted += preempted;
    if (ns > sum->wait_ns_max) sum->wait_ns_max = ns;
    sum->unnamed_ns += ns - (backend_cpu ? name_holders(history, since, now, index) : 0);
}

int on_wakeup(struct tracepoint__sched__sched_wakeup *args) {
    u32 thread = args->pid;
    if (role_of(thread) == ROLE_BACKEND) begin(thread, bpf_ktime_get_ns(), 0);
    return 0;
}

int on_wakeup_new(struct tracepoint__sched__sched_wakeup_new *args) {
    u32 thread = args->pid;
    if (role_of(thread) == ROLE_BACKEND) begin(thread, bpf_ktime_get_ns(), 0);
    return 0;
}

int on_switch(struct tracepoint__sched__sched_switch *args) {
    u32 zero = 0, previous = args->prev_pid, next = args->next_pid;
    int backend_cpu = is_backend_cpu(bpf_get_smp_processor_id());
    int next_tracked = next && role_of(next) == ROLE_BACKEND;
    int previous_tracked = previous && role_of(previous) == ROLE_BACKEND;
    if (!backend_cpu && !next_tracked && !previous_tracked) return 0;
    u64 now = bpf_ktime_get_ns();
    if (previous_tracked) {
        /* Blocked: forget a wake-up that came before it had really gone to sleep. */
        if (args->prev_state & STATE_BLOCKED) waiting.delete(&previous);
        else begin(previous, now, 1);
    }
    struct history *history = histories.lookup(&zero);
    if (!history) return 0;
    if (next_tracked) end(next, now, history, backend_cpu);
    if (!backend_cpu) return 0;
    struct slice *slice = &history->slices[history->count & (SLICES - 1)];
    slice->since_ns = now;
    slice->own = next ? next_tracked : 2;
    __builtin_memcpy(slice->comm, args->next_comm, COMM_BYTES);
    history->count++;
    return 0;
}
