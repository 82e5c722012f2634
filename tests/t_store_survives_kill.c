/* Kill -9 at any moment, of a writer, of a reader beside it, or of both: what was acknowledged is stored, nothing is stored that was not submitted,
 * what is stored is whole, and going on completes it.
 *
 * Two lives are killed. The workload of sim/workload.h, on real files: its writer notes outside the store every step that came back, so that after
 * a kill exactly two states are right, the one after the steps noted and the one after the step under way; the states are known from an undisturbed
 * run on a simulated disk. A reader notes what it sees: never less than was acknowledged when it looked, never an older state than before.
 * And the program itself, importing exports of one workspace that come one after the other, each with new messages, edits and deletions, with a
 * reader at its side: no message may fall behind the latest state in which it was seen. And the sample, 50 times.
 *
 * `--kills N` (default 200, under the sanitizers 40), `--long` (5,000), `--seed S` repeats a run's choices, if not its moments. */
#include "store_test.h"
#include "tiny_model.h"

#include "sim/workload.h"
#include "small_export.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#ifdef __SANITIZE_ADDRESS__
#define SLOW 5 /* times */
#else
#define SLOW 1
#endif

static unsigned kills_wanted = 200 / SLOW, sample_kills = 50 / SLOW, seed = 20150605;
static char binary[2048], model[1200], sample[2048];

static unsigned draw(unsigned below)
{
    return (unsigned)rand_r(&seed) % below;
}

static void sleep_us(unsigned us)
{
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    nanosleep(&t, NULL);
}

/* A child that does not outlive the test. */
static pid_t start(void (*run)(void))
{
    fflush(NULL);
    pid_t parent = getpid(), pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            run();
        _exit(0);
    }
    return pid;
}

/* Kills it, or finds that it has ended well. True: it was still at work. */
static bool kill_it(pid_t *pid, const char *what)
{
    int status;
    kill(*pid, SIGKILL);
    assert_true(waitpid(*pid, &status, 0) == *pid);
    *pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return false;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("the %s ended by itself, status 0x%x", what, (unsigned)status);
    return true;
}

/* True when it has ended, and well. */
static bool has_ended(pid_t *pid, bool wait_for_it, const char *what)
{
    int status;
    pid_t r = waitpid(*pid, &status, wait_for_it ? 0 : WNOHANG);
    if (r == 0)
        return false;
    assert_true(r == *pid);
    *pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the %s ended with status 0x%x", what, (unsigned)status);
    return true;
}

_Noreturn __attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "in the killed process: ");
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    _exit(3);
}

/* ---- the workload of the store ---- */

#define LIFE 150 /* steps */

static struct {
    char dir[1024], ws[512], acks[1200], sights[1200];
    uint64_t seed, after[LIFE + 1]; /* digests after so many steps */
} life;

/* What a reader saw: one record each time it looked. */
struct sight {
    uint32_t acked_before, acked_after;
    uint64_t digest;
};

static uint64_t seed_of_step(uint32_t step)
{
    uint64_t z = (life.seed * 1000 + step) * 0x9E3779B97F4A7C15u;
    return z ^ (z >> 29);
}

static void foresee(void)
{
    static struct workload w;
    struct sim_disk *disk = sim_disk_new(life.seed);
    workload_init(&w, disk, 0);
    for (uint32_t step = 0; step < LIFE; step++) {
        w.random = seed_of_step(step);
        if (workload_step(&w, step) != BR_OK)
            fail_msg("%s", w.err.msg);
        life.after[step + 1] = w.states[w.acked];
    }
    workload_close(&w);
    sim_disk_free(disk);
}

static void append_to(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        complain("cannot write %s", path);
    close(fd);
}

