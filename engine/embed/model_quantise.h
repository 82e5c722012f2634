/* model_quantise.h - from the float model to int8 weights; conversion only. */
#ifndef BR_MODEL_QUANTISE_H
#define BR_MODEL_QUANTISE_H

#include "embed/model_int.h"

/* What a linear's section of the model file is made of. All in one allocation, at q. */
struct br_quantised {
    int8_t *q;         /* [out][in] */
    size_t part;       /* inputs that are quantised together */
    float *scale;      /* [parts][out] */
    float *bias;       /* [out] */
    float *smooth_inv; /* [in] */
    float *shift;      /* [in] */
};

/* m: a float model. to[4 * layers], zeroed; each q is to be freed, also after a failure. */
BR_MUST_USE enum br_rc br_quantise_linears(const struct br_model *m, struct br_quantised *to, struct br_err *err);

/* x[n] as s8 in steps of the returned scale. */
float br_quantise_row(const float *x, size_t n, int8_t *q);

/* model_calibration.c: ids of the calibration texts as sequences, at most max_tokens altogether. Returns how many sequences; tokens counts ids. */
size_t br_calibration_sequences(const struct br_model *m, uint16_t *ids, size_t max_tokens, size_t *lengths, size_t max_sequences, size_t *tokens);

#endif
