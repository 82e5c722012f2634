/* buf.h - a growable byte buffer with a cap set at init.
 * Growing past the cap, or without memory, sets `failed` and drops the bytes, so that a chain of appends is
 * checked once at its end. data is always NUL-terminated when non-NULL. Not thread-safe. */
#ifndef BR_BUF_H
#define BR_BUF_H

#include "base/base.h"

struct br_buf {
    char *data; /* owned; NULL while nothing was appended */
    size_t len;
    size_t alloc;
    size_t cap; /* bytes; growth past it fails */
    bool failed;
    bool no_memory; /* that is why */
};

void br_buf_init(struct br_buf *b, size_t cap_bytes);
void br_buf_free(struct br_buf *b);  /* leaves an empty, usable buffer */
void br_buf_reset(struct br_buf *b); /* keeps the memory; clears both */
void br_buf_add(struct br_buf *b, const void *bytes, size_t n);
void br_buf_adds(struct br_buf *b, const char *s);
void br_buf_addc(struct br_buf *b, char c);
void br_buf_addf(struct br_buf *b, const char *fmt, ...) BR_PRINTF(2, 3);
void br_buf_truncate(struct br_buf *b, size_t len);
/* The text so far, "" when empty. Borrowed until the next change. */
const char *br_buf_str(const struct br_buf *b);
BR_MUST_USE enum br_rc br_buf_status(const struct br_buf *b, struct br_err *err);

#endif
