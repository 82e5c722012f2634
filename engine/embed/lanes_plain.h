/* lanes_plain.h - sixteen floats as an array, for any machine; and what every other lanes_*.h has to give, bit for bit.
 *
 * All arithmetic is IEEE single precision, rounded once an operation, and nothing is contracted that is not l_fma. So a kernel written in these
 * operations gives the same bits with every instruction set:
 *   l_max, l_min   a > b ? a : b, a < b ? a : b: b where either is NaN
 *   l_signed       a, which has no sign, with the sign of another
 *   l_first        the first n <= 16 lanes of a, the others of another
 *   l_scale2       p * 2^n for biased = n + 1.5 * 2^23, both results normal
 *   l_store_u8     the integer part of a, for 0 <= a <= 255
 *   l_sum, l_most, l_least   lane i with i + 8, of the results i with i + 4, i + 2, i + 1
 *   l_transpose    to[c * to_stride + r] = from[r * stride + c] for 16 rows and columns */
#ifndef BR_LANES_PLAIN_H
#define BR_LANES_PLAIN_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    float v[16];
} lanes;
typedef struct {
    int32_t v[16];
} int_lanes;

#ifdef __SANITIZE_ADDRESS__ /* instrumented and inlined everywhere they take minutes to compile */
#define LANES_FN static __attribute__((noinline, unused))
#else
#define LANES_FN static inline
#endif
#define EACH(expression)                                                                                                                 \
    lanes x_;                                                                                                                            \
    for (size_t i = 0; i < 16; i++)                                                                                                      \
        x_.v[i] = (expression);                                                                                                          \
    return x_

/* a * b + c rounded once. Without an instruction for it: a product of floats is exact in double; their sum is rounded to odd, which a further
 * rounding to float does not spoil (Boldo, Melquiond, "Emulation of FMA and correctly rounded sums", 2008). */
LANES_FN float fused(float a, float b, float c)
{
#ifdef __FP_FAST_FMAF
    return __builtin_fmaf(a, b, c);
#else
    double p = (double)a * (double)b, d = (double)c, s = p + d;
    double t = s - p, error = (p - (s - t)) + (d - t);
    uint64_t bits;
    memcpy(&bits, &s, 8);
    if (error != 0 && !(bits & 1) && (bits >> 52 & 0x7FF) != 0x7FF) {
        bits = (error > 0) == (s > 0) ? bits | 1 : bits - 1;
        memcpy(&s, &bits, 8);
    }
    return (float)s;
#endif
}

LANES_FN lanes l_load(const float *p)
{
    lanes x;
    memcpy(&x, p, sizeof x);
    return x;
}
LANES_FN void l_store(float *p, lanes a) { memcpy(p, &a, sizeof a); }
LANES_FN lanes l_set1(float x) { EACH(x); }
LANES_FN lanes l_add(lanes a, lanes b) { EACH(a.v[i] + b.v[i]); }
LANES_FN lanes l_sub(lanes a, lanes b) { EACH(a.v[i] - b.v[i]); }
LANES_FN lanes l_mul(lanes a, lanes b) { EACH(a.v[i] * b.v[i]); }
LANES_FN lanes l_div(lanes a, lanes b) { EACH(a.v[i] / b.v[i]); }
LANES_FN lanes l_fma(lanes a, lanes b, lanes c) { EACH(fused(a.v[i], b.v[i], c.v[i])); }
LANES_FN lanes l_max(lanes a, lanes b) { EACH(a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
LANES_FN lanes l_min(lanes a, lanes b) { EACH(a.v[i] < b.v[i] ? a.v[i] : b.v[i]); }
LANES_FN lanes l_abs(lanes a) { EACH(fabsf(a.v[i])); }
LANES_FN lanes l_signed(lanes a, lanes sign) { EACH(copysignf(a.v[i], sign.v[i])); }
LANES_FN lanes l_first(lanes a, size_t n, lanes other) { EACH(i < n ? a.v[i] : other.v[i]); }
LANES_FN lanes l_scale2(lanes p, lanes biased)
{
    uint32_t a[16], b[16];
    memcpy(a, &p, sizeof a);
    memcpy(b, &biased, sizeof b);
    for (size_t i = 0; i < 16; i++)
        a[i] += b[i] << 23;
    memcpy(&p, a, sizeof a);
    return p;
}
LANES_FN lanes l_from_ints(int_lanes a) { EACH((float)a.v[i]); }
LANES_FN int_lanes li_load(const int32_t *p)
{
    int_lanes x;
    memcpy(&x, p, sizeof x);
    return x;
}
LANES_FN int_lanes li_set1(int32_t x)
{
    int_lanes a;
    for (size_t i = 0; i < 16; i++)
        a.v[i] = x;
    return a;
}
LANES_FN int_lanes li_sub_product(int_lanes a, int_lanes b, int_lanes c)
{
    for (size_t i = 0; i < 16; i++)
        a.v[i] = (int32_t)((uint32_t)a.v[i] - (uint32_t)b.v[i] * (uint32_t)c.v[i]);
    return a;
}
LANES_FN lanes l_load_s8(const int8_t *p) { EACH((float)p[i]); }
LANES_FN void l_store_u8(uint8_t *p, lanes a)
{
    for (size_t i = 0; i < 16; i++)
        p[i] = (uint8_t)(int32_t)a.v[i];
}

#define FOLD(pick)                                                                                                                       \
    for (size_t half = 8; half > 0; half /= 2)                                                                                           \
        for (size_t i = 0; i < half; i++) {                                                                                              \
            float x = a.v[i], y = a.v[i + half];                                                                                         \
            a.v[i] = (pick);                                                                                                             \
        }                                                                                                                                \
    return a.v[0]
LANES_FN float l_sum(lanes a) { FOLD(x + y); }
LANES_FN float l_most(lanes a) { FOLD(x > y ? x : y); }
LANES_FN float l_least(lanes a) { FOLD(x < y ? x : y); }

static inline void l_transpose(const float *from, size_t stride, float *to, size_t to_stride)
{
    for (size_t r = 0; r < 16; r++)
        for (size_t c = 0; c < 16; c++)
            to[c * to_stride + r] = from[r * stride + c];
}

#endif
