/* hnsw_layer.c - the memory of a searching thread, and what walks leave to do: the other half of a dot. */
#include "hnsw_int.h"

#include <stdlib.h>
#include <string.h>

#define CLEAR_WHOLE 4096 /* words of the visited set that are cleared faster at once than one by one */

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
    uint32_t *seen = malloc((need * 64 + 1) * sizeof(*seen)); /* a walk writes one past what it has seen */
    if (!visited || !seen) {
        free(visited);
        free(seen);
        return false;
    }
    free(s->visited);
    free(s->seen);
    s->visited = visited;
    s->seen = seen;
    s->seen_n = 0;
    s->visited_words = need;
    return true;
}

void br_searcher_forget(struct br_searcher *s)
{
    if (s->visited_words <= CLEAR_WHOLE)
        memset(s->visited, 0, s->visited_words * sizeof(*s->visited));
    else
        for (size_t i = 0; i < s->seen_n; i++)
            s->visited[s->seen[i] / 64] = 0;
    s->seen_n = 0;
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
    free(s->seen);
    free(s->query);
    br_node_set_free(&s->allowed);
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

/* --- The other half. --- */

void br_full_dots(const struct br_index *ix, const int8_t *query, const struct br_cand *cands, size_t n, int32_t *out)
{
    enum { BATCH = 64 };
    const uint8_t *rows[BATCH];
    for (size_t first = 0; first < n; first += BATCH) {
        size_t m = BR_MIN(n - first, (size_t)BATCH);
        for (size_t i = 0; i < m; i++)
            rows[i] = br_low(ix, cands[first + i].id & ~BR_CAND_EXPANDED);
        ix->kernels->dots(rows, m, query, ix->stride, out + first);
        for (size_t i = first; i < first + m; i++)
            out[i] += 16 * -cands[i].d;
    }
}
