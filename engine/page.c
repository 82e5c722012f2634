/* page.c - cursors of searches.
 *
 * A cursor is all there is to know: nothing is kept between pages. Its fields, in hexadecimal and parted by minus signs:
 *   1 fingerprint of the question   2 generation of the logs   3, 4 slots and content records there were at the first page
 *   5 hits on the first page        6 hits shown so far        7 to 12 what words were weighed by (struct br_word_totals)
 *   13 channel:ts of the last one shown
 * A later page is a part of the same ranking: as deep as the first page looked, over the documents that were there then. What was deleted or
 * edited since is gone from it (so are the passages of a thread that went on), and the page begins behind the last hit shown wherever that is
 * now. A compaction gives documents other numbers: cursors of before it are refused. */
#include "page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 12 }; /* numbers of a cursor */

static bool field(const char **s, uint64_t *out)
{
    size_t n = strspn(*s, "0123456789abcdef");
    if (!n || n > 16 || (*s)[n] != '-')
        return false;
    *out = strtoull(*s, NULL, 16);
    *s += n + 1;
    return true;
}

static bool parse(const char *s, uint64_t fields[FIELDS], struct br_page *p)
{
    for (int i = 0; i < FIELDS; i++)
        if (!field(&s, &fields[i]))
            return false;
    const char *colon = strrchr(s, ':');
    size_t n = colon ? (size_t)(colon - s) : 0;
    if (!n || n >= sizeof p->last_channel || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 18)
        return false;
    memcpy(p->last_channel, s, n);
    p->last_ts = strtoll(colon + 1, NULL, 10);
    return true;
}

enum br_rc br_page_of(const char *cursor, uint64_t fingerprint, size_t n, const struct br_store_info *now, struct br_page *page,
                      struct br_err *err)
{
    uint64_t f[FIELDS];
    *page = (struct br_page){
        .base_n = n, .n = n, .slots = now->vector_tail, .contents = now->next_content_id, .generation = now->generation};
    if (!cursor)
        return BR_OK;
    if (!parse(cursor, f, page))
        return br_fail(err, BR_E_USAGE, "the cursor \"%.40s\" is none: give the next_cursor of the page before, or leave it out", cursor);
    if (f[0] != fingerprint)
        return br_fail(err, BR_E_USAGE, "the cursor belongs to another question: ask the one it came from, with the same filters and mode");
    if (f[1] != now->generation)
        return br_fail(err, BR_E_USAGE, "the archive was compacted since the cursor was made: begin again with the first page");
    if (f[4] < 1 || f[4] > BR_SEARCH_N_MAX || f[5] < 1 || f[5] >= BR_SEARCH_N_MAX)
        return br_fail(err, BR_E_USAGE, "pages go as far as hit %d: ask a narrower question", BR_SEARCH_N_MAX);
    page->slots = f[2];
    page->contents = f[3];
    page->base_n = (size_t)f[4];
    page->offset = (size_t)f[5];
    page->n = BR_MIN(n, BR_SEARCH_N_MAX - page->offset); /* the last page may be a short one */
    page->words = (struct br_word_totals){.documents = {f[6], f[7]}, .tokens = {f[8], f[9]}, .threads = f[10], .lone = f[11]};
    page->pinned = now->vector_tail > page->slots || now->next_content_id > page->contents;
    return BR_OK;
}

/* Where the page begins: behind the last hit shown; where that one is gone, behind as many as were shown. */
static size_t begin(const struct br_page *p, const struct br_search_results *r)
{
    for (size_t i = 0; p->offset && i < r->count; i++)
        if (r->hits[i].message.ts == p->last_ts && strcmp(r->hits[i].message.channel_id, p->last_channel) == 0)
            return i + 1;
    return BR_MIN(p->offset, r->count);
}

enum br_rc br_page_cut(const struct br_page *p, uint64_t fingerprint, struct br_search_results *r, struct br_err *err)
{
    size_t from = begin(p, r);
    bool more = r->count - from > p->n && p->offset + p->n < BR_SEARCH_N_MAX;
    r->count = BR_MIN(r->count - from, p->n);
    if (from && r->count)
        memmove(r->hits, r->hits + from, r->count * sizeof *r->hits);
    for (size_t i = 0; i < r->count; i++)
        r->hits[i].rank = p->offset + i + 1;
    if (!more)
        return BR_OK;
    const struct br_message *last = &r->hits[r->count - 1].message;
    const struct br_word_totals *w = &p->words;
    char cursor[FIELDS * 17 + 64 + 21];
    const uint64_t fields[FIELDS] = {fingerprint,     p->generation,   p->slots,     p->contents,  p->base_n, p->offset + r->count,
                                     w->documents[0], w->documents[1], w->tokens[0], w->tokens[1], w->threads,   w->lone};
    int n = 0;
    for (int i = 0; i < FIELDS; i++)
        n += snprintf(cursor + n, sizeof cursor - (size_t)n, "%" PRIx64 "-", fields[i]);
    snprintf(cursor + n, sizeof cursor - (size_t)n, "%s:%" PRId64, last->channel_id, last->ts);
    r->next_cursor = strdup(cursor);
    return r->next_cursor ? BR_OK : br_fail_nomem(err);
}
