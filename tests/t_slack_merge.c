/* t_slack_merge.c - sources merge into one state: nothing is written twice, order does not matter, deleted is gone. */
#include "t_slack.h"

/* Everything permanent but the journal and the bookkeeping of identifiers: what a reader can tell. */
static void dump(struct br_store *s, bool with_ids, struct br_buf *out)
{
    static const char *const tables[] = {"users",          "channels", "channel_members",  "reactions",
                                         "reaction_users", "files",    "deleted_messages", "dirty_threads"};
    char sql[400];
    for (size_t i = 0; i < BR_COUNT(tables) + 2; i++) {
        if (i < BR_COUNT(tables))
            snprintf(sql, sizeof(sql), "SELECT * FROM %s", tables[i]);
        else if (i == BR_COUNT(tables))
            snprintf(sql, sizeof(sql), "SELECT channel_id, ts, thread_ts, user_id, subtype, cls, flags, edited_ts,"
                                       " reply_count, reactions_total, raw_length, needs_vector, slot IS NULL,"
                                       " hex(c.hash) %s FROM message_metadata m LEFT JOIN content c USING(content_id)",
                     with_ids ? ", slot, m.content_id, raw_id" : "");
        else
            snprintf(sql, sizeof(sql), "SELECT %s", with_ids ? "(SELECT count(*) FROM content), (SELECT last_seq FROM"
                                                               " store)"
                                                             : "(SELECT count(*) FROM content WHERE dead = 0)");
        sqlite3_stmt *st = NULL;
        assert_int_equal(sqlite3_prepare_v2(br_store_db(s), sql, -1, &st, NULL), SQLITE_OK);
        while (sqlite3_step(st) == SQLITE_ROW) {
            for (int c = 0; c < sqlite3_column_count(st); c++)
                br_buf_addf(out, "%s|", sqlite3_column_text(st, c) ? (const char *)sqlite3_column_text(st, c) : "-");
            br_buf_addc(out, '\n');
        }
        sqlite3_finalize(st);
    }
    assert_false(out->failed);
}

static const char *const two_users[] = {"U1", "U2"};
static const struct br_slack_reaction plus_one[] = {
    {.name = "+1", .folded = "+1", .count = 2, .users = two_users, .n_users = 2}};
static const struct br_slack_file one_file[] = {{.id = "F1", .name = "a.txt", .size = 3}};

/* An archive with what makes trouble: edits, equal rows, rows that differ in reactions, threads, an orphan. */
static void import_archive(struct br_store *s)
{
    begin(s);
    OK(br_slack_import_begin(s, err));
    OK(br_slack_put_user(s, &(struct br_slack_user){.id = "U1", .name = "ann", .display_name = "Ann"}, err));
    OK(br_slack_put_user(s, &(struct br_slack_user){.id = "U9", .is_stub = true}, err));
    OK(br_slack_put_channel(
        s, &(struct br_slack_channel){.id = CH, .name = "general", .members = two_users, .n_members = 2}, err));
    struct br_slack_message m = message(1, "first", "{raw 1 long}");
    put(s, &m);
    m.edited_ts = AT(50);
    m.text = "older edit";
    m.text_len = strlen(m.text);
    put(s, &m);
    m.edited_ts = AT(60);
    m.text = "newest";
    m.text_len = strlen(m.text);
    put(s, &m);
    m = message(2, "reacted", "{poor}");
    put(s, &m);
    m.reactions = plus_one;
    m.n_reactions = 1;
    m.raw = "{richer by reactions}";
    m.raw_len = strlen(m.raw);
    put(s, &m);
    m = message(3, "root", "{root}");
    m.files = one_file;
    m.n_files = 1;
    m.reply_count = 2;
    put(s, &m);
    m = message(4, "reply", "{reply}");
    m.thread_ts = AT(3);
    put(s, &m);
    put(s, &m);
    m = message(6, "orphan", "{orphan}");
    m.thread_ts = AT(5);
    put(s, &m);
    m = message(7, "ann joined", "{join}");
    m.cls = BR_MSG_SYSTEM;
    m.subtype = "channel_join";
    m.needs_vector = false;
    put(s, &m);
    struct br_slack_thread_key keys[8];
    size_t n;
    OK(br_slack_dirty_threads(s, keys, 8, &n, err));
    for (size_t i = 0; i < n; i++) {
        struct br_slack_passage p = {.text = i ? "Ann: orphan" : "Ann: root\nAnn: reply", .first_ts = keys[i].thread_ts,
                                     .last_ts = keys[i].thread_ts + 1, .vector = vector_of("p")};
        p.text_len = strlen(p.text);
        OK(br_slack_put_passages(s, &keys[i], &p, 1, err));
    }
    commit(s);
}

