/* digest.c - what went on: activity per person or channel, and the digest of a period. One snapshot each. */
#include "engine_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dates.h"

#define ACTIVITY_BYTES_MAX ((size_t)256 << 20)

/* ---- lists of activity ---- */

struct rows {
    struct br_arena arena;
    struct br_activity *items; /* malloc'ed */
    size_t count, alloc;
};

static enum br_rc add_row(void *ctx, const struct br_slack_activity *a, struct br_err *err)
{
    struct rows *r = ctx;
    if (r->count == r->alloc) {
        size_t alloc = r->alloc ? r->alloc * 2 : 32;
        struct br_activity *p = realloc(r->items, alloc * sizeof *p);
        if (!p)
            return br_fail_nomem(err);
        r->items = p;
        r->alloc = alloc;
    }
    r->items[r->count++] = (struct br_activity){.id = br_arena_str(&r->arena, a->id),
                                                .name = br_arena_str(&r->arena, a->name),
                                                .messages = a->messages,
                                                .threads = a->threads,
                                                .reactions = a->reactions,
                                                .spread = a->spread,
                                                .first_ts = a->first_ts,
                                                .last_ts = a->last_ts};
    return r->arena.failed ? br_fail_nomem(err) : BR_OK;
}

static enum br_rc list_activity(struct br_workspace *ws, enum br_activity_by by, const char *channel_id, int64_t from, int64_t to, size_t n,
                                struct br_activities *out, struct br_err *err)
{
    struct rows r = {0};
    enum br_rc rc;
    br_arena_init(&r.arena, ACTIVITY_BYTES_MAX);
    BR_TRY(br_slack_activity(ws->store, by == BR_ACTIVITY_BY_USER ? BR_ACTIVITY_OF_USERS : BR_ACTIVITY_OF_CHANNELS, channel_id, from, to, n, add_row,
                             &r, err));
    struct br_arena *memory = malloc(sizeof *memory);
    if (!memory)
        BR_TRY(br_fail_nomem(err));
    *memory = r.arena;
    *out = (struct br_activities){.count = r.count, .items = r.items, .memory = memory};
    return BR_OK;
err:
    br_arena_free(&r.arena);
    free(r.items);
    return rc;
}

void br_activities_free(struct br_activities *a)
{
    if (a->memory)
        br_arena_free(a->memory);
    free(a->memory);
    free(a->items);
    *a = (struct br_activities){0};
}

/* after is exclusive, as in the public interface; storage/ wants the first moment. */
static int64_t first_moment(int64_t after)
{
    return after ? after + 1 : 0;
}

int br_activity(struct br_workspace *ws, enum br_activity_by by, const char *channel, int64_t after, int64_t before, size_t n,
                struct br_activities *out, struct br_error *error)
{
    struct br_err err = {0};
    char id[64];
    enum br_rc rc = br_store_read_begin(ws->store, &err);
    if (rc != BR_OK)
        return br_status_of(rc, &err, error);
    if (channel)
        BR_TRY(br_slack_find_channel(ws->store, channel, id, &err));
    BR_TRY(list_activity(ws, by, channel ? id : NULL, first_moment(after), before, n, out, &err));
err:
    br_store_read_end(ws->store);
    return br_status_of(rc, &err, error);
}

/* ---- the digest ---- */

struct digest {
    struct br_workspace *ws;
    struct br_digest out;
    struct br_message_list top, threads;
    int64_t from, to;
    size_t n;
};

static enum br_rc add_channel(void *ctx, const char *id, const char *name, int64_t created, struct br_err *err)
{
    struct br_digest *d = ctx;
    struct br_new_channel *p = realloc(d->new_channels, (d->n_new_channels + 1) * sizeof *p);
    if (!p)
        return br_fail_nomem(err);
    d->new_channels = p;
    p = &p[d->n_new_channels++];
    *p = (struct br_new_channel){.created = created};
    snprintf(p->id, sizeof p->id, "%s", id);
    snprintf(p->name, sizeof p->name, "%s", name ? name : "");
    return BR_OK;
}

