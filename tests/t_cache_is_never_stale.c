/* An answer from the cache is the answer a new search would give: whatever is imported, edited, forgotten or compacted between two equal questions, by this
 * process or another. The cache stays within its bytes. The pages of a search are parts of one ranking while all that goes on. */
#include "open_archive.h"

#include <sys/wait.h>

static unsigned seed = 5;

static const char *const words[] = {"lake", "river", "garden", "window", "orange", "silver", "bicycle", "computer"};
#define WORDS (sizeof words / sizeof *words)

static size_t pick(size_t n)
{
    return (size_t)rand_r(&seed) % n;
}

#define IN_THREADS 20000 /* messages from this number on are in threads of four */

struct draft {
    int number; /* of the message: its ts */
    int edition;
    char text[200];
};

/* An export with these messages, imported. */
static void import(struct br_home *into, const struct draft *d, size_t n)
{
    static const char users[] = "[{\"id\":\"U1\",\"team_id\":\"T0CACHE\",\"name\":\"ada\"}]";
    json_t *day = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *m = json_pack("{ss ss so ss}", "type", "message", "user", "U1", "ts", json_sprintf("%d.000100", 1704103200 + d[i].number * 60),
                              "text", d[i].text);
        if (d[i].number >= IN_THREADS)
            json_object_set_new(m, "thread_ts", json_sprintf("%d.000100", 1704103200 + d[i].number / 4 * 4 * 60));
        if (d[i].edition)
            json_object_set_new(m, "edited", json_pack("{ss so}", "user", "U1", "ts", json_sprintf("%d.000000", 1800000000 + d[i].edition)));
        json_array_append_new(day, m);
    }
    archive_import_day(into, users, day);
}

static struct draft draft(int number, int edition)
{
    struct draft d = {.number = number, .edition = edition};
    for (size_t i = 0, n = 2 + pick(6); i < n; i++)
        snprintf(d.text + strlen(d.text), sizeof d.text - strlen(d.text), "%s%s", i ? " " : "", words[pick(WORDS)]);
    return d;
}

static int setup(void **state)
{
    struct draft d[80];
    (void)state;
    archive_make(true);
    for (int i = 0; i < 80; i++)
        d[i] = draft(i, 0);
    import(home, d, 80);
    archive_open();
    return 0;
}

static struct br_search_results search(struct br_workspace *in, const char *query, const struct br_search_options *o)
{
    struct br_search_results r = {0};
    struct br_error err = {0};
    if (br_search(in, query, o, &r, &err))
        fail_msg("%s: %s", query, err.message);
    return r;
}

static void assert_same(const struct br_search_results *a, const struct br_search_results *b, const char *query)
{
    if (a->count != b->count)
        fail_msg("%s: %zu hits, not %zu", query, a->count, b->count);
    assert_string_equal(a->query, b->query);
    for (size_t i = 0; i < a->count; i++) {
        const struct br_search_hit *x = &a->hits[i], *y = &b->hits[i];
        if (x->message.ts != y->message.ts || strcmp(x->message.text, y->message.text) != 0 || x->rank != y->rank || x->score != y->score ||
            strcmp(x->snippet, y->snippet) != 0 || strcmp(x->reason, y->reason) != 0)
            fail_msg("%s: hit %zu is \"%s\", not \"%s\"", query, i + 1, x->message.text, y->message.text);
    }
}

