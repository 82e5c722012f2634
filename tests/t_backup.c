/* t_backup.c - a backup is one consistent, checked file: what comes back answers as the original did, and what is no backup leaves nothing. */
#include "tiny_model.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backup_int.h"
#include "slack.h"
#include "store_core.h"

static char scratch[1024], model[1300];

static const char *in_scratch(const char *name)
{
    static char paths[8][1400];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, 1400, "%s/%s", scratch, name);
    return path;
}

static int setup(void **state)
{
    (void)state;
    e2e_scratch(scratch, sizeof scratch);
    tiny_model(scratch, model, sizeof model);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    e2e_remove_tree(scratch);
    return 0;
}

#define OK(call)                                \
    do {                                        \
        struct br_error e = {0}, *error = &e;   \
        if (call)                               \
            fail_msg("%s: %s", #call, e.message); \
        (void)error;                            \
    } while (0)
#define STORE_OK(call)                       \
    do {                                     \
        struct br_err e = {0}, *err = &e;    \
        if ((call) != BR_OK)                 \
            fail_msg("%s: %s", #call, e.msg); \
        (void)err;                           \
    } while (0)

static size_t entries_of(const char *dir, const char *prefix)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.' ? strncmp(e->d_name, prefix, strlen(prefix)) == 0 : prefix[0] == '.' && e->d_name[1] == prefix[1];
    if (d)
        closedir(d);
    return n;
}

static void file_equal(const char *a, const char *b)
{
    FILE *x = fopen(a, "rb"), *y = fopen(b, "rb");
    assert_true(x && y);
    for (int c; (c = fgetc(x)) != EOF;)
        assert_int_equal(c, fgetc(y));
    assert_int_equal(fgetc(y), EOF);
    fclose(x);
    fclose(y);
}

/* --- What comes back answers as the original did --- */

static void same_answers(struct br_home *a, const char *wa, struct br_home *b, const char *wb)
{
    static const char *const queries[] = {"how did we make our roads show up", "lunch", "has:link map", "in:#general data before:2016"};
    struct br_workspace *x, *y;
    OK(br_workspace_open(a, wa, &x, error));
    OK(br_workspace_open(b, wb, &y, error));
    for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
        struct br_search_results r = {0}, s = {0};
        OK(br_search(x, queries[q], NULL, &r, error));
        OK(br_search(y, queries[q], NULL, &s, error));
        assert_true(r.count > 0);
        assert_int_equal(r.count, s.count);
        for (size_t i = 0; i < r.count; i++) {
            assert_string_equal(r.hits[i].message.text, s.hits[i].message.text);
            assert_string_equal(r.hits[i].message.channel_id, s.hits[i].message.channel_id);
            assert_int_equal(r.hits[i].message.ts, s.hits[i].message.ts);
            assert_true(r.hits[i].score == s.hits[i].score);
        }
        br_search_results_free(&r);
        br_search_results_free(&s);
    }
    br_workspace_close(x);
    br_workspace_close(y);
}

