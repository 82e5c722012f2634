/* cmd_import.c - import: runs the importer over each PATH, shows how far it is, and reports what came of it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const struct {
    const char *code, *text;
} WARNING_TEXTS[] = {
    {"unknown_user", "people who wrote or reacted but are not in users.json; their ids stand in for names"},
    {"orphan_reply", "replies whose first message is not in the archive; kept as a thread"},
    {"missing_ts", "messages without a time; left out"},
    {"bad_ts", "impossible times; a message without a possible one of its own was left out"},
    {"not_a_message", "entries that are no message; left out"},
    {"not_a_message_file", "JSON files in channel folders that hold no messages; left out"},
    {"file_tombstone", "attached files that were deleted in Slack"},
    {"file_hidden_by_limit", "attached files that Slack's plan hid from the export"},
    {"message_hidden_by_limit", "messages that Slack's plan hid from the export"},
    {"duplicate_message", "messages found more than once; one of each was kept"},
    {"folder_without_channel", "folders that no channel list mentions; kept as channels"},
    {"folder_renamed", "folders named differently from their channel; matched"},
    {"lone_surrogate", "texts with half a character; the half was replaced"},
    {"nul_in_text", "texts with a NUL character; it was removed"},
    {"invalid_utf8", "texts with invalid UTF-8; the bytes were replaced"},
    {"wrong_type", "fields of an unexpected type; passed over"},
    {"bad_user", "users that could not be read; left out"},
    {"bad_json", "files that are no valid JSON; what could be read was kept"},
    {"deep_json", "files with entries nested too deeply to be read; those were left out"},
    {"unknown_subtype", "messages of a kind unknown to this version; kept as plain messages"},
    {"reaction_count_mismatch", "reactions whose count differs from their list of users"},
    {"ignored_entry", "files in the archive that are not needed; passed over"},
    {"name_cp437", "file names in an old encoding; converted"},
    {"bom", "files that begin with a byte-order mark; it was skipped"},
    {"channel_without_folder", "channels without any messages in the archive"},
    {"text_truncated", "messages too long to be kept whole; cut"},
    {"reply_count_mismatch", "threads with fewer or more replies than they claim"},
    {"crc_mismatch", "entries whose checksum is wrong: the archive may be damaged"},
    {"symlink_entry", "symbolic links in the archive; never followed"},
    {"unsupported_method", "entries packed in a way that cannot be read; left out"},
    {"duplicate_channel_name", "channels that share a name; told apart by their ids"},
    {"unmapped_row", "rows of the old database that could not be taken over"},
    {"unmapped_table", "rows in tables of the old database that are not taken over"},
    {"unmapped_column", "columns of the old database that are not taken over"},
    {"secret_redacted", "tokens and passwords in the archive; not stored"},
};

struct import {
    struct cli *cli;
    struct progress progress;
    struct br_import_report sum, *items; /* items: one per workspace of each PATH */
    size_t count;
    bool failed;
};

static void on_progress(void *ctx, const struct br_import_progress *now)
{
    struct import *im = ctx;
    progress_update(&im->progress, now);
}

static void on_warning(void *ctx, const char *code, const char *where)
{
    struct import *im = ctx;
    if (!im->cli->verbose || im->cli->quiet)
        return;
    progress_clear(&im->progress);
    cli_note(im->cli, "warning: %s: %s", code, where ? where : "");
}

static void add_warning(struct br_import_report *sum, const char *code, uint64_t count)
{
    size_t i = 0;
    while (i < sum->n_warnings && strcmp(sum->warnings[i].code, code) != 0)
        i++;
    if (i == BR_IMPORT_WARNINGS_MAX)
        return;
    if (i == sum->n_warnings) {
        sum->warnings[i].code = code;
        sum->warnings[i].count = 0;
        sum->n_warnings++;
    }
    sum->warnings[i].count += count;
}

