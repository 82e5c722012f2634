/* cmocka.h - as much of cmocka as the tests of kernels need, for a CPU that there is no cmocka for at hand (tests/cross/run). */
#ifndef BR_CROSS_CMOCKA_H
#define BR_CROSS_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};
#define cmocka_unit_test(f) {#f, f}
#define cmocka_run_group_tests(tests, setup, teardown) cross_run(tests, sizeof(tests) / sizeof(*(tests)), setup)
#define print_message(...) printf(__VA_ARGS__)
#define fail_msg(...) (fprintf(stderr, __VA_ARGS__), exit(1))
#define cross_assert(ok, what) ((ok) ? (void)0 : (void)(fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, what), exit(1)))
#define assert_true(x) cross_assert(x, #x)
#define assert_false(x) cross_assert(!(x), "not " #x)
#define assert_null(x) cross_assert(!(x), #x " is NULL")
#define assert_non_null(x) cross_assert(x, #x " is not NULL")
#define assert_int_equal(a, b) cross_assert((long long)(a) == (long long)(b), #a " == " #b)
#define assert_ptr_equal(a, b) cross_assert((a) == (b), #a " == " #b)
#define assert_string_equal(a, b) cross_assert(strcmp(a, b) == 0, #a " == " #b)
#define assert_memory_equal(a, b, n) cross_assert(memcmp(a, b, n) == 0, #a " == " #b)

static inline int cross_run(const struct CMUnitTest *tests, size_t n, int (*setup)(void **state))
{
    void *state = NULL;
    if (setup && setup(&state) != 0)
        return 1;
    for (size_t i = 0; i < n; i++) {
        tests[i].run(&state);
        printf("%s: passed\n", tests[i].name);
    }
    return 0;
}

#endif
