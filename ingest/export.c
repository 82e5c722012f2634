/* export.c - runs one workspace of an archive: its users, its channels, then every row of its day files. */
#include "source_int.h"

#include <stdio.h>
#include <string.h>

#define PROGRESS_EVERY 1000u /* rows */

static enum br_rc emit(struct br_source *s, const struct br_event *ev, struct br_err *err)
{
    return s->sink->event ? s->sink->event(s->sink->ctx, ev, err) : BR_OK;
}

/* Remembers a user for this run; *is_new false when it was there. */
static enum br_rc remember_user(struct br_source *s, const char *id, bool *is_new, struct br_err *err)
{
    *is_new = br_id_map_get(&s->users, id) == BR_ID_NONE;
    if (!*is_new)
        return BR_OK;
    uint32_t one = 1;
    const char *copy = br_arena_str(&s->run_strings, id);
    return copy && br_id_map_add(&s->users, copy, &one) ? BR_OK : br_fail_nomem(err);
}

/* ---- users ---- */

static enum br_rc take_user(struct br_reading *r, json_t *element, struct br_err *err)
{
    const bool *org_level = r->ctx;
    struct br_event ev = {.kind = BR_EVENT_USER};
    bool is_new;
    if (br_is_fragment(r, element, "id"))
        return BR_OK;
    uint64_t secrets = 0;
    if (!br_redact(element, &secrets))
        return br_fail_nomem(err);
    br_note(&r->notes, BR_WARN_SECRET_REDACTED, secrets);
    if (!br_user_read(element, &ev.user)) {
        br_note(&r->notes, BR_WARN_BAD_USER, 1);
        return BR_OK;
    }
    enum br_rc rc = remember_user(r->source, ev.user.id, &is_new, err);
    if (rc != BR_OK || (*org_level && !is_new)) /* the workspace's own list knows better */
        return rc;
    ev.user.org_level = *org_level;
    return emit(r->source, &ev, err);
}

enum br_rc br_run_users(struct br_source *s, uint32_t workspace, struct br_err *err)
{
    static const struct br_sink silent;
    bool org_level = false;
    struct br_reading r = {.take = take_user, .ctx = &org_level, .no_array = BR_WARN_BAD_JSON, .notes.sink = s->sink};
    enum br_rc rc = BR_OK;
    if (s->scopes[br_own_scope(s, workspace)].users != BR_ID_NONE)
        BR_TRY(br_read_entry(s, s->scopes[br_own_scope(s, workspace)].users, &r, err));
    org_level = true;
    if (workspace)
        r.notes.sink = &silent; /* the first workspace has reported what is wrong with this file */
    if (s->org_users != BR_ID_NONE)
        BR_TRY(br_read_entry(s, s->org_users, &r, err));
err:
    return rc;
}

/* ---- channels ---- */

struct channels_ctx {
    uint32_t scope, workspace;
    enum br_channel_kind kind;
};

static enum br_rc take_channel(struct br_reading *r, json_t *element, struct br_err *err)
{
    const struct channels_ctx *ctx = r->ctx;
    struct br_source *s = r->source;
    struct br_event ev = {.kind = BR_EVENT_CHANNEL};
    if (br_is_fragment(r, element, "id"))
        return BR_OK;
    if (!br_get_id(element, "id", NULL)) {
        br_note(&r->notes, BR_WARN_WRONG_TYPE, 1);
        return BR_OK;
    }
    uint64_t secrets = 0;
    if (!br_redact(element, &secrets))
        return br_fail_nomem(err);
    br_note(&r->notes, BR_WARN_SECRET_REDACTED, secrets);
    uint32_t at = br_id_map_get(&s->scopes[ctx->scope].by_id, br_get_string(element, "id", NULL));
    struct br_conversation *c = at == BR_ID_NONE ? NULL : &s->conversations[at];
    if (!c || c->emitted || c->workspace != ctx->workspace)
        return BR_OK;
    c->emitted = true;
    br_note(&r->notes, BR_WARN_DUPLICATE_CHANNEL_NAME, c->second_of_name);
    br_note(&r->notes, BR_WARN_CHANNEL_WITHOUT_FOLDER, !c->has_folder && c->kind != BR_CHANNEL_DM);
    if (!br_channel_read(element, c->kind, &s->row_arena, &ev.channel))
        return br_fail_nomem(err);
    enum br_rc rc = emit(s, &ev, err);
    br_arena_free(&s->row_arena);
    return rc;
}

