/* cmd_messages.c - channel, top, thread, context, similar: messages without a question. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { PAGE_DEFAULT = 20, AROUND_DEFAULT = 5 };

static int print_page(struct cli *cli, struct br_messages *m, int64_t mark, bool with_channel, const char *next_cursor, const char *empty)
{
    int status = m->count ? 0 : BR_STATUS_NOT_FOUND;
    if (cli->json)
        json_print(cli, json_messages(m, next_cursor), false);
    else if (cli->jsonl)
        for (size_t i = 0; i < m->count; i++)
            json_print(cli, json_message(&m->items[i]), true);
    else
        text_messages(cli, m, mark, with_channel);
    if (status)
        cli_fail(status, "%s", empty);
    if (next_cursor && *next_cursor && !cli->json)
        cli_note(cli, "more: --cursor %s", next_cursor);
    br_messages_free(m);
    return status;
}

static int print_messages(struct cli *cli, struct br_messages *m, int64_t mark, bool with_channel, const char *empty)
{
    return print_page(cli, m, mark, with_channel, "", empty);
}

/* Nothing found is still one document, as it is where something is. Returns status. */
static int json_of_nothing(const struct cli *cli, int status)
{
    const struct br_messages nothing = {0};
    bool has_pages = strcmp(cli->args->command->name, "channel") == 0;
    if (status == BR_STATUS_NOT_FOUND && cli->json)
        json_print(cli, json_messages(&nothing, has_pages ? NULL : ""), false);
    return status;
}

static int open_or_print_nothing(struct cli *cli)
{
    return json_of_nothing(cli, cli_open_workspace(cli));
}

static int bounds(struct cli *cli, int64_t *after, int64_t *before)
{
    struct br_error err = {0};
    if (br_parse_bounds(cli->args->text[OPT_AFTER], cli->args->text[OPT_BEFORE], after, before, &err))
        return cli_fail_with(&err);
    return 0;
}

static size_t page(const struct cli *cli)
{
    return cli->args->given[OPT_PAGE] ? (size_t)cli->args->number[OPT_PAGE] : PAGE_DEFAULT;
}

/* A cursor is the ts of the last message of a page: whatever is written meanwhile, the next one begins right behind it. */
static int behind_cursor(const struct cli *cli, int64_t *before)
{
    const char *cursor = cli->args->text[OPT_CURSOR];
    struct br_error err = {0};
    int64_t none, ts;
    if (!cursor)
        return 0;
    if (!strchr(cursor, '.') || br_parse_bounds(NULL, cursor, &none, &ts, &err))
        return cli_fail(BR_STATUS_USAGE, "--cursor '%s' is none: give the next_cursor of the page before", cursor);
    if (!*before || ts < *before)
        *before = ts;
    return 0;
}

int cmd_channel(struct cli *cli)
{
    struct br_error err = {0};
    struct br_messages m = {0};
    const char *next = NULL;
    char cursor[32];
    size_t n = page(cli);
    int64_t after, before;
    int status = bounds(cli, &after, &before);
    if (!status)
        status = behind_cursor(cli, &before);
    if (!status)
        status = open_or_print_nothing(cli);
    if (status)
        return status;
    if (br_channel_messages(cli->ws, cli->args->operands.items[0], n + 1, before, after, &m, &err))
        return json_of_nothing(cli, cli_fail_with(&err));
    if (m.count > n) {
        m.count = n;
        next = format_ts(m.items[n - 1].ts, cursor);
    }
    return print_page(cli, &m, 0, false, next, "no messages there: try other --after and --before, or `backread status`");
}

int cmd_similar(struct cli *cli)
{
    struct br_error err = {0};
    struct br_messages m = {0};
    int status = open_or_print_nothing(cli);
    if (status)
        return status;
    size_t n = cli->args->given[OPT_ALIKE] ? (size_t)cli->args->number[OPT_ALIKE] : PAGE_DEFAULT;
    if (br_similar_messages(cli->ws, cli->args->operands.items[0], n, &m, &err))
        return json_of_nothing(cli, cli_fail_with(&err));
    return print_messages(cli, &m, 0, true, "nothing else is in the archive to compare with");
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
    int64_t none, ts = 0;
    struct br_error err = {0};
    const char *p = strstr(id, "/p"), *colon = strrchr(id, ':');
    while (p && strstr(p + 1, "/p"))
        p = strstr(p + 1, "/p");
    if (p && isdigit((unsigned char)p[2]))
        return (int64_t)strtoll(p + 2, NULL, 10);
    return colon && br_parse_bounds(NULL, colon + 1, &none, &ts, &err) == 0 ? ts : 0;
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
