/* quant.c - a vector's byte code, and what the code lost.
 *
 * One scale a graph, a function of the dimension alone: components of unit vectors have a root mean square of
 * 1 / sqrt(dim), and the byte range is spread over four and a half of those to either side. That needs no training
 * pass, cannot drift and makes equal vectors equal codes in every graph. What lies outside is clipped; clipping and
 * rounding are both part of the residual, which the exact scan turns into a proof that it missed nothing. */
#include "quant_int.h"

#include <math.h>
#include <string.h>

#define SPREAD 4.5f     /* root mean squares inside the byte range */
#define ROUND_UP 1.001f /* covers the float arithmetic of a residual */

size_t br_quant_stride(uint32_t dim)
{
    return ((size_t)dim + BR_BLOCK_DIMS - 1) / BR_BLOCK_DIMS * BR_PLANE_BLOCK;
}

float br_quant_scale(uint32_t dim)
{
    float limit = SPREAD / sqrtf((float)dim);
    return 127.0f / (limit < 1.0f ? limit : 1.0f);
}

#include "quant_query.inc"

bool br_quant_encode(const float *x, uint32_t dim, float scale, uint8_t *high, uint8_t *low,
                     struct br_quant_sums *sums)
{
    if (!all_finite(x, dim))
        return false;
    size_t stride = br_quant_stride(dim);
    int32_t sum = 0;
    uint32_t sum2 = 0;
    double lost2 = 0, high_lost2 = 0;
    for (size_t block = 0; block * BR_PLANE_BLOCK < stride; block++) {
        int32_t c[BR_BLOCK_DIMS];
        uint32_t first = (uint32_t)block * BR_BLOCK_DIMS;
        for (uint32_t j = 0; j < BR_BLOCK_DIMS; j++) {
            bool inside = first + j < dim;
            float v = inside ? x[first + j] : 0;
            int32_t t = quantise(v, scale);
            double lost = (double)v - (double)t / (double)scale;
            double high_lost = inside ? (double)v - (((t + 128) & ~15) + 7.5 - 128) / (double)scale : 0;
            lost2 += lost * lost;
            high_lost2 += high_lost * high_lost;
            sum += t;
            sum2 += (uint32_t)(t * t);
            c[j] = t + 128;
        }
        for (size_t j = 0; j < BR_PLANE_BLOCK; j++) {
            int32_t a = c[j], b = c[j + BR_PLANE_BLOCK];
            high[block * BR_PLANE_BLOCK + j] = (uint8_t)(a >> 4 | (b & 0xf0));
            low[block * BR_PLANE_BLOCK + j] = (uint8_t)((a & 15) | (b & 15) << 4);
        }
    }
    *sums = (struct br_quant_sums){sum, sum2, (float)sqrt(lost2) * ROUND_UP, (float)sqrt(high_lost2) * ROUND_UP};
    return true;
}

bool br_quant_encode_query(const float *x, uint32_t dim, int8_t *query)
{
    return encode_query(x, dim, query);
}

void br_quant_query_facts(const float *x, uint32_t dim, float code_scale, const int8_t *query,
                          struct br_quant_query *q)
{
    float scale = query_scale(x, dim);
    int32_t sum = 0;
    double lost2 = 0, length2 = 0;
    for (uint32_t i = 0; i < dim; i++) {
        double lost = (double)x[i] - (double)query[i] / (double)scale;
        lost2 += lost * lost;
        length2 += (double)x[i] * (double)x[i];
        sum += query[i];
    }
    *q = (struct br_quant_query){.per_unit = 1.0f / (scale * code_scale),
                                 .length = (float)sqrt(length2) * ROUND_UP,
                                 .residual = (float)sqrt(lost2) * ROUND_UP,
                                 .bias = 128 * sum};
}

void br_quant_to_signed(const uint8_t *high, const uint8_t *low, size_t stride, int8_t *out)
{
    for (size_t block = 0; block < stride; block += BR_PLANE_BLOCK)
        for (size_t j = 0; j < BR_PLANE_BLOCK; j++) {
            unsigned h = high[block + j], l = low[block + j];
            /* t + 128 and t differ in the top bit alone */
            out[2 * block + j] = (int8_t)(((h & 15) << 4 | (l & 15)) ^ 0x80);
            out[2 * block + BR_PLANE_BLOCK + j] = (int8_t)(((h & 0xf0) | l >> 4) ^ 0x80);
        }
}

void br_quant_zero(uint8_t *high, uint8_t *low, size_t stride)
{
    memset(high, 0x88, stride); /* c = 128 */
    memset(low, 0, stride);
}
