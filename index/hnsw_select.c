/* hnsw_select.c - which of many candidates a node is linked to.
 *
 * Chosen by byte codes alone, hence the graph depends on the seed and the inserts and on nothing else: not on the kernel,
 * not on float rounding modes of the machine that rebuilds it. */
#include "hnsw_int.h"

#include <string.h>

/* The pruning factor alpha of the neighbour heuristic, on squared distances, as a fraction: 1.2. */
#define ALPHA_NUM 6
#define ALPHA_DEN 5

#define CODES_AHEAD 4 /* candidates */
#define NEAR_PART 2 /* near: the squared distance is less than half the squared length */

/* The zero vector is nearer to most unit vectors than they are to each other: taken at its word, an erased node would become everybody's
 * neighbour. It is farther than anything instead. */
#define ERASED_DISTANCE (INT64_MAX / 16)

/* Squared distance of two quantised vectors from their full dot, which is 128 * b->sum too large where b is the signed
 * side. */
static int64_t squared_distance(const struct br_node_meta *a, const struct br_node_meta *b, int64_t dot)
{
    if (br_node_erased(a) || br_node_erased(b))
        return ERASED_DISTANCE;
    return (int64_t)a->sum2 + (int64_t)b->sum2 - 2 * (dot - 128 * (int64_t)b->sum);
}

/* From the dot of the high plane the distance is a few percent off, as the low halves are taken for their mean: good
 * enough to prune by where two vectors are far apart. Of near ones, and of equal ones above all, the whole code is
 * asked: were their distance not next to nothing, none would make another redundant, and a message that was sent a thousand times
 * would be linked to its like and to nothing else. */
int64_t br_link_distance(const struct br_index *ix, uint32_t a, const struct br_node_meta *b, const int8_t *b_code, int32_t high_dot)
{
    const struct br_node_meta *meta = br_meta(ix, a);
    int64_t d = squared_distance(meta, b, 16 * (int64_t)high_dot + 15 * (int64_t)b->sum / 2);
    if (d >= b->sum2 / NEAR_PART)
        return d;
    const uint8_t *low = br_low(ix, a);
    int32_t low_dot;
    ix->kernels->dots(&low, 1, b_code, ix->stride, &low_dot);
    return squared_distance(meta, b, 16 * (int64_t)high_dot + low_dot);
}

/* Equal distances are common: chats repeat themselves. Were ties broken by id, the newest of many equal vectors
 * would lose its place in every list and become unreachable; a hash spreads the places over all of them. */
uint32_t br_link_tie(uint32_t node, uint32_t other)
{
    uint64_t x = ((uint64_t)node << 32 | other) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(x >> 32 ^ x >> 17);
}

static bool link_before(const struct br_link *a, const struct br_link *b)
{
    return a->d != b->d ? a->d < b->d : a->tie != b->tie ? a->tie < b->tie : a->id < b->id;
}

/* Insertion sort: the lists are short or nearly sorted. */
void br_sort_links(struct br_link *links, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct br_link moving = links[i];
        size_t j = i;
        for (; j && link_before(&moving, &links[j - 1]); j--)
            links[j] = links[j - 1];
        links[j] = moving;
    }
}

/* Is a link kept already that makes the candidate redundant: one nearer to it (times alpha) than the node is? */
static bool is_redundant(const struct br_index *ix, struct br_builder *w, const struct br_link *candidate, const uint32_t *kept,
                         const uint8_t *const *codes, size_t n)
{
    enum { BATCH = 4 };
    if (candidate->d == ERASED_DISTANCE)
        return true; /* only to fill up */
    const struct br_node_meta *meta = br_meta(ix, candidate->id);
    int32_t dots[BATCH];
    br_quant_to_signed(br_high(ix, candidate->id), br_low(ix, candidate->id), ix->stride, w->other);
    for (size_t i = 0; i < n; i += BATCH) {
        size_t m = BR_MIN(n - i, (size_t)BATCH);
        ix->kernels->dots(codes + i, m, w->other, ix->stride, dots);
        for (size_t j = 0; j < m; j++)
            if (ALPHA_NUM * br_link_distance(ix, kept[i + j], meta, w->other, dots[j]) <= ALPHA_DEN * candidate->d)
                return true;
    }
    return false;
}

/* SELECT-NEIGHBORS-HEURISTIC, the paper's algorithm 4, with pruned candidates kept to fill up: chooses up to max of
 * the sorted candidates, marks them and writes them to record, which has room for cap and is ended where it is not
 * full. Scarce candidates are chosen first of all: places are held for those still to come. */
void br_select_links(const struct br_index *ix, struct br_builder *w, struct br_link *candidates, size_t n, uint32_t max,
                     uint32_t cap, uint32_t *record)
{
    uint32_t kept[BR_LINKS_MAX];
    const uint8_t *codes[BR_LINKS_MAX];
    size_t n_kept = 0, held = 0;
    for (size_t i = 0; i < n; i++)
        held += candidates[i].scarce;
    for (size_t i = 0; i < n && n_kept < max; i++) {
        struct br_link *c = &candidates[i];
        if (i + CODES_AHEAD < n) { /* a walk has read the high planes; the low ones are where memory is slow */
            br_prefetch(br_low(ix, candidates[i + CODES_AHEAD].id), ix->stride);
            br_prefetch(br_high(ix, candidates[i + CODES_AHEAD].id), ix->stride);
            __builtin_prefetch(br_meta(ix, candidates[i + CODES_AHEAD].id));
        }
        c->kept = c->scarce || (n_kept + held < max && !is_redundant(ix, w, c, kept, codes, n_kept));
        held -= c->scarce;
        if (!c->kept)
            continue;
        codes[n_kept] = br_high(ix, c->id);
        kept[n_kept++] = c->id;
    }
    for (size_t i = 0; i < n && n_kept < max; i++) {
        if (candidates[i].kept)
            continue;
        candidates[i].kept = true;
        kept[n_kept++] = candidates[i].id;
    }
    memcpy(record, kept, n_kept * sizeof(*record));
    for (size_t i = n_kept; i < cap; i++)
        record[i] = BR_NO_LINK;
}
