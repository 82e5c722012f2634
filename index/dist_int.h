/* dist_int.h - the kernels: one table a CPU family, chosen once. Private to index/. */
#ifndef BR_DIST_INT_H
#define BR_DIST_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct br_index;
struct br_searcher;
struct br_filter;
struct br_starts;

struct br_kernels {
    const char *name;
    /* out[i] = sum over the components j of nibble j of rows[i] * query[j]; the row of a plane has stride bytes, a
     * multiple of BR_PLANE_BLOCK, and the query twice as many. Rows may have any address; each is prefetched some rows
     * ahead of its use. Every kernel returns the same integers. */
    void (*dots)(const uint8_t *const *rows, size_t n, const int8_t *query, size_t stride, int32_t *out);
    /* Inner product of float32 vectors of any length. Kernels may differ in the last bits: the order of summing. */
    float (*inner)(const float *a, const float *b, size_t dim);
    /* As br_quant_encode_query; kernels may differ by one where a product lies halfway. */
    bool (*encode_query)(const float *x, uint32_t dim, int8_t *query);
    /* Whole walks (walk_body.inc): a call per distance would cost as much as the distance. */
    void (*walk)(const struct br_index *ix, struct br_searcher *s, const struct br_starts *starts, uint32_t level, size_t ef,
                 const struct br_filter *filter);
    /* Where a walk at to_level starts; s has room for a pool of BR_BEAM_ABOVE_MAX. beam: where most of the way is decided (br_beam_above). */
    void (*descend)(const struct br_index *ix, struct br_searcher *s, uint32_t to_level, size_t beam, struct br_starts *starts);
    /* Bits that are set in both; a and b may be the same. */
    uint64_t (*count_both)(const uint64_t *a, const uint64_t *b, size_t n_words);
};

extern const struct br_kernels br_kernels_scalar;
#if defined(__x86_64__)
extern const struct br_kernels br_kernels_avx2;
extern const struct br_kernels br_kernels_avx512vnni;
#elif defined(__aarch64__)
extern const struct br_kernels br_kernels_neon;
extern const struct br_kernels br_kernels_neondot;
#endif

/* The kernels in use: the best this CPU has, or the one that BACKREAD_KERNEL names if the CPU has it. */
const struct br_kernels *br_kernels(void);
/* NULL when there is no such kernel or this CPU cannot run it. */
const struct br_kernels *br_kernels_named(const char *name);

/* How far ahead of their use rows are prefetched, in cache lines: a whole list of neighbours of 384 components. Fewer
 * leave the walk waiting; the CPU queues what its fill buffers cannot take at once. */
#define BR_LINES_AHEAD 96
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
