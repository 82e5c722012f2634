/* error.c - the error table and the filling of error records. */
#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int exit_status;
    const char *text;
} error_table[] = {
#define BR_X(name, exit_status, text) [name] = {exit_status, text},
    BR_ERROR_MAP(BR_X)
#undef BR_X
};

int br_rc_exit_status(enum br_rc rc)
{
    return (size_t)rc < BR_COUNT(error_table) ? error_table[rc].exit_status : 4;
}

const char *br_rc_text(enum br_rc rc)
{
    return (size_t)rc < BR_COUNT(error_table) ? error_table[rc].text : "unknown error";
}

enum br_rc br_fail(struct br_err *err, enum br_rc rc, const char *fmt, ...)
{
    if (err && err->rc == BR_OK) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
        err->rc = rc;
    }
    return rc;
}

static enum br_rc rc_of_errno(int sys_errno)
{
    switch (sys_errno) {
    case ENOSPC:
    case EDQUOT:
        return BR_E_NOSPC;
    case ENOMEM:
        return BR_E_NOMEM;
    default:
        return BR_E_IO;
    }
}

enum br_rc br_fail_errno(struct br_err *err, int sys_errno, const char *fmt, ...)
{
    enum br_rc rc = rc_of_errno(sys_errno);
    if (err && err->rc == BR_OK) {
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof err->msg) {
            char text[128];
            const char *s = strerror_r(sys_errno, text, sizeof text);
            snprintf(err->msg + n, sizeof err->msg - (size_t)n, ": %s", s);
        }
        err->rc = rc;
        err->sys_errno = sys_errno;
    }
    return rc;
}

enum br_rc br_fail_nomem(struct br_err *err)
{
    return br_fail(err, BR_E_NOMEM, "out of memory");
}

void br_assert_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "backread: internal error at %s:%d: %s\n", file, line, expr);
    abort();
}