static void restored_answers_as_the_original(void **state)
{
    char sample[1024], dir[1500], name[1600];
    struct br_backup_report r = {0};
    (void)state;
    e2e_source_path(sample, sizeof sample, "data/sample/houstondatavis.zip");
    struct br_home *home = e2e_home(in_scratch("home"), model), *other = e2e_home(in_scratch("other"), model);
    struct br_import_reports imported = e2e_import(home, sample, false);
    br_import_reports_free(&imported);
    OK(br_backup(home, NULL, in_scratch("a.tar.zst"), NULL, &r, error));
    assert_true(r.bytes_file > 0 && r.bytes_file < r.bytes_metadata + r.bytes_content + r.bytes_vectors);
    assert_int_equal(entries_of(scratch, "a.tar.zst"), 1);
    snprintf(dir, sizeof dir, "%s/home/workspaces/%s", scratch, r.workspace);
    assert_int_equal(entries_of(dir, "backup-"), 0);

    /* an ordinary tar knows what it is */
    snprintf(name, sizeof name, "tar --zstd -tf %s/a.tar.zst | tr '\\n' ' ' | grep -q '^MANIFEST metadata.db content.1 vectors.1 $'", scratch);
    if (system("tar --version >/dev/null 2>&1 && zstd --version >/dev/null 2>&1") == 0)
        assert_int_equal(system(name), 0);

    /* elsewhere under its own id; here it is there already; here under another name */
    struct br_error err = {0};
    OK(br_restore(other, in_scratch("a.tar.zst"), NULL, NULL, &r, error));
    same_answers(home, NULL, other, NULL);
    e2e_verify(other, NULL);
    assert_int_equal(br_restore(home, in_scratch("a.tar.zst"), NULL, NULL, &r, &err), BR_STATUS_USAGE);
    OK(br_restore(home, in_scratch("a.tar.zst"), "copy", NULL, &r, error));
    assert_string_equal(r.name, "copy");
    e2e_verify(home, "copy");
    same_answers(other, NULL, home, "copy");
    assert_int_equal(br_restore(home, in_scratch("a.tar.zst"), "copy", NULL, &r, &err), BR_STATUS_USAGE);

    /* the graph is there again, and the same import adds nothing */
    struct br_workspace *ws;
    struct br_workspace_status st;
    OK(br_workspace_open(home, "copy", &ws, error));
    OK(br_workspace_status(ws, &st, error));
    assert_true(st.bytes_graph > 0);
    assert_int_equal(st.last_seq, st.indexed_seq);
    br_workspace_status_free(&st);
    br_workspace_close(ws);
    imported = e2e_import(other, sample, false);
    assert_int_equal(imported.sum.messages_new + imported.sum.messages_updated + imported.sum.embedded, 0);
    br_import_reports_free(&imported);

    /* two workspaces, two uuids: their files cannot be mixed */
    char from[1700], to[1700], command[3600];
    snprintf(to, sizeof to, "%s/home/workspaces/%s/content.1", scratch, r.workspace[0] ? r.workspace : "");
    snprintf(from, sizeof from, "%s/content.1", dir);
    snprintf(command, sizeof command, "cp %s %s", from, to);
    assert_int_equal(system(command), 0);
    assert_int_equal(br_workspace_open(home, "copy", &ws, &err), BR_STATUS_DAMAGED);
    br_home_close(home);
    br_home_close(other);
}

/* --- Beside a writer --- */

#define CH "C0TEST0001X"
#define DIM 4

static void put_message(struct br_store *s, int n)
{
    char text[2000];
    float v[DIM] = {0};
    enum br_slack_outcome outcome;
    int len = snprintf(text, sizeof text, "message %d ", n);
    memset(text + len, 'a' + n % 26, (size_t)(n % 1500));
    text[len + n % 1500] = 0;
    v[n % DIM] = 1;
    const struct br_slack_message m = {.channel_id = CH, .ts = INT64_C(1704103200000000) + n, .user_id = "U1", .cls = BR_MSG_CONTENT,
                                       .text = text, .text_len = strlen(text), .raw = "{}", .raw_len = 2, .needs_vector = true};
    STORE_OK(br_slack_put_message(s, &m, v, &outcome, err));
}

static struct br_store *small_store(const char *dir, int n)
{
    struct br_store *s;
    const struct br_store_spec spec = {.workspace_id = "T0SMALL", .name = "sm\xc3\xa4ll 100%", .model_id = "fake", .dim = DIM};
    STORE_OK(br_store_create(&br_io_posix, dir, &spec, &s, err));
    STORE_OK(br_store_begin(s, err));
    STORE_OK(br_slack_put_channel(s, &(struct br_slack_channel){.id = CH, .name = "general"}, err));
    for (int i = 0; i < n; i++)
        put_message(s, i);
    STORE_OK(br_store_commit(s, NULL, err));
    return s;
}

