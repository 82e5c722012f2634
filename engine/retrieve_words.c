/* retrieve_words.c - the keyword side: BM25 over messages and over whole conversations.
 *
 * A question is answered by a conversation, and its words are spread over it: BM25 of whole threads finds the right one far more often than
 * that of messages or passages (S@10 .53 against .44 and .48, a2-noroot of bench/retrieval). The keyword index knows passages (postings.c); the
 * counts of a thread's passages, added up, are the thread's.
 *
 *   score = sum over terms of idf * tf * (K1 + 1) / (tf + K1 * (1 - b + b * length / mean length))
 *
 * idf is that of conversations (threads with passages, and messages outside of threads): a word that one long thread says in every passage is
 * rare all the same. It finds more than that of messages and passages (S@10 of hybrid search a2 .825 to .829, a2-noroot .596 to .603, b .529 to
 * .537; chosen by looking at both halves of the labelled tasks, of which none finds less). One scale fits both kinds. Lengths are of
 * the text in bytes, at BYTES_PER_TOKEN: they only temper counts, and the index keeps the exact ones where they are slow to get at. Threads are
 * long because they go on, not because they say things twice over, but long ones also come up by chance: THREAD_B is higher than the
 * customary .75, which messages keep. */
#include "retrieve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conversations.h"
#include "postings.h"

#define K1 1.2
#define MESSAGE_B 0.75
#define THREAD_B 0.95
#define BYTES_PER_TOKEN 6.0
#define TERMS_USED 24 /* of a query */

static double idf_of(double documents, double with)
{
    return BR_MAX(log((documents - with + 0.5) / (with + 0.5)), 1e-6); /* as FTS5 has it: very common words never count against */
}

static double weight(double idf, double tf, double norm)
{
    return idf * tf * (K1 + 1) / (tf + norm);
}

/* Conversations are counted once in each state of the store, so that every handle gives the same scores, whatever it was asked before. */
static void count_all(const struct br_conversations *c, const struct br_term_counts of[2], struct br_word_totals *t)
{
    for (int kind = 0; kind < 2; kind++) {
        t->documents[kind] = of[kind].n_documents;
        t->tokens[kind] = of[kind].n_tokens;
    }
    t->threads = c->threads;
    t->lone = t->documents[BR_DOC_MESSAGE] - BR_MIN(t->documents[BR_DOC_MESSAGE], c->threaded + c->alone);
}

static double mean(uint64_t tokens, uint64_t n)
{
    return BR_MAX((double)tokens / (double)BR_MAX(n, (uint64_t)1), 1.0);
}

/* Conversations with passages that have the word, and of the messages that have it the share that is in none. */
static enum br_rc weigh_words(struct br_word_counts *w, const struct br_conversations *c, size_t n, struct br_err *err)
{
    const struct br_word_totals *t = &w->totals;
    uint64_t threads_with[BR_TERMS_MAX] = {0};
    double lone = (double)t->lone / (double)BR_MAX(t->documents[BR_DOC_MESSAGE], (uint64_t)1);
    enum br_rc rc = br_conversations_with(c, &w->of[BR_DOC_PASSAGE], n, threads_with, err);
    for (size_t i = 0; i < n; i++)
        w->idf[i] = idf_of((double)t->threads + (double)t->lone, (double)threads_with[i] + lone * (double)w->of[BR_DOC_MESSAGE].documents_with[i]);
    return rc;
}

/* totals: NULL, those of now. */
static enum br_rc weigh(struct br_workspace *ws, const struct br_store_info *now, const struct br_word_totals *totals, size_t n,
                        struct br_word_counts *w, struct br_err *err)
{
    const struct br_conversations *conversations;
    struct br_word_totals *t = &w->totals;
    enum br_rc rc = br_conversations_of(ws, now, &conversations, err);
    if (rc != BR_OK)
        return rc;
    if (!totals)
        count_all(conversations, w->of, t);
    w->thread_tokens = mean(t->tokens[BR_DOC_PASSAGE], t->threads);
    w->message_tokens = mean(t->tokens[BR_DOC_MESSAGE], t->documents[BR_DOC_MESSAGE]);
    return weigh_words(w, conversations, n, err);
}

struct alternative {
    uint32_t documents;
    size_t at; /* in the query */
};

