/* fusion.c - conversations and their score.
 *
 * A conversation is a thread, or a message without one; it is what answers a question, so it is what is ranked, by
 *
 *   words / most words + MEANING_WEIGHT * (best message + best passage) / 2 + opening weight * (first message + first passage) / 2
 *
 * words: BM25 of the whole conversation (retrieve_words.c), relative to the best one's, since BM25 has no scale of its own. The others are
 * cosines to the query: of its message and its passage that are nearest, and of how it begins; a conversation without passages has its message
 * for all. Measured (bench/retrieval), the sum of scores ranks better than the sum of reciprocal ranks: a rank does not tell a clear winner
 * from the first among equals. A message that is not among the candidates of the semantic side has the similarity of the last of them, unless it is
 * a conversation by itself: then its own, as soon as it is scored in full.
 *
 * How a conversation begins says what it is about. A question of few words names a subject; one of many describes a case, which may come up
 * anywhere in it. So the weight of the opening is OPENING_WEIGHT over the number of words (br_query.length), at least OPENING_WORDS_MIN.
 * On the labelled tasks openings help questions of up to five words, make no difference for up to twenty, and mislead longer ones. */
#include "fusion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define MEANING_WEIGHT 2.0
#define OPENING_WEIGHT 3.0 /* 2 to 4 make little difference */
#define OPENING_WORDS_MIN 4

void br_fusion_clear(struct br_fusion *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->items[i].candidates);
    free(f->items);
    *f = (struct br_fusion){0};
}

static struct br_conversation *conversation_of(struct br_fusion *f, const struct br_doc *d)
{
    uint64_t h = (uint64_t)d->thread_ts * 0x9E3779B97F4A7C15u;
    uint32_t *chain = &f->chains[h >> 52 & (BR_FUSION_CHAINS - 1)];
    for (uint32_t i = *chain; i; i = f->items[i - 1].next)
        if (f->items[i - 1].thread_ts == d->thread_ts && strcmp(f->items[i - 1].channel_id, d->channel_id) == 0)
            return &f->items[i - 1];
    if (!br_array_fit(&f->items, &f->alloc, f->count + 1, sizeof *f->items))
        return NULL;
    struct br_conversation *c = &f->items[f->count++];
    *c = (struct br_conversation){.thread_ts = d->thread_ts,
                               .message = NAN,
                               .passage_similarity = NAN,
                               .near = {.passage = NAN, .root = NAN, .first_passage = NAN},
                               .lone = true,
                               .next = *chain};
    memcpy(c->channel_id, d->channel_id, sizeof c->channel_id);
    *chain = (uint32_t)f->count;
    return c;
}

static struct br_candidate *candidate_of(struct br_conversation *c, int64_t ts)
{
    for (size_t i = 0; i < c->n_candidates; i++)
        if (c->candidates[i].ts == ts)
            return &c->candidates[i];
    if (c->n_candidates == c->alloc) { /* there are many conversations, of few: br_array_fit would begin with more */
        size_t alloc = c->alloc ? c->alloc * 2 : 4;
        void *p = realloc(c->candidates, alloc * sizeof *c->candidates);
        if (!p)
            return NULL;
        c->candidates = p;
        c->alloc = alloc;
    }
    struct br_candidate *m = &c->candidates[c->n_candidates++];
    *m = (struct br_candidate){.ts = ts, .semantic = NAN, .keyword = NAN};
    return m;
}

