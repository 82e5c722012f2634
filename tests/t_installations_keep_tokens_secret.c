/* t_installations_keep_tokens_secret.c - what is put comes back, newest first; tokens are in no file, no message and no core dump, and a row
 * that was changed, moved or sealed with another key is refused, not believed. */
#include "store_test.h"

#include "base/buf.h"
#include "installations.h"
#include "registry.h"
#include "secret.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/prctl.h>

#define TOKEN "xoxb-plaintext-token"

static char home[300];
static const char *all_tokens[] = {TOKEN "-bot", TOKEN "-botrefresh", TOKEN "-user", TOKEN "-userrefresh", TOKEN "-app", TOKEN "-hook"};

static struct br_installation sample(const char *team, const char *user, int64_t at)
{
    return (struct br_installation){.app_id = "A0APP",
                                    .team_id = team,
                                    .user_id = user,
                                    .team_name = "team \xc3\xa9",
                                    .bot_id = "B1",
                                    .bot_user_id = "UBOT",
                                    .bot_scopes = "channels:history,chat:write",
                                    .user_scopes = "",
                                    .token_type = "bot",
                                    .incoming_webhook_channel = "#general",
                                    .bot_token_expires_at = 123,
                                    .installed_at = at,
                                    .bot_token = all_tokens[0],
                                    .bot_refresh_token = all_tokens[1],
                                    .user_token = all_tokens[2],
                                    .user_refresh_token = all_tokens[3],
                                    .app_token = all_tokens[4],
                                    .incoming_webhook_url = all_tokens[5]};
}

static int setup(void **state)
{
    unsetenv("BACKREAD_TOKEN_KEY_FILE");
    if (make_tmp(state) != 0)
        return -1;
    snprintf(home, sizeof home, "%s/home", (char *)*state);
    return 0;
}

static struct br_registry *open_home(bool create)
{
    struct br_registry *r;
    struct br_err err = {0};
    OK(br_registry_open(&br_io_posix, home, create, &r, NULL, &err));
    return r;
}

static void put(struct br_registry *r, const struct br_installation *i, bool want_taken)
{
    struct br_err err = {0};
    bool taken;
    OK(br_installation_put(r, i, &taken, &err));
    assert_int_equal(taken, want_taken);
}

