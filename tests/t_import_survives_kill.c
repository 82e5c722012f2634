/* Kill -9 at any moment of an import, 50 times over: what is committed stays whole (`verify --deep` finds nothing wrong after every kill), and
 * running the import again completes it, with the counts of an import that was never disturbed. */
#include "tiny_model.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define KILLS 50
#ifdef __SANITIZE_ADDRESS__
#define RUN_MS_MAX 1200
#else
#define RUN_MS_MAX 300
#endif

static char binary[2048], archive[2048], model[2048];

static pid_t start_import(const char *home)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(126);
        execl(binary, binary, "--home", home, "--model", model, "-q", "import", archive, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void sleep_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static uint64_t stored_messages(struct br_home *home, struct br_workspace_status *st)
{
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    if (br_workspace_open(home, NULL, &ws, &err))
        return 0; /* killed before there was a workspace */
    assert_int_equal(br_workspace_status(ws, st, &err), 0);
    br_workspace_close(ws);
    uint64_t n = st->messages;
    br_workspace_status_free(st);
    return n;
}

static void fifty_kills_lose_nothing_and_a_rerun_completes(void **state)
{
    (void)state;
    char dir[1024], model_dir[1024];
    struct br_workspace_status st = {0};
    struct br_error err = {0};
    uint64_t before = 0, rounds_with_progress = 0;
    unsigned seed = 20150605;
    printf("seed %u\n", seed);
    fflush(stdout);
    e2e_scratch(dir, sizeof dir);
    e2e_scratch(model_dir, sizeof model_dir);
    tiny_model(model_dir, model, sizeof model);
    struct br_home *home = e2e_home(dir, model);
    for (int i = 0; i < KILLS; i++) {
        pid_t pid = start_import(dir);
        sleep_ms(5 + (unsigned)rand_r(&seed) % RUN_MS_MAX);
        kill(pid, SIGKILL);
        assert_true(waitpid(pid, NULL, 0) == pid);
        uint64_t now = stored_messages(home, &st);
        assert_true(now >= before); /* acknowledged is never lost */
        rounds_with_progress += now > before;
        before = now;
        struct br_verify_report r = {0};
        int rc = br_verify(home, NULL, true, &r, &err);
        if (rc == BR_STATUS_NOT_FOUND)
            continue;
        if (rc || !r.ok)
            fail_msg("after kill %d: %s", i, rc ? err.message : r.first_problem);
    }
    assert_true(rounds_with_progress > 0);
    pid_t pid = start_import(dir);
    int status;
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(stored_messages(home, &st), 1382);
    e2e_verify(home, NULL);
    struct br_import_reports again = e2e_import(home, archive, false);
    assert_int_equal(again.sum.messages_unchanged, 1382);
    assert_int_equal(again.sum.embedded, 0);
    br_import_reports_free(&again);
    br_home_close(home);
    e2e_remove_tree(dir);
    e2e_remove_tree(model_dir);
}

int main(void)
{
    const char *b = getenv("BACKREAD_BINARY");
    if (!b) {
        printf("SKIPPED: BACKREAD_BINARY is not set\n");
        return 77;
    }
    snprintf(binary, sizeof binary, "%s", b);
    e2e_source_path(archive, sizeof archive, "data/sample/houstondatavis.zip");
    const struct CMUnitTest tests[] = {cmocka_unit_test(fifty_kills_lose_nothing_and_a_rerun_completes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
