/* t_slack_query.c - filters equal a naive evaluation, listings keep their order, names are found, passages are kept. */
#include "t_slack.h"

#define N 400

static const char *const users[] = {"U1", "U2", "U3"};
static const struct br_slack_reaction reactions[] = {
    {.name = "clap", .folded = "clap", .count = 1, .users = users, .n_users = 1},
    {.name = "+1", .folded = "+1", .count = 1, .users = users + 1, .n_users = 1}};
static const struct br_slack_file files[] = {{.id = "F1", .name = "x"}};

static struct br_slack_message made[N];
static char texts[N][32];

/* Random messages, some in threads of ten, and a passage of the first thread in each channel. */
static struct br_store *random_store(void)
{
    struct br_store *s = fixture_open();
    srand(3);
    begin(s);
    for (int i = 0; i < N; i++) {
        struct br_slack_message *m = &made[i];
        snprintf(texts[i], sizeof(texts[i]), "%s number %d", rand() % 3 ? "apple" : "pear", i);
        bool says_nothing = rand() % 8 == 0; /* such messages need no vector */
        if (says_nothing)
            strcpy(texts[i], "...");
        *m = message(i + 1, texts[i], "{}");
        m->needs_vector = !says_nothing;
        m->channel_id = rand() % 2 ? CH : CH2;
        m->user_id = users[rand() % 3];
        m->has_link = rand() % 4 == 0;
        m->files = files;
        m->n_files = rand() % 4 == 0;
        m->reactions = reactions;
        m->n_reactions = (size_t)(rand() % 3);
        if (i >= 10 && rand() % 4 == 0) {
            m->channel_id = CH;
            m->thread_ts = AT(1000 + i / 10); /* roots nobody has: none of the messages becomes one */
        }
        put(s, m);
    }
    commit(s);
    return s;
}

static bool any_channel(const struct br_slack_terms *t, const struct br_slack_message *m)
{
    for (size_t i = 0; i < t->n_channels; i++)
        if (strcmp(t->channel_ids[i], m->channel_id) == 0)
            return true;
    return false;
}

static bool any_author(const struct br_slack_terms *t, const struct br_slack_message *m)
{
    for (size_t i = 0; i < t->n_authors; i++)
        if (strcmp(t->authors[i].key, m->user_id) == 0)
            return true;
    return false;
}

static size_t count_reactions(const struct br_slack_terms *t, const struct br_slack_message *m)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_reactions; i++)
        for (size_t j = 0; j < m->n_reactions; j++)
            n += strcmp(t->reactions[i], m->reactions[j].folded) == 0;
    return n;
}

static unsigned flags_of(const struct br_slack_message *m)
{
    return (m->has_link ? BR_HAS_LINK : 0) | (m->n_files ? BR_HAS_FILE : 0) | (m->n_reactions ? BR_HAS_REACTION : 0) |
           (m->thread_ts ? BR_IS_THREAD : 0);
}

/* The tests' expressions are one word each. */
static bool has_word(const struct br_slack_terms *t, const struct br_slack_message *m)
{
    return t->match && strstr(m->text, t->match) != NULL;
}

static bool naive(const struct br_slack_message *m, const struct br_slack_filter *f)
{
    const struct br_slack_terms *w = &f->with, *o = &f->without;
    bool with = (!w->n_channels || any_channel(w, m)) && (!w->n_authors || any_author(w, m)) &&
                count_reactions(w, m) == w->n_reactions && (flags_of(m) & w->has) == w->has && (!w->match || has_word(w, m));
    bool without = any_channel(o, m) || any_author(o, m) || count_reactions(o, m) || flags_of(m) & o->has || has_word(o, m);
    return m->needs_vector && with && !without && (!f->after || m->ts >= f->after) && (!f->before || m->ts < f->before);
}

static bool is_zero(const struct br_slack_filter *f)
{
    static const struct br_slack_filter zero;
    return memcmp(f, &zero, sizeof zero) == 0;
}

