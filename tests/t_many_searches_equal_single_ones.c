/* br_search_many gives each question the answer that br_search gives it, once, whatever stands beside it: plain words, filters, mistakes. */
#include "open_archive.h"

#include <pthread.h>

#define N 400


static int setup(void **state)
{
    (void)state;
    archive_make(true);
    archive_fill_with_sample();
    return 0;
}

struct answer {
    int status, times;
    struct br_search_results r;
    char message[512];
};
static struct answer answers[N];

static void take(void *ctx, size_t i, int status, struct br_search_results *r, const struct br_error *err)
{
    struct answer *a = (struct answer *)ctx + i;
    a->status = status;
    a->times++;
    a->r = *r;
    snprintf(a->message, sizeof a->message, "%s", status ? err->message : "");
}

static void assert_same(const struct br_search_results *a, const struct br_search_results *b, const char *query)
{
    if (a->count != b->count)
        fail_msg("%s: %zu hits, not %zu", query, a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct br_search_hit *x = &a->hits[i], *y = &b->hits[i];
        bool nan = x->semantic != x->semantic && y->semantic != y->semantic;
        if (x->message.ts != y->message.ts || strcmp(x->message.channel_id, y->message.channel_id) != 0 || x->score != y->score ||
            (!nan && x->semantic != y->semantic) || strcmp(x->reason, y->reason) != 0 || strcmp(x->snippet, y->snippet) != 0)
            fail_msg("%s: hit %zu differs", query, i + 1);
    }
}

static void questions(char *texts[N])
{
    static const char *const words[] = {"lake", "map", "data", "houston", "bike", "the", "open", "meeting", "\u00E9t\u00E9", "code"};
    unsigned seed = 3;
    for (size_t i = 0; i < N; i++) {
        char text[400] = "";
        for (int w = rand_r(&seed) % 6; w >= 0; w--)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", words[rand_r(&seed) % 10], rand_r(&seed) % 5 ? "  " : " \n");
        switch (rand_r(&seed) % 12) {
        case 0:
            strcat(text, " \"open data\" -bike");
            break;
        case 1:
            strcat(text, " has:link after:2014-06");
            break;
        case 2:
            strcat(text, " from:nobody-at-all");
            break;
        case 3:
            text[0] = 0;
            break;
        }
        texts[i] = strdup(text);
    }
}

static void many_are_as_one_by_one(void **state)
{
    (void)state;
    char *texts[N];
    struct br_error err = {0};
    struct br_workspace *single = NULL;
    questions(texts);
    assert_int_equal(br_workspace_open(home, NULL, &single, &err), 0);
    for (int round = 0; round < 4; round++) {
        const struct br_search_options o = {.n = 7, .literal = round % 2, .mode = round == 3 ? BR_SEARCH_SEMANTIC : BR_SEARCH_HYBRID};
        size_t n = round == 2 ? 1 : N;
        memset(answers, 0, sizeof answers);
        assert_int_equal(br_search_many(ws, (const char *const *)texts, n, &o, take, answers, &err), 0);
        for (size_t i = 0; i < n; i++) {
            struct br_search_results r = {0};
            assert_int_equal(answers[i].times, 1);
            assert_int_equal(br_search(single, texts[i], &o, &r, &err), answers[i].status);
            if (answers[i].status) {
                assert_string_equal(err.message, answers[i].message);
                continue;
            }
            assert_same(&r, &answers[i].r, texts[i]);
            br_search_results_free(&r);
            br_search_results_free(&answers[i].r);
        }
    }
    assert_int_equal(br_search_many(ws, NULL, 0, NULL, take, answers, &err), 0);
    assert_int_equal(br_search_many(ws, NULL, 0, &(struct br_search_options){.cursor = "x"}, take, answers, &err), BR_STATUS_USAGE);
    br_workspace_close(single);
    for (size_t i = 0; i < N; i++)
        free(texts[i]);
}

/* The limit of the caller's handle is that of all threads. */
static void nothing_is_kept_where_nothing_may_be(void **state)
{
    (void)state;
    char *texts[N];
    struct br_error err = {0};
    questions(texts);
    br_workspace_cache_limit(ws, 0);
    for (int round = 0; round < 2; round++) {
        memset(answers, 0, sizeof answers);
        assert_int_equal(br_search_many(ws, (const char *const *)texts, N, NULL, take, answers, &err), 0);
        for (size_t i = 0; i < N; i++) {
            assert_false(answers[i].r.cached);
            br_search_results_free(&answers[i].r);
        }
    }
    br_workspace_cache_limit(ws, BR_CACHE_BYTES_DEFAULT);
    for (size_t i = 0; i < N; i++)
        free(texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_are_as_one_by_one), cmocka_unit_test(nothing_is_kept_where_nothing_may_be)};
    return cmocka_run_group_tests(tests, setup, archive_remove);
}
