/* workload.c - see workload.h. */
#include "sim/workload.h"

#include "store_int.h"
#include "store_upkeep.h"
#include "../../engine/upkeep.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define CHANNEL WORK_CHANNEL
#define TS(i) (INT64_C(1500000000000000) + (int64_t)(i)*1000000)
#define MESSAGES 24 /* time stamps in use */

static uint64_t draw(struct workload *w, uint64_t below)
{
    uint64_t z = (w->random += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % below;
}

void workload_init(struct workload *w, struct sim_disk *disk, uint64_t seed)
{
    char dir[64];
    snprintf(dir, sizeof dir, "%s/ws", sim_disk_root(disk));
    workload_init_at(w, sim_disk_io(disk), dir, seed);
    w->disk = disk;
}

void workload_init_at(struct workload *w, const struct br_io *io, const char *dir, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->io = io;
    w->random = seed;
    snprintf(w->dir, sizeof w->dir, "%s", dir);
}

void workload_close(struct workload *w)
{
    br_graph_close(&w->graph);
    br_store_close(w->store);
    w->store = NULL;
}

/* ---- the state a reader can tell ---- */

static void add_row(XXH3_state_t *h, sqlite3_stmt *st)
{
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        const char *text = (const char *)sqlite3_column_text(st, i);
        int64_t n = text ? sqlite3_column_bytes(st, i) : -1;
        XXH3_64bits_update(h, &n, sizeof n);
        if (text)
            XXH3_64bits_update(h, text, (size_t)n);
    }
}

enum br_rc workload_digest(struct br_store *s, uint64_t *out, struct br_err *err)
{
    static const char *const queries[] = {
        "SELECT m.channel_id, m.ts, m.thread_ts, m.cls, m.edited_ts, m.reactions_total, m.needs_vector, hex(c.hash), l.vector_checksum,"
        " hex(r.hash), (SELECT hex(sz) FROM fts_messages_docsize WHERE id = m.content_id)"
        " FROM message_metadata m LEFT JOIN content c ON c.content_id = m.content_id LEFT JOIN content r ON r.content_id = m.raw_id"
        " LEFT JOIN slots l ON l.slot = m.slot AND l.seq_killed IS NULL ORDER BY 1, 2",
        ("SELECT p.channel_id, p.thread_ts, p.position, hex(c.hash), l.vector_checksum FROM passages p"
         " LEFT JOIN content c USING(content_id) LEFT JOIN slots l ON l.slot = p.slot AND l.seq_killed IS NULL ORDER BY 1, 2, 3"),
        "SELECT * FROM reactions ORDER BY channel_id, ts, name",
        "SELECT * FROM deleted_messages ORDER BY channel_id, ts",
        "SELECT * FROM dirty_threads ORDER BY channel_id, thread_ts",
    };
    XXH3_state_t *h = XXH3_createState();
    enum br_rc rc = h ? br_store_read_begin(s, err) : br_fail_nomem(err);
    if (rc != BR_OK) {
        XXH3_freeState(h);
        return rc;
    }
    XXH3_64bits_reset(h);
    for (size_t i = 0; i < BR_COUNT(queries) && rc == BR_OK; i++) {
        sqlite3_stmt *st = NULL;
        int r = sqlite3_prepare_v2(br_store_db(s), queries[i], -1, &st, NULL);
        while (r == SQLITE_OK || r == SQLITE_ROW) {
            r = sqlite3_step(st);
            if (r == SQLITE_ROW)
                add_row(h, st);
        }
        if (r != SQLITE_DONE)
            rc = br_store_sql_fail(s, err, "cannot read");
        sqlite3_finalize(st);
    }
    *out = XXH3_64bits_digest(h);
    XXH3_freeState(h);
    br_store_read_end(s);
    return rc;
}

/* ---- steps ---- */

static void vector_of(const char *text, size_t len, float out[WORK_DIM])
{
    float norm = 0;
    for (int i = 0; i < WORK_DIM; i++) {
        out[i] = (float)(int32_t)XXH32(text, len, (uint32_t)i) / 2147483648.0f;
        norm += out[i] * out[i];
    }
    for (int i = 0; i < WORK_DIM; i++)
        out[i] /= __builtin_sqrtf(norm);
}

static enum br_rc acknowledge(struct workload *w)
{
    enum br_rc rc = br_store_commit(w->store, NULL, &w->err);
    if (rc != BR_OK)
        return rc;
    /* Acknowledged: a failure to look at it now is the disk's, not the commit's. */
    struct br_err look = {0};
    BR_ASSERT(w->acked + 1 < WORK_STATES);
    if (workload_digest(w->store, &w->states[w->acked + 1], &look) != BR_OK)
        w->states[w->acked + 1] = 0;
    w->acked++;
    w->committing = false;
    return BR_OK;
}

static enum br_rc open_store(struct workload *w)
{
    enum br_rc rc;
    if (w->store)
        return BR_OK;
    BR_TRY(br_store_open(w->io, w->dir, BR_STORE_WRITE, &w->store, &w->err));
    br_store_sweep(w->store);
    br_graph_open(&w->graph, w->io, w->store, NULL);
err:
    return rc;
}

