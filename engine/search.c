/* search.c - the search itself: parse, retrieve on both sides, fuse by conversation, show the best message of each.
 *
 * A conversation is a thread, or a message without one. Each side ranks conversations twice, by its best passage and by its best message;
 * reciprocal rank fusion (Cormack, Clarke & Büttcher, SIGIR 2009: sum of w / (60 + rank)) joins the up to four lists, half a weight each. A
 * conversation too short for passages is ranked by its message in both. When there are fewer conversations than hits wanted, further
 * messages of the same conversations follow.
 *
 * Conditions (filters, phrases, exclusions) are resolved once, before retrieval, into the set of documents that meet them; both sides rank
 * inside that set, and the message shown for a passage is chosen from it. What a condition means for a message and for a passage is said at
 * struct br_slack_filter. */
#include "engine_int.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache.h"
#include "page.h"
#include "retrieve.h"

#define RRF_K 60.0
#define CANDIDATES_MIN 200
#define CANDIDATES_MAX 4000
#define SIDE_WEIGHT 0.5
#define REASON_WORDS_MAX 8
#define TERM_HITS_MAX 256

enum { SEMANTIC_MESSAGE, SEMANTIC_PASSAGE, KEYWORD_MESSAGE, KEYWORD_PASSAGE, N_LISTS };

/* A message that a list named. */
struct candidate {
    int64_t ts;
    size_t rank[2]; /* in the semantic and the keyword message list, from 1; 0 absent */
    double semantic, keyword;
};

struct conversation {
    char channel_id[64];
    int64_t thread_ts;
    size_t rank[N_LISTS]; /* of the conversation in each list, from 1; 0 absent */
    double semantic, keyword; /* best of each side, NAN absent */
    double score;
    struct br_doc passage; /* the best one; ts 0 none */
    uint32_t next; /* in the hash chain, index + 1 */
    struct candidate *candidates; /* owned */
    size_t n_candidates, alloc;
};

#define CHAINS 4096
struct fusion {
    struct conversation *items;
    size_t count, alloc;
    uint32_t chains[CHAINS];
    size_t list_sizes[N_LISTS];
};

static void fusion_free(struct fusion *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->items[i].candidates);
    free(f->items);
    free(f);
}

static struct conversation *conversation_of(struct fusion *f, const struct br_doc *d)
{
    uint64_t h = (uint64_t)d->thread_ts * 0x9E3779B97F4A7C15u;
    uint32_t *chain = &f->chains[h >> 52 & (CHAINS - 1)];
    for (uint32_t i = *chain; i; i = f->items[i - 1].next)
        if (f->items[i - 1].thread_ts == d->thread_ts && strcmp(f->items[i - 1].channel_id, d->channel_id) == 0)
            return &f->items[i - 1];
    if (f->count == f->alloc) {
        size_t alloc = f->alloc ? f->alloc * 2 : 256;
        void *p = realloc(f->items, alloc * sizeof *f->items);
        if (!p)
            return NULL;
        f->items = p;
        f->alloc = alloc;
    }
    struct conversation *c = &f->items[f->count++];
    *c = (struct conversation){.thread_ts = d->thread_ts, .semantic = NAN, .keyword = NAN, .next = *chain};
    memcpy(c->channel_id, d->channel_id, sizeof c->channel_id);
    *chain = (uint32_t)f->count;
    return c;
}

static struct candidate *candidate_of(struct conversation *c, int64_t ts)
{
    for (size_t i = 0; i < c->n_candidates; i++)
        if (c->candidates[i].ts == ts)
            return &c->candidates[i];
    if (c->n_candidates == c->alloc) {
        size_t alloc = c->alloc ? c->alloc * 2 : 4;
        void *p = realloc(c->candidates, alloc * sizeof *c->candidates);
        if (!p)
            return NULL;
        c->candidates = p;
        c->alloc = alloc;
    }
    struct candidate *m = &c->candidates[c->n_candidates++];
    *m = (struct candidate){.ts = ts, .semantic = NAN, .keyword = NAN};
    return m;
}

/* A document in a list, best first: its conversation's rank is that of its first document there. */
static enum br_rc note(struct fusion *f, bool keyword, const struct br_doc *d, size_t message_rank, double value, struct br_err *err)
{
    int list = (keyword ? KEYWORD_MESSAGE : SEMANTIC_MESSAGE) + (d->kind == BR_DOC_PASSAGE);
    struct conversation *c = conversation_of(f, d);
    if (!c)
        return br_fail_nomem(err);
    if (!c->rank[list])
        c->rank[list] = ++f->list_sizes[list];
    double *best = keyword ? &c->keyword : &c->semantic;
    if (isnan(*best) || value > *best)
        *best = value;
    if (d->kind == BR_DOC_PASSAGE) {
        if (!c->passage.ts)
            c->passage = *d;
        return BR_OK;
    }
    struct candidate *m = candidate_of(c, d->ts);
    if (!m)
        return br_fail_nomem(err);
    m->rank[keyword] = message_rank;
    *(keyword ? &m->keyword : &m->semantic) = value;
    return BR_OK;
}

