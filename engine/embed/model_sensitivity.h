/* model_sensitivity.h - how much an error in what a linear gives changes a text's vector; conversion only. */
#ifndef BR_MODEL_SENSITIVITY_H
#define BR_MODEL_SENSITIVITY_H

#include "embed/model_int.h"

struct br_sensitivity {
    float *of_tokens;   /* [4 * layers][tokens]: the squared slope, summed over the linear's outputs; the mean over the tokens is 1 */
    float *of_channels; /* [4 * layers][the widest output]: the same summed over the tokens, with mean 1 */
    size_t tokens, widest;
};

/* m: a float model. The texts' ids are one after another, lengths[i] each. to->of_tokens is to be freed, also after a failure. */
BR_MUST_USE enum br_rc br_sensitivity(const struct br_model *m, const uint16_t *ids, const size_t *lengths, size_t sequences, size_t tokens,
                                      struct br_sensitivity *to, struct br_err *err);

#endif
