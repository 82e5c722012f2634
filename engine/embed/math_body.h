/* math_body.h - the kernels' text. Each math_*.c includes it behind a lanes_*.h and says what suits its registers:
 *   ACTIVATION              the type its integer tiles take activations in: uint8_t, or int16_t where there is no product of unsigned and signed bytes
 *   TILE_ROWS, TILE_PANELS  the largest tile
 *   tile(a, stride, rows, panels, panel_bytes, n_panels, k, acc, more, next, step): acc[r * TILE_PANELS * 16 + c] = (more: +=) sum over k of
 *                           a[r * stride + k] times the panels' column c; exact. Fetches what is at next, step bytes for every four k.
 *   ROWS                    4 or 8: rows of queries, or of a float tile, whose sums for two (in a float tile: F32_PANELS) times 16 columns fit the
 *                           registers
 * Compiled with -ffp-contract=off: only what says l_fma is fused. */
#include "embed/math_kernels.h"

#include <math.h>
#include <string.h>

#define LN_EPS 1e-12f
#define GROUP (TILE_PANELS * BR_PANEL_COLUMNS)
#define K_BLOCK 768 /* a tile's weights stay in the first cache from one block of rows to the next */
#ifndef INLINE /* plain C leaves it to the compiler */
#define INLINE static inline __attribute__((always_inline))
#endif

/* ---- Rows ---- */

INLINE lanes quarters(const lanes s[4])
{
    return l_add(l_add(s[0], s[1]), l_add(s[2], s[3]));
}

static void embed_s8(const int8_t *word, float scale, const float *position, size_t n, float *x)
{
    for (size_t i = 0; i < n; i += 16)
        l_store(x + i, l_fma(l_load_s8(word + i), l_set1(scale), l_load(position + i)));
}

static void layer_norm_row(float *x, size_t n, const float *gamma, const float *beta)
{
    lanes s[4] = {l_set1(0), l_set1(0), l_set1(0), l_set1(0)};
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        for (size_t j = 0; j < 4; j++)
            s[j] = l_add(s[j], l_load(x + i + 16 * j));
    for (; i < n; i += 16)
        s[0] = l_add(s[0], l_load(x + i));
    lanes mean = l_set1(l_sum(quarters(s)) / (float)n);
    for (size_t j = 0; j < 4; j++)
        s[j] = l_set1(0);
    for (i = 0; i + 64 <= n; i += 64)
        for (size_t j = 0; j < 4; j++) {
            lanes d = l_sub(l_load(x + i + 16 * j), mean);
            s[j] = l_fma(d, d, s[j]);
        }
    for (; i < n; i += 16) {
        lanes d = l_sub(l_load(x + i), mean);
        s[0] = l_fma(d, d, s[0]);
    }
    lanes inv = l_set1(1.0f / sqrtf(l_sum(quarters(s)) / (float)n + LN_EPS));
    for (i = 0; i < n; i += 16)
        l_store(x + i, l_fma(l_mul(l_sub(l_load(x + i), mean), inv), l_load(gamma + i), l_load(beta + i)));
}

static void layer_norm(float *x, size_t rows, size_t n, const float *gamma, const float *beta)
{
    for (size_t r = 0; r < rows; r++)
        layer_norm_row(x + r * n, n, gamma, beta);
}

/* Values between lo <= 0 and hi >= 0; what they are divided by comes back. */
static struct br_row_scale scale_of(float lo, float hi, float *inv)
{
    float scale = (hi - lo) / 255.0f;
    if (!(scale > 1e-30f))
        scale = 1.0f;
    *inv = 1.0f / scale;
    float offset = -lo * *inv + 0.5f; /* below 256, but for rows that overflowed */
    return (struct br_row_scale){scale, (int32_t)(offset < 256.0f ? offset : 256.0f)};
}

/* Clamped as a float: NaN becomes 0, and no conversion overflows. */
INLINE void store_quantised(uint8_t *q, lanes x, lanes inv, lanes bias)
{
    l_store_u8(q, l_min(l_max(l_fma(x, inv, bias), l_set1(0)), l_set1(255.0f)));
}

