/* workload.h - a seeded life of one workspace, on a simulated disk or a real one: batches, edits, deletions, threads cut into passages,
 * rollbacks, graph checkpoints, erasing, compacting, closing and opening. After every acknowledged commit the state a reader can tell is known by a digest. */
#ifndef BR_SIM_WORKLOAD_H
#define BR_SIM_WORKLOAD_H

#include "engine_int.h"
#include "sim/disk.h"
#include "slack.h"

#define WORK_DIM 24
#define WORK_STATES 256

struct workload {
    struct sim_disk *disk; /* borrowed; NULL: a real one */
    const struct br_io *io;
    char dir[512];
    uint64_t random; /* what a step does is a function of this and of the state before it */
    struct br_store *store; /* NULL: closed */
    struct br_graph graph;
    uint64_t states[WORK_STATES]; /* digests; [0]: no workspace, [1]: an empty one, ... */
    size_t acked;                 /* the state that was acknowledged last */
    bool committing;              /* the step under way may acknowledge one more state */
    bool erasing;                 /* logs are being written below their tails: the one place where a sector turned to noise costs live bytes */
    struct br_err err;            /* of the step that failed */
};

#define WORK_CHANNEL "C1"

void workload_init(struct workload *w, struct sim_disk *disk, uint64_t seed);
void workload_init_at(struct workload *w, const struct br_io *io, const char *dir, uint64_t seed);
/* One step. BR_OK, or what went wrong (w->err): the state is then the one acknowledged last, or, if a commit was under way, the next. */
enum br_rc workload_step(struct workload *w, unsigned step);
void workload_close(struct workload *w);

/* What is wrong with the workspace on a disk, given the states it may be in; NULL: nothing. seen: the state found. Opens for reading only. */
const char *workload_examine(struct sim_disk *disk, const uint64_t *allowed, size_t n_allowed, uint64_t *seen);
const char *workload_examine_at(const struct br_io *io, const char *dir, const uint64_t *allowed, size_t n_allowed, uint64_t *seen);
/* Digest of what a reader can tell. */
enum br_rc workload_digest(struct br_store *s, uint64_t *out, struct br_err *err);

#endif
