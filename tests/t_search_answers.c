/* On a real workspace with the real model: a question finds the message that shares no word with it; filters hold; the graph, the exact scan and
 * the keyword side answer as promised; workspaces do not see each other. */
#include "open_archive.h"

#include <math.h>


static int setup(void **state)
{
    (void)state;
    archive_make(false);
    struct br_import_report r = archive_fill_with_sample();
    assert_int_equal(r.messages_new, 1382);
    assert_int_equal(r.channels, 16);
    assert_int_equal(r.users, 71);
    assert_int_equal(r.reactions, 199);
    assert_int_equal(r.files, 67);
    assert_int_equal(r.threads, 0);
    return 0;
}

static struct br_search_results search(const char *query, const struct br_search_options *o)
{
    struct br_search_results r = {0};
    struct br_error err = {0};
    if (br_search(ws, query, o, &r, &err))
        fail_msg("%s: %s", query, err.message);
    return r;
}

static void the_two_stores_agree(void **state)
{
    (void)state;
    e2e_verify(home, NULL);
}

static void meaning_finds_what_words_do_not(void **state)
{
    (void)state;
    struct br_search_options o = {.mode = BR_SEARCH_SEMANTIC, .n = 10};
    struct br_search_results r = search("pleased to meet you all", &o);
    assert_int_equal(r.count, 10);
    for (size_t i = 0; i < r.count; i++) {
        assert_int_equal(r.hits[i].rank, i + 1);
        assert_false(isnan(r.hits[i].semantic));
        assert_true(i == 0 || r.hits[i].score <= r.hits[i - 1].score);
        assert_false(r.hits[i].message.is_system);
    }
    br_search_results_free(&r);
}

static void exact_and_default_agree(void **state)
{
    (void)state;
    struct br_search_options a = {.mode = BR_SEARCH_SEMANTIC, .n = 10}, b = a;
    b.exact = true;
    struct br_search_results x = search("maps of bus routes", &a), y = search("maps of bus routes", &b);
    assert_int_equal(x.count, y.count);
    assert_true(y.exhaustive);
    size_t same = 0;
    for (size_t i = 0; i < x.count; i++)
        for (size_t j = 0; j < y.count; j++)
            same += x.hits[i].message.ts == y.hits[j].message.ts;
    assert_true(same >= 9);
    br_search_results_free(&x);
    br_search_results_free(&y);
}

static void filters_hold_and_never_under_return(void **state)
{
    (void)state;
    struct br_search_results r = search("visualization in:#tools", NULL);
    assert_int_equal(r.count, 10);
    for (size_t i = 0; i < r.count; i++)
        assert_string_equal(r.hits[i].message.channel_name, "tools");
    br_search_results_free(&r);
    r = search("data after:2015-12-31", NULL);
    assert_true(r.count > 0);
    for (size_t i = 0; i < r.count; i++)
        assert_true(r.hits[i].message.ts >= 1451606400000000);
    br_search_results_free(&r);
    r = search("chart has:file", NULL);
    for (size_t i = 0; i < r.count; i++)
        assert_true(r.hits[i].message.n_files > 0);
    br_search_results_free(&r);
}

static void unknown_names_are_said_not_ignored(void **state)
{
    (void)state;
    struct br_search_results r = {0};
    struct br_error err = {0};
    assert_int_equal(br_search(ws, "anything in:#tool", NULL, &r, &err), BR_STATUS_NOT_FOUND);
    assert_non_null(strstr(err.message, "tools"));
}

static void phrases_and_exclusions_hold(void **state)
{
    (void)state;
    struct br_search_results r = search("\"open data\" -houston", NULL);
    for (size_t i = 0; i < r.count; i++) {
        assert_non_null(strcasestr(r.hits[i].message.text, "open data"));
        assert_null(strcasestr(r.hits[i].message.text, " houston "));
    }
    br_search_results_free(&r);
}

