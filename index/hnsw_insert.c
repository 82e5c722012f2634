/* hnsw_insert.c - adding nodes: search for their neighbours, choose among them, link both ways.
 *
 * Nodes are added in batches that grow with the graph. All of a batch search the graph as it was before it, and one another,
 * so that each sees what it would have seen alone: the graph, and those before it. Then links back are grouped by
 * the node that gets them. Both steps are shared out among threads, and neither reads what another writes: what is
 * built depends on the seed and the inserts, not on the number of threads.
 *
 * All memory is taken before the first change, so that a failed batch leaves the graph as it was. */
#include "hnsw_int.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_PART 50    /* a batch is one node in so many of the graph, */
#define BATCH_MAX 4096   /* and no more than so many: each looks at all before it */
#define MATES 24         /* nearest of its own batch that a node takes among its candidates */
#define BEAM_ABOVE 1 /* on the levels above the node's: wider ones, which find lost questions, made no better graph of a clustered million */
#define CHUNK 8          /* nodes a thread takes at a time */
#define THREADS_MAX 64

/* Pruning as in the paper cuts off the nodes that are nobody's nearest: of 30,000 vectors 2 % had no way to them.
 * So each node counts the level-0 links to it, and pruning spares a link to a node with no more than this many. */
#define SCARCE 2

/* --- Memory. --- */

static bool grow(void *p, size_t *alloc, size_t need, size_t item)
{
    void **at = p, *q;
    if (need <= *alloc)
        return true;
    size_t n = BR_MAX(need, *alloc + *alloc / 2);
    q = realloc(*at, n * item);
    if (!q)
        return false;
    *at = q;
    *alloc = n;
    return true;
}

static bool builder_fit(struct br_index *ix, struct br_builder *w, uint32_t nodes, size_t batch)
{
    size_t ef = ix->ef_construction;
    if (!w->other)
        w->other = aligned_alloc(64, 2 * ix->stride);
    return w->other && grow(&w->links, &w->links_alloc, BR_MAX(ef + MATES, ix->M0 + batch), sizeof(*w->links)) &&
           br_searcher_fit(&w->s, nodes, BR_MAX(ef, (size_t)BR_BEAM_ABOVE_MAX), MATES, 2 * ix->stride);
}

void br_builders_free(struct br_index *ix)
{
    for (unsigned i = 0; i < ix->n_builders; i++) {
        br_searcher_clear(&ix->builders[i].s);
        free(ix->builders[i].links);
        free(ix->builders[i].other);
    }
    free(ix->builders);
    free(ix->edges);
    ix->builders = NULL;
    ix->edges = NULL;
    ix->n_builders = 0;
    ix->edges_alloc = 0;
}

/* The half that can fail: room for everything that n new nodes need. */
static bool reserve_nodes(struct br_index *ix, size_t n, unsigned threads)
{
    uint32_t levels = 0;
    size_t edges = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t node = ix->count + i, level = br_node_level(ix->seed, node, ix->M);
        if (!br_segs_reserve(&ix->high, node) || !br_segs_reserve(&ix->low, node) || !br_segs_reserve(&ix->links0, node) ||
            !br_segs_reserve(&ix->slots, node) || !br_segs_reserve(&ix->meta, node))
            return false;
        for (uint32_t l = 0; l < level; l++)
            if (!br_segs_reserve(&ix->upper, ix->upper_count + levels++))
                return false;
        edges += (size_t)(level + 1) * ix->M;
    }
    if (ix->n_builders < threads) {
        struct br_builder *b = realloc(ix->builders, threads * sizeof(*b));
        if (!b)
            return false;
        memset(b + ix->n_builders, 0, (threads - ix->n_builders) * sizeof(*b));
        ix->builders = b;
        ix->n_builders = threads;
    }
    for (unsigned i = 0; i < threads; i++)
        if (!builder_fit(ix, &ix->builders[i], (uint32_t)(ix->count + n), n))
            return false;
    return grow(&ix->edges, &ix->edges_alloc, edges, sizeof(*ix->edges));
}

/* --- The new nodes. --- */

