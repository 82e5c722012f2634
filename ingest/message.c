/* message.c - a row of a day file to an event: a message, an edit (the message as it is now) or a delete.
 * Fields of a wrong type are counted and read as absent; the raw object keeps them. */
#include "slack_object.h"

#include <stdio.h>
#include <string.h>

#include "reaction.h"
#include "subtype.h"

struct reader {
    const struct br_notes *notes;
    struct br_arena *arena;
    const json_t *row;
    bool no_memory;
};

static const char *str(const struct reader *r, const char *key)
{
    return br_get_string(r->row, key, r->notes);
}

/* The member when it has the wanted type; null is absent, anything else is counted. */
static const json_t *typed(const struct reader *r, const char *key, json_type type)
{
    const json_t *v = json_object_get(r->row, key);
    if (!v || json_is_null(v))
        return NULL;
    if (json_typeof(v) == type)
        return v;
    br_note(r->notes, BR_WARN_WRONG_TYPE, 1);
    return NULL;
}

enum ts_state { TS_ABSENT, TS_GOOD, TS_BAD };

/* A number is formatted to six decimals, as Slack writes timestamps; zero is how some tools write "none". */
static enum ts_state read_ts(const struct reader *r, const json_t *v, int64_t *us)
{
    char text[40];
    const char *s = json_string_value(v);
    *us = 0;
    if (!v || json_is_null(v) || (s && !*s))
        return TS_ABSENT;
    if (json_is_number(v)) {
        double d = json_number_value(v);
        br_note(r->notes, BR_WARN_WRONG_TYPE, 1);
        if (!(d >= 0 && d < 1e11))
            return TS_BAD;
        (void)snprintf(text, sizeof text, "%.6f", d);
        s = text;
    }
    if (!s || !br_ts_parse(s, us))
        return TS_BAD;
    return *us ? TS_GOOD : TS_ABSENT;
}

static int64_t optional_ts(const struct reader *r, const json_t *v)
{
    int64_t us;
    if (read_ts(r, v, &us) != TS_BAD)
        return us;
    br_note(r->notes, BR_WARN_BAD_TS, 1);
    return 0;
}

static void read_reaction(struct reader *r, const json_t *v, struct br_reaction_event *out)
{
    const json_t *users = json_object_get(v, "users"), *count = json_object_get(v, "count"), *u;
    const char **list = br_arena_array(r->arena, json_array_size(users) + 1, sizeof *list);
    size_t n = 0, i;
    out->name = json_string_value(json_object_get(v, "name"));
    out->folded = br_reaction_fold(out->name, r->arena);
    r->no_memory |= !list || !out->folded;
    if (r->no_memory)
        return;
    json_array_foreach(users, i, u) if (json_string_length(u) && json_string_length(u) <= BR_ID_BYTES_MAX)
        list[n++] = json_string_value(u);
    bool long_id = false;
    json_array_foreach(users, i, u) long_id |= json_string_length(u) > BR_ID_BYTES_MAX;
    out->users = list;
    out->n_users = n;
    out->count = json_is_integer(count) && json_integer_value(count) >= 0 ? json_integer_value(count) : (int64_t)n;
    bool wrong = long_id || (count && !json_is_null(count) && !json_is_integer(count)) ||
                 (users && !json_is_null(users) && !json_is_array(users));
    br_note(r->notes, BR_WARN_WRONG_TYPE, wrong);
    br_note(r->notes, BR_WARN_REACTION_COUNT_MISMATCH, out->count != (int64_t)n);
}

static void read_reactions(struct reader *r, struct br_message_event *m)
{
    const json_t *list = typed(r, "reactions", JSON_ARRAY), *v;
    struct br_reaction_event *out =
        json_array_size(list) ? br_arena_array(r->arena, json_array_size(list), sizeof *out) : NULL;
    size_t i;
    r->no_memory |= json_array_size(list) && !out;
    m->reactions = out;
    json_array_foreach(list, i, v)
    {
        if (!json_string_length(json_object_get(v, "name")))
            br_note(r->notes, BR_WARN_WRONG_TYPE, 1);
        else if (!r->no_memory)
            read_reaction(r, v, &out[m->n_reactions++]);
    }
}

