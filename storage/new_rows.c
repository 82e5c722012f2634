/* new_rows.c - the rows of contents and slots, written as late as can be.
 *
 * Nobody but the transaction itself can see them before COMMIT, so they wait: until a statement is asked for that might look
 * (br_store_stmt), or else until the disk works on the logs (step 4 of commit.c). Many rows then share one run of a statement, which costs
 * about half of a run for each. Messages have statements of their own after each document (slack_document.c): their rows go one by one.
 *
 * Contents go first: a slot's foreign key is checked at once. */
#include "new_rows.h"

#include "store_core.h"

#include <stdlib.h>

#define AT_ONCE 8 /* rows a statement */

#define CONTENT(id, offset, length, hash) "(?1, ?" #id ", ?" #offset ", ?" #length ", ?" #hash ")"
#define SLOT(slot, content, checksum) "(?1, ?" #slot ", ?" #content ", ?" #checksum ", ?2)"
static const char contents_sql[] = "INSERT INTO content(workspace_id, content_id, offset, length, hash) VALUES"
    CONTENT(2, 3, 4, 5) "," CONTENT(6, 7, 8, 9) "," CONTENT(10, 11, 12, 13) "," CONTENT(14, 15, 16, 17) ","
    CONTENT(18, 19, 20, 21) "," CONTENT(22, 23, 24, 25) "," CONTENT(26, 27, 28, 29) "," CONTENT(30, 31, 32, 33);
static const char content_sql[] =
    "INSERT INTO content(workspace_id, content_id, offset, length, hash) VALUES" CONTENT(2, 3, 4, 5);
static const char slots_sql[] = "INSERT INTO slots(workspace_id, slot, content_id, vector_checksum, seq_added) VALUES"
    SLOT(3, 4, 5) "," SLOT(6, 7, 8) "," SLOT(9, 10, 11) "," SLOT(12, 13, 14) ","
    SLOT(15, 16, 17) "," SLOT(18, 19, 20) "," SLOT(21, 22, 23) "," SLOT(24, 25, 26);
static const char slot_sql[] =
    "INSERT INTO slots(workspace_id, slot, content_id, vector_checksum, seq_added) VALUES" SLOT(3, 4, 5);

static enum br_rc write_contents(struct br_store *s, const struct br_content_ref *refs, size_t n, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s, n == AT_ONCE ? contents_sql : content_sql, &st, err);
    if (rc != BR_OK)
        return rc;
    int i = 2;
    for (const struct br_content_ref *ref = refs; ref < refs + n; ref++) {
        sqlite3_bind_int64(st, i++, (int64_t)ref->id);
        sqlite3_bind_int64(st, i++, (int64_t)ref->offset);
        sqlite3_bind_int64(st, i++, (int64_t)ref->length);
        sqlite3_bind_blob(st, i++, ref->hash, 16, SQLITE_STATIC);
    }
    return br_store_step_done(s, st, "cannot add content to", err);
}

static enum br_rc write_slots(struct br_store *s, const struct br_new_slot *slots, size_t n, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s, n == AT_ONCE ? slots_sql : slot_sql, &st, err);
    if (rc != BR_OK)
        return rc;
    int i = 3;
    sqlite3_bind_int64(st, 2, (int64_t)s->txn.seq);
    for (const struct br_new_slot *slot = slots; slot < slots + n; slot++) {
        sqlite3_bind_int64(st, i++, (int64_t)slot->slot);
        sqlite3_bind_int64(st, i++, (int64_t)slot->content_id);
        sqlite3_bind_int64(st, i++, (int64_t)slot->checksum);
    }
    return br_store_step_done(s, st, "cannot add a slot to", err);
}

static enum br_rc write_all(struct br_store *s, struct br_err *err)
{
    const struct br_new_rows *r = &s->new_rows;
    size_t some;
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < r->n_contents; i += some) {
        some = r->n_contents - i < AT_ONCE ? 1 : AT_ONCE;
        BR_TRY(write_contents(s, &r->room->contents[i], some, err));
    }
    for (size_t i = 0; i < r->n_slots; i += some) {
        some = r->n_slots - i < AT_ONCE ? 1 : AT_ONCE;
        BR_TRY(write_slots(s, &r->room->slots[i], some, err));
    }
err:
    return rc;
}

enum br_rc br_new_rows_write(struct br_store *s, struct br_err *err)
{
    struct br_new_rows *r = &s->new_rows;
    if (r->n_contents + r->n_slots == 0 || r->being_written)
        return BR_OK;
    r->being_written = true; /* its own statements are no reason to write */
    enum br_rc rc = write_all(s, err);
    r->being_written = false;
    r->n_contents = r->n_slots = 0;
    if (rc != BR_OK)
        s->txn.failed = true;
    return rc;
}

static enum br_rc make_room(struct br_store *s, struct br_err *err)
{
    struct br_new_rows *r = &s->new_rows;
    if (!r->room && !(r->room = malloc(sizeof(*r->room))))
        return br_fail_nomem(err);
    return BR_MAX(r->n_contents, r->n_slots) < BR_NEW_ROWS_MAX ? BR_OK : br_new_rows_write(s, err);
}

enum br_rc br_new_content(struct br_store *s, const struct br_content_ref *ref, struct br_err *err)
{
    enum br_rc rc = make_room(s, err);
    if (rc == BR_OK)
        s->new_rows.room->contents[s->new_rows.n_contents++] = *ref;
    return rc;
}

enum br_rc br_new_slot(struct br_store *s, const struct br_new_slot *slot, struct br_err *err)
{
    enum br_rc rc = make_room(s, err);
    if (rc == BR_OK)
        s->new_rows.room->slots[s->new_rows.n_slots++] = *slot;
    return rc;
}
