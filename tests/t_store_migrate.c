/* t_store_migrate.c - a workspace of every released schema version is brought up to date, or stays what it was. */
#include "t_slack.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store_core.h"
#include "store_upkeep.h"

static char scratch[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    strcpy(scratch, "/tmp/t-migrate-XXXXXX");
    return mkdtemp(scratch) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A fresh copy of the fixture of a version; false when there is none. */
static bool fixture(int version, char dir[128])
{
    char from[1024], command[2400];
    const char *root = getenv("BACKREAD_SOURCE_DIR");
    snprintf(from, sizeof(from), "%s/tests/data/schema/v%d", root ? root : ".", version);
    if (access(from, R_OK) != 0)
        return false;
    snprintf(dir, 128, "%s/v%d", scratch, version);
    snprintf(command, sizeof(command), "rm -rf %s && cp -r %s %s && chmod -R u+w %s", dir, from, dir, dir);
    assert_int_equal(system(command), 0);
    return true;
}

static sqlite3 *raw(const char *dir)
{
    char path[256];
    sqlite3 *db;
    snprintf(path, sizeof(path), "%s/metadata.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static int64_t raw_int(const char *dir, const char *sql)
{
    int64_t n;
    sqlite3 *db = raw(dir);
    OK(br_sql_int(db, sql, dir, &n, err));
    sqlite3_close(db);
    return n;
}

/* Everything sqlite_master says, with white space folded. */
static char *schema_of(const char *dir)
{
    struct br_buf b;
    sqlite3 *db = raw(dir);
    sqlite3_stmt *st;
    br_buf_init(&b, 1 << 20);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT type, name, tbl_name, ifnull(sql, '') FROM sqlite_master ORDER BY 1, 2", -1, &st, NULL),
                     SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW)
        for (int i = 0; i < 4; i++) {
            const char *text = (const char *)sqlite3_column_text(st, i);
            for (; *text; text++)
                if (*text != ' ' && *text != '\n')
                    br_buf_addc(&b, *text);
            br_buf_addc(&b, i < 3 ? '|' : '\n');
        }
    sqlite3_finalize(st);
    sqlite3_close(db);
    return b.data;
}

static void assert_whole(struct br_store *s)
{
    struct br_store_report r;
    OK(br_store_verify(s, true, &r, err));
    assert_string_equal(r.first_problem, "");
    assert_int_equal(r.corrupt + r.missing_content + r.orphan_vectors, 0);
    if (s->mode == BR_STORE_WRITE) { /* a reader may not ask for all of it */
        assert_healthy(s);
        return;
    }
    struct br_slack_report slack;
    OK(br_slack_verify(s, &slack, err));
    assert_string_equal(slack.first_problem, "");
}

static enum br_rc same_text(void *ctx, const struct br_slack_view *v, struct br_err *err)
{
    (void)err;
    assert_string_equal(v->text, ctx);
    return BR_OK;
}

static void every_released_version_becomes_todays(void **state)
{
    char dir[128], fresh[128];
    struct br_store *s;
    const struct br_store_spec spec = {.workspace_id = "T0FRESH", .name = "", .model_id = "m", .dim = 8};
    (void)state;
    snprintf(fresh, sizeof(fresh), "%s/fresh", scratch);
    OK(br_store_create(&br_io_posix, fresh, &spec, &s, err));
    br_store_close(s);
    char *want = schema_of(fresh);
    for (int version = 1; version < BR_STORE_USER_VERSION; version++) {
        if (!fixture(version, dir))
            fail_msg("there is no fixture of version %d: see tests/data/schema/README.md", version);
        assert_int_equal(raw_int(dir, "PRAGMA user_version"), version);
        OK(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, err));
        assert_int_equal(s->schema_version, BR_STORE_USER_VERSION);
        assert_whole(s);
        OK(br_slack_message(s, "C0FIXTURE1", INT64_C(1434567891000100), same_text, (void *)(uintptr_t)"good evening, lake", err));
        begin(s); /* and it is written to as any other */
        OK(br_slack_put_channel(s, &(struct br_slack_channel){.id = CH, .name = "more"}, err));
        commit(s);
        br_store_close(s);
        assert_int_equal(raw_int(dir, "PRAGMA user_version"), BR_STORE_USER_VERSION);
        assert_int_equal(raw_int(dir, "SELECT count(*) FROM message_metadata"), 5);
        char *have = schema_of(dir);
        assert_string_equal(have, want);
        free(have);
    }
    free(want);
}

static void a_reader_takes_the_old_version_as_it_is(void **state)
{
    char dir[128];
    struct br_store *s;
    (void)state;
    for (int version = 1; version < BR_STORE_USER_VERSION && fixture(version, dir); version++) {
        OK(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, err));
        assert_int_equal(s->schema_version, version);
        assert_whole(s);
        br_store_close(s);
        assert_int_equal(raw_int(dir, "PRAGMA user_version"), version);
    }
}