static void assert_totals(struct br_store *s)
{
    struct br_slack_totals t;
    OK(br_slack_import_totals(s, &t, err));
    assert_int_equal(t.messages, 6);
    assert_int_equal(t.duplicates, 4);
    assert_int_equal(t.threads, 2);
    assert_int_equal(t.replies, 2);
    assert_int_equal(t.orphan_replies, 1);
    assert_int_equal(t.reactions, 2);
    assert_int_equal(t.files, 1);
    assert_int_equal(t.documents, 5 + 2);
    assert_int_equal(t.reply_count_mismatches, 1);
}

static void test_second_import_writes_nothing(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    struct br_slack_totals t;
    struct br_buf before, after;
    br_buf_init(&before, 1 << 20);
    br_buf_init(&after, 1 << 20);
    import_archive(s);
    assert_totals(s);
    OK(br_slack_import_totals(s, &t, err));
    assert_int_equal(t.added, 6);
    dump(s, true, &before);
    int64_t version = sql_int(s, "PRAGMA data_version");
    struct br_store *reader;
    char dir[80];
    snprintf(dir, sizeof(dir), "%s/ws", fixture_dir);
    OK(br_store_open(&br_io_posix, dir, BR_STORE_READ, &reader, err));
    int64_t seen = sql_int(reader, "PRAGMA data_version");
    for (int i = 0; i < 2; i++)
        import_archive(s);
    assert_totals(s);
    OK(br_slack_import_totals(s, &t, err));
    assert_int_equal(t.unchanged, 6);
    assert_int_equal(t.added + t.updated + t.deleted, 0);
    dump(s, true, &after);
    assert_string_equal(br_buf_str(&before), br_buf_str(&after));
    assert_int_equal(version, sql_int(s, "PRAGMA data_version"));
    assert_int_equal(seen, sql_int(reader, "PRAGMA data_version")); /* no page of the file was committed */
    assert_healthy(s);
    br_store_close(reader);
    br_buf_free(&before);
    br_buf_free(&after);
    fixture_close(s);
}

static void test_dry_run_gives_the_same_totals(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    struct br_slack_totals t;
    begin(s);
    OK(br_slack_import_begin(s, err));
    struct br_slack_message m = message(1, "hello", "{}");
    enum br_slack_outcome o;
    OK(br_slack_put_message(s, &m, NULL, &o, err));
    struct br_slack_passage p = {.text = "x: hello", .text_len = 8, .first_ts = AT(1), .last_ts = AT(1)};
    struct br_slack_thread_key key = {.channel_id = CH, .thread_ts = AT(1)};
    OK(br_slack_put_passages(s, &key, &p, 1, err));
    OK(br_slack_import_totals(s, &t, err));
    assert_int_equal(t.documents, 2);
    br_store_rollback(s);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM message_metadata"), 0);
    begin(s);
    assert_int_equal(put(s, &m), BR_PUT_NEW); /* the record went with the rollback: puts still work */
    commit(s);
    assert_healthy(s);
    fixture_close(s);
}

/* --- Order --- */

static struct br_slack_message variant(int i)
{
    struct br_slack_message m = message(1, "original text", "{a}");
    m.thread_ts = i == 0 ? AT(1) : 0;
    if (i == 1) {
        m.edited_ts = AT(10);
        m.text = "edited once";
    } else if (i == 2) {
        m.edited_ts = AT(20);
        m.text = "edited twice";
    } else if (i == 3) {
        m.edited_ts = AT(20);
        m.text = "edited twice";
        m.raw = "{a, with reactions}";
        m.reactions = plus_one;
        m.n_reactions = 1;
    } else if (i == 4) {
        m.edited_ts = AT(20);
        m.text = "edited twice and seen with its attachment";
        m.raw = "{a, with reactions and an attachment}";
        m.files = one_file;
        m.n_files = 1;
    } else if (i == 5) {
        m = message(2, "a reply", "{r}");
        m.thread_ts = AT(1);
    } else if (i == 6) {
        m.cls = BR_MSG_TOMBSTONE;
        m.text = "";
        m.raw = "{gone}";
        m.needs_vector = false;
    }
    m.text_len = strlen(m.text);
    m.raw_len = strlen(m.raw);
    return m;
}

