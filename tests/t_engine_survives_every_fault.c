/* Every call to the home's disk, every allocation and every call that reads an archive fails once, at its n-th use, through the product's own
 * calls: import, a later import with edits and deletions, forget, compact, repair, backup, restore, migrate, and opening, searching and verifying.
 * What meets the fault succeeds, or says so in one line with the right status. Then the home opens and verifies; it is in a state that an
 * undisturbed run goes through, also after a power cut; what was answered was right; and the same call without a fault ends as if there had
 * never been one. Nothing crashes, leaks or hangs.
 *
 *   t_engine_survives_every_fault                   a part of the points, another for every --seed
 *   t_engine_survives_every_fault --all             every point (of the long import every 20th allocation); hours
 *   t_engine_survives_every_fault --stacks          the first and the last use of each call stack (sim/stacks.h), with every fault: about
 *                                                   90,000 points
 *   ... --scenario NAME [--fault NAME [--at N]]     of one scenario (a part of its name), one fault, one point: with the stack, for addr2line
 *   ... --scale X, --keep-going                     X times as many points; go on after a violation */
#include "e2e.h"
#include "small_export.h"
#include "tiny_model.h"

#include "engine_int.h"
#include "installations.h"
#include "sim/memory.h"
#include "store_int.h"
#include "../engine/upkeep.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>

#define STATES_MAX 512
#define POINT_SECONDS 120 /* longer is a hang */

#include "sim/archive_faults.h"
#include "fault_archives.h"
#include "fault_home.h"
#include "fault_scenarios.h"

/* ---- bases ---- */

static void must(int status, const struct br_error *e, const char *what)
{
    if (status)
        fail_msg("%s: %s", what, e->message);
}

static void put_installation(struct sim_disk *d)
{
    struct br_home h = home_at(d, "home");
    struct br_registry *reg;
    struct br_err err = {0};
    const struct br_installation i = {.app_id = "A1", .team_id = "T1", .user_id = "U1", .bot_token = "xoxb-1", .installed_at = 5};
    if (br_registry_open(h.io, h.path, true, &reg, NULL, &err) != BR_OK || br_installation_put(reg, &i, NULL, &err) != BR_OK)
        fail_msg("%s", err.msg);
    br_registry_close(reg);
}

struct damage {
    const char *name; /* a file's name begins so */
    char path[300];
    size_t n;
};

static void find_file(void *ctx, const char *path, const void *bytes, size_t n)
{
    struct damage *g = ctx;
    (void)bytes;
    const char *name = strrchr(path, '/') + 1;
    if (strncmp(name, g->name, strlen(g->name)) == 0 && !strstr(name, "-") && !strstr(name, ".damaged")) {
        snprintf(g->path, sizeof g->path, "%s", path);
        g->n = n;
    }
}

/* n bytes at a place of a file become others. */
static void damage(struct sim_disk *d, const char *name, size_t at, size_t n)
{
    struct damage g = {.name = name};
    char noise[4096];
    const struct br_io *io = sim_disk_io(d);
    sim_disk_each_file(d, find_file, &g);
    assert_true(g.n >= at + n && n <= sizeof noise);
    memset(noise, 0xA5, sizeof noise);
    int fd = io->open(io->ctx, g.path, O_RDWR, 0);
    assert_true(fd >= 0);
    assert_int_equal(io->pwrite(io->ctx, fd, noise, n, (int64_t)at), n);
    io->close(io->ctx, fd);
}

static size_t size_of(struct sim_disk *d, const char *name)
{
    struct damage g = {.name = name};
    sim_disk_each_file(d, find_file, &g);
    return g.n;
}

/* A copy of the base TWO whose file is damaged at the first place, step by step, where repair reports what is wanted and mends it. */
static struct sim_disk *damaged(const char *file, size_t step, size_t n, bool (*wanted)(const struct br_repair_report *r))
{
    size_t size = size_of(bases[TWO], file);
    for (size_t at = 4096; at + step <= size; at += step) {
        struct sim_disk *d = sim_disk_copy(bases[TWO]), *kept;
        damage(d, file, at, n);
        kept = sim_disk_copy(d);
        struct br_home h = home_at(d, "home");
        struct br_repair_report r = {0};
        struct br_error e = {0};
        bool found = br_repair(&h, NULL, NULL, &r, &e) == 0 && r.ok && wanted(&r);
        br_repair_report_free(&r);
        sim_disk_free(d);
        if (found)
            return kept;
        sim_disk_free(kept);
    }
    fail_msg("no damage of %s is repaired as wanted", file);
    return NULL;
}

