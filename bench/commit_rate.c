/* commit_rate.c - batches committed a second, beside the least that two durable files cost on the same disk.
 *
 *   bench_commit_rate [--slower MS] DIR [ROUNDS [SECONDS [DOCUMENTS...]]]
 *
 * For batches of 1, 16, 64 and 256 documents, or those asked for (a text of about 200 bytes and a vector of 384 dimensions each): the store begins, adds and commits
 * them, and a bare loop appends as many bytes to two files and calls fdatasync on one, then on the other. Both work in DIR, which has to be on
 * the disk in question (not on a tmpfs), and take turns, one batch each, for SECONDS (2) in each of ROUNDS (15) rounds. A round gives one ratio
 * of batches a second, store to bare loop. Printed are median, least and most of the rounds, and the ratio of all batches. The target: 90 %.
 * A second bare loop writes to its files what the store wrote in all, write-ahead log and checkpoints included: what is left of the
 * difference then is not the amount. /proc/self/io tells that amount.
 * The last line is the least that SQLite takes for as many rows: a transaction that puts a row for each text and for each vector into two tables
 * with an integer key and nothing else, durable as the store's are. How much of the store's time that is says what could be gained yet.
 * Absolute rates are printed for orientation only: they are the disk's, and vary by the minute where others use it too.
 *
 * How long a sync takes decides what is compared. Where a cache answers in a tenth of a millisecond it is mostly the processor's work; a disk
 * that writes takes milliseconds, and then only the number of syncs one after the other counts. --slower MS adds that much to every sync of
 * this process, SQLite's included (syncs at the same time wait at the same time), so that both can be seen on one machine. */
#include "store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DIM 384
#define TEXT 200
#define BATCH_MAX 256
#define ROUNDS_MAX 1000

static void die(const char *what, const char *why)
{
    fprintf(stderr, "commit_rate: %s%s%s\n", what, why ? ": " : "", why ? why : "");
    exit(1);
}

#define MUST(expr)                          \
    do {                                    \
        struct br_err e_ = {0}, *err = &e_; \
        if ((expr) != BR_OK)                \
            die(#expr, e_.msg);             \
    } while (0)

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double slower; /* seconds */

/* Takes the place of libc's for the store, SQLite and the bare loop alike: SQLite's library has to see it. */
__attribute__((visibility("default")))
int fdatasync(int fd)
{
    int rc = (int)syscall(SYS_fdatasync, fd);
    if (slower > 0) {
        const struct timespec wait = {.tv_sec = (time_t)slower, .tv_nsec = (long)((slower - floor(slower)) * 1e9)};
        nanosleep(&wait, NULL);
    }
    return rc;
}

static char text[BATCH_MAX][TEXT];
static float vectors[BATCH_MAX][DIM];

static void make_documents(void)
{
    uint64_t x = 1;
    for (int i = 0; i < BATCH_MAX; i++) {
        double length = 0;
        for (int j = 0; j < DIM; j++) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
            vectors[i][j] = (float)(int32_t)(x >> 32) / 2147483648.0f;
            length += (double)vectors[i][j] * vectors[i][j];
        }
        for (int j = 0; j < DIM; j++)
            vectors[i][j] /= (float)sqrt(length);
        for (int j = 0; j < TEXT; j++)
            text[i][j] = (char)('a' + (i * 7 + j * j) % 26);
    }
}

static double store_batch(struct br_store *s, size_t batch)
{
    static uint64_t serial;
    uint64_t content, slot;
    double start = now();
    MUST(br_store_begin(s, err));
    for (size_t i = 0; i < batch; i++) {
        memcpy(text[i], &serial, sizeof serial);
        serial++;
        MUST(br_store_add_content(s, text[i], TEXT, &content, err));
        MUST(br_store_add_slot(s, content, vectors[i], &slot, err));
    }
    MUST(br_store_commit(s, NULL, err));
    return now() - start;
}

struct bare {
    int fd[2];
    off_t end[2];
    double synced; /* seconds in fdatasync, in all */
};

