/* legacy.c - rows of the earlier design to events: its four tables are joined here, by whatever they refer to each other with.
 *
 * A user or channel is known by each of its ids and by its name; the id it gets is Slack's own where there is one, else one made of what
 * stands there, the same in every run. A message becomes the object that Slack would have exported, and is then read as one (message.c). A
 * deleted message keeps its place and loses its text: a tombstone. Reactions are first sorted by the message they are about, in the temporary
 * database. In memory are a few words per user and channel, and one message. */
#include "legacy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "id_map.h"
#include "json_load.h"
#include "legacy_row.h"
#include "legacy_value.h"
#include "slack_object.h"

#define STRINGS_MAX ((size_t)1 << 30)
#define KEYS_MAX 10
#define JSON_MAX_COLUMN ((size_t)16 << 20)

struct br_legacy {
    struct br_legacy_db db;
    struct br_arena strings;
    struct br_id_map users, channels;       /* any key to an index */
    const char **user_ids, **channel_ids;   /* by index */
    size_t n_users, users_alloc, n_channels, channels_alloc;
    struct br_id_map announced;             /* channels whose event was given */
    const struct br_sink *sink;
    sqlite3_stmt *find_reactions, *use_reactions, *find_parent;
    uint64_t n_messages;
    char file[160]; /* "old.sql: messages", for notes of message.c */
    struct br_arena arena; /* of a message */
    bool no_memory;        /* the message under way lacks something for it */
};

/* --- Ids --- */

static bool slack_look(const char *s, const char *letters)
{
    size_t n = strlen(s);
    return n >= 2 && n <= 63 && strchr(letters, s[0]) && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == n;
}

static bool all_digits(const char *s)
{
    return s[strspn(s, "0123456789")] == 0;
}

