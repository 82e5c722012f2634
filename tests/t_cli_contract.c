/* t_cli_contract.c - the command line keeps its contract: names, flags, exit codes, streams, JSON fields.
 * Runs the built program ($BACKREAD_BINARY) on an export of four messages written here. */
#include "cli_run.h"

/* ---- Fixtures ---- */

static const char USERS[] = "[{\"id\":\"U0ADA001\",\"team_id\":\"T0TINY001\",\"name\":\"ada\",\"real_name\":\"Ada "
                            "Example\"},"
                            "{\"id\":\"U0BOB001\",\"team_id\":\"T0TINY001\",\"name\":\"bob\",\"real_name\":\"Bob "
                            "Example\"}]";
static const char CHANNELS[] = "[{\"id\":\"C0TINY001\",\"name\":\"general\",\"members\":[\"U0ADA001\",\"U0BOB001\"]}]";
static const char DAY[] =
    "[{\"type\":\"message\",\"user\":\"U0ADA001\",\"ts\":\"1704103200.000100\",\"thread_ts\":\"1704103200.000100\","
    "\"text\":\"Does anybody have a map of the bike lanes?\",\"reply_count\":1,\"reactions\":["
    "{\"name\":\"tada\",\"count\":2,\"users\":[\"U0ADA001\",\"U0BOB001\"]},"
    "{\"name\":\"+1\",\"count\":1,\"users\":[\"U0BOB001\"]}]},"
    "{\"type\":\"message\",\"user\":\"U0BOB001\",\"ts\":\"1704103260.000200\",\"thread_ts\":\"1704103200.000100\","
    "\"text\":\"Yes, the map is in the shared folder\"},"
    "{\"type\":\"message\",\"user\":\"U0BOB001\",\"ts\":\"1704106800.000300\",\"text\":\"The deployment failed again\","
    "\"reactions\":[{\"name\":\"eyes\",\"count\":2,\"users\":[\"U0ADA001\",\"U0BOB001\"]}]},"
    "{\"type\":\"message\",\"user\":\"U0ADA001\",\"ts\":\"1704110400.000400\","
    "\"text\":\"Lunch \\u001b[31mat\\u202e noon \\u009b2J?\"}]";

static int set_up(void **state)
{
    (void)state;
    if (cli_make_scratch() != 0)
        return -1;
    mkdir(in_scratch("tiny"), 0700);
    mkdir(in_scratch("tiny/general"), 0700);
    mkdir(in_scratch("bad"), 0700);
    write_file("bad/notes.md", "no export\n");
    write_file("tiny/users.json", USERS);
    write_file("tiny/channels.json", CHANNELS);
    write_file("tiny/general/2024-01-01.json", DAY);
    write_file("queries.jsonl",
               "{\"_id\":\"q1\",\"text\":\"map in:#nowhere\"}\n\n{\"_id\":7,\"text\":\"a\\u0000b \\ud800\"}\n");
    write_file("broken.jsonl", "{\"text\":\"fine\"}\nnot json\n");
    write_file("texts.jsonl", "{\"text\":\"hello world\"}\n{\"text\":\"\"}\n{\"text\":\"bike lanes\"}\n");
    struct outcome o = RUN("home", "import", in_scratch("tiny"), "--json", "--name", "tiny");
    int status = o.status;
    if (status)
        print_error("import: %s", o.err);
    json_t *j = json_loads(o.out, 0, NULL);
    if (!j || json_integer_value(json_object_get(json_object_get(j, "messages"), "new")) != 4)
        status = -1;
    json_decref(j);
    done(&o);
    return status;
}

/* ---- Usage ---- */