static void check_filter(struct br_store *s, const struct br_slack_filter *f)
{
    struct br_slack_set set;
    struct br_term_counts out;
    struct br_bitmap seen;
    size_t apples = 0;
    OK(br_slack_filter_set(s, f, &set, err));
    OK(br_bitmap_init(&seen, N, err));
    for (uint64_t slot = 0; slot < set.slots.n_bits; slot++) {
        struct br_doc doc;
        struct br_err none = {0};
        if (!br_bitmap_test(&set.slots, slot) || br_slack_doc_of_slot(s, slot, &doc, &none) == BR_E_NOTFOUND)
            continue;
        const struct br_slack_message *m = &made[(doc.ts - T0) / 1000000 - 1];
        assert_int_equal(doc.ts, m->ts);
        assert_string_equal(doc.channel_id, m->channel_id);
        assert_int_equal(doc.thread_ts, m->thread_ts ? m->thread_ts : m->ts);
        assert_true(br_bitmap_test(&set.contents, doc.content_id));
        br_bitmap_set(&seen, (uint64_t)(m - made));
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(br_bitmap_test(&seen, (uint64_t)i), naive(&made[i], f));
        apples += texts[i][0] == 'a' && naive(&made[i], f);
    }
    OK(br_slack_keyword(s, "apple", BR_DOC_MESSAGE, &set.contents, &out, err));
    if (!is_zero(f))
        assert_int_equal(out.n_rows, apples);
    for (size_t i = 0; i < out.n_rows; i++) {
        struct br_doc doc;
        size_t length;
        OK(br_slack_doc_of_content(s, BR_DOC_MESSAGE, out.rows[i].content_id, &doc, &length, err));
        assert_true(is_zero(f) || naive(&made[(doc.ts - T0) / 1000000 - 1], f));
        assert_true(length > 0);
        assert_true(i == 0 || out.rows[i].content_id > out.rows[i - 1].content_id);
    }
    br_term_counts_free(&out);
    br_bitmap_free(&seen);
    br_slack_set_free(&set);
}

static void random_terms(struct br_slack_terms *t, int rarely)
{
    static const char *const both[] = {CH2, CH};
    static const char *const names[] = {"clap", "+1", "none"};
    static const struct br_slack_author people[] = {{.key = "U1"}, {.key = "U2"}, {.key = "U3"}, {.key = "U1"}};
    static const char *const words[] = {"apple", "pear", "7", "number", "absent"};
    t->channel_ids = both + rand() % 2;
    t->n_channels = rand() % rarely ? 0 : 1;
    t->authors = people + rand() % 3;
    t->n_authors = rand() % rarely ? 0 : (size_t)(1 + rand() % 2);
    t->reactions = names + rand() % 2;
    t->n_reactions = rand() % rarely ? 0 : (size_t)(1 + rand() % 2);
    t->has = rand() % rarely ? 0 : 1u << rand() % 4;
    t->match = rand() % rarely ? NULL : words[rand() % 5];
    if (t->match && t->match[0] == '7')
        t->match = "pear"; /* digits are parts of other numbers to strstr */
}

static void test_filter_equals_naive(void **state)
{
    (void)state;
    struct br_store *s = random_store();
    check_filter(s, &(struct br_slack_filter){0});
    for (int i = 0; i < 300; i++) {
        struct br_slack_filter f = {0};
        random_terms(&f.with, 3);
        random_terms(&f.without, 4);
        f.after = rand() % 2 ? AT(rand() % N) : 0;
        f.before = rand() % 2 ? AT(rand() % N) : 0;
        check_filter(s, &f);
    }
    assert_healthy(s);
    fixture_close(s);
}

static struct br_slack_passage passage(const char *text, int first, int last)
{
    return (struct br_slack_passage){
        .text = text, .text_len = strlen(text), .first_ts = AT(first), .last_ts = AT(last), .vector = vector_of(text)};
}

static uint64_t slots_of(struct br_store *s, const struct br_slack_filter *f)
{
    struct br_slack_set set;
    OK(br_slack_filter_set(s, f, &set, err));
    uint64_t n = br_bitmap_count(&set.slots);
    br_slack_set_free(&set);
    return n;
}

static void test_passages_keep_what_stays(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    struct br_slack_thread_key key = {.channel_id = CH, .thread_ts = AT(1)};
    static const char *const one[] = {CH};
    struct br_slack_passage p[] = {passage("one elk", 1, 3), passage("two", 3, 5), passage("two", 5, 6)};
    begin(s);
    OK(br_slack_put_passages(s, &key, p, 3, err));
    commit(s);
    int64_t slot = sql_int(s, "SELECT slot FROM passages WHERE position = 0");
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.after = AT(6)}), 1);
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.before = AT(3)}), 1);
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.with = {.channel_ids = one, .n_channels = 1}}), 3);
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.with = {.has = BR_HAS_LINK}}), 0);
    struct br_slack_passage q[] = {passage("two", 3, 5), passage("one elk", 1, 3), passage("four", 7, 8)};
    begin(s);
    OK(br_slack_put_passages(s, &key, q, 3, err));
    commit(s);
    assert_int_equal(sql_int(s, "SELECT slot FROM passages WHERE position = 1"), slot);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM slots WHERE seq_killed IS NULL"), 3);
    assert_int_equal(hits(s, "two", BR_DOC_PASSAGE), 1);
    assert_int_equal(hits(s, "elk", BR_DOC_PASSAGE), 1);
    begin(s);
    OK(br_slack_put_passages(s, &key, NULL, 0, err));
    commit(s);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM fts_passages('elk OR two OR four')"), 0);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM slots WHERE seq_killed IS NULL"), 0);
    assert_healthy(s);
    fixture_close(s);
}

