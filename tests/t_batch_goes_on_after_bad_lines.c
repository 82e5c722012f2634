/* t_batch_goes_on_after_bad_lines.c - one bad line of `search --batch` costs its own answer and no other's; and texts that look like options
 * are texts. Runs the built program on a small workspace. */
#include "cli_run.h"

#include <sys/socket.h>

enum { LONG_TEXT = 40000 };

static int set_up(void **state)
{
    (void)state;
    if (cli_make_scratch() != 0)
        return -1;
    mkdir(in_scratch("tiny"), 0700);
    mkdir(in_scratch("tiny/general"), 0700);
    write_file("tiny/users.json", "[{\"id\":\"U0ADA001\",\"team_id\":\"T0TINY001\",\"name\":\"ada\"}]");
    write_file("tiny/channels.json", "[{\"id\":\"C0TINY001\",\"name\":\"general\",\"members\":[\"U0ADA001\"]}]");
    write_file("tiny/general/2024-01-01.json",
               "[{\"type\":\"message\",\"user\":\"U0ADA001\",\"ts\":\"1704103200.000100\",\"text\":\"the bridge is closed\"},"
               "{\"type\":\"message\",\"user\":\"U0ADA001\",\"ts\":\"1704103300.000100\",\"text\":\"lunch at noon\"}]");
    struct outcome o = RUN("home", "import", "-q", in_scratch("tiny"));
    int status = o.status;
    done(&o);
    return status;
}

static json_t *answer(const struct outcome *o, size_t line)
{
    const char *p = o->out;
    for (size_t i = 0; i < line && p; i++)
        p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL;
    assert_non_null(p);
    json_t *j = json_loads(p, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(j);
    return j;
}

static size_t lines(const char *s)
{
    size_t n = 0;
    for (; (s = strchr(s, '\n')); s++)
        n++;
    return n;
}

static void other_lines_are_answered_and_the_exit_is_3(void **state)
{
    (void)state;
    write_file("mixed.jsonl", "{\"_id\":1,\"text\":\"bridge\"}\nnot json\n{\"_id\":3,\"text\":5}\n[4]\n{\"_id\":5,\"text\":\"lunch\"}\n");
    struct outcome o = RUN("home", "search", "--batch", in_scratch("mixed.jsonl"), "--jsonl");
    assert_int_equal(o.status, 3);
    assert_int_equal(lines(o.out), 2);
    assert_int_equal(lines(o.err), 3);
    assert_non_null(strstr(o.err, "line 2"));
    assert_non_null(strstr(o.err, "line 3"));
    assert_non_null(strstr(o.err, "line 4"));
    for (size_t i = 0; i < 2; i++) {
        json_t *j = answer(&o, i);
        assert_int_equal(number(j, "_id"), i ? 5 : 1);
        assert_true(json_array_size(at(j, "hits")) > 0);
        json_decref(j);
    }
    done(&o);
}

static void an_empty_text_has_no_hits(void **state)
{
    (void)state;
    write_file("empty.jsonl", "{\"_id\":1,\"text\":\"\"}\n{\"_id\":2,\"text\":\" \\n\\u0000\"}\n{\"_id\":3,\"text\":\"bridge\"}\n");
    struct outcome o = RUN("home", "search", "--batch", in_scratch("empty.jsonl"), "--jsonl");
    assert_done(&o);
    for (size_t i = 0; i < 3; i++) {
        json_t *j = answer(&o, i);
        assert_int_equal(number(j, "_id"), (json_int_t)i + 1);
        assert_true((json_array_size(at(j, "hits")) > 0) == (i == 2));
        json_decref(j);
    }
    done(&o);
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    FILE *f = fopen(in_scratch("long.jsonl"), "w");
    assert_non_null(f);
    fputs("\xEF\xBB\xBF{\"_id\":1,\"text\":\"bridge ", f); /* the mark that some editors put at the beginning is no text */
    for (int i = 0; i < LONG_TEXT / 2; i++)
        fputs("\xC3\xA9", f);
    fputs("\"}\n{\"_id\":2,\"text\":\"lunch\"}\n", f);
    fclose(f);
    struct outcome o = RUN("home", "search", "--mode", "semantic", "--batch", in_scratch("long.jsonl"), "--jsonl");
    assert_done(&o);
    for (size_t i = 0; i < 2; i++) {
        json_t *j = answer(&o, i);
        assert_int_equal(number(j, "_id"), (json_int_t)i + 1);
        assert_true(json_array_size(at(j, "hits")) > 0);
        json_decref(j);
    }
    done(&o);
}

static void wrong_options_are_told_once(void **state)
{
    (void)state;
    write_file("good.jsonl", "{\"text\":\"bridge\"}\n{\"text\":\"lunch\"}\n");
    struct outcome o = RUN("home", "search", "--batch", in_scratch("good.jsonl"), "--jsonl", "--after", "someday");
    assert_error(&o, 2);
    assert_string_equal(o.out, "");
    done(&o);
}

static void a_text_that_begins_with_a_minus_is_a_text(void **state)
{
    (void)state;
    static const char *const CASES[][5] = {
        {"search", "-lunch bridge", "--mode", "keyword"},
        {"search", "-very -quiet bridge", "--mode=keyword"},
        {"search", "--mode", "keyword", "-lunch the bridge"},
        {"search", "--dry bridge -lunch", "--mode", "semantic"},
        {"search", "-windows bridge", "--mode", "keyword"},
        {"search", "-q -windows bridge", "--mode", "keyword"},
        {"search", "-nosql bridge", "--mode", "keyword"},
        {"search", "-n lunch bridge", "-n3", "--mode=keyword"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct outcome o = run_args("home", NULL, CASES[i]);
        assert_done(&o);
        assert_non_null(strstr(o.out, "bridge"));
        assert_non_null(strstr(o.err, " in ")); /* no letter of it was taken for -q */
        done(&o);
    }
    struct outcome o = RUN("home", "search", "-draft");
    assert_error(&o, 2);
    assert_non_null(strstr(o.err, "--"));
    done(&o);
    o = RUN("home", "status", "-a b");
    assert_error(&o, 2);
    done(&o);
}

/* Through a socket that keeps the writes apart. */
static void messages_are_one_write_a_line(void **state)
{
    (void)state;
    char message[1024];
    int ends[2], status;
    ssize_t n;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], 2);
        close(ends[0]);
        execl(binary, binary, "frobnicate", (char *)NULL);
        _exit(98);
    }
    close(ends[1]);
    n = read(ends[0], message, sizeof(message) - 1);
    assert_true(n > 0);
    message[n] = '\0';
    assert_ptr_equal(strchr(message, '\n'), message + n - 1);
    assert_int_equal(read(ends[0], message, sizeof(message)), 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
}

int main(void)
{
    if (!cli_binary())
        return 77;
    unsetenv("POSIXLY_CORRECT");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_lines_are_answered_and_the_exit_is_3),
        cmocka_unit_test(an_empty_text_has_no_hits),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(wrong_options_are_told_once),
        cmocka_unit_test(a_text_that_begins_with_a_minus_is_a_text),
        cmocka_unit_test(messages_are_one_write_a_line),
    };
    return cmocka_run_group_tests(tests, set_up, cli_remove_scratch);
}
