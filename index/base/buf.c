/* buf.c - growable byte buffer with a cap. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void br_buf_init(struct br_buf *b, size_t cap_bytes)
{
    *b = (struct br_buf){.cap = cap_bytes};
}

void br_buf_free(struct br_buf *b)
{
    free(b->data);
    *b = (struct br_buf){.cap = b->cap};
}

void br_buf_reset(struct br_buf *b)
{
    b->len = 0;
    b->failed = b->no_memory = false;
    if (b->data)
        b->data[0] = 0;
}

/* Room for n more bytes and a NUL. */
static bool reserve(struct br_buf *b, size_t n)
{
    if (b->failed || n > b->cap || b->len > b->cap - n) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + n + 1;
    if (need <= b->alloc)
        return true;
    size_t alloc = b->alloc ? b->alloc : 64;
    while (alloc < need)
        alloc *= 2;
    char *p = realloc(b->data, alloc);
    if (!p) {
        b->failed = b->no_memory = true;
        return false;
    }
    b->data = p;
    b->alloc = alloc;
    return true;
}

void br_buf_add(struct br_buf *b, const void *bytes, size_t n)
{
    if (!n || !reserve(b, n))
        return;
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = 0;
}

void br_buf_adds(struct br_buf *b, const char *s)
{
    br_buf_add(b, s, strlen(s));
}

void br_buf_addc(struct br_buf *b, char c)
{
    br_buf_add(b, &c, 1);
}

void br_buf_addf(struct br_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n <= 0 || !reserve(b, (size_t)n))
        return;
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void br_buf_truncate(struct br_buf *b, size_t len)
{
    BR_ASSERT(len <= b->len);
    b->len = len;
    if (b->data)
        b->data[len] = 0;
}

const char *br_buf_str(const struct br_buf *b)
{
    return b->data ? b->data : "";
}

enum br_rc br_buf_status(const struct br_buf *b, struct br_err *err)
{
    if (!b->failed)
        return BR_OK;
    return b->no_memory ? br_fail_nomem(err) : br_fail(err, BR_E_TOOBIG, "a text exceeds %zu bytes", b->cap);
}
