/* rebuild.c - metadata.db made anew from the content log.
 *
 * Every message's raw form is a record of its own with its channel in it, so the log is an archive like any other: a
 * new store is made beside the workspace, the raw forms go through the import, and the new files take the place of the
 * old ones (storage/store_repair.c). Dead records are there too: earlier edits lose against later ones as they always
 * do; deleted messages that no delete marker tells of come back.
 *
 * A message that quotes such a form must not be taken for one. So the log is read twice: first to learn what the raw
 * forms' texts are that begin like one, then to take every form that is not such a text. */
#include "upkeep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "json_load.h"
#include "render.h"
#include "slack_object.h"

#define ROW_BYTES_MAX ((size_t)256 << 20)

struct quoted { /* the text of a message that looks like a raw form */
    uint64_t size, checksum;
};

struct rebuild {
    struct br_home *home;
    const char *id, *dir;
    char from[BR_PATH_MAX]; /* the new store */
    uint64_t logs[64];      /* generations of content logs, ascending */
    size_t n_logs;
    uint64_t newest; /* generation of any log */
    struct quoted *quoted;
    size_t n_quoted, quoted_alloc;
    struct br_name_map *channels; /* told already */
    const struct br_sink *sink;
    struct br_arena arena;
    struct br_rebuilt *out;
};

/* --- Files --- */