static void score_conversations(struct fusion *f)
{
    for (size_t i = 0; i < f->count; i++) {
        struct conversation *c = &f->items[i];
        for (int side = 0; side < 2; side++) {
            size_t message = c->rank[2 * side], passage = c->rank[2 * side + 1];
            if (!passage && !c->passage.ts)
                passage = message;
            c->score += message ? SIDE_WEIGHT / (RRF_K + (double)message) : 0;
            c->score += passage ? SIDE_WEIGHT / (RRF_K + (double)passage) : 0;
        }
    }
}

static double message_score(const struct candidate *m)
{
    double s = 0;
    for (int side = 0; side < 2; side++)
        if (m->rank[side])
            s += 1 / (RRF_K + (double)m->rank[side]);
    return s;
}

static int better_conversation(const void *a, const void *b)
{
    const struct conversation *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    if (x->thread_ts != y->thread_ts)
        return x->thread_ts < y->thread_ts ? 1 : -1;
    return strcmp(x->channel_id, y->channel_id);
}

static int better_candidate(const void *a, const void *b)
{
    double x = message_score(a), y = message_score(b);
    if (x != y)
        return x < y ? 1 : -1;
    int64_t s = ((const struct candidate *)a)->ts, t = ((const struct candidate *)b)->ts;
    return (s > t) - (s < t);
}

/* ---- retrieval ---- */

struct searching {
    struct br_workspace *ws;
    const struct br_search_options *opt;
    struct br_slack_tokenizer *tokenizer; /* the workspace's */
    struct br_tokens tokens; /* of the text looked at */
    struct br_query query;
    struct br_slack_set allowed;
    bool filtered;
    const struct br_page *page;
    size_t n, candidates; /* n: of the first page */
    struct fusion *fusion;
    bool exhaustive;
    struct br_search_results results;
    struct br_message_list list;
    size_t hits_alloc;
};

static enum br_rc retrieve_semantic(struct searching *s, struct br_err *err)
{
    struct br_semantic_hits hits = {0};
    size_t message_rank = 0;
    const struct br_query *q = &s->query;
    enum br_rc rc;
    s->exhaustive = true;
    if (!q->text.len || (s->filtered && !br_bitmap_count(&s->allowed.slots)))
        return BR_OK;
    BR_TRY(br_retrieve_semantic(s->ws, q->text.data, q->text.len, s->filtered ? &s->allowed.slots : NULL, s->candidates, s->opt->exact, &hits,
                                err));
    s->exhaustive = hits.exhaustive;
    for (size_t i = 0; i < hits.count; i++) {
        message_rank += hits.items[i].doc.kind == BR_DOC_MESSAGE;
        BR_TRY(note(s->fusion, false, &hits.items[i].doc, message_rank, hits.items[i].similarity, err));
    }
err:
    br_semantic_hits_free(&hits);
    return rc;
}

static enum br_rc retrieve_keyword(struct searching *s, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    struct br_keyword_hit *hits = NULL;
    const struct br_bitmap *contents = s->filtered ? &s->allowed.contents : NULL;
    if (!s->query.match.len)
        return BR_OK;
    hits = malloc(s->candidates * sizeof *hits);
    if (!hits)
        return br_fail_nomem(err);
    for (int kind = BR_DOC_MESSAGE; kind <= BR_DOC_PASSAGE; kind++) {
        size_t n = 0;
        BR_TRY(br_slack_keyword(s->ws->store, br_buf_str(&s->query.match), (enum br_doc_kind)kind, contents, s->candidates, hits, &n, err));
        for (size_t i = 0; i < n; i++)
            BR_TRY(note(s->fusion, true, &hits[i].doc, i + 1, hits[i].bm25, err));
    }
err:
    free(hits);
    return rc;
}

/* ---- from conversations to hits ---- */

/* What a hit was found by. */
struct found_by {
    bool meaning, words, thread_words; /* thread_words: another message of the conversation has them */
};

