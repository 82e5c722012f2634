/* slack_consistency.c - how far the two stores agree, in numbers that SQLite alone can tell: no log is read. */
#include "slack_upkeep.h"

#include "slack_int.h"

enum br_rc br_slack_consistency(struct br_store *s, uint64_t slot_end, struct br_slack_consistency *c,
                                struct br_err *err)
{
    const struct {
        const char *sql;
        uint64_t *out;
    } counts[] = {
        {"SELECT (SELECT count(*) FROM slots WHERE workspace_id = ?1)"
         " - (SELECT count(*) FROM slots INDEXED BY slots_by_kill WHERE workspace_id = ?1 AND seq_killed IS NOT NULL)",
         &c->slots_live},
        {"SELECT count(*) FROM slots INDEXED BY slots_by_kill WHERE workspace_id = ?1 AND seq_killed IS NOT NULL",
         &c->slots_dead},
        {"SELECT (SELECT count(*) FROM message_metadata INDEXED BY messages_by_slot WHERE workspace_id = ?1 AND slot "
         "IS NOT NULL)"
         " + (SELECT count(*) FROM passages INDEXED BY passages_by_slot WHERE workspace_id = ?1 AND slot IS NOT NULL)",
         &c->slots_named},
        {"SELECT (SELECT count(*) FROM message_metadata INDEXED BY messages_without_vector"
         "  WHERE workspace_id = ?1 AND needs_vector = 1 AND slot IS NULL)"
         " + (SELECT count(*) FROM passages INDEXED BY passages_without_vector WHERE workspace_id = ?1 AND slot IS "
         "NULL)",
         &c->vectors_missing},
        {"SELECT count(*) FROM content WHERE workspace_id = ?1 AND dead = 0", &c->content_live},
        {"SELECT count(*) FROM content WHERE workspace_id = ?1 AND dead <> 0", &c->content_dead},
        {"SELECT (SELECT count(content_id) + count(raw_id) FROM message_metadata WHERE workspace_id = ?1)"
         " + (SELECT count(*) FROM passages WHERE workspace_id = ?1)",
         &c->content_named},
        {"SELECT count(*) FROM dirty_threads WHERE workspace_id = ?1", &c->dirty_threads},
    };
    sqlite3_stmt *st;
    bool row;
    *c = (struct br_slack_consistency){0};
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    for (size_t i = 0; i < BR_COUNT(counts); i++) {
        int64_t n;
        BR_TRY(br_slack_int(s, counts[i].sql, &n, err));
        *counts[i].out = n > 0 ? (uint64_t)n : 0;
    }
    BR_TRY(br_store_erase_queued(s, &c->erase_queue, err));
    BR_TRY(br_store_stmt(s, "SELECT count(*) FROM slots WHERE workspace_id = ?1 AND slot >= ?2 AND seq_killed IS NULL",
                         &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)slot_end);
    BR_TRY(br_slack_step(s, st, &row, err));
    if (row)
        c->slots_unindexed = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
err:
    br_store_read_end(s);
    return rc;
}
