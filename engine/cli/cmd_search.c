/* cmd_search.c - search: one question from the command line, or a file of them. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { TEXT_BYTES_MAX = 16384 }; /* what br_search takes */

static enum br_search_mode mode_of(const char *name)
{
    if (name && strcmp(name, "semantic") == 0)
        return BR_SEARCH_SEMANTIC;
    if (name && strcmp(name, "keyword") == 0)
        return BR_SEARCH_KEYWORD;
    return BR_SEARCH_HYBRID;
}

static struct br_search_options options_of(const struct args *a)
{
    return (struct br_search_options){
        .mode = mode_of(a->text[OPT_MODE]),
        .n = a->given[OPT_LIMIT] ? (size_t)a->number[OPT_LIMIT] : 0,
        .channels = a->list[OPT_IN_ANY].items,
        .n_channels = a->list[OPT_IN_ANY].count,
        .users = a->list[OPT_FROM].items,
        .n_users = a->list[OPT_FROM].count,
        .after = a->text[OPT_AFTER],
        .before = a->text[OPT_BEFORE],
        .has = a->list[OPT_HAS].items,
        .n_has = a->list[OPT_HAS].count,
        .with = a->list[OPT_WITH].items,
        .n_with = a->list[OPT_WITH].count,
        .is = a->list[OPT_IS].items,
        .n_is = a->list[OPT_IS].count,
        .min_reactions = a->given[OPT_MIN_REACTIONS] ? (uint64_t)a->number[OPT_MIN_REACTIONS] : 0,
        .me = a->text[OPT_ME],
        .cursor = a->text[OPT_CURSOR],
        .exact = a->given[OPT_EXACT],
        .explain = a->given[OPT_EXPLAIN],
    };
}

/* The words of the line, joined by spaces; for the caller to free. */
static char *join(const struct arg_list *words)
{
    size_t len = 1, n = 0;
    for (size_t i = 0; i < words->count; i++)
        len += strlen(words->items[i]) + 1;
    char *s = calloc(1, len);
    for (size_t i = 0; s && i < words->count; i++)
        n += (size_t)snprintf(s + n, len - n, "%s%s", i > 0 ? " " : "", words->items[i]);
    return s;
}

static void print_results(const struct cli *cli, const struct br_search_results *r)
{
    if (cli->json) {
        json_t *j = json_results(r);
        json_object_set_new(j, "next_cursor", json_text(r->next_cursor));
        json_print(cli, j, false);
    }
    if (cli->jsonl)
        for (size_t i = 0; i < r->count; i++)
            json_print(cli, json_hit(&r->hits[i]), true);
    if (cli->jsonl && r->explain)
        json_print(cli, json_pack("{so}", "explain", json_explain(r->explain)), true);
    if (!cli->json && !cli->jsonl && r->count)
        text_results(cli, r);
    if (!cli->json && !cli->jsonl && r->explain)
        text_explain(cli, r);
}

/* Nothing found is still one document. Returns status. */
static int json_of_nothing(const struct cli *cli, const char *query, enum br_search_mode mode, int status)
{
    if (status == BR_STATUS_NOT_FOUND && cli->json)
        json_print(cli,
                   json_pack("{so ss si sb s[] sn}", "query", json_text(query), "mode", search_mode_name(mode), "took_ms",
                             0, "exhaustive", 1, "hits", "next_cursor"),
                   false);
    return status;
}

/* By meaning, everything that meets the conditions is found. */
static int nothing_found(const char *query, enum br_search_mode mode)
{
    if (mode == BR_SEARCH_KEYWORD)
        return cli_fail(BR_STATUS_NOT_FOUND, "nothing found for '%s': try other words, fewer filters, or leave out --mode keyword", query);
    return cli_fail(BR_STATUS_NOT_FOUND, "nothing found for '%s': leave out a filter, phrase or excluded word, or see `backread status`", query);
}

/* What goes on behind a page of hits, if anything. */
static void tell_next(const struct cli *cli, const struct br_search_results *r)
{
    char n[32];
    if (r->next_cursor && !cli->json)
        cli_note(cli, "more: --cursor %s", r->next_cursor);
    else if (r->count && r->hits[r->count - 1].rank >= BR_SEARCH_N_MAX)
        cli_note(cli, "hits end at %s, and there may be more: ask a narrower question, such as one with before: or after:", format_count(BR_SEARCH_N_MAX, n));
}

static int search_once(struct cli *cli, const char *query)
{
    struct br_error err = {0};
    struct br_search_results r = {0};
    struct br_search_options options = options_of(cli->args);
    int status = cli_open_workspace(cli);
    if (status)
        return json_of_nothing(cli, query, options.mode, status);
    if (br_search(cli->ws, query, &options, &r, &err))
        return json_of_nothing(cli, query, options.mode, cli_fail_with(&err));
    print_results(cli, &r);
    tell_next(cli, &r);
    if (r.count == 0)
        status = nothing_found(query, options.mode);
    br_search_results_free(&r);
    return status;
}

/* A longer text means its beginning: the model reads 256 tokens of it anyway. Cut between characters. */
static void cut_text(char *text)
{
    size_t n = strlen(text);
    if (n <= TEXT_BYTES_MAX)
        return;
    n = TEXT_BYTES_MAX;
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    text[n] = '\0';
}

/* Questions that are asked together, and their answers. */
enum { TOGETHER_MAX = 512, HITS_TOGETHER = 16384, TOGETHER_MIN = 32 };
struct question {
    json_t *id;
    char *text;
    unsigned long line;
    int status;
    char *answer; /* a line of JSON; for a failure the message */
};
struct questions {
    struct question items[TOGETHER_MAX];
    const char *texts[TOGETHER_MAX];
    size_t n;
};

