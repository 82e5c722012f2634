/* A damaged day file costs the damaged message, not its neighbours, and never more than that; and the readers' own
 * rules: secrets, edits and
 * deletes in day files, slackdump's nested replies. */
#include "base/buf.h"
#include "ingest_count.h"

#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES 30
#define ROUNDS   400

static char dir[64];

static uint32_t random_state;
static uint32_t next_random(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

static void write_file(const char *name, const char *bytes, size_t n)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    char path[256];
    static const char channels[] = "[{\"id\":\"C0GENERAL01\",\"name\":\"general\"}]";
    (void)state;
    (void)strcpy(dir, "/tmp/backread-hostile-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/general", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("channels.json", channels, sizeof channels - 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static char *day_file(size_t flags, size_t *n)
{
    json_t *list = json_array();
    for (int i = 0; i < MESSAGES; i++) {
        char ts[32];
        (void)snprintf(ts, sizeof ts, "17041032%02d.000100", i);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:[{s:s, s:[s,s], s:i}], s:[{s:s}, {s:s}]}", "type",
                                        "message", "user", "U0AUTHOR001", "text",
                                        "words, {braces} and \"quotes\" \xC3\xA9", "ts", ts, "reactions", "name",
                                        "eyes", "users", "U1", "U2", "count", 2, "files", "id", "F1", "id", "F2"));
    }
    char *text = json_dumps(list, flags);
    assert_non_null(text);
    *n = strlen(text);
    json_decref(list);
    return text;
}

/* How many of the original messages are still there after the damage. */
static uint64_t survivors(const char *text, size_t n)
{
    struct count_sink k = {0};
    struct br_err err = {0};
    size_t workspaces;
    write_file("general/2024-01-01.json", text, n);
    assert_int_equal(count_source(dir, &k, &workspaces, &err), BR_OK);
    uint64_t found = 0;
    for (int i = 0; i < MESSAGES; i++) {
        char key[128];
        (void)snprintf(key, sizeof key, "0 message C0GENERAL01 %lld", 1704103200000100ll + i * 1000000ll);
        found += br_id_map_get(&k.keys, key) != BR_ID_NONE;
    }
    count_free(&k);
    return found;
}

static void one_byte_costs_little(size_t flags)
{
    size_t n;
    char *text = day_file(flags, &n);
    random_state = 20240101;
    assert_int_equal(survivors(text, n), MESSAGES);
    for (int round = 0; round < ROUNDS; round++) {
        size_t at = 1 + next_random() % (n - 1);
        char before = text[at];
        text[at] = (char)(next_random() % 3 ? "\"{}[],\\:x\n"[next_random() % 10] : (char)next_random());
        uint64_t left = survivors(text, n);
        if (left + 2 < MESSAGES)
            fail_msg("byte %zu, 0x%02x for 0x%02x: %llu of %d messages left", at, (unsigned char)text[at],
                     (unsigned char)before, (unsigned long long)left, MESSAGES);
        text[at] = before;
    }
    free(text);
}

static void neighbours_of_a_damaged_byte_survive(void **state)
{
    (void)state;
    one_byte_costs_little(JSON_INDENT(4));
    one_byte_costs_little(JSON_COMPACT);
    one_byte_costs_little(0);
}

static void no_damage_crashes(void **state)
{
    size_t n;
    char *text = day_file(JSON_COMPACT, &n), *work = malloc(n);
    (void)state;
    assert_non_null(work);
    for (unsigned round = 0; round < ROUNDS; round++) {
        random_state = round;
        memcpy(work, text, n);
        size_t hits = 1 + next_random() % 64, len = next_random() % 4 ? n : next_random() % (n + 1);
        while (hits--)
            work[next_random() % n] =
                (char)(next_random() % 2 ? "\"{}[],\\u0dD8"[next_random() % 12] : (char)next_random());
        assert_true(survivors(work, len) <= MESSAGES);
    }
    free(work);
    free(text);
}

/* ---- rules of single rows ---- */

struct seen {
    char raw[4096];
    struct br_message_event message;
    struct br_delete_event deletion;
    uint64_t n, warnings[BR_WARN_COUNT];
};

static enum br_rc see(void *ctx, const struct br_event *ev, struct br_err *err)
{
    struct seen *s = ctx;
    (void)err;
    if (ev->kind == BR_EVENT_MESSAGE) {
        s->n++;
        s->message = ev->message;
        char *dump = json_dumps(ev->message.raw, JSON_COMPACT);
        (void)snprintf(s->raw, sizeof s->raw, "%s", dump);
        free(dump);
    } else if (ev->kind == BR_EVENT_DELETE) {
        s->deletion = ev->deletion;
    }
    return BR_OK;
}

static void see_warning(void *ctx, enum br_warning w, uint64_t n, const char *where)
{
    (void)where;
    ((struct seen *)ctx)->warnings[w] += n;
}