static int note_log(void *arg, const char *name)
{
    struct rebuild *r = arg;
    bool content = strncmp(name, "content.", 8) == 0;
    if (!content && strncmp(name, "vectors.", 8) != 0)
        return 0;
    const char *digits = name + 8;
    if (!*digits || strlen(digits) > 18 || strspn(digits, "0123456789") != strlen(digits))
        return 0;
    uint64_t generation = strtoull(digits, NULL, 10);
    r->newest = BR_MAX(r->newest, generation);
    if (content && r->n_logs < BR_COUNT(r->logs))
        r->logs[r->n_logs++] = generation;
    return 0;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum br_rc br_rebuild_sweep(struct br_home *h, const char *dir, struct br_err *err)
{
    char from[BR_PATH_MAX];
    int n = snprintf(from, sizeof from, "%s.repair", dir);
    if (n < 0 || (size_t)n >= sizeof from)
        return br_fail(err, BR_E_USAGE, "the workspace's path is too long");
    int r = br_io_remove_dir(h->io, from);
    return r < 0 ? br_fail_errno(err, -r, "cannot remove what a stopped repair left, %s", from) : BR_OK;
}

/* --- Records --- */

static bool is_quoted(const struct rebuild *r, const char *bytes, size_t len)
{
    uint64_t checksum = r->n_quoted ? XXH3_64bits(bytes, len) : 0;
    for (size_t i = 0; i < r->n_quoted; i++)
        if (r->quoted[i].size == len && r->quoted[i].checksum == checksum)
            return true;
    return false;
}

/* The raw form in a record, or NULL: it names its channel and its time. */
static json_t *raw_form(const char *bytes, size_t len, bool *no_memory)
{
    *no_memory = false;
    if (!len || bytes[0] != '{')
        return NULL;
    json_t *v = br_json_load(bytes, len, JSON_REJECT_DUPLICATES, no_memory);
    if (json_is_object(v) && json_string_length(json_object_get(v, "channel")) && json_object_get(v, "ts"))
        return v;
    json_decref(v);
    return NULL;
}

static enum br_rc note_quoted(void *ctx, const char *bytes, size_t len, struct br_err *err)
{
    struct rebuild *r = ctx;
    enum br_rc rc = BR_OK;
    struct br_buf text;
    bool truncated;
    bool no_memory;
    json_t *v = raw_form(bytes, len, &no_memory);
    if (!v)
        return no_memory ? br_fail_nomem(err) : BR_OK;
    br_buf_init(&text, 2 * (size_t)BR_RENDER_TEXT_MAX);
    br_render_message(v, NULL, &text, &truncated);
    rc = br_buf_status(&text, err);
    if (rc == BR_OK && text.len && text.data[0] == '{') {
        if (r->n_quoted == r->quoted_alloc) {
            size_t alloc = r->quoted_alloc ? r->quoted_alloc * 2 : 16;
            struct quoted *p = realloc(r->quoted, alloc * sizeof *p);
            if (!p)
                rc = br_fail_nomem(err);
            else
                r->quoted = p;
            r->quoted_alloc = p ? alloc : r->quoted_alloc;
        }
        if (rc == BR_OK)
            r->quoted[r->n_quoted++] = (struct quoted){text.len, XXH3_64bits(text.data, text.len)};
    }
    br_buf_free(&text);
    json_decref(v);
    return rc;
}

static enum br_rc tell_channel(struct rebuild *r, const char *id, struct br_err *err)
{
    int before = br_name_map_put(r->channels, id, NULL, BR_NAME_LISTED);
    if (before < 0)
        return br_fail_nomem(err);
    if (before & BR_NAME_LISTED)
        return BR_OK;
    const struct br_event ev = {.kind = BR_EVENT_CHANNEL, .channel = {.id = id, .is_stub = true}};
    return r->sink->event(r->sink->ctx, &ev, err);
}

static enum br_rc take_record(void *ctx, const char *bytes, size_t len, struct br_err *err)
{
    struct rebuild *r = ctx;
    struct br_event ev;
    const struct br_notes notes = {.sink = r->sink, .file = "content log"};
    enum br_rc rc = BR_OK;
    bool no_memory = false;
    json_t *v = is_quoted(r, bytes, len) ? NULL : raw_form(bytes, len, &no_memory);
    if (!v)
        return no_memory ? br_fail_nomem(err) : BR_OK;
    const char *channel = json_string_value(json_object_get(v, "channel"));
    br_arena_free(&r->arena);
    br_arena_init(&r->arena, ROW_BYTES_MAX);
    enum br_row row = strlen(channel) < 64 ? br_message_read(v, channel, &notes, &r->arena, &ev) : BR_ROW_SKIPPED;
    if (row == BR_ROW_NO_MEMORY)
        rc = br_fail_nomem(err);
    if (row == BR_ROW_EVENT)
        rc = tell_channel(r, channel, err);
    if (rc == BR_OK && row == BR_ROW_EVENT && ev.kind == BR_EVENT_MESSAGE && ev.message.user_id) {
        struct br_event who = {.kind = BR_EVENT_USER};
        if (br_user_from_message(v, ev.message.user_id, &who.user))
            rc = r->sink->event(r->sink->ctx, &who, err);
    }
    if (rc == BR_OK && row == BR_ROW_EVENT)
        rc = r->sink->event(r->sink->ctx, &ev, err);
    json_decref(v);
    return rc;
}

static enum br_rc scan_logs(struct rebuild *r,
                            enum br_rc (*fn)(void *ctx, const char *bytes, size_t len, struct br_err *err),
                            uint64_t *damaged, struct br_err *err)
{
    char path[BR_PATH_MAX];
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < r->n_logs; i++) {
        int n = snprintf(path, sizeof path, "%s/content.%llu", r->dir, (unsigned long long)r->logs[i]);
        if (n < 0 || (size_t)n >= sizeof path)
            return br_fail(err, BR_E_USAGE, "the workspace's path is too long");
        BR_TRY(br_store_scan_content(r->home->io, path, fn, r, damaged, err));
    }
err:
    return rc;
}

static enum br_rc feed_records(void *ctx, const struct br_sink *sink, struct br_err *err)
{
    struct rebuild *r = ctx;
    uint64_t damaged = 0;
    r->sink = sink;
    enum br_rc rc = scan_logs(r, take_record, &damaged, err);
    r->out->damaged = damaged;
    return rc;
}

/* --- The new store --- */

