/* cmd_status.c - status, verify: what the archive holds, and whether it is whole. */
#include <inttypes.h>
#include <string.h>

#include "cli.h"

/* The workspaces meant: the one of -w, else all. The names are for br_workspace_names_free. */
struct meant {
    struct br_workspace_names names;
    const char *only;
    size_t count;
};

static int find_meant(struct cli *cli, struct meant *m)
{
    struct br_error err = {0};
    *m = (struct meant){.only = cli->args->text[OPT_WORKSPACE]};
    if (br_home_workspaces(cli->home, &m->names, &err))
        return cli_fail_with(&err);
    m->count = m->only ? 1 : m->names.count;
    return 0;
}

static const char *meant_key(const struct meant *m, size_t i)
{
    return m->only ? m->only : m->names.items[i].id;
}

/* What people call it: its label, where it has one. */
static const char *meant_name(const struct meant *m, size_t i)
{
    const char *name = m->only ? m->only : m->names.items[i].name;
    return *name ? name : meant_key(m, i);
}

/* ---- status ---- */

enum { NAME_AT = 5, COUNT_WIDTH = 9 };

static json_t *consistency_json(const struct br_consistency *c)
{
    return json_pack("{so so so so so so so so so so so so}", "lag_commits", json_count(c->lag_commits), "lag_vectors",
                     json_count(c->lag_vectors), "pending_threads", json_count(c->pending_threads), "erase_queue",
                     json_count(c->erase_queue), "vectors_live", json_count(c->vectors_live), "vectors_dead",
                     json_count(c->vectors_dead), "vectors_missing", json_count(c->vectors_missing), "vectors_orphaned",
                     json_count(c->vectors_orphaned), "content_live", json_count(c->content_live), "content_dead",
                     json_count(c->content_dead), "content_named", json_count(c->content_named), "divergence",
                     json_count(c->divergence));
}

static void consistency_text(FILE *f, const struct br_consistency *c)
{
    char a[32];
    if (c->divergence)
        fprintf(f, "  DIVERGED: %s record%s without a counterpart; run `backread verify`, then `backread repair`\n",
                format_count(c->divergence, a), plural(c->divergence));
    if (c->erase_queue)
        fprintf(f, "  forgotten, but not erased yet: %s record%s; `backread compact` finishes it\n", format_count(c->erase_queue, a),
                plural(c->erase_queue));
}

static json_t *status_json(const struct br_workspace_status *s)
{
    json_t *channels = json_array();
    for (size_t i = 0; i < s->n_channel_items; i++) {
        const struct br_channel_status *c = &s->channel_items[i];
        char first[32], last[32];
        json_array_append_new(channels,
                              json_pack("{so so ss so ss? ss?}", "id", json_text(c->id), "name", json_text(c->name),
                                        "kind", c->kind, "messages", json_count(c->messages), "first_ts",
                                        c->first_ts ? format_ts(c->first_ts, first) : NULL, "last_ts",
                                        c->last_ts ? format_ts(c->last_ts, last) : NULL));
    }
    return json_pack("{so so so so so so so so s{so so so so} so so ss so so sn}", "id", json_text(s->id), "name",
                     json_text(s->name), "messages", json_count(s->messages), "users", json_count(s->users), "channels",
                     json_count(s->channels), "documents", json_count(s->documents), "threads", json_count(s->threads),
                     "pending_threads", json_count(s->pending_threads), "bytes", "metadata",
                     json_count(s->bytes_metadata), "content", json_count(s->bytes_content), "vectors",
                     json_count(s->bytes_vectors), "graph", json_count(s->bytes_graph), "last_seq",
                     json_count(s->last_seq), "indexed_seq", json_count(s->indexed_seq), "model_id", s->model_id,
                     "channel_items", channels, "consistency", consistency_json(&s->consistency), "problem");
}

static void put_piece(struct term_flow *f, int gap, const char *text)
{
    term_flow(f, gap, term_width_of(text));
    term_puts(f->t->file, text);
}

/* "31,204 messages", after a comma when it is not the first. */
static void put_amount(struct term_flow *f, uint64_t n, const char *what, bool last)
{
    char count[32], text[96];
    snprintf(text, sizeof(text), "%s %s%s%s", format_count(n, count), what, plural(n), last ? "" : ",");
    put_piece(f, f->fresh ? 0 : 1, text);
}

static void put_size(struct term_flow *f, const char *what, uint64_t bytes, bool last)
{
    char size[32], text[96];
    snprintf(text, sizeof(text), "%s %s%s", what, format_bytes(bytes, size), last ? "" : ",");
    put_piece(f, 1, text);
}

/* How wide the names' column may be: as wide as the widest, as long as the count fits beside it. */
static int names_width(const struct cli *cli, const struct br_workspace_status *s)
{
    int widest = 8, most = cli->out.width - NAME_AT - COUNT_WIDTH - 2;
    for (size_t i = 0; i < s->n_channel_items; i++) {
        int width = term_width_of(s->channel_items[i].name);
        widest = width > widest ? width : widest;
    }
    most = most > 40 ? 40 : most;
    return widest > most ? most : widest;
}

