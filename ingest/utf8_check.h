/* utf8_check.h - one UTF-8 sequence at a time (Unicode table 3-7: no overlong forms, no surrogates). */
#ifndef BR_UTF8_CHECK_H
#define BR_UTF8_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the sequence at p (n >= 1 bytes are there). *ok false: not valid, and the length is that of the part one
 * U+FFFD stands for. */
static inline size_t br_utf8_sequence(const unsigned char *p, size_t n, bool *ok)
{
    unsigned char c = p[0], low = 0x80, high = 0xBF;
    size_t want = c < 0x80                 ? 1
                  : c >= 0xC2 && c <= 0xDF ? 2
                  : c >= 0xE0 && c <= 0xEF ? 3
                  : c >= 0xF0 && c <= 0xF4 ? 4
                                           : 0;
    *ok = want > 0;
    if (c == 0xE0)
        low = 0xA0;
    else if (c == 0xED)
        high = 0x9F;
    else if (c == 0xF0)
        low = 0x90;
    else if (c == 0xF4)
        high = 0x8F;
    for (size_t i = 1; i < want; i++) {
        if (i >= n || p[i] < low || p[i] > high) {
            *ok = false;
            return i;
        }
        low = 0x80;
        high = 0xBF;
    }
    return want ? want : 1;
}

static inline bool br_utf8_valid(const char *s, size_t n)
{
    bool ok = true;
    for (size_t i = 0; i < n && ok;)
        i += br_utf8_sequence((const unsigned char *)s + i, n - i, &ok);
    return ok;
}

#endif
