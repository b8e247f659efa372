/* The kernel's integer types, the whole of <linux/types.h> that a probe needs. */
#ifndef STUB_LINUX_TYPES_H
#define STUB_LINUX_TYPES_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __s8 s8;
typedef __u8 u8;
typedef __s16 s16;
typedef __u16 u16;
typedef __s32 s32;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;
typedef __u16 __le16;
typedef __u16 __be16;
typedef __u32 __le32;
typedef __u32 __be32;
typedef __u64 __le64;
typedef __u64 __be64;
typedef __u16 __sum16;
typedef __u32 __wsum;

/* The types that occur in the formats of tracepoints, which bcc turns into structs. */
typedef unsigned long size_t;
typedef long ssize_t;
typedef int pid_t;
typedef unsigned int uid_t;
typedef unsigned int gid_t;
typedef long off_t;
typedef long long loff_t;
typedef unsigned int dev_t;
typedef unsigned short umode_t;
typedef unsigned short sa_family_t;
typedef unsigned long __kernel_size_t;
typedef _Bool bool;
typedef int key_t;
typedef int clockid_t;
typedef int timer_t;
typedef unsigned int qid_t;
typedef unsigned long uintptr_t;
typedef unsigned int gfp_t;

#define true 1
#define false 0
#ifndef NULL
#define NULL ((void *)0)
#endif
#define __always_inline inline __attribute__((always_inline))
#define __user
#define __force
#define __packed __attribute__((packed))
#define __aligned_u64 __u64 __attribute__((aligned(8)))
#define __bitwise
#endif
