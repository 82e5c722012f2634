/* threads.c - dirty threads are read back, cut into passages and sent through the pipeline: the last stage of an
 * import, and what follows when messages are forgotten. */
#include "engine_int.h"

#include <stdlib.h>

#define THREAD_KEYS 1024
#define THREAD_BYTES_MAX ((size_t)8 << 20) /* of a thread's text that passages are made of: it is committed as a whole */

struct thread_ctx {
    struct br_arena *arena;
    struct br_thread_text *msgs;
    size_t n, alloc, bytes;
};

/* What a thread says beyond THREAD_BYTES_MAX is found by its messages alone, each of which has a vector of its own. */
static enum br_rc collect_thread(void *ctx, const struct br_slack_view *v, struct br_err *err)
{
    struct thread_ctx *t = ctx;
    if (v->cls != BR_MSG_CONTENT || t->bytes + v->text_len > THREAD_BYTES_MAX)
        return BR_OK;
    t->bytes += v->text_len;
    if (t->n == t->alloc) {
        size_t alloc = t->alloc ? t->alloc * 2 : 64;
        struct br_thread_text *p = realloc(t->msgs, alloc * sizeof *p);
        if (!p)
            return br_fail_nomem(err);
        t->msgs = p;
        t->alloc = alloc;
    }
    const char *speaker = v->user_name ? v->user_name : v->user_id ? v->user_id : "unknown";
    t->msgs[t->n] = (struct br_thread_text){.ts = v->ts,
                                            .speaker = br_arena_str(t->arena, speaker),
                                            .text = br_arena_strn(t->arena, v->text, v->text_len),
                                            .len = v->text_len};
    if (!t->msgs[t->n].speaker || !t->msgs[t->n].text)
        return br_fail_nomem(err);
    t->n++;
    return BR_OK;
}

static enum br_rc plan_passages(const struct br_cutting *c, struct br_item *item, const struct br_passage *cut,
                                size_t n, struct br_arena *a, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    struct br_slack_passage *out = br_arena_array(a, n ? n : 1, sizeof *out);
    if (!out)
        return br_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        out[i] = (struct br_slack_passage){
            .text = cut[i].text, .text_len = cut[i].len, .first_ts = cut[i].first_ts, .last_ts = cut[i].last_ts};
        if (c->dry_run)
            continue;
        bool found = false;
        float *v = br_pipeline_vector_room(c->pipeline);
        if (!v)
            return br_fail_nomem(err);
        BR_TRY(br_store_vector_of_text(c->reader, cut[i].text, cut[i].len, v, &found, err));
        if (!found)
            v = br_pipeline_vector(c->pipeline, cut[i].text, cut[i].len);
        if (!v)
            return br_fail_nomem(err);
        out[i].vector = v;
    }
    item->passages.items = out;
    item->passages.n = n;
err:
    return rc;
}

static enum br_rc cut_thread(const struct br_cutting *c, const struct br_slack_thread_key *key, struct thread_ctx *t,
                             struct br_err *err)
{
    struct br_arena *a;
    struct br_item *item;
    struct br_passage *cut = NULL;
    size_t n = 0;
    enum br_rc rc;
    BR_TRY(br_pipeline_item(c->pipeline, BR_ITEM_PASSAGES, &item, &a, err));
    item->passages.key = *key;
    t->n = t->bytes = 0;
    t->arena = a;
    BR_TRY(br_slack_thread(c->reader, key->channel_id, key->thread_ts, collect_thread, t, err));
    BR_TRY(br_passages_cut(c->home->model, t->msgs, t->n, a, &cut, &n, err));
    BR_TRY(plan_passages(c, item, cut, n, a, err));
    BR_TRY(br_pipeline_submit(c->pipeline, false, err));
err:
    return rc;
}

/* Dirty threads are fetched a block at a time; a block is committed, and so clean, before the next is asked for. */
enum br_rc br_cut_dirty_threads(const struct br_cutting *c, struct br_err *err)
{
    enum br_rc rc;
    struct thread_ctx t = {0};
    struct br_slack_thread_key *keys = malloc(THREAD_KEYS * sizeof *keys);
    size_t n = 0;
    uint64_t done = 0;
    struct br_slack_counts counts = {0};
    if (!keys)
        return br_fail_nomem(err);
    BR_TRY(br_slack_count(c->reader, &counts, err));
    do {
        BR_TRY(br_slack_dirty_threads(c->reader, keys, THREAD_KEYS, &n, err));
        for (size_t i = 0; i < n; i++) {
            BR_TRY(cut_thread(c, &keys[i], &t, err));
            if (c->step)
                BR_TRY(c->step(c->ctx, ++done, counts.dirty_threads, err));
        }
        BR_TRY(br_pipeline_drain(c->pipeline, err));
    } while (n);
err:
    free(keys);
    free(t.msgs);
    return rc;
}
