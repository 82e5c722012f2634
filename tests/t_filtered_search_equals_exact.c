/* A filtered search of a small workspace gives the very hits that comparing every vector gives, whatever the filter: its plan is a scan that proves
 * its answer, and it says so. Every hit is a message that passes, and there are as many hits as messages that pass, up to what was asked for. */
#include "open_archive.h"

#define MESSAGES 900
#define USERS 30
#define QUERIES 4
#define HITS 10
#define BASE 1704103200L

static const char *const words[] = {"lake", "driver", "wifi",  "printer", "garden", "key",   "paper", "kernel",
                                    "lunch", "proof",  "lemma", "ring",    "field",  "group", "train", "ticket"};

struct said {
    unsigned user;
    bool link, second; /* second: in the other channel */
};
static struct said said[MESSAGES];

/* Each user says less than the one before: filters then pass many messages, or few, or none. */
static unsigned author(unsigned *seed)
{
    unsigned u = 0;
    while (u < USERS - 1 && rand_r(seed) % 4)
        u++;
    return u;
}

static char *talk(bool second, unsigned *seed)
{
    json_t *day = json_array();
    for (int i = second; i < MESSAGES; i += 2) {
        char text[256];
        size_t n = 0;
        said[i] = (struct said){.user = author(seed), .link = rand_r(seed) % 5 == 0, .second = second};
        for (int w = 0; w < 6; w++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s ", words[(unsigned)rand_r(seed) % (sizeof words / sizeof *words)]);
        snprintf(text + n, sizeof text - n, "%d%s", i, said[i].link ? " <https://example.org/a>" : "");
        json_array_append_new(day, json_pack("{ss so so ss}", "type", "message", "user", json_sprintf("U%u", said[i].user), "ts",
                                             json_sprintf("%ld.000100", BASE + i), "text", text));
    }
    char *dumped = json_dumps(day, 0);
    json_decref(day);
    return dumped;
}

static int setup(void **state)
{
    (void)state;
    unsigned seed = 11;
    char zip[1200], *first, *second;
    json_t *users = json_array();
    archive_make(true);
    for (int u = 0; u < USERS; u++)
        json_array_append_new(users, json_pack("{so ss so}", "id", json_sprintf("U%d", u), "team_id", "T0FILTER", "name", json_sprintf("user%d", u)));
    char *people = json_dumps(users, 0);
    snprintf(zip, sizeof zip, "%s/export.zip", home_dir);
    const struct file files[] = {
        {"users.json", people},
        {"channels.json", "[{\"id\":\"C1\",\"name\":\"first\",\"members\":[]},{\"id\":\"C2\",\"name\":\"second\",\"members\":[]}]"},
        {"first/2024-01-01.json", first = talk(false, &seed)},
        {"second/2024-01-01.json", second = talk(true, &seed)}};
    write_zip(zip, files, 4);
    json_decref(users);
    free(people);
    free(first);
    free(second);
    archive_fill(zip);
    return 0;
}

/* A condition, and the same in C. -1, false: not asked. */
struct condition {
    int user, channel;
    bool link;
    long after;
};

static bool passes(const struct condition *c, int i)
{
    return (c->user < 0 || said[i].user == (unsigned)c->user) && (c->channel < 0 || said[i].second == (c->channel == 1)) &&
           (!c->link || said[i].link) && BASE + i >= c->after;
}

static void question(const struct condition *c, const char *query, char out[256])
{
    size_t n = (size_t)snprintf(out, 256, "%s", query);
    if (c->user >= 0)
        n += (size_t)snprintf(out + n, 256 - n, " from:user%d", c->user);
    if (c->channel >= 0)
        n += (size_t)snprintf(out + n, 256 - n, " in:%s", c->channel ? "second" : "first");
    if (c->link)
        n += (size_t)snprintf(out + n, 256 - n, " has:link");
    if (c->after)
        snprintf(out + n, 256 - n, " after:%ld.000100", c->after - 1); /* later than that message */
}

static void ask(const char *query, enum br_search_mode mode, bool exact, struct br_search_results *r)
{
    struct br_search_options o = {.mode = mode, .n = HITS, .exact = exact};
    struct br_error err = {0};
    *r = (struct br_search_results){0};
    if (br_search(ws, query, &o, r, &err))
        fail_msg("%s: %s", query, err.message);
}

static void same_answer(const struct condition *c, const char *query, enum br_search_mode mode)
{
    char q[256];
    struct br_search_results planned, exact;
    size_t matches = 0;
    question(c, query, q);
    for (int i = 0; i < MESSAGES; i++)
        matches += passes(c, i);
    ask(q, mode, false, &planned);
    ask(q, mode, true, &exact);
    assert_true(planned.exhaustive);
    assert_int_equal(exact.count, matches < HITS ? matches : HITS);
    assert_int_equal(planned.count, exact.count);
    for (size_t i = 0; i < exact.count; i++) {
        assert_int_equal(planned.hits[i].message.ts, exact.hits[i].message.ts);
        assert_string_equal(planned.hits[i].message.channel_id, exact.hits[i].message.channel_id);
        assert_float_equal(planned.hits[i].score, exact.hits[i].score, 1e-6);
        assert_true(passes(c, (int)(planned.hits[i].message.ts / 1000000 - BASE)));
    }
    br_search_results_free(&planned);
    br_search_results_free(&exact);
}

static void whatever_the_filter(void **state)
{
    (void)state;
    static const char *const queries[QUERIES] = {"wifi driver", "proof of a lemma", "who has the key of the garden", "train 17"};
    unsigned seed = 5;
    for (int i = 0; i < 60; i++) {
        struct condition c = {.user = rand_r(&seed) % 2 ? -1 : (int)author(&seed), .channel = (int)(rand_r(&seed) % 3) - 1, .link = rand_r(&seed) % 4 == 0};
        if (rand_r(&seed) % 3 == 0)
            c.after = BASE + (long)((unsigned)rand_r(&seed) % MESSAGES);
        for (int q = 0; q < QUERIES; q++)
            for (enum br_search_mode mode = BR_SEARCH_HYBRID; mode <= BR_SEARCH_SEMANTIC; mode++)
                same_answer(&c, queries[q], mode);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_the_filter)};
    return cmocka_run_group_tests(tests, setup, archive_remove);
}
