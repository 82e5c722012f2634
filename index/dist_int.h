/* dist_int.h - the distance kernels: one table a CPU family, chosen once. Private to index/. */
#ifndef BR_DIST_INT_H
#define BR_DIST_INT_H

#include <stddef.h>
#include <stdint.h>

#define BR_CODE_BLOCK 64 /* codes and encoded queries are padded to a multiple of this many bytes */

struct br_kernels {
    const char *name;
    /* out[i] = sum of codes[i][j] * query[j], j < len; len is a multiple of BR_CODE_BLOCK. Codes may have any
     * address; each is prefetched some codes ahead of its use. Every kernel returns the same integers. */
    void (*dots)(const uint8_t *const *codes, size_t n, const int8_t *query, size_t len, int32_t *out);
    /* Inner product of float32 vectors of any length. Kernels may differ in the last bits: the order of summing. */
    float (*inner)(const float *a, const float *b, size_t dim);
};

extern const struct br_kernels br_kernels_scalar;
#if defined(__x86_64__)
extern const struct br_kernels br_kernels_avx2;
extern const struct br_kernels br_kernels_avx512vnni;
#endif

/* The kernels in use: the best this CPU has, or the one that BACKREAD_KERNEL names if the CPU has it. */
const struct br_kernels *br_kernels(void);
/* NULL when there is no such kernel or this CPU cannot run it. */
const struct br_kernels *br_kernels_named(const char *name);

/* A 384-byte code is six cache lines; more than about eight codes in flight overrun the fill buffers. */
#define BR_PREFETCH_CODES 6
static inline void br_prefetch(const void *p, size_t bytes)
{
    const char *c = p;
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(c + i);
}

#endif