static void equal_questions_are_answered_once(void **state)
{
    (void)state;
    struct br_cache_status before, after;
    struct br_search_results a = search(ws, "lake  river", NULL), b = search(ws, " lake river ", NULL);
    assert_false(a.cached);
    assert_true(b.cached);
    assert_same(&a, &b, "lake river");
    br_search_results_free(&a); /* what the other is made of stays */
    assert_true(strlen(b.hits[0].message.text) > 0);
    br_search_results_free(&b);
    br_workspace_cache_status(ws, &before);
    struct br_search_options keyword = {.mode = BR_SEARCH_KEYWORD}, three = {.n = 3}, exact = {.exact = true};
    const struct br_search_options *other[] = {&keyword, &three, &exact};
    for (size_t i = 0; i < 3; i++) {
        a = search(ws, "lake river", other[i]);
        assert_false(a.cached);
        br_search_results_free(&a);
    }
    br_workspace_cache_status(ws, &after);
    assert_int_equal(after.hits, before.hits);
    assert_int_equal(after.misses, before.misses + 3);
    assert_int_equal(after.vector_hits, before.vector_hits + 2); /* the same text: embedded once */
    setenv("BACKREAD_ME", "ada", 1);
    a = search(ws, "from:me lake", NULL);
    assert_true(a.count > 0);
    br_search_results_free(&a);
    unsetenv("BACKREAD_ME");
    struct br_error err = {0};
    assert_int_equal(br_search(ws, "from:me lake", NULL, &a, &err), BR_STATUS_USAGE); /* not what was found for somebody */
}

/* Of a very long question only the beginning is read: what lies behind it must not find its way into a key, nor out of one. */
static void what_is_not_read_is_no_part_of_a_question(void **state)
{
    (void)state;
    char query[20000];
    struct br_search_results a = search(ws, "lake  garden", NULL);
    memset(query, ' ', sizeof query);
    memcpy(query, "lake", 4);
    snprintf(query + 17000, sizeof query - 17000, "garden");
    struct br_search_results b = search(ws, query, NULL), c = search(ws, "lake", NULL);
    assert_false(b.cached);
    assert_string_equal(b.query, "lake");
    assert_true(c.cached);
    assert_same(&b, &c, "lake");
    br_search_results_free(&a);
    br_search_results_free(&b);
    br_search_results_free(&c);
    size_t n = 2 << 20;
    char *huge = malloc(n + 1);
    memset(huge, 'x', n);
    huge[n] = 0;
    a = search(ws, huge, NULL);
    br_search_results_free(&a);
    free(huge);
}

