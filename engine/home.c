/* home.c - the home directory and its workspaces: opening, listing, and the model they share. */
#include "engine_int.h"

#include "backup.h"
#include "cache.h"
#include "conversations.h"
#include "postings.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int br_status_of(enum br_rc rc, const struct br_err *e, struct br_error *out)
{
    int status = br_rc_exit_status(rc);
    if (status && out) {
        out->status = status;
        snprintf(out->message, sizeof out->message, "%s", e && e->rc ? e->msg : br_rc_text(rc));
    }
    return status;
}

/* out is "" when the environment names none. */
static enum br_rc default_home(char *out, size_t n, struct br_err *err)
{
    const char *env = getenv("BACKREAD_HOME");
    const char *xdg = getenv("XDG_DATA_HOME");
    const char *user = getenv("HOME");
    int len;
    if (env && *env)
        len = snprintf(out, n, "%s", env);
    else if (xdg && *xdg == '/') /* a relative one is to be passed over */
        len = snprintf(out, n, "%s/backread", xdg);
    else if (user && *user)
        len = snprintf(out, n, "%s/.local/share/backread", user);
    else
        len = 0; /* who only wants the model needs none: br_home_registry refuses when it is needed */
    if (len < 0 || (size_t)len >= n)
        return br_fail(err, BR_E_USAGE, "the home directory's path is longer than %zu bytes", n);
    return BR_OK;
}

#define KEY_BYTES_MAX 4096

/* From a file or the environment, never from the command line. key: KEY_BYTES_MAX bytes of secret memory. */
static enum br_rc read_key(const char *path, char *key, struct br_err *err)
{
    const struct br_io *io = &br_io_posix;
    const char *env = getenv("BACKREAD_API_KEY");
    key[0] = 0;
    if (!path) {
        if (env && strlen(env) >= KEY_BYTES_MAX)
            return br_fail(err, BR_E_USAGE, "the key in BACKREAD_API_KEY is longer than any key is");
        snprintf(key, KEY_BYTES_MAX, "%s", env ? env : "");
        return BR_OK;
    }
    int fd = io->open(io->ctx, path, O_RDONLY, 0);
    if (fd < 0)
        return br_fail_errno(err, -fd, "cannot open the key file %s", path);
    ssize_t n = io->pread(io->ctx, fd, key, KEY_BYTES_MAX - 1, 0);
    io->close(io->ctx, fd);
    if (n == KEY_BYTES_MAX - 1)
        return br_fail(err, BR_E_USAGE, "the key file %s holds more than a key", path);
    while (n > 0 && (key[n - 1] == '\n' || key[n - 1] == '\r' || key[n - 1] == ' '))
        n--;
    key[n > 0 ? n : 0] = 0;
    return n > 0 ? BR_OK : br_fail(err, BR_E_USAGE, "the key file %s is empty, or no regular file that can be read", path);
}

static enum br_rc open_endpoint(const struct br_endpoint *e, struct br_model **out, struct br_err *err)
{
    char *key = br_secret_alloc(KEY_BYTES_MAX);
    enum br_rc rc = key ? read_key(e->api_key_file, key, err) : br_fail_nomem(err);
    const struct br_remote_config cfg = {.url = e->url,
                                         .kind = e->kind,
                                         .model = e->model,
                                         .api_key = key,
                                         .secret_alloc = br_secret_alloc,
                                         .secret_free = br_secret_free,
                                         .query_prefix = e->query_prefix,
                                         .passage_prefix = e->passage_prefix,
                                         .dim = e->dimension,
                                         .timeout_ms = e->timeout_ms,
                                         .backoff_ms = e->backoff_ms,
                                         .stop = e->stop};
    if (rc == BR_OK)
        rc = br_model_open_remote(&cfg, out, err);
    br_secret_free(key);
    return rc;
}

