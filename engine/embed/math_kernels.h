/* math_kernels.h - what the forward pass is made of, once per instruction set from math_body.inc. All instances give the same bits: integer sums are
 * exact, and every float operation is done in the same order (lanes_plain.inc). A row's result does not depend on the rows beside it. */
#ifndef BR_MATH_KERNELS_H
#define BR_MATH_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define BR_PANEL_COLUMNS 16
#define BR_ROWS_MAX 96 /* of a call of linear_int8 */
#define BR_PARTS_MAX 4

/* y = x W^T + b. Pointers are into the model file, or, for the float path, into the safetensors map. */
struct br_linear {
    size_t in, out; /* multiples of 16 */
    size_t part;    /* so many inputs are quantised together, a multiple of 16 of which in is one; in is at most BR_PARTS_MAX parts */
    const int8_t *panels;    /* s8, per 16 columns [in / 4][16 columns][4] */
    const float *scale;      /* [parts][out] */
    const float *bias;
    const int32_t *sums;     /* [parts][out], of the quantised weights */
    const float *smooth_inv; /* per input: activations are multiplied by it before they are quantised, */
    const float *shift;      /* and this is added */
    const float *w;          /* float path: [out][in] */
    const float *packed;     /* float path, when it is to run: per 16 columns [in][16 columns] */
};

/* A row of unsigned bytes stands for (q - zero) * scale. */
struct br_row_scale {
    float scale;
    int32_t zero;
};

/* Between which values the columns 0, 16, 32 ... of a row lie, 1, 17 ..., and so on; 0 is always among them. */
struct br_row_range {
    float lo[16], hi[16];
};

enum br_linear_mode {
    BR_LINEAR_STORE, /* y = x W^T + b */
    BR_LINEAR_ADD,   /* y += ... */
    BR_LINEAR_GELU,  /* y = gelu(...) */
};

struct br_math {
    const char *name;
    /* x = word * scale + position */
    void (*embed_s8)(const int8_t *word, float scale, const float *position, size_t n, float *x);
    /* x[n] = (x - mean) / sqrt(var + eps) * gamma + beta, over rows */
    void (*layer_norm)(float *x, size_t rows, size_t n, const float *gamma, const float *beta);
    /* u8 per row: q = round((x * smooth_inv + shift) / scale) + zero */
    void (*quantise)(const float *x, size_t rows, size_t n, const float *smooth_inv, const float *shift, uint8_t *q, struct br_row_scale *s);
    /* The same for values that are multiplied and shifted already and whose ranges are known, part by part: ranges and s are [parts][rows]. */
    void (*quantise_known)(const float *x, size_t rows, size_t n, size_t part, const struct br_row_range *ranges, uint8_t *q, struct br_row_scale *s);
    /* At most BR_ROWS_MAX rows; s is [parts][rows]. With BR_LINEAR_GELU, which takes one part, by a polynomial within 3e-4 of it, y is what next, the
     * linear that takes it, quantises, and ranges[next's parts][rows] are told. scratch: 2 bytes for each of q's. */
    void (*linear_int8)(const struct br_linear *l, const uint8_t *q, const struct br_row_scale *s, size_t rows, enum br_linear_mode mode, float *y,
                        const struct br_linear *next, struct br_row_range *ranges, void *scratch);
    void (*linear_f32)(const struct br_linear *l, const float *x, size_t rows, enum br_linear_mode mode, float *y);
    void (*gelu)(float *x, size_t n); /* within 2e-7 */
    void (*add)(float *x, const float *y, size_t n);
    /* One text: qkv[s][3 * hidden] to out[s][hidden]. scratch: BR_ATTENTION_SCRATCH floats. */
    void (*attention)(const float *qkv, size_t s, size_t heads, size_t head_dim, float *out, float *scratch);
    /* y[m][n] = x[m][k] w[n][k]^T, for what is not packed */
    void (*sgemm)(const float *x, size_t m, size_t k, const float *w, size_t n, float *y);
    /* acc[r][16] = what rows q[r][in] give with one panel: the integer product by itself, for tests. */
    void (*sums)(const uint8_t *q, size_t rows, size_t in, const int8_t *panel, int32_t *acc, void *scratch);
};
#define BR_UP16(n) (((size_t)(n) + 15) & ~(size_t)15)
/* K transposed, V, and eight rows of Q and of scores. */
#define BR_ATTENTION_SCRATCH(s, head_dim) (2 * BR_UP16(head_dim) * BR_UP16(s) + 8 * (BR_UP16(head_dim) + BR_UP16(s)))

extern const struct br_math br_math_scalar, br_math_avx2, br_math_avxvnni, br_math_avx512vnni, br_math_neon;
/* The fastest this CPU has; BACKREAD_KERNEL names another, as far as the CPU has it. */
const struct br_math *br_math_pick(void);
/* All this CPU has, the fastest first, scalar last; returns how many. */
#define BR_MATH_INSTANCES 5
size_t br_math_all(const struct br_math *all[BR_MATH_INSTANCES]);

#endif