/* A root that no source has (a placeholder) cannot be shown: its oldest reply stands for it. */
static enum br_rc add_thread(struct digest *d, const struct br_slack_busy_thread *t, struct br_err *err)
{
    struct br_message_list all;
    enum br_rc rc;
    br_message_list_init(&all, d->ws);
    BR_TRY(br_slack_thread(d->ws->store, t->key.channel_id, t->key.thread_ts, br_message_list_add, &all, err));
    if (!all.count)
        goto err;
    uint64_t *replies = realloc(d->out.thread_replies, (d->threads.count + 1) * sizeof *replies);
    if (!replies)
        BR_TRY(br_fail_nomem(err));
    d->out.thread_replies = replies;
    replies[d->threads.count] = t->replies;
    BR_TRY(br_slack_message(d->ws->store, t->key.channel_id, all.items[0].ts, br_message_list_add, &d->threads, err));
err:
    br_message_list_free(&all);
    return rc;
}

static enum br_rc add_threads(struct digest *d, struct br_err *err)
{
    size_t n = 0;
    enum br_rc rc = BR_OK;
    struct br_slack_busy_thread *busy = calloc(d->n, sizeof *busy);
    if (!busy)
        return br_fail_nomem(err);
    BR_TRY(br_slack_busiest_threads(d->ws->store, d->from, d->to, d->n, busy, &n, err));
    for (size_t i = 0; i < n; i++)
        BR_TRY(add_thread(d, &busy[i], err));
err:
    free(busy);
    return rc;
}

/* Neither bound: the week of the newest message. */
static enum br_rc choose_period(struct digest *d, int64_t after, int64_t before, struct br_err *err)
{
    int64_t newest;
    d->from = first_moment(after);
    d->to = before;
    if (after || before)
        return BR_OK;
    enum br_rc rc = br_slack_newest_ts(d->ws->store, &newest, err);
    if (rc == BR_OK)
        br_week_of(newest, d->out.week, &d->from, &d->to);
    return rc;
}

static void name_week(struct digest *d)
{
    char name[16];
    int64_t from, to;
    br_week_of(d->from, name, &from, &to);
    if (from == d->from && to == d->to)
        memcpy(d->out.week, name, sizeof name);
}

static enum br_rc gather(struct digest *d, struct br_err *err)
{
    struct br_slack_activity totals;
    struct br_store *s = d->ws->store;
    enum br_rc rc;
    BR_TRY(br_slack_activity_totals(s, d->from, d->to, &totals, err));
    d->out.messages = totals.messages;
    d->out.threads = totals.threads;
    d->out.reactions = totals.reactions;
    d->out.people = totals.spread;
    BR_TRY(br_slack_top(s, NULL, d->from, d->to, d->n, br_message_list_add, &d->top, err));
    BR_TRY(add_threads(d, err));
    BR_TRY(br_slack_new_channels(s, d->from, d->to, add_channel, &d->out, err));
    BR_TRY(list_activity(d->ws, BR_ACTIVITY_BY_USER, NULL, d->from, d->to, d->n, &d->out.users, err));
    BR_TRY(list_activity(d->ws, BR_ACTIVITY_BY_CHANNEL, NULL, d->from, d->to, d->n, &d->out.channels, err));
err:
    return rc;
}

int br_digest(struct br_workspace *ws, int64_t after, int64_t before, size_t n, struct br_digest *out, struct br_error *error)
{
    struct br_err err = {0};
    struct digest d = {.ws = ws, .n = n};
    enum br_rc rc;
    bool snapshot = false;
    br_message_list_init(&d.top, ws);
    br_message_list_init(&d.threads, ws);
    if (!n || n > BR_DIGEST_N_MAX)
        BR_TRY(br_fail(&err, BR_E_USAGE, "a digest lists 1 to %d of each", BR_DIGEST_N_MAX));
    BR_TRY(br_store_read_begin(ws->store, &err));
    snapshot = true;
    BR_TRY(choose_period(&d, after, before, &err));
    name_week(&d);
    d.out.from = d.from;
    d.out.to = d.to;
    BR_TRY(gather(&d, &err));
    br_store_read_end(ws->store);
    snapshot = false;
    int status = br_message_list_give(&d.top, &d.out.top, error);
    if (!status)
        status = br_message_list_give(&d.threads, &d.out.busiest_threads, error);
    if (!status)
        *out = d.out;
    else
        br_digest_free(&d.out);
    return status;
err:
    if (snapshot)
        br_store_read_end(ws->store);
    br_message_list_free(&d.top);
    br_message_list_free(&d.threads);
    br_digest_free(&d.out);
    return br_status_of(rc, &err, error);
}

void br_digest_free(struct br_digest *d)
{
    br_messages_free(&d->top);
    br_messages_free(&d->busiest_threads);
    br_activities_free(&d->users);
    br_activities_free(&d->channels);
    free(d->thread_replies);
    free(d->new_channels);
    *d = (struct br_digest){0};
}
