/* gemm_avx512vnni.c - vpdpbusd: unsigned activations times signed weights, four k at a time, 16 columns a register, 8 rows at once. */
#include "embed/gemm.h"

#include <immintrin.h>
#include <string.h>

#define ROWS 8

static void panel(const uint8_t *a, size_t rows, size_t k_len, const int8_t *b, size_t n, int32_t *acc)
{
    __m512i s[ROWS];
    const uint8_t *row[ROWS];
    for (size_t r = 0; r < ROWS; r++) {
        s[r] = _mm512_setzero_si512();
        row[r] = a + (r < rows ? r : 0) * k_len; /* a short last block repeats its first row; the sums are not stored */
    }
    for (size_t k = 0; k < k_len; k += 4, b += 64) {
        __m512i w = _mm512_loadu_si512(b);
        for (size_t r = 0; r < ROWS; r++) {
            int32_t quad;
            memcpy(&quad, row[r] + k, 4);
            s[r] = _mm512_dpbusd_epi32(s[r], _mm512_set1_epi32(quad), w);
        }
    }
    for (size_t r = 0; r < rows; r++)
        _mm512_storeu_si512(acc + r * n, s[r]);
}

static void run(const uint8_t *a, size_t rows, size_t k_len, const int8_t *panels, size_t n, int32_t *acc, int16_t *scratch)
{
    (void)scratch;
    for (size_t j = 0; j < n; j += BR_PANEL_COLUMNS)
        for (size_t m = 0; m < rows; m += ROWS)
            panel(a + m * k_len, rows - m < ROWS ? rows - m : ROWS, k_len, panels + j * k_len, n, acc + m * n + j);
}

const struct br_gemm br_gemm_avx512vnni = {"avx512vnni", run};
