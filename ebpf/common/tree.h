/* Follows process trees in the kernel: every thread of the backend and of the engine, by thread id.
 * By thread and not by process, because sched_waking and sched_switch name threads. The roots'
 * threads are written by tree.py; fork (of processes and of threads), exec and exit are followed
 * here. Ids are those of the first pid namespace. Attach with tree.HOOKS. */
#ifndef PAUSEMARK_TREE_H
#define PAUSEMARK_TREE_H

#define ROLE_NONE 0
#define ROLE_BACKEND 1
#define ROLE_ENGINE 2

BPF_HASH(tracked, u32, u32, 16384); /* thread id -> role */
BPF_ARRAY(tracked_drops, u64, 1);   /* threads that found the map full */

static __always_inline u32 role_of(u32 thread)
{
    u32 *role = tracked.lookup(&thread);
    return role ? *role : ROLE_NONE;
}

static __always_inline u32 role_of_current(void)
{
    return role_of((u32)bpf_get_current_pid_tgid());
}

static __always_inline void tree_follow(u32 parent, u32 child)
{
    u32 role = role_of(parent);
    if (role != ROLE_NONE && tracked.update(&child, &role) != 0)
        tracked_drops.increment(0);
}

int tree_on_fork(struct tracepoint__sched__sched_process_fork *args)
{
    tree_follow((u32)args->parent_pid, (u32)args->child_pid);
    return 0;
}

/* A thread that calls exec takes the id of its leader, whose exit has just removed it. */
int tree_on_exec(struct tracepoint__sched__sched_process_exec *args)
{
    if (args->pid != args->old_pid)
        tree_follow((u32)args->old_pid, (u32)args->pid);
    return 0;
}

int tree_on_exit(struct tracepoint__sched__sched_process_exit *args)
{
    u32 thread = (u32)bpf_get_current_pid_tgid();
    tracked.delete(&thread);
    return 0;
}
#endif
