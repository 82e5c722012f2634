/* upkeep.h - what forget, compact, reembed and repair share: a workspace open for upkeep, and progress. */
#ifndef BR_UPKEEP_H
#define BR_UPKEEP_H

#include "engine_int.h"

#include <time.h>

struct br_upkeep {
    struct br_home *home;
    char id[65], dir[BR_PATH_MAX];
    struct br_store *store; /* for writing: nobody else writes meanwhile */
    struct br_graph graph;
    const struct br_upkeep_options *opt; /* may be NULL */
    struct br_import_progress progress;
    struct timespec started, reported;
    uint64_t filled; /* documents that got the vector they lacked */
};

/* key as in br_workspace_open. Leftovers of crashes are swept. The workspace's model must be the one in use. */
BR_MUST_USE enum br_rc br_upkeep_open(struct br_home *h, const char *key, const struct br_upkeep_options *opt,
                                      struct br_upkeep *u, struct br_err *err);
/* Whatever its model is. */
BR_MUST_USE enum br_rc br_upkeep_open_any(struct br_home *h, const char *key, const struct br_upkeep_options *opt, struct br_upkeep *u,
                                          struct br_err *err);
void br_upkeep_close(struct br_upkeep *u);
double br_upkeep_seconds(const struct br_upkeep *u);
/* Tells how far it is; BR_E_INTERRUPTED when the caller wants to stop. */
BR_MUST_USE enum br_rc br_upkeep_step(struct br_upkeep *u, const char *phase, uint64_t done, uint64_t total,
                                      struct br_err *err);
/* Cuts and embeds what dirty threads need. */
BR_MUST_USE enum br_rc br_upkeep_cut_threads(struct br_upkeep *u, struct br_err *err);
/* Embeds every stored document that needs a vector and has none. */
BR_MUST_USE enum br_rc br_upkeep_fill_vectors(struct br_upkeep *u, struct br_err *err);

/* --- import.c: events that come from elsewhere than an archive --- */
struct br_sink;
struct br_feed {
    void *ctx;
    enum br_rc (*run)(void *ctx, const struct br_sink *sink,
                      struct br_err *err); /* yields every event, as br_source_run does */
};
/* Into the store in dir, as an import does. */
BR_MUST_USE enum br_rc br_import_feed(struct br_home *h, const char *dir, const struct br_feed *feed,
                                      struct br_import_report *report, struct br_err *err);

/* --- rebuild.c --- */
struct br_rebuilt {
    uint64_t messages, users, channels, deletions, damaged;
};
/* Makes metadata.db anew from the content logs in the workspace's directory, under the same lock as any writer. */
BR_MUST_USE enum br_rc br_rebuild_metadata(struct br_home *h, const char *id, const char *dir, struct br_rebuilt *out,
                                           struct br_err *err);

/* Removes what a rebuilding that was stopped left beside the directory; durable with the next br_home_sweep. Only for who holds its lock. As
 * there, only forget minds when it fails. */
enum br_rc br_rebuild_sweep(struct br_home *h, const char *dir, struct br_err *err);

/* --- erase.c --- */
/* Erases what waits in the queue, and every other dead record; nothing when the queue is empty. BR_E_BUSY: a reader is
 * in the way, the queue stays. The graph follows and is checkpointed on the way. */
BR_MUST_USE enum br_rc br_erase_finish(struct br_home *h, struct br_store *store, struct br_graph *graph,
                                       struct br_err *err);

#endif
