/* Filters, phrases and exclusions mean what an obvious evaluator says they mean, on both sides of a search: on generated messages, every hit meets
 * every condition and nothing that does is missing. Meaning has no part in it: the vectors are a random model's. */
#include "tiny_model.h"

#include "engine_int.h"

#define N 260
#define HITS 1000
#define DAY INT64_C(86400)
#define T0 INT64_C(1704067200) /* 2024-01-01 */

/* Forms of one class are one word to the keyword index: stems, case, accents. */
static const struct {
    const char *form;
    int class;
} forms[] = {{"deploy", 0}, {"deployed", 0}, {"Deploying", 0}, {"café", 1},  {"CAFÉ", 1},    {"cafe", 1},   {"map", 2},     {"maps", 2},
             {"school", 3}, {"SCHOOL", 3},   {"über", 4},      {"ÜBER", 4},  {"gpart", 5},   {"art", 6},    {"starting", 7}, {"computer", 8},
             {"bicycle", 9}, {"garden", 10}, {"window", 11},   {"river", 12}, {"silver", 13}, {"orange", 14}};
#define FORMS (sizeof forms / sizeof *forms)

static const char *const channels[] = {"general", "random", "tools"};
static const char *const people[] = {"ada", "bob", "eve"};
static const char *const emoji[] = {"+1", "tada"};
static const char *const emoji_typed[2][3] = {{":+1:", ":thumbsup:", ":+1::skin-tone-3:"}, {":tada:", ":TADA:", ":tada:"}};

static struct made {
    int64_t seconds, thread; /* thread 0 none */
    size_t channel, author, n_words;
    size_t words[12];
    bool reacted[2];
} made[N];

static char home_dir[1024];
static struct br_home *home;
static struct br_workspace *ws;
static unsigned seed = 11;

static size_t pick(size_t n)
{
    return (size_t)rand_r(&seed) % n;
}

/* ---- the workspace ---- */

static void make_messages(void)
{
    size_t thread_of[3] = {0};
    for (size_t i = 0; i < N; i++) {
        struct made *m = &made[i];
        *m = (struct made){.seconds = T0 + (int64_t)i * 7000, .channel = pick(3), .author = pick(3), .n_words = 1 + pick(12)};
        for (size_t w = 0; w < m->n_words; w++)
            m->words[w] = pick(FORMS);
        m->reacted[0] = pick(4) == 0;
        m->reacted[1] = pick(4) == 0;
        struct made *root = &made[thread_of[m->channel]];
        if (pick(3) == 0) { /* a new thread */
            m->thread = m->seconds;
            thread_of[m->channel] = i;
        } else if (root->channel == m->channel && root->thread && pick(3)) {
            m->thread = root->thread;
        }
    }
}

