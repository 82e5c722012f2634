/* pipeline.c - batches of things to store, through embedding to the commit.
 *
 * Three stages beside each other: the caller's thread fills batches, a pool of threads embeds their texts, one writer thread commits
 * them in order and lets the graph follow. At most BATCHES_MAX batches are under way, so memory is bounded; all state below `lock`
 * is guarded by it, and `changed` is signalled at every step. The first error stops the line: later batches are dropped, uncommitted.
 * In a dry run there are no threads: batches are applied where they are submitted. */
#include "engine_int.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "base/array.h"
#include "render.h"

#define BATCHES_MAX 3
#define BATCH_TEXTS 256           /* documents a commit */
#define BATCH_ITEMS 4096
#define BATCH_BYTES ((size_t)8 << 20)
#define BATCH_BYTES_MAX ((size_t)1 << 30) /* a single huge thread */
#define TASK_TEXTS 16             /* texts an embedding thread takes at a time */
#define SEEN_SIZE 2048            /* equal texts in a batch; a power of two */

struct text {
    const char *text;
    size_t len;
    float *out;
};

struct br_batch {
    struct br_batch *next;
    struct br_arena arena;
    struct br_item *items;
    size_t n_items, items_alloc;
    struct text *texts; /* longest first once submitted */
    size_t n_texts, texts_alloc;
    size_t claimed, done; /* of texts; under lock once submitted */
    uint32_t seen[SEEN_SIZE]; /* index of a text + 1 */
    size_t n_seen;
};

struct br_pipeline {
    struct br_pipeline_config cfg;
    uint32_t dim;
    struct br_batch *filling;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct br_batch *head, *tail; /* submitted, oldest first; the writer takes the head when it is embedded */
    unsigned under_way;
    bool closing;
    struct br_err err; /* the first error of a stage */
    uint64_t embedded;
    pthread_t threads[65];
    unsigned n_threads;
    struct br_embedder *writer_embedder;
};

/* ---- a batch ---- */

static void batch_free(struct br_batch *b)
{
    if (!b)
        return;
    br_arena_free(&b->arena);
    free(b->items);
    free(b->texts);
    free(b);
}

static enum br_rc need_batch(struct br_pipeline *p, struct br_err *err)
{
    if (p->filling)
        return BR_OK;
    p->filling = calloc(1, sizeof *p->filling);
    if (!p->filling)
        return br_fail_nomem(err);
    br_arena_init(&p->filling->arena, BATCH_BYTES_MAX);
    return BR_OK;
}

enum br_rc br_pipeline_item(struct br_pipeline *p, enum br_item_kind kind, struct br_item **item, struct br_arena **arena,
                            struct br_err *err)
{
    enum br_rc rc = need_batch(p, err);
    if (rc != BR_OK)
        return rc;
    struct br_batch *b = p->filling;
    if (!br_array_fit(&b->items, &b->items_alloc, b->n_items + 1, sizeof *b->items))
        return br_fail_nomem(err);
    *item = &b->items[b->n_items++];
    **item = (struct br_item){.kind = kind};
    *arena = &b->arena;
    return BR_OK;
}

float *br_pipeline_vector_room(struct br_pipeline *p)
{
    return br_arena_array(&p->filling->arena, p->dim, sizeof(float));
}

float *br_pipeline_vector(struct br_pipeline *p, const char *text, size_t len)
{
    struct br_batch *b = p->filling;
    size_t i = XXH3_64bits(text, len) & (SEEN_SIZE - 1);
    for (; b->seen[i]; i = (i + 1) & (SEEN_SIZE - 1)) {
        const struct text *t = &b->texts[b->seen[i] - 1];
        if (t->len == len && memcmp(t->text, text, len) == 0)
            return t->out;
    }
    float *out = br_pipeline_vector_room(p);
    if (!out || !br_array_fit(&b->texts, &b->texts_alloc, b->n_texts + 1, sizeof *b->texts))
        return NULL;
    b->texts[b->n_texts++] = (struct text){.text = text, .len = len, .out = out};
    if (b->n_seen < SEEN_SIZE / 2) {
        b->seen[i] = (uint32_t)b->n_texts;
        b->n_seen++;
    }
    return out;
}

