/* math_neon.c - NEON of any AArch64: bytes are widened to 16 bits, smlal adds their products to 32. A tile of 4 rows and 16 columns has its sums in
 * 16 registers, four k of a column side by side until the end. */
#if defined(__aarch64__)
#include "embed/lanes_neon.inc"

#include <stdbool.h>
#include <string.h>

#define ACTIVATION int16_t
#define TILE_ROWS 4
#define TILE_PANELS 1
#define ROWS 4
#define BESIDE 1
#define F32_PANELS 1

/* Four columns: sums of k mod 4 in the four lanes of one register a column. */
static inline void quarter_tile(size_t rows, const int16_t *a, size_t stride, const int8_t *b, size_t k_len, int32_t *acc, bool more)
{
    int32x4_t s[TILE_ROWS][4];
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < 4; c++)
            s[r][c] = vdupq_n_s32(0);
    for (size_t k = 0; k < k_len; k += 4, b += 64) {
        int8x16_t w = vld1q_s8(b);
        int16x8_t lo = vmovl_s8(vget_low_s8(w)), hi = vmovl_s8(vget_high_s8(w));
        for (size_t r = 0; r < rows; r++) {
            int16x4_t x = vld1_s16(a + r * stride + k);
            s[r][0] = vmlal_s16(s[r][0], x, vget_low_s16(lo));
            s[r][1] = vmlal_s16(s[r][1], x, vget_high_s16(lo));
            s[r][2] = vmlal_s16(s[r][2], x, vget_low_s16(hi));
            s[r][3] = vmlal_s16(s[r][3], x, vget_high_s16(hi));
        }
    }
    for (size_t r = 0; r < rows; r++) {
        int32x4_t sum = vpaddq_s32(vpaddq_s32(s[r][0], s[r][1]), vpaddq_s32(s[r][2], s[r][3]));
        vst1q_s32(acc + r * 16, more ? vaddq_s32(sum, vld1q_s32(acc + r * 16)) : sum);
    }
}

static void tile(const int16_t *a, size_t stride, size_t rows, const int8_t *panels, size_t panel_bytes, size_t n_panels, size_t k_len,
                 int32_t *acc, bool more, const int8_t *next, size_t step)
{
    (void)panel_bytes;
    (void)next; /* their work takes long enough for the weights to come by themselves */
    (void)step;
    (void)n_panels; /* one */
    for (size_t c = 0; c < 16; c += 4)
        if (rows == 4)
            quarter_tile(4, a, stride, panels + c * 4, k_len, acc + c, more);
        else
            for (size_t r = 0; r < rows; r++)
                quarter_tile(1, a + r * stride, stride, panels + c * 4, k_len, acc + r * 16 + c, more);
}

#include "embed/math_body.inc"

BR_MATH_INSTANCE(br_math_neon, "neon");
#endif
