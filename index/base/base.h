/* base.h - what every folder may use: attributes, error codes, error records.
 *
 * The base (target br_base) depends on libc alone. A function that can fail returns enum br_rc and takes
 * a struct br_err that is filled once, where the failure is understood; the first error wins. */
#ifndef BR_BASE_H
#define BR_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BR_MUST_USE __attribute__((warn_unused_result))
#define BR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define BR_MIN(a, b) ((a) < (b) ? (a) : (b))
#define BR_MAX(a, b) ((a) > (b) ? (a) : (b))
#define BR_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One table: name, exit status of the command line (see cli.md), text. Append only. */
#define BR_ERROR_MAP(X)                                         \
    X(BR_OK, 0, "done")                                         \
    X(BR_E_NOTFOUND, 1, "nothing found")                        \
    X(BR_E_USAGE, 2, "wrong usage")                             \
    X(BR_E_DATA, 3, "bad input data")                           \
    X(BR_E_TOOBIG, 3, "input exceeds a limit")                  \
    X(BR_E_IO, 4, "input/output error")                         \
    X(BR_E_BUSY, 4, "another process is writing")               \
    X(BR_E_NOSPC, 4, "no space left on device")                 \
    X(BR_E_NOMEM, 4, "out of memory")                           \
    X(BR_E_CORRUPT, 5, "store damaged")                         \
    X(BR_E_NET, 6, "network or remote error")                   \
    X(BR_E_INTERRUPTED, 4, "interrupted")

enum br_rc {
#define BR_X(name, exit_status, text) name,
    BR_ERROR_MAP(BR_X)
#undef BR_X
};

struct br_err {
    enum br_rc rc;
    int sys_errno; /* 0 when the system was not to blame */
    char msg[512]; /* one line: what, where, what to do; never message text or secrets */
};

/* Fills *err (which may be NULL) unless it already holds an error, and returns rc. */
enum br_rc br_fail(struct br_err *err, enum br_rc rc, const char *fmt, ...) BR_PRINTF(3, 4);
/* The same for a failed system call: appends strerror(sys_errno); ENOSPC/EDQUOT become BR_E_NOSPC,
 * ENOMEM BR_E_NOMEM, everything else BR_E_IO. sys_errno is positive. */
enum br_rc br_fail_errno(struct br_err *err, int sys_errno, const char *fmt, ...) BR_PRINTF(3, 4);
enum br_rc br_fail_nomem(struct br_err *err);

int br_rc_exit_status(enum br_rc rc);
const char *br_rc_text(enum br_rc rc);

/* Assertions are for our own bugs and stay on in every build; bytes from outside are rejected, not asserted. */
_Noreturn void br_assert_failed(const char *expr, const char *file, int line);
#define BR_ASSERT(x) ((x) ? (void)0 : br_assert_failed(#x, __FILE__, __LINE__))

/* if (expr fails) goto err; the enclosing function has `enum br_rc rc` and one label `err`. */
#define BR_TRY(expr)          \
    do {                      \
        rc = (expr);          \
        if (rc != BR_OK)      \
            goto err;         \
    } while (0)

#endif
