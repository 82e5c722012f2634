/* Filters, phrases and exclusions mean what an obvious evaluator says they mean, on both sides of a search: on generated messages, every hit meets
 * every condition and nothing that does is missing. Meaning has no part in it: the vectors are a random model's.
 *
 * BACKREAD_QUERIES=100000 asks that many generated queries in all instead of a few hundred; BACKREAD_SEED=n asks others. */
#include "open_archive.h"

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

#define CHANNELS 5
#define PEOPLE 4 /* the last one is a bot */
#define BOT 3
static const char *const channels[CHANNELS] = {"general", "random", "tools", "D0", "mpdm-bob--eve-1"};
static const char *const channel_ids[CHANNELS] = {"C0", "C1", "C2", "D0", "G0"};
static const char *const channel_typed[CHANNELS][3] = {{"#general", "general", "C0"},
                                                       {"RANDOM", "#random", "C1"},
                                                       {"tools", "\"#tools\"", "Tools"},
                                                       {"D0", "D0", "@bob"}, /* his only direct message, one to one */
                                                       {"G0", "mpdm-bob--eve-1", "MPDM-bob--eve-1"}};
static const char *const person_typed[PEOPLE][6] = {
    {"@ada", "ADA", "\"Ada Lovelace\"", "\"augusta  ada king\"", "U0", "me"},
    {"bob", "\"B\u00F3b M\u00FCller\"", "\"bob muller\"", "\"BO\u0301B MU\u0308LLER\"", "U1", "@bob"},
    {"eve.o", "@Eve.O", "\u00C8ve", "eve", "@e\u0300ve", "U2"},
    {"jenkins", "J\u00C9NKINS", "\"j\u00E9nkins\"", "B7", "@Jenkins", "JENKINS"}};
static const char *const emoji[] = {"+1", "tada"};
static const char *const emoji_typed[2][3] = {{":+1:", ":thumbsup:", ":+1::skin-tone-3:"}, {":tada:", ":TADA:", ":tada:"}};

static struct made {
    int64_t seconds, thread; /* thread 0 none */
    size_t channel, author, n_words;
    size_t words[12];
    size_t reacted[2]; /* by how many */
    bool is_pinned, has_link, has_file;
} made[N];
static bool took_part[N][PEOPLE]; /* in the conversation of message i, as with: means it */

static unsigned seed = 11;

static size_t pick(size_t n)
{
    return (size_t)rand_r(&seed) % n;
}

/* ---- the workspace ---- */

static size_t author_in(size_t channel)
{
    return channel < 3 ? pick(PEOPLE) : channel == 3 ? pick(2) : 1 + pick(2);
}

static void make_messages(void)
{
    size_t thread_of[CHANNELS] = {0};
    for (size_t i = 0; i < N; i++) {
        struct made *m = &made[i];
        *m = (struct made){.seconds = T0 + (int64_t)i * 7000, .channel = pick(CHANNELS), .n_words = 1 + pick(12)};
        m->author = author_in(m->channel);
        for (size_t w = 0; w < m->n_words; w++)
            m->words[w] = pick(FORMS);
        for (size_t e = 0; e < 2; e++)
            m->reacted[e] = pick(4) ? 0 : 1 + pick(4);
        m->is_pinned = pick(5) == 0;
        m->has_link = pick(5) == 0;
        m->has_file = pick(6) == 0;
        struct made *root = &made[thread_of[m->channel]];
        if (pick(3) == 0) { /* a new thread */
            m->thread = m->seconds;
            thread_of[m->channel] = i;
        } else if (root->channel == m->channel && root->thread && pick(3)) {
            m->thread = root->thread;
        }
    }
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            if (made[i].channel == made[j].channel && (made[i].channel >= 3 || (made[i].thread && made[i].thread == made[j].thread)))
                took_part[i][made[j].author] = true;
}

