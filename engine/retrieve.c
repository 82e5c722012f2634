/* retrieve.c - the semantic side: the query's vector, the graph, the fresh tail, and the join with what is committed; and how near a whole
 * conversation is.
 *
 * The graph and the vector log may hold slots that are dead by now; the join with the store's snapshot drops them, so more is asked for until
 * enough live documents are found or there are no more. */
#include "retrieve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "render.h"

/* The beam is wider than the list it is to fill by one in so many. Measured (bench/filtered_search.c): of the ten hits of the exact answer .998 are
 * found without a filter, .980 with a beam as long as the list. Filters that let most through find less than they did (.988, 1 before), when such a
 * beam never had enough and a scan answered. With a filter as without: later pages are confined to what the first saw, and must rank as it did. */
#define BEAM_SPARE 2

void br_semantic_hits_free(struct br_semantic_hits *h)
{
    free(h->items);
    *h = (struct br_semantic_hits){0};
}

static enum br_rc embed_query(struct br_workspace *ws, const char *text, size_t len, float *out, bool *remembered, struct br_err *err)
{
    struct br_buf buf;
    enum br_rc rc = BR_OK;
    uint32_t dim = br_model_info(ws->home->model)->dim;
    *remembered = br_cache_vector(ws->cache, text, len, out, dim);
    if (*remembered)
        return BR_OK;
    br_buf_init(&buf, 2 * (size_t)BR_RENDER_TEXT_MAX);
    br_render_for_embedding(text, len, &buf);
    BR_TRY(br_buf_status(&buf, err));
    if (!ws->embedder)
        BR_TRY(br_embedder_new(ws->home->model, &ws->embedder, err));
    BR_TRY(br_embed_query(ws->embedder, br_buf_str(&buf), buf.len, out, err));
    br_cache_keep_vector(ws->cache, text, len, out, dim);
err:
    br_buf_free(&buf);
    return rc;
}

struct vector_query {
    const float *vector;
    uint32_t dim;
    struct br_rows rows;
    const struct br_bitmap *allow;
    bool exact;
    struct br_explain *x; /* NULL: not wanted */
};

/* The k nearest slots, dead ones included. */
static enum br_rc nearest_slots(struct br_workspace *ws, const struct vector_query *q, size_t k, struct br_hit *out, size_t *n_out,
                                bool *exhaustive, struct br_err *err)
{
    struct br_graph *g = &ws->graph;
    if (q->exact || !g->index) {
        *n_out = br_exact_range(&q->rows, q->dim, q->vector, 0, q->rows.count, q->allow, k, out);
        *exhaustive = true;
        br_explain_scan(q->x, q->exact);
        return BR_OK;
    }
    struct br_search_plan plan = {0};
    struct br_search_params params = {.k = k,
                                      .ef = BR_MAX(k + k / BEAM_SPARE, (size_t)BR_HNSW_EF_SEARCH_DEFAULT),
                                      .allow = q->allow,
                                      .plan = q->x ? &plan : NULL};
    params.ef = BR_MIN(params.ef, (size_t)BR_HNSW_EF_MAX);
    params.k = BR_MIN(params.k, (size_t)BR_HNSW_EF_MAX);
    struct br_hit *part = malloc(2 * k * sizeof *part);
    if (!part)
        return br_fail_nomem(err);
    size_t n_graph = 0, n_tail = 0;
    enum br_rc rc = br_index_search(g->index, ws->searcher, &q->rows, q->vector, &params, part, &n_graph, exhaustive, err);
    if (rc == BR_OK) {
        if (g->slot_end < q->rows.count)
            n_tail = br_exact_range(&q->rows, q->dim, q->vector, g->slot_end, q->rows.count, q->allow, k, part + k);
        br_explain_plan(q->x, &plan, q->rows.count > g->slot_end ? q->rows.count - g->slot_end : 0);
        *n_out = br_hits_merge(part, n_graph, part + k, n_tail, k, out);
    }
    free(part);
    return rc;
}

static enum br_rc join(struct br_workspace *ws, const struct br_hit *slots, size_t n, size_t want, struct br_semantic_hits *out,
                       struct br_err *err)
{
    out->count = 0;
    for (size_t i = 0; i < n && out->count < want; i++) {
        struct br_semantic_hit *h = &out->items[out->count];
        struct br_err why = {0};
        enum br_rc rc = br_doc_of_slot(ws, slots[i].slot, &h->doc, &why);
        if (rc == BR_E_NOTFOUND)
            continue;
        if (rc != BR_OK)
            return br_fail(err, rc, "%s", why.msg);
        h->similarity = slots[i].similarity;
        out->count++;
    }
    return BR_OK;
}

