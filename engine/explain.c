/* explain.c - the part of an explanation that is not noted on the way: conditions one by one, with names and selectivity.
 *
 * A condition alone is a filter with nothing else in it, given to what the search gives the whole one (br_slack_filter_set): it means the same
 * here and there. Bits of dead slots mean nothing in such a set, so they are counted among the live. */
#include "explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double br_explain_clock(const struct br_explain *x)
{
    struct timespec now = {0};
    if (x)
        clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

void br_explain_scan(struct br_explain *x, bool wished)
{
    if (!x)
        return;
    x->index = "scan of vectors";
    x->index_why = wished ? "every vector that passes is compared: asked for, or as many hits are wanted" : "there is no graph yet";
    x->ef = 0;
    x->graph_nodes = x->graph_matches = x->tail = 0; /* of a walk that came before */
}

void br_explain_plan(struct br_explain *x, const struct br_search_plan *plan, uint64_t tail)
{
    static const char *const index[] = {"graph walk", "filtered graph walk", "graph walk within the filter", "scan of codes", "scan of codes"};
    static const char *const why[] = {"a graph so small is scanned faster than walked", "so few vectors pass that they are scanned",
                                      "scanning what passes costs less than a walk so wide", "a walk met too few that pass, or lost its way: scanned after it",
                                      "fewer of a walk's beam would pass than the list of candidates needs"};
    if (!x)
        return;
    x->index = index[plan->path];
    x->index_why = plan->path == BR_PATH_WALK            ? "nothing is filtered out"
                   : plan->path == BR_PATH_FILTERED_WALK ? "enough pass to be met on the way"
                   : plan->path == BR_PATH_WALK_WITHIN   ? "too many pass for a scan, too few to be met on the way"
                                                         : why[plan->why];
    x->graph_nodes = plan->nodes;
    x->graph_matches = plan->matches;
    x->ef = plan->ef;
    x->tail = tail;
}

struct explaining {
    struct br_workspace *ws;
    struct br_arena *arena;
    struct br_explain *x;
    struct br_explain_filter *filters;
    size_t room;
    struct br_bitmap live[2]; /* by enum br_doc_kind */
};

/* ---- names ---- */

struct finding {
    const char *id;
    struct br_arena *arena;
    const char *name; /* NULL not found */
};

static enum br_rc is_it(void *ctx, const char *id, const char *name)
{
    struct finding *f = ctx;
    if (!f->name && name && strcmp(id, f->id) == 0)
        f->name = br_arena_str(f->arena, name);
    return BR_OK;
}

static const char *name_of(struct explaining *e, bool channel, const char *id)
{
    struct finding f = {.id = id, .arena = e->arena};
    struct br_err err = {0};
    if ((channel ? br_slack_each_channel : br_slack_each_user)(e->ws->store, is_it, &f, &err) != BR_OK || !f.name)
        return br_arena_str(e->arena, id);
    return f.name;
}

static const char *name_of_author(struct explaining *e, const struct br_slack_author *a)
{
    return a->is_bot ? a->key : name_of(e, false, a->key);
}

/* ---- conditions ---- */

static enum br_rc add_filter(struct explaining *e, const struct br_slack_filter *alone, struct br_explain_filter filter, struct br_err *err)
{
    struct br_slack_set set;
    BR_ASSERT(e->x->n_filters < e->room); /* see room_for */
    enum br_rc rc = br_slack_filter_set(e->ws->store, alone, &set, err);
    if (rc != BR_OK)
        return rc;
    filter.messages = br_bitmap_count_both(&set.slots, &e->live[BR_DOC_MESSAGE]);
    filter.passages = br_bitmap_count_both(&set.slots, &e->live[BR_DOC_PASSAGE]);
    br_slack_set_free(&set);
    e->filters[e->x->n_filters++] = filter;
    return BR_OK;
}

static enum br_rc add_term(struct explaining *e, bool excluded, const struct br_slack_terms *t, const char *key, const char *value, const char *id,
                           struct br_err *err)
{
    struct br_slack_filter alone = {0};
    *(excluded ? &alone.without : &alone.with) = *t;
    const char *copy = br_arena_str(e->arena, value), *id_copy = br_arena_str(e->arena, id);
    return add_filter(e, &alone, (struct br_explain_filter){.key = key, .value = copy, .id = id_copy, .excluded = excluded}, err);
}

static enum br_rc add_flags(struct explaining *e, bool excluded, unsigned has, struct br_err *err)
{
    static const struct {
        unsigned bit;
        const char *key, *value;
    } flags[] = {{BR_HAS_LINK, "has", "link"},  {BR_HAS_FILE, "has", "file"},   {BR_HAS_REACTION, "has", "reaction"},
                 {BR_IS_PINNED, "has", "pin"}, {BR_IS_THREAD, "is", "thread"}, {BR_IS_ROOT, "is", "root"}};
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < BR_COUNT(flags); i++)
        if (has & flags[i].bit)
            BR_TRY(add_term(e, excluded, &(struct br_slack_terms){.has = flags[i].bit}, flags[i].key, flags[i].value, NULL, err));
err:
    return rc;
}

