/* lanes_neon.h - sixteen floats in four 128-bit registers of AArch64. What the operations have to mean is told in lanes_plain.h. */
#ifndef BR_LANES_NEON_H
#define BR_LANES_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    float32x4_t v[4];
} lanes;
typedef struct {
    int32x4_t v[4];
} int_lanes;

#define LANES_FN static inline __attribute__((always_inline))
#define EACH(expression)                                                                                                                 \
    lanes x_;                                                                                                                            \
    for (int i = 0; i < 4; i++)                                                                                                          \
        x_.v[i] = (expression);                                                                                                          \
    return x_

LANES_FN float32x4_t larger(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
LANES_FN float32x4_t smaller(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }

LANES_FN lanes l_load(const float *p) { EACH(vld1q_f32(p + 4 * i)); }
LANES_FN void l_store(float *p, lanes a)
{
    for (int i = 0; i < 4; i++)
        vst1q_f32(p + 4 * i, a.v[i]);
}
LANES_FN lanes l_set1(float x) { EACH(vdupq_n_f32(x)); }
LANES_FN lanes l_add(lanes a, lanes b) { EACH(vaddq_f32(a.v[i], b.v[i])); }
LANES_FN lanes l_sub(lanes a, lanes b) { EACH(vsubq_f32(a.v[i], b.v[i])); }
LANES_FN lanes l_mul(lanes a, lanes b) { EACH(vmulq_f32(a.v[i], b.v[i])); }
LANES_FN lanes l_div(lanes a, lanes b) { EACH(vdivq_f32(a.v[i], b.v[i])); }
LANES_FN lanes l_fma(lanes a, lanes b, lanes c) { EACH(vfmaq_f32(c.v[i], a.v[i], b.v[i])); }
LANES_FN lanes l_max(lanes a, lanes b) { EACH(larger(a.v[i], b.v[i])); }
LANES_FN lanes l_min(lanes a, lanes b) { EACH(smaller(a.v[i], b.v[i])); }
LANES_FN lanes l_abs(lanes a) { EACH(vabsq_f32(a.v[i])); }
LANES_FN lanes l_signed(lanes a, lanes sign) { EACH(vbslq_f32(vdupq_n_u32(0x80000000u), sign.v[i], a.v[i])); }
LANES_FN lanes l_first(lanes a, size_t n, lanes other)
{
    static const uint32_t at[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    EACH(vbslq_f32(vcltq_u32(vld1q_u32(at + 4 * i), vdupq_n_u32((uint32_t)n)), a.v[i], other.v[i]));
}
LANES_FN lanes l_scale2(lanes p, lanes biased)
{
    EACH(vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p.v[i]), vshlq_n_s32(vreinterpretq_s32_f32(biased.v[i]), 23))));
}
LANES_FN lanes l_from_ints(int_lanes a) { EACH(vcvtq_f32_s32(a.v[i])); }
LANES_FN int_lanes li_load(const int32_t *p) { return (int_lanes){{vld1q_s32(p), vld1q_s32(p + 4), vld1q_s32(p + 8), vld1q_s32(p + 12)}}; }
LANES_FN int_lanes li_set1(int32_t x) { return (int_lanes){{vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x)}}; }
LANES_FN int_lanes li_sub_product(int_lanes a, int_lanes b, int_lanes c)
{
    for (int i = 0; i < 4; i++)
        a.v[i] = vmlsq_s32(a.v[i], b.v[i], c.v[i]);
    return a;
}
LANES_FN lanes l_load_s8(const int8_t *p)
{
    int8x16_t b = vld1q_s8(p);
    int16x8_t lo = vmovl_s8(vget_low_s8(b)), hi = vmovl_s8(vget_high_s8(b));
    return (lanes){{vcvtq_f32_s32(vmovl_s16(vget_low_s16(lo))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(lo))),
                    vcvtq_f32_s32(vmovl_s16(vget_low_s16(hi))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(hi)))}};
}
LANES_FN void l_store_u8(uint8_t *p, lanes a)
{
    uint16x8_t lo = vcombine_u16(vmovn_u32(vcvtq_u32_f32(a.v[0])), vmovn_u32(vcvtq_u32_f32(a.v[1])));
    uint16x8_t hi = vcombine_u16(vmovn_u32(vcvtq_u32_f32(a.v[2])), vmovn_u32(vcvtq_u32_f32(a.v[3])));
    vst1q_u8(p, vcombine_u8(vmovn_u16(lo), vmovn_u16(hi)));
}

#define FOLD(pick)                                                                                                                       \
    float32x4_t e = pick(pick(a.v[0], a.v[2]), pick(a.v[1], a.v[3]));                                                                    \
    e = pick(e, vextq_f32(e, e, 2));                                                                                                     \
    return vgetq_lane_f32(pick(e, vextq_f32(e, e, 1)), 0)
LANES_FN float l_sum(lanes a) { FOLD(vaddq_f32); }
LANES_FN float l_most(lanes a) { FOLD(larger); }
LANES_FN float l_least(lanes a) { FOLD(smaller); }

static inline void l_transpose(const float *from, size_t stride, float *to, size_t to_stride)
{
    for (size_t r = 0; r < 16; r++)
        for (size_t c = 0; c < 16; c++)
            to[c * to_stride + r] = from[r * stride + c];
}

#endif
