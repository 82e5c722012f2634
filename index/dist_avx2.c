/* dist_avx2.c - the kernels for AVX2 and FMA; compiled with those flags, reached only on CPUs that have them.
 *
 * vpmaddubsw multiplies unsigned by signed bytes and adds pairs in 16 bits. It saturates, but not here: two products of
 * 15 * 128 are 3,840, and the four of them that a block adds are 15,360. */
#include "hnsw_int.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

static inline int32_t sum_lanes(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return _mm_cvtsi128_si32(s);
}

static inline int32_t dot_row(const uint8_t *row, const int8_t *query, size_t stride)
{
    const __m256i nibble = _mm256_set1_epi8(15), one = _mm256_set1_epi16(1);
    __m256i sum = _mm256_setzero_si256();
    for (size_t block = 0; block < stride; block += BR_PLANE_BLOCK) {
        const int8_t *q = query + 2 * block;
        __m256i a = _mm256_loadu_si256((const __m256i *)(row + block));
        __m256i b = _mm256_loadu_si256((const __m256i *)(row + block + 32));
        __m256i p0 = _mm256_maddubs_epi16(_mm256_and_si256(a, nibble), _mm256_loadu_si256((const __m256i *)q));
        __m256i p1 = _mm256_maddubs_epi16(_mm256_and_si256(b, nibble), _mm256_loadu_si256((const __m256i *)(q + 32)));
        __m256i p2 = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(a, 4), nibble),
                                          _mm256_loadu_si256((const __m256i *)(q + 64)));
        __m256i p3 = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(b, 4), nibble),
                                          _mm256_loadu_si256((const __m256i *)(q + 96)));
        __m256i p = _mm256_add_epi16(_mm256_add_epi16(p0, p1), _mm256_add_epi16(p2, p3));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(p, one));
    }
    return sum_lanes(sum);
}

/* Makes room for one before list[0 .. n-1]. */
static inline void walk_shift(struct br_cand *list, size_t n)
{
    for (; n >= 4; n -= 4)
        _mm256_storeu_si256((__m256i *)(list + n - 3), _mm256_loadu_si256((const __m256i *)(list + n - 4)));
    for (; n; n--)
        list[n] = list[n - 1];
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

#include "walk_body.inc"

const struct br_kernels br_kernels_avx2 = {
    .name = "avx2", .dots = dots, .inner = inner, .encode_query = encode_query,
    .walk = walk, .descend = descend, .count_both = count_both};
#else
extern const int br_no_avx2_here;
#endif