static json_t *text_of(const struct made *m)
{
    static const char *const gaps[] = {" ", "\n", ", ", "   "};
    char text[400];
    size_t len = 0;
    for (size_t w = 0; w < m->n_words; w++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", w ? gaps[pick(4)] : "", forms[m->words[w]].form);
    return m->has_link ? json_sprintf("%s <https://example.org/%lld>", text, (long long)m->seconds) : json_string(text);
}

static json_t *ts_json(int64_t seconds)
{
    return json_sprintf("%lld.000100", (long long)seconds);
}

static json_t *message_of(const struct made *m)
{
    json_t *reactions = json_array();
    for (size_t i = 0; i < 2; i++)
        if (m->reacted[i]) {
            json_t *users = json_array();
            for (size_t u = 0; u < m->reacted[i]; u++)
                json_array_append_new(users, json_sprintf("U%zu", u));
            json_array_append_new(reactions, json_pack("{ss so si}", "name", emoji[i], "users", users, "count", (int)m->reacted[i]));
        }
    json_t *j = json_pack("{ss so so}", "type", "message", "ts", ts_json(m->seconds), "text", text_of(m));
    if (m->author == BOT) {
        json_object_set_new(j, "subtype", json_string("bot_message"));
        json_object_set_new(j, "bot_id", json_string("B7"));
        json_object_set_new(j, "username", json_string("J\u00E9nkins"));
    } else {
        json_object_set_new(j, "user", json_sprintf("U%zu", m->author));
    }
    if (m->is_pinned && m->seconds / 7000 % 2) /* the others' channels tell */
        json_object_set_new(j, "pinned_to", json_pack("[s]", channel_ids[m->channel]));
    if (m->has_file)
        json_object_set_new(j, "files", json_pack("[{ss ss}]", "id", "F1", "mode", "hosted"));
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

static json_t *pins_of(size_t channel)
{
    json_t *pins = json_array();
    for (size_t m = 0; m < N; m++)
        if (made[m].channel == channel && made[m].is_pinned && made[m].seconds / 7000 % 2 == 0)
            json_array_append_new(pins, json_pack("{so ss}", "id", ts_json(made[m].seconds), "type", "C"));
    return pins;
}

static void write_channel(const char *dir, size_t i, json_t *list)
{
    char sub[1300];
    json_t *day = json_array();
    json_t *c = json_pack("{ss ss so}", "id", channel_ids[i], "name", channels[i], "pins", pins_of(i));
    if (i == 3)
        json_object_set_new(c, "members", json_pack("[ss]", "U0", "U1"));
    if (i == 4)
        json_object_set_new(c, "members", json_pack("[s]", "U1")); /* eve has written there all the same */
    json_array_append_new(list, c);
    for (size_t m = 0; m < N; m++)
        if (made[m].channel == i)
            json_array_append_new(day, message_of(&made[m]));
    snprintf(sub, sizeof sub, "%s/%s", dir, channels[i]);
    assert_int_equal(mkdir(sub, 0700), 0);
    write_json(sub, "2024-01-01.json", day);
}

static void write_export(const char *dir)
{
    json_t *lists[3] = {json_array(), json_array(), json_array()};
    assert_int_equal(mkdir(dir, 0700), 0);
    for (size_t i = 0; i < CHANNELS; i++)
        write_channel(dir, i, lists[i < 3 ? 0 : i - 2]);
    write_json(dir, "users.json",
               json_pack("[{ssssss s{ssss}} {ssssss s{ss}} {ssssss s{ss}}]", "id", "U0", "team_id", "T0NAIVE", "name", "ada", "profile",
                         "display_name", "Ada Lovelace", "real_name", "Augusta Ada King", "id", "U1", "team_id", "T0NAIVE", "name", "bob",
                         "profile", "display_name", "B\u00F3b M\u00FCller", "id", "U2", "team_id", "T0NAIVE", "name", "eve.o", "profile",
                         "real_name", "\u00C8ve"));
    write_json(dir, "channels.json", lists[0]);
    write_json(dir, "dms.json", lists[1]);
    write_json(dir, "mpims.json", lists[2]);
}

static int setup(void **state)
{
    char dir[1200];
    (void)state;
    archive_make(true);
    snprintf(dir, sizeof dir, "%s/export", home_dir);
    if (getenv("BACKREAD_SEED"))
        seed = (unsigned)atoi(getenv("BACKREAD_SEED"));
    setenv("BACKREAD_ME", "ada", 1);
    make_messages();
    write_export(dir);
    assert_int_equal(archive_fill(dir).messages_new, N);
    return 0;
}

/* ---- conditions, as typed and as meant ---- */

struct conditions {
    char typed[1200];
    size_t phrases[3][2], n_phrases; /* forms; both the same: a phrase of one word */
    size_t excluded[3][2], n_excluded;
    unsigned in, not_in, from, not_from, with, not_with; /* a bit each; 0 none */
    int has, has_not;                                     /* emoji; -1 none */
    size_t min_reactions, below;                          /* 0 none */
    int64_t after, before;                                /* seconds, as for filters; 0 none */
    unsigned is, is_not;                                  /* bits of things */
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

static void pick_day(struct conditions *c)
{
    int day = (int)pick(22);
    bool month = pick(3) == 0; /* all messages are of one month */
    int64_t from = T0 + (month ? 0 : day * DAY), to = T0 + (month ? 31 : day + 1) * DAY;
    c->after = from > c->after ? from : c->after;
    c->before = c->before && c->before < to ? c->before : to;
    if (month)
        type(c, " %s:2024-01", pick(2) ? "on" : "during");
    else
        type(c, " %s:2024-01-%02d", pick(2) ? "on" : "during", day + 1);
}

/* One or two of n, typed as filters. */
static unsigned pick_some(struct conditions *c, const char *key, size_t n, size_t spellings, const char *const *typed, size_t rarely)
{
    unsigned bits = 0;
    if (pick(rarely))
        return 0;
    for (size_t i = 0, some = pick(4) ? 1 : 2; i < some; i++) {
        size_t which = pick(n);
        bits |= 1u << which;
        type(c, " %s:%s", key, typed[which * spellings + pick(spellings)]);
    }
    return bits;
}

static const char *const things[][2] = {{"is:thread", "has:thread"}, {"is:root", "IS:Root"},   {"has:pin", "Has:pin"},
                                        {"has:link", "has:links"},   {"has:file", "has:file"}, {"has:reaction", "has:reactions"}};
#define THINGS (sizeof things / sizeof *things)

static bool is_thing(const struct made *m, size_t thing)
{
    switch (thing) {
    case 0:
        return m->thread;
    case 1:
        return m->thread == m->seconds;
    case 2:
        return m->is_pinned;
    case 3:
        return m->has_link;
    case 4:
        return m->has_file;
    default:
        return m->reacted[0] || m->reacted[1];
    }
}

static void pick_things(struct conditions *c)
{
    for (size_t i = 0; i < THINGS; i++)
        if (pick(12) == 0) {
            bool not = pick(2);
            *(not ? &c->is_not : &c->is) |= 1u << i;
            type(c, " %s%s", not ? "-" : "", things[i][pick(2)]);
        }
    if (pick(8) == 0) {
        c->min_reactions = 1 + pick(6);
        type(c, " min_reactions:%zu", c->min_reactions);
    }
    if (pick(10) == 0) {
        c->below = 1 + pick(6);
        type(c, " -min_reactions:%zu", c->below);
    }
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
    c->in = pick_some(c, pick(2) ? "in" : "IN", CHANNELS, 3, channel_typed[0], 5);
    c->not_in = pick_some(c, "-in", CHANNELS, 3, channel_typed[0], 6);
    c->from = pick_some(c, pick(2) ? "from" : "From", PEOPLE, 6, person_typed[0], 6);
    c->not_from = pick_some(c, "-from", PEOPLE, 6, person_typed[0], 8);
    c->with = pick_some(c, "with", PEOPLE, 6, person_typed[0], 6);
    c->not_with = pick_some(c, "-with", PEOPLE, 6, person_typed[0], 9);
    c->has = pick_or_none(2, 9), c->has_not = pick_or_none(2, 9);
    if (c->has >= 0)
        type(c, " has:%s", emoji_typed[c->has][pick(3)]);
    if (c->has_not >= 0)
        type(c, " -has:%s", emoji_typed[c->has_not][pick(3)]);
    if (pick(4) == 0)
        pick_date(c, true);
    if (pick(4) == 0)
        pick_date(c, false);
    if (pick(9) == 0)
        pick_day(c);
    pick_things(c);
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
    for (size_t i = 0; i < PEOPLE; i++)
        if ((c->with >> i & 1 && !took_part[m - made][i]) || (c->not_with >> i & 1 && took_part[m - made][i]))
            return false;
    for (size_t i = 0; i < THINGS; i++)
        if ((c->is >> i & 1 && !is_thing(m, i)) || (c->is_not >> i & 1 && is_thing(m, i)))
            return false;
    size_t reactions = m->reacted[0] + m->reacted[1];
    return (!c->in || c->in >> m->channel & 1) && !(c->not_in >> m->channel & 1) && (!c->from || c->from >> m->author & 1) &&
           !(c->not_from >> m->author & 1) && (c->has < 0 || m->reacted[c->has]) && (c->has_not < 0 || !m->reacted[c->has_not]) &&
           (!c->after || m->seconds >= c->after) && (!c->before || m->seconds < c->before) &&
           (!c->min_reactions || reactions >= c->min_reactions) && (!c->below || reactions < c->below);
}

/* How many queries of a default of `few`, out of 700 in all. */
static int queries(int few)
{
    const char *all = getenv("BACKREAD_QUERIES");
    return all ? (int)((long)few * atol(all) / 700) : few;
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
    for (int i = 0; i < queries(250); i++) {
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
    for (int i = 0; i < queries(250); i++) {
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
    for (int i = 0; i < queries(100); i++) {
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
    for (int i = 0; i < queries(100); i++) {
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
    static const char *const queries[] = {"x from: ada",  "x in:",          "x is:saved", "x min_reactions:0", "x min_reactions:many", "x has:lnk", "x with:jenkin",   "x has:lnik",   "x \"?!\"",      "x -on:2024-01-01",
                                          "x after:2024-02-30", "x after:20240101", "x before:-999", "x before:12345", "x in:@eve", ""};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct br_search_results r = {0};
        struct br_error err = {0};
        int status = br_search(ws, queries[i], NULL, &r, &err);
        if (status != BR_STATUS_USAGE && !((strcmp(queries[i], "x in:@eve") == 0 || strstr(queries[i], "jenkin")) && status == BR_STATUS_NOT_FOUND))
            fail_msg("%s: status %d", queries[i], status);
    }
    char many[2000] = "map";
    for (int i = 0; i < 100; i++)
        strcat(many, " -word");
    struct br_search_results r = {0};
    struct br_error err = {0};
    assert_int_equal(br_search(ws, many, NULL, &r, &err), BR_STATUS_USAGE);
    strcpy(many, "map");
    for (int i = 0; i < 100; i++)
        strcat(many, " from:ada");
    assert_int_equal(br_search(ws, many, NULL, &r, &err), BR_STATUS_USAGE);
}

static void refused(const char *query, const char *saying)
{
    struct br_search_results r = {0};
    struct br_error err = {0};
    assert_int_not_equal(br_search(ws, query, NULL, &r, &err), 0);
    if (!strstr(err.message, saying))
        fail_msg("%s: %s", query, err.message);
}

static void who_is_meant_is_said(void **state)
{
    (void)state;
    refused("map from:lovelace", "Ada Lovelace"); /* a part of a name is near, and not guessed at */
    refused("map from:jenkin", "J\u00E9nkins");
    refused("map with:bib", "bob");
    refused("map in:genera", "general");
    const char *const persons[] = {"eve"}, *const is[] = {"root"};
    struct br_search_options o = {.n = HITS, .with = persons, .n_with = 1, .is = is, .n_is = 1, .min_reactions = 2};
    struct br_search_results r = {0};
    struct br_error err = {0};
    size_t want = 0;
    assert_int_equal(br_search(ws, "", &o, &r, &err), 0);
    for (size_t m = 0; m < N; m++)
        want += took_part[m][2] && is_thing(&made[m], 1) && made[m].reacted[0] + made[m].reacted[1] >= 2;
    assert_int_equal(r.count, want);
    assert_true(want > 0);
    br_search_results_free(&r);
    unsetenv("BACKREAD_ME");
    refused("map from:me", "--me");
    refused("map with:@me", "BACKREAD_ME");
    o = (struct br_search_options){.me = "bob"};
    assert_int_equal(br_search(ws, "from:me", &o, &r, &err), 0);
    for (size_t i = 0; i < r.count; i++)
        assert_string_equal(r.hits[i].message.user_id, "U1");
    br_search_results_free(&r);
    setenv("BACKREAD_ME", "nobody", 1);
    refused("map from:me", "nobody");
    setenv("BACKREAD_ME", "ada", 1);
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
        cmocka_unit_test(who_is_meant_is_said),
        cmocka_unit_test(long_and_empty_texts_are_searched),       cmocka_unit_test(dates_have_one_meaning),
        cmocka_unit_test(links_into_other_workspaces_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, archive_remove);
}
