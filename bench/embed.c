/* embed - documents a second of `br_embed_many`; bench/embed.py runs it beside onnxruntime, by itself it measures one thing:
 *
 *   bench_embed TEXTS.jsonl [--model FILE] [--threads N] [--rounds N] [--cpu] [--vectors OUT.f32] [--warm] [--serve]
 *
 * TEXTS.jsonl: {"text": ...} a line, taken as they are. Each round embeds all of them and prints one JSON object a line. --cpu measures processor time
 * instead of the clock's, for a machine that has other work. --vectors writes the vectors, raw float32. --warm embeds the texts one by one, as
 * questions are, and prints the median. --serve waits for a line on standard input before each round.
 *
 * Where processor time goes (perf record, one thread, AVX-512 VNNI; per cent), and what the same work takes at least, where each kernel is bound by its
 * multiplications, with the same operations in the same order, so with the same bits:
 *
 *   tokens of a text                        20   40  128   chat (65 on average, 129 for an average token)   at least, chat
 *   products of the linears                 71   69   60   60                                               59
 *   their sums to floats, bias, GELU        13   12   12   11                                                6
 *   attention: products, softmax, packing    7   10   20   22                                               17
 *   quantisation                             4    4    4    4                                                1
 *   layer norm                               2    2    1    1                                                1
 *   tokenizer, pooling, the rest             3    3    3    2                                                2
 *
 * Products of a tile reach 98 % of the vpdpbusd that registers alone allow; whole linears, epilogue and all, 92 % (384 to 1152), 88 (384 to 384),
 * 79 (384 to 1536, with GELU) and 90 (1536 to 384, four parts). So a seventh is left at most. Tried and not kept: sums finished from registers instead
 * of memory (1 %, but compilers spill them inside the loop), a tile finished behind the next one's products (nothing), ranges of GELU's values in
 * registers (spills), its output in blocks of 16 columns (quantisation twice as long), packed bytes four registers at a time (.1 %), layer norm of four
 * rows beside each other (.1 %), batches of 64 to 256 tokens (the same). */
#include "engine_int.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct texts {
    const char **text;
    size_t *len, n, tokens;
};

static void die(const char *what)
{
    fprintf(stderr, "embed: %s\n", what);
    exit(1);
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void read_texts(const char *path, const struct br_model *m, struct texts *t)
{
    FILE *f = fopen(path, "rb");
    char *line = NULL;
    size_t size = 0, alloc = 0;
    ssize_t n;
    uint16_t ids[BR_MAX_SEQ];
    if (!f)
        die("cannot open the texts");
    while ((n = getline(&line, &size, f)) > 0) {
        json_t *o = json_loadb(line, (size_t)n, JSON_ALLOW_NUL, NULL), *text = json_object_get(o, "text");
        if (!json_is_string(text))
            die("a line has no text");
        if (t->n == alloc) {
            alloc = alloc ? 2 * alloc : 1024;
            t->text = realloc(t->text, alloc * sizeof *t->text);
            t->len = realloc(t->len, alloc * sizeof *t->len);
            if (!t->text || !t->len)
                die("no memory");
        }
        t->len[t->n] = json_string_length(text);
        char *copy = malloc(t->len[t->n] + 1);
        if (!copy)
            die("no memory");
        t->text[t->n] = memcpy(copy, json_string_value(text), t->len[t->n] + 1);
        t->tokens += br_tokenize(m, t->text[t->n], t->len[t->n], ids, br_model_info(m)->max_seq);
        t->n++;
        json_decref(o);
    }
    free(line);
    fclose(f);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median time of a text by itself, in seconds. */
static double one_by_one(const struct br_model *m, const struct texts *t, float *out, clockid_t clock)
{
    struct br_err err = {0};
    struct br_embedder *e;
    double *times = malloc((t->n + 1) * sizeof *times);
    if (!times || br_embedder_new(m, &e, &err) != BR_OK)
        die("no memory");
    for (size_t i = 0; i < t->n; i++) {
        double start = now(clock);
        if (br_embed(e, &t->text[i], &t->len[i], 1, out, &err) != BR_OK)
            die(err.msg);
        times[i] = now(clock) - start;
    }
    br_embedder_free(e);
    qsort(times, t->n, sizeof *times, by_size);
    double median = t->n ? times[t->n / 2] : 0;
    free(times);
    return median;
}

static long number(const char *s)
{
    return s ? strtol(s, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
    const char *path = NULL, *model = NULL, *vectors = NULL;
    bool serve = false, warm = false;
    clockid_t clock = CLOCK_MONOTONIC;
    long threads = sysconf(_SC_NPROCESSORS_ONLN), rounds = 1;
    struct br_model *m;
    struct br_err err = {0};
    struct texts t = {0};
    char line[64];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--model") == 0)
            model = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0)
            threads = number(argv[++i]);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = number(argv[++i]);
        else if (strcmp(argv[i], "--vectors") == 0)
            vectors = argv[++i];
        else if (strcmp(argv[i], "--cpu") == 0)
            clock = CLOCK_PROCESS_CPUTIME_ID;
        else if (strcmp(argv[i], "--warm") == 0)
            warm = true;
        else if (strcmp(argv[i], "--serve") == 0)
            serve = true;
        else
            path = argv[i];
    }
    if (!path)
        die("usage: bench_embed TEXTS.jsonl [--model FILE] [--threads N] [--rounds N] [--cpu] [--vectors OUT.f32] [--warm] [--serve]");
    if (br_model_open(model, &m, &err) != BR_OK)
        die(err.msg);
    read_texts(path, m, &t);
    size_t dim = br_model_info(m)->dim;
    float *out = malloc((t.n + 1) * dim * sizeof *out);
    if (!out)
        die("no memory");
    for (long r = 0; serve ? fgets(line, sizeof line, stdin) != NULL : r < rounds; r++) {
        double start = now(clock), cpu = now(CLOCK_PROCESS_CPUTIME_ID), median = 0;
        if (warm)
            median = one_by_one(m, &t, out, clock);
        else if (br_embed_many(m, t.text, t.len, t.n, (unsigned)threads, out, &err) != BR_OK)
            die(err.msg);
        double took = now(clock) - start;
        cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        printf("{\"kernel\": \"%s\", \"documents\": %zu, \"tokens\": %zu, \"seconds\": %.4f, \"cpu_seconds\": %.4f, \"documents_per_second\": %.1f",
               br_embed_kernel_name(m), t.n, t.tokens, took, cpu, (double)t.n / took);
        printf(warm ? ", \"median_ms\": %.3f}\n" : "}\n", median * 1e3);
        fflush(stdout);
    }
    FILE *f = vectors ? fopen(vectors, "wb") : NULL;
    if (vectors && (!f || fwrite(out, sizeof *out * dim, t.n, f) != t.n || fclose(f) != 0))
        die("cannot write the vectors");
    for (size_t i = 0; i < t.n; i++)
        free((void *)(uintptr_t)t.text[i]);
    free(t.text);
    free(t.len);
    free(out);
    br_model_close(m);
    return 0;
}
