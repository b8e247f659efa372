/* The registers that a uprobe or a perf event sees, x86-64 (the kernel's stable user ABI). */
#ifndef STUB_UAPI_LINUX_PTRACE_H
#define STUB_UAPI_LINUX_PTRACE_H
#include <linux/types.h>

struct pt_regs {
    unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
    unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#endif
