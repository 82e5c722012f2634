/* hnsw_layer.c - the beam search within one level: the inner loop of both insertion and search.
 *
 * Distances are integers of byte codes. The beam is one sorted array with a cursor at the nearest entry not yet
 * expanded. A node is expanded in two loops: the first collects its unvisited neighbours, the second computes their
 * distances with the codes prefetched some places ahead, since a code is read from memory more slowly than it is
 * multiplied. */
#include "hnsw_int.h"

#include <stdlib.h>
#include <string.h>

/* --- Scratch memory. --- */

static bool grow(void **p, size_t *alloc, size_t need, size_t item)
{
    if (need <= *alloc)
        return true;
    size_t n = BR_MAX(need, *alloc + *alloc / 2);
    void *q = realloc(*p, n * item);
    if (!q)
        return false;
    *p = q;
    *alloc = n;
    return true;
}

static bool grow_visited(struct br_searcher *s, uint32_t nodes)
{
    size_t need = (size_t)nodes / 64 + 1;
    if (need <= s->visited_words)
        return true;
    need += need / 4;
    uint64_t *visited = calloc(need, sizeof(*visited));
    uint32_t *touched = malloc(need * sizeof(*touched));
    if (!visited || !touched) {
        free(visited);
        free(touched);
        return false;
    }
    free(s->visited);
    free(s->touched);
    s->visited = visited;
    s->touched = touched;
    s->touched_n = 0;
    s->visited_words = need;
    return true;
}

bool br_searcher_fit(struct br_searcher *s, uint32_t nodes, size_t pool, size_t passed, size_t query)
{
    if (query > s->query_alloc) {
        int8_t *q = aligned_alloc(64, query);
        if (!q)
            return false;
        free(s->query);
        s->query = q;
        s->query_alloc = query;
    }
    return grow_visited(s, nodes) && grow((void **)&s->pool, &s->pool_alloc, pool, sizeof(*s->pool)) &&
           grow((void **)&s->passed, &s->passed_alloc, passed, sizeof(*s->passed));
}

void br_searcher_clear(struct br_searcher *s)
{
    free(s->pool);
    free(s->passed);
    free(s->visited);
    free(s->touched);
    free(s->query);
    free(s->bounds);
    free(s->hits);
    *s = (struct br_searcher){0};
}

enum br_rc br_searcher_new(struct br_searcher **out, struct br_err *err)
{
    *out = calloc(1, sizeof(**out));
    return *out ? BR_OK : br_fail_nomem(err);
}

void br_searcher_free(struct br_searcher *s)
{
    if (!s)
        return;
    br_searcher_clear(s);
    free(s);
}

/* --- The beam. --- */

static void forget_visited(struct br_searcher *s)
{
    while (s->touched_n)
        s->visited[s->touched[--s->touched_n]] = 0;
}

static bool visit(struct br_searcher *s, uint32_t node)
{
    uint64_t *word = &s->visited[node / 64], bit = UINT64_C(1) << node % 64;
    if (*word & bit)
        return false;
    if (!*word)
        s->touched[s->touched_n++] = node / 64;
    *word |= bit;
    return true;
}

/* Inserts into a sorted list that keeps the cap nearest; the caller has checked that the entry belongs. */
static size_t insert_sorted(struct br_cand *list, size_t *n, size_t cap, struct br_cand c)
{
    size_t low = 0, high = *n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (list[middle].d <= c.d)
            low = middle + 1;
        else
            high = middle;
    }
    if (*n < cap)
        (*n)++;
    memmove(list + low + 1, list + low, (*n - low - 1) * sizeof(*list));
    list[low] = c;
    return low;
}

bool br_node_passes(const struct br_index *ix, const struct br_filter *f, uint32_t node)
{
    return node < f->node_end && (!f->allow || br_bitmap_test(f->allow, *br_node_slot(ix, node))) &&
           !(br_meta(ix, node)->flags & BR_NODE_DEAD);
}

static void offer_passed(const struct br_index *ix, struct br_searcher *s, const struct br_filter *f, struct br_cand c)
{
    /* The distance first: most nodes fail it, and the filter's data are not in cache. */
    if (s->passed_n == s->passed_cap && c.d >= s->passed[s->passed_n - 1].d)
        return;
    if (br_node_passes(ix, f, c.id))
        insert_sorted(s->passed, &s->passed_n, s->passed_cap, c);
}

/* First loop: the unvisited neighbours of a node. */
static size_t gather(const struct br_index *ix, struct br_searcher *s, uint32_t node, uint32_t level, uint32_t *ids,
                     const uint8_t **codes)
{
    uint32_t cap;
    const uint32_t *links = br_node_links(ix, node, level, &cap);
    size_t n = 0;
    for (uint32_t i = 0; links && i < cap && links[i] != BR_NO_LINK; i++) {
        if (links[i] >= ix->count || !visit(s, links[i]))
            continue;
        ids[n] = links[i];
        codes[n] = br_code(ix, links[i]);
        if (n < BR_PREFETCH_CODES)
            br_prefetch(codes[n], ix->stride);
        n++;
    }
    return n;
}

/* SEARCH-LAYER, the paper's algorithm 2: the ef nearest to s->query at a level, into s->pool. With a filter, every
 * evaluated node that passes it is also offered to s->passed, which the caller has emptied. */
void br_search_layer(const struct br_index *ix, struct br_searcher *s, uint32_t entry, uint32_t level, size_t ef,
                     const struct br_filter *filter)
{
    uint32_t ids[BR_LINKS_MAX];
    const uint8_t *codes[BR_LINKS_MAX];
    int32_t dots[BR_LINKS_MAX];

    forget_visited(s);
    visit(s, entry);
    codes[0] = br_code(ix, entry);
    ix->kernels->dots(codes, 1, s->query, ix->stride, dots);
    struct br_cand *pool = s->pool;
    pool[0] = (struct br_cand){-dots[0], entry};
    s->pool_n = 1;
    if (filter)
        offer_passed(ix, s, filter, pool[0]);

    for (size_t cursor = 0; cursor < s->pool_n;) {
        if (pool[cursor].id & BR_CAND_EXPANDED) {
            cursor++;
            continue;
        }
        uint32_t node = pool[cursor].id;
        pool[cursor].id |= BR_CAND_EXPANDED;
        size_t n = gather(ix, s, node, level, ids, codes);
        ix->kernels->dots(codes, n, s->query, ix->stride, dots);
        for (size_t i = 0; i < n; i++) {
            struct br_cand c = {-dots[i], ids[i]};
            if (filter)
                offer_passed(ix, s, filter, c);
            if (s->pool_n == ef && c.d >= pool[ef - 1].d)
                continue;
            if (level == 0)
                br_prefetch(br_seg_row(&ix->links0, c.id), ix->links0.stride);
            size_t at = insert_sorted(pool, &s->pool_n, ef, c);
            cursor = BR_MIN(cursor, at);
        }
    }
}

/* From the entry point to the nearest node found above to_level: a beam of one. */
uint32_t br_descend(const struct br_index *ix, struct br_searcher *s, uint32_t to_level)
{
    uint32_t node = ix->entry;
    for (uint32_t level = ix->max_level; level > to_level; level--) {
        br_search_layer(ix, s, node, level, 1, NULL);
        node = s->pool[0].id & ~BR_CAND_EXPANDED;
    }
    return node;
}