static void wrong_usage_is_one_line_and_exit_2(void **state)
{
    (void)state;
    static const struct {
        const char *args[6], *says;
    } CASES[] = {
        {{"serch", "x"}, "did you mean `backread search`"},
        {{"frobnicate"}, "--help"},
        {{"search"}, "QUERY"},
        {{"search", "--mdoe", "keyword", "x"}, "did you mean --mode"},
        {{"search", "--mode", "fancy", "x"}, "hybrid|semantic|keyword"},
        {{"search", "-n", "0", "x"}, "1 to 1000"},
        {{"search", "-n", "1001", "x"}, "1 to 1000"},
        {{"search", "-n", "ten", "x"}, "1 to 1000"},
        {{"search", "x", "-n"}, "needs a value"},
        {{"search", "--json", "--jsonl", "x"}, "--jsonl"},
        {{"search", "--batch", "q.jsonl", "x"}, "not both"},
        {{"status", "--mode", "keyword"}, "no option of `status`"},
        {{"--json=1", "status"}, "takes no value"},
        {{"import"}, "PATH"},
        {{"channel"}, "NAME"},
        {{"channel", "a", "b"}, "'b'"},
        {{"channel", "general", "--before", "soon"}, "no date"},
        {{"channel", "general", "--after", "2024-02-30"}, "no date"},
        {{"context", "C1:1704103200.000100", "-C", "-1"}, "0 to 1000"},
        {{"embed"}, "TEXT"},
        {{"embed", "--precision", "f32", "x"}, "--model"},
        {{"model", "shwo"}, "model show"},
        {{"model", "convert", "a"}, "OUT"},
        {{"-Z"}, "unknown option"},
        {{"search", "x", "-zebra"}, "search -- -zebra"},
        {{"status", "-zebra"}, "unknown option '-z': see"},
        {{"search", "--in", "", "x"}, "--in is empty"},
        {{"similar", "C0TINY001:1704103200.000100", "-n", "1001"}, "1 to 1000"},
        {{"search", "--endpoint-model", "m", "x"}, "--endpoint URL"},
        {{"import", "--send-texts", "x.zip"}, "--endpoint URL"},
        {{"forget", "--user", ""}, "--user is empty"},
        {{"channel", "general", "--after", ""}, "--after is empty"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct outcome o = run_args("home", NULL, CASES[i].args);
        assert_error(&o, 2);
        if (!strstr(o.err, CASES[i].says))
            print_error("'%s' is not in: %s", CASES[i].says, o.err);
        assert_non_null(strstr(o.err, CASES[i].says));
        assert_string_equal(o.out, "");
        done(&o);
    }
    struct outcome o = run_args("home", NULL, (const char *const[]){NULL});
    assert_error(&o, 2);
    done(&o);
}

static void every_command_has_help_with_examples_first(void **state)
{
    (void)state;
    static const char *const COMMANDS[] = {"import",  "search", "channel", "top",   "thread",
                                           "context", "status", "verify",  "embed", "model",
                                           "forget",  "compact", "repair"};
    struct outcome all = RUN("empty", "--help");
    assert_done(&all);
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
        struct outcome o = RUN("empty", COMMANDS[i], "--help");
        assert_done(&o);
        const char *examples = strstr(o.out, "Examples:"), *usage = strstr(o.out, "Usage:");
        assert_non_null(examples);
        assert_true(usage && examples < usage);
        assert_non_null(strstr(all.out, COMMANDS[i]));
        assert_string_equal(o.err, "");
        done(&o);
    }
    done(&all);
    struct outcome version = RUN("empty", "--version");
    assert_done(&version);
    assert_true(strncmp(version.out, "backread ", 9) == 0);
    done(&version);
}

static void options_may_stand_anywhere(void **state)
{
    (void)state;
    struct outcome a = RUN("home", "--json", "search", "--mode", "keyword", "map", "-n1");
    struct outcome b = RUN("home", "search", "map", "-n", "1", "--mode=keyword", "--json", "-w", "tiny");
    assert_done(&a);
    assert_done(&b);
    json_t *x = document(&a), *y = document(&b);
    assert_true(json_equal(at(x, "hits"), at(y, "hits")));
    json_decref(x);
    json_decref(y);
    done(&a);
    done(&b);
}

/* ---- An empty home ---- */

static void empty_home(void **state)
{
    (void)state;
    struct outcome o = RUN("empty", "search", "map");
    assert_error(&o, 1);
    assert_non_null(strstr(o.err, "backread import"));
    done(&o);
    o = RUN("empty", "search", "map", "--json");
    assert_error(&o, 1);
    json_t *j = document(&o);
    assert_int_equal(json_array_size(at(j, "hits")), 0);
    json_decref(j);
    done(&o);
    o = RUN("empty", "channel", "general");
    assert_error(&o, 1);
    assert_non_null(strstr(o.err, "backread import"));
    done(&o);
    o = RUN("empty", "status", "--json");
    assert_done(&o);
    j = document(&o);
    assert_int_equal(json_array_size(at(j, "workspaces")), 0);
    json_decref(j);
    done(&o);
    o = RUN("empty", "verify", "--json");
    assert_done(&o);
    j = document(&o);
    assert_true(json_is_true(at(j, "ok")));
    assert_int_equal(number(j, "messages"), 0);
    json_decref(j);
    done(&o);
    assert_int_not_equal(access(in_scratch("empty"), F_OK), 0);
}

/* ---- Import ---- */

