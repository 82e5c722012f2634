/* stacks.c - one hash table a kind of call: stack, first and last use. See stacks.h. */
#include "sim/stacks.h"
#include "sim/disk.h"

#include <execinfo.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define FRAMES 8 /* innermost, with the two that all have; with 24 there are 4 times as many points */
#define SLOTS 65536 /* a power of two; a quarter stays empty */

static struct table {
    struct sim_stack items[SLOTS * 3 / 4];
    uint32_t slots[SLOTS]; /* 1 + the item's index; 0: empty */
    size_t n;
} tables[SIM_CALL_KINDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic enum { OFF, RECORD, MARK } mode;
static void *_Atomic outermost;

/* Its own frame and its caller's are the same for all calls of a kind. */
static uint64_t stack_here(void)
{
    void *frames[FRAMES];
    bool before = sim_allocating;
    sim_allocating = true;
    int all = backtrace(frames, FRAMES), n = 0;
    sim_allocating = before;
    while (n < all && frames[n] != outermost)
        n++;
    return XXH3_64bits(frames, (size_t)n * sizeof *frames);
}

/* Its slot, or the empty one that it gets. */
static uint32_t *slot_of(struct table *t, uint64_t hash)
{
    size_t i = hash & (SLOTS - 1);
    while (t->slots[i] && t->items[t->slots[i] - 1].hash != hash)
        i = (i + 1) & (SLOTS - 1);
    return &t->slots[i];
}

static void record(struct table *t, uint64_t hash, uint64_t n)
{
    uint32_t *slot = slot_of(t, hash);
    if (!*slot) {
        if (t->n == sizeof t->items / sizeof *t->items)
            abort();
        t->items[t->n++] = (struct sim_stack){.hash = hash, .first = n};
        *slot = (uint32_t)t->n;
    }
    t->items[*slot - 1].last = n;
}

void sim_stacks_call(enum sim_call_kind kind, uint64_t n, bool fails)
{
    if (mode == OFF || (mode == MARK && !fails))
        return;
    uint64_t hash = stack_here();
    pthread_mutex_lock(&lock);
    struct table *t = &tables[kind];
    if (mode == RECORD)
        record(t, hash, n);
    else if (*slot_of(t, hash))
        t->items[*slot_of(t, hash) - 1].failed = true;
    pthread_mutex_unlock(&lock);
}

void sim_stacks_below(void *caller)
{
    outermost = caller;
}

void sim_stacks_record(void)
{
    mode = OFF;
    stack_here();
    memset(tables, 0, sizeof tables);
    mode = RECORD;
}

void sim_stacks_stop(void)
{
    mode = mode == OFF ? OFF : MARK;
}

const struct sim_stack *sim_stacks(enum sim_call_kind kind, size_t *n)
{
    *n = tables[kind].n;
    return tables[kind].items;
}
