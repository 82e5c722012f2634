/* json_stream.c - cuts a JSON array into elements without parsing it, then parses each of them.
 *
 * An element that no repair makes readable costs itself alone: reading goes on at the next place that looks like the
 * start of an element, which a damaged quote would otherwise hide until the end of the file. */
#include "json_stream.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "json_load.h"
#include "limits.h"

#define CHUNK        65536u
#define WINDOW_LEAST 4096u
#define REPLIES      "\"slackdump_thread_replies\"" /* how slackdump nests a thread in its root */

struct scan {      /* a position inside a value */
    size_t at;     /* from js->pos */
    size_t window; /* at is not to pass it */
    size_t key;    /* where the last string of the outermost object began */
    size_t replies; /* where the key REPLIES of it began, 0: not met */
    size_t values; /* what a parser would make of it: brackets and commas so far */
    unsigned depth;
    bool in_string, escaped, deep;
};
enum scan_end {
    SCAN_WHOLE,
    SCAN_EOF,
    SCAN_LONG,    /* so far longer than an element may be */
    SCAN_WINDOW,  /* no end within the window */
    SCAN_DAMAGED, /* another element starts at `at`, inside what looks like a string: a quote is missing or too many */
    SCAN_FAILED
};

void br_json_stream_init(struct br_json_stream *js, struct br_stream *in)
{
    *js = (struct br_json_stream){.in = in, .bytes_max = BR_LIMIT_MESSAGE_BYTES, .values_max = BR_LIMIT_MESSAGE_VALUES};
    br_buf_init(&js->repaired, 4 * (size_t)BR_LIMIT_LISTED_BYTES);
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
        s->values += 3; /* an object takes more memory than a string */
        s->deep |= s->depth > BR_LIMIT_JSON_DEPTH;
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
    case ',':
        s->values++;
        return s->depth == 0;
    default:
        return s->depth == 0 && (c == ':' || is_space(c));
    }
}

/* Is this white space what stands between the elements? With elements on lines of their own that is exactly known. */
static bool fits_lead(const struct br_json_stream *js, const char *lead, size_t n)
{
    if (js->lead_known && memchr(js->lead, '\n', js->lead_len))
        return n == js->lead_len && memcmp(lead, js->lead, n) == 0;
    return !js->lead_known || !memchr(lead, '\n', n);
}

/* Offset of the brace when the quote at p[at] opens the first key of an element: '}, {"'. 0 when it does not. */
static size_t element_before(const struct br_json_stream *js, const char *p, size_t at)
{
    size_t i = at;
    while (i && is_space(p[i - 1]))
        i--;
    if (!i || p[--i] != '{')
        return 0;
    size_t brace = i;
    while (i && is_space(p[i - 1]))
        i--;
    if (!i || p[i - 1] != ',' || !fits_lead(js, p + i, brace - i))
        return 0;
    for (i--; i && is_space(p[i - 1]);)
        i--;
    return i && p[i - 1] == '}' ? brace : 0;
}

/* Takes a byte of a string, at p[s->at]; true when the value ends with it. */
static bool scan_string_byte(struct scan *s, char c)
{
    s->at++;
    if (s->escaped)
        s->escaped = false;
    else if (c == '\\')
        s->escaped = true;
    else if (c == '"')
        s->in_string = false;
    return !s->in_string && !s->depth;
}

/* Runs over p[s->at..n); true when end is known. */
static bool scan_bytes(const struct br_json_stream *js, struct scan *s, const char *p, size_t n, enum scan_end *end)
{
    *end = SCAN_WHOLE;
    while (s->at < n) {
        char c = p[s->at];
        if (s->in_string) {
            size_t brace = c == '"' && !s->escaped ? element_before(js, p, s->at) : 0;
            if (brace && s->at + 1 == n && !js->eof)
                return false; /* what follows decides */
            /* After the closing quote of a real string comes no letter. */
            if (brace && s->at + 1 < n && (isalpha((unsigned char)p[s->at + 1]) || p[s->at + 1] == '_')) {
                s->at = brace;
                *end = SCAN_DAMAGED;
                return true;
            }
            if (scan_string_byte(s, c))
                return true;
            if (!s->in_string && s->depth == 1 && s->at - s->key == sizeof REPLIES - 1 &&
                memcmp(p + s->key, REPLIES, sizeof REPLIES - 1) == 0)
                s->replies = s->key;
            continue;
        }
        unsigned before = s->depth;
        s->key = c == '"' ? s->at : s->key;
        if (scan_byte(s, c))
            return true;
        s->at++;
        if (before && !s->depth)
            return true;
    }
    return false;
}

