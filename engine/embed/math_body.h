/* math_body.h - the float kernels' text; each including file is compiled with its own instruction set. Plain loops that the compiler vectorises. */
#include "embed/math_kernels.h"

#include <math.h>
#include <string.h>

#define LN_EPS 1e-12f
#define LANES 8

/* Sums in a fixed order, whatever the vector width. */
static inline float sum_lanes(const float *l)
{
    return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

static void layer_norm(float *x, size_t rows, size_t n, const float *gamma, const float *beta)
{
    for (size_t r = 0; r < rows; r++, x += n) {
        float lanes[LANES] = {0};
        for (size_t i = 0; i < n; i += LANES)
            for (size_t l = 0; l < LANES; l++)
                lanes[l] += x[i + l];
        float mean = sum_lanes(lanes) / (float)n;
        memset(lanes, 0, sizeof lanes);
        for (size_t i = 0; i < n; i += LANES)
            for (size_t l = 0; l < LANES; l++)
                lanes[l] += (x[i + l] - mean) * (x[i + l] - mean);
        float inv = 1.0f / sqrtf(sum_lanes(lanes) / (float)n + LN_EPS);
        for (size_t i = 0; i < n; i++)
            x[i] = (x[i] - mean) * inv * gamma[i] + beta[i];
    }
}

static void quantise(const float *restrict x, size_t rows, size_t n, const float *restrict smooth_inv, uint8_t *restrict q,
                     struct br_row_scale *s)
{
    for (size_t r = 0; r < rows; r++, x += n, q += n) {
        float lo[LANES] = {0}, hi[LANES] = {0};
        for (size_t i = 0; i < n; i += LANES)
            for (size_t l = 0; l < LANES; l++) {
                float v = x[i + l] * smooth_inv[i + l];
                lo[l] = v < lo[l] ? v : lo[l];
                hi[l] = v > hi[l] ? v : hi[l];
            }
        for (size_t l = 1; l < LANES; l++) {
            lo[0] = lo[l] < lo[0] ? lo[l] : lo[0];
            hi[0] = hi[l] > hi[0] ? hi[l] : hi[0];
        }
        float scale = (hi[0] - lo[0]) / 255.0f;
        if (!(scale > 1e-30f))
            scale = 1.0f;
        float inv = 1.0f / scale;
        float offset = -lo[0] * inv + 0.5f; /* below 256, but for rows that overflowed */
        int32_t zero = (int32_t)(offset < 256.0f ? offset : 256.0f);
        s[r] = (struct br_row_scale){scale, zero};
        float bias = (float)zero + 0.5f;
        for (size_t i = 0; i < n; i++) {
            float v = x[i] * smooth_inv[i] * inv + bias; /* clamped as a float: NaN becomes 0, and no conversion overflows */
            v = v > 0 ? v : 0;
            v = v < 255.0f ? v : 255.0f;
            q[i] = (uint8_t)(int32_t)v;
        }
    }
}

static void dequantise(const int32_t *restrict acc, size_t rows, size_t n, const struct br_row_scale *s, const float *restrict scale,
                       const int32_t *restrict sums, const float *restrict bias, float *restrict y)
{
    for (size_t r = 0; r < rows; r++, acc += n, y += n) {
        int32_t zero = s[r].zero;
        float sa = s[r].scale;
        for (size_t i = 0; i < n; i++)
            y[i] = (float)(acc[i] - zero * sums[i]) * (scale[i] * sa) + bias[i];
    }
}

/* 2^(x log2 e): range reduction and a degree-6 polynomial; relative error below 2e-7 for x in [-87, 88]. NaN takes the branch of -87. */
static inline float exp_fast(float x)
{
    x = x > -87.0f ? x : -87.0f;
    x = x < 88.0f ? x : 88.0f;
    float t = x * 1.44269504f;
    float biased = t + 12582912.0f; /* 1.5 * 2^23: rounds to an integer */
    float n = biased - 12582912.0f;
    float f = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * f + 1.3981999507e-3f;
    p = p * f + 8.3334519073e-3f;
    p = p * f + 4.1665795894e-2f;
    p = p * f + 1.6666665459e-1f;
    p = p * f + 5.0000001201e-1f;
    p = p * f * f + f + 1.0f;
    int32_t e = ((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &e, 4);
    return p * power;
}

/* 0.5 x (1 + erf(x / sqrt 2)); erf by Abramowitz & Stegun 7.1.26, |error| <= 1.5e-7. */
static void gelu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i] * 0.70710678f;
        float a = fabsf(v);
        float t = 1.0f / (1.0f + 0.3275911f * a);
        float p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
        float e = 1.0f - p * exp_fast(-a * a);
        x[i] = 0.5f * x[i] * (1.0f + copysignf(e, v));
    }
}