/* Codes and empty records past the end of the graph. Upper records are given out when the node's level is known to stay. */
static enum br_rc write_node(struct br_index *ix, uint32_t node, uint64_t slot, const float *vector, uint32_t upper,
                             struct br_err *err)
{
    struct br_quant_sums sums;
    uint32_t level = br_node_level(ix->seed, node, ix->M);
    if (!br_quant_encode(vector, ix->dim, ix->scale, br_high(ix, node), br_low(ix, node), &sums))
        return br_fail(err, BR_E_DATA, "the vector of slot %llu is not finite", (unsigned long long)slot);
    ix->most_high_residual = fmaxf(ix->most_high_residual, sums.high_residual);
    *br_meta(ix, node) = (struct br_node_meta){
        .residual = sums.residual, .high_residual = sums.high_residual, .sum = sums.sum, .sum2 = sums.sum2, .upper = upper, .level = (uint8_t)level};
    *br_node_slot(ix, node) = slot;
    memset(br_seg_row(&ix->links0, node), 0xff, ix->links0.stride);
    for (uint32_t i = 0; i < level; i++)
        memset(br_seg_row(&ix->upper, upper + i), 0xff, ix->upper.stride);
    return BR_OK;
}

/* --- Step one: a node's own links. --- */

struct batch {
    struct br_index *ix;
    uint32_t first, n;           /* nodes */
    uint32_t entry, max_level;   /* of the graph before the batch; first: there is none */
    size_t n_edges;
    atomic_size_t next;          /* work not taken yet */
    void (*work)(struct batch *b, struct br_builder *w, size_t i);
    size_t n_work;
};

/* The nearest of the batch that come before the node and are on the level, into w->s.passed. */
static void find_mates(const struct batch *b, struct br_builder *w, uint32_t node, uint32_t level)
{
    enum { ROWS = 64 };
    const struct br_index *ix = b->ix;
    const uint8_t *rows[ROWS];
    uint32_t ids[ROWS];
    int32_t dots[ROWS];
    struct br_cand *mates = w->s.passed;
    size_t n = 0;
    for (uint32_t next = b->first; next < node;) {
        size_t m = 0;
        for (; next < node && m < ROWS; next++)
            if (level == 0 || br_meta(ix, next)->level >= level) {
                ids[m] = next;
                rows[m++] = br_high(ix, next);
            }
        ix->kernels->dots(rows, m, w->s.query, ix->stride, dots);
        for (size_t i = 0; i < m; i++) {
            struct br_cand c = {.id = ids[i], .d = -dots[i]};
            if (n == MATES && c.d >= mates[n - 1].d)
                continue;
            size_t j = n < MATES ? n++ : n - 1;
            for (; j && br_cand_key(c) < br_cand_key(mates[j - 1]); j--)
                mates[j] = mates[j - 1];
            mates[j] = c;
        }
    }
    w->s.passed_n = n;
}

static size_t add_candidates(const struct br_index *ix, struct br_builder *w, uint32_t node, const struct br_cand *found,
                             size_t n_found, size_t n)
{
    for (size_t i = 0; i < n_found; i++) {
        uint32_t id = found[i].id & ~BR_CAND_EXPANDED;
        w->links[n++] = (struct br_link){.d = br_link_distance(ix, id, br_meta(ix, node), w->s.query, -found[i].d),
                                         .id = id,
                                         .tie = br_link_tie(node, id)};
    }
    return n;
}

/* INSERT, the paper's algorithm 1, without the links back. */
static void link_own(struct batch *b, struct br_builder *w, size_t i)
{
    struct br_index *ix = b->ix;
    uint32_t node = b->first + (uint32_t)i, level = br_meta(ix, node)->level;
    struct br_starts starts = {.n = 1, .node = {b->entry}};
    br_quant_to_signed(br_high(ix, node), br_low(ix, node), ix->stride, w->s.query);
    if (b->first)
        ix->kernels->descend(ix, &w->s, level, BEAM_ABOVE, &starts);
    for (uint32_t l = level + 1; l-- > 0;) {
        size_t n = 0;
        uint32_t cap, *record = br_node_links(ix, node, l, &cap);
        if (b->first && l <= b->max_level) {
            ix->kernels->walk(ix, &w->s, &starts, l, ix->ef_construction, NULL);
            for (starts.n = 0; starts.n < BR_MIN(w->s.pool_n, (size_t)BR_BEAM_ABOVE_MAX); starts.n++)
                starts.node[starts.n] = w->s.pool[starts.n].id & ~BR_CAND_EXPANDED;
            n = add_candidates(ix, w, node, w->s.pool, w->s.pool_n, 0);
        }
        find_mates(b, w, node, l);
        n = add_candidates(ix, w, node, w->s.passed, w->s.passed_n, n);
        br_sort_links(w->links, n);
        br_select_links(ix, w, w->links, n, ix->M, cap, record);
    }
}

