/* Exports of one workspace of different dates give the same state in whatever order they are imported, and importing them all again
 * changes nothing. */
#include "e2e.h"
#include "small_export.h"
#include "tiny_model.h"

#include "base/buf.h"

#include <glob.h>
#include <sqlite3.h>

#define EXPORTS 3

static char scratch[1024], model[1200], zips[EXPORTS][1200];

#define REACTION(name, users, count) "{\"name\":\"" name "\",\"users\":[" users "],\"count\":" count "}"

/* Ann is renamed twice; Stranger is in no list and renames himself; general gets a topic, then another name; Bob leaves; a reaction
 * is taken back and another one added; one message is edited, another deleted in the newest. */
static const struct file oldest[] = {
    {"users.json", "[{\"id\":\"U1\",\"team_id\":\"T1\",\"name\":\"ann\",\"profile\":{\"display_name\":\"Ann One\"}},"
                   "{\"id\":\"U2\",\"team_id\":\"T1\",\"name\":\"bob\",\"deleted\":false}]"},
    {"channels.json", "[{\"id\":\"C0GENERAL01\",\"name\":\"general\",\"topic\":{\"value\":\"first topic\"},"
                      "\"members\":[\"U1\",\"U2\"]}]"},
    {"general/2024-01-01.json",
     "[" MESSAGE("U2", "01", "\"text\":\"hello <@U1> in <#C0GENERAL01>\",\"reactions\":["
                             REACTION("eyes", "\"U1\",\"U2\"", "2") "," REACTION("tada", "\"U1\"", "1") "]") ","
     MESSAGE("U1", "02", "\"text\":\"before the edit\"") "," MESSAGE("U1", "03", "\"text\":\"to be deleted, it has more words\"") ","
     MESSAGE("U1", "04", "\"text\":\"a root\",\"thread_ts\":\"1704103204.000100\",\"reply_count\":1") ","
     MESSAGE("U2", "05", "\"text\":\"a reply to <@U1>\",\"thread_ts\":\"1704103204.000100\"") ","
     MESSAGE("U9", "06", "\"text\":\"from outside\",\"user_profile\":{\"display_name\":\"Stranger\",\"real_name\":\"S. One\"}") "]"},
};
static const struct file middle[] = {
    {"users.json", "[{\"id\":\"U1\",\"team_id\":\"T1\",\"name\":\"ann\",\"profile\":{\"display_name\":\"Ann Two\"}},"
                   "{\"id\":\"U2\",\"team_id\":\"T1\",\"name\":\"bob\",\"deleted\":false}]"},
    {"channels.json", "[{\"id\":\"C0GENERAL01\",\"name\":\"general\",\"topic\":{\"value\":\"second topic\"},"
                      "\"purpose\":{\"value\":\"everything\"},\"members\":[\"U1\",\"U2\",\"U9\"]}]"},
    {"general/2024-01-01.json",
     "[" MESSAGE("U2", "01", "\"text\":\"hello <@U1> in <#C0GENERAL01>\",\"reactions\":["
                             REACTION("eyes", "\"U1\",\"U2\"", "2") "]") ","
     MESSAGE("U1", "02", "\"text\":\"after the edit\",\"edited\":{\"user\":\"U1\",\"ts\":\"1704189602.000000\"}") ","
     MESSAGE("U1", "03", "\"text\":\"to be deleted, it has more words\"") ","
     MESSAGE("U1", "04", "\"text\":\"a root\",\"thread_ts\":\"1704103204.000100\",\"reply_count\":1") ","
     MESSAGE("U2", "05", "\"text\":\"a reply to <@U1>\",\"thread_ts\":\"1704103204.000100\"") ","
     MESSAGE("U9", "06", "\"text\":\"from outside\",\"user_profile\":{\"display_name\":\"Stranger Two\"}") "]"},
    {"general/2024-01-02.json", "[" MESSAGE("U1", "40", "\"text\":\"day two\"") "]"},
};
static const struct file newest[] = {
    {"users.json", "[{\"id\":\"U1\",\"team_id\":\"T1\",\"name\":\"ann\",\"profile\":{\"display_name\":\"Ann Three\"}},"
                   "{\"id\":\"U2\",\"team_id\":\"T1\",\"name\":\"bob\",\"deleted\":true}]"},
    {"channels.json", "[{\"id\":\"C0GENERAL01\",\"name\":\"all-hands\",\"topic\":{\"value\":\"\"},"
                      "\"purpose\":{\"value\":\"everything\"},\"members\":[\"U1\"]},"
                      "{\"id\":\"C0LATER0001\",\"name\":\"later\"}]"},
    {"all-hands/2024-01-01.json",
     "[" MESSAGE("U2", "01", "\"text\":\"hello <@U1> in <#C0GENERAL01>\",\"reactions\":["
                             REACTION("eyes", "\"U1\"", "1") "," REACTION("wave", "\"U2\"", "1") "]") ","
     MESSAGE("U1", "02", "\"text\":\"after the edit\",\"edited\":{\"user\":\"U1\",\"ts\":\"1704189602.000000\"}") ","
     MESSAGE("USLACKBOT", "03", "\"subtype\":\"tombstone\",\"text\":\"This message was deleted.\"") ","
     MESSAGE("U1", "04", "\"text\":\"a root\",\"thread_ts\":\"1704103204.000100\",\"reply_count\":1") ","
     MESSAGE("U2", "05", "\"text\":\"a reply to <@U1>\",\"thread_ts\":\"1704103204.000100\"") "]"},
    {"all-hands/2024-01-02.json", "[" MESSAGE("U1", "40", "\"text\":\"day two\"") "]"},
    {"all-hands/2024-01-03.json", "[" MESSAGE("U1", "50", "\"text\":\"day three, <@U2>\"") "]"},
};

