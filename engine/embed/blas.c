/* blas.c - single-precision products for converting a model and for exact search in bulk: OpenBLAS by dlopen, else our own loops.
 *
 * OpenBLAS reads its core type in its constructor, and 0.3.21 takes newer CPUs for a Prescott (SSE3), several times slower (its issue 4267): so
 * OPENBLAS_CORETYPE is set before dlopen, by what the CPU has, unless it is set already; its constructor reads nothing else we could use instead.
 * That is the one thing the library changes in its process, and backread.h says so. Threads are ours, over texts or queries: OpenBLAS gets one. */
#include "embed/blas.h"

#include "embed/model_int.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
typedef void sgemm_fn(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float beta,
                      float *c, int ldc);

static sgemm_fn *blas;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd"))
        setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        setenv("OPENBLAS_CORETYPE", "Haswell", 0);
#endif
    void *lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return;
    void (*set_threads)(int) = (void (*)(int))dlsym(lib, "openblas_set_num_threads");
    blas = (sgemm_fn *)dlsym(lib, "cblas_sgemm");
    if (set_threads)
        set_threads(1);
}

bool br_blas_ready(void)
{
    pthread_once(&once, load);
    return blas;
}

void br_blas_products(const float *x, size_t m, const float *w, size_t n, size_t stride, uint32_t k, float *y)
{
    blas(ROW_MAJOR, NO_TRANS, TRANS, (int)m, (int)n, (int)k, 1, x, (int)k, w, (int)stride, 0, y, (int)n);
}

void br_sgemm(const float *x, size_t m, size_t k, const float *w, size_t n, float *y)
{
    if (br_blas_ready())
        blas(ROW_MAJOR, NO_TRANS, TRANS, (int)m, (int)n, (int)k, 1, x, (int)k, w, (int)k, 0, y, (int)n);
    else
        br_math_pick()->sgemm(x, m, k, w, n, y);
}