static enum br_rc make_store(struct rebuild *r, struct br_err *err)
{
    const struct br_model_info *m = br_model_info(r->home->model);
    const struct br_store_spec spec = {
        .workspace_id = r->id, .model_id = m->id, .dim = m->dim, .generation = r->newest + 1};
    struct br_slack_salvage found;
    struct br_store *s = NULL;
    char path[BR_PATH_MAX];
    enum br_rc rc;
    int n = snprintf(path, sizeof path, "%s/metadata.db", r->dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return br_fail(err, BR_E_USAGE, "the workspace's path is too long");
    BR_TRY(br_home_check_consent(r->home, err));
    BR_TRY(br_store_create(r->home->io, r->from, &spec, &s, err));
    BR_TRY(br_store_begin(s, err));
    BR_TRY(br_slack_salvage(s, path, &found, err));
    BR_TRY(br_store_commit(s, NULL, err));
    r->out->users = found.users;
    r->out->channels = found.channels;
    r->out->deletions = found.deletions;
err:
    br_store_close(s);
    return rc;
}

/* Mentions in the texts are ids where no name was found: the next import of an archive puts names in. */
static enum br_rc open_to_imports(struct rebuild *r, struct br_err *err)
{
    struct br_store *s = NULL;
    enum br_rc rc;
    BR_TRY(br_store_open(r->home->io, r->from, BR_STORE_WRITE, &s, err));
    BR_TRY(br_store_begin(s, err));
    BR_TRY(br_slack_lower_ranks(s, err));
    BR_TRY(br_store_commit(s, NULL, err));
err:
    br_store_close(s);
    return rc;
}

static enum br_rc rebuild(struct rebuild *r, struct br_err *err)
{
    const struct br_feed feed = {.ctx = r, .run = feed_records};
    struct br_import_report report = {0};
    uint64_t ignored = 0;
    enum br_rc rc;
    int e = r->home->io->list(r->home->io->ctx, r->dir, note_log, r);
    if (e < 0)
        BR_TRY(br_fail_errno(err, -e, "cannot list %s", r->dir));
    if (!r->n_logs)
        BR_TRY(br_fail(err, BR_E_CORRUPT, "%s holds neither metadata.db nor a content log: import the archives again",
                       r->dir));
    qsort(r->logs, r->n_logs, sizeof *r->logs, ascending);
    br_io_remove_dir(r->home->io, r->from); /* of a run that was stopped */
    BR_TRY(scan_logs(r, note_quoted, &ignored, err));
    BR_TRY(make_store(r, err));
    BR_TRY(br_import_feed(r->home, r->from, &feed, &report, err));
    r->out->messages = report.messages_new;
    BR_TRY(open_to_imports(r, err));
    BR_TRY(br_store_replace(r->home->io, r->from, r->dir, r->newest + 1, err));
    br_io_remove_dir(r->home->io, r->from);
err:
    return rc;
}

enum br_rc br_rebuild_metadata(struct br_home *h, const char *id, const char *dir, struct br_rebuilt *out,
                               struct br_err *err)
{
    struct rebuild r = {.home = h, .id = id, .dir = dir, .out = out};
    int lock = -1;
    enum br_rc rc;
    *out = (struct br_rebuilt){0};
    br_arena_init(&r.arena, ROW_BYTES_MAX);
    int n = snprintf(r.from, sizeof r.from, "%s.repair", dir);
    if (n < 0 || (size_t)n >= sizeof r.from)
        BR_TRY(br_fail(err, BR_E_USAGE, "the workspace's path is too long"));
    BR_TRY(br_store_lock(h->io, dir, &lock, err));
    BR_TRY(br_name_map_new(&r.channels, err));
    BR_TRY(rebuild(&r, err));
err:
    if (lock >= 0)
        h->io->close(h->io->ctx, lock);
    br_name_map_free(r.channels);
    br_arena_free(&r.arena);
    free(r.quoted);
    return rc;
}