static void import_reports_what_is_in_the_archive(void **state)
{
    (void)state;
    struct outcome o = RUN("again", "import", "--json", in_scratch("tiny"));
    assert_done(&o);
    json_t *j = document(&o), *m = at(j, "messages");
    assert_string(j, "workspace", "T0TINY001");
    assert_true(json_is_false(at(j, "dry_run")));
    assert_int_equal(number(m, "seen"), 4);
    assert_int_equal(number(m, "new"), 4);
    assert_int_equal(number(m, "updated"), 0);
    assert_int_equal(number(m, "unchanged"), 0);
    assert_int_equal(number(m, "deleted"), 0);
    assert_int_equal(number(j, "users"), 2);
    assert_int_equal(number(j, "channels"), 1);
    assert_int_equal(number(j, "threads"), 1);
    assert_int_equal(number(j, "reactions"), 5);
    assert_int_equal(number(j, "files"), 0);
    assert_true(number(j, "documents") > 0);
    assert_true(json_is_object(at(j, "warnings")));
    assert_true(json_is_number(at(j, "seconds")));
    assert_true(json_is_number(at(j, "messages_per_second")));
    json_decref(j);
    done(&o);

    o = RUN("again", "import", in_scratch("tiny"));
    assert_done(&o);
    assert_non_null(strstr(o.out, "Nothing new"));
    assert_non_null(strstr(o.err, "backread search"));
    done(&o);
    o = RUN("again", "import", "-q", in_scratch("tiny"));
    assert_done(&o);
    assert_string_equal(o.out, "");
    assert_string_equal(o.err, "");
    done(&o);
    o = RUN("again", "import", "--json", in_scratch("tiny"), in_scratch("tiny"));
    assert_done(&o);
    j = document(&o);
    assert_int_equal(number(at(j, "messages"), "unchanged"), 8);
    assert_int_equal(json_array_size(at(j, "workspaces")), 2);
    json_decref(j);
    done(&o);
}

static void dry_run_and_refused_archives_leave_nothing(void **state)
{
    (void)state;
    struct outcome o = RUN("dry", "import", "--dry-run", "--json", in_scratch("tiny"));
    assert_done(&o);
    json_t *j = document(&o);
    assert_true(json_is_true(at(j, "dry_run")));
    json_decref(j);
    done(&o);
    o = RUN("dry", "import", in_scratch("bad"));
    assert_error(&o, 3);
    done(&o);
    o = RUN("dry", "status", "--json");
    assert_done(&o);
    j = document(&o);
    assert_int_equal(json_array_size(at(j, "workspaces")), 0);
    json_decref(j);
    done(&o);
    o = RUN("dry", "import", in_scratch("absent.zip"));
    assert_int_not_equal(o.status, 0);
    assert_error(&o, o.status);
    done(&o);
}

static void what_was_imported_before_a_failure_is_reported(void **state)
{
    (void)state;
    struct outcome o = RUN("half", "import", "--json", "-q", in_scratch("tiny"), in_scratch("bad"));
    assert_error(&o, 3);
    json_t *j = document(&o);
    assert_int_equal(number(at(j, "messages"), "new"), 4);
    json_decref(j);
    done(&o);
}

/* ---- Messages and hits ---- */

static void assert_message_shape(const json_t *m)
{
    const char *ts = json_string_value(at(m, "ts"));
    assert_non_null(ts);
    assert_true(strlen(ts) == 17 && ts[10] == '.');
    assert_string(at(m, "channel"), "id", "C0TINY001");
    assert_string(at(m, "channel"), "name", "general");
    at(at(m, "user"), "id");
    at(at(m, "user"), "name");
    assert_true(json_is_string(at(m, "text")));
    assert_true(json_is_string(at(m, "thread_ts")) || json_is_null(at(m, "thread_ts")));
    at(m, "permalink");
    assert_true(json_is_array(at(m, "reactions")));
    assert_true(json_is_integer(at(m, "reactions_total")));
}

/* An empty list, and no page behind it. */
static void assert_nothing_more(struct outcome *o, const char *list)
{
    json_t *j = document(o);
    assert_int_equal(json_array_size(at(j, list)), 0);
    assert_true(json_is_null(at(j, "next_cursor")));
    json_decref(j);
}

static void search_answers_in_its_shape(void **state)
{
    (void)state;
    struct outcome o = RUN("home", "search", "--json", "map of the bike lanes");
    assert_done(&o);
    json_t *j = document(&o), *hits = at(j, "hits");
    at(j, "query");
    assert_string(j, "mode", "hybrid");
    assert_true(json_is_number(at(j, "took_ms")));
    assert_true(json_is_boolean(at(j, "exhaustive")));
    assert_true(json_array_size(hits) > 0);
    for (size_t i = 0; i < json_array_size(hits); i++) {
        const json_t *h = json_array_get(hits, i);
        assert_message_shape(h);
        assert_int_equal(number(h, "rank"), (json_int_t)i + 1);
        assert_true(json_is_number(at(h, "score")));
        assert_true(json_is_string(at(h, "kind")));
        at(at(h, "scores"), "semantic");
        at(at(h, "scores"), "keyword");
    }
    json_decref(j);
    done(&o);

    o = RUN("home", "search", "--json", "--mode", "keyword", "zzzquux");
    assert_error(&o, 1);
    assert_non_null(strstr(o.err, "--mode keyword"));
    assert_nothing_more(&o, "hits");
    done(&o);
    o = RUN("home", "search", "--json", "map before:2001"); /* no other mode would find more */
    assert_error(&o, 1);
    assert_null(strstr(o.err, "--mode"));
    assert_nothing_more(&o, "hits");
    done(&o);
    o = RUN("home", "search", "--mode", "keyword", "map", "--endpoint", "http://127.0.0.1:9", "--endpoint-kind", "ollama", "--endpoint-model", "m");
    assert_done(&o); /* nobody listens there, and nobody is asked */
    done(&o);
    o = RUN("home", "search", "--json", "in:nowhere");
    assert_error(&o, 1);
    assert_nothing_more(&o, "hits");
    done(&o);

    o = RUN("home", "search", "map");
    assert_done(&o);
    assert_non_null(strstr(o.out, "#general"));
    assert_null(strchr(o.out, '\033'));
    assert_non_null(strstr(o.err, " in "));
    done(&o);
}