static void same_text(const char *a, const char *b)
{
    if (!a || !b)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

static void assert_same(const struct br_installation *a, const struct br_installation *b)
{
#define X(name) same_text(a->name, b->name);
    BR_INSTALLATION_TEXT(X) BR_INSTALLATION_SECRET(X)
#undef X
#define X(name) same_text(a->name ? a->name : "", b->name ? b->name : "");
    BR_INSTALLATION_KEY(X)
#undef X
#define X(name) assert_int_equal(a->name, b->name);
    BR_INSTALLATION_NUMBER(X)
#undef X
}

static void assert_stored(struct br_registry *r, const struct br_installation *want)
{
    struct br_err err = {0};
    struct br_installation *got;
    OK(br_installation_get(r, want->app_id, want->enterprise_id, want->team_id, want->user_id ? want->user_id : "", &got, &err));
    assert_same(want, got);
    br_installation_free(got);
}

static enum br_rc count_cb(void *ctx, const struct br_installation *i)
{
    struct br_buf *b = ctx;
    br_buf_addf(b, "%s%s/%s=%s;", i->enterprise_id, i->team_id, i->user_id, i->bot_token ? "token" : "none");
    return BR_OK;
}

static void assert_list(struct br_registry *r, bool with_tokens, const char *want)
{
    struct br_err err = {0};
    struct br_buf b;
    br_buf_init(&b, 4096);
    OK(br_installation_each(r, with_tokens, count_cb, &b, &err));
    assert_string_equal(br_buf_str(&b), want);
    br_buf_free(&b);
}

/* --- Round trips --- */

static void what_is_put_comes_back(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_installation *got, a = sample("T1", "U1", 100), none = {.app_id = "A0APP", .enterprise_id = "E1", .is_enterprise_install = 1, .installed_at = 5};
    struct br_registry *r = open_home(true);
    assert_list(r, true, "");
    FAILS(br_installation_get(r, "A0APP", NULL, "T1", NULL, &got, &err), BR_E_NOTFOUND);
    put(r, &a, true);
    put(r, &none, true); /* no tokens, no user, an organisation */
    assert_stored(r, &a);
    assert_stored(r, &none);
    br_registry_close(r);
    r = open_home(false); /* reading, under the authorizer */
    assert_stored(r, &a);
    assert_stored(r, &none);
    assert_list(r, true, "T1/U1=token;E1/=none;");
    FAILS(br_installation_put(r, &a, NULL, &err), BR_E_IO);
    FAILS(br_installation_remove(r, "A0APP", NULL, "T1", "U1", &err), BR_E_IO);
    br_registry_close(r);
    r = open_home(true);
    OK(br_installation_remove(r, "A0APP", NULL, "T1", "U1", &err));
    FAILS(br_installation_remove(r, "A0APP", NULL, "T1", "U1", &err), BR_E_NOTFOUND);
    assert_list(r, true, "E1/=none;");
    br_registry_close(r);
}

static void the_newest_wins(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_installation *got, first = sample("T1", "U1", 100), newer = sample("T1", "U1", 200), older = sample("T1", "U1", 150), other = sample("T1", "U2", 300);
    newer.bot_token = TOKEN "-newer";
    older.bot_token = TOKEN "-older";
    struct br_registry *r = open_home(true);
    put(r, &first, true);
    put(r, &newer, true);
    put(r, &older, false);
    assert_stored(r, &newer);
    put(r, &newer, true); /* again, the same */
    put(r, &other, true);
    OK(br_installation_get(r, "A0APP", "", "T1", NULL, &got, &err)); /* of any user */
    assert_string_equal(got->user_id, "U2");
    br_installation_free(got);
    br_registry_close(r);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct br_err err = {0};
    static char long_text[BR_INSTALLATION_FIELD_MAX + 2];
    memset(long_text, 'x', sizeof long_text - 1);
    struct br_installation i = sample("T1", "U1", 1);
    struct br_registry *r = open_home(true);
    i.bot_token = long_text;
    FAILS(br_installation_put(r, &i, NULL, &err), BR_E_TOOBIG);
    i = sample(NULL, "U1", 1);
    FAILS(br_installation_put(r, &i, NULL, &err), BR_E_DATA);
    i = sample("T1", "U1", 1);
    i.app_id = NULL;
    FAILS(br_installation_put(r, &i, NULL, &err), BR_E_DATA);
    i = sample("T1", "U1", 1);
    long_text[BR_INSTALLATION_FIELD_MAX] = 0;
    i.bot_token = i.user_token = i.incoming_webhook_url = i.bot_scopes = long_text; /* the longest there may be */
    put(r, &i, true);
    assert_stored(r, &i);
    br_registry_close(r);
}

/* --- Nothing in clear --- */

static size_t files_with_token, files_seen;

static int scan(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)f;
    if (type != FTW_F || st->st_size == 0)
        return 0;
    FILE *file = fopen(path, "rb");
    char *bytes = malloc((size_t)st->st_size);
    assert_true(file && bytes);
    size_t n = fread(bytes, 1, (size_t)st->st_size, file);
    files_with_token += memmem(bytes, n, "plaintext", 9) != NULL || memmem(bytes, n, "xoxb", 4) != NULL;
    files_seen++;
    free(bytes);
    fclose(file);
    return 0;
}

static void assert_no_token_in_files(void)
{
    files_with_token = files_seen = 0;
    assert_int_equal(nftw(home, scan, 8, FTW_PHYS), 0);
    assert_int_equal(files_with_token, 0);
    assert_true(files_seen >= 2);
}

static void tokens_are_in_no_file(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_registry *r = open_home(true);
    for (int k = 0; k < 20; k++) {
        struct br_installation i = sample(k % 2 ? "T1" : "T2", "U1", 100 + k);
        put(r, &i, true);
        assert_no_token_in_files(); /* with a journal beside it, whatever its mode */
    }
    OK(br_installation_remove(r, "A0APP", NULL, "T1", "U1", &err));
    assert_no_token_in_files();
    br_registry_close(r);
    assert_no_token_in_files();
    char path[400];
    struct stat st;
    snprintf(path, sizeof path, "%s/token.key", home);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 32);
}

/* The mapping that holds p says dd: not dumped. Its neighbours, which sodium makes inaccessible, keep overruns out. */
static bool left_out_of_dumps(const void *p)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    char line[512];
    bool here = false, dd = false;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = (uintptr_t)p >= from && (uintptr_t)p < to;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            dd = strstr(line, " dd") != NULL;
    }
    fclose(f);
    return dd;
}

