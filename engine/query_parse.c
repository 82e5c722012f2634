/* query_parse.c - what a person typed, as words for the model, an FTS5 expression and a filter.
 *
 * Slack's own grammar: from: in: before: after: on: during: has: is:thread, "phrases", -word. What can't be resolved is an error with the
 * nearest names, never ignored. FTS5 gets quoted strings only, so nothing typed is ever syntax. Words are alternatives, ranked by BM25; phrases
 * and exclusions are conditions. Very common English words are left out of the alternatives when others remain: they cost much
 * and rank nothing. */
#include "engine_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dates.h"

#define QUERY_BYTES_MAX 16384
#define WORD_BYTES_MAX 256

static bool is_stop_word(const char *w)
{
    static const char *const stop[] = {
        "a",    "about", "all",  "am",   "an",  "and",  "any",   "anyone", "are",  "as",   "at",    "be",    "been", "but",   "by",
        "can",  "could", "did",  "do",   "does", "for", "from",  "get",    "had",  "has",  "have",  "he",    "her",  "here",  "him",
        "his",  "how",   "i",    "if",   "in",  "into", "is",    "it",     "its",  "just", "like",  "me",    "my",   "no",    "not",
        "of",   "on",    "one",  "or",   "our", "out",  "she",   "should", "so",   "some", "than",  "that",  "the",  "their", "them",
        "then", "there", "they", "this", "to",  "up",   "us",    "use",    "was",  "we",   "were",  "what",  "when", "where", "which",
        "who",  "why",   "will", "with", "would", "you", "your"};
    for (size_t i = 0; i < BR_COUNT(stop); i++)
        if (strcmp(w, stop[i]) == 0)
            return true;
    return false;
}

static char *lower_copy(const char *s, size_t n)
{
    char *p = strndup(s, n);
    for (char *c = p; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return p;
}

/* Keeps a lower-cased copy in list if there is room; NULL only without memory. */
static bool remember(char **list, size_t cap, size_t *n, const char *s, size_t len)
{
    if (*n == cap)
        return true;
    list[*n] = lower_copy(s, len);
    return list[*n] ? ++*n, true : false;
}

/* ---- filters ---- */

static enum br_rc add_channel(struct br_workspace *ws, struct br_query *q, const char *name, struct br_err *err)
{
    void *p = realloc(q->channels, (q->filter.n_channels + 1) * sizeof *q->channels);
    if (!p)
        return br_fail_nomem(err);
    q->channels = p;
    enum br_rc rc = br_slack_find_channel(ws->store, name, q->channels[q->filter.n_channels], err);
    if (rc == BR_OK)
        q->filter.n_channels++;
    return rc;
}

static enum br_rc add_user(struct br_workspace *ws, struct br_query *q, const char *name, struct br_err *err)
{
    void *p = realloc(q->users, (q->filter.n_users + 1) * sizeof *q->users);
    if (!p)
        return br_fail_nomem(err);
    q->users = p;
    enum br_rc rc = br_slack_find_user(ws->store, name, q->users[q->filter.n_users], err);
    if (rc == BR_OK)
        q->filter.n_users++;
    return rc;
}

static enum br_rc add_date(struct br_query *q, const char *key, const char *value, struct br_err *err)
{
    int64_t from, to;
    struct br_slack_filter *f = &q->filter;
    if (!br_parse_date(value, &from, &to))
        return br_fail(err, BR_E_USAGE, "%s: \"%.60s\" is no date: give YYYY-MM-DD, YYYY-MM, YYYY, today, yesterday or a ts", key, value);
    bool lower = strcmp(key, "after") == 0, upper = strcmp(key, "before") == 0;
    int64_t after = lower ? to : from, before = upper ? from : to;
    if (!upper && after > f->after)
        f->after = after;
    if (!lower && (!f->before || before < f->before))
        f->before = BR_MAX(before, (int64_t)1);
    return BR_OK;
}

static enum br_rc add_has(struct br_query *q, const char *value, struct br_err *err)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {{"link", BR_HAS_LINK},         {"file", BR_HAS_FILE},   {"reaction", BR_HAS_REACTION},
                 {"reactions", BR_HAS_REACTION}, {"thread", BR_IS_THREAD}};
    for (size_t i = 0; i < BR_COUNT(names); i++)
        if (strcmp(value, names[i].name) == 0) {
            q->filter.has |= names[i].bit;
            return BR_OK;
        }
    size_t n = strlen(value);
    if (n > 2 && n < sizeof q->has_reaction && value[0] == ':' && value[n - 1] == ':') {
        snprintf(q->has_reaction, sizeof q->has_reaction, "%.*s", (int)(n - 2), value + 1);
        q->filter.has_reaction = q->has_reaction;
        return BR_OK;
    }
    return br_fail(err, BR_E_USAGE, "has: \"%.60s\" is unknown: give link, file, reaction, thread or :emoji:", value);
}

