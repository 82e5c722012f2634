/* cmd_backup.c - backup, restore, migrate: a workspace to one file and back, and from the database of the earlier design. */
#include <stdlib.h>
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

/* ---- migrate ---- */

static json_t *migrate_json(const struct br_migrate_report *r, const char *path)
{
    const struct br_import_report *i = &r->import;
    json_t *warnings = json_object(), *places = json_array();
    for (size_t w = 0; w < i->n_warnings; w++)
        json_object_set_new(warnings, i->warnings[w].code, json_count(i->warnings[w].count));
    for (size_t p = 0; p < r->n_places; p++)
        json_array_append_new(places, json_text(r->places[p]));
    return json_pack("{so so so so so so so so so so so so so so so so sf so}", "workspace", json_text(i->workspace), "name",
                     json_text(i->name), "file", json_text(path), "messages", json_count(i->messages_seen), "new",
                     json_count(i->messages_new), "updated", json_count(i->messages_updated), "unchanged",
                     json_count(i->messages_unchanged), "users", json_count(i->users), "channels", json_count(i->channels), "threads",
                     json_count(i->threads), "reactions", json_count(i->reactions), "documents", json_count(i->documents), "backup",
                     *r->backup ? json_text(r->backup) : json_null(), "verified", json_true(), "unmapped", json_count(r->unmapped),
                     "unmapped_places", places, "seconds", i->seconds, "warnings", warnings);
}

static void migrate_text(const struct cli *cli, const struct br_migrate_report *r, const char *path)
{
    const struct br_import_report *i = &r->import;
    FILE *f = cli->out.file;
    char a[32], b[32], c[32];
    fputs("Migrated ", f);
    term_puts(f, path);
    fputs(" into ", f);
    term_puts(f, *i->name ? i->name : i->workspace);
    fprintf(f, ": %s message%s (%s new, %s changed), ", format_count(i->messages_seen, a), plural(i->messages_seen),
            format_count(i->messages_new, b), format_count(i->messages_updated, c));
    fprintf(f, "%s user%s, %s channel%s; verified\n", format_count(i->users, a), plural(i->users), format_count(i->channels, b),
            plural(i->channels));
    if (*r->backup) {
        fputs("  backed up before, to ", f);
        term_puts(f, r->backup);
        putc('\n', f);
    }
    if (r->unmapped || r->n_places)
        fprintf(f, "  left behind: %s row%s%s\n", format_count(r->unmapped, a), plural(r->unmapped), r->n_places ? ", namely" : "");
    for (size_t p = 0; p < r->n_places && p < 10; p++) {
        fputs("    ", f);
        term_puts(f, r->places[p]);
        putc('\n', f);
    }
    if (r->n_places > 10)
        fputs("    and more: -v names them all\n", f);
}

struct migration {
    struct cli *cli;
    struct progress progress;
};

static void on_migrate_progress(void *ctx, const struct br_import_progress *now)
{
    struct migration *m = ctx;
    progress_update(&m->progress, now);
}

static void on_migrate_warning(void *ctx, const char *code, const char *where)
{
    struct migration *m = ctx;
    if (!m->cli->verbose || m->cli->quiet)
        return;
    progress_clear(&m->progress);
    cli_note(m->cli, "warning: %s: %s", code, where);
}

int cmd_migrate(struct cli *cli)
{
    struct br_error err = {0};
    struct migration m = {.cli = cli, .progress = {.cli = cli}};
    const char *path = cli->args->operands.items[0];
    const struct br_import_options options = {.name = cli->args->text[OPT_NAME],
                                              .ctx = &m,
                                              .progress = on_migrate_progress,
                                              .warning = on_migrate_warning,
                                              .stop = &cli_stop_signal};
    struct br_migrate_report *r = calloc(1, sizeof *r);
    if (!r)
        return cli_fail(BR_STATUS_IO, "out of memory");
    cli_catch_signals();
    int status = br_migrate(cli->home, path, cli->args->text[OPT_WORKSPACE], &options, r, &err);
    progress_clear(&m.progress);
    if (status)
        status = failed(&err);
    else if (cli->json)
        json_print(cli, migrate_json(r, path), false);
    else if (!cli->quiet)
        migrate_text(cli, r, path);
    free(r);
    return status;
}
