/* slack_names.c - names to ids and back. Ids come first, since names are reused and may look like ids. */
#include "slack_int.h"

#include <stdio.h>

#define NAME_MAX_BYTES 256
#define NEAREST 3
#define DISTANCE_BYTES 64 /* longer names are compared by equality alone */

/* --- Case folding: the scripts with case that names are written in, one to one. Not a full Unicode fold: an
 * unfolded letter costs a user the exact spelling, no more. --- */

static unsigned fold_scalar(unsigned c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9) ||
        (c >= 0x410 && c <= 0x42F))
        return c + 0x20;
    if (c >= 0x400 && c <= 0x40F)
        return c + 0x50;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E))
        return c % 2 ? c + 1 : c;
    if ((c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177) || (c >= 0x460 && c <= 0x4FF))
        return c % 2 ? c : c + 1;
    return c;
}

/* Two-byte sequences hold all that fold_scalar changes, and give two bytes again. */
static void fold(const char *in, char out[NAME_MAX_BYTES])
{
    const unsigned char *p = (const unsigned char *)in;
    size_t n = 0;
    while (*p && n + 2 < NAME_MAX_BYTES) {
        if (p[0] >= 0xC3 && p[0] < 0xE0 && (p[1] & 0xC0) == 0x80) {
            unsigned c = fold_scalar((p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu));
            out[n++] = (char)(0xC0 | c >> 6);
            out[n++] = (char)(0x80 | (c & 0x3F));
            p += 2;
        } else {
            out[n++] = *p < 0x80 ? (char)fold_scalar(*p) : (char)*p;
            p++;
        }
    }
    out[n] = 0;
}

/* Levenshtein's distance in bytes, cut off at limit + 1. */
static size_t distance(const char *a, const char *b, size_t limit)
{
    size_t na = strlen(a), nb = strlen(b);
    size_t row[DISTANCE_BYTES + 1];
    if (na > DISTANCE_BYTES || nb > DISTANCE_BYTES || (na > nb ? na - nb : nb - na) > limit)
        return limit + 1;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0], least = i;
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = BR_MIN(change, BR_MIN(row[j], row[j - 1]) + 1);
            least = BR_MIN(least, row[j]);
        }
        if (least > limit)
            return limit + 1;
    }
    return row[nb];
}

/* --- Finding --- */

struct finder {
    char wanted[NAME_MAX_BYTES];
    size_t limit; /* of distance */
    int rank;     /* of the best match; smaller is better */
    size_t matches;
    char id[NAME_MAX_BYTES], other_id[NAME_MAX_BYTES]; /* of bots: the name, where there is no id */
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

static void note_match(struct finder *f, const char *id, int rank)
{
    if (f->matches && rank > f->rank)
        return;
    if (!f->matches || rank < f->rank) {
        f->rank = rank;
        f->matches = 1;
        copy_key(f->id, id);
    } else if (strcmp(f->id, id) != 0) {
        f->matches++;
        copy_key(f->other_id, id);
    }
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

static void note_name(struct finder *f, const char *id, const char *name, int rank)
{
    char folded[NAME_MAX_BYTES];
    if (!name || !*name)
        return;
    fold(name, folded);
    size_t d = strcmp(folded, f->wanted) == 0 ? 0 : distance(folded, f->wanted, f->limit);
    if (d == 0)
        note_match(f, id, rank);
    else if (d <= f->limit)
        note_near(f, name, d);
}

/* Columns: id, lesser (archived, deleted), names from the most to the least telling. */
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
        const char *id = br_slack_column_text(st, 0);
        int lesser = sqlite3_column_int(st, 1);
        for (int i = 0; i < n_names; i++)
            note_name(f, id, br_slack_column_text(st, 2 + i), lesser * n_names + i);
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
    "user", '@', "SELECT 1 FROM message_metadata NOT INDEXED WHERE workspace_id = ?1 AND bot_id = ?2 LIMIT 1",
    "SELECT bot_name, 0, bot_name FROM message_metadata NOT INDEXED WHERE workspace_id = ?1 AND bot_name <> ''"
    " GROUP BY bot_name COLLATE NOCASE",
    1};

static enum br_rc find_in(struct br_store *s, const struct lookup *l, const char *name, struct finder *f,
                          struct br_err *err)
{
    bool exists;
    enum br_rc rc;
    BR_TRY(id_exists(s, l->by_id, name, &exists, err));
    if (exists) {
        copy_key(f->id, name);
        f->matches = 1;
        return BR_OK;
    }
    fold(name, f->wanted);
    f->limit = BR_MAX((size_t)1, BR_MIN(strlen(f->wanted) / 3, (size_t)4));
    BR_TRY(look(s, l->all, l->n_names, f, err));
err:
    return rc;
}

static const char *without_sigil(const struct lookup *l, const char *name)
{
    return name[0] == l->sigil ? name + 1 : name;
}

static enum br_rc the_one(const struct finder *f, const struct lookup *l, const char *name, struct br_err *err)
{
    if (!f->matches)
        return not_found(f, l->what, name, err);
    if (f->matches > 1)
        return br_fail(err, BR_E_USAGE, "\"%.64s\" is the name of %zu %ss, %.64s and %.64s among them: give the id", name,
                       f->matches, l->what, f->id, f->other_id);
    return BR_OK;
}

static enum br_rc find(struct br_store *s, const struct lookup *l, const char *name, char id[64], struct br_err *err)
{
    struct finder f = {0};
    enum br_rc rc;
    name = without_sigil(l, name);
    BR_TRY(find_in(s, l, name, &f, err));
    BR_TRY(the_one(&f, l, name, err));
    copy_id(id, f.id);
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
        BR_TRY(find_in(s, &bots, name, &f, err));
    }
    BR_TRY(the_one(&f, &users, name, err));
    copy_key(author->key, f.id);
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
        rc = fn(ctx, br_slack_column_text(st, 0), br_slack_column_text(st, 1));
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
