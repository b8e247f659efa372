/* Counts calls of allocating functions; each is attached to the one process that is watched. */
#include <linux/types.h>

BPF_PERCPU_ARRAY(calls, u64, 1);

int on_allocation(struct pt_regs *context) {
    u32 zero = 0;
    u64 *count = calls.lookup(&zero);
    if (count) (*count)++;
    return 0;
}
