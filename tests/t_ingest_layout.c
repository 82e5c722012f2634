/* Which entry of an archive is what: names that look like something else lose no message, and what an archive is of is told by the ids in
 * it that can be ids. */
#include "base/buf.h"
#include "ingest_count.h"
#include "small_export.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEAM     "\"text\":\"hello\",\"team\":\"T9\""
#define CHANNELS "[{\"id\":\"C0GENERAL01\",\"name\":\"general\"}]"
#define DUMP     "{\"channel_id\":\"C0123ABCD\",\"name\":\"dumped\",\"messages\":[" MESSAGE("U1", "01", TEAM) "]}"
#define DAY      "[" MESSAGE("U1", "01", TEAM) "]"

static char dir[64], zip_path[128];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    (void)strcpy(dir, "/tmp/backread-layout-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(zip_path, sizeof zip_path, "%s/export.zip", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct count_sink count_files(const struct file *files, size_t n)
{
    struct count_sink k = {0};
    struct br_err err = {0};
    size_t workspaces;
    write_zip(zip_path, files, n);
    if (count_source(zip_path, &k, &workspaces, &err) != BR_OK)
        fail_msg("%s", err.msg);
    return k;
}

#define COUNT(...) count_files((const struct file[]){__VA_ARGS__}, sizeof((const struct file[]){__VA_ARGS__}) / sizeof(struct file))

static bool has_channel(const struct count_sink *k, const char *id)
{
    char key[128];
    (void)snprintf(key, sizeof key, "0 channel %s 0", id);
    return br_id_map_get(&k->keys, key) != BR_ID_NONE;
}

static void attached_files_do_not_hide_a_dump(void **state)
{
    static const struct file attached[] = {{"__uploads/F1/2024-01-01.json", "[]"},
                                           {"__uploads/F1/users.json", "[{\"id\":1}]"},
                                           {"C0123ABCD/channels.json", "{}"},
                                           {"attachments/channels.json", "[]"}};
    (void)state;
    for (size_t i = 0; i < BR_COUNT(attached); i++) {
        struct count_sink k = COUNT({"C0123ABCD.json", DUMP}, attached[i]);
        if (k.messages != 1)
            fail_msg("with %s beside it: %llu messages", attached[i].name, (unsigned long long)k.messages);
        assert_true(has_channel(&k, "C0123ABCD"));
        count_free(&k);
    }
}

static void an_archive_without_channels_and_messages_is_refused(void **state)
{
    static const struct file files[] = {{"users.json", "[]"}, {"notes.txt", "hello"}};
    struct br_err err = {0};
    struct br_source *s = NULL;
    (void)state;
    write_zip(zip_path, files, BR_COUNT(files));
    assert_int_equal(br_source_open(zip_path, NULL, &s, &err), BR_E_DATA);
    assert_true(strncmp(err.msg, "not_an_export: ", 15) == 0);
}

static void channels_are_not_lost_by_their_names(void **state)
{
    (void)state;
    struct count_sink k = COUNT({"channels.json", "[{\"id\":\"C0GENERAL01\",\"name\":\"__ops\"}]"}, {"__ops/2024-01-01.json", DAY},
                                {"__uploads/2024-01-01.json", DAY});
    assert_int_equal(k.messages, 1);
    assert_int_equal(k.channels, 1);
    count_free(&k);
    k = COUNT({"channels.json", "[{\"id\":\"C0GENERAL01\",\"name\":\"teams\"}]"}, {"teams/2024-01-01.json", DAY},
              {"teams/one/channels.json", "[]"}, {"teams/one/users.json", "[{\"id\":\"U1\",\"team_id\":\"T9\"}]"});
    assert_int_equal(k.messages, 1);
    assert_true(has_channel(&k, "C0GENERAL01"));
    count_free(&k);
}

static void a_folder_that_macos_has_decomposed_is_matched(void **state)
{
    static const struct {
        const char *listed, *folder;
    } names[] = {{"gr\u00f6\u00dfe", "gro\u0308\u00dfe"},                                  /* Latin */
                 {"ti\u1ebfng-vi\u1ec7t", "tie\u0302\u0301ng-vie\u0323\u0302t"},            /* two marks */
                 {"\u0439\u043e\u0433\u0430", "\u0438\u0306\u043e\u0433\u0430"},            /* Cyrillic */
                 {"\ud55c\uad6d", "\u1112\u1161\u11ab\u1100\u116e\u11a8"},                  /* Hangul */
                 {"\u30ac\u30a4\u30c9", "\u30ab\u3099\u30a4\u30c8\u3099"}};                 /* kana */
    (void)state;
    for (size_t i = 0; i < BR_COUNT(names); i++) {
        char list[256], day[256];
        (void)snprintf(list, sizeof list, "[{\"id\":\"C0GENERAL01\",\"name\":\"%s\"},{\"id\":\"C0OTHER0001\",\"name\":\"grosse\"}]",
                       names[i].listed);
        (void)snprintf(day, sizeof day, "%s/2024-01-01.json", names[i].folder);
        struct count_sink k = COUNT({"channels.json", list}, {day, DAY});
        if (k.warnings[BR_WARN_FOLDER_WITHOUT_CHANNEL] || k.channels != 2 || k.messages != 1)
            fail_msg("%s is not matched", names[i].listed);
        count_free(&k);
    }
}

static enum br_rc note_kind(void *ctx, const struct br_event *ev, struct br_err *err)
{
    (void)err;
    if (ev->kind == BR_EVENT_CHANNEL)
        ((int *)ctx)[strcmp(ev->channel.id, "D0123ABCD") == 0 ? 0 : 1] = (int)ev->channel.kind;
    return BR_OK;
}

static void an_unlisted_folder_named_by_an_id_keeps_it(void **state)
{
    struct br_err err = {0};
    struct br_source *s = NULL;
    int kinds[2] = {-1, -1};
    struct br_sink sink = {.ctx = kinds, .event = note_kind};
    (void)state;
    struct count_sink k = COUNT({"channels.json", CHANNELS}, {"D0123ABCD/2024-01-01.json", DAY}, {"G0123ABCD/2024-01-01.json", DAY});
    assert_true(has_channel(&k, "D0123ABCD") && has_channel(&k, "G0123ABCD"));
    assert_int_equal(k.warnings[BR_WARN_FOLDER_WITHOUT_CHANNEL], 2);
    count_free(&k);
    static const struct file files[] = {{"D0123ABCD.json", "{\"messages\":[]}"}, {"G0123ABCD.json", "{\"name\":\"mpdm-a--b-1\"}"}};
    write_zip(zip_path, files, BR_COUNT(files));
    assert_int_equal(br_source_open(zip_path, NULL, &s, &err), BR_OK);
    assert_int_equal(br_source_run(s, 0, &sink, &err), BR_OK);
    assert_int_equal(kinds[0], BR_CHANNEL_DM);
    assert_int_equal(kinds[1], BR_CHANNEL_GROUP_DM);
    br_source_close(s);
}

static void what_is_not_imported_is_counted(void **state)
{
    (void)state;
    struct count_sink k = COUNT({"a/channels.json", CHANNELS}, {"a/general/2024-01-01.json", DAY}, {"b/channels.json", CHANNELS},
                                {"b/general/2024-01-01.json", DAY});
    assert_int_equal(k.messages, 1);
    assert_int_equal(k.warnings[BR_WARN_IGNORED_ENTRY], 2);
    count_free(&k);
    k = COUNT({"channels.json", CHANNELS}, {"general/2024-01-01.json", DAY}, {"general/2024-01-02.json/", DAY});
    assert_int_equal(k.warnings[BR_WARN_IGNORED_ENTRY], 1);
    count_free(&k);
}

static void a_channel_may_have_half_a_million_members(void **state)
{
    struct br_buf list;
    (void)state;
    br_buf_init(&list, (size_t)64 << 20);
    br_buf_adds(&list, "[\n    {\n        \"id\": \"C0GENERAL01\",\n        \"name\": \"general\",\n        \"members\": [");
    for (int i = 0; i < 540640; i++)
        br_buf_addf(&list, "%s\n            \"U%010d\"", i ? "," : "", i);
    br_buf_adds(&list, "\n        ]\n    }\n]");
    struct count_sink k = COUNT({"channels.json", br_buf_str(&list)}, {"general/2024-01-01.json", DAY});
    br_buf_free(&list);
    assert_true(has_channel(&k, "C0GENERAL01"));
    assert_int_equal(k.channels, 1);
    assert_int_equal(k.warnings[BR_WARN_BAD_JSON], 0);
    count_free(&k);
}

static void write_file(const char *name, const char *text, off_t size)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
        *p = 0;
        (void)mkdir(path, 0700);
    }
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fflush(f), 0);
    assert_true(!size || ftruncate(fileno(f), size) == 0);
    assert_int_equal(fclose(f), 0);
}