static double bare_batch(struct bare *b, const size_t size[2])
{
    static char bytes[1 << 20];
    double start = now();
    for (int f = 0; f < 2; f++)
        for (size_t left = size[f], n; left; left -= n) {
            n = BR_MIN(left, sizeof bytes);
            if (pwrite(b->fd[f], bytes, n, b->end[f]) != (ssize_t)n)
                die("cannot write the bare files", NULL);
            b->end[f] += (off_t)n;
        }
    double written_at = now();
    for (int f = 0; f < 2; f++)
        if (fdatasync(b->fd[f]) != 0)
            die("cannot sync the bare files", NULL);
    double end = now();
    b->synced += end - written_at;
    return end - start;
}

static void open_bare(struct bare *b, const char *dir)
{
    for (int f = 0; f < 2; f++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/bare.%d", dir, f);
        b->fd[f] = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        b->end[f] = 0;
        if (b->fd[f] < 0 || fsync(b->fd[f]) != 0)
            die("cannot make", path);
        unlink(path);
    }
}

/* --- Rows alone --- */

struct rows {
    sqlite3 *db;
    sqlite3_stmt *begin, *content, *slot, *commit;
    int64_t n;
};

static sqlite3_stmt *prepare(struct rows *r, const char *sql)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v3(r->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK)
        die("cannot prepare", sqlite3_errmsg(r->db));
    return st;
}