/* ---- embedding threads ---- */

static int longer_first(const void *a, const void *b)
{
    const struct text *x = a, *y = b;
    return (x->len < y->len) - (x->len > y->len);
}

/* The oldest batch with texts nobody took yet. */
static struct br_batch *unclaimed(struct br_pipeline *p)
{
    for (struct br_batch *b = p->head; b; b = b->next)
        if (b->claimed < b->n_texts)
            return b;
    return NULL;
}

struct worker {
    struct br_embedder *embedder;
    struct br_buf bufs[TASK_TEXTS];
    float *vectors;
};

static enum br_rc embed_texts(struct worker *w, const struct text *texts, size_t n, uint32_t dim, struct br_err *err)
{
    const char *ptrs[TASK_TEXTS];
    size_t lens[TASK_TEXTS];
    enum br_rc rc;
    for (size_t i = 0; i < n; i++) {
        br_buf_reset(&w->bufs[i]);
        br_render_for_embedding(texts[i].text, texts[i].len, &w->bufs[i]);
        BR_TRY(br_buf_status(&w->bufs[i], err)); /* the vector of half a text would be wrong for good */
        ptrs[i] = br_buf_str(&w->bufs[i]);
        lens[i] = w->bufs[i].len;
    }
    BR_TRY(br_embed(w->embedder, ptrs, lens, n, w->vectors, err));
    for (size_t i = 0; i < n; i++)
        memcpy(texts[i].out, w->vectors + i * dim, dim * sizeof(float));
err:
    return rc;
}

static void note_error(struct br_pipeline *p, const struct br_err *e)
{
    if (p->err.rc == BR_OK)
        p->err = *e;
}

static void worker_loop(struct br_pipeline *p, struct worker *w)
{
    for (;;) {
        struct br_batch *b;
        while (!(b = unclaimed(p)) && !p->closing)
            pthread_cond_wait(&p->changed, &p->lock);
        if (!b)
            return;
        size_t from = b->claimed;
        size_t n = BR_MIN((size_t)TASK_TEXTS, b->n_texts - from);
        bool skip = p->err.rc != BR_OK;
        b->claimed += n;
        pthread_mutex_unlock(&p->lock);
        struct br_err err = {0};
        enum br_rc rc = skip ? BR_OK : embed_texts(w, b->texts + from, n, p->dim, &err);
        pthread_mutex_lock(&p->lock);
        if (rc != BR_OK)
            note_error(p, &err);
        else if (!skip)
            p->embedded += n;
        b->done += n;
        pthread_cond_broadcast(&p->changed);
    }
}

static void *worker_main(void *arg)
{
    struct br_pipeline *p = arg;
    struct br_err err = {0};
    struct worker w = {0};
    for (size_t i = 0; i < TASK_TEXTS; i++)
        br_buf_init(&w.bufs[i], 2 * (size_t)BR_RENDER_TEXT_MAX);
    w.vectors = malloc(TASK_TEXTS * (size_t)p->dim * sizeof(float));
    enum br_rc rc = w.vectors ? br_embedder_new(p->cfg.home->model, &w.embedder, &err) : br_fail_nomem(&err);
    pthread_mutex_lock(&p->lock);
    if (rc != BR_OK)
        note_error(p, &err);
    worker_loop(p, &w);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < TASK_TEXTS; i++)
        br_buf_free(&w.bufs[i]);
    br_embedder_free(w.embedder);
    free(w.vectors);
    return NULL;
}

/* ---- the writer ---- */

/* The caller decided on a snapshot that may be a few batches old: a row it took for unchanged can have changed since. Rare, so the vector is
 * made here. */