static struct seen run_rows(const char *file, const char *text)
{
    struct seen s = {0};
    struct br_err err = {0};
    struct br_source *src = NULL;
    struct br_sink sink = {.ctx = &s, .event = see, .warn = see_warning};
    write_file(file, text, strlen(text));
    if (br_source_open(dir, NULL, &src, &err) != BR_OK || br_source_run(src, 0, &sink, &err) != BR_OK)
        fail_msg("%s", err.msg);
    br_source_close(src);
    return s;
}

#define ROW(rest) "[{\"type\":\"message\",\"ts\":\"1704103201.000100\"," rest "}]"
#define DAY       "general/2024-01-01.json"

static void secrets_are_redacted_everywhere(void **state)
{
    static const char *const secrets[] = {"xoxb-123456789012-abcdef",
                                          "xoxe.xoxp-1-Mi0yLTExMTEx",
                                          "xapp-1-A111-222-abc",
                                          "AKIAIOSFODNN7EXAMPLE",
                                          "T000/B000/XXXXXXXXXXXX",
                                          "MIIEpAIBAAKCAQEA",
                                          "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
                                          "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
                                          "ijk%2BLMN",
                                          "T111/B111",
                                          "XOXB-987654321098",
                                          "xoxp-in-a-key"};
    (void)state;
    struct seen s = run_rows(
        DAY, ROW("\"text\":\"a xoxb-123456789012-abcdef, xoxe.xoxp-1-Mi0yLTExMTEx; xapp-1-A111-222-abc "
                 "(AKIAIOSFODNN7EXAMPLE) end\","
                 "\"blocks\":[{\"deep\":[\"https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXX\","
                 "\"-----BEGIN RSA PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA\\n-----END RSA PRIVATE KEY----- after\"]}],"
                 "\"more\":\"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12 xoxd-abcdefghijk%2BLMN%3D "
                 "hooks.slack-gov.com/services/T111/B111/XXXXXXXXXXXX XOXB-987654321098-ABCDEF\","
                 "\"map\":{\"xoxp-in-a-key-123\":{\"kept\":1}},"
                 "\"attachments\":[{\"text\":\"ghp_abcdefghijklmnopqrstuvwxyz0123456789\"}],"
                 "\"files\":[{\"id\":\"F1\",\"thumb_64\":\"https://files.slack.com/a.png?t=xoxe-1-2&pub=1\"}]"));
    for (size_t i = 0; i < BR_COUNT(secrets); i++)
        if (strstr(s.raw, secrets[i]))
            fail_msg("%s is in %s", secrets[i], s.raw);
    assert_int_equal(s.warnings[BR_WARN_SECRET_REDACTED], 12);
    assert_non_null(strstr(s.raw, "\"[redacted]\":{\"kept\":1}"));
    assert_non_null(strstr(s.raw, "a.png?pub=1\""));
    assert_non_null(strstr(s.raw, "\"[redacted] after"));
    assert_non_null(strstr(s.raw, "https://hooks.slack.com/[redacted]\""));
}

static void edits_and_deletes_in_day_files_are_applied(void **state)
{
    (void)state;
    struct seen s = run_rows(
        DAY, ROW("\"subtype\":\"message_changed\",\"message\":{\"type\":\"message\",\"ts\":\"1704103000.000100\","
                 "\"text\":\"new\","
                 "\"edited\":{\"user\":\"U1\",\"ts\":\"1704103201.000000\"}},\"previous_message\":{\"text\":\"old\"}"));
    assert_int_equal(s.n, 1);
    assert_true(s.message.ts == 1704103000000100 && s.message.edited_ts == 1704103201000000);
    assert_null(strstr(s.raw, "old"));
    s = run_rows(DAY, ROW("\"subtype\":\"message_changed\",\"message\":{\"type\":\"message\",\"ts\":\"1704103000."
                          "000100\",\"subtype\":\"tombstone\"}"));
    assert_int_equal(s.message.cls, BR_CLASS_TOMBSTONE);
    s = run_rows(DAY, ROW("\"subtype\":\"message_deleted\",\"deleted_ts\":\"1704103000.000100\""));
    assert_int_equal(s.n, 0);
    assert_true(s.deletion.ts == 1704103000000100 && s.deletion.deleted_at == 1704103201000100);
}

static void numbers_too_large_for_the_parser_are_read(void **state)
{
    (void)state;
    struct seen s = run_rows(DAY, ROW("\"text\":\"raw\ncontrol\",\"n\":123456789012345678901234567890"));
    assert_int_equal(s.n, 1);
    s = run_rows(DAY, "[{\"type\":\"message\",\"ts\":1704103201.0001}]");
    assert_true(s.n == 1 && s.message.ts == 1704103201000100);
    assert_int_equal(s.warnings[BR_WARN_WRONG_TYPE], 1);
}

