/* cmd_embed.c - embed: texts to vectors or token ids, on standard output or as a NumPy file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { CHUNK = 1024 /* vectors in memory at a time */, TOKENS_MAX = 256, NPY_HEADER = 128 };

struct texts {
    char **items; /* owned */
    size_t count, room;
};

static int texts_add(struct texts *t, char *text)
{
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        char **items = realloc(t->items, room * sizeof(*items));
        if (!items) {
            free(text);
            return cli_fail(BR_STATUS_IO, "out of memory after %zu texts: split the file", t->count);
        }
        t->items = items;
        t->room = room;
    }
    t->items[t->count++] = text;
    return 0;
}

static void texts_free(struct texts *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->items[i]);
    free(t->items);
}

static int read_texts(const struct args *a, struct texts *t)
{
    struct json_lines in;
    json_t *object;
    int status = 0, more;
    for (size_t i = 0; i < a->operands.count && !status; i++) {
        char *copy = strdup(a->operands.items[i]);
        status = copy ? texts_add(t, copy) : cli_fail(BR_STATUS_IO, "out of memory: give fewer texts");
    }
    if (status || !a->text[OPT_BATCH])
        return status;
    status = json_lines_open(&in, a->text[OPT_BATCH]);
    while (!status && (more = json_lines_next(&in, &object)) != 0) {
        if (more < 0) {
            status = -more;
            break;
        }
        char *text = json_lines_text(&in, object);
        status = text ? texts_add(t, text) : BR_STATUS_BAD_DATA;
        json_decref(object);
    }
    json_lines_close(&in);
    return status;
}

static int check_precision(const struct args *a, const struct br_model_description *model)
{
    const char *wanted = a->text[OPT_PRECISION];
    if (!wanted || strcmp(wanted, model->precision) == 0)
        return 0;
    if (strcmp(wanted, "f32") == 0)
        return cli_fail(BR_STATUS_USAGE,
                        "--precision f32: the model %s holds %s weights only: give --model DIR with the original "
                        "model.safetensors and vocab.txt",
                        model->name, model->precision);
    return cli_fail(BR_STATUS_USAGE,
                    "--precision int8: %s holds float weights: leave out --model, or make a file with "
                    "`backread model convert SRC OUT`",
                    a->text[OPT_MODEL] ? a->text[OPT_MODEL] : model->name);
}

/* ---- Token ids ---- */

static json_t *tokens_of(struct cli *cli, const char *text, int *status)
{
    struct br_error err = {0};
    uint16_t ids[TOKENS_MAX];
    size_t n = TOKENS_MAX;
    *status = br_tokenize_text(cli->home, text, ids, &n, &err);
    if (*status) {
        cli_fail_with(&err);
        return NULL;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(ids[i]));
    return list;
}

static int print_tokens(struct cli *cli, const struct br_model_description *model, const struct texts *t)
{
    json_t *all = json_array();
    int status = 0;
    for (size_t i = 0; i < t->count && !status; i++) {
        json_t *ids = tokens_of(cli, t->items[i], &status);
        if (status)
            break;
        if (cli->json) {
            json_array_append_new(all, ids);
        } else if (cli->jsonl) {
            json_print(cli, json_pack("{so}", "ids", ids), true);
        } else {
            for (size_t k = 0; k < json_array_size(ids); k++)
                printf(k ? " %" JSON_INTEGER_FORMAT : "%" JSON_INTEGER_FORMAT,
                       json_integer_value(json_array_get(ids, k)));
            putchar('\n');
            json_decref(ids);
        }
    }
    if (!status && cli->json)
        json_print(cli,
                   json_pack("{so si ss sO}", "model", json_text(model->name), "dimension", (int)model->dimension,
                             "precision", model->precision, "tokens", all),
                   false);
    json_decref(all);
    return status;
}

/* ---- Vectors ---- */

/* NumPy's format 1.0: magic, version, header length, a Python literal padded so that the data begins at 128. */
static int write_npy_header(FILE *f, size_t n, size_t dimension)
{
    char header[NPY_HEADER], literal[NPY_HEADER];
    int len = snprintf(literal, sizeof(literal), "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", n,
                       dimension);
    memset(header, ' ', sizeof(header));
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = NPY_HEADER - 10;
    header[9] = 0;
    memcpy(header + 10, literal, (size_t)len);
    header[NPY_HEADER - 1] = '\n';
    return fwrite(header, sizeof(header), 1, f) == 1 ? 0 : -1;
}

static void put_vector(FILE *f, const float *v, size_t dimension, const char *between)
{
    for (size_t i = 0; i < dimension; i++)
        fprintf(f, "%s%.9g", i ? between : "", (double)v[i]);
}

