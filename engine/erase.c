/* erase.c - carries an erasure through, step by step, in the order of storage/store_erase.c. */
#include "upkeep.h"

/* A checkpoint that holds no code of a dead slot takes the place of all there are. */
static enum br_rc replace_checkpoints(struct br_home *h, struct br_store *s, struct br_graph *g, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_graph_follow(g, s, err));
    br_index_erase_dead(g->index);
    g->ckpt_file[0] = 0; /* written even where nothing came since the last one */
    if (br_index_count(g->index))
        BR_TRY(br_graph_checkpoint(g, h->io, s, err));
    else
        BR_TRY(br_store_clear_checkpoint(s, err));
    BR_TRY(br_store_drop_old_checkpoints(s, err));
err:
    return rc;
}

enum br_rc br_erase_finish(struct br_home *h, struct br_store *s, struct br_graph *g, struct br_err *err)
{
    uint64_t queued;
    enum br_rc rc;
    BR_TRY(br_store_erase_queued(s, &queued, err));
    if (!queued)
        return BR_OK;
    BR_TRY(br_store_queue_dead(s, err));
    BR_TRY(br_slack_merge_words(s, err));
    BR_TRY(br_store_quiesce(s, err));
    BR_TRY(br_store_erase_logs(s, err));
    BR_TRY(replace_checkpoints(h, s, g, err));
    BR_TRY(br_store_drop_damaged(s, err));
    BR_TRY(br_store_erase_rows(s, err));
    BR_TRY(br_store_vacuum(s, err));
    BR_TRY(br_store_quiesce(s, err));
    BR_TRY(br_store_erase_done(s, err));
err:
    return rc;
}