static json_t *text_of(const struct made *m)
{
    static const char *const gaps[] = {" ", "\n", ", ", "   "};
    char text[400];
    size_t len = 0;
    for (size_t w = 0; w < m->n_words; w++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", w ? gaps[pick(4)] : "", forms[m->words[w]].form);
    return json_string(text);
}

static json_t *ts_json(int64_t seconds)
{
    return json_sprintf("%lld.000100", (long long)seconds);
}

static json_t *message_of(const struct made *m)
{
    json_t *reactions = json_array();
    for (size_t i = 0; i < 2; i++)
        if (m->reacted[i])
            json_array_append_new(reactions, json_pack("{ss s[s] si}", "name", emoji[i], "users", "U0", "count", 1));
    json_t *j = json_pack("{ss so so so}", "type", "message", "user", json_sprintf("U%zu", m->author), "ts", ts_json(m->seconds), "text", text_of(m));
    if (m->thread)
        json_object_set_new(j, "thread_ts", ts_json(m->thread));
    json_object_set_new(j, "reactions", reactions);
    return j;
}

static void write_json(const char *dir, const char *name, json_t *j)
{
    char path[1400];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(json_dump_file(j, path, 0), 0);
    json_decref(j);
}

static void write_export(const char *dir)
{
    json_t *users = json_array(), *list = json_array();
    assert_int_equal(mkdir(dir, 0700), 0);
    for (size_t i = 0; i < 3; i++) {
        char sub[1300];
        json_t *day = json_array();
        json_array_append_new(users, json_pack("{so ss ss}", "id", json_sprintf("U%zu", i), "team_id", "T0NAIVE", "name", people[i]));
        json_array_append_new(list, json_pack("{so ss}", "id", json_sprintf("C%zu", i), "name", channels[i]));
        for (size_t m = 0; m < N; m++)
            if (made[m].channel == i)
                json_array_append_new(day, message_of(&made[m]));
        snprintf(sub, sizeof sub, "%s/%s", dir, channels[i]);
        assert_int_equal(mkdir(sub, 0700), 0);
        write_json(sub, "2024-01-01.json", day);
    }
    write_json(dir, "users.json", users);
    write_json(dir, "channels.json", list);
}

static int setup(void **state)
{
    char model[1200], dir[1200];
    struct br_error err = {0};
    (void)state;
    e2e_scratch(home_dir, sizeof home_dir);
    tiny_model(home_dir, model, sizeof model);
    snprintf(dir, sizeof dir, "%s/export", home_dir);
    make_messages();
    write_export(dir);
    home = e2e_home(home_dir, model);
    struct br_import_reports r = e2e_import(home, dir, false);
    assert_int_equal(r.sum.messages_new, N);
    br_import_reports_free(&r);
    assert_int_equal(br_workspace_open(home, NULL, &ws, &err), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    br_workspace_close(ws);
    br_home_close(home);
    e2e_remove_tree(home_dir);
    return 0;
}

/* ---- conditions, as typed and as meant ---- */

struct conditions {
    char typed[800];
    size_t phrases[3][2], n_phrases; /* forms; both the same: a phrase of one word */
    size_t excluded[3][2], n_excluded;
    int in, not_in, from, not_from, has, has_not; /* -1 none */
    int64_t after, before;                        /* seconds, as for filters; 0 none */
    bool is_thread, is_not_thread;
};

static void type(struct conditions *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void type(struct conditions *c, const char *fmt, ...)
{
    size_t len = strlen(c->typed);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->typed + len, sizeof c->typed - len, fmt, ap);
    va_end(ap);
}

static int pick_or_none(size_t n, size_t rarely)
{
    return pick(rarely) ? -1 : (int)pick(n);
}

static void type_phrase(struct conditions *c, const size_t phrase[2], const char *minus)
{
    if (phrase[0] != phrase[1])
        type(c, pick(2) ? " %s\"%s %s\"" : " %s\u201C%s, %s\u201D", minus, forms[phrase[0]].form, forms[phrase[1]].form);
    else
        type(c, *minus && pick(2) ? " %s%s" : " %s\"%s\"", minus, forms[phrase[0]].form);
}

static void pick_phrase(size_t phrase[2])
{
    phrase[0] = pick(FORMS);
    phrase[1] = pick(3) ? phrase[0] : pick(FORMS);
}

static void pick_date(struct conditions *c, bool after)
{
    int day = (int)pick(22);
    int64_t start = T0 + day * DAY;
    bool negated = pick(4) == 0; /* -before: the day itself on; -after: up to its end */
    if (after)
        c->after = negated ? start : start + DAY;
    else
        c->before = negated ? start + DAY : start;
    type(c, " %s%s:2024-01-%02d", negated ? "-" : "", after != negated ? "after" : "before", day + 1);
}

static void pick_conditions(struct conditions *c, const char *words)
{
    *c = (struct conditions){.n_phrases = pick(6) == 0 ? 2 : pick(3) == 0, .n_excluded = pick(6) == 0 ? 2 : pick(3) == 0};
    type(c, "%s", words);
    for (size_t i = 0; i < c->n_phrases; i++) {
        pick_phrase(c->phrases[i]);
        type_phrase(c, c->phrases[i], "");
    }
    for (size_t i = 0; i < c->n_excluded; i++) {
        pick_phrase(c->excluded[i]);
        type_phrase(c, c->excluded[i], "-");
    }
    c->in = pick_or_none(3, 4), c->not_in = pick_or_none(3, 5), c->from = pick_or_none(3, 6), c->not_from = pick_or_none(3, 7);
    c->has = pick_or_none(2, 7), c->has_not = pick_or_none(2, 7);
    if (c->in >= 0)
        type(c, pick(2) ? " in:#%s" : " IN:%s", channels[c->in]);
    if (c->not_in >= 0)
        type(c, " -in:%s", channels[c->not_in]);
    if (c->from >= 0)
        type(c, pick(2) ? " from:@%s" : " From:\"%s\"", people[c->from]);
    if (c->not_from >= 0)
        type(c, " -from:%s", people[c->not_from]);
    if (c->has >= 0)
        type(c, " has:%s", emoji_typed[c->has][pick(3)]);
    if (c->has_not >= 0)
        type(c, " -has:%s", emoji_typed[c->has_not][pick(3)]);
    if (pick(4) == 0)
        pick_date(c, true);
    if (pick(4) == 0)
        pick_date(c, false);
    c->is_thread = pick(9) == 0;
    c->is_not_thread = !c->is_thread && pick(9) == 0;
    if (c->is_thread || c->is_not_thread)
        type(c, " %sis:thread", c->is_thread ? "" : "-");
}

static bool has_phrase(const struct made *m, const size_t phrase[2])
{
    size_t n = phrase[0] == phrase[1] ? 1 : 2;
    for (size_t i = 0; i + n <= m->n_words; i++)
        if (forms[m->words[i]].class == forms[phrase[0]].class && (n == 1 || forms[m->words[i + 1]].class == forms[phrase[1]].class))
            return true;
    return false;
}

static bool meets(const struct made *m, const struct conditions *c)
{
    for (size_t i = 0; i < c->n_phrases; i++)
        if (!has_phrase(m, c->phrases[i]))
            return false;
    for (size_t i = 0; i < c->n_excluded; i++)
        if (has_phrase(m, c->excluded[i]))
            return false;
    return (c->in < 0 || m->channel == (size_t)c->in) && (c->not_in < 0 || m->channel != (size_t)c->not_in) &&
           (c->from < 0 || m->author == (size_t)c->from) && (c->not_from < 0 || m->author != (size_t)c->not_from) &&
           (c->has < 0 || m->reacted[c->has]) && (c->has_not < 0 || !m->reacted[c->has_not]) && (!c->after || m->seconds >= c->after) &&
           (!c->before || m->seconds < c->before) && (!c->is_thread || m->thread) && (!c->is_not_thread || !m->thread);
}

/* ---- the comparison ---- */

static struct br_search_results search(const char *query, enum br_search_mode mode)
{
    struct br_search_results r = {0};
    struct br_error err = {0};
    struct br_search_options o = {.mode = mode, .n = HITS};
    if (br_search(ws, query, &o, &r, &err))
        fail_msg("%s: %s", query, err.message);
    return r;
}

static size_t number_of(const struct br_search_hit *h)
{
    int64_t i = (h->message.ts / 1000000 - T0) / 7000;
    assert_true(i >= 0 && i < N && made[i].seconds == h->message.ts / 1000000);
    return (size_t)i;
}

/* Each hit meets the conditions and comes once. seen: by what kind of hit, 0 none. */
static void note_hits(const struct br_search_results *r, const struct conditions *c, char seen[N])
{
    memset(seen, 0, N);
    for (size_t i = 0; i < r->count; i++) {
        size_t m = number_of(&r->hits[i]);
        if (!meets(&made[m], c) || seen[m])
            fail_msg("%s: message %zu %s", c->typed, m, seen[m] ? "twice" : "does not meet the conditions");
        seen[m] = r->hits[i].kind == BR_HIT_MESSAGE ? 'm' : 'p';
    }
}

static void by_meaning_all_that_meet_them_are_found(void **state)
{
    (void)state;
    char seen[N];
    for (int i = 0; i < 250; i++) {
        struct conditions c;
        pick_conditions(&c, "garden of words");
        struct br_search_results r = search(c.typed, BR_SEARCH_SEMANTIC);
        note_hits(&r, &c, seen);
        for (size_t m = 0; m < N; m++)
            if (meets(&made[m], &c) && !seen[m])
                fail_msg("%s: message %zu is missing", c.typed, m);
        assert_true(r.exhaustive);
        br_search_results_free(&r);
    }
}

static void by_words_all_that_have_one_are_found(void **state)
{
    (void)state;
    char seen[N];
    for (int i = 0; i < 250; i++) {
        struct conditions c;
        size_t word[2] = {pick(FORMS)};
        word[1] = word[0];
        pick_conditions(&c, forms[word[0]].form);
        struct br_search_results r = search(c.typed, BR_SEARCH_KEYWORD);
        note_hits(&r, &c, seen);
        for (size_t m = 0; m < N; m++) {
            bool wanted = meets(&made[m], &c) && (has_phrase(&made[m], word) || c.n_phrases);
            if (wanted && !seen[m])
                fail_msg("%s: message %zu is missing", c.typed, m);
            if (!wanted && seen[m] == 'm')
                fail_msg("%s: message %zu has no such word", c.typed, m);
        }
        br_search_results_free(&r);
    }
}

static void together_nothing_else_comes_in(void **state)
{
    (void)state;
    char seen[N];
    for (int i = 0; i < 100; i++) {
        struct conditions c;
        pick_conditions(&c, "river school");
        struct br_search_results r = search(c.typed, BR_SEARCH_HYBRID);
        note_hits(&r, &c, seen);
        for (size_t m = 0; m < N; m++)
            assert_int_equal(seen[m] != 0, meets(&made[m], &c));
        br_search_results_free(&r);
    }
}

static void conditions_alone_give_the_newest(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct conditions c;
        do
            pick_conditions(&c, "");
        while (c.n_phrases || !c.typed[0]);
        struct br_search_results r = search(c.typed, BR_SEARCH_HYBRID);
        size_t n = 0;
        for (size_t m = N; m-- > 0;)
            if (meets(&made[m], &c)) {
                if (n >= r.count || number_of(&r.hits[n]) != m)
                    fail_msg("%s: message %zu is not hit %zu", c.typed, m, n + 1);
                n++;
            }
        assert_int_equal(n, r.count);
        br_search_results_free(&r);
    }
}

/* A reason names the words of the message, in whatever form they found it. */
static void reasons_name_words_the_message_has(void **state)
{
    (void)state;
    struct br_search_results r = search("deploys Cafe \"über\"", BR_SEARCH_KEYWORD);
    assert_true(r.count > 0);
    for (size_t i = 0; i < r.count; i++) {
        assert_memory_equal(r.hits[i].reason, "words: ", 7);
        char *reason = strdup(r.hits[i].reason + 7), *save, *word;
        for (word = strtok_r(reason, ",", &save); word; word = strtok_r(NULL, ",", &save))
            assert_true(strcasestr(r.hits[i].message.text, word + (*word == ' ')) || (unsigned char)word[strlen(word) - 1] >= 0x80 ||
                        strstr(word, "\u00FC") || strstr(word, "\u00DC"));
        free(reason);
    }
    br_search_results_free(&r);
}

static void what_cannot_be_kept_is_refused(void **state)
{
    (void)state;
    static const char *const queries[] = {"x from: ada",  "x in:",          "x is:saved",   "x has:lnik",   "x \"?!\"",      "x -on:2024-01-01",
                                          "x after:2024-02-30", "x after:20240101", "x before:-999", "x before:12345", "x in:@ada", ""};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct br_search_results r = {0};
        struct br_error err = {0};
        int status = br_search(ws, queries[i], NULL, &r, &err);
        if (status != BR_STATUS_USAGE && !(strcmp(queries[i], "x in:@ada") == 0 && status == BR_STATUS_NOT_FOUND))
            fail_msg("%s: status %d", queries[i], status);
    }
    char many[2000] = "map";
    for (int i = 0; i < 100; i++)
        strcat(many, " -word");
    struct br_search_results r = {0};
    struct br_error err = {0};
    assert_int_equal(br_search(ws, many, NULL, &r, &err), BR_STATUS_USAGE);
}

