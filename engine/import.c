/* import.c - br_import: an archive's events become batches of the pipeline, then dirty threads become passages, then the graph is
 * checkpointed. Every commit is complete in itself, so an import stopped anywhere is finished by running it again: what is stored already is
 * recognised by (channel, ts) and never embedded twice.
 *
 * A dry run is the same code inside one transaction that is rolled back: without vectors, and in a scratch home when the workspace does
 * not exist yet. */
#include "import_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds_since(const struct timespec *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

static void report_progress(void *ctx)
{
    struct br_import_run *im = ctx;
    if (!im->opt->progress || seconds_since(&im->reported) < 0.2)
        return;
    clock_gettime(CLOCK_MONOTONIC, &im->reported);
    im->progress.messages = im->n_messages;
    im->progress.seconds = seconds_since(&im->started);
    im->opt->progress(im->opt->ctx, &im->progress);
}

void br_import_warn(void *ctx, enum br_warning w, uint64_t n, const char *where)
{
    struct br_import_run *im = ctx;
    im->warnings[w] += n;
    if (im->opt->warning && n)
        im->opt->warning(im->opt->ctx, br_warning_name(w), where ? where : "");
}

static const char *user_name(void *ctx, const char *id)
{
    struct br_import_run *im = ctx;
    return strcmp(id, "USLACKBOT") == 0 ? "slackbot" : br_name_map_get(im->users, id);
}

static const char *channel_name(void *ctx, const char *id)
{
    struct br_import_run *im = ctx;
    return br_name_map_get(im->channels, id);
}

static enum br_rc check_stop(struct br_import_run *im, struct br_err *err)
{
    if (im->opt->stop && *im->opt->stop)
        return br_fail(err, BR_E_INTERRUPTED, "import interrupted; run the same command again to finish it");
    return BR_OK;
}

static enum br_rc on_event(void *ctx, const struct br_event *ev, struct br_err *err)
{
    struct br_import_run *im = ctx;
    enum br_rc rc;
    BR_TRY(br_import_event(im, ev, err));
    BR_TRY(br_pipeline_submit(im->pipeline, false, err));
    report_progress(im);
    BR_TRY(check_stop(im, err));
err:
    return rc;
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct br_import_run *im = ctx;
    im->progress.done = done;
    im->progress.total = total;
    report_progress(im);
}

static enum br_rc thread_cut(void *ctx, uint64_t done, uint64_t total, struct br_err *err)
{
    struct br_import_run *im = ctx;
    im->progress.phase = "threads";
    im->progress.done = done;
    im->progress.total = total;
    report_progress(im);
    return check_stop(im, err);
}

/* ---- one workspace ---- */

static enum br_rc remember_user(void *ctx, const char *id, const char *name)
{
    struct br_import_run *im = ctx;
    return br_name_map_put(im->users, id, name, 0) < 0 ? BR_E_NOMEM : BR_OK;
}

static enum br_rc remember_channel(void *ctx, const char *id, const char *name)
{
    struct br_import_run *im = ctx;
    return br_name_map_put(im->channels, id, name, 0) < 0 ? BR_E_NOMEM : BR_OK;
}

static enum br_rc run_stages(struct br_import_run *im, const struct br_feed *feed, struct br_err *err)
{
    const struct br_sink sink = {.ctx = im, .event = on_event, .warn = br_import_warn, .progress = on_progress};
    struct br_slack_totals totals;
    enum br_rc rc;
    BR_TRY(br_slack_each_user(im->reader, remember_user, im, err));
    BR_TRY(br_slack_each_channel(im->reader, remember_channel, im, err));
    im->progress.phase = "reading";
    BR_TRY(feed->run(feed->ctx, &sink, err));
    BR_TRY(br_pipeline_drain(im->pipeline, err));
    const struct br_cutting cutting = {.home = im->home,
                                       .reader = im->reader,
                                       .pipeline = im->pipeline,
                                       .dry_run = im->opt->dry_run,
                                       .ctx = im,
                                       .step = thread_cut};
    BR_TRY(br_cut_dirty_threads(&cutting, err));
    if (!im->opt->dry_run) {
        im->progress.phase = "index";
        report_progress(im);
        BR_TRY(br_graph_checkpoint(&im->graph, im->home->io, im->writer, err));
    }
    BR_TRY(br_slack_import_totals(im->writer, &totals, err));
    br_import_fill_report(im, &totals);
err:
    return rc;
}

static enum br_rc open_stored(struct br_import_run *im, const struct br_source_workspace *w, const char *dir, struct br_err *err)
{
    struct br_store_info info;
    enum br_rc rc;
    BR_TRY(br_store_open(im->home->io, dir, BR_STORE_WRITE, &im->writer, err));
    BR_TRY(br_store_info(im->writer, &info, err));
    BR_TRY(br_home_check_id(w->id, &info, err));
    BR_TRY(br_home_check_model(im->home, &info, err));
    snprintf(im->report->name, sizeof im->report->name, "%s", info.name);
    bool relabel = (im->opt->name && strcmp(im->opt->name, info.name) != 0) || (w->domain && !info.domain[0]);
    if (relabel && !im->opt->dry_run) {
        uint64_t seq;
        BR_TRY(br_store_begin(im->writer, err));
        BR_TRY(br_store_set_label(im->writer, im->opt->name, info.domain[0] ? NULL : w->domain, err));
        BR_TRY(br_store_commit(im->writer, &seq, err));
    }
    br_store_sweep(im->writer);
err:
    return rc;
}