static void a_dump_gives_roots_and_replies(void **state)
{
    char path[256];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/channels.json", dir);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/" DAY, dir);
    (void)unlink(path);
    struct seen s = run_rows(
        "C0DUMPED001.json",
        "{\"channel_id\":\"C0DUMPED001\",\"messages\":[{\"type\":\"message\",\"ts\":\"1704103201.000100\",\"thread_"
        "ts\":"
        "\"1704103201.000100\",\"text\":\"root\",\"slackdump_thread_replies\":[{\"type\":\"message\",\"ts\":"
        "\"1704103201.000100\"},{\"type\":\"message\",\"ts\":\"1704103202.000100\",\"thread_ts\":\"1704103201.000100\","
        "\"text\":\"reply\"}]}],\"name\":\"dumped\"}");
    assert_int_equal(s.n, 2);
    assert_true(s.message.thread_ts == 1704103201000100 && s.message.ts == 1704103202000100);
    for (int w = 0; w < BR_WARN_COUNT; w++)
        if (s.warnings[w])
            fail_msg("warning %s", br_warning_name((enum br_warning)w));
}

/* ---- damage that must not spread ---- */

#define GOOD(n) "{\"type\":\"message\",\"user\":\"U1\",\"ts\":\"170410320" n ".000100\",\"text\":\"good " n "\"}"

static void a_bare_value_costs_itself(void **state)
{
    (void)state;
    struct seen s = run_rows(DAY, "[" GOOD("1") ", NaN, " GOOD("2") "," GOOD("3") "]");
    assert_int_equal(s.n, 3);
    assert_int_equal(s.warnings[BR_WARN_BAD_JSON], 1);
    assert_int_equal(s.warnings[BR_WARN_NOT_A_MESSAGE], 0);
    s = run_rows(DAY, "[" GOOD("1") ", undefined, " GOOD("2") "]");
    assert_int_equal(s.n, 2);
}

static void a_deep_message_costs_itself(void **state)
{
    char text[4096];
    (void)state;
    int n = snprintf(text, sizeof text, "[" GOOD("1") ",{\"type\":\"message\",\"ts\":\"1704103299.1\",\"x\":");
    memset(text + n, '[', 1100);
    memset(text + n + 1100, ']', 1100);
    (void)snprintf(text + n + 2200, sizeof text - (size_t)n - 2200, "}," GOOD("2") "]");
    struct seen s = run_rows(DAY, text);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.warnings[BR_WARN_DEEP_JSON], 1);
    assert_int_equal(s.warnings[BR_WARN_BAD_JSON], 0);
}

static void parts_of_a_damaged_message_are_no_messages(void **state)
{
    (void)state;
    struct seen s = run_rows(DAY, "[{\"type\":\"message\",\"ts\":\"1704103200.000100\",\"text\":\"root\",\"bad\":nul,"
                                  "\"replies\":[{\"user\":\"U2\",\"ts\":\"1704103291.0001\"},{\"user\":\"U2\",\"ts\":"
                                  "\"1704103292.0001\"},{\"user\":\"U2\",\"ts\":\"1704103293.0001\"}]}," GOOD("1") "]");
    assert_int_equal(s.n, 1);
    assert_int_equal(s.warnings[BR_WARN_BAD_JSON], 1);
}

/* A day file of `good` messages behind `bad` copies of a damaged one, each on a line. */
static uint64_t read_behind(const char *damaged, size_t bad, size_t good)
{
    struct br_buf text;
    br_buf_init(&text, (size_t)64 << 20);
    br_buf_addc(&text, '[');
    for (size_t i = 0; i < bad; i++)
        br_buf_addf(&text, "%s\n%s", i ? "," : "", damaged);
    for (size_t i = 0; i < good; i++)
        br_buf_addf(&text, ",\n{\"type\":\"message\",\"user\":\"U1\",\"ts\":\"%zu.000100\",\"text\":\"good\",\"files\":["
                           "{\"id\":\"F1\",\"name\":\"a file beside it\"},{\"id\":\"F2\"}]}", 1704103200 + i);
    br_buf_adds(&text, "\n]");
    struct seen s = run_rows(DAY, br_buf_str(&text));
    assert_int_equal(s.warnings[BR_WARN_BAD_JSON], 1);
    br_buf_free(&text);
    return s.n;
}

static void many_damaged_messages_cost_themselves_alone(void **state)
{
    (void)state;
    assert_int_equal(read_behind("{\"type\":\"message\",\"text\":\"C:\\\"}", 40, 100000), 100000);
    assert_true(read_behind("{\"type\":\"message\",\"x\":{\"text\":\"a brace is missing\"}", 60, 100000) >= 100000 - 60);
    assert_true(read_behind("{\"type\":\"message\",\"text\":\"\"quoted\"\"}", 40, 100000) >= 100000 - 1);
}

