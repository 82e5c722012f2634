/* query_parse.c - what a person typed, as words for the model, FTS5 expressions and a filter.
 *
 * Slack's own grammar: from: in: with: before: after: on: during: has: is:thread, is:root, min_reactions:, "phrases", -word; a minus before a
 * phrase or a filter excludes too. "me" is whoever the caller, or else BACKREAD_ME, says.
 * What can't be resolved is an error with the nearest names, never ignored. FTS5 gets quoted strings only, so nothing typed is ever syntax.
 * Words are alternatives, ranked by BM25, each once; phrases and exclusions are conditions of the filter. What is typed as one word but is several
 * to the keyword index (eq_zero_of_dvd, libfoo.so.6) is an alternative as a whole and in its parts: whole, it says more; often only parts are
 * there. Very common English words are left out of the alternatives when others remain: they cost much and rank nothing. */
#include "engine_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <xxhash.h>

#include "dates.h"
#include "reaction.h"

#define QUERY_BYTES_MAX 16384
#define WORD_BYTES_MAX 256
#define KEY_BYTES_MAX 16 /* min_reactions: is the longest */
#define CONDITIONS_MAX 64

/* While parsing. */
struct parser {
    struct br_workspace *ws;
    struct br_slack_tokenizer *tokenizer;
    struct br_query *q;
    const char *me; /* name or id of who "me" is, NULL unknown */
    struct br_tokens tokens; /* scratch */
    size_t n_conditions, n_filters;
    struct br_term stop_words[BR_QUERY_WORDS_MAX]; /* taken when there is nothing else */
    size_t n_stop_words;
    uint64_t alternatives[BR_QUERY_ALTERNATIVES_MAX]; /* hashes of those in q */
};

static bool is_stop_word(const char *w, size_t n)
{
    static const char *const stop[] = {
        "a",    "about", "all",  "am",   "an",  "and",  "any",   "anyone", "are",  "as",   "at",    "be",    "been", "but",   "by",
        "can",  "could", "did",  "do",   "does", "for", "from",  "get",    "had",  "has",  "have",  "he",    "her",  "here",  "him",
        "his",  "how",   "i",    "if",   "in",  "into", "is",    "it",     "its",  "just", "like",  "me",    "my",   "no",    "not",
        "of",   "on",    "one",  "or",   "our", "out",  "she",   "should", "so",   "some", "than",  "that",  "the",  "their", "them",
        "then", "there", "they", "this", "to",  "up",   "us",    "use",    "was",  "we",   "were",  "what",  "when", "where", "which",
        "who",  "why",   "will", "with", "would", "you", "your"};
    for (size_t i = 0; i < BR_COUNT(stop); i++)
        if (strlen(stop[i]) == n && strncasecmp(w, stop[i], n) == 0)
            return true;
    return false;
}

/* ---- filters ---- */

static enum br_rc list_add(struct br_query *q, struct br_query_list *l, const char *s, struct br_err *err)
{
    const char *copy = br_arena_str(&q->arena, s);
    const char **p = copy ? realloc(l->items, (l->n + 1) * sizeof *p) : NULL;
    if (!p)
        return br_fail_nomem(err);
    l->items = p;
    l->items[l->n++] = copy;
    return BR_OK;
}

struct dm_adder {
    struct br_query *q;
    struct br_query_list *list;
};

static enum br_rc add_dm(void *ctx, const char *id, const char *name)
{
    struct dm_adder *a = ctx;
    (void)name;
    return list_add(a->q, a->list, id, NULL);
}

/* "me", with or without its @, becomes who that is. */
static enum br_rc resolve_me(const struct parser *p, const char *key, const char **name, struct br_err *err)
{
    if (strcasecmp(*name + (**name == '@'), "me") != 0)
        return BR_OK;
    if (!p->me || !p->me[0])
        return br_fail(err, BR_E_USAGE, "%s:me: it is not known who you are: say it with --me NAME, or set BACKREAD_ME to your name or id", key);
    *name = p->me;
    return BR_OK;
}

