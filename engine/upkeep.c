/* upkeep.c - opening a workspace for upkeep, and telling how far it is. */
#include "upkeep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

double br_upkeep_seconds(const struct br_upkeep *u)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - u->started.tv_sec) + (double)(now.tv_nsec - u->started.tv_nsec) / 1e9;
}

enum br_rc br_upkeep_step(struct br_upkeep *u, const char *phase, uint64_t done, uint64_t total, struct br_err *err)
{
    struct timespec now;
    if (!u->opt)
        return BR_OK;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double since = (double)(now.tv_sec - u->reported.tv_sec) + (double)(now.tv_nsec - u->reported.tv_nsec) / 1e9;
    if (u->opt->progress && (since >= 0.2 || done == 0)) {
        u->reported = now;
        u->progress = (struct br_import_progress){.phase = phase,
                                                  .done = done,
                                                  .total = total,
                                                  .messages = u->progress.messages,
                                                  .seconds = br_upkeep_seconds(u)};
        u->opt->progress(u->opt->ctx, &u->progress);
    }
    if (u->opt->stop && *u->opt->stop)
        return br_fail(err, BR_E_INTERRUPTED, "stopped; run the same command again to finish it");
    return BR_OK;
}

void br_upkeep_close(struct br_upkeep *u)
{
    br_graph_close(&u->graph);
    br_store_close(u->store);
    u->store = NULL;
}

static enum br_rc open_upkeep(struct br_home *h, const char *key, const struct br_upkeep_options *opt, bool any_model, struct br_upkeep *u,
                              struct br_err *err)
{
    struct br_registry *reg = NULL;
    struct br_store_info info;
    struct br_err ignored = {0};
    enum br_rc rc;
    *u = (struct br_upkeep){.home = h, .opt = opt};
    clock_gettime(CLOCK_MONOTONIC, &u->started);
    BR_TRY(br_registry_open(h->io, h->path, false, &reg, NULL, err));
    BR_TRY(br_registry_find(reg, key, u->id, err));
    BR_TRY(br_home_dir_of(h, u->id, u->dir, sizeof u->dir, err));
    BR_TRY(br_store_open(h->io, u->dir, BR_STORE_WRITE, &u->store, err));
    BR_TRY(br_store_info(u->store, &info, err));
    if (!any_model)
        BR_TRY(br_home_check_model(h, &info, err));
    br_store_sweep(u->store);
    (void)!br_rebuild_sweep(h, u->dir, &ignored);
    (void)!br_home_sweep(h, &ignored);
    br_graph_open(&u->graph, h->io, u->store, NULL);
err:
    br_registry_close(reg);
    if (rc != BR_OK)
        br_upkeep_close(u);
    return rc;
}

enum br_rc br_upkeep_open(struct br_home *h, const char *key, const struct br_upkeep_options *opt, struct br_upkeep *u,
                          struct br_err *err)
{
    return open_upkeep(h, key, opt, false, u, err);
}

enum br_rc br_upkeep_open_any(struct br_home *h, const char *key, const struct br_upkeep_options *opt, struct br_upkeep *u,
                              struct br_err *err)
{
    return open_upkeep(h, key, opt, true, u, err);
}

static void tick(void *ctx)
{
    (void)ctx; /* progress is told thread by thread */
}

struct working {
    struct br_upkeep *u;
    struct br_store *reader;
    struct br_pipeline *pipeline;
};

/* Runs work with a pipeline over the store, the graph following. */
static enum br_rc with_pipeline(struct br_upkeep *u, enum br_rc (*work)(struct working *w, struct br_err *err),
                                struct br_err *err)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct working w = {.u = u};
    enum br_rc rc;
    BR_TRY(br_store_open(u->home->io, u->dir, BR_STORE_READ, &w.reader, err));
    BR_TRY(br_graph_follow(&u->graph, u->store, err));
    struct br_pipeline_config cfg = {.home = u->home,
                                     .writer = u->store,
                                     .graph = &u->graph,
                                     .threads = cpus > 0 ? (unsigned)cpus : 1,
                                     .ctx = u,
                                     .tick = tick};
    BR_TRY(br_pipeline_new(&cfg, &w.pipeline, err));
    BR_TRY(work(&w, err));
err:
    br_pipeline_free(w.pipeline);
    br_store_close(w.reader);
    return rc;
}

static enum br_rc thread_cut(void *ctx, uint64_t done, uint64_t total, struct br_err *err)
{
    return br_upkeep_step(ctx, "threads", done, total, err);
}

static enum br_rc cut_threads(struct working *w, struct br_err *err)
{
    const struct br_cutting cutting = {
        .home = w->u->home, .reader = w->reader, .pipeline = w->pipeline, .ctx = w->u, .step = thread_cut};
    return br_cut_dirty_threads(&cutting, err);
}

enum br_rc br_upkeep_cut_threads(struct br_upkeep *u, struct br_err *err)
{
    return with_pipeline(u, cut_threads, err);
}

/* --- Vectors for stored texts --- */

static enum br_rc plan_vector(struct working *w, const struct br_slack_vectorless *d, struct br_buf *text,
                              struct br_err *err)
{
    struct br_arena *a;
    struct br_item *item;
    bool found = false;
    enum br_rc rc;
    br_buf_reset(text);
    BR_TRY(br_store_content(w->reader, d->content_id, text, err));
    BR_TRY(br_pipeline_item(w->pipeline, BR_ITEM_VECTOR, &item, &a, err));
    float *room = br_pipeline_vector_room(w->pipeline);
    const char *copy = br_arena_strn(a, br_buf_str(text), text->len);
    if (!room || !copy)
        return br_fail_nomem(err);
    item->vectorless = *d;
    BR_TRY(br_store_vector_of_text(w->reader, copy, text->len, room, &found, err));
    item->vector = found ? room : br_pipeline_vector(w->pipeline, copy, text->len);
    if (!item->vector)
        return br_fail_nomem(err);
    BR_TRY(br_pipeline_submit(w->pipeline, false, err));
err:
    return rc;
}

static enum br_rc fill_vectors(struct working *w, struct br_err *err)
{
    enum { BLOCK = 1024 };
    struct br_slack_vectorless *block = malloc(BLOCK * sizeof *block);
    struct br_buf text;
    size_t n;
    enum br_rc rc;
    if (!block)
        return br_fail_nomem(err);
    br_buf_init(&text, SIZE_MAX / 4);
    do {
        BR_TRY(br_slack_vectorless(w->reader, block, BLOCK, &n, err));
        for (size_t i = 0; i < n; i++) {
            BR_TRY(plan_vector(w, &block[i], &text, err));
            BR_TRY(br_upkeep_step(w->u, "embedding", w->u->filled + i, 0, err));
        }
        BR_TRY(br_pipeline_drain(w->pipeline, err));
        w->u->filled += n;
    } while (n);
err:
    free(block);
    br_buf_free(&text);
    return rc;
}

enum br_rc br_upkeep_fill_vectors(struct br_upkeep *u, struct br_err *err)
{
    return with_pipeline(u, fill_vectors, err);
}