static void shuffle(int *order, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = rand() % (i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
}

/* Rows of one message as several sources saw it: equal and different ages, edits, texts, authors, reactions. */
static struct br_slack_message random_row(unsigned *seed)
{
    static const char *const texts[] = {"noon", "nine", "never"};
    static const char *const raws[] = {"{a}", "{b}", "{longer}", "{longer still}"};
    struct br_slack_message m = message(1, texts[rand_r(seed) % 3], raws[rand_r(seed) % 4]);
    m.freshness = AT(rand_r(seed) % 3);
    m.edited_ts = rand_r(seed) % 2 ? AT(10 + rand_r(seed) % 2) : 0;
    m.user_id = two_users[rand_r(seed) % 2];
    m.n_reactions = rand_r(seed) % 2;
    m.reactions = plus_one;
    /* the raw form of a message tells all of it: rows that differ have different ones */
    static char pool[64][96];
    static unsigned next;
    char *raw = pool[next++ % 64];
    snprintf(raw, sizeof(pool[0]), "%s %s %lld %s %zu", m.raw, m.text, (long long)m.edited_ts, m.user_id, m.n_reactions);
    m.raw = raw;
    m.raw_len = strlen(raw);
    return m;
}

static void test_random_rows_end_the_same_in_any_order_and_twice(void **state)
{
    (void)state;
    unsigned seed = 20150605;
    printf("seed %u\n", seed);
    for (int round = 0; round < 60; round++) {
        struct br_slack_message rows[8];
        struct br_buf want, got;
        int order[8];
        br_buf_init(&want, 1 << 20);
        br_buf_init(&got, 1 << 20);
        for (int i = 0; i < 8; i++) {
            rows[i] = random_row(&seed);
            order[i] = i;
        }
        for (int turn = 0; turn < 3; turn++) {
            struct br_store *s = fixture_open();
            struct br_slack_totals t;
            for (int pass = 0; pass < 2; pass++) {
                begin(s);
                OK(br_slack_import_begin(s, err));
                for (int i = 0; i < 8; i++)
                    put(s, &rows[order[i]]);
                commit(s);
            }
            OK(br_slack_import_totals(s, &t, err));
            assert_int_equal(t.updated, 0);
            br_buf_reset(turn ? &got : &want);
            dump(s, false, turn ? &got : &want);
            if (turn)
                assert_string_equal(br_buf_str(&want), br_buf_str(&got));
            assert_healthy(s);
            fixture_close(s);
            shuffle(order, 8);
        }
        br_buf_free(&want);
        br_buf_free(&got);
    }
}

static void apply_in_order(const int *order, int n, bool one_import, struct br_buf *out)
{
    struct br_store *s = fixture_open();
    begin(s);
    if (one_import)
        OK(br_slack_import_begin(s, err));
    for (int i = 0; i < n; i++) {
        struct br_slack_message m = variant(order[i]);
        put(s, &m);
    }
    commit(s);
    OK(br_store_begin(s, err));
    struct br_slack_thread_key key = {.channel_id = CH, .thread_ts = AT(1)};
    OK(br_slack_put_passages(s, &key, NULL, 0, err)); /* marks depend on what was there between */
    commit(s);
    assert_healthy(s);
    dump(s, false, out);
    br_buf_addf(out, "words %zu %zu %zu\n", hits(s, "edited", BR_DOC_MESSAGE), hits(s, "original", BR_DOC_MESSAGE),
                hits(s, "reply", BR_DOC_MESSAGE));
    fixture_close(s);
}

static void test_order_does_not_matter(void **state)
{
    (void)state;
    srand(7);
    for (int with_tombstone = 0; with_tombstone < 2; with_tombstone++) {
        int order[] = {0, 1, 2, 3, 4, 5, 6, 1, 4, 2}; /* the last three: duplicates */
        int n = (int)BR_COUNT(order);
        if (!with_tombstone)
            order[6] = 0;
        struct br_buf want, got;
        br_buf_init(&want, 1 << 20);
        br_buf_init(&got, 1 << 20);
        apply_in_order(order, n, true, &want);
        for (int round = 0; round < 12; round++) {
            shuffle(order, n);
            br_buf_reset(&got);
            apply_in_order(order, n, true, &got);
            assert_string_equal(br_buf_str(&want), br_buf_str(&got));
        }
        br_buf_free(&want);
        br_buf_free(&got);
    }
}

static void test_reactions_follow_the_later_source(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    struct br_slack_message m = message(1, "text", "{long raw form with reactions}");
    m.reactions = plus_one;
    m.n_reactions = 1;
    begin(s);
    OK(br_slack_import_begin(s, err));
    put(s, &m);
    commit(s);
    int64_t slot = sql_int(s, "SELECT slot FROM message_metadata");
    m.n_reactions = 0;
    m.freshness = AT(1000);
    m.raw = "{short}";
    m.raw_len = 7;
    begin(s);
    OK(br_slack_import_begin(s, err));
    assert_int_equal(put(s, &m), BR_PUT_UPDATED);
    commit(s);
    assert_int_equal(sql_int(s, "SELECT reactions_total + (SELECT count(*) FROM reactions) FROM message_metadata"), 0);
    assert_int_equal(sql_int(s, "SELECT slot FROM message_metadata"), slot); /* not embedded again */
    bool wants;
    OK(br_slack_wants_vector(s, &m, &wants, err));
    assert_false(wants);
    m.edited_ts = AT(9);
    m.text = "other";
    m.text_len = 5;
    OK(br_slack_wants_vector(s, &m, &wants, err));
    assert_true(wants);
    assert_healthy(s);
    fixture_close(s);
}

/* --- Deletion --- */

static void test_tombstone_erases(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    struct br_slack_message root = variant(0), reply = variant(5), gone = variant(6);
    begin(s);
    put(s, &root);
    put(s, &reply);
    commit(s);
    assert_int_equal(hits(s, "original", BR_DOC_MESSAGE), 1);
    begin(s);
    assert_int_equal(put(s, &gone), BR_PUT_UPDATED);
    assert_int_equal(put(s, &root), BR_PUT_STALE);
    commit(s);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM fts_messages('original')"), 0);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM slots WHERE seq_killed IS NULL"), 1);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM content WHERE dead = 0"), 3); /* two raw forms, one text */
    assert_int_equal(sql_int(s, "SELECT count(*) FROM dirty_threads"), 1);
    ASSERT_LIST(br_slack_thread(s, CH, AT(1), collect, &list, err), "1: 2:a reply");
    assert_healthy(s);
    fixture_close(s);
}