static void long_and_empty_texts_are_searched(void **state)
{
    (void)state;
    struct br_search_results r = {0};
    struct br_error err = {0};
    struct br_search_options literal = {.literal = true};
    assert_int_equal(br_search(ws, "", &literal, &r, &err), 0);
    assert_int_equal(r.count, 0);
    br_search_results_free(&r);
    char *text = calloc(1, 60001);
    for (size_t i = 0; i + 200 < 60000; i += 200)
        snprintf(text + i, 201, "%0199zu ", i);
    assert_int_equal(br_search(ws, text, &literal, &r, &err), 0);
    br_search_results_free(&r);
    memset(text, 'e', 60000);
    assert_int_equal(br_search(ws, text, NULL, &r, &err), 0);
    br_search_results_free(&r);
    free(text);
}

static int bounds(const char *after, const char *before, int64_t *a, int64_t *b)
{
    struct br_error err = {0};
    return br_parse_bounds(after, before, a, b, &err);
}

static void dates_have_one_meaning(void **state)
{
    (void)state;
    int64_t a, b;
    assert_int_equal(bounds("2024-02", "2024-02-29", &a, &b), 0);
    assert_int_equal(a, INT64_C(1709251200000000) - 1);
    assert_int_equal(b, INT64_C(1709164800000000));
    assert_int_equal(bounds("1434204000.0001", "1434204000", &a, &b), 0);
    assert_int_equal(a, INT64_C(1434204000000100));
    assert_int_equal(b, INT64_C(1434204000000000));
    assert_int_equal(bounds("1960", "1970", &a, &b), 0);
    assert_int_equal(a, 0);
    assert_int_equal(b, 1); /* nothing, as against 0: everything */
    static const char *const wrong[] = {"2023-02-29", "20240101",  "-999",        "2024-1-1", "2024-13",    "soon",
                                        "",           "143420400", "1434204000.", "+2024",    "2024-01-01x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(bounds(wrong[i], NULL, &a, &b), BR_STATUS_USAGE);
    struct br_messages m = {0};
    struct br_error err = {0};
    int64_t ts = made[5].seconds * 1000000 + 100;
    assert_int_equal(br_channel_messages(ws, channels[made[5].channel], 1, ts + 1, ts, &m, &err), 0);
    assert_int_equal(m.count, 0);
    br_messages_free(&m);
    assert_int_equal(br_top_messages(ws, NULL, ts, ts + 1, 10, &m, &err), 0);
    assert_int_equal(m.count, 0);
    br_messages_free(&m);
}

/* Without store: a link says all there is to know. */
static void links_into_other_workspaces_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        enum br_rc rc;
    } cases[] = {{"https://acme.slack.com/archives/C1/p1434204000000100", BR_OK},
                 {"https://ACME.slack.com/archives/C1/p1434204000000100?thread_ts=1.000000", BR_OK},
                 {"/archives/C1/p1434204000000100", BR_OK},
                 {"https://evil.slack.com/archives/C1/p1434204000000100", BR_E_USAGE},
                 {"https://acme.slack.com.evil.org/archives/C1/p1434204000000100", BR_E_USAGE}};
    struct br_workspace known = {.domain = "acme"}, unknown = {.domain = ""};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char channel[64];
        int64_t ts = 0;
        struct br_err err = {0};
        assert_int_equal(br_parse_message_id(&known, cases[i].id, channel, &ts, &err), cases[i].rc);
        err = (struct br_err){0};
        assert_int_equal(br_parse_message_id(&unknown, cases[i].id, channel, &ts, &err), BR_OK);
        assert_int_equal(ts, INT64_C(1434204000000100));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_meaning_all_that_meet_them_are_found), cmocka_unit_test(by_words_all_that_have_one_are_found),
        cmocka_unit_test(together_nothing_else_comes_in),          cmocka_unit_test(conditions_alone_give_the_newest),
        cmocka_unit_test(reasons_name_words_the_message_has),      cmocka_unit_test(what_cannot_be_kept_is_refused),
        cmocka_unit_test(long_and_empty_texts_are_searched),       cmocka_unit_test(dates_have_one_meaning),
        cmocka_unit_test(links_into_other_workspaces_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
