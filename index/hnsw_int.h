/* hnsw_int.h - the graph in memory, shared by the hnsw_*.c and ckpt_*.c files. Private to index/ and its tests.
 *
 * A node is a dense u32 number given in insertion order, so node -> slot is increasing and slot -> node is a binary
 * search. Every per-node array is a table of segments of BR_SEG_ROWS rows. After an open the segments point into the
 * private map of the checkpoint; growing adds heap segments and copies at most the one partial segment at the end, so
 * that a first insert costs O(1) and not a copy of the graph. A store into a mapped segment copies its page, never
 * the file.
 *
 * Bytes of a mapped segment may be damaged: ids are compared with count, levels with BR_LEVEL_MAX and upper record
 * numbers with upper_count at every use. */
#ifndef BR_HNSW_INT_H
#define BR_HNSW_INT_H

#include "dist_int.h"
#include "index.h"
#include "quant_int.h"

#define BR_SEG_SHIFT 10
#define BR_SEG_ROWS (1u << BR_SEG_SHIFT)
#define BR_NODE_MAX UINT32_C(0x7fffffff) /* the top bit of an id is a mark in the search pool */
#define BR_NO_LINK UINT32_MAX            /* ends a link record that is not full */
#define BR_LEVEL_MAX 15
#define BR_LINKS_MAX (2 * BR_HNSW_M_MAX)
#define BR_EXACT_NODES 20000u   /* up to so many nodes a scan of the codes beats the graph */
#define BR_EXACT_MATCHES 5000u /* the same for what a filter leaves */

#define BR_NODE_DEAD 1u
#define BR_IN_LINKS_MANY UINT16_MAX

/* Per-node facts that the search loop does not need. On disk as it is here. */
struct br_node_meta {
    float residual; /* see quant_int.h */
    int32_t sum;
    uint32_t sum2;
    uint32_t upper; /* first of `level` upper link records, levels 1, 2, ... */
    uint8_t level;
    uint8_t flags;
    uint16_t in_links;   /* level-0 links to this node; stays at BR_IN_LINKS_MANY once there */
    float high_residual; /* see quant_int.h */
};
_Static_assert(sizeof(struct br_node_meta) == 24, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_node_meta, residual) == 0, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_node_meta, sum) == 4, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_node_meta, sum2) == 8, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_node_meta, upper) == 12, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_node_meta, level) == 16, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_node_meta, flags) == 17, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_node_meta, in_links) == 18, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_node_meta, high_residual) == 20, "table in ckpt_write.c");

struct br_segs {
    char **seg;
    size_t n, alloc; /* segments */
    size_t mapped;   /* the first so many are borrowed from the map */
    size_t stride;   /* bytes a row */
    char **slab;     /* owned; heap segments are cut from these, of more and more segments */
    size_t n_slabs, slab_alloc;
    char *fresh;  /* segments of the last slab not in use yet: the next one */
    size_t left;  /* and how many there are */
};

/* Search pool entry: smaller d is nearer, then the smaller id. As it lies in memory it is one number. */
struct br_cand {
    uint32_t id; /* BR_CAND_EXPANDED is its mark */
    int32_t d;   /* minus the dot of the high plane */
};
#define BR_CAND_EXPANDED UINT32_C(0x80000000)
static inline int64_t br_cand_key(struct br_cand c)
{
    return (int64_t)((uint64_t)(uint32_t)c.d << 32 | c.id);
}

struct br_bound {
    float most;   /* an upper bound of the exact similarity */
    float likely; /* three standard deviations above what it is likely to be; no more than most */
    uint32_t node;
    int32_t dot; /* of the high plane */
};

/* Nodes `node` to node + n - 1 have slots from `slot` on. */
struct br_run {
    uint32_t node, n;
    uint64_t slot;
};

/* hnsw_filter.c: a set of slots as one of nodes, and what is known of how they go together. */
struct br_node_set {
    uint64_t *words; /* one bit a node */
    size_t words_alloc;
    struct br_run *runs; /* of the first `covered` nodes of an index */
    size_t n_runs, runs_alloc;
    uint64_t index; /* its serial number; 0: none */
    uint32_t covered;
};