static void quantise(const float *x, size_t rows, size_t n, const float *smooth_inv, uint8_t *q, struct br_row_scale *s)
{
    for (size_t r = 0; r < rows; r++, x += n, q += n) {
        lanes lo = l_set1(0), hi = l_set1(0);
        for (size_t i = 0; i < n; i += 16) {
            lanes v = l_mul(l_load(x + i), l_load(smooth_inv + i));
            lo = l_min(v, lo);
            hi = l_max(v, hi);
        }
        float inv;
        s[r] = scale_of(l_least(lo), l_most(hi), &inv);
        lanes by = l_set1(inv), bias = l_set1((float)s[r].zero + 0.5f);
        for (size_t i = 0; i < n; i += 16)
            store_quantised(q + i, l_mul(l_load(x + i), l_load(smooth_inv + i)), by, bias);
    }
}

static void quantise_known(const float *x, size_t rows, size_t n, const struct br_row_range *ranges, uint8_t *q, struct br_row_scale *s)
{
    for (size_t r = 0; r < rows; r++, x += n, q += n) {
        float inv;
        s[r] = scale_of(l_least(l_load(ranges[r].lo)), l_most(l_load(ranges[r].hi)), &inv);
        lanes by = l_set1(inv), bias = l_set1((float)s[r].zero + 0.5f);
        for (size_t i = 0; i < n; i += 16)
            store_quantised(q + i, l_load(x + i), by, bias);
    }
}

static void add(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        l_store(x + i, l_add(l_load(x + i), l_load(y + i)));
}

/* ---- Functions ---- */

/* 2^(x log2 e): range reduction and a degree-6 polynomial; relative error below 2e-7 for x in [-87, 88]. NaN takes the branch of -87. */
INLINE lanes l_exp(lanes x)
{
    x = l_min(l_max(x, l_set1(-87.0f)), l_set1(88.0f));
    lanes biased = l_fma(x, l_set1(1.44269504f), l_set1(12582912.0f)); /* 1.5 * 2^23: rounds to an integer */
    lanes n = l_sub(biased, l_set1(12582912.0f));
    lanes f = l_fma(n, l_set1(2.12194440e-4f), l_fma(n, l_set1(-0.693359375f), x));
    lanes p = l_fma(l_set1(1.9875691500e-4f), f, l_set1(1.3981999507e-3f));
    p = l_fma(p, f, l_set1(8.3334519073e-3f));
    p = l_fma(p, f, l_set1(4.1665795894e-2f));
    p = l_fma(p, f, l_set1(1.6666665459e-1f));
    p = l_fma(p, f, l_set1(5.0000001201e-1f));
    p = l_add(l_fma(p, l_mul(f, f), f), l_set1(1.0f));
    return l_scale2(p, biased);
}

/* 0.5 x (1 + erf(x / sqrt 2)); erf by Abramowitz & Stegun 7.1.26, |error| <= 1.5e-7. */
INLINE lanes l_gelu(lanes x)
{
    lanes one = l_set1(1.0f), v = l_mul(x, l_set1(0.70710678f)), a = l_abs(v);
    lanes t = l_div(one, l_fma(l_set1(0.3275911f), a, one));
    lanes p = l_fma(l_set1(1.061405429f), t, l_set1(-1.453152027f));
    p = l_fma(p, t, l_set1(1.421413741f));
    p = l_fma(p, t, l_set1(-0.284496736f));
    p = l_mul(l_fma(p, t, l_set1(0.254829592f)), t);
    lanes e = l_sub(one, l_mul(p, l_exp(l_mul(a, l_sub(l_set1(0), a)))));
    return l_mul(l_mul(l_set1(0.5f), x), l_add(one, l_signed(e, v)));
}

/* The same for values that are quantised next: x (1/2 + c R(c^2)) with c = x within -4 ... 4, R the polynomial of degree 8 that is nearest to GELU
 * there (Remez); off by 3e-5 for |x| < 4, beyond by |x| 3e-5. */
