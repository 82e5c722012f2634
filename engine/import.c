/* import.c - br_import: an archive's events become batches of the pipeline, then dirty threads become passages, then the graph is
 * checkpointed. Every commit is complete in itself, so an import stopped anywhere is finished by running it again: what is stored already is
 * recognised by (channel, ts) and never embedded twice.
 *
 * A dry run is the same code inside one transaction that is rolled back: without vectors, and in a scratch home when the workspace does
 * not exist yet. */
#include "upkeep.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "render.h"
#include "source.h"

#define SCRATCH_PREFIX "backread-dry-run-"

struct import {
    struct br_home *home;
    const struct br_import_options *opt;
    struct br_import_report *report;
    struct br_store *writer, *reader; /* a dry run reads through the writer's own transaction */
    struct br_graph graph;
    struct br_pipeline *pipeline;
    struct br_name_map *users, *channels;
    struct br_name_map *pins; /* "CHANNEL:ts" of messages that channels list as pinned */
    struct br_names names;
    struct br_buf text, raw;
    int64_t freshness; /* of the source */
    uint64_t warnings[BR_WARN_COUNT];
    uint64_t n_users, n_channels, n_messages;
    struct br_import_progress progress;
    struct timespec started, reported;
};

static double seconds_since(const struct timespec *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

static void report_progress(void *ctx)
{
    struct import *im = ctx;
    if (!im->opt->progress || seconds_since(&im->reported) < 0.2)
        return;
    clock_gettime(CLOCK_MONOTONIC, &im->reported);
    im->progress.messages = im->n_messages;
    im->progress.seconds = seconds_since(&im->started);
    im->opt->progress(im->opt->ctx, &im->progress);
}

static void count_warning(void *ctx, enum br_warning w, uint64_t n, const char *where)
{
    struct import *im = ctx;
    im->warnings[w] += n;
    if (im->opt->warning && n)
        im->opt->warning(im->opt->ctx, br_warning_name(w), where ? where : "");
}

static const char *user_name(void *ctx, const char *id)
{
    struct import *im = ctx;
    return strcmp(id, "USLACKBOT") == 0 ? "slackbot" : br_name_map_get(im->users, id);
}

static const char *channel_name(void *ctx, const char *id)
{
    struct import *im = ctx;
    return br_name_map_get(im->channels, id);
}

static const char *first_text(const char *a, const char *b, const char *c)
{
    return a && *a ? a : b && *b ? b : c && *c ? c : NULL;
}

/* ---- events to items ---- */

/* The name texts are rendered with: that of an older export does not replace a fresher one that is stored. */
static enum br_rc note_listed_user(struct import *im, const struct br_slack_user *u, unsigned flags, struct br_err *err)
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

static enum br_rc on_user(struct import *im, const struct br_user_event *u, struct br_err *err)
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

static enum br_rc note_listed_channel(struct import *im, const struct br_slack_channel *c, struct br_err *err)
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

static enum br_rc note_pins(struct import *im, const struct br_channel_event *c, struct br_err *err)
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
static enum br_rc tell_pin(struct import *im, struct br_message_event *m, struct br_err *err)
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

static enum br_rc on_channel(struct import *im, const struct br_channel_event *c, struct br_err *err)
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
static enum br_rc note_user(struct import *im, const char *id, struct br_err *err)
{
    if (!id || strcmp(id, "USLACKBOT") == 0)
        return BR_OK;
    int before = br_name_map_put(im->users, id, NULL, BR_NAME_COUNTED);
    if (before < 0)
        return br_fail_nomem(err);
    if (before & (BR_NAME_LISTED | BR_NAME_COUNTED))
        return BR_OK;
    count_warning(im, BR_WARN_UNKNOWN_USER, 1, id);
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
static enum br_rc plan_vector(struct import *im, struct br_item *item, struct br_err *err)
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

static enum br_rc render_message(struct import *im, const struct br_message_event *m, struct br_err *err)
{
    bool truncated = false;
    br_buf_reset(&im->text);
    br_buf_reset(&im->raw);
    if (m->cls != BR_CLASS_TOMBSTONE) {
        br_render_message(m->raw, &im->names, &im->text, &truncated);
        if (truncated)
            count_warning(im, BR_WARN_TEXT_TRUNCATED, 1, m->channel_id);
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

static enum br_rc on_message(struct import *im, const struct br_message_event *event, struct br_err *err)
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

static enum br_rc on_delete(struct import *im, const struct br_delete_event *d, struct br_err *err)
{
    struct br_arena *a;
    struct br_item *item;
    enum br_rc rc = br_pipeline_item(im->pipeline, BR_ITEM_DELETE, &item, &a, err);
    if (rc != BR_OK)
        return rc;
    item->deletion.channel_id = br_arena_str(a, d->channel_id);
    item->deletion.ts = d->ts;
    item->deletion.deleted_at = d->deleted_at;
    return BR_OK;
}

static enum br_rc check_stop(struct import *im, struct br_err *err)
{
    if (im->opt->stop && *im->opt->stop)
        return br_fail(err, BR_E_INTERRUPTED, "import interrupted; run the same command again to finish it");
    return BR_OK;
}

static enum br_rc on_event(void *ctx, const struct br_event *ev, struct br_err *err)
{
    struct import *im = ctx;
    enum br_rc rc = BR_OK;
    switch (ev->kind) {
    case BR_EVENT_USER:
        BR_TRY(on_user(im, &ev->user, err));
        break;
    case BR_EVENT_CHANNEL:
        BR_TRY(on_channel(im, &ev->channel, err));
        break;
    case BR_EVENT_MESSAGE:
        BR_TRY(on_message(im, &ev->message, err));
        break;
    case BR_EVENT_DELETE:
        BR_TRY(on_delete(im, &ev->deletion, err));
        break;
    }
    BR_TRY(br_pipeline_submit(im->pipeline, false, err));
    report_progress(im);
    BR_TRY(check_stop(im, err));
err:
    return rc;
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct import *im = ctx;
    im->progress.done = done;
    im->progress.total = total;
    report_progress(im);
}

static enum br_rc thread_cut(void *ctx, uint64_t done, uint64_t total, struct br_err *err)
{
    struct import *im = ctx;
    im->progress.phase = "threads";
    im->progress.done = done;
    im->progress.total = total;
    report_progress(im);
    return check_stop(im, err);
}

/* ---- one workspace ---- */

static enum br_rc remember_user(void *ctx, const char *id, const char *name)
{
    struct import *im = ctx;
    return br_name_map_put(im->users, id, name, 0) < 0 ? BR_E_NOMEM : BR_OK;
}

static enum br_rc remember_channel(void *ctx, const char *id, const char *name)
{
    struct import *im = ctx;
    return br_name_map_put(im->channels, id, name, 0) < 0 ? BR_E_NOMEM : BR_OK;
}

static void fill_report(struct import *im, const struct br_slack_totals *t)
{
    struct br_import_report *r = im->report;
    uint64_t from_store[][2] = {{BR_WARN_ORPHAN_REPLY, t->orphan_replies},
                                {BR_WARN_DUPLICATE_MESSAGE, t->duplicates},
                                {BR_WARN_REPLY_COUNT_MISMATCH, t->reply_count_mismatches}};
    for (size_t i = 0; i < BR_COUNT(from_store); i++)
        im->warnings[from_store[i][0]] += from_store[i][1];
    r->messages_seen = im->n_messages;
    r->messages_new = t->added;
    r->messages_updated = t->updated;
    r->messages_unchanged = t->unchanged;
    r->messages_deleted = t->deleted;
    r->users = im->n_users;
    r->channels = im->n_channels;
    r->threads = t->threads;
    r->replies = t->replies;
    r->reactions = t->reactions;
    r->files = t->files;
    r->documents = t->documents;
    for (size_t w = 0; w < BR_WARN_COUNT && r->n_warnings < BR_IMPORT_WARNINGS_MAX; w++)
        if (im->warnings[w]) {
            r->warnings[r->n_warnings].code = br_warning_name((enum br_warning)w);
            r->warnings[r->n_warnings++].count = im->warnings[w];
        }
}

static enum br_rc run_stages(struct import *im, const struct br_feed *feed, struct br_err *err)
{
    const struct br_sink sink = {.ctx = im, .event = on_event, .warn = count_warning, .progress = on_progress};
    struct br_slack_totals totals;
    enum br_rc rc;
    BR_TRY(br_slack_each_user(im->reader, remember_user, im, err));
    BR_TRY(br_slack_each_channel(im->reader, remember_channel, im, err));
    im->progress.phase = "reading";
    BR_TRY(feed->run(feed->ctx, &sink, err));
    BR_TRY(br_pipeline_drain(im->pipeline, err));
    const struct br_cutting cutting = {.home = im->home,
                                       .reader = im->reader,
                                       .pipeline = im->pipeline,
                                       .dry_run = im->opt->dry_run,
                                       .ctx = im,
                                       .step = thread_cut};
    BR_TRY(br_cut_dirty_threads(&cutting, err));
    if (!im->opt->dry_run) {
        im->progress.phase = "index";
        report_progress(im);
        BR_TRY(br_graph_checkpoint(&im->graph, im->home->io, im->writer, err));
    }
    BR_TRY(br_slack_import_totals(im->writer, &totals, err));
    fill_report(im, &totals);
err:
    return rc;
}

struct sweep {
    const struct br_io *io;
    const char *tmp;
};

static bool is_own_directory(const struct br_io *io, const char *path)
{
    struct br_io_stat st;
    int fd = io->open(io->ctx, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0)
        return false;
    bool own = io->stat(io->ctx, path, &st) == 0 && st.is_dir && st.is_ours;
    io->close(io->ctx, fd);
    return own;
}

/* What a dry run that was killed has left: a store whose lock nobody holds. */
static int sweep_scratch(void *arg, const char *name)
{
    static const char prefix[] = SCRATCH_PREFIX;
    const struct sweep *w = arg;
    const size_t p = sizeof prefix - 1;
    char dir[BR_PATH_MAX - 32], store[BR_PATH_MAX - 16], lock[BR_PATH_MAX];
    if (strncmp(name, prefix, p) != 0 || strlen(name) != p + 16 || strspn(name + p, "0123456789abcdef") != 16)
        return 0;
    int n = snprintf(dir, sizeof dir, "%s/%s", w->tmp, name);
    if (n < 0 || (size_t)n >= sizeof dir || !is_own_directory(w->io, dir))
        return 0;
    (void)snprintf(store, sizeof store, "%s/store", dir);
    (void)snprintf(lock, sizeof lock, "%s/LOCK", store);
    int fd = is_own_directory(w->io, store) ? w->io->open(w->io->ctx, lock, O_RDWR | O_NOFOLLOW, 0) : -1;
    if (fd < 0)
        return 0;
    if (w->io->lock(w->io->ctx, fd, true) >= 0) {
        br_io_remove_dir(w->io, store);
        br_io_remove_dir(w->io, dir);
    }
    w->io->close(w->io->ctx, fd);
    return 0;
}

static const char *scratch_place(void)
{
    const char *set = getenv("TMPDIR");
    return set && *set ? set : "/tmp";
}

void br_import_sweep(const struct br_io *io)
{
    struct sweep sweep = {.io = io, .tmp = scratch_place()};
    (void)io->list(io->ctx, sweep.tmp, sweep_scratch, &sweep);
}

/* A directory that nobody else has, for the store of a dry run. */
static enum br_rc make_scratch(const struct br_io *io, char *dir, size_t n, struct br_err *err)
{
    const char *tmp = scratch_place();
    uint64_t tag;
    br_import_sweep(io);
    int r = io->random(io->ctx, &tag, sizeof tag);
    int len = snprintf(dir, n, "%s/" SCRATCH_PREFIX "%016llx", tmp, (unsigned long long)tag);
    if (len < 0 || (size_t)len >= n) {
        dir[0] = 0;
        return br_fail(err, BR_E_USAGE, "the path in TMPDIR is too long");
    }
    if (r == 0)
        r = io->mkdir(io->ctx, dir, 0700);
    if (r == 0)
        return BR_OK;
    br_fail_errno(err, -r, "cannot make the scratch directory %s for the dry run", dir);
    dir[0] = 0; /* nothing to remove */
    return err->rc;
}

static enum br_rc open_stored(struct import *im, const struct br_source_workspace *w, const char *dir, struct br_err *err)
{
    struct br_store_info info;
    enum br_rc rc;
    BR_TRY(br_store_open(im->home->io, dir, BR_STORE_WRITE, &im->writer, err));
    BR_TRY(br_store_info(im->writer, &info, err));
    BR_TRY(br_home_check_id(w->id, &info, err));
    BR_TRY(br_home_check_model(im->home, &info, err));
    snprintf(im->report->name, sizeof im->report->name, "%s", info.name);
    bool relabel = (im->opt->name && strcmp(im->opt->name, info.name) != 0) || (w->domain && !info.domain[0]);
    if (relabel && !im->opt->dry_run) {
        uint64_t seq;
        BR_TRY(br_store_begin(im->writer, err));
        BR_TRY(br_store_set_label(im->writer, im->opt->name, info.domain[0] ? NULL : w->domain, err));
        BR_TRY(br_store_commit(im->writer, &seq, err));
    }
    br_store_sweep(im->writer);
err:
    return rc;
}

/* The workspace's store for writing. The directory decides whether there is one, not the registry: a creation that was cut short left
 * none. A dry run makes its own elsewhere: scratch and dir then name the place. */
static enum br_rc open_writer(struct import *im, const struct br_source_workspace *w, char dir[BR_PATH_MAX],
                              char scratch[BR_PATH_MAX - 16], struct br_err *err)
{
    const struct br_model_info *m = br_model_info(im->home->model);
    struct br_store_spec spec = {.workspace_id = w->id,
                                 .name = im->opt->name ? im->opt->name : w->name,
                                 .domain = w->domain,
                                 .model_id = m->id,
                                 .dim = m->dim};
    struct br_err first = {0};
    enum br_rc rc = open_stored(im, w, dir, &first);
    if (rc != BR_E_NOTFOUND) {
        if (rc != BR_OK)
            *err = first;
        return rc;
    }
    if (!im->opt->dry_run)
        BR_TRY(br_home_check_consent(im->home, err));
    if (im->opt->dry_run) {
        BR_TRY(make_scratch(im->home->io, scratch, BR_PATH_MAX - 16, err));
        snprintf(dir, BR_PATH_MAX, "%s/store", scratch);
    }
    BR_TRY(br_store_create(im->home->io, dir, &spec, &im->writer, err));
err:
    return rc;
}

/* After the store exists: a row without a store would be a workspace that cannot be opened. */
static enum br_rc register_workspace(struct import *im, struct br_registry *reg, const char *id, struct br_err *err)
{
    char found[65];
    bool known = br_registry_find(reg, id, found, NULL) == BR_OK && strcmp(found, id) == 0;
    if (im->opt->dry_run || (known && !im->opt->name))
        return BR_OK;
    return br_registry_add(reg, id, im->opt->name ? im->opt->name : im->report->name, err);
}

static void close_import(struct import *im)
{
    br_pipeline_free(im->pipeline);
    br_graph_close(&im->graph);
    if (im->reader != im->writer)
        br_store_close(im->reader);
    br_store_close(im->writer);
    br_name_map_free(im->users);
    br_name_map_free(im->channels);
    br_name_map_free(im->pins);
    br_buf_free(&im->text);
    br_buf_free(&im->raw);
}

/* What a forget was stopped at. A reader in its way is no reason not to import. */
static enum br_rc finish_erasure(struct import *im, struct br_err *err)
{
    struct br_err why = {0};
    enum br_rc rc = br_erase_finish(im->home, im->writer, &im->graph, &why);
    if (rc == BR_OK || rc == BR_E_BUSY)
        return BR_OK;
    *err = why;
    return rc;
}

static enum br_rc import_into(struct import *im, const struct br_feed *feed, const char *dir, struct br_err *err)
{
    enum br_rc rc;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (im->opt->dry_run) {
        BR_TRY(br_store_begin(im->writer, err));
        im->reader = im->writer;
    } else {
        BR_TRY(br_store_open(im->home->io, dir, BR_STORE_READ, &im->reader, err));
        br_graph_open(&im->graph, im->home->io, im->writer, NULL);
        BR_TRY(br_graph_follow(&im->graph, im->writer, err));
        BR_TRY(finish_erasure(im, err));
    }
    BR_TRY(br_slack_import_begin(im->writer, err));
    struct br_pipeline_config cfg = {.home = im->home,
                                     .writer = im->writer,
                                     .graph = &im->graph,
                                     .threads = cpus > 0 ? (unsigned)cpus : 1,
                                     .dry_run = im->opt->dry_run,
                                     .ctx = im,
                                     .tick = report_progress};
    BR_TRY(br_pipeline_new(&cfg, &im->pipeline, err));
    BR_TRY(run_stages(im, feed, err));
    im->report->embedded = br_pipeline_embedded(im->pipeline);
err:
    if (im->opt->dry_run && im->writer)
        br_store_rollback(im->writer);
    return rc;
}

static void begin_import(struct import *im)
{
    clock_gettime(CLOCK_MONOTONIC, &im->started);
    im->reported = im->started;
    im->names = (struct br_names){.ctx = im, .user = user_name, .channel = channel_name};
    br_buf_init(&im->text, 2 * (size_t)BR_RENDER_TEXT_MAX);
    br_buf_init(&im->raw, (size_t)16 << 20);
}

enum br_rc br_import_feed(struct br_home *h, const char *dir, const struct br_feed *feed, struct br_import_report *report,
                          struct br_err *err)
{
    static const struct br_import_options defaults = {0};
    struct import im = {.home = h, .opt = &defaults, .report = report};
    enum br_rc rc;
    begin_import(&im);
    BR_TRY(br_name_map_new(&im.users, err));
    BR_TRY(br_name_map_new(&im.channels, err));
    BR_TRY(br_name_map_new(&im.pins, err));
    BR_TRY(br_store_open(h->io, dir, BR_STORE_WRITE, &im.writer, err));
    BR_TRY(import_into(&im, feed, dir, err));
err:
    close_import(&im);
    return rc;
}

struct from_source {
    struct br_source *source;
    size_t workspace;
};

static enum br_rc run_source(void *ctx, const struct br_sink *sink, struct br_err *err)
{
    const struct from_source *f = ctx;
    return br_source_run(f->source, f->workspace, sink, err);
}

static void before_writing(struct br_home *h, struct br_registry *reg)
{
    struct br_err ignored = {0};
    br_registry_complete(reg);
    (void)!br_home_sweep(h, &ignored);
}

static enum br_rc import_workspace(struct br_home *h, struct br_source *src, size_t i, const struct br_import_options *opt,
                                   struct br_import_report *report, struct br_err *err)
{
    const struct br_source_workspace *w = br_source_workspace(src, i);
    struct import im = {.home = h, .opt = opt, .report = report, .freshness = br_source_freshness(src)};
    struct br_registry *reg = NULL;
    char dir[BR_PATH_MAX], scratch[BR_PATH_MAX - 16] = "";
    struct from_source from = {src, i};
    const struct br_feed feed = {.ctx = &from, .run = run_source};
    enum br_rc rc;
    begin_import(&im);
    snprintf(report->workspace, sizeof report->workspace, "%s", w->id);
    snprintf(report->name, sizeof report->name, "%s", opt->name ? opt->name : w->name ? w->name : "");
    report->dry_run = opt->dry_run;
    BR_TRY(br_name_map_new(&im.users, err));
    BR_TRY(br_name_map_new(&im.channels, err));
    BR_TRY(br_name_map_new(&im.pins, err));
    BR_TRY(br_registry_open(h->io, h->path, !opt->dry_run, &reg, NULL, err));
    if (!opt->dry_run)
        before_writing(h, reg);
    BR_TRY(br_home_dir_of(h, w->id, dir, sizeof dir, err));
    BR_TRY(open_writer(&im, w, dir, scratch, err));
    BR_TRY(register_workspace(&im, reg, w->id, err));
    BR_TRY(import_into(&im, &feed, dir, err));
    report->seconds = seconds_since(&im.started);
err:
    close_import(&im);
    br_registry_close(reg);
    if (scratch[0]) {
        br_io_remove_dir(h->io, dir);
        br_io_remove_dir(h->io, scratch);
    }
    return rc;
}

static void add_reports(struct br_import_report *sum, const struct br_import_report *r)
{
    sum->messages_seen += r->messages_seen;
    sum->messages_new += r->messages_new;
    sum->messages_updated += r->messages_updated;
    sum->messages_unchanged += r->messages_unchanged;
    sum->messages_deleted += r->messages_deleted;
    sum->users += r->users;
    sum->channels += r->channels;
    sum->threads += r->threads;
    sum->replies += r->replies;
    sum->reactions += r->reactions;
    sum->files += r->files;
    sum->documents += r->documents;
    sum->embedded += r->embedded;
    sum->seconds += r->seconds;
    for (size_t i = 0; i < r->n_warnings; i++) {
        size_t j = 0;
        while (j < sum->n_warnings && strcmp(sum->warnings[j].code, r->warnings[i].code) != 0)
            j++;
        if (j == BR_IMPORT_WARNINGS_MAX)
            continue;
        if (j == sum->n_warnings)
            sum->warnings[sum->n_warnings++] = r->warnings[i];
        else
            sum->warnings[j].count += r->warnings[i].count;
    }
}

/* Two folders of a Grid export may be of one workspace: it is reported once. */
static void add_workspace(struct br_import_reports *r, const struct br_import_report *one)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->items[i].workspace, one->workspace) == 0) {
            add_reports(&r->items[i], one);
            return;
        }
    r->items[r->count++] = *one;
}

enum br_rc br_import_source(struct br_home *h, struct br_source *src, const struct br_import_options *opt, struct br_import_reports *out,
                            struct br_err *err)
{
    struct br_import_reports reports = {0};
    enum br_rc rc = BR_OK;
    size_t n = br_source_workspace_count(src);
    reports.items = calloc(n ? n : 1, sizeof *reports.items);
    if (!reports.items)
        BR_TRY(br_fail_nomem(err));
    for (size_t i = 0; i < n; i++) {
        struct br_import_report one = {0};
        BR_TRY(import_workspace(h, src, i, opt, &one, err));
        add_workspace(&reports, &one);
    }
err:
    reports.sum.dry_run = opt->dry_run;
    for (size_t i = 0; i < reports.count; i++)
        add_reports(&reports.sum, &reports.items[i]);
    if (reports.count) {
        memcpy(reports.sum.workspace, reports.items[0].workspace, sizeof reports.sum.workspace);
        memcpy(reports.sum.name, reports.items[0].name, sizeof reports.sum.name);
    } else {
        br_import_reports_free(&reports);
    }
    *out = reports;
    return rc;
}

int br_import(struct br_home *h, const char *path, const struct br_import_options *options, struct br_import_reports *out,
              struct br_error *error)
{
    static const struct br_import_options defaults = {0};
    const struct br_import_options *opt = options ? options : &defaults;
    struct br_err err = {0};
    struct br_source *src = NULL;
    struct br_import_reports reports = {0};
    enum br_rc rc;
    BR_TRY(br_source_open(path, opt->name, &src, &err));
    BR_TRY(br_import_source(h, src, opt, &reports, &err));
err:
    br_source_close(src);
    *out = reports;
    return rc == BR_OK ? BR_STATUS_OK : br_status_of(rc, &err, error);
}

void br_import_reports_free(struct br_import_reports *reports)
{
    free(reports->items);
    *reports = (struct br_import_reports){0};
}
