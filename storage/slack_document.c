/* slack_document.c - the text of one document: its content record, its slot and its row in the keyword index.
 *
 * The keyword tables keep no text (content=''), so a row leaves them only by presenting the very text it was made of:
 * that is read from the content log before the record is killed. */
#include "slack_int.h"

#include "content_log.h"

static enum br_rc run_fts(struct br_store *s, const char *sql, int64_t content_id, const char *text, size_t len,
                          struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s, sql, &st, err);
    if (rc != BR_OK)
        return rc;
    sqlite3_bind_int64(st, 2, content_id);
    sqlite3_bind_text64(st, 3, text, len, SQLITE_STATIC, SQLITE_UTF8);
    return br_store_step_done(s, st, "cannot write the keyword index", err);
}

enum br_rc br_slack_document_add(struct br_store *s, const char *text, size_t len, const float *vector,
                                 enum br_fts fts, struct br_slack_document *d, struct br_err *err)
{
    uint64_t content_id, slot;
    enum br_rc rc;
    BR_TRY(br_store_add_content(s, text, len, &content_id, err));
    *d = (struct br_slack_document){.content_id = (int64_t)content_id, .slot = BR_NO_SLOT, .fts = fts};
    if (vector) {
        BR_TRY(br_store_add_slot(s, content_id, vector, &slot, err));
        d->slot = (int64_t)slot;
    }
    if (fts == BR_FTS_MESSAGES)
        BR_TRY(run_fts(s, "INSERT INTO fts_messages(rowid, text) VALUES(?2, ?3)", d->content_id, text, len, err));
    else if (fts == BR_FTS_PASSAGES)
        BR_TRY(run_fts(s, "INSERT INTO fts_passages(rowid, text) VALUES(?2, ?3)", d->content_id, text, len, err));
err:
    return rc;
}

enum br_rc br_slack_document_drop(struct br_store *s, const struct br_slack_document *d, struct br_err *err)
{
    struct br_buf text;
    enum br_rc rc = BR_OK;
    br_buf_init(&text, BR_CONTENT_MAX);
    if (d->fts != BR_FTS_NONE && d->content_id) {
        BR_TRY(br_store_content(s, (uint64_t)d->content_id, &text, err));
        if (d->fts == BR_FTS_MESSAGES)
            BR_TRY(run_fts(s, "INSERT INTO fts_messages(fts_messages, rowid, text) VALUES('delete', ?2, ?3)",
                           d->content_id, br_buf_str(&text), text.len, err));
        else
            BR_TRY(run_fts(s, "INSERT INTO fts_passages(fts_passages, rowid, text) VALUES('delete', ?2, ?3)",
                           d->content_id, br_buf_str(&text), text.len, err));
    }
    if (d->slot != BR_NO_SLOT)
        BR_TRY(br_store_kill_slot(s, (uint64_t)d->slot, err));
    if (d->content_id)
        BR_TRY(br_store_kill_content(s, (uint64_t)d->content_id, err));
err:
    br_buf_free(&text);
    return rc;
}
