/* t_index_kernels_agree.c - every kernel that this CPU runs gives the scalar kernel's integers, extreme bytes
 * included, and its inner product up to rounding. */
#include "t_index_data.h"

#define N 5

static uint8_t codes[N][1024] __attribute__((aligned(64)));
static int8_t query[1024] __attribute__((aligned(64)));

static void compare(const struct br_kernels *k, size_t len)
{
    const uint8_t *rows[N];
    int32_t expected[N], got[N];
    for (int i = 0; i < N; i++)
        rows[i] = codes[i];
    br_kernels_scalar.dots(rows, N, query, len, expected);
    k->dots(rows, N, query, len, got);
    assert_memory_equal(expected, got, sizeof(got));
}

static void check_kernel(const char *name)
{
    const struct br_kernels *k = br_kernels_named(name);
    if (!k) {
        print_message("this CPU does not run %s\n", name);
        return;
    }
    uint64_t state = 3;
    for (uint32_t dim = 1; dim <= 1024; dim++) {
        size_t len = br_quant_stride(dim);
        for (int i = 0; i < N; i++)
            for (size_t j = 0; j < len; j++)
                codes[i][j] = j < dim ? (uint8_t)t_random(&state) : 128;
        for (size_t j = 0; j < len; j++)
            query[j] = j < dim ? (int8_t)t_random(&state) : 0;
        compare(k, len);
        float a[1025], b[1025];
        for (uint32_t j = 0; j < dim; j++) {
            a[j + 1] = t_normal(&state);
            b[j] = t_normal(&state);
        }
        float expected = br_kernels_scalar.inner(a + 1, b, dim), got = k->inner(a + 1, b, dim);
        assert_true(fabsf(expected - got) <= 1e-4f);
    }
    memset(codes, 255, sizeof(codes)); /* where 16-bit saturation would show */
    memset(query, 127, sizeof(query));
    compare(k, 1024);
    memset(query, 0x80, sizeof(query));
    compare(k, 1024);
}

static void test_avx2(void **state)
{
    (void)state;
    check_kernel("avx2");
}

static void test_avx512vnni(void **state)
{
    (void)state;
    check_kernel("avx512vnni");
}

static void test_scalar_equals_arithmetic(void **state)
{
    (void)state;
    const uint8_t *rows[N] = {codes[0], codes[0], codes[0], codes[0], codes[0]};
    int32_t got[N];
    memset(codes, 0, sizeof(codes));
    memset(query, 0, sizeof(query));
    codes[0][0] = 255;
    codes[0][63] = 3;
    query[0] = -128;
    query[63] = 7;
    br_kernels_scalar.dots(rows, N, query, 64, got);
    for (int i = 0; i < N; i++)
        assert_int_equal(got[i], 255 * -128 + 21);
    assert_null(br_kernels_named("fast"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalar_equals_arithmetic),
        cmocka_unit_test(test_avx2),
        cmocka_unit_test(test_avx512vnni),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
