/* A search gives as many hits as were asked for, as long as there are messages to give: also where the nearest documents are all passages of a
 * few long threads. */
#include "open_archive.h"

#define LONG_THREADS 4
#define WORDS_EACH 12000
#define OTHERS 40

static void say(json_t *day, long at, long root, const char *text)
{
    json_t *m = json_pack("{ss ss so ss}", "type", "message", "user", "U1", "ts", json_sprintf("%ld.000100", at), "text", text);
    assert_non_null(m);
    if (root)
        json_object_set_new(m, "thread_ts", json_sprintf("%ld.000100", root));
    json_array_append_new(day, m);
}

static void talk(json_t *day)
{
    static char pasted[WORDS_EACH * 16];
    long at = 1704103200;
    for (int t = 0; t < LONG_THREADS; t++) {
        size_t n = 0;
        for (int i = 0; i < WORDS_EACH; i++)
            n += (size_t)snprintf(pasted + n, sizeof pasted - n, "%s ", (i + t) % 3 ? "wifi" : "driver");
        at += 60;
        say(day, at, at, pasted);
        say(day, at + 30, at, "lunch");
    }
    for (int i = 0; i < OTHERS; i++)
        say(day, at += 60, 0, i % 2 ? "the printer is out of paper" : "who has the key of the garden");
}

static int setup(void **state)
{
    (void)state;
    archive_make(true);
    json_t *day = json_array();
    talk(day);
    archive_fill_with_day("[{\"id\":\"U1\",\"team_id\":\"T0LONG\",\"name\":\"ada\"}]", day);
    return 0;
}

static void long_threads_hide_nothing(void **state)
{
    (void)state;
    for (enum br_search_mode mode = BR_SEARCH_HYBRID; mode <= BR_SEARCH_SEMANTIC; mode++)
        for (size_t n = 3; n <= LONG_THREADS + OTHERS; n = n * 3 - 1) {
            struct br_search_options o = {.mode = mode, .n = n};
            struct br_search_results r = {0};
            struct br_error err = {0};
            if (br_search(ws, "wifi driver", &o, &r, &err))
                fail_msg("%s", err.message);
            assert_int_equal(r.count, n);
            assert_non_null(r.next_cursor);
            for (size_t i = 0; i < r.count; i++)
                for (size_t j = 0; j < i; j++)
                    assert_int_not_equal(r.hits[i].message.ts, r.hits[j].message.ts);
            br_search_results_free(&r);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_threads_hide_nothing)};
    return cmocka_run_group_tests(tests, setup, archive_remove);
}
