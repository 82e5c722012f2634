/* index_recall.c - how fast the graph is built and searched, and what it finds of the exact answer.
 *
 *   index_recall VECTORS.npy [N [QUERIES [M [EF_CONSTRUCTION]]]]
 *
 * VECTORS.npy: float32 rows of unit length in C order. Past its own rows, N is reached with mixtures of two rows and
 * noise: such figures are of synthetic data and say so. Queries are mixtures too and not in the set. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hnsw_int.h"
#include "npy.h"
#include "random.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void mix(const float *real, size_t n, size_t dim, float *out)
{
    const float *a = real + (size_t)(uniform() * (double)n) * dim, *b = real + (size_t)(uniform() * (double)n) * dim;
    double w = 0.5 + 0.4 * uniform(), length = 0;
    for (size_t i = 0; i < dim; i++) {
        double noise = (uniform() + uniform() + uniform() - 1.5) * 0.8 / sqrt((double)dim);
        out[i] = (float)(w * a[i] + (1 - w) * b[i] + noise);
        length += (double)out[i] * out[i];
    }
    for (size_t i = 0; i < dim; i++)
        out[i] /= (float)sqrt(length);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        npy_die("usage: index_recall VECTORS.npy [N [QUERIES [M [EF_CONSTRUCTION]]]]");
    enum { K = 10 };
    size_t real_n, dim;
    float *real = npy_read(argv[1], &real_n, &dim);
    size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : real_n, n_queries = argc > 3 ? strtoul(argv[3], NULL, 10) : 500;
    float *base = malloc(n * dim * sizeof(float)), *queries = malloc(n_queries * dim * sizeof(float));
    struct br_hit *truth = malloc(n_queries * K * sizeof(*truth)), hits[K];
    if (!base || !queries || !truth)
        npy_die("no memory");
    memcpy(base, real, BR_MIN(n, real_n) * dim * sizeof(float));
    for (size_t i = real_n; i < n; i++)
        mix(real, real_n, dim, base + i * dim);
    for (size_t i = 0; i < n_queries; i++)
        mix(real, real_n, dim, queries + i * dim);

    struct br_index_config cfg = {.dim = (uint32_t)dim, .M = argc > 4 ? (uint32_t)atoi(argv[4]) : BR_HNSW_M_DEFAULT,
                                  .ef_construction =
                                      argc > 5 ? (uint32_t)atoi(argv[5]) : BR_HNSW_EF_CONSTRUCTION_DEFAULT,
                                  .seed = 1};
    struct br_index *ix;
    struct br_searcher *s;
    struct br_err err = {0};
    if (br_index_create(&cfg, &ix, &err) != BR_OK || br_searcher_new(&s, &err) != BR_OK)
        npy_die(err.msg);
    double start = now();
    for (size_t i = 0; i < n; i++)
        if (br_index_add(ix, i, base + i * dim, &err) != BR_OK)
            npy_die(err.msg);
    double took = now() - start;
    printf("kernel %s, %zu x %zu (%s), built in %.1f s: %.0f/s, %.1f MB\n", br_index_kernel_name(), n, dim,
           n > real_n ? "synthetic mixtures" : "as in the file", took, (double)n / took,
           (double)br_index_bytes(ix) / 1e6);

    struct br_rows rows = {.base = base, .stride_floats = dim, .count = n};
    start = now();
    for (size_t i = 0; i < n_queries; i++)
        br_exact_range(&rows, cfg.dim, queries + i * dim, 0, n, NULL, K, truth + i * K);
    printf("exact float32 scan: %.3f ms\n", (now() - start) * 1e3 / (double)n_queries);

    static const size_t efs[] = {0, 20, 40, 80, 160, 320, 640}; /* 0: the scan of codes */
    for (size_t e = 0; e < BR_COUNT(efs); e++) {
        ix->exact_nodes = efs[e] ? 0 : UINT32_MAX;
        struct br_search_params p = {.k = K, .ef = efs[e]};
        size_t found = 0, n_hits;
        bool exhaustive;
        double best = 1e9;
        for (int round = 0; round < 3; round++) {
            found = 0;
            start = now();
            for (size_t i = 0; i < n_queries; i++) {
                if (br_index_search(ix, s, &rows, queries + i * dim, &p, hits, &n_hits, &exhaustive, &err) != BR_OK)
                    npy_die(err.msg);
                for (size_t j = 0; j < n_hits; j++) /* of equal vectors any is right: near is what counts */
                    found += hits[j].similarity >= truth[i * K + K - 1].similarity - 1e-6f;
            }
            best = fmin(best, now() - start);
        }
        printf("ef %3zu: recall@10 %.4f, %.4f ms\n", efs[e], (double)found / (double)(n_queries * K),
               best * 1e3 / (double)n_queries);
    }
    struct br_index_report r;
    start = now();
    if (br_index_check(ix, &r, &err) != BR_OK)
        npy_die(err.msg);
    printf("check: %s, %llu of %llu reachable, %.1f links a node, %.0f ms %s\n", r.ok ? "ok" : "DAMAGED",
           (unsigned long long)r.reachable, (unsigned long long)r.nodes, (double)r.links / (double)n,
           (now() - start) * 1e3, r.first_problem);
    br_searcher_free(s);
    br_index_close(ix);
    free(base);
    free(queries);
    free(truth);
    free(real);
    return 0;
}
