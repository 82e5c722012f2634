/* A power cut at any moment leaves the last acknowledged state, or the one whose commit was under way: nothing lost, nothing half, nothing
 * that was never submitted; and whatever it left can be read without being written, and goes on being used. Cut again while that happens, and
 * once more. `--cuts N` makes N cuts, `--seed S` begins with workload S: a failure prints the line that repeats it. */
#include "store_test.h"

#include "sim/workload.h"
#include <sqlite3.h>
#include <xxhash.h>

#define STEPS 14
#define DEPTH 3
#define QUEUE 12

static uint64_t cuts_wanted = 5000, first_seed = 1, cuts_done, by_depth[DEPTH];

struct cut {
    struct sim_disk *disk;
    size_t acked;
    bool committing;
    uint64_t change, seed;
};
struct cutter {
    struct workload *w;
    uint64_t random, workload_seed;
    struct cut queue[QUEUE];
    size_t n;
    unsigned one_in, depth;
};

static uint64_t mix(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    return z ^ (z >> 27);
}

static void at_change(void *ctx, uint64_t change)
{
    struct cutter *c = ctx;
    uint64_t r = mix(&c->random);
    if (c->n == QUEUE || r % c->one_in)
        return;
    struct cut *cut = &c->queue[c->n++];
    *cut = (struct cut){.acked = c->w->acked, .committing = c->w->committing, .change = change, .seed = mix(&c->random)};
    unsigned kinds = c->w->erasing ? SIM_GARBAGE : SIM_CUTS; /* see storage/store_erase.c: noise is then for repair */
    cut->disk = sim_disk_cut(c->w->disk, cut->seed, (enum sim_cut)((cut->seed >> 32) % kinds));
}

static void explain(const struct cutter *c, const struct cut *cut, const char *problem)
{
    fail_msg("the workspace %s\n  workload seed %llu, power cut before change %llu, depth %u (repeat with --seed %llu)", problem,
             (unsigned long long)c->workload_seed, (unsigned long long)cut->change, c->depth, (unsigned long long)c->workload_seed);
}

static void hash_file(void *ctx, const char *path, const void *bytes, size_t n)
{
    uint64_t *sum = ctx;
    if (n) /* a reader may make an empty WAL */
        *sum ^= XXH3_64bits(path, strlen(path)) * 31 + XXH3_64bits(bytes, n);
}

static void examine_queue(struct cutter *c);

/* What the cut left is opened for writing, used, and cut again. */
static void go_on(struct cutter *c, const struct cut *cut, uint64_t seen)
{
    struct workload w;
    struct cutter next = {.w = &w, .random = cut->seed, .workload_seed = c->workload_seed, .one_in = 200, .depth = c->depth + 1};
    workload_init(&w, cut->disk, cut->seed);
    w.states[0] = 0;
    w.states[1] = seen;
    w.acked = seen ? 1 : 0;
    if (next.depth < DEPTH)
        sim_disk_on_change(cut->disk, at_change, &next);
    for (unsigned step = seen ? 1 : 0; step < 4; step++) {
        enum br_rc rc = workload_step(&w, step);
        if (rc != BR_OK)
            explain(c, cut, w.err.msg);
        examine_queue(&next);
    }
    workload_close(&w);
    examine_queue(&next);
    sim_disk_on_change(cut->disk, NULL, NULL);
    const char *problem = workload_examine(cut->disk, &w.states[w.acked], 1, &seen);
    if (problem)
        explain(c, cut, problem);
}

static void examine_cut(struct cutter *c, const struct cut *cut)
{
    const struct workload *w = c->w;
    uint64_t seen, before = 0, after = 0;
    bool one_more = cut->committing && w->acked > cut->acked;
    /* The commit's outcome may be known by now; when it failed, the state it would have made is unknown and must not be there. */
    sim_disk_each_file(cut->disk, hash_file, &before);
    const char *problem = workload_examine(cut->disk, &w->states[cut->acked], one_more ? 2 : 1, &seen);
    if (problem)
        explain(c, cut, problem);
    sim_disk_each_file(cut->disk, hash_file, &after);
    if (before != after && seen) /* where there is no workspace yet, SQLite may roll its first transaction back */
        explain(c, cut, "was changed by opening it for reading");
    cuts_done++;
    by_depth[c->depth]++;
    go_on(c, cut, seen);
}

static void examine_queue(struct cutter *c)
{
    for (size_t i = 0; i < c->n; i++) {
        examine_cut(c, &c->queue[i]);
        sim_disk_free(c->queue[i].disk);
    }
    c->n = 0;
}

static void run(uint64_t seed)
{
    struct sim_disk *disk = sim_disk_new(seed);
    struct workload w;
    struct cutter c = {.w = &w, .random = seed * 77, .workload_seed = seed, .one_in = 4};
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(seed & 0x7fffffff) | 1, NULL);
    workload_init(&w, disk, seed);
    sim_disk_on_change(disk, at_change, &c);
    for (unsigned step = 0; step < STEPS; step++) {
        if (workload_step(&w, step) != BR_OK)
            fail_msg("seed %llu, step %u: %s", (unsigned long long)seed, step, w.err.msg);
        examine_queue(&c);
    }
    workload_close(&w);
    examine_queue(&c);
    sim_disk_free(disk);
}

static void every_cut_leaves_an_acknowledged_state(void **state)
{
    (void)state;
    uint64_t seed = first_seed;
    while (cuts_done < cuts_wanted)
        run(seed++);
    printf("%llu power cuts (%llu, %llu, %llu by depth), seeds %llu to %llu, no violation\n", (unsigned long long)cuts_done,
           (unsigned long long)by_depth[0], (unsigned long long)by_depth[1], (unsigned long long)by_depth[2],
           (unsigned long long)first_seed, (unsigned long long)seed - 1);
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--cuts") == 0)
            cuts_wanted = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            first_seed = strtoull(argv[i + 1], NULL, 10);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_cut_leaves_an_acknowledged_state)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
