/* math_scalar.c - plain C for any machine: what the other instances have to equal. */
#include "embed/lanes_plain.inc"

#include <stdbool.h>

#define ACTIVATION uint8_t
#define TILE_ROWS 4
#define TILE_PANELS 1
#define ROWS 4
#define BESIDE 1
#define F32_PANELS 1
#define INLINE static inline

static void tile(const uint8_t *a, size_t stride, size_t rows, const int8_t *panels, size_t panel_bytes, size_t n_panels, size_t k_len,
                 int32_t *acc, bool more, const int8_t *next, size_t step)
{
    (void)panel_bytes;
    (void)next; /* their work takes long enough for the weights to come by themselves */
    (void)step;
    (void)n_panels; /* one */
    for (size_t r = 0; r < rows; r++, a += stride, acc += 16) {
        int32_t s[64] = {0}; /* a quad of sums a column, as the weights lie: the compiler makes vectors of it */
        for (size_t k = 0; k < k_len; k += 4) {
            const int8_t *w = panels + k * 16;
            int16_t quads[8] = {a[k], a[k + 1], a[k + 2], a[k + 3], a[k], a[k + 1], a[k + 2], a[k + 3]};
            for (size_t c = 0; c < 64; c += 8)
                for (size_t i = 0; i < 8; i++)
                    s[c + i] += (int32_t)quads[i] * (int16_t)w[c + i];
        }
        for (size_t c = 0; c < 16; c++)
            acc[c] = (more ? acc[c] : 0) + s[4 * c] + s[4 * c + 1] + s[4 * c + 2] + s[4 * c + 3];
    }
}

#include "embed/math_body.inc"

BR_MATH_INSTANCE(br_math_scalar, "scalar");