/* A passage passes when it has a message to show and none that was excluded. */
static void test_passages_stand_for_their_messages(void **state)
{
    (void)state;
    static const char *const words[] = {"alpha", "beta", "gamma"};
    static const struct br_slack_author author = {.key = "U1"};
    struct br_store *s = fixture_open();
    struct br_slack_thread_key key = {.channel_id = CH, .thread_ts = AT(1)};
    struct br_slack_passage p[] = {passage("alpha beta", 1, 2), passage("beta gamma", 2, 3)};
    begin(s);
    for (int i = 0; i < 3; i++) {
        struct br_slack_message m = message(i + 1, words[i], "{}");
        m.thread_ts = AT(1);
        put(s, &m);
    }
    OK(br_slack_put_passages(s, &key, p, 2, err));
    commit(s);
    const struct br_slack_terms alpha = {.match = "alpha"}, beta = {.match = "beta"}, gamma = {.match = "gamma"};
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.with = alpha}), 2); /* alpha and the first passage */
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.with = beta}), 3);
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.without = gamma}), 3);
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.with = beta, .without = gamma}), 2);
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.with = beta, .after = AT(3)}), 0);
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.without = beta}), 2); /* alpha and gamma */
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.after = AT(3)}), 2);
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.after = AT(2) + 1, .before = AT(3)}), 0); /* between two messages */
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.with = {.authors = &author, .n_authors = 1}}), 3);
    fixture_close(s);
}

static void test_dirty_marks(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    struct br_slack_thread_key keys[4];
    size_t n;
    char *text = malloc(2001);
    memset(text, 'x', 2000);
    text[2000] = 0;
    struct br_slack_message lone = message(1, "short", "{}"), reply = message(2, "reply", "{}");
    struct br_slack_message large = message(3, text, "{}");
    reply.thread_ts = AT(1);
    begin(s);
    put(s, &lone);
    OK(br_slack_dirty_threads(s, keys, 4, &n, err));
    assert_int_equal(n, 0);
    put(s, &reply);
    put(s, &large);
    OK(br_slack_dirty_threads(s, keys, 4, &n, err));
    assert_int_equal(n, 2);
    assert_int_equal(keys[0].thread_ts, AT(1));
    struct br_slack_passage p = passage("part", 3, 3);
    OK(br_slack_put_passages(s, &keys[1], &p, 1, err));
    OK(br_slack_put_passages(s, &keys[0], NULL, 0, err));
    large.edited_ts = AT(9);
    large.text_len = 10; /* short now, yet it has a passage */
    put(s, &large);
    OK(br_slack_dirty_threads(s, keys, 4, &n, err));
    assert_int_equal(n, 1);
    assert_int_equal(keys[0].thread_ts, AT(3));
    commit(s);
    free(text);
    fixture_close(s);
}

static void test_listings_in_order(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    begin(s);
    for (int i = 1; i <= 6; i++) {
        char text[2] = {(char)('a' + i - 1), 0};
        struct br_slack_message m = message(i, text, "{}");
        m.thread_ts = i == 4 || i == 6 ? AT(2) : 0;
        m.is_broadcast = i == 6;
        put(s, &m);
    }
    struct br_slack_message elsewhere = message(3, "z", "{}");
    elsewhere.channel_id = CH2;
    put(s, &elsewhere);
    commit(s);
    ASSERT_LIST(br_slack_channel_messages(s, CH, 0, 0, 3, collect, &list, err), "6:f 5:e 4:d");
    ASSERT_LIST(br_slack_channel_messages(s, CH, AT(4), AT(1), 9, collect, &list, err), "3:c 2:b");
    ASSERT_LIST(br_slack_channel_messages(s, NULL, 0, AT(2), 9, collect, &list, err), "6:f 5:e 4:d 3:z 3:c");
    ASSERT_LIST(br_slack_thread(s, CH, AT(2), collect, &list, err), "2:b 4:d 6:f");
    ASSERT_LIST(br_slack_thread(s, CH, AT(3), collect, &list, err), "3:c");
    ASSERT_LIST(br_slack_context(s, CH, AT(3), 1, collect, &list, err), "2:b 3:c 5:e"); /* the reply stays out */
    ASSERT_LIST(br_slack_context(s, CH, AT(5), 2, collect, &list, err), "2:b 3:c 5:e 6:f"); /* the broadcast is in */
    ASSERT_LIST(br_slack_context(s, CH, AT(4), 5, collect, &list, err), "2:b 4:d 6:f");
    struct br_buf none;
    struct br_err e = {0};
    br_buf_init(&none, 100);
    assert_int_equal(br_slack_message(s, CH, AT(99), collect, &none, &e), BR_E_NOTFOUND);
    fixture_close(s);
}