enum br_rc br_home_check_consent(const struct br_home *h, struct br_err *err)
{
    const struct br_model_info *m = br_model_info(h->model);
    if (m->precision != BR_PRECISION_REMOTE || h->may_send)
        return BR_OK;
    return br_fail(err, BR_E_USAGE, "this would send every text of the workspace to %s: say --send-texts if it may", m->origin);
}

int br_home_open(const char *path, const char *model_path, struct br_home **out, struct br_error *error)
{
    const struct br_home_options options = {.path = path, .model = model_path};
    return br_home_open_with(&options, out, error);
}

int br_home_open_with(const struct br_home_options *options, struct br_home **out, struct br_error *error)
{
    const char *path = options->path, *model_path = options->model;
    struct br_err err = {0};
    enum br_rc rc;
    struct br_home *h = calloc(1, sizeof *h);
    if (!h)
        BR_TRY(br_fail_nomem(&err));
    h->io = &br_io_posix;
    if (path && !*path)
        BR_TRY(br_fail(&err, BR_E_USAGE, "the home directory's path is empty: name a directory, or leave it out for the default"));
    if (path && strlen(path) >= sizeof h->path)
        BR_TRY(br_fail(&err, BR_E_USAGE, "the home directory's path is longer than %zu bytes", sizeof h->path));
    if (path)
        snprintf(h->path, sizeof h->path, "%s", path);
    else
        BR_TRY(default_home(h->path, sizeof h->path, &err));
    if (options->endpoint.url && model_path)
        BR_TRY(br_fail(&err, BR_E_USAGE, "give either a model or an endpoint"));
    if (options->endpoint.url)
        BR_TRY(open_endpoint(&options->endpoint, &h->model, &err));
    else
        BR_TRY(br_model_open(model_path, &h->model, &err));
    h->named_model = model_path != NULL;
    h->may_send = options->may_send;
    struct br_registry *reg = NULL;
    unsigned mode = 0;
    if (*h->path && br_registry_open(h->io, h->path, false, &reg, &mode, NULL) == BR_OK)
        br_registry_close(reg);
    if (mode & 077)
        snprintf(h->notice, sizeof h->notice, "%.180s is readable by others (mode %03o); consider chmod 700", h->path, mode & 0777);
    *out = h;
    return BR_STATUS_OK;
err:
    br_home_close(h);
    return br_status_of(rc, &err, error);
}

void br_home_close(struct br_home *h)
{
    if (!h)
        return;
    br_model_close(h->model);
    free(h);
}

const char *br_home_path(const struct br_home *h)
{
    return h->path;
}

const char *br_home_notice(const struct br_home *h)
{
    return h->notice;
}

enum br_rc br_home_registry(struct br_home *h, bool create, struct br_registry **out, struct br_err *err)
{
    if (!*h->path)
        return br_fail(err, BR_E_USAGE, "no home directory: give --home DIR or set BACKREAD_HOME");
    return br_registry_open(h->io, h->path, create, out, NULL, err);
}

enum br_rc br_home_open_store(struct br_home *h, const char *id, struct br_store **out, struct br_err *err)
{
    struct br_err why = {0};
    char dir[BR_PATH_MAX];
    enum br_rc rc = br_home_dir_of(h, id, dir, sizeof dir, &why);
    if (rc == BR_OK)
        rc = br_store_open(h->io, dir, BR_STORE_READ, out, &why);
    if (rc == BR_E_NOTFOUND) /* of a directory that is there repair may make something yet */
        return br_fail(err, BR_E_CORRUPT, "workspace %s is listed but gone: %s%s", id, why.msg,
                       br_io_is_dir(h->io, dir) == 1 ? "" : ": import the archives again, or restore a backup");
    if (rc == BR_OK) {
        struct br_store_info info;
        rc = br_store_info(*out, &info, &why);
        if (rc == BR_OK)
            rc = br_home_check_id(id, &info, &why);
        if (rc == BR_OK)
            return BR_OK;
        br_store_close(*out);
        *out = NULL;
    }
    return br_fail(err, rc, "%s", why.msg);
}

