/* t_isolation_answers.c - every answer about a workspace is, byte for byte, the one of a home that holds only that workspace; ids of the other
 * one are as unknown as ids that never were; and no byte of one is in a file, a temporary file or a log line of the other.
 * Runs the built program ($BACKREAD_BINARY). */
#include "isolation.h"

#include "store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>

enum { ARGS_MAX = 14 };

struct outcome {
    int status;
    char *out, *err; /* owned */
};

static char *slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    size_t n = fread(text, 1, (1 << 20) - 1, f);
    assert_true(n < (1 << 20) - 1);
    fclose(f);
    return text;
}

static void to_file(const char *path, int fd)
{
    int f = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (f < 0 || dup2(f, fd) < 0)
        _exit(99);
}

static void scratch_path(char *out, size_t n, const char *name)
{
    snprintf(out, n, "%s/%s", iso.scratch, name);
}

/* The program is running; the caller waits for it. */
static pid_t start(const char *home, const char *const *args)
{
    char out[400], err[400], tmp[400];
    const char *argv[ARGS_MAX + 8] = {getenv("BACKREAD_BINARY"), "--home", home, "--model", iso.model};
    assert_non_null(argv[0]);
    for (size_t i = 0; args[i]; i++) {
        assert_true(i < ARGS_MAX);
        argv[i + 5] = args[i];
    }
    scratch_path(out, sizeof out, "stdout");
    scratch_path(err, sizeof err, "stderr");
    scratch_path(tmp, sizeof tmp, "tmp");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("TMPDIR", tmp, 1);
        setenv("SQLITE_TMPDIR", tmp, 1);
        to_file(out, 1);
        to_file(err, 2);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(98);
    }
    return child;
}

static struct outcome finish(int status)
{
    char out[400], err[400];
    scratch_path(out, sizeof out, "stdout");
    scratch_path(err, sizeof err, "stderr");
    return (struct outcome){WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(out), slurp(err)};
}

static void done(struct outcome *o)
{
    free(o->out);
    free(o->err);
}

/* In place: every from becomes to, of equal length. */
static void replace(char *text, const char *from, const char *to)
{
    assert_int_equal(strlen(from), strlen(to));
    for (char *p = text; (p = strstr(p, from));)
        memcpy(p, to, strlen(to));
}

/* In place: digits after a key become nothing. */
static void blank_number(char *text, const char *key)
{
    for (char *p = text; (p = strstr(p, key));) {
        p += strlen(key);
        size_t n = strspn(p, " 0123456789.e+-");
        memmove(p, p + n, strlen(p + n) + 1);
    }
}

static struct outcome ask(const char *home, const char *const *args)
{
    int status;
    pid_t child = start(home, args);
    assert_int_equal(waitpid(child, &status, 0), child);
    struct outcome o = finish(status);
    for (int i = 0; i < 2; i++) {
        char *text = i ? o.err : o.out;
        replace(text, iso.alone, iso.both);
        blank_number(text, "\"took_ms\":");
        blank_number(text, "\"metadata\":"); /* bytes of SQLite's file and its log: not a matter of content */
    }
    return o;
}

static void join(const char *const *args, char *out, size_t n)
{
    out[0] = 0;
    for (; *args; args++)
        snprintf(out + strlen(out), n - strlen(out), "%s ", *args);
}

static void assert_same(const char *const *args, const struct outcome *a, const struct outcome *b)
{
    char line[2000];
    join(args, line, sizeof line);
    if (a->status != b->status || strcmp(a->out, b->out) != 0 || strcmp(a->err, b->err) != 0)
        fail_msg("%s\n%d %.700s%.300s\n-- but --\n%d %.700s%.300s", line, a->status, a->out, a->err, b->status, b->out, b->err);
}

/* --- Answers --- */

#define W "-w", TEAM_A
#define MAX_WORDS 12

