/* math_avx512vnni.c - AVX-512 with vpdpbusd: unsigned activations times signed weights, four k at a time, 16 columns a register. A tile of 8 rows and
 * 48 columns has its sums in 24 registers. */
#include "embed/lanes_avx512.inc"

#include <stdbool.h>
#include <string.h>

#define ACTIVATION uint8_t
#define TILE_ROWS 8
#define TILE_PANELS 3
#define ROWS 8
#define BESIDE 4
#define F32_PANELS 3

static inline __attribute__((always_inline)) void tile_of(const size_t rows, const size_t panels, const uint8_t *a, size_t stride, const int8_t *b,
                                                          size_t panel_bytes, size_t k_len, int32_t *acc, bool more, const int8_t *next, size_t step)
{
    __m512i s[TILE_ROWS][TILE_PANELS];
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (size_t p = 0; p < panels; p++)
            s[r][p] = more ? _mm512_loadu_si512(acc + (r * TILE_PANELS + p) * 16) : _mm512_setzero_si512();
    for (size_t k = 0; k < k_len; k += 4, b += 64, next += step) {
        __m512i w[TILE_PANELS];
#pragma GCC unroll 3
        for (size_t p = 0; p < panels; p++)
            w[p] = _mm512_loadu_si512(b + p * panel_bytes);
        _mm_prefetch((const char *)next, _MM_HINT_T1);
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; r++) {
            int32_t quad;
            memcpy(&quad, a + r * stride + k, 4);
            __m512i x = _mm512_set1_epi32(quad);
#pragma GCC unroll 3
            for (size_t p = 0; p < panels; p++)
                s[r][p] = _mm512_dpbusd_epi32(s[r][p], x, w[p]);
        }
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (size_t p = 0; p < panels; p++)
            _mm512_storeu_si512(acc + (r * TILE_PANELS + p) * 16, s[r][p]);
}

typedef void tile_fn(const uint8_t *a, size_t stride, const int8_t *b, size_t panel_bytes, size_t k_len, int32_t *acc, bool more, const int8_t *next, size_t step);
#define TILE(rows, panels)                                                                                                               \
    static void tile_##rows##_##panels(const uint8_t *a, size_t stride, const int8_t *b, size_t panel_bytes, size_t k_len, int32_t *acc, \
                                       bool more, const int8_t *next, size_t step)                                                       \
    {                                                                                                                                    \
        tile_of(rows, panels, a, stride, b, panel_bytes, k_len, acc, more, next, step);                                                              \
    }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
TILES(1)
TILES(2)
TILES(3)
TILES(4)
TILES(5)
TILES(6)
TILES(7)
TILES(8)

#define NAMES(rows) {tile_##rows##_1, tile_##rows##_2, tile_##rows##_3}
static tile_fn *const tiles[TILE_ROWS][TILE_PANELS] = {NAMES(1), NAMES(2), NAMES(3), NAMES(4), NAMES(5), NAMES(6), NAMES(7), NAMES(8)};

static inline void tile(const uint8_t *a, size_t stride, size_t rows, const int8_t *panels, size_t panel_bytes, size_t n_panels, size_t k_len,
                        int32_t *acc, bool more, const int8_t *next, size_t step)
{
    tiles[rows - 1][n_panels - 1](a, stride, panels, panel_bytes, k_len, acc, more, next, step);
}

#include "embed/math_body.inc"

BR_MATH_INSTANCE(br_math_avx512vnni, "avx512vnni");