static void test_deleted_stays_deleted(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    struct br_slack_message root = variant(0), reply = variant(5);
    struct br_slack_counts c;
    bool deleted;
    begin(s);
    put(s, &root);
    put(s, &reply);
    OK(br_slack_delete_message(s, CH, AT(1), AT(100), &deleted, err));
    assert_true(deleted);
    assert_int_equal(put(s, &root), BR_PUT_STALE);
    OK(br_slack_delete_message(s, CH, AT(1), AT(100), &deleted, err));
    assert_false(deleted);
    OK(br_slack_count(s, &c, err));
    assert_int_equal(c.messages, 1);
    OK(br_slack_delete_message(s, CH, AT(2), AT(100), &deleted, err)); /* the placeholder goes with its last reply */
    commit(s);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM message_metadata"), 0);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM content WHERE dead = 0"), 0);
    assert_int_equal(hits(s, "reply", BR_DOC_MESSAGE), 0);
    assert_healthy(s);
    fixture_close(s);
}

static void test_placeholder_is_filled_and_not_counted(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    struct br_slack_message root = variant(0), reply = variant(5);
    struct br_slack_counts c;
    root.thread_ts = 0; /* an old root that does not say so */
    begin(s);
    OK(br_slack_import_begin(s, err));
    put(s, &reply);
    OK(br_slack_count(s, &c, err));
    assert_int_equal(c.messages, 1);
    assert_int_equal(c.threads, 1);
    ASSERT_LIST(br_slack_thread(s, CH, AT(1), collect, &list, err), "2:a reply");
    ASSERT_LIST(br_slack_channel_messages(s, CH, 0, 0, 9, collect, &list, err), "2:a reply");
    assert_int_equal(put(s, &root), BR_PUT_NEW);
    commit(s);
    ASSERT_LIST(br_slack_thread(s, CH, AT(1), collect, &list, err), "1:original text 2:a reply");
    assert_healthy(s);
    fixture_close(s);
}

