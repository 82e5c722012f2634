/* messages.c - views of the store as public messages, and the calls that list them: channel, top, thread, context. */
#include "engine_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dates.h"

#define MESSAGES_BYTES_MAX ((size_t)1 << 31)

void br_message_list_init(struct br_message_list *l, const struct br_workspace *ws)
{
    *l = (struct br_message_list){.ws = ws};
    br_arena_init(&l->arena, MESSAGES_BYTES_MAX);
}

void br_message_list_free(struct br_message_list *l)
{
    br_arena_free(&l->arena);
    free(l->items);
    l->items = NULL;
    l->count = l->alloc = 0;
}

static void host_of(const struct br_workspace *ws, char *out, size_t n)
{
    snprintf(out, n, strchr(ws->domain, '.') ? "%s" : "%s.slack.com", ws->domain);
}

/* https://<domain>.slack.com/archives/<channel>/p<ts without dot>, a reply with its root. */
static const char *permalink(struct br_arena *a, const struct br_workspace *ws, const struct br_slack_view *v)
{
    char link[512], domain[300];
    if (!ws->domain[0])
        return NULL;
    host_of(ws, domain, sizeof domain);
    int n = snprintf(link, sizeof link, "https://%s/archives/%s/p%lld", domain, v->channel_id, (long long)v->ts);
    if (v->thread_ts && v->thread_ts != v->ts && n > 0 && (size_t)n < sizeof link)
        snprintf(link + n, sizeof link - (size_t)n, "?thread_ts=%lld.%06lld&cid=%s", (long long)(v->thread_ts / 1000000),
                 (long long)(v->thread_ts % 1000000), v->channel_id);
    return br_arena_str(a, link);
}

static const struct br_reaction *copy_reactions(struct br_arena *a, const struct br_slack_view *v)
{
    struct br_reaction *r = br_arena_array(a, v->n_reactions ? v->n_reactions : 1, sizeof *r);
    for (size_t i = 0; r && i < v->n_reactions; i++) {
        r[i].name = br_arena_str(a, v->reactions[i].folded ? v->reactions[i].folded : v->reactions[i].name);
        r[i].count = (uint64_t)BR_MAX(v->reactions[i].count, (int64_t)0);
    }
    return r;
}

static const struct br_file *copy_files(struct br_arena *a, const struct br_slack_view *v)
{
    struct br_file *f = br_arena_array(a, v->n_files ? v->n_files : 1, sizeof *f);
    for (size_t i = 0; f && i < v->n_files; i++) {
        f[i].id = br_arena_str(a, v->files[i].id);
        f[i].name = br_arena_str(a, v->files[i].name);
        f[i].title = br_arena_str(a, v->files[i].title);
        f[i].mimetype = br_arena_str(a, v->files[i].mimetype);
        f[i].mode = br_arena_str(a, v->files[i].mode);
        f[i].size = v->files[i].size;
    }
    return f;
}

enum br_rc br_message_list_add(void *ctx, const struct br_slack_view *v, struct br_err *err)
{
    struct br_message_list *l = ctx;
    struct br_arena *a = &l->arena;
    if (l->count == l->alloc) {
        size_t alloc = l->alloc ? l->alloc * 2 : 32;
        struct br_message *p = realloc(l->items, alloc * sizeof *p);
        if (!p)
            return br_fail_nomem(err);
        l->items = p;
        l->alloc = alloc;
    }
    l->items[l->count++] = (struct br_message){
        .channel_id = br_arena_str(a, v->channel_id),
        .channel_name = br_arena_str(a, v->channel_name),
        .user_id = br_arena_str(a, v->user_id),
        .user_name = br_arena_str(a, v->user_name),
        .ts = v->ts,
        .thread_ts = v->thread_ts,
        .text = br_arena_strn(a, v->text, v->text_len),
        .permalink = permalink(a, l->ws, v),
        .subtype = br_arena_str(a, v->subtype),
        .is_bot = v->is_bot,
        .is_edited = v->edited_ts != 0,
        .is_deleted = v->cls == BR_MSG_TOMBSTONE,
        .is_system = v->cls == BR_MSG_SYSTEM,
        .is_broadcast = v->is_broadcast,
        .reply_count = v->reply_count,
        .reactions_total = v->reactions_total,
        .reactions = copy_reactions(a, v),
        .n_reactions = v->n_reactions,
        .files = copy_files(a, v),
        .n_files = v->n_files,
    };
    return a->failed ? br_fail_nomem(err) : BR_OK;
}

int br_message_list_give(struct br_message_list *l, struct br_messages *out, struct br_error *error)
{
    struct br_arena *memory = malloc(sizeof *memory);
    if (!memory) {
        struct br_err err = {0};
        br_message_list_free(l);
        return br_status_of(br_fail_nomem(&err), &err, error);
    }
    *memory = l->arena;
    *out = (struct br_messages){.count = l->count, .items = l->items, .memory = memory};
    return BR_STATUS_OK;
}

void br_messages_free(struct br_messages *m)
{
    if (m->memory)
        br_arena_free(m->memory);
    free(m->memory);
    free(m->items);
    *m = (struct br_messages){0};
}

/* ---- message ids ---- */

