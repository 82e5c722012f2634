/* model_smooth.h - what a linear's inputs are divided by before they are quantised, and its weights multiplied by; conversion only. */
#ifndef BR_MODEL_SMOOTH_H
#define BR_MODEL_SMOOTH_H

#include <stdbool.h>
#include <stddef.h>

/* x[tokens][n], w[out][n], rows stride apart: inputs that are quantised together, and their weights; n is a multiple of 16. shift[n]: what is subtracted
 * from the inputs first. matters[tokens], channels[out]: how much a token's error does, and an output's. smooth[n]: where to start, and the answer:
 * finite and above 0 if what it starts from is. False: no memory. */
bool br_smooth_improve(const float *x, const float *matters, const float *channels, size_t tokens, size_t stride, size_t n, const float *shift,
                       const float *w, size_t out, float *smooth);

#endif