static void status_channel(const struct cli *cli, const struct br_channel_status *c, int name_width)
{
    FILE *f = cli->out.file;
    struct term_flow flow = {.t = &cli->out, .indent = NAME_AT + 2};
    char count[32], first[32], last[32], period[80];
    const char *name = *c->name ? c->name : c->id;
    bool plain = strcmp(c->kind, "public") == 0 || strcmp(c->kind, "private") == 0;
    fprintf(f, "%*s%s%s", NAME_AT - 1, "", term_style(&cli->out, STYLE_CHANNEL), plain && name[0] != '#' ? "#" : " ");
    int width = term_puts(f, name), pad = name_width > width ? name_width - width : 0;
    fputs(term_style(&cli->out, STYLE_NONE), f);
    flow.at = NAME_AT + width + pad;
    fprintf(f, "%*s", pad, "");
    term_flow(&flow, 2, COUNT_WIDTH);
    fprintf(f, "%*s", COUNT_WIDTH, format_count(c->messages, count));
    snprintf(period, sizeof(period), "%s to %s", format_day(c->first_ts, first), format_day(c->last_ts, last));
    if (c->messages)
        put_piece(&flow, 2, period);
    if (strcmp(c->kind, "public") != 0)
        put_piece(&flow, 2, c->kind);
    putc('\n', f);
}

static void status_text(const struct cli *cli, const struct br_workspace_status *s)
{
    FILE *f = cli->out.file;
    char a[32], b[32], behind[160];
    struct term_flow flow = {.t = &cli->out, .indent = 2, .fresh = true};
    fputs(term_style(&cli->out, STYLE_BOLD), f);
    put_piece(&flow, 0, *s->name ? s->name : s->id);
    fputs(term_style(&cli->out, STYLE_NONE), f);
    put_piece(&flow, 2, s->id);
    fputs("\n  ", f);
    flow = (struct term_flow){.t = &cli->out, .indent = 2, .at = 2, .fresh = true};
    put_amount(&flow, s->messages, "message", false);
    put_amount(&flow, s->users, "user", false);
    put_amount(&flow, s->channels, "channel", false);
    put_amount(&flow, s->threads, "thread", false);
    put_amount(&flow, s->documents, "document", true);
    fputs("\n  ", f);
    flow = (struct term_flow){.t = &cli->out, .indent = 2, .at = 2, .fresh = true};
    put_piece(&flow, 0, "on disk:");
    put_size(&flow, "metadata", s->bytes_metadata, false);
    put_size(&flow, "content", s->bytes_content, false);
    put_size(&flow, "vectors", s->bytes_vectors, false);
    put_size(&flow, "graph", s->bytes_graph, true);
    putc('\n', f);
    snprintf(behind, sizeof(behind), "index: behind by %s change%s and %s thread%s; the next import catches up",
             format_count(s->last_seq - s->indexed_seq, a), plural(s->last_seq - s->indexed_seq),
             format_count(s->pending_threads, b), plural(s->pending_threads));
    bool current = s->indexed_seq >= s->last_seq && !s->pending_threads;
    term_wrap(&cli->out, current ? "index: up to date" : behind, &(struct term_paragraph){.indent = 2});
    consistency_text(f, &s->consistency);
    for (size_t i = 0; i < s->n_channel_items; i++)
        status_channel(cli, &s->channel_items[i], names_width(cli, s));
}

/* A workspace that cannot be opened is listed with what is wrong with it. */
static json_t *damaged_json(const char *id, const char *name, const struct br_error *err)
{
    const struct br_workspace_status nothing = {0};
    json_t *j = status_json(&nothing);
    json_object_set_new(j, "id", json_text(id));
    json_object_set_new(j, "name", json_text(name));
    json_object_set_new(j, "problem", json_text(err->message));
    return j;
}

static int status_of(struct cli *cli, const char *key, const char *name, json_t *list)
{
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    struct br_workspace_status s = {0};
    int status = br_workspace_open(cli->home, key, &ws, &err);
    if (!status)
        status = br_workspace_status(ws, &s, &err);
    if (status) {
        cli_fail_with(&err);
        if (status == BR_STATUS_DAMAGED)
            json_array_append_new(list, damaged_json(key, name, &err));
    } else {
        if (cli->json)
            json_array_append_new(list, status_json(&s));
        else
            status_text(cli, &s);
        br_workspace_status_free(&s);
    }
    br_workspace_close(ws);
    return status;
}

/* The statuses are ordered by how much they matter here. */
static int worse(int a, int b)
{
    return a > b ? a : b;
}