static void search_batch_answers_line_by_line(void **state)
{
    (void)state;
    struct outcome o = RUN("home", "search", "--batch", in_scratch("queries.jsonl"), "--jsonl", "-n", "3");
    assert_done(&o);
    char *second = strchr(o.out, '\n');
    assert_non_null(second);
    *second++ = '\0';
    json_t *a = json_loads(o.out, 0, NULL), *b = json_loads(second, 0, NULL);
    assert_string(a, "_id", "q1");
    assert_true(json_array_size(at(a, "hits")) > 0); /* in:#nowhere is text here */
    assert_int_equal(number(b, "_id"), 7);
    json_decref(a);
    json_decref(b);
    done(&o);
    o = RUN("home", "search", "--batch", in_scratch("broken.jsonl"), "--jsonl", "-q");
    assert_error(&o, 3);
    assert_non_null(strstr(o.err, "line 2"));
    done(&o);
}

static void message_commands_answer_in_their_shape(void **state)
{
    (void)state;
    static const char *const CASES[][6] = {
        {"channel", "general", "--json"},
        {"channel", "C0TINY001", "--json", "-n", "2"},
        {"top", "--json", "-n", "1"},
        {"thread", "C0TINY001:1704103200.000100", "--json"},
        {"context", "C0TINY001:1704103200.000100", "--json", "-C", "1"},
        {"similar", "C0TINY001:1704103200.000100", "--json", "-n", "2"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct outcome o = run_args("home", NULL, CASES[i]);
        assert_done(&o);
        json_t *j = document(&o), *messages = at(j, "messages");
        assert_true(json_array_size(messages) > 0);
        for (size_t k = 0; k < json_array_size(messages); k++)
            assert_message_shape(json_array_get(messages, k));
        json_decref(j);
        done(&o);
    }
    struct outcome o = RUN("home", "thread", "C0TINY001:1704103200.000100", "--json");
    json_t *j = document(&o);
    assert_int_equal(json_array_size(at(j, "messages")), 2);
    assert_string(json_array_get(at(j, "messages"), 1), "thread_ts", "1704103200.000100");
    json_decref(j);
    done(&o);
    o = RUN("home", "context", "C0TINY001:1704106800.000300", "-C", "0", "--json");
    j = document(&o);
    assert_int_equal(json_array_size(at(j, "messages")), 1);
    json_decref(j);
    done(&o);
    o = RUN("home", "channel", "nowhere");
    assert_error(&o, 1);
    done(&o);
    o = RUN("home", "channel", "general", "--after", "2030-01");
    assert_error(&o, 1);
    done(&o);
}

static void pages_go_on_behind_a_cursor(void **state)
{
    (void)state;
    static const char *const COMMANDS[][2] = {{"channel", "general"}, {"search", "after:2001"}};
    for (size_t c = 0; c < 2; c++) {
        const char *list = c ? "hits" : "messages";
        struct outcome o = RUN("home", COMMANDS[c][0], COMMANDS[c][1], "--json", "-n", "3");
        assert_done(&o);
        json_t *all = document(&o), *pages = json_array();
        char cursor[256] = "";
        done(&o);
        for (size_t i = 0; i < json_array_size(at(all, list)); i++) {
            const char *const args[8] = {COMMANDS[c][0], COMMANDS[c][1], "--json", "-n1", *cursor ? "--cursor" : NULL, *cursor ? cursor : NULL};
            o = run_args("home", NULL, args);
            assert_done(&o);
            json_t *page = document(&o), *next = json_object_get(page, "next_cursor");
            json_array_extend(pages, at(page, list));
            snprintf(cursor, sizeof(cursor), "%s", json_is_string(next) ? json_string_value(next) : "");
            json_decref(page);
            done(&o);
        }
        assert_true(json_array_size(pages) > 1);
        assert_true(json_equal(pages, at(all, list)));
        json_decref(all);
        json_decref(pages);
        o = RUN("home", COMMANDS[c][0], COMMANDS[c][1], "--cursor", "soon");
        assert_error(&o, 2);
        done(&o);
    }
}

/* 1,001 messages of one text, which is embedded once. */
static void hits_that_end_at_the_most_are_no_last_page(void **state)
{
    (void)state;
    mkdir(in_scratch("many"), 0700);
    mkdir(in_scratch("many/general"), 0700);
    write_file("many/users.json", USERS);
    write_file("many/channels.json", CHANNELS);
    FILE *f = fopen(in_scratch("many/general/2024-01-01.json"), "w");
    assert_non_null(f);
    for (int i = 0; i <= 1000; i++)
        fprintf(f, "%s{\"type\":\"message\",\"user\":\"U0ADA001\",\"ts\":\"17041%05d.000100\",\"text\":\"again\"}", i ? "," : "[", i);
    fputs("]", f);
    assert_int_equal(fclose(f), 0);
    struct outcome o = RUN("many_home", "import", "-q", in_scratch("many"));
    assert_done(&o);
    done(&o);
    o = RUN("many_home", "search", "in:general", "-n", "1000", "--json");
    assert_int_equal(o.status, 0);
    assert_non_null(strstr(o.err, "hits end at 1,000"));
    done(&o);
    o = RUN("many_home", "search", "in:general after:1704100001.000100", "-n", "1000", "--json");
    assert_int_equal(o.status, 0); /* all that there are */
    assert_null(strstr(o.err, "hits end"));
    done(&o);
}

static void activity_and_digest_answer_in_their_shape(void **state)
{
    (void)state;
    struct outcome o = RUN("home", "activity", "--by", "channel", "--json");
    assert_done(&o);
    json_t *j = document(&o), *row = json_array_get(at(j, "activity"), 0);
    assert_string(j, "by", "channel");
    static const char *const NUMBERS[] = {"messages", "threads", "reactions", "people"};
    for (size_t i = 0; i < 4; i++)
        assert_true(json_is_integer(at(row, NUMBERS[i])));
    json_decref(j);
    done(&o);
    o = RUN("home", "digest", "--week", "2024-W01", "--json");
    assert_done(&o);
    j = document(&o);
    assert_string(j, "week", "2024-W01");
    assert_true(number(at(j, "totals"), "messages") > 0);
    static const char *const LISTS[] = {"most_reacted", "busiest_threads", "new_channels", "users", "channels"};
    for (size_t i = 0; i < 5; i++)
        assert_true(json_is_array(at(j, LISTS[i])));
    json_decref(j);
    done(&o);
    o = RUN("home", "digest");
    assert_done(&o);
    assert_non_null(strstr(o.out, "Most active people"));
    done(&o);
    o = RUN("home", "digest", "--week", "2024-01");
    assert_error(&o, 2);
    done(&o);
    o = RUN("home", "digest", "--week", "1999-W01");
    assert_error(&o, 1);
    done(&o);
}

static void nothing_in_a_message_reaches_the_terminal_as_a_command(void **state)
{
    (void)state;
    struct outcome o = RUN("home", "channel", "general");
    assert_done(&o);
    assert_non_null(strstr(o.out, "Lunch"));
    assert_null(strchr(o.out, '\033'));
    assert_null(strstr(o.out, "\xC2\x9B"));
    assert_null(strstr(o.out, "\xE2\x80\xAE"));
    done(&o);
    o = RUN("home", "channel", "general", "--json");
    assert_done(&o);
    assert_null(strchr(o.out, '\033'));
    assert_null(strstr(o.out, "\xC2\x9B"));
    assert_null(strstr(o.out, "\xE2\x80\xAE"));
    done(&o);
}

/* ---- Status, verify, embed, model ---- */

static void status_and_verify_answer_in_their_shape(void **state)
{
    (void)state;
    struct outcome o = RUN("home", "status", "--json");
    assert_done(&o);
    json_t *j = document(&o), *ws = json_array_get(at(j, "workspaces"), 0);
    assert_string(ws, "id", "T0TINY001");
    assert_string(ws, "name", "tiny");
    assert_int_equal(number(ws, "messages"), 4);
    static const char *const COUNTS[] = {"users", "channels", "documents", "last_seq", "indexed_seq"};
    for (size_t i = 0; i < sizeof(COUNTS) / sizeof(COUNTS[0]); i++)
        number(ws, COUNTS[i]);
    static const char *const BYTES[] = {"metadata", "content", "vectors", "graph"};
    for (size_t i = 0; i < sizeof(BYTES) / sizeof(BYTES[0]); i++)
        number(at(ws, "bytes"), BYTES[i]);
    json_decref(j);
    done(&o);

    o = RUN("home", "verify", "--deep", "--json");
    assert_done(&o);
    j = document(&o);
    assert_true(json_is_true(at(j, "ok")));
    static const char *const FIELDS[] = {"messages",       "documents",       "missing_vectors",
                                         "orphan_vectors", "missing_content", "corrupt"};
    for (size_t i = 0; i < sizeof(FIELDS) / sizeof(FIELDS[0]); i++)
        number(j, FIELDS[i]);
    number(at(j, "graph"), "nodes");
    number(at(j, "graph"), "reachable");
    assert_true(json_is_boolean(at(at(j, "graph"), "ok")));
    json_decref(j);
    done(&o);
    o = RUN("home", "status", "-w", "nobody");
    assert_int_not_equal(o.status, 0);
    assert_error(&o, o.status);
    done(&o);
}

static size_t lines_with(const char *text, const char *words)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, words)); p++)
        n++;
    return n;
}

