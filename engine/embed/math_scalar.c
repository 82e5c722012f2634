/* math_scalar.c - the float kernels of math_body.h, compiled for any machine. */
#include "embed/math_body.h"
BR_MATH_INSTANCE(br_math_scalar, "scalar");
