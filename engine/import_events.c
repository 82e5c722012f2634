/* import_events.c - an archive's events become items of the pipeline: copied into its memory, texts rendered, names resolved, and for each
 * text decided where its vector comes from. */
#include "import_int.h"

#include <stdio.h>
#include <string.h>

static const char *first_text(const char *a, const char *b, const char *c)
{
    return a && *a ? a : b && *b ? b : c && *c ? c : NULL;
}

/* ---- people ---- */

/* The name texts are rendered with: that of an older export does not replace a fresher one that is stored. */
static enum br_rc note_listed_user(struct br_import_run *im, const struct br_slack_user *u, unsigned flags, struct br_err *err)
{
    bool wins, known = br_name_map_get(im->users, u->id) != NULL;
    enum br_rc rc;
    BR_TRY(br_slack_user_wins(im->reader, u, &wins, err));
    const char *name = wins || !known ? first_text(u->display_name, u->real_name, u->name) : NULL;
    int before = br_name_map_put(im->users, u->id, name, flags);
    if (before < 0)
        return br_fail_nomem(err);
    if (!u->is_stub && !(before & BR_NAME_LISTED))
        im->n_users++;
err:
    return rc;
}

static enum br_rc on_user(struct br_import_run *im, const struct br_user_event *u, struct br_err *err)
{
    struct br_arena *a;
    struct br_item *item;
    enum br_rc rc = br_pipeline_item(im->pipeline, BR_ITEM_USER, &item, &a, err);
    if (rc != BR_OK)
        return rc;
    bool listed = !u->from_message && !u->org_level;
    item->user = (struct br_slack_user){.id = br_arena_str(a, u->id),
                                        .team_id = br_arena_str(a, u->team_id),
                                        .name = br_arena_str(a, u->name),
                                        .real_name = br_arena_str(a, u->real_name),
                                        .display_name = br_arena_str(a, u->display_name),
                                        .is_bot = u->is_bot,
                                        .is_deleted = u->is_deleted,
                                        .is_stub = !listed,
                                        .freshness = im->freshness};
    if (!item->user.id)
        return br_fail_nomem(err);
    return note_listed_user(im, &item->user, u->from_message ? 0 : BR_NAME_LISTED, err);
}

static enum br_slack_channel_kind channel_kind(enum br_channel_kind k)
{
    switch (k) {
    case BR_CHANNEL_PRIVATE:
        return BR_CH_PRIVATE;
    case BR_CHANNEL_DM:
        return BR_CH_DM;
    case BR_CHANNEL_GROUP_DM:
        return BR_CH_GROUP_DM;
    case BR_CHANNEL_PUBLIC:
        break;
    }
    return BR_CH_PUBLIC;
}