static void what_repair_lost_is_named_in_short(void **state)
{
    (void)state;
    char line[1024];
    snprintf(line, sizeof(line), "cd '%s' && cp -r many_home lost && rm lost/workspaces/*/content.* && cp -r lost lost2", scratch);
    assert_int_equal(system(line), 0);
    struct outcome o = RUN("lost", "repair");
    assert_done(&o);
    assert_int_equal(lines_with(o.out, "without text: C0TINY001:17041"), 20);
    assert_non_null(strstr(o.out, "and 981 more"));
    done(&o);
    o = RUN("lost2", "repair", "-v");
    assert_int_equal(lines_with(o.out, "without text: C0TINY001:17041"), 1001);
    done(&o);
    snprintf(line, sizeof(line), "cd '%s' && cp -r many_home nameless && rm nameless/workspaces/*/metadata.db*", scratch);
    assert_int_equal(system(line), 0);
    o = RUN("nameless", "repair");
    assert_done(&o);
    done(&o);
    o = RUN("nameless", "search", "again", "-n", "1"); /* not a direct message, though its name is lost */
    assert_int_equal(o.status, 0);
    assert_non_null(strstr(o.out, "#C0TINY001"));
    done(&o);
}

static void a_text_that_was_cut_is_named(void **state)
{
    (void)state;
    mkdir(in_scratch("long"), 0700);
    mkdir(in_scratch("long/general"), 0700);
    write_file("long/users.json", USERS);
    write_file("long/channels.json", CHANNELS);
    FILE *f = fopen(in_scratch("long/general/2024-01-01.json"), "w");
    assert_non_null(f);
    fputs("[{\"type\":\"message\",\"user\":\"U0ADA001\",\"ts\":\"1704103200.000100\",\"text\":\"", f);
    for (int i = 0; i < 1100000; i++)
        putc('x', f);
    fputs("\"}]", f);
    assert_int_equal(fclose(f), 0);
    struct outcome o = RUN("long_home", "import", "--dry-run", "-v", in_scratch("long"));
    assert_int_equal(o.status, 0);
    assert_non_null(strstr(o.err, "text_truncated: C0TINY001:1704103200.000100"));
    done(&o);
}

