/* hnsw.c - the graph as a data structure: its arrays, its levels, which slots it has. No searching here. */
#include "hnsw_int.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* --- Segment tables. --- */

#define HUGE_PAGE ((size_t)2 << 20)
#define SLAB_MAX ((size_t)64 << 20)

static bool grow_table(char ***table, size_t *alloc, size_t need)
{
    if (need <= *alloc)
        return true;
    size_t n = BR_MAX(need, *alloc * 2 + 8);
    char **grown = realloc(*table, n * sizeof(*grown));
    if (!grown)
        return false;
    *table = grown;
    *alloc = n;
    return true;
}

/* A walk reads rows here and there: with small pages, half its time is looking up where they are. So segments are cut
 * from slabs that grow with the table, and the kernel is asked for large pages where a slab fills some. */
static bool new_slab(struct br_segs *s, size_t segment)
{
    size_t most = BR_MAX(SLAB_MAX / segment, (size_t)1), n = BR_MIN(BR_MAX(s->n / 2, (size_t)1), most);
    if (!grow_table(&s->slab, &s->slab_alloc, s->n_slabs + 1))
        return false;
    bool large = n * segment >= HUGE_PAGE;
    if (large)
        n = (n * segment + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE / segment;
    size_t align = large ? HUGE_PAGE : 64, bytes = (n * segment + align - 1) / align * align;
    char *slab = aligned_alloc(align, bytes);
    if (!slab)
        return false;
    if (large)
        (void)madvise(slab, bytes, MADV_HUGEPAGE); /* a wish */
    s->slab[s->n_slabs++] = slab;
    s->fresh = slab;
    s->left = n;
    return true;
}

static char *new_segment(struct br_segs *s)
{
    size_t segment = ((size_t)BR_SEG_ROWS * s->stride + 63) / 64 * 64;
    if (!s->left && !new_slab(s, segment))
        return NULL;
    char *seg = s->fresh;
    s->fresh += segment;
    s->left--;
    return seg;
}

bool br_segs_reserve(struct br_segs *s, uint32_t n_rows)
{
    size_t i = n_rows >> BR_SEG_SHIFT;
    if (i >= s->mapped && i < s->n)
        return true;
    if (!grow_table(&s->seg, &s->alloc, i + 1))
        return false;
    char *fresh = new_segment(s);
    if (!fresh)
        return false;
    if (i < s->mapped) { /* the partial last segment of the map moves to the heap */
        memcpy(fresh, s->seg[i], (size_t)(n_rows & (BR_SEG_ROWS - 1)) * s->stride);
        s->mapped = i;
    }
    s->seg[i] = fresh;
    s->n = i + 1;
    return true;
}

bool br_segs_map(struct br_segs *s, char *base, uint32_t n_rows)
{
    size_t n = ((size_t)n_rows + BR_SEG_ROWS - 1) >> BR_SEG_SHIFT;
    if (!grow_table(&s->seg, &s->alloc, n))
        return false;
    for (size_t i = 0; i < n; i++)
        s->seg[i] = base + i * BR_SEG_ROWS * s->stride;
    s->n = s->mapped = n;
    return true;
}

static void segs_free(struct br_segs *s)
{
    for (size_t i = 0; i < s->n_slabs; i++)
        free(s->slab[i]);
    free(s->slab);
    free(s->seg);
}

/* --- Life. --- */

static atomic_uint_fast64_t indexes;

enum br_rc br_index_alloc(const struct br_index_config *cfg, struct br_index **out, struct br_err *err)
{
    *out = NULL;
    if (cfg->dim < 1 || cfg->dim > BR_DIM_MAX || cfg->M < BR_HNSW_M_MIN || cfg->M > BR_HNSW_M_MAX ||
        cfg->ef_construction < 1 || cfg->ef_construction > BR_HNSW_EF_MAX)
        return br_fail(err, BR_E_USAGE, "graph parameters out of range: dim %u, M %u, ef_construction %u", cfg->dim,
                       cfg->M, cfg->ef_construction);
    struct br_index *ix = calloc(1, sizeof(*ix));
    if (!ix)
        return br_fail_nomem(err);
    ix->serial = atomic_fetch_add(&indexes, 1) + 1;
    ix->dim = cfg->dim;
    ix->M = cfg->M;
    ix->M0 = 2 * cfg->M;
    ix->ef_construction = cfg->ef_construction;
    ix->seed = cfg->seed;
    ix->scale = br_quant_scale(cfg->dim);
    ix->stride = br_quant_stride(cfg->dim);
    ix->kernels = br_kernels();
    ix->exact_nodes = BR_EXACT_NODES;
    ix->exact_matches = BR_EXACT_MATCHES;
    ix->high.stride = ix->low.stride = ix->stride;
    ix->links0.stride = ix->M0 * sizeof(uint32_t);
    ix->upper.stride = ix->M * sizeof(uint32_t);
    ix->slots.stride = sizeof(uint64_t);
    ix->meta.stride = sizeof(struct br_node_meta);
    *out = ix;
    return BR_OK;
}

enum br_rc br_index_create(const struct br_index_config *cfg, struct br_index **out, struct br_err *err)
{
    return br_index_alloc(cfg, out, err);
}

void br_index_close(struct br_index *ix)
{
    if (!ix)
        return;
    segs_free(&ix->high);
    segs_free(&ix->low);
    segs_free(&ix->links0);
    segs_free(&ix->upper);
    segs_free(&ix->slots);
    segs_free(&ix->meta);
    br_builders_free(ix);
    if (ix->map)
        ix->io->unmap(ix->io->ctx, ix->map, ix->map_size);
    free(ix);
}

/* --- Facts. --- */

uint64_t br_index_count(const struct br_index *ix)
{
    return ix->count;
}

uint64_t br_index_live(const struct br_index *ix)
{
    return ix->live;
}

uint64_t br_index_bytes(const struct br_index *ix)
{
    uint64_t per_node = ix->high.stride + ix->low.stride + ix->links0.stride + ix->slots.stride + ix->meta.stride;
    return ix->count * per_node + (uint64_t)ix->upper_count * ix->upper.stride;
}

uint64_t br_index_slot_end(const struct br_index *ix)
{
    return ix->slot_end;
}

/* SplitMix64's finaliser: every input bit reaches every output bit. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Level l or more with probability M^-l (the paper's mL = 1 / ln M), in integers: no libm decides the graph. */
uint32_t br_node_level(uint64_t seed, uint32_t node, uint32_t M)
{
    uint64_t draw = mix(seed + (node + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15));
    uint32_t level = 0;
    for (uint64_t below = UINT64_MAX / M; draw < below && level < BR_LEVEL_MAX; below /= M)
        level++;
    return level;
}

uint32_t br_node_lower_bound(const struct br_index *ix, uint64_t slot)
{
    uint32_t low = 0, high = ix->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (*br_node_slot(ix, middle) < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool br_index_has(const struct br_index *ix, uint64_t slot)
{
    uint32_t node = br_node_lower_bound(ix, slot);
    return node < ix->count && *br_node_slot(ix, node) == slot;
}

void br_index_remove(struct br_index *ix, uint64_t slot)
{
    uint32_t node = br_node_lower_bound(ix, slot);
    if (node == ix->count || *br_node_slot(ix, node) != slot || br_meta(ix, node)->flags & BR_NODE_DEAD)
        return;
    br_meta(ix, node)->flags |= BR_NODE_DEAD;
    ix->live -= ix->live > 0; /* a damaged file may have fewer than it says */
    ix->changed = true;
}

void br_index_erase_dead(struct br_index *ix)
{
    for (uint32_t node = 0; node < ix->count; node++) {
        struct br_node_meta *m = br_meta(ix, node);
        if (!(m->flags & BR_NODE_DEAD) || br_node_erased(m))
            continue;
        br_quant_zero(br_high(ix, node), br_low(ix, node), ix->stride);
        m->residual = 0;
        m->high_residual = 0;
        m->sum = 0;
        m->sum2 = 0;
        ix->changed = true;
    }
}
