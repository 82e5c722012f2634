/* math_avxvnni.c - AVX2, FMA and vpdpbusd in its VEX form, for CPUs that have it without AVX-512. A tile of 6 rows and 16 columns has its sums in 12
 * registers. */
#include "embed/lanes_avx2.inc"

#include <stdbool.h>
#include <string.h>

#define ACTIVATION uint8_t
#define TILE_ROWS 6
#define TILE_PANELS 1
#define ROWS 4
#define BESIDE 1
#define F32_PANELS 1

static inline __attribute__((always_inline)) void tile_of(const size_t rows, const uint8_t *a, size_t stride, const int8_t *b, size_t k_len,
                                                          int32_t *acc, bool more)
{
    __m256i s[TILE_ROWS][2];
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (size_t j = 0; j < 2; j++)
            s[r][j] = more ? _mm256_loadu_si256((const __m256i *)(acc + r * 16 + j * 8)) : _mm256_setzero_si256();
    for (size_t k = 0; k < k_len; k += 4, b += 64) {
        __m256i w0 = _mm256_loadu_si256((const __m256i *)b), w1 = _mm256_loadu_si256((const __m256i *)(b + 32));
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; r++) {
            int32_t quad;
            memcpy(&quad, a + r * stride + k, 4);
            __m256i x = _mm256_set1_epi32(quad);
            s[r][0] = _mm256_dpbusd_avx_epi32(s[r][0], x, w0);
            s[r][1] = _mm256_dpbusd_avx_epi32(s[r][1], x, w1);
        }
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (size_t j = 0; j < 2; j++)
            _mm256_storeu_si256((__m256i *)(acc + r * 16 + j * 8), s[r][j]);
}

#include "embed/tiles_avx2.inc"

#include "embed/math_body.inc"

BR_MATH_INSTANCE(br_math_avxvnni, "avxvnni");
