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
    fputs("Backups made before still hold them: delete those yourself", cli->out.file);
    if (r->backups) {
        fprintf(cli->out.file, "; %s of this workspace %s in ", format_count(r->backups, a), r->backups == 1 ? "is" : "are");
        term_puts(cli->out.file, br_home_path(cli->home));
        fputs("/backups", cli->out.file);
    }
    fputc('\n', cli->out.file);
}

static json_t *forget_json(const struct br_forget_report *r)
{
    return json_pack("{ss? so so so so sf}", "workspace", *r->workspace ? r->workspace : NULL, "messages", json_count(r->messages), "documents",
                     json_count(r->documents), "reactions", json_count(r->reactions), "backups", json_count(r->backups), "seconds", r->seconds);
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
        return cli_fail(BR_STATUS_USAGE,
                        "forget: say what with exactly one of --user, --message, --channel and --before");
    int status = br_forget(cli->home, args->text[OPT_WORKSPACE], &options, &r, &err);
    progress_clear(&progress);
    if (cli->json && (!status || status == BR_STATUS_NOT_FOUND)) /* nothing forgotten is still one document */
        json_print(cli, forget_json(&r), false);
    if (status)
        return failed(&err);
    if (cli->json)
        return 0;
    if (!cli->quiet)
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
                   json_pack("{ss s{so so} sf}", "workspace", r.workspace, "bytes", "before",
                             json_count(r.bytes_before), "after", json_count(r.bytes_after), "seconds", r.seconds),
                   false);
    else if (!cli->quiet)
        fprintf(cli->out.file, "Compacted: %s before, %s now  (%.1f s)\n", format_bytes(r.bytes_before, a),
                format_bytes(r.bytes_after, b), r.seconds);
    return 0;
}

/* ---- repair ---- */

enum { LOST_SHOWN = 20 }; /* so that what was mended stays on the screen */

static json_t *repair_json(const struct br_repair_report *r)
{
    json_t *lost = json_array();
    for (size_t i = 0; i < r->n_lost; i++) {
        char ts[32];
        json_array_append_new(
            lost, json_pack("{ss ss}", "channel", r->lost[i].channel_id, "ts", format_ts(r->lost[i].ts, ts)));
    }
    return json_pack("{ss sb s{sb sb sb sb sb sb sb} s{so so so so so so} s{so so so so} ss? sf}", "workspace",
                     r->workspace, "ok", r->ok, "rebuilt", "registry", r->registry, "metadata", r->metadata, "content",
                     r->content, "vectors", r->vectors, "graph", r->graph, "words", r->words, "journal", r->journal, "restored", "texts",
                     json_count(r->texts_rendered), "vectors", json_count(r->vectors_embedded), "messages",
                     json_count(r->messages), "users", json_count(r->users), "channels", json_count(r->channels),
                     "deletions", json_count(r->deletions), "lost", "texts", json_count(r->texts_lost), "raw_forms",
                     json_count(r->raws_lost), "records", json_count(r->records_damaged), "messages", lost, "problem",
                     *r->problem ? r->problem : NULL, "seconds", r->seconds);
}

static void repair_text(const struct cli *cli, const struct br_repair_report *r)
{
    FILE *f = cli->out.file;
    char a[32], b[32], c[32];
    const struct {
        bool was;
        const char *text;
    } made[] = {{r->registry, "registry.db"}, {r->metadata, "metadata.db"}, {r->content, "the content log"},
                {r->vectors, "the vectors"},  {r->graph, "the graph"},      {r->words, "the keyword index"},
                {r->journal, "the journal"}};
    const char *separator = "Mended: ";
    for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
        if (made[i].was) {
            fprintf(f, "%s%s", separator, made[i].text);
            separator = ", ";
        }
    fputs(*separator == 'M' ? "Nothing was damaged\n" : "\n", f);
    if (r->metadata) {
        fprintf(f,
                "  metadata.db was made anew from the content log: %s message%s; %s user%s and %s channel%s were still "
                "known\n",
                format_count(r->messages, a), plural(r->messages), format_count(r->users, b), plural(r->users),
                format_count(r->channels, c), plural(r->channels));
        fputs("  the damaged one is kept as metadata.db.damaged (until the next forget); deletions that could not be "
              "read from it are undone, names that\n"
              "  could not be read are ids until the next import\n",
              f);
    }
    if (r->texts_rendered || r->vectors_embedded)
        fprintf(f, "  made again: %s text%s, %s vector%s\n", format_count(r->texts_rendered, a),
                plural(r->texts_rendered), format_count(r->vectors_embedded, b), plural(r->vectors_embedded));
    if (r->texts_lost || r->raws_lost || r->records_damaged)
        fprintf(f,
                "  LOST: %s text%s, %s original%s, %s unreadable record%s; importing the archive they came from brings "
                "them back\n",
                format_count(r->texts_lost, a), plural(r->texts_lost), format_count(r->raws_lost, b),
                plural(r->raws_lost), format_count(r->records_damaged, c), plural(r->records_damaged));
    size_t shown = cli->verbose || r->n_lost <= LOST_SHOWN ? r->n_lost : LOST_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        fputs("    without text: ", f);
        term_puts(f, r->lost[i].channel_id);
        fprintf(f, ":%s\n", format_ts(r->lost[i].ts, a));
    }
    if (shown < r->n_lost)
        fprintf(f, "    and %s more, which -v and --json name\n", format_count(r->n_lost - shown, a));
}

int cmd_repair(struct cli *cli)
{
    struct progress progress = {.cli = cli};
    struct br_error err = {0};
    struct br_repair_report r = {0};
    const struct br_upkeep_options options = upkeep_options(&progress);
    int status = br_repair(cli->home, cli->args->text[OPT_WORKSPACE], &options, &r, &err);
    progress_clear(&progress);
    if (status)
        return failed(&err);
    if (cli->json)
        json_print(cli, repair_json(&r), false);
    else if (!cli->quiet)
        repair_text(cli, &r);
    if (!r.ok)
        status = cli_fail(BR_STATUS_DAMAGED,
                          "still damaged: %s: restore a backup, or import the archives into a new home", r.problem);
    br_repair_report_free(&r);
    return status;
}
