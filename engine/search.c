/* search.c - the search itself: parse, retrieve on both sides, score conversations, show the best message of each.
 *
 * A conversation is a thread, or a message without one; it is what answers a question, so it is what is ranked, by
 *
 *   words / most words + MEANING_WEIGHT * (best message + best passage) / 2 + opening weight * (first message + first passage) / 2
 *
 * words: BM25 of the whole conversation (retrieve_words.c), relative to the best one's, since BM25 has no scale of its own. The others are
 * cosines to the query: of its message and its passage that are nearest, and of how it begins; a conversation without passages has its message
 * for all. Measured (bench/retrieval), the sum of scores ranks better than the sum of reciprocal ranks: a rank does not tell a clear winner
 * from the first among equals. A message that is not among the candidates of the semantic side has the similarity of the last of them.
 *
 * How a conversation begins says what it is about. A question of few words names a subject; one of many describes a case, which may come up
 * anywhere in it. So the weight of the opening is OPENING_WEIGHT over the number of words (common ones are none), at least OPENING_WORDS_MIN.
 * On the labelled tasks openings help questions of up to five words, make no difference for up to twenty, and mislead longer ones.
 *
 * Candidates are the nearest documents, and the messages and passages with most of the words; the EXACT_MIN conversations that look best by
 * those are scored in full. When there are fewer conversations than hits wanted, further messages of the same conversations follow. Where
 * a few long threads fill the lists and that makes fewer hits than the first page wants, more candidates are taken.
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
#include "explain.h"
#include "page.h"
#include "retrieve.h"

#define MEANING_WEIGHT 2.0
#define OPENING_WEIGHT 3.0 /* 2 to 4 make little difference */
#define OPENING_WORDS_MIN 4
#define SEMANTIC_MIN 200   /* candidates; per hit wanted: PER_HIT */
#define KEYWORD_MIN 60
#define EXACT_MIN 90 /* with 60, 90, 120, S@10 of lists of ten: a2 .840, .849, .848, a2-noroot .612, .619, .627, b .552, .546, .543; 120 take a fifth longer than 60 */
#define PER_HIT 4
#define CANDIDATES_MAX 4000
#define REASON_WORDS_MAX 8
#define TERM_HITS_MAX 256

/* A message that a list named. */
struct candidate {
    int64_t ts;
    double semantic, keyword; /* NAN: not in that list */
    uint32_t ranks[2];        /* semantic, keyword; 0: not in that list */
};

struct conversation {
    char channel_id[64];
    int64_t thread_ts;
    double message, passage_similarity; /* highest cosines in the lists, NAN absent */
    struct br_nearness near;            /* once it is scored in full */
    double message_words, passage_words; /* BM25 of the best message and passage, 0 absent */
    double words;                        /* BM25 of the conversation; until it is scored in full, of its best document */
    bool lone;                           /* has no passages that meet the conditions; until it is scored in full: that we know of */
    double score;
    struct br_doc passage; /* the best one; ts 0 none */
    uint32_t ranks[2][2]; /* of the best by enum br_doc_kind: semantic, keyword; 0 absent */
    uint32_t next; /* in the hash chain, index + 1 */
    struct candidate *candidates; /* owned */
    size_t n_candidates, alloc;
};

#define CHAINS 4096
struct fusion {
    struct conversation *items;
    size_t count, alloc;
    uint32_t chains[CHAINS];
    double floor; /* similarity of the last semantic candidate; 0 without any */
    double opening_weight;
    double most_words, most_message_words;
};

static void fusion_clear(struct fusion *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->items[i].candidates);
    free(f->items);
    *f = (struct fusion){0};
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
    *c = (struct conversation){.thread_ts = d->thread_ts,
                               .message = NAN,
                               .passage_similarity = NAN,
                               .near = {.passage = NAN, .root = NAN, .first_passage = NAN},
                               .lone = true,
                               .next = *chain};
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

static enum br_rc note_message(struct fusion *f, bool keyword, const struct br_doc *d, double value, size_t rank, struct br_err *err)
{
    struct conversation *c = conversation_of(f, d);
    struct candidate *m = c ? candidate_of(c, d->ts) : NULL;
    if (!m)
        return br_fail_nomem(err);
    *(keyword ? &m->keyword : &m->semantic) = value;
    m->ranks[keyword] = (uint32_t)rank;
    if (!c->ranks[BR_DOC_MESSAGE][keyword])
        c->ranks[BR_DOC_MESSAGE][keyword] = (uint32_t)rank;
    if (keyword)
        c->message_words = BR_MAX(c->message_words, value);
    else
        c->message = fmax(c->message, value); /* NAN yields */
    return BR_OK;
}