/* Case 10 of the torture exports: tones fold, a truncated list counts as stated. */
static enum br_rc check_folded(void *ctx, const struct br_slack_view *v, struct br_err *err)
{
    (void)err;
    *(int *)ctx += 1;
    assert_int_equal(v->reactions_total, 60);
    assert_int_equal(v->n_reactions, 2);
    assert_string_equal(v->reactions[0].folded, "+1");
    assert_int_equal(v->reactions[0].count, 57);
    assert_string_equal(v->reactions[1].folded, "clap");
    assert_int_equal(v->reactions[1].count, 3);
    assert_string_equal(v->user_name, "Ann");
    assert_string_equal(v->channel_name, "general");
    return BR_OK;
}

static void test_top_folds(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    const struct br_slack_reaction many[] = {
        {.name = "clap", .folded = "clap", .count = 2, .users = users, .n_users = 2},
        {.name = "clap::skin-tone-3", .folded = "clap", .count = 2, .users = users + 1, .n_users = 2},
        {.name = "+1", .folded = "+1", .count = 57, .users = users, .n_users = 2}};
    struct br_slack_message m = message(1, "loved", "{}"), other = message(2, "liked", "{}");
    m.reactions = many;
    m.n_reactions = 3;
    other.reactions = reactions;
    other.n_reactions = 1;
    begin(s);
    OK(br_slack_put_user(s, &(struct br_slack_user){.id = "U1", .name = "ann", .display_name = "Ann"}, err));
    put(s, &other);
    put(s, &m);
    commit(s);
    int seen = 0;
    OK(br_slack_top(s, CH, 0, 0, 1, check_folded, &seen, err));
    assert_int_equal(seen, 1);
    ASSERT_LIST(br_slack_top(s, NULL, 0, 0, 9, collect, &list, err), "1:loved 2:liked");
    ASSERT_LIST(br_slack_top(s, NULL, AT(2), AT(3), 9, collect, &list, err), "2:liked");
    fixture_close(s);
}

static enum br_rc note_id(void *ctx, const char *id, const char *name)
{
    (void)name;
    snprintf(ctx, 64, "%s", id);
    return BR_OK;
}

