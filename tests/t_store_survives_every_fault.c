/* Every call to the disk, and every allocation, fails once, at its n-th use: with each error, once and for good, as short reads and writes. The
 * step that meets it says so or does without; nothing crashes or leaks; and when the disk is well again, the workspace is in the state that was
 * acknowledged last, or in the one whose commit was under way, whole, and goes on being used. There are some 1,400 calls to
 * the disk and 63,000 allocations in it: a part of them is taken, another of each fault.
 *
 *   t_store_survives_every_fault                    that part
 *   t_store_survives_every_fault --all              every call and every allocation; hours
 *   t_store_survives_every_fault --stacks           the first and the last use of each call stack (sim/stacks.h), with every fault
 *   ... --seed N, --steps N                         of another life of the workspace, of a longer one
 *   ... --fault NAME [--at N]                       one fault (a part of its name), one point
 *   ... --keep-going                                go on after a violation */
#include "store_test.h"

#include "sim/memory.h"
#include "sim/stacks.h"
#include "sim/workload.h"

#include <errno.h>
#include <sqlite3.h>

static uint64_t seed = 11;
static unsigned steps = 12;

/* ---- one run ---- */

struct fault {
    const char *name;
    int sys_errno;
    bool sticky, memory;
};
static const struct fault FAULTS[] = {
    {"EIO once", EIO, false, false},       {"EIO for good", EIO, true, false},       {"ENOSPC once", ENOSPC, false, false},
    {"ENOSPC for good", ENOSPC, true, false}, {"EDQUOT for good", EDQUOT, true, false}, {"EMFILE once", EMFILE, false, false},
    {"EROFS for good", EROFS, true, false},   {"EINTR once", EINTR, false, false},     {"a short transfer", 0, false, false},
    {"no memory once", 0, false, true},    {"no memory for good", 0, true, true},
};

static uint64_t every_call = 4, every_allocation = 100, reference[WORK_STATES], points, problems, only_at;
static bool stacks, keep_going;
static const char *only_fault;

static void arm(struct sim_disk *disk, const struct fault *f, uint64_t n)
{
    if (f->memory) {
        memory_fail(n, f->sticky);
    } else {
        sim_disk_fail(disk, n, f->sys_errno, f->sticky);
    }
}

static bool was_met(struct sim_disk *disk, const struct fault *f)
{
    return f->memory ? allocation_failed : sim_disk_failed(disk);
}

static bool disarm(struct sim_disk *disk, const struct fault *f)
{
    bool met = was_met(disk, f);
    fail_allocation = 0;
    sim_disk_fail(disk, 0, 0, false);
    return met;
}

static void complain(const struct fault *f, uint64_t n, unsigned step, const char *problem)
{
    problems++;
    printf("%s at %llu (met in step %u): the workspace %s\n", f->name, (unsigned long long)n, step, problem);
    if (!keep_going)
        fail_msg("a violation");
}

static __attribute__((noinline)) enum br_rc take_step(struct workload *w, unsigned step)
{
    sim_stacks_below(__builtin_return_address(0));
    enum br_rc volatile rc = workload_step(w, step); /* no tail call: the address must be on the stack */
    return rc;
}