static bool metadata_is_made_of_what_is_left(const struct br_repair_report *r)
{
    return r->metadata && r->users >= 2 && r->deletions;
}
static bool vectors_are_embedded(const struct br_repair_report *r)
{
    return r->vectors && r->vectors_embedded;
}
static bool a_text_is_rendered(const struct br_repair_report *r)
{
    return r->content && r->texts_rendered;
}

static struct sim_disk *grown(enum base from, int (*run)(struct sim_disk *d, struct br_error *e))
{
    struct br_error e = {0};
    struct sim_disk *d = sim_disk_copy(bases[from]);
    if (run)
        must(run(d, &e), &e, "making a base");
    return d;
}

static void remove_home(struct sim_disk *d)
{
    const struct br_io *io = sim_disk_io(d);
    char home[300], aside[300];
    path_on(d, "home", home);
    path_on(d, "gone", aside);
    assert_int_equal(io->rename(io->ctx, home, aside), 0);
}

/* Everything that a stopped command may have left, with a text in it that is to be forgotten. */
static void litter(struct sim_disk *d)
{
    static const char text[] = "somebody said: lunch by the lake";
    static const char *const dirs[] = {"home/backups", "home/workspaces/.restore-0123456789abcdef", "home/workspaces/T1.repair"};
    static const char *const files[] = {
        "home/backups/T1-20240101T000000Z.tar.zst.0123456789abcdef.tmp",     "home/workspaces/.restore-0123456789abcdef/content.1",
        "home/workspaces/T1.repair/content.1",              "home/workspaces/T1/backup-0123456789abcdef.tmp",
        "home/workspaces/T1/metadata.db.damaged",           "home/workspaces/T1/graph.7",
        "home/workspaces/T1/graph.8.tmp",                   "home/workspaces/T1/content.99",
        "home/workspaces/T1/reembed.0123456789abcdef",
    };
    const struct br_io *io = sim_disk_io(d);
    char path[300];
    for (size_t i = 0; i < BR_COUNT(dirs); i++) {
        path_on(d, dirs[i], path);
        assert_int_equal(io->mkdir(io->ctx, path, 0700), 0);
    }
    for (size_t i = 0; i < BR_COUNT(files); i++) {
        path_on(d, files[i], path);
        int fd = io->open(io->ctx, path, O_RDWR | O_CREAT | O_EXCL, 0600);
        assert_true(fd >= 0);
        assert_int_equal(io->pwrite(io->ctx, fd, text, sizeof text, 0), sizeof text);
        io->close(io->ctx, fd);
    }
}

static void make_bases(void)
{
    struct br_error e = {0};
    bases[NOTHING] = sim_disk_new(5);
    bases[ONE] = grown(NOTHING, import_first);
    put_installation(bases[ONE]);
    bases[TWO] = grown(ONE, import_second);
    struct sim_disk *d = grown(ONE, backup);
    must(import(d, zip_second, false, &e), &e, "making a base");
    bases[BACKED_UP] = d; /* the backup there is of an earlier state */
    bases[BESIDE] = grown(BACKED_UP, NULL);
    d = grown(BACKED_UP, backup);
    remove_home(d);
    bases[WITH_BACKUP] = d;
    bases[BAD_VECTORS] = damaged("vectors.", 128, 60, vectors_are_embedded);
    bases[BAD_CONTENT] = damaged("content.", 64, 40, a_text_is_rendered);
    bases[BAD_REGISTRY] = grown(TWO, NULL);
    damage(bases[BAD_REGISTRY], "registry.db", 0, 4000);
    bases[NO_GRAPH] = grown(TWO, NULL);
    damage(bases[NO_GRAPH], "graph.", 0, 100);
    bases[LITTERED] = grown(TWO, NULL);
    litter(bases[LITTERED]);
    bases[BAD_METADATA] = damaged("metadata.db", 4096, 4095, metadata_is_made_of_what_is_left);
}

/* ---- the states an undisturbed run goes through ---- */