static void open_rows(struct rows *r, const char *dir)
{
    char uri[4096];
    *r = (struct rows){0};
    snprintf(uri, sizeof uri, "file:%s/rows.db?psow=0", dir);
    if (sqlite3_open_v2(uri, &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(r->db,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16384;"
                     "DROP TABLE IF EXISTS content; DROP TABLE IF EXISTS slots;"
                     "CREATE TABLE content(id INTEGER PRIMARY KEY, offset, length, hash);"
                     "CREATE TABLE slots(slot INTEGER PRIMARY KEY, content, checksum, seq)",
                     NULL, NULL, NULL) != SQLITE_OK)
        die("cannot make a database", sqlite3_errmsg(r->db));
    r->begin = prepare(r, "BEGIN IMMEDIATE");
    r->content = prepare(r, "INSERT INTO content VALUES(?1, ?2, ?3, ?4)");
    r->slot = prepare(r, "INSERT INTO slots VALUES(?1, ?2, ?3, ?4)");
    r->commit = prepare(r, "COMMIT");
}

static void close_rows(struct rows *r)
{
    sqlite3_finalize(r->begin);
    sqlite3_finalize(r->content);
    sqlite3_finalize(r->slot);
    sqlite3_finalize(r->commit);
    sqlite3_close(r->db);
}

static void step(struct rows *r, sqlite3_stmt *st)
{
    if (sqlite3_step(st) != SQLITE_DONE)
        die("SQLite fails", sqlite3_errmsg(r->db));
    sqlite3_reset(st);
}

static double rows_batch(struct rows *r, size_t batch)
{
    double start = now();
    step(r, r->begin);
    for (size_t i = 0; i < batch; i++, r->n++) {
        sqlite3_bind_int64(r->content, 1, r->n);
        sqlite3_bind_int64(r->content, 2, r->n * (TEXT + 24));
        sqlite3_bind_int64(r->content, 3, TEXT);
        sqlite3_bind_blob(r->content, 4, text[i], 16, SQLITE_STATIC);
        step(r, r->content);
        sqlite3_bind_int64(r->slot, 1, r->n);
        sqlite3_bind_int64(r->slot, 2, r->n);
        sqlite3_bind_int64(r->slot, 3, (int64_t)((uint64_t)r->n * UINT64_C(0x9E3779B97F4A7C15)));
        sqlite3_bind_int64(r->slot, 4, r->n / (int64_t)batch);
        step(r, r->slot);
    }
    step(r, r->commit);
    return now() - start;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Bytes this process ever wrote. */
static size_t written(void)
{
    char line[128];
    size_t n = 0;
    FILE *f = fopen("/proc/self/io", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "wchar: ", 7) == 0)
            n = strtoul(line + 7, NULL, 10);
    if (f)
        fclose(f);
    return n;
}

struct comparison {
    double ratio[ROUNDS_MAX]; /* of each round */
    double all;               /* seconds in all rounds */
};

static void print(const char *what, struct comparison *c, size_t rounds, double store)
{
    qsort(c->ratio, rounds, sizeof *c->ratio, ascending);
    printf("  %5.1f %% of two fdatasyncs of %-20s (least %5.1f, most %5.1f, of all %5.1f)", c->ratio[rounds / 2] * 100, what,
           c->ratio[0] * 100, c->ratio[rounds - 1] * 100, c->all / store * 100);
}

static void compare(struct br_store *s, const char *dir, size_t batch, size_t rounds, double seconds)
{
    static struct comparison same, all;
    const size_t documents[2] = {batch * (TEXT + 24), batch * sizeof vectors[0]};
    double stored = 0;
    uint64_t n = 0;
    struct bare files[2];
    struct rows rows;
    double rows_alone = 0;
    open_rows(&rows, dir);
    open_bare(&files[0], dir);
    open_bare(&files[1], dir);
    files[0].synced = files[1].synced = same.all = all.all = 0;
    for (size_t i = 0; i < rounds; i++) {
        double took[4] = {0};
        for (; took[0] + took[1] + took[2] + took[3] < seconds; n++) {
            size_t before = written();
            took[0] += store_batch(s, batch);
            size_t logs = documents[0] + documents[1], others = written() - before;
            const size_t everything[2] = {logs, others - BR_MIN(others, logs)};
            took[1] += bare_batch(&files[0], documents);
            took[2] += bare_batch(&files[1], everything);
            took[3] += rows_batch(&rows, batch);
        }
        same.ratio[i] = took[1] / took[0];
        all.ratio[i] = took[2] / took[0];
        stored += took[0];
        rows_alone += took[3];
        same.all += took[1];
        all.all += took[2];
    }
    for (int i = 0; i < 2; i++) {
        close(files[i].fd[0]);
        close(files[i].fd[1]);
    }
    close_rows(&rows);
    printf("%zu documents, %.0f batches a second and %.0f of the bare loop, whose syncs take %.2f ms\n", batch, (double)n / stored,
           (double)n / same.all, files[0].synced / (double)n / 2 * 1e3);
    print("the documents", &same, rounds, stored);
    printf("  target 90: %s\n", same.ratio[rounds / 2] >= 0.9 ? "met" : "MISSED");
    print("all that is written", &all, rounds, stored);
    printf("\n  %5.1f %% of its time SQLite takes for as many rows in two plain tables\n", rows_alone / stored * 100);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const char *const usual[] = {"1", "16", "64", "256"};
    char dir[3000], command[4096];
    struct br_store *s;
    struct br_store_spec spec = {.workspace_id = "T0BENCH", .model_id = "none", .dim = DIM};
    if (argc > 2 && strcmp(argv[1], "--slower") == 0) {
        char *end;
        slower = strtod(argv[2], &end) / 1e3;
        if (*end || end == argv[2])
            die("--slower wants milliseconds, not", argv[2]);
        argc -= 2;
        argv += 2;
    }
    if (argc < 2)
        die("usage: bench_commit_rate [--slower MS] DIR [ROUNDS [SECONDS [DOCUMENTS...]]]", NULL);
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 15;
    double seconds = argc > 3 ? strtod(argv[3], NULL) : 2;
    if (rounds < 1 || rounds > ROUNDS_MAX || !(seconds > 0) || !(slower >= 0 && slower <= 10) || strchr(argv[1], '\''))
        die("bad arguments", NULL);
    snprintf(dir, sizeof dir, "%s/commit_rate.%d", argv[1], (int)getpid());
    make_documents();
    MUST(br_store_create(&br_io_posix, dir, &spec, &s, err));
    const char *const *batches = argc > 4 ? (const char *const *)argv + 4 : usual;
    size_t n_batches = argc > 4 ? (size_t)argc - 4 : BR_COUNT(usual);
    for (size_t i = 0; i < n_batches; i++) {
        size_t batch = strtoul(batches[i], NULL, 10);
        if (batch < 1 || batch > BATCH_MAX)
            die("a batch has 1 to 256 documents, not", batches[i]);
        compare(s, dir, batch, rounds, seconds);
    }
    br_store_close(s);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) == 0 ? 0 : 1;
}
