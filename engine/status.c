/* status.c - what a workspace holds, and whether its two stores agree. */
#include "engine_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct channels_ctx {
    struct br_workspace_status *out;
    size_t alloc;
};

static enum br_rc collect_channel(void *ctx, const struct br_slack_channel_status *c)
{
    static const char *const kinds[] = {
        [BR_CH_PUBLIC] = "public", [BR_CH_PRIVATE] = "private", [BR_CH_DM] = "dm", [BR_CH_GROUP_DM] = "group_dm"};
    struct channels_ctx *x = ctx;
    if (x->out->n_channel_items == x->alloc) {
        size_t alloc = x->alloc ? x->alloc * 2 : 32;
        struct br_channel_status *p = realloc(x->out->channel_items, alloc * sizeof *p);
        if (!p)
            return BR_E_NOMEM;
        x->out->channel_items = p;
        x->alloc = alloc;
    }
    struct br_channel_status *s = &x->out->channel_items[x->out->n_channel_items++];
    *s = (struct br_channel_status){.messages = c->messages, .first_ts = c->first_ts, .last_ts = c->last_ts};
    snprintf(s->id, sizeof s->id, "%s", c->id);
    snprintf(s->name, sizeof s->name, "%s", c->name ? c->name : "");
    snprintf(s->kind, sizeof s->kind, "%s", (size_t)c->kind < BR_COUNT(kinds) ? kinds[c->kind] : "");
    return BR_OK;
}

int br_workspace_status(struct br_workspace *ws, struct br_workspace_status *out, struct br_error *error)
{
    struct br_err err = {0};
    struct br_store_info info;
    struct br_slack_counts counts;
    struct br_workspace_status st = {0};
    struct channels_ctx ctx = {.out = &st};
    enum br_rc rc;
    BR_TRY(br_store_info(ws->store, &info, &err));
    BR_TRY(br_slack_count(ws->store, &counts, &err));
    BR_TRY(br_slack_channel_statuses(ws->store, collect_channel, &ctx, &err));
    br_graph_refresh(&ws->graph, ws->home->io, ws->store, &info);
    BR_TRY(br_consistency_of(ws, &st.consistency, &err));
    memcpy(st.id, ws->id, sizeof st.id);
    memcpy(st.name, info.name, sizeof st.name);
    memcpy(st.model_id, info.model_id, sizeof st.model_id);
    st.messages = counts.messages;
    st.users = counts.users;
    st.channels = counts.channels;
    st.documents = counts.documents;
    st.threads = counts.threads;
    st.pending_threads = counts.dirty_threads;
    st.bytes_metadata = info.bytes_metadata;
    st.bytes_content = info.bytes_content;
    st.bytes_vectors = info.bytes_vectors;
    st.bytes_graph = info.bytes_graph;
    st.last_seq = info.last_seq;
    st.indexed_seq = ws->graph.applied_seq;
    *out = st;
    return BR_STATUS_OK;
err:
    br_workspace_status_free(&st);
    return br_status_of(rc, &err, error);
}

void br_workspace_status_free(struct br_workspace_status *s)
{
    free(s->channel_items);
    *s = (struct br_workspace_status){0};
}

static void first_problem(struct br_verify_report *r, const char *text)
{
    if (!r->first_problem[0] && text[0])
        snprintf(r->first_problem, sizeof r->first_problem, "%.*s", (int)sizeof r->first_problem - 1, text);
}

/* A writer may have replaced the checkpoint since the snapshot that is looked at, and removed the file: missing is only what the newest state
 * still names. */
static enum br_rc is_still_named(struct br_home *h, const char *id, struct br_store *s, bool *named, struct br_err *err)
{
    struct br_store *newest = NULL;
    struct br_store_info then, now;
    enum br_rc rc;
    BR_TRY(br_store_info(s, &then, err));
    BR_TRY(br_home_open_store(h, id, &newest, err));
    BR_TRY(br_store_info(newest, &now, err));
    *named = strcmp(then.ckpt_file, now.ckpt_file) == 0;
err:
    br_store_close(newest);
    return rc;
}