/* --- Step two: links back. --- */

static void count_in_link(struct br_index *ix, uint32_t node, int change)
{
    uint16_t *n = &br_meta(ix, node)->in_links;
    if (*n != BR_IN_LINKS_MANY && (change > 0 || *n > 0))
        *n = (uint16_t)(*n + change);
}

/* Adds links from one node to those of n edges; a record that they do not fit in is chosen anew from its links and the new
 * ones. Nodes that are not linked to any more are left in the edges' `dropped`; there are no more than edges. */
static void link_back(const struct br_index *ix, struct br_builder *w, struct br_edge *edges, size_t n)
{
    enum { ROWS = 64 };
    uint32_t cap, from = edges[0].from, level = edges[0].level, used = 0;
    uint32_t *record = br_node_links(ix, from, level, &cap);
    for (size_t i = 0; i < n; i++)
        edges[i].dropped = BR_NO_LINK;
    if (!record) { /* damage: none of them is linked to */
        for (size_t i = 0; i < n; i++)
            edges[i].dropped = edges[i].to;
        return;
    }
    while (used < cap && record[used] != BR_NO_LINK)
        used++;
    if (used + n <= cap) {
        for (size_t i = 0; i < n; i++)
            record[used + i] = edges[i].to;
        return;
    }
    const struct br_node_meta *meta = br_meta(ix, from);
    struct br_link *links = w->links;
    size_t m = 0, n_dropped = 0;
    for (size_t i = 0; i < used + n; i++) {
        uint32_t id = i < used ? record[i] : edges[i - used].to;
        if (id >= ix->count)
            continue; /* a damaged record is mended on the way */
        links[m++] = (struct br_link){
            .id = id,
            .tie = br_link_tie(from, id),
            .scarce = level == 0 && (i < used ? br_meta(ix, id)->in_links <= SCARCE : edges[i - used].rank < SCARCE)};
    }
    br_quant_to_signed(br_high(ix, from), br_low(ix, from), ix->stride, w->other);
    for (size_t first = 0; first < m; first += ROWS) {
        const uint8_t *rows[ROWS];
        int32_t dots[ROWS];
        size_t part = BR_MIN(m - first, (size_t)ROWS);
        for (size_t i = 0; i < part; i++)
            rows[i] = br_high(ix, links[first + i].id);
        ix->kernels->dots(rows, part, w->other, ix->stride, dots);
        for (size_t i = 0; i < part; i++)
            links[first + i].d = br_link_distance(ix, links[first + i].id, meta, w->other, dots[i]);
    }
    br_sort_links(links, m);
    br_select_links(ix, w, links, m, cap, cap, record);
    for (size_t i = 0; i < m && n_dropped < n; i++)
        if (!links[i].kept)
            edges[n_dropped++].dropped = links[i].id;
}

static void link_group(struct batch *b, struct br_builder *w, size_t i)
{
    struct br_edge *edges = b->ix->edges;
    if (i && edges[i - 1].from == edges[i].from && edges[i - 1].level == edges[i].level)
        return; /* not the first of its group */
    size_t end = i + 1;
    while (end < b->n_edges && edges[end].from == edges[i].from && edges[end].level == edges[i].level)
        end++;
    link_back(b->ix, w, edges + i, end - i);
}

