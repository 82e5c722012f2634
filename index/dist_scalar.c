/* dist_scalar.c - the kernels in plain C: the oracle of the others, and what CPUs without any of them run. */
#include "hnsw_int.h"

#include <string.h>

static inline int32_t dot_row(const uint8_t *row, const int8_t *query, size_t stride)
{
    int32_t sum = 0; /* 4096 * 15 * 128 < 2^31 */
    for (size_t block = 0; block < stride; block += BR_PLANE_BLOCK)
        for (size_t j = 0; j < BR_PLANE_BLOCK; j++)
            sum += (row[block + j] & 15) * query[2 * block + j] +
                   (row[block + j] >> 4) * query[2 * block + BR_PLANE_BLOCK + j];
    return sum;
}

/* Makes room for one before list[0 .. n-1]. */
static inline void walk_shift(struct br_cand *list, size_t n)
{
    memmove(list + 1, list, n * sizeof(*list));
}

static float inner(const float *a, const float *b, size_t dim)
{
    /* Eight sums: independent chains for the CPU, and less rounding than one long sum. */
    float sum[8] = {0};
    size_t i = 0;
    for (; i + 8 <= dim; i += 8)
        for (size_t j = 0; j < 8; j++)
            sum[j] += a[i + j] * b[i + j];
    for (; i < dim; i++)
        sum[0] += a[i] * b[i];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

#include "walk_body.inc"

const struct br_kernels br_kernels_scalar = {
    .name = "scalar", .dots = dots, .inner = inner, .encode_query = encode_query,
    .walk = walk, .descend = descend, .count_both = count_both};
