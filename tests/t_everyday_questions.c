/* Everyday questions: activity and digest count what a walk through all messages counts; similar gives each other conversation once, an equal text
 * first; the pages of a channel are its messages, once each, whatever is written between them. */
#include "open_archive.h"

#define DAY INT64_C(86400000000)


static int setup(void **state)
{
    (void)state;
    archive_make(true);
    archive_fill_with_sample();
    return 0;
}

static struct br_workspace_status channels(void)
{
    struct br_workspace_status s = {0};
    struct br_error err = {0};
    assert_int_equal(br_workspace_status(ws, &s, &err), 0);
    return s;
}

static struct br_messages of_channel(const char *id, size_t n, int64_t before)
{
    struct br_messages m = {0};
    struct br_error err = {0};
    if (br_channel_messages(ws, id, n, before, 0, &m, &err))
        fail_msg("%s", err.message);
    return m;
}

static bool counts(const struct br_message *m, int64_t after, int64_t before)
{
    return !m->is_system && !m->is_deleted && m->ts > after && (!before || m->ts < before);
}

static struct br_activities activity(enum br_activity_by by, int64_t after, int64_t before)
{
    struct br_activities a = {0};
    struct br_error err = {0};
    if (br_activity(ws, by, NULL, after, before, 10000, &a, &err))
        fail_msg("%s", err.message);
    return a;
}

static void activity_is_what_a_walk_counts(void **state)
{
    (void)state;
    struct br_workspace_status s = channels();
    for (int round = 0; round < 3; round++) {
        int64_t after = round ? INT64_C(1430000000000000) + round * 30 * DAY : 0, before = round ? after + 200 * DAY : 0;
        struct br_activities by_channel = activity(BR_ACTIVITY_BY_CHANNEL, after, before), by_user = activity(BR_ACTIVITY_BY_USER, after, before);
        uint64_t total = 0, users_total = 0;
        for (size_t c = 0; c < s.n_channel_items; c++) {
            struct br_messages m = of_channel(s.channel_items[c].id, 100000, 0);
            uint64_t messages = 0, reactions = 0, found = 0;
            for (size_t i = 0; i < m.count; i++)
                if (counts(&m.items[i], after, before)) {
                    messages++;
                    reactions += m.items[i].reactions_total;
                }
            for (size_t i = 0; i < by_channel.count; i++)
                if (strcmp(by_channel.items[i].id, s.channel_items[c].id) == 0) {
                    assert_int_equal(by_channel.items[i].messages, messages);
                    assert_int_equal(by_channel.items[i].reactions, reactions);
                    found++;
                }
            assert_int_equal(found, messages > 0);
            total += messages;
            br_messages_free(&m);
        }
        for (size_t i = 0; i < by_user.count; i++) {
            users_total += by_user.items[i].messages;
            assert_true(!i || by_user.items[i].messages <= by_user.items[i - 1].messages);
            assert_true(by_user.items[i].first_ts > after && (!before || by_user.items[i].last_ts < before));
        }
        assert_true(total > 0);
        assert_int_equal(users_total, total); /* every message of the sample has an author */
        struct br_digest d = {0};
        struct br_error err = {0};
        assert_int_equal(br_digest(ws, after, before, 7, &d, &err), 0);
        if (after)
            assert_int_equal(d.messages, total);
        assert_true(d.top.count <= 7 && d.users.count <= 7);
        for (size_t i = 1; i < d.top.count; i++)
            assert_true(d.top.items[i].reactions_total <= d.top.items[i - 1].reactions_total);
        br_digest_free(&d);
        br_activities_free(&by_channel);
        br_activities_free(&by_user);
    }
    br_workspace_status_free(&s);
}

