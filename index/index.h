/* index.h - vectors in, nearest slots out. Knows no SQLite, no Slack, no text.
 *
 * A slot is an opaque number given by the caller: the row of a float32 vector in the caller's vector log.
 * All vectors have unit length; similarity is the inner product (= cosine), larger is nearer.
 * The graph is derived data: every file here can be deleted and rebuilt from the vectors.
 *
 * Threads: any number of threads may search one index at a time, each with its own br_searcher. Add, remove,
 * checkpoint and close need exclusive access: callers hold a lock. */
#ifndef BR_INDEX_H
#define BR_INDEX_H

#include "base/base.h"
#include "base/io.h"

#define BR_DIM_MAX 4096
#define BR_HNSW_M_MIN 4
#define BR_HNSW_M_DEFAULT 16
#define BR_HNSW_M_MAX 64
#define BR_HNSW_EF_CONSTRUCTION_DEFAULT 200
#define BR_HNSW_EF_SEARCH_DEFAULT 160
#define BR_HNSW_EF_MAX 4096

/* The caller's vector rows: slot s is at base + s * stride_floats. Borrowed; slots >= count are never read. */
struct br_rows {
    const float *base;
    size_t stride_floats;
    uint64_t count;
};

/* A set of slots. Bits at or past n_bits count as 0. words: owned by whoever made it. */
struct br_bitmap {
    uint64_t *words;
    uint64_t n_bits;
};
BR_MUST_USE enum br_rc br_bitmap_init(struct br_bitmap *b, uint64_t n_bits, struct br_err *err); /* all 0 */
BR_MUST_USE enum br_rc br_bitmap_copy(struct br_bitmap *to, const struct br_bitmap *from, struct br_err *err); /* a new one */
void br_bitmap_free(struct br_bitmap *b);
void br_bitmap_set(struct br_bitmap *b, uint64_t bit); /* ignored past n_bits */
void br_bitmap_clear(struct br_bitmap *b, uint64_t bit);
bool br_bitmap_test(const struct br_bitmap *b, uint64_t bit);
uint64_t br_bitmap_count(const struct br_bitmap *b);
uint64_t br_bitmap_count_both(const struct br_bitmap *a, const struct br_bitmap *b); /* of a and b, which stay */
void br_bitmap_fill(struct br_bitmap *b); /* all 1 */
/* a := a and b, a := a without b; bits past b's end count as 0. */
void br_bitmap_intersect(struct br_bitmap *a, const struct br_bitmap *b);
void br_bitmap_subtract(struct br_bitmap *a, const struct br_bitmap *b);

struct br_hit {
    uint64_t slot;
    float similarity; /* exact float32 inner product with the stored row */
};

/* --- Exact search: the oracle, small sets and the fresh tail. --- */

/* The k nearest of slots first..end-1 that are set in allow (NULL: all), best first, ties by slot.
 * out has room for k. Returns the number written. */
size_t br_exact_range(const struct br_rows *rows, uint32_t dim, const float *query, uint64_t first, uint64_t end,
                      const struct br_bitmap *allow, size_t k, struct br_hit *out);

/* products[i * n + j] = the inner product of query i (dim floats each) and row j of n (rows are `stride` floats apart). */
typedef void br_products_fn(const float *queries, size_t n_queries, const float *rows, size_t n, size_t stride, uint32_t dim, float *products);
/* What br_exact_range gives over all rows for each of many queries, faster where `products` is: out has room for k a query, n_out for how many each
 * has. All vectors have unit length. Runs in the caller's thread. */
BR_MUST_USE enum br_rc br_exact_many(const struct br_rows *rows, uint32_t dim, const float *queries, size_t n_queries, size_t k,
                                     br_products_fn *products, struct br_hit *out, size_t *n_out, struct br_err *err);

/* Merges two lists sorted best first, dropping repeated slots, into out (room for k). Returns the number written. */
size_t br_hits_merge(const struct br_hit *a, size_t na, const struct br_hit *b, size_t nb, size_t k,
                     struct br_hit *out);

/* --- The graph: HNSW, Malkov & Yashunin, arXiv 1603.09320. --- */

struct br_index; /* opaque */

struct br_index_config {
    uint32_t dim;             /* 1..BR_DIM_MAX */
    uint32_t M;               /* links per node above level 0; level 0 has 2M */
    uint32_t ef_construction; /* candidate list while building */
    uint64_t seed;            /* levels are a function of (seed, node): the same inserts give the same graph */
};

/* What ties a checkpoint to its store; compared at open. */
struct br_index_identity {
    uint8_t store_uuid[16];
    uint64_t generation;  /* of the vector log */
    uint64_t applied_seq; /* journal sequence the graph includes */
};

BR_MUST_USE enum br_rc br_index_create(const struct br_index_config *cfg, struct br_index **out, struct br_err *err);
/* Maps a checkpoint file MAP_PRIVATE. Costs O(1): header and section table are verified, sections only in
 * br_index_check. *id is filled from the file. Any defect: BR_E_CORRUPT and the reason; the caller falls back to
 * exact search and rebuilds. io is borrowed for the index's life. */
