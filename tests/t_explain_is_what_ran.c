/* An explanation tells of the search that ran: what each filter lets through is what counting says, candidates are those of the lists, the parts of a
 * hit's score add up to it and come from its ranks, and asking changes no answer. */
#include "open_archive.h"

#include <math.h>

#define N 120
static const char *const words[] = {"lake", "window", "driver", "garden", "printer"};

static bool has_word(int i, int w)
{
    return i % (w + 2) == 0;
}

static const char *author(int i)
{
    return i % 7 == 3 ? "U2" : "U1";
}

static void talk(json_t *day)
{
    for (int i = 0; i < N; i++) {
        char text[200];
        int n = snprintf(text, sizeof text, "number %d of all", i);
        for (int w = 0; w < 5; w++)
            if (has_word(i, w))
                n += snprintf(text + n, sizeof text - (size_t)n, " %s", words[w]);
        json_t *ts = json_sprintf("%d.000100", 1704103200 + i * 60);
        json_t *m = json_pack("{ss ss ss so}", "type", "message", "user", author(i), "text", text, "ts", ts);
        assert_non_null(m);
        if (i % 10 < 4) /* threads of four, with passages */
            json_object_set_new(m, "thread_ts", json_sprintf("%d.000100", 1704103200 + (i - i % 10) * 60));
        json_array_append_new(day, m);
    }
}

static int setup(void **state)
{
    (void)state;
    archive_make(true);
    json_t *day = json_array();
    talk(day);
    archive_fill_with_day("[{\"id\":\"U1\",\"team_id\":\"T0EXPL\",\"name\":\"ada\"},{\"id\":\"U2\",\"team_id\":\"T0EXPL\",\"name\":\"bob\"}]", day);
    return 0;
}

static struct br_search_results ask(const char *query, enum br_search_mode mode, bool explain)
{
    const struct br_search_options o = {.mode = mode, .n = 8, .explain = explain};
    struct br_search_results r = {0};
    struct br_error err = {0};
    if (br_search(ws, query, &o, &r, &err))
        fail_msg("%s", err.message);
    assert_int_equal(r.explain != NULL, explain);
    return r;
}

/* A filter of each kind, alone and together. */
static void counts_are_those_of_counting(void **state)
{
    (void)state;
    uint64_t by_bob = 0, lake = 0, window = 0, all = 0;
    for (int i = 0; i < N; i++) {
        bool bob = strcmp(author(i), "U2") == 0;
        by_bob += bob;
        lake += has_word(i, 0);
        window += has_word(i, 1);
        all += bob && has_word(i, 0) && !has_word(i, 1);
    }
    struct br_search_results r = ask("driver from:BOB \"lake\" -window", BR_SEARCH_HYBRID, true);
    const struct br_explain *x = r.explain;
    assert_int_equal(x->messages, N);
    assert_int_equal(x->n_filters, 3);
    for (size_t i = 0; i < x->n_filters; i++) {
        const struct br_explain_filter *f = &x->filters[i];
        if (strcmp(f->key, "from") == 0) {
            assert_string_equal(f->id, "U2");
            assert_string_equal(f->value, "bob");
            assert_int_equal(f->messages, by_bob);
            assert_int_equal(f->passages, 0);
        } else {
            assert_string_equal(f->key, "words");
            assert_int_equal(f->messages, f->excluded ? N - window : lake);
        }
    }
    assert_int_equal(x->messages_pass, all);
    assert_int_equal(x->passages_pass, 0);
    assert_int_equal(x->semantic, all); /* fewer than are asked for: every one that passes */
    assert_true(x->filtered && x->index && x->index_why);
    br_search_results_free(&r);

    r = ask("driver in:general", BR_SEARCH_HYBRID, true);
    assert_int_equal(r.explain->n_filters, 1);
    assert_string_equal(r.explain->filters[0].value, "general");
    assert_int_equal(r.explain->filters[0].messages, N);
    assert_int_equal(r.explain->filters[0].passages, r.explain->passages);
    assert_int_equal(r.explain->matched_messages, N / 4);
    br_search_results_free(&r);
}

/* Of two hits, the one that is earlier in the list of the nearest is no less near; and no rank is given twice. */
static void ranks_agree(const struct br_explain_hit *a, const struct br_explain_hit *b)
{
    if (a->semantic_rank && b->semantic_rank && !a->further && !b->further) {
        assert_int_not_equal(a->semantic_rank, b->semantic_rank);
        assert_true(a->semantic_rank < b->semantic_rank ? a->message_similarity >= b->message_similarity
                                                        : a->message_similarity <= b->message_similarity);
    }
    if (a->semantic_passage_rank && b->semantic_passage_rank) {
        assert_int_not_equal(a->semantic_passage_rank, b->semantic_passage_rank);
        assert_true(a->semantic_passage_rank < b->semantic_passage_rank ? a->passage_similarity >= b->passage_similarity
                                                                        : a->passage_similarity <= b->passage_similarity);
    }
    if (a->keyword_rank && b->keyword_rank)
        assert_int_not_equal(a->keyword_rank, b->keyword_rank);
}

