/* t_consistency.c - the monitor's numbers: 0 where the stores agree, and each kind of disagreement shows in the number
 * that is its own. */
#include "upkeep.h"

#include <sqlite3.h>

static void sql(const struct fixture *f, const char *text)
{
    char path[500], *why = NULL;
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/metadata.db", f->ws_dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s", why);
    sqlite3_close(db);
}

static struct br_consistency now(const struct fixture *f)
{
    struct br_workspace_status s = up_status(f);
    struct br_consistency c = s.consistency;
    br_workspace_status_free(&s);
    return c;
}

static void numbers_tell_lag_and_divergence(void **state)
{
    struct fixture f;
    (void)state;
    up_begin(&f);
    for (int i = 0; i < 50; i++)
        up_message(&f, 0, i, "U0ADALOVE", up_words((unsigned)i), i < 25 ? 0 : -1);
    up_import(&f);
    struct br_consistency a = now(&f), b;
    assert_int_equal(a.divergence + a.lag_commits + a.lag_vectors + a.erase_queue + a.pending_threads, 0);
    assert_true(a.vectors_live > 50);
    assert_int_equal(a.content_live, a.content_named);
    assert_int_equal(a.vectors_dead + a.content_dead, 0);
    json_object_set_new(json_array_get(f.days[0], 30), "text", json_string(up_words(900)));
    json_object_set_new(json_array_get(f.days[0], 30), "edited", json_pack("{ss}", "ts", up_ts(100)));
    up_import(&f);
    b = now(&f);
    assert_int_equal(b.divergence, 0);
    assert_int_equal(b.vectors_dead, 1);
    assert_int_equal(b.content_dead, 2); /* text and raw form */
    assert_int_equal(b.vectors_live, a.vectors_live);
    sql(&f, "UPDATE store SET ckpt_file = NULL, ckpt_seq = 0");
    b = now(&f);
    assert_true(b.lag_commits > 0);
    assert_int_equal(b.lag_vectors, b.vectors_live);
    assert_int_equal(b.divergence, 0);
    sql(&f, "UPDATE message_metadata SET slot = NULL WHERE ts = (SELECT max(ts) FROM message_metadata)");
    b = now(&f);
    assert_int_equal(b.vectors_missing, 1);
    assert_int_equal(b.vectors_orphaned, 1);
    assert_int_equal(b.divergence, 2);
    sql(&f, "UPDATE content SET dead = 1 WHERE content_id = 1");
    assert_int_equal(now(&f).divergence, 3);
    sql(&f, "INSERT INTO erase_queue SELECT workspace_id, 7, -1 FROM store; INSERT INTO dirty_threads SELECT "
            "workspace_id, 'C0GENERAL01', 5"
            " FROM store");
    b = now(&f);
    assert_int_equal(b.erase_queue, 1);
    assert_int_equal(b.pending_threads, 1);
    up_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_tell_lag_and_divergence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
