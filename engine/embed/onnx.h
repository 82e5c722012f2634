/* onnx.h - the graph of an ONNX file: its nodes, its constant tensors, and who makes which value. Nothing is executed, nothing is copied. */
#ifndef BR_ONNX_H
#define BR_ONNX_H

#include "embed/file_map.h"

struct br_slice { /* bytes of the file */
    const uint8_t *at;
    size_t n;
};
static inline bool br_slice_is(struct br_slice s, const char *text)
{
    return s.n == __builtin_strlen(text) && __builtin_memcmp(s.at, text, s.n) == 0;
}
static inline bool br_slice_equal(struct br_slice a, struct br_slice b)
{
    return a.n == b.n && (!a.n || __builtin_memcmp(a.at, b.at, a.n) == 0);
}

enum { BR_ONNX_FLOAT = 1, BR_ONNX_FLOAT16 = 10, BR_ONNX_BFLOAT16 = 16 }; /* TensorProto.DataType */
#define BR_ONNX_DIMS_MAX 8

struct br_onnx_tensor {
    struct br_slice name, data; /* raw_data, or float_data in one piece */
    int64_t dims[BR_ONNX_DIMS_MAX];
    unsigned n_dims, type;
    bool elsewhere; /* its data is not in this file */
};

struct br_onnx_node {
    struct br_slice op, domain, whole; /* whole: the message, for attributes */
    uint32_t first_input, n_inputs;
};

enum br_onnx_kind { BR_ONNX_NOTHING, BR_ONNX_INPUT, BR_ONNX_TENSOR, BR_ONNX_NODE };
struct br_onnx_value {
    struct br_slice name;
    enum br_onnx_kind kind;
    uint32_t index; /* of the tensor or the node */
    uint32_t output; /* which of the node's */
};

struct br_onnx {
    struct br_file_map map;
    const char *path; /* borrowed */
    struct br_onnx_node *nodes;
    struct br_onnx_tensor *tensors; /* initializers and Constant nodes */
    struct br_slice *inputs;        /* of all nodes */
    struct br_slice *outputs;       /* of the graph */
    struct br_onnx_value *values;   /* by name */
    size_t n_nodes, n_tensors, n_inputs, n_outputs, n_values;
    size_t nodes_room, tensors_room, inputs_room, outputs_room, values_room;
};

/* Believes nothing: lengths, numbers of things and names are checked; BR_E_DATA. Close it in any case. */
BR_MUST_USE enum br_rc br_onnx_open(struct br_onnx *o, const char *path, struct br_err *err);
void br_onnx_forget(struct br_onnx *o); /* all but the map */
void br_onnx_close(struct br_onnx *o);
/* What a name stands for: kind BR_ONNX_NOTHING when nothing. */
struct br_onnx_value br_onnx_find(const struct br_onnx *o, struct br_slice name);
struct br_slice br_onnx_input(const struct br_onnx *o, const struct br_onnx_node *n, size_t i); /* empty: none */
/* Attributes: integers (n of them; as many as there are up to room), one float, a text. */
size_t br_onnx_ints(const struct br_onnx_node *n, const char *name, int64_t *out, size_t room);
bool br_onnx_float(const struct br_onnx_node *n, const char *name, float *out);
bool br_onnx_text(const struct br_onnx_node *n, const char *name, struct br_slice *out);

#endif