static int rarer(const void *a, const void *b)
{
    const struct alternative *x = a, *y = b;
    if (x->documents != y->documents)
        return x->documents < y->documents ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static struct br_phrase alternative(const struct br_query *q, size_t i)
{
    size_t start = i ? q->alternative_end[i - 1] + strlen(BR_QUERY_OR) : 0;
    return (struct br_phrase){q->match.data + start, q->alternative_end[i] - start};
}

/* A pasted text has words enough to match everything. What tells it apart is its rare ones; the others cost time and move little. Words that
 * no message has are no help either: they come last. */
static enum br_rc rarest(struct br_workspace *ws, const struct br_query *q, struct br_phrase *out, struct br_err *err)
{
    struct br_term_rarity rarity;
    struct alternative items[BR_QUERY_ALTERNATIVES_MAX];
    enum br_rc rc = br_slack_rarity(ws->store, br_buf_str(&q->match), BR_DOC_MESSAGE, &rarity, err);
    if (rc != BR_OK)
        return rc;
    for (size_t i = 0; i < q->n_alternatives; i++)
        items[i] = (struct alternative){rarity.documents[i] ? rarity.documents[i] : UINT32_MAX, i};
    qsort(items, q->n_alternatives, sizeof *items, rarer);
    for (size_t i = 0; i < TERMS_USED && i < q->n_alternatives; i++)
        out[i] = alternative(q, items[i].at);
    return BR_OK;
}

/* The alternatives that are counted, and the expression they make. */
static enum br_rc choose(struct br_workspace *ws, const struct br_query *q, struct br_phrase phrases[TERMS_USED], size_t *n, char **match,
                         struct br_err *err)
{
    struct br_buf b;
    enum br_rc rc = BR_OK;
    br_buf_init(&b, BR_QUERY_MATCH_MAX);
    *n = BR_MIN(q->n_alternatives, (size_t)TERMS_USED);
    for (size_t i = 0; i < *n; i++)
        phrases[i] = alternative(q, i);
    if (q->n_alternatives > TERMS_USED)
        BR_TRY(rarest(ws, q, phrases, err));
    for (size_t i = 0; i < *n; i++) {
        br_buf_adds(&b, i ? BR_QUERY_OR : "");
        br_buf_add(&b, phrases[i].text, phrases[i].len);
    }
    BR_TRY(br_buf_status(&b, err));
    *match = strdup(br_buf_str(&b));
    if (!*match)
        rc = br_fail_nomem(err);
err:
    br_buf_free(&b);
    return rc;
}

enum br_rc br_words_count(struct br_workspace *ws, const struct br_query *q, const struct br_bitmap *contents,
                          const struct br_word_totals *totals, struct br_word_counts *out, struct br_err *err)
{
    struct br_term_counts *m = &out->of[BR_DOC_MESSAGE], *p = &out->of[BR_DOC_PASSAGE];
    struct br_phrase phrases[TERMS_USED];
    struct br_store_info info;
    size_t n;
    enum br_rc rc;
    *out = (struct br_word_counts){0};
    BR_TRY(br_store_now(ws->store, &info, err));
    const struct br_state state = br_state_of(&info);
    br_docs_begin(ws, &info);
    BR_TRY(choose(ws, q, phrases, &n, &out->match, err));
    BR_TRY(br_postings_count(ws, &state, phrases, n, BR_DOC_MESSAGE, contents, m, err));
    BR_TRY(br_postings_count(ws, &state, phrases, n, BR_DOC_PASSAGE, contents, p, err));
    if (totals)
        out->totals = *totals;
    if (m->n_rows || p->n_rows) /* else there is nothing to weigh, and what there is need not be counted */
        BR_TRY(weigh(ws, &info, totals, n, out, err));
err:
    if (rc != BR_OK)
        br_word_counts_free(out);
    return rc;
}

void br_word_counts_free(struct br_word_counts *w)
{
    br_term_counts_free(&w->of[BR_DOC_MESSAGE]);
    br_term_counts_free(&w->of[BR_DOC_PASSAGE]);
    free(w->match);
    w->match = NULL;
}

static double score_row(const struct br_word_counts *w, enum br_doc_kind kind, const struct br_term_row *row, double norm)
{
    const struct br_term_count *c = w->of[kind].counts + row->first;
    double s = 0;
    for (uint32_t i = 0; i < row->n; i++)
        s += weight(w->idf[c[i].term], c[i].count, norm);
    return s;
}

/* ---- the best of many rows ---- */

struct scored {
    const struct br_term_row *row;
    double score;
};

static bool worse(const struct scored *a, const struct scored *b)
{
    return a->score != b->score ? a->score < b->score : a->row->content_id < b->row->content_id;
}

/* items: a heap of n with the worst on top; its top has been replaced. */
static void sink(struct scored *items, size_t n)
{
    for (size_t at = 0;;) {
        size_t least = at, left = 2 * at + 1;
        for (size_t child = left; child < n && child < left + 2; child++)
            if (worse(&items[child], &items[least]))
                least = child;
        if (least == at)
            return;
        struct scored t = items[at];
        items[at] = items[least];
        items[least] = t;
        at = least;
    }
}

static void rise(struct scored *items, size_t at)
{
    for (size_t up; at && worse(&items[at], &items[up = (at - 1) / 2]); at = up) {
        struct scored t = items[at];
        items[at] = items[up];
        items[up] = t;
    }
}

static size_t keep_best(const struct br_word_counts *w, enum br_doc_kind kind, struct scored *items, size_t room)
{
    const struct br_term_counts *c = &w->of[kind];
    size_t n = 0;
    for (size_t i = 0; i < c->n_rows && room; i++) {
        struct scored s = {&c->rows[i], score_row(w, kind, &c->rows[i], K1)};
        if (n < room) {
            items[n] = s;
            rise(items, n++);
        } else if (worse(&items[0], &s)) {
            items[0] = s;
            sink(items, n);
        }
    }
    return n;
}

static int better_hit(const void *a, const void *b)
{
    const struct br_word_hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->doc.ts < y->doc.ts) - (x->doc.ts > y->doc.ts);
}

