/* t_index_kernels_agree.c - every kernel that this CPU runs gives the scalar kernel's integers at every dimension, at odd
 * addresses and with extreme bytes too, its inner product up to rounding, and the same walk: the same beam, the same
 * descent. The two planes of a code hold all of it. */
#include "t_index_data.h"

#define N 5
#define DIM_END 2048
#define STRIDE_END (DIM_END / 2)

static uint8_t planes[N][STRIDE_END + 3] __attribute__((aligned(64)));
static int8_t query[2 * STRIDE_END] __attribute__((aligned(64)));

static void compare(const struct br_kernels *k, size_t stride, size_t shift)
{
    const uint8_t *rows[N];
    int32_t expected[N], got[N];
    for (int i = 0; i < N; i++)
        rows[i] = planes[i] + shift;
    br_kernels_scalar.dots(rows, N, query, stride, expected);
    k->dots(rows, N, query, stride, got);
    assert_memory_equal(expected, got, sizeof(got));
}

static void compare_inner(const struct br_kernels *k, uint32_t dim, uint64_t *state)
{
    static float a[DIM_END + 1], b[DIM_END];
    double exact = 0;
    for (uint32_t j = 0; j < dim; j++) {
        a[j + 1] = t_normal(state);
        b[j] = t_normal(state);
        exact += (double)a[j + 1] * (double)b[j];
    }
    assert_true(fabs(exact - (double)k->inner(a + 1, b, dim)) <= 1e-4 * sqrt(dim));
}

static void check_kernel(const char *name)
{
    const struct br_kernels *k = br_kernels_named(name);
    if (!k) {
        print_message("this CPU does not run %s\n", name);
        return;
    }
    uint64_t state = 3;
    for (uint32_t dim = 1; dim <= DIM_END; dim++) {
        size_t stride = br_quant_stride(dim);
        for (int i = 0; i < N; i++)
            for (size_t j = 0; j < stride; j++)
                planes[i][j] = (uint8_t)t_random(&state);
        for (size_t j = 0; j < 2 * stride; j++)
            query[j] = j < dim ? (int8_t)t_random(&state) : 0;
        compare(k, stride, dim % 3);
        compare_inner(k, dim, &state);
    }
    memset(planes, 255, sizeof(planes)); /* where 16-bit saturation would show */
    memset(query, 127, sizeof(query));
    compare(k, STRIDE_END, 0);
    memset(query, 0x80, sizeof(query));
    compare(k, STRIDE_END, 0);
}

/* Graphs whose rows have every length that has code of its own, and one that has not. */
static void check_walk(const char *name)
{
    static const uint32_t dims[] = {30, 128, 250, 384, 500, 768, 1024, 1100};
    const struct br_kernels *k = br_kernels_named(name);
    for (size_t i = 0; k && i < BR_COUNT(dims); i++) {
        uint32_t dim = dims[i];
        float *base = t_clustered(400, dim, 1);
        struct br_rows rows = {base, dim, 400};
        struct br_index *ix = t_new_index(dim, 40);
        struct br_searcher *s[2] = {t_searcher(), t_searcher()};
        t_add_range(ix, &rows, 0, 400);
        for (size_t q = 0; q < 20; q++) {
            struct br_starts starts[2];
            for (int j = 0; j < 2; j++) {
                const struct br_kernels *kernels = j ? k : &br_kernels_scalar;
                assert_true(br_searcher_fit(s[j], 400, BR_BEAM_ABOVE_MAX, 0, 2 * ix->stride));
                assert_true(br_quant_encode_query(base + q * 17 * dim, dim, s[j]->query));
                kernels->descend(ix, s[j], 0, 8 * (q + 1), &starts[j]);
                kernels->walk(ix, s[j], &starts[j], 0, 50, NULL);
            }
            assert_true(starts[0].n > 0 && starts[0].n <= q + 1 && starts[0].n == starts[1].n);
            assert_memory_equal(starts[0].node, starts[1].node, starts[0].n * sizeof *starts[0].node);
            assert_int_equal(s[0]->pool_n, 50);
            assert_memory_equal(s[0]->pool, s[1]->pool, 50 * sizeof(*s[0]->pool));
        }
        br_searcher_free(s[0]);
        br_searcher_free(s[1]);
        br_index_close(ix);
        free(base);
    }
}