/* The workspace's store for writing. The directory decides whether there is one, not the registry: a creation that was cut short left
 * none. A dry run makes its own elsewhere: scratch and dir then name the place. */
static enum br_rc open_writer(struct br_import_run *im, const struct br_source_workspace *w, char dir[BR_PATH_MAX],
                              char scratch[BR_PATH_MAX - 16], struct br_err *err)
{
    const struct br_model_info *m = br_model_info(im->home->model);
    struct br_store_spec spec = {.workspace_id = w->id,
                                 .name = im->opt->name ? im->opt->name : w->name,
                                 .domain = w->domain,
                                 .model_id = m->id,
                                 .dim = m->dim};
    struct br_err first = {0};
    enum br_rc rc = open_stored(im, w, dir, &first);
    if (rc != BR_E_NOTFOUND) {
        if (rc != BR_OK)
            *err = first;
        return rc;
    }
    if (!im->opt->dry_run)
        BR_TRY(br_home_check_consent(im->home, err));
    if (im->opt->dry_run) {
        BR_TRY(br_scratch_make(im->home->io, scratch, BR_PATH_MAX - 16, err));
        snprintf(dir, BR_PATH_MAX, "%s/" BR_SCRATCH_STORE, scratch);
    }
    BR_TRY(br_store_create(im->home->io, dir, &spec, &im->writer, err));
err:
    return rc;
}

/* After the store exists: a row without a store would be a workspace that cannot be opened. */
static enum br_rc register_workspace(struct br_import_run *im, struct br_registry *reg, const char *id, struct br_err *err)
{
    char found[65];
    bool known = br_registry_find(reg, id, found, NULL) == BR_OK && strcmp(found, id) == 0;
    if (im->opt->dry_run || (known && !im->opt->name))
        return BR_OK;
    return br_registry_add(reg, id, im->opt->name ? im->opt->name : im->report->name, err);
}

static void close_import(struct br_import_run *im)
{
    br_pipeline_free(im->pipeline);
    br_graph_close(&im->graph);
    if (im->reader != im->writer)
        br_store_close(im->reader);
    br_store_close(im->writer);
    br_name_map_free(im->users);
    br_name_map_free(im->channels);
    br_name_map_free(im->pins);
    br_buf_free(&im->text);
    br_buf_free(&im->raw);
}

/* What a forget was stopped at. A reader in its way is no reason not to import. */
static enum br_rc finish_erasure(struct br_import_run *im, struct br_err *err)
{
    struct br_err why = {0};
    enum br_rc rc = br_erase_finish(im->home, im->writer, &im->graph, &why);
    if (rc == BR_OK || rc == BR_E_BUSY)
        return BR_OK;
    *err = why;
    return rc;
}

static enum br_rc import_into(struct br_import_run *im, const struct br_feed *feed, const char *dir, struct br_err *err)
{
    enum br_rc rc;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (im->opt->dry_run) {
        BR_TRY(br_store_begin(im->writer, err));
        im->reader = im->writer;
    } else {
        BR_TRY(br_store_open(im->home->io, dir, BR_STORE_READ, &im->reader, err));
        br_graph_open(&im->graph, im->home->io, im->writer, NULL);
        BR_TRY(br_graph_follow(&im->graph, im->writer, err));
        BR_TRY(finish_erasure(im, err));
    }
    BR_TRY(br_slack_import_begin(im->writer, err));
    struct br_pipeline_config cfg = {.home = im->home,
                                     .writer = im->writer,
                                     .graph = &im->graph,
                                     .threads = cpus > 0 ? (unsigned)cpus : 1,
                                     .dry_run = im->opt->dry_run,
                                     .ctx = im,
                                     .tick = report_progress};
    BR_TRY(br_pipeline_new(&cfg, &im->pipeline, err));
    BR_TRY(run_stages(im, feed, err));
    im->report->embedded = br_pipeline_embedded(im->pipeline);
err:
    if (im->opt->dry_run && im->writer)
        br_store_rollback(im->writer);
    return rc;
}

static enum br_rc begin_import(struct br_import_run *im, struct br_err *err)
{
    enum br_rc rc;
    clock_gettime(CLOCK_MONOTONIC, &im->started);
    im->reported = im->started;
    im->names = (struct br_names){.ctx = im, .user = user_name, .channel = channel_name};
    br_buf_init(&im->text, 2 * (size_t)BR_RENDER_TEXT_MAX);
    br_buf_init(&im->raw, (size_t)16 << 20);
    BR_TRY(br_name_map_new(&im->users, err));
    BR_TRY(br_name_map_new(&im->channels, err));
    BR_TRY(br_name_map_new(&im->pins, err));
err:
    return rc;
}

