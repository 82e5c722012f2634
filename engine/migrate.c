/* migrate.c - the earlier design's database into a workspace: a backup of what is there, an import like any other, a verification. */
#include "engine_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backup.h"
#include "source.h"

struct migrate {
    const struct br_import_options *opt;
    struct br_migrate_report *report;
};

/* What was left behind is counted by the import; here its first places are kept. */
static void on_warning(void *ctx, const char *code, const char *where)
{
    struct migrate *m = ctx;
    struct br_migrate_report *r = m->report;
    if (strncmp(code, "unmapped_", 9) == 0 && r->n_places < BR_MIGRATE_PLACES_MAX)
        snprintf(r->places[r->n_places++], sizeof r->places[0], "%.255s", where);
    if (m->opt->warning)
        m->opt->warning(m->opt->ctx, code, where);
}

static void on_progress(void *ctx, const struct br_import_progress *p)
{
    struct migrate *m = ctx;
    if (m->opt->progress)
        m->opt->progress(m->opt->ctx, p);
}

/* <home>/backups/<workspace>-<time>.tar.zst */
static enum br_rc name_backup(struct br_home *h, const char *id, char *out, size_t n, struct br_err *err)
{
    char dir[BR_PATH_MAX], when[32];
    time_t now = (time_t)(h->io->now(h->io->ctx) / 1000000);
    struct tm tm;
    struct br_io_stat st;
    int len;
    enum br_rc rc = br_home_backups_dir(h, dir, sizeof dir, err);
    if (rc != BR_OK)
        return rc;
    int r = h->io->mkdir(h->io->ctx, dir, 0700);
    if (r == 0)
        r = h->io->sync_dir(h->io->ctx, h->path);
    if (r < 0 && r != -EEXIST)
        return br_fail_errno(err, -r, "cannot create %s", dir);
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    for (int i = 0; i < 1000; i++) { /* never over one that is there */
        char more[16] = "";
        if (i)
            snprintf(more, sizeof more, "-%d", i);
        len = snprintf(out, n, "%s/%s-%s%s.tar.zst", dir, id, when, more);
        if (len < 0 || (size_t)len >= n)
            return br_fail(err, BR_E_USAGE, "the home directory's path is too long");
        if (h->io->stat(h->io->ctx, out, &st) == -ENOENT)
            return BR_OK;
    }
    return br_fail(err, BR_E_IO, "there are too many backups in %s", dir);
}

static enum br_rc back_up_first(struct br_home *h, struct migrate *m, const char *id, struct br_err *err)
{
    char dir[BR_PATH_MAX], path[BR_PATH_MAX];
    const struct br_progress_options opt = {.ctx = m, .progress = on_progress, .stop = m->opt->stop};
    struct br_backup_report report;
    bool exists;
    enum br_rc rc;
    BR_TRY(br_home_dir_of(h, id, dir, sizeof dir, err));
    BR_TRY(br_store_exists(h->io, dir, &exists, err));
    if (!exists)
        return BR_OK;
    BR_TRY(name_backup(h, id, path, sizeof path, err));
    BR_TRY(br_backup_workspace(h, id, path, &opt, &report, err));
    snprintf(m->report->backup, sizeof m->report->backup, "%s", path);
err:
    return rc;
}

static enum br_rc find_target(struct br_home *h, const char *workspace, struct br_source *src, char id[65], struct br_err *err)
{
    struct br_registry *reg = NULL;
    enum br_rc rc = BR_OK;
    if (!workspace) {
        snprintf(id, 65, "%s", br_source_workspace(src, 0)->id);
        return BR_OK;
    }
    BR_TRY(br_registry_open(h->io, h->path, false, &reg, NULL, err));
    BR_TRY(br_registry_find(reg, workspace, id, err));
    br_source_rename(src, id);
err:
    br_registry_close(reg);
    return rc;
}

static enum br_rc verify(struct br_home *h, const char *id, struct br_err *err)
{
    struct br_verify_report r = {0};
    struct br_error error = {0};
    int status = br_verify(h, id, true, &r, &error);
    if (status)
        return br_fail(err, status == BR_STATUS_DAMAGED ? BR_E_CORRUPT : BR_E_IO, "the verification after migrating: %s", error.message);
    return r.ok ? BR_OK : br_fail(err, BR_E_CORRUPT, "the verification after migrating found: %s", r.first_problem);
}

static void count_unmapped(struct br_migrate_report *r)
{
    for (size_t i = 0; i < r->import.n_warnings; i++)
        if (strcmp(r->import.warnings[i].code, "unmapped_row") == 0 || strcmp(r->import.warnings[i].code, "unmapped_table") == 0)
            r->unmapped += r->import.warnings[i].count;
}

int br_migrate(struct br_home *h, const char *path, const char *workspace, const struct br_import_options *options,
               struct br_migrate_report *out, struct br_error *error)
{
    static const struct br_import_options none = {0};
    struct br_err err = {0};
    struct br_source *src = NULL;
    struct br_import_reports reports = {0};
    char id[65];
    struct migrate m = {.opt = options ? options : &none, .report = calloc(1, sizeof *out)};
    enum br_rc rc;
    if (!m.report)
        BR_TRY(br_fail_nomem(&err));
    if (m.opt->dry_run)
        BR_TRY(br_fail(&err, BR_E_USAGE, "migrate has no dry run: migrate into a home of its own to see what comes of it"));
    BR_TRY(br_source_open_legacy(path, m.opt->name, &src, &err));
    BR_TRY(find_target(h, workspace, src, id, &err));
    BR_TRY(back_up_first(h, &m, id, &err));
    const struct br_import_options opt = {
        .name = m.opt->name, .ctx = &m, .progress = on_progress, .warning = on_warning, .stop = m.opt->stop};
    BR_TRY(br_import_source(h, src, &opt, &reports, &err));
    m.report->import = reports.sum;
    count_unmapped(m.report);
    BR_TRY(verify(h, id, &err));
    *out = *m.report;
err:
    br_import_reports_free(&reports);
    br_source_close(src);
    free(m.report);
    return br_status_of(rc, &err, error);
}
