/* hnsw_filter.c - a set of slots as a set of nodes.
 *
 * A walk asks of thousands of neighbours whether they pass, and asking their slots first would cost more than all the rest: 8 bytes a node,
 * somewhere in memory. Slots and nodes grow together with few gaps, so that a set of slots is one of nodes with some bits moved: run by run, a
 * word at a time. Where the runs are does not change while nodes are only added; each searcher finds them once. */
#include "hnsw_int.h"

#include <stdlib.h>
#include <string.h>

/* How many nodes from `node` on have slots that follow one another. In a damaged table it may be too many: the set is of other nodes then. */
static uint32_t run_length(const struct br_index *ix, uint32_t node)
{
    uint64_t slot = *br_node_slot(ix, node);
    uint32_t low = 0, high = 1, most = ix->count - node - 1; /* slots of low follow; most: the last there is */
    while (high < most && *br_node_slot(ix, node + high) - slot == high) {
        low = high;
        high = BR_MIN(2 * high, most);
    }
    high = BR_MIN(high, most);
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (*br_node_slot(ix, node + middle) - slot == middle)
            low = middle;
        else
            high = middle - 1;
    }
    return low + 1;
}

static bool find_runs(const struct br_index *ix, struct br_node_set *set)
{
    if (set->index != ix->serial) {
        set->index = ix->serial;
        set->n_runs = 0;
        set->covered = 0;
    }
    if (set->n_runs && set->covered < ix->count) /* nodes were added: perhaps to the last run */
        set->covered = set->runs[--set->n_runs].node;
    while (set->covered < ix->count) {
        if (set->n_runs == set->runs_alloc) {
            size_t n = set->runs_alloc * 2 + 16;
            struct br_run *runs = realloc(set->runs, n * sizeof *runs);
            if (!runs)
                return false;
            set->runs = runs;
            set->runs_alloc = n;
        }
        uint32_t n = run_length(ix, set->covered);
        set->runs[set->n_runs++] = (struct br_run){.node = set->covered, .n = n, .slot = *br_node_slot(ix, set->covered)};
        set->covered += n;
    }
    return true;
}

/* 64 bits of a set from any bit on; past its words, 0. */
static uint64_t bits_from(const struct br_bitmap *b, uint64_t bit)
{
    uint64_t word = bit / 64, end = (b->n_bits + 63) / 64;
    uint64_t low = word < end ? b->words[word] >> bit % 64 : 0;
    return bit % 64 && word + 1 < end ? low | b->words[word + 1] << (64 - bit % 64) : low;
}

/* Ors a run's bits, up to where the set ends, into place. */
static void move_run(const struct br_bitmap *allow, struct br_run run, uint32_t end, uint64_t *words)
{
    if (run.slot >= allow->n_bits || run.node >= end)
        return;
    uint64_t n = BR_MIN(BR_MIN((uint64_t)run.n, allow->n_bits - run.slot), (uint64_t)(end - run.node)), node = run.node, slot = run.slot;
    for (; n && node % 64; n--, node++, slot++) /* to a word's start */
        words[node / 64] |= (uint64_t)br_bitmap_test(allow, slot) << node % 64;
    uint64_t whole = n / 64, first = slot / 64, shift = slot % 64;
    if (!shift)
        memcpy(words + node / 64, allow->words + first, whole * sizeof *words);
    for (uint64_t i = 0; shift && i < whole; i++)
        words[node / 64 + i] = allow->words[first + i] >> shift | allow->words[first + i + 1] << (64 - shift);
    node += 64 * whole;
    slot += 64 * whole;
    if (n % 64)
        words[node / 64] |= bits_from(allow, slot) & ~(~UINT64_C(0) << n % 64);
}

bool br_node_set_make(const struct br_index *ix, const struct br_bitmap *allow, uint32_t end, struct br_node_set *set)
{
    size_t words = (size_t)ix->count / 64 + 1;
    if (words > set->words_alloc) {
        free(set->words);
        set->words_alloc = 0;
        set->words = malloc((words + words / 4) * sizeof *set->words);
        if (!set->words)
            return false;
        set->words_alloc = words + words / 4;
    }
    if (!find_runs(ix, set))
        return false;
    memset(set->words, 0, words * sizeof *set->words);
    for (size_t i = 0; i < set->n_runs; i++)
        move_run(allow, set->runs[i], end, set->words);
    return true;
}

void br_node_set_free(struct br_node_set *set)
{
    free(set->words);
    free(set->runs);
    *set = (struct br_node_set){0};
}