static const char *const questions[][MAX_WORDS] = {
    {"search", "why did the deployment fail", W, "--json"},
    {"search", "why did the deployment fail", W, "--json", "-n", "1000"},
    {"search", "why did the deployment fail", W, "--json", "--exact"},
    {"search", "lake config", W, "--json", "--mode", "semantic", "-n", "1000"},
    {"search", "lake config", W, "--json", "--mode", "keyword", "-n", "1000"},
    {"search", "lake from:acanaryuser in:#acanarygeneral has:reaction", W, "--json"},
    {"search", "has:link copper after:2023 before:2025", W, "--json"},
    {"search", "bcanarytext7", W, "--json"},
    {"search", "bcanarytext7", W, "--json", "--mode", "keyword"},
    {"search", "bcanary* OR canary", W, "--json", "--mode", "keyword"},
    {"search", "\"bcanarytext7\" lake", W, "--json"},
    {"search", "lake -bcanarytext7", W, "--json"},
    {"search", "lake from:bcanaryuser", W, "--json"},
    {"search", "lake from:U0BCANARY01", W, "--json"},
    {"search", "lake in:#bcanarygeneral", W, "--json"},
    {"search", "lake in:C0BCANARY01", W, "--json"},
    {"search", "lake has::bcanaryemoji:", W, "--json"},
    {"search", "lake config", W, "-q"},
    {"channel", "acanarygeneral", W, "--json", "-n", "1000"},
    {"channel", "G0ACANARY01", W, "--json", "-n", "1000"},
    {"channel", "acanaryprivat", W, "--json"},
    {"channel", "bcanarygeneral", W, "--json"},
    {"channel", "bcanaryprivate", W},
    {"channel", "C0BCANARY01", W, "--json"},
    {"channel", "nothing", W, "--json"},
    {"top", W, "--json", "-n", "1000"},
    {"top", W, "--in", "bcanarygeneral", "--json"},
    {"thread", "C0ACANARY01:1704103200.000100", W, "--json"},
    {"thread", "C0BCANARY01:1704103200.000100", W, "--json"},
    {"thread", "https://acanary.slack.com/archives/C0BCANARY01/p1704103200000100", W, "--json"},
    {"context", "C0ACANARY01:1704103560.000100", W, "--json", "-C", "50"},
    {"context", "C0BCANARY01:1704103560.000100", W, "--json", "-C", "50"},
    {"context", "bcanarygeneral:1704103560.000100", W},
    {"status", W, "--json"},
    {"verify", W, "--json"},
    {"verify", W, "--deep", "--json"},
};

/* What the home with both says, and the one with A alone; asked once. */
static const struct outcome *says(bool both, size_t question)
{
    static struct outcome said[2][sizeof questions / sizeof *questions];
    struct outcome *o = &said[both][question];
    if (!o->out)
        *o = ask(both ? iso.both : iso.alone, questions[question]);
    return o;
}

static void every_answer_is_that_of_a_home_with_one_workspace(void **state)
{
    (void)state;
    size_t answered = 0;
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        const struct outcome *both = says(true, i);
        assert_same(questions[i], both, says(false, i));
        answered += both->status == 0 && iso_has(both->out, strlen(both->out), CANARY_A);
    }
    assert_true(answered >= 14); /* they did say something */
}

/* Free text is embedded, so another word is another question; a name or an id is not. */
static bool names_theirs(const char *command, const char *word)
{
    bool named = strcmp(command, "search") != 0 || strstr(word, "from:") || strstr(word, "in:") || strstr(word, "has:");
    return named && iso_has(word, strlen(word), CANARY_B);
}

/* The same question with x where b was, in either case: neither was ever there. */
static void ids_of_the_other_workspace_never_were(void **state)
{
    (void)state;
    size_t asked = 0;
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        char words[MAX_WORDS][200];
        const char *args[MAX_WORDS + 1] = {0};
        bool theirs = false;
        for (size_t k = 0; k < MAX_WORDS && questions[i][k]; k++) {
            snprintf(words[k], sizeof words[k], "%s", questions[i][k]);
            theirs |= names_theirs(questions[i][0], words[k]);
            replace(words[k], "bcanary", "xcanary");
            replace(words[k], "BCANARY", "XCANARY");
            args[k] = words[k];
        }
        if (!theirs)
            continue;
        struct outcome unknown = ask(iso.both, args);
        replace(unknown.out, "xcanary", "bcanary");
        replace(unknown.out, "XCANARY", "BCANARY");
        replace(unknown.err, "xcanary", "bcanary");
        replace(unknown.err, "XCANARY", "BCANARY");
        assert_same(args, says(true, i), &unknown);
        asked++;
        done(&unknown);
    }
    assert_true(asked >= 12);
}