/* On any thread. An empty text is a question without an answer, not a mistake: br_search takes it so where it is literal. */
static void take_answer(void *ctx, size_t i, int status, struct br_search_results *r, const struct br_error *err)
{
    struct question *q = &((struct questions *)ctx)->items[i];
    q->status = status;
    if (status) {
        q->answer = strdup(err->message);
        return;
    }
    json_t *answer = json_object();
    json_object_set_new(answer, "_id", q->id ? q->id : json_null());
    q->id = NULL;
    json_object_update_new(answer, json_results(r));
    q->answer = json_line(answer);
    br_search_results_free(r);
}

/* BR_STATUS_BAD_DATA: said, and no reason to stop. */
static int print_answer(const struct json_lines *in, struct question *q)
{
    if (!q->status) {
        json_print_line(q->answer);
        return 0;
    }
    cli_fail(q->status, "%s line %lu: %s", in->path, q->line, q->answer ? q->answer : "out of memory");
    return q->status == BR_STATUS_USAGE ? BR_STATUS_BAD_DATA : q->status;
}

static void question_free(struct question *q)
{
    json_decref(q->id);
    free(q->text);
    free(q->answer);
    *q = (struct question){0};
}

/* Asks what was gathered. The worst of what happened to its lines, of which bad data is the least. */
static int ask(struct cli *cli, const struct json_lines *in, struct questions *qs, const struct br_search_options *options)
{
    struct br_error err = {0};
    int status = 0;
    if (br_search_many(cli->ws, qs->texts, qs->n, options, take_answer, qs, &err))
        status = cli_fail_with(&err);
    for (size_t i = 0; i < qs->n; i++) {
        int one = status && status != BR_STATUS_BAD_DATA ? status : print_answer(in, &qs->items[i]);
        if (one && (!status || status == BR_STATUS_BAD_DATA))
            status = one;
        question_free(&qs->items[i]);
    }
    qs->n = 0;
    return status;
}

static int gather(const struct json_lines *in, json_t *object, struct questions *qs)
{
    char *text = json_lines_text(in, object);
    if (!text)
        return BR_STATUS_BAD_DATA;
    cut_text(text);
    if (!text[strspn(text, " \t\r\n\v\f")])
        text[0] = '\0';
    json_t *id = json_object_get(object, "_id");
    qs->items[qs->n] = (struct question){.id = json_incref(id), .text = text, .line = in->number};
    qs->texts[qs->n++] = text;
    return 0;
}

/* Few at a time where each may have many hits: all of them are in memory together. */
static size_t together(const struct br_search_options *o)
{
    size_t n = HITS_TOGETHER / (o->n ? o->n : BR_SEARCH_N_DEFAULT);
    return n > TOGETHER_MAX ? TOGETHER_MAX : n < TOGETHER_MIN ? TOGETHER_MIN : n;
}

/* What is wrong with the options is wrong with every line: found here, once, it does not look like the lines' fault. */
static int check_options(struct cli *cli, struct br_search_options options)
{
    struct br_error err = {0};
    struct br_search_results r = {0};
    options.n = 1;
    if (br_search(cli->ws, "a", &options, &r, &err))
        return cli_fail_with(&err);
    br_search_results_free(&r);
    return 0;
}

static int search_batch(struct cli *cli, const char *path)
{
    struct json_lines in;
    struct br_search_options options = options_of(cli->args);
    options.literal = true;
    json_t *object;
    struct questions *qs = calloc(1, sizeof(*qs));
    int status = json_lines_open(&in, path), more = 1;
    bool bad_lines = false;
    if (!status && !qs)
        status = cli_fail(BR_STATUS_IO, "out of memory: close other programs");
    if (!status)
        status = cli_open_workspace(cli);
    if (!status)
        status = check_options(cli, options);
    while (!status && more) {
        more = json_lines_next(&in, &object);
        if (more)
            status = more < 0 ? -more : gather(&in, object, qs);
        if (more > 0)
            json_decref(object);
        bad_lines |= status == BR_STATUS_BAD_DATA; /* the other lines have their answers all the same */
        if (status == BR_STATUS_BAD_DATA)
            status = 0;
        if (!status && (!more || qs->n == together(&options)))
            status = ask(cli, &in, qs, &options);
        bad_lines |= status == BR_STATUS_BAD_DATA;
        if (status == BR_STATUS_BAD_DATA)
            status = 0;
    }
    for (size_t i = 0; qs && i < qs->n; i++)
        question_free(&qs->items[i]);
    free(qs);
    json_lines_close(&in);
    return status || !bad_lines ? status : BR_STATUS_BAD_DATA;
}

int cmd_search(struct cli *cli)
{
    const struct args *a = cli->args;
    const char *batch = a->text[OPT_BATCH];
    if (batch && a->operands.count)
        return cli_fail(BR_STATUS_USAGE, "search takes a QUERY or --batch FILE, not both: leave one out");
    if (batch && a->given[OPT_CURSOR])
        return cli_fail(BR_STATUS_USAGE, "--cursor goes on with one question: leave it out with --batch");
    if (batch && cli->json)
        return cli_fail(BR_STATUS_USAGE, "search --batch answers one document a line: give --jsonl instead of --json");
    if (batch)
        return search_batch(cli, batch);
    if (!a->operands.count)
        return cli_fail(BR_STATUS_USAGE, "search needs QUERY: see `backread search --help`");
    char *query = join(&a->operands);
    if (!query)
        return cli_fail(BR_STATUS_IO, "out of memory: ask a shorter question");
    int status = search_once(cli, query);
    free(query);
    return status;
}
