/* embed_api.c - the embedding model as callers outside see it: description, vectors, token ids, conversion. */
#include "engine_int.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP_TEXTS BR_REMOTE_TEXTS
#define GROUP_TOKENS 192    /* about; a group is as a rule a batch of the forward pass */
#define GROUP_TOKENS_MIN 48 /* with fewer a batch does not pay for fetching all weights */
#define THREADS_MAX 64

int br_model_describe(struct br_home *h, struct br_model_description *out, struct br_error *error)
{
    (void)error;
    const struct br_model_info *m = br_model_info(h->model);
    struct br_model_description d = {.dimension = m->dim,
                                     .layers = m->layers,
                                     .heads = m->heads,
                                     .vocabulary = m->vocab,
                                     .max_tokens = m->max_seq,
                                     .bytes = m->bytes};
    snprintf(d.name, sizeof d.name, "%s", m->name);
    snprintf(d.id, sizeof d.id, "%s", m->id);
    snprintf(d.source_sha256, sizeof d.source_sha256, "%s", m->source_sha256);
    snprintf(d.licence, sizeof d.licence, "%s", m->licence);
    snprintf(d.origin, sizeof d.origin, "%s", m->origin);
    snprintf(d.pooling, sizeof d.pooling, "%s", m->pooling);
    snprintf(d.query_prefix, sizeof d.query_prefix, "%s", m->query_prefix);
    snprintf(d.passage_prefix, sizeof d.passage_prefix, "%s", m->passage_prefix);
    snprintf(d.precision, sizeof d.precision, "%s", m->precision == BR_PRECISION_F32 ? "f32" : m->precision == BR_PRECISION_REMOTE ? "remote" : "int8");
    snprintf(d.kernel, sizeof d.kernel, "%s", br_embed_kernel_name(h->model));
    *out = d;
    return BR_STATUS_OK;
}

/* ---- Many texts on many threads ---- */

/* Texts are handed out in groups, longest first: what a group needs to be a full batch, and towards the end less, so that all threads are done at
 * about the same time. An endpoint is asked for as many as it takes. */
struct many {
    const struct br_model *model;
    const char *const *texts;
    const size_t *lens;
    size_t *order; /* of the texts */
    size_t n, threads, dim;
    bool remote;
    float *out;
    pthread_mutex_t lock; /* guards what follows */
    size_t next;          /* first text nobody has taken, of order */
    size_t left;          /* tokens of those nobody has taken, about */
    struct br_err err;    /* the first error; no more is taken after it */
};

struct group {
    size_t n, which[GROUP_TEXTS], lens[GROUP_TEXTS];
    const char *texts[GROUP_TEXTS];
    float *vectors;
};

/* Texts of chat have about four bytes a token. */
static size_t about_tokens(size_t len)
{
    return BR_MIN(len / 4 + 2, (size_t)BR_DEFAULT_MAX_SEQ);
}

static int longer_first(const void *a, const void *b, void *lens)
{
    const size_t *len = lens, x = *(const size_t *)a, y = *(const size_t *)b;
    return len[x] != len[y] ? (len[x] < len[y]) - (len[x] > len[y]) : (x > y) - (x < y);
}

static bool take_group(struct many *m, struct group *g)
{
    size_t tokens = 0;
    g->n = 0;
    pthread_mutex_lock(&m->lock);
    size_t share = m->remote ? SIZE_MAX : BR_MIN(BR_MAX(m->left / (2 * m->threads), (size_t)GROUP_TOKENS_MIN), (size_t)GROUP_TOKENS);
    while (m->err.rc == BR_OK && m->next < m->n && g->n < GROUP_TEXTS && tokens < share) {
        size_t i = m->order[m->next++];
        g->which[g->n] = i;
        g->texts[g->n] = m->texts[i];
        g->lens[g->n++] = m->lens[i];
        tokens += about_tokens(m->lens[i]);
    }
    m->left -= tokens;
    pthread_mutex_unlock(&m->lock);
    return g->n > 0;
}

