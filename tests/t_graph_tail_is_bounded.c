/* t_graph_tail_is_bounded.c - wherever a long import stops, others find the graph no further behind than the largest tail and one batch. */
#include "store_test.h"

#include "engine_int.h"

#define BATCH_MOST 24
#define TAIL 100
#define COMMITS 120

static void commit_batch(struct br_store *s, unsigned seed, unsigned n)
{
    struct br_err err = {0};
    float v[DIM];
    uint64_t content, slot;
    OK(br_store_begin(s, &err));
    for (unsigned i = 0; i < n; i++) {
        unit_vector(seed + i, v);
        OK(br_store_add_content(s, &i, sizeof i, &content, &err));
        OK(br_store_add_slot(s, content, v, &slot, &err));
    }
    OK(br_store_commit(s, NULL, &err));
}

/* As another process sees it: slots that no checkpoint has. */
static uint64_t tail_of(const char *dir, char ckpt_file[64])
{
    struct br_store *s;
    struct br_store_info info;
    struct br_graph g;
    struct br_err err = {0};
    OK(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err));
    OK(br_store_info(s, &info, &err));
    br_graph_open(&g, &br_io_posix, s, NULL);
    uint64_t tail = info.vector_tail - g.slot_end;
    snprintf(ckpt_file, 64, "%s", info.ckpt_file);
    br_graph_close(&g);
    br_store_close(s);
    return tail;
}

static void the_tail_stays_short(void **state)
{
    struct br_store *s;
    struct br_store_info info;
    struct br_graph g;
    struct br_err err = {0};
    struct br_store_spec spec = {.workspace_id = "T1", .model_id = "m", .dim = DIM};
    char dir[300], file[64], last[64] = "";
    uint64_t checkpoints = 0;
    snprintf(dir, sizeof dir, "%s/ws", (char *)*state);
    OK(br_store_create(&br_io_posix, dir, &spec, &s, &err));
    br_graph_open(&g, &br_io_posix, s, NULL);
    g.tail_max = TAIL;
    for (unsigned i = 0; i < COMMITS; i++) {
        commit_batch(s, i, 1 + i * 7 % BATCH_MOST);
        if (i == COMMITS / 2) { /* another writer goes on from the checkpoint */
            br_graph_close(&g);
            br_graph_open(&g, &br_io_posix, s, NULL);
            g.tail_max = TAIL;
        }
        OK(br_graph_keep_up(&g, &br_io_posix, s, &err));
        assert_true(tail_of(dir, file) <= TAIL);
        checkpoints += strcmp(file, last) != 0;
        snprintf(last, sizeof last, "%s", file);
    }
    OK(br_store_info(s, &info, &err));
    assert_in_range(checkpoints, 5, info.vector_tail / TAIL); /* nor is one made with every batch */
    br_graph_close(&g);
    br_store_close(s);
}

static void the_largest_tail_grows_with_the_archive(void **state)
{
    (void)state;
    assert_true(br_graph_tail_max(0) > 0);
    for (uint64_t n = 1; n < UINT64_C(1) << 40; n *= 3)
        assert_in_range(br_graph_tail_max(n), br_graph_tail_max(n / 3), BR_MAX(br_graph_tail_max(0), n / 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(the_tail_stays_short, make_tmp, remove_tmp),
                                       cmocka_unit_test(the_largest_tail_grows_with_the_archive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
