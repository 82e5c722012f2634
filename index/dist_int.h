/* dist_int.h - the kernels: one table a CPU family, chosen once. Private to index/. */
#ifndef BR_DIST_INT_H
#define BR_DIST_INT_H

#include <stddef.h>
#include <stdint.h>

struct br_index;
struct br_searcher;
struct br_filter;

struct br_kernels {
    const char *name;
    /* out[i] = sum over the components j of nibble j of rows[i] * query[j]; the row of a plane has stride bytes, a
     * multiple of BR_PLANE_BLOCK, and the query twice as many. Rows may have any address; each is prefetched some rows
     * ahead of its use. Every kernel returns the same integers. */
    void (*dots)(const uint8_t *const *rows, size_t n, const int8_t *query, size_t stride, int32_t *out);
    /* Inner product of float32 vectors of any length. Kernels may differ in the last bits: the order of summing. */
    float (*inner)(const float *a, const float *b, size_t dim);
    /* Whole walks (walk_body.inc): a call per distance would cost as much as the distance. */
    void (*walk)(const struct br_index *ix, struct br_searcher *s, uint32_t entry, uint32_t level, size_t ef,
                 const struct br_filter *filter);
    uint32_t (*descend)(const struct br_index *ix, const struct br_searcher *s, uint32_t to_level);
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

/* A row of 384 components is three cache lines; with many more lines in flight the fill buffers overrun. */
#define BR_LINES_AHEAD 24
static inline size_t br_rows_ahead(size_t stride)
{
    size_t n = BR_LINES_AHEAD * 64 / stride;
    return n < 2 ? 2 : n;
}
static inline void br_prefetch(const void *p, size_t bytes)
{
    const char *c = p;
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(c + i);
}

#endif
