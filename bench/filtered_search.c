/* filtered_search.c - does a filter lose hits? Ten hits of a filtered search, beside those of the same search with every vector that passes
 * compared (--exact).
 *
 *   bench_filtered_search HOME QUERIES.jsonl [QUERIES]
 *
 * QUERIES.jsonl holds one {"text": …} a line (quotes, colons and hyphens are read as blanks; bench/retrieval's are titles of threads); QUERIES of
 * them are asked, evenly chosen (default 100). HOME holds one workspace, and is only read.
 *
 * Filters are made of the workspace itself: each channel and the authors with most messages, alone, in pairs and excluded; months and years
 * as during:, before: and after:; has:, is: and min_reactions:, alone, in a channel and excluded. The messages that pass are counted, and for each
 * share of LEVELS the nearest filter of every kind is taken, if one is within half as much again. Where there are not more than CHANNELS_EACH channels,
 * every one of them is also a filter of its own, and all but it (bench/split_channels makes an export of many). Besides, each query gets filters of its own,
 * made of its best hit without a filter: that hit's channel and month (the filter goes with the query), all but that channel, all before that
 * month, and the channel with most messages that none of its first 100 hits is in (against it). Those count at the level that is nearest.
 *
 * Recall: of the exact answer's hits, the share that is in the answer; hybrid and semantic. few: answers with fewer than ten hits and fewer than
 * messages that pass. graph: answers for which not every vector that passes was looked at. ms: mean time of hybrid searches, as they are and
 * exact, the query's vector being there already. With BENCH_SHOW set, each answer that misses a hit is told on stderr.
 *
 * What exact means: br_exact_range over the rows of the vector log that pass, dead ones dropped by the join with the store and more asked for until
 * there are enough. The rest is the same on both sides and is no part of this measure: the candidates of the semantic side that are taken (200
 * for ten hits), and the keyword side, which counts every document that passes and has a word of the query (of long queries, the 24 rarest),
 * and gives its best 60 messages and 60 passages. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine_int.h"
#include "queries.h"

#define HITS 10
#define FILTER_MAX 160
#define FILTERS_MAX 4000
#define USERS 150
#define FAR_HITS 100
#define CHANNELS_EACH 40
#define TOLERANCE 1.5

static const double LEVELS[] = {.001, .003, .01, .03, .1, .3, .9};
#define N_LEVELS (sizeof LEVELS / sizeof *LEVELS)

struct filter {
    const char *kind; /* static */
    char text[FILTER_MAX];
    uint64_t messages; /* that pass */
};
struct cell {
    double share, found[2], expected[2]; /* sums; by mode */
    double hits, ms[2];                  /* hybrid: hits, and time as it is and exact */
    double worst;                        /* recall of one hybrid answer */
    size_t n, few, graph, timed;
};

static struct br_workspace *ws;
static struct br_bitmap is_message; /* by slot */
static uint64_t n_messages;
static struct filter filters[FILTERS_MAX];
static size_t n_filters;
static struct br_activities channels, users;