static enum br_rc note_message(struct br_fusion *f, bool keyword, const struct br_doc *d, double value, size_t rank, struct br_err *err)
{
    struct br_conversation *c = conversation_of(f, d);
    struct br_candidate *m = c ? candidate_of(c, d->ts) : NULL;
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
static enum br_rc note_passage(struct br_fusion *f, bool keyword, const struct br_doc *d, double value, size_t rank, struct br_err *err)
{
    struct br_conversation *c = conversation_of(f, d);
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

enum br_rc br_fusion_note(struct br_fusion *f, bool keyword, const struct br_doc *d, double value, size_t rank, struct br_err *err)
{
    return (d->kind == BR_DOC_PASSAGE ? note_passage : note_message)(f, keyword, d, value, rank, err);
}

static double similarity(const struct br_fusion *f, double s)
{
    return isnan(s) ? f->floor : s;
}

double br_message_near(const struct br_fusion *f, const struct br_conversation *c)
{
    return c->lone && isnan(c->message) ? similarity(f, c->near.root) : similarity(f, c->message);
}

double br_passage_near(const struct br_fusion *f, const struct br_conversation *c)
{
    return c->lone ? br_message_near(f, c) : !isnan(c->near.passage) ? c->near.passage : similarity(f, c->passage_similarity);
}

/* Until it is scored in full, as near as its best document. */
double br_opening_near(const struct br_fusion *f, const struct br_conversation *c)
{
    double first = isnan(c->near.first_passage) ? br_passage_near(f, c) : c->near.first_passage;
    return (first + (isnan(c->near.root) ? first : c->near.root)) / 2;
}

double br_meaning_of(const struct br_fusion *f, const struct br_conversation *c)
{
    return MEANING_WEIGHT * (br_message_near(f, c) + br_passage_near(f, c)) / 2 + f->opening_weight * br_opening_near(f, c);
}

static void score_conversation(const struct br_fusion *f, struct br_conversation *c)
{
    c->score = br_meaning_of(f, c);
    if (f->most_words > 0)
        c->score += c->words / f->most_words;
}

double br_candidate_near(const struct br_fusion *f, const struct br_candidate *m)
{
    return similarity(f, m->semantic);
}

/* As of a conversation of one message. */
double br_candidate_meaning(const struct br_fusion *f, const struct br_candidate *m)
{
    return (MEANING_WEIGHT + f->opening_weight) * br_candidate_near(f, m);
}

double br_message_score(const struct br_fusion *f, const struct br_candidate *m)
{
    double s = br_candidate_meaning(f, m);
    return isnan(m->keyword) ? s : s + m->keyword / f->most_message_words;
}

static int better_conversation(const void *a, const void *b)
{
    const struct br_conversation *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    if (x->thread_ts != y->thread_ts)
        return x->thread_ts < y->thread_ts ? 1 : -1;
    return strcmp(x->channel_id, y->channel_id);
}

int br_better_candidate(const void *a, const void *b, void *fusion)
{
    double x = br_message_score(fusion, a), y = br_message_score(fusion, b);
    if (x != y)
        return x < y ? 1 : -1;
    int64_t s = ((const struct br_candidate *)a)->ts, t = ((const struct br_candidate *)b)->ts;
    return (s > t) - (s < t);
}

void br_fusion_weigh(struct br_fusion *f, size_t n_words)
{
    f->opening_weight = OPENING_WEIGHT / (double)BR_MAX(n_words, (size_t)OPENING_WORDS_MIN);
}

void br_fusion_order(struct br_fusion *f, size_t n)
{
    f->most_words = 0;
    for (size_t i = 0; i < n; i++)
        f->most_words = BR_MAX(f->most_words, f->items[i].words);
    for (size_t i = 0; i < n; i++)
        score_conversation(f, &f->items[i]);
    if (n)
        qsort(f->items, n, sizeof *f->items, better_conversation);
}

void br_fusion_order_roughly(struct br_fusion *f)
{
    for (size_t i = 0; i < f->count; i++) {
        struct br_conversation *c = &f->items[i];
        c->words = c->passage_words > 0 ? c->passage_words : c->message_words;
        c->near.root = c->near.first_passage = similarity(f, fmax(c->message, c->passage_similarity)); /* perhaps: what could come first is looked at */
    }
    br_fusion_order(f, f->count);
}

size_t br_fusion_showable(const struct br_fusion *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++)
        n += BR_MAX(f->items[i].n_candidates, (size_t)1);
    return n;
}
