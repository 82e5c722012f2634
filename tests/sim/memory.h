/* memory.h - allocations, and threads, that fail on demand: the n-th, once or for good. Header-only; include once a program, which links
 * with MEMORY_WRAPS of tests/CMakeLists.txt and calls memory_init first.
 *
 * Counted are malloc and its kin in this program's own code, SQLite's, jansson's, the contexts of zstd and xxHash, and pthread_create. What
 * other libraries (libzip, libc's streams) allocate inside is not. The simulated disk's own never fail. Thread-safe. */
#ifndef BR_SIM_MEMORY_H
#define BR_SIM_MEMORY_H

#include "sim/disk.h"
#include "sim/stacks.h"

#include <errno.h>
#include <execinfo.h>
#include <jansson.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

static _Atomic uint64_t allocations, fail_allocation;
static _Atomic bool allocation_failed;
static bool fail_sticky, memory_trace;

static inline bool allocation_fails(void)
{
    if (sim_allocating)
        return false;
    uint64_t n = ++allocations, at = fail_allocation;
    sim_stacks_call(SIM_ALLOCATION, n, n == at);
    if (!at || n < at || (n > at && !fail_sticky))
        return false;
    allocation_failed = true;
    if (memory_trace) { /* for addr2line -e this program */
        void *frames[24];
        sim_allocating = true;
        backtrace_symbols_fd(frames, backtrace(frames, 24), 2);
        sim_allocating = false;
    }
    return true;
}

/* The n-th from now (1: the next); 0: none. */
static inline void memory_fail(uint64_t n, bool sticky)
{
    fail_allocation = 0;
    allocations = 0;
    fail_sticky = sticky;
    allocation_failed = false;
    fail_allocation = n;
}

#define WRAP(type, name, params, args)                    \
    type __real_##name params;                            \
    type __wrap_##name params;                            \
    type __wrap_##name params                             \
    {                                                     \
        return allocation_fails() ? NULL : __real_##name args; \
    }

WRAP(void *, malloc, (size_t n), (n))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *p, size_t n), (p, n))
WRAP(void *, aligned_alloc, (size_t alignment, size_t n), (alignment, n))
WRAP(char *, strdup, (const char *s), (s))
WRAP(char *, strndup, (const char *s, size_t n), (s, n))
WRAP(XXH3_state_t *, XXH3_createState, (void), ())
WRAP(ZSTD_CCtx *, ZSTD_createCCtx, (void), ())
WRAP(ZSTD_DCtx *, ZSTD_createDCtx, (void), ())
#undef WRAP

int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **out, const char *format, ...)
{
    if (allocation_fails())
        return -1;
    va_list ap;
    va_start(ap, format);
    int n = vasprintf(out, format, ap);
    va_end(ap);
    return n;
}

int __wrap___asprintf_chk(char **out, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
    (void)flag;
    if (allocation_fails())
        return -1;
    va_list ap;
    va_start(ap, format);
    int n = vasprintf(out, format, ap);
    va_end(ap);
    return n;
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    return allocation_fails() ? EAGAIN : __real_pthread_create(t, attr, fn, arg);
}

/* SQLite asks for the size of what it was given: kept in front of it. */
static inline void *sq_malloc(int n)
{
    int64_t *p = allocation_fails() ? NULL : __real_malloc((size_t)n + 16);
    if (!p)
        return NULL;
    *p = n;
    return p + 2;
}
static inline void sq_free(void *p)
{
    if (p)
        free((int64_t *)p - 2);
}
static inline int sq_size(void *p)
{
    return p ? (int)((int64_t *)p)[-2] : 0;
}
static inline void *sq_realloc(void *p, int n)
{
    int64_t *q = allocation_fails() ? NULL : __real_realloc((int64_t *)p - 2, (size_t)n + 16);
    if (!q)
        return NULL;
    *q = n;
    return q + 2;
}
static inline int sq_roundup(int n)
{
    return (n + 7) & ~7;
}
static inline int sq_init(void *p)
{
    (void)p;
    return SQLITE_OK;
}
static inline void sq_shutdown(void *p)
{
    (void)p;
}

static inline bool memory_init(void)
{
    static const sqlite3_mem_methods memory = {sq_malloc, sq_free, sq_realloc, sq_size, sq_roundup, sq_init, sq_shutdown, NULL};
    json_set_alloc_funcs(__wrap_malloc, free);
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) == SQLITE_OK;
}

#endif
