/* hnsw_check.c - the validator: is this graph one that this program could have built?
 *
 * A search survives any damage by bounds checks alone but may then find too little, unnoticed; this is what notices.
 * The structure is always checked; section checksums only while the map is as it was read, since an insert edits
 * link records in place. Reachability is counted from the entry point along level 0. Pruning can cut off a node now
 * and then: up to one in a thousand is accepted. */
#include "ckpt_int.h"
#include "hnsw_int.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define UNREACHABLE_PER_NODES 1000 /* accepted: one in so many */

static void BR_PRINTF(2, 3) problem(struct br_index_report *r, const char *fmt, ...)
{
    r->ok = false;
    if (r->first_problem[0])
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->first_problem, sizeof(r->first_problem), fmt, args);
    va_end(args);
}

static void check_links(const struct br_index *ix, uint32_t node, uint32_t level, struct br_index_report *r)
{
    uint32_t cap;
    const uint32_t *links = br_node_links(ix, node, level, &cap);
    if (!links) {
        problem(r, "node %u has no link record at level %u", node, level);
        return;
    }
    uint32_t n = 0;
    while (n < cap && links[n] != BR_NO_LINK)
        n++;
    for (uint32_t i = n; i < cap; i++)
        if (links[i] != BR_NO_LINK)
            problem(r, "node %u level %u: a link after the end of its record", node, level);
    for (uint32_t i = 0; i < n; i++) {
        if (links[i] >= ix->count)
            problem(r, "node %u level %u: link to node %u of %u", node, level, links[i], ix->count);
        else if (links[i] == node)
            problem(r, "node %u level %u: link to itself", node, level);
        else if (br_meta(ix, links[i])->level < level)
            problem(r, "node %u level %u: link to node %u, which is not on that level", node, level, links[i]);
        for (uint32_t j = 0; j < i; j++)
            if (links[i] == links[j])
                problem(r, "node %u level %u: two links to node %u", node, level, links[i]);
    }
    r->links += n;
}

static void check_sums(const struct br_index *ix, uint32_t node, struct br_index_report *r)
{
    const struct br_node_meta *m = br_meta(ix, node);
    int8_t code[2 * BR_DIM_MAX];
    int32_t sum = 0;
    uint32_t sum2 = 0;
    br_quant_to_signed(br_high(ix, node), br_low(ix, node), ix->stride, code);
    for (size_t i = 0; i < 2 * ix->stride; i++) {
        sum += code[i];
        sum2 += (uint32_t)(code[i] * code[i]);
    }
    if (sum != m->sum || sum2 != m->sum2)
        problem(r, "node %u: its code does not match its sums", node);
    if (!isfinite(m->residual) || m->residual < 0 || !isfinite(m->high_residual) || m->high_residual < 0 ||
        m->high_residual > ix->most_high_residual)
        problem(r, "node %u: impossible residual", node);
}

static void check_node(const struct br_index *ix, uint32_t node, uint64_t *upper, struct br_index_report *r)
{
    const struct br_node_meta *m = br_meta(ix, node);
    uint64_t slot = *br_node_slot(ix, node);
    if (node && slot <= *br_node_slot(ix, node - 1))
        problem(r, "node %u: its slot is not past the one before", node);
    if (slot >= ix->slot_end)
        problem(r, "node %u: slot %llu is past the end", node, (unsigned long long)slot);
    if (m->level > BR_LEVEL_MAX || m->level > ix->max_level || m->level != br_node_level(ix->seed, node, ix->M))
        problem(r, "node %u: wrong level %u", node, m->level);
    if (m->upper != *upper)
        problem(r, "node %u: upper links at record %u, expected %llu", node, m->upper, (unsigned long long)*upper);
    if (m->flags & ~BR_NODE_DEAD)
        problem(r, "node %u: unknown flags", node);
    *upper += m->level;
    r->live += !(m->flags & BR_NODE_DEAD);
    check_sums(ix, node, r);
    for (uint32_t level = 0; level <= m->level && level <= BR_LEVEL_MAX; level++)
        check_links(ix, node, level, r);
}

/* The in-link counts that pruning goes by. counts: one a node, zeroed. */
static void check_in_links(const struct br_index *ix, uint32_t *counts, struct br_index_report *r)
{
    for (uint32_t node = 0; node < ix->count; node++) {
        uint32_t cap;
        const uint32_t *links = br_node_links(ix, node, 0, &cap);
        for (uint32_t i = 0; i < cap && links[i] != BR_NO_LINK; i++)
            if (links[i] < ix->count)
                counts[links[i]]++;
    }
    for (uint32_t node = 0; node < ix->count; node++) {
        uint32_t n = br_meta(ix, node)->in_links;
        if (n != counts[node] && n != BR_IN_LINKS_MANY)
            problem(r, "node %u: %u links to it, expected %u", node, counts[node], n);
    }
}

/* Breadth first from the entry point over level 0. An erased node needs no way to it and counts as reached. */
static uint64_t count_reachable(const struct br_index *ix, uint32_t *queue, struct br_bitmap *seen)
{
    uint32_t head = 0, tail = 0;
    if (ix->count) {
        br_bitmap_set(seen, ix->entry);
        queue[tail++] = ix->entry;
    }
    while (head < tail) {
        uint32_t cap;
        const uint32_t *links = br_node_links(ix, queue[head++], 0, &cap);
        for (uint32_t i = 0; i < cap && links[i] != BR_NO_LINK; i++) {
            if (links[i] >= ix->count || br_bitmap_test(seen, links[i]))
                continue;
            br_bitmap_set(seen, links[i]);
            queue[tail++] = links[i];
        }
    }
    for (uint32_t node = 0; node < ix->count; node++)
        tail += br_node_erased(br_meta(ix, node)) && !br_bitmap_test(seen, node);
    return tail;
}

enum br_rc br_index_check(const struct br_index *ix, struct br_index_report *report, struct br_err *err)
{
    *report = (struct br_index_report){.ok = true, .nodes = ix->count};
    struct br_bitmap seen;
    enum br_rc rc = br_bitmap_init(&seen, ix->count, err);
    if (rc != BR_OK)
        return rc;
    uint32_t *queue = calloc((size_t)ix->count + 1, sizeof(*queue));
    if (!queue) {
        br_bitmap_free(&seen);
        return br_fail_nomem(err);
    }
    if (ix->map && !ix->changed) {
        const char *bad = br_ckpt_bad_section(ix->map);
        if (bad)
            problem(report, "the checksum of the section '%s' does not match", bad);
    }
    uint64_t upper = 0;
    for (uint32_t node = 0; node < ix->count; node++)
        check_node(ix, node, &upper, report);
    if (upper != ix->upper_count)
        problem(report, "%llu upper link records are in use of %u", (unsigned long long)upper, ix->upper_count);
    if (report->live != ix->live)
        problem(report, "%llu nodes are alive, expected %u", (unsigned long long)report->live, ix->live);
    if (ix->count && br_meta(ix, ix->entry)->level != ix->max_level)
        problem(report, "the entry point is not on the top level");
    check_in_links(ix, queue, report);
    report->reachable = count_reachable(ix, queue, &seen);
    if (ix->count - report->reachable > ix->count / UNREACHABLE_PER_NODES)
        problem(report, "%llu of %u nodes cannot be reached", (unsigned long long)(ix->count - report->reachable),
                ix->count);
    free(queue);
    br_bitmap_free(&seen);
    return BR_OK;
}
