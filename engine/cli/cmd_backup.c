/* cmd_backup.c - backup, restore: a workspace to one file and back. */
#include <time.h>

#include "cli.h"

static void on_progress(void *ctx, const struct br_import_progress *now)
{
    progress_update(ctx, now);
}

static int failed(const struct br_error *err)
{
    int status = cli_fail_with(err);
    return cli_stop_signal ? 128 + cli_stop_signal : status;
}

static const char *time_of(int64_t us, char buf[32])
{
    time_t t = (time_t)(us / 1000000);
    struct tm tm;
    if (!gmtime_r(&t, &tm) || !strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
        buf[0] = '\0';
    return buf;
}

static json_t *report_json(const struct br_backup_report *r, const char *path)
{
    char when[32];
    return json_pack("{so so so so so so s{so so so so} so sf}", "workspace", json_text(r->workspace), "name", json_text(r->name),
                     "file", json_text(path), "file_bytes", json_count(r->bytes_file), "generation", json_count(r->generation),
                     "created_at", json_text(time_of(r->created_at, when)), "bytes", "metadata", json_count(r->bytes_metadata),
                     "content", json_count(r->bytes_content), "vectors", json_count(r->bytes_vectors), "total",
                     json_count(r->bytes_metadata + r->bytes_content + r->bytes_vectors), "verified", json_true(), "seconds",
                     r->seconds);
}

static void print_report(const struct cli *cli, const struct br_backup_report *r, const char *path, const char *done, const char *where)
{
    FILE *f = cli->out.file;
    char a[32], b[32], when[32];
    fputs(done, f);
    term_puts(f, *r->name ? r->name : r->workspace);
    fputs(where, f);
    term_puts(f, path);
    fprintf(f, ": %s in %s, of %s, verified; %.1f s\n", format_bytes(r->bytes_metadata + r->bytes_content + r->bytes_vectors, a),
            format_bytes(r->bytes_file, b), time_of(r->created_at, when), r->seconds);
}

static int report(const struct cli *cli, const struct br_backup_report *r, const char *done, const char *where)
{
    const char *path = cli->args->operands.items[0];
    if (cli->json)
        json_print(cli, report_json(r, path), false);
    else if (!cli->quiet)
        print_report(cli, r, path, done, where);
    return 0;
}

int cmd_backup(struct cli *cli)
{
    struct br_error err = {0};
    struct br_backup_report r = {0};
    struct progress progress = {.cli = cli};
    const struct br_progress_options options = {.ctx = &progress, .progress = on_progress, .stop = &cli_stop_signal};
    cli_catch_signals();
    int status = br_backup(cli->home, cli->args->text[OPT_WORKSPACE], cli->args->operands.items[0], &options, &r, &err);
    progress_clear(&progress);
    return status ? failed(&err) : report(cli, &r, "Backed up ", " to ");
}

int cmd_restore(struct cli *cli)
{
    struct br_error err = {0};
    struct br_backup_report r = {0};
    struct progress progress = {.cli = cli};
    const struct br_progress_options options = {.ctx = &progress, .progress = on_progress, .stop = &cli_stop_signal};
    cli_catch_signals();
    int status = br_restore(cli->home, cli->args->operands.items[0], cli->args->text[OPT_NAME], &options, &r, &err);
    progress_clear(&progress);
    return status ? failed(&err) : report(cli, &r, "Restored ", " from ");
}
