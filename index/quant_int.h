/* quant_int.h - float32 components to bytes. Private to index/. */
#ifndef BR_QUANT_INT_H
#define BR_QUANT_INT_H

#include "base/base.h"

/* What quantising a vector x to t (components -127..127) leaves to know about it. */
struct br_quant_sums {
    int32_t sum;    /* of t */
    uint32_t sum2;  /* of t squared */
    float residual; /* length of x - t / scale, rounded up */
};

struct br_quant_query {
    float per_unit; /* inner product with a code's t, times this = inner product of the quantised vectors */
    float length;   /* of the query */
    float residual; /* length of what quantising the query lost, rounded up */
    int32_t bias;   /* a kernel's dot is this much above the dot with t: 128 * sum of the encoded query */
};

size_t br_quant_stride(uint32_t dim); /* bytes a code takes */
float br_quant_scale(uint32_t dim);
/* Writes stride bytes: t + 128, padded with 128. false: a component is not finite. */
bool br_quant_encode(const float *x, uint32_t dim, float scale, uint8_t *code, struct br_quant_sums *sums);
/* Writes stride signed bytes, padded with 0, under the query's own scale. false as above. */
bool br_quant_encode_query(const float *x, uint32_t dim, float code_scale, int8_t *query, struct br_quant_query *q);
/* The signed side of a code x code product. */
void br_quant_to_signed(const uint8_t *code, size_t stride, int8_t *out);

#endif
