/* gemm.h - integer matrix products of the int8 path.
 * a: rows of K unsigned activations; B: signed weights in panels of 16 columns, in a panel [K/4][16 columns][4 k]. All kernels give the same sums. */
#ifndef BR_GEMM_H
#define BR_GEMM_H

#include <stddef.h>
#include <stdint.h>

#define BR_PANEL_COLUMNS 16

struct br_gemm {
    const char *name;
    /* acc[m * n + j] = sum over k of a[m * k_len + k] * B[k][j]; k_len a multiple of 4, n of 16. */
    void (*run)(const uint8_t *a, size_t rows, size_t k_len, const int8_t *panels, size_t n, int32_t *acc, int16_t *scratch);
};

extern const struct br_gemm br_gemm_scalar, br_gemm_avx2, br_gemm_avx512vnni;
const struct br_gemm *br_gemm_pick(void);

#endif