static struct {
    uint64_t items[STATES_MAX];
    size_t n;
} seen;
static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool looking;

static void see(uint64_t state)
{
    for (size_t i = 0; i < seen.n; i++)
        if (seen.items[i] == state)
            return;
    assert_true(seen.n < STATES_MAX);
    seen.items[seen.n++] = state;
}

static void look(void *ctx, uint64_t change)
{
    uint64_t state;
    char why[600];
    (void)change;
    if (looking || sim_disk_wrote(ctx))
        return;
    looking = true;
    pthread_mutex_lock(&seen_lock);
    if (state_of(ctx, "home", &state, why))
        see(state);
    pthread_mutex_unlock(&seen_lock);
    looking = false;
}

static bool was_seen(uint64_t state)
{
    for (size_t i = 0; i < seen.n; i++)
        if (seen.items[i] == state)
            return true;
    return false;
}

static bool stacks; /* the mode of that name */
static char point[200];

static __attribute__((noinline)) int call(const struct scenario *s, struct sim_disk *d, struct br_error *e)
{
    sim_stacks_below(__builtin_return_address(0));
    int volatile status = s->run(d, e); /* no tail call: the address must be on the stack */
    return status;
}

struct reference {
    uint64_t disk_calls, allocations, archive_calls;
    uint64_t before, after;
};

static void examine_gone(const struct scenario *s, struct sim_disk *d, const char *when);

static struct reference reference_of(const struct scenario *s)
{
    struct reference r = {0};
    struct br_error e = {0};
    char why[600];
    struct sim_disk *d = sim_disk_copy(bases[s->base]);
    memory_fail(0, false);
    archive_calls = archive_at = 0;
    archive_counts = s->faults & ARCHIVE;
    if (stacks)
        sim_stacks_record();
    int status = call(s, d, &e);
    sim_stacks_stop();
    archive_counts = false;
    r.allocations = allocations;
    r.archive_calls = archive_calls;
    r.disk_calls = sim_disk_calls(d);
    must(status, &e, s->name);
    if (!state_of(d, "home", &r.after, why) || !verifies(d, "home", why))
        fail_msg("%s: the home %s", s->name, why);
    memcpy(right_answers, answers, sizeof answers);
    snprintf(point, sizeof point, "%s: ", s->name);
    for (uint64_t i = 0; i < 20 && s->gone; i++) {
        struct sim_disk *later = sim_disk_cut(d, i, SIM_TORN);
        examine_gone(s, later, "after a power cut");
        sim_disk_free(later);
    }
    sim_disk_free(d);

    seen.n = 0;
    if (!s->mends && !state_of(bases[s->base], "home", &r.before, why))
        fail_msg("%s: the home %s", s->name, why);
    see(r.before);
    d = sim_disk_copy(bases[s->base]);
    sim_disk_on_change(d, look, d);
    must(s->run(d, &e), &e, s->name);
    sim_disk_free(d);
    see(r.after);
    return r;
}

/* ---- one point ---- */

struct fault {
    const char *name;
    int sys_errno;
    bool sticky;
    enum kind kind;
};
static const struct fault FAULTS[] = {
    {"EIO once", EIO, false, DISK},
    {"EIO for good", EIO, true, DISK},
    {"ENOSPC once", ENOSPC, false, DISK},
    {"ENOSPC for good", ENOSPC, true, DISK},
    {"EDQUOT for good", EDQUOT, true, DISK},
    {"EMFILE once", EMFILE, false, DISK},
    {"EROFS for good", EROFS, true, DISK},
    {"EINTR once", EINTR, false, DISK},
    {"a short transfer", 0, false, DISK},
    {"no memory once", 0, false, MEMORY},
    {"no memory for good", 0, true, MEMORY},
    {"archive: EIO once", EIO, false, ARCHIVE},
    {"archive: EIO for good", EIO, true, ARCHIVE},
    {"archive: EMFILE once", EMFILE, false, ARCHIVE},
    {"archive: EINTR once", EINTR, false, ARCHIVE},
    {"archive: a short read", 0, false, ARCHIVE},
};

static uint64_t points, problems;
static bool keep_going;

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    char text[1200];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    problems++;
    if (!keep_going)
        fail_msg("%s%s", point, text);
    printf("%s%s\n", point, text);
}