static void tokens_are_in_no_core_dump(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_installation *got, i = sample("T1", "U1", 100);
    struct br_token_key *key;
    struct br_registry *r = open_home(true);
    put(r, &i, true);
    OK(br_installation_get(r, "A0APP", NULL, "T1", "U1", &got, &err));
    int local = 0;
    assert_false(left_out_of_dumps(&local)); /* the test can tell */
    assert_true(left_out_of_dumps(got));
    assert_true(left_out_of_dumps(got->bot_token));
    assert_true(left_out_of_dumps(got->incoming_webhook_url));
    br_installation_free(got);
    OK(br_token_key_open(&br_io_posix, home, false, &key, &err));
    assert_true(left_out_of_dumps(key));
    br_token_key_close(key);
    br_registry_close(r);
    pid_t pid = fork();
    if (pid == 0)
        _exit(br_secret_harden_process(&err) == BR_OK && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 1);
    assert_child_ok(pid);
}

/* --- Not believed --- */

static void sql(const char *text)
{
    char path[400];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/registry.db", home);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_changes(db) > 0, 1);
    sqlite3_close(db);
}

static void assert_no_token(const struct br_err *err)
{
    assert_null(strstr(err->msg, "plaintext"));
    assert_null(strstr(err->msg, "xoxb"));
}

/* Getting T1 fails so, and so does walking all. */
static void assert_refused(const char *why, enum br_rc code)
{
    struct br_err err = {0};
    struct br_installation *got = NULL;
    struct br_registry *r = open_home(false);
    enum br_rc rc = br_installation_get(r, "A0APP", NULL, "T1", "U1", &got, &err);
    if (rc != code || got)
        fail_msg("%s: %d %s", why, rc, err.msg);
    assert_no_token(&err);
    struct br_buf b;
    br_buf_init(&b, 4096);
    err = (struct br_err){0};
    rc = br_installation_each(r, true, count_cb, &b, &err);
    if (rc != code)
        fail_msg("each, %s: %d %s", why, rc, err.msg);
    assert_no_token(&err);
    br_buf_free(&b);
    br_registry_close(r);
}

static void fill(void)
{
    struct br_installation a = sample("T1", "U1", 100), b = sample("T2", "U1", 100);
    struct br_registry *r = open_home(true);
    put(r, &a, true);
    put(r, &b, true);
    br_registry_close(r);
}

static void swapped_and_damaged_rows_are_refused(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "UPDATE installations SET sealed = (SELECT sealed FROM installations WHERE team_id = 'T2') WHERE team_id = 'T1'",
        "UPDATE installations SET team_id = CASE team_id WHEN 'T1' THEN 'T3' ELSE 'T1' END",
        "UPDATE installations SET bot_scopes = bot_scopes || ',admin'",
        "UPDATE installations SET is_enterprise_install = 1",
        "UPDATE installations SET team_name = NULL",
        "UPDATE installations SET bot_id = bot_user_id, bot_user_id = bot_id",
        "UPDATE installations SET installed_at = installed_at + 1",
        "UPDATE installations SET sealed = x''",
        "UPDATE installations SET sealed = substr(sealed, 1, 48)",
        "UPDATE installations SET sealed = substr(sealed, 1, length(sealed) - 1)",
        "UPDATE installations SET sealed = CAST(sealed || x'00' AS BLOB)",
        "UPDATE installations SET sealed = CAST(x'02' || substr(sealed, 2) AS BLOB)",
        "UPDATE installations SET sealed = CAST(substr(sealed, 1, 9) || randomblob(24) || substr(sealed, 34) AS BLOB)",
        "UPDATE installations SET sealed = CAST(substr(sealed, 1, 33) || randomblob(1 + length(sealed) % 7) || substr(sealed, 34) AS BLOB)",
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        fill();
        sql(damages[i]);
        assert_refused(damages[i], BR_E_CORRUPT);
        sql("DELETE FROM installations");
    }
    /* Every single byte of what is sealed counts, but those that name the key: that is another refusal. */
    fill();
    for (int at = 1; at <= 140; at += 3) {
        char text[300];
        snprintf(text, sizeof text,
                 "UPDATE installations SET sealed = CAST(substr(sealed, 1, %d) || CASE substr(sealed, %d, 1) WHEN x'5A' THEN x'5B' ELSE x'5A' END"
                 " || substr(sealed, %d) AS BLOB)",
                 at - 1, at, at + 1);
        sql(text);
        assert_refused(text, at >= 2 && at <= 9 ? BR_E_USAGE : BR_E_CORRUPT);
        sql("DELETE FROM installations");
        fill();
    }
}

