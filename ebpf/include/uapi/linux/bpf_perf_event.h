/* The context of a BPF program on a perf event. */
#ifndef STUB_UAPI_LINUX_BPF_PERF_EVENT_H
#define STUB_UAPI_LINUX_BPF_PERF_EVENT_H
#include <uapi/linux/ptrace.h>

struct bpf_perf_event_data {
    struct pt_regs regs;
    __u64 sample_period;
    __u64 addr;
};
#endif
