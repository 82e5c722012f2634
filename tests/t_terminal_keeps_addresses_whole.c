/* t_terminal_keeps_addresses_whole.c - on terminals of 80 and of 40 columns no line is wider than the terminal, so that neither an address nor a
 * date is broken at its edge. Runs the built program on a pseudo-terminal. */
#include "cli_run.h"

#include <pty.h>
#include <sys/ioctl.h>

#define PERMALINK "https://longish-name.slack.com/archives/C0TINY001/p1704103200000100"
#define LINK_75   "https://example.org/a/rather/long/path/that/fills/nearly/a/line/of/eighty/c"

static const char DAY[] =
    "[{\"type\":\"message\",\"user\":\"U0ADA001\",\"ts\":\"1704103200.000100\",\"thread_ts\":\"1704103200.000100\",\"reply_count\":1,"
    "\"text\":\"Is the bridge in the north of the city closed for bicycles? See <" LINK_75 "> please\",\"reactions\":["
    "{\"name\":\"tada\",\"count\":1,\"users\":[\"U0ADA001\"]},{\"name\":\"bridge_at_night\",\"count\":1,\"users\":[\"U0ADA001\"]},"
    "{\"name\":\"construction\",\"count\":1,\"users\":[\"U0ADA001\"]},{\"name\":\"bike\",\"count\":1,\"users\":[\"U0ADA001\"]}]},"
    "{\"type\":\"message\",\"user\":\"U0ADA001\",\"ts\":\"1704103260.000200\",\"thread_ts\":\"1704103200.000100\","
    "\"text\":\"The bridge is closed until spring, see <https://longish-name.slack.com/archives/C0TINY001/p1704103200000100>\"}]";

static int set_up(void **state)
{
    (void)state;
    if (cli_make_scratch() != 0)
        return -1;
    mkdir(in_scratch("tiny"), 0700);
    mkdir(in_scratch("tiny/announcements"), 0700);
    write_file("tiny/users.json",
               "[{\"id\":\"U0ADA001\",\"team_id\":\"T0TINY001\",\"name\":\"ada\",\"profile\":{\"display_name\":\"Ada Longname\"}}]");
    write_file("tiny/channels.json", "[{\"id\":\"C0TINY001\",\"name\":\"announcements\",\"members\":[\"U0ADA001\"]}]");
    write_file("tiny/announcements/2024-01-01.json", DAY);
    struct outcome o = RUN("home", "import", "-q", in_scratch("tiny"));
    int status = o.status;
    if (status)
        print_error("%s", o.err);
    done(&o);
    return status;
}

/* What the program writes to a terminal so wide; for the caller to free. */
static char *on_terminal(unsigned short columns, const char *const *args)
{
    char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t)binary}, *out = calloc(1, OUTPUT_MAX);
    const struct winsize size = {.ws_row = 50, .ws_col = columns};
    int terminal, status;
    size_t n = 0;
    ssize_t got;
    assert_non_null(out);
    for (size_t i = 0; args[i]; i++)
        argv[i + 1] = (char *)(uintptr_t)args[i];
    pid_t child = forkpty(&terminal, NULL, NULL, &size);
    assert_true(child >= 0);
    if (child == 0) {
        setenv("BACKREAD_HOME", in_scratch("home"), 1);
        setenv("TERM", "xterm", 1);
        setenv("NO_COLOR", "1", 1);
        execv(binary, argv);
        _exit(98);
    }
    while (n < OUTPUT_MAX - 1 && (got = read(terminal, out + n, OUTPUT_MAX - 1 - n)) > 0)
        n += (size_t)got;
    close(terminal);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return out;
}

/* Columns of a line of UTF-8 in which every character takes one. */
static size_t columns_of(const char *s, size_t n)
{
    size_t columns = 0;
    for (size_t i = 0; i < n; i++)
        columns += ((unsigned char)s[i] & 0xC0) != 0x80;
    return columns;
}

/* An address in a text that is wider than the whole terminal has a line of its own, from its first column. */
static void assert_fits(const char *out, size_t columns)
{
    for (const char *line = out; *line;) {
        size_t n = strcspn(line, "\r\n"), width = columns_of(line, n);
        bool wide_address = strncmp(line, "http", 4) == 0 && !memchr(line, ' ', n);
        if (width > columns && !wide_address)
            print_error("%zu columns: %.*s\n", width, (int)n, line);
        assert_true(width <= columns || wide_address);
        line += n + strspn(line + n, "\r\n");
    }
}