/* The passage that is shown is the nearest, else the one with most words: lists come best first, the semantic one first of all. */
static enum br_rc note_passage(struct fusion *f, bool keyword, const struct br_doc *d, double value, size_t rank, struct br_err *err)
{
    struct conversation *c = conversation_of(f, d);
    if (!c)
        return br_fail_nomem(err);
    c->lone = false;
    if (!c->ranks[BR_DOC_PASSAGE][keyword])
        c->ranks[BR_DOC_PASSAGE][keyword] = (uint32_t)rank;
    if (keyword)
        c->passage_words = BR_MAX(c->passage_words, value);
    else
        c->passage_similarity = fmax(c->passage_similarity, value);
    if (!c->passage.ts)
        c->passage = *d;
    return BR_OK;
}

/* rank: in its list, from 1. */
static enum br_rc note(struct fusion *f, bool keyword, const struct br_doc *d, double value, size_t rank, struct br_err *err)
{
    return (d->kind == BR_DOC_PASSAGE ? note_passage : note_message)(f, keyword, d, value, rank, err);
}

static double similarity(const struct fusion *f, double s)
{
    return isnan(s) ? f->floor : s;
}

static double message_near(const struct fusion *f, const struct conversation *c)
{
    return similarity(f, c->message);
}

static double passage_near(const struct fusion *f, const struct conversation *c)
{
    return c->lone ? message_near(f, c) : !isnan(c->near.passage) ? c->near.passage : similarity(f, c->passage_similarity);
}

/* Until it is scored in full, as near as its best passage. */
static double opening_near(const struct fusion *f, const struct conversation *c)
{
    double first = isnan(c->near.first_passage) ? passage_near(f, c) : c->near.first_passage;
    return (first + (isnan(c->near.root) ? first : c->near.root)) / 2;
}

static double meaning_of(const struct fusion *f, const struct conversation *c)
{
    return MEANING_WEIGHT * (message_near(f, c) + passage_near(f, c)) / 2 + f->opening_weight * opening_near(f, c);
}

static void score_conversation(const struct fusion *f, struct conversation *c)
{
    c->score = meaning_of(f, c);
    if (f->most_words > 0)
        c->score += c->words / f->most_words;
}

