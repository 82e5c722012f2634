/* json_repair.c - makes the strings of a JSON text acceptable to a strict parser, and says what was wrong with them. */
#include "json_stream.h"

#include <string.h>

#include "utf8_check.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* The four digits at s, or -1. */
static int hex4(const char *s, size_t n)
{
    int v = 0;
    if (n < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        int d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

/* One escape, s at the backslash; returns the bytes it takes. */
static size_t repair_escape(const char *s, size_t n, struct br_buf *out, struct br_json_repairs *r)
{
    if (n < 2 || !strchr("\"\\/bfnrtu", s[1]) || !s[1]) {
        br_buf_adds(out, "\\\\"); /* no escape: a backslash */
        return 1;
    }
    if (s[1] != 'u') {
        br_buf_add(out, s, 2);
        return 2;
    }
    int v = hex4(s + 2, n - 2);
    if (v < 0) {
        br_buf_adds(out, "\\\\");
        return 1;
    }
    if (v == 0) { /* a blank: the words around it stay two words */
        br_buf_addc(out, ' ');
        r->nul = true;
        return 6;
    }
    if (v < 0xD800 || v > 0xDFFF) {
        br_buf_add(out, s, 6);
        return 6;
    }
    int low = v <= 0xDBFF && n >= 12 && s[6] == '\\' && s[7] == 'u' ? hex4(s + 8, n - 8) : -1;
    if (low >= 0xDC00 && low <= 0xDFFF) {
        br_buf_add(out, s, 12);
        return 12;
    }
    br_buf_adds(out, REPLACEMENT);
    r->lone_surrogate = true;
    return 6;
}

void br_json_repair(const char *s, size_t n, struct br_buf *out, struct br_json_repairs *r)
{
    bool in_string = false, ok;
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"') {
            in_string = !in_string;
        } else if (!in_string) {
            /* copied */
        } else if (c == '\\') {
            i += repair_escape(s + i, n - i, out, r);
            continue;
        } else if (c == 0) {
            br_buf_addc(out, ' ');
            r->nul = true;
            i++;
            continue;
        } else if (c < 0x20) {
            br_buf_addf(out, "\\u%04x", c);
            i++;
            continue;
        } else if (c >= 0x80) {
            size_t len = br_utf8_sequence((const unsigned char *)s + i, n - i, &ok);
            br_buf_add(out, ok ? s + i : REPLACEMENT, ok ? len : 3);
            r->invalid_utf8 |= !ok;
            i += len;
            continue;
        }
        br_buf_addc(out, (char)c);
        i++;
    }
}