INLINE lanes l_gelu_near(lanes x)
{
    lanes c = l_min(l_max(x, l_set1(-4.0f)), l_set1(4.0f)), s = l_mul(c, c);
    lanes p = l_fma(l_set1(6.74040198656023e-11f), s, l_set1(-6.066911861779545e-09f));
    p = l_fma(p, s, l_set1(2.4408464582847955e-07f));
    p = l_fma(p, s, l_set1(-5.860602414031746e-06f));
    p = l_fma(p, s, l_set1(9.49402674450539e-05f));
    p = l_fma(p, s, l_set1(-0.0011128562036901712f));
    p = l_fma(p, s, l_set1(0.009815800935029984f));
    p = l_fma(p, s, l_set1(-0.06632363051176071f));
    p = l_fma(p, s, l_set1(0.3988810181617737f));
    return l_mul(x, l_fma(c, p, l_set1(0.5f)));
}

static void gelu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        l_store(x + i, l_gelu(l_load(x + i)));
}

/* ---- Linears, int8 ---- */

INLINE void finish_tile(const struct br_linear *l, const int32_t *restrict acc, const struct br_row_scale *restrict s, size_t rows, size_t column,
                        size_t columns, enum br_linear_mode mode, float *restrict y, const float *restrict next_smooth,
                        struct br_row_range *restrict ranges)
{
    const int32_t *restrict w_sums = l->sums;
    const float *restrict w_scale = l->scale, *restrict w_bias = l->bias;
    size_t stride = l->out;
    for (size_t c = 0; c < columns; c += 16, column += 16) {
        int_lanes sums = li_load(w_sums + column);
        lanes scale = l_load(w_scale + column), bias = l_load(w_bias + column);
        lanes smooth = mode == BR_LINEAR_GELU ? l_load(next_smooth + column) : bias;
        for (size_t r = 0; r < rows; r++) {
            int_lanes sum = li_sub_product(li_load(acc + r * GROUP + c), li_set1(s[r].zero), sums);
            lanes v = l_fma(l_from_ints(sum), l_mul(scale, l_set1(s[r].scale)), bias);
            float *to = y + r * stride + column;
            if (mode == BR_LINEAR_ADD)
                v = l_add(l_load(to), v);
            if (mode == BR_LINEAR_GELU) {
                v = l_mul(l_gelu_near(v), smooth);
                l_store(ranges[r].lo, l_min(v, l_load(ranges[r].lo)));
                l_store(ranges[r].hi, l_max(v, l_load(ranges[r].hi)));
            }
            l_store(to, v);
        }
    }
}

static void finish_store(const struct br_linear *l, const int32_t *acc, const struct br_row_scale *s, size_t rows, size_t column, size_t columns,
                         float *y)
{
    finish_tile(l, acc, s, rows, column, columns, BR_LINEAR_STORE, y, NULL, NULL);
}

static void finish_add(const struct br_linear *l, const int32_t *acc, const struct br_row_scale *s, size_t rows, size_t column, size_t columns,
                       float *y)
{
    finish_tile(l, acc, s, rows, column, columns, BR_LINEAR_ADD, y, NULL, NULL);
}

static void finish_gelu(const struct br_linear *l, const int32_t *acc, const struct br_row_scale *s, size_t rows, size_t column, size_t columns,
                        float *y, const float *next_smooth, struct br_row_range *ranges)
{
    finish_tile(l, acc, s, rows, column, columns, BR_LINEAR_GELU, y, next_smooth, ranges);
}

static const ACTIVATION *activations(const uint8_t *q, size_t n, void *scratch)
{
    if (sizeof(ACTIVATION) == 1)
        return (const void *)q;
    ACTIVATION *wide = scratch;
    for (size_t i = 0; i < n; i++)
        wide[i] = q[i];
    return wide;
}

/* A group of panels at a time, all rows: the weights come through the first cache once. While they are worked on, tiles fetch those of the next group,
 * a part each. (Past the last one that may be beyond the model: fetching does not fault.) */
