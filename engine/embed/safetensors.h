/* safetensors.h - reading float tensors of a .safetensors file: u64 header length, JSON, raw little-endian data. */
#ifndef BR_SAFETENSORS_H
#define BR_SAFETENSORS_H

#include "embed/file_map.h"
#include "embed/tensor.h"

#include <jansson.h>

struct br_safetensors {
    const char *path; /* borrowed */
    struct br_file_map map;
    size_t data_offset;
    json_t *header;
};

/* Distrusts: header length, offsets, sizes, dtype and shape are checked before use; tensors that share bytes are refused. */
BR_MUST_USE enum br_rc br_safetensors_open(struct br_safetensors *f, const char *path, struct br_err *err);
void br_safetensors_close(struct br_safetensors *f);
/* A tensor of float32, float16 or bfloat16 and exactly this shape (rows at least 1; cols 0: one dimension). It is in the map. */
BR_MUST_USE enum br_rc br_safetensors_get(const struct br_safetensors *f, const char *name, size_t rows, size_t cols, struct br_tensor *out,
                                          struct br_err *err);
/* Its first dimension, 0 when there is no such tensor. */
size_t br_safetensors_rows(const struct br_safetensors *f, const char *name);

#endif