/* Something that is no Slack id, as an id. */
static const char *made_id(struct br_arena *a, const char *kind, const char *s)
{
    char id[64];
    size_t n = strlen(s);
    if (all_digits(s) && n < 40)
        snprintf(id, sizeof id, "OLD-%s-%.40s", kind, s);
    else if (n <= 63 && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") == n)
        return br_arena_str(a, s);
    else
        snprintf(id, sizeof id, "OLD-%s-%016llX", kind, (unsigned long long)br_id_hash(0, s));
    return br_arena_str(a, id);
}

/* Of a row of users or channels. NULL: it has none. */
static const char *id_of_row(struct br_old_rows *r, const char *letters, const char *kind, struct br_arena *a)
{
    const char *any = NULL;
    for (int k = 0; k < OLD_COLUMNS_MAX; k++) {
        const char *v = br_old_get(r, OLD_SLACK_ID, k);
        if (v && slack_look(v, letters))
            return br_arena_str(a, v);
        any = any ? any : v;
    }
    return any ? made_id(a, kind, any) : NULL;
}

static bool grow_ids(const char ***ids, size_t *alloc, size_t n)
{
    if (n < *alloc)
        return true;
    size_t more = *alloc ? *alloc * 2 : 64;
    const char **p = realloc(*ids, more * sizeof **ids);
    if (!p)
        return false;
    *ids = p;
    *alloc = more;
    return true;
}

static enum br_rc learn_key(struct br_legacy *l, struct br_id_map *m, const char *key, uint32_t index, struct br_err *err)
{
    if (!key || br_id_map_get(m, key) != BR_ID_NONE)
        return BR_OK;
    const char *copy = br_arena_str(&l->strings, key);
    return copy && br_id_map_add(m, copy, &index) ? BR_OK : br_fail_nomem(err);
}

/* Reads a table of names once, for its keys. */
static enum br_rc learn(struct br_legacy *l, enum br_old_table table, struct br_err *err)
{
    bool users = table == BR_OLD_USERS, row;
    struct br_id_map *map = users ? &l->users : &l->channels;
    const char ***ids = users ? &l->user_ids : &l->channel_ids;
    size_t *n = users ? &l->n_users : &l->n_channels, *alloc = users ? &l->users_alloc : &l->channels_alloc;
    struct br_old_rows r;
    enum br_rc rc;
    BR_TRY(br_old_rows_open(&l->db, table, true, &r, err));
    for (int pass = 0; pass < 2; pass++) { /* ids before names: an id beats every name */
        size_t index = 0;
        BR_TRY(br_old_rows_start(&r, false, err));
        for (;;) {
            BR_TRY(br_old_rows_next(&r, &row, err));
            if (!row)
                break;
            const char *id = id_of_row(&r, users ? "UWB" : "CDG", users ? "U" : "C", &l->strings);
            if (l->strings.failed)
                BR_TRY(br_fail_nomem(err));
            if (!id)
                continue;
            if (pass == 0) {
                if (!grow_ids(ids, alloc, *n))
                    BR_TRY(br_fail_nomem(err));
                (*ids)[(*n)++] = id;
                BR_TRY(learn_key(l, map, id, (uint32_t)index, err));
                for (int k = 0; k < OLD_COLUMNS_MAX; k++)
                    BR_TRY(learn_key(l, map, br_old_get(&r, OLD_ID, k), (uint32_t)index, err));
            } else {
                const char *name = br_old_any(&r, OLD_NAME);
                BR_TRY(learn_key(l, map, name && name[0] == '#' ? name + 1 : name, (uint32_t)index, err));
            }
            index++;
        }
    }
err:
    br_old_rows_close(&r);
    return rc;
}

static const char *user_id(struct br_legacy *l, const char *reference)
{
    uint32_t at = reference ? br_id_map_get(&l->users, reference) : BR_ID_NONE;
    return at != BR_ID_NONE ? l->user_ids[at] : reference ? made_id(&l->arena, "U", reference) : NULL;
}

/* A name that no table lists gets the id that an export's folder of that name would get. */
static const char *channel_id(struct br_legacy *l, const char *reference, struct br_arena *a)
{
    char id[32];
    if (reference[0] == '#')
        reference++;
    uint32_t at = br_id_map_get(&l->channels, reference);
    if (at != BR_ID_NONE)
        return l->channel_ids[at];
    if (slack_look(reference, "CDG") || all_digits(reference))
        return made_id(a, "C", reference);
    snprintf(id, sizeof id, "F%015llX", (unsigned long long)(br_id_hash(0, reference) >> 4));
    return br_arena_str(a, id);
}

/* --- Opening --- */

/* Most of the users' team; else made from the name; else from the least channel. */
static enum br_rc name_workspace(struct br_legacy *l, const char *name_hint, struct br_source_workspace *w, struct br_err *err)
{
    struct br_old_rows r;
    sqlite3_stmt *st = NULL;
    char id[64] = "";
    enum br_rc rc;
    BR_TRY(br_old_rows_open(&l->db, BR_OLD_USERS, false, &r, err));
    if (br_old_has(&r, OLD_TEAM)) {
        BR_TRY(br_legacy_db_prepare(&l->db, &st, err,
                                    "SELECT \"%w\" FROM %s.\"%w\" WHERE \"%w\" GLOB '[TE][A-Z0-9]*' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
                                    r.first[OLD_TEAM], l->db.schema, l->db.names[BR_OLD_USERS], r.first[OLD_TEAM]));
        int s = sqlite3_step(st);
        const char *team = s == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
        if (s == SQLITE_ROW ? !team : s != SQLITE_DONE)
            BR_TRY(br_legacy_db_fail(&l->db, err));
        if (team && slack_look(team, "TE"))
            snprintf(id, sizeof id, "%.63s", team);
    }
    const char *least = "";
    for (size_t i = 0; i < l->n_channels; i++)
        if (!*least || strcmp(l->channel_ids[i], least) < 0)
            least = l->channel_ids[i];
    if (!id[0] && name_hint && *name_hint)
        snprintf(id, sizeof id, "NAME-%016llX", (unsigned long long)br_id_hash(0, name_hint));
    else if (!id[0])
        snprintf(id, sizeof id, "CHANNELS-%016llX", (unsigned long long)br_id_hash(0, least));
    *w = (struct br_source_workspace){.id = br_arena_str(&l->strings, id)};
    if (!w->id)
        rc = br_fail_nomem(err);
err:
    sqlite3_finalize(st);
    br_old_rows_close(&r);
    return rc;
}

/* Without these columns nothing would come of it: said before anything is made. */
static enum br_rc check_messages(struct br_legacy *l, struct br_err *err)
{
    struct br_old_rows r;
    enum br_rc rc = br_old_rows_open(&l->db, BR_OLD_MESSAGES, false, &r, err);
    const char *lacks = !br_old_has(&r, OLD_TEXT)      ? "text"
                        : !br_old_has(&r, OLD_CHANNEL) ? "channel"
                        : !br_old_has(&r, OLD_TS)      ? "time"
                                                       : NULL;
    br_old_rows_close(&r);
    if (rc == BR_OK && lacks)
        rc = br_fail(err, BR_E_DATA, "%s: table %s has no column for the %s: it is not of the earlier design", l->db.path,
                     l->db.names[BR_OLD_MESSAGES], lacks);
    return rc;
}

enum br_rc br_legacy_open(const char *path, const char *name_hint, struct br_legacy **out, struct br_source_workspace *workspace,
                          struct br_err *err)
{
    enum br_rc rc;
    struct br_legacy *l = calloc(1, sizeof *l);
    if (!l)
        return br_fail_nomem(err);
    br_arena_init(&l->strings, STRINGS_MAX);
    br_arena_init(&l->arena, STRINGS_MAX);
    BR_TRY(br_legacy_db_open(path, &l->db, err));
    snprintf(l->file, sizeof l->file, "%.100s: messages", l->db.file);
    BR_TRY(check_messages(l, err));
    BR_TRY(learn(l, BR_OLD_USERS, err));
    BR_TRY(learn(l, BR_OLD_CHANNELS, err));
    BR_TRY(name_workspace(l, name_hint, workspace, err));
    *out = l;
    return BR_OK;
err:
    br_legacy_close(l);
    return rc;
}

void br_legacy_close(struct br_legacy *l)
{
    if (!l)
        return;
    sqlite3_finalize(l->find_reactions);
    sqlite3_finalize(l->use_reactions);
    sqlite3_finalize(l->find_parent);
    br_legacy_db_close(&l->db);
    br_id_map_free(&l->users);
    br_id_map_free(&l->channels);
    br_id_map_free(&l->announced);
    free(l->user_ids);
    free(l->channel_ids);
    br_arena_free(&l->strings);
    br_arena_free(&l->arena);
    free(l);
}

/* --- Users and channels --- */

static enum br_rc unmapped(struct br_legacy *l, const struct br_old_rows *r, const char *why, struct br_err *err)
{
    if (r->arena.failed || l->arena.failed) /* what is missing may be there */
        return br_fail_nomem(err);
    return br_legacy_db_note(&l->db, BR_WARN_UNMAPPED_ROW, 1, l->db.names[r->table], r->at, why, err);
}

static void note_repairs(struct br_legacy *l, const struct br_old_rows *r)
{
    const struct br_notes notes = {.sink = l->sink, .file = l->file, .record = r->at};
    br_note(&notes, BR_WARN_NUL_IN_TEXT, r->nul);
    br_note(&notes, BR_WARN_INVALID_UTF8, r->invalid);
}

static enum br_rc give(struct br_legacy *l, const struct br_event *ev, struct br_old_rows *r, struct br_err *err)
{
    if (r->arena.failed || l->arena.failed)
        return br_fail_nomem(err);
    note_repairs(l, r);
    return l->sink->event(l->sink->ctx, ev, err);
}

static enum br_rc run_users(struct br_legacy *l, struct br_err *err)
{
    struct br_old_rows r;
    bool row;
    enum br_rc rc;
    BR_TRY(br_old_rows_open(&l->db, BR_OLD_USERS, false, &r, err));
    BR_TRY(br_old_rows_start(&r, false, err));
    for (;;) {
        BR_TRY(br_old_rows_next(&r, &row, err));
        if (!row)
            break;
        struct br_event ev = {.kind = BR_EVENT_USER};
        ev.user = (struct br_user_event){.id = id_of_row(&r, "UWB", "U", &r.arena),
                                         .team_id = br_old_any(&r, OLD_TEAM),
                                         .name = br_old_any(&r, OLD_NAME),
                                         .real_name = br_old_any(&r, OLD_REAL_NAME),
                                         .display_name = br_old_any(&r, OLD_DISPLAY_NAME),
                                         .is_bot = br_old_true(&r, OLD_IS_BOT),
                                         .is_deleted = br_old_true(&r, OLD_DELETED)};
        BR_TRY(ev.user.id ? give(l, &ev, &r, err) : unmapped(l, &r, "a user without an id", err));
    }
err:
    br_old_rows_close(&r);
    return rc;
}

/* The text itself, or Slack's {"value": text}. */
static const char *value_of(struct br_old_rows *r, enum br_old_field f)
{
    const char *text = br_old_any(r, f);
    bool no_memory = false;
    json_t *object = text && *text == '{' ? br_json_load(text, strlen(text), 0, &no_memory) : NULL;
    r->arena.failed |= no_memory;
    if (json_is_object(object))
        text = br_arena_str(&r->arena, br_get_string(object, "value", NULL));
    json_decref(object);
    return text;
}

static enum br_channel_kind channel_kind(struct br_old_rows *r, const char *id)
{
    const char *kind = br_old_any(r, OLD_KIND);
    if (br_old_true(r, OLD_IS_DM) || id[0] == 'D' || (kind && (strcasecmp(kind, "im") == 0 || strcasecmp(kind, "dm") == 0)))
        return BR_CHANNEL_DM;
    if (br_old_true(r, OLD_IS_GROUP_DM) || (kind && (strcasecmp(kind, "mpim") == 0 || strcasecmp(kind, "group_dm") == 0)))
        return BR_CHANNEL_GROUP_DM;
    if (br_old_true(r, OLD_IS_PRIVATE) || id[0] == 'G' || (kind && (strncasecmp(kind, "private", 7) == 0 || strcasecmp(kind, "group") == 0)))
        return BR_CHANNEL_PRIVATE;
    return BR_CHANNEL_PUBLIC;
}

static enum br_rc announce(struct br_legacy *l, const char *id, bool *is_new, struct br_err *err)
{
    uint32_t one = 1;
    *is_new = br_id_map_get(&l->announced, id) == BR_ID_NONE;
    if (!*is_new)
        return BR_OK;
    const char *copy = br_arena_str(&l->strings, id);
    return copy && br_id_map_add(&l->announced, copy, &one) ? BR_OK : br_fail_nomem(err);
}

static enum br_rc run_channel(struct br_legacy *l, struct br_old_rows *r, const char *id, struct br_err *err)
{
    struct br_event ev = {.kind = BR_EVENT_CHANNEL};
    struct br_channel_event *c = &ev.channel;
    const char *name = br_old_any(r, OLD_NAME), *created = br_old_any(r, OLD_CREATED);
    bool is_new, exact;
    enum br_rc rc;
    BR_TRY(announce(l, id, &is_new, err));
    *c = (struct br_channel_event){.id = id,
                                   .kind = channel_kind(r, id),
                                   .topic = value_of(r, OLD_TOPIC),
                                   .purpose = value_of(r, OLD_PURPOSE),
                                   .creator = user_id(l, br_old_any(r, OLD_CREATOR)),
                                   .is_archived = br_old_true(r, OLD_IS_ARCHIVED),
                                   .is_general = br_old_true(r, OLD_IS_GENERAL)};
    c->name = c->kind == BR_CHANNEL_DM ? NULL : name && name[0] == '#' ? name + 1 : name;
    if (!created || !br_when_parse(created, &c->created, &exact))
        c->created = 0;
    BR_TRY(give(l, &ev, r, err));
err:
    return rc;
}

static enum br_rc run_channels(struct br_legacy *l, struct br_err *err)
{
    struct br_old_rows r;
    bool row;
    enum br_rc rc;
    BR_TRY(br_old_rows_open(&l->db, BR_OLD_CHANNELS, false, &r, err));
    BR_TRY(br_old_rows_start(&r, false, err));
    for (;;) {
        br_arena_free(&l->arena);
        BR_TRY(br_old_rows_next(&r, &row, err));
        if (!row)
            break;
        const char *id = id_of_row(&r, "CDG", "C", &r.arena);
        BR_TRY(id ? run_channel(l, &r, id, err) : unmapped(l, &r, "a channel without an id", err));
    }
err:
    br_old_rows_close(&r);
    return rc;
}

/* A channel that only a message names. */
static enum br_rc stub_channel(struct br_legacy *l, struct br_old_rows *r, const char *id, const char *reference, struct br_err *err)
{
    struct br_event ev = {.kind = BR_EVENT_CHANNEL};
    bool is_new;
    enum br_rc rc = announce(l, id, &is_new, err);
    if (rc != BR_OK || !is_new)
        return rc;
    bool named = strcmp(id, reference) != 0 && !all_digits(reference);
    ev.channel = (struct br_channel_event){.id = id,
                                           .name = named ? reference + (reference[0] == '#') : NULL,
                                           .kind = id[0] == 'D' ? BR_CHANNEL_DM : id[0] == 'G' ? BR_CHANNEL_PRIVATE : BR_CHANNEL_PUBLIC,
                                           .is_stub = true};
    return give(l, &ev, r, err);
}

/* --- Reactions, by message --- */

struct reaction_row {
    struct br_legacy *l;
    sqlite3_stmt *st;
    const char *key, *name;
    uint64_t at;
    bool any, failed;
};

static bool put_reaction(struct reaction_row *x, const char *user, int64_t count)
{
    if (x->failed) /* another step would take the place of its error */
        return false;
    sqlite3_reset(x->st);
    sqlite3_bind_int64(x->st, 4, count);
    sqlite3_bind_int64(x->st, 5, (int64_t)x->at);
    x->any = true;
    x->failed = sqlite3_bind_text(x->st, 1, x->key, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
                sqlite3_bind_text(x->st, 2, x->name, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
                sqlite3_bind_text(x->st, 3, user, -1, SQLITE_TRANSIENT) != SQLITE_OK || sqlite3_step(x->st) != SQLITE_DONE;
    return !x->failed;
}

static bool put_reactor(void *ctx, const char *user)
{
    struct reaction_row *x = ctx;
    return put_reaction(x, user_id(x->l, user), 0);
}

/* The key of the message a reaction is about: its id there, or channel and ts. NULL: neither. */
static const char *reaction_key(struct br_legacy *l, struct br_old_rows *r)
{
    const char *message = br_old_any(r, OLD_MESSAGE), *channel = br_old_any(r, OLD_CHANNEL), *ts = br_old_any(r, OLD_TS);
    char key[160];
    int64_t us;
    bool exact;
    if (message)
        snprintf(key, sizeof key, "p%.150s", message);
    else if (channel && ts && br_when_parse(ts, &us, &exact))
        snprintf(key, sizeof key, "c%.63s/%lld", channel_id(l, channel, &l->arena), (long long)us);
    else
        return NULL;
    return br_arena_str(&l->arena, key);
}

static const char *reaction_name(struct br_arena *a, const char *name)
{
    size_t n = strlen(name);
    if (n > 2 && name[0] == ':' && name[n - 1] == ':')
        return br_arena_strn(a, name + 1, n - 2);
    return name;
}

static enum br_rc sort_reaction(struct br_legacy *l, struct br_old_rows *r, sqlite3_stmt *st, struct br_err *err)
{
    const char *name = br_old_any(r, OLD_NAME), *user = br_old_any(r, OLD_USER), *users = br_old_any(r, OLD_USERS);
    const char *count = br_old_any(r, OLD_COUNT);
    struct reaction_row x = {.l = l, .st = st, .at = r->at, .key = reaction_key(l, r)};
    if (!name || !x.key)
        return unmapped(l, r, name ? "a reaction to no message" : "a reaction without a name", err);
    x.name = reaction_name(&l->arena, name);
    if (user)
        put_reactor(&x, user);
    if (users)
        br_array_each(users, put_reactor, &x);
    long long stated = count ? strtoll(count, NULL, 10) : x.any ? 0 : 1;
    if (stated > 0)
        put_reaction(&x, NULL, BR_MIN(stated, 1000000000LL));
    if (l->arena.failed || !x.name)
        return br_fail_nomem(err);
    return x.failed ? br_legacy_db_fail(&l->db, err) : BR_OK;
}

static enum br_rc sort_reactions(struct br_legacy *l, struct br_err *err)
{
    struct br_old_rows r = {0};
    sqlite3_stmt *st = NULL;
    bool row;
    enum br_rc rc = BR_OK;
    if (sqlite3_exec(l->db.db,
                     "BEGIN; DROP TABLE IF EXISTS main.by_message;"
                     "CREATE TABLE main.by_message(key TEXT, name TEXT, user TEXT, count INTEGER, at INTEGER, used INTEGER DEFAULT 0)",
                     NULL, NULL, NULL) != SQLITE_OK)
        BR_TRY(br_legacy_db_fail(&l->db, err));
    BR_TRY(br_legacy_db_prepare(&l->db, &st, err, "INSERT INTO main.by_message(key, name, user, count, at) VALUES(?1, ?2, ?3, ?4, ?5)"));
    BR_TRY(br_old_rows_open(&l->db, BR_OLD_REACTIONS, true, &r, err));
    BR_TRY(br_old_rows_start(&r, false, err));
    for (;;) {
        br_arena_free(&l->arena);
        BR_TRY(br_old_rows_next(&r, &row, err));
        if (!row)
            break;
        BR_TRY(sort_reaction(l, &r, st, err));
    }
    if (sqlite3_exec(l->db.db, "CREATE INDEX main.by_key ON by_message(key); COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        BR_TRY(br_legacy_db_fail(&l->db, err));
#define KEYS "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    BR_TRY(br_legacy_db_prepare(&l->db, &l->find_reactions, err,
                                "SELECT name, user, count FROM main.by_message WHERE key IN " KEYS " ORDER BY rowid"));
    BR_TRY(br_legacy_db_prepare(&l->db, &l->use_reactions, err, "UPDATE main.by_message SET used = 1 WHERE key IN " KEYS));
err:
    sqlite3_finalize(st);
    br_old_rows_close(&r);
    return rc;
}

/* Reactions whose message did not come. */
static enum br_rc note_lost_reactions(struct br_legacy *l, struct br_err *err)
{
    sqlite3_stmt *st;
    int s = SQLITE_DONE;
    enum br_rc rc = br_legacy_db_prepare(&l->db, &st, err, "SELECT DISTINCT at FROM main.by_message WHERE used = 0 ORDER BY at");
    while (rc == BR_OK && (s = sqlite3_step(st)) == SQLITE_ROW)
        rc = br_legacy_db_note(&l->db, BR_WARN_UNMAPPED_ROW, 1, l->db.names[BR_OLD_REACTIONS], (uint64_t)sqlite3_column_int64(st, 0),
                               "a reaction to a message that is not there", err);
    if (rc == BR_OK && s != SQLITE_DONE)
        rc = br_legacy_db_fail(&l->db, err);
    sqlite3_finalize(st);
    return rc;
}

/* value, which it takes, into an object or list. */
static void put(struct br_legacy *l, json_t *into, const char *key, json_t *value)
{
    l->no_memory |= (key ? json_object_set_new(into, key, value) : json_array_append_new(into, value)) != 0;
}

static json_t *reaction_named(struct br_legacy *l, json_t *list, const char *name)
{
    size_t i;
    json_t *r;
    json_array_foreach(list, i, r) if (strcmp(json_string_value(json_object_get(r, "name")), name) == 0) return r;
    r = json_pack("{sss[]sI}", "name", name, "users", "count", (json_int_t)0);
    put(l, list, NULL, r);
    return l->no_memory ? NULL : r;
}

static void add_reactor(struct br_legacy *l, json_t *users, const char *user)
{
    size_t i;
    json_t *u;
    json_array_foreach(users, i, u) if (strcmp(json_string_value(u), user) == 0) return;
    put(l, users, NULL, json_string(user));
}

static enum br_rc add_reactions(struct br_legacy *l, const char *const *keys, json_t *message, struct br_err *err)
{
    sqlite3_stmt *st = l->find_reactions;
    json_t *list = json_array(), *one;
    size_t i;
    int s;
    sqlite3_reset(st);
    sqlite3_reset(l->use_reactions);
    for (int k = 0; k < KEYS_MAX; k++) {
        l->no_memory |= sqlite3_bind_text(st, k + 1, keys[k], -1, SQLITE_TRANSIENT) != SQLITE_OK ||
                        sqlite3_bind_text(l->use_reactions, k + 1, keys[k], -1, SQLITE_TRANSIENT) != SQLITE_OK;
    }
    while ((s = sqlite3_step(st)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(st, 0), *user = (const char *)sqlite3_column_text(st, 1);
        json_t *r = name ? reaction_named(l, list, name) : NULL;
        l->no_memory |= !user && sqlite3_column_type(st, 1) != SQLITE_NULL;
        if (user)
            add_reactor(l, json_object_get(r, "users"), user);
        json_int_t stated = json_integer_value(json_object_get(r, "count")) + sqlite3_column_int64(st, 2);
        put(l, r, "count", json_integer(stated));
    }
    sqlite3_reset(st);
    json_array_foreach(list, i, one)
    {
        json_int_t users = (json_int_t)json_array_size(json_object_get(one, "users"));
        if (json_integer_value(json_object_get(one, "count")) < users)
            put(l, one, "count", json_integer(users));
    }
    if (json_array_size(list)) {
        put(l, message, "reactions", json_incref(list));
        if (s == SQLITE_DONE)
            s = sqlite3_step(l->use_reactions);
    }
    json_decref(list);
    return s == SQLITE_DONE ? BR_OK : br_legacy_db_fail(&l->db, err);
}

/* --- Messages --- */

struct place { /* of a message */
    const char *reference, *channel;
    int64_t us;
};
struct last {
    char channel[64], id[64];
    int64_t us;
};

/* Where and when. A time that is no ts may be that of several messages of a channel, which come in the order of their ids: a microsecond keeps
 * them apart, the same in every run. *why: what it lacks. */
static bool place_of(struct br_legacy *l, struct br_old_rows *r, struct last *last, struct place *p, const char **why)
{
    bool exact = false, found = false;
    const char *id = br_old_get(r, OLD_ID, 0);
    *p = (struct place){.reference = br_old_any(r, OLD_CHANNEL)};
    *why = "a message without a channel";
    if (!p->reference)
        return false;
    p->channel = channel_id(l, p->reference, &r->arena);
    *why = "a message without a time";
    for (int k = 0; k < OLD_COLUMNS_MAX && !found; k++) {
        const char *when = br_old_get(r, OLD_TS, k);
        found = when && br_when_parse(when, &p->us, &exact) && p->us > 0;
    }
    if (!found || !p->channel)
        return false;
    bool same = strcmp(last->channel, p->channel) == 0;
    if (!exact && same && p->us <= last->us && p->us > last->us - 1000000 && !(id && strcmp(id, last->id) == 0))
        p->us = last->us + 1;
    snprintf(last->channel, sizeof last->channel, "%s", p->channel);
    snprintf(last->id, sizeof last->id, "%.63s", id ? id : "");
    last->us = p->us;
    return true;
}

static void set_text(struct br_legacy *l, json_t *o, const char *key, const char *text)
{
    if (text)
        put(l, o, key, json_string(text));
}

static void set_ts(struct br_legacy *l, json_t *o, const char *key, int64_t us)
{
    char ts[40];
    snprintf(ts, sizeof ts, "%lld.%06lld", (long long)(us / 1000000), (long long)(us % 1000000));
    put(l, o, key, json_string(ts));
}

/* A column that holds one of Slack's arrays as JSON. */
static void set_json(struct br_legacy *l, json_t *o, const char *key, const char *text)
{
    bool no_memory = false;
    json_t *v = text && strlen(text) <= JSON_MAX_COLUMN ? br_json_load(text, strlen(text), 0, &no_memory) : NULL;
    l->no_memory |= no_memory;
    if (json_is_array(v) && json_array_size(v))
        put(l, o, key, json_incref(v));
    json_decref(v);
}

/* The root of its thread: named by ts, or by the id of its row. 0: none. */
static int64_t thread_of(struct br_legacy *l, struct br_old_rows *r)
{
    const char *ts = br_old_any(r, OLD_THREAD), *parent = br_old_any(r, OLD_PARENT);
    int64_t us = 0;
    bool exact;
    if (ts && br_when_parse(ts, &us, &exact) && us > 0)
        return us;
    if (!parent || !l->find_parent)
        return 0;
    sqlite3_reset(l->find_parent);
    l->no_memory |= sqlite3_bind_text(l->find_parent, 1, parent, -1, SQLITE_TRANSIENT) != SQLITE_OK;
    int s = sqlite3_step(l->find_parent);
    us = s == SQLITE_ROW ? sqlite3_column_int64(l->find_parent, 0) : 0;
    l->no_memory |= s != SQLITE_ROW && s != SQLITE_DONE; /* a private database: nothing else keeps it from answering */
    sqlite3_reset(l->find_parent);
    return us ? us : br_when_parse(parent, &us, &exact) && exact ? us : 0;
}

static void set_content(struct br_legacy *l, struct br_old_rows *r, json_t *o)
{
    const char *edited = br_old_any(r, OLD_EDITED), *replies = br_old_any(r, OLD_REPLY_COUNT), *text = br_old_any(r, OLD_TEXT);
    int64_t us;
    bool exact;
    put(l, o, "text", json_string(text ? text : ""));
    set_text(l, o, "subtype", br_old_any(r, OLD_SUBTYPE));
    set_text(l, o, "client_msg_id", br_old_any(r, OLD_CLIENT_ID));
    if (edited && br_when_parse(edited, &us, &exact) && us > 0) {
        json_t *e = json_object();
        set_text(l, e, "user", json_string_value(json_object_get(o, "user")));
        set_ts(l, e, "ts", us);
        put(l, o, "edited", e);
    }
    long long n = replies ? strtoll(replies, NULL, 10) : 0;
    if (n > 0)
        put(l, o, "reply_count", json_integer(n));
    set_json(l, o, "files", br_old_any(r, OLD_FILES));
    set_json(l, o, "blocks", br_old_any(r, OLD_BLOCKS));
    set_json(l, o, "attachments", br_old_any(r, OLD_ATTACHMENTS));
    set_json(l, o, "reactions", br_old_any(r, OLD_REACTIONS));
}

/* The object that Slack would have exported. */
static json_t *slack_object(struct br_legacy *l, struct br_old_rows *r, const struct place *p)
{
    json_t *o = json_pack("{ss}", "type", "message");
    int64_t thread = thread_of(l, r);
    set_ts(l, o, "ts", p->us);
    if (thread)
        set_ts(l, o, "thread_ts", thread);
    set_text(l, o, "user", user_id(l, br_old_any(r, OLD_USER)));
    set_text(l, o, "bot_id", br_old_any(r, OLD_BOT_ID));
    set_text(l, o, "username", br_old_any(r, OLD_BOT_NAME));
    set_text(l, o, "team", br_old_any(r, OLD_TEAM));
    if (br_old_true(r, OLD_DELETED))
        set_text(l, o, "subtype", "tombstone");
    else
        set_content(l, r, o);
    return o;
}

/* All that a reaction may call this message. */
static void keys_of(struct br_legacy *l, struct br_old_rows *r, const struct place *p, const char *keys[KEYS_MAX])
{
    char key[160];
    int n = 0;
    memset(keys, 0, KEYS_MAX * sizeof *keys);
    snprintf(key, sizeof key, "c%.63s/%lld", p->channel, (long long)p->us);
    keys[n++] = br_arena_str(&l->arena, key);
    for (int f = 0; f < 2; f++)
        for (int k = 0; k < OLD_COLUMNS_MAX && n < KEYS_MAX; k++) {
            const char *id = br_old_get(r, f ? OLD_TS : OLD_ID, k);
            if (!id)
                continue;
            snprintf(key, sizeof key, "p%.150s", id);
            keys[n++] = br_arena_str(&l->arena, key);
        }
}

static enum br_rc run_message(struct br_legacy *l, struct br_old_rows *r, const struct place *p, struct br_err *err)
{
    const struct br_notes notes = {.sink = l->sink, .file = l->file, .record = r->at};
    const char *keys[KEYS_MAX];
    struct br_event ev;
    enum br_rc rc;
    l->no_memory = false;
    json_t *o = slack_object(l, r, p);
    keys_of(l, r, p, keys);
    BR_TRY(stub_channel(l, r, p->channel, p->reference, err));
    BR_TRY(add_reactions(l, keys, o, err));
    enum br_row got = br_message_read(o, p->channel, &notes, &l->arena, &ev);
    if (got == BR_ROW_NO_MEMORY || l->arena.failed || l->no_memory)
        BR_TRY(br_fail_nomem(err));
    if (got == BR_ROW_EVENT)
        BR_TRY(give(l, &ev, r, err));
    else
        BR_TRY(unmapped(l, r, "a message that cannot be read", err));
err:
    json_decref(o);
    return rc;
}

/* The times of all messages by id, for replies that name their root by its id. */
static enum br_rc learn_parent(struct br_legacy *l, struct br_old_rows *r, sqlite3_stmt *st, const struct place *p, struct br_err *err)
{
    for (int k = 0; k < OLD_COLUMNS_MAX; k++) {
        const char *id = br_old_get(r, OLD_ID, k);
        if (!id)
            continue;
        sqlite3_reset(st);
        sqlite3_bind_int64(st, 2, p->us);
        if (sqlite3_bind_text(st, 1, id, -1, SQLITE_TRANSIENT) != SQLITE_OK || sqlite3_step(st) != SQLITE_DONE)
            return br_legacy_db_fail(&l->db, err);
    }
    return BR_OK;
}

/* st: only the ids are learnt. */
static enum br_rc each_message(struct br_legacy *l, struct br_old_rows *r, sqlite3_stmt *st, struct br_err *err)
{
    struct last last = {0};
    struct place p;
    const char *why;
    bool row;
    enum br_rc rc;
    BR_TRY(br_old_rows_start(r, true, err));
    for (;;) {
        br_arena_free(&l->arena);
        BR_TRY(br_old_rows_next(r, &row, err));
        if (!row)
            break;
        if (!st && l->sink->progress && r->n % 256 == 0)
            l->sink->progress(l->sink->ctx, r->n, l->n_messages);
        if (!place_of(l, r, &last, &p, &why))
            BR_TRY(st ? BR_OK : unmapped(l, r, why, err));
        else
            BR_TRY(st ? learn_parent(l, r, st, &p, err) : run_message(l, r, &p, err));
    }
err:
    return rc;
}

static enum br_rc learn_parents(struct br_legacy *l, struct br_old_rows *r, struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    enum br_rc rc = BR_OK;
    if (sqlite3_exec(l->db.db,
                     "BEGIN; DROP TABLE IF EXISTS main.parents; CREATE TABLE main.parents(id TEXT PRIMARY KEY, us INTEGER) WITHOUT ROWID",
                     NULL, NULL, NULL) != SQLITE_OK)
        BR_TRY(br_legacy_db_fail(&l->db, err));
    BR_TRY(br_legacy_db_prepare(&l->db, &st, err, "INSERT OR IGNORE INTO main.parents VALUES(?1, ?2)"));
    BR_TRY(each_message(l, r, st, err));
    if (sqlite3_exec(l->db.db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        BR_TRY(br_legacy_db_fail(&l->db, err));
    BR_TRY(br_legacy_db_prepare(&l->db, &l->find_parent, err, "SELECT us FROM main.parents WHERE id = ?1"));
err:
    sqlite3_finalize(st);
    return rc;
}

static enum br_rc run_messages(struct br_legacy *l, struct br_err *err)
{
    struct br_old_rows r;
    sqlite3_stmt *st = NULL;
    enum br_rc rc;
    BR_TRY(br_old_rows_open(&l->db, BR_OLD_MESSAGES, true, &r, err));
    BR_TRY(br_legacy_db_prepare(&l->db, &st, err, "SELECT count(*) FROM %s.\"%w\"", l->db.schema, l->db.names[BR_OLD_MESSAGES]));
    if (sqlite3_step(st) == SQLITE_ROW)
        l->n_messages = (uint64_t)sqlite3_column_int64(st, 0);
    BR_TRY(sort_reactions(l, err));
    if (br_old_has(&r, OLD_PARENT))
        BR_TRY(learn_parents(l, &r, err));
    if (sqlite3_exec(l->db.db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK) /* one for all the marks and notes of the run */
        BR_TRY(br_legacy_db_fail(&l->db, err));
    BR_TRY(each_message(l, &r, NULL, err));
    BR_TRY(note_lost_reactions(l, err));
    if (sqlite3_exec(l->db.db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        BR_TRY(br_legacy_db_fail(&l->db, err));
err:
    sqlite3_finalize(st);
    br_old_rows_close(&r);
    return rc;
}

static void pass_note(void *ctx, enum br_warning w, uint64_t n, const char *where)
{
    struct br_legacy *l = ctx;
    if (l->sink->warn)
        l->sink->warn(l->sink->ctx, w, n, where);
}

enum br_rc br_legacy_run(struct br_legacy *l, const struct br_sink *sink, struct br_err *err)
{
    enum br_rc rc;
    l->sink = sink;
    BR_TRY(run_users(l, err));
    BR_TRY(run_channels(l, err));
    BR_TRY(run_messages(l, err));
    BR_TRY(br_legacy_db_notes(&l->db, pass_note, l, err));
err:
    l->sink = NULL;
    return rc;
}
