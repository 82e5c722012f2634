/* bench_ann.c - see bench_ann.h. */
#include "bench_ann.h"

#include "embed/blas.h"
#include "engine_int.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS_MAX 64

struct br_ann {
    struct br_index *index;
    struct br_rows rows;
    float *base, *queries;   /* lifted: unit length */
    float *given;            /* the base as it came, until it is lifted; may be the same */
    struct br_hit *answers;  /* k a query */
    float *worst;            /* similarity of the k-th nearest, a query */
    double *seconds;         /* of each query */
    size_t n_base, n_queries, k;
    uint32_t dim;
    unsigned threads;
    double build_seconds;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- Threads. --- */

struct share {
    struct br_ann *a;
    void (*run)(struct share *s);
    size_t first, end, ef;
    struct br_err err;
    enum br_rc rc;
};

static void *run_share(void *arg)
{
    struct share *s = arg;
    s->run(s);
    return NULL;
}

static enum br_rc run_shares(struct br_ann *a, void (*run)(struct share *s), size_t ef, struct br_err *err)
{
    struct share shares[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    unsigned n = a->threads, started = 1;
    for (unsigned i = 0; i < n; i++)
        shares[i] = (struct share){
            .a = a, .run = run, .first = a->n_queries * i / n, .end = a->n_queries * (i + 1) / n, .ef = ef};
    for (; started < n; started++)
        if (pthread_create(&threads[started], NULL, run_share, &shares[started]) != 0)
            break;
    run(&shares[0]);
    for (unsigned i = started; i < n; i++)
        run(&shares[i]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < n; i++)
        if (shares[i].rc != BR_OK)
            return br_fail(err, shares[i].rc, "%s", shares[i].err.msg);
    return BR_OK;
}

/* --- Any metric to unit vectors. --- */

static double length2(const float *x, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

/* The reflection that takes unit vector `axis` to the vector of n equal components, or of n that alternate. */
static void spread(float *x, size_t n, size_t axis, bool alternate)
{
    double flat = 1 / sqrt((double)n), dot = 0, len = 0;
    for (size_t i = 0; i < n; i++) {
        double v = (i == axis) - (alternate && i % 2 ? -flat : flat);
        dot += v * (double)x[i];
        len += v * v;
    }
    for (size_t i = 0; i < n && len > 1e-12; i++) {
        double v = (i == axis) - (alternate && i % 2 ? -flat : flat);
        x[i] -= (float)(2 * dot / len * v);
    }
}

static enum br_rc scale_row(const float *x, size_t dim, double scale, size_t row, float *out, struct br_err *err)
{
    for (size_t i = 0; i < dim; i++) {
        out[i] = (float)((double)x[i] * scale);
        if (!isfinite(out[i]))
            return br_fail(err, BR_E_DATA, "vector %zu is zero or not finite: leave it out", row);
    }
    return BR_OK;
}

/* `half`: what the component that holds half the square is divided by. 0: there is none. */
static enum br_rc lift(struct br_ann *a, const struct br_ann_data *d, enum br_ann_metric metric, struct br_err *err)
{
    size_t dim = d->dim, extra = metric == BR_ANN_COSINE ? 0 : metric == BR_ANN_IP ? 1 : 2;
    double longest = 0, half = 0;
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < d->n_base; i++)
        half += sqrt(length2(d->base + i * dim, dim)) / (double)d->n_base / 2;
    for (size_t i = 0; i < d->n_base; i++) {
        double l = length2(d->base + i * dim, dim), h = l / 2 / (half > 0 ? half : 1);
        longest = fmax(longest, sqrt(l + (extra == 2 ? h * h : 0)));
    }
    longest = longest > 0 ? longest : 1;
    for (size_t i = 0; i < d->n_base && rc == BR_OK; i++) {
        float *out = a->base + i * a->dim;
        double l = length2(d->base + i * dim, dim);
        rc = scale_row(d->base + i * dim, dim, 1 / (extra ? longest : sqrt(l)), i, out, err);
        if (extra == 2)
            out[dim + 1] = (float)(l / 2 / (half > 0 ? half : 1) / longest);
        if (extra)
            out[dim] = (float)sqrt(fmax(0, 1 - length2(out, dim) - (extra == 2 ? (double)out[dim + 1] * out[dim + 1] : 0)));
        for (size_t e = 0; e < extra; e++)
            spread(out, a->dim, dim + e, e);
    }
    for (size_t i = 0; i < d->n_queries && rc == BR_OK; i++) {
        float *out = a->queries + i * a->dim;
        double l = length2(d->queries + i * dim, dim) + (extra == 2 ? half * half : 0);
        rc = scale_row(d->queries + i * dim, dim, 1 / sqrt(l), i, out, err);
        if (extra)
            out[dim] = 0;
        if (extra == 2)
            out[dim + 1] = (float)(-half / sqrt(l));
        for (size_t e = 0; e < extra; e++)
            spread(out, a->dim, dim + e, e);
    }
    return rc;
}

/* --- Truth. --- */

static void exact_share(struct share *s)
{
    struct br_ann *a = s->a;
    size_t n_queries = s->end - s->first, *n = malloc(BR_MAX(n_queries, (size_t)1) * sizeof *n);
    struct br_hit *hits = a->answers + s->first * a->k;
    const float *queries = a->queries + s->first * a->dim;
    s->rc = n ? BR_OK : br_fail_nomem(&s->err);
    if (s->rc == BR_OK && br_blas_ready())
        s->rc = br_exact_many(&a->rows, a->dim, queries, n_queries, a->k, br_blas_products, hits, n, &s->err);
    else
        for (size_t i = 0; i < n_queries && s->rc == BR_OK; i++)
            n[i] = br_exact_range(&a->rows, a->dim, queries + i * a->dim, 0, a->n_base, NULL, a->k, hits + i * a->k);
    for (size_t i = 0; i < n_queries && s->rc == BR_OK; i++)
        a->worst[s->first + i] = n[i] ? hits[i * a->k + n[i] - 1].similarity : 0;
    free(n);
}

static enum br_rc find_truth(struct br_ann *a, struct br_err *err)
{
    (void)br_blas_ready(); /* here, before there are threads */
    return run_shares(a, exact_share, 0, err);
}

static enum br_rc given_truth(struct br_ann *a, const struct br_ann_data *d, struct br_err *err)
{
    for (size_t i = 0; i < a->n_queries; i++) {
        a->worst[i] = INFINITY;
        for (size_t j = 0; j < a->k; j++) {
            int64_t id = d->truth[i * d->truth_width + j];
            if (id < 0 || (uint64_t)id >= a->n_base)
                return br_fail(err, BR_E_DATA, "the truth of query %zu names vector %lld of %zu", i, (long long)id,
                               a->n_base);
            float sum = 0;
            for (size_t e = 0; e < a->dim; e++)
                sum += a->base[(size_t)id * a->dim + e] * a->queries[i * a->dim + e];
            a->worst[i] = fminf(a->worst[i], sum);
        }
    }
    return BR_OK;
}

/* --- The index. --- */

static enum br_rc build(struct br_ann *a, const struct br_ann_options *opt, struct br_err *err)
{
    struct br_index_config cfg = {.dim = a->dim,
                                  .M = opt->M ? opt->M : BR_HNSW_M_DEFAULT,
                                  .ef_construction =
                                      opt->ef_construction ? opt->ef_construction : BR_HNSW_EF_CONSTRUCTION_DEFAULT,
                                  .seed = 42};
    enum br_rc rc;
    double start = now();
    BR_TRY(br_index_create(&cfg, &a->index, err));
    uint64_t *slots = malloc(a->n_base * sizeof *slots);
    if (!slots)
        return br_fail_nomem(err);
    for (size_t i = 0; i < a->n_base; i++)
        slots[i] = i;
    rc = br_index_add_many(a->index, &a->rows, slots, a->n_base, a->threads, err);
    free(slots);
    a->build_seconds = now() - start;
err:
    return rc;
}

int br_ann_new(const struct br_ann_data *d, const struct br_ann_options *opt, struct br_ann **out, struct br_error *error)
{
    struct br_err err = {0};
    enum br_rc rc = BR_OK;
    struct br_ann *a = calloc(1, sizeof *a);
    *out = NULL;
    if (!a) {
        free(d->base);
        BR_TRY(br_fail_nomem(&err));
    }
    a->base = a->given = d->base;
    a->n_base = d->n_base;
    a->n_queries = d->n_queries;
    a->k = BR_MIN(opt->k, d->n_base);
    a->threads = opt->threads < 1 ? 1 : BR_MIN(opt->threads, THREADS_MAX);
    a->dim = (uint32_t)d->dim + (opt->metric == BR_ANN_COSINE ? 0 : opt->metric == BR_ANN_IP ? 1 : 2);
    if (d->dim > BR_DIM_MAX || a->dim > BR_DIM_MAX)
        BR_TRY(br_fail(&err, BR_E_TOOBIG, "vectors of %zu components: at most %d", d->dim, BR_DIM_MAX - 2));
    if (a->dim > d->dim)
        a->base = malloc(a->n_base * a->dim * sizeof *a->base);
    a->queries = malloc(a->n_queries * a->dim * sizeof *a->queries);
    a->answers = calloc(a->n_queries * a->k, sizeof *a->answers);
    a->worst = malloc(a->n_queries * sizeof *a->worst);
    a->seconds = malloc(a->n_queries * sizeof *a->seconds);
    if (!a->base || !a->queries || !a->answers || !a->worst || !a->seconds)
        BR_TRY(br_fail_nomem(&err));
    a->rows = (struct br_rows){.base = a->base, .stride_floats = a->dim, .count = a->n_base};
    BR_TRY(lift(a, d, opt->metric, &err));
    if (a->base != a->given)
        free(a->given);
    a->given = NULL;
    BR_TRY(build(a, opt, &err));
    BR_TRY(d->truth ? given_truth(a, d, &err) : find_truth(a, &err));
    *out = a;
    return BR_STATUS_OK;
err:
    br_ann_free(a);
    return br_status_of(rc, &err, error);
}

void br_ann_free(struct br_ann *a)
{
    if (!a)
        return;
    br_index_close(a->index);
    if (a->base != a->given)
        free(a->given);
    free(a->base);
    free(a->queries);
    free(a->answers);
    free(a->worst);
    free(a->seconds);
    free(a);
}

double br_ann_build_seconds(const struct br_ann *a)
{
    return a->build_seconds;
}

double br_ann_bytes_per_vector(const struct br_ann *a)
{
    return (double)br_index_bytes(a->index) / (double)a->n_base;
}

static void search_share(struct share *s)
{
    struct br_ann *a = s->a;
    struct br_searcher *searcher = NULL;
    struct br_search_params p = {.k = a->k, .ef = s->ef};
    s->rc = br_searcher_new(&searcher, &s->err);
    for (size_t i = s->first; i < s->end && s->rc == BR_OK; i++) {
        struct br_hit *hits = a->answers + i * a->k;
        size_t n = 0;
        bool exhaustive;
        double start = now();
        s->rc = br_index_search(a->index, searcher, &a->rows, a->queries + i * a->dim, &p, hits, &n, &exhaustive, &s->err);
        a->seconds[i] = now() - start;
        for (; n < a->k; n++)
            hits[n].similarity = -INFINITY;
    }
    br_searcher_free(searcher);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int br_ann_measure(struct br_ann *a, size_t ef, struct br_ann_point *out, struct br_error *error)
{
    struct br_err err = {0};
    size_t found = 0;
    double start = now();
    enum br_rc rc = run_shares(a, search_share, ef, &err);
    double took = now() - start;
    if (rc != BR_OK)
        return br_status_of(rc, &err, error);
    for (size_t i = 0; i < a->n_queries; i++)
        for (size_t j = 0; j < a->k; j++)
            found += a->answers[i * a->k + j].similarity >= a->worst[i] - 1e-6f;
    qsort(a->seconds, a->n_queries, sizeof *a->seconds, by_value);
    *out = (struct br_ann_point){.ef = ef,
                                 .recall = (double)found / (double)(a->n_queries * a->k),
                                 .qps = (double)a->n_queries / took,
                                 .p50_us = a->seconds[a->n_queries / 2] * 1e6,
                                 .p99_us = a->seconds[a->n_queries * 99 / 100] * 1e6};
    return BR_STATUS_OK;
}