static void open_fails(const char *dir, enum br_store_mode mode, enum br_rc want)
{
    struct br_store *s;
    struct br_err err = {0};
    assert_int_equal(br_store_open(&br_io_posix, dir, mode, &s, &err), want);
    assert_true(err.msg[0] && !strchr(err.msg, '\n'));
}

static void a_newer_version_is_refused(void **state)
{
    char dir[128], sql[64];
    (void)state;
    assert_true(fixture(1, dir));
    snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", BR_STORE_USER_VERSION + 1);
    (void)raw_int(dir, sql);
    open_fails(dir, BR_STORE_READ, BR_E_DATA);
    open_fails(dir, BR_STORE_WRITE, BR_E_DATA);
    assert_int_equal(raw_int(dir, "PRAGMA user_version"), BR_STORE_USER_VERSION + 1);
}

static void flip(const char *dir, const char *name, off_t offset)
{
    char path[256], byte = 0;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &byte, 1, offset) == 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

/* The last batch is not what the journal says: the writer looks before it changes anything. Repair does both. */
static void damage_is_found_in_the_old_version(void **state)
{
    char dir[128], name[64];
    struct br_store *s;
    struct br_store_mended mended;
    (void)state;
    for (int version = 1; version < BR_STORE_USER_VERSION && fixture(version, dir); version++)
        for (int log = 0; log < 2; log++) {
            assert_true(fixture(version, dir));
            int64_t last = raw_int(dir, log ? "SELECT content_offset FROM journal WHERE content_bytes > 0 ORDER BY seq DESC LIMIT 1"
                                            : "SELECT 4096 + 32 * first_slot FROM journal WHERE n_slots > 0 ORDER BY seq DESC LIMIT 1");
            snprintf(name, sizeof(name), "%s.%d", log ? "content" : "vectors", (int)raw_int(dir, "SELECT generation FROM store"));
            flip(dir, name, last + 9);
            open_fails(dir, BR_STORE_WRITE, BR_E_CORRUPT);
            assert_int_equal(raw_int(dir, "PRAGMA user_version"), version);
            OK(br_store_open_repair(&br_io_posix, dir, &s, &mended, err));
            assert_int_equal(s->schema_version, BR_STORE_USER_VERSION);
            br_store_close(s);
            assert_int_equal(raw_int(dir, "PRAGMA user_version"), BR_STORE_USER_VERSION);
        }
}

/* What a step makes is there already, in another form: it fails half-way. */
static void a_failure_leaves_the_old_version(void **state)
{
    char dir[128];
    struct br_store *s;
    (void)state;
    assert_true(fixture(1, dir));
    (void)raw_int(dir, "CREATE TABLE erase_queue(x)");
    open_fails(dir, BR_STORE_WRITE, BR_E_CORRUPT); /* a table that version 1 does not have */
    assert_int_equal(raw_int(dir, "PRAGMA user_version"), 1);
    OK(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, err));
    assert_whole(s);
    br_store_close(s);
    (void)raw_int(dir, "DROP TABLE erase_queue");
    OK(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, err));
    assert_whole(s);
    br_store_close(s);
}

static int die(void *ctx)
{
    (void)ctx;
    _exit(9);
}

static int on_connection(sqlite3 *db, const char **msg, const struct sqlite3_api_routines *api)
{
    (void)msg, (void)api;
    sqlite3_commit_hook(db, die, NULL);
    return SQLITE_OK;
}

/* A kill when all is written and nothing committed. */
static void a_kill_leaves_the_old_version(void **state)
{
    char dir[128];
    struct br_store *s;
    int status;
    (void)state;
    assert_true(fixture(1, dir));
    pid_t child = fork();
    if (child == 0) {
        sqlite3_auto_extension((void (*)(void))(uintptr_t)on_connection);
        (void)!br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 9);
    assert_int_equal(raw_int(dir, "PRAGMA user_version"), 1);
    assert_int_equal(raw_int(dir, "SELECT count(*) FROM sqlite_master WHERE name = 'erase_queue'"), 0);
    OK(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, err));
    assert_whole(s);
    br_store_close(s);
    assert_int_equal(raw_int(dir, "PRAGMA user_version"), BR_STORE_USER_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_released_version_becomes_todays),
        cmocka_unit_test(a_reader_takes_the_old_version_as_it_is),
        cmocka_unit_test(a_newer_version_is_refused),
        cmocka_unit_test(damage_is_found_in_the_old_version),
        cmocka_unit_test(a_failure_leaves_the_old_version),
        cmocka_unit_test(a_kill_leaves_the_old_version),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
