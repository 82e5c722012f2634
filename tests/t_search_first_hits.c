/* t_search_first_hits.c - the first hits are the same however many are asked for, also where the passages of a few very long messages are nearer than
 * all else, so that there are fewer hits among the candidates than some ask for. */
#include "open_archive.h"

static uint32_t seed = 5;

static void say(json_t *day, long at, const char *const *words, size_t n_words, size_t n)
{
    char ts[32], text[64 * 1024] = "";
    size_t len = 0;
    snprintf(ts, sizeof ts, "%ld.000100", at);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        len += (size_t)snprintf(text + len, sizeof text - len, "%s ", words[(seed >> 16) % n_words]);
    }
    json_array_append_new(day, json_pack("{ss ss ss ss}", "type", "message", "user", "U00000001", "ts", ts, "text", text));
}

static int setup(void **state)
{
    static const char *const words[] = {"zebra", "stripes", "herd", "savanna", "lions", "water", "foal", "dust", /* half of them in both */
                                        "plains", "ranger", "deploy", "build", "linker", "review", "branch", "merge"};
    (void)state;
    json_t *day = json_array();
    long at = 1704103200;
    for (int i = 0; i < 14; i++)
        say(day, at += 60, words, 8 + (size_t)i % 5, 5500);
    for (int i = 0; i < 900; i++)
        say(day, at += 60, words + 4, 12, 12);
    archive_make(true);
    archive_fill_with_day("[{\"id\":\"U00000001\",\"name\":\"ada\"}]", day);
    return 0;
}

static void asked_for(const char *query, size_t n, struct br_search_results *out)
{
    const struct br_search_options options = {.n = n, .explain = true};
    struct br_error error = {0};
    if (br_search(ws, query, &options, out, &error))
        fail_msg("%s", error.message);
    assert_int_equal(out->count, n);
}

static void the_first_hits_do_not_depend_on_how_many_are_asked_for(void **state)
{
    static const char *const queries[] = {"zebra", "zebra herd", "zebra stripes", "stripes of the herd", "savanna"};
    static const size_t fewer[] = {1, 10, 20, 49};
    size_t looked_further = 0;
    (void)state;
    for (size_t i = 0; i < BR_COUNT(queries); i++) {
        struct br_search_results many = {0};
        asked_for(queries[i], 50, &many);
        looked_further += many.explain->rounds > 1;
        for (size_t k = 0; k < BR_COUNT(fewer); k++) {
            struct br_search_results few = {0};
            asked_for(queries[i], fewer[k], &few);
            for (size_t j = 0; j < few.count; j++)
                assert_true(few.hits[j].message.ts == many.hits[j].message.ts && few.hits[j].score == many.hits[j].score);
            br_search_results_free(&few);
        }
        br_search_results_free(&many);
    }
    assert_true(looked_further > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_first_hits_do_not_depend_on_how_many_are_asked_for)};
    return cmocka_run_group_tests(tests, setup, archive_remove);
}
