/* open_workspace.c - how long it takes to open a large workspace whose writer was killed, and to ask it the first question.
 *
 *   bench_open_workspace DIR [DOCUMENTS [ROUNDS [KIND]]]
 *
 * Makes, once, a home in DIR with DOCUMENTS (1,000,000) messages whose texts are made-up words and whose vectors are synthetic: 384
 * dimensions, in clusters. That takes minutes to an hour and about 4.5 KB a document; stopped and started again it goes on where it was. Then, ROUNDS
 * (5) times each, or for KIND alone:
 *   current   the graph has every vector. A writer fills the write-ahead log, begins a large batch and is killed (SIGKILL) within it
 *   cold      the same, and nothing of the workspace is in the page cache
 *   batch     the last batch that was committed is the largest that a writer's opening checks whole: 8 MiB of vectors
 *   coldbatch batch and cold in one
 *   rows      as batch, but larger: of such a one the newest rows are checked one by one
 *   tail      the same as current with the largest tail that the graph may be behind, br_graph_tail_max: it is scanned exactly
 * and each time a new process opens the home and the workspace through the public interface and searches once in every mode; then another one opens
 * it for writing, which checks the last batch against the journal, and begins a transaction, before which the write-ahead log is cut. Printed are
 * medians and maxima, and the memory of the first process. The targets: open <= 100 ms when current, <= 2 s with the tail, for either process. The
 * page cache is warm after the first round, but for "cold". Last, a writer opens the workspace and the graph follows the tail, so the workspace has
 * some more documents with every run. */
#include "engine_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKSPACE "T0BENCH"
#define CHANNELS 50
#define CLUSTERS 2000
#define BATCH 1024
#define WORDS_MAX 20000
#define DIM_MAX 1024
#define USERS 2500 /* rows that fill the write-ahead log */
#define VECTORS_CHECKED ((size_t)8 << 20) /* CHECK_BYTES of storage/store_journal.c */

static char home[3000], dir[4000];

static void die(const char *what, const struct br_err *err)
{
    fprintf(stderr, "open_workspace: %s%s%s\n", what, err ? ": " : "", err ? err->msg : "");
    exit(1);
}

