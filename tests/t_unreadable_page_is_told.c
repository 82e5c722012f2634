/* A page of a mapped file that cannot be read, here of one that was cut behind a search's back, ends the program with one line that names the file and
 * the place, and status 5; a SIGBUS that means something else is no such thing. */
#include "cli_run.h"
#include "tiny_model.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <time.h>

static char home[600], model[1200], sample[2048];

static void only_match(const char *name, char *out, size_t n)
{
    char pattern[700];
    glob_t g;
    snprintf(pattern, sizeof pattern, "%s/workspaces/*/%s.*", home, name);
    assert_int_equal(glob(pattern, 0, NULL, &g), 0);
    snprintf(out, n, "%s", g.gl_pathv[g.gl_pathc - 1]);
    globfree(&g);
}

static bool has_mapped(pid_t pid, const char *path)
{
    char maps[64], line[4200];
    bool found = false;
    snprintf(maps, sizeof maps, "/proc/%d/maps", (int)pid);
    FILE *f = fopen(maps, "r");
    while (f && !found && fgets(line, sizeof line, f))
        found = strstr(line, path) != NULL;
    if (f)
        fclose(f);
    return found;
}

/* A search that waits for its next question with the files mapped. */
struct waiting {
    pid_t pid;
    int questions;
};

static struct waiting start_search(const char *mapped)
{
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    struct waiting w = {.pid = fork(), .questions = pipe_fds[1]};
    assert_true(w.pid >= 0);
    if (w.pid == 0) {
        dup2(pipe_fds[0], 0);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        redirect("/dev/null", O_WRONLY, 1);
        redirect(in_scratch("stderr"), O_WRONLY | O_CREAT | O_TRUNC, 2);
        execl(binary, binary, "--home", home, "--model", model, "search", "--mode", "semantic", "--batch", "-", "--jsonl", (char *)NULL);
        _exit(98);
    }
    close(pipe_fds[0]);
    for (int i = 0; i < 3000 && !has_mapped(w.pid, mapped); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_true(has_mapped(w.pid, mapped));
    return w;
}

static int ask(struct waiting *w)
{
    static const char question[] = "{\"_id\":\"1\",\"text\":\"maps of the city\"}\n";
    int status;
    signal(SIGPIPE, SIG_IGN); /* it may be gone already */
    if (write(w->questions, question, sizeof question - 1) < 0)
        assert_int_equal(errno, EPIPE);
    close(w->questions);
    assert_true(waitpid(w->pid, &status, 0) == w->pid);
    return status;
}

static void cut_and_ask(const char *name, off_t left)
{
    char path[1024];
    only_match(name, path, sizeof path);
    struct waiting w = start_search(path);
    assert_int_equal(truncate(path, left), 0);
    struct outcome o = {.status = ask(&w)};
    o.err = read_file("stderr", NULL);
    assert_true(WIFEXITED(o.status));
    o.status = WEXITSTATUS(o.status);
    assert_error(&o, 5);
    const char *place = strstr(o.err, " cannot be read at byte ");
    if (!strstr(o.err, path) || !place)
        fail_msg("%s", o.err);
    assert_true(strtol(place + 24, NULL, 10) >= left);
    assert_non_null(strstr(o.err, "backread verify --deep"));
    done(&o);
}

/* Each test spoils the archive that it makes. */
static int import_sample(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "%s", in_scratch("home"));
    struct br_home *h = e2e_home(home, model);
    struct br_import_reports r = e2e_import(h, sample, false);
    br_import_reports_free(&r);
    br_home_close(h);
    return 0;
}

static int remove_home(void **state)
{
    (void)state;
    e2e_remove_tree(home);
    return 0;
}

static void vectors_that_were_cut_are_named(void **state)
{
    (void)state;
    cut_and_ask("vectors", 8192);
}

static void a_graph_that_was_cut_is_named(void **state)
{
    (void)state;
    cut_and_ask("graph", 4096);
}

static void a_signal_from_elsewhere_is_none_of_it(void **state)
{
    (void)state;
    char path[1024];
    only_match("vectors", path, sizeof path);
    struct waiting w = start_search(path);
    kill(w.pid, SIGBUS);
    int status = ask(&w);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    struct outcome o = {.err = read_file("stderr", NULL)};
    assert_null(strstr(o.err, "cannot be read"));
    done(&o);
}

int main(void)
{
    binary = getenv("BACKREAD_BINARY");
    if (!binary) {
        printf("SKIPPED: BACKREAD_BINARY is not set\n");
        return 77;
    }
    e2e_scratch(scratch, sizeof scratch);
    tiny_model(scratch, model, sizeof model);
    e2e_source_path(sample, sizeof sample, "data/sample/houstondatavis.zip");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(vectors_that_were_cut_are_named, import_sample, remove_home),
        cmocka_unit_test_setup_teardown(a_graph_that_was_cut_is_named, import_sample, remove_home),
        cmocka_unit_test_setup_teardown(a_signal_from_elsewhere_is_none_of_it, import_sample, remove_home),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    e2e_remove_tree(scratch);
    return failed;
}
