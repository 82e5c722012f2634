/* tensor.c - see tensor.h. */
#include "embed/tensor.h"

#include <string.h>

bool br_tensor_bytes(const struct br_tensor *t, size_t *bytes)
{
    size_t size = t->type == BR_TENSOR_F32 ? 4 : 2;
    return !__builtin_mul_overflow(t->rows, t->cols, bytes) && !__builtin_mul_overflow(*bytes, size, bytes);
}

bool br_tensor_is_float32(const struct br_tensor *t)
{
    return t->type == BR_TENSOR_F32 && (!t->transposed || t->cols == 1) && (uintptr_t)t->data % sizeof(float) == 0;
}

static float float_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* IEEE 754 binary16: sign 1, exponent 5 (bias 15), fraction 10. */
static float float_of_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3FF;
    if (exponent == 31)
        return float_of_bits(sign | 0x7F800000u | fraction << 13);
    if (exponent)
        return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float small = (float)fraction * 0x1p-24f; /* zero and subnormal numbers */
    return sign ? -small : small;
}

static float number_at(const struct br_tensor *t, size_t i)
{
    uint32_t word;
    uint16_t half;
    if (t->type == BR_TENSOR_F32) {
        memcpy(&word, t->data + 4 * i, sizeof word);
        return float_of_bits(word);
    }
    memcpy(&half, t->data + 2 * i, sizeof half);
    return t->type == BR_TENSOR_F16 ? float_of_half(half) : float_of_bits((uint32_t)half << 16);
}

void br_tensor_convert(const struct br_tensor *t, float *to)
{
    for (size_t r = 0; r < t->rows; r++)
        for (size_t c = 0; c < t->cols; c++)
            to[r * t->cols + c] = number_at(t, t->transposed ? c * t->rows + r : r * t->cols + c);
}

/* By the bits, so that the loop is vectorised: infinities and NaN have all exponent bits set. */
bool br_all_finite(const float *x, size_t n)
{
    uint32_t bad = 0, bits;
    for (size_t i = 0; i < n; i++) {
        memcpy(&bits, x + i, sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !bad;
}
