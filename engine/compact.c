/* compact.c - br_compact: the archive without what edits and deletions left behind.
 *
 * The new generation of logs comes first, in one step that either happened or did not (storage/store_compact.c); what
 * follows only makes good use of it and can be cut short: the graph is built anew over the new slots, metadata.db
 * gives its free pages back. */
#include "upkeep.h"

#include <stdio.h>
#include <string.h>

static enum br_rc total_bytes(struct br_store *s, uint64_t *bytes, struct br_err *err)
{
    struct br_store_info i;
    enum br_rc rc = br_store_info(s, &i, err);
    if (rc == BR_OK)
        *bytes = i.bytes_metadata + i.bytes_content + i.bytes_vectors + i.bytes_graph;
    return rc;
}

static enum br_rc copied(void *ctx, uint64_t done, uint64_t total, struct br_err *err)
{
    return br_upkeep_step(ctx, "copying", done, total, err);
}

static enum br_rc build_graph(struct br_upkeep *u, struct br_err *err)
{
    enum br_rc rc;
    br_graph_close(&u->graph);
    BR_TRY(br_upkeep_step(u, "index", 0, 0, err));
    BR_TRY(br_graph_follow(&u->graph, u->store, err));
    BR_TRY(br_graph_checkpoint(&u->graph, u->home->io, u->store, err));
    br_store_sweep(u->store);
err:
    return rc;
}

/* Rewriting metadata.db pays when much of it is free; where something was dead it also takes the copies that SQLite
 * left of its rows. */
static enum br_rc give_pages_back(struct br_upkeep *u, bool had_dead, struct br_err *err)
{
    uint64_t n_free, n_all;
    enum br_rc rc;
    BR_TRY(br_store_free_pages(u->store, &n_free, &n_all, err));
    if (had_dead || n_free * 4 > n_all)
        BR_TRY(br_store_vacuum(u->store, err));
    rc = br_store_quiesce(u->store, NULL);
    if (rc == BR_E_BUSY)
        rc = BR_OK; /* readers: the log gives its space back another time */
    else if (rc != BR_OK)
        rc = br_store_quiesce(u->store, err);
err:
    return rc;
}

int br_compact(struct br_home *h, const char *workspace, const struct br_upkeep_options *options,
               struct br_compact_report *out, struct br_error *error)
{
    struct br_err err = {0};
    struct br_upkeep u;
    struct br_compact_report r = {0};
    struct br_slack_consistency was;
    enum br_rc rc;
    BR_TRY(br_upkeep_open(h, workspace, options, &u, &err));
    BR_TRY(total_bytes(u.store, &r.bytes_before, &err));
    BR_TRY(br_slack_consistency(u.store, 0, &was, &err));
    BR_TRY(br_slack_merge_words(u.store, &err));
    BR_TRY(br_slack_compact(u.store, &u, copied, &err));
    BR_TRY(build_graph(&u, &err));
    BR_TRY(br_erase_finish(h, u.store, &u.graph, &err));
    BR_TRY(give_pages_back(&u, was.content_dead + was.slots_dead > 0, &err));
    BR_TRY(total_bytes(u.store, &r.bytes_after, &err));
    snprintf(r.workspace, sizeof r.workspace, "%s", u.id);
    r.seconds = br_upkeep_seconds(&u);
    br_upkeep_close(&u);
    *out = r;
    return BR_STATUS_OK;
err:
    br_upkeep_close(&u);
    return br_status_of(rc, &err, error);
}
