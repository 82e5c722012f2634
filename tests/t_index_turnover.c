/* t_index_turnover.c - ten times over, every vector is replaced by another, and erased: what is found stays as near to all as
 * in a graph built of the last ones alone. With renewal when it is worn, as the engine does it, the graph stays as small. */
#include "t_index_data.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define N 1500u
#else
#define N 4000u
#endif
enum { DIM = 64, K = 10, QUERIES = 200, TURNS = 10, STEPS = 10 };

static struct br_rows rows;
static float *queries;

static void add(struct br_index *ix, uint64_t first, uint64_t end)
{
    uint64_t slots[N];
    struct br_err err = {0};
    for (uint64_t i = first; i < end; i++)
        slots[i - first] = i;
    t_ok(br_index_add_many(ix, &rows, slots, end - first, 2, &err), &err);
}

static double recall(struct br_index *ix)
{
    struct br_searcher *s = t_searcher();
    size_t common = 0;
    ix->exact_nodes = ix->exact_matches = 0; /* the graph, not the scan */
    for (size_t i = 0; i < QUERIES; i++) {
        struct br_hit truth[K], hits[K];
        bool exhaustive;
        size_t n = t_search(ix, s, &rows, queries + i * DIM, K, NULL, hits, &exhaustive);
        assert_int_equal(n, K);
        br_exact_range(&rows, DIM, queries + i * DIM, TURNS * N, (TURNS + 1) * N, NULL, K, truth);
        common += t_common(hits, n, truth, K);
    }
    br_searcher_free(s);
    return (double)common / (QUERIES * K);
}

static struct br_index *turned(bool renew)
{
    struct br_index *ix = t_new_index(DIM, 100), *fresh;
    struct br_err err = {0};
    add(ix, 0, N);
    for (uint64_t step = 0; step < TURNS * STEPS; step++) {
        uint64_t first = step * N / STEPS, end = (step + 1) * N / STEPS;
        add(ix, N + first, N + end);
        for (uint64_t slot = first; slot < end; slot++)
            br_index_remove(ix, slot);
        br_index_erase_dead(ix);
        if (renew && br_index_is_worn(ix)) {
            t_ok(br_index_renew(ix, &rows, 2, &fresh, &err), &err);
            assert_int_equal(br_index_slot_end(fresh), br_index_slot_end(ix));
            br_index_close(ix);
            ix = fresh;
        }
    }
    assert_int_equal(br_index_live(ix), N);
    return ix;
}

static void test_turnover(void **state)
{
    (void)state;
    struct br_index *fresh = t_new_index(DIM, 100);
    struct br_index_report r;
    struct br_err err = {0};
    add(fresh, TURNS * N, (TURNS + 1) * N);
    double best = recall(fresh);
    for (int renew = 0; renew < 2; renew++) {
        struct br_index *ix = turned(renew);
        t_ok(br_index_check(ix, &r, &err), &err);
        assert_string_equal(r.first_problem, "");
        double got = recall(ix);
        print_message("recall %.4f %s, %.4f in a fresh graph; %llu nodes\n", got, renew ? "renewed" : "never renewed", best,
                      (unsigned long long)br_index_count(ix));
        assert_true(got >= best - 0.005);
        assert_true(!renew || br_index_count(ix) <= 2 * N + 1024 + N / STEPS);
        br_index_close(ix);
    }
    br_index_close(fresh);
}

int main(void)
{
    float *base = t_clustered((TURNS + 1) * N, DIM, 1);
    queries = t_clustered(QUERIES, DIM, 2);
    rows = (struct br_rows){base, DIM, (TURNS + 1) * N};
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_turnover)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(base);
    free(queries);
    return failed;
}