/* in:#tools, in:tools, in:C024BE91L; in:@ada is the direct messages with her. */
static enum br_rc add_channel(struct parser *p, bool negated, const char *name, struct br_err *err)
{
    char id[64];
    struct dm_adder dms = {.q = p->q, .list = &p->q->channels[negated]};
    enum br_rc rc;
    if (name[0] == '@') {
        BR_TRY(resolve_me(p, "in", &name, err));
        return br_slack_find_dms(p->ws->store, name, add_dm, &dms, err);
    }
    BR_TRY(br_slack_find_channel(p->ws->store, name, id, err));
    BR_TRY(list_add(p->q, dms.list, id, err));
err:
    return rc;
}

/* key: from or with. A person, else a bot. */
static enum br_rc add_author(struct parser *p, const char *key, const char *name, struct br_slack_author **list, size_t *n, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(resolve_me(p, key, &name, err));
    struct br_slack_author *a = realloc(*list, (*n + 1) * sizeof *a);
    if (!a)
        return br_fail_nomem(err);
    *list = a;
    BR_TRY(br_slack_find_author(p->ws->store, name, &a[*n], err));
    ++*n;
err:
    return rc;
}

/* "Not before" a day is from that day on. "Not on" a day would be two ranges: not offered. */
static enum br_rc add_date(struct br_query *q, bool negated, const char *key, const char *value, struct br_err *err)
{
    int64_t from, to;
    struct br_slack_filter *f = &q->filter;
    bool lower = strcmp(key, "after") == 0, upper = strcmp(key, "before") == 0;
    if (!br_parse_date(value, &from, &to))
        return br_fail(err, BR_E_USAGE, "%s: \"%.60s\" is no date: give " BR_DATE_FORMS, key, value);
    if (negated && !lower && !upper)
        return br_fail(err, BR_E_USAGE, "-%s: cannot be excluded: give before: or after:", key);
    int64_t after = lower ? to : from, before = upper ? from : to;
    if (negated ? upper : !upper)
        f->after = BR_MAX(f->after, negated ? from : after);
    if (negated ? lower : !lower) {
        int64_t bound = BR_MAX(negated ? to : before, (int64_t)1); /* 0 is no bound; nothing is before 1970 */
        f->before = f->before ? BR_MIN(f->before, bound) : bound;
    }
    return BR_OK;
}

/* :emoji: by any of its names, with or without tone, as the importer folds them. */
static enum br_rc add_reaction(struct parser *p, bool negated, const char *value, size_t n, struct br_err *err)
{
    char name[WORD_BYTES_MAX];
    snprintf(name, sizeof name, "%.*s", (int)n, value);
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    const char *folded = br_reaction_fold(name, &p->q->arena);
    return folded ? list_add(p->q, &p->q->reactions[negated], folded, err) : br_fail_nomem(err);
}

static enum br_rc add_has(struct parser *p, bool negated, const char *value, struct br_err *err)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {{"link", BR_HAS_LINK},          {"file", BR_HAS_FILE},     {"reaction", BR_HAS_REACTION},
                 {"reactions", BR_HAS_REACTION}, {"thread", BR_IS_THREAD}, {"pin", BR_IS_PINNED},
                 {"links", BR_HAS_LINK},         {"files", BR_HAS_FILE},    {"pins", BR_IS_PINNED}};
    struct br_slack_filter *f = &p->q->filter;
    for (size_t i = 0; i < BR_COUNT(names); i++)
        if (strcasecmp(value, names[i].name) == 0) {
            *(negated ? &f->without.has : &f->with.has) |= names[i].bit;
            return BR_OK;
        }
    size_t n = strlen(value);
    if (n > 2 && value[0] == ':' && value[n - 1] == ':')
        return add_reaction(p, negated, value + 1, n - 2, err);
    return br_fail(err, BR_E_USAGE, "has: \"%.60s\" is unknown: give link, file, reaction, pin, thread or :emoji:", value);
}

