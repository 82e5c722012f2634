/* json_stream.c - cuts a JSON array into elements without parsing it, then parses each of them.
 *
 * An element that no repair makes readable costs itself alone: reading goes on at the next place that looks like the
 * start of an element,
 * which a damaged quote would otherwise hide until the end of the file. */
#include "json_stream.h"

#include <stdlib.h>
#include <string.h>

#include "limits.h"

#define CHUNK 65536u

struct scan {  /* a position inside a value */
    size_t at; /* from js->pos */
    unsigned depth;
    bool in_string, escaped;
};
enum scan_end { SCAN_WHOLE, SCAN_EOF, SCAN_DEEP, SCAN_LONG, SCAN_FAILED };

void br_json_stream_init(struct br_json_stream *js, struct br_stream *in)
{
    *js = (struct br_json_stream){.in = in};
    br_buf_init(&js->repaired, 4 * (size_t)BR_LIMIT_ELEMENT_BYTES);
}

void br_json_stream_free(struct br_json_stream *js)
{
    free(js->buf);
    br_buf_free(&js->repaired);
}

/* Reads more; the unread bytes may move. false at the end and on failure. */
static bool fill(struct br_json_stream *js, struct br_err *err)
{
    size_t got = 0;
    if (js->eof || js->failed)
        return false;
    if (js->pos) {
        memmove(js->buf, js->buf + js->pos, js->len - js->pos);
        js->len -= js->pos;
        js->pos = 0;
    }
    if (js->alloc - js->len < CHUNK) {
        size_t alloc = js->alloc ? js->alloc * 2 : 2 * CHUNK;
        char *p = realloc(js->buf, alloc);
        if (!p) {
            js->failed = true;
            js->rc = br_fail_nomem(err);
            return false;
        }
        js->buf = p;
        js->alloc = alloc;
    }
    js->rc = br_stream_read(js->in, js->buf + js->len, js->alloc - js->len, &got, err);
    js->failed = js->rc != BR_OK;
    js->eof = got == 0;
    js->len += got;
    return got > 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The next byte that is no white space, -1 at the end. */
static int peek(struct br_json_stream *js, struct br_err *err)
{
    for (;;) {
        while (js->pos < js->len && is_space(js->buf[js->pos]))
            js->pos++;
        if (js->pos < js->len)
            return (unsigned char)js->buf[js->pos];
        if (!fill(js, err))
            return -1;
    }
}

/* Takes one byte outside strings; true when the value ends before it. */
static bool scan_byte(struct scan *s, char c)
{
    switch (c) {
    case '{':
    case '[':
        s->depth++;
        return false;
    case '}':
    case ']':
        if (s->depth == 0)
            return true;
        s->depth--;
        return false;
    case '"':
        s->in_string = true;
        return false;
    default:
        return s->depth == 0 && (c == ',' || c == ':' || is_space(c));
    }
}

/* Finds the end of the value at js->pos; s->at is its length. SCAN_LONG: so far longer than an element may be. */
static enum scan_end scan_value(struct br_json_stream *js, struct scan *s, struct br_err *err)
{
    for (;;) {
        const char *p = js->buf + js->pos;
        size_t n = js->len - js->pos, at = s->at;
        while (at < n) {
            char c = p[at];
            if (s->in_string) {
                at++;
                if (s->escaped)
                    s->escaped = false;
                else if (c == '\\')
                    s->escaped = true;
                else if (c == '"')
                    s->in_string = false;
                else
                    continue;
                if (s->in_string || s->depth)
                    continue;
                s->at = at;
                return SCAN_WHOLE;
            }
            unsigned before = s->depth;
            if (scan_byte(s, c)) {
                s->at = at;
                return SCAN_WHOLE;
            }
            at++;
            if (s->depth > BR_LIMIT_JSON_DEPTH)
                return SCAN_DEEP;
            if (before && !s->depth) {
                s->at = at;
                return SCAN_WHOLE;
            }
        }
        s->at = at;
        if (at > BR_LIMIT_ELEMENT_BYTES)
            return SCAN_LONG;
        if (!fill(js, err))
            return js->failed ? SCAN_FAILED : SCAN_EOF;
    }
}

/* After a damaged element: moves to the next place within n bytes that looks like "}, {" at the level of the
 * elements. */
static bool resync(struct br_json_stream *js, size_t n)
{
    bool lines = js->lead_known && memchr(js->lead, '\n', js->lead_len);
    const char *start = js->buf + js->pos, *end = start + n, *p = start;
    js->rescanned += n;
    if (js->rescanned > BR_LIMIT_RESCAN_BYTES)
        return false;
    while (p < end && (p = memchr(p, '}', (size_t)(end - p))) != NULL) {
        const char *q = ++p;
        const char *stop = js->buf + js->len;
        while (q < stop && is_space(*q))
            q++;
        if (q >= stop || *q != ',')
            continue;
        const char *lead = ++q;
        while (q < stop && is_space(*q))
            q++;
        if (q >= stop || *q != '{')
            continue;
        bool fits = lines ? (size_t)(q - lead) == js->lead_len && memcmp(lead, js->lead, js->lead_len) == 0
                          : !memchr(lead, '\n', (size_t)(q - lead)) || !js->lead_known;
        if (!fits)
            continue;
        js->pos += (size_t)(q - start);
        js->resynced = true;
        return true;
    }
    return false;
}

/* The same with no end in sight: reads on until something looks like an element. */
static bool resync_forward(struct br_json_stream *js, struct br_err *err)
{
    for (;;) {
        size_t n = js->len - js->pos;
        if (resync(js, n))
            return true;
        if (js->rescanned > BR_LIMIT_RESCAN_BYTES)
            return false;
        size_t keep = BR_MIN(n, sizeof js->lead + 8); /* a mark may lie across two chunks */
        js->pos = js->len - keep;
        if (!fill(js, err))
            return false;
    }
}

static json_t *parse(struct br_json_stream *js, const char *p, size_t n, struct br_err *err)
{
    js->repairs = (struct br_json_repairs){0};
    json_t *v = json_loadb(p, n, JSON_DECODE_ANY, NULL);
    if (v)
        return v;
    br_buf_reset(&js->repaired);
    br_json_repair(p, n, &js->repaired, &js->repairs);
    if (js->repaired.failed) {
        js->rc = br_buf_status(&js->repaired, err);
        js->failed = true;
        return NULL;
    }
    const char *text = br_buf_str(&js->repaired);
    v = json_loadb(text, js->repaired.len, JSON_DECODE_ANY, NULL);
    return v ? v
             : json_loadb(text, js->repaired.len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL); /* beyond 64 bits */
}

/* White space before the element at js->pos tells how elements are laid out; on one line, only what follows a comma
 * does. */
static void note_lead(struct br_json_stream *js)
{
    size_t n = 0;
    if (js->lead_known || js->resynced)
        return;
    while (n < js->pos && n < sizeof js->lead && is_space(js->buf[js->pos - n - 1]))
        n++;
    if (n == js->pos || n == sizeof js->lead)
        return;
    const char *lead = js->buf + js->pos - n;
    if (lead[-1] != ',' && !(lead[-1] == '[' && memchr(lead, '\n', n)))
        return;
    memcpy(js->lead, lead, n);
    js->lead_len = n;
    js->lead_known = true;
}

/* Opens the array: a BOM is skipped, null is an empty one. */
static enum br_json_got start(struct br_json_stream *js, struct br_err *err)
{
    js->started = true;
    int c = peek(js, err);
    if (c == 0xEF && js->len - js->pos >= 3 && memcmp(js->buf + js->pos, "\xEF\xBB\xBF", 3) == 0) {
        js->had_bom = true;
        js->pos += 3;
        c = peek(js, err);
    }
    if (js->failed)
        return BR_JSON_FAILED;
    if (c == '[') {
        js->pos++;
        return BR_JSON_ELEMENT;
    }
    js->unreadable = c < 0;
    if (c != 'n')
        return c < 0 ? BR_JSON_END : BR_JSON_NO_ARRAY;
    js->pos = js->len;
    return BR_JSON_END;
}

/* One element; BR_JSON_NO_ARRAY here means: there was one, but it cannot be read. */
static enum br_json_got one_element(struct br_json_stream *js, int first, json_t **out, struct br_err *err)
{
    struct scan s = {0};
    note_lead(js);
    enum scan_end end = scan_value(js, &s, err);
    if (end == SCAN_FAILED)
        return BR_JSON_FAILED;
    if (end == SCAN_DEEP)
        return BR_JSON_TOO_DEEP;
    if (end == SCAN_WHOLE && s.at) {
        *out = parse(js, js->buf + js->pos, s.at, err);
        if (js->failed)
            return BR_JSON_FAILED;
        if (*out) {
            js->pos += s.at;
            return BR_JSON_ELEMENT;
        }
    }
    js->unreadable = true;
    bool closed = end == SCAN_WHOLE && (first == '{' || first == '[');
    if (end == SCAN_LONG && !resync(js, s.at)) {
        while (end == SCAN_LONG) { /* one element beyond all reason: dropped as it comes */
            js->pos = js->len;
            s.at = 0;
            end = scan_value(js, &s, err);
        }
        js->pos += end == SCAN_WHOLE ? s.at : js->len - js->pos;
    } else if (end == SCAN_EOF && !resync(js, s.at)) {
        js->pos = js->len;
    } else if (closed && !resync(js, s.at)) {
        js->pos += s.at;
    } else if (end == SCAN_WHOLE && !closed && !resync_forward(js, err)) {
        js->pos = js->len;
    }
    return js->failed ? BR_JSON_FAILED : BR_JSON_NO_ARRAY;
}

enum br_json_got br_json_stream_next(struct br_json_stream *js, json_t **out, struct br_err *err)
{
    *out = NULL;
    if (!js->started) {
        enum br_json_got got = start(js, err);
        if (got != BR_JSON_ELEMENT)
            return got;
    }
    for (;;) {
        int c = peek(js, err);
        if (js->failed)
            return BR_JSON_FAILED;
        if (c < 0) { /* the array was not closed */
            js->unreadable = true;
            return BR_JSON_END;
        }
        if (c == ',') {
            js->pos++;
            continue;
        }
        if (c == ']') {
            js->pos++;
            c = peek(js, err);
            if (js->failed)
                return BR_JSON_FAILED;
            if (c < 0 || (js->in_object && (c == '}' || c == ',')))
                return BR_JSON_END;
            js->unreadable = true; /* a stray bracket: what follows is still read */
            continue;
        }
        enum br_json_got got = one_element(js, c, out, err);
        if (got != BR_JSON_NO_ARRAY)
            return got;
    }
}

/* The string of n bytes at js->pos, NULL when it is none or long. */
static json_t *short_string(struct br_json_stream *js, size_t n, struct br_err *err)
{
    if (n > 4096 || js->buf[js->pos] != '"')
        return NULL;
    json_t *v = parse(js, js->buf + js->pos, n, err);
    if (json_is_string(v))
        return v;
    json_decref(v);
    return NULL;
}

/* Skips the value at js->pos, of any length. */
static enum br_json_got skip_value(struct br_json_stream *js, struct scan *s, struct br_err *err)
{
    enum scan_end end = scan_value(js, s, err);
    while (end == SCAN_LONG) {
        js->pos = js->len;
        s->at = 0;
        end = scan_value(js, s, err);
    }
    return end == SCAN_WHOLE    ? BR_JSON_ELEMENT
           : end == SCAN_DEEP   ? BR_JSON_TOO_DEEP
           : end == SCAN_FAILED ? BR_JSON_FAILED
                                : BR_JSON_END;
}

enum br_json_got br_json_stream_enter(struct br_json_stream *js, const char *want, json_t *strings, struct br_err *err)
{
    enum br_json_got got = start(js, err);
    if (got != BR_JSON_NO_ARRAY || js->buf[js->pos] != '{')
        return got == BR_JSON_ELEMENT ? BR_JSON_NO_ARRAY : got;
    js->pos++;
    for (;;) {
        int c = peek(js, err);
        if (c == ',' && ++js->pos)
            continue;
        if (c != '"') {
            js->unreadable = c != '}';
            return js->failed ? BR_JSON_FAILED : BR_JSON_END;
        }
        struct scan s = {0};
        got = skip_value(js, &s, err);
        if (got != BR_JSON_ELEMENT)
            return got;
        json_t *key = short_string(js, s.at, err);
        const char *name = json_string_value(key);
        js->pos += s.at;
        c = peek(js, err);
        if (c == ':' && ++js->pos)
            c = peek(js, err);
        if (want && name && strcmp(name, want) == 0 && c == '[') {
            json_decref(key);
            js->pos++;
            js->in_object = true;
            return BR_JSON_ELEMENT;
        }
        s = (struct scan){0};
        got = c < 0 ? BR_JSON_END : skip_value(js, &s, err);
        json_t *value = got == BR_JSON_ELEMENT && name && strings ? short_string(js, s.at, err) : NULL;
        if (value && json_object_set_new(strings, name, value) != 0)
            got = BR_JSON_END;
        json_decref(key);
        if (got != BR_JSON_ELEMENT || !s.at) {
            js->unreadable = true;
            return js->failed ? BR_JSON_FAILED : got == BR_JSON_ELEMENT ? BR_JSON_END : got;
        }
        js->pos += s.at;
    }
}
