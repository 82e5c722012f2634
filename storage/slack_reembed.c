/* slack_reembed.c - moves a workspace to the vectors of another model.
 *
 *   1  every live document's text is embedded with the new model, into a scratch file (reembed_log.c)   nobody else looks at it
 *   2  a compaction (store_compact.c) writes both logs anew, the vectors from that file, and flips generation, model and dimension in one
 *      transaction; threads whose passages are too long for the new model are marked there to be cut again
 *   3  the scratch file goes
 * The writer's lock is held all the while: nothing is imported meanwhile. Readers go on with the old vectors until the flip. Stopped before it,
 * the workspace is as it was, also for an import, and the next run goes on with the scratch file: it knows documents by content id and hash,
 * which no other command changes without making a new record. Forgetting removes it (store_erase.c). */
#include "slack_upkeep.h"

#include "base/array.h"
#include "reembed_log.h"
#include "slack_int.h"
#include "store_core.h"

#define BLOCK_TEXTS 256
#define BLOCK_BYTES ((size_t)8 << 20)
#define SYNC_TEXTS  4096

struct document {
    uint64_t content_id;
    uint8_t hash[16];
};

struct thread {
    char channel_id[64];
    int64_t ts;
};

struct reembed {
    struct br_store *s;
    const struct br_slack_reembed *how;
    struct br_reembed_log log;
    struct document *docs; /* live ones, by hash, then id */
    size_t n_docs, docs_room;
    struct document *by_id; /* the same, by id: for the flip */
    struct thread *threads; /* to be cut again */
    size_t n_threads, threads_room;
    /* The block under way. */
    struct br_buf bytes;
    size_t offsets[BLOCK_TEXTS + 1], n;
    struct document block[BLOCK_TEXTS];
    size_t same_as[BLOCK_TEXTS]; /* the text that is embedded for it */
    float *vectors;
    uint64_t done, unsynced;
};

static enum br_rc step(const struct reembed *r, const char *phase, uint64_t done, uint64_t total, struct br_err *err)
{
    return r->how->step ? r->how->step(r->how->ctx, phase, done, total, err) : BR_OK;
}

/* --- What there is --- */

static int by_hash(const void *a, const void *b)
{
    const struct document *x = a, *y = b;
    int r = memcmp(x->hash, y->hash, sizeof(x->hash));
    return r ? r : (x->content_id > y->content_id) - (x->content_id < y->content_id);
}

static int by_id(const void *a, const void *b)
{
    const struct document *x = a, *y = b;
    return (x->content_id > y->content_id) - (x->content_id < y->content_id);
}

static enum br_rc list_documents(struct reembed *r, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    BR_TRY(br_store_stmt(r->s,
                         "SELECT s.content_id, c.hash FROM slots AS s CROSS JOIN content AS c USING(workspace_id, content_id)"
                         " WHERE s.workspace_id = ?1 AND s.seq_killed IS NULL",
                         &st, err));
    for (;;) {
        BR_TRY(br_slack_step(r->s, st, &row, err));
        if (!row)
            break;
        if (!br_array_fit(&r->docs, &r->docs_room, r->n_docs + 1, sizeof(*r->docs))) {
            sqlite3_reset(st);
            return br_fail_nomem(err);
        }
        struct document *d = &r->docs[r->n_docs++];
        *d = (struct document){.content_id = (uint64_t)sqlite3_column_int64(st, 0)};
        if (sqlite3_column_bytes(st, 1) == sizeof(d->hash))
            memcpy(d->hash, sqlite3_column_blob(st, 1), sizeof(d->hash));
    }
    r->by_id = malloc((r->n_docs ? r->n_docs : 1) * sizeof(*r->by_id));
    if (!r->by_id)
        return br_fail_nomem(err);
    if (r->n_docs) {
        memcpy(r->by_id, r->docs, r->n_docs * sizeof(*r->by_id));
        qsort(r->by_id, r->n_docs, sizeof(*r->by_id), by_id);
        qsort(r->docs, r->n_docs, sizeof(*r->docs), by_hash);
    }
err:
    return rc;
}

static enum br_rc read_text(struct reembed *r, uint64_t content_id, struct br_err *err)
{
    struct br_err why = {0};
    enum br_rc rc = br_store_content(r->s, content_id, &r->bytes, &why);
    if (rc == BR_E_CORRUPT || rc == BR_E_NOTFOUND)
        return br_fail(err, BR_E_CORRUPT, "%s: content record %llu is damaged: run repair before reembed", br_store_dir(r->s),
                       (unsigned long long)content_id);
    return rc == BR_OK ? BR_OK : br_fail(err, rc, "%s", why.msg);
}

