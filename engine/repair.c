/* repair.c - br_repair: from any single damaged file, as much as the others still know.
 *
 *   damaged         made anew from
 *   registry.db     the directories
 *   metadata.db     the raw forms in the content log (rebuild.c), and what of it can still be read
 *   vectors         the texts
 *   content         a text from its raw form; a passage from its thread; what has neither is lost, and named
 *   graph           the vectors
 * It runs from the source of things to what is derived of them: registry, metadata, texts, words, passages, vectors,
 * graph. */
#include "upkeep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_load.h"
#include "render.h"

#define BATCH_RECORDS 200

struct repair {
    struct br_upkeep u;
    struct br_repair_report report;
    struct br_name_map *users, *channels;
    struct br_names names;
    struct br_id_list contents, slots;
    size_t lost_alloc;
};

/* --- Names, as the importer has them --- */

static const char *user_name(void *ctx, const char *id)
{
    const struct repair *r = ctx;
    return strcmp(id, "USLACKBOT") == 0 ? "slackbot" : br_name_map_get(r->users, id);
}

static const char *channel_name(void *ctx, const char *id)
{
    const struct repair *r = ctx;
    return br_name_map_get(r->channels, id);
}

static enum br_rc remember_user(void *ctx, const char *id, const char *name)
{
    struct repair *r = ctx;
    return br_name_map_put(r->users, id, name, 0) < 0 ? BR_E_NOMEM : BR_OK;
}

static enum br_rc remember_channel(void *ctx, const char *id, const char *name)
{
    struct repair *r = ctx;
    return br_name_map_put(r->channels, id, name, 0) < 0 ? BR_E_NOMEM : BR_OK;
}

static enum br_rc load_names(struct repair *r, struct br_err *err)
{
    enum br_rc rc;
    r->names = (struct br_names){.ctx = r, .user = user_name, .channel = channel_name};
    BR_TRY(br_name_map_new(&r->users, err));
    BR_TRY(br_name_map_new(&r->channels, err));
    BR_TRY(br_slack_each_user(r->u.store, remember_user, r, err));
    BR_TRY(br_slack_each_channel(r->u.store, remember_channel, r, err));
err:
    return rc;
}

/* --- Records --- */

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool is_damaged(const struct br_id_list *l, uint64_t id)
{
    return l->n && bsearch(&id, l->items, l->n, sizeof id, by_id);
}

/* The text of a message from its raw form; empty when that is lost, too. */
static enum br_rc render_again(struct repair *r, const struct br_slack_owner *o, struct br_buf *text,
                               struct br_err *err)
{
    struct br_buf raw;
    bool truncated;
    enum br_rc rc = BR_OK;
    if (!o->raw_id || is_damaged(&r->contents, o->raw_id))
        return BR_OK;
    br_buf_init(&raw, SIZE_MAX / 4);
    BR_TRY(br_store_content(r->u.store, o->raw_id, &raw, err));
    bool no_memory;
    json_t *v = br_json_load(br_buf_str(&raw), raw.len, JSON_REJECT_DUPLICATES, &no_memory);
    if (no_memory)
        BR_TRY(br_fail_nomem(err));
    if (v)
        br_render_message(v, &r->names, text, &truncated);
    json_decref(v);
    rc = br_buf_status(text, err);
err:
    br_buf_free(&raw);
    return rc;
}

static enum br_rc note_loss(struct repair *r, const struct br_slack_owner *o, struct br_err *err)
{
    struct br_repair_report *p = &r->report;
    p->texts_lost++;
    if (p->n_lost == BR_REPAIR_LOST_MAX)
        return BR_OK;
    if (p->n_lost == r->lost_alloc) {
        size_t alloc = r->lost_alloc ? r->lost_alloc * 2 : 16;
        void *q = realloc(p->lost, alloc * sizeof *p->lost);
        if (!q)
            return br_fail_nomem(err);
        p->lost = q;
        r->lost_alloc = alloc;
    }
    struct br_lost_message *m = &p->lost[p->n_lost++];
    m->ts = o->ts;
    snprintf(m->channel_id, sizeof m->channel_id, "%s", o->channel_id);
    return BR_OK;
}