static void add(float *restrict x, const float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

static void softmax(float *p, size_t s, size_t padded)
{
    float lanes[LANES];
    for (size_t i = s; i < padded; i++)
        p[i] = -1e30f;
    for (size_t l = 0; l < LANES; l++)
        lanes[l] = p[l];
    for (size_t i = LANES; i < padded; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lanes[l] = p[i + l] > lanes[l] ? p[i + l] : lanes[l];
    float most = lanes[0];
    for (size_t l = 1; l < LANES; l++)
        most = lanes[l] > most ? lanes[l] : most;
    for (size_t i = 0; i < padded; i++)
        p[i] = exp_fast(p[i] - most);
    for (size_t i = s; i < padded; i++)
        p[i] = 0;
    memset(lanes, 0, sizeof lanes);
    for (size_t i = 0; i < padded; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lanes[l] += p[i + l];
    float inv = 1.0f / sum_lanes(lanes);
    for (size_t i = 0; i < padded; i++)
        p[i] *= inv;
}

/* Eight floats; the compiler makes of them what the instruction set has. Element by element, so every set gives the same sums. */
typedef float lane8 __attribute__((vector_size(32)));

#define QUERY_ROWS 4

/* p[r][i] = q[r] . k[i]: 16 keys of four query rows stay in registers while the dimensions go by. q is scaled: [dimension][row]. */
static inline void scores(const float *restrict q, const float *restrict kt, size_t padded, size_t head_dim, float *restrict p)
{
    for (size_t i = 0; i < padded; i += 16) {
        lane8 a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, b0 = {0}, b1 = {0}, b2 = {0}, b3 = {0};
        for (size_t d = 0; d < head_dim; d++) {
            const float *w = q + d * QUERY_ROWS;
            lane8 k, l;
            memcpy(&k, kt + d * padded + i, sizeof k);
            memcpy(&l, kt + d * padded + i + 8, sizeof l);
            a0 += k * w[0];
            b0 += l * w[0];
            a1 += k * w[1];
            b1 += l * w[1];
            a2 += k * w[2];
            b2 += l * w[2];
            a3 += k * w[3];
            b3 += l * w[3];
        }
        memcpy(p + i, &a0, sizeof a0);
        memcpy(p + i + 8, &b0, sizeof b0);
        memcpy(p + padded + i, &a1, sizeof a1);
        memcpy(p + padded + i + 8, &b1, sizeof b1);
        memcpy(p + 2 * padded + i, &a2, sizeof a2);
        memcpy(p + 2 * padded + i + 8, &b2, sizeof b2);
        memcpy(p + 3 * padded + i, &a3, sizeof a3);
        memcpy(p + 3 * padded + i + 8, &b3, sizeof b3);
    }
}

/* out[r] = sum of p[r][i] v[i], for 16 dimensions from d on. */
static inline void weigh16(const float *restrict p, size_t s, size_t padded, const float *restrict v, size_t stride, size_t rows,
                           float *restrict out, size_t out_stride)
{
    lane8 a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, b0 = {0}, b1 = {0}, b2 = {0}, b3 = {0};
    for (size_t i = 0; i < s; i++, v += stride) {
        lane8 x, y;
        memcpy(&x, v, sizeof x);
        memcpy(&y, v + 8, sizeof y);
        float w0 = p[i], w1 = p[padded + i], w2 = p[2 * padded + i], w3 = p[3 * padded + i];
        a0 += x * w0;
        b0 += y * w0;
        a1 += x * w1;
        b1 += y * w1;
        a2 += x * w2;
        b2 += y * w2;
        a3 += x * w3;
        b3 += y * w3;
    }
    const lane8 all[QUERY_ROWS][2] = {{a0, b0}, {a1, b1}, {a2, b2}, {a3, b3}};
    for (size_t r = 0; r < rows; r++)
        memcpy(out + r * out_stride, all[r], sizeof all[r]);
}

/* The same for what is left of a head whose size is no multiple of 16. */
static inline void weigh_rest(const float *restrict p, size_t s, size_t padded, const float *restrict v, size_t stride, size_t n, size_t rows,
                              float *restrict out, size_t out_stride)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t d = 0; d < n; d++) {
            float sum = 0;
            for (size_t i = 0; i < s; i++)
                sum += v[i * stride + d] * p[r * padded + i];
            out[r * out_stride + d] = sum;
        }
}

/* Four query rows at a time against all keys of a head; keys are transposed once per head. A short last block repeats its first row. */
static void attend_rows(const float *q, size_t rows, size_t stride, const float *restrict kt, const float *v, size_t s, size_t padded,
                        size_t head_dim, float scale, float *restrict p, float *out, size_t out_stride)
{
    float scaled[128 * QUERY_ROWS];
    for (size_t d = 0; d < head_dim; d++)
        for (size_t r = 0; r < QUERY_ROWS; r++)
            scaled[d * QUERY_ROWS + r] = q[(r < rows ? r : 0) * stride + d] * scale;
    scores(scaled, kt, padded, head_dim, p);
    for (size_t r = 0; r < QUERY_ROWS; r++)
        softmax(p + r * padded, s, padded);
    size_t d = 0;
    for (; d + 16 <= head_dim; d += 16)
        weigh16(p, s, padded, v + d, stride, rows, out + d, out_stride);
    if (d < head_dim)
        weigh_rest(p, s, padded, v + d, stride, head_dim - d, rows, out + d, out_stride);
}

static void attention(const float *qkv, size_t s, size_t heads, size_t head_dim, float *out, float *scratch)
{
    size_t hidden = heads * head_dim, stride = 3 * hidden, padded = (s + 15) & ~(size_t)15;
    float *kt = scratch, *p = scratch + head_dim * padded;
    float scale = 1.0f / sqrtf((float)head_dim);
    for (size_t h = 0; h < heads; h++) {
        const float *q = qkv + h * head_dim, *k = q + hidden, *v = k + hidden;
        for (size_t d = 0; d < head_dim; d++) {
            for (size_t i = 0; i < s; i++)
                kt[d * padded + i] = k[i * stride + d];
            for (size_t i = s; i < padded; i++)
                kt[d * padded + i] = 0;
        }
        for (size_t r = 0; r < s; r += 4)
            attend_rows(q + r * stride, s - r < 4 ? s - r : 4, stride, kt, v, s, padded, head_dim, scale, p, out + r * hidden + h * head_dim,
                        hidden);
    }
}

/* Plain but vectorised: the float path's fallback where OpenBLAS is not installed. */
static void sgemm(const float *x, size_t m, size_t k, const float *w, size_t n, float *y)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            float lanes[LANES] = {0};
            for (size_t d = 0; d < k; d += LANES)
                for (size_t l = 0; l < LANES; l++)
                    lanes[l] += x[i * k + d + l] * w[j * k + d + l];
            y[i * n + j] = sum_lanes(lanes);
        }
}

#define BR_MATH_INSTANCE(instance, text)                                                                                                 \
    const struct br_math instance = {text, layer_norm, quantise, dequantise, gelu, add, attention, sgemm}
