/* search_hits.c - from conversations to hits: the message to show of each, its snippet, why it was found, and what explains its score. */
#include "search_int.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define REASON_WORDS_MAX 8
#define TERM_HITS_MAX 256

/* What a hit was found by. */
struct found_by {
    bool meaning, words, thread_words; /* thread_words: another message of the conversation has them */
};

/* A part of a word or phrase that is found as a whole: those come before their parts. */
static bool is_part(const struct br_term_hit *hits, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (hits[j].term != hits[i].term && hits[j].start <= hits[i].start && hits[i].end <= hits[j].end)
            return true;
    return false;
}

/* Each word once, as the text has it; ASCII in lower case, since case says nothing. */
static void add_found_words(struct br_buf *b, const struct br_message *m, const struct br_term_hit *hits, size_t n_hits, bool meaning)
{
    bool said[BR_QUERY_WORDS_MAX] = {false};
    size_t n = 0;
    for (size_t i = 0; i < n_hits && n < REASON_WORDS_MAX; i++) {
        if (said[hits[i].term] || is_part(hits, i))
            continue;
        said[hits[i].term] = true;
        br_buf_adds(b, n++ ? ", " : meaning ? " + words: " : "words: ");
        for (size_t at = hits[i].start; at < hits[i].end; at++)
            br_buf_addc(b, isspace((unsigned char)m->text[at]) ? ' ' : (char)tolower((unsigned char)m->text[at]));
    }
}

static const char *reason(struct br_arena *a, const struct br_message *m, const struct br_term_hit *hits, size_t n_hits,
                          const struct found_by *by)
{
    struct br_buf b;
    br_buf_init(&b, REASON_WORDS_MAX * (size_t)BR_QUERY_MATCH_MAX);
    if (by->meaning)
        br_buf_adds(&b, "meaning");
    if (by->words)
        add_found_words(&b, m, hits, n_hits, by->meaning);
    if (by->words && !n_hits && by->thread_words)
        br_buf_adds(&b, by->meaning ? " + words of the thread" : "words of the thread");
    const char *s = br_arena_str(a, b.len ? b.data : by->words ? "words" : "newest");
    a->failed |= b.no_memory; /* which add_hit tells */
    br_buf_free(&b);
    return s;
}

static enum br_rc load_message(struct br_searching *s, const char *channel_id, int64_t ts, bool *ok, struct br_err *err)
{
    size_t before = s->list.count;
    struct br_err quiet = {0};
    enum br_rc rc = br_slack_message(s->ws->store, channel_id, ts, br_message_list_add, &s->list, &quiet);
    *ok = rc == BR_OK && s->list.count > before;
    if (rc == BR_E_NOTFOUND)
        return BR_OK;
    if (rc != BR_OK && err && err->rc == BR_OK)
        *err = quiet;
    return rc;
}

/* A message becomes a hit. hit: score, semantic, keyword and kind are set. */
static enum br_rc add_hit(struct br_searching *s, const struct br_message *m, struct br_search_hit hit, bool thread_words, struct br_err *err)
{
    const struct br_query *q = &s->query;
    struct found_by by = {.meaning = !isnan(hit.semantic), .words = !isnan(hit.keyword), .thread_words = thread_words};
    struct br_term_hit words[TERM_HITS_MAX];
    struct br_buf snippet;
    size_t len = strlen(m->text);
    enum br_rc rc;
    br_buf_init(&snippet, 4096);
    if (!br_array_fit(&s->results.hits, &s->hits_alloc, s->results.count + 1, sizeof *s->results.hits))
        BR_TRY(br_fail_nomem(err));
    BR_TRY(br_tokens_of(s->tokenizer, m->text, len, &s->tokens, err));
    size_t n = br_terms_find(q->words, q->n_words, &s->tokens, words, BR_COUNT(words));
    br_snippet(m->text, len, words, n, &snippet);
    hit.rank = s->results.count + 1;
    hit.message = *m;
    hit.snippet = br_arena_str(&s->list.arena, br_buf_str(&snippet));
    s->list.arena.failed |= snippet.no_memory;
    hit.reason = reason(&s->list.arena, m, words, n, &by);
    s->results.hits[s->results.count++] = hit;
    if (s->list.arena.failed)
        rc = br_fail_nomem(err);
err:
    br_buf_free(&snippet);
    return rc;
}

static const struct br_message *last_loaded(const struct br_searching *s)
{
    return &s->list.items[s->list.count - 1];
}

/* NULL when it is not wanted, or without memory: then the arena has failed, which add_hit tells. */
static struct br_explain_hit *explain_hit(struct br_searching *s)
{
    return s->x ? br_arena_alloc(&s->list.arena, sizeof(struct br_explain_hit)) : NULL;
}

static struct br_explain_hit *explain_conversation(struct br_searching *s, const struct br_conversation *c)
{
    const struct br_fusion *f = s->fusion;
    struct br_explain_hit *x = explain_hit(s);
    if (!x)
        return NULL;
    *x = (struct br_explain_hit){.semantic_rank = c->ranks[BR_DOC_MESSAGE][0],
                                 .keyword_rank = c->ranks[BR_DOC_MESSAGE][1],
                                 .semantic_passage_rank = c->ranks[BR_DOC_PASSAGE][0],
                                 .keyword_passage_rank = c->ranks[BR_DOC_PASSAGE][1],
                                 .message_similarity = br_message_near(f, c),
                                 .passage_similarity = br_passage_near(f, c),
                                 .opening_similarity = br_opening_near(f, c),
                                 .opening_weight = f->opening_weight,
                                 .words = c->words,
                                 .most_words = f->most_words,
                                 .keyword_part = f->most_words > 0 ? c->words / f->most_words : 0,
                                 .semantic_part = br_meaning_of(f, c)};
    return x;
}