static enum br_rc late_vector(struct br_pipeline *p, const struct br_slack_message *m, float **vector, struct br_arena *arena,
                              struct br_err *err)
{
    bool wants = false, found = false;
    struct br_buf buf;
    enum br_rc rc = br_slack_wants_vector(p->cfg.writer, m, &wants, err);
    if (rc != BR_OK || !wants)
        return rc;
    float *v = br_arena_array(arena, p->dim, sizeof(float));
    if (!v)
        return br_fail_nomem(err);
    br_buf_init(&buf, 2 * (size_t)BR_RENDER_TEXT_MAX);
    BR_TRY(br_store_vector_of_text(p->cfg.writer, m->text, m->text_len, v, &found, err));
    if (!found) {
        if (!p->writer_embedder)
            BR_TRY(br_embedder_new(p->cfg.home->model, &p->writer_embedder, err));
        br_render_for_embedding(m->text, m->text_len, &buf);
        BR_TRY(br_buf_status(&buf, err));
        const char *text = br_buf_str(&buf);
        BR_TRY(br_embed(p->writer_embedder, &text, &buf.len, 1, v, err));
    }
    *vector = v;
err:
    br_buf_free(&buf);
    return rc;
}

static enum br_rc apply_item(struct br_pipeline *p, struct br_item *item, struct br_arena *arena, struct br_err *err)
{
    struct br_store *s = p->cfg.writer;
    enum br_slack_outcome outcome;
    bool deleted;
    enum br_rc rc = BR_OK;
    switch (item->kind) {
    case BR_ITEM_USER:
        return br_slack_put_user(s, &item->user, err);
    case BR_ITEM_CHANNEL:
        return br_slack_put_channel(s, &item->channel, err);
    case BR_ITEM_MESSAGE:
        if (item->message.needs_vector && !item->vector && !p->cfg.dry_run)
            rc = late_vector(p, &item->message, &item->vector, arena, err);
        return rc ? rc : br_slack_put_message(s, &item->message, item->vector, &outcome, err);
    case BR_ITEM_DELETE:
        return br_slack_delete_message(s, item->deletion.channel_id, item->deletion.ts, item->deletion.deleted_at, &deleted, err);
    case BR_ITEM_PASSAGES:
        return br_slack_put_passages(s, &item->passages.key, item->passages.items, item->passages.n, err);
    case BR_ITEM_VECTOR:
        return br_slack_fill_vector(s, &item->vectorless, item->vector, err);
    }
    return rc;
}

static enum br_rc apply_batch(struct br_pipeline *p, struct br_batch *b, struct br_err *err)
{
    enum br_rc rc;
    uint64_t seq;
    if (!p->cfg.dry_run)
        BR_TRY(br_store_begin(p->cfg.writer, err));
    for (size_t i = 0; i < b->n_items; i++)
        BR_TRY(apply_item(p, &b->items[i], &b->arena, err));
    if (p->cfg.dry_run)
        return BR_OK;
    BR_TRY(br_store_commit(p->cfg.writer, &seq, err));
    if (p->cfg.graph)
        BR_TRY(br_graph_keep_up(p->cfg.graph, p->cfg.home->io, p->cfg.writer, err));
    return BR_OK;
err:
    if (!p->cfg.dry_run)
        br_store_rollback(p->cfg.writer);
    return rc;
}

static void *writer_main(void *arg)
{
    struct br_pipeline *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!(p->head && p->head->done == p->head->n_texts) && !(p->closing && !p->head))
            pthread_cond_wait(&p->changed, &p->lock);
        struct br_batch *b = p->head;
        if (!b)
            break;
        bool skip = p->err.rc != BR_OK;
        pthread_mutex_unlock(&p->lock);
        struct br_err err = {0};
        enum br_rc rc = skip ? BR_OK : apply_batch(p, b, &err);
        pthread_mutex_lock(&p->lock);
        if (rc != BR_OK) {
            (void)br_fail(&err, rc, "%s", br_rc_text(rc));
            note_error(p, &err);
        }
        p->head = b->next;
        if (!p->head)
            p->tail = NULL;
        p->under_way--;
        batch_free(b);
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- the caller's side ---- */