static _Noreturn void write_on(const char *dir, int n)
{
    struct br_store *s;
    STORE_OK(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, err));
    for (;;) {
        STORE_OK(br_store_begin(s, err));
        for (int i = 0; i < 7; i++)
            put_message(s, n++);
        STORE_OK(br_store_commit(s, NULL, err));
    }
}

static int64_t count_in(const char *dir)
{
    struct br_store *s;
    struct br_slack_counts c;
    int64_t gaps;
    STORE_OK(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, err));
    STORE_OK(br_slack_count(s, &c, err));
    STORE_OK(br_sql_int(s->db, "SELECT max(ts) - min(ts) + 1 - count(*) FROM message_metadata", NULL, &gaps, err));
    assert_int_equal(gaps, 0); /* a prefix of what was written */
    br_store_close(s);
    return (int64_t)c.messages;
}

static void restore_into(const char *path, const char *workspaces, const char *id)
{
    struct br_backup_reader *r;
    struct br_manifest m;
    const struct br_backup_options opt = {0};
    mkdir(workspaces, 0700);
    STORE_OK(br_backup_open(&br_io_posix, path, &r, &m, err));
    STORE_OK(br_store_restore(r, workspaces, id, NULL, &opt, err));
    br_backup_close(r);
}

static void taken_beside_a_writer_it_is_a_prefix(void **state)
{
    char dir[1400], back[1400];
    struct br_manifest m;
    const struct br_backup_options opt = {.program = "test"};
    uint64_t bytes;
    int64_t before = 10;
    (void)state;
    snprintf(dir, sizeof dir, "%s", in_scratch("small"));
    br_store_close(small_store(dir, 10));
    pid_t writer = fork();
    if (writer == 0)
        write_on(dir, 10);
    for (int i = 0; i < 6; i++) {
        usleep(30000);
        STORE_OK(br_store_backup(&br_io_posix, dir, in_scratch("w.tar.zst"), &opt, &m, &bytes, err));
        assert_int_equal(entries_of(dir, "backup-"), 0);
        snprintf(back, sizeof back, "%s%d", in_scratch("back"), i);
        restore_into(in_scratch("w.tar.zst"), back, "T0SMALL");
        snprintf(back, sizeof back, "%s%d/T0SMALL", in_scratch("back"), i);
        int64_t n = count_in(back);
        assert_true(n >= before && n % 7 == 3);
        before = n;
    }
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    assert_true(before > 10); /* it did write meanwhile */
}

static void of_an_older_schema_it_comes_back_as_todays(void **state)
{
    char fixture[1024], command[4000], dir[1400];
    struct br_manifest m;
    struct br_store *s;
    const struct br_backup_options opt = {.program = "test"};
    uint64_t bytes;
    (void)state;
    e2e_source_path(fixture, sizeof fixture, "tests/data/schema/v1");
    snprintf(dir, sizeof dir, "%s", in_scratch("v1"));
    snprintf(command, sizeof command, "cp -r %s %s && chmod -R u+w %s", fixture, dir, dir);
    assert_int_equal(system(command), 0);
    STORE_OK(br_store_backup(&br_io_posix, dir, in_scratch("v1.tar.zst"), &opt, &m, &bytes, err));
    restore_into(in_scratch("v1.tar.zst"), in_scratch("v1-back"), "T0ANOTHER");
    STORE_OK(br_store_open(&br_io_posix, in_scratch("v1-back/T0ANOTHER"), BR_STORE_READ, &s, err));
    assert_int_equal(s->schema_version, BR_STORE_USER_VERSION);
    br_store_close(s);
}

/* --- What is no backup leaves nothing --- */

struct parts {
    struct br_manifest m;
    char *bytes[BR_MEMBERS];
};

static struct parts take_apart(const char *path)
{
    struct parts p = {0};
    struct br_backup_reader *r;
    char name[101];
    uint64_t size;
    STORE_OK(br_backup_open(&br_io_posix, path, &r, &p.m, err));
    for (int i = 0; i < BR_MEMBERS; i++) {
        STORE_OK(br_tar_next(r->tar, name, &size, err));
        p.bytes[i] = malloc(size);
        STORE_OK(br_tar_read(r->tar, p.bytes[i], size, err));
    }
    br_backup_close(r);
    return p;
}

