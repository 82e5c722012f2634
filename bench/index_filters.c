/* index_filters.c - what a filtered search finds of the exact answer, and how much longer it takes than one without.
 *
 *   index_filters BASE.npy QUERIES.npy [QUERIES [ROUNDS [GRAPH [KIND [PLAN]]]]]
 *
 * Float32 rows of unit length in C order. For every query and every share of the base that passes, from .01 to 90 %:
 *   random        each vector is as likely to pass as any other
 *   correlated    those nearest to the query pass: all that a search without filter finds, and no more
 *   leaning, anti-leaning  ranked by similarity plus noise as wide as the similarities: mostly the nearest, mostly the farthest
 *   elsewhere     those nearest to another query pass: what answers is a neighbourhood that is not the query's
 *   anti          those farthest from it pass, without exception: a walk towards the query meets none of them
 * Everything is as the product has it: the beam, and the choice between walk and scan. Recall is of the ten nearest that pass (all where fewer do;
 * of equal similarities any is right). Time is processor time of one thread; each query's is its best of ROUNDS (3), and the 99th percentiles of
 * filtered and unfiltered queries are set against one another. "scanned" is the part of the queries that a scan answered, "in vain" the part that
 * walked first.
 *
 * PLAN: "walk" or "scan" decides against the planner (KIND may be "all"), which is how its costs were measured.
 * GRAPH: a checkpoint file. It is written when it is not there, and searched as the product does, mapped. Without it the graph is in memory. */
#include <math.h>
#include <time.h>
#include <unistd.h>

#include "exact_int.h"
#include "hnsw_int.h"
#include "npy.h"
#include "random.h"

enum { K = 10, QUERIES = 400, ROUNDS = 3, THREADS = 2 };

static const double shares[] = {.0001, .001, .005, .01, .02, .05, .1, .2, .5, .9};
static const struct kind {
    const char *name;
    float lean, noise; /* a vector's rank: lean * similarity + noise * (normal of the same width) */
    bool other;        /* similarity to another query */
} kinds[] = {{"random", 0, 1, false}, {"correlated", 1, 0, false},   {"leaning", 1, 1, false}, {"anti-leaning", -1, 1, false},
             {"elsewhere", 1, 0, true}, {"anti", -1, 0, false}};

struct bench {
    float *base, *queries, *similarity; /* similarity: one row of n a query */
    float *rank, *sorted;               /* n each */
    size_t n, dim, n_queries, rounds;
    struct br_index *ix;
    struct br_searcher *s;
    struct br_rows rows;
    struct br_bitmap *allow; /* one a query */
    float *worst;            /* the least similarity that is right, a query */
    size_t *expected;        /* how many are right, at most K */
    double *seconds, plain_p99, plain_p50;
    size_t expected_all, found, exhaustive, scanned, in_vain;
};

static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *take(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        npy_die("no memory");
    return p;
}

/* The r-th smallest (Hoare's FIND); the values change places. */
static float nth(float *v, size_t n, size_t r)
{
    size_t low = 0, high = n - 1;
    while (low < high) {
        float pivot = v[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i >= j)
                break;
            float t = v[i];
            v[i++] = v[j];
            v[j--] = t;
        }
        if (r <= j)
            high = j;
        else
            low = j + 1;
    }
    return v[r];
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The filter of a query and what is right under it. NULL instead of a kind: everything passes. */
static void prepare(struct bench *b, size_t query, const struct kind *kind, double share)
{
    const float *similarity = b->similarity + query * b->n;
    struct br_bitmap *allow = &b->allow[query];
    struct br_hit best[K];
    size_t pass = BR_MAX((size_t)((double)b->n * share), (size_t)1), n = 0, set = 0;
    double mean = 0, square = 0;
    for (size_t i = 0; i < b->n; i++) {
        mean += (double)similarity[i] / (double)b->n;
        square += (double)similarity[i] * (double)similarity[i] / (double)b->n;
    }
    float width = (float)sqrt(fmax(square - mean * mean, 0)), least = 0;
    const float *near = kind && kind->other ? b->similarity + (query + b->n_queries / 2) % b->n_queries * b->n : similarity;
    for (size_t i = 0; kind && i < b->n; i++) {
        float normal = kind->noise > 0 ? (float)((uniform() + uniform() + uniform() + uniform() - 2) * sqrt(3)) : 0;
        b->sorted[i] = b->rank[i] = kind->lean * near[i] + kind->noise * width * normal;
    }
    if (kind)
        least = nth(b->sorted, b->n, b->n - pass);
    br_bitmap_subtract(allow, allow);
    for (size_t i = 0; i < b->n && set < pass; i++)
        if (!kind || b->rank[i] >= least) {
            br_bitmap_set(allow, i);
            br_topk_push(best, &n, K, i, similarity[i]);
            set++;
        }
    br_topk_sort(best, n);
    b->expected[query] = n;
    b->worst[query] = best[n - 1].similarity;
}

