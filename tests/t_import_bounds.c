/* What an import costs is bounded by its input, what it leaves behind is cleared away, and what it stored is reported even when it fails. */
#include "e2e.h"
#include "small_export.h"
#include "tiny_model.h"

#include "engine_int.h"

#include <fcntl.h>
#include <time.h>

static char scratch[1024], model_path[1200], zip_path[1200];

static double seconds_of(void (*fn)(void))
{
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    fn();
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* Every character of the text is in a passage, in order, and none is cut. */
static void cut_text_without_blanks(void)
{
    const size_t n = 300000;
    struct br_err err = {0};
    struct br_model *model = NULL;
    struct br_arena arena;
    struct br_passage *passages = NULL;
    size_t n_passages = 0, seen = 0;
    char *text = malloc(3 * n);
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        memcpy(text + 3 * i, "\xE8\xAA\x9E", 3);
    const struct br_thread_text message = {.ts = 1, .speaker = "Ann", .text = text, .len = 3 * n};
    br_arena_init(&arena, (size_t)1 << 28);
    assert_int_equal(br_model_open(model_path, &model, &err), BR_OK);
    assert_int_equal(br_passages_cut(model, &message, 1, &arena, &passages, &n_passages, &err), BR_OK);
    for (size_t i = 0; i < n_passages; i++) {
        assert_memory_equal(passages[i].text, "Ann: ", 5);
        assert_int_equal((passages[i].len - 5) % 3, 0);
        seen += (passages[i].len - 5) / 3;
    }
    assert_int_equal(seen, n);
    br_model_close(model);
    br_arena_free(&arena);
    free(text);
}

static void text_without_blanks_is_cut_in_linear_time(void **state)
{
    (void)state;
    double seconds = seconds_of(cut_text_without_blanks);
    if (seconds > 8)
        fail_msg("%.1f s", seconds);
}

static void a_huge_thread_is_cut_into_so_many_passages_and_no_more(void **state)
{
    char dir[1024], words[40001];
    struct br_buf day;
    (void)state;
    for (size_t i = 0; i < sizeof words - 1; i++)
        words[i] = "word "[i % 5];
    words[sizeof words - 1] = 0;
    br_buf_init(&day, (size_t)64 << 20);
    br_buf_addc(&day, '[');
    for (int i = 0; i < 300; i++)
        br_buf_addf(&day, "%s{\"type\":\"message\",\"user\":\"U1\",\"ts\":\"1704103%03d.000100\",\"thread_ts\":\"1704103000.000100\",\"text\":"
                          "\"%d %s\"}", i ? "," : "", i, i, words);
    br_buf_addc(&day, ']');
    const struct file files[] = {{"channels.json", "[{\"id\":\"C0GENERAL01\",\"name\":\"general\"}]"},
                                 {"general/2024-01-01.json", br_buf_str(&day)}};
    write_zip(zip_path, files, BR_COUNT(files));
    br_buf_free(&day);
    e2e_scratch(dir, sizeof dir);
    struct br_home *home = e2e_home(dir, model_path);
    struct br_import_reports r = e2e_import(home, zip_path, true);
    assert_int_equal(r.sum.messages_new, 300);
    assert_in_range(r.sum.documents, 300 + 6000, 300 + 7500); /* 9,000 without a bound */
    br_import_reports_free(&r);
    br_home_close(home);
    e2e_remove_tree(dir);
}

#define TEAM(label, team, channel, ts)                                                                                   \
    {"teams/" label "/users.json", "[{\"id\":\"U1\",\"team_id\":\"" team "\",\"name\":\"ann\"}]"},                        \
        {"teams/" label "/channels.json", "[{\"id\":\"" channel "\",\"name\":\"general\"}]"},                             \
    {                                                                                                                    \
        "teams/" label "/general/2024-01-01.json", "[" MESSAGE("U1", ts, "\"text\":\"hello\"") "]"                       \
    }

static void two_folders_of_one_workspace_are_reported_once(void **state)
{
    static const struct file files[] = {TEAM("a", "T1", "C0GENERAL01", "01"), TEAM("b", "T1", "C0OTHER0001", "02")};
    char dir[1024];
    (void)state;
    write_zip(zip_path, files, BR_COUNT(files));
    e2e_scratch(dir, sizeof dir);
    struct br_home *home = e2e_home(dir, model_path);
    struct br_import_reports r = e2e_import(home, zip_path, false);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.items[0].messages_new, 2);
    assert_int_equal(r.sum.messages_new, 2);
    br_import_reports_free(&r);
    br_home_close(home);
    e2e_remove_tree(dir);
}

static int lock_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_true(fd >= 0 && fcntl(fd, F_OFD_SETLK, &fl) == 0);
    return fd;
}