static void *embed_groups(void *arg)
{
    struct many *m = arg;
    struct br_embedder *e = NULL;
    struct br_err err = {0};
    struct group g = {.vectors = malloc(GROUP_TEXTS * m->dim * sizeof(float))};
    enum br_rc rc = g.vectors ? br_embedder_new(m->model, &e, &err) : br_fail_nomem(&err);
    while (rc == BR_OK && take_group(m, &g)) {
        rc = br_embed(e, g.texts, g.lens, g.n, g.vectors, &err);
        for (size_t i = 0; i < g.n && rc == BR_OK; i++)
            memcpy(m->out + g.which[i] * m->dim, g.vectors + i * m->dim, m->dim * sizeof(float));
    }
    br_embedder_free(e);
    free(g.vectors);
    pthread_mutex_lock(&m->lock);
    if (rc != BR_OK && m->err.rc == BR_OK)
        m->err = err;
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

static enum br_rc put_in_order(struct many *m, struct br_err *err)
{
    m->order = malloc((m->n + 1) * sizeof *m->order);
    if (!m->order)
        return br_fail_nomem(err);
    for (size_t i = 0; i < m->n; i++) {
        m->order[i] = i;
        m->left += about_tokens(m->lens[i]);
    }
    qsort_r(m->order, m->n, sizeof *m->order, longer_first, (void *)(uintptr_t)m->lens);
    return BR_OK;
}

enum br_rc br_embed_many(const struct br_model *model, const char *const *texts, const size_t *lens, size_t n, unsigned threads, float *out,
                         struct br_err *err)
{
    const struct br_model_info *info = br_model_info(model);
    struct many m = {.model = model, .texts = texts, .lens = lens, .n = n, .dim = info->dim, .out = out};
    m.remote = info->precision == BR_PRECISION_REMOTE;
    enum br_rc rc = put_in_order(&m, err);
    if (rc != BR_OK)
        return rc;
    size_t groups = m.remote ? (n + GROUP_TEXTS - 1) / GROUP_TEXTS : BR_MIN(m.left / GROUP_TOKENS_MIN + 1, n), started = 0;
    m.threads = BR_MAX(BR_MIN(BR_MIN((size_t)threads, (size_t)THREADS_MAX), groups), (size_t)1);
    pthread_t ids[THREADS_MAX];
    pthread_mutex_init(&m.lock, NULL);
    /* The caller's thread is one of them; if no more can be had, those there are do the work. */
    while (started + 1 < m.threads && pthread_create(&ids[started], NULL, embed_groups, &m) == 0)
        started++;
    embed_groups(&m);
    while (started > 0)
        pthread_join(ids[--started], NULL);
    pthread_mutex_destroy(&m.lock);
    free(m.order);
    return m.err.rc == BR_OK ? BR_OK : br_fail(err, m.err.rc, "%s", m.err.msg);
}

int br_embed_texts(struct br_home *h, const char *const *texts, size_t n, float *out, struct br_error *error)
{
    struct br_err err = {0};
    enum br_rc rc;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t *lens = malloc((n ? n : 1) * sizeof *lens);
    if (!lens)
        BR_TRY(br_fail_nomem(&err));
    for (size_t i = 0; i < n; i++)
        lens[i] = strlen(texts[i]);
    BR_TRY(br_embed_many(h->model, texts, lens, n, cpus > 0 ? (unsigned)cpus : 1, out, &err));
err:
    free(lens);
    return br_status_of(rc, &err, error);
}

int br_embed_queries(struct br_home *h, const char *const *texts, size_t n, float *out, struct br_error *error)
{
    struct br_err err = {0};
    struct br_embedder *e = NULL;
    size_t dim = br_model_info(h->model)->dim;
    enum br_rc rc;
    BR_TRY(br_embedder_new(h->model, &e, &err));
    for (size_t i = 0; i < n; i++)
        BR_TRY(br_embed_query(e, texts[i], strlen(texts[i]), out + i * dim, &err));
err:
    br_embedder_free(e);
    return br_status_of(rc, &err, error);
}

int br_tokenize_text(struct br_home *h, const char *text, uint16_t *ids, size_t *n_ids, struct br_error *error)
{
    struct br_err err = {0};
    if (*n_ids < 2)
        return br_status_of(br_fail(&err, BR_E_USAGE, "room for at least 2 token ids is needed"), &err, error);
    size_t most = BR_MIN(br_model_info(h->model)->max_seq, (uint32_t)BR_DEFAULT_MAX_SEQ);
    *n_ids = br_tokenize(h->model, text, strlen(text), ids, BR_MIN(*n_ids, most));
    return BR_STATUS_OK;
}

int br_model_file_convert(const char *source_dir, const char *out_path, struct br_error *error)
{
    return br_model_file_convert_with(source_dir, out_path, NULL, error);
}

int br_model_file_convert_with(const char *source_dir, const char *out_path, const struct br_convert_options *options, struct br_error *error)
{
    struct br_err err = {0};
    struct br_model_options o = {0};
    if (options)
        o = (struct br_model_options){.pooling = options->pooling,
                                      .query_prefix = options->query_prefix,
                                      .passage_prefix = options->passage_prefix,
                                      .max_tokens = options->max_tokens};
    return br_status_of(br_model_convert(source_dir, out_path, &o, &err), &err, error);
}

const char *br_version(void)
{
    return BR_VERSION;
}
