/* dist_avx2.c - the kernels for AVX2 and FMA; compiled with those flags, reached only on CPUs that have them.
 *
 * Bytes are widened to 16 bits and multiplied by vpmaddwd, which is exact. vpmaddubsw would save the widening but
 * saturates at 16 bits: two products of 255 * 127 already pass 32,767. */
#include "dist_int.h"

#if defined(__x86_64__)
#include <immintrin.h>

static inline __m256i multiply_16(const uint8_t *code, const int8_t *query)
{
    __m256i c = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)code));
    __m256i q = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)query));
    return _mm256_madd_epi16(c, q);
}

static inline int32_t sum_lanes(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return _mm_cvtsi128_si32(s);
}

static void dots(const uint8_t *const *codes, size_t n, const int8_t *query, size_t len, int32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i + BR_PREFETCH_CODES < n)
            br_prefetch(codes[i + BR_PREFETCH_CODES], len);
        const uint8_t *code = codes[i];
        __m256i a = _mm256_setzero_si256(), b = a;
        for (size_t j = 0; j < len; j += 64) {
            a = _mm256_add_epi32(a, multiply_16(code + j, query + j));
            b = _mm256_add_epi32(b, multiply_16(code + j + 16, query + j + 16));
            a = _mm256_add_epi32(a, multiply_16(code + j + 32, query + j + 32));
            b = _mm256_add_epi32(b, multiply_16(code + j + 48, query + j + 48));
        }
        out[i] = sum_lanes(_mm256_add_epi32(a, b));
    }
}

static float inner(const float *a, const float *b, size_t dim)
{
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t i = 0;
    for (; i + 32 <= dim; i += 32) {
        s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s0);
        s1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), s1);
        s2 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16), s2);
        s3 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24), s3);
    }
    s0 = _mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3));
    __m128 h = _mm_add_ps(_mm256_castps256_ps128(s0), _mm256_extractf128_ps(s0, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    h = _mm_add_ss(h, _mm_movehdup_ps(h));
    float sum = _mm_cvtss_f32(h);
    for (; i < dim; i++)
        sum += a[i] * b[i];
    return sum;
}

const struct br_kernels br_kernels_avx2 = {.name = "avx2", .dots = dots, .inner = inner};
#else
extern const int br_no_avx2_here;
#endif