enum br_rc br_home_dir_of(struct br_home *h, const char *id, char *out, size_t n, struct br_err *err)
{
    int len = snprintf(out, n, "%s/workspaces/%s", h->path, id);
    if (len < 0 || (size_t)len >= n)
        return br_fail(err, BR_E_USAGE, "the workspace's path is longer than %zu bytes", n);
    return BR_OK;
}

/* --- Backups, and what was stopped --- */

static enum br_rc path_below(const struct br_home *h, const char *name, char *out, size_t n, struct br_err *err)
{
    int len = snprintf(out, n, "%s/%s", h->path, name);
    if (len < 0 || (size_t)len >= n)
        return br_fail(err, BR_E_USAGE, "the home directory's path is too long");
    return BR_OK;
}

enum br_rc br_home_backups_dir(const struct br_home *h, char *out, size_t n, struct br_err *err)
{
    return path_below(h, "backups", out, n, err);
}

struct count {
    const char *id;
    uint64_t n;
};

/* <id>-<YYYYMMDDTHHMMSSZ>[-N].tar.zst, as migrate.c names them. An id may have dashes: what follows it must be the time. */
static int count_backup(void *arg, const char *name)
{
    struct count *c = arg;
    size_t id = strlen(c->id);
    if (strncmp(name, c->id, id) != 0 || name[id] != '-')
        return 0;
    const char *time = name + id + 1;
    if (strspn(time, "0123456789") != 8 || time[8] != 'T' || strspn(time + 9, "0123456789") != 6 || time[15] != 'Z')
        return 0;
    const char *rest = time + 16;
    if (*rest == '-')
        rest += 1 + strspn(rest + 1, "0123456789");
    c->n += strcmp(rest, ".tar.zst") == 0;
    return 0;
}

enum br_rc br_home_count_backups(struct br_home *h, const char *id, uint64_t *n, struct br_err *err)
{
    struct count c = {.id = id};
    char dir[BR_PATH_MAX];
    enum br_rc rc = br_home_backups_dir(h, dir, sizeof dir, err);
    if (rc != BR_OK)
        return rc;
    int r = h->io->list(h->io->ctx, dir, count_backup, &c);
    *n = c.n;
    return r < 0 && r != -ENOENT ? br_fail_errno(err, -r, "cannot list %s", dir) : BR_OK;
}

enum br_rc br_home_sweep(struct br_home *h, struct br_err *err)
{
    char backups[BR_PATH_MAX], workspaces[BR_PATH_MAX];
    struct br_err also = {0};
    enum br_rc rc, other;
    BR_TRY(path_below(h, "backups", backups, sizeof backups, err));
    BR_TRY(path_below(h, "workspaces", workspaces, sizeof workspaces, err));
    other = br_restore_sweep(h->io, workspaces, &also);
    BR_TRY(br_backup_sweep(h->io, backups, err));
    if (other != BR_OK)
        rc = br_fail(err, other, "%s", also.msg);
err:
    return rc;
}

enum br_rc br_home_check_id(const char *id, const struct br_store_info *info, struct br_err *err)
{
    if (strcmp(id, info->workspace_id) == 0)
        return BR_OK;
    return br_fail(err, BR_E_CORRUPT, "the directory of workspace %s holds the files of another workspace: restore it from a backup", id);
}

enum br_rc br_home_check_model(const struct br_home *h, const struct br_store_info *info, struct br_err *err)
{
    const struct br_model_info *m = br_model_info(h->model);
    bool remote = strncmp(info->model_id, "openai-", 7) == 0 || strncmp(info->model_id, "ollama-", 7) == 0;
    if (strcmp(m->id, info->model_id) == 0 && m->dim == info->dim)
        return BR_OK;
    return br_fail(err, BR_E_USAGE,
                   "workspace %s was embedded with %s %.*s (%u dimensions), not with %s (%.12s, %u): name its %s, or "
                   "move it to this one with `backread reembed%s`",
                   info->workspace_id, remote ? "the endpoint" : "model", remote ? 64 : 12, info->model_id, info->dim, m->name, m->id, m->dim,
                   remote ? "endpoint with --endpoint" : "model with --model FILE",
                   m->precision == BR_PRECISION_REMOTE ? " --endpoint URL"
                   : h->named_model                    ? " --model FILE"
                                                       : "");
}

