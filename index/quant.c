/* quant.c - a vector's byte code, and what the code lost.
 *
 * One scale a graph, a function of the dimension alone: components of unit vectors have a root mean square of
 * 1 / sqrt(dim), and the byte range is spread over four and a half of those to either side. That needs no training
 * pass, cannot drift and makes equal vectors equal codes in every graph. What lies outside is clipped; clipping and
 * rounding are both part of the residual, which the exact scan turns into a proof that it missed nothing. */
#include "quant_int.h"

#include "dist_int.h"

#include <math.h>
#include <string.h>

#define SPREAD 4.5f     /* root mean squares inside the byte range */
#define ROUND_UP 1.001f /* covers the float arithmetic of a residual */

size_t br_quant_stride(uint32_t dim)
{
    return ((size_t)dim + BR_CODE_BLOCK - 1) / BR_CODE_BLOCK * BR_CODE_BLOCK;
}

float br_quant_scale(uint32_t dim)
{
    float limit = SPREAD / sqrtf((float)dim);
    return 127.0f / (limit < 1.0f ? limit : 1.0f);
}

/* Round to nearest, clip to -127..127. */
static int32_t quantise(float x, float scale)
{
    float v = x * scale;
    v = v > 127.0f ? 127.0f : v < -127.0f ? -127.0f : v;
    return (int32_t)(v + (v < 0 ? -0.5f : 0.5f));
}

bool br_quant_encode(const float *x, uint32_t dim, float scale, uint8_t *code, struct br_quant_sums *sums)
{
    int32_t sum = 0;
    uint32_t sum2 = 0;
    double lost2 = 0;
    for (uint32_t i = 0; i < dim; i++) {
        if (!isfinite(x[i]))
            return false;
        int32_t t = quantise(x[i], scale);
        double lost = (double)x[i] - (double)t / (double)scale;
        lost2 += lost * lost;
        sum += t;
        sum2 += (uint32_t)(t * t);
        code[i] = (uint8_t)(t + 128);
    }
    memset(code + dim, 128, br_quant_stride(dim) - dim);
    *sums = (struct br_quant_sums){sum, sum2, (float)sqrt(lost2) * ROUND_UP};
    return true;
}

bool br_quant_encode_query(const float *x, uint32_t dim, float code_scale, int8_t *query, struct br_quant_query *q)
{
    float max = 0;
    for (uint32_t i = 0; i < dim; i++) {
        if (!isfinite(x[i]))
            return false;
        max = fmaxf(max, fabsf(x[i]));
    }
    float scale = max > 1e-30f ? 127.0f / max : 1.0f;
    int32_t sum = 0;
    double lost2 = 0, length2 = 0;
    for (uint32_t i = 0; i < dim; i++) {
        int32_t t = quantise(x[i], scale);
        double lost = (double)x[i] - (double)t / (double)scale;
        lost2 += lost * lost;
        length2 += (double)x[i] * (double)x[i];
        sum += t;
        query[i] = (int8_t)t;
    }
    memset(query + dim, 0, br_quant_stride(dim) - dim);
    *q = (struct br_quant_query){.per_unit = 1.0f / (scale * code_scale),
                                 .length = (float)sqrt(length2) * ROUND_UP,
                                 .residual = (float)sqrt(lost2) * ROUND_UP,
                                 .bias = 128 * sum};
    return true;
}

void br_quant_to_signed(const uint8_t *code, size_t stride, int8_t *out)
{
    for (size_t i = 0; i < stride; i++)
        out[i] = (int8_t)(code[i] ^ 0x80); /* t + 128 and t differ in the top bit alone */
}
