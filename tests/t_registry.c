/* t_registry.c - the registry names workspaces, and survives being lost. */
#include "registry.h"
#include "store.h"
#include "store_test.h"

struct listing {
    char text[512];
};

static enum br_rc list_cb(void *ctx, const char *id, const char *name)
{
    struct listing *l = ctx;
    size_t n = strlen(l->text);
    snprintf(l->text + n, sizeof(l->text) - n, "%s=%s;", id, name);
    return BR_OK;
}

static void assert_list(struct br_registry *r, const char *want)
{
    struct listing l = {{0}};
    struct br_err err = {0};
    OK(br_registry_each(r, list_cb, &l, &err));
    assert_string_equal(l.text, want);
}

static struct br_registry *open_home(const char *home, bool create)
{
    struct br_registry *r;
    struct br_err err = {0};
    OK(br_registry_open(&br_io_posix, home, create, &r, NULL, &err));
    return r;
}

static void make_workspace(struct br_registry *r, const char *id, const char *name)
{
    char dir[4096];
    struct br_store *s;
    struct br_err err = {0};
    struct br_store_spec spec = {.workspace_id = id, .name = name, .model_id = "m", .dim = DIM};
    OK(br_registry_dir(r, id, dir, sizeof(dir), &err));
    OK(br_store_create(&br_io_posix, dir, &spec, &s, &err));
    br_store_close(s);
    OK(br_registry_add(r, id, name, &err));
}

static void names_and_ids(void **state)
{
    char home[300], id[65];
    struct br_err err = {0};
    snprintf(home, sizeof(home), "%s/deep/home", (char *)*state);
    struct br_registry *r = open_home(home, false);
    assert_list(r, "");
    FAILS(br_registry_find(r, NULL, id, &err), BR_E_NOTFOUND);
    br_registry_close(r);
    assert_int_not_equal(access(home, F_OK), 0); /* reading makes nothing */

    r = open_home(home, true);
    OK(br_registry_add(r, "T1", "one", &err));
    OK(br_registry_find(r, NULL, id, &err));
    assert_string_equal(id, "T1");
    OK(br_registry_add(r, "T2", "two", &err));
    OK(br_registry_add(r, "T3", "T1", &err)); /* a name that is another's id */
    OK(br_registry_add(r, "T4", "two", &err));
    OK(br_registry_add(r, "T4", "two", &err));
    assert_list(r, "T1=one;T2=two;T3=T1;T4=two;");
    FAILS(br_registry_find(r, NULL, id, &err), BR_E_USAGE);
    assert_int_equal(br_registry_find(r, "two", id, &err), BR_E_USAGE);
    assert_non_null(strstr(err.msg, ": T2, T4")); /* these two, wherever they are in the list */
    err = (struct br_err){0};
    FAILS(br_registry_find(r, "none", id, &err), BR_E_NOTFOUND);
    FAILS(br_registry_add(r, "../T", "x", &err), BR_E_USAGE);
    OK(br_registry_find(r, "T1", id, &err));
    assert_string_equal(id, "T1");
    OK(br_registry_find(r, "one", id, &err));
    OK(br_registry_remove(r, "T4", &err));
    FAILS(br_registry_remove(r, "T4", &err), BR_E_NOTFOUND);
    OK(br_registry_find(r, "two", id, &err));
    assert_string_equal(id, "T2");
    br_registry_close(r);

    struct stat st;
    assert_int_equal(stat(home, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    unsigned mode = 1;
    OK(br_registry_open(&br_io_posix, home, false, &r, &mode, &err));
    assert_int_equal(mode, 0);
    assert_list(r, "T1=one;T2=two;T3=T1;");
    FAILS(br_registry_add(r, "T9", "x", &err), BR_E_IO);
    br_registry_close(r);
    assert_int_equal(chmod(home, 0755), 0);
    OK(br_registry_open(&br_io_posix, home, true, &r, &mode, &err));
    assert_int_equal(mode, 0755);
    br_registry_close(r);
}

static void lost_registry_is_rebuilt(void **state)
{
    char path[400], home[300];
    snprintf(home, sizeof(home), "%s/lost", (char *)*state);
    snprintf(path, sizeof(path), "%s/registry.db", home);
    struct br_registry *r = open_home(home, true);
    make_workspace(r, "TB", "bee");
    make_workspace(r, "TA", "ay");
    br_registry_close(r);

    for (int damage = 0; damage < 3; damage++) {
        if (damage == 0) {
            assert_int_equal(unlink(path), 0);
        } else {
            FILE *f = fopen(path, "wb");
            assert_non_null(f);
            for (int i = 0; damage == 1 && i < 4096; i++)
                fputc(i * 7, f);
            fclose(f); /* 2: an empty file */
        }
        r = open_home(home, false);
        assert_list(r, "TA=ay;TB=bee;");
        br_registry_close(r);
        r = open_home(home, true);
        assert_list(r, "TA=ay;TB=bee;");
        br_registry_close(r);
        assert_int_equal(access(path, F_OK), 0);
    }
}

/* Seen by a reader that finds no registry yet: files of a store that is being made. Logs with content have lost their store. */
static void a_workspace_in_the_making_is_none(void **state)
{
    char home[300], path[400];
    snprintf(home, sizeof(home), "%s/making", (char *)*state);
    br_registry_close(open_home(home, true));
    snprintf(path, sizeof(path), "%s/registry.db", home);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/workspaces/TC", home);
    assert_int_equal(mkdir(path, 0700), 0);
    static const char *const names[] = {"LOCK", "metadata.db", "content.1", "vectors.1"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/workspaces/TC/%s", home, names[i]);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fclose(f);
        if (i >= 2)
            assert_int_equal(truncate(path, 4096), 0);
        struct br_registry *r = open_home(home, false);
        assert_list(r, "");
        br_registry_close(r);
    }
    assert_int_equal(truncate(path, 8192), 0);
    struct br_registry *r = open_home(home, false);
    assert_list(r, "TC=;");
    br_registry_close(r);
}

static void home_that_cannot_be_made(void **state)
{
    char home[300];
    struct br_registry *r;
    struct br_err err = {0};
    snprintf(home, sizeof(home), "%s/file", (char *)*state);
    FILE *f = fopen(home, "w");
    assert_non_null(f);
    fclose(f);
    FAILS(br_registry_open(&br_io_posix, home, true, &r, NULL, &err), BR_E_IO);
    FAILS(br_registry_open(&br_io_posix, home, false, &r, NULL, &err), BR_E_IO);
    FAILS(br_registry_open(&br_io_posix, "/proc/none/home", true, &r, NULL, &err), BR_E_IO);
    /* As a user who may not write there. */
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(0);
        enum br_rc rc = br_registry_open(&br_io_posix, "/nowhere/home", true, &r, NULL, &err);
        _exit(rc == BR_E_IO && r == NULL ? 0 : 1);
    }
    assert_child_ok(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_and_ids, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(lost_registry_is_rebuilt, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(a_workspace_in_the_making_is_none, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(home_that_cannot_be_made, make_tmp, remove_tmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
