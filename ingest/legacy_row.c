/* legacy_row.c - the names that columns of the earlier design may have, and what they mean: the one table to extend. */
#include "legacy_row.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "legacy_value.h"

#define ROW_MAX ((size_t)512 << 20)

struct meaning {
    enum br_old_field field;
    const char *names; /* best first, at most OLD_COLUMNS_MAX count */
};

static const struct meaning users[] = {
    {OLD_SLACK_ID, "slack_id slack_user_id user_id id"},
    {OLD_ID, "id user_id slack_id slack_user_id"},
    {OLD_NAME, "name username user_name handle login"},
    {OLD_REAL_NAME, "real_name full_name fullname"},
    {OLD_DISPLAY_NAME, "display_name displayname nickname"},
    {OLD_TEAM, "team_id slack_team_id team"},
    {OLD_IS_BOT, "is_bot bot"},
    {OLD_DELETED, "is_deleted deleted deactivated is_deactivated deleted_at"},
    {OLD_KNOWN, "created_at updated_at inserted_at email avatar avatar_url image image_url tz timezone title status is_admin is_owner"},
};
static const struct meaning channels[] = {
    {OLD_SLACK_ID, "slack_id slack_channel_id channel_id id"},
    {OLD_ID, "id channel_id slack_id slack_channel_id"},
    {OLD_NAME, "name channel_name"},
    {OLD_IS_PRIVATE, "is_private private"},
    {OLD_IS_DM, "is_im is_dm is_direct"},
    {OLD_IS_GROUP_DM, "is_mpim is_group_dm"},
    {OLD_IS_ARCHIVED, "is_archived archived archived_at"},
    {OLD_IS_GENERAL, "is_general"},
    {OLD_KIND, "type kind channel_type"},
    {OLD_TOPIC, "topic"},
    {OLD_PURPOSE, "purpose description"},
    {OLD_CREATOR, "creator creator_id created_by"},
    {OLD_CREATED, "created created_at"},
    {OLD_TEAM, "team_id slack_team_id"},
    {OLD_KNOWN, "updated_at inserted_at member_count num_members last_synced_at last_ts is_member message_count"},
};
static const struct meaning messages[] = {
    {OLD_ID, "id message_id msg_id client_msg_id"},
    {OLD_CHANNEL, "slack_channel_id channel_slack_id channel_id channel conversation_id channel_name"},
    {OLD_USER, "slack_user_id user_slack_id user_id author_id sender_id user author user_name"},
    {OLD_TS, "ts slack_ts message_ts slack_timestamp timestamp posted_at sent_at created_at"},
    {OLD_THREAD, "thread_ts parent_ts thread_timestamp parent_message_ts slack_thread_ts"},
    {OLD_PARENT, "parent_id parent_message_id thread_id reply_to_id reply_to"},
    {OLD_TEXT, "text content body message_text message raw_text"},
    {OLD_EDITED, "edited_ts edited_at"},
    {OLD_DELETED, "is_deleted deleted deleted_at deleted_ts"},
    {OLD_SUBTYPE, "subtype"},
    {OLD_BOT_ID, "bot_id"},
    {OLD_BOT_NAME, "bot_name username"},
    {OLD_TEAM, "team_id team"},
    {OLD_REPLY_COUNT, "reply_count replies_count"},
    {OLD_REACTIONS, "reactions"},
    {OLD_FILES, "files"},
    {OLD_BLOCKS, "blocks"},
    {OLD_ATTACHMENTS, "attachments"},
    {OLD_CLIENT_ID, "client_msg_id"},
    {OLD_KNOWN, "type updated_at inserted_at is_edited edited has_thread is_thread is_reply is_bot permalink"
                " embedding embedding_id vector_id chroma_id indexed indexed_at is_indexed is_embedded embedded_at reaction_count tsv"
                " search_vector text_search fts"},
};
static const struct meaning reactions[] = {
    {OLD_MESSAGE, "message_id msg_id message"},
    {OLD_CHANNEL, "slack_channel_id channel_slack_id channel_id channel"},
    {OLD_TS, "message_ts slack_ts ts item_ts"},
    {OLD_NAME, "name emoji reaction emoji_name reaction_name"},
    {OLD_USER, "slack_user_id user_slack_id user_id reactor_id user"},
    {OLD_USERS, "users user_ids reactors"},
    {OLD_COUNT, "count reaction_count total"},
    {OLD_KNOWN, "id created_at updated_at inserted_at"},
};
static const struct {
    const struct meaning *list;
    size_t n;
} meanings[BR_OLD_TABLES] = {[BR_OLD_USERS] = {users, BR_COUNT(users)},
                             [BR_OLD_CHANNELS] = {channels, BR_COUNT(channels)},
                             [BR_OLD_MESSAGES] = {messages, BR_COUNT(messages)},
                             [BR_OLD_REACTIONS] = {reactions, BR_COUNT(reactions)}};

