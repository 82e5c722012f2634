/* lanes_avx2.h - sixteen floats in two ymm registers. What the operations have to mean is told in lanes_plain.h. */
#ifndef BR_LANES_AVX2_H
#define BR_LANES_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    __m256 a, b;
} lanes;
typedef struct {
    __m256i a, b;
} int_lanes;

#define LANES_FN static inline __attribute__((always_inline))

LANES_FN lanes l_load(const float *p) { return (lanes){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
LANES_FN void l_store(float *p, lanes x)
{
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}
LANES_FN lanes l_set1(float x) { return (lanes){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
LANES_FN lanes l_add(lanes x, lanes y) { return (lanes){_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
LANES_FN lanes l_sub(lanes x, lanes y) { return (lanes){_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
LANES_FN lanes l_mul(lanes x, lanes y) { return (lanes){_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
LANES_FN lanes l_div(lanes x, lanes y) { return (lanes){_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
LANES_FN lanes l_fma(lanes x, lanes y, lanes z) { return (lanes){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
LANES_FN lanes l_max(lanes x, lanes y) { return (lanes){_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
LANES_FN lanes l_min(lanes x, lanes y) { return (lanes){_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
LANES_FN lanes l_abs(lanes x)
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    return (lanes){_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
}
LANES_FN lanes l_signed(lanes x, lanes y)
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    return (lanes){_mm256_or_ps(x.a, _mm256_and_ps(sign, y.a)), _mm256_or_ps(x.b, _mm256_and_ps(sign, y.b))};
}
LANES_FN lanes l_first(lanes x, size_t n, lanes other)
{
    __m256i at = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), end = _mm256_set1_epi32((int)n);
    __m256 in_a = _mm256_castsi256_ps(_mm256_cmpgt_epi32(end, at));
    __m256 in_b = _mm256_castsi256_ps(_mm256_cmpgt_epi32(end, _mm256_add_epi32(at, _mm256_set1_epi32(8))));
    return (lanes){_mm256_blendv_ps(other.a, x.a, in_a), _mm256_blendv_ps(other.b, x.b, in_b)};
}
LANES_FN __m256 scale2(__m256 p, __m256 biased)
{
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_castps_si256(biased), 23)));
}
LANES_FN lanes l_scale2(lanes p, lanes biased) { return (lanes){scale2(p.a, biased.a), scale2(p.b, biased.b)}; }
LANES_FN lanes l_from_ints(int_lanes x) { return (lanes){_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
LANES_FN int_lanes li_load(const int32_t *p)
{
    return (int_lanes){_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)(p + 8))};
}
LANES_FN int_lanes li_set1(int32_t x) { return (int_lanes){_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
LANES_FN int_lanes li_sub_product(int_lanes x, int_lanes y, int_lanes z)
{
    return (int_lanes){_mm256_sub_epi32(x.a, _mm256_mullo_epi32(y.a, z.a)), _mm256_sub_epi32(x.b, _mm256_mullo_epi32(y.b, z.b))};
}
LANES_FN lanes l_load_s8(const int8_t *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    return (lanes){_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(v, 8)))};
}
LANES_FN void l_store_u8(uint8_t *p, lanes x)
{
    __m256i words = _mm256_packus_epi32(_mm256_cvttps_epi32(x.a), _mm256_cvttps_epi32(x.b));
    words = _mm256_permute4x64_epi64(words, 0xD8);
    _mm_storeu_si128((__m128i *)p, _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}

LANES_FN float l_sum(lanes x)
{
    __m256 b = _mm256_add_ps(x.a, x.b);
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
LANES_FN float l_most(lanes x)
{
    __m256 b = _mm256_max_ps(x.a, x.b);
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}
LANES_FN float l_least(lanes x)
{
    __m256 b = _mm256_min_ps(x.a, x.b);
    __m128 c = _mm_min_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_min_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_min_ss(c, _mm_movehdup_ps(c)));
}

static inline void l_transpose(const float *from, size_t stride, float *to, size_t to_stride)
{
    for (size_t r = 0; r < 16; r += 4)
        for (size_t c = 0; c < 16; c += 4) {
            const float *f = from + r * stride + c;
            float *t = to + c * to_stride + r;
            __m128 x0 = _mm_loadu_ps(f), x1 = _mm_loadu_ps(f + stride), x2 = _mm_loadu_ps(f + 2 * stride), x3 = _mm_loadu_ps(f + 3 * stride);
            _MM_TRANSPOSE4_PS(x0, x1, x2, x3);
            _mm_storeu_ps(t, x0);
            _mm_storeu_ps(t + to_stride, x1);
            _mm_storeu_ps(t + 2 * to_stride, x2);
            _mm_storeu_ps(t + 3 * to_stride, x3);
        }
}

#endif