static void stop_at_rc(enum br_rc rc, const struct br_err *err)
{
    if (rc != BR_OK) {
        fprintf(stderr, "%s\n", err->msg);
        exit(1);
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- counting ---- */

static void find_messages(void)
{
    struct br_err err = {0};
    struct br_store_info info;
    stop_at_rc(br_store_info(ws->store, &info, &err), &err);
    stop_at_rc(br_bitmap_init(&is_message, info.vector_tail, &err), &err);
    for (uint64_t slot = 0; slot < info.vector_tail; slot++) {
        struct br_doc doc;
        if (br_slack_doc_of_slot(ws->store, slot, &doc, NULL) != BR_OK || doc.kind != BR_DOC_MESSAGE)
            continue;
        br_bitmap_set(&is_message, slot);
        n_messages++;
    }
}

static uint64_t count_passing(const char *filter)
{
    struct br_search_options o = {0};
    struct br_err err = {0};
    struct br_query q;
    struct br_slack_set set;
    if (!ws->tokenizer)
        stop_at_rc(br_slack_tokenizer_new(&ws->tokenizer, &err), &err);
    stop_at_rc(br_query_parse(ws, ws->tokenizer, filter, &o, &q, &err), &err);
    stop_at_rc(br_slack_filter_set(ws->store, &q.filter, &set, &err), &err);
    br_bitmap_intersect(&set.slots, &is_message);
    uint64_t n = br_bitmap_count(&set.slots);
    br_slack_set_free(&set);
    br_query_free(&q);
    return n;
}

/* ---- the filters ---- */

__attribute__((format(printf, 2, 3))) static void add(const char *kind, const char *format, ...)
{
    struct filter *f = &filters[n_filters];
    va_list args;
    if (n_filters == FILTERS_MAX)
        return;
    va_start(args, format);
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
    f->kind = kind;
    f->messages = count_passing(f->text);
    n_filters++;
}

static void add_of_channels(void)
{
    static const char *const more[] = {"has:link", "is:root", "is:thread", "has:reaction"};
    for (size_t i = 0; i < channels.count; i++) {
        const char *id = channels.items[i].id;
        add("in", "in:%s", id);
        add("-in", "-in:%s", id);
        for (size_t j = i + 1; j < channels.count && j < i + 4; j++)
            add("in any of two", "in:%s in:%s", id, channels.items[j].id);
        for (size_t j = 0; j < sizeof more / sizeof *more; j++)
            add("in + has, is", "in:%s %s", id, more[j]);
        for (size_t j = 0; j < 3 && j < users.count; j++)
            add("in + from", "in:%s from:%s", id, users.items[j].id);
    }
}

static void add_of_users(void)
{
    for (size_t i = 0; i < users.count; i++) {
        add("from", "from:%s", users.items[i].id);
        add("-from", "-from:%s", users.items[i].id);
        if (i + 1 < users.count)
            add("from any of two", "from:%s from:%s", users.items[i].id, users.items[i + 1].id);
        if (i % 5 == 0)
            add("with", "with:%s", users.items[i].id);
    }
}

static void add_of_dates(void)
{
    int64_t first = INT64_MAX, last = 0;
    for (size_t i = 0; i < channels.count; i++) {
        first = BR_MIN(first, channels.items[i].first_ts);
        last = BR_MAX(last, channels.items[i].last_ts);
    }
    for (time_t t = (time_t)(first / 1000000); t < (time_t)(last / 1000000); t += 31 * 86400) {
        struct tm d;
        char month[16];
        gmtime_r(&t, &d);
        strftime(month, sizeof month, "%Y-%m", &d);
        add("before", "before:%s", month);
        add("after", "after:%s", month);
        add("during", "during:%s", month);
        add("during", "during:%s-15", month);
        if (d.tm_mon == 0)
            add("during", "during:%d", d.tm_year + 1900);
        add("during + in", "during:%s in:%s", month, channels.items[0].id);
        add("after + has, is", "after:%s is:root", month);
    }
}

static void add_of_flags(void)
{
    static const char *const flags[] = {"has:link", "has:file",        "has:reaction",    "has:pin",         "is:thread", "is:root",
                                        "has::+1:", "min_reactions:2", "min_reactions:3", "min_reactions:5", "min_reactions:10"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        add("has, is", "%s", flags[i]);
        add("-has, -is", "-%s", flags[i]);
        for (size_t j = i + 1; j < sizeof flags / sizeof *flags; j++)
            add("has, is", "%s %s", flags[i], flags[j]);
    }
}

/* The nearest of a kind to a level. NULL: none is near. */
static const struct filter *nearest(const char *kind, double level)
{
    const struct filter *best = NULL;
    double least = log(TOLERANCE);
    for (size_t i = 0; i < n_filters; i++) {
        double off = fabs(log((double)filters[i].messages / (double)n_messages / level));
        if (strcmp(filters[i].kind, kind) == 0 && off < least) {
            least = off;
            best = &filters[i];
        }
    }
    return best;
}

/* ---- asking ---- */

static void ask(const char *text, const char *filter, enum br_search_mode mode, bool exact, size_t n, struct br_search_results *r)
{
    struct br_error err = {0};
    struct br_buf q;
    br_buf_init(&q, 1 << 16);
    br_buf_adds(&q, filter);
    for (const char *s = text; *s; s++) /* a word that looks like a filter, a phrase or an exclusion is none */
        br_buf_addc(&q, s == text ? ' ' : strchr("\":-", *s) ? ' ' : *s);
    struct br_search_options o = {.mode = mode, .exact = exact, .n = n};
    *r = (struct br_search_results){0};
    stop_at(br_search(ws, br_buf_str(&q), &o, r, &err), &err);
    br_buf_free(&q);
}

static size_t common(const struct br_search_results *a, const struct br_search_results *b)
{
    size_t n = 0;
    for (size_t i = 0; i < a->count; i++)
        for (size_t j = 0; j < b->count; j++)
            n += a->hits[i].message.ts == b->hits[j].message.ts &&
                 strcmp(a->hits[i].message.channel_id, b->hits[j].message.channel_id) == 0;
    return n;
}

static void compare(const char *text, const char *filter, uint64_t messages, struct cell *c)
{
    static const enum br_search_mode modes[] = {BR_SEARCH_HYBRID, BR_SEARCH_SEMANTIC};
    c->n++;
    c->share += (double)messages / (double)n_messages;
    for (int m = 0; m < 2; m++) {
        struct br_search_results found, exact;
        ask(text, filter, modes[m], true, HITS, &exact);
        ask(text, filter, modes[m], false, HITS, &found);
        size_t same = common(&found, &exact);
        c->found[m] += (double)same;
        c->expected[m] += (double)exact.count;
        if (!m) {
            c->hits += (double)found.count;
            c->few += found.count < BR_MIN((uint64_t)HITS, messages);
            c->graph += !found.exhaustive;
            if (!found.cached && !exact.cached) {
                c->ms[0] += found.took_ms;
                c->ms[1] += exact.took_ms;
                c->timed++;
            }
            if (exact.count)
                c->worst = fmin(c->worst, (double)same / (double)exact.count);
        }
        if (same < exact.count && getenv("BENCH_SHOW"))
            fprintf(stderr, "%zu/%zu %s [%s] %s\n", same, exact.count, m ? "semantic" : "hybrid", filter, text);
        br_search_results_free(&found);
        br_search_results_free(&exact);
    }
}

static void print_cell(const char *kind, const char *filter, const struct cell *c)
{
    double n = (double)BR_MAX(c->n, (size_t)1), timed = (double)BR_MAX(c->timed, (size_t)1);
    if (c->n)
        printf("| %6.2f %% | %-16s | %-44s | %5zu | %.4f | %.2f | %.4f | %5.2f | %zu | %3.0f %% | %.2f / %.2f |\n", c->share / n * 100, kind, filter,
               c->n, c->expected[0] > 0 ? c->found[0] / c->expected[0] : 1, c->worst, c->expected[1] > 0 ? c->found[1] / c->expected[1] : 1, c->hits / n,
               c->few, (double)c->graph / n * 100, c->ms[0] / timed, c->ms[1] / timed);
    fflush(stdout);
}

/* ---- filters of a query's own ---- */

enum { OWN_CHANNEL, OWN_MONTH, ALL_BUT_OWN, BEFORE_OWN, FAR_CHANNEL, N_OWN };
static const char *const own_names[N_OWN] = {"its channel", "its month", "not its channel", "before its month", "a far channel"};

static const char *far_channel(const struct br_search_results *r)
{
    for (size_t i = 0; i < channels.count; i++) {
        bool near = false;
        for (size_t j = 0; j < r->count && !near; j++)
            near = strcmp(r->hits[j].message.channel_id, channels.items[i].id) == 0;
        if (!near && channels.items[i].messages >= n_messages / 2000)
            return channels.items[i].id;
    }
    return NULL;
}

static void own_filters(const char *text, char out[N_OWN][FILTER_MAX])
{
    struct br_search_results r;
    char month[16];
    memset(out, 0, N_OWN * FILTER_MAX);
    ask(text, "", BR_SEARCH_HYBRID, false, FAR_HITS, &r);
    if (r.count) {
        const struct br_message *m = &r.hits[0].message;
        time_t t = (time_t)(m->ts / 1000000);
        struct tm d;
        const char *far = far_channel(&r);
        strftime(month, sizeof month, "%Y-%m", gmtime_r(&t, &d));
        snprintf(out[OWN_CHANNEL], FILTER_MAX, "in:%s", m->channel_id);
        snprintf(out[OWN_MONTH], FILTER_MAX, "during:%s", month);
        snprintf(out[ALL_BUT_OWN], FILTER_MAX, "-in:%s", m->channel_id);
        snprintf(out[BEFORE_OWN], FILTER_MAX, "before:%s", month);
        if (far)
            snprintf(out[FAR_CHANNEL], FILTER_MAX, "in:%s", far);
    }
    br_search_results_free(&r);
}

static size_t level_of(double share)
{
    size_t best = 0;
    for (size_t i = 1; i < N_LEVELS; i++)
        if (fabs(log(share / LEVELS[i])) < fabs(log(share / LEVELS[best])))
            best = i;
    return best;
}

static void ask_own(char **texts, size_t n)
{
    static struct cell cells[N_OWN][N_LEVELS];
    for (int k = 0; k < N_OWN; k++)
        for (size_t l = 0; l < N_LEVELS; l++)
            cells[k][l].worst = 1;
    for (size_t i = 0; i < n; i++) {
        char own[N_OWN][FILTER_MAX];
        own_filters(texts[i], own);
        for (int k = 0; k < N_OWN; k++) {
            uint64_t messages = own[k][0] ? count_passing(own[k]) : 0;
            if (messages)
                compare(texts[i], own[k], messages, &cells[k][level_of((double)messages / (double)n_messages)]);
        }
    }
    for (size_t l = 0; l < N_LEVELS; l++)
        for (int k = 0; k < N_OWN; k++)
            print_cell(own_names[k], "of each query's own", &cells[k][l]);
}

static void ask_common(char **texts, size_t n)
{
    static const char *const kinds[] = {"in",   "-in",      "in any of two", "in + has, is", "in + from",   "from",            "-from",   "from any of two",
                                        "with", "before",   "after",         "during",       "during + in", "after + has, is", "has, is", "-has, -is"};
    struct cell all = {.worst = 1};
    for (size_t i = 0; i < n; i++)
        compare(texts[i], "", n_messages, &all);
    print_cell("none", "", &all);
    for (size_t l = 0; l < N_LEVELS; l++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            const struct filter *f = nearest(kinds[k], LEVELS[l]);
            struct cell c = {.worst = 1};
            for (size_t i = 0; i < n && f; i++)
                compare(texts[i], f->text, f->messages, &c);
            print_cell(kinds[k], f ? f->text : "", &c);
        }
}

static void ask_channels(char **texts, size_t n)
{
    for (size_t i = 0; i < channels.count && channels.count > 1 && channels.count <= CHANNELS_EACH; i++)
        for (int excluded = 0; excluded < 2; excluded++) {
            struct cell c = {.worst = 1};
            char filter[FILTER_MAX];
            snprintf(filter, sizeof filter, "%sin:%s", excluded ? "-" : "", channels.items[i].id);
            uint64_t messages = count_passing(filter);
            snprintf(filter, sizeof filter, "%sin:%s", excluded ? "-" : "", channels.items[i].name ? channels.items[i].name : channels.items[i].id);
            for (size_t q = 0; q < n && messages; q++)
                compare(texts[q], filter, messages, &c);
            print_cell(excluded ? "each, left out" : "each channel", filter, &c);
        }
}

int main(int argc, char **argv)
{
    struct br_error err = {0};
    struct br_home *home;
    char **texts = NULL;
    size_t n = argc > 2 ? read_texts(argv[2], &texts) : 0, want = argc > 3 ? strtoul(argv[3], NULL, 10) : 100;
    if (!n || !want) {
        fprintf(stderr, "usage: bench_filtered_search HOME QUERIES.jsonl [QUERIES]\n");
        return 2;
    }
    want = BR_MIN(want, n);
    char **chosen = calloc(want, sizeof *chosen);
    for (size_t i = 0; i < want; i++)
        chosen[i] = texts[i * n / want];
    stop_at(br_home_open(argv[1], NULL, &home, &err), &err);
    stop_at(br_workspace_open(home, NULL, &ws, &err), &err);
    br_workspace_cache_limit(ws, (size_t)1 << 30);
    find_messages();
    stop_at(br_activity(ws, BR_ACTIVITY_BY_CHANNEL, NULL, 0, 0, 200, &channels, &err), &err);
    stop_at(br_activity(ws, BR_ACTIVITY_BY_USER, NULL, 0, 0, USERS, &users, &err), &err);
    double from = now();
    add_of_channels();
    add_of_users();
    add_of_dates();
    add_of_flags();
    printf("%llu messages, %zu filters counted in %.0f s, %zu queries\n\n", (unsigned long long)n_messages, n_filters, (now() - from) / 1e3, want);
    printf("| messages | kind | filter | searches | hybrid recall@%d | its worst | semantic recall@%d | hits | few | graph | ms, as it is / exact |\n"
           "|---|---|---|---|---|---|---|---|---|---|---|\n", HITS, HITS);
    ask_own(chosen, want);
    ask_channels(chosen, want);
    ask_common(chosen, want);
    br_activities_free(&channels);
    br_activities_free(&users);
    br_bitmap_free(&is_message);
    br_workspace_close(ws);
    br_home_close(home);
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
    free(chosen);
    return 0;
}
