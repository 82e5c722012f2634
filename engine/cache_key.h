/* cache_key.h - keys of what is remembered: numbers and strings in a row, each string with its length before it, so that no two rows are alike. */
#ifndef BR_CACHE_KEY_H
#define BR_CACHE_KEY_H

#include <string.h>

#include "base/buf.h"

static inline void br_key_number(struct br_buf *b, uint64_t n)
{
    br_buf_add(b, &n, sizeof n);
}

/* NULL is another string than "". */
static inline void br_key_string(struct br_buf *b, const char *s)
{
    br_key_number(b, s ? strlen(s) : UINT64_MAX);
    br_buf_adds(b, s ? s : "");
}

static inline void br_key_strings(struct br_buf *b, const char *const *items, size_t n)
{
    br_key_number(b, n);
    for (size_t i = 0; i < n; i++)
        br_key_string(b, items[i]);
}

#endif