enum br_rc br_import_feed(struct br_home *h, const char *dir, const struct br_feed *feed, struct br_import_report *report,
                          struct br_err *err)
{
    static const struct br_import_options defaults = {0};
    struct br_import_run im = {.home = h, .opt = &defaults, .report = report};
    enum br_rc rc;
    BR_TRY(begin_import(&im, err));
    BR_TRY(br_store_open(h->io, dir, BR_STORE_WRITE, &im.writer, err));
    BR_TRY(import_into(&im, feed, dir, err));
err:
    close_import(&im);
    return rc;
}

struct from_source {
    struct br_source *source;
    size_t workspace;
};

static enum br_rc run_source(void *ctx, const struct br_sink *sink, struct br_err *err)
{
    const struct from_source *f = ctx;
    return br_source_run(f->source, f->workspace, sink, err);
}

static void before_writing(struct br_home *h, struct br_registry *reg)
{
    struct br_err ignored = {0};
    br_registry_complete(reg);
    (void)!br_home_sweep(h, &ignored);
}

static enum br_rc import_workspace(struct br_home *h, struct br_source *src, size_t i, const struct br_import_options *opt,
                                   struct br_import_report *report, struct br_err *err)
{
    const struct br_source_workspace *w = br_source_workspace(src, i);
    struct br_import_run im = {.home = h, .opt = opt, .report = report, .freshness = br_source_freshness(src)};
    struct br_registry *reg = NULL;
    char dir[BR_PATH_MAX], scratch[BR_PATH_MAX - 16] = "";
    struct from_source from = {src, i};
    const struct br_feed feed = {.ctx = &from, .run = run_source};
    enum br_rc rc;
    snprintf(report->workspace, sizeof report->workspace, "%s", w->id);
    snprintf(report->name, sizeof report->name, "%s", opt->name ? opt->name : w->name ? w->name : "");
    report->dry_run = opt->dry_run;
    BR_TRY(begin_import(&im, err));
    BR_TRY(br_registry_open(h->io, h->path, !opt->dry_run, &reg, NULL, err));
    if (!opt->dry_run)
        before_writing(h, reg);
    BR_TRY(br_home_dir_of(h, w->id, dir, sizeof dir, err));
    BR_TRY(open_writer(&im, w, dir, scratch, err));
    BR_TRY(register_workspace(&im, reg, w->id, err));
    BR_TRY(import_into(&im, &feed, dir, err));
    report->seconds = seconds_since(&im.started);
err:
    close_import(&im);
    br_registry_close(reg);
    if (scratch[0]) {
        br_io_remove_dir(h->io, dir);
        br_io_remove_dir(h->io, scratch);
    }
    return rc;
}

/* Two folders of a Grid export may be of one workspace: it is reported once. */
static void add_workspace(struct br_import_reports *r, const struct br_import_report *one)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->items[i].workspace, one->workspace) == 0) {
            br_import_add_report(&r->items[i], one);
            return;
        }
    r->items[r->count++] = *one;
}

enum br_rc br_import_source(struct br_home *h, struct br_source *src, const struct br_import_options *opt, struct br_import_reports *out,
                            struct br_err *err)
{
    struct br_import_reports reports = {0};
    enum br_rc rc = BR_OK;
    size_t n = br_source_workspace_count(src);
    reports.items = calloc(n ? n : 1, sizeof *reports.items);
    if (!reports.items)
        BR_TRY(br_fail_nomem(err));
    for (size_t i = 0; i < n; i++) {
        struct br_import_report one = {0};
        BR_TRY(import_workspace(h, src, i, opt, &one, err));
        add_workspace(&reports, &one);
    }
err:
    reports.sum.dry_run = opt->dry_run;
    for (size_t i = 0; i < reports.count; i++)
        br_import_add_report(&reports.sum, &reports.items[i]);
    if (reports.count) {
        memcpy(reports.sum.workspace, reports.items[0].workspace, sizeof reports.sum.workspace);
        memcpy(reports.sum.name, reports.items[0].name, sizeof reports.sum.name);
    } else {
        br_import_reports_free(&reports);
    }
    *out = reports;
    return rc;
}

int br_import(struct br_home *h, const char *path, const struct br_import_options *options, struct br_import_reports *out,
              struct br_error *error)
{
    static const struct br_import_options defaults = {0};
    const struct br_import_options *opt = options ? options : &defaults;
    struct br_err err = {0};
    struct br_source *src = NULL;
    struct br_import_reports reports = {0};
    enum br_rc rc;
    BR_TRY(br_source_open(path, opt->name, &src, &err));
    BR_TRY(br_import_source(h, src, opt, &reports, &err));
err:
    br_source_close(src);
    *out = reports;
    return rc == BR_OK ? BR_STATUS_OK : br_status_of(rc, &err, error);
}

void br_import_reports_free(struct br_import_reports *reports)
{
    free(reports->items);
    *reports = (struct br_import_reports){0};
}