static void upkeep_commands_answer_in_their_shape(void **state)
{
    (void)state;
    struct outcome o = RUN("upkeep", "import", "-q", in_scratch("tiny"));
    assert_done(&o);
    done(&o);
    static const char *const NUMBERS[] = {"lag_commits", "lag_vectors", "pending_threads", "erase_queue", "divergence"};
    o = RUN("upkeep", "status", "--json");
    assert_done(&o);
    json_t *j = document(&o), *c = at(json_array_get(at(j, "workspaces"), 0), "consistency");
    for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++)
        assert_int_equal(number(c, NUMBERS[i]), 0);
    json_decref(j);
    done(&o);

    o = RUN("upkeep", "compact", "--json");
    assert_done(&o);
    j = document(&o);
    assert_true(number(at(j, "bytes"), "before") >= number(at(j, "bytes"), "after"));
    json_decref(j);
    done(&o);

    o = RUN("upkeep", "repair", "--json");
    assert_done(&o);
    j = document(&o);
    assert_true(json_is_true(at(j, "ok")));
    assert_true(json_is_false(at(at(j, "rebuilt"), "metadata")));
    assert_int_equal(number(at(j, "lost"), "texts"), 0);
    json_decref(j);
    done(&o);

    o = RUN("upkeep", "forget");
    assert_error(&o, 2);
    done(&o);
    o = RUN("upkeep", "forget", "--channel", "general", "--before", "2020");
    assert_error(&o, 2);
    done(&o);
    mkdir(in_scratch("upkeep/backups"), 0700);
    o = RUN("upkeep", "backup", "-q", in_scratch("upkeep/backups/T0TINY001-20240101T000000Z.tar.zst"));
    assert_done(&o);
    done(&o);
    o = RUN("upkeep", "forget", "--channel", "nowhere", "--json");
    assert_error(&o, 1);
    j = document(&o);
    assert_string(j, "workspace", "T0TINY001");
    assert_int_equal(number(j, "messages"), 0);
    assert_int_equal(number(j, "backups"), 1); /* which may still hold it */
    json_decref(j);
    done(&o);
    o = RUN("upkeep", "forget", "--channel", "general", "--json");
    assert_done(&o);
    j = document(&o);
    assert_int_equal(number(j, "messages"), 4);
    assert_true(number(j, "documents") > 0);
    json_decref(j);
    done(&o);
    o = RUN("upkeep", "import", in_scratch("tiny"));
    assert_done(&o);
    assert_null(strstr(o.out, "all 4"));
    assert_non_null(strstr(o.out, "0 messages of it are here already; 4 that were forgotten or deleted here stay out"));
    done(&o);
    o = RUN("upkeep", "channel", "general", "--json");
    assert_int_equal(o.status, 1); /* nothing came back */
    done(&o);
}

