/* batch.c - many questions on all cores.
 *
 * Questions are handed out in groups of GROUP; a thread embeds those of its group that it can tell the words of beforehand in one go, which costs a
 * fraction of one at a time (the weights pass through the processor once), and finds the vectors in its handle's cache when it searches. The
 * same text gives the same vector in any company, so the answers are those of one search after the other. Each thread has a workspace handle of
 * its own, kept for the next batch. */
#include "cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "postings.h"
#include "render.h"

#define GROUP 16
#define HELPERS_MAX 63

struct br_helpers {
    struct br_workspace *items[HELPERS_MAX]; /* NULL: not opened yet */
};

struct batch {
    struct br_workspace *ws; /* the caller's */
    const char *const *queries;
    size_t n;
    const struct br_search_options *options;
    br_search_each_fn each;
    void *ctx;
    size_t cache_limit; /* the caller's, for every thread's handle */
    pthread_mutex_t lock; /* guards next */
    size_t next;
};
struct worker {
    struct batch *batch;
    struct br_workspace **ws; /* opened by the worker where it is NULL */
};

void br_helpers_free(struct br_helpers *h)
{
    for (size_t i = 0; h && i < HELPERS_MAX; i++)
        br_workspace_close(h->items[i]);
    free(h);
}

static size_t take_group(struct batch *b, size_t *from)
{
    pthread_mutex_lock(&b->lock);
    size_t n = BR_MIN((size_t)GROUP, b->n - b->next);
    *from = b->next;
    b->next += n;
    pthread_mutex_unlock(&b->lock);
    return n;
}

/* Nothing in it is more than a word: what is embedded is then known without parsing. */
static bool is_plain(const char *query, const struct br_search_options *o)
{
    return o->literal || (!strpbrk(query, "\":-") && !strstr(query, "\u201C") && !strstr(query, "\u201D"));
}

struct group {
    struct br_buf words[GROUP], rendered[GROUP];
    const char *texts[GROUP];
    size_t lens[GROUP], which[GROUP], n;
};

static void add_text(struct group *g, size_t i, const char *query, const struct br_search_options *o)
{
    br_buf_init(&g->words[i], (size_t)1 << 16);
    br_buf_init(&g->rendered[i], 2 * (size_t)BR_RENDER_TEXT_MAX);
    if (!is_plain(query, o))
        return;
    br_query_words(query, &g->words[i]);
    br_render_for_embedding(br_buf_str(&g->words[i]), g->words[i].len, &g->rendered[i]);
    if (g->words[i].failed || g->rendered[i].failed || !g->words[i].len)
        return;
    g->texts[g->n] = br_buf_str(&g->rendered[i]);
    g->lens[g->n] = g->rendered[i].len;
    g->which[g->n++] = i;
}

/* What fails here is done, or fails, in the search itself. */
static void embed_group(struct br_workspace *ws, const char *const *queries, size_t n, const struct br_search_options *o)
{
    struct group g = {.n = 0};
    struct br_cache_status cache;
    uint32_t dim = br_model_info(ws->home->model)->dim;
    br_cache_status_of(ws->cache, &cache);
    if (br_model_info(ws->home->model)->precision != BR_PRECISION_INT8) /* the last bits of floats may depend on the company */
        return;
    if (o->mode == BR_SEARCH_KEYWORD || cache.limit / 2 < GROUP * dim * sizeof(float))
        return;
    for (size_t i = 0; i < n; i++)
        add_text(&g, i, queries[i], o);
    float *vectors = malloc((g.n ? g.n : 1) * dim * sizeof *vectors);
    bool ok = vectors && g.n && (ws->embedder || br_embedder_new(ws->home->model, &ws->embedder, NULL) == BR_OK) &&
              br_embed_query_group(ws->embedder, g.texts, g.lens, g.n, vectors, NULL) == BR_OK;
    for (size_t i = 0; ok && i < g.n; i++) {
        const struct br_buf *words = &g.words[g.which[i]];
        br_cache_keep_vector(ws->cache, br_buf_str(words), words->len, vectors + i * dim, dim);
    }
    free(vectors);
    for (size_t i = 0; i < n; i++) {
        br_buf_free(&g.words[i]);
        br_buf_free(&g.rendered[i]);
    }
}

/* A helper keeps as much as the caller's handle, and shares with it what both ask of the keyword index. */
static void join(struct br_workspace *helper, const struct batch *b)
{
    br_cache_set_limit(helper->cache, b->cache_limit);
    if (helper->words == b->ws->words)
        return;
    br_word_memory_release(helper->words);
    helper->words = br_word_memory_share(b->ws->words);
}

static void *work(void *arg)
{
    const struct worker *w = arg;
    struct batch *b = w->batch;
    struct br_error unopened;
    size_t from, n;
    if (!*w->ws && br_workspace_open(b->ws->home, b->ws->id, w->ws, &unopened) != 0)
        return NULL; /* the others do its work */
    if (*w->ws != b->ws)
        join(*w->ws, b);
    while ((n = take_group(b, &from)) > 0) {
        embed_group(*w->ws, b->queries + from, n, b->options);
        for (size_t i = from; i < from + n; i++) {
            struct br_search_results r = {0};
            struct br_error err = {0};
            int status = br_search(*w->ws, b->queries[i], b->options, &r, &err);
            b->each(b->ctx, i, status, &r, &err);
        }
    }
    return NULL;
}

int br_search_many(struct br_workspace *ws, const char *const *queries, size_t n, const struct br_search_options *options,
                   br_search_each_fn each, void *ctx, struct br_error *error)
{
    static const struct br_search_options defaults = {0};
    struct br_err err = {0};
    struct batch b = {.ws = ws, .queries = queries, .n = n, .options = options ? options : &defaults, .each = each, .ctx = ctx};
    struct worker workers[HELPERS_MAX];
    pthread_t ids[HELPERS_MAX];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t groups = (n + GROUP - 1) / GROUP, started = 0;
    struct br_cache_status cache;
    br_cache_status_of(ws->cache, &cache);
    b.cache_limit = cache.limit;
    size_t helpers = cpus > 1 && groups > 1 ? BR_MIN(BR_MIN((size_t)cpus, groups) - 1, (size_t)HELPERS_MAX) : 0;
    if (b.options->cursor)
        return br_status_of(br_fail(&err, BR_E_USAGE, "a cursor goes on with one question, not with many"), &err, error);
    if (helpers && !ws->helpers)
        ws->helpers = calloc(1, sizeof *ws->helpers);
    if (!ws->helpers)
        helpers = 0;
    pthread_mutex_init(&b.lock, NULL);
    while (started < helpers) {
        workers[started] = (struct worker){.batch = &b, .ws = &ws->helpers->items[started]};
        if (pthread_create(&ids[started], NULL, work, &workers[started]) != 0)
            break;
        started++;
    }
    work(&(struct worker){.batch = &b, .ws = &ws});
    while (started > 0)
        pthread_join(ids[--started], NULL);
    pthread_mutex_destroy(&b.lock);
    return BR_STATUS_OK;
}