static enum br_rc add_is(struct parser *p, bool negated, const char *value, struct br_err *err)
{
    struct br_slack_filter *f = &p->q->filter;
    bool root = strcasecmp(value, "root") == 0;
    if (!root && strcasecmp(value, "thread") != 0)
        return br_fail(err, BR_E_USAGE, "is: \"%.60s\" is unknown: give thread (any message of one) or root (its first)", value);
    *(negated ? &f->without.has : &f->with.has) |= root ? BR_IS_ROOT : BR_IS_THREAD;
    return BR_OK;
}

/* Several: the strictest counts. */
static enum br_rc add_min_reactions(struct parser *p, bool negated, const char *value, struct br_err *err)
{
    struct br_slack_terms *t = negated ? &p->q->filter.without : &p->q->filter.with;
    size_t n = strlen(value);
    if (!n || n > 9 || strspn(value, "0123456789") != n || strspn(value, "0") == n)
        return br_fail(err, BR_E_USAGE, "min_reactions: \"%.60s\" is not a whole number of 1 or more: give one, as in min_reactions:3", value);
    int64_t least = strtoll(value, NULL, 10);
    t->min_reactions = !t->min_reactions ? least : negated ? BR_MIN(t->min_reactions, least) : BR_MAX(t->min_reactions, least);
    return BR_OK;
}

static bool is_one_of(const char *key, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(key, list[i]) == 0)
            return true;
    return false;
}

/* key:value, key in lower case and one of ours. */
static enum br_rc add_filter(struct parser *p, bool negated, const char *key, const char *value, struct br_err *err)
{
    struct br_slack_terms *terms = negated ? &p->q->filter.without : &p->q->filter.with;
    if (++p->n_filters > BR_SEARCH_FILTERS_MAX)
        return br_fail(err, BR_E_USAGE, "too many filters: at most %d in one question", BR_SEARCH_FILTERS_MAX);
    if (strlen(value) >= WORD_BYTES_MAX)
        return br_fail(err, BR_E_USAGE, "%s: the value is too long: at most %d bytes", key, WORD_BYTES_MAX - 1);
    if (!value[0])
        return br_fail(err, BR_E_USAGE, "%s: needs a value right after the colon, as in in:general or from:\"Ada Lovelace\"", key);
    if (strcmp(key, "in") == 0)
        return add_channel(p, negated, value, err);
    if (strcmp(key, "from") == 0)
        return add_author(p, key, value, &p->q->authors[negated], &terms->n_authors, err);
    if (strcmp(key, "with") == 0)
        return add_author(p, key, value, &p->q->participants[negated], &terms->n_participants, err);
    if (strcmp(key, "has") == 0)
        return add_has(p, negated, value, err);
    if (strcmp(key, "is") == 0)
        return add_is(p, negated, value, err);
    if (strcmp(key, "min_reactions") == 0)
        return add_min_reactions(p, negated, value, err);
    return add_date(p->q, negated, key, value, err);
}

/* Length of "key:" at s when the key is a filter's, in any case; its name in lower case in key. 0: it is text. */
static size_t filter_key(const char *s, size_t n, char key[KEY_BYTES_MAX])
{
    static const char *const keys[] = {"in", "from", "with", "before", "after", "on", "during", "has", "is", "min_reactions"};
    const char *colon = memchr(s, ':', n);
    size_t len = colon ? (size_t)(colon - s) : 0;
    if (!len || len >= KEY_BYTES_MAX)
        return 0;
    for (size_t i = 0; i < len; i++)
        key[i] = (char)tolower((unsigned char)s[i]);
    key[len] = 0;
    return is_one_of(key, keys, BR_COUNT(keys)) ? len + 1 : 0;
}

/* ---- words ---- */

static enum br_rc add_text(struct br_query *q, const char *s, size_t n, struct br_err *err)
{
    if (q->text.len)
        br_buf_addc(&q->text, ' ');
    br_buf_add(&q->text, s, n);
    return br_buf_status(&q->text, err);
}

/* Without the ASCII punctuation around it. */
static void trim_punctuation(const char **s, size_t *n)
{
    while (*n && (unsigned char)**s < 0x80 && ispunct((unsigned char)**s)) {
        ++*s;
        --*n;
    }
    while (*n && (unsigned char)(*s)[*n - 1] < 0x80 && ispunct((unsigned char)(*s)[*n - 1]))
        --*n;
}

