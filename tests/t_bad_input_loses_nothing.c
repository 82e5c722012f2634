/* Bad input and bad weather: each gets one clear line and the right status, and nothing already stored is lost. */
#include "e2e.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char sample[2048], tiny[2048];

static int import_status(const char *home_dir, const char *path, struct br_error *err)
{
    struct br_import_reports r = {0};
    struct br_home *home = e2e_home(home_dir, NULL);
    *err = (struct br_error){0};
    int status = br_import(home, path, NULL, &r, err);
    if (status == 0)
        br_import_reports_free(&r);
    else {
        assert_true(err->message[0] != 0);
        assert_null(strchr(err->message, '\n'));
    }
    br_home_close(home);
    return status;
}

static void copy_prefix(const char *from, const char *to, size_t n)
{
    char *bytes = malloc(n);
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(bytes && in && out);
    assert_int_equal(fread(bytes, 1, n, in), n);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    fclose(out);
    free(bytes);
}

static void flip_byte(const char *path, long offset)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, offset, SEEK_SET);
    int c = fgetc(f);
    fseek(f, offset, SEEK_SET);
    fputc(c ^ 0x41, f);
    fclose(f);
}

static void only_match(const char *pattern, char *out, size_t n)
{
    glob_t g;
    assert_int_equal(glob(pattern, 0, NULL, &g), 0);
    assert_true(g.gl_pathc >= 1);
    snprintf(out, n, "%s", g.gl_pathv[g.gl_pathc - 1]);
    globfree(&g);
}