/* As of a conversation of one message. */
static double message_score(const struct fusion *f, const struct candidate *m)
{
    double s = (MEANING_WEIGHT + f->opening_weight) * similarity(f, m->semantic);
    return isnan(m->keyword) ? s : s + m->keyword / f->most_message_words;
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

static int better_candidate(const void *a, const void *b, void *fusion)
{
    double x = message_score(fusion, a), y = message_score(fusion, b);
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
    struct br_page *page;
    size_t n; /* of the first page */
    size_t depth;     /* candidates are taken so many times over */
    bool more_exist;  /* a list of candidates came out full */
    struct fusion *fusion;
    float vector[BR_DIM_MAX]; /* of the query, if has_vector */
    bool has_vector;
    bool exhaustive;
    struct br_search_results results;
    struct br_message_list list;
    size_t hits_alloc;
    struct br_explain *x; /* in the list's arena; NULL: not wanted */
};

static size_t candidates(const struct searching *s, size_t least)
{
    return BR_MIN(BR_MAX(PER_HIT * s->n, least), (size_t)CANDIDATES_MAX) * s->depth;
}

static enum br_rc retrieve_semantic(struct searching *s, struct br_err *err)
{
    struct br_semantic_hits hits = {0};
    const struct br_query *q = &s->query;
    struct br_rows rows;
    enum br_rc rc;
    s->exhaustive = true;
    if (!q->text.len || (s->filtered && !br_bitmap_count(&s->allowed.slots)))
        return BR_OK;
    BR_TRY(br_store_rows(s->ws->store, &rows, err));
    if (!s->has_vector && rows.count) /* else there is nothing to embed it for */
        BR_TRY(br_query_vector(s->ws, q->text.data, q->text.len, s->x, s->vector, err));
    s->has_vector = rows.count;
    BR_TRY(br_retrieve_nearest(s->ws, s->vector, s->filtered ? &s->allowed.slots : NULL, candidates(s, SEMANTIC_MIN), s->opt->exact, s->x,
                               &hits, err));
    s->exhaustive = hits.exhaustive;
    s->more_exist |= hits.count == candidates(s, SEMANTIC_MIN);
    for (size_t i = 0; i < hits.count; i++)
        BR_TRY(note(s->fusion, false, &hits.items[i].doc, hits.items[i].similarity, i + 1, err));
    if (s->x)
        s->x->semantic = hits.count;
    if (hits.count)
        s->fusion->floor = hits.items[hits.count - 1].similarity;
err:
    br_semantic_hits_free(&hits);
    return rc;
}

static enum br_rc note_best_words(struct searching *s, const struct br_word_counts *w, enum br_doc_kind kind, struct br_err *err)
{
    size_t rows = w->of[kind].n_rows, room = BR_MIN(candidates(s, KEYWORD_MIN), rows), n = 0;
    struct br_word_hit *hits = malloc(BR_MAX(room, (size_t)1) * sizeof *hits);
    enum br_rc rc;
    if (!hits)
        return br_fail_nomem(err);
    BR_TRY(br_words_best(s->ws, w, kind, room, hits, &n, err));
    s->more_exist |= room < rows;
    for (size_t i = 0; i < n; i++)
        BR_TRY(note(s->fusion, true, &hits[i].doc, hits[i].score, i + 1, err));
    if (s->x) {
        *(kind == BR_DOC_PASSAGE ? &s->x->keyword_passages : &s->x->keyword_messages) = n;
        *(kind == BR_DOC_PASSAGE ? &s->x->matched_passages : &s->x->matched_messages) = rows;
    }
    if (kind == BR_DOC_MESSAGE && n)
        s->fusion->most_message_words = hits[0].score;
err:
    free(hits);
    return rc;
}

/* Scores all conversations by what the lists say of them. words is then that of one document. */
static void score_roughly(struct fusion *f)
{
    f->most_words = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct conversation *c = &f->items[i];
        c->words = c->passage_words > 0 ? c->passage_words : c->message_words;
        f->most_words = BR_MAX(f->most_words, c->words);
    }
    for (size_t i = 0; i < f->count; i++)
        score_conversation(f, &f->items[i]);
    if (f->count)
        qsort(f->items, f->count, sizeof *f->items, better_conversation);
}

/* Scores the first n of them in full; they stay before the others. */
static enum br_rc score_exactly(struct searching *s, const struct br_word_counts *w, size_t n, struct br_err *err)
{
    struct fusion *f = s->fusion;
    struct br_store_info info;
    struct br_rows rows;
    enum br_rc rc;
    BR_TRY(br_store_now(s->ws->store, &info, err));
    BR_TRY(br_store_rows(s->ws->store, &rows, err));
    const struct br_state state = br_state_of(&info);
    n = BR_MIN(n, f->count);
    f->most_words = 0;
    for (size_t i = 0; i < n; i++) {
        struct conversation *c = &f->items[i];
        struct br_thread t;
        bool has_passages = false;
        BR_TRY(br_postings_thread(s->ws, &state, c->channel_id, c->thread_ts, &t, err));
        c->words = br_words_thread(w, &t, s->filtered ? &s->allowed.contents : NULL, &has_passages);
        if (s->has_vector)
            br_thread_nearness(&rows, info.dim, s->vector, &t, s->filtered ? &s->allowed.slots : NULL, c->passage_similarity, &c->near);
        br_thread_release(&t);
        c->lone = !has_passages;
        if (c->lone)
            c->words = c->message_words;
        f->most_words = BR_MAX(f->most_words, c->words);
    }
    for (size_t i = 0; i < n; i++)
        score_conversation(f, &f->items[i]);
    if (n)
        qsort(f->items, n, sizeof *f->items, better_conversation);
err:
    return rc;
}

/* Messages the candidates can show. */
static size_t showable(const struct fusion *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++)
        n += BR_MAX(f->items[i].n_candidates, (size_t)1);
    return n;
}

/* Whether to look further is decided by what the first page wants, on every page: they are parts of one ranking. */
static enum br_rc gather(struct searching *s, struct br_word_counts *words, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    fusion_clear(s->fusion);
    s->fusion->opening_weight = OPENING_WEIGHT / (double)BR_MAX(s->query.n_said, (size_t)OPENING_WORDS_MIN);
    s->more_exist = false;
    if (s->opt->mode != BR_SEARCH_KEYWORD)
        BR_TRY(retrieve_semantic(s, err));
    if (s->opt->mode != BR_SEARCH_SEMANTIC && s->query.match.len) {
        double from = br_explain_clock(s->x);
        const struct br_word_totals *totals = br_page_is_first(s->page) ? NULL : &s->page->words;
        if (s->depth == 1)
            BR_TRY(br_words_count(s->ws, &s->query, s->filtered ? &s->allowed.contents : NULL, totals, words, err));
        s->page->words = words->totals;
        BR_TRY(note_best_words(s, words, BR_DOC_PASSAGE, err));
        BR_TRY(note_best_words(s, words, BR_DOC_MESSAGE, err));
        if (s->x)
            s->x->ms.keyword += br_explain_clock(s->x) - from;
    }
err:
    return rc;
}

