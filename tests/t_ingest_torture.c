/* Every export that breaks importers is read as its expected.json says, as far as that shows without a store; a ZIP
 * file and the directory
 * it unpacks to give the same. */
#include "ingest_count.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

/* Known only to the store. */
static bool needs_store(const char *code)
{
    static const char *const codes[] = {"unknown_user", "orphan_reply", "duplicate_message", "reply_count_mismatch",
                                        "text_truncated"};
    for (size_t i = 0; i < BR_COUNT(codes); i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

static bool is_optional(const json_t *expected, const char *code)
{
    size_t i;
    const json_t *v;
    json_array_foreach(json_object_get(expected, "warnings_optional"), i,
                       v) if (strcmp(json_string_value(v), code) == 0) return true;
    return false;
}

static void check_count(const char *name, const json_t *expected, const char *key, uint64_t got)
{
    const json_t *v = json_object_get(expected, key);
    if (v && (uint64_t)json_integer_value(v) != got)
        fail_msg("%s: %s is %llu, not %lld", name, key, (unsigned long long)got, (long long)json_integer_value(v));
}

static void check_accepted(const char *name, const json_t *expected, const struct count_sink *k, size_t workspaces)
{
    const json_t *warnings = json_object_get(expected, "warnings");
    check_count(name, expected, "messages", k->messages);
    check_count(name, expected, "users", k->users);
    check_count(name, expected, "channels", k->channels);
    check_count(name, expected, "private_channels", k->private_channels);
    check_count(name, expected, "threads", k->threads);
    check_count(name, expected, "replies", k->replies);
    check_count(name, expected, "reactions", k->reactions);
    check_count(name, expected, "reaction_user_pairs", k->pairs);
    check_count(name, expected, "files", k->files);
    check_count(name, expected, "workspaces", workspaces);
    for (int w = 0; w < BR_WARN_COUNT; w++) {
        const char *code = br_warning_name((enum br_warning)w);
        uint64_t want = (uint64_t)json_integer_value(json_object_get(warnings, code));
        if (k->warnings[w] != want && !needs_store(code) && !is_optional(expected, code))
            fail_msg("%s: warning %s is %llu, not %llu", name, code, (unsigned long long)k->warnings[w],
                     (unsigned long long)want);
    }
}

static json_t *expected_of(const char *name, char *zip, size_t n)
{
    char path[2048];
    (void)snprintf(path, sizeof path, "%s/%s/expected.json", torture_dir(), name);
    (void)snprintf(zip, n, "%s/%s/export.zip", torture_dir(), name);
    json_t *expected = json_load_file(path, 0, NULL);
    if (!expected)
        fail_msg("cannot read %s", path);
    return expected;
}

static void check_case(const char *name)
{
    char zip[2048];
    struct br_err err = {0};
    struct count_sink k = {0};
    size_t workspaces;
    json_t *expected = expected_of(name, zip, sizeof zip);
    k.forbidden = json_string_value(json_array_get(json_object_get(expected, "never_stored"), 0));
    enum br_rc rc = count_source(zip, &k, &workspaces, &err);
    if (json_is_true(json_object_get(expected, "accept"))) {
        if (rc != BR_OK)
            fail_msg("%s: refused: %s", name, err.msg);
        check_accepted(name, expected, &k, workspaces);
    } else {
        const char *reason = json_string_value(json_object_get(expected, "reason"));
        assert_int_equal(rc, BR_E_DATA);
        if (strncmp(err.msg, reason, strlen(reason)) != 0 || err.msg[strlen(reason)] != ':')
            fail_msg("%s: refused with \"%s\"", name, err.msg);
        assert_int_equal(k.rows + k.users + k.channels, 0);
    }
    count_free(&k);
    json_decref(expected);
}

static int is_case(const struct dirent *d)
{
    return d->d_name[0] >= '0' && d->d_name[0] <= '9';
}

static void every_case_is_read_as_expected(void **state)
{
    (void)state;
    struct dirent **cases;
    int n = scandir(torture_dir(), &cases, is_case, alphasort);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        check_case(cases[i]->d_name);
        free(cases[i]);
    }
    free(cases);
}

static void unpack_entry(zip_t *z, zip_uint64_t i, const char *dir)
{
    char path[4096], buf[4096];
    (void)snprintf(path, sizeof path, "%s/%s", dir, zip_get_name(z, i, ZIP_FL_ENC_RAW));
    for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = 0;
        (void)mkdir(path, 0700);
        *p = '/';
    }
    if (path[strlen(path) - 1] == '/')
        return;
    zip_file_t *in = zip_fopen_index(z, i, 0);
    FILE *out = fopen(path, "wb");
    assert_true(in && out);
    for (zip_int64_t got; (got = zip_fread(in, buf, sizeof buf)) > 0;)
        assert_int_equal(fwrite(buf, 1, (size_t)got, out), got);
    assert_int_equal(fclose(out), 0);
    (void)zip_fclose(in);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void zip_equals_directory(void **state)
{
    static const char *const cases[] = {"01-utf8-name-no-flag",   "02-cp437-name",      "03-rezipped-by-macos",
                                        "16-duplicate-day-files", "17-renamed-channel", "26-enterprise-grid",
                                        "28-dms-and-groups"};
    (void)state;
    for (size_t i = 0; i < BR_COUNT(cases); i++) {
        char zip[2048], dir[] = "/tmp/backread-ingest-XXXXXX";
        struct br_err err = {0};
        struct count_sink a = {0}, b = {0};
        size_t na, nb;
        json_t *expected = expected_of(cases[i], zip, sizeof zip);
        assert_non_null(mkdtemp(dir));
        zip_t *z = zip_open(zip, ZIP_RDONLY, NULL);
        assert_non_null(z);
        for (zip_int64_t e = 0; e < zip_get_num_entries(z, 0); e++)
            unpack_entry(z, (zip_uint64_t)e, dir);
        zip_discard(z);
        assert_int_equal(count_source(zip, &a, &na, &err), BR_OK);
        assert_int_equal(count_source(dir, &b, &nb, &err), BR_OK);
        check_accepted(cases[i], expected, &b, nb);
        assert_true(a.content_hash == b.content_hash);
        assert_memory_equal(a.warnings, b.warnings, sizeof a.warnings);
        (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        count_free(&a);
        count_free(&b);
        json_decref(expected);
    }
}

static void a_path_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_source *s = NULL;
    assert_int_equal(br_source_open("/nowhere/at/all.zip", NULL, &s, &err), BR_E_IO);
    assert_non_null(strstr(err.msg, "/nowhere/at/all.zip"));
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_is_read_as_expected),
        cmocka_unit_test(zip_equals_directory),
        cmocka_unit_test(a_path_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
