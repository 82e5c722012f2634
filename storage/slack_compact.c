/* slack_compact.c - compaction of a workspace: its documents' slots in the order of time, and the tables that name
 * them. */
#include "slack_upkeep.h"

#include "slack_int.h"

enum br_rc br_slack_slots_by_time(struct br_store *s, struct br_slot_list *l, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    BR_TRY(br_store_stmt(
        s,
        "SELECT slot FROM (SELECT ts AS t, 0 AS kind, slot FROM message_metadata INDEXED BY messages_by_slot"
        "  WHERE workspace_id = ?1 AND slot IS NOT NULL"
        " UNION ALL SELECT first_ts, 1, slot FROM passages INDEXED BY passages_by_slot"
        "  WHERE workspace_id = ?1 AND slot IS NOT NULL) ORDER BY t, kind, slot",
        &st, err));
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        if (l->n == l->alloc) {
            size_t alloc = l->alloc ? l->alloc * 2 : 4096;
            uint64_t *items = realloc(l->items, alloc * sizeof(*items));
            if (!items) {
                sqlite3_reset(st);
                return br_fail_nomem(err);
            }
            l->items = items;
            l->alloc = alloc;
        }
        l->items[l->n++] = (uint64_t)sqlite3_column_int64(st, 0);
    }
err:
    return rc;
}

/* By way of negative numbers: a slot's new number may be another's old one, and no two rows may share one for a
 * moment. */
enum br_rc br_slack_renumber(struct br_store *s, struct br_err *err)
{
    static const char *const sql[] = {
        "UPDATE message_metadata SET slot = -1 - (SELECT new FROM temp.renumbered WHERE old = slot)"
        " WHERE workspace_id = ?1 AND slot IS NOT NULL",
        "UPDATE message_metadata SET slot = -1 - slot WHERE workspace_id = ?1 AND slot < 0",
        "UPDATE passages SET slot = -1 - (SELECT new FROM temp.renumbered WHERE old = slot)"
        " WHERE workspace_id = ?1 AND slot IS NOT NULL",
        "UPDATE passages SET slot = -1 - slot WHERE workspace_id = ?1 AND slot < 0",
    };
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < BR_COUNT(sql); i++) {
        sqlite3_stmt *st;
        BR_TRY(br_store_stmt(s, sql[i], &st, err));
        BR_TRY(br_store_step_done(s, st, "cannot renumber the documents of", err));
    }
err:
    return rc;
}

enum br_rc br_slack_compact(struct br_store *s, void *ctx,
                            enum br_rc (*step)(void *ctx, uint64_t done, uint64_t total, struct br_err *err),
                            struct br_err *err)
{
    struct br_slot_list l = {0};
    enum br_rc rc;
    BR_TRY(br_slack_slots_by_time(s, &l, err));
    const struct br_compaction how = {.slots = l.items, .n_slots = l.n, .renumber = br_slack_renumber, .ctx = ctx, .step = step};
    BR_TRY(br_store_compact(s, &how, err));
err:
    free(l.items);
    return rc;
}