static struct br_explain_hit *explain_message(struct br_searching *s, const struct br_candidate *m)
{
    const struct br_fusion *f = s->fusion;
    struct br_explain_hit *x = explain_hit(s);
    if (!x)
        return NULL;
    double words = isnan(m->keyword) ? 0 : m->keyword, near = br_candidate_near(f, m);
    *x = (struct br_explain_hit){.semantic_rank = m->ranks[0],
                                 .keyword_rank = m->ranks[1],
                                 .message_similarity = near,
                                 .passage_similarity = near,
                                 .opening_similarity = near,
                                 .opening_weight = f->opening_weight,
                                 .words = words,
                                 .most_words = f->most_message_words,
                                 .keyword_part = words > 0 ? words / f->most_message_words : 0,
                                 .semantic_part = br_candidate_meaning(f, m),
                                 .further = true};
    return x;
}

static enum br_rc add_conversation(struct br_searching *s, const struct br_conversation *c, enum br_hit_kind kind, struct br_err *err)
{
    bool words = c->words > 0;
    struct br_search_hit hit = {
        .kind = kind, .score = c->score, .semantic = fmax(c->message, c->passage_similarity), .keyword = words ? c->words : NAN};
    hit.explain = explain_conversation(s, c);
    bool thread_words = words && (!c->lone || c->n_candidates > (kind == BR_HIT_MESSAGE));
    return add_hit(s, last_loaded(s), hit, thread_words, err);
}

/* The message of a passage that has most of the query's words; the longest of equals. */
struct pick {
    struct br_searching *s;
    int64_t best_ts;
    size_t best_words, best_len;
};

static enum br_rc pick_message(void *ctx, int64_t ts, const char *text, size_t len, struct br_err *err)
{
    struct pick *p = ctx;
    const struct br_query *q = &p->s->query;
    enum br_rc rc = br_tokens_of(p->s->tokenizer, text, len, &p->s->tokens, err);
    if (rc != BR_OK)
        return rc;
    size_t words = br_terms_count(q->words, q->n_words, &p->s->tokens);
    if (!p->best_ts || words > p->best_words || (words == p->best_words && len > p->best_len))
        *p = (struct pick){.s = p->s, .best_ts = ts, .best_words = words, .best_len = len};
    return BR_OK;
}

static enum br_rc add_passage_hit(struct br_searching *s, const struct br_conversation *c, bool *added, struct br_err *err)
{
    struct pick p = {.s = s};
    enum br_rc rc;
    BR_TRY(br_slack_passage_messages(s->ws->store, &c->passage, s->filtered ? &s->allowed.slots : NULL, pick_message, &p, err));
    if (p.best_ts)
        BR_TRY(load_message(s, c->channel_id, p.best_ts, added, err));
    if (*added)
        BR_TRY(add_conversation(s, c, BR_HIT_PASSAGE, err));
err:
    return rc;
}

/* The best message of each conversation, in the order of conversations. */
static enum br_rc add_best_messages(struct br_searching *s, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < s->fusion->count && s->results.count < br_page_end(s->page); i++) {
        struct br_conversation *c = &s->fusion->items[i];
        bool added = false;
        if (c->n_candidates)
            qsort_r(c->candidates, c->n_candidates, sizeof *c->candidates, br_better_candidate, s->fusion);
        for (size_t j = 0; j < c->n_candidates && !added; j++) {
            struct br_candidate *m = &c->candidates[j];
            BR_TRY(load_message(s, c->channel_id, m->ts, &added, err));
            if (added)
                BR_TRY(add_conversation(s, c, BR_HIT_MESSAGE, err));
            m->ts = 0; /* shown, or not to be shown */
        }
        if (!added && c->passage.ts)
            BR_TRY(add_passage_hit(s, c, &added, err));
    }
err:
    return rc;
}

/* Where there were too few conversations: their other messages, conversation by conversation. */
static enum br_rc add_other_messages(struct br_searching *s, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < s->fusion->count && s->results.count < br_page_end(s->page); i++) {
        struct br_conversation *c = &s->fusion->items[i];
        for (size_t j = 0; j < c->n_candidates && s->results.count < br_page_end(s->page); j++) {
            struct br_candidate *m = &c->candidates[j];
            bool ok = false;
            if (!m->ts)
                continue;
            BR_TRY(load_message(s, c->channel_id, m->ts, &ok, err));
            struct br_search_hit hit = {
                .kind = BR_HIT_MESSAGE, .score = br_message_score(s->fusion, m), .semantic = m->semantic, .keyword = m->keyword};
            hit.explain = explain_message(s, m);
            if (ok)
                BR_TRY(add_hit(s, last_loaded(s), hit, false, err));
        }
    }
err:
    return rc;
}

static void cap_scores(struct br_searching *s)
{
    /* Further messages come after the conversations: their scores must not exceed the last one's. */
    for (size_t i = 1; i < s->results.count; i++)
        if (s->results.hits[i].score > s->results.hits[i - 1].score) {
            s->results.hits[i].score = s->results.hits[i - 1].score;
            if (s->results.hits[i].explain)
                s->results.hits[i].explain->lowered = true;
        }
}

enum br_rc br_search_add_plain(struct br_searching *s, const struct br_message *m, struct br_err *err)
{
    return add_hit(s, m, (struct br_search_hit){.kind = BR_HIT_MESSAGE, .semantic = NAN, .keyword = NAN}, false, err);
}

enum br_rc br_search_add_hits(struct br_searching *s, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(add_best_messages(s, err));
    BR_TRY(add_other_messages(s, err));
    cap_scores(s);
err:
    return rc;
}
