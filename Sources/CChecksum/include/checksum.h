// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) with CPU instructions where there are any.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Extends `crc` (0 to begin) over `count` bytes. Source: RFC 3720, appendix B.4.
uint32_t holdfast_crc32c(uint32_t crc, const void *bytes, size_t count);

/// The same by tables alone; tests compare the two.
uint32_t holdfast_crc32c_portable(uint32_t crc, const void *bytes, size_t count);

/// Multiplies two 64-bit numbers and folds the 128-bit product to 64 bits by exclusive or.
static inline uint64_t holdfast_multiply_fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}
