// CRC-32C (Castagnoli), by the processor's instruction where it has one.
#ifndef PAUSEMARK_CRC32C_H
#define PAUSEMARK_CRC32C_H
#include <stddef.h>
#include <stdint.h>

// Fills the table and looks at the processor. Call once before any thread starts.
void crc32c_start(void);
// Continues `crc` over more bytes; 0 begins. Thread safe.
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);
// The same without the instruction.
uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t n);
#endif
