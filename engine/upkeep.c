/* upkeep.c - opening a workspace for upkeep, and telling how far it is. */
#include "upkeep.h"

#include <stdio.h>
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
        u->progress = (struct br_import_progress){
            .phase = phase, .done = done, .total = total, .messages = u->progress.messages, .seconds = br_upkeep_seconds(u)};
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

enum br_rc br_upkeep_open(struct br_home *h, const char *key, const struct br_upkeep_options *opt, struct br_upkeep *u, struct br_err *err)
{
    struct br_registry *reg = NULL;
    struct br_store_info info;
    enum br_rc rc;
    *u = (struct br_upkeep){.home = h, .opt = opt};
    clock_gettime(CLOCK_MONOTONIC, &u->started);
    BR_TRY(br_registry_open(h->io, h->path, false, &reg, NULL, err));
    BR_TRY(br_registry_find(reg, key, u->id, err));
    BR_TRY(br_home_dir_of(h, u->id, u->dir, sizeof u->dir, err));
    BR_TRY(br_store_open(h->io, u->dir, BR_STORE_WRITE, &u->store, err));
    BR_TRY(br_store_info(u->store, &info, err));
    BR_TRY(br_home_check_model(h, &info, err));
    br_store_sweep(u->store);
    br_graph_open(&u->graph, h->io, u->store, NULL);
err:
    br_registry_close(reg);
    if (rc != BR_OK)
        br_upkeep_close(u);
    return rc;
}

static void tick(void *ctx)
{
    (void)ctx; /* progress is told thread by thread */
}

static enum br_rc thread_cut(void *ctx, uint64_t done, uint64_t total, struct br_err *err)
{
    return br_upkeep_step(ctx, "threads", done, total, err);
}

enum br_rc br_upkeep_cut_threads(struct br_upkeep *u, struct br_err *err)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct br_pipeline *pipeline = NULL;
    struct br_store *reader = NULL;
    enum br_rc rc;
    BR_TRY(br_store_open(u->home->io, u->dir, BR_STORE_READ, &reader, err));
    BR_TRY(br_graph_follow(&u->graph, u->store, err));
    struct br_pipeline_config cfg = {.home = u->home,
                                     .writer = u->store,
                                     .graph = &u->graph,
                                     .threads = cpus > 0 ? (unsigned)cpus : 1,
                                     .ctx = u,
                                     .tick = tick};
    BR_TRY(br_pipeline_new(&cfg, &pipeline, err));
    struct br_cutting cutting = {.home = u->home, .reader = reader, .pipeline = pipeline, .ctx = u, .step = thread_cut};
    BR_TRY(br_cut_dirty_threads(&cutting, err));
err:
    br_pipeline_free(pipeline);
    br_store_close(reader);
    return rc;
}