static void term_free(struct br_term *t)
{
    free(t->text);
    free(t->stems);
}

static enum br_rc term_new(const char *s, size_t n, const struct br_token *tokens, size_t n_tokens, struct br_term *t, struct br_err *err)
{
    *t = (struct br_term){.text = strndup(s, n), .stems = malloc(n_tokens * sizeof *t->stems), .n_stems = n_tokens};
    if (!t->text || !t->stems) {
        term_free(t);
        return br_fail_nomem(err);
    }
    for (size_t i = 0; i < n_tokens; i++)
        t->stems[i] = tokens[i].hash;
    return BR_OK;
}

/* n_stems is 0 when the keyword index knows no word in it. */
static enum br_rc term_of(struct parser *p, const char *s, size_t n, struct br_term *t, struct br_err *err)
{
    *t = (struct br_term){0};
    enum br_rc rc = br_tokens_of(p->tokenizer, s, n, &p->tokens, err);
    return rc == BR_OK && p->tokens.n ? term_new(s, n, p->tokens.items, p->tokens.n, t, err) : rc;
}

/* Each once. Words past the limit, or the buffer's end, rank nothing: they are still part of what is embedded. */
static void keep_word(struct br_term *list, size_t *n, struct br_term *t)
{
    bool known = *n == BR_QUERY_WORDS_MAX;
    for (size_t i = 0; i < *n && !known; i++)
        known = list[i].n_stems == t->n_stems && memcmp(list[i].stems, t->stems, t->n_stems * sizeof *t->stems) == 0;
    if (known)
        term_free(t);
    else
        list[(*n)++] = *t;
}

static enum br_rc add_word(struct parser *p, const char *s, size_t n, struct br_err *err)
{
    struct br_term t;
    enum br_rc rc = add_text(p->q, s, n, err);
    if (rc != BR_OK)
        return rc;
    trim_punctuation(&s, &n);
    n = BR_MIN(n, (size_t)WORD_BYTES_MAX);
    rc = term_of(p, s, n, &t, err);
    if (rc != BR_OK || !t.n_stems)
        return rc;
    if (is_stop_word(t.text, n))
        keep_word(p->stop_words, &p->n_stop_words, &t);
    else
        keep_word(p->q->words, &p->q->n_words, &t);
    return BR_OK;
}

static void add_quoted(struct br_buf *b, const char *joint, const char *s, size_t n)
{
    if (b->len)
        br_buf_adds(b, joint);
    br_buf_addc(b, '"');
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"')
            br_buf_addc(b, '"');
        br_buf_addc(b, s[i]);
    }
    br_buf_addc(b, '"');
}

/* An alternative of the ranking, if it is new and fits. False: it is not. */
static bool add_alternative(struct parser *p, uint64_t hash, const char *s, size_t n)
{
    struct br_query *q = p->q;
    for (size_t i = 0; i < q->n_alternatives; i++)
        if (p->alternatives[i] == hash)
            return false;
    if (q->n_alternatives == BR_COUNT(p->alternatives) || q->match.len + 2 * n + 8 > q->match.cap)
        return false;
    p->alternatives[q->n_alternatives] = hash;
    add_quoted(&q->match, BR_QUERY_OR, s, n);
    q->alternative_end[q->n_alternatives++] = q->match.len;
    return true;
}

/* A phrase or an exclusion: kept or refused, never dropped. */
static enum br_rc add_condition(struct parser *p, bool negated, const char *s, size_t n, struct br_err *err)
{
    struct br_buf *b = negated ? &p->q->excluded : &p->q->phrases;
    enum br_rc rc = br_tokens_of(p->tokenizer, s, n, &p->tokens, err);
    if (rc != BR_OK)
        return rc;
    if (!p->tokens.n)
        return br_fail(err, BR_E_USAGE, "\"%.*s\" has no word to %s", (int)BR_MIN(n, (size_t)60), s, negated ? "exclude" : "find");
    if (++p->n_conditions > CONDITIONS_MAX)
        return br_fail(err, BR_E_USAGE, "too many phrases and excluded words: at most %d", CONDITIONS_MAX);
    add_quoted(b, negated ? " OR " : " AND ", s, n);
    if (b->no_memory)
        return br_fail_nomem(err);
    return b->failed ? br_fail(err, BR_E_USAGE, "the phrases and excluded words are too long: at most %d bytes", BR_QUERY_MATCH_MAX) : BR_OK;
}