#define MUST(expr)                    \
    do {                              \
        struct br_err e_ = {0}, *err = &e_; \
        if ((expr) != BR_OK)          \
            die(#expr, err);          \
    } while (0)

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- document i is a function of i ---- */

static uint64_t mixed(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* About normal, of variance 1. */
static float noise(uint64_t *state)
{
    uint64_t x = *state = mixed(*state);
    float sum = 0;
    for (int i = 0; i < 4; i++, x >>= 16)
        sum += (float)(x & 0xffff) / 65536.0f - 0.5f;
    return sum * 1.7320508f;
}

/* Clusters of uneven sizes around directions in a space of few dimensions, as texts are. */
static void vector_of(uint64_t i, uint32_t dim, float *v)
{
    uint64_t s = mixed(i), r = s % (CLUSTERS * (uint64_t)CLUSTERS);
    uint64_t cluster = mixed(UINT64_C(77) + (r / CLUSTERS) * (r % CLUSTERS) / CLUSTERS);
    float length = 0;
    for (uint32_t d = 0; d < dim; d++) {
        v[d] = noise(&cluster) + (d < dim / 4 ? 1.2f : 0.2f) * noise(&s);
        length += v[d] * v[d];
    }
    for (uint32_t d = 0; d < dim; d++)
        v[d] /= sqrtf(length);
}

/* Frequent words first, as in any language. */
static size_t word(uint64_t *state, char *out)
{
    static const char syllables[16][3] = {"ka", "lo", "mi", "ne", "pu", "ra", "so", "ti", "ve", "wa", "xe", "yo", "zu", "be", "di", "fo"};
    uint64_t x = *state = mixed(*state);
    double u = (double)(x >> 11) / 9007199254740992.0;
    uint64_t n = (uint64_t)(u * u * u * WORDS_MAX) + 16;
    size_t len = 0;
    for (; n; n /= 16, len += 2)
        memcpy(out + len, syllables[n % 16], 2);
    return len;
}

static size_t text_of(uint64_t i, char *out)
{
    uint64_t s = mixed(i ^ UINT64_C(0x5555)), n = 6 + s % 20;
    size_t len = 0;
    for (uint64_t w = 0; w < n; w++) {
        len += word(&s, out + len);
        out[len++] = ' ';
    }
    return len + (size_t)sprintf(out + len, "%llu", (unsigned long long)i);
}

static void put_document(struct br_store *s, uint64_t i, uint32_t dim)
{
    char text[1024], raw[1200], channel[32];
    float v[DIM_MAX];
    enum br_slack_outcome outcome;
    size_t n = text_of(i, text), raw_n = (size_t)sprintf(raw, "{\"type\":\"message\",\"text\":\"%s\"}", text);
    sprintf(channel, "C%010u", (unsigned)(i % CHANNELS));
    struct br_slack_message m = {.channel_id = channel,
                                 .ts = INT64_C(1600000000000000) + (int64_t)i * 30000000,
                                 .user_id = "U1",
                                 .cls = BR_MSG_CONTENT,
                                 .text = text,
                                 .text_len = n,
                                 .raw = raw,
                                 .raw_len = raw_n,
                                 .needs_vector = true};
    struct br_slack_thread_key key = {.thread_ts = m.ts};
    memcpy(key.channel_id, channel, strlen(channel) + 1);
    vector_of(i, dim, v);
    MUST(br_slack_put_message(s, &m, v, &outcome, err));
    MUST(br_slack_put_passages(s, &key, NULL, 0, err));
}

/* ---- making it ---- */

static struct br_home *open_home(void)
{
    struct br_home *h;
    struct br_error error;
    if (br_home_open(home, NULL, &h, &error) != BR_STATUS_OK)
        die(error.message, NULL);
    return h;
}

static void add_channels(struct br_store *s)
{
    MUST(br_store_begin(s, err));
    for (unsigned c = 0; c < CHANNELS; c++) {
        char id[32], name[32];
        sprintf(id, "C%010u", c);
        sprintf(name, "channel-%u", c);
        MUST(br_slack_put_channel(s, &(struct br_slack_channel){.id = id, .name = name}, err));
    }
    MUST(br_store_commit(s, NULL, err));
}

static struct br_store *open_writer(const struct br_model_info *m)
{
    struct br_store *s = NULL;
    struct br_registry *reg = NULL;
    struct br_err why = {0};
    struct br_store_spec spec = {.workspace_id = WORKSPACE, .name = "bench", .model_id = m->id, .dim = m->dim};
    if (m->dim > DIM_MAX)
        die("the model has too many dimensions", NULL);
    MUST(br_registry_open(&br_io_posix, home, true, &reg, NULL, err));
    enum br_rc rc = br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, &why);
    if (rc == BR_E_NOTFOUND) {
        MUST(br_store_create(&br_io_posix, dir, &spec, &s, err));
        add_channels(s);
        MUST(br_registry_add(reg, WORKSPACE, "bench", err));
    } else if (rc != BR_OK) {
        die("opening it for writing", &why);
    }
    br_registry_close(reg);
    return s;
}

/* Every slot is a document: no batch leaves a gap, because its size is a multiple of what a page holds. */
static uint64_t documents(struct br_store *s)
{
    struct br_store_info info;
    MUST(br_store_info(s, &info, err));
    return info.vector_tail;
}

static void add_batch(struct br_store *s, uint64_t i, uint64_t stop, uint32_t dim)
{
    MUST(br_store_begin(s, err));
    for (; i < stop; i++)
        put_document(s, i, dim);
    MUST(br_store_commit(s, NULL, err));
}

static void add_documents(struct br_store *s, uint64_t end, uint32_t dim, struct br_graph *g)
{
    double started = now();
    uint64_t first = documents(s);
    for (uint64_t i = first; i < end;) {
        uint64_t stop = BR_MIN(end, i + BATCH);
        add_batch(s, i, stop, dim);
        i = stop;
        if (g)
            MUST(br_graph_keep_up(g, &br_io_posix, s, err));
        if (g && i / 50000 != (i - BATCH) / 50000)
            fprintf(stderr, "%llu documents, %.0f a second\n", (unsigned long long)i, (double)(i - first) / (now() - started));
    }
}

/* All there, all of it in the checkpoint. */
static void make(uint64_t n)
{
    struct br_home *h = open_home();
    const struct br_model_info *m = br_model_info(h->model);
    struct br_store *s = open_writer(m);
    struct br_graph g;
    double started = now();
    br_graph_open(&g, &br_io_posix, s, NULL);
    uint64_t behind = documents(s) - g.slot_end;
    MUST(br_graph_follow(&g, s, err));
    if (behind)
        printf("a writer's graph follows %llu vectors: %.1f s\n", (unsigned long long)behind, now() - started);
    add_documents(s, n / BATCH * BATCH, m->dim, &g);
    MUST(br_graph_checkpoint(&g, &br_io_posix, s, err));
    br_store_sweep(s);
    br_graph_close(&g);
    br_store_close(s);
    br_home_close(h);
}

/* ---- the writer that is killed ---- */

static void fill_wal(struct br_store *s)
{
    static int round;
    round = (int)getpid();
    for (int i = 0; i < USERS; i += 4) {
        MUST(br_store_begin(s, err));
        for (int j = i; j < i + 4; j++) {
            char id[32], name[64];
            sprintf(id, "U%08d", j);
            sprintf(name, "name %d of %d", round, j);
            struct br_slack_user u = {.id = id, .name = name, .freshness = (int64_t)time(NULL) * 1000000};
            MUST(br_slack_put_user(s, &u, err));
        }
        MUST(br_store_commit(s, NULL, err));
    }
}

struct kind {
    const char *name;
    uint64_t tail;
    size_t last_batch; /* bytes of vectors, 0 as it is */
    bool cold;
    double target; /* ms */
};

/* In a process of its own; writes one byte to `ready` when it may be killed. */
static void write_on(const struct kind *k, int ready)
{
    struct br_home *h = open_home();
    const struct br_model_info *m = br_model_info(h->model);
    struct br_store *s = open_writer(m);
    struct br_graph g;
    br_graph_open(&g, &br_io_posix, s, NULL);
    fill_wal(s);
    add_documents(s, (g.slot_end + k->tail) / BATCH * BATCH, m->dim, NULL);
    uint64_t i = documents(s);
    if (k->last_batch) {
        uint64_t stop = i + k->last_batch / (m->dim * 4) / 8 * 8;
        add_batch(s, i, stop, m->dim);
        i = stop;
    }
    MUST(br_store_begin(s, err));
    for (uint64_t n = 0;; n++) {
        put_document(s, i + n, m->dim);
        if (n == 100 && write(ready, "", 1) != 1)
            die("the pipe is broken", NULL);
    }
}

static void killed_writer(const struct kind *k)
{
    int ready[2], status;
    char byte;
    if (pipe(ready) != 0)
        die("no pipe", NULL);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(ready[0]);
        write_on(k, ready[1]);
    }
    close(ready[1]);
    if (pid < 0 || read(ready[0], &byte, 1) != 1)
        die("the writer ended by itself", NULL);
    usleep((useconds_t)(mixed((uint64_t)pid) % 50000));
    kill(pid, SIGKILL);
    if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
        die("the writer was not killed", NULL);
    close(ready[0]);
}

