/* dist_neon.c - the kernels for NEON, which every AArch64 CPU has.
 *
 * A nibble times a byte fits 16 bits (15 * 128 = 1,920), and so do the eight products that a block adds to each lane of a sum (15,360); pairs of
 * those are then added to 32 bits. */
#include "hnsw_int.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

static inline int32_t dot_row(const uint8_t *row, const int8_t *query, size_t stride)
{
    const uint8x16_t nibble = vdupq_n_u8(15);
    int32x4_t even = vdupq_n_s32(0), odd = even;
    for (size_t block = 0; block < stride; block += BR_PLANE_BLOCK) {
        int16x8_t low = vdupq_n_s16(0), high = low;
        for (size_t i = 0; i < BR_PLANE_BLOCK; i += 16) {
            const int8_t *q = query + 2 * block + i;
            uint8x16_t bytes = vld1q_u8(row + block + i);
            int8x16_t a = vreinterpretq_s8_u8(vandq_u8(bytes, nibble)), b = vreinterpretq_s8_u8(vshrq_n_u8(bytes, 4));
            int8x16_t qa = vld1q_s8(q), qb = vld1q_s8(q + BR_PLANE_BLOCK);
            low = vmlal_s8(vmlal_high_s8(low, a, qa), vget_low_s8(a), vget_low_s8(qa));
            high = vmlal_s8(vmlal_high_s8(high, b, qb), vget_low_s8(b), vget_low_s8(qb));
        }
        even = vpadalq_s16(even, low);
        odd = vpadalq_s16(odd, high);
    }
    return vaddvq_s32(vaddq_s32(even, odd));
}

#include "neon_common.inc"

const struct br_kernels br_kernels_neon = {
    .name = "neon", .dots = dots, .inner = inner, .encode_query = encode_query,
    .walk = walk, .descend = descend, .count_both = count_both};
#else
extern const int br_no_neon_here;
#endif