static bool is_blank_text(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && isspace((unsigned char)s[i]))
        i++;
    return i == n;
}

/* What is quoted. Where it is wanted it also ranks, whole and in its words. */
static enum br_rc add_phrase(struct parser *p, bool negated, const char *s, size_t n, struct br_err *err)
{
    struct br_term t;
    if (is_blank_text(s, n))
        return BR_OK;
    enum br_rc rc = add_condition(p, negated, s, n, err);
    if (rc == BR_OK && !negated)
        rc = add_text(p->q, s, n, err);
    if (rc != BR_OK || negated)
        return rc;
    if (rc == BR_OK)
        rc = term_of(p, s, n, &t, err);
    if (rc == BR_OK)
        keep_word(p->q->words, &p->q->n_words, &t);
    return rc;
}

/* ---- the pieces of a query ---- */

static bool starts_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* One blank-separated piece that is neither phrase nor filter. */
static enum br_rc add_piece(struct parser *p, const char *s, size_t n, struct br_err *err)
{
    if (n > 1 && s[0] == '-' && starts_word(s[1]))
        return add_condition(p, true, s + 1, n - 1, err);
    return add_word(p, s, n, err);
}

/* The value of a filter at *s: quoted, or up to the next blank. *s moves past it. */
static enum br_rc filter_value(const char *key, const char **s, char value[WORD_BYTES_MAX], struct br_err *err)
{
    const char *from = *s, *close = *from == '"' ? strchr(from + 1, '"') : NULL;
    size_t n = close ? (size_t)(close - from - 1) : strcspn(from, " \t\r\n");
    if (n >= WORD_BYTES_MAX)
        return br_fail(err, BR_E_USAGE, "%s: the value is too long", key);
    memcpy(value, from + (close != NULL), n);
    value[n] = 0;
    *s = close ? close + 1 : from + n;
    return BR_OK;
}

/* What begins at *s, which is no blank. *s moves past it. */
static enum br_rc parse_one(struct parser *p, const char **s, struct br_err *err)
{
    bool negated = **s == '-';
    const char *at = *s + negated;
    size_t n = strcspn(at, " \t\r\n");
    char key[KEY_BYTES_MAX], value[WORD_BYTES_MAX];
    const char *close = *at == '"' ? strchr(at + 1, '"') : NULL;
    if (close) {
        *s = close + 1;
        return add_phrase(p, negated, at + 1, (size_t)(close - at - 1), err);
    }
    size_t key_len = filter_key(at, n, key);
    if (key_len) {
        *s = at + key_len;
        enum br_rc rc = filter_value(key, s, value, err);
        return rc == BR_OK ? add_filter(p, negated, key, value, err) : rc;
    }
    const char *piece = *s;
    *s = at + n;
    return add_piece(p, piece, n + negated, err);
}

static enum br_rc parse_text(struct parser *p, const char *s, bool literal, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    while (rc == BR_OK) {
        s += strspn(s, " \t\r\n");
        if (!*s)
            break;
        if (literal) {
            size_t n = strcspn(s, " \t\r\n");
            rc = add_word(p, s, n, err);
            s += n;
        } else {
            rc = parse_one(p, &s, err);
        }
    }
    return rc;
}

size_t br_query_length(const char *query)
{
    size_t n = strnlen(query, QUERY_BYTES_MAX + 1);
    if (n > QUERY_BYTES_MAX)
        for (n = QUERY_BYTES_MAX; n && ((unsigned char)query[n] & 0xC0) == 0x80;)
            n--;
    return n;
}