/* Memory of one searching thread; grown before a search, so that nothing can fail within one. */
struct br_searcher {
    struct br_cand *pool; /* sorted, nearest first */
    size_t pool_n, pool_alloc;
    struct br_cand *passed; /* sorted; evaluated nodes that pass the filter */
    size_t passed_n, passed_cap, passed_alloc;
    uint64_t *visited; /* one bit a node */
    size_t visited_words;
    uint32_t *seen; /* the nodes whose bit is set, in the order they were met */
    size_t seen_n;
    uint64_t met, met_passing; /* neighbours that a walk within a filter met, and those of them that pass */
    int8_t *query; /* encoded; 64-byte aligned */
    size_t query_alloc;
    struct br_node_set allowed;
    struct br_bound *bounds;
    size_t bounds_alloc;
    struct br_hit *hits;
    size_t hits_alloc;
};

/* Links under selection, with the squared distance of the quantised vectors to the node that they are for. */
struct br_link {
    int64_t d;
    uint32_t id;
    uint32_t tie;
    bool scarce; /* few others link to it: not to be dropped */
    bool kept;
};

/* Memory of one adding thread. */
struct br_builder {
    struct br_searcher s;
    struct br_link *links;
    size_t links_alloc;
    int8_t *other; /* the signed code of a neighbour; 64-byte aligned */
};

/* A link back that a new node asks for: a link `from` its neighbour to it. */
struct br_edge {
    uint8_t level, rank; /* rank: place of the neighbour in the new node's own record */
    uint32_t from, to;
    uint32_t dropped; /* what lost its link for it, perhaps itself; BR_NO_LINK: nothing */
};

struct br_index {
    uint64_t serial; /* no other index of this process has it */
    uint32_t dim, M, M0, ef_construction;
    uint64_t seed;
    float scale;
    float most_high_residual; /* no node's is larger; INFINITY: not known */
    size_t stride; /* bytes a row of a plane */
    uint32_t count, live;
    uint64_t slot_end;
    uint32_t entry, max_level;
    uint32_t upper_count;
    struct br_segs high, low, links0, upper, slots, meta;
    const struct br_kernels *kernels;

    struct br_builder *builders; /* scratch of adding, one a thread */
    unsigned n_builders;
    struct br_edge *edges; /* the same: links back of a batch */
    size_t edges_alloc;

    uint32_t exact_nodes, exact_matches; /* thresholds; tests lower them to force the graph */

    const struct br_io *io; /* of the map */
    void *map;
    size_t map_size;
    bool changed; /* since open: section checksums no longer apply */
};

static inline void *br_seg_row(const struct br_segs *s, uint32_t row)
{
    return s->seg[row >> BR_SEG_SHIFT] + (size_t)(row & (BR_SEG_ROWS - 1)) * s->stride;
}
static inline uint8_t *br_high(const struct br_index *ix, uint32_t node)
{
    return br_seg_row(&ix->high, node);
}
static inline uint8_t *br_low(const struct br_index *ix, uint32_t node)
{
    return br_seg_row(&ix->low, node);
}
static inline struct br_node_meta *br_meta(const struct br_index *ix, uint32_t node)
{
    return br_seg_row(&ix->meta, node);
}
/* Dead, and its code is the zero vector: its distances mean nothing. */
static inline bool br_node_erased(const struct br_node_meta *m)
{
    return (m->flags & BR_NODE_DEAD) && m->sum2 == 0;
}
static inline uint64_t *br_node_slot(const struct br_index *ix, uint32_t node)
{
    return br_seg_row(&ix->slots, node);
}
/* The link record of a node at a level and its capacity; NULL where a damaged file has none. */
static inline uint32_t *br_node_links(const struct br_index *ix, uint32_t node, uint32_t level, uint32_t *cap)
{
    if (level == 0) {
        *cap = ix->M0;
        return br_seg_row(&ix->links0, node);
    }
    const struct br_node_meta *m = br_meta(ix, node);
    *cap = ix->M;
    if (level > m->level || m->level > BR_LEVEL_MAX || m->upper >= ix->upper_count ||
        level > ix->upper_count - m->upper)
        return NULL;
    return br_seg_row(&ix->upper, m->upper + level - 1);
}