static void search(struct bench *b, size_t query, bool filtered, bool first)
{
    struct br_search_plan plan;
    struct br_search_params p = {.k = K, .allow = filtered ? &b->allow[query] : NULL, .plan = &plan};
    struct br_hit hits[K];
    struct br_err err = {0};
    size_t n;
    bool exhaustive;
    double start = thread_seconds();
    if (br_index_search(b->ix, b->s, &b->rows, b->queries + query * b->dim, &p, hits, &n, &exhaustive, &err) != BR_OK)
        npy_die(err.msg);
    double took = thread_seconds() - start;
    b->seconds[query] = first ? took : fmin(took, b->seconds[query]);
    if (!first)
        return;
    if (n != b->expected[query])
        npy_die("fewer hits than there are matches");
    b->expected_all += n;
    b->exhaustive += exhaustive;
    b->scanned += plan.path >= BR_PATH_SCAN;
    b->in_vain += plan.path == BR_PATH_SCAN_AFTER_WALK;
    for (size_t j = 0; j < n; j++)
        b->found += hits[j].similarity >= b->worst[query] - 1e-6f;
}

static void cell(struct bench *b, const struct kind *kind, double share)
{
    b->expected_all = b->found = b->exhaustive = b->scanned = b->in_vain = 0;
    for (size_t i = 0; i < b->n_queries; i++)
        prepare(b, i, kind, share);
    for (size_t round = 0; round < b->rounds; round++)
        for (size_t i = 0; i < b->n_queries; i++)
            search(b, i, kind != NULL, round == 0);
    qsort(b->seconds, b->n_queries, sizeof *b->seconds, by_double);
    double p50 = b->seconds[b->n_queries / 2], p99 = b->seconds[b->n_queries * 99 / 100];
    if (!kind) {
        b->plain_p50 = p50;
        b->plain_p99 = p99;
        printf("unfiltered: p50 %.0f us, p99 %.0f us of processor time\n", p50 * 1e6, p99 * 1e6);
    }
    double percent = 100 / (double)b->n_queries;
    printf("%-12s  %6.2f %%  %7.4f  %9.2f  %9.2f  %7.0f %%  %6.0f %%  %6.0f %%\n", kind ? kind->name : "no filter", share * 100,
           (double)b->found / (double)b->expected_all, p50 / b->plain_p50, p99 / b->plain_p99, percent * (double)b->scanned,
           percent * (double)b->in_vain, percent * (double)b->exhaustive);
    fflush(stdout);
}

static void build(struct bench *b)
{
    struct br_index_config cfg = {.dim = (uint32_t)b->dim, .M = BR_HNSW_M_DEFAULT,
                                  .ef_construction = BR_HNSW_EF_CONSTRUCTION_DEFAULT, .seed = 42};
    struct br_err err = {0};
    uint64_t *slots = take(b->n, sizeof *slots);
    for (size_t i = 0; i < b->n; i++)
        slots[i] = i;
    if (br_index_create(&cfg, &b->ix, &err) != BR_OK || br_searcher_new(&b->s, &err) != BR_OK ||
        br_index_add_many(b->ix, &b->rows, slots, b->n, THREADS, &err) != BR_OK)
        npy_die(err.msg);
    free(slots);
}