static enum br_rc add_terms(struct explaining *e, bool excluded, const struct br_slack_terms *t, struct br_err *err)
{
    char number[24], emoji[300];
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < t->n_channels; i++)
        BR_TRY(add_term(e, excluded, &(struct br_slack_terms){.channel_ids = &t->channel_ids[i], .n_channels = 1}, "in",
                        name_of(e, true, t->channel_ids[i]), t->channel_ids[i], err));
    for (size_t i = 0; i < t->n_authors; i++)
        BR_TRY(add_term(e, excluded, &(struct br_slack_terms){.authors = &t->authors[i], .n_authors = 1}, "from",
                        name_of_author(e, &t->authors[i]), t->authors[i].key, err));
    for (size_t i = 0; i < t->n_participants; i++)
        BR_TRY(add_term(e, excluded, &(struct br_slack_terms){.participants = &t->participants[i], .n_participants = 1}, "with",
                        name_of_author(e, &t->participants[i]), t->participants[i].key, err));
    for (size_t i = 0; i < t->n_reactions; i++) {
        snprintf(emoji, sizeof emoji, ":%s:", t->reactions[i]);
        BR_TRY(add_term(e, excluded, &(struct br_slack_terms){.reactions = &t->reactions[i], .n_reactions = 1}, "has", emoji, NULL, err));
    }
    BR_TRY(add_flags(e, excluded, t->has, err));
    snprintf(number, sizeof number, "%lld", (long long)t->min_reactions);
    if (t->min_reactions)
        BR_TRY(add_term(e, excluded, &(struct br_slack_terms){.min_reactions = t->min_reactions}, "min_reactions", number, NULL, err));
    if (t->match)
        BR_TRY(add_term(e, excluded, &(struct br_slack_terms){.match = t->match}, "words", t->match, NULL, err));
err:
    return rc;
}

static void add_time(struct br_buf *b, const char *before, int64_t ts)
{
    char text[40];
    time_t t = (time_t)(ts / 1000000);
    struct tm tm = {0};
    if (!ts || !gmtime_r(&t, &tm))
        return;
    strftime(text, sizeof text, t % 86400 || ts % 1000000 ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d", &tm);
    br_buf_adds(b, before);
    br_buf_adds(b, text);
}

static enum br_rc add_dates(struct explaining *e, const struct br_slack_filter *f, struct br_err *err)
{
    struct br_slack_filter alone = {.after = f->after, .before = f->before};
    struct br_buf text;
    if (!f->after && !f->before)
        return BR_OK;
    br_buf_init(&text, 128);
    add_time(&text, "from ", f->after);
    add_time(&text, f->after ? " until before " : "before ", f->before);
    const char *value = br_arena_str(e->arena, br_buf_str(&text));
    e->arena->failed |= text.no_memory;
    br_buf_free(&text);
    return add_filter(e, &alone, (struct br_explain_filter){.key = "dates", .value = value}, err);
}

static size_t room_for(const struct br_slack_terms *t)
{
    return t->n_channels + t->n_authors + t->n_participants + t->n_reactions + 8; /* flags, min_reactions, match */
}

static void add_words(struct explaining *e, const struct br_query *q)
{
    const char **terms = br_arena_array(e->arena, BR_MAX(q->n_words, (size_t)1), sizeof *terms);
    for (size_t i = 0; terms && i < q->n_words; i++)
        terms[i] = br_arena_str(e->arena, q->words[i].text);
    e->x->terms = terms;
    e->x->n_terms = q->n_words;
    e->x->text = br_arena_str(e->arena, br_buf_str(&q->text));
}

enum br_rc br_explain_query(struct br_workspace *ws, const struct br_query *q, const struct br_bitmap *allowed, struct br_arena *arena,
                            struct br_explain *x, struct br_err *err)
{
    struct explaining e = {.ws = ws, .arena = arena, .x = x, .room = room_for(&q->filter.with) + room_for(&q->filter.without) + 1};
    double from = br_explain_clock(x);
    enum br_rc rc;
    e.filters = br_arena_array(arena, e.room, sizeof *e.filters);
    if (!e.filters)
        return br_fail_nomem(err);
    BR_TRY(br_slack_live_slots(ws->store, e.live, err));
    x->messages = x->messages_pass = br_bitmap_count(&e.live[BR_DOC_MESSAGE]);
    x->passages = x->passages_pass = br_bitmap_count(&e.live[BR_DOC_PASSAGE]);
    if (allowed) {
        x->messages_pass = br_bitmap_count_both(allowed, &e.live[BR_DOC_MESSAGE]);
        x->passages_pass = br_bitmap_count_both(allowed, &e.live[BR_DOC_PASSAGE]);
    }
    BR_TRY(add_terms(&e, false, &q->filter.with, err));
    BR_TRY(add_dates(&e, &q->filter, err));
    BR_TRY(add_terms(&e, true, &q->filter.without, err));
    x->filters = e.filters;
    add_words(&e, q);
    if (arena->failed)
        BR_TRY(br_fail_nomem(err));
    x->ms.explain = br_explain_clock(x) - from;
err:
    br_bitmap_free(&e.live[BR_DOC_MESSAGE]);
    br_bitmap_free(&e.live[BR_DOC_PASSAGE]);
    return rc;
}
