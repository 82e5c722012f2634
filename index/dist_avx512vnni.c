/* dist_avx512vnni.c - the kernels for AVX-512 with VNNI; reached only on CPUs that have both.
 *
 * vpdpbusd multiplies unsigned by signed bytes and adds groups of four products to 32-bit lanes: the nibbles are its
 * unsigned side, the query its signed one. vpdpbusds, its saturating twin, is never used. */
#include "hnsw_int.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

static inline int32_t dot_row(const uint8_t *row, const int8_t *query, size_t stride)
{
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i even = _mm512_setzero_si512(), odd = even;
    for (size_t block = 0; block < stride; block += BR_PLANE_BLOCK) {
        __m512i bytes = _mm512_loadu_si512(row + block);
        even = _mm512_dpbusd_epi32(even, _mm512_and_si512(bytes, nibble), _mm512_loadu_si512(query + 2 * block));
        odd = _mm512_dpbusd_epi32(odd, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble),
                                  _mm512_loadu_si512(query + 2 * block + BR_PLANE_BLOCK));
    }
    return _mm512_reduce_add_epi32(_mm512_add_epi32(even, odd));
}

/* Makes room for one before list[0 .. n-1]. */
static inline void walk_shift(struct br_cand *list, size_t n)
{
    for (; n >= 8; n -= 8)
        _mm512_storeu_si512(list + n - 7, _mm512_loadu_si512(list + n - 8));
    __mmask8 rest = (__mmask8)((1u << n) - 1);
    _mm512_mask_storeu_epi64(list + 1, rest, _mm512_maskz_loadu_epi64(rest, list));
}

static float inner(const float *a, const float *b, size_t dim)
{
    __m512 s0 = _mm512_setzero_ps(), s1 = s0;
    size_t i = 0;
    for (; i + 32 <= dim; i += 32) {
        s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s0);
        s1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), s1);
    }
    float sum = _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
    for (; i < dim; i++)
        sum += a[i] * b[i];
    return sum;
}

#include "walk_body.inc"

const struct br_kernels br_kernels_avx512vnni = {
    .name = "avx512vnni", .dots = dots, .inner = inner, .encode_query = encode_query,
    .walk = walk, .descend = descend, .count_both = count_both};
#else
extern const int br_no_avx512vnni_here;
#endif
