/* backup.c - a workspace of the home to one file, and such a file to a workspace of the home. */
#include "engine_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backup.h"
#include "id_map.h"

/* Progress of storage/ as progress of the product. */
struct relay {
    const struct br_progress_options *opt;
    struct timespec started;
    double last;
};

static double seconds_since(const struct timespec *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

static void relay_progress(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    struct relay *r = ctx;
    double seconds = seconds_since(&r->started);
    if (!r->opt->progress || seconds - r->last < 0.2)
        return;
    r->last = seconds;
    const struct br_import_progress p = {.phase = phase, .done = done, .total = total, .seconds = seconds};
    r->opt->progress(r->opt->ctx, &p);
}

static struct br_backup_options options_of(struct relay *r, const struct br_progress_options *opt)
{
    static const struct br_progress_options none = {0};
    *r = (struct relay){.opt = opt ? opt : &none};
    clock_gettime(CLOCK_MONOTONIC, &r->started);
    return (struct br_backup_options){.program = BR_VERSION, .ctx = r, .progress = relay_progress, .stop = r->opt->stop};
}

static void fill_report(struct br_backup_report *out, const struct br_manifest *m, const struct relay *r)
{
    *out = (struct br_backup_report){.generation = m->generation, .created_at = m->created_at, .seconds = seconds_since(&r->started)};
    memcpy(out->workspace, m->workspace_id, sizeof out->workspace);
    memcpy(out->name, m->name, sizeof out->name);
    out->bytes_metadata = m->members[BR_MEMBER_METADATA].size;
    out->bytes_content = m->members[BR_MEMBER_CONTENT].size;
    out->bytes_vectors = m->members[BR_MEMBER_VECTORS].size;
}

enum br_rc br_backup_workspace(struct br_home *h, const char *id, const char *path, const struct br_progress_options *opt,
                               struct br_backup_report *out, struct br_err *err)
{
    char dir[BR_PATH_MAX];
    struct relay relay;
    struct br_manifest m;
    uint64_t file_bytes = 0;
    struct br_backup_options o = options_of(&relay, opt);
    enum br_rc rc;
    BR_TRY(br_home_dir_of(h, id, dir, sizeof dir, err));
    BR_TRY(br_store_backup(h->io, dir, path, &o, &m, &file_bytes, err));
    fill_report(out, &m, &relay);
    out->bytes_file = file_bytes;
err:
    return rc;
}

int br_backup(struct br_home *h, const char *workspace, const char *path, const struct br_progress_options *opt,
              struct br_backup_report *out, struct br_error *error)
{
    struct br_err err = {0};
    struct br_registry *reg = NULL;
    struct br_backup_report report;
    char id[65];
    enum br_rc rc;
    if (!*path)
        BR_TRY(br_fail(&err, BR_E_USAGE, "name a file for the backup"));
    BR_TRY(br_registry_open(h->io, h->path, false, &reg, NULL, &err));
    BR_TRY(br_registry_find(reg, workspace, id, &err));
    BR_TRY(br_backup_workspace(h, id, path, opt, &report, &err));
    *out = report;
err:
    br_registry_close(reg);
    return br_status_of(rc, &err, error);
}

/* ---- restore ---- */

void br_workspace_id_of_name(const char *name, char id[65])
{
    snprintf(id, 65, "NAME-%016llX", (unsigned long long)br_id_hash(0, name));
}

/* By a workspace, or by what is left of one. */
static enum br_rc taken(struct br_home *h, const char *id, bool *is, bool *left, struct br_err *err)
{
    char dir[BR_PATH_MAX];
    enum br_rc rc;
    BR_TRY(br_home_dir_of(h, id, dir, sizeof dir, err));
    BR_TRY(br_store_exists(h->io, dir, is, err));
    BR_TRY(br_store_left_texts(h->io, dir, left, err));
    *is |= *left;
err:
    return rc;
}

struct label {
    const char *name;
    bool used;
};

static enum br_rc look_at_label(void *ctx, const char *id, const char *name)
{
    struct label *l = ctx;
    l->used |= strcmp(id, l->name) == 0 || (name && strcmp(name, l->name) == 0);
    return BR_OK;
}

/* The id the copy gets: its own, or one made from the name when that is taken. */
static enum br_rc choose_id(struct br_home *h, struct br_registry *reg, const struct br_manifest *m, const char *name, char id[65],
                            struct br_err *err)
{
    struct label label = {.name = name ? name : ""};
    bool is = false, left = false;
    enum br_rc rc;
    memcpy(id, m->workspace_id, 65);
    BR_TRY(taken(h, id, &is, &left, err));
    if (!name && left)
        return br_fail(err, BR_E_USAGE, "workspace %s has lost its metadata.db, but not its texts: run `backread repair`, or restore the backup beside it with --name NAME", id);
    if (!name)
        return is ? br_fail(err, BR_E_USAGE, "there is a workspace %s already: restore the backup beside it with --name NAME", id) : BR_OK;
    BR_TRY(br_registry_each(reg, look_at_label, &label, err));
    if (label.used)
        return br_fail(err, BR_E_USAGE, "there is a workspace named %s already: choose another name", name);
    if (!is)
        return BR_OK;
    br_workspace_id_of_name(name, id);
    BR_TRY(taken(h, id, &is, &left, err));
    if (is)
        rc = br_fail(err, BR_E_USAGE, "there is a workspace %s, made from the name %s, already: choose another name", id, name);
err:
    return rc;
}

/* The graph anew, from the vectors. A writer that was faster does it itself. */
static enum br_rc rebuild_graph(struct br_home *h, const char *dir, struct br_err *err)
{
    struct br_store *s = NULL;
    struct br_graph g = {0};
    struct br_err why = {0};
    enum br_rc rc;
    BR_TRY(br_store_open(h->io, dir, BR_STORE_WRITE, &s, &why));
    BR_TRY(br_graph_follow(&g, s, &why));
    BR_TRY(br_graph_checkpoint(&g, h->io, s, &why));
err:
    br_graph_close(&g);
    br_store_close(s);
    if (rc == BR_OK || rc == BR_E_BUSY)
        return BR_OK;
    return br_fail(err, rc, "the workspace is restored, its graph is not: %s: the next import builds it", why.msg);
}

/* Nothing of the home is in it yet: what is damaged is the backup, which is bad input. */
static enum br_rc unpack(struct br_backup_reader *reader, const char *workspaces, const char *id, const char *name, const struct br_backup_options *o,
                         struct br_err *err)
{
    struct br_err why = {0};
    enum br_rc rc = br_store_restore(reader, workspaces, id, name, o, &why);
    if (rc == BR_E_CORRUPT)
        return br_fail(err, BR_E_DATA, "%s: restore another one", why.msg);
    if (rc != BR_OK)
        *err = why;
    return rc;
}

int br_restore(struct br_home *h, const char *path, const char *name, const struct br_progress_options *opt,
               struct br_backup_report *out, struct br_error *error)
{
    struct br_err err = {0};
    struct br_registry *reg = NULL;
    struct br_backup_reader *reader = NULL;
    struct br_manifest m;
    struct relay relay;
    struct br_backup_options o = options_of(&relay, opt);
    struct br_io_stat st;
    struct br_err ignored = {0};
    char id[65], workspaces[BR_PATH_MAX - 80], dir[BR_PATH_MAX];
    enum br_rc rc;
    BR_TRY(br_backup_open(h->io, path, &reader, &m, &err));
    BR_TRY(br_registry_open(h->io, h->path, true, &reg, NULL, &err));
    br_registry_complete(reg);
    (void)!br_home_sweep(h, &ignored);
    BR_TRY(choose_id(h, reg, &m, name, id, &err));
    int n = snprintf(workspaces, sizeof workspaces, "%s/workspaces", h->path);
    if (n < 0 || (size_t)n >= sizeof workspaces)
        BR_TRY(br_fail(&err, BR_E_USAGE, "the home directory's path is too long"));
    BR_TRY(br_home_dir_of(h, id, dir, sizeof dir, &err));
    BR_TRY(unpack(reader, workspaces, id, name, &o, &err));
    BR_TRY(br_registry_add(reg, id, name ? name : m.name, &err));
    relay_progress(&relay, "index", 0, 1);
    BR_TRY(rebuild_graph(h, dir, &err));
    struct br_backup_report report;
    fill_report(&report, &m, &relay);
    memcpy(report.workspace, id, sizeof report.workspace);
    if (name)
        snprintf(report.name, sizeof report.name, "%s", name);
    if (h->io->stat(h->io->ctx, path, &st) == 0)
        report.bytes_file = (uint64_t)st.size;
    *out = report;
err:
    br_backup_close(reader);
    br_registry_close(reg);
    return br_status_of(rc, &err, error);
}