/* Equal similarities are common: chats repeat themselves. Slots would order them, but slots change when the archive is compacted; answers
 * must not. */
static int more_similar(const void *a, const void *b)
{
    const struct br_semantic_hit *x = a, *y = b;
    if (x->similarity != y->similarity)
        return x->similarity < y->similarity ? 1 : -1;
    if (x->doc.ts != y->doc.ts)
        return x->doc.ts < y->doc.ts ? -1 : 1;
    if (x->doc.kind != y->doc.kind)
        return x->doc.kind < y->doc.kind ? -1 : 1;
    if (x->doc.last_ts != y->doc.last_ts)
        return x->doc.last_ts < y->doc.last_ts ? -1 : 1;
    return strcmp(x->doc.channel_id, y->doc.channel_id);
}

enum br_rc br_query_vector(struct br_workspace *ws, const char *text, size_t len, struct br_explain *x, float *out, struct br_err *err)
{
    double from = br_explain_clock(x);
    bool remembered = false;
    enum br_rc rc = embed_query(ws, text, len, out, &remembered, err);
    if (x) {
        x->ms.embed += br_explain_clock(x) - from;
        x->vector_remembered = remembered;
    }
    return rc;
}

enum br_rc br_retrieve_nearest(struct br_workspace *ws, const float *vector, const struct br_bitmap *allow, size_t want, bool exact,
                               struct br_explain *x, struct br_semantic_hits *out, struct br_err *err)
{
    struct vector_query q = {.vector = vector, .dim = br_model_info(ws->home->model)->dim, .allow = allow, .exact = exact, .x = x};
    struct br_semantic_hits hits = {0};
    struct br_hit *slots = NULL;
    struct br_store_info info;
    double from = br_explain_clock(x);
    enum br_rc rc;
    BR_TRY(br_store_now(ws->store, &info, err));
    br_docs_begin(ws, &info);
    BR_TRY(br_store_rows(ws->store, &q.rows, err));
    if (!q.rows.count || !want) {
        *out = (struct br_semantic_hits){.exhaustive = true};
        return BR_OK;
    }
    hits.items = malloc(want * sizeof *hits.items);
    if (!hits.items)
        BR_TRY(br_fail_nomem(err));
    for (size_t k = want + want / 8 + 8;; k *= 4) {
        size_t n = 0;
        if (k >= BR_HNSW_EF_MAX)
            q.exact = true; /* past what the graph can give: every vector */
        k = (size_t)BR_MIN((uint64_t)k, q.rows.count);
        struct br_hit *bigger = realloc(slots, k * sizeof *slots);
        if (!bigger)
            BR_TRY(br_fail_nomem(err));
        slots = bigger;
        BR_TRY(nearest_slots(ws, &q, k, slots, &n, &hits.exhaustive, err));
        BR_TRY(join(ws, slots, n, want, &hits, err));
        if (hits.count == want || n < k || k == q.rows.count)
            break;
    }
    free(slots);
    if (hits.count)
        qsort(hits.items, hits.count, sizeof *hits.items, more_similar);
    *out = hits;
    if (x)
        x->ms.semantic += br_explain_clock(x) - from;
    return BR_OK;
err:
    free(slots);
    br_semantic_hits_free(&hits);
    return rc;
}

/* ---- conversations ---- */

/* NAN: not in allow, or none. */
static double nearness(const struct br_rows *rows, uint32_t dim, const float *vector, uint64_t slot, const struct br_bitmap *allow)
{
    struct br_hit hit;
    bool there = slot < rows->count && (!allow || br_bitmap_test(allow, slot));
    return there && br_exact_range(rows, dim, vector, slot, slot + 1, NULL, 1, &hit) ? hit.similarity : NAN;
}

void br_thread_nearness(const struct br_rows *rows, uint32_t dim, const float *vector, const struct br_thread *t, const struct br_bitmap *allow,
                        double listed, struct br_nearness *out)
{
    *out = (struct br_nearness){.passage = listed, .root = nearness(rows, dim, vector, t->root_slot, allow), .first_passage = NAN};
    for (size_t i = 0; i < t->n && (isnan(listed) || isnan(out->first_passage)); i++) {
        double s = nearness(rows, dim, vector, t->passages[i].slot, allow);
        out->passage = fmax(out->passage, s); /* NAN yields */
        if (isnan(out->first_passage))
            out->first_passage = s;
    }
}
