/* Every call to the disk, and every allocation, fails once, at its n-th use: with each error, once and for good, as short reads and writes. The
 * step that meets it says so or does without; nothing crashes or leaks; and when the disk is well again, the workspace is in the state that was
 * acknowledged last, or in the one whose commit was under way, whole, and goes on being used. There are some 1,400 calls to
 * the disk and 63,000 allocations in it: a part of them is taken, another of each fault, unless `--all` asks for every one. */
#include "store_test.h"

#include "sim/memory.h"
#include "sim/workload.h"

#include <errno.h>
#include <sqlite3.h>

#define STEPS 12
#define SEED 11

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

static uint64_t every_call = 4, every_allocation = 100, reference[WORK_STATES], points;

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
    fail_msg("%s at call %llu (met in step %u): the workspace %s", f->name, (unsigned long long)n, step, problem);
}

/* False when the run ended without meeting the fault. */
static bool run(const struct fault *f, uint64_t n)
{
    struct sim_disk *disk = sim_disk_new(SEED);
    struct workload w;
    uint64_t seen;
    unsigned step = 0;
    enum br_rc rc = BR_OK;
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, SEED, NULL);
    workload_init(&w, disk, SEED);
    arm(disk, f, n);
    bool go_on = n >> 3 & 1; /* every other time: what comes after may mend what the fault did */
    for (; step < STEPS && rc == BR_OK && (go_on || !was_met(disk, f)); step++)
        rc = workload_step(&w, step);
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

static void make_reference(void)
{
    struct sim_disk *disk = sim_disk_new(SEED);
    struct workload w;
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, SEED, NULL);
    workload_init(&w, disk, SEED);
    for (unsigned step = 0; step < STEPS; step++)
        if (workload_step(&w, step) != BR_OK)
            fail_msg("%s", w.err.msg);
    memcpy(reference, w.states, sizeof reference);
    reference[w.acked + 1] = reference[w.acked];
    workload_close(&w);
    sim_disk_free(disk);
}

static void every_point_of_failure_keeps_the_oracle(void **state)
{
    (void)state;
    make_reference();
    for (size_t i = 0; i < BR_COUNT(FAULTS); i++) {
        uint64_t before = points, stride = FAULTS[i].memory ? every_allocation : every_call, n = 1 + i % stride;
        while (run(&FAULTS[i], n))
            n += stride;
        printf("%s: %llu points\n", FAULTS[i].name, (unsigned long long)(points - before));
        assert_true(points > before);
    }
}

int main(int argc, char **argv)
{
    if (!memory_init())
        return 1;
#ifdef __SANITIZE_ADDRESS__
    every_call = 40;
    every_allocation = 800;
#endif
    if (argc > 1 && strcmp(argv[1], "--all") == 0)
        every_call = every_allocation = 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_point_of_failure_keeps_the_oracle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
