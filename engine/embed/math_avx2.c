/* math_avx2.c - AVX2 and FMA. There is no product of unsigned and signed bytes that cannot saturate, so activations and weights are widened to 16
 * bits: vpmaddwd gives two sums a column, which are put together at the end. A tile of 6 rows and 8 columns has its sums in 12 registers. */
#include "embed/lanes_avx2.inc"

#include <stdbool.h>
#include <string.h>

#define ACTIVATION int16_t
#define TILE_ROWS 6
#define TILE_PANELS 1
#define ROWS 4
#define BESIDE 1
#define F32_PANELS 1

static inline __m256i quad(const int16_t *a)
{
    int64_t v;
    memcpy(&v, a, 8);
    return _mm256_set1_epi64x(v);
}

static inline __attribute__((always_inline)) void half_tile(const size_t rows, const int16_t *a, size_t stride, const int8_t *b, size_t k_len,
                                                            int32_t *acc, bool more)
{
    __m256i s[TILE_ROWS], t[TILE_ROWS];
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; r++)
        s[r] = t[r] = _mm256_setzero_si256();
    for (size_t k = 0; k < k_len; k += 4, b += 64) {
        __m256i b0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)b));
        __m256i b1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + 16)));
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; r++) {
            __m256i x = quad(a + r * stride + k);
            s[r] = _mm256_add_epi32(s[r], _mm256_madd_epi16(x, b0));
            t[r] = _mm256_add_epi32(t[r], _mm256_madd_epi16(x, b1));
            __asm__("" : "+x"(s[r]), "+x"(t[r])); /* else the sums of several k are put together in more registers than there are */
        }
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; r++) {
        __m256i *to = (__m256i *)(acc + r * 16), sum = _mm256_permute4x64_epi64(_mm256_hadd_epi32(s[r], t[r]), 0xD8);
        _mm256_storeu_si256(to, more ? _mm256_add_epi32(sum, _mm256_loadu_si256(to)) : sum);
    }
}

static inline __attribute__((always_inline)) void tile_of(const size_t rows, const int16_t *a, size_t stride, const int8_t *b, size_t k_len,
                                                          int32_t *acc, bool more)
{
    half_tile(rows, a, stride, b, k_len, acc, more);
    half_tile(rows, a, stride, b + 32, k_len, acc + 8, more);
}

#include "embed/tiles_avx2.inc"

#include "embed/math_body.inc"

BR_MATH_INSTANCE(br_math_avx2, "avx2");