static void died(int sig)
{
    const char *what = sig == SIGALRM ? "hangs\n" : "crashes\n";
    (void)!write(STDERR_FILENO, point, strlen(point));
    (void)!write(STDERR_FILENO, what, strlen(what));
    signal(sig, SIG_DFL);
    if (sig == SIGALRM)
        abort();
    raise(sig);
}

struct search {
    const char *text;
    char found[300]; /* a file that holds it */
    size_t graphs;   /* an older one has the codes of vectors that are gone */
};

static void search_file(void *ctx, const char *path, const void *bytes, size_t n)
{
    struct search *f = ctx;
    f->graphs += strncmp(strrchr(path, '/'), "/graph.", 7) == 0;
    if (memmem(bytes, n, f->text, strlen(f->text)))
        snprintf(f->found, sizeof f->found, "%s", path);
}

static void examine_gone(const struct scenario *s, struct sim_disk *d, const char *when)
{
    struct search f = {.text = s->gone};
    if (!s->gone)
        return;
    sim_disk_each_file(d, search_file, &f);
    if (f.found[0])
        complain("%s what was forgotten is in %s", when, f.found);
    if (f.graphs > 1)
        complain("%s there are %zu graphs", when, f.graphs);
}

static void examine(const struct scenario *s, const struct reference *r, struct sim_disk *d, const char *when, bool done)
{
    uint64_t state;
    char why[600];
    if (s->mends && !done)
        return;
    if (!state_of(d, "home", &state, why))
        complain("%s the home %s", when, why);
    else if (done && state != r->after)
        complain("%s the home is not as the call left it", when);
    else if (!was_seen(state))
        complain("%s the home is in a state that no undisturbed run has", when);
    if (!verifies(d, "home", why))
        complain("%s the home %s", when, why);
    if (done)
        examine_gone(s, d, when);
}

/* The file is the old backup or the new one, whole. */
static void examine_backup(const struct scenario *s, struct sim_disk *d, const char *when)
{
    struct br_error e = {0};
    char why[600];
    uint64_t state, old, new;
    if (s->run != backup)
        return;
    struct sim_disk *copy = sim_disk_copy(d);
    if (restore_as(copy, "other", NULL, &e))
        complain("%s the backup cannot be restored: %s", when, e.message);
    else if (!state_of(copy, "other", &state, why))
        complain("%s the restored home %s", when, why);
    else {
        struct sim_disk *ref = sim_disk_copy(bases[BACKED_UP]);
        must(restore_as(ref, "other", NULL, &e), &e, "restore");
        must(!state_of(ref, "other", &old, why), &e, "restore");
        must(backup(ref, &e), &e, "backup");
        must(restore_as(ref, "third", NULL, &e), &e, "restore");
        must(!state_of(ref, "third", &new, why), &e, "restore");
        sim_disk_free(ref);
        if (state != old && state != new)
            complain("%s the backup holds neither the old state nor the new", when);
    }
    sim_disk_free(copy);
}

static void find_leftover(void *ctx, const char *path, const void *bytes, size_t n)
{
    (void)bytes;
    (void)n;
    if (strstr(path, ".tmp") || strstr(path, "/.restore-") || strstr(path, ".repair/") || strstr(path, "backread-dry-run-"))
        snprintf(ctx, 300, "%s", path);
}

/* As the next writer does. */
static void sweep(struct sim_disk *d)
{
    struct br_home h = home_at(d, "home");
    struct br_workspace_names names = {0};
    struct br_error e = {0};
    struct br_err err = {0};
    if (br_home_workspaces(&h, &names, &e))
        complain("afterwards %s", e.message);
    for (size_t i = 0; i < names.count; i++) {
        struct br_upkeep u;
        if (br_upkeep_open(&h, names.items[i].id, NULL, &u, &err) == BR_OK)
            br_upkeep_close(&u);
        else
            complain("afterwards %s", err.msg);
    }
    br_workspace_names_free(&names);
}

