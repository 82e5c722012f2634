/* One process writes a workspace at a time, and readers wait for none. A second import is refused in one line while the first lives, whatever the first
 * is doing, and goes ahead when it was killed; readers of any number answer meanwhile, each from one committed state. */
#include "cli_run.h"
#include "tiny_model.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <time.h>

#define MESSAGES 1382 /* of the sample */
#ifdef __SANITIZE_ADDRESS__
#define READERS 3
#else
#define READERS 6
#endif

static char sample[2048], model[1200], home[600];

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static pid_t start_import(void)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        redirect("/dev/null", O_WRONLY, 1);
        execl(binary, binary, "--home", home, "--model", model, "-q", "import", sample, (char *)NULL);
        _exit(98);
    }
    return pid;
}

/* Does a process hold the workspace's lock? */
static bool is_locked(void)
{
    char pattern[700];
    glob_t g;
    bool locked = false;
    snprintf(pattern, sizeof pattern, "%s/workspaces/*/LOCK", home);
    if (glob(pattern, 0, NULL, &g) != 0)
        return false;
    int fd = open(g.gl_pathv[0], O_RDWR | O_CLOEXEC);
    globfree(&g);
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd >= 0) {
        locked = fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
        close(fd);
    }
    return locked;
}

static uint64_t messages_now(struct br_home *h)
{
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    struct br_workspace_status st = {0};
    if (br_workspace_open(h, NULL, &ws, &err))
        return 0;
    uint64_t n = br_workspace_status(ws, &st, &err) ? 0 : st.messages;
    br_workspace_status_free(&st);
    br_workspace_close(ws);
    return n;
}

static int make_home(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "%s", in_scratch("home"));
    return 0;
}

static int remove_home(void **state)
{
    (void)state;
    e2e_remove_tree(home);
    return 0;
}

/* An import that was stopped somewhere after its first commit, the lock in its hands. */
static pid_t stopped_import(struct br_home *h)
{
    for (int attempt = 0; attempt < 20; attempt++) {
        pid_t pid = start_import();
        while (messages_now(h) == 0 && waitpid(pid, NULL, WNOHANG) == 0)
            sleep_ms(1);
        kill(pid, SIGSTOP);
        int status;
        assert_true(waitpid(pid, &status, WUNTRACED) == pid);
        if (WIFSTOPPED(status) && is_locked())
            return pid;
        kill(pid, SIGKILL); /* it was too quick */
        waitpid(pid, NULL, 0);
        e2e_remove_tree(home);
    }
    fail_msg("no import could be stopped at work");
    return 0;
}

static void a_second_writer_is_refused_until_the_first_is_gone(void **state)
{
    (void)state;
    struct br_home *h = e2e_home(home, model);
    pid_t first = stopped_import(h);
    uint64_t stored = messages_now(h);
    assert_true(stored > 0);
    for (int i = 0; i < 2; i++) {
        struct outcome o = RUN("home", "--model", model, "import", "-q", sample);
        assert_error(&o, 4);
        assert_non_null(strstr(o.err, "another process is writing"));
        done(&o);
        o = RUN("home", "--model", model, "search", "maps of the city"); /* readers do not mind */
        assert_done(&o);
        assert_true(strlen(o.out) > 0);
        done(&o);
        assert_int_equal(messages_now(h), stored);
    }
    kill(first, SIGKILL);
    assert_true(waitpid(first, NULL, 0) == first);
    assert_false(is_locked());
    struct outcome o = RUN("home", "--model", model, "import", "-q", sample);
    assert_done(&o);
    done(&o);
    assert_int_equal(messages_now(h), MESSAGES);
    e2e_verify(h, NULL);
    br_home_close(h);
}

/* Until the pipe closes: what is seen never shrinks, every hit has its text, and nothing fails. */
static int read_until_told(int stop_fd, enum br_search_mode mode)
{
    struct br_error err = {0};
    struct br_home *h = NULL;
    struct br_workspace *ws = NULL;
    uint64_t before = 0, rounds = 0;
    char byte;
    fcntl(stop_fd, F_SETFL, O_NONBLOCK);
    if (br_home_open(home, model, &h, &err))
        return 1;
    while (read(stop_fd, &byte, 1) < 0 || rounds == 0) {
        struct br_workspace_status st = {0};
        struct br_search_results r = {0};
        const struct br_search_options options = {.mode = mode, .n = 20};
        if (!ws && br_workspace_open(h, NULL, &ws, &err) == BR_STATUS_NOT_FOUND)
            continue;
        if (!ws || br_workspace_status(ws, &st, &err) || br_search(ws, "maps of the city", &options, &r, &err)) {
            fprintf(stderr, "reader: %s\n", err.message);
            return 2;
        }
        for (size_t i = 0; i < r.count; i++)
            if (!r.hits[i].message.text || !r.hits[i].message.text[0])
                return 3;
        if (st.messages < before)
            return 4;
        before = st.messages;
        br_workspace_status_free(&st);
        br_search_results_free(&r);
        if (++rounds % 5 == 0) {
            br_workspace_close(ws);
            ws = NULL;
        }
    }
    br_workspace_close(ws);
    br_home_close(h);
    return 0;
}

static void many_readers_answer_while_one_writes(void **state)
{
    (void)state;
    pid_t readers[READERS];
    int fds[2], status;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    fflush(NULL);
    for (int i = 0; i < READERS; i++) {
        readers[i] = fork();
        assert_true(readers[i] >= 0);
        if (readers[i] == 0) {
            close(fds[1]);
            _exit(read_until_told(fds[0], (enum br_search_mode)(i % 3)));
        }
    }
    for (int i = 0; i < 2; i++) { /* all of it, then the same again */
        pid_t writer = start_import();
        assert_true(waitpid(writer, &status, 0) == writer);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    close(fds[1]);
    for (int i = 0; i < READERS; i++) {
        assert_true(waitpid(readers[i], &status, 0) == readers[i]);
        if (!WIFEXITED(status) || WEXITSTATUS(status))
            fail_msg("reader %d: status 0x%x", i, (unsigned)status);
    }
    close(fds[0]);
    struct br_home *h = e2e_home(home, model);
    assert_int_equal(messages_now(h), MESSAGES);
    e2e_verify(h, NULL);
    br_home_close(h);
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
        cmocka_unit_test_setup_teardown(a_second_writer_is_refused_until_the_first_is_gone, make_home, remove_home),
        cmocka_unit_test_setup_teardown(many_readers_answer_while_one_writes, make_home, remove_home),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    e2e_remove_tree(scratch);
    return failed;
}