static int edge_order(const void *a, const void *b)
{
    const struct br_edge *x = a, *y = b;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

/* The links that the batch's own ask for, and what they add to the counts of level 0. */
static void collect_edges(struct batch *b)
{
    struct br_index *ix = b->ix;
    b->n_edges = 0;
    for (uint32_t node = b->first; node < b->first + b->n; node++)
        for (uint32_t level = 0; level <= br_meta(ix, node)->level; level++) {
            uint32_t cap;
            const uint32_t *record = br_node_links(ix, node, level, &cap);
            for (uint32_t i = 0; i < cap && record[i] != BR_NO_LINK; i++) {
                ix->edges[b->n_edges++] =
                    (struct br_edge){.level = (uint8_t)level, .rank = (uint8_t)i, .from = record[i], .to = node};
                if (level == 0) {
                    count_in_link(ix, record[i], 1);
                    count_in_link(ix, node, 1);
                }
            }
        }
    qsort(ix->edges, b->n_edges, sizeof(*ix->edges), edge_order);
}

static bool has_link(const struct br_index *ix, uint32_t from, uint32_t to)
{
    uint32_t cap, *record = br_node_links(ix, from, 0, &cap);
    for (uint32_t i = 0; i < cap; i++)
        if (record[i] == to)
            return true;
    return false;
}

/* What link_back dropped is counted. Records are chosen side by side, so that one node may have lost more links than each
 * of them knew: then it gets back those it lost, until it is as well off as it would be had they been chosen one by one. */
static void settle_counts(struct batch *b)
{
    struct br_index *ix = b->ix;
    for (size_t i = 0; i < b->n_edges; i++)
        if (ix->edges[i].level == 0 && ix->edges[i].dropped != BR_NO_LINK)
            count_in_link(ix, ix->edges[i].dropped, -1);
    for (size_t i = 0; i < b->n_edges; i++) {
        uint32_t from = ix->edges[i].from, lost = ix->edges[i].dropped;
        if (ix->edges[i].level != 0 || lost == BR_NO_LINK || br_meta(ix, lost)->in_links >= SCARCE ||
            has_link(ix, from, lost)) /* the last: its count is damaged */
            continue;
        struct br_edge edge = {.from = from, .to = lost};
        count_in_link(ix, lost, 1);
        link_back(ix, &ix->builders[0], &edge, 1);
        if (edge.dropped != BR_NO_LINK)
            count_in_link(ix, edge.dropped, -1);
    }
}

/* --- Threads. --- */

static void take_work(struct batch *b, struct br_builder *w)
{
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&b->next, CHUNK, memory_order_relaxed);
        if (i >= b->n_work)
            return;
        for (size_t end = BR_MIN(i + CHUNK, b->n_work); i < end; i++)
            b->work(b, w, i);
    }
}

struct helper {
    struct batch *b;
    struct br_builder *w;
    pthread_t thread;
};

static void *help(void *arg)
{
    struct helper *h = arg;
    take_work(h->b, h->w);
    return NULL;
}

/* Helpers that cannot be had are done without. */
static void share_out(struct batch *b, void (*work)(struct batch *, struct br_builder *, size_t), size_t n,
                      unsigned threads)
{
    struct helper helpers[THREADS_MAX];
    unsigned started = 0;
    b->work = work;
    b->n_work = n;
    atomic_store(&b->next, 0);
    for (unsigned i = 1; i < threads && n > CHUNK; i++) {
        struct helper *h = &helpers[started];
        *h = (struct helper){.b = b, .w = &b->ix->builders[i]};
        started += pthread_create(&h->thread, NULL, help, h) == 0;
    }
    take_work(b, &b->ix->builders[0]);
    for (unsigned i = 0; i < started; i++)
        pthread_join(helpers[i].thread, NULL);
}

/* --- The batch. --- */

static enum br_rc add_batch(struct br_index *ix, const struct br_rows *rows, const uint64_t *slots, size_t n, unsigned threads,
                            struct br_err *err)
{
    struct batch b = {.ix = ix, .first = ix->count, .n = (uint32_t)n, .entry = ix->entry, .max_level = ix->max_level};
    if (!reserve_nodes(ix, n, threads))
        return br_fail_nomem(err);
    uint32_t upper = ix->upper_count, top = b.first;
    for (size_t i = 0; i < n; i++) {
        enum br_rc rc = write_node(ix, b.first + (uint32_t)i, slots[i], rows->base + slots[i] * rows->stride_floats, upper, err);
        if (rc != BR_OK)
            return rc;
        upper += br_meta(ix, b.first + (uint32_t)i)->level;
        if (br_meta(ix, b.first + (uint32_t)i)->level > br_meta(ix, top)->level)
            top = b.first + (uint32_t)i;
    }
    ix->upper_count = upper; /* nothing links to the nodes yet */
    ix->count += (uint32_t)n;
    ix->live += (uint32_t)n;
    ix->slot_end = slots[n - 1] + 1;
    ix->changed = true;
    share_out(&b, link_own, n, threads);
    collect_edges(&b);
    share_out(&b, link_group, b.n_edges, threads);
    settle_counts(&b);
    if (b.first == 0 || br_meta(ix, top)->level > ix->max_level) {
        ix->entry = top;
        ix->max_level = br_meta(ix, top)->level;
    }
    return BR_OK;
}

