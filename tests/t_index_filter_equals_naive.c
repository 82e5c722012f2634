/* t_index_filter_equals_naive.c - a filtered search gives what filtering every row by hand gives: exactly where it
 * says it is exhaustive, nearly where it is not, and always k hits where k slots match. Slots have gaps, and removed
 * slots are never returned. */
#include "t_index_data.h"

#define N 3000u
#define GAP 3u /* every third slot is in the graph, as page-aligned batches leave gaps */
#define DIM 48u
#define QUERIES 40u
#define K 10u

static float *rows_base, *queries;
static struct br_index *ix;
static struct br_searcher *s;
static struct br_rows rows;
static bool removed[N * GAP];

static size_t naive(const float *query, const struct br_bitmap *allow, size_t k, struct br_hit *out)
{
    struct br_bitmap matching;
    struct br_err err = {0};
    t_ok(br_bitmap_init(&matching, rows.count, &err), &err);
    for (uint64_t slot = 0; slot < rows.count; slot += GAP)
        if (!removed[slot] && (!allow || br_bitmap_test(allow, slot)))
            br_bitmap_set(&matching, slot);
    size_t n = br_exact_range(&rows, DIM, query, 0, rows.count, &matching, k, out);
    br_bitmap_free(&matching);
    return n;
}

static double compare(const struct br_bitmap *allow)
{
    size_t found = 0, expected = 0;
    for (size_t i = 0; i < QUERIES; i++) {
        struct br_hit truth[K], hits[K];
        bool exhaustive;
        size_t n_truth = naive(queries + i * DIM, allow, K, truth);
        size_t n = t_search(ix, s, &rows, queries + i * DIM, K, allow, hits, &exhaustive);
        assert_int_equal(n, n_truth);
        for (size_t j = 0; j < n; j++) {
            assert_false(removed[hits[j].slot]);
            assert_true(!allow || br_bitmap_test(allow, hits[j].slot));
            if (exhaustive)
                assert_int_equal(hits[j].slot, truth[j].slot);
        }
        found += t_common(truth, n_truth, hits, n);
        expected += n_truth;
    }
    return expected ? (double)found / (double)expected : 1;
}

static void sweep(void)
{
    static const double selectivities[] = {0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 1};
    struct br_err err = {0};
    uint64_t random = 4;
    for (size_t i = 0; i < BR_COUNT(selectivities); i++) {
        struct br_bitmap allow, run;
        t_ok(br_bitmap_init(&allow, rows.count + 70, &err), &err);
        for (uint64_t slot = 0; slot < allow.n_bits; slot++)
            if ((double)(t_random(&random) >> 11) / 9007199254740992.0 < selectivities[i])
                br_bitmap_set(&allow, slot);
        double recall = compare(&allow);
        assert_true(recall >= 0.97);
        br_bitmap_free(&allow);
        t_ok(br_bitmap_init(&run, (uint64_t)((double)rows.count * selectivities[i]), &err), &err);
        for (uint64_t slot = 0; slot < run.n_bits; slot++)
            br_bitmap_set(&run, slot);
        recall = compare(&run);
        assert_true(recall >= 0.97);
        br_bitmap_free(&run);
    }
    assert_true(compare(NULL) >= 0.97);
}

static void test_scan(void **state)
{
    (void)state;
    ix->exact_nodes = BR_EXACT_NODES;
    sweep();
}

static void test_graph(void **state)
{
    (void)state;
    ix->exact_nodes = ix->exact_matches = 0;
    sweep();
}