static void dump_query(sqlite3 *db, const char *sql, struct br_buf *out)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) {
        for (int c = 0; c < sqlite3_column_count(st); c++)
            br_buf_addf(out, "%s|", sqlite3_column_text(st, c) ? (const char *)sqlite3_column_text(st, c) : "-");
        br_buf_addc(out, '\n');
    }
    sqlite3_finalize(st);
}

/* Everything a reader can tell, but passages: they name speakers as they were called when the thread last changed. */
static void dump_state(const char *home, struct br_buf *out)
{
    static const char *const queries[] = {
        "SELECT user_id, team_id, name, real_name, display_name, is_bot, is_deleted, is_stub, freshness FROM users",
        "SELECT channel_id, name, kind, topic, purpose, is_archived, is_stub, freshness, members_freshness FROM channels",
        "SELECT channel_id, user_id FROM channel_members",
        "SELECT channel_id, ts, thread_ts, user_id, subtype, cls, flags, edited_ts, reply_count, reactions_total, raw_length,"
        " freshness, needs_vector, slot IS NULL, hex(c.hash) FROM message_metadata m LEFT JOIN content c USING(content_id)"
        " ORDER BY channel_id, ts",
        "SELECT channel_id, ts, name, count FROM reactions",
        "SELECT channel_id, ts, name, user_id FROM reaction_users",
    };
    char pattern[2048];
    glob_t g;
    sqlite3 *db = NULL;
    snprintf(pattern, sizeof pattern, "%s/workspaces/*/metadata.db", home);
    assert_int_equal(glob(pattern, 0, NULL, &g), 0);
    assert_int_equal(g.gl_pathc, 1);
    assert_int_equal(sqlite3_open_v2(g.gl_pathv[0], &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    for (size_t i = 0; i < BR_COUNT(queries); i++)
        dump_query(db, queries[i], out);
    sqlite3_close(db);
    globfree(&g);
    assert_false(out->failed);
}

static void dump_texts(struct br_home *home, struct br_buf *out)
{
    struct br_workspace *ws = NULL;
    struct br_messages m = {0};
    struct br_error err = {0};
    if (br_workspace_open(home, "T1", &ws, &err) || br_channel_messages(ws, "C0GENERAL01", 100, 0, 0, &m, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < m.count; i++)
        br_buf_addf(out, "%lld %s: %s\n", (long long)m.items[i].ts, m.items[i].user_name ? m.items[i].user_name : "-",
                    m.items[i].text);
    br_messages_free(&m);
    br_workspace_close(ws);
}

static void import_all(struct br_home *home, const int *order, bool again)
{
    for (size_t i = 0; i < EXPORTS; i++) {
        struct br_import_reports r = e2e_import(home, zips[order[i]], false);
        if (again && (r.sum.messages_new || r.sum.messages_updated || r.sum.embedded))
            fail_msg("importing export %d again: %llu new, %llu updated, %llu embedded", order[i],
                     (unsigned long long)r.sum.messages_new, (unsigned long long)r.sum.messages_updated,
                     (unsigned long long)r.sum.embedded);
        br_import_reports_free(&r);
    }
}

static void any_order_gives_one_state(void **state)
{
    static const int orders[][EXPORTS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct br_buf want, got;
    (void)state;
    br_buf_init(&want, 1 << 20);
    br_buf_init(&got, 1 << 20);
    for (size_t i = 0; i < BR_COUNT(orders); i++) {
        char dir[1024];
        e2e_scratch(dir, sizeof dir);
        struct br_home *home = e2e_home(dir, model);
        for (int round = 0; round < 2; round++) {
            import_all(home, orders[i], round > 0);
            struct br_buf *out = i || round ? &got : &want;
            br_buf_reset(out);
            dump_state(dir, out);
            dump_texts(home, out);
            if (strcmp(br_buf_str(&want), br_buf_str(out)) != 0)
                fail_msg("order %d %d %d, round %d:\n%s\ninstead of\n%s", orders[i][0], orders[i][1], orders[i][2], round,
                         br_buf_str(out), br_buf_str(&want));
        }
        e2e_verify(home, "T1");
        br_home_close(home);
        e2e_remove_tree(dir);
    }
    assert_non_null(strstr(br_buf_str(&want), "hello @Ann Three in #all-hands"));
    assert_non_null(strstr(br_buf_str(&want), "Stranger Two"));
    assert_null(strstr(br_buf_str(&want), "S. One"));
    assert_non_null(strstr(br_buf_str(&want), "|tombstone|"));
    br_buf_free(&want);
    br_buf_free(&got);
}

/* A message that only the old export has is rendered with the names of the new one. */
static void an_older_export_does_not_bring_old_names_back(void **state)
{
    static const struct file without[] = {
        {"users.json", "[{\"id\":\"U1\",\"team_id\":\"T1\",\"name\":\"ann\",\"profile\":{\"display_name\":\"Ann Three\"}}]"},
        {"channels.json", "[{\"id\":\"C0GENERAL01\",\"name\":\"all-hands\"}]"},
        {"all-hands/2024-01-03.json", "[" MESSAGE("U1", "50", "\"text\":\"day three\"") "]"},
    };
    char dir[1024], path[1200];
    struct br_buf texts;
    (void)state;
    e2e_scratch(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/without.zip", scratch);
    write_zip(path, without, BR_COUNT(without));
    struct br_home *home = e2e_home(dir, model);
    struct br_import_reports a = e2e_import(home, path, false), b = e2e_import(home, zips[0], false);
    br_buf_init(&texts, 1 << 20);
    dump_texts(home, &texts);
    assert_non_null(strstr(br_buf_str(&texts), "hello @Ann Three in #all-hands"));
    assert_non_null(strstr(br_buf_str(&texts), "Ann Three: before the edit"));
    br_buf_free(&texts);
    br_import_reports_free(&a);
    br_import_reports_free(&b);
    br_home_close(home);
    e2e_remove_tree(dir);
}

static int set_up(void **state)
{
    static const struct {
        const struct file *files;
        size_t n;
    } exports[EXPORTS] = {{oldest, BR_COUNT(oldest)}, {middle, BR_COUNT(middle)}, {newest, BR_COUNT(newest)}};
    (void)state;
    e2e_scratch(scratch, sizeof scratch);
    tiny_model(scratch, model, sizeof model);
    for (size_t i = 0; i < EXPORTS; i++) {
        snprintf(zips[i], sizeof zips[i], "%s/%zu.zip", scratch, i);
        write_zip(zips[i], exports[i].files, exports[i].n);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    e2e_remove_tree(scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_gives_one_state),
        cmocka_unit_test(an_older_export_does_not_bring_old_names_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
