/* cmd_reembed.c - reembed: a workspace moves to the model in use. */
#include "cli.h"

static void on_progress(void *ctx, const struct br_import_progress *now)
{
    progress_update(ctx, now);
}

static void reembed_text(const struct cli *cli, const struct br_reembed_report *r)
{
    FILE *f = cli->out.file;
    char a[32], b[32], c[32];
    if (r->already) {
        fputs(r->discarded ? "A stopped move to another model is given up: the workspace has the vectors of "
                           : "Nothing to do: the workspace has the vectors of ",
              f);
        term_puts(f, r->model);
        fputs(r->stopped ? ".\nA move to another model was begun and stopped: it goes on when that model is named; --discard gives it up.\n" : "\n", f);
        return;
    }
    fprintf(f, "Moved %s document%s to ", format_count(r->documents, a), plural(r->documents));
    term_puts(f, r->model);
    fprintf(f, " (%u numbers a text): %s text%s embedded", r->dimension, format_count(r->embedded, b), plural(r->embedded));
    if (r->kept)
        fprintf(f, ", %s kept from an earlier run", format_count(r->kept, c));
    fprintf(f, "  (%.1f s)\n", r->seconds);
}

int cmd_reembed(struct cli *cli)
{
    struct progress progress = {.cli = cli};
    struct br_error err = {0};
    struct br_reembed_report r = {0};
    const struct br_upkeep_options options = {.ctx = &progress, .progress = on_progress, .stop = &cli_stop_signal, .discard = cli->args->given[OPT_DISCARD]};
    cli_catch_signals();
    int status = br_reembed(cli->home, cli->args->text[OPT_WORKSPACE], &options, &r, &err);
    progress_clear(&progress);
    if (status) {
        status = cli_fail_with(&err);
        return cli_stop_signal ? 128 + cli_stop_signal : status;
    }
    if (cli->json)
        json_print(cli,
                   json_pack("{ss so ss ss si sb sb sb so so so sf}", "workspace", r.workspace, "model", json_text(r.model), "sha256", r.model_id,
                             "previous_sha256", r.previous_id, "dimension", (int)r.dimension, "already", r.already, "stopped", r.stopped, "discarded",
                             r.discarded, "documents",
                             json_count(r.documents), "embedded", json_count(r.embedded), "kept", json_count(r.kept), "seconds",
                             r.seconds),
                   false);
    else if (!cli->quiet)
        reembed_text(cli, &r);
    return 0;
}