BR_MUST_USE enum br_rc br_index_open(const struct br_io *io, const char *path, struct br_index **out,
                                     struct br_index_identity *id, struct br_err *err);
void br_index_close(struct br_index *ix);

uint64_t br_index_count(const struct br_index *ix); /* nodes, removed ones included */
uint64_t br_index_live(const struct br_index *ix);
uint64_t br_index_bytes(const struct br_index *ix); /* codes and links in memory or mapped */
uint64_t br_index_slot_end(const struct br_index *ix); /* one past the highest slot added; 0 when empty */

/* Inserts a vector under a slot that is not in the index. Slots are added in increasing order. On failure
 * (no memory) nothing changed. */
BR_MUST_USE enum br_rc br_index_add(struct br_index *ix, uint64_t slot, const float *vector, struct br_err *err);
/* The same for many slots at once, in increasing order, their vectors in rows. Up to `threads` threads share the work;
 * the graph does not depend on how many they are. Slots are added in batches; when one fails, those before it are in. */
BR_MUST_USE enum br_rc br_index_add_many(struct br_index *ix, const struct br_rows *rows, const uint64_t *slots,
                                         size_t n, unsigned threads, struct br_err *err);
/* Marks a slot as dead: never returned again, still routed through. An unknown slot is ignored. */
void br_index_remove(struct br_index *ix, uint64_t slot);
/* Is so much of the graph dead that searches pay for it: more nodes than are alive? */
bool br_index_is_worn(const struct br_index *ix);
/* A new graph of the live slots alone, under the same configuration. rows as they were added. */
BR_MUST_USE enum br_rc br_index_renew(const struct br_index *ix, const struct br_rows *rows, unsigned threads,
                                      struct br_index **out, struct br_err *err);
/* Puts the zero vector in place of the code of every dead node, so that a checkpoint holds nothing of it. Such a node is still routed
 * through, but new nodes link to it only where nothing else is near. */
void br_index_erase_dead(struct br_index *ix);
/* Is the slot a node (dead or alive)? O(log n). */
bool br_index_has(const struct br_index *ix, uint64_t slot);

/* Per-thread scratch: nothing is allocated per query once it is warm. */
struct br_searcher;
BR_MUST_USE enum br_rc br_searcher_new(struct br_searcher **out, struct br_err *err);
void br_searcher_free(struct br_searcher *s);

/* How a search went, for who asks. */
enum br_search_path {
    BR_PATH_WALK,
    BR_PATH_FILTERED_WALK, /* through all nodes */
    BR_PATH_WALK_WITHIN,   /* through those that pass alone */
    BR_PATH_SCAN,
    BR_PATH_SCAN_AFTER_WALK
};
enum br_scan_why { BR_SCAN_SMALL_INDEX, BR_SCAN_FEW_MATCHES, BR_SCAN_CHEAPER, BR_SCAN_WALK_TOO_FEW, BR_SCAN_NARROW_BEAM }; /* of the last two paths; TOO_FEW: or the walk lost its way */
struct br_search_plan {
    enum br_search_path path;
    enum br_scan_why why;
    uint64_t nodes, matches; /* matches: slots that may be returned, no fewer than there are */
    size_t ef;               /* of a walk: the beam it began with */
};
struct br_search_params {
    size_t k;
    size_t ef;                     /* >= k is enforced; 0: default */
    const struct br_bitmap *allow; /* NULL: every live slot */
    struct br_search_plan *plan;   /* filled; NULL: not wanted */
};
/* The k nearest live, allowed slots, best first, reranked with rows (exact float32). Small sets, and filters that
 * leave few slots, are scanned exactly. *exhaustive is true when the answer is exact by construction. If at least
 * k slots match, k are returned. out has room for k. */
BR_MUST_USE enum br_rc br_index_search(const struct br_index *ix, struct br_searcher *s, const struct br_rows *rows,
                                       const float *query, const struct br_search_params *params,
                                       struct br_hit *out, size_t *n_out, bool *exhaustive, struct br_err *err);

/* Writes path.tmp, syncs, renames, syncs the directory. Only the caller's commit makes the file valid. */
BR_MUST_USE enum br_rc br_index_checkpoint(const struct br_index *ix, const struct br_io *io, const char *path,
                                           const struct br_index_identity *id, struct br_err *err);

/* The validator: section checksums, bounds, degree caps, self and duplicate links, levels, slot order,
 * reachability from the entry point over level 0 (breadth first). */
struct br_index_report {
    bool ok;
    uint64_t nodes, live, reachable, links;
    char first_problem[256]; /* "" when ok */
};
BR_MUST_USE enum br_rc br_index_check(const struct br_index *ix, struct br_index_report *report, struct br_err *err);

/* Name of the distance kernels in use: "scalar", "avx2", "avx512vnni", "neon", "neondot". BACKREAD_KERNEL=name forces one. */
const char *br_index_kernel_name(void);

#endif
