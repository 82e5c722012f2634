/* quant_int.h - float32 components to bytes, and bytes to two planes. Private to index/.
 *
 * A component is t = -127..127, stored as c = t + 128. A code is two planes of half a byte a component: the high half
 * of every c and the low half, each a row of its own array. A walk reads the high plane alone, half the memory; what is
 * worth it gets the rest: with a dot product over the nibbles of each, dot(c) = 16 * dot(high) + dot(low), exactly.
 * Rows are blocks of 64 bytes for 128 components: byte j of block b holds component 128 b + j in its low half and
 * component 128 b + 64 + j in its high half. */
#ifndef BR_QUANT_INT_H
#define BR_QUANT_INT_H

#include "base/base.h"

#define BR_PLANE_BLOCK 64                    /* bytes */
#define BR_BLOCK_DIMS (2 * BR_PLANE_BLOCK)   /* components in such a block */

/* What quantising a vector x to t leaves to know about it. */
struct br_quant_sums {
    int32_t sum;    /* of t */
    uint32_t sum2;  /* of t squared */
    float residual; /* length of x - t / scale, rounded up */
    float high_residual; /* the same of the high plane alone, whose c is 16 * nibble + 7.5 */
};

struct br_quant_query {
    float per_unit; /* inner product with a code's t, times this = inner product of the quantised vectors */
    float length;   /* of the query */
    float residual; /* length of what quantising the query lost, rounded up */
    int32_t bias;   /* a dot with c is this much above the dot with t: 128 * sum of the encoded query */
};

size_t br_quant_stride(uint32_t dim); /* bytes a row of a plane takes */
float br_quant_scale(uint32_t dim);
/* Writes stride bytes to each plane, padded with t = 0. false: a component is not finite, and nothing is written. */
bool br_quant_encode(const float *x, uint32_t dim, float scale, uint8_t *high, uint8_t *low,
                     struct br_quant_sums *sums);
/* Writes 2 * stride signed bytes, padded with 0, under the query's own scale. false as above. */
bool br_quant_encode_query(const float *x, uint32_t dim, int8_t *query);
/* What the scan's proof wants to know about a query that br_quant_encode_query has encoded. */
void br_quant_query_facts(const float *x, uint32_t dim, float code_scale, const int8_t *query,
                          struct br_quant_query *q);
/* t of each component: the signed side of a code x code product. Writes 2 * stride bytes. */
void br_quant_to_signed(const uint8_t *high, const uint8_t *low, size_t stride, int8_t *out);
/* The planes of the zero vector. */
void br_quant_zero(uint8_t *high, uint8_t *low, size_t stride);

#endif