/* The place of a name in "a b c", -1 none. */
static int place_in(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; *names; i++) {
        size_t word = strcspn(names, " ");
        if (word == n && strncasecmp(names, name, n) == 0)
            return i;
        names += word + (names[word] == ' ');
    }
    return -1;
}

/* Column `column` (from 1) is called `name`. Returns whether it means anything. */
static bool give_meaning(struct br_old_rows *r, const char *name, int column)
{
    bool known = false;
    for (size_t i = 0; i < meanings[r->table].n; i++) {
        const struct meaning *m = &meanings[r->table].list[i];
        int k = place_in(m->names, name);
        known |= k >= 0;
        if (k < 0 || k >= OLD_COLUMNS_MAX || m->field == OLD_KNOWN)
            continue;
        r->columns[m->field][k] = column; /* with holes, closed below */
    }
    return known;
}

static void close_holes(struct br_old_rows *r, char (*names)[64])
{
    for (int f = 0; f < OLD_FIELDS; f++) {
        int n = 0;
        for (int k = 0; k < OLD_COLUMNS_MAX; k++)
            if (r->columns[f][k])
                r->columns[f][n++] = r->columns[f][k];
        for (; n < OLD_COLUMNS_MAX; n++)
            r->columns[f][n] = 0;
        if (r->columns[f][0])
            memcpy(r->first[f], names[r->columns[f][0] - 1], 64);
    }
}

enum br_rc br_old_rows_open(struct br_legacy_db *db, enum br_old_table table, bool note, struct br_old_rows *r, struct br_err *err)
{
    sqlite3_stmt *st;
    int s = SQLITE_DONE, n = 0;
    *r = (struct br_old_rows){.db = db, .table = table};
    br_arena_init(&r->arena, ROW_MAX);
    if (!db->names[table][0])
        return BR_OK;
    enum br_rc rc = br_legacy_db_prepare(db, &st, err, "SELECT name FROM pragma_table_info(%Q, %Q) ORDER BY cid", db->names[table], db->schema);
    if (rc != BR_OK)
        return rc;
    char (*names)[64] = calloc(2048, sizeof *names);
    if (!names)
        rc = br_fail_nomem(err);
    while (rc == BR_OK && n < 2048 && (s = sqlite3_step(st)) == SQLITE_ROW) {
        snprintf(names[n], sizeof names[n], "%.63s", (const char *)sqlite3_column_text(st, 0));
        bool line = strcmp(db->schema, "main") == 0 && n == 0; /* our own, of a staged dump */
        n++;
        if (!line && !give_meaning(r, names[n - 1], n) && note) {
            char why[160];
            snprintf(why, sizeof why, "column %s is not taken over", names[n - 1]);
            rc = br_legacy_db_note(db, BR_WARN_UNMAPPED_COLUMN, 1, db->names[table], 0, why, err);
        }
    }
    if (rc == BR_OK && s != SQLITE_DONE)
        rc = br_legacy_db_fail(db, err);
    if (rc == BR_OK)
        close_holes(r, names);
    free(names);
    sqlite3_finalize(st);
    return rc;
}

static char *order_of(const struct br_old_rows *r)
{
    char *order = sqlite3_mprintf(" ORDER BY ");
    const enum br_old_field by[] = {OLD_CHANNEL, OLD_TS, OLD_ID};
    for (size_t i = 0; i < BR_COUNT(by) && order; i++) {
        if (!r->columns[by[i]][0])
            continue;
        char *longer = by[i] == OLD_ID ? sqlite3_mprintf("%s CAST(\"%w\" AS INTEGER), \"%w\",", order, r->first[by[i]], r->first[by[i]])
                                       : sqlite3_mprintf("%s \"%w\",", order, r->first[by[i]]);
        sqlite3_free(order);
        order = longer;
    }
    if (order)
        order[strlen(order) - 1] = 0;
    return order;
}