/* The steps acknowledged. A note is 4 bytes, written at once. */
static uint32_t acked(void)
{
    uint32_t n = 0;
    int fd = open(life.acks, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    if (size >= 4 && pread(fd, &n, 4, size / 4 * 4 - 4) != 4)
        complain("cannot read %s", life.acks);
    if (fd >= 0)
        close(fd);
    return n;
}

/* How many steps the store has in it: those noted, or the one that was under way too. It may have reached the write-ahead log and not its index;
 * then it is not there for whoever uses the index, and comes to life when that is made anew. A writer's first transaction settles it. */
static uint32_t settle(struct workload *w)
{
    uint32_t done = acked();
    uint64_t now = 0;
    enum br_rc rc = br_store_open(&br_io_posix, life.ws, BR_STORE_WRITE, &w->store, &w->err);
    if (rc == BR_E_NOTFOUND && done == 0)
        return 0;
    if (rc == BR_OK)
        rc = br_store_begin(w->store, &w->err);
    if (rc == BR_OK) {
        br_store_rollback(w->store);
        rc = workload_digest(w->store, &now, &w->err);
    }
    workload_close(w);
    if (rc != BR_OK)
        complain("%s", w->err.msg);
    if (now != life.after[done] && (done == LIFE || now != life.after[++done]))
        complain("the store is in no state that was acknowledged or under way");
    return done;
}

static void write_on(void)
{
    static struct workload w;
    workload_init_at(&w, &br_io_posix, life.ws, 0);
    uint32_t begin = settle(&w);
    append_to(life.acks, &begin, 4);
    for (uint32_t step = begin; step < LIFE; step++) {
        w.random = seed_of_step(step);
        if (workload_step(&w, step) != BR_OK)
            complain("step %u: %s", step, w.err.msg);
        uint32_t done = step + 1;
        append_to(life.acks, &done, 4);
    }
    workload_close(&w);
}

static enum br_rc text_is_there(void *ctx, const struct br_slack_view *v, struct br_err *err)
{
    (void)ctx;
    if (v->cls == BR_MSG_CONTENT && strncmp(v->text, "message ", 8) != 0)
        return br_fail(err, BR_E_CORRUPT, "a message has the text \"%s\"", v->text);
    return BR_OK;
}

static void hits_have_their_texts(struct br_store *s)
{
    struct br_term_counts hits;
    struct br_err err = {0};
    struct br_buf text;
    br_buf_init(&text, 1 << 20);
    if (br_slack_keyword(s, "message", BR_DOC_MESSAGE, NULL, &hits, &err) != BR_OK)
        complain("%s", err.msg);
    for (size_t i = 0; i < BR_MIN(hits.n_rows, (size_t)64); i++) {
        text.len = 0;
        if (br_store_content(s, (uint64_t)hits.rows[i].content_id, &text, &err) != BR_OK)
            complain("hit %zu: %s", i, err.msg);
        if (!strstr(br_buf_str(&text), "message"))
            complain("hit %zu has the text \"%s\"", i, br_buf_str(&text));
    }
    br_term_counts_free(&hits);
    br_buf_free(&text);
}

/* One look, in one snapshot. */
static void look(struct br_store *s)
{
    struct br_err err = {0};
    struct sight seen = {.acked_before = acked()};
    if (br_store_read_begin(s, &err) != BR_OK || workload_digest(s, &seen.digest, &err) != BR_OK ||
        br_slack_channel_messages(s, WORK_CHANNEL, 0, 0, 1000, text_is_there, NULL, &err) != BR_OK)
        complain("%s", err.msg);
    hits_have_their_texts(s);
    br_store_read_end(s);
    seen.acked_after = acked();
    append_to(life.sights, &seen, sizeof seen);
}

static void read_on(void)
{
    for (;;) {
        struct br_store *s = NULL;
        struct br_err err = {0};
        struct br_store_report r;
        uint32_t before = acked();
        enum br_rc rc = br_store_open(&br_io_posix, life.ws, BR_STORE_READ, &s, &err);
        if (rc == BR_E_NOTFOUND && !before) {
            sleep_us(500);
            continue;
        }
        if (rc != BR_OK)
            complain("%s", err.msg);
        for (int i = 0; i < 8; i++)
            look(s);
        if (br_store_verify(s, true, &r, &err) != BR_OK)
            complain("%s", err.msg);
        if (r.corrupt || r.missing_content)
            complain("%s", r.first_problem);
        br_store_close(s);
    }
}

/* Every look of every reader is explained by a state between acknowledged and submitted, and none by an older one than that before. */
static size_t check_sights(void)
{
    static struct sight seen;
    size_t n = 0;
    uint32_t at = 0;
    FILE *f = fopen(life.sights, "rb");
    while (f && fread(&seen, sizeof seen, 1, f) == 1) {
        uint32_t k = BR_MAX(at, seen.acked_before);
        while (k <= seen.acked_after + 1 && k <= LIFE && life.after[k] != seen.digest)
            k++;
        if (k > LIFE || k > seen.acked_after + 1)
            fail_msg("life %llu: look %zu saw no state from %u to %u", (unsigned long long)life.seed, n, BR_MAX(at, seen.acked_before),
                     seen.acked_after + 1);
        at = k;
        n++;
    }
    if (f)
        fclose(f);
    return n;
}

/* The writer is dead: what it left is one of two states, and whole. */
static void check_rest(void)
{
    uint32_t done = acked();
    uint64_t seen;
    const char *problem = workload_examine_at(&br_io_posix, life.ws, &life.after[done], done < LIFE ? 2 : 1, &seen);
    if (problem)
        fail_msg("life %llu, after %u steps: the workspace %s", (unsigned long long)life.seed, done, problem);
}

static void begin_life(uint64_t number)
{
    memset(&life, 0, sizeof life);
    life.seed = number;
    e2e_scratch(life.dir, sizeof life.dir);
    snprintf(life.ws, sizeof life.ws, "%.500s/ws", life.dir);
    snprintf(life.acks, sizeof life.acks, "%s/acks", life.dir);
    snprintf(life.sights, sizeof life.sights, "%s/sights", life.dir);
    foresee();
}

static size_t end_life(pid_t *writer, pid_t *reader)
{
    if (!*writer)
        *writer = start(write_on);
    has_ended(writer, true, "writer");
    if (*reader)
        kill_it(reader, "reader");
    check_rest();
    assert_int_equal(acked(), LIFE);
    size_t looks = check_sights();
    e2e_remove_tree(life.dir);
    return looks;
}

/* One kill: of the writer, the reader, or both. Returns how many died at work. */
static unsigned kill_some(pid_t *writer, pid_t *reader)
{
    unsigned victim = draw(5), n = 0;
    if (!*writer)
        *writer = start(write_on);
    if (!*reader)
        *reader = start(read_on);
    sleep_us(draw(40000 * SLOW));
    if (victim == 0 || victim == 1)
        n += kill_it(reader, "reader");
    if (victim != 0) {
        n += kill_it(writer, "writer");
        check_rest();
    }
    return n;
}

static void a_killed_writer_loses_nothing_and_readers_see_it_so(void **state)
{
    (void)state;
    unsigned killed = 0, lives = 0, wanted = kills_wanted * 6 / 10;
    size_t looks = 0;
    while (killed < wanted) {
        pid_t writer = 0, reader = 0;
        begin_life(seed + lives);
        while (killed < wanted && acked() < LIFE)
            killed += kill_some(&writer, &reader);
        looks += end_life(&writer, &reader);
        lives++;
    }
    printf("%u kills of writers and readers in %u lives of %d steps, %zu looks of readers, no violation\n", killed, lives, LIFE, looks);
    assert_true(looks > 0);
}

/* ---- the importer ---- */

#define EXPORTS 4
#define BASE 700   /* messages of the first export */
#define MORE 60    /* further ones of each next */
#define ALL (BASE + MORE * (EXPORTS - 1))
#define GONE 1000  /* the state after which no other comes */
#define TS0 1704103200 /* 2024-01-01 10:00 */
#define STEP 613       /* seconds between messages */

static struct {
    char dir[1024];
    const char *home;
    int export; /* the one that is being imported; -1: the sample */
    int known[ALL]; /* the latest state seen of each message: -1 not there, versions from 0, GONE */
} archive;
static char zips[EXPORTS][1200];
static int *seen_by_reader; /* of each message, in memory that outlives the reader */

static int deleted_by(int id) /* the first export without it */
{
    return id % 17 == 5 && id < BASE ? 1 + id % (EXPORTS - 1) : EXPORTS;
}

static int born_by(int id)
{
    return id < BASE ? 0 : 1 + (id - BASE) / MORE;
}

/* The state of a message once this export is in: its version is the last export that edited it. */
static int state_in(int id, int export)
{
    int version = 0;
    if (born_by(id) > export)
        return -1;
    if (deleted_by(id) <= export)
        return GONE;
    for (int e = born_by(id) + 1; e <= export; e++)
        if ((id * 7 + e * 13) % 10 == 0)
            version = e;
    return version;
}

static int root_of(int id)
{
    return id / 6 % 2 ? id : id / 6 * 6;
}

static void add_message(struct br_buf *day, int id, int export)
{
    int state = state_in(id, export), root = root_of(id);
    if (day->len > 1)
        br_buf_addc(day, ',');
    if (state == GONE && root != id) { /* a log of deletions */
        br_buf_addf(day, "{\"type\":\"message\",\"subtype\":\"message_deleted\",\"deleted_ts\":\"%d.000100\",\"ts\":\"%d.000200\"}",
                    TS0 + id * STEP, TS0 + ALL * STEP + deleted_by(id));
        return;
    }
    br_buf_addf(day, "{\"type\":\"message\",\"user\":\"U%d\",\"ts\":\"%d.000100\"", id % 5, TS0 + id * STEP);
    if (root != id || (id % 6 == 0 && root_of(id + 1) == id))
        br_buf_addf(day, ",\"thread_ts\":\"%d.000100\"", TS0 + root * STEP);
    if (state == GONE)
        br_buf_adds(day, ",\"subtype\":\"tombstone\",\"text\":\"This message was deleted.\"}");
    else if (state > 0)
        br_buf_addf(day, ",\"edited\":{\"user\":\"U1\",\"ts\":\"%d.000000\"}", TS0 + ALL * STEP + state);
    if (state != GONE)
        br_buf_addf(day, ",\"text\":\"lantern %d version %d of the harbour, quay %d\"}", id, state, id * 31 % 97);
}

/* An export as it would be taken after its last message, a day file a day. */
static void write_export(int export)
{
    struct file files[ALL * STEP / 86400 + 8];
    struct br_buf days[BR_COUNT(files)];
    char names[BR_COUNT(files)][40];
    size_t n = 2;
    files[0] = (struct file){"channels.json", "[{\"id\":\"C0GENERAL01\",\"name\":\"general\",\"members\":[\"U0\",\"U1\"]}]"};
    files[1] = (struct file){"users.json", "[{\"id\":\"U0\",\"team_id\":\"T0KILLED001\",\"name\":\"ann\"},{\"id\":\"U1\",\"name\":\"bob\"}]"};
    for (int id = 0; id < ALL && born_by(id) <= export;) {
        time_t ts = TS0 + id * STEP;
        long day = ts / 86400;
        struct tm tm;
        gmtime_r(&ts, &tm);
        strftime(names[n], sizeof names[n], "general/%Y-%m-%d.json", &tm);
        br_buf_init(&days[n], 1 << 20);
        br_buf_addc(&days[n], '[');
        for (; id < ALL && born_by(id) <= export && (TS0 + id * STEP) / 86400 == day; id++)
            add_message(&days[n], id, export);
        br_buf_addc(&days[n], ']');
        files[n] = (struct file){names[n], br_buf_str(&days[n])};
        n++;
    }
    snprintf(zips[export], sizeof zips[export], "%s/export-%d.zip", archive.dir, export);
    write_zip(zips[export], files, n);
    for (size_t i = 2; i < n; i++)
        br_buf_free(&days[i]);
}

static void import_it(void)
{
    const char *path = archive.export < 0 ? sample : zips[archive.export];
    if (!freopen("/dev/null", "w", stdout))
        _exit(126);
    execl(binary, binary, "--home", archive.home, "--model", model, "-q", "import", path, (char *)NULL);
    _exit(127);
}

/* What a message tells of itself. -1: it does not say what it is. */
static int state_of(const struct br_message *m, int *id)
{
    int version, said;
    int64_t s = m->ts / 1000000 - TS0;
    *id = (int)(s / STEP);
    if (s < 0 || s % STEP || *id >= ALL)
        return -1;
    if (m->is_deleted)
        return GONE;
    return sscanf(m->text, "lantern %d version %d of the harbour", &said, &version) == 2 && said == *id ? version : -1;
}

/* NULL, or what is wrong with messages seen now. whole: all of the channel, so that what is not among them is gone. */
static const char *take_sight(struct br_messages *seen, bool whole)
{
    static char why[300];
    static bool there[ALL];
    memset(there, 0, sizeof there);
    for (size_t i = 0; i < seen->count; i++) {
        int id, now = state_of(&seen->items[i], &id);
        snprintf(why, sizeof why, "shows message %d in state %d (\"%.100s\"), was %d, export %d", id, now, seen->items[i].text,
                 id < 0 || id >= ALL ? -1 : archive.known[id], archive.export);
        if (now < 0 || now < archive.known[id] || now > state_in(id, archive.export))
            return why;
        archive.known[id] = now;
        there[id] = true;
    }
    for (int id = 0; whole && id < ALL; id++)
        if (!there[id] && archive.known[id] >= 0) {
            snprintf(why, sizeof why, "has lost message %d, was in state %d, export %d", id, archive.known[id], archive.export);
            if (state_in(id, archive.export) != GONE)
                return why;
            archive.known[id] = GONE;
        }
    return NULL;
}

static const char *look_at_all(struct br_workspace *ws)
{
    static char why[600];
    struct br_error err = {0};
    struct br_messages all = {0};
    int status = br_channel_messages(ws, "general", ALL + 1, 0, 0, &all, &err);
    if (status == BR_STATUS_NOT_FOUND) /* the channel comes with the first commit */
        return take_sight(&all, true);
    if (status) {
        snprintf(why, sizeof why, "cannot be read: %s", err.message);
        return why;
    }
    const char *problem = take_sight(&all, true);
    br_messages_free(&all);
    return problem;
}

static const char *look_at_hits(struct br_workspace *ws, enum br_search_mode mode)
{
    static char why[600];
    struct br_error err = {0};
    struct br_search_results r = {0};
    struct br_message items[50];
    const struct br_search_options options = {.mode = mode, .n = BR_COUNT(items)};
    if (br_search(ws, "lantern on the quay", &options, &r, &err)) {
        snprintf(why, sizeof why, "cannot be searched: %s", err.message);
        return why;
    }
    struct br_messages hits = {.count = r.count, .items = items};
    for (size_t i = 0; i < r.count; i++)
        items[i] = r.hits[i].message;
    const char *problem = take_sight(&hits, false);
    br_search_results_free(&r);
    return problem;
}

/* A reader through the public interface, as long as it is let. */
static void search_on(void)
{
    struct br_error err = {0};
    struct br_home *home = NULL;
    const char *problem = NULL;
    if (br_home_open(archive.home, model, &home, &err))
        complain("%s", err.message);
    for (int id = 0; id < ALL; id++) /* of the reader before */
        archive.known[id] = BR_MAX(archive.known[id], seen_by_reader[id]);
    for (unsigned round = 0; !problem; round++) {
        struct br_workspace *ws = NULL;
        int status = br_workspace_open(home, NULL, &ws, &err);
        if (status == BR_STATUS_NOT_FOUND && archive.known[0] < 0) {
            sleep_us(1000);
            continue;
        }
        if (status)
            complain("%s", err.message);
        for (int i = 0; i < 4 && !problem; i++) {
            problem = look_at_hits(ws, (enum br_search_mode)((round + (unsigned)i) % 3));
            if (!problem)
                problem = look_at_all(ws);
            if (!problem)
                memcpy(seen_by_reader, archive.known, sizeof archive.known);
        }
        br_workspace_close(ws);
    }
    complain("the archive %s", problem);
}

/* At rest after a kill. */
static void check_archive(void)
{
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    struct br_verify_report r = {0};
    struct br_home *home = e2e_home(archive.home, model);
    int status = br_workspace_open(home, NULL, &ws, &err);
    if (status == BR_STATUS_NOT_FOUND) { /* killed before there was one */
        assert_true(archive.known[0] < 0);
    } else if (status) {
        fail_msg("%s", err.message);
    } else {
        const char *problem = look_at_all(ws);
        if (problem)
            fail_msg("the archive %s", problem);
        if (br_verify(home, NULL, true, &r, &err))
            fail_msg("%s", err.message);
        if (!r.ok)
            fail_msg("%s", r.first_problem);
    }
    for (int id = 0; id < ALL; id++) /* what was seen was committed */
        if (seen_by_reader[id] > archive.known[id])
            fail_msg("a reader saw message %d in state %d, now it is %d", id, seen_by_reader[id], archive.known[id]);
    br_workspace_close(ws);
    br_home_close(home);
}

/* A re-run completes it, and leaves what an import that was never disturbed leaves. */
static void complete(const char *undisturbed)
{
    struct br_error err = {0};
    struct br_workspace_status mine = {0}, other = {0};
    pid_t importer = start(import_it);
    has_ended(&importer, true, "importer");
    check_archive();
    for (int id = 0; id < ALL; id++)
        if (archive.known[id] != state_in(id, archive.export))
            fail_msg("after export %d message %d is in state %d instead of %d", archive.export, id, archive.known[id],
                     state_in(id, archive.export));
    const char *const homes[] = {archive.home, undisturbed};
    archive.home = undisturbed;
    importer = start(import_it);
    has_ended(&importer, true, "importer");
    archive.home = homes[0];
    for (int i = 0; i < 2; i++) {
        struct br_home *home = e2e_home(homes[i], model);
        struct br_workspace *ws = NULL;
        if (br_workspace_open(home, NULL, &ws, &err) || br_workspace_status(ws, i ? &other : &mine, &err))
            fail_msg("%s", err.message);
        br_workspace_close(ws);
        br_home_close(home);
    }
    assert_int_equal(mine.messages, other.messages);
    assert_int_equal(mine.documents, other.documents);
    assert_int_equal(mine.threads, other.threads);
    assert_int_equal(mine.users, other.users);
    assert_int_equal(mine.pending_threads, 0);
    br_workspace_status_free(&mine);
    br_workspace_status_free(&other);
}

static unsigned kill_import(pid_t *importer, pid_t *reader, bool *complete)
{
    unsigned victim = draw(6), n = 0;
    if (!*importer)
        *importer = start(import_it);
    if (!*reader)
        *reader = start(search_on);
    sleep_us(2000 + draw(180000 * SLOW));
    if (victim < 2)
        n += kill_it(reader, "reader");
    if (victim != 0) {
        bool at_work = kill_it(importer, "importer");
        n += at_work;
        *complete = !at_work;
        check_archive();
    }
    return n;
}

static void a_killed_importer_loses_nothing_and_a_rerun_completes(void **state)
{
    (void)state;
    unsigned killed = 0, archives = 0, wanted = kills_wanted - kills_wanted * 6 / 10 - sample_kills;
    while (killed < wanted) {
        char home[1100], undisturbed[1100];
        e2e_scratch(archive.dir, sizeof archive.dir);
        snprintf(home, sizeof home, "%s/home", archive.dir);
        archive.home = home;
        snprintf(undisturbed, sizeof undisturbed, "%s/undisturbed", archive.dir);
        for (int id = 0; id < ALL; id++)
            archive.known[id] = seen_by_reader[id] = -1;
        for (archive.export = 0; archive.export < EXPORTS; archive.export ++) {
            pid_t importer = 0, reader = 0;
            bool done = false;
            write_export(archive.export);
            for (unsigned n = 0; n < 8 && !done && killed < wanted; n++)
                killed += kill_import(&importer, &reader, &done);
            if (importer)
                has_ended(&importer, true, "importer");
            if (reader)
                kill_it(&reader, "reader");
            complete(undisturbed);
        }
        e2e_remove_tree(archive.dir);
        archives++;
    }
    printf("%u kills of importers and readers in %u archives of %d exports, no violation\n", killed, archives, EXPORTS);
}

/* ---- the sample ---- */

static uint64_t sample_messages(struct br_home *home)
{
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    struct br_workspace_status st = {0};
    if (br_workspace_open(home, NULL, &ws, &err))
        return 0; /* killed before there was a workspace */
    assert_int_equal(br_workspace_status(ws, &st, &err), 0);
    br_workspace_close(ws);
    uint64_t n = st.messages;
    br_workspace_status_free(&st);
    return n;
}

static void fifty_kills_lose_nothing_of_the_sample(void **state)
{
    (void)state;
    struct br_error err = {0};
    uint64_t before = 0, rounds_with_progress = 0;
    unsigned patience = 300000; /* us; grows where the machine is too busy for an importer to get anywhere */
    e2e_scratch(archive.dir, sizeof archive.dir);
    archive.home = archive.dir;
    archive.export = -1;
    struct br_home *home = e2e_home(archive.home, model);
    for (unsigned i = 0; i < sample_kills; i++) {
        pid_t importer = start(import_it);
        sleep_us(5000 + draw(patience * BR_MIN(SLOW, 4)));
        kill_it(&importer, "importer");
        uint64_t now = sample_messages(home);
        assert_true(now >= before); /* acknowledged is never lost */
        rounds_with_progress += now > before;
        if (!rounds_with_progress)
            patience = BR_MIN(patience + patience / 4, 20000000u);
        before = now;
        struct br_verify_report r = {0};
        int rc = br_verify(home, NULL, true, &r, &err);
        if (rc == BR_STATUS_NOT_FOUND)
            continue;
        if (rc || !r.ok)
            fail_msg("after kill %u: %s", i, rc ? err.message : r.first_problem);
    }
    assert_true(rounds_with_progress > 0);
    pid_t importer = start(import_it);
    has_ended(&importer, true, "importer");
    assert_int_equal(sample_messages(home), 1382);
    e2e_verify(home, NULL);
    struct br_import_reports again = e2e_import(home, sample, false);
    assert_int_equal(again.sum.messages_unchanged, 1382);
    assert_int_equal(again.sum.embedded, 0);
    br_import_reports_free(&again);
    br_home_close(home);
    e2e_remove_tree(archive.dir);
    printf("%u kills of the sample's import, no violation\n", sample_kills);
}

int main(int argc, char **argv)
{
    const char *b = getenv("BACKREAD_BINARY");
    char model_dir[1024];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--long") == 0) {
            kills_wanted = 5000;
            sample_kills = 500;
        } else if (i + 1 < argc && strcmp(argv[i], "--kills") == 0) {
            kills_wanted = (unsigned)strtoul(argv[++i], NULL, 10);
            sample_kills = kills_wanted / 4;
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            seed = (unsigned)strtoul(argv[++i], NULL, 10);
        }
    }
    if (!b) {
        printf("SKIPPED: BACKREAD_BINARY is not set\n");
        return 77;
    }
    printf("%u kills, seed %u\n", kills_wanted, seed);
    snprintf(binary, sizeof binary, "%s", b);
    e2e_source_path(sample, sizeof sample, "data/sample/houstondatavis.zip");
    e2e_scratch(model_dir, sizeof model_dir);
    tiny_model(model_dir, model, sizeof model);
    seen_by_reader = mmap(NULL, ALL * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(seen_by_reader != MAP_FAILED);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_writer_loses_nothing_and_readers_see_it_so),
        cmocka_unit_test(a_killed_importer_loses_nothing_and_a_rerun_completes),
        cmocka_unit_test(fifty_kills_lose_nothing_of_the_sample),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    e2e_remove_tree(model_dir);
    return failed;
}
