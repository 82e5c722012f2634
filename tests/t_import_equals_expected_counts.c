/* Every real export gives exactly the counts an independent plain reader found in it, and the two stores agree afterwards. With a tiny model: the
 * counts do not depend on it. The sample in the repository always; the larger ones where they are (and not under TSan, for time). Under
 * ASan the two largest are parsed, rendered, cut and stored as a dry run does it, without vectors: a sanitized model would take most of an hour. */
#include "tiny_model.h"

#if defined(__SANITIZE_THREAD__)
#define LARGE 0
#else
#define LARGE 1
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

static char model[2048];

static uint64_t expected(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

static void compare(const struct br_import_report *r, const json_t *e)
{
    assert_int_equal(r->messages_new, expected(e, "messages"));
    assert_int_equal(r->channels, expected(e, "channels_in_list"));
    assert_int_equal(r->users, expected(e, "users_in_list"));
    assert_int_equal(r->threads, expected(e, "threads"));
    assert_int_equal(r->reactions, expected(e, "reaction_count_sum"));
    assert_int_equal(r->files, expected(e, "file_entries"));
    assert_int_equal(r->n_warnings, 0);
}

static void dry_run_and_compare(const char *zip, const json_t *e)
{
    char dir[1024];
    e2e_scratch(dir, sizeof dir);
    struct br_home *home = e2e_home(dir, model);
    struct br_import_reports r = e2e_import(home, zip, true);
    compare(&r.sum, e);
    br_import_reports_free(&r);
    br_home_close(home);
    e2e_remove_tree(dir);
}

static void import_and_compare(const char *zip, const json_t *e)
{
    char dir[1024];
    e2e_scratch(dir, sizeof dir);
    struct br_home *home = e2e_home(dir, model);
    struct br_import_reports r = e2e_import(home, zip, false);
    compare(&r.sum, e);
    e2e_verify(home, NULL);
    struct br_import_reports again = e2e_import(home, zip, false);
    assert_int_equal(again.sum.messages_unchanged, expected(e, "messages"));
    assert_int_equal(again.sum.embedded, 0);
    assert_int_equal(again.sum.documents, r.sum.documents);
    br_import_reports_free(&r);
    br_import_reports_free(&again);
    br_home_close(home);
    e2e_remove_tree(dir);
}

static void the_sample_gives_its_counts(void **state)
{
    (void)state;
    char zip[2048];
    json_t *e = json_pack("{sIsIsIsIsIsI}", "messages", (json_int_t)1382, "channels_in_list", (json_int_t)16, "users_in_list", (json_int_t)71,
                          "threads", (json_int_t)0, "reaction_count_sum", (json_int_t)199, "file_entries", (json_int_t)67);
    e2e_source_path(zip, sizeof zip, "data/sample/houstondatavis.zip");
    import_and_compare(zip, e);
    json_decref(e);
}

static void every_larger_export_gives_its_counts(void **state)
{
    (void)state;
    static const char *const names[] = {"viewer-tests", "irc-dev", "lean-dev", "lean-b-dev"};
    for (size_t i = 0; LARGE && i < sizeof names / sizeof *names; i++) {
        char zip[2048], relative[256];
        snprintf(relative, sizeof relative, "data/exports/%s.expected.json", names[i]);
        if (!e2e_data_path(zip, sizeof zip, relative))
            continue;
        json_t *e = json_load_file(zip, 0, NULL);
        snprintf(relative, sizeof relative, "data/exports/%s.zip", names[i]);
        if (e && e2e_data_path(zip, sizeof zip, relative)) {
            bool whole = !SANITIZED || expected(e, "messages") < 20000;
            (whole ? import_and_compare : dry_run_and_compare)(zip, e);
        }
        json_decref(e);
    }
}

int main(void)
{
    char dir[1024];
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_sample_gives_its_counts), cmocka_unit_test(every_larger_export_gives_its_counts)};
    e2e_scratch(dir, sizeof dir);
    tiny_model(dir, model, sizeof model);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    e2e_remove_tree(dir);
    return failed;
}