static void embed_and_model_answer_in_their_shape(void **state)
{
    (void)state;
    struct outcome o = RUN("empty", "embed", "hello world", "bike lanes", "--json");
    assert_done(&o);
    json_t *j = document(&o);
    assert_true(json_is_string(at(j, "model")));
    assert_string(j, "precision", "int8");
    size_t dimension = (size_t)number(j, "dimension");
    assert_int_equal(json_array_size(at(j, "embeddings")), 2);
    assert_int_equal(json_array_size(json_array_get(at(j, "embeddings"), 1)), dimension);
    json_decref(j);
    done(&o);

    o = RUN("empty", "embed", "--tokens", "--jsonl", "hello");
    assert_done(&o);
    j = document(&o);
    assert_int_equal(json_array_size(at(j, "ids")), 3);
    assert_int_equal(json_integer_value(json_array_get(at(j, "ids"), 0)), 101);
    assert_int_equal(json_integer_value(json_array_get(at(j, "ids"), 2)), 102);
    json_decref(j);
    done(&o);

    size_t len;
    o = RUN("empty", "embed", "--batch", in_scratch("texts.jsonl"), "--out", in_scratch("v.npy"));
    assert_done(&o);
    char *npy = read_file("v.npy", &len);
    assert_memory_equal(npy, "\x93NUMPY\x01\x00", 8);
    assert_non_null(strstr(npy + 10, "(3, "));
    assert_int_equal(len, 10 + (unsigned char)npy[8] + 3 * dimension * sizeof(float));
    free(npy);
    done(&o);

    o = RUN("empty", "model", "show", "--json");
    assert_done(&o);
    j = document(&o);
    assert_true(json_is_string(at(j, "model")));
    assert_int_equal(strlen(json_string_value(at(j, "sha256"))), 64);
    assert_string(j, "pooling", "mean");
    number(j, "layers");
    number(j, "bytes");
    json_decref(j);
    done(&o);
}

/* Nor waited for, or read from its second part on. */
static void a_pipe_is_not_replaced_by_a_file(void **state)
{
    (void)state;
    static const char *const COMMANDS[][4] = {{"model", "convert", "nowhere"}, {"backup"}, {"restore"}, {"migrate"}, {"import"}};
    assert_int_equal(mkfifo(in_scratch("pipe"), 0600), 0);
    for (size_t i = 0; i < 5; i++) {
        const char *args[5] = {NULL};
        size_t n = 0;
        for (; COMMANDS[i][n]; n++)
            args[n] = COMMANDS[i][n];
        args[n] = in_scratch("pipe");
        struct outcome o = run_args("home", NULL, args);
        struct stat st;
        assert_error(&o, i < 2 ? 2 : 3);
        assert_non_null(strstr(o.err, i < 4 ? "no regular file" : "neither a file nor a directory"));
        assert_int_equal(stat(in_scratch("pipe"), &st), 0);
        assert_true(S_ISFIFO(st.st_mode));
        done(&o);
    }
}

/* As the base directory specification has it. */
static void a_relative_data_directory_is_none(void **state)
{
    (void)state;
    char line[1024];
    snprintf(line, sizeof(line), "cd '%s' && env -u BACKREAD_HOME XDG_DATA_HOME=relative HOME='%s' '%s' status 2> stderr", scratch, in_scratch("person"), binary);
    assert_int_equal(system(line), 0);
    char *said = read_file("stderr", NULL);
    assert_non_null(strstr(said, in_scratch("person/.local/share/backread")));
    free(said);
}

