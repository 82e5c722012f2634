/* store_test.h - shared by the tests of the store: a scratch directory, a workspace, short assertions. */
#ifndef STORE_TEST_H
#define STORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store.h"

#define DIM 8

#define OK(call)                                                                                  \
    do {                                                                                          \
        if ((call) != BR_OK)                                                                      \
            fail_msg("%s: %s", #call, err.msg);                                                   \
    } while (0)
/* Fails in exactly this way, with one line of text. */
#define FAILS(call, code)                                                                         \
    do {                                                                                          \
        err = (struct br_err){0};                                                                 \
        enum br_rc rc_ = (call);                                                                  \
        if (rc_ != (code) || err.rc != rc_ || !err.msg[0] || strchr(err.msg, '\n'))               \
            fail_msg("%s: got %d (%s), wanted %s", #call, rc_, err.msg, #code);                   \
        err = (struct br_err){0};                                                                 \
    } while (0)

static inline int make_tmp(void **state)
{
    const char *base = getenv("TMPDIR");
    char path[256];
    snprintf(path, sizeof(path), "%s/br_test_XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path))
        return -1;
    *state = strdup(path);
    return *state ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static inline int remove_tmp(void **state)
{
    int r = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return r;
}

static inline void assert_child_ok(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static inline void unit_vector(unsigned seed, float v[DIM])
{
    memset(v, 0, DIM * sizeof(float));
    v[seed % DIM] = (seed / DIM) % 2 ? -1.0f : 1.0f;
}

#endif
