/* tensor.h - a tensor as it lies in a file, and how its numbers become float32. */
#ifndef BR_TENSOR_H
#define BR_TENSOR_H

#include "base/base.h"

enum br_tensor_type { BR_TENSOR_F32, BR_TENSOR_F16, BR_TENSOR_BF16 };

struct br_tensor {
    const uint8_t *data; /* little-endian, of any alignment */
    enum br_tensor_type type;
    size_t rows, cols; /* as they are wanted; cols 1: a vector */
    bool transposed;   /* data is [cols][rows] */
};

/* False when the size overflows. */
bool br_tensor_bytes(const struct br_tensor *t, size_t *bytes);
/* Can data be used as it is? */
bool br_tensor_is_float32(const struct br_tensor *t);
/* to[rows][cols] */
void br_tensor_convert(const struct br_tensor *t, float *to);
bool br_all_finite(const float *x, size_t n);

#endif