static void test_avx2(void **state)
{
    (void)state;
    check_kernel("avx2");
    check_walk("avx2");
}

static void test_avx512vnni(void **state)
{
    (void)state;
    check_kernel("avx512vnni");
    check_walk("avx512vnni");
}

static void test_neon(void **state)
{
    (void)state;
    check_kernel("neon");
    check_walk("neon");
}

static void test_neondot(void **state)
{
    (void)state;
    check_kernel("neondot");
    check_walk("neondot");
}

static void check_counts(const char *name)
{
    const struct br_kernels *k = br_kernels_named(name);
    static uint64_t a[70], b[70];
    uint64_t random = 8;
    for (size_t n = 0; k && n <= BR_COUNT(a); n++) {
        uint64_t expected = 0;
        for (size_t i = 0; i < n; i++) {
            a[i] = t_random(&random);
            b[i] = i % 3 ? t_random(&random) : ~UINT64_C(0);
            for (uint64_t left = a[i] & b[i]; left; left &= left - 1)
                expected++;
        }
        assert_int_equal(k->count_both(a, b, n), expected);
    }
}

static void test_counts(void **state)
{
    (void)state;
    static const char *const names[] = {"scalar", "avx2", "avx512vnni", "neon", "neondot"};
    for (size_t i = 0; i < BR_COUNT(names); i++)
        check_counts(names[i]);
}

static void test_scalar_equals_arithmetic(void **state)
{
    (void)state;
    const uint8_t *rows[1] = {planes[0]};
    int32_t got;
    memset(planes, 0, sizeof(planes));
    memset(query, 0, sizeof(query));
    planes[0][0] = 0xf3;
    planes[0][63] = 0x92;
    query[0] = -128;  /* by 3 */
    query[64] = 5;    /* by 15 */
    query[63] = 7;    /* by 2 */
    query[127] = -11; /* by 9 */
    br_kernels_scalar.dots(rows, 1, query, 64, &got);
    assert_int_equal(got, -128 * 3 + 5 * 15 + 7 * 2 - 11 * 9);
    assert_null(br_kernels_named("fast"));
}

/* What encoding writes to two planes is the component times the scale, rounded; and 16 times the one and the other make the product. */
static void test_planes_hold_the_code(void **state)
{
    (void)state;
    uint64_t random = 4;
    for (uint32_t dim = 1; dim <= 700; dim += 1 + dim / 40) {
        static float x[700];
        static uint8_t high[384], low[384];
        static int8_t t[768];
        struct br_quant_sums sums;
        const uint8_t *rows[2] = {high, low};
        int32_t dots[2], expected = 0, sum = 0;
        for (uint32_t i = 0; i < dim; i++)
            x[i] = t_normal(&random);
        t_unit(x, dim);
        size_t stride = br_quant_stride(dim);
        float scale = br_quant_scale(dim);
        assert_true(br_quant_encode(x, dim, scale, high, low, &sums));
        br_quant_to_signed(high, low, stride, t);
        for (uint32_t i = 0; i < 2 * stride; i++) {
            float v = i < dim ? x[i] * scale : 0;
            assert_true(fabsf(fmaxf(fminf(v, 127), -127) - t[i]) <= 0.501f);
            query[i] = i < dim ? (int8_t)t_random(&random) : 0;
            expected += (t[i] + 128) * query[i];
            sum += t[i];
        }
        br_kernels_scalar.dots(rows, 2, query, stride, dots);
        assert_int_equal(16 * dots[0] + dots[1], expected);
        assert_int_equal(sums.sum, sum);
        x[dim / 2] = INFINITY;
        assert_false(br_quant_encode(x, dim, scale, high, low, &sums));
        assert_false(br_quant_encode_query(x, dim, query));
        x[dim / 2] = NAN;
        assert_false(br_quant_encode(x, dim, scale, high, low, &sums));
        assert_false(br_quant_encode_query(x, dim, query));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalar_equals_arithmetic),
        cmocka_unit_test(test_planes_hold_the_code),
        cmocka_unit_test(test_avx2),
        cmocka_unit_test(test_avx512vnni),
        cmocka_unit_test(test_neon),
        cmocka_unit_test(test_neondot),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