/* --- 1: vectors --- */

static enum br_rc embed_block(struct reembed *r, struct br_err *err)
{
    const char *texts[BLOCK_TEXTS];
    size_t lens[BLOCK_TEXTS], n = 0, place[BLOCK_TEXTS];
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < r->n; i++) {
        if (r->same_as[i] == i) {
            texts[n] = br_buf_str(&r->bytes) + r->offsets[i];
            lens[n] = r->offsets[i + 1] - r->offsets[i];
            place[i] = n++;
        } else {
            place[i] = place[r->same_as[i]];
        }
    }
    if (n)
        BR_TRY(r->how->embed(r->how->ctx, texts, lens, n, r->vectors, err));
    for (size_t i = 0; i < r->n; i++)
        BR_TRY(br_reembed_log_append(&r->log, r->block[i].content_id, r->block[i].hash, r->vectors + place[i] * r->how->dim, err));
    r->unsynced += r->n;
    if (r->unsynced >= SYNC_TEXTS) {
        BR_TRY(br_reembed_log_sync(&r->log, err));
        r->unsynced = 0;
    }
    r->done += r->n;
    r->how->report->embedded += n;
    r->n = 0;
    br_buf_reset(&r->bytes);
    BR_TRY(step(r, "embedding", r->done, r->n_docs, err));
err:
    return rc;
}

/* Equal texts have equal hashes, but not the other way round. */
static bool equals(struct reembed *r, size_t a, size_t b)
{
    size_t n = r->offsets[b + 1] - r->offsets[b];
    return memcmp(r->block[a].hash, r->block[b].hash, 16) == 0 && r->offsets[a + 1] - r->offsets[a] == n &&
           memcmp(br_buf_str(&r->bytes) + r->offsets[a], br_buf_str(&r->bytes) + r->offsets[b], n) == 0;
}

static enum br_rc embed_all(struct reembed *r, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    r->vectors = malloc((size_t)BLOCK_TEXTS * r->how->dim * sizeof(*r->vectors));
    if (!r->vectors)
        return br_fail_nomem(err);
    for (size_t i = 0; i < r->n_docs; i++) {
        const struct document *d = &r->docs[i];
        if (br_reembed_log_has(&r->log, d->content_id, d->hash)) {
            r->done++;
            r->how->report->kept++;
            continue;
        }
        r->offsets[r->n] = r->bytes.len;
        BR_TRY(read_text(r, d->content_id, err));
        r->offsets[r->n + 1] = r->bytes.len;
        r->block[r->n] = *d;
        size_t before = r->n ? r->same_as[r->n - 1] : 0;
        r->same_as[r->n] = r->n && equals(r, before, r->n) ? before : r->n;
        if (++r->n == BLOCK_TEXTS || r->bytes.len > BLOCK_BYTES)
            BR_TRY(embed_block(r, err));
    }
    if (r->n)
        BR_TRY(embed_block(r, err));
    if (r->unsynced)
        BR_TRY(br_reembed_log_sync(&r->log, err));
    br_reembed_log_index(&r->log);
err:
    return rc;
}

/* --- Passages that the new model would cut off --- */

static enum br_rc note_thread(struct reembed *r, const char *channel_id, int64_t ts, struct br_err *err)
{
    const struct thread *last = r->n_threads ? &r->threads[r->n_threads - 1] : NULL;
    if (last && last->ts == ts && strcmp(last->channel_id, channel_id) == 0)
        return BR_OK;
    if (!br_array_fit(&r->threads, &r->threads_room, r->n_threads + 1, sizeof(*r->threads)))
        return br_fail_nomem(err);
    struct thread *t = &r->threads[r->n_threads++];
    *t = (struct thread){.ts = ts};
    strncat(t->channel_id, channel_id, sizeof(t->channel_id) - 1);
    return BR_OK;
}

static enum br_rc list_long_threads(struct reembed *r, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    if (!r->how->fits)
        return BR_OK;
    BR_TRY(br_store_stmt(r->s,
                         "SELECT channel_id, thread_ts, content_id FROM passages WHERE workspace_id = ?1"
                         " ORDER BY channel_id, thread_ts, position",
                         &st, err));
    for (;;) {
        BR_TRY(br_slack_step(r->s, st, &row, err));
        if (!row)
            return BR_OK;
        br_buf_reset(&r->bytes);
        rc = read_text(r, (uint64_t)sqlite3_column_int64(st, 2), err);
        if (rc == BR_OK && !r->how->fits(r->how->ctx, br_buf_str(&r->bytes), r->bytes.len))
            rc = note_thread(r, br_slack_column_key(st, 0), sqlite3_column_int64(st, 1), err);
        if (rc != BR_OK) {
            sqlite3_reset(st);
            return rc;
        }
    }
err:
    return rc;
}

