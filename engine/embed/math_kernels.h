/* math_kernels.h - the float parts of the forward pass, compiled once per instruction set from math_body.h. */
#ifndef BR_MATH_KERNELS_H
#define BR_MATH_KERNELS_H

#include <stddef.h>
#include <stdint.h>

struct br_row_scale {
    float scale;
    int32_t zero;
};

struct br_math {
    const char *name;
    /* x[n] = (x - mean) / sqrt(var + eps) * gamma + beta, over rows */
    void (*layer_norm)(float *x, size_t rows, size_t n, const float *gamma, const float *beta);
    /* u8 per row: q = round(x * smooth_inv / scale) + zero */
    void (*quantise)(const float *x, size_t rows, size_t n, const float *smooth_inv, uint8_t *q, struct br_row_scale *s);
    /* y = (acc - zero * sums) * scale_w * scale_a + bias */
    void (*dequantise)(const int32_t *acc, size_t rows, size_t n, const struct br_row_scale *s, const float *scale, const int32_t *sums,
                       const float *bias, float *y);
    void (*gelu)(float *x, size_t n);
    void (*add)(float *x, const float *y, size_t n);
    /* One text: qkv[s][3 * hidden] to out[s][hidden]. scratch: attention_scratch floats. */
    void (*attention)(const float *qkv, size_t s, size_t heads, size_t head_dim, float *out, float *scratch);
    void (*sgemm)(const float *x, size_t m, size_t k, const float *w, size_t n, float *y);
};
#define BR_ATTENTION_SCRATCH(s, head_dim) ((size_t)(head_dim) * (((s) + 15) & ~(size_t)15) + 8 * (((s) + 15) & ~(size_t)15))

extern const struct br_math br_math_scalar, br_math_avx2;
const struct br_math *br_math_pick(void);

#endif