/* Begins at a whole piece, so that what is cut in two counts as behind. */
static bool has_condition(const char *s)
{
    char key[KEY_BYTES_MAX];
    if (strchr(s, '"') || strstr(s, "\u201C") || strstr(s, "\u201D"))
        return true;
    while (*(s += strspn(s, " \t\r\n"))) {
        size_t n = strcspn(s, " \t\r\n"), minus = *s == '-';
        if ((minus && starts_word(s[1])) || filter_key(s + minus, n - minus, key))
            return true;
        s += n;
    }
    return false;
}

enum br_rc br_query_check_end(const char *query, struct br_err *err)
{
    size_t n = br_query_length(query);
    if (!query[n])
        return BR_OK;
    while (n && !strchr(" \t\r\n", query[n - 1]))
        n--;
    return has_condition(query + n) ? br_fail(err, BR_E_USAGE,
                                              "only the first %d bytes of a question are read: put filters, phrases and excluded words there",
                                              QUERY_BYTES_MAX)
                                    : BR_OK;
}

/* What is read of the query, with typographic quotes as plain ones unless literal. */
static void plain_query(const char *query, bool literal, struct br_buf *out)
{
    size_t n = br_query_length(query);
    for (size_t i = 0; i < n; i++) {
        bool quote = !literal && i + 2 < n && (strncmp(query + i, "\u201C", 3) == 0 || strncmp(query + i, "\u201D", 3) == 0);
        br_buf_addc(out, quote ? '"' : query[i]);
        i += quote ? 2 : 0;
    }
}

void br_query_words(const char *query, struct br_buf *out)
{
    struct br_buf plain;
    br_buf_init(&plain, QUERY_BYTES_MAX);
    plain_query(query, true, &plain);
    for (const char *s = br_buf_str(&plain); *(s += strspn(s, " \t\r\n"));) {
        size_t n = strcspn(s, " \t\r\n");
        if (out->len)
            br_buf_addc(out, ' ');
        br_buf_add(out, s, n);
        s += n;
    }
    br_buf_free(&plain);
}

/* ---- putting it together ---- */

/* The parts of a term that is several words to the keyword index. What finds a message is also shown as its reason. */
static enum br_rc add_parts(struct parser *p, const struct br_term *t, struct br_err *err)
{
    enum br_rc rc = br_tokens_of(p->tokenizer, t->text, strlen(t->text), &p->tokens, err);
    for (size_t i = 0; rc == BR_OK && i < p->tokens.n; i++) {
        const struct br_token *part = &p->tokens.items[i];
        const char *s = t->text + part->start;
        size_t n = part->end - part->start;
        struct br_term word;
        if (is_stop_word(s, n) || !add_alternative(p, part->hash, s, n))
            continue;
        rc = term_new(s, n, part, 1, &word, err);
        if (rc == BR_OK)
            keep_word(p->q->words, &p->q->n_words, &word);
    }
    return rc;
}

/* In words as they are typed: of a phrase all; of a script that puts no spaces between them (Chinese, Japanese: the lead bytes of U+3000 to U+9FFF)
 * about two characters make one. */
static size_t words_in(const char *s)
{
    size_t words = 0, ideographs = 0;
    for (bool between = true; *s; s++) {
        unsigned char c = (unsigned char)*s;
        words += between && !isspace(c);
        between = isspace(c);
        ideographs += c >= 0xE3 && c <= 0xE9;
    }
    return BR_MAX(words, ideographs / 2);
}

/* The alternatives, as far as they fit. Whole words first. */
static enum br_rc build_match(struct parser *p, struct br_err *err)
{
    struct br_query *q = p->q;
    enum br_rc rc = BR_OK;
    if (!q->n_words) {
        memcpy(q->words, p->stop_words, p->n_stop_words * sizeof *q->words);
        q->n_words = p->n_stop_words;
        p->n_stop_words = 0;
    }
    for (size_t i = 0; i < q->n_words; i++) {
        const struct br_term *t = &q->words[i];
        q->length += words_in(t->text);
        add_alternative(p, t->n_stems == 1 ? t->stems[0] : XXH3_64bits(t->stems, t->n_stems * sizeof *t->stems), t->text, strlen(t->text));
    }
    for (size_t i = 0, n = q->n_words; i < n; i++)
        if (q->words[i].n_stems > 1)
            BR_TRY(add_parts(p, &q->words[i], err));
err:
    return rc;
}