static void bad_sources_are_refused_and_leave_no_workspace(void **state)
{
    (void)state;
    char dir[1024], path[2048];
    struct br_error err;
    struct br_workspace_names names = {0};
    e2e_scratch(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/cut.zip", dir);
    copy_prefix(sample, path, 60000);
    assert_int_equal(import_status(dir, path, &err), BR_STATUS_BAD_DATA);
    assert_non_null(strstr(err.message, "cut.zip"));
    snprintf(path, sizeof path, "%s/empty", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(import_status(dir, path, &err), BR_STATUS_BAD_DATA);
    snprintf(path, sizeof path, "%s/absent.zip", dir);
    assert_int_equal(import_status(dir, path, &err), BR_STATUS_IO);
    assert_non_null(strstr(err.message, "absent.zip"));
    struct br_home *home = e2e_home(dir, NULL);
    assert_int_equal(br_home_workspaces(home, &names, &err), 0);
    assert_int_equal(names.count, 0);
    br_workspace_names_free(&names);
    br_home_close(home);
    e2e_remove_tree(dir);
}

static void a_home_that_cannot_be_written_is_one_line(void **state)
{
    (void)state;
    char dir[1024], path[2048];
    struct br_error err;
    e2e_scratch(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/file", dir);
    fclose(fopen(path, "w"));
    snprintf(path, sizeof path, "%s/file/home", dir);
    assert_int_equal(import_status(path, tiny, &err), BR_STATUS_IO);
    e2e_remove_tree(dir);
}

/* Holds the workspace's lock in another process until told to go. */
static void a_second_writer_is_told_so(void **state)
{
    (void)state;
    char dir[1024], pattern[2048], lock[2048];
    struct br_error err;
    e2e_scratch(dir, sizeof dir);
    assert_int_equal(import_status(dir, tiny, &err), 0);
    snprintf(pattern, sizeof pattern, "%s/workspaces/*/LOCK", dir);
    only_match(pattern, lock, sizeof lock);
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &fl), 0);
    assert_int_equal(import_status(dir, tiny, &err), BR_STATUS_IO);
    close(fd);
    assert_int_equal(import_status(dir, tiny, &err), 0);
    e2e_remove_tree(dir);
}

static size_t count_hits(const char *dir)
{
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    struct br_search_results r = {0};
    struct br_search_options o = {.mode = BR_SEARCH_SEMANTIC, .n = 100};
    struct br_home *home = e2e_home(dir, NULL);
    if (br_workspace_open(home, NULL, &ws, &err))
        fail_msg("%s", err.message);
    if (br_search(ws, "animals", &o, &r, &err))
        fail_msg("%s", err.message);
    size_t n = r.count;
    br_search_results_free(&r);
    br_workspace_close(ws);
    br_home_close(home);
    return n;
}

static void a_damaged_graph_costs_nothing_but_time(void **state)
{
    (void)state;
    char dir[1024], pattern[2048], graph[2048];
    struct br_error err = {0};
    struct br_verify_report v = {0};
    e2e_scratch(dir, sizeof dir);
    assert_int_equal(import_status(dir, tiny, &err), 0);
    size_t before = count_hits(dir);
    snprintf(pattern, sizeof pattern, "%s/workspaces/*/graph.*", dir);
    only_match(pattern, graph, sizeof graph);
    flip_byte(graph, 20);
    assert_int_equal(count_hits(dir), before);
    struct br_home *home = e2e_home(dir, NULL);
    assert_int_equal(br_verify(home, NULL, true, &v, &err), 0);
    assert_false(v.ok);
    assert_int_equal(v.corrupt, 0);
    br_home_close(home);
    assert_int_equal(unlink(graph), 0);
    assert_int_equal(count_hits(dir), before);
    assert_int_equal(import_status(dir, tiny, &err), 0); /* nothing new, and yet the graph is written again */
    home = e2e_home(dir, NULL);
    assert_int_equal(br_verify(home, NULL, true, &v, &err), 0);
    assert_true(v.ok);
    assert_true(v.graph_nodes > 0);
    br_home_close(home);
    assert_int_equal(count_hits(dir), before);
    e2e_remove_tree(dir);
}

/* What a kill while a workspace is being made can leave: any first part of the files, none of them with a store in it. */
static void a_creation_that_was_cut_short_is_done_again(void **state)
{
    (void)state;
    char dir[1024], path[2048];
    struct br_error err = {0};
    for (int left = 0; left < 3; left++) {
        e2e_scratch(dir, sizeof dir);
        snprintf(path, sizeof path, "%s/workspaces", dir);
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(path, sizeof path, "%s/workspaces/T01TORTURE1", dir);
        assert_int_equal(mkdir(path, 0700), 0);
        static const char *const names[] = {"LOCK", "content.1", "metadata.db"};
        for (int i = 0; i <= left; i++) {
            snprintf(path, sizeof path, "%s/workspaces/T01TORTURE1/%s", dir, names[i]);
            fclose(fopen(path, "w"));
        }
        assert_int_equal(import_status(dir, tiny, &err), 0);
        struct br_home *home = e2e_home(dir, NULL);
        e2e_verify(home, "T01TORTURE1");
        br_home_close(home);
        e2e_remove_tree(dir);
    }
}

/* registry.db is a convenience: without it the directories tell. */
static void a_lost_registry_is_made_again(void **state)
{
    (void)state;
    char dir[1024], path[2048];
    struct br_error err = {0};
    struct br_workspace_names names = {0};
    e2e_scratch(dir, sizeof dir);
    assert_int_equal(import_status(dir, tiny, &err), 0);
    snprintf(path, sizeof path, "%s/registry.db", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(import_status(dir, sample, &err), 0);
    struct br_home *home = e2e_home(dir, NULL);
    assert_int_equal(br_home_workspaces(home, &names, &err), 0);
    assert_int_equal(names.count, 2);
    br_workspace_names_free(&names);
    br_home_close(home);
    e2e_remove_tree(dir);
}

static void a_damaged_vector_is_found_by_deep_verify(void **state)
{
    (void)state;
    char dir[1024], pattern[2048], file[2048];
    struct br_error err = {0};
    struct br_verify_report v = {0};
    e2e_scratch(dir, sizeof dir);
    assert_int_equal(import_status(dir, tiny, &err), 0);
    snprintf(pattern, sizeof pattern, "%s/workspaces/*/vectors.*", dir);
    only_match(pattern, file, sizeof file);
    flip_byte(file, 4096 + 100);
    struct br_home *home = e2e_home(dir, NULL);
    assert_int_equal(br_verify(home, NULL, true, &v, &err), 0);
    assert_false(v.ok);
    assert_int_equal(v.corrupt, 1);
    assert_true(v.first_problem[0] != 0);
    br_home_close(home);
    e2e_remove_tree(dir);
}

static void a_full_disk_keeps_what_is_stored(void **state)
{
    (void)state;
    char dir[1024];
    struct br_error err = {0};
    e2e_scratch(dir, sizeof dir);
    if (mount("tmpfs", dir, "tmpfs", 0, "size=3m") != 0) {
        printf("SKIPPED: cannot mount a small tmpfs (%s)\n", strerror(errno));
        rmdir(dir);
        return;
    }
    assert_int_equal(import_status(dir, tiny, &err), 0);
    int second = import_status(dir, sample, &err);
    if (second != BR_STATUS_IO)
        print_error("import into 3 MiB: %d %s\n", second, err.message);
    struct br_verify_report v = {0};
    struct br_home *home = e2e_home(dir, NULL);
    struct br_workspace_names names = {0};
    assert_int_equal(br_home_workspaces(home, &names, &err), 0);
    for (size_t i = 0; i < names.count; i++) {
        int rc = br_verify(home, names.items[i].id, true, &v, &err);
        if (rc && rc != BR_STATUS_NOT_FOUND)
            print_error("verify %s: %s\n", names.items[i].id, err.message);
        assert_true(rc == BR_STATUS_NOT_FOUND || (rc == 0 && v.ok));
    }
    br_workspace_names_free(&names);
    br_home_close(home);
    umount(dir);
    rmdir(dir);
    assert_int_equal(second, BR_STATUS_IO);
}

int main(void)
{
    e2e_source_path(sample, sizeof sample, "data/sample/houstondatavis.zip");
    e2e_source_path(tiny, sizeof tiny, "tests/data/torture/29-content-in-blocks/export.zip");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_sources_are_refused_and_leave_no_workspace),
        cmocka_unit_test(a_home_that_cannot_be_written_is_one_line),
        cmocka_unit_test(a_second_writer_is_told_so),
        cmocka_unit_test(a_damaged_graph_costs_nothing_but_time),
        cmocka_unit_test(a_creation_that_was_cut_short_is_done_again),
        cmocka_unit_test(a_lost_registry_is_made_again),
        cmocka_unit_test(a_damaged_vector_is_found_by_deep_verify),
        cmocka_unit_test(a_full_disk_keeps_what_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
