/* Instruction encodings of classic BPF that bcc's helpers name (a stable user ABI). */
#ifndef STUB_BPF_COMMON
#define STUB_BPF_COMMON
#define BPF_CLASS(c) ((c)&7)
#define BPF_LD 0
#define BPF_LDX 1
#define BPF_ST 2
#define BPF_STX 3
#define BPF_ALU 4
#define BPF_JMP 5
#define BPF_RET 6
#define BPF_MISC 7
#define BPF_W 0
#define BPF_H 8
#define BPF_B 16
#define BPF_IMM 0
#define BPF_ABS 0x20
#define BPF_IND 0x40
#define BPF_MEM 0x60
#define BPF_LEN 0x80
#define BPF_MSH 0xa0
#define BPF_ADD 0
#define BPF_K 0
#define BPF_X 8
#define BPF_MAXINSNS 4096
#endif