static void hostile_queries_are_text(void **state)
{
    (void)state;
    static const char *const queries[] = {"\" OR rowid:*", "NEAR(a b) AND (", "'; DROP TABLE store; --", "a\"b\"\"c", "^*{}[]()~", "in: from: has:",
                                          "\xff\xfe broken", "- -- \"\""};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct br_search_results r = {0};
        struct br_error err = {0};
        int status = br_search(ws, queries[i], NULL, &r, &err);
        assert_true(status == BR_STATUS_OK || status == BR_STATUS_USAGE || status == BR_STATUS_NOT_FOUND);
        br_search_results_free(&r);
    }
}

/* Of a very long question the beginning is read, which must not cost a condition: no hit would have to meet it. */
static void conditions_behind_what_is_read_are_refused(void **state)
{
    (void)state;
    static const char *const conditions[] = {"in:nowhere", "-bus", "\"bus stop\"", "\u201Cbus stop\u201D", "before:2001", "-in:general", "-\"bus stop\""};
    static const char *const words[] = {"bus", "-", "12:30", "a-b", "--"};
    enum { READ = 16384 };
    char query[READ + 64];
    struct br_search_results r = {0};
    struct br_error err = {0};
    struct br_search_options literal = {.literal = true};
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        for (size_t at = READ + 1 - strlen(conditions[i]); at <= READ + 1; at++) {
            memset(query, 'x', at);
            for (size_t j = 5; j < at; j += 6)
                query[j] = ' ';
            query[at - 1] = ' ';
            snprintf(query + at, sizeof query - at, "%s", conditions[i]);
            int status = br_search(ws, query, NULL, &r, &err);
            if (status != BR_STATUS_USAGE)
                fail_msg("%s at %zu: %d", conditions[i], at, status);
            br_search_results_free(&r);
        }
    assert_int_equal(br_search(ws, query, &literal, &r, &err), 0);
    br_search_results_free(&r);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        memset(query, ' ', READ);
        memcpy(query, "lake", 4);
        snprintf(query + READ, sizeof query - READ, "%s", words[i]);
        r = search(query, NULL);
        assert_true(r.count > 0);
        br_search_results_free(&r);
    }
}

static void workspaces_do_not_see_each_other(void **state)
{
    (void)state;
    char zip[2048];
    struct br_error err = {0};
    struct br_workspace *other = NULL;
    e2e_source_path(zip, sizeof zip, "tests/data/torture/29-content-in-blocks/export.zip");
    struct br_import_reports r = e2e_import(home, zip, false);
    assert_int_equal(br_workspace_open(home, r.sum.workspace, &other, &err), 0);
    struct br_search_options keyword = {.mode = BR_SEARCH_KEYWORD, .n = 100}, semantic = {.mode = BR_SEARCH_SEMANTIC, .n = 100};
    struct br_search_results theirs = {0}, ours = search("zebra walrus okapi pangolin quokka", &keyword);
    assert_int_equal(ours.count, 0);
    assert_int_equal(br_search(other, "houston", &semantic, &theirs, &err), 0);
    assert_true(theirs.count > 0 && theirs.count <= 3);
    br_search_results_free(&ours);
    br_search_results_free(&theirs);
    br_workspace_close(other);
    assert_int_equal(br_workspace_open(home, NULL, &other, &err), BR_STATUS_USAGE);
    br_import_reports_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_two_stores_agree),           cmocka_unit_test(meaning_finds_what_words_do_not),
        cmocka_unit_test(exact_and_default_agree),        cmocka_unit_test(filters_hold_and_never_under_return),
        cmocka_unit_test(unknown_names_are_said_not_ignored), cmocka_unit_test(phrases_and_exclusions_hold),
        cmocka_unit_test(hostile_queries_are_text),
        cmocka_unit_test(conditions_behind_what_is_read_are_refused),
        cmocka_unit_test(workspaces_do_not_see_each_other),
    };
    return cmocka_run_group_tests(tests, setup, archive_remove);
}
