/* slack_names.c - names to ids and back. Ids come first, since names are reused and may look like ids; then names without regard to case,
 * handles before display names before real names, and who is active before who is not; then names without regard to marks
 * on letters. Two of the best sort are ambiguous: a choice is never made in silence. */
#include "slack_int.h"

#include <stdio.h>

#include "name_fold.h"
#include "store_core.h"

#define NAME_MAX_BYTES BR_NAME_BYTES
#define NEAREST 3
#define CANDIDATES 5

/* --- Finding --- */

struct candidate {
    char id[NAME_MAX_BYTES]; /* of bots: the name, where there is no id */
    char called[64];         /* the most telling of its other names, "" none */
};
struct finder {
    char wanted[NAME_MAX_BYTES], bare[NAME_MAX_BYTES]; /* without case; without marks too */
    size_t limit; /* of distance */
    int rank;     /* of the best match; smaller is better */
    size_t matches;
    struct candidate best[CANDIDATES]; /* up to that many of them */
    struct {
        size_t distance;
        char name[NAME_MAX_BYTES];
    } near[NEAREST];
    size_t n_near;
};

static void copy_id(char out[64], const char *id)
{
    snprintf(out, 64, "%.63s", id); /* ids are that short: br_slack_check_id */
}

static void copy_key(char out[NAME_MAX_BYTES], const char *id)
{
    snprintf(out, NAME_MAX_BYTES, "%s", id);
}

/* The name of a row that says the most about it; the matched one is known already. */
static void describe(char out[64], const char *const *names, int n_names, int matched)
{
    out[0] = 0;
    for (int i = n_names - 1; i >= 0 && !out[0]; i--)
        if (i != matched && names[i] && names[i][0])
            snprintf(out, 64, "%.60s", names[i]);
}

static void note_match(struct finder *f, const char *id, const char *const *names, int n_names, int matched, int rank)
{
    if (f->matches && rank > f->rank)
        return;
    if (!f->matches || rank < f->rank) {
        f->rank = rank;
        f->matches = 0;
    }
    for (size_t i = 0; i < BR_MIN(f->matches, (size_t)CANDIDATES); i++)
        if (strcmp(f->best[i].id, id) == 0)
            return;
    if (f->matches < CANDIDATES) {
        copy_key(f->best[f->matches].id, id);
        describe(f->best[f->matches].called, names, n_names, matched);
    }
    f->matches++;
}

static void note_near(struct finder *f, const char *name, size_t d)
{
    size_t at = f->n_near;
    for (size_t i = 0; i < f->n_near; i++)
        if (strcmp(f->near[i].name, name) == 0)
            return;
    while (at > 0 && f->near[at - 1].distance > d)
        at--;
    if (at == NEAREST)
        return;
    f->n_near = BR_MIN(f->n_near + 1, (size_t)NEAREST);
    memmove(&f->near[at + 1], &f->near[at], (f->n_near - 1 - at) * sizeof(f->near[0]));
    f->near[at].distance = d;
    snprintf(f->near[at].name, sizeof(f->near[at].name), "%s", name);
}

/* Whether a name is the one wanted (and how well), or near to it: a slip of the keyboard away, or a part of it is what was typed. */
static void note_name(struct finder *f, const char *id, const char *const *names, int n_names, int which, int lesser)
{
    char folded[NAME_MAX_BYTES], bare[NAME_MAX_BYTES];
    const char *name = names[which];
    if (!name || !*name)
        return;
    br_name_fold_case(name, folded);
    if (strcmp(folded, f->wanted) == 0) {
        note_match(f, id, names, n_names, which, lesser * n_names + which);
        return;
    }
    br_name_fold_marks(name, bare);
    if (strcmp(bare, f->bare) == 0) {
        note_match(f, id, names, n_names, which, (2 + lesser) * n_names + which);
        return;
    }
    size_t d = br_name_distance(bare, f->bare, f->limit);
    if (d > f->limit && br_name_has_words(bare, f->bare))
        d = 1;
    if (d <= f->limit)
        note_near(f, name, BR_MAX(d, (size_t)1));
}

