/* dist_scalar.c - the kernels in plain C: the oracle of the others, and what other architectures run. */
#include "dist_int.h"

static void dots(const uint8_t *const *codes, size_t n, const int8_t *query, size_t len, int32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i + BR_PREFETCH_CODES < n)
            br_prefetch(codes[i + BR_PREFETCH_CODES], len);
        int32_t sum = 0; /* 4096 * 255 * 128 < 2^31 */
        for (size_t j = 0; j < len; j++)
            sum += codes[i][j] * query[j];
        out[i] = sum;
    }
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

const struct br_kernels br_kernels_scalar = {.name = "scalar", .dots = dots, .inner = inner};