static void linear_int8(const struct br_linear *l, const uint8_t *q, const struct br_row_scale *s, size_t rows, enum br_linear_mode mode, float *y,
                        const float *next_smooth, struct br_row_range *ranges, void *scratch)
{
    _Alignas(64) int32_t acc[BR_ROWS_MAX * GROUP];
    const ACTIVATION *a = activations(q, rows * l->in, scratch);
    if (mode == BR_LINEAR_GELU)
        memset(ranges, 0, rows * sizeof *ranges);
    for (size_t column = 0; column < l->out; column += GROUP) {
        size_t columns = l->out - column < GROUP ? l->out - column : GROUP;
        for (size_t k = 0; k < l->in; k += K_BLOCK) {
            size_t k_len = l->in - k < K_BLOCK ? l->in - k : K_BLOCK;
            const int8_t *next = l->panels + (column + GROUP) * l->in + GROUP * k;
            size_t step = GROUP * 4 / ((rows + TILE_ROWS - 1) / TILE_ROWS);
            for (size_t r = 0; r < rows; r += TILE_ROWS) {
                size_t n = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
                int32_t *sums = acc + (l->in > K_BLOCK ? r * GROUP : 0);
                tile(a + r * l->in + k, l->in, n, l->panels + column * l->in + k * BR_PANEL_COLUMNS, BR_PANEL_COLUMNS * l->in, columns / 16, k_len,
                     sums, k > 0, next + (r / TILE_ROWS) * step * (k_len / 4), step);
                if (k + k_len < l->in)
                    continue;
                if (mode == BR_LINEAR_STORE)
                    finish_store(l, sums, s + r, n, column, columns, y + r * l->out);
                else if (mode == BR_LINEAR_ADD)
                    finish_add(l, sums, s + r, n, column, columns, y + r * l->out);
                else
                    finish_gelu(l, sums, s + r, n, column, columns, y + r * l->out, next_smooth, ranges + r);
            }
        }
    }
}

static void one_panel(const uint8_t *q, size_t rows, size_t in, const int8_t *panel, int32_t *acc, void *scratch)
{
    int32_t sums[TILE_ROWS * GROUP];
    const ACTIVATION *a = activations(q, rows * in, scratch);
    for (size_t r = 0; r < rows; r += TILE_ROWS) {
        size_t n = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
        tile(a + r * in, in, n, panel, 0, 1, in, sums, false, panel, 0);
        for (size_t i = 0; i < n; i++)
            memcpy(acc + (r + i) * 16, sums + i * GROUP, 16 * sizeof *acc);
    }
}

/* ---- Linears, float: a chain of fused products over k for every output ---- */

INLINE void float_tile(const size_t rows, const size_t panels, const struct br_linear *l, const float *x, size_t column, enum br_linear_mode mode,
                       float *y)
{
    lanes s[ROWS][F32_PANELS];
    const float *w = l->packed + column * l->in;
    for (size_t r = 0; r < rows; r++)
        for (size_t p = 0; p < panels; p++)
            s[r][p] = l_set1(0);
    for (size_t k = 0; k < l->in; k++, w += 16) {
        lanes b[F32_PANELS];
#pragma GCC unroll 8
        for (size_t p = 0; p < panels; p++)
            b[p] = l_load(w + p * 16 * l->in);
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; r++) {
            lanes a = l_set1(x[r * l->in + k]);
#pragma GCC unroll 8
            for (size_t p = 0; p < panels; p++)
                s[r][p] = l_fma(a, b[p], s[r][p]);
        }
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t p = 0; p < panels; p++) {
            float *to = y + r * l->out + column + p * 16;
            lanes v = l_add(s[r][p], l_load(l->bias + column + p * 16));
            v = mode == BR_LINEAR_ADD ? l_add(l_load(to), v) : mode == BR_LINEAR_GELU ? l_gelu(v) : v;
            l_store(to, v);
        }
}

#define FLOAT_TILES(rows)                                                                                                                \
    static void float_tile_##rows(const struct br_linear *l, const float *x, size_t column, enum br_linear_mode mode, float *y)          \
    {                                                                                                                                    \
        if (l->out - column >= 16 * F32_PANELS)                                                                                          \
            float_tile(rows, F32_PANELS, l, x, column, mode, y);                                                                         \
        else                                                                                                                             \
            for (; column < l->out; column += 16)                                                                                        \
                float_tile(rows, 1, l, x, column, mode, y);                                                                              \
    }
FLOAT_TILES(1)
FLOAT_TILES(2)
FLOAT_TILES(4)
#if ROWS == 8
FLOAT_TILES(8)
#endif

