/* cmd_digest.c - activity, digest: who wrote where and how much, and what went on in a week. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { ROWS_DEFAULT = 20, EACH_DEFAULT = 5 };

static int bounds(const char *after, const char *before, int64_t *from, int64_t *to)
{
    struct br_error err = {0};
    return br_parse_bounds(after, before, from, to, &err) ? cli_fail_with(&err) : 0;
}

static json_t *json_time(int64_t ts)
{
    char buf[32];
    return ts ? json_string(format_ts(ts, buf)) : json_null();
}

static json_t *json_activity(const struct br_activity *a, enum br_activity_by by)
{
    json_t *j = json_pack("{so so so so so}", "id", json_text(a->id), "name", json_text(a->name), "messages", json_count(a->messages), "threads",
                          json_count(a->threads), "reactions", json_count(a->reactions));
    json_object_set_new(j, by == BR_ACTIVITY_BY_USER ? "channels" : "people", json_count(a->spread));
    json_object_set_new(j, "first_ts", json_time(a->first_ts));
    json_object_set_new(j, "last_ts", json_time(a->last_ts));
    return j;
}

static json_t *json_activities(const struct br_activities *a, enum br_activity_by by)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->count; i++)
        json_array_append_new(list, json_activity(&a->items[i], by));
    return list;
}

static void text_activities(const struct cli *cli, const struct br_activities *a, enum br_activity_by by)
{
    char n[32], t[32], r[32], s[32];
    FILE *f = cli->out.file;
    fprintf(f, "%10s %8s %10s %9s  %s\n", "messages", "threads", "reactions", by == BR_ACTIVITY_BY_USER ? "channels" : "people",
            by == BR_ACTIVITY_BY_USER ? "who" : "channel");
    for (size_t i = 0; i < a->count; i++) {
        const struct br_activity *x = &a->items[i];
        fprintf(f, "%10s %8s %10s %9s  ", format_count(x->messages, n), format_count(x->threads, t), format_count(x->reactions, r),
                format_count(x->spread, s));
        const char *label = channel_label(x->name, x->id);
        term_puts(f, label);
        if (strcmp(label, x->id) != 0) {
            fputs(" (", f);
            term_puts(f, x->id);
            putc(')', f);
        }
        putc('\n', f);
    }
}

int cmd_activity(struct cli *cli)
{
    const struct args *a = cli->args;
    struct br_error err = {0};
    struct br_activities list = {0};
    int64_t after, before;
    const char *by_name = a->text[OPT_BY];
    enum br_activity_by by = by_name && strcmp(by_name, "channel") == 0 ? BR_ACTIVITY_BY_CHANNEL : BR_ACTIVITY_BY_USER;
    int status = bounds(a->text[OPT_AFTER], a->text[OPT_BEFORE], &after, &before);
    if (!status)
        status = cli_open_workspace(cli);
    if (!status && br_activity(cli->ws, by, a->text[OPT_IN_ONE], after, before, a->given[OPT_PAGE] ? (size_t)a->number[OPT_PAGE] : ROWS_DEFAULT,
                               &list, &err))
        status = cli_fail_with(&err);
    if (status && status != BR_STATUS_NOT_FOUND)
        return status;
    if (cli->json)
        json_print(cli, json_pack("{ss so}", "by", by == BR_ACTIVITY_BY_USER ? "user" : "channel", "activity", json_activities(&list, by)), false);
    else if (cli->jsonl)
        for (size_t i = 0; i < list.count; i++)
            json_print(cli, json_activity(&list.items[i], by), true);
    else if (list.count)
        text_activities(cli, &list, by);
    if (!status && !list.count)
        status = cli_fail(BR_STATUS_NOT_FOUND, "no messages there: try other --after and --before, or `backread status`");
    br_activities_free(&list);
    return status;
}

/* ---- digest ---- */