#define NAMES_MAX 4

/* Columns: id, lesser (archived, deleted), names from the most to the least telling. */
static void note_row(struct finder *f, sqlite3_stmt *st, int n_names)
{
    const char *names[NAMES_MAX];
    for (int i = 0; i < n_names; i++)
        names[i] = br_slack_column_text(st, 2 + i);
    for (int i = 0; i < n_names; i++)
        note_name(f, br_slack_column_key(st, 0), names, n_names, i, sqlite3_column_int(st, 1));
}

static enum br_rc look(struct br_store *s, const char *sql, int n_names, struct finder *f, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    BR_TRY(br_store_stmt(s, sql, &st, err));
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        note_row(f, st, n_names);
    }
err:
    return rc;
}

static enum br_rc not_found(const struct finder *f, const char *what, const char *name, struct br_err *err)
{
    char near[BR_COUNT(f->near) * (NAME_MAX_BYTES + 4) + 1] = "";
    size_t n = 0;
    for (size_t i = 0; i < f->n_near; i++)
        n += (size_t)snprintf(near + n, sizeof(near) - n, "%s%.60s", i ? ", " : "", f->near[i].name);
    if (f->n_near)
        return br_fail(err, BR_E_NOTFOUND, "there is no %s \"%.64s\"; near: %s", what, name, near);
    return br_fail(err, BR_E_NOTFOUND, "there is no %s \"%.64s\"", what, name);
}

static enum br_rc id_exists(struct br_store *s, const char *sql, const char *id, bool *exists, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s, sql, &st, err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, id);
    rc = br_slack_step(s, st, exists, err);
    sqlite3_reset(st);
    return rc;
}

/* What names of one sort are looked up by. */
struct lookup {
    const char *what;
    char sigil;
    const char *by_id, *all; /* for id_exists and for look */
    int n_names;
};

static const struct lookup channels = {
    "channel", '#', "SELECT 1 FROM channels WHERE workspace_id = ?1 AND channel_id = ?2",
    "SELECT channel_id, is_archived, name FROM channels WHERE workspace_id = ?1", 1};
static const struct lookup users = {"user", '@', "SELECT 1 FROM users WHERE workspace_id = ?1 AND user_id = ?2",
                                    "SELECT user_id, is_deleted OR is_stub, name, display_name, real_name,"
                                    " CASE user_id WHEN 'USLACKBOT' THEN 'slackbot' END"
                                    " FROM users WHERE workspace_id = ?1",
                                    4};
/* Bots are known from their messages alone. Spellings of a name that differ in case are one bot. */
static const struct lookup bots = {
    "user", '@',
    "SELECT 1 FROM message_metadata INDEXED BY messages_by_bot_id WHERE workspace_id = ?1 AND bot_id = ?2"
    " AND slot IS NOT NULL LIMIT 1",
    NULL, 1};
/* Of a file of before version 3, which has no index of bots: all messages are gone through. */
static const struct lookup old_bots = {
    "user", '@', "SELECT 1 FROM message_metadata NOT INDEXED WHERE workspace_id = ?1 AND bot_id = ?2 LIMIT 1",
    "SELECT bot_name, 0, bot_name FROM message_metadata NOT INDEXED WHERE workspace_id = ?1 AND bot_name <> ''"
    " GROUP BY bot_name COLLATE NOCASE",
    1};