enum br_rc br_pipeline_new(const struct br_pipeline_config *cfg, struct br_pipeline **out, struct br_err *err)
{
    struct br_pipeline *p = calloc(1, sizeof *p);
    if (!p)
        return br_fail_nomem(err);
    p->cfg = *cfg;
    p->dim = br_model_info(cfg->home->model)->dim;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    unsigned want = cfg->dry_run ? 0 : BR_MIN(BR_MAX(cfg->threads, 1u), 64u) + 1;
    for (; p->n_threads < want; p->n_threads++) {
        void *(*fn)(void *) = p->n_threads == 0 ? writer_main : worker_main;
        int e = pthread_create(&p->threads[p->n_threads], NULL, fn, p);
        if (e) {
            enum br_rc rc = br_fail_errno(err, e, "cannot start a thread");
            br_pipeline_free(p);
            return rc;
        }
    }
    *out = p;
    return BR_OK;
}

/* Waits on `changed` for at most a fifth of a second, then lets the caller report progress. */
static void wait_a_little(struct br_pipeline *p)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    int e = pthread_cond_timedwait(&p->changed, &p->lock, &until);
    if (e == ETIMEDOUT && p->cfg.tick) {
        pthread_mutex_unlock(&p->lock);
        p->cfg.tick(p->cfg.ctx);
        pthread_mutex_lock(&p->lock);
    }
}

static enum br_rc take_error(struct br_pipeline *p, struct br_err *err)
{
    if (p->err.rc == BR_OK)
        return BR_OK;
    if (err && err->rc == BR_OK)
        *err = p->err;
    return p->err.rc;
}

enum br_rc br_pipeline_submit(struct br_pipeline *p, bool force, struct br_err *err)
{
    struct br_batch *b = p->filling;
    if (!b || !b->n_items)
        return BR_OK;
    bool full = b->n_texts >= BATCH_TEXTS || b->n_items >= BATCH_ITEMS || b->arena.used >= BATCH_BYTES;
    if (!full && !force)
        return BR_OK;
    if (b->arena.failed)
        return br_fail_nomem(err);
    p->filling = NULL;
    if (p->cfg.dry_run) {
        enum br_rc rc = apply_batch(p, b, err);
        batch_free(b);
        return rc;
    }
    if (b->n_texts)
        qsort(b->texts, b->n_texts, sizeof *b->texts, longer_first);
    pthread_mutex_lock(&p->lock);
    while (p->under_way >= BATCHES_MAX && p->err.rc == BR_OK)
        wait_a_little(p);
    if (p->tail)
        p->tail->next = b;
    else
        p->head = b;
    p->tail = b;
    p->under_way++;
    pthread_cond_broadcast(&p->changed);
    enum br_rc rc = take_error(p, err);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

enum br_rc br_pipeline_drain(struct br_pipeline *p, struct br_err *err)
{
    enum br_rc rc = br_pipeline_submit(p, true, err);
    if (p->cfg.dry_run)
        return rc;
    pthread_mutex_lock(&p->lock);
    while (p->under_way)
        wait_a_little(p);
    if (rc == BR_OK)
        rc = take_error(p, err);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

uint64_t br_pipeline_embedded(const struct br_pipeline *p)
{
    return p->embedded;
}

void br_pipeline_free(struct br_pipeline *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    if (p->head && p->err.rc == BR_OK) { /* abandoned: let the stages drop what is under way */
        struct br_err dropped = {0};
        (void)br_fail(&dropped, BR_E_INTERRUPTED, "import abandoned");
        note_error(p, &dropped);
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->n_threads; i++)
        pthread_join(p->threads[i], NULL);
    batch_free(p->filling);
    br_embedder_free(p->writer_embedder);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
    free(p);
}
