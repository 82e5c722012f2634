/* hnsw_insert.c - adding a node: search for its neighbours, choose among them, link both ways.
 *
 * All memory is taken before the first change, so that a failed insert leaves the graph as it was. Neighbours are
 * searched and chosen by byte codes alone, hence the graph depends on the seed and the inserts and on nothing else:
 * not on the kernel, not on float rounding modes of the machine that rebuilds it. */
#include "hnsw_int.h"

#include <stdlib.h>
#include <string.h>

/* The pruning factor alpha of the neighbour heuristic, on squared distances, as a fraction: 1.2. */
#define ALPHA_NUM 6
#define ALPHA_DEN 5

/* Pruning as in the paper cuts off the nodes that are nobody's nearest: of 30,000 vectors 2 % had no way to them.
 * So each node counts the level-0 links to it, and pruning spares a link to a node with no more than this many. */
#define SCARCE 2

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

/* The same from the dot of the high plane: the low halves are taken for their mean. One part in sixty off, as a rule,
 * which pruning does not notice. */
static int64_t rough_distance(const struct br_node_meta *a, const struct br_node_meta *b, int32_t dot)
{
    return squared_distance(a, b, 16 * (int64_t)dot + 15 * (int64_t)b->sum / 2);
}

/* Equal distances are common: chats repeat themselves. Were ties broken by id, the newest of many equal vectors
 * would lose its place in every list and become unreachable; a hash spreads the places over all of them. */
static uint32_t tie_break(uint32_t node, uint32_t other)
{
    uint64_t x = ((uint64_t)node << 32 | other) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(x >> 32 ^ x >> 17);
}

static bool link_before(const struct br_link *a, const struct br_link *b)
{
    return a->d != b->d ? a->d < b->d : a->tie != b->tie ? a->tie < b->tie : a->id < b->id;
}

/* Insertion sort: the lists are short or nearly sorted. */
static void sort_links(struct br_link *links, size_t n)
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
static bool is_redundant(const struct br_index *ix, const struct br_link *candidate, const uint32_t *kept,
                         const uint8_t *const *codes, size_t n)
{
    enum { BATCH = 4 };
    if (candidate->d == ERASED_DISTANCE)
        return true; /* only to fill up */
    const struct br_node_meta *meta = br_meta(ix, candidate->id);
    int32_t dots[BATCH];
    br_quant_to_signed(br_high(ix, candidate->id), br_low(ix, candidate->id), ix->stride, ix->other);
    for (size_t i = 0; i < n; i += BATCH) {
        size_t m = BR_MIN(n - i, (size_t)BATCH);
        ix->kernels->dots(codes + i, m, ix->other, ix->stride, dots);
        for (size_t j = 0; j < m; j++)
            if (ALPHA_NUM * rough_distance(br_meta(ix, kept[i + j]), meta, dots[j]) <= ALPHA_DEN * candidate->d)
                return true;
    }
    return false;
}

/* SELECT-NEIGHBORS-HEURISTIC, the paper's algorithm 4, with pruned candidates kept to fill up: chooses up to max of
 * the sorted candidates, marks them and writes them to record, which has room for cap and is ended where it is not
 * full. Scarce candidates are chosen first of all: places are held for those still to come. */