/* key:value in the query. *known is false when key is no filter of ours: then it is text. */
static enum br_rc add_filter(struct br_workspace *ws, struct br_query *q, const char *key, const char *value, bool *known, struct br_err *err)
{
    *known = true;
    if (strcmp(key, "in") == 0)
        return add_channel(ws, q, value, err);
    if (strcmp(key, "from") == 0)
        return add_user(ws, q, value, err);
    if (strcmp(key, "before") == 0 || strcmp(key, "after") == 0 || strcmp(key, "on") == 0 || strcmp(key, "during") == 0)
        return add_date(q, key, value, err);
    if (strcmp(key, "has") == 0)
        return add_has(q, value, err);
    if (strcmp(key, "is") == 0 && strcmp(value, "thread") == 0)
        return add_has(q, "thread", err);
    *known = false;
    return BR_OK;
}

/* ---- words ---- */

static enum br_rc add_text(struct br_query *q, const char *s, size_t n, struct br_err *err)
{
    if (q->text.len)
        br_buf_addc(&q->text, ' ');
    br_buf_add(&q->text, s, n);
    return br_buf_status(&q->text, err);
}

static bool has_word_character(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isalnum((unsigned char)s[i]) || (unsigned char)s[i] >= 0x80)
            return true;
    return false;
}

/* Without the punctuation around it. */
static void trim_punctuation(const char **s, size_t *n)
{
    while (*n && (unsigned char)**s < 0x80 && ispunct((unsigned char)**s)) {
        ++*s;
        --*n;
    }
    while (*n && (unsigned char)(*s)[*n - 1] < 0x80 && ispunct((unsigned char)(*s)[*n - 1]))
        --*n;
}

static enum br_rc add_word(struct br_query *q, const char *s, size_t n, struct br_err *err)
{
    enum br_rc rc = add_text(q, s, n, err);
    if (rc != BR_OK || !has_word_character(s, n))
        return rc;
    trim_punctuation(&s, &n);
    return remember(q->words, BR_COUNT(q->words), &q->n_words, s, BR_MIN(n, (size_t)WORD_BYTES_MAX)) ? BR_OK : br_fail_nomem(err);
}

static enum br_rc add_phrase(struct br_query *q, const char *s, size_t n, struct br_err *err)
{
    enum br_rc rc = add_text(q, s, n, err);
    if (rc != BR_OK || !has_word_character(s, n))
        return rc;
    n = BR_MIN(n, (size_t)WORD_BYTES_MAX);
    return remember(q->words, BR_COUNT(q->words), &q->n_words, s, n) &&
                   remember(q->phrases, BR_COUNT(q->phrases), &q->n_phrases, s, n)
               ? BR_OK
               : br_fail_nomem(err);
}

/* One blank-separated piece that is no quoted phrase. */
static enum br_rc add_piece(struct br_workspace *ws, struct br_query *q, const char *s, size_t n, struct br_err *err)
{
    const char *colon = memchr(s, ':', n);
    if (colon && colon > s && (size_t)(colon - s) < 8 && colon + 1 < s + n) {
        char key[8], value[WORD_BYTES_MAX];
        bool known;
        snprintf(key, sizeof key, "%.*s", (int)(colon - s), s);
        snprintf(value, sizeof value, "%.*s", (int)(s + n - colon - 1), colon + 1);
        enum br_rc rc = add_filter(ws, q, key, value, &known, err);
        if (rc != BR_OK || known)
            return rc;
    }
    if (n > 1 && s[0] == '-' && has_word_character(s + 1, 1))
        return remember(q->excluded, BR_COUNT(q->excluded), &q->n_excluded, s + 1, BR_MIN(n - 1, (size_t)WORD_BYTES_MAX))
                   ? BR_OK
                   : br_fail_nomem(err);
    return add_word(q, s, n, err);
}

static enum br_rc parse_text(struct br_workspace *ws, struct br_query *q, const char *s, bool literal, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    while (rc == BR_OK) {
        s += strspn(s, " \t\r\n");
        if (!*s)
            break;
        const char *close = *s == '"' && !literal ? strchr(s + 1, '"') : NULL;
        if (close) {
            rc = add_phrase(q, s + 1, (size_t)(close - s - 1), err);
            s = close + 1;
            continue;
        }
        size_t n = strcspn(s, " \t\r\n");
        /* from:"two words" */
        const char *quote = literal ? NULL : memchr(s, '"', n);
        const char *end = quote && quote > s && quote[-1] == ':' ? strchr(quote + 1, '"') : NULL;
        if (end && (size_t)(end - s) < WORD_BYTES_MAX) {
            char piece[WORD_BYTES_MAX + 8];
            int len = snprintf(piece, sizeof piece, "%.*s%.*s", (int)(quote - s), s, (int)(end - quote - 1), quote + 1);
            rc = add_piece(ws, q, piece, (size_t)len, err);
            s = end + 1;
            continue;
        }
        rc = literal ? add_word(q, s, n, err) : add_piece(ws, q, s, n, err);
        s += n;
    }
    return rc;
}

