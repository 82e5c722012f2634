/* t_verify_tells_of_damage.c - whatever was lost or overwritten in a home, verify and status say so (exit 5, and one JSON document), and the
 * other workspaces are looked at all the same. Runs the built program on two small workspaces. */
#include "cli_run.h"

static void write_export(const char *dir, const char *team)
{
    char name[128], text[512];
    mkdir(in_scratch(dir), 0700);
    snprintf(name, sizeof(name), "%s/general", dir);
    mkdir(in_scratch(name), 0700);
    snprintf(name, sizeof(name), "%s/users.json", dir);
    snprintf(text, sizeof(text), "[{\"id\":\"U0ADA001\",\"team_id\":\"%s\",\"name\":\"ada\"}]", team);
    write_file(name, text);
    snprintf(name, sizeof(name), "%s/channels.json", dir);
    write_file(name, "[{\"id\":\"C0TINY001\",\"name\":\"general\",\"members\":[\"U0ADA001\"]}]");
    snprintf(name, sizeof(name), "%s/general/2024-01-01.json", dir);
    write_file(name, "[{\"type\":\"message\",\"user\":\"U0ADA001\",\"ts\":\"1704103200.000100\",\"text\":\"the bridge is closed\"},"
                     "{\"type\":\"message\",\"user\":\"U0ADA001\",\"ts\":\"1704103300.000100\",\"text\":\"lunch at noon\"}]");
}

static int set_up(void **state)
{
    (void)state;
    if (cli_make_scratch() != 0)
        return -1;
    write_export("one", "T0ONE0001");
    write_export("two", "T0TWO0001");
    struct outcome a = RUN("whole", "import", "-q", in_scratch("one"));
    struct outcome b = RUN("whole", "import", "-q", "--name", "Second", in_scratch("two"));
    int status = a.status || b.status;
    done(&a);
    done(&b);
    return status;
}

/* A copy of the whole home, on whose first workspace the shell command was run ($W is its directory). */
static void damaged_home(const char *home, const char *command)
{
    char line[1024];
    snprintf(line, sizeof(line), "cd '%s' && cp -r whole %s && W=%s/workspaces/T0ONE0001 && %s", scratch, home, home, command);
    assert_int_equal(system(line), 0);
}

/* The line says what to do, and says it once. */
static void assert_one_remedy(const struct outcome *o)
{
    const char *once = strstr(o->err, "backup");
    bool repair = strstr(o->err, "`backread repair`"), import = strstr(o->err, ": import the archives again");
    assert_true(repair != import);
    assert_non_null(once);
    assert_null(strstr(once + 1, "backup"));
}

static void assert_damage_is_told(const char *home)
{
    struct outcome o = RUN(home, "verify", "--json");
    assert_error(&o, 5);
    assert_one_remedy(&o);
    json_t *j = document(&o), *list = at(j, "workspaces");
    assert_true(json_is_false(at(j, "ok")));
    assert_true(number(j, "corrupt") > 0);
    assert_true(json_is_string(at(j, "first_problem")));
    assert_int_equal(json_array_size(list), 2);
    assert_string(json_array_get(list, 0), "workspace", "T0ONE0001");
    assert_true(json_is_false(at(json_array_get(list, 0), "ok")));
    assert_true(json_is_true(at(json_array_get(list, 1), "ok")));
    assert_int_equal(number(json_array_get(list, 1), "messages"), 2);
    json_decref(j);
    done(&o);
    o = RUN(home, "verify");
    assert_error(&o, 5);
    assert_non_null(strstr(o.out, "T0ONE0001: DAMAGED"));
    assert_non_null(strstr(o.out, "Second: whole"));
    done(&o);
    o = RUN(home, "verify", "-w", "Second");
    assert_done(&o);
    done(&o);
}

static void assert_status_goes_on(const char *home)
{
    struct outcome o = RUN(home, "status", "--json");
    assert_error(&o, 5);
    assert_one_remedy(&o);
    json_t *j = document(&o), *list = at(j, "workspaces");
    assert_int_equal(json_array_size(list), 2);
    assert_string(json_array_get(list, 0), "id", "T0ONE0001");
    assert_true(json_is_string(at(json_array_get(list, 0), "problem")));
    assert_int_equal(number(json_array_get(list, 1), "messages"), 2);
    assert_true(json_is_null(at(json_array_get(list, 1), "problem")));
    json_decref(j);
    done(&o);
    o = RUN(home, "status");
    assert_error(&o, 5);
    assert_non_null(strstr(o.out, "Second"));
    done(&o);
}

static void a_lost_directory_is_damage_until_the_next_import(void **state)
{
    (void)state;
    damaged_home("lost", "rm -r $W");
    assert_damage_is_told("lost");
    assert_status_goes_on("lost");
    struct outcome o = RUN("lost", "search", "-w", "T0ONE0001", "bridge");
    assert_error(&o, 5);
    assert_non_null(strstr(o.err, ": import the archives again, or restore a backup")); /* there is nothing to repair it from */
    done(&o);
    o = RUN("lost", "import", "-q", in_scratch("one"));
    assert_done(&o);
    done(&o);
    o = RUN("lost", "verify", "--deep");
    assert_done(&o);
    done(&o);
}