/* Finds the end of the value at js->pos; s->at is its length. */
static enum scan_end scan_value(struct br_json_stream *js, struct scan *s, struct br_err *err)
{
    enum scan_end end;
    for (;;) {
        size_t n = js->len - js->pos;
        if (scan_bytes(js, s, js->buf + js->pos, BR_MIN(n, s->window), &end))
            return end;
        if (s->at + 1 >= s->window)
            return SCAN_WINDOW;
        if (s->at > js->bytes_max || s->values > js->values_max)
            return SCAN_LONG;
        if (!fill(js, err))
            return js->failed ? SCAN_FAILED : SCAN_EOF;
    }
}

/* After a damaged element: moves to the next place within n bytes that looks like "}, {" at the level of the
 * elements. */
static bool resync(struct br_json_stream *js, size_t n)
{
    const char *start = js->buf + js->pos, *end = start + n, *p = start;
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
        if (q >= stop || *q != '{' || !fits_lead(js, lead, (size_t)(q - lead)))
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
        size_t keep = BR_MIN(n, sizeof js->lead + 8); /* a mark may lie across two chunks */
        js->pos = js->len - keep;
        if (!fill(js, err))
            return false;
    }
}

/* How far to look for the end of an element. Looking costs nothing while elements are whole; what was looked at in vain is made up for by
 * the bytes that were taken, so a file full of damage takes time in proportion to its length and no more. */
static size_t window_of(const struct br_json_stream *js)
{
    uint64_t taken = js->in->done - (js->len - js->pos);
    uint64_t allowed = BR_LIMIT_RESCAN_BYTES + 16 * taken;
    return allowed > js->wasted + WINDOW_LEAST ? (size_t)(allowed - js->wasted) : WINDOW_LEAST;
}

/* NULL also without memory: then js has failed. */
static json_t *load(struct br_json_stream *js, const char *p, size_t n, size_t flags, struct br_err *err)
{
    bool no_memory;
    json_t *v = br_json_load(p, n, flags | JSON_DECODE_ANY, &no_memory);
    if (no_memory) {
        js->rc = br_fail_nomem(err);
        js->failed = true;
    }
    return v;
}