static void add_member(struct br_tar_writer *w, const char *name, const void *bytes, size_t n)
{
    STORE_OK(br_tar_member(w, name, n, 0, err));
    STORE_OK(br_tar_write(w, bytes, n, err));
}

static void add_manifest(struct br_tar_writer *w, const struct br_manifest *m)
{
    struct br_buf b;
    br_buf_init(&b, 1 << 20);
    STORE_OK(br_manifest_write(m, &b, err));
    add_member(w, "MANIFEST", b.data, b.len);
    br_buf_free(&b);
}

enum twist { GOOD, WRONG_ORDER, TWICE, CLIMBING, EXTRA, NO_VECTORS, OTHER_SIZE, OTHER_BYTES, OTHER_UUID, OTHER_ID, BAD_ID, NO_MANIFEST, TWISTS };

static void put_together(const struct parts *p, enum twist twist, const char *path)
{
    struct br_tar_writer *w;
    struct br_manifest m = p->m;
    uint64_t bytes;
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}};
    char name[64];
    STORE_OK(br_tar_create(&br_io_posix, path, &w, err));
    m.members[2].size -= twist == OTHER_SIZE ? 16 : 0;
    m.uuid[3] ^= twist == OTHER_UUID;
    if (twist == OTHER_ID)
        strcpy(m.workspace_id, "T0OTHER");
    if (twist == BAD_ID)
        strcpy(m.workspace_id, "../../x");
    if (twist != NO_MANIFEST)
        add_manifest(w, &m);
    for (int i = 0; i < BR_MEMBERS - (twist == NO_VECTORS); i++) {
        int k = orders[twist == WRONG_ORDER][i];
        br_manifest_member_name(&p->m, (enum br_backup_member)k, name);
        p->bytes[k][p->m.members[k].size / 2] ^= twist == OTHER_BYTES && k == 1;
        add_member(w, twist == CLIMBING && k == 1 ? "../content.1" : name, p->bytes[k], p->m.members[k].size);
        p->bytes[k][p->m.members[k].size / 2] ^= twist == OTHER_BYTES && k == 1;
        if (twist == TWICE && k == 1)
            add_member(w, name, p->bytes[k], p->m.members[k].size);
    }
    if (twist == EXTRA)
        add_member(w, "more", "x", 1);
    STORE_OK(br_tar_finish(w, &bytes, err));
    br_tar_writer_free(w);
}

/* A bit that the decoder does not look at (padding) changes nothing: every byte that comes out is the manifest's. */
static bool same_content(const char *path)
{
    struct br_backup_reader *r = NULL;
    struct br_manifest m;
    struct br_err err = {0};
    const struct br_backup_options opt = {0};
    bool same = br_backup_open(&br_io_posix, path, &r, &m, &err) == BR_OK && br_backup_check(r, &opt, &err) == BR_OK;
    br_backup_close(r);
    return same;
}

/* The command line's way, because that is what must leave nothing. */
static void refused(struct br_home *home, const char *path, const char *what)
{
    struct br_error err = {0};
    struct br_backup_report r;
    int status = br_restore(home, path, NULL, NULL, &r, &err);
    if (status != BR_STATUS_BAD_DATA || !err.message[0] || strchr(err.message, '\n'))
        fail_msg("%s: status %d, %s", what, status, err.message);
    char dir[1400];
    snprintf(dir, sizeof dir, "%s/workspaces", br_home_path(home));
    if (entries_of(dir, "T0") != 0 || entries_of(dir, ".r") != 0)
        fail_msg("%s left something", what);
    struct br_workspace_names names;
    OK(br_home_workspaces(home, &names, error));
    assert_int_equal(names.count, 0);
    br_workspace_names_free(&names);
}

