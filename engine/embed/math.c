/* math.c - which of the kernels' instances this CPU has, and which is used. */
#include "embed/math_kernels.h"

#include "base/base.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct br_math *const instances[] = {
#if defined(__x86_64__)
    &br_math_avx512vnni,
    &br_math_avxvnni,
    &br_math_avx2,
#elif defined(__aarch64__)
    &br_math_neon,
#endif
    &br_math_scalar,
};

#if defined(__x86_64__)
/* AVX-VNNI, which gcc 12 has no name for: CPUID leaf 7, subleaf 1, EAX bit 4. That ymm registers are saved is known from avx2. */
static bool cpu_has_avxvnni(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
#endif

static bool cpu_has(const struct br_math *math)
{
#if defined(__x86_64__)
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (math == &br_math_avx512vnni)
        return avx2 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq");
    if (math == &br_math_avxvnni)
        return avx2 && cpu_has_avxvnni();
    if (math == &br_math_avx2)
        return avx2;
#endif
    return math != NULL;
}

size_t br_math_all(const struct br_math *all[BR_MATH_INSTANCES])
{
    size_t n = 0;
    for (size_t i = 0; i < BR_COUNT(instances); i++)
        if (cpu_has(instances[i]))
            all[n++] = instances[i];
    return n;
}

const struct br_math *br_math_pick(void)
{
    const struct br_math *all[BR_MATH_INSTANCES];
    const char *forced = getenv("BACKREAD_KERNEL");
    size_t n = br_math_all(all);
    for (size_t i = 0; forced && i < n; i++)
        if (strcmp(all[i]->name, forced) == 0)
            return all[i];
    return all[0];
}