enum br_rc br_index_add_many(struct br_index *ix, const struct br_rows *rows, const uint64_t *slots, size_t n,
                             unsigned threads, struct br_err *err)
{
    threads = BR_MIN(BR_MAX(threads, 1u), (unsigned)THREADS_MAX);
    for (size_t i = 0; i < n; i++) {
        uint64_t least = i ? slots[i - 1] + 1 : ix->slot_end;
        if (slots[i] < least || slots[i] == UINT64_MAX)
            return br_fail(err, BR_E_USAGE, "slot %llu is not past the last slot of the graph", (unsigned long long)slots[i]);
        if (slots[i] >= rows->count)
            return br_fail(err, BR_E_USAGE, "slot %llu is past the rows", (unsigned long long)slots[i]);
    }
    if (n > BR_NODE_MAX - ix->count)
        return br_fail(err, BR_E_TOOBIG, "the graph is full");
    for (size_t done = 0; done < n;) {
        size_t batch = BR_MIN(BR_MAX(ix->count / BATCH_PART, 1u), (unsigned)BATCH_MAX);
        batch = BR_MIN(batch, n - done);
        enum br_rc rc = add_batch(ix, rows, slots + done, batch, threads, err);
        if (rc != BR_OK)
            return rc;
        done += batch;
    }
    return BR_OK;
}

enum br_rc br_index_add(struct br_index *ix, uint64_t slot, const float *vector, struct br_err *err)
{
    /* A single row, at an address that makes it the slot's. */
    const struct br_rows row = {.base = vector, .stride_floats = 0, .count = slot + 1};
    return br_index_add_many(ix, &row, &slot, 1, 1, err);
}

/* --- Renewal. --- */

#define WORN_LEAST 1024 /* dead nodes that are not worth it */

bool br_index_is_worn(const struct br_index *ix)
{
    return ix->count - ix->live > BR_MAX(ix->live, (uint32_t)WORN_LEAST);
}

/* Nodes stay in the order of their slots. In breadth-first order from the entry, so that neighbours share pages, searches were 4 % faster on 99,415
 * vectors and no faster on a million (interleaved, of either the same graph): not worth that slots and nodes part company, on which sets of nodes
 * (hnsw_filter.c) and the search for a slot's node rest. */
enum br_rc br_index_renew(const struct br_index *ix, const struct br_rows *rows, unsigned threads, struct br_index **out,
                          struct br_err *err)
{
    struct br_index_config cfg = {
        .dim = ix->dim, .M = ix->M, .ef_construction = ix->ef_construction, .seed = ix->seed};
    size_t n = 0;
    enum br_rc rc = BR_OK;
    uint64_t *slots = malloc(((size_t)ix->count + 1) * sizeof(*slots));
    *out = NULL;
    if (!slots)
        return br_fail_nomem(err);
    for (uint32_t node = 0; node < ix->count; node++) {
        uint64_t slot = *br_node_slot(ix, node);
        if (br_meta(ix, node)->flags & BR_NODE_DEAD || slot >= rows->count || (n && slot <= slots[n - 1]))
            continue; /* the last two: damage */
        slots[n++] = slot;
    }
    BR_TRY(br_index_create(&cfg, out, err));
    BR_TRY(br_index_add_many(*out, rows, slots, n, threads, err));
    (*out)->slot_end = BR_MAX((*out)->slot_end, ix->slot_end); /* dead slots at the end stay known as seen */
err:
    if (rc != BR_OK) {
        br_index_close(*out);
        *out = NULL;
    }
    free(slots);
    return rc;
}
