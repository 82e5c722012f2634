/* text_slots.c - slots by the hash of their text.
 *
 * An index in SQLite would be as random as hashes are: every document of a batch dirties a page of its own, each of which goes through the
 * write-ahead log, and that was nine tenths of what a batch of 256 wrote there. What the index gives is a vector that need not be made
 * again. So there is none, and a handle that asks fills a table from what is stored: what was added since it asked last is read first, then,
 * when the text was not among it, some of the older slots, newest first. A call costs no more than about the vector it may save.
 *
 * An entry is 8 bytes, of which three eighths to three quarters are in use: 11 to 21 bytes for each different text with a vector. A million:
 * 16 MiB.
 *
 * An entry proves nothing. Its 32 bits of hash can be another text's, its slot can have been killed. Who uses it reads the slot's row and
 * compares text with text. Of equal texts the newest slot is kept: when it is killed and an older one lives on, the vector is made once more. */
#include "text_slots.h"

#include "store_core.h"

#include <stdlib.h>
#include <string.h>

#define OLDER_A_CALL 4096

static uint32_t short_hash(const uint8_t hash[16])
{
    uint32_t h;
    memcpy(&h, hash, sizeof(h));
    return h;
}

/* The entry of a hash, or the free one where it would be. */
static struct br_text_slot *entry_of(const struct br_text_slots *t, uint32_t hash)
{
    size_t i = hash & (t->alloc - 1);
    while (t->entries[i].slot_plus_1 && t->entries[i].hash != hash)
        i = (i + 1) & (t->alloc - 1);
    return &t->entries[i];
}

static enum br_rc grow(struct br_text_slots *t, struct br_err *err)
{
    struct br_text_slots bigger = *t;
    bigger.alloc = t->alloc ? t->alloc * 2 : 1024;
    bigger.entries = calloc(bigger.alloc, sizeof(*bigger.entries));
    if (!bigger.entries)
        return br_fail_nomem(err);
    for (size_t i = 0; i < t->alloc; i++)
        if (t->entries[i].slot_plus_1)
            *entry_of(&bigger, t->entries[i].hash) = t->entries[i];
    free(t->entries);
    *t = bigger;
    return BR_OK;
}

static enum br_rc keep(struct br_text_slots *t, uint32_t hash, uint64_t slot, bool newest, struct br_err *err)
{
    if (slot >= UINT32_MAX)
        return BR_OK; /* no graph goes so far */
    if (t->n >= t->alloc / 4 * 3) {
        enum br_rc rc = grow(t, err);
        if (rc != BR_OK)
            return rc;
    }
    struct br_text_slot *e = entry_of(t, hash);
    t->n += e->slot_plus_1 == 0;
    if (newest || e->slot_plus_1 == 0)
        *e = (struct br_text_slot){.hash = hash, .slot_plus_1 = (uint32_t)slot + 1};
    return BR_OK;
}

/* The rows of a statement, which has slots with their texts' hashes. *rows of them, the lowest in *lowest. */
static enum br_rc keep_rows(struct br_store *s, sqlite3_stmt *st, bool newest, unsigned *rows, uint64_t *lowest, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    int r = SQLITE_DONE;
    *rows = 0;
    while (rc == BR_OK && (r = sqlite3_step(st)) == SQLITE_ROW) {
        uint64_t slot = (uint64_t)sqlite3_column_int64(st, 0);
        const void *hash = sqlite3_column_blob(st, 1);
        bool lives = sqlite3_column_int(st, 2) != 0;
        ++*rows;
        *lowest = BR_MIN(*lowest, slot);
        if (lives && hash && sqlite3_column_bytes(st, 1) == 16)
            rc = keep(&s->texts, short_hash(hash), slot, newest, err);
    }
    if (rc == BR_OK && r != SQLITE_DONE)
        rc = br_store_sql_fail(s, err, "cannot read the texts of");
    sqlite3_reset(st);
    return rc;
}

#define SLOTS_AND_HASHES                                         \
    "SELECT s.slot, c.hash, s.seq_killed IS NULL AND c.dead = 0" \
    " FROM slots AS s CROSS JOIN content AS c USING(workspace_id, content_id) WHERE s.workspace_id = ?1 AND "

static enum br_rc read_newer(struct br_store *s, struct br_err *err)
{
    static const char last_slot[] = "SELECT ifnull(max(slot), -1) + 1 FROM slots WHERE workspace_id = ?1";
    struct br_text_slots *t = &s->texts;
    sqlite3_stmt *st;
    unsigned rows;
    enum br_rc rc;
    BR_TRY(br_store_stmt(s, last_slot, &st, err));
    int r = sqlite3_step(st);
    uint64_t end = r == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 0) : 0, lowest = end;
    if (r != SQLITE_ROW)
        rc = br_store_sql_fail(s, err, "cannot read the last slot of");
    sqlite3_reset(st);
    BR_TRY(rc);
    br_text_slots_cut(t, end);
    if (t->end == 0) /* the first time: all of them are older ones */
        t->first = t->end = end;
    if (t->end == end)
        return BR_OK;
    BR_TRY(br_store_stmt(s, SLOTS_AND_HASHES "s.slot >= ?2 AND s.slot < ?3 ORDER BY s.slot", &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)t->end);
    sqlite3_bind_int64(st, 3, (int64_t)end);
    BR_TRY(keep_rows(s, st, true, &rows, &lowest, err));
    t->end = end;
err:
    return rc;
}

static enum br_rc read_older(struct br_store *s, struct br_err *err)
{
    struct br_text_slots *t = &s->texts;
    sqlite3_stmt *st;
    unsigned rows;
    uint64_t lowest = t->first;
    enum br_rc rc;
    BR_TRY(br_store_stmt(s, SLOTS_AND_HASHES "s.slot < ?2 ORDER BY s.slot DESC LIMIT ?3", &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)t->first);
    sqlite3_bind_int(st, 3, OLDER_A_CALL);
    BR_TRY(keep_rows(s, st, false, &rows, &lowest, err));
    t->first = rows < OLDER_A_CALL ? 0 : lowest;
err:
    return rc;
}

static bool look_up(const struct br_text_slots *t, uint32_t hash, uint64_t *slot)
{
    const struct br_text_slot *e = t->n > 0 ? entry_of(t, hash) : NULL;
    if (!e || e->slot_plus_1 == 0)
        return false;
    *slot = e->slot_plus_1 - 1;
    return true;
}

enum br_rc br_text_slots_find(struct br_store *s, const uint8_t hash[16], uint64_t *slot, bool *found, struct br_err *err)
{
    struct br_text_slots *t = &s->texts;
    enum br_rc rc;
    *found = false;
    BR_TRY(read_newer(s, err));
    *found = look_up(t, short_hash(hash), slot);
    if (!*found && t->first > 0) {
        BR_TRY(read_older(s, err));
        *found = look_up(t, short_hash(hash), slot);
    }
err:
    return rc;
}

void br_text_slots_cut(struct br_text_slots *t, uint64_t tail)
{
    if (t->end > tail)
        br_text_slots_free(t);
}

void br_text_slots_free(struct br_text_slots *t)
{
    free(t->entries);
    *t = (struct br_text_slots){0};
}
