/* dist_neondot.c - the kernels for AArch64 with the dot product instructions (Armv8.2 and later); reached only on CPUs that have them.
 *
 * sdot multiplies signed bytes and adds groups of four products to 32-bit lanes; a nibble is a signed byte too. */
#include "hnsw_int.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

static inline int32_t dot_row(const uint8_t *row, const int8_t *query, size_t stride)
{
    const uint8x16_t nibble = vdupq_n_u8(15);
    int32x4_t even = vdupq_n_s32(0), odd = even;
    for (size_t block = 0; block < stride; block += BR_PLANE_BLOCK)
        for (size_t i = 0; i < BR_PLANE_BLOCK; i += 16) {
            const int8_t *q = query + 2 * block + i;
            uint8x16_t bytes = vld1q_u8(row + block + i);
            even = vdotq_s32(even, vreinterpretq_s8_u8(vandq_u8(bytes, nibble)), vld1q_s8(q));
            odd = vdotq_s32(odd, vreinterpretq_s8_u8(vshrq_n_u8(bytes, 4)), vld1q_s8(q + BR_PLANE_BLOCK));
        }
    return vaddvq_s32(vaddq_s32(even, odd));
}

#include "neon_common.inc"

const struct br_kernels br_kernels_neondot = {
    .name = "neondot", .dots = dots, .inner = inner, .encode_query = encode_query,
    .walk = walk, .descend = descend, .count_both = count_both};
#else
extern const int br_no_neondot_here;
#endif