static void weeks_are_those_of_the_calendar(void **state)
{
    (void)state;
    static const struct {
        const char *week, *monday;
    } cases[] = {{"2015-W01", "2014-12-29"}, {"2015-W53", "2015-12-28"}, {"2016-W01", "2016-01-04"}, {"2024-W09", "2024-02-26"},
                 {"2020-W53", "2020-12-28"}, {"2021-w01", "2021-01-04"}, {"1970-W02", "1970-01-05"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t after, before, day_after, day_before;
        struct br_error err = {0};
        struct br_digest d = {0};
        assert_int_equal(br_parse_bounds(cases[i].week, cases[i].week, &after, &before, &err), 0);
        assert_int_equal(br_parse_bounds(cases[i].monday, cases[i].monday, &day_after, &day_before, &err), 0);
        assert_int_equal(before, day_before); /* from the Monday on */
        assert_int_equal(after, day_before + 7 * DAY - 1);
        assert_int_equal(br_digest(ws, before - 1, after + 1, 5, &d, &err), 0);
        assert_int_equal(strcasecmp(d.week, cases[i].week), 0);
        br_digest_free(&d);
    }
    int64_t a, b;
    struct br_error err = {0};
    assert_int_equal(br_parse_bounds("2016-W53", NULL, &a, &b, &err), BR_STATUS_USAGE);
    assert_int_equal(br_parse_bounds("2016-W00", NULL, &a, &b, &err), BR_STATUS_USAGE);
}

static void a_month_by_its_name_is_the_last_that_has_begun(void **state)
{
    (void)state;
    static const char *const names[][3] = {{"january", "jan", "January"}, {"february", "feb", "FEB"}, {"march", "mar", "March"}, {"april", "apr", "April"},
                                           {"may", "may", "May"}, {"june", "jun", "June"}, {"july", "jul", "July"}, {"august", "aug", "August"},
                                           {"september", "sep", "Sep"}, {"october", "oct", "OCTOBER"}, {"november", "nov", "nOv"}, {"december", "dec", "Dec"}};
    struct br_error err = {0};
    time_t now = time(NULL);
    struct tm tm = *gmtime(&now);
    for (int m = 0; m < 12; m++) {
        char month[32];
        int64_t after, before, a, b;
        snprintf(month, sizeof month, "%04d-%02d", (tm.tm_year + (m > tm.tm_mon ? 1899 : 1900)) % 10000, m + 1);
        assert_int_equal(br_parse_bounds(month, month, &after, &before, &err), 0);
        assert_true(before <= (int64_t)now * 1000000);
        for (int i = 0; i < 3; i++) {
            if (br_parse_bounds(names[m][i], names[m][i], &a, &b, &err))
                fail_msg("%s", err.message);
            assert_int_equal(a, after);
            assert_int_equal(b, before);
        }
    }
    static const char *const none[] = {"ja", "janu", "januaryy", "jan-2016", "jan ", "mon"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        int64_t a, b;
        assert_int_equal(br_parse_bounds(none[i], NULL, &a, &b, &err), BR_STATUS_USAGE);
    }
}

static void id_of(const struct br_message *m, char out[128])
{
    snprintf(out, 128, "%s:%lld.%06lld", m->channel_id, (long long)(m->ts / 1000000), (long long)(m->ts % 1000000));
}

static const char *const equal_text = "the very same words about lakes and rivers, twice";

static void write_twins(const char *dir)
{
    static const char *const files[][2] = {
        {"users.json", "[{\"id\":\"U1\",\"team_id\":\"T0TWINS\",\"name\":\"ada\"}]"},
        {"channels.json", "[{\"id\":\"C1\",\"name\":\"one\",\"created\":1704103200},{\"id\":\"C2\",\"name\":\"two\"}]"}};
    char path[1400];
    assert_int_equal(mkdir(dir, 0700), 0);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i][0]);
        FILE *f = fopen(path, "w");
        fputs(files[i][1], f);
        fclose(f);
    }
    for (int c = 1; c <= 2; c++) {
        snprintf(path, sizeof path, "%s/%s", dir, c == 1 ? "one" : "two");
        assert_int_equal(mkdir(path, 0700), 0);
        strcat(path, "/2024-01-01.json");
        FILE *f = fopen(path, "w");
        fputc('[', f);
        for (int i = 0; i < 30; i++) {
            fprintf(f, "%s{\"type\":\"message\",\"user\":\"U1\",\"ts\":\"%d.000100\",\"text\":\"%s %d\"", i ? "," : "", 1704103200 + 100 * i + c,
                    i == 5 ? equal_text : "something else entirely, number", i == 5 ? 0 : i * 7 + c);
            fprintf(f, i > 10 && i < 20 ? ",\"thread_ts\":\"%d.000100\"}" : "}", 1704103200 + 1100 + c);
        }
        fputc(']', f);
        fclose(f);
    }
}

