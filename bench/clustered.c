/* clustered.c - a synthetic archive for the index: clustered unit vectors, as many as no chat at hand has, the same in every run.
 *
 *   clustered DIR [N [DIM [QUERIES]]]      1,000,000 x 384 and 1,000; writes DIR/clustered-base.npy and DIR/clustered-q.npy
 *
 * What is imitated is what embeddings of one community look like: two vectors are .16 alike on average (the 99,415 real ones of bench/ann: .12), a
 * question and its nearest and tenth nearest .82 and .78 (.68 and .55), and the local intrinsic dimension around a question (maximum likelihood, twenty
 * nearest) is 25 (18): harder than the real ones. A vector is the sum, scaled to unit length, of
 *   a direction that all share, and that of its cluster: there are CLUSTERS, the i-th largest of a size like 1 / i (from an eighth of all to a
 *     hundred), each a variation of one of TOPICS;
 *   what is its own, within the cluster: a normal in INTRINSIC directions, of decreasing width, which are the cluster's;
 *   noise in all dimensions.
 * One in 100 is an exact copy of one of PHRASES vectors ("ok", "thanks"), again of frequencies like 1 / i; three in 100 are an earlier vector with
 * hardly any noise, as edits and quotes are. Clusters come in no order, as in time. Questions are drawn like vectors, without copies: none is
 * in the base. Figures of such data are to be called synthetic. */
#include <math.h>

#include "base/base.h"
#include "npy.h"
#include "random.h"

enum { CLUSTERS = 2000, TOPICS = 60, INTRINSIC = 16, PHRASES = 300, RECENT = 512 };
#define SHARED 0.35f
#define TOPIC 0.30f
#define CLUSTER 0.40f
#define OWN 0.60f
#define NOISE 0.30f

struct model {
    size_t dim;
    float *centres;    /* a row a cluster */
    float *directions; /* INTRINSIC rows a cluster, scaled by their widths */
    double *sizes;     /* cumulative, to 1 */
    float *phrases;
    double *phrase_sizes;
};

static void *take(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        npy_die("no memory");
    return p;
}

/* Close to normal, of variance 1, and without the mathematics library: the same everywhere. */
static float normal(void)
{
    return (float)((uniform() + uniform() + uniform() + uniform() - 2) * 1.7320508075688772);
}

static void to_unit(float *x, size_t n)
{
    double square = 0;
    for (size_t i = 0; i < n; i++)
        square += (double)x[i] * (double)x[i];
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)x[i] / sqrt(square));
}

static void any_direction(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = normal();
    to_unit(x, n);
}

static double *like_one_over_i(size_t n)
{
    double *c = take(n, sizeof *c), sum = 0;
    for (size_t i = 0; i < n; i++)
        c[i] = sum += 1 / (double)(i + 1);
    for (size_t i = 0; i < n; i++)
        c[i] /= sum;
    return c;
}

static size_t draw(const double *cumulative, size_t n)
{
    double u = uniform();
    size_t low = 0, high = n - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (cumulative[middle] <= u)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void plain(const struct model *m, float *out)
{
    size_t cluster = draw(m->sizes, CLUSTERS);
    const float *centre = m->centres + cluster * m->dim, *direction = m->directions + cluster * INTRINSIC * m->dim;
    float noise = NOISE / sqrtf((float)m->dim);
    for (size_t i = 0; i < m->dim; i++)
        out[i] = centre[i] + noise * (float)(uniform() - .5) * 3.4641016f;
    for (size_t j = 0; j < INTRINSIC; j++, direction += m->dim) {
        float z = normal();
        for (size_t i = 0; i < m->dim; i++)
            out[i] += z * direction[i];
    }
    to_unit(out, m->dim);
}

static void prepare(struct model *m, size_t dim)
{
    float *shared = take(dim, sizeof *shared), *topics = take(TOPICS * dim, sizeof *topics), *own = take(dim, sizeof *own);
    float square = 0;
    m->dim = dim;
    m->centres = take(CLUSTERS * dim, sizeof(float));
    m->directions = take((size_t)CLUSTERS * INTRINSIC * dim, sizeof(float));
    m->phrases = take(PHRASES * dim, sizeof(float));
    m->sizes = like_one_over_i(CLUSTERS);
    m->phrase_sizes = like_one_over_i(PHRASES);
    any_direction(shared, dim);
    for (size_t t = 0; t < TOPICS; t++)
        any_direction(topics + t * dim, dim);
    for (size_t j = 0; j < INTRINSIC; j++)
        square += 1 / (float)(j + 1);
    for (size_t c = 0; c < CLUSTERS; c++) {
        const float *topic = topics + (size_t)(uniform() * TOPICS) * dim;
        any_direction(own, dim);
        for (size_t i = 0; i < dim; i++)
            m->centres[c * dim + i] = SHARED * shared[i] + TOPIC * topic[i] + CLUSTER * own[i];
        for (size_t j = 0; j < INTRINSIC; j++) {
            float *d = m->directions + (c * INTRINSIC + j) * dim, width = OWN / sqrtf(square * (float)(j + 1));
            any_direction(d, dim);
            for (size_t i = 0; i < dim; i++)
                d[i] *= width;
        }
    }
    for (size_t p = 0; p < PHRASES; p++)
        plain(m, m->phrases + p * dim);
    free(shared);
    free(topics);
    free(own);
}

static void write_base(const struct model *m, FILE *f, size_t n)
{
    float *recent = take(RECENT * m->dim, sizeof *recent);
    for (size_t i = 0; i < n; i++) {
        float *x = recent + i % RECENT * m->dim;
        double kind = uniform();
        if (kind < .01) {
            memcpy(x, m->phrases + draw(m->phrase_sizes, PHRASES) * m->dim, m->dim * sizeof *x);
        } else if (kind < .04 && i >= RECENT) {
            const float *old = recent + (size_t)(uniform() * RECENT) * m->dim;
            for (size_t j = 0; j < m->dim; j++)
                x[j] = old[j] + .1f / sqrtf((float)m->dim) * normal();
            to_unit(x, m->dim);
        } else {
            plain(m, x);
        }
        if (fwrite(x, sizeof *x, m->dim, f) != m->dim)
            npy_die("cannot write");
    }
    free(recent);
}

static FILE *start(const char *dir, const char *name, size_t rows, size_t dim)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f)
        npy_die("cannot create the file");
    npy_write_header(f, rows, dim);
    return f;
}

static void finish(FILE *f)
{
    if (fclose(f) != 0)
        npy_die("cannot write");
}

int main(int argc, char **argv)
{
    if (argc < 2)
        npy_die("usage: clustered DIR [N [DIM [QUERIES]]]");
    size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000, dim = argc > 3 ? strtoul(argv[3], NULL, 10) : 384;
    size_t n_queries = argc > 4 ? strtoul(argv[4], NULL, 10) : 1000;
    struct model m;
    prepare(&m, dim);
    float *query = take(dim, sizeof *query);
    FILE *f = start(argv[1], "clustered-q.npy", n_queries, dim);
    for (size_t i = 0; i < n_queries; i++) {
        plain(&m, query);
        if (fwrite(query, sizeof *query, dim, f) != dim)
            npy_die("cannot write");
    }
    finish(f);
    f = start(argv[1], "clustered-base.npy", n, dim);
    write_base(&m, f, n);
    finish(f);
    free(query);
    free(m.centres);
    free(m.directions);
    free(m.phrases);
    free(m.sizes);
    free(m.phrase_sizes);
    return 0;
}
