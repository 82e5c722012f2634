/* math_avx2.c - the float kernels of math_body.h, compiled for AVX2 and FMA. */
#include "embed/math_body.h"
BR_MATH_INSTANCE(br_math_avx2, "avx2");
