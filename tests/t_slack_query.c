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
        *m = message(i + 1, texts[i], "{}");
        m->channel_id = rand() % 2 ? CH : CH2;
        m->user_id = users[rand() % 3];
        m->has_link = rand() % 4 == 0;
        m->files = files;
        m->n_files = rand() % 4 == 0;
        m->reactions = reactions;
        m->n_reactions = (size_t)(rand() % 3);
        m->needs_vector = rand() % 8 != 0;
        if (i >= 10 && rand() % 4 == 0) {
            m->channel_id = CH;
            m->thread_ts = AT(1000 + i / 10); /* roots nobody has: none of the messages becomes one */
        }
        put(s, m);
    }
    commit(s);
    return s;
}

static bool naive(const struct br_slack_message *m, const struct br_slack_filter *f)
{
    bool channel = !f->n_channels, user = !f->n_users, reaction = !f->has_reaction;
    for (size_t i = 0; i < f->n_channels; i++)
        channel |= strcmp(f->channel_ids[i], m->channel_id) == 0;
    for (size_t i = 0; i < f->n_users; i++)
        user |= strcmp(f->user_ids[i], m->user_id) == 0;
    for (size_t i = 0; i < m->n_reactions; i++)
        reaction |= f->has_reaction && strcmp(m->reactions[i].folded, f->has_reaction) == 0;
    return channel && user && reaction && (!f->after || m->ts >= f->after) && (!f->before || m->ts < f->before) &&
           (!(f->has & BR_HAS_LINK) || m->has_link) && (!(f->has & BR_HAS_FILE) || m->n_files) &&
           (!(f->has & BR_HAS_REACTION) || m->n_reactions) && (!(f->has & BR_IS_THREAD) || m->thread_ts);
}

static void check_filter(struct br_store *s, const struct br_slack_filter *f)
{
    struct br_bitmap slots;
    uint64_t count, want = 0;
    static struct br_keyword_hit out[N];
    size_t n, apples = 0;
    OK(br_slack_filter_slots(s, f, &slots, &count, err));
    for (int i = 0; i < N; i++) {
        want += made[i].needs_vector && naive(&made[i], f);
        apples += texts[i][0] == 'a' && naive(&made[i], f);
    }
    assert_int_equal(count, want);
    for (uint64_t slot = 0; slot < slots.n_bits; slot++) {
        struct br_doc doc;
        if (!br_bitmap_test(&slots, slot))
            continue;
        OK(br_slack_doc_of_slot(s, slot, &doc, err));
        const struct br_slack_message *m = &made[(doc.ts - T0) / 1000000 - 1];
        assert_int_equal(doc.ts, m->ts);
        assert_string_equal(doc.channel_id, m->channel_id);
        assert_int_equal(doc.thread_ts, m->thread_ts ? m->thread_ts : m->ts);
        assert_true(naive(m, f));
    }
    br_bitmap_free(&slots);
    OK(br_slack_keyword(s, "apple", BR_DOC_MESSAGE, f, N, out, &n, err));
    assert_int_equal(n, apples);
    for (size_t i = 0; i < n; i++) {
        assert_true(naive(&made[(out[i].doc.ts - T0) / 1000000 - 1], f));
        assert_true(i == 0 || out[i].bm25 <= out[i - 1].bm25);
    }
}

static void test_filter_equals_naive(void **state)
{
    (void)state;
    static const char *const both[] = {CH2, CH};
    static const char *const names[] = {"clap", "+1", "none"};
    struct br_store *s = random_store();
    check_filter(s, &(struct br_slack_filter){0});
    for (int i = 0; i < 300; i++) {
        struct br_slack_filter f = {.channel_ids = both, .user_ids = users + rand() % 2};
        f.n_channels = (size_t)(rand() % 3);
        f.n_users = (size_t)(rand() % 3);
        f.after = rand() % 2 ? AT(rand() % N) : 0;
        f.before = rand() % 2 ? AT(rand() % N) : 0;
        f.has = rand() % 2 ? (unsigned)(rand() % 16) : 0;
        f.has_reaction = rand() % 3 ? NULL : names[rand() % 3];
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
    struct br_bitmap b;
    uint64_t n;
    OK(br_slack_filter_slots(s, f, &b, &n, err));
    br_bitmap_free(&b);
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
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.channel_ids = one, .n_channels = 1}), 3);
    assert_int_equal(slots_of(s, &(struct br_slack_filter){.has = BR_HAS_LINK}), 0);
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
    OK(br_slack_find_user(s, "alex two", id, err));
    assert_string_equal(id, "U3");
    struct br_err e = {0};
    assert_int_equal(br_slack_find_channel(s, "genral", id, &e), BR_E_NOTFOUND);
    assert_non_null(strstr(e.msg, "general"));
    e = (struct br_err){0};
    assert_int_equal(br_slack_find_user(s, "sam", id, &e), BR_E_USAGE);
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
        cmocka_unit_test(test_dirty_marks),         cmocka_unit_test(test_listings_in_order),
        cmocka_unit_test(test_top_folds),           cmocka_unit_test(test_names),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
