/* ingest_count.h - a sink that counts what a source yields, for tests of ingest alone. */
#ifndef BR_INGEST_COUNT_H
#define BR_INGEST_COUNT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "id_map.h"
#include "source.h"

struct count_sink {
    struct br_arena strings;
    struct br_id_map keys; /* workspace, channel and ts; thread roots; users; channels */
    size_t workspace;
    uint64_t messages, rows, users, channels, private_channels, threads, replies, reactions, pairs, files, edited,
        deletes;
    uint64_t warnings[BR_WARN_COUNT];
    uint64_t content_hash; /* of all events, whatever their order */
    const char *forbidden;
};

static inline bool count_first(struct count_sink *k, const char *fmt, const char *id, int64_t ts)
{
    char key[512];
    uint32_t zero = 0;
    int n = snprintf(key, sizeof key, "%zu ", k->workspace);
    (void)snprintf(key + n, sizeof key - (size_t)n, "%s %s %lld", fmt, id, (long long)ts);
    if (br_id_map_get(&k->keys, key) != BR_ID_NONE)
        return false;
    assert_true(br_id_map_add(&k->keys, br_arena_str(&k->strings, key), &zero));
    return true;
}

static inline void count_message(struct count_sink *k, const struct br_message_event *m)
{
    char *dump = json_dumps(m->raw, JSON_SORT_KEYS | JSON_COMPACT);
    assert_non_null(dump);
    assert_non_null(m->channel_id);
    assert_true(m->ts > 0);
    if (k->forbidden)
        assert_null(strstr(dump, k->forbidden));
    k->content_hash += br_id_hash((uint64_t)m->ts, dump);
    free(dump);
    k->rows++;
    if (!count_first(k, "message", m->channel_id, m->ts))
        return;
    k->messages++;
    k->edited += m->edited_ts != 0;
    k->files += m->n_files;
    k->replies += m->thread_ts && m->thread_ts != m->ts;
    if (m->thread_ts && (m->thread_ts != m->ts || m->reply_count) &&
        count_first(k, "thread", m->channel_id, m->thread_ts))
        k->threads++;
    for (size_t i = 0; i < m->n_reactions; i++) {
        k->reactions += (uint64_t)m->reactions[i].count;
        k->pairs += m->reactions[i].n_users;
        assert_non_null(m->reactions[i].folded);
    }
}

static inline enum br_rc count_event(void *ctx, const struct br_event *ev, struct br_err *err)
{
    struct count_sink *k = ctx;
    (void)err;
    switch (ev->kind) {
    case BR_EVENT_USER:
        if (!ev->user.from_message && !ev->user.org_level && count_first(k, "user", ev->user.id, 0))
            k->users++;
        break;
    case BR_EVENT_CHANNEL:
        if (count_first(k, "channel", ev->channel.id, 0)) {
            k->channels++;
            k->private_channels += ev->channel.kind != BR_CHANNEL_PUBLIC;
        }
        break;
    case BR_EVENT_MESSAGE:
        count_message(k, &ev->message);
        break;
    case BR_EVENT_DELETE:
        k->deletes++;
        break;
    }
    return BR_OK;
}

static inline void count_warning(void *ctx, enum br_warning w, uint64_t n, const char *where)
{
    struct count_sink *k = ctx;
    assert_non_null(where);
    k->warnings[w] += n;
}

static inline void count_free(struct count_sink *k)
{
    br_id_map_free(&k->keys);
    br_arena_free(&k->strings);
}

/* Opens and runs everything; *workspaces is the number of them. */
static inline enum br_rc count_source(const char *path, struct count_sink *k, size_t *workspaces, struct br_err *err)
{
    struct br_source *s = NULL;
    struct br_sink sink = {.ctx = k, .event = count_event, .warn = count_warning};
    br_arena_init(&k->strings, (size_t)1 << 30);
    enum br_rc rc = br_source_open(path, NULL, &s, err);
    *workspaces = 0;
    if (rc != BR_OK)
        return rc;
    *workspaces = br_source_workspace_count(s);
    for (size_t i = 0; rc == BR_OK && i < *workspaces; i++) {
        k->workspace = i;
        assert_non_null(br_source_workspace(s, i)->id);
        rc = br_source_run(s, i, &sink, err);
    }
    br_source_close(s);
    return rc;
}

static inline const char *torture_dir(void)
{
    static char dir[1024];
    const char *data = getenv("BACKREAD_TEST_DATA"), *source = getenv("BACKREAD_SOURCE_DIR");
    if (data)
        (void)snprintf(dir, sizeof dir, "%s/data/exports/torture", data);
    else
        (void)snprintf(dir, sizeof dir, "%s/tests/data/torture", source ? source : "..");
    return dir;
}

#endif