/* False when the run ended without meeting the fault. */
static bool run(const struct fault *f, uint64_t n)
{
    struct sim_disk *disk = sim_disk_new(seed);
    struct workload w;
    uint64_t seen;
    unsigned step = 0;
    enum br_rc rc = BR_OK;
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)seed, NULL);
    workload_init(&w, disk, seed);
    arm(disk, f, n);
    bool go_on = n >> 3 & 1; /* every other time: what comes after may mend what the fault did */
    for (; step < steps && rc == BR_OK && (go_on || !was_met(disk, f)); step++)
        rc = take_step(&w, step);
    bool met = disarm(disk, f);
    if (rc != BR_OK && !met)
        complain(f, n, step, w.err.msg);
    if (rc != BR_OK && !w.err.msg[0])
        complain(f, n, step, "fails without a word");
    size_t acked = w.acked;
    workload_close(&w);
    if (met) {
        const char *problem = workload_examine(disk, &reference[acked], 2, &seen);
        if (problem)
            complain(f, n, step, problem);
        struct sim_disk *later = sim_disk_cut(disk, n, SIM_TORN); /* what was acknowledged is durable too */
        problem = workload_examine(later, &reference[acked], 2, &seen);
        sim_disk_free(later);
        if (problem)
            complain(f, n, step, problem);
        problem = workload_examine(disk, &reference[acked], 2, &seen);
        if (problem)
            complain(f, n, step, problem);
        workload_init(&w, disk, n);
        w.acked = seen ? 1 : 0;
        w.states[1] = seen;
        for (unsigned more = seen ? 1 : 0; more < 3; more++)
            if (workload_step(&w, more) != BR_OK)
                complain(f, n, step, w.err.msg);
        uint64_t last = w.states[w.acked];
        workload_close(&w);
        problem = workload_examine(disk, &last, 1, &seen);
        if (problem)
            complain(f, n, step, problem);
        points++;
    }
    sim_disk_free(disk);
    return met;
}

/* The same once more is the same again: what SQLite makes once is made. */
static void make_reference(void)
{
    struct sim_disk *disk = sim_disk_new(seed);
    struct workload w;
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)seed, NULL);
    workload_init(&w, disk, seed);
    memory_fail(0, false);
    if (stacks)
        sim_stacks_record();
    for (unsigned step = 0; step < steps; step++)
        if (take_step(&w, step) != BR_OK)
            fail_msg("%s", w.err.msg);
    sim_stacks_stop();
    memcpy(reference, w.states, sizeof reference);
    reference[w.acked + 1] = reference[w.acked];
    workload_close(&w);
    sim_disk_free(disk);
}

static void run_stacks(const struct fault *f)
{
    size_t n, met = 0;
    const struct sim_stack *stack = sim_stacks(f->memory ? SIM_ALLOCATION : SIM_DISK_CALL, &n);
    for (size_t i = 0; i < n; i++) {
        run(f, stack[i].first);
        if (stack[i].last != stack[i].first)
            run(f, stack[i].last);
        met += stack[i].failed;
    }
    printf("%s: %zu stacks, a fault met in %zu\n", f->name, n, met);
}

static void run_strides(const struct fault *f, size_t i)
{
    uint64_t stride = f->memory ? every_allocation : every_call, n = 1 + i % stride;
    while (run(f, n))
        n += stride;
}

static void every_point_of_failure_keeps_the_oracle(void **state)
{
    (void)state;
    make_reference();
    make_reference();
    for (size_t i = 0; i < BR_COUNT(FAULTS); i++) {
        const struct fault *f = &FAULTS[i];
        uint64_t before = points;
        if (only_fault && !strstr(f->name, only_fault))
            continue;
        if (only_at)
            run(f, only_at);
        else if (stacks)
            run_stacks(f);
        else
            run_strides(f, i);
        printf("%s: %llu points\n", f->name, (unsigned long long)(points - before));
        fflush(stdout);
        assert_true(points > before);
    }
    if (problems)
        fail_msg("%llu problems", (unsigned long long)problems);
}

int main(int argc, char **argv)
{
    if (!memory_init())
        return 1;
#ifdef __SANITIZE_ADDRESS__
    every_call = 40;
    every_allocation = 800;
#endif
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--all") == 0)
            every_call = every_allocation = 1;
        else if (strcmp(argv[i], "--stacks") == 0)
            stacks = true;
        else if (strcmp(argv[i], "--keep-going") == 0)
            keep_going = true;
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--steps") == 0)
            steps = (unsigned)strtoul(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--fault") == 0)
            only_fault = value, i++;
        else if (strcmp(argv[i], "--at") == 0)
            only_at = strtoull(value, NULL, 10), memory_trace = true, i++;
        else
            return 2;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_point_of_failure_keeps_the_oracle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