static void a_lost_file_is_damage(void **state)
{
    (void)state;
    damaged_home("no_vectors", "rm $W/vectors.1");
    assert_damage_is_told("no_vectors");
    assert_status_goes_on("no_vectors");
    damaged_home("no_metadata", "rm $W/metadata.db*");
    assert_damage_is_told("no_metadata");
    assert_status_goes_on("no_metadata");
    struct outcome o = RUN("no_metadata", "import", "-q", in_scratch("one")); /* the texts that are left are not written over */
    assert_int_not_equal(o.status, 0);
    done(&o);
    o = RUN("whole", "backup", "-w", "T0ONE0001", in_scratch("one.tar.zst"));
    assert_done(&o);
    done(&o);
    o = RUN("no_metadata", "restore", in_scratch("one.tar.zst")); /* nor thrown away for an older copy */
    assert_error(&o, 2);
    assert_non_null(strstr(o.err, "repair"));
    done(&o);
    o = RUN("no_metadata", "repair", "-w", "T0ONE0001");
    assert_done(&o);
    done(&o);
    damaged_home("empty", "truncate -s 0 $W/metadata.db && rm -f $W/metadata.db-wal $W/metadata.db-shm");
    o = RUN("empty", "restore", in_scratch("one.tar.zst"));
    assert_error(&o, 2);
    done(&o);
    o = RUN("empty", "restore", in_scratch("one.tar.zst"), "--name", "again");
    assert_done(&o);
    done(&o);
    damaged_home("gone", "rm -r $W");
    o = RUN("gone", "restore", in_scratch("one.tar.zst"));
    assert_done(&o);
    done(&o);
    damaged_home("cut", "truncate -s 10 $W/content.1");
    assert_damage_is_told("cut");
}

/* Whatever the home is called; and what has a remedy of its own gets no other. */
static void the_remedy_fits(void **state)
{
    (void)state;
    damaged_home("repair-of-a-backup", "truncate -s 10 $W/content.1");
    struct outcome o = RUN("repair-of-a-backup", "search", "-w", "T0ONE0001", "bridge");
    assert_error(&o, 5);
    assert_non_null(strstr(o.err, "run `backread repair`"));
    done(&o);
    damaged_home("emptied", "rm $W/*");
    o = RUN("emptied", "repair", "-w", "T0ONE0001");
    assert_error(&o, 5);
    assert_non_null(strstr(o.err, "import the archives again"));
    assert_null(strstr(o.err, "run `backread repair`"));
    done(&o);
}

/* Searches do without a graph, so nobody else would tell of it. */
static void a_lost_graph_is_damage_until_it_is_repaired(void **state)
{
    (void)state;
    damaged_home("no_graph", "rm $W/graph.*");
    struct outcome o = RUN("no_graph", "verify", "--json");
    assert_error(&o, 5);
    assert_non_null(strstr(o.err, "repair"));
    json_t *j = document(&o), *list = at(j, "workspaces");
    assert_true(json_is_false(at(j, "ok")));
    assert_int_equal(json_array_size(list), 2);
    assert_true(json_is_false(at(at(json_array_get(list, 0), "graph"), "ok")));
    assert_true(json_is_true(at(json_array_get(list, 1), "ok")));
    json_decref(j);
    done(&o);
    o = RUN("no_graph", "search", "-w", "T0ONE0001", "bridge");
    assert_done(&o);
    done(&o);
    o = RUN("no_graph", "repair", "-w", "T0ONE0001");
    assert_done(&o);
    done(&o);
    o = RUN("no_graph", "verify", "--deep");
    assert_done(&o);
    done(&o);
}

static void an_overwritten_header_is_damage(void **state)
{
    (void)state;
    damaged_home("header", "printf 'garbage garbage garbage' | dd of=$W/metadata.db conv=notrunc status=none");
    assert_damage_is_told("header");
    assert_status_goes_on("header");
}

static void every_damaged_workspace_is_told(void **state)
{
    (void)state;
    damaged_home("both", "rm $W/vectors.1 && rm -r both/workspaces/T0TWO0001");
    struct outcome o = RUN("both", "verify", "--json");
    assert_error(&o, 5);
    json_t *j = document(&o), *list = at(j, "workspaces");
    assert_int_equal(json_array_size(list), 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(json_is_false(at(json_array_get(list, i), "ok")));
    assert_int_equal(number(j, "corrupt"), 2);
    json_decref(j);
    done(&o);
}

static void a_workspace_without_a_name_is_told_by_its_id(void **state)
{
    (void)state;
    struct outcome o = RUN("whole", "verify");
    assert_done(&o);
    assert_non_null(strstr(o.out, "T0ONE0001: whole"));
    assert_non_null(strstr(o.out, "Second: whole"));
    done(&o);
}

static void which_workspace_is_asked_with_the_choices(void **state)
{
    (void)state;
    struct outcome o = RUN("whole", "search", "bridge");
    assert_error(&o, 2);
    assert_non_null(strstr(o.err, "-w"));
    assert_non_null(strstr(o.err, "T0ONE0001"));
    assert_non_null(strstr(o.err, "T0TWO0001 (Second)"));
    done(&o);
    o = RUN("whole", "search", "-w", "Third", "bridge");
    assert_error(&o, 1);
    assert_non_null(strstr(o.err, "T0TWO0001 (Second)"));
    done(&o);
    o = RUN("whole", "search", "-w", "", "bridge");
    assert_error(&o, 2);
    done(&o);
    o = RUN("whole", "status", "--home", "");
    assert_error(&o, 2);
    done(&o);
}

int main(void)
{
    if (!cli_binary())
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_directory_is_damage_until_the_next_import),
        cmocka_unit_test(a_lost_file_is_damage),
        cmocka_unit_test(the_remedy_fits),
        cmocka_unit_test(a_lost_graph_is_damage_until_it_is_repaired),
        cmocka_unit_test(an_overwritten_header_is_damage),
        cmocka_unit_test(every_damaged_workspace_is_told),
        cmocka_unit_test(a_workspace_without_a_name_is_told_by_its_id),
        cmocka_unit_test(which_workspace_is_asked_with_the_choices),
    };
    return cmocka_run_group_tests(tests, set_up, cli_remove_scratch);
}