/* ---- who is measured ---- */

enum { HOME, WORKSPACE_OPEN, OPEN, SEMANTIC, KEYWORD, HYBRID, RSS, RSS_ANON, WRITER_OPEN, WRITER_BEGIN, N_FIGURES };
static const char *const figure_names[N_FIGURES] = {"home and model, ms",  "workspace, ms",        "OPEN, ms",
                                                    "first search, ms",    "keyword search, ms",   "hybrid search, ms",
                                                    "resident, MB",        "of it anonymous, MB",  "WRITER'S OPEN, ms",
                                                    "its first begin, ms"};
struct figures {
    double v[N_FIGURES];
    uint64_t documents, tail;
};

static double memory_of(const char *field)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0)
            kb = strtod(line + strlen(field), NULL);
    if (f)
        fclose(f);
    return kb / 1000;
}

static double search(struct br_workspace *ws, enum br_search_mode mode)
{
    char text[1024];
    struct br_error error;
    struct br_search_results r;
    struct br_search_options o = {.mode = mode, .literal = true};
    text_of(4711, text);
    double t = now();
    if (br_search(ws, text, &o, &r, &error) != BR_STATUS_OK)
        die(error.message, NULL);
    t = now() - t;
    if (!r.count)
        die("nothing found", NULL);
    br_search_results_free(&r);
    return t * 1e3;
}