/* --- 2: the flip --- */

static enum br_rc vector_of(void *ctx, uint64_t content_id, float *out, struct br_err *err)
{
    struct reembed *r = ctx;
    const struct document key = {.content_id = content_id};
    const struct document *d = r->n_docs ? bsearch(&key, r->by_id, r->n_docs, sizeof(key), by_id) : NULL;
    if (!d)
        return br_fail(err, BR_E_CORRUPT, "%s: content record %llu is damaged: run repair before reembed", br_store_dir(r->s),
                       (unsigned long long)content_id);
    return br_reembed_log_read(&r->log, content_id, d->hash, out, err);
}

static enum br_rc copied(void *ctx, uint64_t done, uint64_t total, struct br_err *err)
{
    return step(ctx, "copying", done, total, err);
}

static enum br_rc mark_threads(void *ctx, struct br_store *s, struct br_err *err)
{
    struct reembed *r = ctx;
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < r->n_threads && rc == BR_OK; i++)
        rc = br_slack_run_key(s, "INSERT OR IGNORE INTO dirty_threads VALUES(?1, ?2, ?3)", r->threads[i].channel_id, r->threads[i].ts, err);
    return rc;
}

static enum br_rc flip(struct reembed *r, struct br_err *err)
{
    struct br_slot_list l = {0};
    enum br_rc rc;
    BR_TRY(br_slack_slots_by_time(r->s, &l, err));
    const struct br_compaction how = {.slots = l.items,
                                      .n_slots = l.n,
                                      .renumber = br_slack_renumber,
                                      .ctx = r,
                                      .step = copied,
                                      .model_id = r->how->model_id,
                                      .dim = r->how->dim,
                                      .vector = vector_of,
                                      .also = mark_threads};
    BR_TRY(br_store_compact(r->s, &how, err));
err:
    free(l.items);
    return rc;
}

/* --- All of it --- */

struct stray {
    struct br_store *s;
    char keep[64];
};

/* What a run to some other model left: one is enough. */
static int remove_stray(void *arg, const char *name)
{
    const struct stray *x = arg;
    char path[BR_PATH_MAX];
    if (strncmp(name, BR_REEMBED_PREFIX, strlen(BR_REEMBED_PREFIX)) == 0 && strcmp(name, x->keep) != 0 &&
        br_path(path, br_store_dir(x->s), name, NULL) == BR_OK)
        x->s->io->unlink(x->s->io->ctx, path);
    return 0;
}

static void unlink_log(struct br_store *s, const char *model_id)
{
    char name[64], path[BR_PATH_MAX];
    br_reembed_log_name(model_id, name);
    if (br_path(path, br_store_dir(s), name, NULL) == BR_OK)
        s->io->unlink(s->io->ctx, path); /* else a leftover for sweep */
}

enum br_rc br_slack_reembed(struct br_store *s, const struct br_slack_reembed *how, struct br_err *err)
{
    struct reembed *r = calloc(1, sizeof(*r));
    enum br_rc rc;
    if (!r)
        return br_fail_nomem(err);
    r->s = s;
    r->how = how;
    r->log.fd = -1;
    *how->report = (struct br_slack_reembed_report){0};
    br_buf_init(&r->bytes, SIZE_MAX / 4);
    struct stray stray = {.s = s};
    br_reembed_log_name(how->model_id, stray.keep);
    s->io->list(s->io->ctx, s->dir, remove_stray, &stray);
    BR_TRY(list_documents(r, err));
    how->report->documents = r->n_docs;
    BR_TRY(br_reembed_log_open(&r->log, s->io, s->dir, s->uuid, how->model_id, how->dim, err));
    BR_TRY(embed_all(r, err));
    BR_TRY(list_long_threads(r, err));
    how->report->threads = r->n_threads;
    BR_TRY(flip(r, err));
    br_reembed_log_close(&r->log);
    unlink_log(s, how->model_id);
err:
    br_reembed_log_close(&r->log);
    br_buf_free(&r->bytes);
    free(r->docs);
    free(r->by_id);
    free(r->threads);
    free(r->vectors);
    free(r);
    return rc;
}
