/* What is remembered of the keyword index and of documents is what the store says: the lists of phrases, merged, are the counts of one expression of
 * them all, among everything and among some; the conversations that have a word are those of its passages, each conversation counts once, and handles
 * that share a memory share what was counted; a document by slot or by record is the one a statement finds, those that are not there included; all of
 * it after edits, deletions and compaction too. */
#include "open_archive.h"

#include "conversations.h"
#include "postings.h"

static unsigned seed = 11;
static int editions;

/* The first is in most messages: more rows than are stepped through one by one. */
static const char *const words[] = {"lake", "river", "garden", "window", "orange-tree", "silver", "bicycle", "computers", "eq_zero_of"};
#define WORDS (sizeof words / sizeof *words)

static size_t pick(size_t n)
{
    return (size_t)rand_r(&seed) % n;
}

static const char *frequent_first(void)
{
    return words[pick(3) ? 0 : pick(WORDS)];
}

/* A message of its own, too long for one passage. */
static json_t *long_message(int i)
{
    char text[4000] = "";
    for (size_t w = 0; w < 320; w++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", words[pick(WORDS)]);
    return json_pack("{ss ss so ss s{ssso}}", "type", "message", "user", "U1", "ts", json_sprintf("%d.000500", 1704103200 + i * 60), "text", text,
                     "edited", "user", "U1", "ts", json_sprintf("%d.000000", 1800000000 + editions));
}

/* Messages from..to, in threads of three, and some long ones. */
static void import(int from, int to)
{
    static const char users[] = "[{\"id\":\"U1\",\"team_id\":\"T0WORDS\",\"name\":\"ada\"}]";
    json_t *day = json_array();
    editions++;
    for (int i = from; i < to; i++) {
        char text[200] = "";
        for (size_t w = 0, n = 1 + pick(5); w < n; w++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", w ? " " : "", frequent_first());
        json_array_append_new(day, json_pack("{ss ss so so ss s{ssso}}", "type", "message", "user", "U1", "ts",
                                             json_sprintf("%d.000100", 1704103200 + i * 60), "thread_ts",
                                             json_sprintf("%d.000100", 1704103200 + i / 3 * 3 * 60), "text", text, "edited", "user", "U1", "ts",
                                             json_sprintf("%d.000000", 1800000000 + editions)));
    }
    for (int i = from; i < to; i += 100)
        json_array_append_new(day, long_message(i));
    archive_import_day(home, users, day);
}

static int setup(void **state)
{
    (void)state;
    archive_make(true);
    import(0, 900);
    archive_open();
    return 0;
}

static struct br_store_info now(void)
{
    struct br_store_info info;
    struct br_err err = {0};
    assert_int_equal(br_store_now(ws->store, &info, &err), BR_OK);
    return info;
}

static void assert_equal_counts(const struct br_term_counts *a, const struct br_term_counts *b, size_t n, const char *match)
{
    if (a->n_rows != b->n_rows || a->n_counts != b->n_counts || a->n_documents != b->n_documents || a->n_tokens != b->n_tokens)
        fail_msg("%s: %zu rows and %zu counts, not %zu and %zu", match, a->n_rows, a->n_counts, b->n_rows, b->n_counts);
    for (size_t i = 0; i < a->n_rows; i++)
        assert_true(a->rows[i].content_id == b->rows[i].content_id && a->rows[i].first == b->rows[i].first && a->rows[i].n == b->rows[i].n);
    for (size_t i = 0; i < a->n_counts; i++)
        assert_true(a->counts[i].term == b->counts[i].term && a->counts[i].count == b->counts[i].count);
    assert_memory_equal(a->documents_with, b->documents_with, n * sizeof *a->documents_with);
}

static void compare_lists(void)
{
    struct br_store_info info = now();
    const struct br_state at = br_state_of(&info);
    for (int round = 0; round < 60; round++) {
        char text[6][40], match[400] = "";
        struct br_phrase phrases[6];
        struct br_bitmap some;
        struct br_err err = {0};
        size_t n = 1 + pick(6), first = pick(WORDS);
        enum br_doc_kind kind = pick(2) ? BR_DOC_PASSAGE : BR_DOC_MESSAGE;
        for (size_t i = 0; i < n; i++) {
            if (pick(4))
                snprintf(text[i], sizeof text[i], "\"%s\"", words[(first + i) % WORDS]);
            else
                snprintf(text[i], sizeof text[i], "\"%s %s\"", pick(9) ? "lake" : "nowhere", words[(first + i) % WORDS]);
            phrases[i] = (struct br_phrase){text[i], strlen(text[i])};
            snprintf(match + strlen(match), sizeof match - strlen(match), "%s%s", i ? BR_QUERY_OR : "", text[i]);
        }
        assert_int_equal(br_bitmap_init(&some, info.next_content_id, &err), BR_OK);
        for (uint64_t i = 0; i < some.n_bits; i++)
            if (pick(2))
                br_bitmap_set(&some, i);
        const struct br_bitmap *among = pick(2) ? &some : NULL;
        struct br_term_counts want, have;
        assert_int_equal(br_slack_keyword(ws->store, match, kind, among, &want, &err), BR_OK);
        assert_int_equal(br_postings_count(ws, &at, phrases, n, kind, among, &have, &err), BR_OK);
        assert_equal_counts(&have, &want, n, match);
        br_term_counts_free(&want);
        br_term_counts_free(&have);
        br_bitmap_free(&some);
    }
}

/* Which conversations have a word, one document at a time. */
static void compare_conversations(void)
{
    struct br_store_info info = now();
    const struct br_state at = br_state_of(&info);
    const struct br_conversations *c;
    struct br_phrase phrases[] = {{"\"lake\"", 6}, {"\"silver\"", 8}, {"\"nowhere\"", 9}};
    struct br_term_counts counts;
    struct br_err err = {0};
    uint64_t with[3] = {0};
    assert_int_equal(br_conversations_of(ws, &info, &c, &err), BR_OK);
    assert_int_equal(br_postings_count(ws, &at, phrases, 3, BR_DOC_PASSAGE, NULL, &counts, &err), BR_OK);
    assert_int_equal(br_conversations_with(c, &counts, 3, with, &err), BR_OK);
    int64_t *threads = malloc(counts.n_rows * sizeof *threads);
    for (unsigned term = 0; term < 3; term++) {
        size_t n = 0;
        for (size_t i = 0; i < counts.n_rows; i++) {
            struct br_doc doc;
            size_t length, at_thread = 0;
            bool has = false;
            for (uint32_t k = 0; k < counts.rows[i].n; k++)
                has |= counts.counts[counts.rows[i].first + k].term == term;
            assert_int_equal(br_slack_doc_of_content(ws->store, BR_DOC_PASSAGE, counts.rows[i].content_id, &doc, &length, &err), BR_OK);
            while (at_thread < n && threads[at_thread] != doc.thread_ts)
                at_thread++;
            if (has && at_thread == n)
                threads[n++] = doc.thread_ts;
        }
        assert_int_equal(with[term], n);
    }
    assert_true(with[0] > with[1] && with[1] > 0 && with[2] == 0);
    free(threads);
    br_term_counts_free(&counts);
}

struct told {
    int64_t thread_ts;
    size_t messages, passages;
};
struct telling {
    struct told *items;
    size_t n;
};

static void tell(void *ctx, const struct br_doc *d, size_t length)
{
    struct telling *t = ctx;
    size_t i = 0;
    (void)length;
    while (i < t->n && t->items[i].thread_ts != d->thread_ts)
        i++;
    if (i == t->n) {
        t->items = realloc(t->items, ++t->n * sizeof *t->items);
        t->items[i] = (struct told){.thread_ts = d->thread_ts};
    }
    t->items[i].messages += d->kind == BR_DOC_MESSAGE;
    t->items[i].passages += d->kind == BR_DOC_PASSAGE;
}

/* Those with passages, and those of them that are one message. */
static void compare_numbers(void)
{
    struct br_store_info info = now();
    const struct br_conversations *c;
    struct br_err err = {0};
    struct telling t = {0};
    size_t with_passages = 0, alone = 0;
    assert_int_equal(br_conversations_of(ws, &info, &c, &err), BR_OK);
    assert_int_equal(br_slack_each_doc(ws->store, tell, &t, &err), BR_OK);
    for (size_t i = 0; i < t.n; i++) {
        with_passages += t.items[i].passages > 0;
        alone += t.items[i].passages > 0 && t.items[i].messages == 1 && t.items[i].thread_ts % 1000000 == 500;
    }
    assert_true(alone > 2);
    assert_int_equal(c->threads, with_passages);
    assert_int_equal(c->alone, alone);
    free(t.items);
}

static void assert_same_doc(const struct br_doc *a, const struct br_doc *b)
{
    assert_true(a->kind == b->kind && a->content_id == b->content_id && a->slot == b->slot && a->ts == b->ts && a->last_ts == b->last_ts &&
                a->thread_ts == b->thread_ts);
    assert_string_equal(a->channel_id, b->channel_id);
}

/* Twice: the second time all of them have been read in one go. */
static void compare_documents(struct br_workspace *of)
{
    struct br_store_info info = now();
    for (int round = 0; round < 2; round++) {
        br_docs_begin(of, &info);
        for (uint64_t slot = 0; slot < info.vector_tail + 2; slot++) {
            struct br_doc want, have;
            struct br_err err = {0};
            enum br_rc rc = br_slack_doc_of_slot(ws->store, slot, &want, &err);
            assert_int_equal(br_doc_of_slot(of, slot, &have, &err), rc);
            if (rc == BR_OK)
                assert_same_doc(&have, &want);
        }
        for (int64_t content = 0; content < 2 * ((int64_t)info.next_content_id + 1); content++) {
            struct br_doc want, have;
            size_t want_length = 0, have_length = 0;
            struct br_err err = {0};
            enum br_doc_kind kind = content & 1 ? BR_DOC_PASSAGE : BR_DOC_MESSAGE;
            enum br_rc rc = br_slack_doc_of_content(ws->store, kind, content / 2, &want, &want_length, &err);
            assert_int_equal(br_doc_of_content(of, kind, content / 2, &have, &have_length, &err), rc);
            if (rc != BR_OK)
                continue;
            assert_same_doc(&have, &want);
            assert_int_equal(have_length, want_length);
        }
    }
}

/* A handle that shares the memory counts and reads nothing anew, and finds the same. */
static void compare_sharing(void)
{
    struct br_workspace *other;
    const struct br_conversations *c, *same;
    struct br_store_info info;
    struct br_error error;
    struct br_err err = {0};
    assert_int_equal(br_workspace_open(home, NULL, &other, &error), 0);
    br_word_memory_release(other->words);
    other->words = br_word_memory_share(ws->words);
    assert_int_equal(br_store_read_begin(other->store, &err), BR_OK);
    assert_int_equal(br_store_now(other->store, &info, &err), BR_OK);
    assert_int_equal(br_conversations_of(ws, &info, &c, &err), BR_OK);
    assert_int_equal(br_conversations_of(other, &info, &same, &err), BR_OK);
    assert_ptr_equal(c, same);
    compare_documents(other);
    br_store_read_end(other->store);
    br_workspace_close(other);
    assert_true(c->threads > 0); /* it is still there */
}

static void what_is_remembered_is_what_is_there(void **state)
{
    (void)state;
    struct br_error error;
    struct br_err err = {0};
    for (int round = 0; round < 5; round++) {
        assert_int_equal(br_store_read_begin(ws->store, &err), BR_OK);
        compare_lists();
        compare_documents(ws);
        compare_conversations();
        compare_numbers();
        compare_sharing();
        br_store_read_end(ws->store);
        if (round == 3) {
            struct br_compact_report report;
            assert_int_equal(br_compact(home, NULL, NULL, &report, &error), 0);
        } else if (round & 1) {
            struct br_forget_report report;
            assert_int_equal(br_forget(home, NULL, &(struct br_forget_options){.message = "C00000001:1704103200.000100"}, &report, &error), 0);
        } else {
            import(300 * round, 300 * round + 330); /* some anew, some edited */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_remembered_is_what_is_there)};
    return cmocka_run_group_tests(tests, setup, archive_remove);
}
