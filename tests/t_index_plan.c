/* t_index_plan.c - a filtered search of a graph is answered as the planner's costs say, on each side of each of its borders, whatever the size of
 * the list that is asked for; and a set of slots becomes the set of nodes that asking each node for its slot gives. */
#include "t_index_data.h"

#define N 24000u
#define DIM 8u

static float *base;
static struct br_rows rows;
static struct br_index *ix;
static struct br_searcher *s;

/* What is planned for every matches-th of the slots, evenly spread, as a random filter has them. */
static struct br_search_plan plan_of(size_t k, size_t ef, uint64_t matches)
{
    static struct br_hit hits[4096];
    struct br_search_plan plan;
    struct br_bitmap allow;
    struct br_err err = {0};
    size_t n = 0;
    bool exhaustive;
    t_ok(br_bitmap_init(&allow, N, &err), &err);
    for (uint64_t i = 0; i < matches; i++)
        br_bitmap_set(&allow, i * N / matches);
    struct br_search_params p = {.k = k, .ef = ef, .allow = &allow, .plan = &plan};
    t_ok(br_index_search(ix, s, &rows, base + 5 * DIM, &p, hits, &n, &exhaustive, &err), &err);
    assert_int_equal(n, BR_MIN(k, matches));
    for (size_t i = 0; i < n; i++)
        assert_true(br_bitmap_test(&allow, hits[i].slot));
    assert_int_equal(plan.matches, matches);
    assert_int_equal(plan.nodes, N);
    br_bitmap_free(&allow);
    return plan;
}

static void expect_scan(struct br_search_plan plan, enum br_scan_why why)
{
    assert_int_equal(plan.path, BR_PATH_SCAN);
    assert_int_equal(plan.why, why);
}

static void expect_walk(struct br_search_plan plan, enum br_search_path path, size_t ef)
{
    assert_int_equal(plan.path, path);
    assert_int_equal(plan.ef, ef);
}

static void test_no_filter(void **state)
{
    (void)state;
    struct br_search_plan plan;
    struct br_search_params p = {.k = 10, .plan = &plan};
    struct br_hit hits[10];
    struct br_err err = {0};
    size_t n;
    bool exhaustive;
    t_ok(br_index_search(ix, s, &rows, base, &p, hits, &n, &exhaustive, &err), &err);
    assert_int_equal(plan.path, BR_PATH_WALK);
    assert_int_equal(plan.ef, BR_HNSW_EF_SEARCH_DEFAULT);
}

static void test_few_pass(void **state)
{
    (void)state;
    expect_scan(plan_of(10, 0, 1), BR_SCAN_FEW_MATCHES);
    expect_scan(plan_of(10, 0, 2), BR_SCAN_FEW_MATCHES);
    expect_scan(plan_of(10, 10, 5000), BR_SCAN_FEW_MATCHES);
    expect_scan(plan_of(4000, 4000, 4000), BR_SCAN_FEW_MATCHES);
}

/* A beam of 10 is worth a scan of 1,250, one of 60 one of 7,500: fewer than a third pass. */
static void test_some_pass(void **state)
{
    (void)state;
    expect_walk(plan_of(10, 10, 5001), BR_PATH_WALK_WITHIN, 10);
    expect_walk(plan_of(10, 10, 7999), BR_PATH_WALK_WITHIN, 10);
    expect_scan(plan_of(10, 60, 7500), BR_SCAN_CHEAPER);
    expect_walk(plan_of(10, 60, 7501), BR_PATH_WALK_WITHIN, 60);
    expect_scan(plan_of(10, 0, 7999), BR_SCAN_CHEAPER);
}

/* A third or more. What the beam holds of them is to be enough for the list, as long as a list of the service is. */
static void test_many_pass(void **state)
{
    (void)state;
    expect_walk(plan_of(10, 0, 8000), BR_PATH_FILTERED_WALK, 160 * 3 * 3 / 5);
    expect_walk(plan_of(10, 0, 16000), BR_PATH_FILTERED_WALK, 160);
    expect_walk(plan_of(10, 0, N), BR_PATH_FILTERED_WALK, 160);
    expect_walk(plan_of(300, 340, 16000), BR_PATH_FILTERED_WALK, 300 * 3 / 2 * 5 / 4);
    expect_walk(plan_of(300, 340, 8000), BR_PATH_FILTERED_WALK, 300 * 3 * 5 / 4);
    expect_walk(plan_of(1000, 1125, 12000), BR_PATH_FILTERED_WALK, 1000 * 2 * 5 / 4);
    expect_scan(plan_of(3000, 3000, 16000), BR_SCAN_NARROW_BEAM); /* more than the widest beam holds */
}

