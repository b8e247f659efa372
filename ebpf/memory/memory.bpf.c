/*
 * The memory probe's kernel side: user page faults, and mmap, munmap, madvise and brk with the time
 * in each, of the backend's processes.
 *
 * The threads of the tracked tree only: every program asks that first. The per-call tracepoints are
 * used, not raw_syscalls, which would run for every system call of every process.
 * HAVE_<event> is set by the user side for each tracepoint that this kernel has.
 */
#include <linux/types.h>

#include "tree.h"

enum { MMAP, MUNMAP, MADVISE, BRK, CALLS }; /* order known to memory.py */

#define FAULT_WRITE 2 /* of the CPU's error code */

struct call {
    u64 count;
    u64 ns;
    u64 ns_max;
};

struct totals {
    u64 page_faults;
    u64 page_fault_writes;
    u64 lost;
    struct call calls[CALLS];
};

BPF_ARRAY(half, u32, 1);
BPF_PERCPU_ARRAY(seconds, struct totals, 2);
BPF_HASH(entered, u64, u64, 16384); /* by thread: when it entered the call it is in */

static struct totals *totals(void) {
    u32 zero = 0;
    u32 *which = half.lookup(&zero);
    u32 index = which ? *which & 1 : 0;
    return seconds.lookup(&index);
}

static int enter(void) {
    u64 thread = bpf_get_current_pid_tgid();
    if (role_of_current() != ROLE_BACKEND) return 0;
    u64 now = bpf_ktime_get_ns();
    if (entered.update(&thread, &now)) {
        struct totals *sum = totals();
        if (sum) __sync_fetch_and_add(&sum->lost, 1);
    }
    return 0;
}

static int leave(u32 which) {
    u64 thread = bpf_get_current_pid_tgid();
    if (role_of_current() != ROLE_BACKEND) return 0;
    u64 *since = entered.lookup(&thread);
    if (!since) return 0;
    u64 ns = bpf_ktime_get_ns() - *since;
    entered.delete(&thread);
    struct totals *sum = totals();
    if (!sum) return 0;
    struct call *call = &sum->calls[which];
    __sync_fetch_and_add(&call->count, 1);
    __sync_fetch_and_add(&call->ns, ns);
    if (ns > call->ns_max) call->ns_max = ns;
    return 0;
}

#ifdef HAVE_page_fault_user
int page_fault(struct tracepoint__exceptions__page_fault_user *args) {
    if (role_of_current() != ROLE_BACKEND) return 0;
    struct totals *sum = totals();
    if (!sum) return 0;
    __sync_fetch_and_add(&sum->page_faults, 1);
    if (args->error_code & FAULT_WRITE) __sync_fetch_and_add(&sum->page_fault_writes, 1);
    return 0;
}
#endif

#ifdef HAVE_sys_enter_mmap
int mmap_enter(struct tracepoint__syscalls__sys_enter_mmap *args) { return enter(); }
int mmap_exit(struct tracepoint__syscalls__sys_exit_mmap *args) { return leave(MMAP); }
#endif

#ifdef HAVE_sys_enter_munmap
int munmap_enter(struct tracepoint__syscalls__sys_enter_munmap *args) { return enter(); }
int munmap_exit(struct tracepoint__syscalls__sys_exit_munmap *args) { return leave(MUNMAP); }
#endif

#ifdef HAVE_sys_enter_madvise
int madvise_enter(struct tracepoint__syscalls__sys_enter_madvise *args) { return enter(); }
int madvise_exit(struct tracepoint__syscalls__sys_exit_madvise *args) { return leave(MADVISE); }
#endif

#ifdef HAVE_sys_enter_brk
int brk_enter(struct tracepoint__syscalls__sys_enter_brk *args) { return enter(); }
int brk_exit(struct tracepoint__syscalls__sys_exit_brk *args) { return leave(BRK); }
#endif