static void hostile_archives_are_refused(void **state)
{
    char dir[1400], path[1400], what[64];
    struct br_manifest m;
    const struct br_backup_options opt = {.program = "test"};
    uint64_t size;
    (void)state;
    snprintf(dir, sizeof dir, "%s", in_scratch("hostile"));
    br_store_close(small_store(dir, 40));
    snprintf(path, sizeof path, "%s", in_scratch("good.tar.zst"));
    STORE_OK(br_store_backup(&br_io_posix, dir, path, &opt, &m, &size, err));
    assert_string_equal(m.name, "sm\xc3\xa4ll 100%");
    struct parts parts = take_apart(path);
    struct br_home *home = e2e_home(in_scratch("empty"), model);
    for (int t = GOOD + 1; t < TWISTS; t++) {
        snprintf(what, sizeof what, "twist %d", t);
        put_together(&parts, (enum twist)t, in_scratch("bad.tar.zst"));
        refused(home, in_scratch("bad.tar.zst"), what);
    }
    /* cut, and flipped, everywhere */
    FILE *f = fopen(path, "rb");
    char *bytes = malloc(size), *twisted = malloc(size);
    assert_int_equal(fread(bytes, 1, size, f), size);
    fclose(f);
    for (uint64_t at = 0; at < size; at += size / 40 + 1) {
        f = fopen(in_scratch("bad.tar.zst"), "wb");
        fwrite(bytes, 1, at, f);
        fclose(f);
        snprintf(what, sizeof what, "cut at %llu", (unsigned long long)at);
        refused(home, in_scratch("bad.tar.zst"), what);
        memcpy(twisted, bytes, size);
        twisted[at] = (char)(twisted[at] ^ 0x10);
        f = fopen(in_scratch("bad.tar.zst"), "wb");
        fwrite(twisted, 1, size, f);
        fclose(f);
        snprintf(what, sizeof what, "flipped at %llu", (unsigned long long)at);
        if (!same_content(in_scratch("bad.tar.zst")))
            refused(home, in_scratch("bad.tar.zst"), what);
    }
    /* the untwisted one is a backup, so the test could have failed */
    struct br_backup_report r;
    put_together(&parts, GOOD, in_scratch("bad.tar.zst"));
    OK(br_restore(home, in_scratch("bad.tar.zst"), NULL, NULL, &r, error));
    br_home_close(home);
    for (int i = 0; i < BR_MEMBERS; i++)
        free(parts.bytes[i]);
    free(bytes);
    free(twisted);
}

/* Size and hash as they are, so that only what is inside can betray it. */
static void forge(const struct parts *p, const char *db, const char *path)
{
    struct parts forged = *p;
    struct stat st;
    FILE *f = fopen(db, "rb");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    forged.bytes[0] = malloc((size_t)st.st_size);
    assert_int_equal(fread(forged.bytes[0], 1, (size_t)st.st_size, f), (size_t)st.st_size);
    fclose(f);
    forged.m.members[0].size = (uint64_t)st.st_size;
    br_content_hash(forged.bytes[0], (size_t)st.st_size, forged.m.members[0].hash);
    put_together(&forged, GOOD, path);
    free(forged.bytes[0]);
}

