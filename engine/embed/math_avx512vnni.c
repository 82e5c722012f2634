/* math_avx512vnni.c - the float kernels of math_body.h, compiled for AVX-512: the same sums as for AVX2, twice as many at a time. */
#include "embed/math_body.h"
BR_MATH_INSTANCE(br_math_avx512, "avx512");