static void a_failure_leaves_the_report_of_what_was_stored(void **state)
{
    static const struct file files[] = {TEAM("a", "T1", "C0GENERAL01", "01"), TEAM("b", "T2", "C0OTHER0001", "02")};
    char dir[1024], lock[2048];
    struct br_error err = {0};
    struct br_import_reports again = {0};
    (void)state;
    write_zip(zip_path, files, BR_COUNT(files));
    e2e_scratch(dir, sizeof dir);
    struct br_home *home = e2e_home(dir, model_path);
    struct br_import_reports first = e2e_import(home, zip_path, false);
    assert_int_equal(first.count, 2);
    snprintf(lock, sizeof lock, "%s/workspaces/%s/LOCK", dir, first.items[1].workspace);
    int fd = lock_file(lock);
    assert_int_equal(br_import(home, zip_path, NULL, &again, &err), BR_STATUS_IO);
    assert_int_equal(again.count, 1);
    assert_string_equal(again.sum.workspace, first.items[0].workspace);
    assert_int_equal(again.sum.messages_unchanged, 1);
    close(fd);
    br_import_reports_free(&first);
    br_import_reports_free(&again);
    br_home_close(home);
    e2e_remove_tree(dir);
}

/* As a dry run that was killed leaves it: tmp/backread-dry-run-<tag>/store/. */
static void make_leftover(const char *tmp, const char *tag, char *lock, size_t n)
{
    snprintf(lock, n, "%s/backread-dry-run-%s", tmp, tag);
    assert_int_equal(mkdir(lock, 0700), 0);
    snprintf(lock, n, "%s/backread-dry-run-%s/store", tmp, tag);
    assert_int_equal(mkdir(lock, 0700), 0);
    snprintf(lock, n, "%s/backread-dry-run-%s/store/content.1", tmp, tag);
    FILE *f = fopen(lock, "w");
    assert_non_null(f);
    fputs("somebody's message", f);
    assert_int_equal(fclose(f), 0);
    snprintf(lock, n, "%s/backread-dry-run-%s/store/LOCK", tmp, tag);
    close(lock_file(lock));
}

static void what_a_killed_dry_run_left_is_removed(void **state)
{
    static const struct file files[] = {{"channels.json", "[{\"id\":\"C0GENERAL01\",\"name\":\"general\"}]"},
                                        {"general/2024-01-01.json", "[" MESSAGE("U1", "01", "\"text\":\"hello\"") "]"}};
    char dir[1024], tmp[1100], dead[1300], alive[1300], other[1300], link[1300], target[1300];
    const char *before = getenv("TMPDIR");
    char *saved = before ? strdup(before) : NULL;
    (void)state;
    e2e_scratch(dir, sizeof dir);
    snprintf(tmp, sizeof tmp, "%s/tmp", dir);
    assert_int_equal(mkdir(tmp, 0700), 0);
    make_leftover(tmp, "0123456789abcdef", dead, sizeof dead);
    make_leftover(tmp, "0000000000000001", alive, sizeof alive);
    make_leftover(tmp, "of-somebody-else", other, sizeof other);
    make_leftover(dir, "0000000000000002", target, sizeof target);
    snprintf(target, sizeof target, "%s/backread-dry-run-0000000000000002", dir);
    snprintf(link, sizeof link, "%s/backread-dry-run-0000000000000002", tmp);
    assert_int_equal(symlink(target, link), 0);
    int fd = lock_file(alive);
    write_zip(zip_path, files, BR_COUNT(files));
    assert_int_equal(setenv("TMPDIR", tmp, 1), 0);
    struct br_home *home = e2e_home(dir, model_path);
    struct br_import_reports r = e2e_import(home, zip_path, true);
    assert_int_equal(saved ? setenv("TMPDIR", saved, 1) : unsetenv("TMPDIR"), 0);
    assert_int_not_equal(access(dead, F_OK), 0);
    *strrchr(dead, '/') = 0;
    *strrchr(dead, '/') = 0;
    assert_int_not_equal(access(dead, F_OK), 0);
    assert_int_equal(access(alive, F_OK), 0);
    assert_int_equal(access(other, F_OK), 0);
    assert_int_equal(e2e_files_with(dir, "somebody's message"), 3);
    close(fd);
    free(saved);
    br_import_reports_free(&r);
    br_home_close(home);
    e2e_remove_tree(dir);
}

static int set_up(void **state)
{
    (void)state;
    e2e_scratch(scratch, sizeof scratch);
    tiny_model(scratch, model_path, sizeof model_path);
    snprintf(zip_path, sizeof zip_path, "%s/export.zip", scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    e2e_remove_tree(scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_without_blanks_is_cut_in_linear_time),
        cmocka_unit_test(a_huge_thread_is_cut_into_so_many_passages_and_no_more),
        cmocka_unit_test(two_folders_of_one_workspace_are_reported_once),
        cmocka_unit_test(a_failure_leaves_the_report_of_what_was_stored),
        cmocka_unit_test(what_a_killed_dry_run_left_is_removed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
