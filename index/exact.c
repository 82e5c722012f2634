/* exact.c - exact search: every row is looked at, the best k are kept. The oracle of the graph's tests, and the
 * search of rows that no graph has yet. The k best live in a heap inside the caller's array: no memory is taken. */
#include "exact_int.h"

#include "dist_int.h"

static bool better(const struct br_hit *a, const struct br_hit *b)
{
    return a->similarity > b->similarity || (a->similarity == b->similarity && a->slot < b->slot);
}

/* Moves hits[i] down until no child is worse than it: the worst stays on top. */
static void sink(struct br_hit *hits, size_t n, size_t i)
{
    struct br_hit moving = hits[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && better(&hits[child], &hits[child + 1]))
            child++;
        if (!better(&moving, &hits[child]))
            break;
        hits[i] = hits[child];
    }
    hits[i] = moving;
}

void br_topk_push(struct br_hit *hits, size_t *n, size_t k, uint64_t slot, float similarity)
{
    struct br_hit hit = {.slot = slot, .similarity = similarity};
    if (similarity != similarity) /* not a number: nothing compares with it, and on top of the heap it would keep all others out */
        return;
    if (*n == k) {
        if (k && better(&hit, &hits[0])) {
            hits[0] = hit;
            sink(hits, k, 0);
        }
        return;
    }
    size_t i = (*n)++;
    for (size_t parent; i && better(&hits[parent = (i - 1) / 2], &hit); i = parent)
        hits[i] = hits[parent];
    hits[i] = hit;
}

void br_topk_sort(struct br_hit *hits, size_t n)
{
    while (n > 1) {
        struct br_hit worst = hits[0];
        hits[0] = hits[--n];
        hits[n] = worst;
        sink(hits, n, 0);
    }
}

size_t br_exact_range(const struct br_rows *rows, uint32_t dim, const float *query, uint64_t first, uint64_t end,
                      const struct br_bitmap *allow, size_t k, struct br_hit *out)
{
    const struct br_kernels *kernels = br_kernels();
    size_t n = 0;
    end = BR_MIN(end, rows->count);
    if (allow)
        end = BR_MIN(end, allow->n_bits);
    for (uint64_t slot = first; slot < end; slot++) {
        if (allow) { /* skips runs of clear bits a word at a time */
            uint64_t left = allow->words[slot / 64] >> slot % 64;
            if (!left) {
                slot |= 63;
                continue;
            }
            slot += (uint64_t)__builtin_ctzll(left);
            if (slot >= end)
                break;
        }
        br_topk_push(out, &n, k, slot, kernels->inner(query, rows->base + slot * rows->stride_floats, dim));
    }
    br_topk_sort(out, n);
    return n;
}

static bool has_slot(const struct br_hit *hits, size_t n, uint64_t slot)
{
    for (size_t i = 0; i < n; i++)
        if (hits[i].slot == slot)
            return true;
    return false;
}

size_t br_hits_merge(const struct br_hit *a, size_t na, const struct br_hit *b, size_t nb, size_t k,
                     struct br_hit *out)
{
    size_t n = 0, ia = 0, ib = 0;
    while (n < k && (ia < na || ib < nb)) {
        bool from_a = ib == nb || (ia < na && !better(&b[ib], &a[ia]));
        const struct br_hit *hit = from_a ? &a[ia++] : &b[ib++];
        if (!has_slot(out, n, hit->slot))
            out[n++] = *hit;
    }
    return n;
}