static void write_key(const char *path, size_t n, unsigned mode)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        fputc((int)(i * 7 + 1), f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void another_key_is_refused(void **state)
{
    char path[400], kept[400], elsewhere[400];
    struct br_err err = {0};
    snprintf(path, sizeof path, "%s/token.key", home);
    snprintf(kept, sizeof kept, "%s/kept.key", (char *)*state);
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere.key", (char *)*state);
    fill();
    assert_int_equal(rename(path, kept), 0);
    assert_refused("no key", BR_E_NOTFOUND);
    struct br_installation i = sample("T1", "U1", 500);
    struct br_registry *r = open_home(true);
    FAILS(br_installation_put(r, &i, NULL, &err), BR_E_NOTFOUND); /* no new key beside rows of the old one */
    assert_list(r, false, "T1/U1=none;T2/U1=none;");              /* what is not secret needs no key */
    br_registry_close(r);
    write_key(path, 32, 0600);
    assert_refused("another key", BR_E_USAGE);
    write_key(path, 31, 0600);
    assert_refused("a short key", BR_E_USAGE);
    write_key(path, 33, 0600);
    assert_refused("a long key", BR_E_USAGE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(kept, path), 0);
    assert_refused("a link", BR_E_IO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(kept, path), 0);
    assert_int_equal(chmod(path, 0640), 0);
    assert_refused("readable by the group", BR_E_USAGE);
    assert_int_equal(chmod(path, 0604), 0);
    assert_refused("readable by others", BR_E_USAGE);
    assert_int_equal(chmod(path, 0600), 0);
    r = open_home(false);
    i = sample("T1", "U1", 100);
    assert_stored(r, &i);
    br_registry_close(r);
    /* The key elsewhere, as the variable says */
    assert_int_equal(rename(path, elsewhere), 0);
    setenv("BACKREAD_TOKEN_KEY_FILE", elsewhere, 1);
    r = open_home(true);
    assert_stored(r, &i);
    i.installed_at++;
    put(r, &i, true);
    assert_stored(r, &i);
    br_registry_close(r);
    assert_int_not_equal(access(path, F_OK), 0);
    unsetenv("BACKREAD_TOKEN_KEY_FILE");
}

static void a_home_elsewhere_cannot_read_them(void **state)
{
    char command[1200], other[300];
    fill();
    snprintf(other, sizeof other, "%s/other", (char *)*state);
    char kept[300];
    snprintf(kept, sizeof kept, "%s", home);
    snprintf(home, sizeof home, "%s", other);
    fill(); /* has a key of its own */
    snprintf(command, sizeof command, "cp '%s/registry.db' '%s/registry.db'", kept, other);
    assert_int_equal(system(command), 0);
    assert_refused("the registry of another home", BR_E_USAGE);
    snprintf(home, sizeof home, "%s", kept);
}

/* --- From version 1 --- */

static enum br_rc name_cb(void *ctx, const char *id, const char *name)
{
    struct br_buf *b = ctx;
    br_buf_addf(b, "%s=%s;", id, name);
    return BR_OK;
}

static void assert_workspaces(struct br_registry *r, const char *want)
{
    struct br_err err = {0};
    struct br_buf b;
    br_buf_init(&b, 4096);
    OK(br_registry_each(r, name_cb, &b, &err));
    assert_string_equal(br_buf_str(&b), want);
    br_buf_free(&b);
}

static void a_registry_of_version_1_is_taken_along(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_installation *got, i = sample("T1", "U1", 100);
    assert_int_equal(mkdir(home, 0700), 0);
    sql("CREATE TABLE workspaces(id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
        "PRAGMA application_id=1114788401; PRAGMA user_version=1;"
        "INSERT INTO workspaces VALUES('T1', 'one', 1), ('T2', 'two', 2)");
    struct br_registry *r = open_home(false); /* a reader changes nothing */
    assert_workspaces(r, "T1=one;T2=two;");
    assert_list(r, true, "");
    FAILS(br_installation_get(r, "A0APP", NULL, "T1", NULL, &got, &err), BR_E_NOTFOUND);
    br_registry_close(r);
    r = open_home(true);
    assert_workspaces(r, "T1=one;T2=two;");
    put(r, &i, true);
    assert_stored(r, &i);
    br_registry_close(r);
    r = open_home(true);
    assert_workspaces(r, "T1=one;T2=two;");
    assert_stored(r, &i);
    br_registry_close(r);
    sql("INSERT INTO workspaces VALUES('T3', 'three', 3); PRAGMA user_version=3");
    FAILS(br_registry_open(&br_io_posix, home, true, &r, NULL, &err), BR_E_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_put_comes_back, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(the_newest_wins, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(tokens_are_in_no_file, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(tokens_are_in_no_core_dump, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(swapped_and_damaged_rows_are_refused, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(another_key_is_refused, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(a_home_elsewhere_cannot_read_them, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(a_registry_of_version_1_is_taken_along, setup, remove_tmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