static const char *const COMMANDS[][5] = {
    {"search", "is the bridge closed"}, {"status"}, {"channel", "announcements"}, {"top"}, {"thread", "C0TINY001:1704103200.000100"},
    {"context", PERMALINK},
};

static void nothing_is_wider_than_the_terminal(void **state)
{
    (void)state;
    static const unsigned short WIDTHS[] = {140, 80, 60, 40};
    for (size_t w = 0; w < sizeof(WIDTHS) / sizeof(WIDTHS[0]); w++)
        for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
            char *out = on_terminal(WIDTHS[w], COMMANDS[i]);
            assert_fits(out, WIDTHS[w]);
            free(out);
        }
}

static void at_80_columns_permalinks_and_dates_are_whole(void **state)
{
    (void)state;
    char *out = on_terminal(80, COMMANDS[0]);
    assert_non_null(strstr(out, PERMALINK));
    assert_non_null(strstr(out, "2024-01-01 10:0"));
    free(out);
    out = on_terminal(80, COMMANDS[2]);
    assert_non_null(strstr(out, PERMALINK));
    assert_non_null(strstr(out, LINK_75));
    free(out);
    out = on_terminal(80, COMMANDS[1]);
    assert_non_null(strstr(out, "2024-01-01 to 2024-01-01"));
    free(out);
}

/* A permalink has no room there: the other form, which the commands take as well, has. */
static void at_40_columns_ids_and_dates_are_whole(void **state)
{
    (void)state;
    char *out = on_terminal(40, COMMANDS[0]);
    assert_non_null(strstr(out, "C0TINY001:1704103"));
    assert_non_null(strstr(out, "2024-01-01 10:0"));
    free(out);
    out = on_terminal(40, COMMANDS[2]);
    assert_non_null(strstr(out, "C0TINY001:1704103200.000100"));
    assert_non_null(strstr(out, LINK_75));
    free(out);
    out = on_terminal(40, COMMANDS[1]);
    assert_non_null(strstr(out, "2024-01-01 to 2024-01-01"));
    free(out);
}

/* A line that is too long would leave a piece of itself behind each time it is drawn. */
static void progress_stays_on_its_line(void **state)
{
    (void)state;
    enum { COLUMNS = 20 };
    mkdir(in_scratch("slow"), 0700);
    mkdir(in_scratch("slow/general"), 0700);
    write_file("slow/channels.json", "[{\"id\":\"C0TINY002\",\"name\":\"general\"}]");
    FILE *f = fopen(in_scratch("slow/general/2024-01-01.json"), "w");
    assert_non_null(f);
    for (int i = 0; i < 600; i++) /* each to be embedded */
        fprintf(f, "%s{\"type\":\"message\",\"user\":\"U0ADA001\",\"ts\":\"17041%05d.000100\",\"text\":\"number %d is here, and it says so\"}", i ? "," : "[", i, i);
    fputs("]", f);
    assert_int_equal(fclose(f), 0);
    const char *const args[] = {"import", in_scratch("slow"), "--home", in_scratch("slow_home"), NULL};
    char *out = on_terminal(COLUMNS, args), *line = out;
    size_t bars = 0;
    for (char *end; (end = strstr(line, "\033[K")); line = end + 3) {
        while (*line == '\r' || *line == '\n')
            line++;
        size_t columns = columns_of(line, (size_t)(end - line));
        assert_true(columns < COLUMNS);
        assert_true(!columns || memchr(line, '%', columns));
        bars += columns > 0;
    }
    if (!bars)
        print_message("too fast for a bar to be drawn\n");
    free(out);
}

static void what_is_no_terminal_gets_permalinks(void **state)
{
    (void)state;
    struct outcome o = run_args("home", NULL, COMMANDS[0]);
    assert_done(&o);
    assert_non_null(strstr(o.out, PERMALINK));
    done(&o);
}

int main(void)
{
    if (!cli_binary())
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_wider_than_the_terminal),
        cmocka_unit_test(at_80_columns_permalinks_and_dates_are_whole),
        cmocka_unit_test(at_40_columns_ids_and_dates_are_whole),
        cmocka_unit_test(progress_stays_on_its_line),
        cmocka_unit_test(what_is_no_terminal_gets_permalinks),
    };
    return cmocka_run_group_tests(tests, set_up, cli_remove_scratch);
}
