/* Exact search for many queries at once gives what one at a time gives, bit for bit: the same slots, similarities and order, among equal and nearly equal
 * rows too, whatever the order a product adds in. */
#include "t_index_data.h"

#include "embed/blas.h"

/* From the other end, in one sum: far from how kernels add. */
static void backwards(const float *queries, size_t n_queries, const float *r, size_t n, size_t stride, uint32_t dim, float *products)
{
    for (size_t i = 0; i < n_queries; i++)
        for (size_t j = 0; j < n; j++) {
            float sum = 0;
            for (uint32_t d = dim; d-- > 0;)
                sum += queries[i * dim + d] * r[j * stride + d];
            products[i * n + j] = sum;
        }
}

static void compare(br_products_fn *products, const struct br_rows *rows, uint32_t dim, const float *queries, size_t n_queries, size_t k)
{
    struct br_hit *many = calloc(n_queries * k + 1, sizeof *many), *one = calloc(k + 1, sizeof *one);
    size_t *n = calloc(n_queries + 1, sizeof *n);
    struct br_err err = {0};
    assert_true(many && one && n);
    t_ok(br_exact_many(rows, dim, queries, n_queries, k, products, many, n, &err), &err);
    for (size_t q = 0; q < n_queries; q++) {
        size_t expected = br_exact_range(rows, dim, queries + q * dim, 0, rows->count, NULL, k, one);
        assert_int_equal(n[q], expected);
        for (size_t i = 0; i < expected; i++) {
            assert_int_equal(many[q * k + i].slot, one[i].slot);
            assert_memory_equal(&many[q * k + i].similarity, &one[i].similarity, sizeof one[i].similarity);
        }
    }
    free(many);
    free(one);
    free(n);
}

/* Rows that are one vector but for noise of `width`, 0: but for nothing. 2: anything. */
static void trial(br_products_fn *products, uint64_t *random, float width)
{
    uint32_t dim = 1 + (uint32_t)(t_random(random) % 400);
    size_t stride = dim + t_random(random) % 3 * 8, n = t_random(random) % 1500, n_queries = t_random(random) % 70, k = t_random(random) % 40;
    float *base = calloc(n * stride + dim, sizeof *base), *queries = calloc(n_queries * dim + 1, sizeof *queries);
    assert_true(base && queries);
    for (size_t i = 0; i <= n_queries; i++) {
        float *x = i < n_queries ? queries + i * dim : base;
        for (uint32_t d = 0; d < dim; d++)
            x[d] = t_normal(random);
        t_unit(x, dim);
    }
    for (size_t i = 1; i < n; i++) {
        float *x = base + i * stride;
        for (uint32_t d = 0; d < dim; d++)
            x[d] = (width < 2 ? base[d] : 0) + width * t_normal(random);
        if (width > 0) /* else they stay equal */
            t_unit(x, dim);
    }
    struct br_rows rows = {base, stride, n};
    compare(products, &rows, dim, queries, n_queries, k);
    free(base);
    free(queries);
}

static void trials(br_products_fn *products)
{
    static const float widths[] = {2, 0, 1e-7f, 1e-6f, 1e-2f};
    uint64_t random = 5;
    for (int i = 0; i < 25; i++)
        trial(products, &random, widths[(size_t)i % BR_COUNT(widths)]);
}

static void test_another_order(void **state)
{
    (void)state;
    trials(backwards);
}

static void test_openblas(void **state)
{
    (void)state;
    if (!br_blas_ready())
        skip();
    trials(br_blas_products);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_another_order), cmocka_unit_test(test_openblas)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
