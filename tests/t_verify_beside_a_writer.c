/* t_verify_beside_a_writer.c - verify looks at one state of the archive while a writer goes on: a graph that the writer has replaced since is no
 * damage, one that is gone is. */
#include "open_archive.h"

#include "engine_int.h"

static long now = 1704103200;
static enum { LEAVE, REPLACE, REMOVE } what;
static unsigned openings, last; /* of the graph, by a verify; the last one is to read it, those before ask for its size */

static void import_some(struct br_home *into)
{
    json_t *day = json_array();
    for (int i = 0; i < 20; i++) {
        char ts[32], text[64];
        snprintf(ts, sizeof ts, "%ld.000100", now += 60);
        snprintf(text, sizeof text, "message of the second %ld", now);
        json_array_append_new(day, json_pack("{ss ss ss ss}", "type", "message", "user", "U00000001", "ts", ts, "text", text));
    }
    archive_import_day(into, "[{\"id\":\"U00000001\",\"name\":\"ada\"}]", day);
}

/* A moment before the graph is read. */
static int open_after_a_writer(void *ctx, const char *path, int flags, unsigned mode)
{
    if (strncmp(strrchr(path, '/'), "/graph.", 7) == 0 && ++openings == last && what != LEAVE) {
        if (what == REPLACE)
            import_some(home);
        assert_int_equal(unlink(path), 0);
    }
    return br_io_posix.open(ctx, path, flags, mode);
}

static void verify_while(int happens, struct br_verify_report *r)
{
    struct br_error err = {0};
    struct br_io io = br_io_posix;
    struct br_home other = *home;
    io.open = open_after_a_writer;
    other.io = &io;
    what = happens;
    openings = 0;
    *r = (struct br_verify_report){0};
    if (br_verify(&other, NULL, true, r, &err))
        fail_msg("%s", err.message);
    assert_true(openings >= last);
}

static void a_graph_that_was_replaced_is_no_damage(void **state)
{
    struct br_verify_report r;
    (void)state;
    verify_while(LEAVE, &r);
    last = openings;
    assert_true(last > 0 && r.ok);
    verify_while(REPLACE, &r);
    assert_string_equal(r.first_problem, "");
    assert_true(r.ok && r.graph_ok);
    verify_while(REMOVE, &r);
    assert_non_null(strstr(r.first_problem, "is missing"));
    assert_false(r.ok || r.graph_ok);
}

static int setup(void **state)
{
    (void)state;
    archive_make(true);
    import_some(home);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_graph_that_was_replaced_is_no_damage),
    };
    return cmocka_run_group_tests(tests, setup, archive_remove);
}