static void read_it(int out)
{
    struct br_home *h;
    struct br_workspace *ws;
    struct br_error error;
    struct figures f = {0};
    double t0 = now();
    if (br_home_open(home, NULL, &h, &error) != BR_STATUS_OK)
        die(error.message, NULL);
    double t1 = now();
    if (br_workspace_open(h, WORKSPACE, &ws, &error) != BR_STATUS_OK)
        die(error.message, NULL);
    double t2 = now();
    f.v[HOME] = (t1 - t0) * 1e3;
    f.v[WORKSPACE_OPEN] = (t2 - t1) * 1e3;
    f.v[OPEN] = (t2 - t0) * 1e3;
    f.v[SEMANTIC] = search(ws, BR_SEARCH_SEMANTIC);
    f.v[KEYWORD] = search(ws, BR_SEARCH_KEYWORD);
    f.v[HYBRID] = search(ws, BR_SEARCH_HYBRID);
    f.v[RSS] = memory_of("VmRSS:");
    f.v[RSS_ANON] = memory_of("RssAnon:");
    f.documents = documents(ws->store);
    f.tail = f.documents - ws->graph.slot_end;
    if (write(out, &f, sizeof f) != sizeof f)
        die("the pipe is broken", NULL);
    _exit(0);
}

static void write_it(int out)
{
    struct br_store *s;
    struct figures f = {0};
    double t0 = now();
    MUST(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, err));
    double t1 = now();
    MUST(br_store_begin(s, err));
    f.v[WRITER_OPEN] = (t1 - t0) * 1e3;
    f.v[WRITER_BEGIN] = (now() - t1) * 1e3;
    br_store_rollback(s);
    br_store_close(s);
    if (write(out, &f, sizeof f) != sizeof f)
        die("the pipe is broken", NULL);
    _exit(0);
}

/* What a process of its own tells. */
static struct figures measured(void (*process)(int out))
{
    int out[2], status;
    struct figures f = {0};
    if (pipe(out) != 0)
        die("no pipe", NULL);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        process(out[1]);
    close(out[1]);
    if (pid < 0 || read(out[0], &f, sizeof f) != sizeof f || waitpid(pid, &status, 0) != pid)
        die("what is measured failed", NULL);
    close(out[0]);
    return f;
}

/* Nothing of the workspace stays in the page cache. Before metadata.db is open here: closing it drops SQLite's locks. */
static void cool(void)
{
    char path[4300];
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || (e->d_name[0] != '.' && (fdatasync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)))
            die("cannot drop the page cache", NULL);
        close(fd);
    }
    if (!d)
        die("cannot list the workspace", NULL);
    closedir(d);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void rounds(struct kind k, size_t n)
{
    double all[N_FIGURES][100];
    struct figures f, w;
    for (size_t i = 0; i < n; i++) {
        killed_writer(&k);
        if (k.cold)
            cool();
        f = measured(read_it);
        if (k.cold)
            cool();
        w = measured(write_it);
        for (int j = 0; j < N_FIGURES; j++)
            all[j][i] = j < WRITER_OPEN ? f.v[j] : w.v[j];
    }
    printf("\n%s: %llu documents, %llu of them in the tail; median and maximum of %zu\n", k.name, (unsigned long long)f.documents,
           (unsigned long long)f.tail, n);
    for (int j = 0; j < N_FIGURES; j++) {
        qsort(all[j], n, sizeof(double), ascending);
        printf("  %-22s %9.1f %9.1f", figure_names[j], all[j][n / 2], all[j][n - 1]);
        if (j == OPEN || j == WRITER_OPEN)
            printf("   target %.0f: %s", k.target, all[j][n - 1] <= k.target ? "met" : "MISSED");
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 5)
        die("usage: bench_open_workspace DIR [DOCUMENTS [ROUNDS [KIND]]]", NULL);
    uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    size_t n_rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 5;
    if (n_rounds < 1 || n_rounds > 100 || snprintf(home, sizeof home, "%s/home", argv[1]) >= (int)sizeof home)
        die("bad arguments", NULL);
    snprintf(dir, sizeof dir, "%s/workspaces/" WORKSPACE, home);
    setvbuf(stdout, NULL, _IOLBF, 0);
    make(n);
    const struct kind kinds[] = {{.name = "current", .target = 100},
                                 {.name = "cold", .cold = true, .target = 100},
                                 {.name = "batch", .last_batch = VECTORS_CHECKED, .target = 2000},
                                 {.name = "coldbatch", .last_batch = VECTORS_CHECKED, .cold = true, .target = 2000},
                                 {.name = "rows", .last_batch = VECTORS_CHECKED * 3 / 2, .target = 2000},
                                 {.name = "tail", .tail = br_graph_tail_max(n), .target = 2000}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (argc < 5 || strcmp(argv[4], kinds[i].name) == 0)
            rounds(kinds[i], n_rounds);
    if (argc < 5)
        make(n);
    return 0;
}