static enum br_rc retrieve(struct searching *s, struct br_err *err)
{
    struct br_word_counts words = {0};
    enum br_rc rc;
    s->has_vector = false;
    for (s->depth = 1;; s->depth *= 4) {
        if (s->x)
            s->x->rounds++;
        BR_TRY(gather(s, &words, err));
        if (!s->more_exist || showable(s->fusion) > s->n)
            break;
    }
    double from = br_explain_clock(s->x);
    score_roughly(s->fusion);
    BR_TRY(score_exactly(s, &words, candidates(s, EXACT_MIN), err));
    if (s->x) {
        s->x->ms.fuse = br_explain_clock(s->x) - from;
        s->x->match = br_arena_str(&s->list.arena, words.match);
        s->x->conversations = s->fusion->count;
        s->x->scored = BR_MIN(candidates(s, EXACT_MIN), s->fusion->count);
    }
err:
    br_word_counts_free(&words);
    return rc;
}

/* ---- from conversations to hits ---- */

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
    s->list.arena.failed |= snippet.no_memory;
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

/* NULL when it is not wanted, or without memory: then the arena has failed, which add_hit tells. */
static struct br_explain_hit *explain_hit(struct searching *s)
{
    return s->x ? br_arena_alloc(&s->list.arena, sizeof(struct br_explain_hit)) : NULL;
}

static struct br_explain_hit *explain_conversation(struct searching *s, const struct conversation *c)
{
    const struct fusion *f = s->fusion;
    struct br_explain_hit *x = explain_hit(s);
    if (!x)
        return NULL;
    *x = (struct br_explain_hit){.semantic_rank = c->ranks[BR_DOC_MESSAGE][0],
                                 .keyword_rank = c->ranks[BR_DOC_MESSAGE][1],
                                 .semantic_passage_rank = c->ranks[BR_DOC_PASSAGE][0],
                                 .keyword_passage_rank = c->ranks[BR_DOC_PASSAGE][1],
                                 .message_similarity = message_near(f, c),
                                 .passage_similarity = passage_near(f, c),
                                 .opening_similarity = opening_near(f, c),
                                 .opening_weight = f->opening_weight,
                                 .words = c->words,
                                 .most_words = f->most_words,
                                 .keyword_part = f->most_words > 0 ? c->words / f->most_words : 0,
                                 .semantic_part = meaning_of(f, c)};
    return x;
}

static struct br_explain_hit *explain_message(struct searching *s, const struct candidate *m)
{
    const struct fusion *f = s->fusion;
    struct br_explain_hit *x = explain_hit(s);
    if (!x)
        return NULL;
    double words = isnan(m->keyword) ? 0 : m->keyword, near = similarity(f, m->semantic);
    *x = (struct br_explain_hit){.semantic_rank = m->ranks[0],
                                 .keyword_rank = m->ranks[1],
                                 .message_similarity = near,
                                 .passage_similarity = near,
                                 .opening_similarity = near,
                                 .opening_weight = f->opening_weight,
                                 .words = words,
                                 .most_words = f->most_message_words,
                                 .keyword_part = words > 0 ? words / f->most_message_words : 0,
                                 .semantic_part = (MEANING_WEIGHT + f->opening_weight) * near,
                                 .further = true};
    return x;
}

static enum br_rc add_conversation(struct searching *s, const struct conversation *c, enum br_hit_kind kind, struct br_err *err)
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
            qsort_r(c->candidates, c->n_candidates, sizeof *c->candidates, better_candidate, s->fusion);
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
                .kind = BR_HIT_MESSAGE, .score = message_score(s->fusion, m), .semantic = m->semantic, .keyword = m->keyword};
            hit.explain = explain_message(s, m);
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
        if (s->results.hits[i].score > s->results.hits[i - 1].score) {
            s->results.hits[i].score = s->results.hits[i - 1].score;
            if (s->results.hits[i].explain)
                s->results.hits[i].explain->lowered = true;
        }
}

