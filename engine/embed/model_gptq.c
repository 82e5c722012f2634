/* model_gptq.c - error-compensating rounding of weights (GPTQ: Frantar et al., arXiv 2210.17323).
 *
 * A linear's squared output error over the calibration tokens is the quadratic form of its weights' error with the Hessian H = sum of a a^T. Columns
 * are rounded one after another, and each one's rounding error is passed on to the columns not yet rounded in the way that leaves the output error
 * smallest. What is passed on comes from a triangular factor of H^-1: with H = L L^T it is L^-1, read from its last row to its first. Columns with the
 * largest inputs go first, while there are many others to make up for them.
 *
 * Plain loops in a fixed order, in double: the same H gives the same bytes. The inner loops add a multiple of one row to another, which compilers
 * vectorise without reordering any sum. */
#include "embed/model_gptq.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add_multiple(double *restrict to, const double *restrict from, double times, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += times * from[i];
}

static double mean_diagonal(const double *h, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += h[i * n + i];
    return sum / (double)n;
}

/* Cholesky in place: the upper triangle of a becomes U with a = U^T U (so L = U^T); what is below is not touched. */
static bool factorise(double *a, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        double *row = a + k * n, pivot = row[k];
        if (!(pivot > 0) || !isfinite(pivot))
            return false;
        double root = sqrt(pivot);
        for (size_t i = k; i < n; i++)
            row[i] /= root;
        for (size_t j = k + 1; j < n; j++)
            add_multiple(a + j * n + j, row + j, -row[j], n - j);
    }
    return true;
}

/* x := x (U^T U)^-1 for a row x: forward, then backward substitution. */
static void solve(const double *u, size_t n, double *x)
{
    for (size_t k = 0; k < n; k++) {
        x[k] /= u[k * n + k];
        add_multiple(x + k + 1, u + k * n + k + 1, -x[k], n - k - 1);
    }
    for (size_t k = n; k-- > 0;) {
        double sum = x[k];
        for (size_t i = k + 1; i < n; i++)
            sum -= u[k * n + i] * x[i];
        x[k] = sum / u[k * n + k];
    }
}

bool br_gptq_correct(const double *h, size_t n, double ridge, double *factor, const double *residual, double *w, size_t out)
{
    double *x = malloc(n * sizeof *x), extra = ridge * mean_diagonal(h, n) + 1e-12;
    memcpy(factor, h, n * n * sizeof *h);
    for (size_t i = 0; i < n; i++)
        factor[i * n + i] += extra;
    bool ok = x && factorise(factor, n);
    for (size_t j = 0; ok && j < out; j++) {
        memcpy(x, residual + j * n, n * sizeof *x);
        solve(factor, n, x);
        add_multiple(w + j * n, x, 1, n);
    }
    free(x);
    return ok;
}

/* Columns by their diagonal, smallest first (they are rounded from the last one down); equal ones in their own order. */
static void order_columns(const double *h, size_t n, size_t *order)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && h[order[at - 1] * n + order[at - 1]] > h[i * n + i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

/* The upper triangle of a holds U; afterwards the lower triangle, diagonal included, holds L^-1 = U^-T. */
static void invert(double *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double *row = a + i * n, pivot = row[i];
        /* Row i of L^-1 is (e_i - sum over k < i of L[i][k] row k) / L[i][i], and L[i][k] = U[k][i]. */
        memset(row, 0, i * sizeof *row);
        for (size_t k = 0; k < i; k++)
            add_multiple(row, a + k * n, -a[k * n + i], k + 1);
        row[i] = 1;
        for (size_t k = 0; k <= i; k++)
            row[k] /= pivot;
    }
}

static int8_t to_s8(double x)
{
    long v = lrint(x);
    return (int8_t)(v < -127 ? -127 : v > 127 ? 127 : v);
}

/* One output channel: x[n] are its weights in the columns' order, scale[k] their steps. */
static void round_row(const double *inverse, size_t n, const size_t *order, double *x, const double *scale, int8_t *q)
{
    for (size_t k = n; k-- > 0;) {
        const double *row = inverse + k * n;
        int8_t v = to_s8(x[k] / scale[k]);
        double error = (x[k] - v * scale[k]) / row[k];
        add_multiple(x, row, -error, k);
        q[order[k]] = v;
    }
}

bool br_gptq_round(const double *h, size_t n, double damping, double *factor, size_t *order, const double *w, const float *scale, size_t part,
                   size_t out, int8_t *q)
{
    double *x = malloc(2 * n * sizeof *x), *steps = x + n, extra = damping * mean_diagonal(h, n) + 1e-12;
    order_columns(h, n, order);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++)
            factor[i * n + k] = h[order[i] * n + order[k]];
        factor[i * n + i] += extra;
    }
    bool ok = x && factorise(factor, n);
    if (ok)
        invert(factor, n);
    for (size_t j = 0; ok && j < out; j++) {
        for (size_t i = 0; i < n; i++) {
            x[i] = w[j * n + order[i]];
            steps[i] = (double)scale[order[i] / part * out + j];
        }
        round_row(factor, n, order, x, steps, q + j * n);
    }
    free(x);
    return ok;
}
