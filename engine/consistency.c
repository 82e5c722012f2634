/* consistency.c - the consistency monitor: lag and divergence of the two stores as numbers. */
#include "engine_int.h"

static uint64_t difference(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

enum br_rc br_consistency_of(struct br_workspace *ws, struct br_consistency *out, struct br_err *err)
{
    struct br_slack_consistency c;
    struct br_store_info info;
    enum br_rc rc = br_store_read_begin(ws->store, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(br_store_info(ws->store, &info, err));
    br_graph_refresh(&ws->graph, ws->home->io, ws->store, &info);
    BR_TRY(br_slack_consistency(ws->store, ws->graph.index ? ws->graph.slot_end : 0, &c, err));
    *out = (struct br_consistency){
        .lag_commits = info.last_seq > ws->graph.applied_seq ? info.last_seq - ws->graph.applied_seq : 0,
        .lag_vectors = c.slots_unindexed,
        .pending_threads = c.dirty_threads,
        .erase_queue = c.erase_queue,
        .vectors_live = c.slots_live,
        .vectors_dead = c.slots_dead,
        .vectors_missing = c.vectors_missing,
        .vectors_orphaned = c.slots_live > c.slots_named ? c.slots_live - c.slots_named : 0,
        .content_live = c.content_live,
        .content_dead = c.content_dead,
        .content_named = c.content_named,
        .divergence =
            c.vectors_missing + difference(c.slots_live, c.slots_named) + difference(c.content_live, c.content_named),
    };
err:
    br_store_read_end(ws->store);
    return rc;
}