static void open_or_build(struct bench *b, const char *path)
{
    struct br_index_identity id = {0};
    struct br_err err = {0};
    if (!path || access(path, R_OK) != 0) {
        build(b);
        if (path && br_index_checkpoint(b->ix, &br_io_posix, path, &id, &err) != BR_OK)
            npy_die(err.msg);
        if (!path)
            return;
        br_index_close(b->ix);
        br_searcher_free(b->s);
    }
    double start = thread_seconds();
    if (br_index_open(&br_io_posix, path, &b->ix, &id, &err) != BR_OK || br_searcher_new(&b->s, &err) != BR_OK)
        npy_die(err.msg);
    struct br_search_params p = {.k = K};
    struct br_hit hits[K];
    size_t n;
    bool exhaustive;
    if (br_index_search(b->ix, b->s, &b->rows, b->queries, &p, hits, &n, &exhaustive, &err) != BR_OK)
        npy_die(err.msg);
    printf("opened, and the first query answered: %.2f ms\n", (thread_seconds() - start) * 1e3);
    if (br_index_count(b->ix) != b->n)
        npy_die("the graph is of other vectors");
}

int main(int argc, char **argv)
{
    if (argc < 3)
        npy_die("usage: index_filters BASE.npy QUERIES.npy [QUERIES [ROUNDS [GRAPH [KIND [PLAN]]]]]");
    struct bench b = {.rounds = argc > 4 ? strtoul(argv[4], NULL, 10) : ROUNDS};
    struct br_err err = {0};
    size_t dim, n_file;
    b.base = npy_read(argv[1], &b.n, &b.dim);
    b.queries = npy_read(argv[2], &n_file, &dim);
    b.n_queries = BR_MIN(argc > 3 ? strtoul(argv[3], NULL, 10) : QUERIES, n_file);
    if (dim != b.dim || !b.n || !b.n_queries || !b.rounds)
        npy_die("base and queries differ in width, or something is empty");
    b.rows = (struct br_rows){.base = b.base, .stride_floats = b.dim, .count = b.n};
    b.similarity = take(b.n_queries * b.n, sizeof(float));
    b.rank = take(b.n, sizeof(float));
    b.sorted = take(b.n, sizeof(float));
    b.worst = take(b.n_queries, sizeof(float));
    b.expected = take(b.n_queries, sizeof(size_t));
    b.seconds = take(b.n_queries, sizeof(double));
    b.allow = take(b.n_queries, sizeof *b.allow);
    open_or_build(&b, argc > 5 ? argv[5] : NULL);
    for (size_t i = 0; i < b.n_queries; i++) {
        if (br_bitmap_init(&b.allow[i], b.n, &err) != BR_OK)
            npy_die(err.msg);
        for (size_t j = 0; j < b.n; j++)
            b.similarity[i * b.n + j] = br_kernels()->inner(b.queries + i * b.dim, b.base + j * b.dim, b.dim);
    }
    printf("kernel %s, %zu x %zu, %zu queries; time is filtered / unfiltered\n", br_index_kernel_name(), b.n, b.dim, b.n_queries);
    printf("%-12s  %8s  %7s  %9s  %9s  %9s  %8s  %8s\n", "filter", "passes", "recall", "p50 ratio", "p99 ratio", "scanned", "in vain",
           "proven");
    cell(&b, NULL, 1);
    if (argc > 7) {
        bool scan = strcmp(argv[7], "scan") == 0;
        b.ix->exact_nodes = 0;
        b.ix->exact_matches = scan ? UINT32_MAX : 0;
    }
    for (size_t k = 0; k < BR_COUNT(kinds); k++)
        for (size_t i = 0; i < BR_COUNT(shares) && (argc < 7 || strcmp(argv[6], "all") == 0 || strcmp(argv[6], kinds[k].name) == 0); i++)
            cell(&b, &kinds[k], shares[i]);
    for (size_t i = 0; i < b.n_queries; i++)
        br_bitmap_free(&b.allow[i]);
    br_searcher_free(b.s);
    br_index_close(b.ix);
    free(b.base);
    free(b.queries);
    free(b.similarity);
    free(b.rank);
    free(b.sorted);
    free(b.worst);
    free(b.expected);
    free(b.seconds);
    free(b.allow);
    return 0;
}
