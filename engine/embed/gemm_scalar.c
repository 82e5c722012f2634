/* gemm_scalar.c - the integer matrix product in plain C: what the SIMD variants have to equal. */
#include "embed/gemm.h"
static void run(const uint8_t *a, size_t rows, size_t k_len, const int8_t *panels, size_t n, int32_t *acc, int16_t *scratch)
{
    (void)scratch;
    for (size_t m = 0; m < rows; m++)
        for (size_t j = 0; j < n; j++) {
            const int8_t *p = panels + (j / BR_PANEL_COLUMNS) * k_len * BR_PANEL_COLUMNS + (j % BR_PANEL_COLUMNS) * 4;
            int32_t s = 0;
            for (size_t k = 0; k < k_len; k++)
                s += (int32_t)a[m * k_len + k] * p[(k / 4) * (BR_PANEL_COLUMNS * 4) + k % 4];
            acc[m * n + j] = s;
        }
}
const struct br_gemm br_gemm_scalar = {"scalar", run};