static void point_at_lists(struct br_query *q)
{
    struct br_slack_terms *const terms[2] = {&q->filter.with, &q->filter.without};
    struct br_buf *const match[2] = {&q->phrases, &q->excluded};
    for (int i = 0; i < 2; i++) {
        terms[i]->channel_ids = q->channels[i].items;
        terms[i]->n_channels = q->channels[i].n;
        terms[i]->reactions = q->reactions[i].items;
        terms[i]->n_reactions = q->reactions[i].n;
        terms[i]->authors = q->authors[i];
        terms[i]->participants = q->participants[i];
        terms[i]->match = match[i]->len ? br_buf_str(match[i]) : NULL;
    }
}

static enum br_rc add_options(struct parser *p, const struct br_search_options *o, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < o->n_channels; i++)
        BR_TRY(add_filter(p, false, "in", o->channels[i], err));
    for (size_t i = 0; i < o->n_users; i++)
        BR_TRY(add_filter(p, false, "from", o->users[i], err));
    for (size_t i = 0; i < o->n_has; i++)
        BR_TRY(add_filter(p, false, "has", o->has[i], err));
    for (size_t i = 0; i < o->n_with; i++)
        BR_TRY(add_filter(p, false, "with", o->with[i], err));
    for (size_t i = 0; i < o->n_is; i++)
        BR_TRY(add_filter(p, false, "is", o->is[i], err));
    if (o->min_reactions) {
        char n[24];
        snprintf(n, sizeof n, "%llu", (unsigned long long)o->min_reactions);
        BR_TRY(add_filter(p, false, "min_reactions", n, err));
    }
    if (o->after)
        BR_TRY(add_filter(p, false, "after", o->after, err));
    if (o->before)
        BR_TRY(add_filter(p, false, "before", o->before, err));
err:
    return rc;
}

enum br_rc br_query_parse(struct br_workspace *ws, struct br_slack_tokenizer *t, const char *query, const struct br_search_options *o,
                          struct br_query *q, struct br_err *err)
{
    struct parser p = {.ws = ws, .tokenizer = t, .q = q, .me = o->me ? o->me : getenv("BACKREAD_ME")};
    struct br_buf plain;
    enum br_rc rc;
    *q = (struct br_query){0};
    br_arena_init(&q->arena, (size_t)1 << 20);
    br_buf_init(&plain, QUERY_BYTES_MAX);
    br_buf_init(&q->text, 2 * QUERY_BYTES_MAX); /* pieces that touch get a blank between them */
    br_buf_init(&q->match, BR_QUERY_MATCH_MAX);
    br_buf_init(&q->phrases, BR_QUERY_MATCH_MAX);
    br_buf_init(&q->excluded, BR_QUERY_MATCH_MAX);
    plain_query(query, o->literal, &plain);
    BR_TRY(br_buf_status(&plain, err));
    BR_TRY(parse_text(&p, br_buf_str(&plain), o->literal, err));
    BR_TRY(add_options(&p, o, err));
    BR_TRY(build_match(&p, err));
    BR_TRY(br_buf_status(&q->match, err));
    point_at_lists(q);
err:
    for (size_t i = 0; i < p.n_stop_words; i++)
        term_free(&p.stop_words[i]);
    br_tokens_free(&p.tokens);
    br_buf_free(&plain);
    if (rc != BR_OK)
        br_query_free(q);
    return rc;
}

void br_query_free(struct br_query *q)
{
    br_buf_free(&q->text);
    br_buf_free(&q->match);
    br_buf_free(&q->phrases);
    br_buf_free(&q->excluded);
    for (size_t i = 0; i < q->n_words; i++)
        term_free(&q->words[i]);
    for (int i = 0; i < 2; i++) {
        free(q->channels[i].items);
        free(q->reactions[i].items);
        free(q->participants[i]);
        free(q->authors[i]);
    }
    br_arena_free(&q->arena);
    *q = (struct br_query){0};
}