static void test_edit_is_forgotten_by_keyword(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    struct br_slack_message m = message(1, "the zebra runs", "{}"), topic = message(2, "zebra topic", "{}");
    topic.cls = BR_MSG_SYSTEM;
    topic.needs_vector = false;
    begin(s);
    put(s, &m);
    put(s, &topic);
    commit(s);
    assert_int_equal(hits(s, "zebras", BR_DOC_MESSAGE), 1); /* stemmed; system messages left out */
    m.edited_ts = AT(5);
    m.text = "the okapi runs";
    m.text_len = strlen(m.text);
    begin(s);
    put(s, &m);
    commit(s);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM fts_messages('zebra')"), 0); /* the words, not the join */
    assert_int_equal(hits(s, "okapi", BR_DOC_MESSAGE), 1);
    sqlite3_exec(br_store_db(s), "INSERT INTO fts_messages(fts_messages) VALUES('optimize')", 0, 0, 0);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM fts_messages('zebra')"), 0);
    assert_healthy(s);
    fixture_close(s);
}

static void put_user_of(struct br_store *s, const char *name, bool is_stub, int64_t freshness)
{
    OK(br_slack_put_user(
        s, &(struct br_slack_user){.id = "U1", .display_name = name, .is_stub = is_stub, .freshness = freshness}, err));
}

static void put_channel_of(struct br_store *s, const char *topic, const char *const *members, size_t n, int64_t freshness)
{
    OK(br_slack_put_channel(s,
                            &(struct br_slack_channel){.id = "C0DATED", .name = "dated", .topic = topic, .members = members,
                                                       .n_members = n, .freshness = freshness},
                            err));
}

static void assert_user_name(struct br_store *s, const char *name)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM users WHERE user_id = 'U1' AND display_name = '%s'", name);
    if (sql_int(s, sql) != 1)
        fail_msg("the name is not %s", name);
}

static void a_listed_row_is_replaced_by_one_as_fresh_only(void **state)
{
    (void)state;
    struct br_store *s = fixture_open();
    begin(s);
    put_user_of(s, "stub of 5", true, 5);
    put_user_of(s, "stub of 4", true, 4);
    put_user_of(s, NULL, true, 9); /* has no name to give */
    assert_user_name(s, "stub of 5");
    put_user_of(s, "stub of 6", true, 6);
    assert_user_name(s, "stub of 6");
    put_user_of(s, "listed of 3", false, 3);
    put_user_of(s, "stub of 7", true, 7);
    put_user_of(s, "listed of 2", false, 2);
    assert_user_name(s, "listed of 3");
    put_user_of(s, "listed of 3 too", false, 3);
    assert_user_name(s, "listed of 3 too");
    put_channel_of(s, "new", two_users, 1, 3);
    put_channel_of(s, "old", two_users, 2, 2);
    put_channel_of(s, "newest, of a source without members", NULL, 0, 4);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM channel_members WHERE channel_id = 'C0DATED'"), 1);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM channels WHERE topic LIKE 'newest%' AND freshness = 4"), 1);
    put_channel_of(s, "middle", two_users, 2, 3);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM channel_members WHERE channel_id = 'C0DATED'"), 2);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM channels WHERE topic LIKE 'newest%' AND freshness = 4"), 1);
    commit(s);
    fixture_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listed_row_is_replaced_by_one_as_fresh_only),
        cmocka_unit_test(test_second_import_writes_nothing),
        cmocka_unit_test(test_dry_run_gives_the_same_totals),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_random_rows_end_the_same_in_any_order_and_twice),
        cmocka_unit_test(test_reactions_follow_the_later_source),
        cmocka_unit_test(test_tombstone_erases),
        cmocka_unit_test(test_deleted_stays_deleted),
        cmocka_unit_test(test_placeholder_is_filled_and_not_counted),
        cmocka_unit_test(test_edit_is_forgotten_by_keyword),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