static json_t *parse(struct br_json_stream *js, const char *p, size_t n, struct br_err *err)
{
    js->repairs = (struct br_json_repairs){0};
    json_t *v = load(js, p, n, 0, err);
    if (v || js->failed)
        return v;
    br_buf_reset(&js->repaired);
    br_json_repair(p, n, &js->repaired, &js->repairs);
    if (js->repaired.failed) {
        js->rc = br_buf_status(&js->repaired, err);
        js->failed = true;
        return NULL;
    }
    const char *text = br_buf_str(&js->repaired);
    v = load(js, text, js->repaired.len, 0, err);
    return v || js->failed ? v : load(js, text, js->repaired.len, JSON_DECODE_INT_AS_REAL, err); /* beyond 64 bits */
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

/* An element beyond all reason: dropped as it comes. */
static void drop_long(struct br_json_stream *js, struct scan *s, struct br_err *err)
{
    enum scan_end end;
    s->window = SIZE_MAX;
    do {
        js->pos = js->len;
        s->at = s->values = 0;
        end = scan_value(js, s, err);
    } while (end == SCAN_LONG);
    js->pos += end == SCAN_WHOLE || end == SCAN_DAMAGED ? s->at : js->len - js->pos;
    js->resynced |= end == SCAN_DAMAGED;
}

/* Moves past an element that cannot be read. */
static void pass_over(struct br_json_stream *js, struct scan *s, enum scan_end end, int first, struct br_err *err)
{
    bool bare = end == SCAN_WHOLE && first != '{' && first != '[';
    if (s->deep)
        js->deep = true;
    else
        js->unreadable = true;
    if (end == SCAN_DAMAGED || (bare && s->at)) {
        js->pos += s->at;
        js->resynced = true;
        return;
    }
    js->wasted += s->at;
    if (bare) {
        if (!resync_forward(js, err))
            js->pos = js->len;
    } else if (end == SCAN_WHOLE && s->deep) {
        js->pos += s->at;
    } else if (!resync(js, s->at)) {
        if (end == SCAN_LONG)
            drop_long(js, s, err);
        else
            js->pos += s->at;
    }
}

/* A root with more replies than are parsed at once: gives the root without them, and goes on among the replies. */
static bool take_apart(struct br_json_stream *js, const struct scan *s, json_t **out, struct br_err *err)
{
    const char *p = js->buf + js->pos;
    size_t n = s->replies, at = s->replies + sizeof REPLIES - 1;
    struct br_buf root;
    while (n && (is_space(p[n - 1]) || p[n - 1] == ','))
        n--;
    for (int i = 0; i < 2; i++) {
        while (at < s->at && is_space(p[at]))
            at++;
        if (at >= s->at || p[at++] != ":["[i])
            return false;
    }
    br_buf_init(&root, 2 * js->bytes_max + 2 * CHUNK);
    br_buf_add(&root, p, n);
    br_buf_addc(&root, '}');
    *out = root.failed ? NULL : parse(js, br_buf_str(&root), root.len, err);
    br_buf_free(&root);
    if (!*out)
        return false;
    js->pos += at;
    js->in_replies = true;
    js->n_apart++;
    return true;
}

/* Behind the replies: to the end of the root. */
static void leave_root(struct br_json_stream *js, struct br_err *err)
{
    struct scan s = {.window = SIZE_MAX, .depth = 1};
    js->in_replies = false;
    enum scan_end end = scan_value(js, &s, err);
    if (end == SCAN_LONG)
        drop_long(js, &s, err);
    else
        js->pos += s.at;
}

/* One element; BR_JSON_NO_ARRAY here means: there was one, but it cannot be read. */
static enum br_json_got one_element(struct br_json_stream *js, int first, json_t **out, struct br_err *err)
{
    struct scan s = {.window = window_of(js)};
    note_lead(js);
    enum scan_end end = scan_value(js, &s, err);
    while (end == SCAN_WINDOW) {
        js->wasted += s.at;
        if (resync(js, s.at)) {
            js->unreadable = true;
            return BR_JSON_NO_ARRAY;
        }
        s.window *= 2;
        end = scan_value(js, &s, err);
    }
    if (end == SCAN_FAILED)
        return BR_JSON_FAILED;
    /* The length is asked again: the scan asks only where it needs more bytes, and that depends on how they come. */
    bool too_big = end == SCAN_LONG || (end == SCAN_WHOLE && (s.at > js->bytes_max || s.values > js->values_max));
    if (end == SCAN_WHOLE && s.at && !s.deep && !too_big) {
        *out = parse(js, js->buf + js->pos, s.at, err);
        if (js->failed)
            return BR_JSON_FAILED;
        if (*out) {
            js->pos += s.at;
            return BR_JSON_ELEMENT;
        }
    }
    if (too_big && s.replies && !s.deep && take_apart(js, &s, out, err))
        return BR_JSON_ELEMENT;
    if (!js->failed)
        pass_over(js, &s, end, first, err);
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
            if (js->in_replies) {
                leave_root(js, err);
                continue;
            }
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

/* The string of n bytes at js->pos, NULL when it is none or long: of one beyond the limit only the end may be at hand. */
static json_t *short_string(struct br_json_stream *js, size_t n, struct br_err *err)
{
    if (n > BR_MIN((size_t)4096, js->bytes_max) || js->buf[js->pos] != '"')
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
    *s = (struct scan){.window = SIZE_MAX};
    enum scan_end end = scan_value(js, s, err);
    while (end == SCAN_LONG) {
        js->pos = js->len;
        s->at = s->values = 0;
        end = scan_value(js, s, err);
    }
    js->deep |= s->deep;
    return end == SCAN_WHOLE ? BR_JSON_ELEMENT : end == SCAN_FAILED ? BR_JSON_FAILED : BR_JSON_END;
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
        struct scan s;
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
        s.at = 0;
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