/* Folders that no list names. A dump has no lists: nothing is amiss there, and no more is known. */
static enum br_rc run_stubs(struct br_source *s, uint32_t workspace, struct br_err *err)
{
    for (size_t i = 0; i < s->n_conversations; i++) {
        const struct br_conversation *c = &s->conversations[i];
        struct br_notes notes = {.sink = s->sink, .file = c->name};
        struct br_event ev = {.kind = BR_EVENT_CHANNEL};
        if (!c->is_stub || c->workspace != workspace)
            continue;
        br_note(&notes, BR_WARN_FOLDER_WITHOUT_CHANNEL, !s->is_dump);
        ev.channel = (struct br_channel_event){.id = c->id, .name = c->name, .kind = c->kind, .is_stub = true};
        enum br_rc rc = emit(s, &ev, err);
        if (rc != BR_OK)
            return rc;
    }
    return BR_OK;
}

static enum br_rc run_lists(struct br_source *s, uint32_t scope, uint32_t workspace, struct br_err *err)
{
    for (int i = 0; i < BR_LIST_COUNT; i++) {
        struct channels_ctx ctx = {.scope = scope, .workspace = workspace, .kind = br_list_kinds[i]};
        struct br_reading r = {.take = take_channel, .ctx = &ctx, .no_array = BR_WARN_BAD_JSON, .notes.sink = s->sink};
        uint32_t entry = s->scopes[scope].lists[i];
        enum br_rc rc = entry == BR_ID_NONE ? BR_OK : br_read_entry(s, entry, &r, err);
        if (rc != BR_OK)
            return rc;
    }
    return BR_OK;
}

enum br_rc br_run_channels(struct br_source *s, uint32_t workspace, struct br_err *err)
{
    enum br_rc rc;
    for (size_t i = 0; i < s->n_conversations; i++)
        s->conversations[i].emitted = false;
    BR_TRY(run_lists(s, br_own_scope(s, workspace), workspace, err));
    if (s->is_grid)
        BR_TRY(run_lists(s, 0, workspace, err));
    BR_TRY(run_stubs(s, workspace, err));
    for (size_t i = 0; i < s->n_folders; i++) {
        const struct br_folder *f = &s->folders[i];
        struct br_notes notes = {.sink = s->sink, .file = f->name};
        if (f->renamed && s->conversations[f->conversation].workspace == workspace)
            br_note(&notes, BR_WARN_FOLDER_RENAMED, 1);
    }
err:
    return rc;
}

/* ---- messages ---- */

struct rows_ctx {
    const char *channel_id;
    const struct br_entry *entry;
    unsigned n_apart; /* a root that came without its replies, and its ts: they repeat it */
    char root_ts[32];
};

/* The author's profile, once for each user that no list has. */
static enum br_rc emit_profile(struct br_source *s, const struct br_message_event *m, struct br_err *err)
{
    struct br_event ev = {.kind = BR_EVENT_USER};
    bool is_new;
    if (!json_object_get(m->raw, "user_profile") || !br_user_from_message(m->raw, m->user_id, &ev.user))
        return BR_OK;
    enum br_rc rc = remember_user(s, ev.user.id, &is_new, err);
    return rc == BR_OK && is_new ? emit(s, &ev, err) : rc;
}

static enum br_rc emit_row(struct br_reading *r, json_t *row, struct br_err *err)
{
    const struct rows_ctx *ctx = r->ctx;
    struct br_source *s = r->source;
    struct br_event ev;
    enum br_rc rc = BR_OK;
    switch (br_message_read(row, ctx->channel_id, &r->notes, &s->row_arena, &ev)) {
    case BR_ROW_SKIPPED:
        break;
    case BR_ROW_NO_MEMORY:
        rc = br_fail_nomem(err);
        break;
    case BR_ROW_EVENT:
        if (ev.kind == BR_EVENT_MESSAGE)
            rc = emit_profile(s, &ev.message, err);
        if (rc == BR_OK)
            rc = emit(s, &ev, err);
        break;
    }
    if (s->row_arena.used)
        br_arena_free(&s->row_arena);
    return rc;
}