/* All pass but the nearest `without`. Returns how many of the ten nearest of the others were found, and how. */
static size_t found_without_nearest(const float *query, size_t without, enum br_search_path *path)
{
    static struct br_hit nearest[N];
    struct br_hit exact[10], hits[10];
    struct br_search_plan plan;
    struct br_bitmap allow;
    struct br_err err = {0};
    size_t n, found = 0;
    bool exhaustive;
    br_exact_range(&rows, DIM, query, 0, N, NULL, without, nearest);
    t_ok(br_bitmap_init(&allow, N, &err), &err);
    br_bitmap_fill(&allow);
    for (size_t i = 0; i < without; i++)
        br_bitmap_clear(&allow, nearest[i].slot);
    br_exact_range(&rows, DIM, query, 0, N, &allow, 10, exact);
    struct br_search_params p = {.k = 10, .ef = 20, .allow = &allow, .plan = &plan};
    t_ok(br_index_search(ix, s, &rows, query, &p, hits, &n, &exhaustive, &err), &err);
    assert_int_equal(n, 10);
    *path = plan.path;
    for (size_t i = 0; i < n; i++)
        found += hits[i].similarity >= exact[9].similarity - 1e-6f;
    br_bitmap_free(&allow);
    return found;
}

/* In the narrowest beams lie more than there is room for where vectors are the same: they widen all the same. */
static void test_narrowest_beams_widen(void **state)
{
    (void)state;
    enum { TWICE = 2000 };
    struct br_index *graph = t_new_index(DIM, 1);
    struct br_bitmap allow;
    struct br_err err = {0};
    float *v = malloc(sizeof(float) * TWICE * DIM);
    assert_non_null(v);
    for (size_t i = 0; i < TWICE * DIM; i++)
        v[i] = base[i / (2 * DIM) * DIM + i % DIM];
    struct br_rows pairs = {v, DIM, TWICE};
    t_add_range(graph, &pairs, 0, TWICE);
    graph->exact_nodes = 0;
    graph->exact_matches = 1;
    t_ok(br_bitmap_init(&allow, TWICE, &err), &err);
    br_bitmap_fill(&allow);
    for (size_t k = 1; k <= 3; k++)
        for (size_t q = 0; q < TWICE; q++) {
            struct br_search_params p = {.k = k, .ef = k, .allow = &allow};
            struct br_hit hits[3];
            size_t n;
            bool exhaustive;
            t_ok(br_index_search(graph, s, &pairs, v + q * DIM, &p, hits, &n, &exhaustive, &err), &err);
            assert_int_equal(n, k);
        }
    br_bitmap_free(&allow);
    br_index_close(graph);
    free(v);
}

/* A beam of 20 holds none of what passes: a wider one is tried, up to what a scan costs, and then there is the scan. Neither is taken for the other. */
static void test_nearest_do_not_pass(void **state)
{
    (void)state;
    size_t found = 0, walked = 0;
    enum br_search_path path;
    for (size_t q = 0; q < 20; q++) {
        found += found_without_nearest(base + q * 1111 * DIM, 21, &path);
        walked += path == BR_PATH_FILTERED_WALK;
        assert_true(path == BR_PATH_FILTERED_WALK || path == BR_PATH_SCAN_AFTER_WALK);
        assert_int_equal(found_without_nearest(base + q * 1111 * DIM, 2000, &path), 10);
        assert_int_equal(path, BR_PATH_SCAN_AFTER_WALK);
    }
    assert_true(walked >= 5);
    assert_true(found >= 190);
}

static void test_small_graph(void **state)
{
    (void)state;
    ix->exact_nodes = N;
    expect_scan(plan_of(10, 0, N), BR_SCAN_SMALL_INDEX);
    ix->exact_nodes = N - 1;
    expect_walk(plan_of(10, 0, N), BR_PATH_FILTERED_WALK, 160);
    ix->exact_nodes = BR_EXACT_NODES;
}

/* A scan without a proof goes by what is likely. A query in the direction of what a code lost of its vector makes that vector an unlikely answer:
 * but it was seen to be the nearest before. */