struct sink {
    struct cli *cli;
    const struct br_model_description *model;
    FILE *npy;      /* NULL: standard output */
    size_t written; /* vectors */
};

static int sink_vector(struct sink *s, const float *v)
{
    size_t dimension = s->model->dimension;
    bool first = s->written++ == 0;
    if (s->npy)
        return fwrite(v, sizeof(float), dimension, s->npy) == dimension ? 0 : -1;
    if (s->cli->json)
        fputs(first ? "[" : ",[", stdout);
    else if (s->cli->jsonl)
        fputs("{\"embedding\":[", stdout);
    put_vector(stdout, v, dimension, s->cli->json || s->cli->jsonl ? "," : " ");
    fputs(s->cli->json ? "]" : s->cli->jsonl ? "]}\n" : "\n", stdout);
    return 0;
}

static int embed_all(struct sink *s, const struct texts *t)
{
    struct br_error err = {0};
    size_t dimension = s->model->dimension;
    int (*embed)(struct br_home *, const char *const *, size_t, float *, struct br_error *) =
        s->cli->args->given[OPT_AS_QUERY] ? br_embed_queries : br_embed_texts;
    float *out = calloc(CHUNK * dimension, sizeof(*out));
    int status = out ? 0 : cli_fail(BR_STATUS_IO, "out of memory: close other programs and try again");
    for (size_t at = 0; at < t->count && !status; at += CHUNK) {
        size_t n = t->count - at < CHUNK ? t->count - at : CHUNK;
        status = embed(s->cli->home, (const char *const *)t->items + at, n, out, &err);
        if (status)
            cli_fail_with(&err);
        for (size_t i = 0; i < n && !status; i++)
            if (sink_vector(s, out + i * dimension))
                status = cli_fail(BR_STATUS_IO, "cannot write the vectors: %s: make room or choose another place",
                                  strerror(errno));
    }
    free(out);
    return status;
}

/* With --json the vectors are written as they come, between the fields of the one document. */
static int embed_to_stdout(struct sink *s, const struct texts *t)
{
    if (s->cli->json) {
        json_t *name = json_text(s->model->name);
        char *quoted = json_dumps(name, JSON_ENCODE_ANY);
        printf("{\"model\":%s,\"dimension\":%u,\"precision\":\"%s\",\"embeddings\":[", quoted ? quoted : "null",
               s->model->dimension, s->model->precision);
        free(quoted);
        json_decref(name);
    }
    int status = embed_all(s, t);
    if (s->cli->json && !status)
        puts("]}");
    return status;
}

static int embed_to_file(struct sink *s, const struct texts *t, const char *path)
{
    s->npy = fopen(path, "wbe");
    if (!s->npy)
        return cli_fail(BR_STATUS_IO, "--out %s: %s: choose another place", path, strerror(errno));
    int status = 0;
    if (write_npy_header(s->npy, t->count, s->model->dimension))
        status = cli_fail(BR_STATUS_IO, "--out %s: %s: make room or choose another place", path, strerror(errno));
    if (!status)
        status = embed_all(s, t);
    if (fclose(s->npy) && !status)
        status = cli_fail(BR_STATUS_IO, "--out %s: %s: make room or choose another place", path, strerror(errno));
    if (status)
        return status;
    if (s->cli->json)
        json_print(s->cli,
                   json_pack("{so si ss so so sn}", "model", json_text(s->model->name), "dimension",
                             (int)s->model->dimension, "precision", s->model->precision, "count", json_count(t->count),
                             "out", json_text(path), "embeddings"),
                   false);
    else
        cli_note(s->cli, "%zu vector%s of %u numbers written to %s", t->count, plural(t->count), s->model->dimension,
                 path);
    return 0;
}

int cmd_embed(struct cli *cli)
{
    const struct args *a = cli->args;
    struct br_error err = {0};
    struct br_model_description model = {0};
    struct texts t = {0};
    const char *out = a->text[OPT_OUT];
    if (!a->operands.count && !a->text[OPT_BATCH])
        return cli_fail(BR_STATUS_USAGE, "embed needs a TEXT or --batch FILE: see `backread embed --help`");
    if (out && (a->given[OPT_TOKENS] || cli->jsonl))
        return cli_fail(BR_STATUS_USAGE, "--out writes vectors to a file: leave out --tokens and --jsonl");
    if (br_model_describe(cli->home, &model, &err))
        return cli_fail_with(&err);
    int status = check_precision(a, &model);
    if (!status)
        status = read_texts(a, &t);
    struct sink sink = {.cli = cli, .model = &model};
    if (!status && a->given[OPT_TOKENS])
        status = print_tokens(cli, &model, &t);
    else if (!status && out)
        status = embed_to_file(&sink, &t, out);
    else if (!status)
        status = embed_to_stdout(&sink, &t);
    texts_free(&t);
    return status;
}
