/* dist_avx512vnni.c - the kernels for AVX-512 with VNNI; reached only on CPUs that have both.
 *
 * vpdpbusd multiplies unsigned by signed bytes and adds groups of four products to 32-bit lanes: the code is its
 * unsigned side, the query its signed one. vpdpbusds, its saturating twin, is never used. */
#include "dist_int.h"

#if defined(__x86_64__)
#include <immintrin.h>

static void dots(const uint8_t *const *codes, size_t n, const int8_t *query, size_t len, int32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i + BR_PREFETCH_CODES < n)
            br_prefetch(codes[i + BR_PREFETCH_CODES], len);
        __m512i sum = _mm512_setzero_si512();
        for (size_t j = 0; j < len; j += 64)
            sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(codes[i] + j), _mm512_loadu_si512(query + j));
        out[i] = _mm512_reduce_add_epi32(sum);
    }
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

const struct br_kernels br_kernels_avx512vnni = {.name = "avx512vnni", .dots = dots, .inner = inner};
#else
extern const int br_no_avx512vnni_here;
#endif