/* --- Bytes --- */

static void no_file_of_one_holds_a_byte_of_the_other(void **state)
{
    (void)state;
    static const struct {
        const char *team, *own, *other;
    } cases[] = {{TEAM_A, CANARY_A, CANARY_B}, {TEAM_B, CANARY_B, CANARY_A}};
    for (size_t i = 0; i < 2; i++) {
        char dir[600], where[300] = "";
        iso_dir(dir, sizeof dir, iso.both, cases[i].team);
        assert_true(iso_dir_has(dir, cases[i].own, NULL) >= 2); /* metadata.db and content */
        if (iso_dir_has(dir, cases[i].other, where))
            fail_msg("%s/%s holds %s", dir, where, cases[i].other);
    }
}

/* Every file the process has open: does one hold a canary it has no business with, or lie in the other workspace's directory? Deleted temporary
 * files are read through /proc as well. */
static bool open_files_have(pid_t pid, const char *canary, const char *forbidden_dir, char where[600])
{
    char fds[64], link[400], target[600];
    bool found = false;
    snprintf(fds, sizeof fds, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(fds);
    for (struct dirent *e; d && !found && (e = readdir(d));) {
        snprintf(link, sizeof link, "%s/%s", fds, e->d_name);
        ssize_t n = readlink(link, target, sizeof target - 1);
        if (n < 0)
            continue;
        target[n] = 0;
        bool scratch = strstr(target, "(deleted)") || strstr(target, "/tmp/etilqs") || strstr(target, "/tmp/backread");
        found = strncmp(target, forbidden_dir, strlen(forbidden_dir)) == 0 || (scratch && iso_file_has(link, canary));
        if (found)
            snprintf(where, 600, "%s", target);
    }
    if (d)
        closedir(d);
    return found;
}

static void an_import_leaves_nothing_about_others(void **state)
{
    (void)state;
    char tmp[400], dir[600], where[600] = "";
    scratch_path(tmp, sizeof tmp, "tmp");
    assert_int_equal(mkdir(tmp, 0700), 0);
    for (int b = 0; b < 2; b++) {
        char home[400];
        int status = 0, looks = 0;
        bool leak = false;
        scratch_path(home, sizeof home, b ? "fresh-b" : "fresh-a");
        iso_import(home, b ? iso.export_a : iso.export_b, b ? TEAM_A : TEAM_B); /* the other one is there already */
        iso_dir(dir, sizeof dir, home, b ? TEAM_A : TEAM_B);
        const char *args[] = {"import", "-v", b ? iso.export_b : iso.export_a, NULL}, *other = b ? CANARY_A : CANARY_B;
        pid_t child = start(home, args);
        for (; waitpid(child, &status, WNOHANG) == 0; looks++, usleep(300))
            leak = leak || open_files_have(child, other, dir, where);
        struct outcome o = finish(status);
        assert_int_equal(o.status, 0);
        assert_true(looks > 3);
        if (leak)
            fail_msg("importing, %s was open or held %s", where, other);
        assert_false(iso_has(o.out, strlen(o.out), other));
        assert_false(iso_has(o.err, strlen(o.err), other));
        assert_true(strlen(o.err) > 0); /* it was verbose */
        assert_int_equal(iso_dir_has(tmp, "canary", NULL), 0);
        done(&o);
    }
}

/* --- Files of B in A's directory --- */

static void home_file(char *out, size_t n, const char *home, const char *team, const char *name)
{
    snprintf(out, n, "%s/workspaces/%s/%s", home, team, name);
}

/* The first file whose name begins so. */
static void find_file(const char *home, const char *team, const char *prefix, char name[300])
{
    char dir[600];
    iso_dir(dir, sizeof dir, home, team);
    DIR *d = opendir(dir);
    assert_non_null(d);
    name[0] = 0;
    for (struct dirent *e; (e = readdir(d));)
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
            snprintf(name, 300, "%s", e->d_name);
    closedir(d);
    assert_true(name[0]);
}

/* Leaves B's last changes in a write-ahead log. Every commit of ours writes the store's row, and so does this one. */
static void leave_wal(const char *home)
{
    char path[800];
    sqlite3 *db;
    home_file(path, sizeof path, home, TEAM_B, "metadata.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    assert_int_equal(sqlite3_exec(db, "BEGIN; UPDATE users SET real_name = real_name || '!'; UPDATE store SET commits = commits + 1; COMMIT", NULL,
                                  NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
}

/* -1: refused; else the number of B's canaries in what a search finds. */
static void assert_refused(const char *home, const char *what)
{
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    struct br_verify_report report;
    struct br_import_reports imported = {0};
    struct br_home *h = e2e_home(home, iso.model);
    const struct br_import_options options = {0};
    if (br_workspace_open(h, TEAM_A, &ws, &err) != BR_STATUS_DAMAGED || iso_has(err.message, strlen(err.message), CANARY_B))
        fail_msg("%s of the other workspace: %d %s", what, err.status, err.message);
    assert_null(ws);
    err = (struct br_error){0};
    int status = br_verify(h, TEAM_A, true, &report, &err);
    if (status != BR_STATUS_DAMAGED && !(status == 0 && !report.ok))
        fail_msg("verify with %s of the other workspace: %d %s", what, status, err.message);
    err = (struct br_error){0};
    if (br_import(h, iso.export_a, &options, &imported, &err) != BR_STATUS_DAMAGED)
        fail_msg("import over %s of the other workspace: %d %s", what, err.status, err.message);
    br_import_reports_free(&imported);
    br_home_close(h);
}

static void swapped_files_are_refused(void **state)
{
    (void)state;
    static const char *const kinds[] = {"metadata.db", "content.", "vectors.", "metadata.db-wal"};
    char home[400], from[800], to[800], name[300];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        scratch_path(home, sizeof home, "swap");
        iso_copy_home(iso.both, home);
        if (strstr(kinds[i], "wal"))
            leave_wal(home);
        find_file(home, TEAM_B, kinds[i], name);
        home_file(from, sizeof from, home, TEAM_B, strcmp(kinds[i], "metadata.db") == 0 ? kinds[i] : name);
        home_file(to, sizeof to, home, TEAM_A, strcmp(kinds[i], "metadata.db") == 0 ? kinds[i] : name);
        iso_copy_file(from, to);
        assert_refused(home, kinds[i]);
        e2e_remove_tree(home);
    }
}

/* All of them together agree with each other, and still not with the directory they are in. */
static void a_whole_swapped_directory_is_refused(void **state)
{
    (void)state;
    char home[400], a[600], b[600];
    scratch_path(home, sizeof home, "swap");
    iso_copy_home(iso.both, home);
    iso_dir(a, sizeof a, home, TEAM_A);
    iso_dir(b, sizeof b, home, TEAM_B);
    e2e_remove_tree(a);
    assert_int_equal(rename(b, a), 0);
    assert_refused(home, "every file");
    e2e_remove_tree(home);
}

/* The graph is derived data: one of another store is not used, is told of, and changes no answer. */
static void a_swapped_graph_changes_no_answer(void **state)
{
    (void)state;
    char home[400], from[800], to[800], name[300], other[300];
    scratch_path(home, sizeof home, "swap");
    iso_copy_home(iso.both, home);
    find_file(home, TEAM_A, "graph.", name);
    find_file(home, TEAM_B, "graph.", other);
    home_file(from, sizeof from, home, TEAM_B, other);
    home_file(to, sizeof to, home, TEAM_A, name);
    iso_copy_file(from, to);
    struct br_error err = {0};
    struct br_verify_report report = {0};
    struct br_home *h = e2e_home(home, iso.model);
    assert_int_equal(br_verify(h, TEAM_A, true, &report, &err), 0);
    assert_false(report.ok || report.graph_ok);
    assert_non_null(strstr(report.first_problem, "another store"));
    br_home_close(h);
    const char *args[] = {"search", "lake config", W, "--json", "--mode", "semantic", "-n", "1000", "--exact", NULL};
    struct outcome swapped = ask(home, args), right = ask(iso.both, args);
    assert_same(args, &swapped, &right);
    done(&swapped);
    done(&right);
    e2e_remove_tree(home);
}

/* --- Rows of B in A's database --- */

static void copy_rows(sqlite3 *db, bool store_row)
{
    static const char *const sql[] = {
        "INSERT INTO main.users SELECT * FROM b.users",
        "INSERT INTO main.channels SELECT * FROM b.channels",
        "INSERT INTO main.channel_members SELECT * FROM b.channel_members",
        "INSERT INTO main.content SELECT * FROM b.content",
        "INSERT INTO main.slots SELECT * FROM b.slots",
        "INSERT INTO main.journal SELECT * FROM b.journal",
        "INSERT INTO main.message_metadata SELECT * FROM b.message_metadata",
        "INSERT INTO main.reactions SELECT * FROM b.reactions",
        "INSERT INTO main.reaction_users SELECT * FROM b.reaction_users",
        "INSERT INTO main.files SELECT * FROM b.files",
        "INSERT INTO main.passages SELECT * FROM b.passages",
        "INSERT INTO main.dirty_threads SELECT workspace_id, channel_id, ts FROM b.message_metadata",
        "INSERT INTO main.deleted_messages SELECT workspace_id, channel_id, ts, 1 FROM b.message_metadata",
    };
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++)
        if (sqlite3_exec(db, sql[i], NULL, NULL, NULL) != SQLITE_OK)
            fail_msg("%s: %s", sql[i], sqlite3_errmsg(db));
    if (store_row)
        assert_int_equal(sqlite3_exec(db, "INSERT INTO main.store SELECT * FROM b.store", NULL, NULL, NULL), SQLITE_OK);
}

