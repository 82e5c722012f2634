/* exact_many.c - exact search for many queries at once, as matrix products.
 *
 * One query at a time reads every row for 2 operations a number; a product of a block of queries with a block of rows has both in cache
 * and is bound by arithmetic. Whoever has a fast product brings it along: this folder knows no library.
 *
 * The hits are those of br_exact_range, bit for bit, although a product adds in another order. For vectors of unit length both sums are within
 * dim * 2^-24 of the true one, so that they differ by no more than twice that: a row whose product falls short of the k-th similarity by
 * more cannot be among the k; the similarity of any other is computed as br_exact_range does. */
#include "exact_int.h"

#include "dist_int.h"

#include <math.h>
#include <stdlib.h>

enum { QUERIES = 64, ROWS = 512, CHUNK = 64 };
#define UNIT_LENGTH 1.001f /* as rounding leaves it */

struct block {
    const struct br_rows *rows;
    uint32_t dim;
    uint64_t first, n; /* slots */
    float margin;
};

/* Loops that do the same to each are done to several at once. */
static bool any_reaches(const float *products, size_t n, float floor)
{
    int any = 0;
    for (size_t i = 0; i < n; i++)
        any |= products[i] >= floor;
    return any;
}

/* Offers the rows of a block to one query's k best. */
static void offer_block(const struct block *b, const float *query, const float *products, size_t k, struct br_hit *hits, size_t *n_hits)
{
    for (uint64_t from = 0; from < b->n; from += CHUNK) {
        uint64_t end = BR_MIN(from + CHUNK, b->n);
        float floor = *n_hits == k ? hits[0].similarity - b->margin : -INFINITY;
        if (!any_reaches(products + from, end - from, floor))
            continue;
        for (uint64_t i = from; i < end; i++)
            if (products[i] >= floor) {
                const float *row = b->rows->base + (b->first + i) * b->rows->stride_floats;
                br_topk_push(hits, n_hits, k, b->first + i, br_kernels()->inner(query, row, b->dim));
            }
    }
}

enum br_rc br_exact_many(const struct br_rows *rows, uint32_t dim, const float *queries, size_t n_queries, size_t k, br_products_fn *products,
                         struct br_hit *out, size_t *n_out, struct br_err *err)
{
    float *product = malloc(sizeof(float) * QUERIES * ROWS);
    if (!product)
        return br_fail_nomem(err);
    for (size_t q = 0; q < n_queries; q += QUERIES) {
        size_t m = BR_MIN(n_queries - q, (size_t)QUERIES);
        for (size_t i = q; i < q + m; i++)
            n_out[i] = 0;
        struct block b = {.rows = rows, .dim = dim, .margin = UNIT_LENGTH * UNIT_LENGTH * 2 * (float)dim * 0x1p-24f};
        for (; k && b.first < rows->count; b.first += ROWS) {
            b.n = BR_MIN(rows->count - b.first, (uint64_t)ROWS);
            products(queries + q * dim, m, rows->base + b.first * rows->stride_floats, b.n, rows->stride_floats, dim, product);
            for (size_t i = 0; i < m; i++)
                offer_block(&b, queries + (q + i) * dim, product + i * b.n, k, out + (q + i) * k, &n_out[q + i]);
        }
        for (size_t i = q; i < q + m; i++)
            br_topk_sort(out + i * k, n_out[i]);
    }
    free(product);
    return BR_OK;
}