enum br_rc br_words_best(struct br_workspace *ws, const struct br_word_counts *w, enum br_doc_kind kind, size_t n, struct br_word_hit *out,
                         size_t *n_out, struct br_err *err)
{
    struct scored *best = malloc(BR_MAX(n, (size_t)1) * sizeof *best);
    enum br_rc rc = BR_OK;
    *n_out = 0;
    if (!best)
        return br_fail_nomem(err);
    size_t kept = keep_best(w, kind, best, n);
    for (size_t i = 0; i < kept; i++) {
        struct br_err quiet = {0};
        struct br_word_hit *hit = &out[*n_out];
        size_t length;
        rc = br_doc_of_content(ws, kind, best[i].row->content_id, &hit->doc, &length, &quiet);
        if (rc == BR_E_NOTFOUND)
            continue;
        if (rc != BR_OK)
            BR_TRY(br_fail(err, rc, "%s", quiet.msg));
        double relative = (double)length / BYTES_PER_TOKEN / w->message_tokens;
        hit->score = kind == BR_DOC_PASSAGE ? best[i].score : score_row(w, kind, best[i].row, K1 * (1 - MESSAGE_B + MESSAGE_B * relative));
        ++*n_out;
    }
    rc = BR_OK;
    if (*n_out)
        qsort(out, *n_out, sizeof *out, better_hit);
err:
    free(best);
    return rc;
}

/* ---- conversations ---- */

double br_words_thread(const struct br_word_counts *w, const struct br_thread *t, const struct br_bitmap *contents, bool *has_passages)
{
    const struct br_term_counts *passages = &w->of[BR_DOC_PASSAGE];
    double tf[BR_TERMS_MAX] = {0}, bytes = 0, score = 0;
    *has_passages = false;
    for (size_t k = 0; k < t->n; k++) {
        const struct br_thread_passage *p = &t->passages[k];
        if (contents && !br_bitmap_test(contents, p->content_id))
            continue;
        *has_passages = true;
        bytes += p->length;
        const struct br_term_row *row = br_term_counts_find(passages, p->content_id);
        for (uint32_t i = 0; row && i < row->n; i++)
            tf[passages->counts[row->first + i].term] += passages->counts[row->first + i].count;
    }
    double norm = K1 * (1 - THREAD_B + THREAD_B * bytes / BYTES_PER_TOKEN / BR_MAX(w->thread_tokens, 1.0));
    for (size_t i = 0; i < BR_TERMS_MAX; i++)
        if (tf[i] > 0)
            score += weight(w->idf[i], tf[i], norm);
    return score;
}