static void a_large_attached_file_is_no_obstacle(void **state)
{
    struct count_sink k = {0};
    struct br_err err = {0};
    size_t workspaces;
    (void)state;
    write_file("channels.json", CHANNELS, 0);
    write_file("general/2024-01-01.json", DAY, 0);
    write_file("__uploads/F1/video.mp4", "", (off_t)3 << 30);
    if (count_source(dir, &k, &workspaces, &err) != BR_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(k.messages, 1);
    count_free(&k);
}

static void assert_workspace(const char *users, const char *want)
{
    const struct file files[] = {{"users.json", users}, {"channels.json", CHANNELS}, {"general/2024-01-01.json", DAY}};
    struct br_err err = {0};
    struct br_source *s = NULL;
    write_zip(zip_path, files, BR_COUNT(files));
    assert_int_equal(br_source_open(zip_path, NULL, &s, &err), BR_OK);
    assert_string_equal(br_source_workspace(s, 0)->id, want);
    br_source_close(s);
}

static void a_workspace_is_known_by_its_own_members(void **state)
{
    (void)state;
    assert_workspace("[{\"id\":\"U1\",\"team_id\":\"T1\"}]", "T1");
    assert_workspace("[{\"id\":\"U1\",\"team_id\":\"../../evil\"},{\"id\":\"U2\",\"team_id\":\"..\"}]", "T9");
    assert_workspace("[{\"id\":\"U1\",\"team_id\":\"T1\"},{\"id\":\"U2\",\"team_id\":\"T2\",\"is_stranger\":true},"
                     "{\"id\":\"U3\",\"team_id\":\"T2\",\"is_stranger\":true}]",
                     "T1");
}

static int64_t freshness_of(const char *path)
{
    struct br_err err = {0};
    struct br_source *s = NULL;
    if (br_source_open(path, NULL, &s, &err) != BR_OK)
        fail_msg("%s", err.msg);
    int64_t f = br_source_freshness(s);
    br_source_close(s);
    return f;
}

static void an_archive_is_as_fresh_as_its_newest_day(void **state)
{
    static const struct file days[] = {{"channels.json", CHANNELS},
                                       {"general/2024-02-29.json", "[]"},
                                       {"general/2024-02-31.json", "[]"}, /* no day */
                                       {"general/2023-12-31.json", "[]"}};
    const struct timespec times[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000, .tv_nsec = 5000}};
    char path[256];
    (void)state;
    write_zip(zip_path, days, BR_COUNT(days));
    assert_true(freshness_of(zip_path) == INT64_C(1709251200000000)); /* 2024-03-01 */
    (void)snprintf(path, sizeof path, "%s/dump", dir);
    write_file("dump/C0123ABCD.json", DUMP, 0);
    write_file("dump/__uploads/F1/later.json", "{}", 0);
    (void)snprintf(path, sizeof path, "%s/dump/C0123ABCD.json", dir);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    (void)snprintf(path, sizeof path, "%s/dump", dir);
    assert_true(freshness_of(path) == INT64_C(1700000000000005));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(attached_files_do_not_hide_a_dump, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_archive_without_channels_and_messages_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(channels_are_not_lost_by_their_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_macos_has_decomposed_is_matched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unlisted_folder_named_by_an_id_keeps_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_imported_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_channel_may_have_half_a_million_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_attached_file_is_no_obstacle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_workspace_is_known_by_its_own_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_archive_is_as_fresh_as_its_newest_day, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