static enum br_rc verify_graph(struct br_home *h, const char *id, struct br_store *s, bool deep, struct br_verify_report *r, struct br_err *err)
{
    struct br_graph g;
    struct br_index_report ir = {0};
    char why[256];
    bool named = true;
    enum br_rc rc = br_graph_open(&g, h->io, s, why);
    if (rc != BR_OK && rc != BR_E_CORRUPT && rc != BR_E_NOTFOUND)
        return br_fail(err, rc, "%s", why);
    if (rc == BR_E_NOTFOUND)
        BR_TRY(is_still_named(h, id, s, &named, err));
    if (!named)
        why[0] = 0;
    rc = BR_OK;
    r->graph_ok = why[0] == 0;
    first_problem(r, why);
    if (g.index) {
        r->graph_nodes = r->graph_reachable = br_index_count(g.index);
        if (deep) {
            rc = br_index_check(g.index, &ir, err);
            r->graph_nodes = ir.nodes;
            r->graph_reachable = ir.reachable;
            r->graph_ok = ir.ok;
            first_problem(r, ir.first_problem);
        }
    }
err:
    br_graph_close(&g);
    return rc;
}

/* What could be counted before an error stays in the report. */
static enum br_rc verify_store(struct br_home *h, const char *id, struct br_store *s, bool deep, struct br_verify_report *r, struct br_err *err)
{
    struct br_store_report core = {0};
    struct br_slack_report slack = {0};
    struct br_slack_counts counts = {0};
    enum br_rc rc;
    BR_TRY(br_slack_count(s, &counts, err));
    r->messages = counts.messages;
    r->documents = counts.documents;
    rc = br_store_verify(s, deep, &core, err);
    r->orphan_vectors = core.orphan_vectors;
    r->missing_content = core.missing_content;
    r->corrupt = core.corrupt;
    first_problem(r, core.first_problem);
    if (rc == BR_OK)
        rc = br_slack_verify(s, &slack, err);
    r->missing_vectors = slack.missing_vectors;
    r->orphan_vectors += slack.orphan_vectors;
    r->missing_content += slack.missing_content;
    r->pending_threads = slack.dirty_threads;
    first_problem(r, slack.first_problem);
    if (rc == BR_OK)
        rc = verify_graph(h, id, s, deep, r, err);
err:
    return rc;
}

/* Damage that keeps a store from being opened or read is what verification is there to tell: a report, not an error. */
static enum br_rc report_damage(enum br_rc rc, struct br_err *err, struct br_verify_report *r)
{
    if (rc != BR_E_CORRUPT)
        return rc;
    r->corrupt += r->corrupt == 0;
    first_problem(r, err->msg);
    *err = (struct br_err){0};
    return BR_OK;
}

int br_verify(struct br_home *h, const char *workspace, bool deep, struct br_verify_report *out, struct br_error *error)
{
    struct br_err err = {0};
    struct br_registry *reg = NULL;
    struct br_store *s = NULL;
    struct br_verify_report r = {0};
    char id[65];
    enum br_rc rc;
    BR_TRY(br_home_registry(h, false, &reg, &err));
    BR_TRY(br_registry_find(reg, workspace, id, &err));
    rc = br_home_open_store(h, id, &s, &err);
    if (rc == BR_OK)
        rc = br_store_read_begin(s, &err);
    if (rc == BR_OK) {
        rc = verify_store(h, id, s, deep, &r, &err);
        br_store_read_end(s);
    }
    BR_TRY(report_damage(rc, &err, &r));
    r.ok = !r.missing_vectors && !r.orphan_vectors && !r.missing_content && !r.corrupt && r.graph_ok;
    *out = r;
err:
    br_store_close(s);
    br_registry_close(reg);
    return br_status_of(rc, &err, error);
}