static void read_file(const struct reader *r, const json_t *v, struct br_file_event *out)
{
    const json_t *size = json_object_get(v, "size");
    *out = (struct br_file_event){
        .id = br_get_string(v, "id", NULL),
        .name = br_get_string(v, "name", NULL),
        .title = br_get_string(v, "title", NULL),
        .mimetype = br_get_string(v, "mimetype", NULL),
        .mode = br_get_string(v, "mode", NULL),
        .size = json_is_integer(size) ? json_integer_value(size) : 0,
    };
    br_note(r->notes, BR_WARN_FILE_TOMBSTONE, out->mode && strcmp(out->mode, "tombstone") == 0);
    br_note(r->notes, BR_WARN_FILE_HIDDEN_BY_LIMIT, out->mode && strcmp(out->mode, "hidden_by_limit") == 0);
}

/* `files`, else the singular `file` of old messages. */
static void read_files(struct reader *r, struct br_message_event *m)
{
    const json_t *list = typed(r, "files", JSON_ARRAY), *v, *single = json_object_get(r->row, "file");
    size_t i, n = json_array_size(list);
    bool use_single = n == 0 && json_is_object(single);
    struct br_file_event *out = n || use_single ? br_arena_array(r->arena, n + 1, sizeof *out) : NULL;
    if (!out) {
        r->no_memory |= n || use_single;
        return;
    }
    m->files = out;
    if (use_single)
        read_file(r, single, &out[m->n_files++]);
    json_array_foreach(list, i, v)
    {
        if (json_is_object(v))
            read_file(r, v, &out[m->n_files++]);
        else
            br_note(r->notes, BR_WARN_WRONG_TYPE, !json_is_null(v));
    }
}

/* A link element in blocks, or an unfurled attachment. */
static bool links_inside(const json_t *v)
{
    size_t i;
    const json_t *e;
    const char *key, *type = json_string_value(json_object_get(v, "type"));
    if (json_string_length(json_object_get(v, "from_url")) || json_string_length(json_object_get(v, "title_link")) ||
        (type && strcmp(type, "link") == 0))
        return true;
    json_array_foreach(v, i, e) if (links_inside(e)) return true;
    if (json_is_object(v)) {
        json_t *object = (json_t *)(uintptr_t)v, *member;
        json_object_foreach(object, key, member) if ((json_is_object(member) || json_is_array(member)) &&
                                                     links_inside(member)) return true;
    }
    return false;
}

static bool has_link(const char *text, const json_t *blocks, const json_t *attachments)
{
    for (const char *p = text; p && (p = strstr(p, "<http")) != NULL; p++)
        if (strncmp(p + 5, "://", 3) == 0 || strncmp(p + 5, "s://", 4) == 0)
            return true;
    return links_inside(blocks) || links_inside(attachments);
}

/* pinned_to names the channels: of a file shared in several, any of them. */
static bool is_pinned(const json_t *row, const char *channel_id)
{
    size_t i;
    const json_t *v;
    json_array_foreach(json_object_get(row, "pinned_to"), i, v)
        if (json_is_string(v) && strcmp(json_string_value(v), channel_id) == 0)
            return true;
    return false;
}

static void read_author(const struct reader *r, struct br_message_event *m)
{
    m->user_id = br_get_id(r->row, "user", r->notes);
    if (!m->user_id) /* a comment on a file, in old exports */
        m->user_id = br_get_id(json_object_get(r->row, "comment"), "user", r->notes);
    m->bot_id = br_get_id(r->row, "bot_id", r->notes);
    m->bot_name = br_get_string(json_object_get(r->row, "bot_profile"), "name", NULL);
    const char *username = str(r, "username");
    if (!m->bot_name)
        m->bot_name = username;
    m->team_id = str(r, "team");
    if (!m->team_id)
        m->team_id = br_get_string(r->row, "user_team", NULL);
}

static void read_class(const struct reader *r, struct br_message_event *m)
{
    m->subtype = str(r, "subtype");
    const struct br_subtype *known = m->subtype ? br_subtype_find(m->subtype) : NULL;
    br_note(r->notes, BR_WARN_UNKNOWN_SUBTYPE, m->subtype && !known);
    m->cls = known ? known->cls : BR_CLASS_CONTENT;
    m->is_bot = m->bot_id || (m->user_id && strcmp(m->user_id, "USLACKBOT") == 0) ||
                (known && strcmp(known->name, "bot_message") == 0);
    m->is_broadcast =
        known && (strcmp(known->name, "thread_broadcast") == 0 || strcmp(known->name, "reply_broadcast") == 0);
    if (br_get_bool(r->row, "is_hidden_by_limit")) { /* a row without words: counted, kept in its place, not searched */
        br_note(r->notes, BR_WARN_MESSAGE_HIDDEN_BY_LIMIT, 1);
        m->cls = BR_CLASS_SYSTEM;
    }
}