/* From one name to the next, so that a bot costs one step however much it wrote. */
static enum br_rc look_at_bots(struct br_store *s, struct finder *f, struct br_err *err)
{
    struct br_buf at; /* the name before, all of it: a part could be found again and again */
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    br_buf_init(&at, SIZE_MAX / 4);
    for (;;) {
        BR_TRY(br_store_stmt(s,
                             "SELECT bot_name FROM message_metadata INDEXED BY messages_by_bot_name"
                             " WHERE workspace_id = ?1 AND bot_name > ?2 COLLATE NOCASE AND bot_name IS NOT NULL"
                             " AND slot IS NOT NULL ORDER BY bot_name COLLATE NOCASE LIMIT 1",
                             &st, err));
        if (sqlite3_bind_text(st, 2, br_buf_str(&at), (int)at.len, SQLITE_TRANSIENT) != SQLITE_OK)
            BR_TRY(br_fail_nomem(err));
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            break;
        const char *name = br_slack_column_key(st, 0);
        if (sqlite3_stricmp(name, br_buf_str(&at)) <= 0) /* a damaged tree gives its rows in any order */
            rc = br_fail(err, BR_E_CORRUPT, "%s/metadata.db: the index of bots' names makes no sense: run repair", br_store_dir(s));
        if (rc != BR_OK) {
            sqlite3_reset(st);
            goto err;
        }
        if (strlen(name) < NAME_MAX_BYTES)
            note_name(f, name, &name, 1, 0, 0);
        br_buf_reset(&at);
        br_buf_add(&at, name, (size_t)sqlite3_column_bytes(st, 0));
        sqlite3_reset(st);
        BR_TRY(br_buf_status(&at, err));
    }
err:
    br_buf_free(&at);
    return rc;
}

/* Ids are in capitals. A name that is one but for the case goes before. */
static enum br_rc find_id_in_capitals(struct br_store *s, const struct lookup *l, const char *name, struct finder *f, struct br_err *err)
{
    char id[64];
    bool exists;
    size_t n = strlen(name);
    if (n >= sizeof(id))
        return BR_OK;
    for (size_t i = 0; i <= n; i++)
        id[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    enum br_rc rc = id_exists(s, l->by_id, id, &exists, err);
    if (rc == BR_OK && exists) {
        copy_key(f->best[0].id, id);
        f->matches = 1;
    }
    return rc;
}

static enum br_rc find_in(struct br_store *s, const struct lookup *l, const char *name, struct finder *f,
                          struct br_err *err)
{
    bool exists;
    enum br_rc rc;
    BR_TRY(id_exists(s, l->by_id, name, &exists, err));
    if (exists) {
        copy_key(f->best[0].id, name);
        f->matches = 1;
        return BR_OK;
    }
    br_name_fold_case(name, f->wanted);
    br_name_fold_marks(name, f->bare);
    f->limit = BR_MAX((size_t)1, BR_MIN(strlen(f->bare) / 3, (size_t)4));
    BR_TRY(l->all ? look(s, l->all, l->n_names, f, err) : look_at_bots(s, f, err));
    if (!f->matches)
        BR_TRY(find_id_in_capitals(s, l, name, f, err));
err:
    return rc;
}

static const char *without_sigil(const struct lookup *l, const char *name)
{
    return name[0] == l->sigil ? name + 1 : name;
}

static enum br_rc ambiguous(const struct finder *f, const struct lookup *l, const char *name, struct br_err *err)
{
    char list[CANDIDATES * 144] = "";
    size_t n = 0, shown = BR_MIN(f->matches, (size_t)CANDIDATES);
    for (size_t i = 0; i < shown; i++) {
        const struct candidate *c = &f->best[i];
        n += (size_t)snprintf(list + n, sizeof(list) - n, c->called[0] ? "%s%.64s (%.60s)" : "%s%.64s%.0s", i ? ", " : "", c->id, c->called);
    }
    return br_fail(err, BR_E_USAGE, "\"%.64s\" is the name of %zu %ss: %s%s: give the id", name, f->matches, l->what, list,
                   f->matches > shown ? " and more" : "");
}

static enum br_rc the_one(const struct finder *f, const struct lookup *l, const char *name, struct br_err *err)
{
    if (!f->matches)
        return not_found(f, l->what, name, err);
    return f->matches > 1 ? ambiguous(f, l, name, err) : BR_OK;
}

static enum br_rc find(struct br_store *s, const struct lookup *l, const char *name, char id[64], struct br_err *err)
{
    struct finder f = {0};
    enum br_rc rc;
    name = without_sigil(l, name);
    BR_TRY(find_in(s, l, name, &f, err));
    BR_TRY(the_one(&f, l, name, err));
    copy_id(id, f.best[0].id);
err:
    return rc;
}

enum br_rc br_slack_find_channel(struct br_store *s, const char *name_or_id, char id[64], struct br_err *err)
{
    return find(s, &channels, name_or_id, id, err);
}

enum br_rc br_slack_find_user(struct br_store *s, const char *name_or_id, char id[64], struct br_err *err)
{
    return find(s, &users, name_or_id, id, err);
}

enum br_rc br_slack_find_author(struct br_store *s, const char *name_or_id, struct br_slack_author *author,
                                struct br_err *err)
{
    struct finder f = {0};
    enum br_rc rc;
    const char *name = without_sigil(&users, name_or_id);
    *author = (struct br_slack_author){0};
    BR_TRY(find_in(s, &users, name, &f, err));
    if (!f.matches) {
        author->is_bot = true;
        BR_TRY(find_in(s, s->schema_version < 3 ? &old_bots : &bots, name, &f, err));
    }
    BR_TRY(the_one(&f, &users, name, err));
    copy_key(author->key, f.best[0].id);
err:
    return rc;
}

static enum br_rc each_row(struct br_store *s, sqlite3_stmt *st, size_t *n,
                           enum br_rc (*fn)(void *ctx, const char *id, const char *name), void *ctx, struct br_err *err)
{
    enum br_rc rc;
    bool row;
    for (*n = 0;; ++*n) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        rc = fn(ctx, br_slack_column_key(st, 0), br_slack_column_text(st, 1));
        if (rc != BR_OK) {
            sqlite3_reset(st);
            return br_fail(err, rc, "%s", br_rc_text(rc));
        }
    }
err:
    return rc;
}