static json_t *json_digest(const struct br_digest *d)
{
    json_t *threads = json_array(), *created = json_array(), *top = json_array();
    for (size_t i = 0; i < d->top.count; i++)
        json_array_append_new(top, json_message(&d->top.items[i]));
    for (size_t i = 0; i < d->busiest_threads.count; i++) {
        json_t *m = json_message(&d->busiest_threads.items[i]);
        json_object_set_new(m, "replies_in_period", json_count(d->thread_replies[i]));
        json_array_append_new(threads, m);
    }
    for (size_t i = 0; i < d->n_new_channels; i++)
        json_array_append_new(created, json_pack("{so so so}", "id", json_text(d->new_channels[i].id), "name", json_text(d->new_channels[i].name),
                                                 "created", json_time(d->new_channels[i].created)));
    return json_pack("{so so so s{so so so so} so so so so so}", "week", d->week[0] ? json_string(d->week) : json_null(), "from",
                     json_time(d->from), "to", json_time(d->to), "totals", "messages", json_count(d->messages), "people", json_count(d->people),
                     "threads", json_count(d->threads), "reactions", json_count(d->reactions), "most_reacted", top, "busiest_threads", threads,
                     "new_channels", created, "users", json_activities(&d->users, BR_ACTIVITY_BY_USER), "channels",
                     json_activities(&d->channels, BR_ACTIVITY_BY_CHANNEL));
}

static void heading(const struct cli *cli, const char *text)
{
    fprintf(cli->out.file, "\n%s%s%s\n", term_style(&cli->out, STYLE_NAME), text, term_style(&cli->out, STYLE_NONE));
}

static void text_totals(const struct cli *cli, const struct br_digest *d)
{
    char from[32], to[32], n[32], p[32], t[32], r[32];
    fprintf(cli->out.file, "%s%s%s to %s: %s message%s by %s people, %s thread%s, %s reaction%s\n", d->week, d->week[0] ? ", " : "",
            d->from ? format_day(d->from, from) : "the beginning", d->to ? format_day(d->to - 1, to) : "now", format_count(d->messages, n),
            plural(d->messages), format_count(d->people, p), format_count(d->threads, t), plural(d->threads), format_count(d->reactions, r),
            plural(d->reactions));
}

static void text_digest(const struct cli *cli, const struct br_digest *d)
{
    text_totals(cli, d);
    if (d->top.count) {
        heading(cli, "Most reacted");
        text_messages(cli, &d->top, 0, true);
    }
    if (d->busiest_threads.count) {
        heading(cli, "Busiest threads");
        text_messages(cli, &d->busiest_threads, 0, true);
    }
    if (d->n_new_channels)
        heading(cli, "New channels");
    for (size_t i = 0; i < d->n_new_channels; i++) {
        char day[32];
        fprintf(cli->out.file, "%s  #", format_day(d->new_channels[i].created, day));
        term_puts(cli->out.file, d->new_channels[i].name);
        putc('\n', cli->out.file);
    }
    if (d->users.count) {
        heading(cli, "Most active people");
        text_activities(cli, &d->users, BR_ACTIVITY_BY_USER);
        heading(cli, "Most active channels");
        text_activities(cli, &d->channels, BR_ACTIVITY_BY_CHANNEL);
    }
}

static bool is_week(const char *s)
{
    return strlen(s) == 8 && s[4] == '-' && (s[5] == 'W' || s[5] == 'w');
}

/* A week is what is neither before it nor after it. */
static int period(const struct args *a, int64_t *after, int64_t *before)
{
    const char *week = a->text[OPT_WEEK];
    int64_t none;
    if (!week)
        return bounds(a->text[OPT_AFTER], a->text[OPT_BEFORE], after, before);
    if (a->text[OPT_AFTER] || a->text[OPT_BEFORE])
        return cli_fail(BR_STATUS_USAGE, "--week and --after, --before exclude each other: give one of them");
    struct br_error err = {0};
    if (!is_week(week) || br_parse_bounds(week, NULL, before, &none, &err) || br_parse_bounds(NULL, week, &none, after, &err))
        return cli_fail(BR_STATUS_USAGE, "--week '%s' is no week: give one as in 2024-W05", week);
    *before += 1; /* exclusive both */
    *after -= 1;
    return 0;
}

int cmd_digest(struct cli *cli)
{
    const struct args *a = cli->args;
    struct br_error err = {0};
    struct br_digest d = {0};
    int64_t after, before;
    int status = period(a, &after, &before);
    if (!status)
        status = cli_open_workspace(cli);
    if (!status && br_digest(cli->ws, after, before, a->given[OPT_EACH] ? (size_t)a->number[OPT_EACH] : EACH_DEFAULT, &d, &err))
        status = cli_fail_with(&err);
    if (status && status != BR_STATUS_NOT_FOUND)
        return status;
    if (cli->json)
        json_print(cli, json_digest(&d), false);
    else if (!status)
        text_digest(cli, &d);
    if (!status && !d.messages && !d.n_new_channels)
        status = cli_fail(BR_STATUS_NOT_FOUND, "nothing was said there: try another --week, or `backread status`");
    br_digest_free(&d);
    return status;
}
