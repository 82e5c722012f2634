/* math_scalar.c - plain C for any machine: what the other instances have to equal. */
#include "embed/lanes_plain.h"

#include <stdbool.h>

#define ACTIVATION uint8_t
#define TILE_ROWS 4
#define TILE_PANELS 1
#define ROWS 4
#define F32_PANELS 1

static void tile(const uint8_t *a, size_t stride, size_t rows, const int8_t *panels, size_t panel_bytes, size_t n_panels, size_t k_len,
                 int32_t *acc, bool more, const int8_t *next, size_t step)
{
    (void)panel_bytes;
    (void)next; /* their work takes long enough for the weights to come by themselves */
    (void)step;
    (void)n_panels; /* one */
    for (size_t r = 0; r < rows; r++, a += stride, acc += 16) {
        int32_t s[16] = {0};
        if (more)
            memcpy(s, acc, sizeof s);
        for (size_t k = 0; k < k_len; k++)
            for (size_t c = 0; c < 16; c++)
                s[c] += (int32_t)a[k] * panels[(k / 4) * 64 + c * 4 + k % 4];
        memcpy(acc, s, sizeof s);
    }
}

#include "embed/math_body.h"

BR_MATH_INSTANCE(br_math_scalar, "scalar");
