/* model_gptq.h - rounding the weights of a linear so that its output on calibration inputs changes least; conversion only. */
#ifndef BR_MODEL_GPTQ_H
#define BR_MODEL_GPTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All matrices are row-major. h[n][n]: sum over the calibration tokens of a a^T, a being the inputs as the runtime will see them. factor[n][n] and
 * order[n] are scratch. The functions return false if h is no usable Hessian (not finite). */

/* w[out][n] += residual[out][n] (h + ridge * mean diagonal)^-1, where residual is the sum over tokens of (wanted - w a) a^T. */
bool br_gptq_correct(const double *h, size_t n, double ridge, double *factor, const double *residual, double *w, size_t out);

/* w[out][n] to q[out][n]; its part'th columns in steps of scale[n / part][out]. */
bool br_gptq_round(const double *h, size_t n, double damping, double *factor, size_t *order, const double *w, const float *scale, size_t part,
                   size_t out, int8_t *q);

#endif