static const char **copy_ids(struct br_arena *a, const char *const *ids, size_t n)
{
    const char **out = br_arena_array(a, n ? n : 1, sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = br_arena_str(a, ids[i]);
    return out;
}

static enum br_rc note_listed_channel(struct br_import_run *im, const struct br_slack_channel *c, struct br_err *err)
{
    bool wins, known = br_name_map_get(im->channels, c->id) != NULL;
    enum br_rc rc;
    BR_TRY(br_slack_channel_wins(im->reader, c, &wins, err));
    int before = br_name_map_put(im->channels, c->id, wins || !known ? c->name : NULL, BR_NAME_LISTED);
    if (before < 0)
        return br_fail_nomem(err);
    if (!(before & BR_NAME_LISTED))
        im->n_channels++;
err:
    return rc;
}

/* ---- pins ---- */

static void pin_key(char out[96], const char *channel_id, int64_t ts)
{
    snprintf(out, 96, "%.63s:%lld", channel_id, (long long)ts);
}

static enum br_rc note_pins(struct br_import_run *im, const struct br_channel_event *c, struct br_err *err)
{
    char key[96];
    for (size_t i = 0; i < c->n_pins; i++) {
        pin_key(key, c->id, c->pins[i]);
        if (br_name_map_put(im->pins, key, NULL, BR_NAME_LISTED) < 0)
            return br_fail_nomem(err);
    }
    return BR_OK;
}

/* Exports tell of pins in the list of channels, Slack's other interfaces in the message: told there too, its raw form is all there is to know. */
static enum br_rc tell_pin(struct br_import_run *im, struct br_message_event *m, struct br_err *err)
{
    char key[96];
    pin_key(key, m->channel_id, m->ts);
    if (m->is_pinned || !br_name_map_has(im->pins, key))
        return BR_OK;
    json_t *pinned_to = json_object_get(m->raw, "pinned_to");
    if (!json_is_array(pinned_to)) {
        pinned_to = json_array();
        if (json_object_set_new(m->raw, "pinned_to", pinned_to) != 0)
            return br_fail_nomem(err);
    }
    if (json_array_append_new(pinned_to, json_string(m->channel_id)) != 0)
        return br_fail_nomem(err);
    m->is_pinned = true;
    return BR_OK;
}

static enum br_rc on_channel(struct br_import_run *im, const struct br_channel_event *c, struct br_err *err)
{
    struct br_arena *a;
    struct br_item *item;
    enum br_rc rc = br_pipeline_item(im->pipeline, BR_ITEM_CHANNEL, &item, &a, err);
    if (rc != BR_OK)
        return rc;
    item->channel = (struct br_slack_channel){.id = br_arena_str(a, c->id),
                                              .name = br_arena_str(a, c->name),
                                              .topic = br_arena_str(a, c->topic),
                                              .purpose = br_arena_str(a, c->purpose),
                                              .creator = br_arena_str(a, c->creator),
                                              .kind = channel_kind(c->kind),
                                              .created = c->created,
                                              .is_archived = c->is_archived,
                                              .is_general = c->is_general,
                                              .is_stub = c->is_stub,
                                              .members = c->members ? copy_ids(a, c->members, c->n_members) : NULL,
                                              .n_members = c->n_members,
                                              .freshness = im->freshness};
    if (!item->channel.id || (c->members && !item->channel.members))
        return br_fail_nomem(err);
    rc = note_pins(im, c, err);
    return rc == BR_OK ? note_listed_channel(im, &item->channel, err) : rc;
}

/* An author or reactor nobody listed: counted once, and stored under its id. */
static enum br_rc note_user(struct br_import_run *im, const char *id, struct br_err *err)
{
    if (!id || strcmp(id, "USLACKBOT") == 0)
        return BR_OK;
    int before = br_name_map_put(im->users, id, NULL, BR_NAME_COUNTED);
    if (before < 0)
        return br_fail_nomem(err);
    if (before & (BR_NAME_LISTED | BR_NAME_COUNTED))
        return BR_OK;
    br_import_warn(im, BR_WARN_UNKNOWN_USER, 1, id);
    struct br_arena *a;
    struct br_item *item;
    enum br_rc rc = br_pipeline_item(im->pipeline, BR_ITEM_USER, &item, &a, err);
    if (rc != BR_OK)
        return rc;
    item->user = (struct br_slack_user){.id = br_arena_str(a, id), .is_stub = true};
    return BR_OK;
}

static struct br_slack_reaction *copy_reactions(struct br_arena *a, const struct br_message_event *m)
{
    struct br_slack_reaction *r = br_arena_array(a, m->n_reactions ? m->n_reactions : 1, sizeof *r);
    for (size_t i = 0; r && i < m->n_reactions; i++) {
        const struct br_reaction_event *e = &m->reactions[i];
        r[i] = (struct br_slack_reaction){.name = br_arena_str(a, e->name),
                                          .folded = br_arena_str(a, e->folded),
                                          .count = e->count,
                                          .users = copy_ids(a, e->users, e->n_users),
                                          .n_users = e->n_users};
    }
    return r;
}

static struct br_slack_file *copy_files(struct br_arena *a, const struct br_message_event *m)
{
    struct br_slack_file *f = br_arena_array(a, m->n_files ? m->n_files : 1, sizeof *f);
    for (size_t i = 0; f && i < m->n_files; i++) {
        const struct br_file_event *e = &m->files[i];
        f[i] = (struct br_slack_file){.id = br_arena_str(a, e->id),
                                      .name = br_arena_str(a, e->name),
                                      .title = br_arena_str(a, e->title),
                                      .mimetype = br_arena_str(a, e->mimetype),
                                      .mode = br_arena_str(a, e->mode),
                                      .size = e->size};
    }
    return f;
}

static int dump_to_buf(const char *bytes, size_t n, void *ctx)
{
    struct br_buf *b = ctx;
    br_buf_add(b, bytes, n);
    return b->failed ? -1 : 0;
}

/* Something for the model to read: at least one letter, digit or non-ASCII character. */
static bool says_something(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80 || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'))
            return true;
    }
    return false;
}

static enum br_slack_class message_class(enum br_message_class c)
{
    return c == BR_CLASS_SYSTEM ? BR_MSG_SYSTEM : c == BR_CLASS_TOMBSTONE ? BR_MSG_TOMBSTONE : BR_MSG_CONTENT;
}

/* Where the vector comes from: nowhere, an equal text that is stored, or the model. */
static enum br_rc plan_vector(struct br_import_run *im, struct br_item *item, struct br_err *err)
{
    const struct br_slack_message *m = &item->message;
    bool wants = false, found = false;
    enum br_rc rc;
    if (im->opt->dry_run || !m->needs_vector)
        return BR_OK;
    BR_TRY(br_slack_wants_vector(im->reader, m, &wants, err));
    if (!wants)
        return BR_OK;
    float *room = br_pipeline_vector_room(im->pipeline);
    if (!room)
        return br_fail_nomem(err);
    BR_TRY(br_store_vector_of_text(im->reader, m->text, m->text_len, room, &found, err));
    item->vector = found ? room : br_pipeline_vector(im->pipeline, m->text, m->text_len);
    if (!item->vector)
        return br_fail_nomem(err);
err:
    return rc;
}