static void backup_restore_and_migrate_answer_in_their_shape(void **state)
{
    (void)state;
    struct outcome o = RUN("home", "backup", in_scratch("tiny.tar.zst"), "--json");
    assert_done(&o);
    json_t *j = document(&o);
    assert_string(j, "name", "tiny");
    assert_true(number(j, "file_bytes") > 0);
    assert_true(number(at(j, "bytes"), "total") > 0);
    assert_true(json_is_true(at(j, "verified")));
    json_decref(j);
    done(&o);
    o = RUN("restored", "restore", in_scratch("tiny.tar.zst"), "--json");
    assert_done(&o);
    j = document(&o);
    assert_string(j, "workspace", "T0TINY001");
    json_decref(j);
    done(&o);
    o = RUN("restored", "restore", in_scratch("tiny.tar.zst"));
    assert_error(&o, 2);
    done(&o);
    o = RUN("restored", "restore", in_scratch("tiny.tar.zst"), "--name", "twin");
    assert_done(&o);
    done(&o);
    o = RUN("restored", "verify", "--deep", "--json");
    assert_done(&o);
    j = document(&o);
    assert_int_equal(number(j, "messages"), 8);
    json_decref(j);
    done(&o);
    o = RUN("restored", "backup", in_scratch("which.tar.zst"));
    assert_error(&o, 2);
    done(&o);
    o = RUN("restored", "restore", in_scratch("texts.jsonl"));
    assert_error(&o, 3);
    done(&o);
    o = RUN("restored", "restore", in_scratch("absent"));
    assert_error(&o, 4);
    done(&o);
    o = RUN("nowhere", "backup", in_scratch("which.tar.zst"));
    assert_error(&o, 1);
    done(&o);

    write_file("old.sql", "INSERT INTO messages (id, channel, user_id, ts, text) VALUES\n (1, 'general', 'U1', '1434567890.000100', 'one'),"
                          "\n (2, 'general', 'U1', 'never', 'two');\n");
    o = RUN("old", "migrate", in_scratch("old.sql"), "--name", "old", "--json");
    assert_done(&o);
    j = document(&o);
    assert_int_equal(number(j, "messages"), 1);
    assert_int_equal(number(j, "users"), 0); /* none listed */
    assert_int_equal(number(j, "channels"), 1);
    assert_int_equal(number(j, "unmapped"), 1);
    assert_true(json_is_null(at(j, "backup")));
    json_decref(j);
    done(&o);
    o = RUN("old", "migrate", in_scratch("old.sql"), "-w", "old", "-v");
    assert_done(&o);
    assert_non_null(strstr(o.out, "backed up before"));
    assert_non_null(strstr(o.err, "unmapped_row: old.sql: messages, line 3: a message without a time"));
    done(&o);
    o = RUN("old", "migrate", in_scratch("old.sql"), "-w", "another");
    assert_error(&o, 1);
    done(&o);
    o = RUN("old", "migrate", in_scratch("texts.jsonl"));
    assert_error(&o, 3);
    done(&o);
}

static void a_full_disk_behind_stdout_is_exit_4(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    struct outcome o = run_args("home", "/dev/full", (const char *const[]){"status", "--json", NULL});
    assert_error(&o, 4);
    done(&o);
}

int main(void)
{
    if (!cli_binary())
        return 77;
    unsetenv("POSIXLY_CORRECT");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_usage_is_one_line_and_exit_2),
        cmocka_unit_test(every_command_has_help_with_examples_first),
        cmocka_unit_test(options_may_stand_anywhere),
        cmocka_unit_test(empty_home),
        cmocka_unit_test(import_reports_what_is_in_the_archive),
        cmocka_unit_test(dry_run_and_refused_archives_leave_nothing),
        cmocka_unit_test(what_was_imported_before_a_failure_is_reported),
        cmocka_unit_test(search_answers_in_its_shape),
        cmocka_unit_test(search_batch_answers_line_by_line),
        cmocka_unit_test(message_commands_answer_in_their_shape),
        cmocka_unit_test(pages_go_on_behind_a_cursor),
        cmocka_unit_test(hits_that_end_at_the_most_are_no_last_page),
        cmocka_unit_test(what_repair_lost_is_named_in_short),
        cmocka_unit_test(a_text_that_was_cut_is_named),
        cmocka_unit_test(activity_and_digest_answer_in_their_shape),
        cmocka_unit_test(nothing_in_a_message_reaches_the_terminal_as_a_command),
        cmocka_unit_test(status_and_verify_answer_in_their_shape),
        cmocka_unit_test(upkeep_commands_answer_in_their_shape),
        cmocka_unit_test(embed_and_model_answer_in_their_shape),
        cmocka_unit_test(a_pipe_is_not_replaced_by_a_file),
        cmocka_unit_test(a_relative_data_directory_is_none),
        cmocka_unit_test(backup_restore_and_migrate_answer_in_their_shape),
        cmocka_unit_test(a_full_disk_behind_stdout_is_exit_4),
    };
    return cmocka_run_group_tests(tests, set_up, cli_remove_scratch);
}