static void merge(const char *home, bool store_row)
{
    char a[800], b[800];
    sqlite3 *db;
    sqlite3_stmt *st;
    home_file(a, sizeof a, home, TEAM_A, "metadata.db");
    home_file(b, sizeof b, home, TEAM_B, "metadata.db");
    assert_int_equal(sqlite3_open(a, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "ATTACH ?1 AS b", -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_text(st, 1, b, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    copy_rows(db, store_row);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* A file that a bad merge put together: keys led by workspace_id keep B's rows out of every statement about A. */
static void rows_of_another_workspace_are_not_there(void **state)
{
    (void)state;
    char home[400];
    scratch_path(home, sizeof home, "merg"); /* as long as "both" */
    iso_copy_home(iso.both, home);
    merge(home, false);
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i += 2) {
        struct outcome merged = ask(home, questions[i]);
        replace(merged.out, home, iso.both);
        replace(merged.err, home, iso.both);
        assert_same(questions[i], &merged, says(false, i));
        done(&merged);
    }
    e2e_remove_tree(home);
    iso_copy_home(iso.both, home);
    merge(home, true);
    assert_refused(home, "the store's row");
    e2e_remove_tree(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_that_of_a_home_with_one_workspace),
        cmocka_unit_test(ids_of_the_other_workspace_never_were),
        cmocka_unit_test(no_file_of_one_holds_a_byte_of_the_other),
        cmocka_unit_test(an_import_leaves_nothing_about_others),
        cmocka_unit_test(swapped_files_are_refused),
        cmocka_unit_test(a_whole_swapped_directory_is_refused),
        cmocka_unit_test(a_swapped_graph_changes_no_answer),
        cmocka_unit_test(rows_of_another_workspace_are_not_there),
    };
    return cmocka_run_group_tests(tests, iso_setup, iso_teardown);
}
