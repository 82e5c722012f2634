/* snippet.c - a line or two of a message around the words that matched. */
#include "engine_int.h"

#include <ctype.h>
#include <string.h>

#define SNIPPET_BYTES 280

/* The start of the window that holds most of the hits. */
static size_t best_start(const struct br_term_hit *hits, size_t n)
{
    size_t best = 0, best_count = 0;
    for (size_t i = 0; i < n; i++) {
        size_t count = 0;
        for (size_t j = 0; j < n; j++)
            count += hits[j].start >= hits[i].start && hits[j].start < hits[i].start + SNIPPET_BYTES * 3 / 4;
        if (count > best_count || (count == best_count && hits[i].start < best)) {
            best = hits[i].start;
            best_count = count;
        }
    }
    return best;
}

/* Back to the start of a word, leaving a little context. */
static size_t back_off(const char *text, size_t at)
{
    size_t from = at > 60 ? at - 60 : 0;
    if (from == 0)
        return 0;
    while (from < at && !isspace((unsigned char)text[from]))
        from++;
    return from < at ? from + 1 : at;
}

static size_t cut_end(const char *text, size_t len, size_t from)
{
    if (len - from <= SNIPPET_BYTES)
        return len;
    size_t end = from + SNIPPET_BYTES, hard = end;
    while (end > from + SNIPPET_BYTES / 2 && !isspace((unsigned char)text[end]))
        end--;
    if (end == from + SNIPPET_BYTES / 2)
        for (end = hard; end > from && ((unsigned char)text[end] & 0xC0) == 0x80;)
            end--;
    return end;
}

void br_snippet(const char *text, size_t len, const struct br_term_hit *hits, size_t n_hits, struct br_buf *out)
{
    size_t from = n_hits ? back_off(text, best_start(hits, n_hits)) : 0;
    while (from < len && ((unsigned char)text[from] & 0xC0) == 0x80)
        from++;
    if (len <= SNIPPET_BYTES)
        from = 0;
    size_t end = cut_end(text, len, from);
    if (from)
        br_buf_adds(out, "… ");
    bool blank = false;
    for (size_t i = from; i < end; i++) { /* runs of white space become one blank */
        if (isspace((unsigned char)text[i])) {
            blank = true;
            continue;
        }
        if (blank && i > from)
            br_buf_addc(out, ' ');
        blank = false;
        br_buf_addc(out, text[i]);
    }
    if (end < len)
        br_buf_adds(out, " …");
}