struct names_ctx {
    struct br_workspace_names *out;
    size_t alloc;
};

static enum br_rc collect_name(void *ctx, const char *id, const char *name)
{
    struct names_ctx *c = ctx;
    if (c->out->count == c->alloc) {
        size_t alloc = c->alloc ? c->alloc * 2 : 8;
        void *p = realloc(c->out->items, alloc * sizeof *c->out->items);
        if (!p)
            return BR_E_NOMEM;
        c->out->items = p;
        c->alloc = alloc;
    }
    size_t i = c->out->count++;
    snprintf(c->out->items[i].id, sizeof c->out->items[i].id, "%s", id);
    snprintf(c->out->items[i].name, sizeof c->out->items[i].name, "%s", name ? name : "");
    return BR_OK;
}

int br_home_workspaces(struct br_home *h, struct br_workspace_names *out, struct br_error *error)
{
    struct br_err err = {0};
    struct br_workspace_names names = {0};
    struct names_ctx ctx = {.out = &names};
    struct br_registry *reg = NULL;
    enum br_rc rc;
    BR_TRY(br_home_registry(h, false, &reg, &err));
    BR_TRY(br_registry_each(reg, collect_name, &ctx, &err));
    br_registry_close(reg);
    *out = names;
    return BR_STATUS_OK;
err:
    br_registry_close(reg);
    br_workspace_names_free(&names);
    return br_status_of(rc, &err, error);
}

void br_workspace_names_free(struct br_workspace_names *names)
{
    free(names->items);
    *names = (struct br_workspace_names){0};
}

int br_workspace_open(struct br_home *h, const char *key, struct br_workspace **out, struct br_error *error)
{
    struct br_err err = {0};
    struct br_registry *reg = NULL;
    enum br_rc rc;
    struct br_store_info info;
    struct br_workspace *ws = calloc(1, sizeof *ws);
    if (!ws)
        BR_TRY(br_fail_nomem(&err));
    ws->home = h;
    BR_TRY(br_home_registry(h, false, &reg, &err));
    BR_TRY(br_registry_find(reg, key, ws->id, &err));
    BR_TRY(br_home_open_store(h, ws->id, &ws->store, &err));
    BR_TRY(br_store_info(ws->store, &info, &err));
    BR_TRY(br_searcher_new(&ws->searcher, &err));
    snprintf(ws->name, sizeof ws->name, "%s", info.name);
    snprintf(ws->domain, sizeof ws->domain, "%s", info.domain);
    br_graph_open(&ws->graph, h->io, ws->store, NULL);
    ws->cache = br_cache_new(BR_CACHE_BYTES_DEFAULT);
    ws->words = br_word_memory_new();
    br_registry_close(reg);
    *out = ws;
    return BR_STATUS_OK;
err:
    br_registry_close(reg);
    br_workspace_close(ws);
    return br_status_of(rc, &err, error);
}

void br_workspace_close(struct br_workspace *ws)
{
    if (!ws)
        return;
    br_helpers_free(ws->helpers);
    br_cache_free(ws->cache);
    br_word_memory_release(ws->words);
    br_conversations_release(ws->conversations);
    br_docs_free(ws->docs);
    br_embedder_free(ws->embedder);
    br_slack_tokenizer_free(ws->tokenizer);
    br_searcher_free(ws->searcher);
    br_graph_close(&ws->graph);
    br_store_close(ws->store);
    free(ws);
}

const char *br_workspace_id(const struct br_workspace *ws)
{
    return ws->id;
}

const char *br_workspace_name(const struct br_workspace *ws)
{
    return ws->name;
}
