/* Windows in which the platform, or somebody else, kept the backend or the engine from running.
 *
 *   1 vcpu_not_run      the clock tick of a CPU that was not idle came late: the vCPU did not run
 *   2 wakeup_not_taken  waking to wakeup, or wakeup to switch-in on a CPU that idled all the while
 *   3 foreign           a thread was runnable while a process of another tree held the core
 *
 * Only the CPUs in `cores` count. Most words of a core are written by that core alone; a wake-up
 * reads them from another CPU and may see them a few nanoseconds old, which no window notices.
 *
 * Settings: WINDOW_NS, PERIOD_NS. */
#include "tree.h"

#define KIND_VCPU_NOT_RUN 1
#define KIND_WAKEUP_NOT_TAKEN 2
#define KIND_FOREIGN 3
#define REGRID 64
#define STINTS 8
#define STINT_NS 5000 /* shorter ones name nobody */
#define STATE_BITS 0xff /* of prev_state: 0 is runnable, whatever the preemption flag above says */
/* A waking seen so shortly before the thread is switched out belongs to the sleep that begins. */
#define WAKING_OVERLAP_NS 20000

struct holder {
    u32 pid;
    u32 role;
    char name[16];
};

/* A time for which one thread held the core. */
struct stint {
    u64 start_ns;
    u64 end_ns;
    struct holder holder;
};

struct core {
    u64 enabled;    /* role of the core, 0 when it is not ours */
    u64 due_ns;     /* when the next clock tick is due */
    u64 least_late_ns; /* of the ticks since the grid was last looked at */
    u64 since_ns;   /* when the holder was switched in */
    u64 busy_ns;    /* when the core last left the idle task */
    u64 foreign_to_backend_ns; /* time that others held it, up to since_ns */
    u64 foreign_to_engine_ns;
    struct holder holder;
    struct stint stints[STINTS]; /* the latest, by number modulo STINTS */
    u64 stints_seen;
    u64 ticks; /* last: read from user space by its place */
};

struct wait {
    u64 waking_ns;   /* 0 when preempted or new */
    u64 runnable_ns; /* 0 until the wake-up is taken */
    u64 foreign_ns;  /* the core's foreign time when the thread became runnable */
    u32 cpu;
    u32 idle; /* the core idled when the thread became runnable */
};

struct window {
    u64 start_ns;
    u64 end_ns;
    u32 kind;
    u32 cpu;
    u32 role;
    u32 holder_pid;
    char holder[16];
};

struct totals {
    u64 count[4]; /* by kind */
    u64 time_ns[4];
};

BPF_ARRAY(cores, struct core, 1024);
BPF_HASH(waits, u32, struct wait, 16384);
BPF_ARRAY(totals, struct totals, 1);
BPF_RINGBUF_OUTPUT(platform, 1024);
BPF_ARRAY(platform_drops, u64, 1);

static __always_inline struct core *core_of(u32 cpu)
{
    int index = cpu;
    struct core *core = cores.lookup(&index);
    return core && core->enabled ? core : NULL;
}

static __always_inline void report(u32 kind, u64 start_ns, u64 end_ns, u32 cpu, u32 role,
                                   struct holder *holder)
{
    int zero = 0;
    struct totals *total = totals.lookup(&zero);
    if (!total)
        return;
    __sync_fetch_and_add(&total->count[kind & 3], 1);
    __sync_fetch_and_add(&total->time_ns[kind & 3], end_ns - start_ns);
    struct window *window = platform.ringbuf_reserve(sizeof(struct window));
    if (!window) {
        platform_drops.increment(0);
        return;
    }
    window->start_ns = start_ns;
    window->end_ns = end_ns;
    window->kind = kind;
    window->cpu = cpu;
    window->role = role;
    window->holder_pid = holder ? holder->pid : 0;
    if (holder)
        __builtin_memcpy(window->holder, holder->name, sizeof(window->holder));
    else
        __builtin_memset(window->holder, 0, sizeof(window->holder));
    platform.ringbuf_submit(window, BPF_RB_NO_WAKEUP);
}

/* The idle task is nobody, and ksoftirqd works for whoever the packets are for. */
static __always_inline bool is_somebody(struct holder *holder)
{
    char *name = holder->name;
    bool softirq = name[0] == 'k' && name[1] == 's' && name[2] == 'o' && name[3] == 'f' &&
                   name[4] == 't' && name[5] == 'i' && name[6] == 'r' && name[7] == 'q';
    return holder->pid != 0 && !softirq;
}