/* ---- the FTS5 expression ---- */

static void add_quoted(struct br_buf *b, const char *s)
{
    br_buf_addc(b, '"');
    for (; *s; s++) {
        if (*s == '"')
            br_buf_addc(b, '"');
        br_buf_addc(b, *s);
    }
    br_buf_addc(b, '"');
}

static void add_list(struct br_buf *b, char *const *list, size_t n, const char *joint)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            br_buf_adds(b, joint);
        add_quoted(b, list[i]);
    }
}

static void drop_stop_words(struct br_query *q)
{
    size_t n = 0;
    for (size_t i = 0; i < q->n_words; i++)
        n += !is_stop_word(q->words[i]);
    if (!n)
        return; /* nothing else was asked for */
    n = 0;
    for (size_t i = 0; i < q->n_words; i++)
        if (is_stop_word(q->words[i]))
            free(q->words[i]);
        else
            q->words[n++] = q->words[i];
    q->n_words = n;
}

/* (P1 AND P2 AND (w1 OR w2 OR P1)) NOT (x1 OR x2): BM25 counts every string named, so the words rank where the phrases select. */
static enum br_rc build_match(struct br_query *q, struct br_err *err)
{
    struct br_buf b;
    q->match[0] = 0;
    drop_stop_words(q);
    if (!q->n_words)
        return BR_OK;
    br_buf_init(&b, sizeof q->match - 1);
    br_buf_adds(&b, "(");
    if (q->n_phrases) {
        add_list(&b, q->phrases, q->n_phrases, " AND ");
        br_buf_adds(&b, " AND ");
    }
    br_buf_adds(&b, "(");
    add_list(&b, q->words, q->n_words, " OR ");
    br_buf_adds(&b, "))");
    if (q->n_excluded) {
        br_buf_adds(&b, " NOT (");
        add_list(&b, q->excluded, q->n_excluded, " OR ");
        br_buf_adds(&b, ")");
    }
    enum br_rc rc = b.failed ? br_fail(err, BR_E_USAGE, "the query is too long: at most about 60 words are searched as keywords") : BR_OK;
    if (rc == BR_OK)
        memcpy(q->match, b.data, b.len + 1);
    br_buf_free(&b);
    return rc;
}

static enum br_rc point_at_ids(struct br_query *q, struct br_err *err)
{
    struct br_slack_filter *f = &q->filter;
    q->channel_ptrs = calloc(f->n_channels + 1, sizeof *q->channel_ptrs);
    q->user_ptrs = calloc(f->n_users + 1, sizeof *q->user_ptrs);
    if (!q->channel_ptrs || !q->user_ptrs)
        return br_fail_nomem(err);
    for (size_t i = 0; i < f->n_channels; i++)
        q->channel_ptrs[i] = q->channels[i];
    for (size_t i = 0; i < f->n_users; i++)
        q->user_ptrs[i] = q->users[i];
    f->channel_ids = q->channel_ptrs;
    f->user_ids = q->user_ptrs;
    return BR_OK;
}

enum br_rc br_query_parse(struct br_workspace *ws, const char *query, const struct br_search_options *o, struct br_query *q, struct br_err *err)
{
    enum br_rc rc;
    *q = (struct br_query){0};
    br_buf_init(&q->text, QUERY_BYTES_MAX);
    if (strlen(query) > QUERY_BYTES_MAX)
        BR_TRY(br_fail(err, BR_E_USAGE, "the query is longer than %d bytes", QUERY_BYTES_MAX));
    BR_TRY(parse_text(ws, q, query, o->literal, err));
    for (size_t i = 0; i < o->n_channels; i++)
        BR_TRY(add_channel(ws, q, o->channels[i], err));
    for (size_t i = 0; i < o->n_users; i++)
        BR_TRY(add_user(ws, q, o->users[i], err));
    for (size_t i = 0; i < o->n_has; i++)
        BR_TRY(add_has(q, o->has[i], err));
    if (o->after)
        BR_TRY(add_date(q, "after", o->after, err));
    if (o->before)
        BR_TRY(add_date(q, "before", o->before, err));
    BR_TRY(point_at_ids(q, err));
    BR_TRY(build_match(q, err));
    return BR_OK;
err:
    br_query_free(q);
    return rc;
}

static void free_list(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i]);
}

void br_query_free(struct br_query *q)
{
    br_buf_free(&q->text);
    free_list(q->words, q->n_words);
    free_list(q->phrases, q->n_phrases);
    free_list(q->excluded, q->n_excluded);
    free(q->channels);
    free(q->users);
    free(q->channel_ptrs);
    free(q->user_ptrs);
    *q = (struct br_query){0};
}