static void read_thread(const struct reader *r, struct br_message_event *m)
{
    const json_t *count = typed(r, "reply_count", JSON_INTEGER);
    m->reply_count = count && json_integer_value(count) > 0 ? json_integer_value(count) : 0;
    m->thread_ts = optional_ts(r, json_object_get(r->row, "thread_ts"));
    if (!m->thread_ts && m->reply_count)
        m->thread_ts = m->ts; /* a root that does not say so */
    (void)typed(r, "replies", JSON_ARRAY);
}

/* The ts of the row; false when it has none that can be used. */
static bool row_ts(const struct reader *r, int64_t *us)
{
    enum ts_state s = read_ts(r, json_object_get(r->row, "ts"), us);
    br_note(r->notes, BR_WARN_MISSING_TS, s == TS_ABSENT);
    br_note(r->notes, BR_WARN_BAD_TS, s == TS_BAD);
    return s == TS_GOOD;
}

static enum br_row read_message(struct reader *r, const char *channel_id, struct br_event *out)
{
    *out = (struct br_event){.kind = BR_EVENT_MESSAGE};
    struct br_message_event *m = &out->message;
    if (!row_ts(r, &m->ts))
        return BR_ROW_SKIPPED;
    m->channel_id = channel_id;
    m->raw = (json_t *)(uintptr_t)r->row;
    read_author(r, m);
    read_class(r, m);
    read_thread(r, m);
    const json_t *edited = typed(r, "edited", JSON_OBJECT);
    m->edited_ts = edited ? optional_ts(r, json_object_get(edited, "ts")) : 0;
    read_reactions(r, m);
    read_files(r, m);
    const char *text = str(r, "text");
    const json_t *blocks = typed(r, "blocks", JSON_ARRAY), *attachments = typed(r, "attachments", JSON_ARRAY);
    m->has_link = has_link(text, blocks, attachments);
    m->is_pinned = is_pinned(r->row, channel_id);
    return r->no_memory ? BR_ROW_NO_MEMORY : BR_ROW_EVENT;
}

/* A deletion log's row: message_deleted{deleted_ts, ts of the event}. */
static enum br_row read_delete(const struct reader *r, const char *channel_id, struct br_event *out)
{
    const json_t *target = json_object_get(r->row, "deleted_ts");
    *out = (struct br_event){.kind = BR_EVENT_DELETE};
    if (!target)
        target = json_object_get(json_object_get(r->row, "previous_message"), "ts");
    out->deletion.channel_id = channel_id;
    out->deletion.deleted_at = optional_ts(r, json_object_get(r->row, "ts"));
    enum ts_state s = read_ts(r, target, &out->deletion.ts);
    br_note(r->notes, s == TS_BAD ? BR_WARN_BAD_TS : BR_WARN_MISSING_TS, s != TS_GOOD);
    return s == TS_GOOD ? BR_ROW_EVENT : BR_ROW_SKIPPED;
}

enum br_row br_message_read(json_t *row, const char *channel_id, const struct br_notes *notes, struct br_arena *arena,
                            struct br_event *out)
{
    const char *type = json_string_value(json_object_get(row, "type"));
    if (!json_is_object(row) || (type && strcmp(type, "message") != 0)) {
        br_note(notes, BR_WARN_NOT_A_MESSAGE, 1);
        return BR_ROW_SKIPPED;
    }
    uint64_t secrets = 0;
    if (!br_redact(row, &secrets))
        return BR_ROW_NO_MEMORY;
    br_note(notes, BR_WARN_SECRET_REDACTED, secrets);
    struct reader r = {.notes = notes, .arena = arena, .row = row};
    const char *subtype = json_string_value(json_object_get(row, "subtype"));
    if (subtype && strcmp(subtype, "message_deleted") == 0)
        return read_delete(&r, channel_id, out);
    if (subtype && strcmp(subtype, "message_replied") == 0)
        return BR_ROW_SKIPPED; /* says only that a thread grew: the reply itself is a row */
    if (subtype && strcmp(subtype, "message_changed") == 0) {
        r.row = json_object_get(row, "message");
        if (!json_is_object(r.row)) {
            br_note(notes, BR_WARN_NOT_A_MESSAGE, 1);
            return BR_ROW_SKIPPED;
        }
    }
    return read_message(&r, channel_id, out);
}