/* For how long, since the trial began, others than `role` have held the core. */
static __always_inline u64 foreign_time_ns(struct core *core, u32 role, u64 now_ns)
{
    u64 sum_ns = role == ROLE_BACKEND ? core->foreign_to_backend_ns : core->foreign_to_engine_ns;
    if (core->since_ns && now_ns > core->since_ns && core->holder.role != role &&
        is_somebody(&core->holder))
        sum_ns += now_ns - core->since_ns;
    return sum_ns;
}

static __always_inline void hand_over(struct core *core, struct holder *next, u64 now_ns)
{
    struct holder *holder = &core->holder;
    if (core->since_ns && is_somebody(holder)) {
        u64 held_ns = now_ns - core->since_ns;
        if (holder->role != ROLE_BACKEND)
            core->foreign_to_backend_ns += held_ns;
        if (holder->role != ROLE_ENGINE)
            core->foreign_to_engine_ns += held_ns;
        if (held_ns >= STINT_NS) {
            struct stint *stint = &core->stints[core->stints_seen % STINTS];
            stint->start_ns = core->since_ns;
            stint->end_ns = now_ns;
            stint->holder = *holder;
            core->stints_seen += 1;
        }
    }
    if (!core->since_ns || holder->pid == 0)
        core->busy_ns = now_ns;
    core->holder = *next;
    core->since_ns = now_ns;
}

static __always_inline void becomes_runnable(struct wait *wait, u32 cpu, u32 role, u64 now_ns)
{
    wait->runnable_ns = now_ns;
    wait->cpu = cpu;
    struct core *core = core_of(cpu);
    if (core) {
        wait->foreign_ns = foreign_time_ns(core, role, now_ns);
        wait->idle = core->since_ns && core->holder.pid == 0;
    }
}

int on_waking(struct tracepoint__sched__sched_waking *args)
{
    u32 thread = (u32)args->pid;
    if (role_of(thread) == ROLE_NONE)
        return 0;
    struct wait wait = {.waking_ns = bpf_ktime_get_ns()};
    waits.update(&thread, &wait);
    return 0;
}

static __always_inline void wakeup_taken(u32 thread, u32 cpu)
{
    u32 role = role_of(thread);
    if (role == ROLE_NONE)
        return;
    struct wait wait = {};
    struct wait *known = waits.lookup(&thread);
    if (known)
        wait.waking_ns = known->waking_ns;
    u64 now_ns = bpf_ktime_get_ns();
    becomes_runnable(&wait, cpu, role, now_ns);
    waits.update(&thread, &wait);
    if (wait.waking_ns && now_ns - wait.waking_ns > WINDOW_NS && core_of(cpu))
        report(KIND_WAKEUP_NOT_TAKEN, wait.waking_ns, now_ns, cpu, role, NULL);
}

int on_wakeup(struct tracepoint__sched__sched_wakeup *args)
{
    wakeup_taken((u32)args->pid, (u32)args->target_cpu);
    return 0;
}

int on_wakeup_new(struct tracepoint__sched__sched_wakeup_new *args)
{
    wakeup_taken((u32)args->pid, (u32)args->target_cpu);
    return 0;
}

/* Who, foreign to `role`, held the core longest at a stretch since `start_ns`. */
static __always_inline struct holder *longest_holder(struct core *core, u32 role, u64 start_ns,
                                                     u64 now_ns)
{
    struct holder *longest = NULL;
    u64 longest_ns = 0;
    if (core->holder.role != role && is_somebody(&core->holder)) {
        longest = &core->holder;
        longest_ns = now_ns - (core->since_ns > start_ns ? core->since_ns : start_ns);
    }
#pragma unroll
    for (int i = 0; i < STINTS; i++) {
        struct stint *stint = &core->stints[i];
        u64 from_ns = stint->start_ns > start_ns ? stint->start_ns : start_ns;
        if (stint->holder.role != role && stint->end_ns > from_ns &&
            stint->end_ns - from_ns > longest_ns) {
            longest = &stint->holder;
            longest_ns = stint->end_ns - from_ns;
        }
    }
    return longest;
}

