/*
 * The GC probe's kernel side: stop-the-world windows, mark phases, assists and mark workers of Go.
 *
 * Settings by -D: LONG_NS (assists and workers from this length on are streamed), RING_PAGES.
 * Every program is attached to chosen processes only, so there is no filter by pid in here (tree.h
 * is for the library, which seeds it for every probe).
 * Arguments are read from registers (Go's ABIInternal on amd64: ax, bx, cx, di; r14 is the
 * goroutine). No return probe: Go moves stacks, and the exits are probed at the RET instructions.
 */
#include <uapi/linux/ptrace.h>

#include "tree.h"

enum { STOP_THE_WORLD = 1, MARK_PHASE = 2, ASSIST = 3, MARK_WORKER = 4 };
enum { REASON_MARK_TERMINATION = 1, REASON_SWEEP_TERMINATION = 2 };
enum { DRAIN_IDLE = 4 }; /* of runtime.gcDrainFlags: the worker uses a processor nobody wants */

/* One record of the stream `gc`; the ring's own 8 bytes come before it. */
struct record {
    u64 start_ns;
    u64 end_ns;
    u32 kind;
    u32 reason;
    u64 runtime_ns;
    u32 cycle;
    u32 pid;
};

/* Counters of one second on one CPU. Order and names are known to gc.py. */
struct totals {
    u64 stw_count;
    u64 stw_ns;
    u64 stw_ns_max;
    u64 other_stop_count;
    u64 other_stop_ns;
    u64 assist_count;
    u64 assist_ns;
    u64 assist_ns_max;
    u64 mark_worker_count;
    u64 mark_worker_ns;
    u64 mark_worker_idle_ns;
    u64 lost; /* entries that found their map full: an assist, worker or stop not counted */
};

struct stop {
    u64 start_ns;
    u64 reason;
};

struct drain {
    u64 start_ns;
    u64 flags;
};

struct goroutine {
    u64 g;
    u64 tgid;
};

/* The collector's state in one process. mark_start_ns is 0 outside a mark phase. */
struct cycle {
    u64 mark_start_ns;
    u64 mark_ns;
    u64 resumed_ns; /* end of the last mark termination: marking goes on if another one follows */
    u64 number;
};

BPF_RINGBUF_OUTPUT(gc, RING_PAGES);
BPF_ARRAY(gc_drops, u64, 1);
BPF_ARRAY(half, u32, 1);                       /* which half of totals the programs write */
BPF_PERCPU_ARRAY(seconds, struct totals, 2);   /* the other half is being read */
BPF_HASH(stops, u64, struct stop, 1024);       /* by thread */
BPF_HASH(drains, u64, struct drain, 1024);     /* by thread: a worker cannot be moved in gcDrain */
BPF_HASH(assists, struct goroutine, u64, 16384);
BPF_HASH(cycles, u32, struct cycle, 64);       /* by process */

static struct totals *totals(void) {
    u32 zero = 0;
    u32 *which = half.lookup(&zero);
    u32 index = which ? *which & 1 : 0;
    return seconds.lookup(&index);
}

static u32 process(void) { return bpf_get_current_pid_tgid() >> 32; }

static void emit(struct record *record) {
    if (gc.ringbuf_output(record, sizeof(*record), BPF_RB_NO_WAKEUP)) gc_drops.increment(0);
}

static void lose(void) {
    struct totals *sum = totals();
    if (sum) __sync_fetch_and_add(&sum->lost, 1);
}

/* startTheWorldWithSema(now, worldStop{reason, startedStopping, ...}) */
int stop_entry(struct pt_regs *ctx) {
    u64 thread = bpf_get_current_pid_tgid();
    struct stop stop = {.start_ns = ctx->cx, .reason = ctx->bx & 0xff};
    if (stops.update(&thread, &stop)) lose();
    return 0;
}

/* Before the stop's record, so that the phase's record tells the right cycle. */
static u32 advance(struct stop *stop, u64 now) {
    u32 pid = process();
    struct cycle fresh = {};
    struct cycle *cycle = cycles.lookup_or_try_init(&pid, &fresh);
    if (!cycle) return 0;
    if (stop->reason == REASON_SWEEP_TERMINATION) {
        cycle->number++;
        cycle->mark_start_ns = now;
        cycle->resumed_ns = 0;
        return cycle->number;
    }
    if (stop->reason != REASON_MARK_TERMINATION) return cycle->number;
    u64 start = cycle->mark_start_ns ? cycle->mark_start_ns : cycle->resumed_ns;
    if (start && start < stop->start_ns) {
        struct record record = {.start_ns = start,
                                .end_ns = stop->start_ns,
                                .kind = MARK_PHASE,
                                .cycle = cycle->number,
                                .pid = pid};
        cycle->mark_ns += stop->start_ns - start;
        emit(&record);
    }
    cycle->mark_start_ns = 0;
    cycle->resumed_ns = cycle->number ? now : 0;
    return cycle->number;
}

