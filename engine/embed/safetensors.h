/* safetensors.h - reading float32 tensors of a .safetensors file: u64 header length, JSON, raw little-endian data. */
#ifndef BR_SAFETENSORS_H
#define BR_SAFETENSORS_H

#include "base/base.h"

#include <jansson.h>

struct br_safetensors {
    const char *path; /* borrowed */
    void *map;
    size_t bytes, data_offset;
    json_t *header;
};

/* Distrusts: header length, offsets, sizes, dtype and shape are checked before use; tensors that share bytes are refused. */
BR_MUST_USE enum br_rc br_safetensors_open(struct br_safetensors *f, const char *path, struct br_err *err);
void br_safetensors_close(struct br_safetensors *f);
/* An F32 tensor of exactly this shape (rows at least 1; cols 0: one dimension), all of it finite. Into the map. */
BR_MUST_USE enum br_rc br_safetensors_get(const struct br_safetensors *f, const char *name, size_t rows, size_t cols, const float **out,
                                          struct br_err *err);
/* Its first dimension, 0 when there is no such tensor. */
size_t br_safetensors_rows(const struct br_safetensors *f, const char *name);

#endif
