/* What comes first: the conversation that answers, whether its words are in one message or spread over the thread, whether the question is two words
 * or a pasted log; and not the shortest message that has a word of it. Term counts and similarities, which all of it rests on, are compared with
 * counting and with the vectors. */
#include "open_archive.h"

#include <math.h>

#include "engine_int.h"
#include "retrieve.h"

static json_t *day;
static long now = 1704103200;

/* A reply of the thread that began at root, or with root 0 a message of its own. Returns its second. */
static long say(const char *user, long root, const char *text)
{
    char ts[32], thread[32];
    long at = now += 60;
    snprintf(ts, sizeof ts, "%ld.000100", at);
    snprintf(thread, sizeof thread, "%ld.000100", root);
    json_t *m = json_pack("{ss ss ss ss}", "type", "message", "user", user, "ts", ts, "text", text);
    assert_non_null(m);
    if (root)
        json_object_set_new(m, "thread_ts", json_string(thread));
    json_array_append_new(day, m);
    return at;
}

static void mark_root(long root, int replies)
{
    char ts[32];
    snprintf(ts, sizeof ts, "%ld.000100", root);
    size_t i;
    json_t *m;
    json_array_foreach(day, i, m)
        if (strcmp(json_string_value(json_object_get(m, "ts")), ts) == 0) {
            json_object_set_new(m, "thread_ts", json_string(ts));
            json_object_set_new(m, "reply_count", json_integer(replies));
        }
}

static long numbers, deploy, linker, spread, reader, coffee, minutes;

/* Too much for one passage. */
static void chatter(long root, const char *between)
{
    char text[1200] = "";
    for (int i = 0; i < 6; i++) {
        if (i == 4)
            say("U00000002", root, between);
        size_t n = 0;
        for (int j = 0; j < 12; j++)
            n += (size_t)snprintf(text + n, sizeof text - n, "item %d of the agenda: parking lot %c, bicycles, keys of the cellar. ", i * 12 + j, 'A' + j);
        say("U00000001", root, text);
    }
    mark_root(root, 7);
}

static void talk(void)
{
    static const char *const noise[] = {"lunch at noon in the kitchen?", "the printer on the third floor is out of paper", "good morning all",
                                        "who has the key of the meeting room", "release notes are in the wiki", "thanks, will do",
                                        "tests are green on my branch", "standup in five minutes"};
    day = json_array();
    for (int i = 0; i < 1120; i++)
        say(i % 2 ? "U00000001" : "U00000002", 0, noise[(size_t)i % (sizeof noise / sizeof *noise)]);
    say("U00000001", 0, "numbers");
    say("U00000002", 0, "real number");
    say("U00000002", 0, "convert");
    numbers = say("U00000001", 0, "I have a statement about natural numbers and would like to use it for reals. How do I convert between the two?");
    say("U00000002", numbers, "Cast the natural number to a real: the coercion is a ring homomorphism, so sums and products go through it.");
    say("U00000001", numbers, "push_cast did it, thank you.");
    mark_root(numbers, 2);
    deploy = say("U00000001", 0, "The deploy hangs at 80 percent since this morning.");
    say("U00000002", deploy, "Probably the migration waits for a lock. Kill the idle session of the reporting job.");
    mark_root(deploy, 1);
    linker = say("U00000001", 0, "ld: undefined reference to `frobnicate_widget_v2' when linking the service");
    say("U00000002", linker, "You need libwidget 2.1 for that symbol, the package in the old image has 1.9.");
    mark_root(linker, 1);
    spread = say("U00000001", 0, "The quarterly numbers for Lisbon are off.");
    say("U00000002", spread, "Which invoices do you mean?");
    say("U00000001", spread, "Those of the ferry company, it is the exchange rate again.");
    mark_root(spread, 2);
    say("U00000002", 0, "invoices");
    say("U00000002", 0, "the ferry was late");
    say("U00000001", 0, "Lisbon!");
    reader = say("U00000001", 0, "parse_config_file returns null for me");
    say("U00000002", 0, "kumquat");
    minutes = say("U00000002", 0, "Minutes of the meeting of residents");
    chatter(minutes, "Cleaning of the coffee machine");
    coffee = say("U00000002", 0, "Cleaning of the coffee machine");
    chatter(coffee, "Minutes of the meeting of residents");
}

