/* reembed.c - br_reembed: a workspace moves to the home's model.
 *
 * storage/slack_reembed.c has the way and what makes it safe to stop anywhere. What follows the flip only completes it, as any command that writes
 * would: the graph anew, threads whose passages were too long for the model, documents that had no vector. */
#include "upkeep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "render.h"

struct reembedding {
    struct br_upkeep *u;
    const struct br_model *model;
    struct br_buf *rendered; /* of a block */
    size_t n_rendered;
    unsigned threads;
};

static enum br_rc make_room(struct reembedding *r, size_t n, struct br_err *err)
{
    if (n <= r->n_rendered)
        return BR_OK;
    struct br_buf *p = realloc(r->rendered, n * sizeof *p);
    if (!p)
        return br_fail_nomem(err);
    r->rendered = p;
    for (; r->n_rendered < n; r->n_rendered++)
        br_buf_init(&p[r->n_rendered], 2 * (size_t)BR_RENDER_TEXT_MAX);
    return BR_OK;
}

/* As the importer makes vectors (pipeline.c). */
static enum br_rc embed(void *ctx, const char *const *texts, const size_t *lens, size_t n, float *out, struct br_err *err)
{
    struct reembedding *r = ctx;
    const char **rendered = malloc(n * sizeof *rendered);
    size_t *bytes = malloc(n * sizeof *bytes);
    enum br_rc rc = rendered && bytes ? make_room(r, n, err) : br_fail_nomem(err);
    for (size_t i = 0; i < n && rc == BR_OK; i++) {
        br_buf_reset(&r->rendered[i]);
        br_render_for_embedding(texts[i], lens[i], &r->rendered[i]);
        rendered[i] = br_buf_str(&r->rendered[i]);
        bytes[i] = r->rendered[i].len;
        rc = br_buf_status(&r->rendered[i], err);
    }
    if (rc == BR_OK)
        rc = br_embed_many(r->model, rendered, bytes, n, r->threads, out, err);
    free(rendered);
    free(bytes);
    return rc;
}

/* In doubt not: to cut a thread again costs little, a vector of half a passage is wrong for good. */
static bool fits(void *ctx, const char *text, size_t len)
{
    struct reembedding *r = ctx;
    size_t most = br_passage_pieces(r->model);
    if (make_room(r, 1, NULL) != BR_OK)
        return false;
    br_buf_reset(&r->rendered[0]);
    br_render_for_embedding(text, len, &r->rendered[0]);
    return !r->rendered[0].no_memory && br_token_count(r->model, br_buf_str(&r->rendered[0]), r->rendered[0].len, most + 1) <= most;
}

static enum br_rc step(void *ctx, const char *phase, uint64_t done, uint64_t total, struct br_err *err)
{
    struct reembedding *r = ctx;
    return br_upkeep_step(r->u, phase, done, total, err);
}

static enum br_rc move(struct br_upkeep *u, struct br_slack_reembed_report *report, struct br_err *err)
{
    const struct br_model_info *m = br_model_info(u->home->model);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct reembedding r = {.u = u, .model = u->home->model, .threads = cpus > 0 ? (unsigned)cpus : 1};
    const struct br_slack_reembed how = {
        .model_id = m->id, .dim = m->dim, .ctx = &r, .embed = embed, .fits = fits, .step = step, .report = report};
    enum br_rc rc = br_slack_reembed(u->store, &how, err);
    for (size_t i = 0; i < r.n_rendered; i++)
        br_buf_free(&r.rendered[i]);
    free(r.rendered);
    return rc;
}

/* Also after a run that was stopped behind the flip. */
static enum br_rc complete(struct br_upkeep *u, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_upkeep_step(u, "index", 0, 0, err));
    BR_TRY(br_graph_follow(&u->graph, u->store, err));
    BR_TRY(br_upkeep_cut_threads(u, err));
    BR_TRY(br_upkeep_fill_vectors(u, err));
    BR_TRY(br_graph_follow(&u->graph, u->store, err));
    BR_TRY(br_graph_checkpoint(&u->graph, u->home->io, u->store, err));
    br_store_sweep(u->store);
    BR_TRY(br_erase_finish(u->home, u->store, &u->graph, err));
err:
    return rc;
}

int br_reembed(struct br_home *h, const char *workspace, const struct br_upkeep_options *options, struct br_reembed_report *out,
               struct br_error *error)
{
    struct br_err err = {0};
    struct br_upkeep u;
    struct br_store_info info;
    struct br_slack_reembed_report moved = {0};
    struct br_reembed_report report = {0};
    const struct br_model_info *m = br_model_info(h->model);
    enum br_rc rc;
    BR_TRY(br_upkeep_open_any(h, workspace, options, &u, &err));
    BR_TRY(br_store_info(u.store, &info, &err));
    report.already = br_home_check_model(h, &info, NULL) == BR_OK;
    if (!report.already && options && options->discard) /* not a move: most likely the one to this model is to be given up */
        BR_TRY(br_fail(&err, BR_E_USAGE, "workspace %s has the vectors of another model than %s: to give up a move, name the model that it has", u.id, m->name));
    if (report.already) {
        size_t stopped = 0;
        BR_TRY(br_store_drop_reembed_to(u.store, m->id, &stopped, &err));
        report.discarded = stopped > 0 && options && options->discard;
        report.stopped = stopped > 0 && !report.discarded;
        if (report.discarded)
            BR_TRY(br_store_drop_reembeds(u.store, &err));
    } else {
        BR_TRY(br_home_check_consent(h, &err));
        BR_TRY(br_upkeep_step(&u, "embedding", 0, 0, &err));
        BR_TRY(move(&u, &moved, &err));
        br_graph_close(&u.graph);
    }
    BR_TRY(complete(&u, &err));
    snprintf(report.workspace, sizeof report.workspace, "%s", u.id);
    snprintf(report.model, sizeof report.model, "%s", m->name);
    snprintf(report.model_id, sizeof report.model_id, "%s", m->id);
    snprintf(report.previous_id, sizeof report.previous_id, "%s", info.model_id);
    report.dimension = m->dim;
    report.documents = moved.documents;
    report.embedded = moved.embedded;
    report.kept = moved.kept;
    report.threads_cut = moved.threads;
    report.seconds = br_upkeep_seconds(&u);
    br_upkeep_close(&u);
    *out = report;
    return BR_STATUS_OK;
err:
    br_upkeep_close(&u);
    return br_status_of(rc, &err, error);
}