static void parts_add_up(const struct br_search_results *r)
{
    const struct br_explain *x = r->explain;
    assert_true(r->count > 0);
    for (size_t i = 0; i < r->count; i++) {
        const struct br_search_hit *h = &r->hits[i];
        const struct br_explain_hit *e = h->explain;
        assert_non_null(e);
        double sum = e->keyword_part + e->semantic_part;
        assert_true(e->lowered ? h->score <= sum : fabs(h->score - sum) < 1e-9);
        double meaning = 2.0 * (e->message_similarity + e->passage_similarity) / 2 + e->opening_weight * e->opening_similarity;
        assert_true(fabs(e->semantic_part - meaning) < 1e-9);
        assert_true(e->words == 0 || fabs(e->keyword_part - e->words / e->most_words) < 1e-9);
        assert_true(e->semantic_rank <= x->semantic && e->semantic_passage_rank <= x->semantic);
        assert_true(e->keyword_rank <= x->keyword_messages && e->keyword_passage_rank <= x->keyword_passages);
        assert_int_equal(e->semantic_rank || e->semantic_passage_rank, !isnan(h->semantic));
        if (e->keyword_rank || e->keyword_passage_rank)
            assert_true(e->words > 0 && h->keyword == e->words);
        if (r->mode == BR_SEARCH_KEYWORD)
            assert_true(e->semantic_part == 0 && !e->semantic_rank);
        if (r->mode == BR_SEARCH_SEMANTIC)
            assert_true(e->keyword_part == 0 && !e->keyword_rank);
        for (size_t j = 0; j < i; j++)
            ranks_agree(r->hits[j].explain, e);
    }
}

static void ranks_explain_scores(void **state)
{
    (void)state;
    static const char *const queries[] = {"driver", "lake garden", "printer \"window\"", "driver -printer", "lake after:2023", "lake from:ada"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        for (enum br_search_mode mode = BR_SEARCH_HYBRID; mode <= BR_SEARCH_KEYWORD; mode++) {
            struct br_search_results r = ask(queries[i], mode, true);
            parts_add_up(&r);
            assert_int_equal(r.explain->index != NULL, mode != BR_SEARCH_KEYWORD);
            assert_int_equal(r.explain->match != NULL, mode != BR_SEARCH_SEMANTIC);
            br_search_results_free(&r);
        }
}

static void asking_changes_nothing(void **state)
{
    (void)state;
    struct br_search_results plain = ask("garden lake", BR_SEARCH_HYBRID, false), x = ask("garden lake", BR_SEARCH_HYBRID, true);
    assert_true(x.explain->answer_remembered && x.explain->vector_remembered && !x.cached);
    assert_int_equal(x.count, plain.count);
    for (size_t i = 0; i < x.count; i++) {
        assert_int_equal(x.hits[i].message.ts, plain.hits[i].message.ts);
        assert_true(x.hits[i].score == plain.hits[i].score);
        assert_null(plain.hits[i].explain);
    }
    br_search_results_free(&plain);
    br_search_results_free(&x);
    x = ask("printer lake", BR_SEARCH_HYBRID, true);
    assert_false(x.explain->answer_remembered || x.explain->vector_remembered);
    br_search_results_free(&x);
    plain = ask("printer lake", BR_SEARCH_HYBRID, false);
    assert_false(plain.cached); /* an explained answer is not kept */
    br_search_results_free(&plain);
}

static void stages_make_the_total(void **state)
{
    (void)state;
    struct br_search_results r = ask("garden lake from:ada", BR_SEARCH_HYBRID, true);
    const struct br_explain *x = r.explain;
    double sum = x->ms.parse + x->ms.filter + x->ms.embed + x->ms.semantic + x->ms.keyword + x->ms.fuse + x->ms.enrich;
    assert_true(x->ms.enrich > 0 && x->ms.filter > 0 && x->ms.keyword > 0);
    assert_true(sum <= x->ms.total + 0.01);
    br_search_results_free(&r);
    r = ask("from:bob", BR_SEARCH_HYBRID, true);
    assert_string_equal(r.explain->index, "newest");
    assert_null(r.hits[0].explain);
    br_search_results_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_are_those_of_counting), cmocka_unit_test(ranks_explain_scores),
                                       cmocka_unit_test(asking_changes_nothing), cmocka_unit_test(stages_make_the_total)};
    return cmocka_run_group_tests(tests, setup, archive_remove);
}