/* Conditions without words: nothing ranks but time. */
static enum br_rc run_newest(struct searching *s, struct br_err *err)
{
    enum br_rc rc;
    s->exhaustive = true;
    double from = br_explain_clock(s->x);
    BR_TRY(br_slack_newest(s->ws->store, &s->allowed, &s->query.filter, br_page_end(s->page), br_message_list_add, &s->list, err));
    for (size_t i = 0; i < s->list.count; i++)
        BR_TRY(add_hit(s, &s->list.items[i], (struct br_search_hit){.kind = BR_HIT_MESSAGE, .semantic = NAN, .keyword = NAN}, false, err));
    if (s->x) {
        s->x->index = "newest";
        s->x->index_why = "no words to rank by: the newest messages that pass";
        s->x->ms.enrich = br_explain_clock(s->x) - from;
    }
err:
    return rc;
}

static enum br_rc prepare_semantic(struct searching *s, struct br_err *err)
{
    struct br_store_info info;
    enum br_rc rc;
    BR_TRY(br_store_now(s->ws->store, &info, err));
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
    bool remembered = false;
    double from = br_explain_clock(s->x);
    s->filtered = !br_slack_filter_is_empty(&s->query.filter) || s->page->pinned;
    if (s->filtered)
        BR_TRY(br_filter_set(s->ws, &s->query.filter, &s->allowed, &remembered, err));
    if (s->page->pinned)
        pin(s);
    if (s->x) {
        s->x->filtered = s->filtered;
        s->x->filter_remembered = remembered;
        s->x->ms.filter = br_explain_clock(s->x) - from;
    }
    if (!s->query.text.len)
        return run_newest(s, err);
    if (s->opt->mode != BR_SEARCH_KEYWORD)
        BR_TRY(prepare_semantic(s, err));
    BR_TRY(retrieve(s, err));
    from = br_explain_clock(s->x);
    BR_TRY(add_best_messages(s, err));
    BR_TRY(add_other_messages(s, err));
    cap_scores(s);
    if (s->x)
        s->x->ms.enrich = br_explain_clock(s->x) - from;
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
    s->results.explain = s->x;
    *out = s->results;
    return BR_OK;
}

enum br_rc br_search_fresh(struct br_workspace *ws, const char *query, const struct br_search_options *options, struct br_page *page,
                           struct br_search_results *out, struct br_err *err)
{
    struct searching s = {.ws = ws, .opt = options, .page = page, .n = page->base_n};
    struct timespec from, to;
    enum br_rc rc;
    br_message_list_init(&s.list, ws);
    s.fusion = calloc(1, sizeof *s.fusion);
    if (!s.fusion)
        BR_TRY(br_fail_nomem(err));
    if (!ws->tokenizer)
        BR_TRY(br_slack_tokenizer_new(&ws->tokenizer, err));
    s.tokenizer = ws->tokenizer;
    if (options->explain && !(s.x = br_arena_alloc(&s.list.arena, sizeof *s.x)))
        BR_TRY(br_fail_nomem(err));
    double parse_from = br_explain_clock(s.x);
    BR_TRY(br_query_parse(ws, s.tokenizer, query, s.opt, &s.query, err));
    if (s.x)
        s.x->ms.parse = br_explain_clock(s.x) - parse_from;
    bool nothing = !s.query.text.len && (s.opt->literal || br_slack_filter_is_empty(&s.query.filter));
    if (nothing && !s.opt->literal)
        BR_TRY(br_fail(err, BR_E_USAGE, "the query is empty: give words, filters or both"));
    clock_gettime(CLOCK_MONOTONIC, &from);
    if (!nothing) /* an empty text among many literal ones finds nothing */
        BR_TRY(run(&s, err));
    clock_gettime(CLOCK_MONOTONIC, &to);
    double ms = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
    if (s.x)
        BR_TRY(br_explain_query(ws, &s.query, s.filtered ? &s.allowed.slots : NULL, &s.list.arena, s.x, err));
    if (s.x && nothing) /* and so nothing was searched */
        s.x->messages_pass = s.x->passages_pass = 0;
    BR_TRY(give_results(&s, ms, out, err));
    s.results.hits = NULL;
err:
    if (s.fusion)
        fusion_clear(s.fusion);
    free(s.fusion);
    br_slack_set_free(&s.allowed);
    br_tokens_free(&s.tokens);
    free(s.results.hits);
    br_message_list_free(&s.list);
    br_query_free(&s.query);
    return rc;
}
