// CRC-32C. On x86-64 three independent streams hide the three-cycle latency of the instruction. They
// are joined by a carry-less multiplication that moves a checksum over the zeros that follow it:
// times x^(8n) modulo the polynomial, of which the instruction itself does the last 33 bits. Source:
// V. Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using CRC32 Instruction", Intel, 2011.
// Elsewhere: slicing by eight.
#include "checksum.h"

#include <string.h>

static uint32_t slice[8][256];
// The longest of three streams, in words of 8 bytes, and what moves a checksum over so many.
enum { STREAM_MAX = 64 };
static uint32_t move[2 * STREAM_MAX + 1];

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
    // Reflected: the highest bit is x^0. From x^31 on, over 64 bits each.
    uint32_t power = 1;
    for (int words = 1; words <= 2 * STREAM_MAX; words++) {
        move[words] = power;
        for (int bit = 0; bit < 64; bit++) power = power & 1 ? power >> 1 ^ 0x82F63B78u : power >> 1;
    }
}

uint32_t holdfast_crc32c_portable(uint32_t crc, const void *bytes, size_t count) {
    return ~portable_state(~crc, bytes, count);
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>

// Below so many bytes the joining costs more than it saves.
enum { STREAMS_MIN = 144 };

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t moved(uint64_t state, size_t words) {
    __m128i product = _mm_clmulepi64_si128(
        _mm_cvtsi64_si128((long long)state), _mm_cvtsi32_si128((int)move[words]), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t fast(
    uint32_t crc, const uint8_t *p, size_t n) {
    uint64_t a = (uint32_t)~crc;
    while (n >= STREAMS_MIN) {
        size_t words = n / 24 < STREAM_MAX ? n / 24 : STREAM_MAX;
        uint64_t b = 0, c = 0;
        for (const uint8_t *end = p + words * 8; p != end; p += 8) {
            uint64_t x, y, z;
            memcpy(&x, p, 8);
            memcpy(&y, p + words * 8, 8);
            memcpy(&z, p + words * 16, 8);
            a = _mm_crc32_u64(a, x);
            b = _mm_crc32_u64(b, y);
            c = _mm_crc32_u64(c, z);
        }
        a = _mm_crc32_u64(0, moved(a, 2 * words) ^ moved(b, words)) ^ c;
        p += words * 16;
        n -= words * 24;
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
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")
               ? fast(crc, bytes, count)
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
