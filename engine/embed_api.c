/* embed_api.c - the embedding model as callers outside see it: description, vectors, token ids, conversion. */
#include "engine_int.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP_TEXTS 16 /* texts a thread takes at a time; an endpoint is asked for as many as it takes */
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

struct many {
    const struct br_model *model;
    const char *const *texts;
    const size_t *lens;
    size_t n, group; /* group: texts a thread takes at a time */
    float *out;
    pthread_mutex_t lock; /* guards what follows */
    size_t next;          /* first text nobody has taken */
    struct br_err err;    /* the first error; no more is taken after it */
};

static bool take_group(struct many *m, size_t *from, size_t *count)
{
    pthread_mutex_lock(&m->lock);
    *from = m->next;
    *count = m->err.rc == BR_OK ? BR_MIN(m->group, m->n - m->next) : 0;
    m->next += *count;
    pthread_mutex_unlock(&m->lock);
    return *count > 0;
}

static void *embed_groups(void *arg)
{
    struct many *m = arg;
    struct br_embedder *e = NULL;
    struct br_err err = {0};
    size_t from, count, dim = br_model_info(m->model)->dim;
    enum br_rc rc = br_embedder_new(m->model, &e, &err);
    while (rc == BR_OK && take_group(m, &from, &count))
        rc = br_embed(e, m->texts + from, m->lens + from, count, m->out + from * dim, &err);
    br_embedder_free(e);
    pthread_mutex_lock(&m->lock);
    if (rc != BR_OK && m->err.rc == BR_OK)
        m->err = err;
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

enum br_rc br_embed_many(const struct br_model *model, const char *const *texts, const size_t *lens, size_t n, unsigned threads, float *out,
                         struct br_err *err)
{
    struct many m = {.model = model, .texts = texts, .lens = lens, .n = n, .out = out};
    m.group = br_model_info(model)->precision == BR_PRECISION_REMOTE ? BR_REMOTE_TEXTS : GROUP_TEXTS;
    size_t groups = (n + m.group - 1) / m.group, started = 0;
    size_t helpers = BR_MIN(BR_MIN((size_t)threads, (size_t)THREADS_MAX), groups);
    pthread_t ids[THREADS_MAX];
    pthread_mutex_init(&m.lock, NULL);
    /* The caller's thread is one of them; if no more can be had, those there are do the work. */
    while (started + 1 < helpers && pthread_create(&ids[started], NULL, embed_groups, &m) == 0)
        started++;
    embed_groups(&m);
    while (started > 0)
        pthread_join(ids[--started], NULL);
    pthread_mutex_destroy(&m.lock);
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