/* A filter that leaves out all of the query's own neighbourhood: what the walk met by chance further out is no answer. */
static void test_neighbourhood_left_out(void **state)
{
    (void)state;
    struct br_err err = {0};
    size_t found = 0, expected = 0;
    ix->exact_nodes = ix->exact_matches = 0;
    for (size_t i = 0; i < QUERIES; i++) {
        static struct br_hit all[N];
        struct br_hit truth[K], hits[K];
        struct br_bitmap allow;
        bool exhaustive;
        const float *query = queries + i * DIM;
        size_t n = naive(query, NULL, N, all);
        t_ok(br_bitmap_init(&allow, rows.count, &err), &err);
        for (size_t j = n / 2; j < n; j++)
            br_bitmap_set(&allow, all[j].slot);
        size_t n_truth = naive(query, &allow, K, truth);
        size_t n_hits = t_search(ix, s, &rows, query, K, &allow, hits, &exhaustive);
        assert_int_equal(n_hits, n_truth);
        found += t_common(truth, n_truth, hits, n_hits);
        expected += n_truth;
        br_bitmap_free(&allow);
    }
    assert_true((double)found >= 0.97 * (double)expected);
}

static void test_removed(void **state)
{
    (void)state;
    uint64_t random = 6;
    size_t live = N;
    for (uint64_t slot = 0; slot < rows.count; slot++) {
        if (t_random(&random) % 3 == 0)
            continue;
        live -= slot % GAP == 0 && !removed[slot];
        removed[slot] = true;
        br_index_remove(ix, slot); /* most slots are unknown: ignored */
        br_index_remove(ix, slot);
    }
    assert_int_equal(br_index_live(ix), live);
    assert_int_equal(br_index_count(ix), N);
    ix->exact_nodes = BR_EXACT_NODES;
    sweep();
    ix->exact_nodes = ix->exact_matches = 0;
    sweep();
    struct br_index_report r;
    struct br_err err = {0};
    t_ok(br_index_check(ix, &r, &err), &err);
    assert_true(r.ok);
    assert_int_equal(r.live, live);
}

static void test_caller_behind(void **state)
{
    (void)state;
    struct br_hit hits[K];
    bool exhaustive;
    rows.count /= 2; /* AddressSanitizer cannot see it: the slots tell */
    for (int graph = 0; graph < 2; graph++) {
        ix->exact_nodes = graph ? 0 : BR_EXACT_NODES;
        for (size_t i = 0; i < QUERIES; i++) {
            assert_int_equal(t_search(ix, s, &rows, queries + i * DIM, K, NULL, hits, &exhaustive), K);
            for (size_t j = 0; j < K; j++)
                assert_true(hits[j].slot < rows.count);
        }
    }
    rows.count *= 2;
}

static void test_bitmap(void **state)
{
    (void)state;
    struct br_bitmap b;
    struct br_err err = {0};
    t_ok(br_bitmap_init(&b, 70, &err), &err);
    br_bitmap_set(&b, 0);
    br_bitmap_set(&b, 69);
    br_bitmap_set(&b, 70); /* past the end: ignored */
    assert_int_equal(br_bitmap_count(&b), 2);
    assert_true(br_bitmap_test(&b, 69));
    assert_false(br_bitmap_test(&b, 70));
    br_bitmap_clear(&b, 69);
    assert_int_equal(br_bitmap_count(&b), 1);
    br_bitmap_free(&b);
    const struct br_hit x[] = {{1, .9f}, {2, .5f}}, y[] = {{2, .5f}, {3, .4f}, {4, .3f}};
    struct br_hit out[3];
    assert_int_equal(br_hits_merge(x, 2, y, 3, 3, out), 3);
    assert_int_equal(out[0].slot, 1);
    assert_int_equal(out[1].slot, 2);
    assert_int_equal(out[2].slot, 3);
}

int main(void)
{
    rows_base = t_clustered(N * GAP, DIM, 1);
    queries = t_clustered(QUERIES, DIM, 3);
    rows = (struct br_rows){rows_base, DIM, N * GAP};
    ix = t_new_index(DIM, 100);
    s = t_searcher();
    for (uint64_t slot = 0; slot < rows.count; slot += GAP)
        t_add_range(ix, &rows, slot, slot + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bitmap),  cmocka_unit_test(test_scan),          cmocka_unit_test(test_graph), cmocka_unit_test(test_neighbourhood_left_out),
        cmocka_unit_test(test_removed), cmocka_unit_test(test_caller_behind),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    br_index_close(ix);
    br_searcher_free(s);
    free(rows_base);
    free(queries);
    return failed;
}
