/* search.c - the search itself: parse, retrieve on both sides, score conversations (fusion.c), show the best message of each (search_hits.c).
 *
 * Candidates are the nearest documents, and the messages and passages with most of the words; the conversations that look best by
 * those are scored in full. When there are fewer conversations than hits wanted, further messages of the same conversations follow. Where
 * a few long threads fill the lists and that makes fewer hits than the first page wants, or than HITS_MIN, more candidates are taken.
 *
 * Conditions (filters, phrases, exclusions) are resolved once, before retrieval, into the set of documents that meet them; both sides rank
 * inside that set, and the message shown for a passage is chosen from it. What a condition means for a message and for a passage is said at
 * struct br_slack_filter. */
#include "search_int.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache.h"

/* For every hit wanted, and for HITS_MIN where fewer are, so many of the nearest documents are candidates, so many of each list of words, and so many
 * conversations are scored in full; and so many hits there are to be before it is not looked further. Up to HITS_MIN nothing of the ranking depends
 * on how many hits are asked for. */
#define NEAREST_PER_HIT 4
#define LISTED_PER_HIT 2
#define FULL_PER_HIT 3
#define HITS_MIN 50
#define HITS_MAX 1000

static size_t depth(const struct br_searching *s, size_t per_hit)
{
    return per_hit * BR_MIN(BR_MAX(s->n, (size_t)HITS_MIN), (size_t)HITS_MAX) * s->depth;
}

static enum br_rc retrieve_semantic(struct br_searching *s, struct br_err *err)
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
    BR_TRY(br_retrieve_nearest(s->ws, s->vector, s->filtered ? &s->allowed.slots : NULL, depth(s, NEAREST_PER_HIT), s->opt->exact, s->x,
                               &hits, err));
    s->exhaustive = hits.exhaustive;
    s->more_exist |= hits.count == depth(s, NEAREST_PER_HIT);
    for (size_t i = 0; i < hits.count; i++)
        BR_TRY(br_fusion_note(s->fusion, false, &hits.items[i].doc, hits.items[i].similarity, i + 1, err));
    if (s->x)
        s->x->semantic = hits.count;
    if (hits.count)
        s->fusion->floor = hits.items[hits.count - 1].similarity;
err:
    br_semantic_hits_free(&hits);
    return rc;
}

static enum br_rc note_best_words(struct br_searching *s, const struct br_word_counts *w, enum br_doc_kind kind, struct br_err *err)
{
    size_t rows = w->of[kind].n_rows, room = BR_MIN(depth(s, LISTED_PER_HIT), rows), n = 0;
    struct br_word_hit *hits = malloc(BR_MAX(room, (size_t)1) * sizeof *hits);
    enum br_rc rc;
    if (!hits)
        return br_fail_nomem(err);
    BR_TRY(br_words_best(s->ws, w, kind, room, hits, &n, err));
    s->more_exist |= room < rows;
    for (size_t i = 0; i < n; i++)
        BR_TRY(br_fusion_note(s->fusion, true, &hits[i].doc, hits[i].score, i + 1, err));
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

/* Scores the first n of them in full; they stay before the others. */
static enum br_rc score_exactly(struct br_searching *s, const struct br_word_counts *w, size_t n, struct br_err *err)
{
    struct br_fusion *f = s->fusion;
    struct br_store_info info;
    struct br_rows rows;
    enum br_rc rc;
    BR_TRY(br_store_now(s->ws->store, &info, err));
    BR_TRY(br_store_rows(s->ws->store, &rows, err));
    const struct br_state state = br_state_of(&info);
    n = BR_MIN(n, f->count);
    for (size_t i = 0; i < n; i++) {
        struct br_conversation *c = &f->items[i];
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
    }
    br_fusion_order(f, n);
err:
    return rc;
}

/* Whether to look further is decided by what the first page wants, and HITS_MIN, on every page: they are parts of one ranking. */
static enum br_rc gather(struct br_searching *s, struct br_word_counts *words, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    br_fusion_clear(s->fusion);
    br_fusion_weigh(s->fusion, s->query.length);
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

static enum br_rc retrieve(struct br_searching *s, struct br_err *err)
{
    struct br_word_counts words = {0};
    enum br_rc rc;
    s->has_vector = false;
    for (s->depth = 1;; s->depth *= 4) {
        if (s->x)
            s->x->rounds++;
        BR_TRY(gather(s, &words, err));
        if (!s->more_exist || br_fusion_showable(s->fusion) > BR_MAX(s->n, (size_t)HITS_MIN))
            break;
    }
    double from = br_explain_clock(s->x);
    br_fusion_order_roughly(s->fusion);
    BR_TRY(score_exactly(s, &words, depth(s, FULL_PER_HIT), err));
    if (s->x) {
        s->x->ms.fuse = br_explain_clock(s->x) - from;
        s->x->match = br_arena_str(&s->list.arena, words.match);
        s->x->conversations = s->fusion->count;
        s->x->scored = BR_MIN(depth(s, FULL_PER_HIT), s->fusion->count);
    }
err:
    br_word_counts_free(&words);
    return rc;
}

/* Conditions without words: nothing ranks but time. */
static enum br_rc run_newest(struct br_searching *s, struct br_err *err)
{
    enum br_rc rc;
    s->exhaustive = true;
    double from = br_explain_clock(s->x);
    BR_TRY(br_slack_newest(s->ws->store, &s->allowed, &s->query.filter, br_page_end(s->page), br_message_list_add, &s->list, err));
    for (size_t i = 0; i < s->list.count; i++)
        BR_TRY(br_search_add_plain(s, &s->list.items[i], err));
    if (s->x) {
        s->x->index = "newest";
        s->x->index_why = "no words to rank by: the newest messages that pass";
        s->x->ms.enrich = br_explain_clock(s->x) - from;
    }
err:
    return rc;
}

static enum br_rc prepare_semantic(struct br_searching *s, struct br_err *err)
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
static void pin(struct br_searching *s)
{
    for (uint64_t i = s->page->slots; i < s->allowed.slots.n_bits; i++)
        br_bitmap_clear(&s->allowed.slots, i);
    for (uint64_t i = s->page->contents; i < s->allowed.contents.n_bits; i++)
        br_bitmap_clear(&s->allowed.contents, i);
}

static enum br_rc run(struct br_searching *s, struct br_err *err)
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
    BR_TRY(br_search_add_hits(s, err));
    if (s->x)
        s->x->ms.enrich = br_explain_clock(s->x) - from;
err:
    return rc;
}

static enum br_rc give_results(struct br_searching *s, double took_ms, struct br_search_results *out, struct br_err *err)
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
    struct br_searching s = {.ws = ws, .opt = options, .page = page, .n = page->base_n};
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
        br_fusion_clear(s.fusion);
    free(s.fusion);
    br_slack_set_free(&s.allowed);
    br_tokens_free(&s.tokens);
    free(s.results.hits);
    br_message_list_free(&s.list);
    br_query_free(&s.query);
    return rc;
}