static void select_links(struct br_index *ix, struct br_link *candidates, size_t n, uint32_t max, uint32_t cap,
                         uint32_t *record)
{
    uint32_t kept[BR_LINKS_MAX];
    const uint8_t *codes[BR_LINKS_MAX];
    size_t n_kept = 0, held = 0;
    for (size_t i = 0; i < n; i++)
        held += candidates[i].scarce;
    for (size_t i = 0; i < n && n_kept < max; i++) {
        struct br_link *c = &candidates[i];
        c->kept = c->scarce || (n_kept + held < max && !is_redundant(ix, c, kept, codes, n_kept));
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

static void count_in_link(struct br_index *ix, uint32_t node, int change)
{
    uint16_t *n = &br_meta(ix, node)->in_links;
    if (*n != BR_IN_LINKS_MANY && (change > 0 || *n > 0))
        *n = (uint16_t)(*n + change);
}

/* Adds a link to a neighbour's record; a full record is chosen anew from its links and the new one. */
static void link_back(struct br_index *ix, uint32_t from, uint32_t to, uint32_t level)
{
    uint32_t cap, n = 0;
    uint32_t *record = br_node_links(ix, from, level, &cap);
    if (!record)
        return;
    while (n < cap && record[n] != BR_NO_LINK)
        n++;
    if (level == 0)
        count_in_link(ix, to, 1);
    if (n < cap) {
        record[n] = to;
        return;
    }
    uint32_t ids[BR_LINKS_MAX + 1];
    const uint8_t *codes[BR_LINKS_MAX + 1];
    int32_t dots[BR_LINKS_MAX + 1];
    struct br_link links[BR_LINKS_MAX + 1];
    size_t m = 0;
    for (uint32_t i = 0; i <= cap; i++) {
        uint32_t id = i < cap ? record[i] : to;
        if (id >= ix->count)
            continue; /* a damaged record is mended on the way */
        ids[m] = id;
        codes[m++] = br_high(ix, id);
    }
    const struct br_node_meta *meta = br_meta(ix, from);
    br_quant_to_signed(br_high(ix, from), br_low(ix, from), ix->stride, ix->other);
    ix->kernels->dots(codes, m, ix->other, ix->stride, dots);
    for (size_t i = 0; i < m; i++)
        links[i] = (struct br_link){.d = rough_distance(br_meta(ix, ids[i]), meta, dots[i]),
                                    .id = ids[i],
                                    .tie = tie_break(from, ids[i]),
                                    .scarce = level == 0 && br_meta(ix, ids[i])->in_links <= SCARCE};
    sort_links(links, m);
    select_links(ix, links, m, cap, cap, record);
    for (size_t i = 0; i < m && level == 0; i++)
        if (!links[i].kept)
            count_in_link(ix, links[i].id, -1);
}

/* Links a node at one level, given the pool of a search for it. */
static void link_level(struct br_index *ix, uint32_t node, uint32_t level)
{
    struct br_searcher *s = &ix->build;
    const struct br_node_meta *meta = br_meta(ix, node);
    size_t n = 0;
    for (size_t i = 0; i < s->pool_n; i++) {
        uint32_t id = s->pool[i].id & ~BR_CAND_EXPANDED;
        if (id != node)
            ix->links[n++] = (struct br_link){.d = rough_distance(br_meta(ix, id), meta, -s->pool[i].d),
                                              .id = id,
                                              .tie = tie_break(node, id)};
    }
    sort_links(ix->links, n);
    uint32_t cap;
    uint32_t *record = br_node_links(ix, node, level, &cap);
    select_links(ix, ix->links, n, ix->M, cap, record);
    for (uint32_t i = 0; i < cap && record[i] != BR_NO_LINK && level == 0; i++)
        count_in_link(ix, record[i], 1);
    for (uint32_t i = 0; i < cap && record[i] != BR_NO_LINK; i++)
        link_back(ix, record[i], node, level);
}

/* The half that can fail: room for everything the new node needs. */
static bool reserve_node(struct br_index *ix, uint32_t levels)
{
    size_t ef = ix->ef_construction;
    if (!br_segs_reserve(&ix->high, ix->count) || !br_segs_reserve(&ix->low, ix->count) ||
        !br_segs_reserve(&ix->links0, ix->count) ||
        !br_segs_reserve(&ix->slots, ix->count) || !br_segs_reserve(&ix->meta, ix->count))
        return false;
    for (uint32_t i = 0; i < levels; i++)
        if (!br_segs_reserve(&ix->upper, ix->upper_count + i))
            return false;
    if (!ix->other)
        ix->other = aligned_alloc(64, 2 * ix->stride);
    if (!ix->links)
        ix->links = malloc(ef * sizeof(*ix->links));
    return ix->other && ix->links && br_searcher_fit(&ix->build, ix->count + 1, ef, 0, 2 * ix->stride);
}

/* INSERT, the paper's algorithm 1. */
enum br_rc br_index_add(struct br_index *ix, uint64_t slot, const float *vector, struct br_err *err)
{
    if (slot < ix->slot_end || slot == UINT64_MAX)
        return br_fail(err, BR_E_USAGE, "slot %llu is not past the last slot of the graph", (unsigned long long)slot);
    if (ix->count >= BR_NODE_MAX)
        return br_fail(err, BR_E_TOOBIG, "the graph is full");
    uint32_t node = ix->count;
    uint32_t level = br_node_level(ix->seed, node, ix->M);
    if (!reserve_node(ix, level))
        return br_fail_nomem(err);
    struct br_quant_sums sums;
    if (!br_quant_encode(vector, ix->dim, ix->scale, br_high(ix, node), br_low(ix, node), &sums))
        return br_fail(err, BR_E_DATA, "the vector of slot %llu is not finite", (unsigned long long)slot);

    *br_meta(ix, node) = (struct br_node_meta){
        .residual = sums.residual, .sum = sums.sum, .sum2 = sums.sum2, .upper = ix->upper_count,
        .level = (uint8_t)level};
    *br_node_slot(ix, node) = slot;
    memset(br_seg_row(&ix->links0, node), 0xff, ix->links0.stride);
    for (uint32_t i = 0; i < level; i++)
        memset(br_seg_row(&ix->upper, ix->upper_count + i), 0xff, ix->upper.stride);
    ix->upper_count += level;
    ix->count++; /* nothing links to the node yet */
    ix->live++;
    ix->slot_end = slot + 1;
    ix->changed = true;
    if (node == 0) {
        ix->entry = 0;
        ix->max_level = level;
        return BR_OK;
    }

    struct br_searcher *s = &ix->build;
    br_quant_to_signed(br_high(ix, node), br_low(ix, node), ix->stride, s->query);
    uint32_t entry = ix->kernels->descend(ix, s, level);
    for (uint32_t l = BR_MIN(level, ix->max_level) + 1; l-- > 0;) {
        ix->kernels->walk(ix, s, entry, l, ix->ef_construction, NULL);
        entry = s->pool[0].id & ~BR_CAND_EXPANDED;
        link_level(ix, node, l);
    }
    if (level > ix->max_level) {
        ix->entry = node;
        ix->max_level = level;
    }
    return BR_OK;
}