/* Now nothing fails: the same call ends as if nothing ever had. */
static void run_again(const struct scenario *s, const struct reference *r, struct sim_disk *d)
{
    struct br_error e = {0};
    uint64_t state;
    char why[600], leftover[300] = "";
    int status = s->run(d, &e);
    if (status && !(s->once && status == BR_STATUS_USAGE))
        complain("afterwards the same call fails: %s", e.message);
    if (!state_of(d, "home", &state, why))
        complain("afterwards the home %s", why);
    else if (state != r->after)
        complain("afterwards the same call ends elsewhere%s%s", status ? ": " : "", status ? e.message : "");
    if (!verifies(d, "home", why))
        complain("afterwards the home %s", why);
    examine_gone(s, d, "afterwards");
    sweep(d);
    sim_disk_each_file(d, find_leftover, leftover);
    if (leftover[0])
        complain("afterwards %s is left", leftover);
    if (s->asks && memcmp(answers, right_answers, sizeof answers) != 0)
        complain("afterwards the answers are others");
}

static void arm(const struct fault *f, struct sim_disk *d, uint64_t n)
{
    archive_calls = 0;
    archive_failed = false;
    archive_errno = f->sys_errno;
    archive_sticky = f->sticky;
    archive_at = f->kind == ARCHIVE ? n : 0;
    archive_counts = f->kind == ARCHIVE;
    if (f->kind == DISK)
        sim_disk_fail(d, n, f->sys_errno, f->sticky);
    memory_fail(f->kind == MEMORY ? n : 0, f->sticky);
}

static bool disarm(const struct fault *f, struct sim_disk *d)
{
    bool met = f->kind == MEMORY ? allocation_failed : f->kind == DISK ? sim_disk_failed(d) : archive_failed;
    archive_counts = false;
    archive_at = 0;
    memory_fail(0, false);
    sim_disk_fail(d, 0, 0, false);
    return met;
}

static void check_answers(void)
{
    for (size_t i = 0; i < n_answers; i++)
        if (answers[i] && answers[i] != right_answers[i])
            complain("answer %zu is wrong", i);
}

/* False when the run ended without meeting the fault. */
static bool run(const struct scenario *s, const struct reference *r, const struct fault *f, uint64_t n)
{
    struct sim_disk *d = sim_disk_copy(bases[s->base]);
    struct br_error e = {0};
    snprintf(point, sizeof point, "%s, %s at %llu: ", s->name, f->name, (unsigned long long)n);
    alarm(POINT_SECONDS);
    arm(f, d, n);
    int status = call(s, d, &e);
    bool met = disarm(f, d);
    if (s->asks)
        check_answers();
    if (!met && status)
        complain("fails without a fault: %s", e.message);
    if (met) {
        points++;
        if (status && (!e.message[0] || strchr(e.message, '\n')))
            complain("does not say in one line what is wrong: '%s'", e.message);
        bool unreadable = s->run == repair && f->kind == DISK && f->sticky; /* for good: that is damage, too */
        if (status && status != BR_STATUS_IO && !(unreadable && status == BR_STATUS_DAMAGED))
            complain("has status %d: %s", status, e.message);
        examine(s, r, d, "then", status == 0);
        examine_backup(s, d, "then");
        struct sim_disk *later = sim_disk_cut(d, n, SIM_TORN);
        if (s->base != NOTHING || status == 0)
            examine(s, r, later, "after a power cut", status == 0);
        examine_backup(s, later, "after a power cut");
        run_again(s, r, n & 1 ? later : d);
        sim_disk_free(later);
    }
    alarm(0);
    sim_disk_free(d);
    return met;
}

/* ---- all of it ---- */

static const char *only_scenario, *only_fault;
static uint64_t only_at, seed = 1;
static bool all;
static double scale = 0.6;

/* Every stride-th call, from another one each time. */
static uint64_t stride_of(const struct scenario *s, const struct fault *f, uint64_t calls)
{
    static const struct {
        enum kind kind;
        double points;
    } shares[] = {{DISK, 3}, {MEMORY, 8}, {ARCHIVE, 4}};
    double want = 1;
    for (size_t i = 0; i < BR_COUNT(shares); i++)
        if (shares[i].kind == f->kind)
            want = shares[i].points * scale * s->part / 100;
    uint64_t stride = (uint64_t)((double)calls / (want < 1 ? 1 : want));
    if (all) /* four batches allocate the same again and again */
        return s->run == import_long && f->kind == MEMORY ? 20 : 1;
    return stride < 1 ? 1 : stride;
}