static void forged_databases_are_refused(void **state)
{
    static const char *const twists[] = {
        "CREATE TRIGGER t AFTER UPDATE ON store BEGIN DELETE FROM content; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE more(x)",
        "DROP TABLE passages",
        "PRAGMA application_id=7",
        "PRAGMA user_version=99",
        "UPDATE store SET content_tail = content_tail + 8",
        "UPDATE store SET vector_tail = 1 << 40",
        "UPDATE store SET dim = 5",
        "UPDATE store SET generation = 2",
        "INSERT INTO users(workspace_id, user_id) VALUES('T0OTHER', 'U9')",
        "UPDATE content SET length = 1 << 60 WHERE content_id = 3",
        "UPDATE content SET hash = zeroblob(16) WHERE content_id = 3",
        "UPDATE slots SET vector_checksum = 0 WHERE slot = 0",
        "DELETE FROM content WHERE content_id = 3",
        "INSERT INTO reactions VALUES('T0SMALL', 'C', 1, 'x', 'x', 1)",
    };
    char dir[1400], db[1400];
    struct br_manifest m;
    const struct br_backup_options opt = {.program = "test"};
    uint64_t size;
    (void)state;
    snprintf(dir, sizeof dir, "%s", in_scratch("forged"));
    br_store_close(small_store(dir, 20));
    STORE_OK(br_store_backup(&br_io_posix, dir, in_scratch("good.tar.zst"), &opt, &m, &size, err));
    struct parts parts = take_apart(in_scratch("good.tar.zst"));
    struct br_home *home = e2e_home(in_scratch("empty2"), model);
    snprintf(db, sizeof db, "%s", in_scratch("forged.db"));
    for (size_t i = 0; i < sizeof twists / sizeof *twists; i++) {
        sqlite3 *h;
        FILE *f = fopen(db, "wb");
        fwrite(parts.bytes[0], 1, parts.m.members[0].size, f);
        fclose(f);
        assert_int_equal(sqlite3_open(db, &h), SQLITE_OK);
        if (sqlite3_exec(h, twists[i], NULL, NULL, NULL) != SQLITE_OK)
            fail_msg("%s: %s", twists[i], sqlite3_errmsg(h));
        sqlite3_close(h);
        forge(&parts, db, in_scratch("bad.tar.zst"));
        refused(home, in_scratch("bad.tar.zst"), twists[i]);
    }
    br_home_close(home);
    for (int i = 0; i < BR_MEMBERS; i++)
        free(parts.bytes[i]);
}

static void bombs_are_refused(void **state)
{
    struct br_tar_writer *w;
    struct br_manifest m = {.workspace_id = "T0BOMB", .generation = 1};
    const size_t piece = 1 << 20, pieces = 200;
    char *ones = malloc(piece);
    uint64_t bytes;
    (void)state;
    memset(ones, 1, piece);
    m.members[0].size = m.members[1].size = m.members[2].size = UINT64_C(1) << 50;
    struct br_home *home = e2e_home(in_scratch("empty3"), model);
    STORE_OK(br_tar_create(&br_io_posix, in_scratch("bomb.tar.zst"), &w, err));
    add_manifest(w, &m);
    STORE_OK(br_tar_member(w, "metadata.db", UINT64_C(1) << 50, 0, err));
    for (size_t i = 0; i < pieces; i++)
        STORE_OK(br_tar_write(w, ones, piece, err));
    br_tar_writer_free(w);
    refused(home, in_scratch("bomb.tar.zst"), "a bomb");
    m.members[0].size = (uint64_t)pieces << 20;
    STORE_OK(br_tar_create(&br_io_posix, in_scratch("bomb.tar.zst"), &w, err));
    add_manifest(w, &m);
    STORE_OK(br_tar_member(w, "metadata.db", m.members[0].size, 0, err));
    for (size_t i = 0; i < pieces; i++)
        STORE_OK(br_tar_write(w, ones, piece, err));
    STORE_OK(br_tar_finish(w, &bytes, err));
    br_tar_writer_free(w);
    refused(home, in_scratch("bomb.tar.zst"), "a whole bomb");
    free(ones);
    br_home_close(home);
}

/* --- Interruptions --- */

static void die(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    if (strcmp(phase, ctx) == 0)
        _exit(9);
}