static int stop_end(u64 runtime_ns) {
    u64 thread = bpf_get_current_pid_tgid();
    struct stop *found = stops.lookup(&thread);
    if (!found) return 0; /* the stop began before the probe was attached */
    struct stop stop = *found;
    u64 now = bpf_ktime_get_ns();
    struct totals *sum = totals();
    stops.delete(&thread);
    if (!sum) return 0;
    struct record record = {.start_ns = stop.start_ns,
                            .end_ns = now,
                            .kind = STOP_THE_WORLD,
                            .reason = stop.reason,
                            .runtime_ns = runtime_ns,
                            .cycle = advance(&stop, now),
                            .pid = process()};
    u64 length = runtime_ns ? runtime_ns : now - stop.start_ns;
    if (stop.reason == REASON_SWEEP_TERMINATION || stop.reason == REASON_MARK_TERMINATION) {
        __sync_fetch_and_add(&sum->stw_count, 1);
        __sync_fetch_and_add(&sum->stw_ns, length);
        if (length > sum->stw_ns_max) sum->stw_ns_max = length;
    } else {
        __sync_fetch_and_add(&sum->other_stop_count, 1);
        __sync_fetch_and_add(&sum->other_stop_ns, length);
    }
    emit(&record);
    return 0;
}

/* At the call of (*timeHistogram).record(duration) in startTheWorldWithSema: the world runs. */
int stop_record(struct pt_regs *ctx) { return stop_end(ctx->bx); }

/* At its return, where those calls were not found: the runtime's own figure is not known. */
int stop_return(struct pt_regs *ctx) { return stop_end(0); }

static u64 current_cycle(u32 pid) {
    struct cycle *cycle = cycles.lookup(&pid);
    return cycle ? cycle->number : 0;
}

static void emit_long(u64 start, u64 end, u32 kind, u32 reason) {
    if (end - start < LONG_NS) return;
    u32 pid = process();
    struct record record = {.start_ns = start,
                            .end_ns = end,
                            .kind = kind,
                            .reason = reason,
                            .cycle = current_cycle(pid),
                            .pid = pid};
    emit(&record);
}

int assist_entry(struct pt_regs *ctx) {
    struct goroutine key = {.g = ctx->r14, .tgid = process()};
    u64 now = bpf_ktime_get_ns();
    if (assists.update(&key, &now)) lose();
    return 0;
}

int assist_return(struct pt_regs *ctx) {
    struct goroutine key = {.g = ctx->r14, .tgid = process()};
    u64 *found = assists.lookup(&key);
    if (!found) return 0;
    u64 start = *found, now = bpf_ktime_get_ns();
    struct totals *sum = totals();
    assists.delete(&key);
    if (!sum) return 0;
    __sync_fetch_and_add(&sum->assist_count, 1);
    __sync_fetch_and_add(&sum->assist_ns, now - start);
    if (now - start > sum->assist_ns_max) sum->assist_ns_max = now - start;
    emit_long(start, now, ASSIST, 0);
    return 0;
}

/* gcDrain(work, flags) */
int drain_entry(struct pt_regs *ctx) {
    u64 thread = bpf_get_current_pid_tgid();
    struct drain drain = {.start_ns = bpf_ktime_get_ns(), .flags = ctx->bx};
    if (drains.update(&thread, &drain)) lose();
    return 0;
}

int drain_return(struct pt_regs *ctx) {
    u64 thread = bpf_get_current_pid_tgid();
    struct drain *found = drains.lookup(&thread);
    if (!found) return 0;
    struct drain drain = *found;
    u64 now = bpf_ktime_get_ns();
    struct totals *sum = totals();
    drains.delete(&thread);
    if (!sum) return 0;
    __sync_fetch_and_add(&sum->mark_worker_count, 1);
    __sync_fetch_and_add(&sum->mark_worker_ns, now - drain.start_ns);
    if (drain.flags & DRAIN_IDLE)
        __sync_fetch_and_add(&sum->mark_worker_idle_ns, now - drain.start_ns);
    emit_long(drain.start_ns, now, MARK_WORKER, drain.flags);
    return 0;
}
