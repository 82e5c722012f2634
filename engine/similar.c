/* similar.c - messages like a stored one: the nearest neighbours of its vector, each conversation once, its own left out. Nothing is embedded, so any
 * workspace can be asked, whatever model made it.
 *
 * A passage among the neighbours stands for its conversation; of its messages the one nearest to the vector is shown. */
#include "engine_int.h"

#include <stdlib.h>
#include <string.h>

#include "retrieve.h"

#define DEPTH 4 /* documents looked at per message wanted: conversations have several */
#define DEPTH_MIN 64

struct similar {
    struct br_workspace *ws;
    const float *vector;
    struct br_rows rows;
    struct br_doc self;
    const struct br_semantic_hits *hits;
    struct br_message_list list;
    char channel_id[64]; /* of the passage looked at */
    int64_t best_ts;
    float best;
};

static float product(const float *a, const float *b, uint32_t n)
{
    float sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static bool same_conversation(const struct br_doc *a, const struct br_doc *b)
{
    return a->thread_ts == b->thread_ts && strcmp(a->channel_id, b->channel_id) == 0;
}

static bool is_new(const struct similar *s, size_t i)
{
    const struct br_doc *d = &s->hits->items[i].doc;
    if (same_conversation(d, &s->self))
        return false;
    for (size_t j = 0; j < i; j++)
        if (same_conversation(d, &s->hits->items[j].doc))
            return false;
    return true;
}

static enum br_rc weigh(void *ctx, int64_t ts, const char *text, size_t len, struct br_err *err)
{
    struct similar *s = ctx;
    struct br_doc d;
    (void)text, (void)len;
    enum br_rc rc = br_slack_doc_of_message(s->ws->store, s->channel_id, ts, &d, err);
    if (rc != BR_OK || d.slot >= s->rows.count)
        return rc;
    float similarity = product(s->vector, s->rows.base + d.slot * s->rows.stride_floats, br_model_info(s->ws->home->model)->dim);
    if (!s->best_ts || similarity > s->best) {
        s->best_ts = ts;
        s->best = similarity;
    }
    return BR_OK;
}

static enum br_rc add(struct similar *s, const struct br_doc *d, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    memcpy(s->channel_id, d->channel_id, sizeof s->channel_id);
    s->best_ts = 0;
    if (d->kind == BR_DOC_PASSAGE)
        BR_TRY(br_slack_passage_messages(s->ws->store, d, NULL, weigh, s, err));
    else
        s->best_ts = d->ts;
    if (s->best_ts)
        BR_TRY(br_slack_message(s->ws->store, s->channel_id, s->best_ts, br_message_list_add, &s->list, err));
err:
    return rc;
}

static enum br_rc find(struct similar *s, size_t n, struct br_err *err)
{
    struct br_semantic_hits hits = {0};
    struct br_store_info info;
    float vector[BR_DIM_MAX];
    enum br_rc rc;
    s->hits = &hits;
    BR_TRY(br_store_now(s->ws->store, &info, err));
    if (info.dim != br_model_info(s->ws->home->model)->dim)
        BR_TRY(br_home_check_model(s->ws->home, &info, err));
    br_graph_refresh(&s->ws->graph, s->ws->home->io, s->ws->store, &info);
    BR_TRY(br_store_rows(s->ws->store, &s->rows, err));
    if (s->self.slot >= s->rows.count)
        BR_TRY(br_fail(err, BR_E_NOTFOUND, "that message has no words to compare: give one that says something"));
    memcpy(vector, s->rows.base + s->self.slot * s->rows.stride_floats, info.dim * sizeof *vector);
    s->vector = vector;
    for (size_t want = BR_MAX((n + 1) * DEPTH, (size_t)DEPTH_MIN);; want *= 4) {
        size_t found = 0;
        br_semantic_hits_free(&hits);
        BR_TRY(br_retrieve_nearest(s->ws, vector, NULL, want, false, NULL, &hits, err));
        for (size_t i = 0; i < hits.count && found < n; i++)
            found += is_new(s, i);
        if (found == n || hits.count < want)
            break;
    }
    for (size_t i = 0; i < hits.count && s->list.count < n; i++)
        if (is_new(s, i))
            BR_TRY(add(s, &hits.items[i].doc, err));
err:
    br_semantic_hits_free(&hits);
    return rc;
}

int br_similar_messages(struct br_workspace *ws, const char *message_id, size_t n, struct br_messages *out, struct br_error *error)
{
    struct br_err err = {0};
    struct similar s = {.ws = ws};
    char id[64];
    int64_t ts;
    bool snapshot = false;
    enum br_rc rc;
    br_message_list_init(&s.list, ws);
    if (!n || n > BR_SEARCH_N_MAX)
        BR_TRY(br_fail(&err, BR_E_USAGE, "1 to %d messages can be asked for", BR_SEARCH_N_MAX));
    BR_TRY(br_store_read_begin(ws->store, &err));
    snapshot = true;
    BR_TRY(br_parse_message_id(ws, message_id, id, &ts, &err));
    BR_TRY(br_slack_doc_of_message(ws->store, id, ts, &s.self, &err));
    BR_TRY(find(&s, n, &err));
    br_store_read_end(ws->store);
    return br_message_list_give(&s.list, out, error);
err:
    if (snapshot)
        br_store_read_end(ws->store);
    br_message_list_free(&s.list);
    return br_status_of(rc, &err, error);
}
