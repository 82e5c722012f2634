/* t_index_erase.c - erased codes are gone, and a graph full of them finds as well as one whose dead nodes kept theirs. */
#include "t_index_data.h"

enum { DIM = 64, N = 6000, K = 10, QUERIES = 150 };

/* The first vectors; some of them (all, or every third) removed, and erased if asked for; then the rest. */
static struct br_index *built(const struct br_rows *rows, bool erase, uint64_t first, uint64_t every)
{
    struct br_index *ix = t_new_index(DIM, 100);
    t_add_range(ix, rows, 0, first);
    for (uint64_t slot = 0; slot < first; slot += every)
        br_index_remove(ix, slot);
    if (erase)
        br_index_erase_dead(ix);
    t_add_range(ix, rows, first, N);
    ix->exact_nodes = ix->exact_matches = 0; /* the graph, not the scan */
    return ix;
}

static double recall(const struct br_index *ix, const struct br_rows *rows, const float *queries, uint64_t first,
                     uint64_t every)
{
    struct br_searcher *s = t_searcher();
    struct br_bitmap live;
    struct br_err err = {0};
    size_t common = 0;
    t_ok(br_bitmap_init(&live, N, &err), &err);
    for (uint64_t slot = 0; slot < N; slot++)
        if (slot >= first || slot % every)
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

static void valid(const struct br_index *ix, uint64_t first, uint64_t every)
{
    struct br_index_report r;
    struct br_err err = {0};
    t_ok(br_index_check(ix, &r, &err), &err);
    assert_string_equal(r.first_problem, "");
    assert_int_equal(r.live, N - first / every);
}

static void erased_among(uint64_t first, uint64_t every)
{
    float *base = t_clustered(N, DIM, 1), *queries = t_clustered(QUERIES, DIM, 2);
    struct br_rows rows = {base, DIM, N};
    struct br_index *dead = built(&rows, false, first, every), *erased = built(&rows, true, first, every);
    valid(dead, first, every);
    valid(erased, first, every);
    double r_dead = recall(dead, &rows, queries, first, every), r_erased = recall(erased, &rows, queries, first, every);
    size_t links = 0, to_erased = 0;
    for (uint32_t node = (uint32_t)first; node < N; node++) {
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
    assert_true(to_erased * 200 < links);
    for (uint32_t node = 0; node < first; node += (uint32_t)every) {
        int8_t code[2 * DIM];
        br_quant_to_signed(br_high(erased, node), br_low(erased, node), erased->stride, code);
        for (size_t i = 0; i < 2 * erased->stride; i++)
            assert_int_equal(code[i], 0);
    }
    br_index_close(dead);
    br_index_close(erased);
    free(base);
    free(queries);
}

static void erased_nodes_do_not_lead_astray(void **state)
{
    (void)state;
    erased_among(3000, 3);
    erased_among(90, 3); /* fewer than a new node looks at: it sees them all */
    erased_among(60, 1); /* nothing else to begin with */
    erased_among(1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(erased_nodes_do_not_lead_astray)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
