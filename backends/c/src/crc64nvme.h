// CRC-64/NVME, eight bytes a step.
#ifndef PAUSEMARK_CRC64NVME_H
#define PAUSEMARK_CRC64NVME_H
#include <stddef.h>
#include <stdint.h>

// Fills the table. Call once before any thread starts.
void crc64nvme_start(void);
// Continues `crc` over more bytes; 0 begins. Thread safe.
uint64_t crc64nvme(uint64_t crc, const void *bytes, size_t n);
#endif