static void linear_f32(const struct br_linear *l, const float *x, size_t rows, enum br_linear_mode mode, float *y)
{
    for (size_t column = 0; column < l->out; column += 16 * F32_PANELS)
        for (size_t r = 0; r < rows;) {
            const float *from = x + r * l->in;
            float *to = y + r * l->out;
            size_t left = rows - r;
#if ROWS == 8
            if (left >= 8) {
                float_tile_8(l, from, column, mode, to);
                r += 8;
                continue;
            }
#endif
            if (left >= 4)
                float_tile_4(l, from, column, mode, to), r += 4;
            else if (left >= 2)
                float_tile_2(l, from, column, mode, to), r += 2;
            else
                float_tile_1(l, from, column, mode, to), r += 1;
        }
}

/* Where OpenBLAS is not installed, for converting a model. */
static void sgemm(const float *x, size_t m, size_t k, const float *w, size_t n, float *y)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            lanes s = l_set1(0);
            for (size_t d = 0; d < k; d += 16)
                s = l_fma(l_load(x + i * k + d), l_load(w + j * k + d), s);
            y[i * n + j] = l_sum(s);
        }
}

/* ---- Attention ---- */

/* One head of a text. */
struct head {
    size_t s, padded; /* tokens, and up to a multiple of 16 */
    size_t dims, dims_padded;
    float *kt; /* [dims_padded][padded]; zeros beyond s */
    float *v;  /* [s][dims_padded]; zeros beyond dims */
    float *q;  /* [ROWS][dims_padded], scaled */
    float *p;  /* [ROWS][padded] */
};

static void pack_keys(const struct head *h, const float *k, size_t stride)
{
    _Alignas(64) float block[16 * 16];
    for (size_t t = 0; t < h->s; t += 16)
        for (size_t d = 0; d < h->dims; d += 16) {
            size_t rows = h->s - t < 16 ? h->s - t : 16, columns = h->dims - d < 16 ? h->dims - d : 16;
            const float *from = k + t * stride + d;
            if (rows < 16 || columns < 16) {
                memset(block, 0, sizeof block);
                for (size_t r = 0; r < rows; r++)
                    memcpy(block + r * 16, from + r * stride, columns * sizeof *block);
                l_transpose(block, 16, h->kt + d * h->padded + t, h->padded);
            } else
                l_transpose(from, stride, h->kt + d * h->padded + t, h->padded);
        }
}

static void pack_values(const struct head *h, const float *v, size_t stride)
{
    for (size_t t = 0; t < h->s; t++, v += stride) {
        float *to = h->v + t * h->dims_padded;
        if (h->dims == 32) { /* most models */
            l_store(to, l_load(v));
            l_store(to + 16, l_load(v + 16));
            continue;
        }
        memcpy(to, v, h->dims * sizeof *to);
        memset(to + h->dims, 0, (h->dims_padded - h->dims) * sizeof *to);
    }
}

/* a[r * a_stride + k] times 16 or 32 columns of b[k * b_stride ...], to out: both products of attention are this. */
INLINE void product(const size_t rows, const size_t blocks, const float *a, size_t a_stride, const float *b, size_t b_stride, size_t k_len,
                    float *out, size_t out_stride)
{
    lanes s[ROWS][2];
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < blocks; j++)
            s[r][j] = l_set1(0);
    for (size_t k = 0; k < k_len; k++, b += b_stride) {
        lanes w[2];
#pragma GCC unroll 2
        for (size_t j = 0; j < blocks; j++)
            w[j] = l_load(b + 16 * j);
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; r++) {
            lanes x = l_set1(a[r * a_stride + k]);
#pragma GCC unroll 2
            for (size_t j = 0; j < blocks; j++)
                s[r][j] = l_fma(x, w[j], s[r][j]);
        }
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < blocks; j++)
            l_store(out + r * out_stride + 16 * j, s[r][j]);
}

INLINE void products(const size_t rows, const float *a, size_t a_stride, const float *b, size_t columns, size_t k_len, float *out, size_t out_stride)
{
    size_t c = 0;
    for (; c + 32 <= columns; c += 32)
        product(rows, 2, a, a_stride, b + c, columns, k_len, out + c, out_stride);
    if (c < columns)
        product(rows, 1, a, a_stride, b + c, columns, k_len, out + c, out_stride);
}