int cmd_status(struct cli *cli)
{
    struct meant meant;
    int status = find_meant(cli, &meant);
    if (status)
        return status;
    json_t *list = json_array();
    for (size_t i = 0; i < meant.count; i++)
        status = worse(status, status_of(cli, meant_key(&meant, i), meant_name(&meant, i), list));
    if (cli->json && (!status || json_array_size(list)))
        json_print(cli,
                   json_pack("{sO so ss}", "workspaces", list, "home", json_text(br_home_path(cli->home)), "version",
                             BR_VERSION),
                   false);
    else if (!status && meant.count == 0)
        cli_note(cli, "The archive in %s is empty: fill it with `backread import export.zip`", br_home_path(cli->home));
    json_decref(list);
    br_workspace_names_free(&meant.names);
    return status;
}

/* ---- verify ---- */

static json_t *verify_json(const struct br_verify_report *r)
{
    json_t *j =
        json_pack("{sb so so so so so so so s{so so sb}}", "ok", r->ok, "messages", json_count(r->messages),
                  "documents", json_count(r->documents), "missing_vectors", json_count(r->missing_vectors),
                  "orphan_vectors", json_count(r->orphan_vectors), "missing_content", json_count(r->missing_content),
                  "corrupt", json_count(r->corrupt), "pending_threads", json_count(r->pending_threads), "graph",
                  "nodes", json_count(r->graph_nodes), "reachable", json_count(r->graph_reachable), "ok", r->graph_ok);
    json_object_set_new(j, "first_problem", *r->first_problem ? json_text(r->first_problem) : json_null());
    return j;
}

static void add_report(struct br_verify_report *sum, const struct br_verify_report *r)
{
    if (!r->ok && sum->ok)
        memcpy(sum->first_problem, r->first_problem, sizeof(sum->first_problem));
    sum->ok = sum->ok && r->ok;
    sum->graph_ok = sum->graph_ok && r->graph_ok;
    sum->messages += r->messages;
    sum->documents += r->documents;
    sum->missing_vectors += r->missing_vectors;
    sum->orphan_vectors += r->orphan_vectors;
    sum->missing_content += r->missing_content;
    sum->corrupt += r->corrupt;
    sum->pending_threads += r->pending_threads;
    sum->graph_nodes += r->graph_nodes;
    sum->graph_reachable += r->graph_reachable;
}

static void verify_text(const struct cli *cli, const char *name, const struct br_verify_report *r)
{
    FILE *f = cli->out.file;
    char a[32], b[32];
    term_puts(f, name);
    fprintf(f, ": %s: %s message%s, %s document%s", r->ok ? "whole" : "DAMAGED", format_count(r->messages, a),
            plural(r->messages), format_count(r->documents, b), plural(r->documents));
    if (r->missing_vectors || r->orphan_vectors || r->missing_content || r->corrupt)
        fprintf(f,
                "; %" PRIu64 " without a vector, %" PRIu64 " vectors without a document, %" PRIu64
                " without content, %" PRIu64 " corrupt",
                r->missing_vectors, r->orphan_vectors, r->missing_content, r->corrupt);
    if (r->pending_threads)
        fprintf(f, "; %s thread%s not yet indexed", format_count(r->pending_threads, a), plural(r->pending_threads));
    if (!r->graph_ok && r->graph_nodes)
        fprintf(f, "; graph damaged: %" PRIu64 " of %" PRIu64 " nodes reachable", r->graph_reachable, r->graph_nodes);
    putc('\n', f);
    if (!r->ok && *r->first_problem)
        term_wrap(&cli->out, r->first_problem, &(struct term_paragraph){.indent = 2, .join = true});
}

static int verify_one(struct cli *cli, const char *key, const char *name, struct br_verify_report *sum, json_t *list)
{
    struct br_error err = {0};
    struct br_verify_report r = {0};
    if (br_verify(cli->home, key, cli->args->given[OPT_DEEP], &r, &err))
        return cli_fail_with(&err);
    add_report(sum, &r);
    json_t *one = verify_json(&r);
    json_object_set_new(one, "workspace", json_text(key));
    json_array_append_new(list, one);
    if (!cli->json)
        verify_text(cli, name, &r);
    return 0;
}

int cmd_verify(struct cli *cli)
{
    struct br_verify_report sum = {.ok = true, .graph_ok = true};
    struct meant meant;
    int status = find_meant(cli, &meant);
    if (status)
        return status;
    json_t *list = json_array();
    for (size_t i = 0; i < meant.count; i++)
        status = worse(status, verify_one(cli, meant_key(&meant, i), meant_name(&meant, i), &sum, list));
    bool damaged = !sum.ok;
    sum.ok = sum.ok && !status; /* what could not be looked at is not known to be whole */
    if (cli->json && (!status || json_array_size(list))) {
        json_t *document = verify_json(&sum);
        json_object_set(document, "workspaces", list);
        json_print(cli, document, false);
    }
    if (!status && meant.count == 0)
        cli_note(cli, "The archive in %s is empty: nothing to check", br_home_path(cli->home));
    if (damaged) {
        struct br_error told = {.status = BR_STATUS_DAMAGED};
        snprintf(told.message, sizeof(told.message), "%s", *sum.first_problem ? sum.first_problem : "the archive is damaged");
        status = worse(status, cli_fail_with(&told));
    }
    json_decref(list);
    br_workspace_names_free(&meant.names);
    return status;
}
