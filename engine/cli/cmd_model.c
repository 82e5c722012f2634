/* cmd_model.c - model show, model convert. */
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

static json_t *model_json(const struct br_model_description *m)
{
    return json_pack("{so so so so ss ss ss so si si si si si so ss ss}", "query_prefix", json_text(m->query_prefix),
                     "passage_prefix", json_text(m->passage_prefix), "model", json_text(m->name), "bytes",
                     json_count(m->bytes), "sha256", m->id, "source_sha256", m->source_sha256, "pooling", m->pooling,
                     "origin", json_text(m->origin), "dimension", (int)m->dimension, "layers", (int)m->layers, "heads",
                     (int)m->heads, "vocabulary", (int)m->vocabulary, "max_tokens", (int)m->max_tokens, "licence",
                     json_text(m->licence), "precision", m->precision, "kernel", m->kernel);
}

static int show(struct cli *cli, struct br_home *home)
{
    struct br_error err = {0};
    struct br_model_description m = {0};
    char size[32];
    if (br_model_describe(home, &m, &err))
        return cli_fail_with(&err);
    if (cli->json) {
        json_print(cli, model_json(&m), false);
        return 0;
    }
    FILE *f = cli->out.file;
    term_puts(f, m.name);
    fprintf(f, "\n  %u numbers a text, %u layers, %u heads, %s pooling, at most %u tokens of %u\n", m.dimension,
            m.layers, m.heads, m.pooling, m.max_tokens, m.vocabulary);
    fprintf(f, "  %s weights, %s, computed with %s\n", m.precision, format_bytes(m.bytes, size), m.kernel);
    fprintf(f, "  sha256    %s (of the %s)\n  from      %s\n  origin    ", m.id,
            strcmp(m.precision, "f32") == 0 ? "weights" : "contents", m.source_sha256);
    term_puts(f, *m.origin ? m.origin : "unknown");
    if (*m.query_prefix) {
        fputs("\n  before questions: ", f);
        term_puts(f, m.query_prefix);
    }
    if (*m.passage_prefix) {
        fputs("\n  before messages: ", f);
        term_puts(f, m.passage_prefix);
    }
    fputs("\n  licence   ", f);
    term_puts(f, *m.licence ? m.licence : "unknown");
    putc('\n', f);
    return 0;
}

static int convert(struct cli *cli, const char *source, const char *out_path)
{
    struct br_error err = {0};
    struct br_home *home = NULL;
    const struct args *a = cli->args;
    const struct br_convert_options options = {.pooling = a->text[OPT_POOLING],
                                               .query_prefix = a->text[OPT_QUERY_PREFIX],
                                               .passage_prefix = a->text[OPT_PASSAGE_PREFIX],
                                               .max_tokens = (size_t)a->number[OPT_MAX_LENGTH]}; /* 0: not given */
    struct stat st;
    if (stat(out_path, &st) == 0 && !S_ISREG(st.st_mode)) /* it would be replaced, not written to */
        return cli_fail(BR_STATUS_USAGE, "%s is no regular file: name a file for the model", out_path);
    if (br_model_file_convert_with(source, out_path, &options, &err))
        return cli_fail_with(&err);
    cli_note(cli, "Written: %s. Use it with --model %s", out_path, out_path);
    int status = br_home_open(cli->args->text[OPT_HOME], out_path, &home, &err);
    status = status ? cli_fail_with(&err) : show(cli, home);
    br_home_close(home);
    return status;
}

int cmd_model(struct cli *cli)
{
    static const char *const VERBS[] = {"show", "convert", NULL};
    const struct arg_list *o = &cli->args->operands;
    const char *verb = o->items[0];
    if (strcmp(verb, "show") == 0) {
        if (o->count > 1)
            return cli_fail(BR_STATUS_USAGE, "model show takes no '%s': name the file with --model FILE", o->items[1]);
        return show(cli, cli->home);
    }
    if (strcmp(verb, "convert") == 0) {
        if (o->count != 3)
            return cli_fail(BR_STATUS_USAGE, "model convert needs SRC and OUT: see `backread model --help`");
        return convert(cli, o->items[1], o->items[2]);
    }
    const char *near = args_closest(verb, VERBS);
    if (near)
        return cli_fail(BR_STATUS_USAGE, "unknown command 'model %s': did you mean `backread model %s`?", verb, near);
    return cli_fail(BR_STATUS_USAGE, "unknown command 'model %s': give `backread model show` or `convert`", verb);
}
