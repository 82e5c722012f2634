/* lanes_avx512.h - sixteen floats in a zmm register. What the operations have to mean is told in lanes_plain.h. */
#ifndef BR_LANES_AVX512_H
#define BR_LANES_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef __m512 lanes;
typedef __m512i int_lanes;

#define LANES_FN static inline __attribute__((always_inline))

LANES_FN lanes l_load(const float *p) { return _mm512_loadu_ps(p); }
LANES_FN void l_store(float *p, lanes a) { _mm512_storeu_ps(p, a); }
LANES_FN lanes l_set1(float x) { return _mm512_set1_ps(x); }
LANES_FN lanes l_add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
LANES_FN lanes l_sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
LANES_FN lanes l_mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
LANES_FN lanes l_div(lanes a, lanes b) { return _mm512_div_ps(a, b); }
LANES_FN lanes l_fma(lanes a, lanes b, lanes c) { return _mm512_fmadd_ps(a, b, c); }
LANES_FN lanes l_max(lanes a, lanes b) { return _mm512_max_ps(a, b); }
LANES_FN lanes l_min(lanes a, lanes b) { return _mm512_min_ps(a, b); }
LANES_FN lanes l_abs(lanes a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
LANES_FN lanes l_signed(lanes a, lanes sign)
{
    return _mm512_or_ps(a, _mm512_and_ps(_mm512_set1_ps(-0.0f), sign));
}
LANES_FN lanes l_first(lanes a, size_t n, lanes other)
{
    return _mm512_mask_mov_ps(other, (__mmask16)((1u << n) - 1), a);
}
LANES_FN lanes l_scale2(lanes p, lanes biased)
{
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), _mm512_slli_epi32(_mm512_castps_si512(biased), 23)));
}
LANES_FN lanes l_from_ints(int_lanes a) { return _mm512_cvtepi32_ps(a); }
LANES_FN int_lanes li_load(const int32_t *p) { return _mm512_loadu_si512(p); }
LANES_FN int_lanes li_set1(int32_t x) { return _mm512_set1_epi32(x); }
LANES_FN int_lanes li_sub_product(int_lanes a, int_lanes b, int_lanes c) { return _mm512_sub_epi32(a, _mm512_mullo_epi32(b, c)); }
LANES_FN lanes l_load_s8(const int8_t *p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p))); }
LANES_FN void l_store_u8(uint8_t *p, lanes a) { _mm_storeu_si128((__m128i *)p, _mm512_cvtusepi32_epi8(_mm512_cvttps_epi32(a))); }

LANES_FN float l_sum(lanes a)
{
    __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
LANES_FN float l_most(lanes a)
{
    __m256 b = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}
LANES_FN float l_least(lanes a)
{
    __m256 b = _mm256_min_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 c = _mm_min_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_min_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_min_ss(c, _mm_movehdup_ps(c)));
}

static inline void l_transpose(const float *from, size_t stride, float *to, size_t to_stride)
{
    __m512 r[16], t[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        r[i] = _mm512_loadu_ps(from + (size_t)i * stride);
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            __m512d a = _mm512_castps_pd(t[i + j]), b = _mm512_castps_pd(t[i + j + 2]);
            r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) { /* column 4 * quarter + j of every row is in quarter of r[j], r[4 + j], ... */
        __m512 lo = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88), hi = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
        __m512 lo2 = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xDD), hi2 = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xDD);
        _mm512_storeu_ps(to + (size_t)j * to_stride, _mm512_shuffle_f32x4(lo, hi, 0x88));
        _mm512_storeu_ps(to + (size_t)(j + 8) * to_stride, _mm512_shuffle_f32x4(lo, hi, 0xDD));
        _mm512_storeu_ps(to + (size_t)(j + 4) * to_stride, _mm512_shuffle_f32x4(lo2, hi2, 0x88));
        _mm512_storeu_ps(to + (size_t)(j + 12) * to_stride, _mm512_shuffle_f32x4(lo2, hi2, 0xDD));
    }
}

#endif