static int setup(void **state)
{
    (void)state;
    archive_make(false);
    talk();
    archive_fill_with_day("[{\"id\":\"U00000001\",\"name\":\"ada\"},{\"id\":\"U00000002\",\"name\":\"bob\"}]", day);
    return 0;
}

/* The conversation of the first hit, as the second it began. */
static long first(const char *query, enum br_search_mode mode)
{
    struct br_search_options o = {.mode = mode, .literal = true};
    struct br_search_results r = {0};
    struct br_error err = {0};
    if (br_search(ws, query, &o, &r, &err))
        fail_msg("%s: %s", query, err.message);
    assert_true(r.count > 0);
    const struct br_message *m = &r.hits[0].message;
    long at = (long)((m->thread_ts ? m->thread_ts : m->ts) / 1000000);
    for (size_t i = 1; i < r.count; i++)
        assert_true(r.hits[i].score <= r.hits[i - 1].score);
    br_search_results_free(&r);
    return at;
}

static void a_short_message_does_not_outrank_an_answer(void **state)
{
    (void)state;
    assert_int_equal(first("convert between natural numbers and reals", BR_SEARCH_HYBRID), numbers);
    assert_int_equal(first("convert between natural numbers and reals", BR_SEARCH_KEYWORD), numbers);
}

static void a_pasted_log_finds_its_thread(void **state)
{
    (void)state;
    char log[12000] = "";
    size_t n = 0;
    for (int i = 0; i < 120; i++)
        n += (size_t)snprintf(log + n, sizeof log - n, "[%d/120] Building C object service/%c%d.o in the morning, release branch tests\n", i, 'a' + i % 26, i);
    for (enum br_search_mode mode = BR_SEARCH_HYBRID; mode <= BR_SEARCH_KEYWORD; mode++) {
        if (mode == BR_SEARCH_SEMANTIC) /* reads 256 tokens */
            continue;
        char query[16000];
        snprintf(query, sizeof query, "/usr/bin/ld: main.o: undefined reference to `frobnicate_widget_v2'\ncollect2: error: ld returned 1 exit status\n%s", log);
        assert_int_equal(first(query, mode), linker);
    }
}

static void words_spread_over_a_thread_count_together(void **state)
{
    (void)state;
    assert_int_equal(first("Lisbon invoices ferry", BR_SEARCH_KEYWORD), spread);
    assert_int_equal(first("Lisbon invoices ferry", BR_SEARCH_HYBRID), spread);
}

static void an_identifier_is_found_by_its_parts(void **state)
{
    (void)state;
    assert_int_equal(first("config::reader::parse_config_file()", BR_SEARCH_KEYWORD), reader);
}

/* Also where a hundred other messages are nearer than the passages of its thread. */
static void a_short_question_finds_what_begins_with_its_subject(void **state)
{
    (void)state;
    assert_int_equal(first("coffee machine cleaning", BR_SEARCH_SEMANTIC), coffee);
    assert_int_equal(first("residents meeting", BR_SEARCH_SEMANTIC), minutes);
}

/* ---- similarities ---- */

struct conversation {
    struct br_rows rows;
    const float *vector;
    uint32_t dim;
    size_t passages;
    double best, first;
};

static double near(const struct conversation *c, uint64_t slot)
{
    double s = 0;
    assert_true(slot < c->rows.count);
    for (uint32_t i = 0; i < c->dim; i++)
        s += (double)c->vector[i] * (double)c->rows.base[slot * c->rows.stride_floats + i];
    return s;
}

static void take_passage(void *ctx, int64_t content_id, uint64_t slot, size_t length)
{
    struct conversation *c = ctx;
    assert_true(content_id > 0 && length > 0);
    double s = near(c, slot);
    c->first = c->passages ? c->first : s;
    c->best = c->passages++ ? fmax(c->best, s) : s;
}

static void check_similarities(struct conversation *c, const struct br_search_hit *h, size_t words)
{
    struct br_err err = {0};
    struct br_doc root;
    const struct br_message *m = &h->message;
    const struct br_explain_hit *e = h->explain;
    c->passages = 0;
    assert_int_equal(br_slack_thread_passages(ws->store, m->channel_id, m->thread_ts ? m->thread_ts : m->ts, take_passage, c, &err), BR_OK);
    assert_int_equal(br_slack_doc_of_message(ws->store, m->channel_id, m->thread_ts ? m->thread_ts : m->ts, &root, &err), BR_OK);
    double begins = near(c, root.slot);
    assert_true(fabs(e->opening_weight - 3.0 / (double)BR_MAX(words, (size_t)4)) < 1e-9);
    assert_true(fabs(e->passage_similarity - (c->passages ? c->best : begins)) < 1e-5);
    assert_true(fabs(e->opening_similarity - (c->passages ? (begins + c->first) / 2 : begins)) < 1e-5);
}