static void warn_truncated(struct br_import_run *im, const struct br_message_event *m)
{
    char where[128];
    snprintf(where, sizeof where, "%.64s:%lld.%06lld", m->channel_id, (long long)(m->ts / 1000000), (long long)(m->ts % 1000000));
    br_import_warn(im, BR_WARN_TEXT_TRUNCATED, 1, where);
}

static enum br_rc render_message(struct br_import_run *im, const struct br_message_event *m, struct br_err *err)
{
    bool truncated = false;
    br_buf_reset(&im->text);
    br_buf_reset(&im->raw);
    if (m->cls != BR_CLASS_TOMBSTONE) {
        br_render_message(m->raw, &im->names, &im->text, &truncated);
        if (truncated)
            warn_truncated(im, m);
    }
    /* With the channel in it a raw form tells all of its message: repair makes metadata.db anew from such records. */
    const char *channel = json_string_value(json_object_get(m->raw, "channel"));
    if ((!channel || strcmp(channel, m->channel_id) != 0) && json_object_set_new(m->raw, "channel", json_string(m->channel_id)) != 0)
        return br_fail_nomem(err);
    if (json_dump_callback(m->raw, dump_to_buf, &im->raw, JSON_COMPACT | JSON_ENCODE_ANY) != 0) {
        if (im->raw.no_memory || !im->raw.failed)
            return br_fail_nomem(err);
        br_buf_reset(&im->raw); /* a message larger than any real one: kept without its raw form */
    }
    return br_buf_status(&im->text, err);
}

static enum br_rc on_message(struct br_import_run *im, const struct br_message_event *event, struct br_err *err)
{
    struct br_message_event pinned = *event, *m = &pinned;
    struct br_arena *a;
    struct br_item *item;
    enum br_rc rc;
    BR_TRY(tell_pin(im, m, err));
    BR_TRY(note_user(im, m->user_id, err));
    for (size_t i = 0; i < m->n_reactions; i++)
        for (size_t j = 0; j < m->reactions[i].n_users; j++)
            BR_TRY(note_user(im, m->reactions[i].users[j], err));
    BR_TRY(render_message(im, m, err));
    BR_TRY(br_pipeline_item(im->pipeline, BR_ITEM_MESSAGE, &item, &a, err));
    item->message = (struct br_slack_message){
        .channel_id = br_arena_str(a, m->channel_id),
        .ts = m->ts,
        .thread_ts = m->thread_ts,
        .user_id = br_arena_str(a, m->user_id),
        .bot_id = br_arena_str(a, m->bot_id),
        .bot_name = br_arena_str(a, m->bot_name),
        .subtype = br_arena_str(a, m->subtype),
        .team_id = br_arena_str(a, m->team_id),
        .cls = message_class(m->cls),
        .is_bot = m->is_bot,
        .is_broadcast = m->is_broadcast,
        .has_link = m->has_link,
        .is_pinned = m->is_pinned,
        .edited_ts = m->edited_ts,
        .reply_count = m->reply_count,
        .reactions = copy_reactions(a, m),
        .n_reactions = m->n_reactions,
        .files = copy_files(a, m),
        .n_files = m->n_files,
        .text = br_arena_strn(a, br_buf_str(&im->text), im->text.len),
        .text_len = im->text.len,
        .raw = br_arena_strn(a, br_buf_str(&im->raw), im->raw.len),
        .raw_len = im->raw.len,
        .freshness = im->freshness,
    };
    if (!item->message.channel_id || !item->message.text || !item->message.raw)
        return br_fail_nomem(err);
    item->message.needs_vector = item->message.cls == BR_MSG_CONTENT && says_something(item->message.text, im->text.len);
    BR_TRY(plan_vector(im, item, err));
    im->n_messages++;
err:
    return rc;
}

static enum br_rc on_delete(struct br_import_run *im, const struct br_delete_event *d, struct br_err *err)
{
    struct br_arena *a;
    struct br_item *item;
    enum br_rc rc = br_pipeline_item(im->pipeline, BR_ITEM_DELETE, &item, &a, err);
    if (rc != BR_OK)
        return rc;
    item->deletion.channel_id = br_arena_str(a, d->channel_id);
    item->deletion.ts = d->ts;
    item->deletion.deleted_at = d->deleted_at;
    return item->deletion.channel_id ? BR_OK : br_fail_nomem(err);
}

enum br_rc br_import_event(struct br_import_run *im, const struct br_event *ev, struct br_err *err)
{
    switch (ev->kind) {
    case BR_EVENT_USER:
        return on_user(im, &ev->user, err);
    case BR_EVENT_CHANNEL:
        return on_channel(im, &ev->channel, err);
    case BR_EVENT_MESSAGE:
        return on_message(im, &ev->message, err);
    case BR_EVENT_DELETE:
        return on_delete(im, &ev->deletion, err);
    }
    return BR_OK;
}
