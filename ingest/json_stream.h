/* json_stream.h - the elements of a top-level JSON array, one at a time and in bounded memory. */
#ifndef BR_JSON_STREAM_H
#define BR_JSON_STREAM_H

#include "base/buf.h"
#include "container.h"

#include <jansson.h>

struct br_json_repairs { /* what had to be repaired in one element */
    bool lone_surrogate, nul, invalid_utf8;
};

enum br_json_got {
    BR_JSON_ELEMENT,
    BR_JSON_END,      /* also of a file that is cut off: see unreadable */
    BR_JSON_NO_ARRAY, /* the file holds something else */
    BR_JSON_FAILED,   /* err says why */
};

struct br_json_stream {
    struct br_stream *in;
    char *buf; /* unread bytes: buf[pos..len) */
    size_t pos, len, alloc;
    bool eof, failed, started, in_object, in_replies;
    char lead[64]; /* white space between a comma and an element, once seen */
    size_t lead_len;
    bool lead_known;
    size_t bytes_max, values_max; /* of an element; those of a message until set */
    uint64_t wasted; /* bytes looked at without finding the end of an element */
    struct br_buf repaired;
    enum br_rc rc;

    /* for the caller */
    bool had_bom;
    unsigned n_apart; /* elements taken apart: what is nested in them as slackdump_thread_replies follows them as elements */
    bool deep;       /* an element was nested too deeply, and dropped */
    bool unreadable; /* an element, or the file's end, could not be read */
    bool resynced;   /* since the last whole message: elements may be parts of a damaged one. Cleared by the caller */
    struct br_json_repairs repairs; /* of the last element */
};

void br_json_stream_init(struct br_json_stream *js, struct br_stream *in);
void br_json_stream_free(struct br_json_stream *js);
/* The next element, owned by the caller. */
enum br_json_got br_json_stream_next(struct br_json_stream *js, json_t **out, struct br_err *err);
/* The file holds an object: collects its short strings in `strings` and stops inside the array `want`, whose elements
 * then follow.
 * BR_JSON_END: read to the end of the object (want may be NULL). */
enum br_json_got br_json_stream_enter(struct br_json_stream *js, const char *want, json_t *strings, struct br_err *err);

/* json_repair.c: rewrites strings that a parser rejects; the rest is copied. */
void br_json_repair(const char *s, size_t n, struct br_buf *out, struct br_json_repairs *r);

#endif