/* p = e^(p - max), zero beyond s; what it has to be divided by. */
static float softmax(float *p, size_t s)
{
    size_t full = s & ~(size_t)15, rest = s - full;
    lanes low = l_set1(-1e30f), most = low, sum = l_set1(0);
    for (size_t i = 0; i < full; i += 16)
        most = l_max(l_load(p + i), most);
    if (rest)
        most = l_max(l_first(l_load(p + full), rest, low), most);
    lanes m = l_set1(l_most(most));
    for (size_t i = 0; i < full; i += 16) {
        lanes e = l_exp(l_sub(l_load(p + i), m));
        l_store(p + i, e);
        sum = l_add(sum, e);
    }
    if (rest) {
        lanes e = l_first(l_exp(l_sub(l_load(p + full), m)), rest, l_set1(0));
        l_store(p + full, e);
        sum = l_add(sum, e);
    }
    return l_sum(sum);
}

INLINE void attend_rows(const size_t rows, const struct head *h, const float *q, size_t stride, float scale, float *out, size_t out_stride)
{
    _Alignas(64) float context[128];
    float inv[ROWS];
    for (size_t r = 0; r < rows; r++)
        for (size_t d = 0; d < h->dims; d++)
            h->q[r * h->dims_padded + d] = q[r * stride + d] * scale;
    products(rows, h->q, h->dims_padded, h->kt, h->padded, h->dims, h->p, h->padded);
    for (size_t r = 0; r < rows; r++)
        inv[r] = 1.0f / softmax(h->p + r * h->padded, h->s);
    products(rows, h->p, h->padded, h->v, h->dims_padded, h->s, h->q, h->dims_padded);
    for (size_t r = 0; r < rows; r++) {
        for (size_t d = 0; d < h->dims_padded; d += 16)
            l_store(context + d, l_mul(l_load(h->q + r * h->dims_padded + d), l_set1(inv[r])));
        memcpy(out + r * out_stride, context, h->dims * sizeof *out);
    }
}

#define ATTEND(rows)                                                                                                                     \
    static void attend_##rows(const struct head *h, const float *q, size_t stride, float scale, float *out, size_t out_stride)           \
    {                                                                                                                                    \
        attend_rows(rows, h, q, stride, scale, out, out_stride);                                                                         \
    }
ATTEND(1)
ATTEND(2)
ATTEND(4)
#if ROWS == 8
ATTEND(8)
#endif

static void attend(const struct head *h, const float *q, size_t stride, float scale, float *out, size_t out_stride)
{
    for (size_t r = 0; r < h->s;) {
        const float *from = q + r * stride;
        float *to = out + r * out_stride;
        size_t left = h->s - r;
#if ROWS == 8
        if (left >= 8) {
            attend_8(h, from, stride, scale, to, out_stride);
            r += 8;
            continue;
        }
#endif
        if (left >= 4)
            attend_4(h, from, stride, scale, to, out_stride), r += 4;
        else if (left >= 2)
            attend_2(h, from, stride, scale, to, out_stride), r += 2;
        else
            attend_1(h, from, stride, scale, to, out_stride), r += 1;
    }
}

static void attention(const float *qkv, size_t s, size_t heads, size_t head_dim, float *out, float *scratch)
{
    size_t hidden = heads * head_dim, stride = 3 * hidden;
    struct head h = {.s = s, .padded = BR_UP16(s), .dims = head_dim, .dims_padded = BR_UP16(head_dim)};
    float scale = 1.0f / sqrtf((float)head_dim);
    h.kt = scratch;
    h.v = h.kt + h.dims_padded * h.padded;
    h.q = h.v + h.dims_padded * h.padded;
    h.p = h.q + 8 * h.dims_padded;
    for (size_t i = 0; i < heads; i++) {
        const float *q = qkv + i * head_dim;
        pack_keys(&h, q + hidden, stride);
        pack_values(&h, q + 2 * hidden, stride);
        attend(&h, q, stride, scale, out + i * head_dim, hidden);
    }
}

#define BR_MATH_INSTANCE(instance, text)                                                                                                 \
    const struct br_math instance = {text,       embed_s8, layer_norm, quantise,  quantise_known, linear_int8,                             \
                                     linear_f32, gelu,     add,        attention, sgemm,          one_panel}
