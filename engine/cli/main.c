/* main.c - the program: takes the line apart, opens what the command needs, runs it, and turns its result into an exit
 * status. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static void print_line(const char *prefix, const char *message)
{
    fputs(prefix, stderr);
    term_puts(stderr, message);
    putc('\n', stderr);
}

int cli_fail(int status, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    print_line("backread: ", line);
    return status;
}

/* What to do about damage, where the message says only what and where. Remedies come behind a colon: paths may have the same words. */
static const char *remedy(const struct br_error *err)
{
    static const char *const told[] = {": run ", ": restore ", ": see `", ": import ", ": install "};
    if (err->status != BR_STATUS_DAMAGED)
        return "";
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        if (strstr(err->message, told[i]))
            return "";
    return ": run `backread repair`, or restore a backup";
}

int cli_fail_with(const struct br_error *err)
{
    char line[sizeof(err->message) + 64];
    snprintf(line, sizeof(line), "%s%s", err->message, remedy(err));
    print_line("backread: ", line);
    return err->status ? err->status : BR_STATUS_IO;
}

void cli_note(const struct cli *cli, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    if (cli->quiet)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    print_line("", line);
}

int cli_open_workspace(struct cli *cli)
{
    struct br_error err = {0};
    struct br_workspace_names names = {0};
    if (br_home_workspaces(cli->home, &names, &err))
        return cli_fail_with(&err);
    bool empty = names.count == 0;
    br_workspace_names_free(&names);
    if (empty)
        return cli_fail(BR_STATUS_NOT_FOUND, "the archive in %s is empty: fill it with `backread import export.zip`",
                        br_home_path(cli->home));
    if (br_workspace_open(cli->home, cli->args->text[OPT_WORKSPACE], &cli->ws, &err))
        return cli_fail_with(&err);
    return 0;
}

/* Given for an endpoint that is not: forgotten, most likely, and what was meant for it would go to the model here. */
static int endpoint_is_whole(const struct args *a)
{
    static const enum option_id PARTS[] = {OPT_ENDPOINT_KIND, OPT_ENDPOINT_MODEL, OPT_ENDPOINT_DIMENSION, OPT_ENDPOINT_QUERY_PREFIX,
                                           OPT_ENDPOINT_PASSAGE_PREFIX, OPT_API_KEY_FILE, OPT_SEND_TEXTS};
    for (size_t i = 0; !a->given[OPT_ENDPOINT] && i < sizeof(PARTS) / sizeof(PARTS[0]); i++)
        if (a->given[PARTS[i]])
            return cli_fail(BR_STATUS_USAGE, "--%s is of no use without an endpoint: give --endpoint URL, or leave it out",
                            args_name(PARTS[i]));
    return 0;
}

/* Words alone need no vectors, and so no endpoint, whether it can be reached or not. */
static bool is_keyword_search(const struct args *a)
{
    return a->command->run == cmd_search && a->text[OPT_MODE] && strcmp(a->text[OPT_MODE], "keyword") == 0;
}

static int run(struct cli *cli)
{
    const struct command *c = cli->args->command;
    struct br_error err = {0};
    if (c->flags & (OPENS_HOME | OPENS_MODEL)) {
        const struct args *a = cli->args;
        int usage = endpoint_is_whole(a);
        if (usage)
            return usage;
        const struct br_home_options options = {.path = a->text[OPT_HOME],
                                                .model = a->text[OPT_MODEL],
                                                .endpoint = {.url = is_keyword_search(a) ? NULL : a->text[OPT_ENDPOINT],
                                                             .kind = a->text[OPT_ENDPOINT_KIND],
                                                             .model = a->text[OPT_ENDPOINT_MODEL],
                                                             .api_key_file = a->text[OPT_API_KEY_FILE],
                                                             .query_prefix = a->text[OPT_ENDPOINT_QUERY_PREFIX],
                                                             .passage_prefix = a->text[OPT_ENDPOINT_PASSAGE_PREFIX],
                                                             .dimension = (uint32_t)a->number[OPT_ENDPOINT_DIMENSION],
                                                             .stop = &cli_stop_signal},
                                                .may_send = a->given[OPT_SEND_TEXTS]};
        if (br_home_open_with(&options, &cli->home, &err))
            return cli_fail_with(&err);
        if (c->flags & OPENS_HOME && *br_home_notice(cli->home))
            cli_note(cli, "backread: note: %s", br_home_notice(cli->home));
    }
    int status = c->run(cli);
    br_workspace_close(cli->ws);
    br_home_close(cli->home);
    return status;
}

static int dispatch(const struct args *args)
{
    struct cli cli = {.args = args,
                      .json = args->given[OPT_JSON],
                      .jsonl = args->given[OPT_JSONL],
                      .quiet = args->given[OPT_QUIET],
                      .verbose = args->given[OPT_VERBOSE]};
    term_init(&cli.out, stdout, args->given[OPT_NO_COLOR]);
    term_init(&cli.err, stderr, args->given[OPT_NO_COLOR]);
    if (args->given[OPT_HELP]) {
        args_help(stdout, args->command);
        return 0;
    }
    if (args->given[OPT_VERSION]) {
        printf("backread %s\n", BR_VERSION);
        return 0;
    }
    if (!args->command) {
        args_help(stdout, NULL);
        return cli_fail(BR_STATUS_USAGE, "no command given: begin with `backread import export.zip`");
    }
    if (cli.json && cli.jsonl)
        return cli_fail(BR_STATUS_USAGE, "--json and --jsonl exclude each other: give one of them");
    return run(&cli);
}

int main(int argc, char **argv)
{
    struct args args;
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ); /* a message is one write, so those of several programs do not mix */
    sigbus_is_told();
    signal(SIGPIPE, SIG_DFL); /* a reader that has seen enough ends us quietly, whatever the parent set */
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of characters */
    int status = args_parse(argc, argv, &args);
    if (!status)
        status = dispatch(&args);
    args_free(&args);
    if (fflush(stdout) || ferror(stdout))
        status = cli_fail(BR_STATUS_IO, "cannot write to standard output (%s): make room or choose another place",
                          strerror(errno));
    return status;
}