/* Every conversation's, also of those that no list of candidates names. */
static void similarities_are_those_of_the_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        size_t words; /* that say something */
    } cases[] = {{"coffee machine cleaning", 3}, {"Where are the minutes of that meeting about bicycles, parking and the keys?", 5}, {"parse_config_file", 1},
                 {"who has the key of the meeting room, and is lunch at noon in the kitchen? kumquat", 7}};
    struct conversation c = {.dim = br_model_info(home->model)->dim};
    float vector[BR_DIM_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct br_search_options o = {.explain = true, .literal = true, .n = 20};
        struct br_search_results r = {0};
        struct br_error error = {0};
        struct br_err err = {0};
        size_t threads = 0, unlisted = 0;
        assert_int_equal(br_search(ws, cases[i].query, &o, &r, &error), 0);
        assert_int_equal(br_query_vector(ws, cases[i].query, strlen(cases[i].query), NULL, vector, &err), BR_OK);
        assert_int_equal(br_store_rows(ws->store, &c.rows, &err), BR_OK);
        c.vector = vector;
        for (size_t j = 0; j < r.count; j++) {
            check_similarities(&c, &r.hits[j], cases[i].words);
            threads += c.passages > 1;
            unlisted += !c.passages && !r.hits[j].explain->semantic_rank;
        }
        assert_true(i == 2 || (i == 3 ? unlisted : threads));
        br_search_results_free(&r);
    }
}

/* Who asks for more sees the same beginning. */
static void the_first_hits_do_not_depend_on_how_many_are_asked_for(void **state)
{
    (void)state;
    static const char *const queries[] = {"residents meeting", "morning kitchen", "who has the key", "lunch"};
    for (size_t i = 0; i < BR_COUNT(queries); i++) {
        struct br_search_options few = {.n = 3}, many = {.n = 50};
        struct br_search_results a = {0}, b = {0};
        struct br_error error = {0};
        assert_int_equal(br_search(ws, queries[i], &few, &a, &error), 0);
        assert_int_equal(br_search(ws, queries[i], &many, &b, &error), 0);
        assert_int_equal(a.count, 3);
        for (size_t j = 0; j < a.count; j++)
            assert_true(a.hits[j].message.ts == b.hits[j].message.ts && a.hits[j].score == b.hits[j].score);
        br_search_results_free(&a);
        br_search_results_free(&b);
    }
}

/* How much the beginning of a conversation counts depends on how much was asked, in any script, in quotes or without. */
static void a_question_is_as_long_as_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        size_t words;
    } cases[] = {{"\"bicycles, keys of the cellar\" agenda", 6},
                 {"\u4f1a\u8b70\u5ba4\u306e\u9375\u306f\u8ab0\u304c\u6301\u3063\u3066\u3044\u307e\u3059\u304b", 7}, /* 14 characters */
                 {"bicycles bicycles bicycles bicycles bicycles keys", 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct br_search_options o = {.explain = true, .n = 3};
        struct br_search_results r = {0};
        struct br_error error = {0};
        assert_int_equal(br_search(ws, cases[i].query, &o, &r, &error), 0);
        assert_true(r.count > 0 && !r.hits[0].explain->further);
        assert_true(fabs(r.hits[0].explain->opening_weight - 3.0 / (double)cases[i].words) < 1e-9);
        br_search_results_free(&r);
    }
}

/* Bob began these conversations, and passages have words of both: of Ada's messages alone neither says anything. */
static void what_does_not_pass_ranks_nothing(void **state)
{
    (void)state;
    const char *const ada[] = {"ada"};
    struct br_search_options o = {.explain = true, .n = 20, .users = ada, .n_users = 1};
    struct br_search_results r = {0};
    struct br_error error = {0};
    size_t threads = 0;
    assert_int_equal(br_search(ws, "keys of the cellar and bicycles", &o, &r, &error), 0);
    for (size_t i = 0; i < r.count; i++) {
        const struct br_message *m = &r.hits[i].message;
        const struct br_explain_hit *e = r.hits[i].explain;
        long began = (long)(m->thread_ts / 1000000);
        if (e->further || (began != coffee && began != minutes))
            continue;
        assert_true(e->passage_similarity == e->message_similarity && e->opening_similarity == e->message_similarity);
        threads++;
    }
    assert_int_equal(threads, 2);
    br_search_results_free(&r);
}

