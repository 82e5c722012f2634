/* cmd_messages.c - channel, top, thread, context: messages without a question. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

enum { PAGE_DEFAULT = 20, AROUND_DEFAULT = 5 };
#define SECOND INT64_C(1000000)

/* "1434204000.000100", or whole seconds of more digits than a year has. */
static bool parse_ts(const char *s, int64_t *out)
{
    int64_t whole = 0, fraction = 0;
    size_t n = strspn(s, "0123456789"), m = 0;
    if (n < 5 || n > 11)
        return false;
    for (size_t i = 0; i < n; i++)
        whole = whole * 10 + (s[i] - '0');
    if (s[n] == '.') {
        m = strspn(s + n + 1, "0123456789");
        if (m == 0 || m > 6)
            return false;
        for (size_t i = 0; i < 6; i++)
            fraction = fraction * 10 + (i < m ? s[n + 1 + i] - '0' : 0);
        m++;
    }
    *out = whole * SECOND + fraction;
    return s[n + m] == '\0';
}

/* The first moment of a day, month or year, and of the following one. */
static bool parse_period(const char *s, int64_t *begin, int64_t *end)
{
    int year, month = 1, day = 1, used = 0;
    time_t now = time(NULL);
    struct tm tm = {0}, next;
    if (strcmp(s, "today") == 0 || strcmp(s, "yesterday") == 0) {
        gmtime_r(&now, &tm);
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        tm.tm_mday -= s[0] == 'y';
        next = tm;
        next.tm_mday++;
    } else {
        if (strlen(s) == 4 && sscanf(s, "%4d%n", &year, &used) == 1)
            ;
        else if (strlen(s) == 7 && sscanf(s, "%4d-%2d%n", &year, &month, &used) == 2)
            ;
        else if (strlen(s) != 10 || sscanf(s, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3)
            return false;
        if ((size_t)used != strlen(s) || year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
            return false;
        tm = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
        next = tm;
        next.tm_year += used == 4;
        next.tm_mon += used == 7;
        next.tm_mday += used == 10;
    }
    struct tm asked = tm;
    *begin = (int64_t)timegm(&tm) * SECOND;
    *end = (int64_t)timegm(&next) * SECOND;
    return s[0] > '9' || tm.tm_mday == asked.tm_mday; /* no 31st of February */
}

static int parse_bound(const char *option, const char *s, bool after, int64_t *out)
{
    int64_t begin, end;
    *out = 0;
    if (!s || parse_ts(s, out))
        return 0;
    if (!parse_period(s, &begin, &end))
        return cli_fail(BR_STATUS_USAGE,
                        "--%s '%s' is no date: give YYYY, YYYY-MM, YYYY-MM-DD, today, yesterday or a ts such as "
                        "1434204000.000100",
                        option, s);
    *out = after ? end - 1 : begin;
    return 0;
}

static int print_messages(struct cli *cli, struct br_messages *m, int64_t mark, bool with_channel, const char *empty)
{
    int status = m->count ? 0 : BR_STATUS_NOT_FOUND;
    if (cli->json)
        json_print(cli, json_messages(m), false);
    else if (cli->jsonl)
        for (size_t i = 0; i < m->count; i++)
            json_print(cli, json_message(&m->items[i]), true);
    else
        text_messages(cli, m, mark, with_channel);
    if (status)
        cli_fail(status, "%s", empty);
    br_messages_free(m);
    return status;
}

/* Nothing found is still one document. Returns status. */
static int json_of_nothing(const struct cli *cli, int status)
{
    if (status == BR_STATUS_NOT_FOUND && cli->json)
        json_print(cli, json_pack("{s[]}", "messages"), false);
    return status;
}

static int open_or_print_nothing(struct cli *cli)
{
    return json_of_nothing(cli, cli_open_workspace(cli));
}

static int bounds(struct cli *cli, int64_t *after, int64_t *before)
{
    int status = parse_bound("after", cli->args->text[OPT_AFTER], true, after);
    if (!status)
        status = parse_bound("before", cli->args->text[OPT_BEFORE], false, before);
    return status;
}

static size_t page(const struct cli *cli)
{
    return cli->args->given[OPT_PAGE] ? (size_t)cli->args->number[OPT_PAGE] : PAGE_DEFAULT;
}

int cmd_channel(struct cli *cli)
{
    struct br_error err = {0};
    struct br_messages m = {0};
    int64_t after, before;
    int status = bounds(cli, &after, &before);
    if (!status)
        status = open_or_print_nothing(cli);
    if (status)
        return status;
    if (br_channel_messages(cli->ws, cli->args->operands.items[0], page(cli), before, after, &m, &err))
        return json_of_nothing(cli, cli_fail_with(&err));
    return print_messages(cli, &m, 0, false, "no messages there: try other --after and --before, or `backread status`");
}

int cmd_top(struct cli *cli)
{
    struct br_error err = {0};
    struct br_messages m = {0};
    int64_t after, before;
    int status = bounds(cli, &after, &before);
    if (!status)
        status = open_or_print_nothing(cli);
    if (status)
        return status;
    if (br_top_messages(cli->ws, cli->args->text[OPT_IN_ONE], after, before, page(cli), &m, &err))
        return json_of_nothing(cli, cli_fail_with(&err));
    return print_messages(cli, &m, 0, true, "no message with reactions there: try another --in, --after or --before");
}

int cmd_thread(struct cli *cli)
{
    struct br_error err = {0};
    struct br_messages m = {0};
    int status = open_or_print_nothing(cli);
    if (status)
        return status;
    if (br_thread_messages(cli->ws, cli->args->operands.items[0], &m, &err))
        return json_of_nothing(cli, cli_fail_with(&err));
    return print_messages(cli, &m, 0, false, "no such message: give a permalink or CHANNEL:TS as search prints them");
}

/* The ts in a permalink (/p1434204000000100) or CHANNEL:TS; 0 when it is neither. */
static int64_t ts_of_id(const char *id)
{
    int64_t ts = 0;
    const char *p = strstr(id, "/p"), *colon = strrchr(id, ':');
    while (p && strstr(p + 1, "/p"))
        p = strstr(p + 1, "/p");
    if (p && isdigit((unsigned char)p[2]))
        return (int64_t)strtoll(p + 2, NULL, 10);
    return colon && parse_ts(colon + 1, &ts) ? ts : 0;
}

int cmd_context(struct cli *cli)
{
    struct br_error err = {0};
    struct br_messages m = {0};
    const char *id = cli->args->operands.items[0];
    size_t around = cli->args->given[OPT_AROUND] ? (size_t)cli->args->number[OPT_AROUND] : AROUND_DEFAULT;
    int status = open_or_print_nothing(cli);
    if (status)
        return status;
    if (br_context_messages(cli->ws, id, around, &m, &err))
        return json_of_nothing(cli, cli_fail_with(&err));
    return print_messages(cli, &m, ts_of_id(id), false,
                          "no such message: give a permalink or CHANNEL:TS as search prints them");
}