/* Among the replies of a thread too large to be parsed at once: is this its root again? */
static bool is_root_again(struct rows_ctx *ctx, const struct br_json_stream *js, const char *ts)
{
    if (ctx->n_apart == js->n_apart)
        return ctx->n_apart && ts && strcmp(ts, ctx->root_ts) == 0;
    ctx->n_apart = js->n_apart;
    (void)snprintf(ctx->root_ts, sizeof ctx->root_ts, "%s", ts ? ts : "");
    return false;
}

/* slackdump nests the replies in their root, which is repeated as the first of them. */
static enum br_rc emit_nested(struct br_reading *r, const json_t *replies, const char *root_ts, struct br_err *err)
{
    size_t i;
    json_t *reply;
    json_array_foreach(replies, i, reply)
    {
        const char *ts = json_string_value(json_object_get(reply, "ts"));
        enum br_rc rc = ts && root_ts && strcmp(ts, root_ts) == 0 ? BR_OK : emit_row(r, reply, err);
        if (rc != BR_OK)
            return rc;
    }
    return BR_OK;
}

static enum br_rc take_row(struct br_reading *r, json_t *row, struct br_err *err)
{
    struct rows_ctx *ctx = r->ctx;
    struct br_source *s = r->source;
    if (s->sink->progress && r->notes.record % PROGRESS_EVERY == 0)
        s->sink->progress(s->sink->ctx, s->done_bytes + BR_MIN(r->js->in->done, ctx->entry->size), s->total_bytes);
    if (br_is_fragment(r, row, "ts"))
        return BR_OK;
    json_t *replies = json_incref(json_object_get(row, "slackdump_thread_replies"));
    const char *root_ts = json_string_value(json_object_get(row, "ts"));
    if (is_root_again(ctx, r->js, root_ts)) {
        json_decref(replies);
        return BR_OK;
    }
    if (replies)
        (void)json_object_del(row, "slackdump_thread_replies");
    enum br_rc rc = emit_row(r, row, err);
    if (rc == BR_OK && replies)
        rc = emit_nested(r, replies, root_ts, err);
    json_decref(replies);
    return rc;
}

static const struct br_conversation *owner_of(const struct br_source *s, const struct br_message_file *f,
                                              uint32_t workspace)
{
    uint32_t c = s->folders[f->folder].conversation;
    return c != BR_ID_NONE && s->conversations[c].workspace == workspace ? &s->conversations[c] : NULL;
}

enum br_rc br_run_messages(struct br_source *s, uint32_t workspace, struct br_err *err)
{
    s->done_bytes = s->total_bytes = 0;
    for (size_t i = 0; i < s->n_files; i++)
        if (s->files[i].is_day && owner_of(s, &s->files[i], workspace))
            s->total_bytes += s->container->entries[s->files[i].entry].size;
    for (size_t i = 0; i < s->n_files; i++) {
        const struct br_message_file *f = &s->files[i];
        const struct br_conversation *c = owner_of(s, f, workspace);
        const struct br_entry *entry = &s->container->entries[f->entry];
        struct rows_ctx ctx = {.channel_id = c ? c->id : NULL, .entry = entry};
        struct br_reading r = {
            .take = take_row, .ctx = &ctx, .no_array = BR_WARN_NOT_A_MESSAGE_FILE, .notes.sink = s->sink};
        if (!c)
            continue;
        if (!f->is_day) {
            r.notes.file = entry->name;
            br_note(&r.notes, BR_WARN_NOT_A_MESSAGE_FILE, 1);
            continue;
        }
        r.member = s->is_dump ? "messages" : NULL;
        enum br_rc rc = br_read_entry(s, f->entry, &r, err);
        if (rc != BR_OK)
            return rc;
        s->done_bytes += entry->size;
        if (s->sink->progress)
            s->sink->progress(s->sink->ctx, s->done_bytes, s->total_bytes);
    }
    return BR_OK;
}