/* …/archives/<channel>/p<digits>, with or without host and query. */
static bool parse_permalink(const char *id, char channel[64], int64_t *ts)
{
    const char *p = strstr(id, "/archives/");
    if (!p)
        return false;
    p += strlen("/archives/");
    const char *slash = strchr(p, '/');
    if (!slash || slash == p || (size_t)(slash - p) > 63 || slash[1] != 'p')
        return false;
    int64_t value = 0;
    const char *d = slash + 2;
    int digits = 0;
    for (; isdigit((unsigned char)*d) && digits < 17; d++, digits++)
        value = value * 10 + (*d - '0');
    if (digits < 7 || (*d && *d != '?' && *d != '#' && *d != '/'))
        return false;
    memcpy(channel, p, (size_t)(slash - p));
    channel[slash - p] = 0;
    *ts = value;
    return true;
}

/* Channel ids are unique within Slack, timestamps are not: another workspace's link may name a message of ours by chance. */
static enum br_rc check_host(const struct br_workspace *ws, const char *link, struct br_err *err)
{
    char host[300];
    const char *p = strstr(link, "://"), *end = strstr(link, "/archives/");
    if (!ws->domain[0] || !p || p > end)
        return BR_OK;
    p += 3;
    host_of(ws, host, sizeof host);
    size_t n = (size_t)(end - p);
    if (n == strlen(host) && strncasecmp(p, host, n) == 0)
        return BR_OK;
    return br_fail(err, BR_E_USAGE, "the link is into %.*s, but this workspace is %s: name the workspace it belongs to",
                   (int)BR_MIN(n, (size_t)100), p, host);
}

enum br_rc br_parse_message_id(struct br_workspace *ws, const char *id, char channel_id[64], int64_t *ts, struct br_err *err)
{
    char channel[256];
    if (parse_permalink(id, channel_id, ts))
        return check_host(ws, id, err);
    const char *colon = strrchr(id, ':');
    if (!colon || colon == id || (size_t)(colon - id) >= sizeof channel || !br_parse_ts(colon + 1, strlen(colon + 1), ts))
        return br_fail(err, BR_E_USAGE, "\"%.100s\" is no message id: give a permalink or CHANNEL:TS, as in C024BE91L:1434567890.000100", id);
    memcpy(channel, id, (size_t)(colon - id));
    channel[colon - id] = 0;
    return br_slack_find_channel(ws->store, channel, channel_id, err);
}

/* ---- the listing calls ---- */

static enum br_rc optional_channel(struct br_workspace *ws, const char *channel, char id[64], struct br_err *err)
{
    return channel ? br_slack_find_channel(ws->store, channel, id, err) : BR_OK;
}

int br_channel_messages(struct br_workspace *ws, const char *channel, size_t n, int64_t before, int64_t after,
                        struct br_messages *out, struct br_error *error)
{
    struct br_err err = {0};
    struct br_message_list l;
    char id[64];
    enum br_rc rc;
    br_message_list_init(&l, ws);
    BR_TRY(br_slack_find_channel(ws->store, channel, id, &err));
    BR_TRY(br_slack_channel_messages(ws->store, id, before, after, n, br_message_list_add, &l, &err));
    return br_message_list_give(&l, out, error);
err:
    br_message_list_free(&l);
    return br_status_of(rc, &err, error);
}

int br_top_messages(struct br_workspace *ws, const char *channel, int64_t after, int64_t before, size_t n,
                    struct br_messages *out, struct br_error *error)
{
    struct br_err err = {0};
    struct br_message_list l;
    char id[64];
    enum br_rc rc;
    br_message_list_init(&l, ws);
    BR_TRY(optional_channel(ws, channel, id, &err));
    BR_TRY(br_slack_top(ws->store, channel ? id : NULL, after ? after + 1 : 0, before, n, br_message_list_add, &l, &err));
    return br_message_list_give(&l, out, error);
err:
    br_message_list_free(&l);
    return br_status_of(rc, &err, error);
}

static enum br_rc note_thread(void *ctx, const struct br_slack_view *v, struct br_err *err)
{
    (void)err;
    int64_t *thread_ts = ctx;
    *thread_ts = v->thread_ts ? v->thread_ts : v->ts;
    return BR_OK;
}

int br_thread_messages(struct br_workspace *ws, const char *message_id, struct br_messages *out, struct br_error *error)
{
    struct br_err err = {0};
    struct br_message_list l;
    char id[64];
    int64_t ts, thread_ts = 0;
    enum br_rc rc;
    br_message_list_init(&l, ws);
    BR_TRY(br_parse_message_id(ws, message_id, id, &ts, &err));
    BR_TRY(br_slack_message(ws->store, id, ts, note_thread, &thread_ts, &err));
    BR_TRY(br_slack_thread(ws->store, id, thread_ts, br_message_list_add, &l, &err));
    return br_message_list_give(&l, out, error);
err:
    br_message_list_free(&l);
    return br_status_of(rc, &err, error);
}

int br_context_messages(struct br_workspace *ws, const char *message_id, size_t around, struct br_messages *out,
                        struct br_error *error)
{
    struct br_err err = {0};
    struct br_message_list l;
    char id[64];
    int64_t ts, thread_ts;
    enum br_rc rc;
    br_message_list_init(&l, ws);
    BR_TRY(br_parse_message_id(ws, message_id, id, &ts, &err));
    BR_TRY(br_slack_message(ws->store, id, ts, note_thread, &thread_ts, &err)); /* not found is said plainly */
    BR_TRY(br_slack_context(ws->store, id, ts, around, br_message_list_add, &l, &err));
    return br_message_list_give(&l, out, error);
err:
    br_message_list_free(&l);
    return br_status_of(rc, &err, error);
}