/* What found a message is said, each word once: the whole where it is there, else its parts. */
static void reasons_name_what_was_found(void **state)
{
    (void)state;
    static const struct {
        const char *query, *reason;
    } cases[] = {{"parse_config_file FILE Null null", "words: parse_config_file, null"},
                 {"config::reader::parse_config_file()", "words: config, parse, file"},
                 {"\"null for\" nulls null", "words: null for"},
                 {"/usr/lib/reader/file", "words: file"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct br_search_options o = {.mode = BR_SEARCH_KEYWORD, .n = 50};
        struct br_search_results r = {0};
        struct br_error err = {0};
        bool found = false;
        if (br_search(ws, cases[i].query, &o, &r, &err))
            fail_msg("%s: %s", cases[i].query, err.message);
        for (size_t j = 0; j < r.count; j++)
            if (r.hits[j].message.ts / 1000000 == reader) {
                assert_string_equal(r.hits[j].reason, cases[i].reason);
                found = true;
            }
        assert_true(found);
        br_search_results_free(&r);
    }
}

/* ---- term counts ---- */

static enum br_rc collect(void *ctx, const struct br_slack_view *v, struct br_err *err)
{
    (void)err;
    static const char *const terms[] = {"number", "the", "ferri", "conv"};
    struct br_term_counts *c = ctx;
    struct br_tokens tokens = {0};
    struct br_err e = {0};
    if (!v->content_id)
        return BR_OK;
    assert_int_equal(br_tokens_of(ws->tokenizer, v->text, v->text_len, &tokens, &e), BR_OK);
    const struct br_term_row *row = br_term_counts_find(c, (int64_t)v->content_id);
    for (size_t t = 0; t < 4; t++) {
        struct br_tokens stem = {0};
        size_t want = 0, have = 0;
        assert_int_equal(br_tokens_of(ws->tokenizer, terms[t], strlen(terms[t]), &stem, &e), BR_OK);
        for (size_t i = 0; i < tokens.n; i++)
            want += tokens.items[i].hash == stem.items[0].hash;
        for (uint32_t i = 0; row && i < row->n; i++)
            have += c->counts[row->first + i].term == t ? c->counts[row->first + i].count : 0;
        assert_int_equal(have, want);
        br_tokens_free(&stem);
    }
    br_tokens_free(&tokens);
    return BR_OK;
}

static void term_counts_equal_counting(void **state)
{
    (void)state;
    struct br_term_counts c;
    struct br_term_rarity rarity;
    struct br_err err = {0};
    first("anything", BR_SEARCH_HYBRID); /* makes the tokenizer */
    const char *match = "\"number\" OR \"the\" OR \"ferri\" OR \"conv\"";
    assert_int_equal(br_slack_keyword(ws->store, match, BR_DOC_MESSAGE, NULL, &c, &err), BR_OK);
    assert_true(c.n_rows > 3);
    assert_int_equal(br_slack_channel_messages(ws->store, "C00000001", 0, 0, 1000, collect, &c, &err), BR_OK);
    assert_int_equal(br_slack_rarity(ws->store, match, BR_DOC_MESSAGE, &rarity, &err), BR_OK);
    assert_int_equal(rarity.n, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(rarity.documents[i], c.documents_with[i]);
    br_term_counts_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_message_does_not_outrank_an_answer), cmocka_unit_test(a_pasted_log_finds_its_thread),
        cmocka_unit_test(words_spread_over_a_thread_count_together),  cmocka_unit_test(an_identifier_is_found_by_its_parts),
        cmocka_unit_test(reasons_name_what_was_found),                cmocka_unit_test(term_counts_equal_counting),
        cmocka_unit_test(similarities_are_those_of_the_vectors),      cmocka_unit_test(a_short_question_finds_what_begins_with_its_subject),
        cmocka_unit_test(what_does_not_pass_ranks_nothing),           cmocka_unit_test(a_question_is_as_long_as_it_says),
        cmocka_unit_test(the_first_hits_do_not_depend_on_how_many_are_asked_for),
    };
    return cmocka_run_group_tests(tests, setup, archive_remove);
}