static enum br_rc mend_text(struct repair *r, uint64_t id, const struct br_slack_owner *o, struct br_buf *text,
                            struct br_err *err)
{
    struct br_store *s = r->u.store;
    bool same;
    enum br_rc rc;
    br_buf_reset(text);
    BR_TRY(render_again(r, o, text, err));
    if (!text->len) {
        r->report.words = true;
        BR_TRY(note_loss(r, o, err));
        BR_TRY(br_slack_lose_content(s, id, o, err));
        return BR_OK;
    }
    BR_TRY(br_store_mend_content(s, id, text->data, text->len, &same, err));
    r->report.texts_rendered++;
    if (!same) { /* names or the renderer have changed since */
        r->report.words = true;
        BR_TRY(br_slack_text_changed(s, o, err));
    }
err:
    return rc;
}

static enum br_rc mend_record(struct repair *r, uint64_t id, struct br_buf *text, struct br_err *err)
{
    struct br_slack_owner o;
    enum br_rc rc;
    BR_TRY(br_slack_owner_of(r->u.store, id, &o, err));
    if (o.kind == BR_OWNER_TEXT)
        return mend_text(r, id, &o, text, err);
    r->report.words |= o.kind == BR_OWNER_PASSAGE;
    r->report.raws_lost += o.kind == BR_OWNER_RAW;
    BR_TRY(br_slack_lose_content(r->u.store, id, &o, err));
err:
    return rc;
}

static enum br_rc mend_content(struct repair *r, struct br_err *err)
{
    struct br_store *s = r->u.store;
    struct br_buf text;
    enum br_rc rc;
    br_buf_init(&text, 2 * (size_t)BR_RENDER_TEXT_MAX);
    BR_TRY(br_store_damaged_contents(s, &r->contents, err));
    r->report.content |= r->contents.n > 0;
    if (r->contents.n) {
        BR_TRY(load_names(r, err));
        BR_TRY(br_slack_owners_begin(s, err));
    }
    for (size_t i = 0; i < r->contents.n;) {
        size_t end = BR_MIN(i + BATCH_RECORDS, r->contents.n);
        BR_TRY(br_store_begin(s, err));
        for (; i < end; i++)
            BR_TRY(mend_record(r, r->contents.items[i], &text, err));
        BR_TRY(br_store_commit(s, NULL, err));
        BR_TRY(br_upkeep_step(&r->u, "mending", i, r->contents.n, err));
    }
    if (r->report.words)
        BR_TRY(br_slack_rebuild_words(s, err));
err:
    br_store_rollback(s);
    br_buf_free(&text);
    return rc;
}

/* --- Vectors and graph --- */

static enum br_rc drop_vectors(struct repair *r, struct br_err *err)
{
    struct br_store *s = r->u.store;
    enum br_rc rc;
    BR_TRY(br_store_damaged_slots(s, &r->slots, err));
    r->report.vectors |= r->slots.n > 0;
    for (size_t i = 0; i < r->slots.n;) {
        size_t end = BR_MIN(i + BATCH_RECORDS, r->slots.n);
        BR_TRY(br_store_begin(s, err));
        for (; i < end; i++)
            BR_TRY(br_slack_lose_vector(s, r->slots.items[i], err));
        BR_TRY(br_store_commit(s, NULL, err));
    }
err:
    br_store_rollback(s);
    return rc;
}

/* A graph that is not sound is left out: it is built anew as the journal is followed. */
static enum br_rc open_graph(struct repair *r, struct br_err *err)
{
    struct br_index_report sound = {.ok = true};
    char why[256];
    enum br_rc rc = BR_OK;
    br_graph_open(&r->u.graph, r->u.home->io, r->u.store, why);
    if (r->u.graph.index)
        BR_TRY(br_index_check(r->u.graph.index, &sound, err));
    r->report.graph = why[0] || !sound.ok;
    if (r->report.graph)
        br_graph_close(&r->u.graph);
err:
    return rc;
}

/* A checkpoint of the same sequence is written over: the file there is the damaged one. */
static enum br_rc write_graph(struct repair *r, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_upkeep_step(&r->u, "index", 0, 0, err));
    BR_TRY(br_graph_follow(&r->u.graph, r->u.store, err));
    BR_TRY(br_graph_checkpoint(&r->u.graph, r->u.home->io, r->u.store, err));
    br_store_sweep(r->u.store);
err:
    return rc;
}