static enum br_rc put_channel(struct workload *w)
{
    struct br_slack_channel channel = {.id = CHANNEL, .name = "general"};
    return br_slack_put_channel(w->store, &channel, &w->err);
}

static enum br_rc step_create(struct workload *w)
{
    struct br_store_spec spec = {.workspace_id = "T1", .name = "power", .model_id = "none", .dim = WORK_DIM};
    enum br_rc rc;
    w->committing = true;
    BR_TRY(br_store_create(w->io, w->dir, &spec, &w->store, &w->err));
    w->acked = 1;
    BR_TRY(workload_digest(w->store, &w->states[1], &w->err));
    w->committing = true;
    BR_TRY(br_store_begin(w->store, &w->err));
    BR_TRY(put_channel(w));
    BR_TRY(acknowledge(w));
err:
    return rc;
}

static enum br_rc put_message(struct workload *w, int i)
{
    char text[400], raw[500];
    float vector[WORK_DIM];
    enum br_slack_outcome outcome;
    static const char *const reactors[] = {"U1", "U2", "U3"};
    struct br_slack_reaction reaction = {.name = "tada", .folded = "tada", .count = (int64_t)draw(w, 4), .users = reactors, .n_users = 1};
    int n = snprintf(text, sizeof text, "message %d says %llu", i, (unsigned long long)draw(w, 1000));
    if (draw(w, 8) == 0)
        for (; n < 390; n += 13)
            snprintf(text + n, sizeof text - (size_t)n, " and goes on.");
    snprintf(raw, sizeof raw, "{\"text\":\"%s\",\"n\":%llu}", text, (unsigned long long)draw(w, 100));
    struct br_slack_message m = {.channel_id = CHANNEL,
                                 .ts = TS(i),
                                 .thread_ts = i % 3 ? TS(i / 3 * 3) : 0,
                                 .user_id = "U1",
                                 .edited_ts = draw(w, 3) ? TS(1000 + draw(w, 100)) : 0,
                                 .text = text,
                                 .text_len = strlen(text),
                                 .raw = raw,
                                 .raw_len = strlen(raw),
                                 .reactions = &reaction,
                                 .n_reactions = draw(w, 2),
                                 .needs_vector = true};
    vector_of(text, m.text_len, vector);
    return br_slack_put_message(w->store, &m, vector, &outcome, &w->err);
}

static enum br_rc put_batch(struct workload *w)
{
    enum br_rc rc;
    BR_TRY(put_channel(w)); /* a cut may have come before the first batch */
    for (uint64_t n = 1 + draw(w, 6); n; n--) {
        int i = (int)draw(w, MESSAGES);
        bool deleted;
        if (draw(w, 6) == 0)
            BR_TRY(br_slack_delete_message(w->store, CHANNEL, TS(i), TS(2000), &deleted, &w->err));
        else
            BR_TRY(put_message(w, i));
    }
err:
    return rc;
}

static enum br_rc step_batch(struct workload *w)
{
    enum br_rc rc;
    w->committing = true;
    BR_TRY(br_store_begin(w->store, &w->err));
    BR_TRY(put_batch(w));
    BR_TRY(acknowledge(w));
    return BR_OK;
err:
    br_store_rollback(w->store);
    return rc;
}

static enum br_rc step_rollback(struct workload *w)
{
    enum br_rc rc;
    BR_TRY(br_store_begin(w->store, &w->err));
    rc = put_batch(w);
    br_store_rollback(w->store);
err:
    return rc;
}

static enum br_rc step_passages(struct workload *w)
{
    struct br_slack_thread_key keys[4];
    size_t n;
    enum br_rc rc;
    w->committing = true;
    BR_TRY(br_store_begin(w->store, &w->err));
    BR_TRY(br_slack_dirty_threads(w->store, keys, BR_COUNT(keys), &n, &w->err));
    for (size_t i = 0; i < n; i++) {
        char text[100];
        float vector[WORK_DIM];
        snprintf(text, sizeof text, "ann: thread %lld, state %llu", (long long)keys[i].thread_ts, (unsigned long long)draw(w, 1000));
        vector_of(text, strlen(text), vector);
        struct br_slack_passage p = {
            .text = text, .text_len = strlen(text), .first_ts = keys[i].thread_ts, .last_ts = keys[i].thread_ts, .vector = vector};
        BR_TRY(br_slack_put_passages(w->store, &keys[i], &p, 1, &w->err));
    }
    BR_TRY(acknowledge(w));
    return BR_OK;
err:
    br_store_rollback(w->store);
    return rc;
}

static enum br_rc step_graph(struct workload *w)
{
    enum br_rc rc;
    BR_TRY(br_graph_follow(&w->graph, w->store, &w->err));
    BR_TRY(br_graph_checkpoint(&w->graph, w->io, w->store, &w->err));
err:
    return rc;
}

