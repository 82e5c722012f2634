/* t_index_data.h - what the index tests share: repeatable random numbers, clustered unit vectors, built graphs. */
#ifndef BR_T_INDEX_DATA_H
#define BR_T_INDEX_DATA_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hnsw_int.h"

static inline uint64_t t_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = *state;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Mean 0, variance 1, near enough to normal. */
static inline float t_normal(uint64_t *state)
{
    uint64_t r = t_random(state);
    float sum = 0;
    for (int i = 0; i < 4; i++, r >>= 16)
        sum += (float)(r & 0xffff) / 65536.0f - 0.5f;
    return sum * 1.7320508f;
}

static inline void t_unit(float *v, uint32_t dim)
{
    float length = 0;
    for (uint32_t i = 0; i < dim; i++)
        length += v[i] * v[i];
    length = sqrtf(length);
    for (uint32_t i = 0; i < dim; i++)
        v[i] /= length > 0 ? length : 1;
}

/* n unit vectors around n / 50 centres, each spread along a few directions of its own besides noise. */
static inline float *t_clustered(size_t n, uint32_t dim, uint64_t seed)
{
    size_t n_centres = n / 50 + 1;
    uint64_t centre_state = 77, state = seed; /* the centres are the same for every seed: queries fall among them */
    float *centres = malloc(n_centres * dim * sizeof(float)), *v = malloc(n * dim * sizeof(float));
    assert_non_null(centres);
    assert_non_null(v);
    for (size_t i = 0; i < n_centres * dim; i++)
        centres[i] = t_normal(&centre_state);
    for (size_t i = 0; i < n; i++) {
        const float *a = centres + t_random(&state) % n_centres * dim;
        const float *b = centres + t_random(&state) % n_centres * dim;
        float w = 0.5f * (float)(t_random(&state) % 1000) / 1000.0f;
        for (uint32_t d = 0; d < dim; d++)
            v[i * dim + d] = a[d] + w * b[d] + 0.4f * t_normal(&state);
        t_unit(v + i * dim, dim);
    }
    free(centres);
    return v;
}

static inline void t_ok(enum br_rc rc, const struct br_err *err)
{
    if (rc != BR_OK)
        fail_msg("%s", err->msg);
}

static inline struct br_index *t_new_index(uint32_t dim, uint32_t ef_construction)
{
    struct br_index_config cfg = {.dim = dim, .M = 16, .ef_construction = ef_construction, .seed = 5};
    struct br_index *ix;
    struct br_err err = {0};
    t_ok(br_index_create(&cfg, &ix, &err), &err);
    return ix;
}

static inline void t_add_range(struct br_index *ix, const struct br_rows *rows, uint64_t first, uint64_t end)
{
    struct br_err err = {0};
    for (uint64_t slot = first; slot < end; slot++)
        t_ok(br_index_add(ix, slot, rows->base + slot * rows->stride_floats, &err), &err);
}

static inline size_t t_search(const struct br_index *ix, struct br_searcher *s, const struct br_rows *rows,
                              const float *query, size_t k, const struct br_bitmap *allow, struct br_hit *out,
                              bool *exhaustive)
{
    struct br_search_params p = {.k = k, .allow = allow};
    struct br_err err = {0};
    size_t n;
    t_ok(br_index_search(ix, s, rows, query, &p, out, &n, exhaustive, &err), &err);
    return n;
}

static inline struct br_searcher *t_searcher(void)
{
    struct br_searcher *s;
    struct br_err err = {0};
    t_ok(br_searcher_new(&s, &err), &err);
    return s;
}

static inline size_t t_common(const struct br_hit *a, size_t na, const struct br_hit *b, size_t nb)
{
    size_t n = 0;
    for (size_t i = 0; i < na; i++)
        for (size_t j = 0; j < nb; j++)
            n += a[i].slot == b[j].slot;
    return n;
}

/* A fresh directory; its files are to be removed by the test. */
static inline void t_directory(char path[64])
{
    strcpy(path, "/tmp/br_t_index_XXXXXX");
    assert_non_null(mkdtemp(path));
}

#endif