static void test_unlikely_answer(void **state)
{
    (void)state;
    enum { MANY = 2500, WIDE = 384 };
    float *v = malloc(sizeof(float) * MANY * WIDE), query[WIDE], lost[WIDE];
    uint64_t random = 11;
    assert_non_null(v);
    for (size_t i = 0; i < MANY * WIDE; i++)
        v[i] = t_normal(&random);
    for (size_t i = 0; i < MANY; i++)
        t_unit(v + i * WIDE, WIDE);
    struct br_rows wide = {v, WIDE, MANY};
    struct br_index *graph = t_new_index(WIDE, 1);
    t_add_range(graph, &wide, 0, MANY);
    graph->exact_nodes = 0;
    graph->exact_matches = UINT32_MAX;
    struct br_bitmap allow;
    struct br_err err = {0};
    t_ok(br_bitmap_init(&allow, MANY, &err), &err);
    br_bitmap_fill(&allow);
    for (uint32_t x = 0; x < MANY; x += 50) {
        int8_t code[2 * WIDE];
        struct br_hit hit;
        bool exhaustive;
        br_quant_to_signed(br_high(graph, x), br_low(graph, x), graph->stride, code);
        for (size_t i = 0; i < WIDE; i++)
            lost[i] = v[x * WIDE + i] - (float)code[i] / graph->scale;
        t_unit(lost, WIDE);
        for (size_t i = 0; i < WIDE; i++)
            query[i] = v[x * WIDE + i] + lost[i];
        t_unit(query, WIDE);
        assert_int_equal(t_search(graph, s, &wide, query, 1, &allow, &hit, &exhaustive), 1);
        assert_int_equal(hit.slot, x);
        assert_false(exhaustive);
    }
    br_bitmap_free(&allow);
    br_index_close(graph);
    free(v);
}

/* ---- sets of slots and of nodes ---- */

static void compare_sets(const struct br_index *graph, struct br_node_set *set, uint64_t *random)
{
    struct br_bitmap allow;
    struct br_err err = {0};
    uint32_t end = (uint32_t)(t_random(random) % (graph->count + 1));
    uint64_t bits = t_random(random) % (graph->slot_end + 200), share = t_random(random) % 4;
    t_ok(br_bitmap_init(&allow, bits, &err), &err);
    for (uint64_t i = 0; i < bits; i++)
        if (t_random(random) % 4 >= share)
            br_bitmap_set(&allow, i);
    if (bits % 64)
        allow.words[bits / 64] |= ~UINT64_C(0) << bits % 64; /* they count as 0 */
    assert_true(br_node_set_make(graph, &allow, end, set));
    for (uint32_t node = 0; node < graph->count; node++)
        assert_int_equal(set->words[node / 64] >> node % 64 & 1, node < end && br_bitmap_test(&allow, *br_node_slot(graph, node)));
    br_bitmap_free(&allow);
}

/* Of two graphs in turn, which grow. */
static void test_sets_of_nodes(void **state)
{
    (void)state;
    struct br_node_set set = {0};
    uint64_t random = 3;
    for (int trial = 0; trial < 30; trial++) {
        struct br_index *graph[2] = {t_new_index(2, 1), t_new_index(2, 1)};
        uint64_t slot[2] = {0}, gaps = 1 + t_random(&random) % 300;
        for (int part = 0; part < 6; part++) {
            for (int g = 0; g < 2; g++) {
                for (uint64_t n = t_random(&random) % 200; n; n--) {
                    const float v[2] = {1, 0};
                    struct br_err err = {0};
                    slot[g] += t_random(&random) % gaps == 0 ? t_random(&random) % 130 : 0;
                    t_ok(br_index_add(graph[g], slot[g]++, v, &err), &err);
                }
                compare_sets(graph[g], &set, &random);
                compare_sets(graph[g], &set, &random);
            }
        }
        br_index_close(graph[0]);
        br_index_close(graph[1]);
    }
    br_node_set_free(&set);
}

int main(void)
{
    struct br_err err = {0};
    base = t_clustered(N, DIM, 1);
    rows = (struct br_rows){base, DIM, N};
    struct br_index_config cfg = {.dim = DIM, .M = 8, .ef_construction = 10, .seed = 5};
    uint64_t *slots = malloc(N * sizeof *slots);
    assert_non_null(slots);
    for (uint64_t i = 0; i < N; i++)
        slots[i] = i;
    t_ok(br_index_create(&cfg, &ix, &err), &err);
    t_ok(br_index_add_many(ix, &rows, slots, N, 2, &err), &err);
    s = t_searcher();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_filter),  cmocka_unit_test(test_few_pass),    cmocka_unit_test(test_some_pass),
        cmocka_unit_test(test_many_pass),  cmocka_unit_test(test_narrowest_beams_widen), cmocka_unit_test(test_nearest_do_not_pass),  cmocka_unit_test(test_small_graph), cmocka_unit_test(test_sets_of_nodes), cmocka_unit_test(test_unlikely_answer),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    br_searcher_free(s);
    br_index_close(ix);
    free(slots);
    free(base);
    return failed;
}