/* What the thread waited for, now that it is switched in after `prev` (before hand_over). */
static __always_inline void wait_ends(u32 thread, u32 role, u32 cpu, struct core *core, u64 now_ns)
{
    struct wait *wait = waits.lookup(&thread);
    if (!wait)
        return;
    u64 start_ns = wait->runnable_ns;
    if (start_ns && wait->cpu == cpu && now_ns - start_ns > WINDOW_NS) {
        u64 foreign_ns = foreign_time_ns(core, role, now_ns) - wait->foreign_ns;
        if (wait->idle && core->holder.pid == 0 && core->since_ns <= start_ns) {
            report(KIND_WAKEUP_NOT_TAKEN, start_ns, now_ns, cpu, role, NULL);
        } else if ((s64)foreign_ns > WINDOW_NS) {
            struct holder *holder = longest_holder(core, role, start_ns, now_ns);
            report(KIND_FOREIGN, start_ns, now_ns, cpu, role, holder);
        }
    }
    waits.delete(&thread);
}

/* A thread of ours leaves the core: preempted, it waits from now on; blocked, it waits no more. */
static __always_inline void thread_leaves(u32 thread, bool runnable, u32 cpu, u64 now_ns)
{
    u32 role = role_of(thread);
    if (role == ROLE_NONE)
        return;
    if (runnable) {
        struct wait wait = {};
        becomes_runnable(&wait, cpu, role, now_ns);
        waits.update(&thread, &wait);
        return;
    }
    struct wait *wait = waits.lookup(&thread);
    if (wait && (wait->runnable_ns || now_ns - wait->waking_ns > WAKING_OVERLAP_NS))
        waits.delete(&thread);
}

int on_switch(struct tracepoint__sched__sched_switch *args)
{
    u32 cpu = bpf_get_smp_processor_id();
    struct core *core = core_of(cpu);
    if (!core)
        return 0;
    u64 now_ns = bpf_ktime_get_ns();
    struct holder next = {.pid = (u32)args->next_pid};
    next.role = next.pid ? role_of(next.pid) : ROLE_NONE;
    __builtin_memcpy(next.name, args->next_comm, sizeof(next.name));
    if (next.role != ROLE_NONE)
        wait_ends(next.pid, next.role, cpu, core, now_ns);
    hand_over(core, &next, now_ns);
    if (args->prev_pid)
        thread_leaves((u32)args->prev_pid, (args->prev_state & STATE_BITS) == 0, cpu, now_ns);
    return 0;
}

/* The kernel keeps its ticks on a grid, so a late tick does not shift those after it. The earliest
 * tick seen tells where the grid lies. Should the kernel ever restart its clock elsewhere, every
 * tick looks late by the same amount: the least lateness of REGRID ticks is taken off again. */
static __always_inline u64 next_due_ns(struct core *core, u64 late_ns)
{
    u64 late_in_grid_ns = late_ns % PERIOD_NS;
    u64 due_ns = core->due_ns + (late_ns / PERIOD_NS + 1) * PERIOD_NS;
    if (core->ticks % REGRID == 0) {
        due_ns += core->least_late_ns;
        core->least_late_ns = PERIOD_NS;
    }
    if (late_in_grid_ns < core->least_late_ns)
        core->least_late_ns = late_in_grid_ns;
    return due_ns;
}

/* The first point of the grid at which a tick was due on a core that had left the idle task. */
static __always_inline u64 first_missed_ns(struct core *core)
{
    u64 due_ns = core->due_ns;
    if (core->busy_ns <= due_ns)
        return due_ns;
    return due_ns + ((core->busy_ns - due_ns) / PERIOD_NS + 1) * PERIOD_NS;
}

/* Comes only on a core that is not idle: idle ticks are left out where the event is opened. */
int on_tick(struct bpf_perf_event_data *context)
{
    u32 cpu = bpf_get_smp_processor_id();
    struct core *core = core_of(cpu);
    if (!core)
        return 0;
    u64 now_ns = bpf_ktime_get_ns();
    core->ticks += 1;
    if (core->due_ns == 0 || now_ns <= core->due_ns) {
        core->due_ns = now_ns + PERIOD_NS;
        core->least_late_ns = 0;
        return 0;
    }
    u64 start_ns = first_missed_ns(core);
    core->due_ns = next_due_ns(core, now_ns - core->due_ns);
    if (now_ns > start_ns && now_ns - start_ns > WINDOW_NS)
        report(KIND_VCPU_NOT_RUN, start_ns, now_ns, cpu, (u32)core->enabled, NULL);
    return 0;
}
