/* service.c - br_search: what stands before a search. Limits, the page that is asked for, and the cache.
 *
 * An answer depends on the question and its options, on the day (today, yesterday), and on the state of the store, which uuid, generation,
 * last_seq and commits name: every transaction of a writer moves one of them. All of that is the key, and it is read in the snapshot the
 * answer is made in. So no answer outlives the commit that would have changed it, whichever process made that. */
#include "cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "cache_key.h"
#include "dates.h"
#include "page.h"

#define KEY_BYTES_MAX ((size_t)1 << 18)

/* ---- the key ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What is read of it. Blanks part words, however many; only between quotation marks might they be meant. */
static void add_query(struct br_buf *b, const char *query)
{
    size_t len = br_query_length(query);
    bool quoted = strchr(query, '"') || strstr(query, "\u201C") || strstr(query, "\u201D");
    if (quoted)
        br_buf_add(b, query, len);
    for (size_t i = 0; i < len && !quoted; i++) {
        if (!is_blank(query[i]))
            br_buf_addc(b, query[i]);
        if (!is_blank(query[i]) && (i + 1 == len || is_blank(query[i + 1])))
            br_buf_addc(b, ' ');
    }
    br_buf_addc(b, 0);
}

/* The question, without the page. */
static void add_question(struct br_buf *b, const char *query, const struct br_search_options *o)
{
    int64_t today, tomorrow;
    br_key_number(b, (uint64_t)o->mode);
    br_key_number(b, (uint64_t)o->exact << 1 | o->literal);
    br_key_strings(b, o->channels, o->n_channels);
    br_key_strings(b, o->users, o->n_users);
    br_key_strings(b, o->has, o->n_has);
    br_key_strings(b, o->with, o->n_with);
    br_key_strings(b, o->is, o->n_is);
    br_key_number(b, o->min_reactions);
    br_key_string(b, o->after);
    br_key_string(b, o->before);
    br_key_string(b, o->me ? o->me : getenv("BACKREAD_ME"));
    if (br_parse_date("today", &today, &tomorrow))
        br_key_number(b, (uint64_t)today);
    add_query(b, query);
}

static void add_state(struct br_buf *b, const struct br_store_info *info)
{
    const struct br_state state = br_state_of(info);
    br_buf_add(b, &state, sizeof state);
}

/* ---- limits ---- */

static enum br_rc check(const char *query, const struct br_search_options *o, struct br_err *err)
{
    size_t filters = o->n_channels + o->n_users + o->n_has + o->n_with + o->n_is;
    if (o->n > BR_SEARCH_N_MAX)
        return br_fail(err, BR_E_USAGE, "at most %d hits can be asked for", BR_SEARCH_N_MAX);
    if (o->n_channels > BR_SEARCH_FILTERS_MAX || o->n_users > BR_SEARCH_FILTERS_MAX || o->n_has > BR_SEARCH_FILTERS_MAX ||
        o->n_with > BR_SEARCH_FILTERS_MAX || o->n_is > BR_SEARCH_FILTERS_MAX || filters > BR_SEARCH_FILTERS_MAX)
        return br_fail(err, BR_E_USAGE, "too many filters: at most %d in one question", BR_SEARCH_FILTERS_MAX);
    return o->literal ? BR_OK : br_query_check_end(query, err);
}

/* ---- br_search ---- */

static double milliseconds_since(const struct timespec *from)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) * 1e3 + (double)(now.tv_nsec - from->tv_nsec) / 1e6;
}

static enum br_rc answer(struct br_workspace *ws, const char *query, const struct br_search_options *o, struct br_search_results *out,
                         struct br_err *err)
{
    struct br_search_results r = {0};
    struct br_store_info info;
    struct br_page page;
    struct br_buf key;
    struct timespec from;
    enum br_rc rc;
    clock_gettime(CLOCK_MONOTONIC, &from);
    br_buf_init(&key, KEY_BYTES_MAX);
    BR_TRY(br_store_now(ws->store, &info, err));
    const struct br_state now = br_state_of(&info);
    br_cache_begin(ws->cache, &now);
    add_question(&key, query, o);
    BR_TRY(br_buf_status(&key, err));
    uint64_t fingerprint = XXH3_64bits(key.data, key.len);
    BR_TRY(br_page_of(o->cursor, fingerprint, o->n ? o->n : BR_SEARCH_N_DEFAULT, &info, &page, err));
    add_state(&key, &info);
    br_key_number(&key, page.n);
    br_key_string(&key, o->cursor);
    BR_TRY(br_buf_status(&key, err));
    if (o->explain) { /* of the search itself: what a cache gives says nothing of it, and it is not kept */
        bool remembered = br_cache_has_results(ws->cache, key.data, key.len);
        BR_TRY(br_search_fresh(ws, query, o, &page, &r, err));
        BR_TRY(br_page_cut(&page, fingerprint, &r, err));
        r.explain->answer_remembered = remembered;
        r.explain->ms.total = milliseconds_since(&from) - r.explain->ms.explain;
    } else if (br_cache_results(ws->cache, key.data, key.len, &r)) {
        r.took_ms = milliseconds_since(&from);
        r.cached = true;
    } else {
        BR_TRY(br_search_fresh(ws, query, o, &page, &r, err));
        BR_TRY(br_page_cut(&page, fingerprint, &r, err));
        br_cache_keep_results(ws->cache, key.data, key.len, &r);
    }
    *out = r;
    r = (struct br_search_results){0};
err:
    br_search_results_free(&r);
    br_buf_free(&key);
    return rc;
}

int br_search(struct br_workspace *ws, const char *query, const struct br_search_options *options, struct br_search_results *out,
              struct br_error *error)
{
    static const struct br_search_options defaults = {0};
    const struct br_search_options *o = options ? options : &defaults;
    struct br_err err = {0};
    enum br_rc rc;
    BR_TRY(check(query, o, &err));
    BR_TRY(br_store_read_begin(ws->store, &err));
    rc = answer(ws, query, o, out, &err);
    br_store_read_end(ws->store);
err:
    return br_status_of(rc, &err, error);
}

void br_workspace_cache_limit(struct br_workspace *ws, size_t bytes)
{
    br_cache_set_limit(ws->cache, bytes);
}

void br_workspace_cache_status(const struct br_workspace *ws, struct br_cache_status *out)
{
    br_cache_status_of(ws->cache, out);
}