static int add_reports(struct import *im, const struct br_import_reports *r)
{
    struct br_import_report *sum = &im->sum;
    struct br_import_report *items = realloc(im->items, (im->count + r->count + 1) * sizeof(*items));
    if (!items)
        return cli_fail(BR_STATUS_IO, "out of memory while reporting: what was read is stored");
    im->items = items;
    if (r->count)
        memcpy(items + im->count, r->items, r->count * sizeof(*items));
    if (im->count == 0) {
        memcpy(sum->workspace, r->sum.workspace, sizeof(sum->workspace));
        memcpy(sum->name, r->sum.name, sizeof(sum->name));
    }
    im->count += r->count;
    sum->messages_seen += r->sum.messages_seen;
    sum->messages_new += r->sum.messages_new;
    sum->messages_updated += r->sum.messages_updated;
    sum->messages_unchanged += r->sum.messages_unchanged;
    sum->messages_deleted += r->sum.messages_deleted;
    sum->users += r->sum.users;
    sum->channels += r->sum.channels;
    sum->threads += r->sum.threads;
    sum->replies += r->sum.replies;
    sum->reactions += r->sum.reactions;
    sum->files += r->sum.files;
    sum->documents += r->sum.documents;
    sum->embedded += r->sum.embedded;
    sum->seconds += r->sum.seconds;
    for (size_t i = 0; i < r->sum.n_warnings; i++)
        add_warning(sum, r->sum.warnings[i].code, r->sum.warnings[i].count);
    return 0;
}

/* ---- The report ---- */

static double rate_of(const struct br_import_report *r)
{
    return r->seconds > 0 ? (double)r->messages_seen / r->seconds : 0;
}

static json_t *report_json(const struct br_import_report *r)
{
    json_t *warnings = json_object();
    for (size_t i = 0; i < r->n_warnings; i++)
        json_object_set_new(warnings, r->warnings[i].code, json_count(r->warnings[i].count));
    return json_pack("{so so sb s{so so so so so} so so so so so so so so so sf sf}", "workspace",
                     json_text(r->workspace), "name", json_text(r->name), "dry_run", r->dry_run, "messages", "seen",
                     json_count(r->messages_seen), "new", json_count(r->messages_new), "updated",
                     json_count(r->messages_updated), "unchanged", json_count(r->messages_unchanged), "deleted",
                     json_count(r->messages_deleted), "users", json_count(r->users), "channels",
                     json_count(r->channels), "threads", json_count(r->threads), "replies", json_count(r->replies),
                     "reactions", json_count(r->reactions), "files", json_count(r->files), "documents",
                     json_count(r->documents), "embedded", json_count(r->embedded), "warnings", warnings, "seconds",
                     r->seconds, "messages_per_second", rate_of(r));
}

static json_t *import_json(const struct import *im)
{
    json_t *document = report_json(&im->sum);
    if (im->count > 1) {
        json_t *list = json_array();
        for (size_t i = 0; i < im->count; i++)
            json_array_append_new(list, report_json(&im->items[i]));
        json_object_set_new(document, "workspaces", list);
    }
    return document;
}

/* Messages of the archive that were forgotten or deleted here before, and stay so. */
static uint64_t gone_before(const struct br_import_report *r)
{
    uint64_t told = r->messages_new + r->messages_updated + r->messages_deleted + r->messages_unchanged;
    for (size_t i = 0; i < r->n_warnings; i++)
        if (strcmp(r->warnings[i].code, "duplicate_message") == 0)
            told += r->warnings[i].count;
    return r->messages_seen > told ? r->messages_seen - told : 0;
}

