/* bench_ann.h - the vector index on its own, measured: build it from rows, sweep the beam, report recall and speed.
 *
 * Any metric is brought to what the index knows, the inner product of unit vectors, in ways that keep the order:
 * cosine by scaling to unit length; inner product by one component more that fills every base vector up to the same
 * length and is 0 in queries; L2 by the same and one that holds half the square of a vector's length, for
 * <q, x> - |x|^2 / 2 orders as -|q - x|^2 does. What is added is then spread over all components by reflections,
 * which leave inner products alone, so that it quantises like the rest. */
#ifndef BR_BENCH_ANN_H
#define BR_BENCH_ANN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backread.h"

enum br_ann_metric { BR_ANN_COSINE, BR_ANN_L2, BR_ANN_IP };

struct br_ann_data {
    float *base; /* rows of dim, from malloc, not empty; br_ann_new takes them over, whatever it returns, and scales them in place for cosine: a
                    million vectors are not held twice */
    const float *queries; /* the same, but borrowed while br_ann_new runs */
    size_t n_base, n_queries, dim;
    const int64_t *truth; /* rows of truth_width ids of base, nearest first; NULL: found by an exact scan */
    size_t truth_width;   /* >= k */
};

struct br_ann_options {
    enum br_ann_metric metric;
    size_t k;
    unsigned threads; /* of building, exact truth and searching; a built graph does not depend on it */
    unsigned M, ef_construction; /* 0: as the product has them */
};

struct br_ann_point {
    size_t ef; /* 0: the exact scan of codes */
    double recall, qps, p50_us, p99_us;
};

struct br_ann; /* opaque */

/* Builds. Not finite or zero (for cosine) vectors are bad data. */
int br_ann_new(const struct br_ann_data *data, const struct br_ann_options *opt, struct br_ann **out,
               struct br_error *err);
double br_ann_build_seconds(const struct br_ann *a);
double br_ann_bytes_per_vector(const struct br_ann *a); /* codes and links, the caller's rows not counted */
/* Runs all queries once with one beam. Equal similarities are equally right. */
int br_ann_measure(struct br_ann *a, size_t ef, struct br_ann_point *out, struct br_error *err);
void br_ann_free(struct br_ann *a);

#endif
