/* onnx_bert.h - which tensors of an ONNX graph are which weights of a BERT: found by how values flow, whatever things are called. */
#ifndef BR_ONNX_BERT_H
#define BR_ONNX_BERT_H

#include "embed/onnx.h"
#include "embed/tensor.h"

#define BR_ONNX_LAYERS_MAX 24

struct br_onnx_shape { /* what the graph must be; types 0: any */
    uint32_t layers, hidden, ffn, vocab, positions, types;
};

struct br_onnx_weight {
    char name[64]; /* "encoder.layer.0.output.dense.weight" */
    struct br_tensor tensor;
};
struct br_onnx_bert {
    const char *path; /* borrowed */
    struct br_onnx_weight weights[5 + 16 * BR_ONNX_LAYERS_MAX];
    size_t n;
};

/* BR_E_DATA when it is another graph: one line says what was looked for. The tensors are in the map of o. */
BR_MUST_USE enum br_rc br_onnx_bert_find(const struct br_onnx *o, const struct br_onnx_shape *shape, struct br_onnx_bert *out,
                                         struct br_err *err);
BR_MUST_USE enum br_rc br_onnx_bert_get(const struct br_onnx_bert *b, const char *name, size_t rows, size_t cols, struct br_tensor *out,
                                        struct br_err *err);
size_t br_onnx_bert_rows(const struct br_onnx_bert *b, const char *name); /* 0: none */

#endif
