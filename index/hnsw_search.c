/* hnsw_search.c - answering a query: which way to take.
 *
 * Which of three ways, where a filter leaves some of more than 20,000 nodes (times relative to a walk without filter, on a hundred thousand real
 * vectors and a million synthetic ones; bench/index_filters.c, which can also force a way, measures them):
 *   Many pass, a third or more: the walk goes through all nodes, and the filter decides what enters the answer. The beam is as much wider as fewer
 *     pass, less what is met beside it: 1.2 to 2 times.
 *   Few pass: the scan of their codes. It costs by the match, whatever the graph, and is certain: it is taken up to some 5 times.
 *   In between: the walk goes through what passes alone (walk_body.inc), with a beam that hardly depends on the share: 2 to 5 times.
 * A walk may find that it is not to be trusted (hnsw_walk.c). Then the scan (hnsw_scan.c) answers after all: no filter hides matches. */
#include "hnsw_search_int.h"

/* A walk through all, if one in so many passes: its beam holds fewer that pass than a plain one holds nodes, as they are met on the way to more;
 * but a quarter more than are wanted. */
#define THROUGH 3
#define FILTERED_NUM 3
#define FILTERED_DEN 5
#define WANTED_NUM 5
#define WANTED_DEN 4

/* How to answer: the path, the beam and, for a scan, why. */
static void make_plan(const struct br_index *ix, const struct br_search_query *q, size_t ef, struct br_search_plan *plan)
{
    uint64_t count = ix->count, matches = plan->matches, most = BR_MAX((uint64_t)BR_HNSW_EF_MAX, q->k), beam = BR_MIN(BR_MAX(ef, q->k), most);
    bool choice = q->filter.allow && ix->exact_matches; /* else walks are wished for */
    bool all = !q->filter.allow && ix->live == ix->count && q->filter.node_end == ix->count;
    bool through = !all && (!q->filter.allow || matches * THROUGH >= count); /* deaths alone: the filter has no bits to walk within */
    plan->path = BR_PATH_SCAN;
    if (count <= ix->exact_nodes) {
        plan->why = BR_SCAN_SMALL_INDEX;
        return;
    }
    if (matches <= q->k || (q->filter.allow && matches <= ix->exact_matches)) {
        plan->why = BR_SCAN_FEW_MATCHES;
        return;
    }
    if (through) {
        uint64_t filtered = beam * count / matches * FILTERED_NUM / FILTERED_DEN, wanted = q->k * count / matches * WANTED_NUM / WANTED_DEN;
        beam = BR_MIN(BR_MAX(beam, BR_MAX(filtered, wanted)), most);
        if (choice && beam * matches < q->k * count) {
            plan->why = BR_SCAN_NARROW_BEAM;
            return;
        }
    } else if (!all) {
        if (choice && matches <= beam * br_rows_per_ef(ix)) {
            plan->why = BR_SCAN_CHEAPER;
            return;
        }
    }
    plan->path = all ? BR_PATH_WALK : through ? BR_PATH_FILTERED_WALK : BR_PATH_WALK_WITHIN;
    plan->ef = (size_t)beam;
}

enum br_rc br_index_search(const struct br_index *ix, struct br_searcher *s, const struct br_rows *rows,
                           const float *query, const struct br_search_params *params, struct br_hit *out,
                           size_t *n_out, bool *exhaustive, struct br_err *err)
{
    struct br_search_query q = {.rows = rows, .vector = query};
    *n_out = 0;
    *exhaustive = true;
    q.filter.node_end = br_node_lower_bound(ix, rows->count);
    uint64_t matches = BR_MIN(ix->live, q.filter.node_end);
    if (params->allow) {
        if (!br_node_set_make(ix, params->allow, q.filter.node_end, &s->allowed))
            return br_fail_nomem(err);
        q.filter.allow = s->allowed.words;
        struct br_bitmap nodes = {s->allowed.words, q.filter.node_end};
        matches = BR_MIN(matches, br_bitmap_count(&nodes));
    }
    /* Damage can make `live` too small; k is cut by what cannot lie. */
    q.k = BR_MIN(params->k, (size_t)q.filter.node_end);
    struct br_search_plan unasked, *plan = params->plan ? params->plan : &unasked;
    *plan = (struct br_search_plan){.path = BR_PATH_SCAN, .why = BR_SCAN_FEW_MATCHES, .nodes = ix->count, .matches = matches};
    if (q.k == 0)
        return BR_OK;
    if (!br_searcher_fit(s, 0, 0, 0, 2 * ix->stride))
        return br_fail_nomem(err);
    if (!ix->kernels->encode_query(query, ix->dim, s->query))
        return br_fail(err, BR_E_DATA, "the query vector is not finite");

    make_plan(ix, &q, params->ef ? params->ef : BR_HNSW_EF_SEARCH_DEFAULT, plan);
    if (plan->path != BR_PATH_SCAN) {
        *exhaustive = false;
        enum br_rc rc = (plan->path == BR_PATH_WALK_WITHIN ? br_walk_within : br_walk_through)(ix, s, &q, plan, out, n_out, err);
        if (rc != BR_OK || *n_out == q.k)
            return rc;
        plan->path = BR_PATH_SCAN_AFTER_WALK; /* the filter and the walk miss each other */
        plan->why = BR_SCAN_WALK_TOO_FEW;
    }
    return br_scan(ix, s, &q, matches, out, n_out, exhaustive, err);
}
