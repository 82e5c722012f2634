/* dist.c - picks the distance kernels, once a process.
 *
 * The choice is made at run time because one binary serves every CPU of a family; it is made per batch of codes and not per
 * distance, as an indirect call would cost as much as a distance in cache. */
#include "dist_int.h"
#include "index.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

static const struct br_kernels *chosen;
static pthread_once_t chosen_once = PTHREAD_ONCE_INIT;

const struct br_kernels *br_kernels_named(const char *name)
{
    if (strcmp(name, "scalar") == 0)
        return &br_kernels_scalar;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    /* Each feature is asked for by name: AVX-512F alone does not imply the integer dot product. */
    bool vnni = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512vnni");
    if (strcmp(name, "avx2") == 0)
        return avx2 ? &br_kernels_avx2 : NULL;
    if (strcmp(name, "avx512vnni") == 0)
        return vnni ? &br_kernels_avx512vnni : NULL;
#elif defined(__aarch64__)
    if (strcmp(name, "neon") == 0)
        return &br_kernels_neon;
    if (strcmp(name, "neondot") == 0)
        return getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? &br_kernels_neondot : NULL;
#endif
    return NULL;
}

static void choose(void)
{
    const char *forced = getenv("BACKREAD_KERNEL");
    const char *const order[] = {forced ? forced : "", "avx512vnni", "avx2", "neondot", "neon", "scalar"};
    for (size_t i = 0; i < BR_COUNT(order) && !chosen; i++)
        chosen = br_kernels_named(order[i]);
}

const struct br_kernels *br_kernels(void)
{
    pthread_once(&chosen_once, choose);
    return chosen;
}

const char *br_index_kernel_name(void)
{
    return br_kernels()->name;
}