static void change_something(int round)
{
    struct br_error err = {0};
    struct draft d[3];
    size_t n = 1 + pick(3);
    if (pick(5) == 0) {
        char id[64];
        struct br_forget_report report;
        snprintf(id, sizeof id, "C00000001:%d.000100", 1704103200 + (int)pick(80) * 60);
        struct br_forget_options o = {.message = id};
        int status = br_forget(home, NULL, &o, &report, &err);
        assert_true(status == 0 || status == BR_STATUS_NOT_FOUND);
        return;
    }
    if (pick(8) == 0) {
        struct br_compact_report report;
        assert_int_equal(br_compact(home, NULL, NULL, &report, &err), 0);
        return;
    }
    for (size_t i = 0; i < n; i++)
        d[i] = draft(pick(2) ? (int)pick(80) : 100 + round * 5 + (int)i, round + 1);
    if (pick(3)) {
        import(home, d, n);
        return;
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct br_home *another = e2e_home(home_dir, home_model);
        import(another, d, n);
        br_home_close(another);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void nothing_stale_is_given(void **state)
{
    (void)state;
    struct br_error err = {0};
    struct br_cache_status s;
    struct br_workspace *plain = NULL;
    assert_int_equal(br_workspace_open(home, NULL, &plain, &err), 0);
    br_workspace_cache_limit(plain, 0);
    for (int round = 0; round < 30; round++) {
        change_something(round);
        for (int i = 0; i < 12; i++) {
            char query[100];
            struct br_search_options o = {.mode = (enum br_search_mode)(i % 3), .n = 5};
            static const char *const filters[] = {"", "", " from:ada", " -window", " \"lake\"", " -is:thread"};
            snprintf(query, sizeof query, "%s%s", words[pick(3)], filters[pick(6)]);
            struct br_search_results a = search(ws, query, &o), b = search(plain, query, &o);
            assert_false(b.cached);
            assert_same(&a, &b, query);
            br_search_results_free(&a);
            br_search_results_free(&b);
        }
    }
    br_workspace_cache_status(ws, &s);
    assert_true(s.hits > 20 && s.misses > 20);
    assert_true(s.set_hits > 20 && s.set_misses > 20);
    br_workspace_cache_status(plain, &s);
    assert_int_equal(s.entries + s.bytes + s.hits + s.set_hits, 0);
    br_workspace_close(plain);
}

static void bytes_are_bounded(void **state)
{
    (void)state;
    struct br_cache_status s;
    br_workspace_cache_limit(ws, 100000);
    for (int i = 0; i < 300; i++) {
        char query[64];
        snprintf(query, sizeof query, "%s %d", words[pick(WORDS)], i);
        struct br_search_results r = search(ws, query, NULL);
        br_search_results_free(&r);
        br_workspace_cache_status(ws, &s);
        assert_true(s.bytes <= 100000);
    }
    assert_true(s.evictions > 50 && s.entries > 10);
    struct br_search_results a = search(ws, "lake 299", NULL), b = search(ws, "lake 299", NULL);
    assert_true(b.cached);
    br_search_results_free(&a);
    br_search_results_free(&b);
    br_workspace_cache_limit(ws, 0);
    br_workspace_cache_status(ws, &s);
    assert_int_equal(s.entries + s.bytes, 0);
    br_workspace_cache_limit(ws, BR_CACHE_BYTES_DEFAULT);
}

/* Page by page, with writes in between: what a single long answer gave at the start, less what is gone from it. */
static void pages_are_parts_of_one_ranking(void **state)
{
    (void)state;
    for (int with_filter = 0; with_filter < 2; with_filter++) {
        struct br_search_options o = {.mode = BR_SEARCH_SEMANTIC, .n = 60, .exact = true};
        const char *query = with_filter ? "orange window from:ada" : "orange window";
        char cursor[256] = "";
        int64_t shown[200];
        size_t n_shown = 0, n_gone = 0;
        struct br_search_results want = search(ws, query, &o);
        assert_int_equal(want.count, 60);
        bool gone[200] = {false};
        for (int page = 0; page < 30 && n_shown + n_gone < want.count; page++) {
            struct br_search_options p = {.mode = BR_SEARCH_SEMANTIC, .n = 7, .exact = true, .cursor = *cursor ? cursor : NULL};
            struct br_search_results r = search(ws, query, &p);
            for (size_t i = 0; i < r.count && n_shown < 200; i++)
                shown[n_shown++] = r.hits[i].message.ts;
            assert_true(r.count == 7 && r.next_cursor);
            snprintf(cursor, sizeof cursor, "%s", r.next_cursor);
            br_search_results_free(&r);
            struct draft d = draft(1000 + with_filter * 100 + page, 0);
            snprintf(d.text, sizeof d.text, "orange window"); /* would be first */
            import(home, &d, 1);
            if (page == 2 || page == 4) { /* one that was shown, one that was not */
                char id[64];
                struct br_error err = {0};
                struct br_forget_report report;
                size_t victim = page == 2 ? 3 : 50;
                snprintf(id, sizeof id, "C00000001:%lld.000100", (long long)(want.hits[victim].message.ts / 1000000));
                struct br_forget_options f = {.message = id};
                assert_int_equal(br_forget(home, NULL, &f, &report, &err), 0);
                gone[victim] = page == 4;
                n_gone += page == 4;
            }
        }
        size_t at = 0;
        for (size_t i = 0; i < want.count && at < n_shown; i++)
            if (!gone[i])
                assert_true(want.hits[i].message.ts == shown[at++]);
        assert_true(at >= 59);
        br_search_results_free(&want);
        struct br_error err = {0};
        struct br_search_options other = {.mode = BR_SEARCH_SEMANTIC, .cursor = cursor};
        assert_int_equal(br_search(ws, "another question", &other, &want, &err), BR_STATUS_USAGE);
        other.cursor = "nonsense";
        assert_int_equal(br_search(ws, query, &other, &want, &err), BR_STATUS_USAGE);
    }
}

/* What a search shows on its pages of seven, with or without writes between them. */
static size_t page_through(const char *query, enum br_search_mode mode, const char *write, int64_t shown[], size_t room)
{
    static int written;
    char cursor[512] = "";
    size_t n = 0;
    do {
        struct br_search_options o = {.mode = mode, .n = 7, .cursor = *cursor ? cursor : NULL};
        struct br_search_results r = search(ws, query, &o);
        for (size_t i = 0; i < r.count && n < room; i++)
            shown[n++] = r.hits[i].message.ts;
        snprintf(cursor, sizeof cursor, "%s", r.next_cursor ? r.next_cursor : "");
        br_search_results_free(&r);
        struct draft d[5];
        for (int i = 0; i < 5 && write; i++) {
            d[i] = draft(IN_THREADS + 2000 + 4 * written++, 0);
            snprintf(d[i].text, sizeof d[i].text, "%s %s", write, words[pick(WORDS)]);
        }
        if (write)
            import(home, d, 5);
    } while (*cursor && n < room);
    return n;
}

/* Also what words are weighed by stays that of the first page. */
static void writes_move_nothing_on_later_pages(void **state)
{
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        enum br_search_mode mode = i % 2 ? BR_SEARCH_KEYWORD : BR_SEARCH_HYBRID;
        char query[64];
        int64_t still[60], moving[60];
        snprintf(query, sizeof query, "%s %s", words[i], words[(i + 3) % WORDS]);
        size_t n = page_through(query, mode, NULL, still, 60);
        assert_true(n > 30);
        assert_int_equal(page_through(query, mode, words[i], moving, 60), n);
        assert_memory_equal(still, moving, n * sizeof *still);
    }
}

/* A handle that was asked before knows no more, and no less, than one that is new. */
static void every_handle_gives_the_same_scores(void **state)
{
    (void)state;
    struct br_error err = {0};
    struct draft d[160];
    for (int i = 0; i < 160; i++)
        d[i] = draft(IN_THREADS + i, 0);
    import(home, d, 160);
    for (int round = 0; round < 4; round++) {
        struct br_workspace *fresh = NULL;
        struct br_search_options o = {.mode = round % 2 ? BR_SEARCH_KEYWORD : BR_SEARCH_HYBRID, .n = 50};
        assert_int_equal(br_workspace_open(home, NULL, &fresh, &err), 0);
        struct br_search_results a = search(ws, "lake garden", &o), b = search(fresh, "lake garden", &o);
        assert_same(&a, &b, "lake garden");
        br_search_results_free(&a);
        br_search_results_free(&b);
        br_workspace_close(fresh);
        for (int i = 0; i < 4; i++)
            d[i] = draft(IN_THREADS + 1000 + round * 4 + i, 0);
        import(home, d, 4);
    }
}

/* As far as any answer may go, whether or not the pages come out even. */
static void the_last_page_is_given(void **state)
{
    (void)state;
    struct draft d[1100];
    char cursor[256] = "";
    size_t n_shown = 0;
    for (int i = 0; i < 1100; i++)
        d[i] = draft(10000 + i, 0);
    import(home, d, 1100);
    for (int page = 0; page == 0 || *cursor; page++) {
        struct br_search_options o = {.n = 300, .cursor = *cursor ? cursor : NULL};
        struct br_search_results r = search(ws, "from:ada", &o);
        n_shown += r.count;
        assert_int_equal(r.count, page < 3 ? 300 : 100);
        snprintf(cursor, sizeof cursor, "%s", r.next_cursor ? r.next_cursor : "");
        br_search_results_free(&r);
    }
    assert_int_equal(n_shown, BR_SEARCH_N_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_questions_are_answered_once),
        cmocka_unit_test(what_is_not_read_is_no_part_of_a_question),
        cmocka_unit_test(pages_are_parts_of_one_ranking),
        cmocka_unit_test(nothing_stale_is_given),
        cmocka_unit_test(bytes_are_bounded),
        cmocka_unit_test(every_handle_gives_the_same_scores),
        cmocka_unit_test(writes_move_nothing_on_later_pages),
        cmocka_unit_test(the_last_page_is_given),
    };
    return cmocka_run_group_tests(tests, setup, archive_remove);
}
