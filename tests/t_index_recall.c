/* t_index_recall.c - the graph finds at least 98 % of the exact ten nearest; the scan finds them all, outliers and
 * equal vectors included. Equal vectors, as chat has many, keep nobody out of reach. */
#include "t_index_data.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define N 4000u
#else
#define N 20000u
#endif
#define DIM 96u
#define QUERIES 200u
#define K 10u

static float *base, *queries;
static struct br_index *ix;
static struct br_searcher *s;

static double recall(bool expect_exhaustive)
{
    struct br_rows rows = {base, DIM, N};
    size_t found = 0;
    for (size_t i = 0; i < QUERIES; i++) {
        struct br_hit truth[K], hits[K];
        bool exhaustive;
        size_t n_truth = br_exact_range(&rows, DIM, queries + i * DIM, 0, N, NULL, K, truth);
        size_t n = t_search(ix, s, &rows, queries + i * DIM, K, NULL, hits, &exhaustive);
        assert_int_equal(n, K);
        assert_int_equal(exhaustive, expect_exhaustive);
        if (exhaustive) {
            for (size_t j = 0; j < n; j++) /* the order too */
                assert_int_equal(truth[j].slot, hits[j].slot);
        }
        for (size_t j = 1; j < n; j++)
            assert_true(hits[j - 1].similarity >= hits[j].similarity);
        found += t_common(truth, n_truth, hits, n);
    }
    return (double)found / (QUERIES * K);
}

static void test_graph(void **state)
{
    (void)state;
    ix->exact_nodes = 0;
    double r = recall(false);
    print_message("recall@10 of the graph: %.4f\n", r);
    assert_true(r >= 0.98);
}

static void test_scan(void **state)
{
    (void)state;
    ix->exact_nodes = UINT32_MAX;
    assert_true(recall(true) == 1.0);
}

static void test_valid(void **state)
{
    (void)state;
    struct br_index_report r;
    struct br_err err = {0};
    t_ok(br_index_check(ix, &r, &err), &err);
    assert_string_equal(r.first_problem, "");
    assert_true(r.ok);
    assert_int_equal(r.nodes, N);
    assert_int_equal(r.live, N);
}

/* Few components hold all the length: codes are clipped and bounds are loose. A third are equal vectors. */
static void test_scan_of_hard_vectors(void **state)
{
    (void)state;
    enum { HARD = 600 };
    float *hard = calloc((size_t)HARD * DIM, sizeof(float));
    uint64_t random = 9;
    for (size_t i = 0; i < HARD; i++) {
        for (int j = 0; j < 3; j++)
            hard[i * DIM + (i % 3 ? t_random(&random) % DIM : (size_t)j)] += 1;
        t_unit(hard + i * DIM, DIM);
    }
    struct br_rows rows = {hard, DIM, HARD};
    struct br_index *sparse = t_new_index(DIM, 60);
    t_add_range(sparse, &rows, 0, HARD);
    for (size_t i = 0; i < 60; i++) {
        struct br_hit truth[K], hits[K];
        bool exhaustive;
        br_exact_range(&rows, DIM, hard + i * DIM, 0, HARD, NULL, K, truth);
        assert_int_equal(t_search(sparse, s, &rows, hard + i * DIM, K, NULL, hits, &exhaustive), K);
        for (size_t j = 0; j < K; j++)
            assert_int_equal(hits[j].slot, truth[j].slot);
    }
    struct br_index_report r;
    struct br_err err = {0};
    t_ok(br_index_check(sparse, &r, &err), &err);
    assert_string_equal(r.first_problem, "");
    br_index_close(sparse);
    free(hard);
}

/* "ok", said by everybody all the time, must not take all the links there are around it. */
static void test_equal_vectors(void **state)
{
    (void)state;
    enum { n = 3000, copies = 400, texts = 3 };
    float *v = t_clustered(n, DIM, 7);
    for (size_t i = 0; i < n; i++)
        if (i % (n / (copies * texts)) == 0)
            memcpy(v + i * DIM, v + (1 + i % texts) * DIM, DIM * sizeof *v);
    struct br_rows rows = {v, DIM, n};
    struct br_index *many = t_new_index(DIM, 100);
    struct br_index_report r;
    struct br_err err = {0};
    t_add_range(many, &rows, 0, n);
    t_ok(br_index_check(many, &r, &err), &err);
    assert_true(r.ok);
    assert_int_equal(r.reachable, n);
    many->exact_nodes = 0;
    size_t found = 0, whole = 0;
    for (size_t i = 1; i < n; i += 10) { /* each finds those like it */
        struct br_hit truth[K], hits[K];
        bool exhaustive;
        size_t n_truth = br_exact_range(&rows, DIM, v + i * DIM, 0, n, NULL, K, truth);
        size_t n_hits = t_search(many, s, &rows, v + i * DIM, K, NULL, hits, &exhaustive);
        for (size_t j = 0; j < n_hits; j++) /* equal ones are as good as each other */
            found += hits[j].similarity >= truth[n_truth - 1].similarity;
        whole += n_truth;
    }
    assert_true((double)found >= 0.98 * (double)whole);
    br_index_close(many);
    free(v);
}

static void test_bad_input(void **state)
{
    (void)state;
    struct br_index *small = t_new_index(2, 10);
    struct br_err err = {0};
    const float good[2] = {1, 0}, bad[2] = {NAN, 0};
    struct br_rows rows = {good, 2, 1};
    struct br_hit hit;
    bool exhaustive;
    assert_int_equal(t_search(small, s, &rows, good, 1, NULL, &hit, &exhaustive), 0);
    assert_true(exhaustive);
    assert_int_equal(br_index_add(small, 0, bad, &err), BR_E_DATA);
    assert_int_equal(br_index_count(small), 0);
    assert_int_equal(br_index_slot_end(small), 0);
    t_add_range(small, &rows, 0, 1);
    assert_int_equal(br_index_add(small, 0, good, &err), BR_E_USAGE);
    assert_true(br_index_has(small, 0));
    assert_false(br_index_has(small, 1));
    assert_int_equal(t_search(small, s, &rows, good, 1, NULL, &hit, &exhaustive), 1);
    rows.count = 0; /* the caller is behind */
    assert_int_equal(t_search(small, s, &rows, good, 1, NULL, &hit, &exhaustive), 0);
    br_index_close(small);
}

int main(void)
{
    base = t_clustered(N, DIM, 1);
    queries = t_clustered(QUERIES * 100, DIM, 2);
    struct br_rows rows = {base, DIM, N};
    ix = t_new_index(DIM, 200);
    s = t_searcher();
    t_add_range(ix, &rows, 0, N);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_scan_of_hard_vectors),
        cmocka_unit_test(test_equal_vectors),
        cmocka_unit_test(test_bad_input),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    br_index_close(ix);
    br_searcher_free(s);
    free(base);
    free(queries);
    return failed;
}