static void similar_gives_other_conversations_once(void **state)
{
    (void)state;
    char dir[1200], id[128];
    struct br_error err = {0};
    struct br_workspace *twins = NULL;
    struct br_messages m = {0};
    snprintf(dir, sizeof dir, "%s/twins", home_dir);
    write_twins(dir);
    struct br_import_reports r = e2e_import(home, dir, false);
    br_import_reports_free(&r);
    assert_int_equal(br_workspace_open(home, "T0TWINS", &twins, &err), 0);
    if (br_similar_messages(twins, "one:1704103701.000100", 100, &m, &err))
        fail_msg("%s", err.message);
    assert_int_equal(m.count, 59 - 2 * 8); /* threads of nine count once, itself not at all */
    assert_string_equal(m.items[0].channel_id, "C2");
    assert_non_null(strstr(m.items[0].text, equal_text));
    for (size_t i = 0; i < m.count; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(strcmp(m.items[i].channel_id, m.items[j].channel_id) == 0 &&
                         (m.items[i].ts == m.items[j].ts || (m.items[i].thread_ts && m.items[i].thread_ts == m.items[j].thread_ts)));
    br_messages_free(&m);
    struct br_messages one = {0};
    assert_int_equal(br_channel_messages(twins, "one", 1, INT64_C(1704103200) * 1000000 + 1500 * 1000000, 0, &one, &err), 0);
    id_of(&one.items[0], id);
    assert_true(one.items[0].thread_ts);
    assert_int_equal(br_similar_messages(twins, id, 100, &m, &err), 0);
    assert_int_equal(m.count, 60 - 9 - 8);
    for (size_t i = 0; i < m.count; i++)
        assert_false(strcmp(m.items[i].channel_id, "C1") == 0 && m.items[i].thread_ts == one.items[0].thread_ts);
    br_messages_free(&m);
    br_messages_free(&one);
    assert_int_equal(br_similar_messages(twins, "one:1.000100", 5, &m, &err), BR_STATUS_NOT_FOUND);
    assert_int_equal(br_similar_messages(twins, "one:1704103701.000100", 0, &m, &err), BR_STATUS_USAGE);
    struct br_digest d = {0};
    assert_int_equal(br_digest(twins, 0, 0, 3, &d, &err), 0);
    assert_string_equal(d.week, "2024-W01");
    assert_int_equal(d.messages, 60);
    assert_int_equal(d.n_new_channels, 1);
    assert_string_equal(d.new_channels[0].name, "one");
    assert_int_equal(d.busiest_threads.count, 2);
    assert_int_equal(d.thread_replies[0], 8);
    br_digest_free(&d);
    br_workspace_close(twins);
}

static void pages_of_a_channel_are_its_messages_once(void **state)
{
    (void)state;
    struct br_workspace_status s = channels();
    for (size_t c = 0; c < s.n_channel_items; c++) {
        struct br_messages want = of_channel(s.channel_items[c].id, 100000, 0);
        size_t n = 0;
        for (int64_t before = 0;;) {
            struct br_messages page = of_channel(s.channel_items[c].id, 17, before);
            for (size_t i = 0; i < page.count; i++, n++)
                assert_int_equal(page.items[i].ts, want.items[n].ts);
            before = page.count ? page.items[page.count - 1].ts : 0;
            br_messages_free(&page);
            if (!before)
                break;
        }
        assert_int_equal(n, want.count);
        br_messages_free(&want);
    }
    br_workspace_status_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activity_is_what_a_walk_counts),
        cmocka_unit_test(weeks_are_those_of_the_calendar),
        cmocka_unit_test(a_month_by_its_name_is_the_last_that_has_begun),
        cmocka_unit_test(pages_of_a_channel_are_its_messages_once),
        cmocka_unit_test(similar_gives_other_conversations_once),
    };
    return cmocka_run_group_tests(tests, setup, archive_remove);
}
