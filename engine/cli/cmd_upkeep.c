/* cmd_upkeep.c - forget, compact, repair: what keeps an archive lawful, small and whole. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* The signal that asked us to stop; 0 none. Looked at between commits. */
static volatile int stop_signal;

static void on_signal(int signal_number)
{
    if (stop_signal)
        _exit(128 + signal_number); /* the second time: at once; the stores survive that too */
    stop_signal = signal_number;
}

static void on_progress(void *ctx, const struct br_import_progress *now)
{
    progress_update(ctx, now);
}

static struct br_upkeep_options upkeep_options(struct progress *p)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return (struct br_upkeep_options){.ctx = p, .progress = on_progress, .stop = &stop_signal};
}

/* The status of a command that failed. */
static int failed(const struct br_error *err)
{
    int status = cli_fail_with(err);
    return stop_signal ? 128 + stop_signal : status;
}

/* ---- forget ---- */

static void forget_text(const struct cli *cli, const struct br_forget_report *r)
{
    char a[32], b[32], c[32];
    fprintf(cli->out.file, "Forgot %s message%s and %s document%s", format_count(r->messages, a), plural(r->messages),
            format_count(r->documents, b), plural(r->documents));
    if (r->reactions)
        fprintf(cli->out.file, ", %s reaction%s", format_count(r->reactions, c), plural(r->reactions));
    fprintf(cli->out.file, ": no file of the archive holds them any more  (%.1f s)\n", r->seconds);
}

int cmd_forget(struct cli *cli)
{
    const struct args *args = cli->args;
    struct progress progress = {.cli = cli};
    struct br_error err = {0};
    struct br_forget_report r = {0};
    const struct br_forget_options options = {.user = args->text[OPT_USER],
                                              .message = args->text[OPT_MESSAGE],
                                              .channel = args->text[OPT_CHANNEL],
                                              .before = args->text[OPT_FORGET_BEFORE],
                                              .upkeep = upkeep_options(&progress)};
    if (!!options.user + !!options.message + !!options.channel + !!options.before != 1)
        return cli_fail(BR_STATUS_USAGE, "forget: say what with exactly one of --user, --message, --channel and --before");
    int status = br_forget(cli->home, args->text[OPT_WORKSPACE], &options, &r, &err);
    progress_clear(&progress);
    if (status)
        return failed(&err);
    if (cli->json)
        json_print(cli,
                   json_pack("{ss so so so sf}", "workspace", r.workspace, "messages", json_count(r.messages), "documents",
                             json_count(r.documents), "reactions", json_count(r.reactions), "seconds", r.seconds),
                   false);
    else if (!cli->quiet)
        forget_text(cli, &r);
    return 0;
}

/* ---- compact ---- */

int cmd_compact(struct cli *cli)
{
    char a[32], b[32];
    struct progress progress = {.cli = cli};
    struct br_error err = {0};
    struct br_compact_report r = {0};
    const struct br_upkeep_options options = upkeep_options(&progress);
    int status = br_compact(cli->home, cli->args->text[OPT_WORKSPACE], &options, &r, &err);
    progress_clear(&progress);
    if (status)
        return failed(&err);
    if (cli->json)
        json_print(cli,
                   json_pack("{ss s{so so} sf}", "workspace", r.workspace, "bytes", "before", json_count(r.bytes_before), "after",
                             json_count(r.bytes_after), "seconds", r.seconds),
                   false);
    else if (!cli->quiet)
        fprintf(cli->out.file, "Compacted: %s before, %s now  (%.1f s)\n", format_bytes(r.bytes_before, a),
                format_bytes(r.bytes_after, b), r.seconds);
    return 0;
}