enum br_rc br_old_rows_start(struct br_old_rows *r, bool by_time, struct br_err *err)
{
    struct br_legacy_db *db = r->db;
    struct br_err ignored = {0};
    sqlite3_finalize(r->st);
    r->st = NULL;
    r->n = 0;
    if (!db->names[r->table][0])
        return BR_OK;
    char *order = by_time ? order_of(r) : sqlite3_mprintf("%s", "");
    if (!order)
        return br_fail_nomem(err);
    enum br_rc rc = br_legacy_db_prepare(db, &r->st, &ignored, "SELECT *, rowid FROM %s.\"%w\"%s", db->schema, db->names[r->table], order);
    if (rc != BR_OK) /* WITHOUT ROWID */
        rc = br_legacy_db_prepare(db, &r->st, err, "SELECT *, 0 FROM %s.\"%w\"%s", db->schema, db->names[r->table], order);
    sqlite3_free(order);
    return rc;
}

enum br_rc br_old_rows_next(struct br_old_rows *r, bool *row, struct br_err *err)
{
    if (r->arena.failed) /* a value of the row before looked absent */
        return br_fail_nomem(err);
    br_arena_free(&r->arena);
    r->nul = r->invalid = false;
    *row = false;
    if (!r->st)
        return BR_OK;
    int s = sqlite3_step(r->st);
    if (s != SQLITE_ROW)
        return s == SQLITE_DONE ? BR_OK : br_legacy_db_fail(r->db, err);
    *row = true;
    r->n++;
    bool staged = strcmp(r->db->schema, "main") == 0;
    r->at = (uint64_t)sqlite3_column_int64(r->st, staged ? 0 : sqlite3_column_count(r->st) - 1);
    if (!r->at)
        r->at = r->n;
    return BR_OK;
}

void br_old_rows_close(struct br_old_rows *r)
{
    sqlite3_finalize(r->st);
    r->st = NULL;
    br_arena_free(&r->arena);
}

bool br_old_has(const struct br_old_rows *r, enum br_old_field f)
{
    return r->columns[f][0] != 0;
}

const char *br_old_get(struct br_old_rows *r, enum br_old_field f, int k)
{
    int column = k < OLD_COLUMNS_MAX ? r->columns[f][k] - 1 : -1;
    char number[64];
    struct br_buf b;
    if (column < 0 || sqlite3_column_type(r->st, column) == SQLITE_NULL)
        return NULL;
    if (sqlite3_column_type(r->st, column) == SQLITE_FLOAT) { /* SQLite's own text has 15 digits: too few for a ts; and 10.0 is the key 10 */
        double d = sqlite3_column_double(r->st, column);
        bool whole = d >= -1e15 && d <= 1e15 && d == (double)(int64_t)d;
        snprintf(number, sizeof number, whole ? "%.0f" : "%.6f", d);
        return br_arena_str(&r->arena, number);
    }
    const char *text = (const char *)sqlite3_column_text(r->st, column);
    size_t n = (size_t)sqlite3_column_bytes(r->st, column);
    r->arena.failed |= !text; /* what is not NULL has a text */
    if (!text || !n)
        return NULL;
    br_buf_init(&b, ROW_MAX);
    br_text_repair(text, n, &b, &r->nul, &r->invalid);
    const char *copy = b.len ? br_arena_strn(&r->arena, b.data, b.len) : NULL;
    r->arena.failed |= b.failed;
    br_buf_free(&b);
    return copy;
}

const char *br_old_any(struct br_old_rows *r, enum br_old_field f)
{
    const char *v = NULL;
    for (int k = 0; k < OLD_COLUMNS_MAX && r->columns[f][k] && !v; k++)
        v = br_old_get(r, f, k);
    return v;
}

bool br_old_true(struct br_old_rows *r, enum br_old_field f)
{
    for (int k = 0; k < OLD_COLUMNS_MAX && r->columns[f][k]; k++) {
        const char *v = br_old_get(r, f, k);
        if (v && br_truth_parse(v))
            return true;
    }
    return false;
}