static void put_outcome(FILE *f, const struct br_import_report *r)
{
    char a[32], b[32], c[32], d[32], e[32];
    const char *name = *r->name ? r->name : r->workspace;
    bool nothing = !r->messages_new && !r->messages_updated && !r->messages_deleted;
    uint64_t gone = gone_before(r);
    if (nothing && r->messages_seen && !r->dry_run) {
        fputs("Nothing new for ", f);
        term_puts(f, name);
        if (gone)
            fprintf(f, ": %s message%s of it %s here already", format_count(r->messages_unchanged, a), plural(r->messages_unchanged),
                    r->messages_unchanged == 1 ? "is" : "are");
        else
            fprintf(f, ": %s%s message%s of it %s here already", r->messages_seen == 1 ? "the " : "all ", format_count(r->messages_seen, a),
                    plural(r->messages_seen), r->messages_seen == 1 ? "is" : "are");
    } else {
        fputs(r->dry_run ? "Would import into " : "Imported into ", f);
        term_puts(f, name);
        fprintf(f, ": %s message%s: %s new, %s changed, %s deleted, %s as before", format_count(r->messages_seen, a),
                plural(r->messages_seen), format_count(r->messages_new, b), format_count(r->messages_updated, c),
                format_count(r->messages_deleted, d), format_count(r->messages_unchanged, e));
    }
    if (gone)
        fprintf(f, "%s %s that %s forgotten or deleted here stay%s out", nothing && !r->dry_run ? ";" : ",", format_count(gone, a),
                gone == 1 ? "was" : "were", gone == 1 ? "s" : "");
    putc('\n', f);
    fprintf(f, "  %s user%s, %s channel%s, %s thread%s", format_count(r->users, a), plural(r->users),
            format_count(r->channels, b), plural(r->channels), format_count(r->threads, c), plural(r->threads));
    fprintf(f, ", %s reaction%s, %s file%s, %s document%s to search\n", format_count(r->reactions, a),
            plural(r->reactions), format_count(r->files, b), plural(r->files), format_count(r->documents, c),
            plural(r->documents));
}

static const char *warning_text(const char *code)
{
    for (size_t i = 0; i < sizeof(WARNING_TEXTS) / sizeof(WARNING_TEXTS[0]); i++)
        if (strcmp(WARNING_TEXTS[i].code, code) == 0)
            return WARNING_TEXTS[i].text;
    return "";
}

static void import_text(const struct import *im)
{
    FILE *f = im->cli->out.file;
    char a[32];
    for (size_t i = 0; i < im->count; i++)
        put_outcome(f, &im->items[i]);
    fprintf(f, "  %.1f s, %s message%s/s\n", im->sum.seconds, format_count((uint64_t)rate_of(&im->sum), a),
            plural((uint64_t)rate_of(&im->sum)));
    if (im->sum.n_warnings)
        fprintf(f, "Worth knowing%s:\n", im->cli->verbose ? "" : " (-v shows the places)");
    for (size_t i = 0; i < im->sum.n_warnings; i++)
        fprintf(f, "  %6s %s: %s\n", format_count(im->sum.warnings[i].count, a), im->sum.warnings[i].code,
                warning_text(im->sum.warnings[i].code));
    fflush(f);
    if (im->sum.messages_seen && !im->sum.dry_run && !im->failed)
        cli_note(im->cli, "Next: backread search \"what you remember of it\"");
}

static int stopped(const struct import *im, const char *path)
{
    cli_fail(0, "stopped at %s: %s", path,
             im->sum.dry_run ? "nothing was stored, this was a dry run"
                             : "what is stored stays; the same command again goes on from there");
    return 128 + cli_stop_signal;
}

static int import_path(struct import *im, const char *path)
{
    struct br_error err = {0};
    struct br_import_reports reports = {0};
    const struct br_import_options options = {
        .name = im->cli->args->text[OPT_NAME],
        .dry_run = im->sum.dry_run,
        .ctx = im,
        .progress = on_progress,
        .warning = on_warning,
        .stop = &cli_stop_signal,
    };
    im->progress.last_plain = 0;
    int status = br_import(im->cli->home, path, &options, &reports, &err);
    progress_clear(&im->progress);
    int reported = add_reports(im, &reports);
    br_import_reports_free(&reports);
    if (status && cli_stop_signal)
        return stopped(im, path);
    return status ? cli_fail_with(&err) : reported;
}

int cmd_import(struct cli *cli)
{
    const struct arg_list *paths = &cli->args->operands;
    struct import im = {.cli = cli, .progress = {.cli = cli}, .sum = {.dry_run = cli->args->given[OPT_DRY_RUN]}};
    int status = 0;
    cli_catch_signals();
    for (size_t i = 0; i < paths->count && !status; i++)
        status = cli_stop_signal ? stopped(&im, paths->items[i]) : import_path(&im, paths->items[i]);
    im.failed = status != 0;
    bool report = !status || im.count; /* what was stored before a failure, too */
    if (report && cli->json)
        json_print(cli, import_json(&im), false);
    else if (report && !cli->quiet)
        import_text(&im);
    free(im.items);
    return status;
}
