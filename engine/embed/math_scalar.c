#include "embed/math_body.h"
BR_MATH_INSTANCE(br_math_scalar, "scalar");
