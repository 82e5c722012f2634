/* gemm_avx2.c - the integer matrix product for AVX2; same results, bit for bit, as gemm_scalar.c. */
#include "embed/gemm.h"
#include <immintrin.h>
#include <string.h>

static inline __m256i quad(const int16_t *a)
{
    int64_t v;
    memcpy(&v, a, 8);
    return _mm256_set1_epi64x(v);
}
#define ZERO(r) __m256i s##r = _mm256_setzero_si256(), t##r = _mm256_setzero_si256(); const int16_t *a##r = a + (size_t)r * k_len;
#define STEP(r)                                                                                                                          \
    {                                                                                                                                    \
        __m256i x = quad(a##r + k);                                                                                                      \
        s##r = _mm256_add_epi32(s##r, _mm256_madd_epi16(x, b0));                                                                         \
        t##r = _mm256_add_epi32(t##r, _mm256_madd_epi16(x, b1));                                                                         \
        __asm__("" : "+x"(s##r), "+x"(t##r));                                                                                            \
    }
#define DONE(r) _mm256_storeu_si256((__m256i *)(acc + (size_t)r * n), _mm256_permute4x64_epi64(_mm256_hadd_epi32(s##r, t##r), 0xD8));
#define KERNEL(R, EACH)                                                                                                                  \
    static void kernel_##R(const int16_t *a, size_t k_len, const int8_t *b, size_t n, int32_t *acc)                                      \
    {                                                                                                                                    \
        EACH(ZERO)                                                                                                                       \
        for (size_t k = 0; k < k_len; k += 4, b += 64) {                                                                                 \
            __m256i b0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)b));                                                      \
            __m256i b1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + 16)));                                               \
            EACH(STEP)                                                                                                                   \
        }                                                                                                                                \
        EACH(DONE)                                                                                                                       \
    }
#define E1(F) F(0)
#define E2(F) E1(F) F(1)
#define E3(F) E2(F) F(2)
#define E4(F) E3(F) F(3)
#define E5(F) E4(F) F(4)
#define E6(F) E5(F) F(5)
KERNEL(1, E1) KERNEL(2, E2) KERNEL(3, E3) KERNEL(4, E4) KERNEL(5, E5) KERNEL(6, E6)

static void run(const uint8_t *a, size_t rows, size_t k_len, const int8_t *panels, size_t n, int32_t *acc, int16_t *scratch)
{
    static void (*const kernels[])(const int16_t *, size_t, const int8_t *, size_t, int32_t *) = {
        NULL, kernel_1, kernel_2, kernel_3, kernel_4, kernel_5, kernel_6};
    for (size_t i = 0; i < rows * k_len; i++)
        scratch[i] = a[i];
    for (size_t j = 0; j < n; j += 8) {
        const int8_t *b = panels + (j / 16) * k_len * 16 + (j % 16) * 4;
        for (size_t m = 0; m < rows; m += 6) {
            size_t r = rows - m < 6 ? rows - m : 6;
            kernels[r](scratch + m * k_len, k_len, b, n, acc + m * n + j);
        }
    }
}
const struct br_gemm br_gemm_avx2 = {"avx2", run};
