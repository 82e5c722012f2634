/* blas.h - OpenBLAS, where it is installed. */
#ifndef BR_BLAS_H
#define BR_BLAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is it? Loads it, the first time: before other threads use the environment (blas.c). */
bool br_blas_ready(void);
/* y[i * n + j] = x_i . w_j, for m vectors x of k floats one after the other and n vectors w that are `stride` floats apart. Only where it is ready. Any
 * number of threads at a time. */
void br_blas_products(const float *x, size_t m, const float *w, size_t n, size_t stride, uint32_t k, float *y);

#endif