/* hnsw.c */
enum br_rc br_index_alloc(const struct br_index_config *cfg, struct br_index **out, struct br_err *err);
/* Makes row n_rows (the next one) writable. */
BR_MUST_USE bool br_segs_reserve(struct br_segs *s, uint32_t n_rows);
BR_MUST_USE bool br_segs_map(struct br_segs *s, char *base, uint32_t n_rows);
/* First node whose slot is >= slot, or count. */
uint32_t br_node_lower_bound(const struct br_index *ix, uint64_t slot);
uint32_t br_node_level(uint64_t seed, uint32_t node, uint32_t M);

/* hnsw_select.c */
/* Squared distance of two quantised vectors, given b's signed code and its dot with a's high plane. */
int64_t br_link_distance(const struct br_index *ix, uint32_t a, const struct br_node_meta *b, const int8_t *b_code,
                         int32_t high_dot);
uint32_t br_link_tie(uint32_t node, uint32_t other);
void br_sort_links(struct br_link *links, size_t n);
/* Chooses up to max of the sorted candidates, marks them and writes them to record, which has room for cap. */
void br_select_links(const struct br_index *ix, struct br_builder *w, struct br_link *candidates, size_t n, uint32_t max,
                     uint32_t cap, uint32_t *record);

/* hnsw_filter.c */
/* The nodes before `end` whose slots are in the set, into set->words. false: no memory. */
BR_MUST_USE bool br_node_set_make(const struct br_index *ix, const struct br_bitmap *allow, uint32_t end, struct br_node_set *set);
void br_node_set_free(struct br_node_set *set);

/* hnsw_insert.c */
void br_builders_free(struct br_index *ix);

/* Where a walk starts. */
#define BR_BEAM_ABOVE_MAX 64
#define BR_STARTS_MAX (BR_BEAM_ABOVE_MAX + 16)
struct br_starts {
    size_t n;
    uint32_t node[BR_STARTS_MAX];
};
/* How wide a beam is on a level above 0. Whole where thousands of nodes are: there a walk decides which region it comes to. Below, it comes from there;
 * above, there is little to miss. */
static inline size_t br_beam_above(uint32_t count, uint32_t M, uint32_t level, size_t beam)
{
    uint64_t nodes = count;
    for (uint32_t l = 0; l < level; l++)
        nodes /= M;
    beam = level == 1 ? beam / 8 : nodes < 1000 ? beam / 2 : beam;
    return BR_MIN(BR_MAX(beam, (size_t)1), (size_t)BR_BEAM_ABOVE_MAX);
}

/* hnsw_layer.c */
/* query: bytes of an encoded one. */
BR_MUST_USE bool br_searcher_fit(struct br_searcher *s, uint32_t nodes, size_t pool, size_t passed, size_t query);
void br_searcher_clear(struct br_searcher *s); /* frees what it owns */
void br_searcher_forget(struct br_searcher *s); /* nothing is visited */

/* Which evaluated nodes are answers. NULL instead of a filter: the pool is the answer. */
struct br_filter {
    const uint64_t *allow;  /* a bit a node, none set from node_end on; NULL: all before it */
    uint32_t node_end;      /* nodes from here on have no row */
    bool within;            /* walk among what passes alone; allow is there, and nothing is put into passed */
    bool go_on;             /* then: where the last walk of this searcher ended, with a beam no narrower */
    size_t expand;          /* then: no further than so many of the beam */
};
static inline bool br_node_passes(const struct br_index *ix, const struct br_filter *f, uint32_t node)
{
    return (f->allow ? f->allow[node / 64] >> node % 64 & 1 : node < f->node_end) && !(br_meta(ix, node)->flags & BR_NODE_DEAD);
}
/* c . t for nodes of which dot is that of the high plane; nodes' low rows are read. */
void br_full_dots(const struct br_index *ix, const int8_t *query, const struct br_cand *cands, size_t n, int32_t *out);

#endif
