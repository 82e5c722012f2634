/* graph.c - the graph follows the journal.
 *
 * The graph is derived data. A checkpoint counts only when the store's row names it and its identity (store uuid, generation,
 * sequence) agrees; anything else is discarded and rebuilt from the vectors. Slots past slot_end are the fresh tail, scanned exactly
 * by every search, so a reader never waits for the graph. */
#include "engine_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A scan of so many vectors takes a few milliseconds, and a writer that was killed has so many to insert again. A share of the whole, so that
 * all checkpoints of a long import together are a small multiple of its last one. */
#define TAIL_MIN 50000
#define TAIL_SHARE 16

void br_graph_close(struct br_graph *g)
{
    br_index_close(g->index);
    *g = (struct br_graph){0};
}

static enum br_rc open_checkpoint(struct br_graph *g, const struct br_io *io, struct br_store *s, const struct br_store_info *info,
                                  struct br_err *err)
{
    char path[BR_PATH_MAX];
    struct br_index_identity id;
    struct br_index *index = NULL;
    enum br_rc rc;
    int n = snprintf(path, sizeof path, "%s/%s", br_store_dir(s), info->ckpt_file);
    if (n < 0 || (size_t)n >= sizeof path)
        return br_fail(err, BR_E_IO, "path of the graph file is too long");
    rc = br_index_open(io, path, &index, &id, err);
    if (rc == BR_E_IO && err->sys_errno == ENOENT) {
        *err = (struct br_err){0};
        return br_fail(err, BR_E_NOTFOUND, "%s is missing", path);
    }
    BR_TRY(rc);
    if (memcmp(id.store_uuid, info->uuid, sizeof id.store_uuid) != 0 || id.generation != info->generation ||
        id.applied_seq != info->ckpt_seq)
        BR_TRY(br_fail(err, BR_E_CORRUPT, "%s belongs to another store or state", path));
    g->index = index;
    g->applied_seq = info->ckpt_seq;
    g->slot_end = g->ckpt_end = br_index_slot_end(index);
    snprintf(g->ckpt_file, sizeof g->ckpt_file, "%s", info->ckpt_file);
    return BR_OK;
err:
    br_index_close(index);
    return rc;
}

enum br_rc br_graph_open(struct br_graph *g, const struct br_io *io, struct br_store *s, char *why)
{
    struct br_err err = {0};
    struct br_store_info info;
    *g = (struct br_graph){0};
    if (why)
        why[0] = 0;
    enum br_rc rc = br_store_info(s, &info, &err);
    if (rc == BR_OK && info.ckpt_file[0])
        rc = open_checkpoint(g, io, s, &info, &err);
    if (rc != BR_OK) {
        *g = (struct br_graph){0};
        if (why)
            snprintf(why, 256, "%.255s", err.msg);
    }
    return rc;
}

void br_graph_refresh(struct br_graph *g, const struct br_io *io, struct br_store *s, const struct br_store_info *info)
{
    if (strcmp(g->ckpt_file, info->ckpt_file) == 0)
        return;
    br_graph_close(g);
    br_graph_open(g, io, s, NULL);
}

#define PENDING_MAX 8192
#define MANY 256 /* from so many on, inserting is shared out among threads */

struct follow_ctx {
    struct br_graph *g;
    struct br_rows rows;
    uint64_t *pending; /* slots to be added, in order; owned */
    size_t n;
};

static unsigned threads_for(size_t n)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return n < MANY || cpus < 1 ? 1 : (unsigned)BR_MIN(cpus, 8);
}

static enum br_rc add_pending(struct follow_ctx *f, struct br_err *err)
{
    if (!f->n)
        return BR_OK;
    enum br_rc rc = br_index_add_many(f->g->index, &f->rows, f->pending, f->n, threads_for(f->n), err);
    f->g->slot_end = br_index_slot_end(f->g->index);
    f->n = 0;
    return rc;
}

static enum br_rc apply_change(void *ctx, const struct br_slot_change *c, struct br_err *err)
{
    struct follow_ctx *f = ctx;
    enum br_rc rc = BR_OK;
    if (!c->added) {
        if (f->n && c->slot >= f->pending[0])
            rc = add_pending(f, err);
        br_index_remove(f->g->index, c->slot);
        return rc;
    }
    if (c->slot >= f->rows.count)
        return br_fail(err, BR_E_CORRUPT, "journal names slot %llu past the vector log", (unsigned long long)c->slot);
    if (br_index_has(f->g->index, c->slot))
        return BR_OK; /* an earlier attempt stopped after it */
    if (f->n == PENDING_MAX)
        rc = add_pending(f, err);
    f->pending[f->n++] = c->slot;
    return rc;
}

