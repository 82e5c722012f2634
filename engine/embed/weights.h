/* weights.h - the tensors of original weights, by the names BERT checkpoints give them, as float32: from model.safetensors or model.onnx. */
#ifndef BR_WEIGHTS_H
#define BR_WEIGHTS_H

#include "embed/onnx_bert.h"
#include "embed/safetensors.h"

struct br_weights {
    char path[4096];
    bool is_onnx;
    struct br_safetensors safetensors;
    struct br_onnx onnx;
    struct br_onnx_bert graph; /* which of its tensors is which */
    const char *prefix;        /* of the names in the file */
    void **owned;              /* what had to be converted */
    size_t n_owned;
};

struct br_weights_shape { /* as config.json says; a graph is checked against it */
    uint32_t layers, hidden, ffn, vocab, positions, types; /* types 0: not said */
};

/* The weights of a folder: of the file `only`, else (NULL) of the first there is. The tensors live until br_weights_close, which is also for what failed to open. */
BR_MUST_USE enum br_rc br_weights_open(struct br_weights *w, const char *dir, const char *only, const struct br_weights_shape *shape, struct br_err *err);
void br_weights_close(struct br_weights *w);
/* What only opening and getting need. */
void br_weights_settle(struct br_weights *w);
/* float32 of exactly this shape (cols 0: one dimension), all of it finite. */
BR_MUST_USE enum br_rc br_weights_get(struct br_weights *w, const char *name, size_t rows, size_t cols, const float **out, struct br_err *err);
size_t br_weights_rows(const struct br_weights *w, const char *name); /* 0: there is no such tensor */
const void *br_weights_bytes(const struct br_weights *w, size_t *n);  /* of the whole file */

#endif
