/* t_index_erase.c - erased codes are gone, and a graph full of them finds as well as one whose dead nodes kept theirs. */
#include "t_index_data.h"

enum { DIM = 64, N = 6000, FIRST = 3000, K = 10, QUERIES = 150 };

/* Half of the vectors; every third of them removed, and erased if asked for; then the other half. */
static struct br_index *built(const struct br_rows *rows, bool erase)
{
    struct br_index *ix = t_new_index(DIM, 100);
    t_add_range(ix, rows, 0, FIRST);
    for (uint64_t slot = 0; slot < FIRST; slot += 3)
        br_index_remove(ix, slot);
    if (erase)
        br_index_erase_dead(ix);
    t_add_range(ix, rows, FIRST, N);
    ix->exact_nodes = ix->exact_matches = 0; /* the graph, not the scan */
    return ix;
}

static double recall(const struct br_index *ix, const struct br_rows *rows, const float *queries)
{
    struct br_searcher *s = t_searcher();
    struct br_bitmap live;
    struct br_err err = {0};
    size_t common = 0;
    t_ok(br_bitmap_init(&live, N, &err), &err);
    for (uint64_t slot = 0; slot < N; slot++)
        if (slot >= FIRST || slot % 3)
            br_bitmap_set(&live, slot);
    for (size_t i = 0; i < QUERIES; i++) {
        struct br_hit truth[K], hits[K];
        bool exhaustive;
        size_t n = t_search(ix, s, rows, queries + i * DIM, K, NULL, hits, &exhaustive);
        assert_int_equal(n, K);
        for (size_t j = 0; j < n; j++)
            assert_true(br_bitmap_test(&live, hits[j].slot));
        br_exact_range(rows, DIM, queries + i * DIM, 0, N, &live, K, truth);
        common += t_common(hits, n, truth, K);
    }
    br_bitmap_free(&live);
    br_searcher_free(s);
    return (double)common / (QUERIES * K);
}

static void valid(const struct br_index *ix)
{
    struct br_index_report r;
    struct br_err err = {0};
    t_ok(br_index_check(ix, &r, &err), &err);
    assert_string_equal(r.first_problem, "");
    assert_int_equal(r.live, N - FIRST / 3);
}

static void erased_nodes_do_not_lead_astray(void **state)
{
    (void)state;
    float *base = t_clustered(N, DIM, 1), *queries = t_clustered(QUERIES, DIM, 2);
    struct br_rows rows = {base, DIM, N};
    struct br_index *dead = built(&rows, false), *erased = built(&rows, true);
    valid(dead);
    valid(erased);
    double r_dead = recall(dead, &rows, queries), r_erased = recall(erased, &rows, queries);
    size_t links = 0, to_erased = 0;
    for (uint32_t node = FIRST; node < N; node++) {
        uint32_t cap;
        const uint32_t *l = br_node_links(erased, node, 0, &cap);
        for (uint32_t i = 0; i < cap && l[i] != BR_NO_LINK; i++) {
            links++;
            to_erased += br_node_erased(br_meta(erased, l[i]));
        }
    }
    printf("recall %.3f, without erasing %.3f; %.2f %% of new links lead to erased nodes\n", r_erased, r_dead,
           100.0 * (double)to_erased / (double)links);
    assert_true(r_erased >= 0.95 && r_erased >= r_dead - 0.02);
    assert_true(to_erased * 50 < links);
    for (uint32_t node = 0; node < FIRST; node += 3) {
        const uint8_t *code = br_code(erased, node);
        for (size_t i = 0; i < erased->stride; i++)
            assert_int_equal(code[i], 128);
    }
    br_index_close(dead);
    br_index_close(erased);
    free(base);
    free(queries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(erased_nodes_do_not_lead_astray)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