enum br_rc br_graph_follow(struct br_graph *g, struct br_store *s, struct br_err *err)
{
    struct br_store_info info;
    struct follow_ctx ctx = {.g = g};
    uint64_t seq;
    enum br_rc rc;
    BR_TRY(br_store_info(s, &info, err));
    if (!g->index) {
        struct br_index_config cfg = {.dim = info.dim,
                                      .M = BR_HNSW_M_DEFAULT,
                                      .ef_construction = BR_HNSW_EF_CONSTRUCTION_DEFAULT,
                                      .seed = 42};
        BR_TRY(br_index_create(&cfg, &g->index, err));
        g->applied_seq = 0;
        g->slot_end = 0;
    }
    if (g->applied_seq == info.last_seq)
        return BR_OK;
    BR_TRY(br_store_rows(s, &ctx.rows, err));
    ctx.pending = malloc(PENDING_MAX * sizeof *ctx.pending);
    if (!ctx.pending)
        BR_TRY(br_fail_nomem(err));
    BR_TRY(br_store_changes(s, g->applied_seq, &seq, apply_change, &ctx, err));
    BR_TRY(add_pending(&ctx, err));
    g->applied_seq = seq;
err:
    free(ctx.pending);
    return rc;
}

/* Dead nodes are walked through for nothing: when they are the most, the live ones get a graph of their own. That costs
 * each removal as much as an insert, and no more. */
static enum br_rc renew_worn(struct br_graph *g, struct br_store *s, struct br_err *err)
{
    struct br_rows rows;
    struct br_index *fresh;
    enum br_rc rc;
    if (!br_index_is_worn(g->index))
        return BR_OK;
    BR_TRY(br_store_rows(s, &rows, err));
    BR_TRY(br_index_renew(g->index, &rows, threads_for((size_t)br_index_live(g->index)), &fresh, err));
    br_index_close(g->index);
    g->index = fresh;
err:
    return rc;
}

enum br_rc br_graph_checkpoint(struct br_graph *g, const struct br_io *io, struct br_store *s, struct br_err *err)
{
    struct br_store_info info;
    struct br_index_identity id = {0};
    char path[BR_PATH_MAX], file[64];
    enum br_rc rc;
    BR_TRY(br_store_info(s, &info, err));
    if (!g->index || !br_index_count(g->index))
        return BR_OK;
    if (strcmp(g->ckpt_file, info.ckpt_file) == 0 && g->applied_seq == info.ckpt_seq)
        return BR_OK; /* what the store names is what is open; a checkpoint that was lost or refused is written again */
    BR_TRY(renew_worn(g, s, err));
    memcpy(id.store_uuid, info.uuid, sizeof id.store_uuid);
    id.generation = info.generation;
    id.applied_seq = g->applied_seq;
    snprintf(file, sizeof file, "graph.%llu", (unsigned long long)g->applied_seq);
    int n = snprintf(path, sizeof path, "%s/%s", br_store_dir(s), file);
    if (n < 0 || (size_t)n >= sizeof path)
        BR_TRY(br_fail(err, BR_E_IO, "path of the graph file is too long"));
    BR_TRY(br_index_checkpoint(g->index, io, path, &id, err));
    BR_TRY(br_store_set_checkpoint(s, file, g->applied_seq, err));
    snprintf(g->ckpt_file, sizeof g->ckpt_file, "%s", file);
    g->ckpt_end = g->slot_end;
    return BR_OK;
err:
    return rc;
}

uint64_t br_graph_tail_max(uint64_t slots)
{
    return BR_MAX((uint64_t)TAIL_MIN, slots / TAIL_SHARE);
}

enum br_rc br_graph_keep_up(struct br_graph *g, const struct br_io *io, struct br_store *s, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_graph_follow(g, s, err));
    uint64_t most = g->tail_max ? g->tail_max : br_graph_tail_max(g->slot_end);
    if (g->slot_end - g->ckpt_end > most)
        BR_TRY(br_graph_checkpoint(g, io, s, err));
err:
    return rc;
}
