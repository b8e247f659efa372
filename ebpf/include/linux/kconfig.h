/* The build options of the kernel that bcc's own headers ask about. */
#ifndef STUB_LINUX_KCONFIG_H
#define STUB_LINUX_KCONFIG_H
#define CONFIG_BPF_SYSCALL 1
#define CONFIG_ARCH_HAS_SYSCALL_WRAPPER 1
#endif