static void killed_restores_are_swept(void **state)
{
    char dir[1400], workspaces[1400];
    struct br_manifest m;
    const struct br_backup_options opt = {.program = "test"};
    struct br_backup_report r;
    uint64_t size;
    int lock;
    (void)state;
    snprintf(dir, sizeof dir, "%s", in_scratch("killed"));
    br_store_close(small_store(dir, 20));
    STORE_OK(br_store_backup(&br_io_posix, dir, in_scratch("k.tar.zst"), &opt, &m, &size, err));
    struct br_home *home = e2e_home(in_scratch("kill-home"), model);
    snprintf(workspaces, sizeof workspaces, "%s/workspaces", br_home_path(home));
    mkdir(br_home_path(home), 0700);
    mkdir(workspaces, 0700);
    pid_t child = fork();
    if (child == 0) {
        struct br_backup_reader *reader;
        const struct br_backup_options fatal = {.ctx = (void *)(uintptr_t)"unpacking", .progress = die};
        STORE_OK(br_backup_open(&br_io_posix, in_scratch("k.tar.zst"), &reader, &m, err));
        (void)!br_store_restore(reader, workspaces, "T0SMALL", NULL, &fatal, NULL);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 9);
    assert_int_equal(entries_of(workspaces, ".r"), 1);
    struct br_workspace_names names;
    OK(br_home_workspaces(home, &names, error));
    assert_int_equal(names.count, 0);
    br_workspace_names_free(&names);
    /* one that is under way stays */
    char busy[1500];
    snprintf(busy, sizeof busy, "%s/.restore-busy", workspaces);
    mkdir(busy, 0700);
    STORE_OK(br_wslock(&br_io_posix, busy, true, &lock, err));
    OK(br_restore(home, in_scratch("k.tar.zst"), NULL, NULL, &r, error));
    assert_int_equal(entries_of(workspaces, ".r"), 1);
    close(lock);
    STORE_OK(br_restore_sweep(&br_io_posix, workspaces, err));
    assert_int_equal(entries_of(workspaces, ".r"), 0);
    e2e_verify(home, NULL);
    br_home_close(home);
}

static void stopped_backups_keep_the_one_before(void **state)
{
    char dir[1400], path[1400];
    struct br_manifest m;
    volatile int stop = 0;
    struct br_backup_options opt = {.program = "test", .stop = &stop};
    struct br_err why = {0};
    uint64_t size;
    (void)state;
    snprintf(dir, sizeof dir, "%s", in_scratch("stopped"));
    snprintf(path, sizeof path, "%s", in_scratch("s.tar.zst"));
    br_store_close(small_store(dir, 20));
    STORE_OK(br_store_backup(&br_io_posix, dir, path, &opt, &m, &size, err));
    assert_int_equal(link(path, in_scratch("kept")), 0);
    stop = 1;
    assert_int_equal(br_store_backup(&br_io_posix, dir, path, &opt, &m, &size, &why), BR_E_INTERRUPTED);
    file_equal(path, in_scratch("kept"));
    assert_int_equal(entries_of(scratch, "s.tar.zst"), 1);
    assert_int_equal(entries_of(dir, "backup-"), 0);
    /* what is no file is not replaced by one */
    stop = 0;
    struct stat st;
    assert_int_equal(mkfifo(in_scratch("pipe"), 0600), 0);
    assert_int_equal(br_store_backup(&br_io_posix, dir, in_scratch("pipe"), &opt, &m, &size, &why), BR_E_USAGE);
    assert_int_equal(stat(in_scratch("pipe"), &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    why = (struct br_err){0};
    /* damage is not carried on */
    char content[1500];
    snprintf(content, sizeof content, "%s/content.1", dir);
    int fd = open(content, O_RDWR);
    assert_int_equal(pwrite(fd, "XXXX", 4, 4096 + 30), 4);
    close(fd);
    why = (struct br_err){0};
    assert_int_equal(br_store_backup(&br_io_posix, dir, path, &opt, &m, &size, &why), BR_E_CORRUPT);
    file_equal(path, in_scratch("kept"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restored_answers_as_the_original),
        cmocka_unit_test(taken_beside_a_writer_it_is_a_prefix),
        cmocka_unit_test(of_an_older_schema_it_comes_back_as_todays),
        cmocka_unit_test(hostile_archives_are_refused),
        cmocka_unit_test(forged_databases_are_refused),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(killed_restores_are_swept),
        cmocka_unit_test(stopped_backups_keep_the_one_before),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