/* Deletes for good: the deletion is a commit like others, the erasing after it changes nothing that a reader can tell. */
static enum br_rc step_erase(struct workload *w)
{
    struct br_home home = {.io = w->io};
    enum br_rc rc;
    bool deleted;
    w->committing = true;
    BR_TRY(br_store_begin(w->store, &w->err));
    rc = br_store_erasing(w->store, &w->err);
    for (int i = 0; i < 3 && rc == BR_OK; i++)
        rc = br_slack_delete_message(w->store, CHANNEL, TS(draw(w, MESSAGES)), TS(2000), &deleted, &w->err);
    if (rc != BR_OK)
        br_store_rollback(w->store);
    BR_TRY(rc);
    BR_TRY(acknowledge(w));
    w->erasing = true;
    BR_TRY(br_erase_finish(&home, w->store, &w->graph, &w->err));
err:
    w->erasing = false;
    return rc;
}

static enum br_rc step_compact(struct workload *w)
{
    enum br_rc rc;
    BR_TRY(br_slack_compact(w->store, NULL, NULL, &w->err));
    br_graph_close(&w->graph);
    BR_TRY(step_graph(w));
    br_store_sweep(w->store);
    BR_TRY(br_store_vacuum(w->store, &w->err));
err:
    return rc;
}

enum br_rc workload_step(struct workload *w, unsigned step)
{
    enum br_rc rc;
    w->err = (struct br_err){0};
    w->committing = false;
    if (step == 0)
        return step_create(w);
    BR_TRY(open_store(w));
    switch (draw(w, 10)) {
    case 0:
        BR_TRY(step_rollback(w));
        break;
    case 1:
        BR_TRY(step_graph(w));
        break;
    case 2:
        workload_close(w);
        BR_TRY(open_store(w));
        break;
    case 3:
    case 4:
        BR_TRY(step_passages(w));
        break;
    case 5:
        BR_TRY(step_erase(w));
        break;
    case 6:
        BR_TRY(step_compact(w));
        break;
    default:
        BR_TRY(step_batch(w));
    }
err:
    return rc;
}

/* ---- the oracle ---- */

static const char *examine_store(struct br_store *s, const struct br_io *io, const uint64_t *allowed, size_t n_allowed, uint64_t *seen,
                                 char *why, size_t room)
{
    struct br_err err = {0};
    struct br_store_report core;
    struct br_slack_report slack;
    struct br_index_report graph;
    struct br_graph g;
    size_t i = 0;
    if (workload_digest(s, seen, &err) != BR_OK)
        snprintf(why, room, "cannot be read: %s", err.msg);
    while (i < n_allowed && allowed[i] != *seen)
        i++;
    if (!why[0] && i == n_allowed)
        snprintf(why, room, "is in a state that was neither acknowledged nor under way");
    if (!why[0] && br_store_verify(s, true, &core, &err) != BR_OK)
        snprintf(why, room, "cannot be verified: %s", err.msg);
    if (!why[0] && (core.corrupt || core.missing_content || core.orphan_vectors))
        snprintf(why, room, "is damaged: %s", core.first_problem);
    if (!why[0] && br_slack_verify(s, &slack, &err) != BR_OK)
        snprintf(why, room, "cannot be verified: %s", err.msg);
    if (!why[0] && (slack.missing_content || slack.missing_vectors || slack.orphan_vectors || slack.wrong_words))
        snprintf(why, room, "is damaged: %s", slack.first_problem);
    br_graph_open(&g, io, s, NULL);
    if (!why[0] && g.index && (br_index_check(g.index, &graph, &err) != BR_OK || !graph.ok))
        snprintf(why, room, "has a damaged graph: %s", graph.first_problem);
    br_graph_close(&g);
    return why[0] ? why : NULL;
}

const char *workload_examine(struct sim_disk *disk, const uint64_t *allowed, size_t n_allowed, uint64_t *seen)
{
    char dir[64];
    snprintf(dir, sizeof dir, "%s/ws", sim_disk_root(disk));
    return workload_examine_at(sim_disk_io(disk), dir, allowed, n_allowed, seen);
}

const char *workload_examine_at(const struct br_io *io, const char *dir, const uint64_t *allowed, size_t n_allowed, uint64_t *seen)
{
    static _Thread_local char why[700];
    struct br_store *s = NULL;
    struct br_err err = {0};
    why[0] = 0;
    *seen = 0;
    enum br_rc rc = br_store_open(io, dir, BR_STORE_READ, &s, &err);
    if (rc == BR_E_NOTFOUND) {
        for (size_t i = 0; i < n_allowed; i++)
            if (allowed[i] == 0)
                return NULL;
        return "is gone";
    }
    if (rc != BR_OK) {
        snprintf(why, sizeof why, "does not open: %.600s", err.msg);
        return why;
    }
    const char *problem = examine_store(s, io, allowed, n_allowed, seen, why, sizeof why);
    br_store_close(s);
    return problem;
}