/* --- All of it --- */

static enum br_rc find_workspace(struct repair *r, const char *key, struct br_err *err)
{
    struct br_home *h = r->u.home;
    struct br_registry *reg = NULL;
    enum br_rc rc;
    BR_TRY(br_registry_repair(h->io, h->path, &r->report.registry, err));
    BR_TRY(br_registry_open(h->io, h->path, false, &reg, NULL, err));
    BR_TRY(br_registry_find(reg, key, r->u.id, err));
    BR_TRY(br_home_dir_of(h, r->u.id, r->u.dir, sizeof r->u.dir, err));
err:
    br_registry_close(reg);
    return rc;
}

static enum br_rc open_store(struct repair *r, struct br_err *err)
{
    struct br_home *h = r->u.home;
    struct br_store_mended mended;
    struct br_store_info info;
    struct br_rebuilt rebuilt;
    struct br_err why = {0}, ignored = {0};
    enum br_rc rc = br_store_open_repair(h->io, r->u.dir, &r->u.store, &mended, &why);
    if (rc == BR_E_CORRUPT || rc == BR_E_NOTFOUND) {
        BR_TRY(br_rebuild_metadata(h, r->u.id, r->u.dir, &rebuilt, err));
        r->report.metadata = true;
        r->report.messages = rebuilt.messages;
        r->report.users = rebuilt.users;
        r->report.channels = rebuilt.channels;
        r->report.deletions = rebuilt.deletions;
        r->report.records_damaged = rebuilt.damaged;
        rc = br_store_open_repair(h->io, r->u.dir, &r->u.store, &mended, err);
    } else if (rc != BR_OK) {
        *err = why;
    }
    BR_TRY(rc);
    r->report.content = mended.content;
    r->report.vectors = mended.vectors;
    BR_TRY(br_store_info(r->u.store, &info, err));
    BR_TRY(br_home_check_model(h, &info, err));
    br_store_sweep(r->u.store);
    (void)!br_rebuild_sweep(h, r->u.dir, &ignored);
    (void)!br_home_sweep(h, &ignored);
err:
    return rc;
}

static enum br_rc mend(struct repair *r, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_upkeep_step(&r->u, "checking", 0, 0, err));
    BR_TRY(mend_content(r, err));
    BR_TRY(drop_vectors(r, err));
    BR_TRY(open_graph(r, err));
    BR_TRY(br_upkeep_cut_threads(&r->u, err));
    BR_TRY(br_upkeep_fill_vectors(&r->u, err));
    BR_TRY(br_store_mend_journal(r->u.store, &r->report.journal, err));
    BR_TRY(write_graph(r, err));
    r->report.vectors_embedded = r->u.filled;
err:
    return rc;
}

static int check(struct repair *r, struct br_error *error)
{
    struct br_verify_report v = {0};
    int status = br_verify(r->u.home, r->u.id, true, &v, error);
    r->report.ok = v.ok;
    snprintf(r->report.problem, sizeof r->report.problem, "%s", v.first_problem);
    return status;
}

int br_repair(struct br_home *h, const char *workspace, const struct br_upkeep_options *options,
              struct br_repair_report *out, struct br_error *error)
{
    struct br_err err = {0};
    struct repair r = {.u = {.home = h, .opt = options}};
    int status;
    enum br_rc rc;
    clock_gettime(CLOCK_MONOTONIC, &r.u.started);
    BR_TRY(find_workspace(&r, workspace, &err));
    BR_TRY(open_store(&r, &err));
    BR_TRY(mend(&r, &err));
err:
    br_upkeep_close(&r.u);
    br_name_map_free(r.users);
    br_name_map_free(r.channels);
    br_id_list_free(&r.contents);
    br_id_list_free(&r.slots);
    status = rc == BR_OK ? check(&r, error) : br_status_of(rc, &err, error);
    if (status) {
        br_repair_report_free(&r.report);
        return status;
    }
    snprintf(r.report.workspace, sizeof r.report.workspace, "%s", r.u.id);
    r.report.seconds = br_upkeep_seconds(&r.u);
    *out = r.report;
    return BR_STATUS_OK;
}

void br_repair_report_free(struct br_repair_report *r)
{
    free(r->lost);
    r->lost = NULL;
    r->n_lost = 0;
}