/* Exports may lack the members of a DM: whoever wrote there is one. */
enum br_rc br_slack_find_dms(struct br_store *s, const char *user,
                             enum br_rc (*fn)(void *ctx, const char *id, const char *name), void *ctx,
                             struct br_err *err)
{
    char id[64];
    sqlite3_stmt *st;
    size_t n;
    enum br_rc rc;
    BR_TRY(br_slack_find_user(s, user, id, err));
    BR_TRY(br_store_stmt(s,
                         "SELECT c.channel_id, c.name FROM channels c"
                         " WHERE c.workspace_id = ?1 AND c.kind = 2 /* DM */ AND (EXISTS(SELECT 1 FROM channel_members m"
                         "  WHERE m.workspace_id = ?1 AND m.channel_id = c.channel_id AND m.user_id = ?2)"
                         " OR EXISTS(SELECT 1 FROM message_metadata m INDEXED BY messages_by_user"
                         "  WHERE m.workspace_id = ?1 AND m.user_id = ?2 AND m.channel_id = c.channel_id AND m.slot IS NOT NULL))",
                         &st, err));
    br_slack_bind_text(st, 2, id);
    BR_TRY(each_row(s, st, &n, fn, ctx, err));
    if (!n)
        return br_fail(err, BR_E_NOTFOUND, "there is no direct message with \"%.64s\"", user);
err:
    return rc;
}

/* --- All names --- */

static enum br_rc each(struct br_store *s, const char *sql,
                       enum br_rc (*fn)(void *ctx, const char *id, const char *name), void *ctx, struct br_err *err)
{
    sqlite3_stmt *st;
    size_t n;
    enum br_rc rc = br_store_stmt(s, sql, &st, err);
    return rc == BR_OK ? each_row(s, st, &n, fn, ctx, err) : rc;
}

enum br_rc br_slack_each_user(struct br_store *s, enum br_rc (*fn)(void *ctx, const char *id, const char *name),
                              void *ctx, struct br_err *err)
{
    return each(s,
                "SELECT user_id, coalesce(nullif(display_name, ''), nullif(real_name, ''), nullif(name, ''))"
                " FROM users WHERE workspace_id = ?1",
                fn, ctx, err);
}

enum br_rc br_slack_each_channel(struct br_store *s, enum br_rc (*fn)(void *ctx, const char *id, const char *name),
                                 void *ctx, struct br_err *err)
{
    return each(s, "SELECT channel_id, name FROM channels WHERE workspace_id = ?1", fn, ctx, err);
}