static void test_names(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    char id[64];
    begin(s);
    OK(br_slack_put_user(s, &(struct br_slack_user){.id = "U1", .name = "zoe", .display_name = "Zoë Łuk"}, err));
    OK(br_slack_put_user(s, &(struct br_slack_user){.id = "U2", .name = "alex", .display_name = "Alex"}, err));
    OK(br_slack_put_user(s, &(struct br_slack_user){.id = "U3", .name = "alex2", .real_name = "Alex Two"}, err));
    OK(br_slack_put_user(s, &(struct br_slack_user){.id = "U4", .name = "sam1", .display_name = "Sam"}, err));
    OK(br_slack_put_user(s, &(struct br_slack_user){.id = "U5", .name = "sam2", .display_name = "Sam"}, err));
    OK(br_slack_put_channel(
        s, &(struct br_slack_channel){.id = "C9", .name = "general", .is_archived = true}, err));
    commit(s);
    OK(br_slack_find_channel(s, "#General", id, err));
    assert_string_equal(id, CH);
    OK(br_slack_find_channel(s, "C9", id, err));
    assert_string_equal(id, "C9");
    OK(br_slack_find_user(s, "@ZOË łUK", id, err));
    assert_string_equal(id, "U1");
    OK(br_slack_find_channel(s, "#c9", id, err));
    assert_string_equal(id, "C9");
    OK(br_slack_find_user(s, "u4", id, err));
    assert_string_equal(id, "U4");
    OK(br_slack_find_user(s, "alex two", id, err));
    assert_string_equal(id, "U3");
    const char *const two[] = {"U1", "U2"};
    begin(s);
    OK(br_slack_put_channel(s, &(struct br_slack_channel){.id = "D1", .kind = BR_CH_DM, .members = two, .n_members = 2}, err));
    commit(s);
    char dm[64] = "";
    OK(br_slack_find_dms(s, "@zoe", note_id, dm, err));
    assert_string_equal(dm, "D1");
    struct br_err no_dm = {0};
    assert_int_equal(br_slack_find_dms(s, "@alex2", note_id, dm, &no_dm), BR_E_NOTFOUND);
    struct br_slack_author a;
    struct br_slack_message posted = message(1, "built", "{}");
    posted.user_id = NULL;
    posted.bot_id = "B9";
    posted.bot_name = "Jenkins";
    begin(s);
    put(s, &posted);
    commit(s);
    OK(br_slack_find_author(s, "jenkins", &a, err));
    assert_true(a.is_bot);
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.with = {.authors = &a, .n_authors = 1}}), 1);
    OK(br_slack_find_author(s, "B9", &a, err));
    assert_string_equal(a.key, "B9");
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.with = {.authors = &a, .n_authors = 1}}), 1);
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.without = {.authors = &a, .n_authors = 1}}), 0);
    OK(br_slack_find_author(s, "alex", &a, err));
    assert_false(a.is_bot);
    /* A bot's name is a stranger's text, of any length, and with the last character there is where a short memory of it would end. */
    char long_name[300];
    memset(long_name, 'a', 251);
    memcpy(long_name + 251, "\xF4\x8F\xBF\xBF and more", 14);
    posted = message(2, "mine", "{}");
    posted.user_id = NULL;
    posted.bot_name = long_name;
    begin(s);
    put(s, &posted);
    commit(s);
    alarm(20);
    OK(br_slack_find_author(s, "jenkins", &a, err));
    alarm(0);
    assert_true(a.is_bot);
    struct br_err e = {0};
    assert_int_equal(br_slack_find_channel(s, "genral", id, &e), BR_E_NOTFOUND);
    assert_non_null(strstr(e.msg, "general"));
    e = (struct br_err){0};
    assert_int_equal(br_slack_find_user(s, "sam", id, &e), BR_E_USAGE);
    assert_non_null(strstr(e.msg, "U4 (sam1), U5 (sam2)"));
    OK(br_slack_find_user(s, "zoe luk", id, err));
    assert_string_equal(id, "U1");
    e = (struct br_err){0};
    assert_int_equal(br_slack_find_user(s, "", id, &e), BR_E_NOTFOUND);
    fixture_close(s);
}

static enum br_rc check_status(void *ctx, const struct br_slack_channel_status *c)
{
    int *n = ctx;
    assert_int_equal(c->messages, *n == 0 ? 2 : 0);
    assert_int_equal(c->first_ts, *n == 0 ? AT(1) : 0);
    (*n)++;
    return BR_OK;
}

static void test_counts(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    struct br_slack_counts c;
    struct br_slack_message a = message(1, "a", "{}"), b = message(2, "", "{}");
    int n = 0;
    begin(s);
    OK(br_slack_put_user(s, &(struct br_slack_user){.id = "U7", .is_stub = true}, err));
    put(s, &a);
    put(s, &b);
    commit(s);
    OK(br_slack_count(s, &c, err));
    assert_int_equal(c.messages, 2);
    assert_int_equal(c.documents, 1);
    assert_int_equal(c.users, 0);
    assert_int_equal(c.channels, 2);
    OK(br_slack_channel_statuses(s, check_status, &n, err));
    assert_int_equal(n, 2);
    struct br_slack_report r;
    begin(s);
    enum br_slack_outcome o;
    a.ts = AT(3);
    a.text = "unembedded";
    a.text_len = 10;
    OK(br_slack_put_message(s, &a, NULL, &o, err));
    OK(br_slack_verify(s, &r, err));
    assert_int_equal(r.missing_vectors, 1); /* and the empty message is none */
    assert_int_equal(put(s, &a), BR_PUT_UPDATED); /* the vector comes later */
    commit(s);
    assert_healthy(s);
    fixture_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_equals_naive), cmocka_unit_test(test_passages_keep_what_stays),
        cmocka_unit_test(test_passages_stand_for_their_messages),
        cmocka_unit_test(test_dirty_marks),         cmocka_unit_test(test_listings_in_order),
        cmocka_unit_test(test_top_folds),           cmocka_unit_test(test_names),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
