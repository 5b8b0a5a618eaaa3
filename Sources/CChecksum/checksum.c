// CRC-32C. On x86-64 three independent streams hide the three-cycle latency of the instruction; they
// are joined by tables that move a checksum over a block of zeros. Elsewhere: slicing by eight.
#include "checksum.h"

#include <string.h>

static uint32_t slice[8][256];
static uint32_t join[4][256];
enum { BLOCK = 256 };

static uint32_t portable_state(uint32_t state, const uint8_t *p, size_t n) {
    while (n >= 8) {
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + 4, 4);
        low ^= state;
        state = slice[7][low & 255] ^ slice[6][low >> 8 & 255] ^ slice[5][low >> 16 & 255] ^
                slice[4][low >> 24] ^ slice[3][high & 255] ^ slice[2][high >> 8 & 255] ^
                slice[1][high >> 16 & 255] ^ slice[0][high >> 24];
        p += 8;
        n -= 8;
    }
    while (n--) state = state >> 8 ^ slice[0][(state ^ *p++) & 255];
    return state;
}

__attribute__((constructor)) static void build_tables(void) {
    for (int i = 0; i < 256; i++) {
        uint32_t value = (uint32_t)i;
        for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
        slice[0][i] = value;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++)
            slice[k][i] = slice[k - 1][i] >> 8 ^ slice[0][slice[k - 1][i] & 255];
    static const uint8_t zeros[BLOCK];
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 256; i++)
            join[k][i] = portable_state((uint32_t)i << (8 * k), zeros, BLOCK);
}

uint32_t holdfast_crc32c_portable(uint32_t crc, const void *bytes, size_t count) {
    return ~portable_state(~crc, bytes, count);
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static uint32_t skip_block(uint32_t state) {
    return join[0][state & 255] ^ join[1][state >> 8 & 255] ^ join[2][state >> 16 & 255] ^
           join[3][state >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t fast(uint32_t crc, const uint8_t *p, size_t n) {
    uint64_t a = (uint32_t)~crc;
    while (n >= 3 * BLOCK) {
        uint64_t b = 0, c = 0;
        for (int i = 0; i < BLOCK; i += 8) {
            uint64_t x, y, z;
            memcpy(&x, p + i, 8);
            memcpy(&y, p + BLOCK + i, 8);
            memcpy(&z, p + 2 * BLOCK + i, 8);
            a = _mm_crc32_u64(a, x);
            b = _mm_crc32_u64(b, y);
            c = _mm_crc32_u64(c, z);
        }
        a = skip_block((uint32_t)a) ^ b;
        a = skip_block((uint32_t)a) ^ c;
        p += 3 * BLOCK;
        n -= 3 * BLOCK;
    }
    while (n >= 8) {
        uint64_t x;
        memcpy(&x, p, 8);
        a = _mm_crc32_u64(a, x);
        p += 8;
        n -= 8;
    }
    uint32_t tail = (uint32_t)a;
    while (n--) tail = _mm_crc32_u8(tail, *p++);
    return ~tail;
}

uint32_t holdfast_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return __builtin_cpu_supports("sse4.2") ? fast(crc, bytes, count)
                                            : holdfast_crc32c_portable(crc, bytes, count);
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

uint32_t holdfast_crc32c(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    uint32_t state = ~crc;
    while (count >= 8) {
        uint64_t x;
        memcpy(&x, p, 8);
        state = __crc32cd(state, x);
        p += 8;
        count -= 8;
    }
    while (count--) state = __crc32cb(state, *p++);
    return ~state;
}
#else
uint32_t holdfast_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return holdfast_crc32c_portable(crc, bytes, count);
}
#endif