static void a_message_of_too_many_values_takes_little_memory(void **state)
{
    struct rusage usage;
    struct br_buf text;
    (void)state;
    br_buf_init(&text, (size_t)64 << 20);
    br_buf_adds(&text, "[" GOOD("1") ",{\"type\":\"message\",\"ts\":\"1704103299.1\",\"x\":[{}");
    for (size_t i = 0; i < 2000000; i++)
        br_buf_adds(&text, ",{}");
    br_buf_adds(&text, "]}," GOOD("2") "]");
    struct seen s = run_rows(DAY, br_buf_str(&text));
    br_buf_free(&text);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.warnings[BR_WARN_BAD_JSON], 1);
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
#ifndef __SANITIZE_ADDRESS__
    assert_true(usage.ru_maxrss < 200 * 1024);
#endif
}

static void overlong_ids_cost_themselves(void **state)
{
    static const char users[] = "[{\"id\":\"U1\"},{\"id\":\"UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU\"}]";
    char path[256];
    (void)state;
    write_file("users.json", users, sizeof users - 1);
    struct seen s = run_rows(DAY, "[{\"type\":\"message\",\"ts\":\"1704103201.0001\",\"text\":\"x\",\"user\":"
                                  "\"WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW\",\"reactions\":[{\"name\":"
                                  "\"eyes\",\"count\":2,\"users\":[\"U1\",\"WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"
                                  "WWWWWWWWWWWWWWWWWW\"]}]}]");
    assert_int_equal(s.n, 1);
    assert_int_equal(s.warnings[BR_WARN_BAD_USER], 1);
    assert_int_equal(s.warnings[BR_WARN_WRONG_TYPE], 2);
    (void)snprintf(path, sizeof path, "%s/users.json", dir);
    assert_int_equal(unlink(path), 0);
}

static void links_are_looked_for_in_linear_time(void **state)
{
    struct br_buf text;
    struct timespec from, to;
    (void)state;
    br_buf_init(&text, (size_t)64 << 20);
    br_buf_adds(&text, "[{\"type\":\"message\",\"ts\":\"1704103201.000100\",\"text\":\"");
    for (size_t i = 0; i < 500000; i++)
        br_buf_adds(&text, "https://");
    br_buf_adds(&text, "\"}]");
    clock_gettime(CLOCK_MONOTONIC, &from);
    struct seen s = run_rows(DAY, br_buf_str(&text));
    clock_gettime(CLOCK_MONOTONIC, &to);
    br_buf_free(&text);
    assert_int_equal(s.n, 1);
    assert_true(to.tv_sec - from.tv_sec < 8);
}

static void a_huge_thread_of_a_dump_is_read_whole(void **state)
{
    struct br_buf text;
    char path[256], filler[1001];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/channels.json", dir);
    assert_int_equal(unlink(path), 0);
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = 0;
    br_buf_init(&text, (size_t)64 << 20);
    br_buf_adds(&text, "{\"channel_id\":\"C0DUMPED001\",\"messages\":[" GOOD("1"));
    for (int thread = 0; thread < 2; thread++) {
        br_buf_addf(&text, ",{\"type\":\"message\",\"ts\":\"17041%d.000100\",\"text\":\"root\",\"slackdump_thread_replies\":"
                           "[{\"type\":\"message\",\"ts\":\"17041%d.000100\",\"text\":\"root\"}", 20000 + thread, 20000 + thread);
        for (int i = 0; i < 10000; i++)
            br_buf_addf(&text, ",{\"type\":\"message\",\"ts\":\"1705%d%05d.000100\",\"text\":\"%s\"}", thread, i, filler);
        br_buf_adds(&text, "],\"after\":[1,{\"x\":2}]}");
    }
    br_buf_adds(&text, "," GOOD("2") "],\"name\":\"dumped\"}");
    struct seen s = run_rows("C0DUMPED001.json", br_buf_str(&text));
    br_buf_free(&text);
    assert_int_equal(s.n, 2 + 2 * 10001);
    for (int w = 0; w < BR_WARN_COUNT; w++)
        if (s.warnings[w])
            fail_msg("warning %s", br_warning_name((enum br_warning)w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(neighbours_of_a_damaged_byte_survive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_damage_crashes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(secrets_are_redacted_everywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(edits_and_deletes_in_day_files_are_applied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_too_large_for_the_parser_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dump_gives_roots_and_replies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bare_value_costs_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deep_message_costs_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parts_of_a_damaged_message_are_no_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_damaged_messages_cost_themselves_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_of_too_many_values_takes_little_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overlong_ids_cost_themselves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_are_looked_for_in_linear_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_huge_thread_of_a_dump_is_read_whole, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