static enum sim_call_kind calls_of(const struct fault *f)
{
    return f->kind == MEMORY ? SIM_ALLOCATION : f->kind == DISK ? SIM_DISK_CALL : SIM_ARCHIVE_CALL;
}

/* The first and the last use of each stack. */
static void run_stacks(const struct scenario *s, const struct reference *r, const struct fault *f)
{
    size_t n;
    const struct sim_stack *stack = sim_stacks(calls_of(f), &n);
    for (size_t i = 0; i < n; i++) {
        run(s, r, f, stack[i].first);
        if (stack[i].last != stack[i].first)
            run(s, r, f, stack[i].last);
    }
}

static void print_stacks(void)
{
    size_t all_stacks = 0, met = 0, n;
    for (int kind = 0; kind < SIM_CALL_KINDS; kind++) {
        const struct sim_stack *stack = sim_stacks((enum sim_call_kind)kind, &n);
        all_stacks += n;
        for (size_t i = 0; i < n; i++)
            met += stack[i].failed;
    }
    printf("  %zu stacks, a fault met in %zu\n", all_stacks, met);
}

static void run_scenario(const struct scenario *s)
{
    struct reference r = reference_of(s);
    uint64_t before = points;
    for (size_t i = 0; i < BR_COUNT(FAULTS); i++) {
        const struct fault *f = &FAULTS[i];
        if (!(s->faults & (int)f->kind) || (only_fault && !strstr(f->name, only_fault)))
            continue;
        uint64_t calls = f->kind == DISK ? r.disk_calls : f->kind == MEMORY ? r.allocations : r.archive_calls;
        uint64_t stride = stride_of(s, f, calls), n = 1 + (seed * 7919 + i * 104729) % stride;
        if (only_at) {
            run(s, &r, f, only_at);
            continue;
        }
        if (stacks) {
            run_stacks(s, &r, f);
            continue;
        }
        while (run(s, &r, f, n) || n + 16 < calls) /* threads: the n-th call is not the same each time */
            n += stride;
    }
    printf("%s: %llu points (of %llu calls to the disk, %llu allocations, %llu archive calls; %zu states)\n", s->name,
           (unsigned long long)(points - before), (unsigned long long)r.disk_calls, (unsigned long long)r.allocations,
           (unsigned long long)r.archive_calls, seen.n);
    if (stacks)
        print_stacks();
    fflush(stdout);
}

static void every_fault_is_survived(void **state)
{
    (void)state;
    for (size_t i = 0; i < BR_COUNT(scenarios); i++)
        if (!only_scenario || strstr(scenarios[i].name, only_scenario))
            run_scenario(&scenarios[i]);
    if (problems)
        fail_msg("%llu problems", (unsigned long long)problems);
    assert_true(points > 0);
    printf("engine: %llu points\n", (unsigned long long)points);
}

static int setup(void **state)
{
    (void)state;
    e2e_scratch(scratch, sizeof scratch);
    tiny_model(scratch, model_path, sizeof model_path);
    write_archives();
    shared = e2e_home("/nowhere/home", model_path);
    make_bases();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < BASES; i++)
        sim_disk_free(bases[i]);
    br_home_close(shared);
    e2e_remove_tree(scratch);
    return 0;
}

int main(int argc, char **argv)
{
    if (!memory_init())
        return 1;
#ifdef __SANITIZE_ADDRESS__
    scale = 0.15;
#else
    signal(SIGSEGV, died);
#endif
    signal(SIGABRT, died);
    signal(SIGALRM, died);
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--all") == 0) {
            all = true;
            continue;
        }
        if (strcmp(argv[i], "--stacks") == 0) {
            stacks = true;
            continue;
        }
        if (strcmp(argv[i], "--keep-going") == 0) {
            keep_going = true;
            continue;
        }
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--scale") == 0)
            scale = strtod(value, NULL);
        else if (strcmp(argv[i], "--scenario") == 0)
            only_scenario = value;
        else if (strcmp(argv[i], "--fault") == 0)
            only_fault = value;
        else if (strcmp(argv[i], "--at") == 0)
            only_at = strtoull(value, NULL, 10), memory_trace = true;
        else
            return 2;
        i++;
    }
    unsetenv("BACKREAD_TOKEN_KEY_FILE");
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_fault_is_survived)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