/* Each word once, as the text has it; ASCII in lower case, since case says nothing. */
static void add_found_words(struct br_buf *b, const struct br_message *m, const struct br_term_hit *hits, size_t n_hits, bool meaning)
{
    bool said[BR_QUERY_WORDS_MAX] = {false};
    size_t n = 0;
    for (size_t i = 0; i < n_hits && n < REASON_WORDS_MAX; i++) {
        if (said[hits[i].term])
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
    br_buf_free(&b);
    return s;
}

static enum br_rc load_message(struct searching *s, const char *channel_id, int64_t ts, bool *ok, struct br_err *err)
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

static enum br_rc room_for_hit(struct searching *s, struct br_err *err)
{
    if (s->results.count < s->hits_alloc)
        return BR_OK;
    size_t alloc = s->hits_alloc ? s->hits_alloc * 2 : 16;
    void *p = realloc(s->results.hits, alloc * sizeof *s->results.hits);
    if (!p)
        return br_fail_nomem(err);
    s->results.hits = p;
    s->hits_alloc = alloc;
    return BR_OK;
}

/* A message becomes a hit. hit: score, semantic, keyword and kind are set. */
static enum br_rc add_hit(struct searching *s, const struct br_message *m, struct br_search_hit hit, bool thread_words, struct br_err *err)
{
    const struct br_query *q = &s->query;
    struct found_by by = {.meaning = !isnan(hit.semantic), .words = !isnan(hit.keyword), .thread_words = thread_words};
    struct br_term_hit words[TERM_HITS_MAX];
    struct br_buf snippet;
    size_t len = strlen(m->text);
    enum br_rc rc;
    br_buf_init(&snippet, 4096);
    BR_TRY(room_for_hit(s, err));
    BR_TRY(br_tokens_of(s->tokenizer, m->text, len, &s->tokens, err));
    size_t n = br_terms_find(q->words, q->n_words, &s->tokens, words, BR_COUNT(words));
    br_snippet(m->text, len, words, n, &snippet);
    hit.rank = s->results.count + 1;
    hit.message = *m;
    hit.snippet = br_arena_str(&s->list.arena, br_buf_str(&snippet));
    hit.reason = reason(&s->list.arena, m, words, n, &by);
    s->results.hits[s->results.count++] = hit;
    if (s->list.arena.failed)
        rc = br_fail_nomem(err);
err:
    br_buf_free(&snippet);
    return rc;
}

static const struct br_message *last_loaded(const struct searching *s)
{
    return &s->list.items[s->list.count - 1];
}

static enum br_rc add_conversation(struct searching *s, const struct conversation *c, enum br_hit_kind kind, struct br_err *err)
{
    struct br_search_hit hit = {.kind = kind, .score = c->score, .semantic = c->semantic, .keyword = c->keyword};
    bool thread_words = c->rank[KEYWORD_PASSAGE] || c->n_candidates > (kind == BR_HIT_MESSAGE);
    return add_hit(s, last_loaded(s), hit, thread_words, err);
}

/* The message of a passage that has most of the query's words; the longest of equals. */
struct pick {
    struct searching *s;
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

static enum br_rc add_passage_hit(struct searching *s, const struct conversation *c, bool *added, struct br_err *err)
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
static enum br_rc add_best_messages(struct searching *s, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < s->fusion->count && s->results.count < br_page_end(s->page); i++) {
        struct conversation *c = &s->fusion->items[i];
        bool added = false;
        if (c->n_candidates)
            qsort(c->candidates, c->n_candidates, sizeof *c->candidates, better_candidate);
        for (size_t j = 0; j < c->n_candidates && !added; j++) {
            struct candidate *m = &c->candidates[j];
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
static enum br_rc add_other_messages(struct searching *s, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < s->fusion->count && s->results.count < br_page_end(s->page); i++) {
        struct conversation *c = &s->fusion->items[i];
        for (size_t j = 0; j < c->n_candidates && s->results.count < br_page_end(s->page); j++) {
            struct candidate *m = &c->candidates[j];
            bool ok = false;
            if (!m->ts)
                continue;
            BR_TRY(load_message(s, c->channel_id, m->ts, &ok, err));
            struct br_search_hit hit = {
                .kind = BR_HIT_MESSAGE, .score = message_score(m) * SIDE_WEIGHT, .semantic = m->semantic, .keyword = m->keyword};
            if (ok)
                BR_TRY(add_hit(s, last_loaded(s), hit, false, err));
        }
    }
err:
    return rc;
}

static void cap_scores(struct searching *s)
{
    /* Further messages come after the conversations: their scores must not exceed the last one's. */
    for (size_t i = 1; i < s->results.count; i++)
        if (s->results.hits[i].score > s->results.hits[i - 1].score)
            s->results.hits[i].score = s->results.hits[i - 1].score;
}

/* Conditions without words: nothing ranks but time. */
static enum br_rc run_newest(struct searching *s, struct br_err *err)
{
    enum br_rc rc;
    s->exhaustive = true;
    BR_TRY(br_slack_newest(s->ws->store, &s->allowed, &s->query.filter, br_page_end(s->page), br_message_list_add, &s->list, err));
    for (size_t i = 0; i < s->list.count; i++)
        BR_TRY(add_hit(s, &s->list.items[i], (struct br_search_hit){.kind = BR_HIT_MESSAGE, .semantic = NAN, .keyword = NAN}, false, err));
err:
    return rc;
}

static enum br_rc prepare_semantic(struct searching *s, struct br_err *err)
{
    struct br_store_info info;
    enum br_rc rc;
    BR_TRY(br_store_info(s->ws->store, &info, err));
    BR_TRY(br_home_check_model(s->ws->home, &info, err));
    br_graph_refresh(&s->ws->graph, s->ws->home->io, s->ws->store, &info);
err:
    return rc;
}

/* Leaves out what is newer than the first page. */
static void pin(struct searching *s)
{
    for (uint64_t i = s->page->slots; i < s->allowed.slots.n_bits; i++)
        br_bitmap_clear(&s->allowed.slots, i);
    for (uint64_t i = s->page->contents; i < s->allowed.contents.n_bits; i++)
        br_bitmap_clear(&s->allowed.contents, i);
}

static enum br_rc run(struct searching *s, struct br_err *err)
{
    enum br_rc rc;
    s->filtered = !br_slack_filter_is_empty(&s->query.filter) || s->page->pinned;
    if (s->filtered)
        BR_TRY(br_slack_filter_set(s->ws->store, &s->query.filter, &s->allowed, err));
    if (s->page->pinned)
        pin(s);
    if (!s->query.text.len)
        return run_newest(s, err);
    if (s->opt->mode != BR_SEARCH_KEYWORD)
        BR_TRY(prepare_semantic(s, err));
    if (s->opt->mode != BR_SEARCH_KEYWORD)
        BR_TRY(retrieve_semantic(s, err));
    if (s->opt->mode != BR_SEARCH_SEMANTIC)
        BR_TRY(retrieve_keyword(s, err));
    score_conversations(s->fusion);
    if (s->fusion->count)
        qsort(s->fusion->items, s->fusion->count, sizeof *s->fusion->items, better_conversation);
    BR_TRY(add_best_messages(s, err));
    BR_TRY(add_other_messages(s, err));
    cap_scores(s);
err:
    return rc;
}

static enum br_rc give_results(struct searching *s, double took_ms, struct br_search_results *out, struct br_err *err)
{
    struct br_shared *memory = br_shared_new(&s->list.arena);
    char *query = strdup(br_buf_str(&s->query.text));
    if (!memory || !query) {
        free(memory); /* the arena is still the list's */
        free(query);
        return br_fail_nomem(err);
    }
    br_arena_init(&s->list.arena, 0);
    s->results.memory = memory;
    s->results.query = query;
    s->results.mode = s->opt->mode;
    s->results.exhaustive = s->opt->mode == BR_SEARCH_KEYWORD || s->exhaustive;
    s->results.took_ms = took_ms;
    *out = s->results;
    return BR_OK;
}

enum br_rc br_search_fresh(struct br_workspace *ws, const char *query, const struct br_search_options *options, const struct br_page *page,
                           struct br_search_results *out, struct br_err *err)
{
    struct searching s = {.ws = ws, .opt = options, .page = page, .n = page->base_n};
    struct timespec from, to;
    enum br_rc rc;
    br_message_list_init(&s.list, ws);
    s.candidates = BR_MIN(BR_MAX(8 * s.n, (size_t)CANDIDATES_MIN), (size_t)CANDIDATES_MAX);
    s.fusion = calloc(1, sizeof *s.fusion);
    if (!s.fusion)
        BR_TRY(br_fail_nomem(err));
    if (!ws->tokenizer)
        BR_TRY(br_slack_tokenizer_new(&ws->tokenizer, err));
    s.tokenizer = ws->tokenizer;
    BR_TRY(br_query_parse(ws, s.tokenizer, query, s.opt, &s.query, err));
    bool nothing = !s.query.text.len && (s.opt->literal || br_slack_filter_is_empty(&s.query.filter));
    if (nothing && !s.opt->literal)
        BR_TRY(br_fail(err, BR_E_USAGE, "the query is empty: give words, filters or both"));
    clock_gettime(CLOCK_MONOTONIC, &from);
    if (!nothing) /* an empty text among many literal ones finds nothing */
        BR_TRY(run(&s, err));
    clock_gettime(CLOCK_MONOTONIC, &to);
    double ms = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
    BR_TRY(give_results(&s, ms, out, err));
    s.results.hits = NULL;
err:
    if (s.fusion)
        fusion_free(s.fusion);
    br_slack_set_free(&s.allowed);
    br_tokens_free(&s.tokens);
    free(s.results.hits);
    br_message_list_free(&s.list);
    br_query_free(&s.query);
    return rc;
}
