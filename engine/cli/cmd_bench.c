/* cmd_bench.c - bench ann: the vector index on vectors from files; build it, sweep the beam, print recall and speed.
 *
 * Files, all little endian
 *   .fvecs  rows of: u32 dimension, that many float32          .ivecs  the same with i32, for truth
 *   .bin    u32 rows, u32 dimension, float32 rows; truth: u32 rows, u32 width, i32 rows
 *   .npy    NumPy's format 1, C order, float32; truth: int32 or int64 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_ann.h"
#include "cli.h"

/* Beams of a sweep; it ends where there is next to nothing left to find. */
static const size_t beams[] = {10,  12,  14,  16,  20,  24,  28,  32,  40,  48,  56,  64,  80,  96,
                               112, 128, 160, 192, 224, 256, 320, 400, 512, 640, 800, 1024, 1536, 2048};
static const double enough = 0.9995;

struct matrix {
    char *data; /* owned; rows of width values of 4 or 8 bytes */
    size_t rows, width, value;
};

struct input {
    const char *option, *path;
    FILE *file;
    size_t size;
};

static int bad_file(const struct input *in, const char *what)
{
    return cli_fail(BR_STATUS_BAD_DATA, "%s %s: %s", in->option, in->path, what);
}

static int take(const struct input *in, void *out, size_t n)
{
    if (n && fread(out, n, 1, in->file) != 1)
        return bad_file(in, "it ends too soon: is it whole?");
    return 0;
}

/* Room for the rows that the file says it has, which can be no more than it has bytes for. */
static int make_room(const struct input *in, struct matrix *m)
{
    if (!m->rows || !m->width || m->width > in->size || m->rows > in->size / m->value / m->width)
        return bad_file(in, "the sizes at its start do not fit its length");
    m->data = malloc(m->rows * m->width * m->value);
    return m->data ? 0 : cli_fail(BR_STATUS_IO, "out of memory for %s %s", in->option, in->path);
}

static int read_vecs(const struct input *in, struct matrix *m)
{
    uint32_t width = 0, again = 0;
    m->value = 4;
    int status = take(in, &width, sizeof width);
    if (status)
        return status;
    m->width = width;
    m->rows = in->size / (4 + 4 * (size_t)width);
    status = make_room(in, m);
    for (size_t i = 0; i < m->rows && !status; i++) {
        status = i ? take(in, &again, sizeof again) : 0;
        if (!status && i && again != width)
            status = bad_file(in, "its rows are not all of one length");
        if (!status)
            status = take(in, m->data + i * 4 * width, 4 * (size_t)width);
    }
    return status;
}

static int read_bin(const struct input *in, struct matrix *m)
{
    uint32_t head[2] = {0};
    m->value = 4;
    int status = take(in, head, sizeof head);
    m->rows = head[0];
    m->width = head[1];
    if (!status)
        status = make_room(in, m);
    return status ? status : take(in, m->data, m->rows * m->width * 4);
}

static int read_npy(const struct input *in, bool integers, struct matrix *m)
{
    char head[10] = {0}, text[4097];
    int status = take(in, head, sizeof head);
    if (status)
        return status;
    size_t len = (unsigned char)head[8] | (size_t)(unsigned char)head[9] << 8;
    if (memcmp(head, "\x93NUMPY\x01", 7) != 0 || len >= sizeof text)
        return bad_file(in, "it is no NumPy file of format 1");
    if ((status = take(in, text, len)))
        return status;
    text[len] = 0;
    const char *shape = strstr(text, "'shape': (");
    bool wide = integers && strstr(text, "'<i8'");
    if (!strstr(text, integers ? wide ? "'<i8'" : "'<i4'" : "'<f4'") || strstr(text, "'fortran_order': True") ||
        !shape || sscanf(shape, "'shape': (%zu, %zu)", &m->rows, &m->width) != 2)
        return bad_file(in, integers ? "it is no matrix of int32 or int64 in C order" : "it is no matrix of float32 in C order");
    m->value = wide ? 8 : 4;
    status = make_room(in, m);
    return status ? status : take(in, m->data, m->rows * m->width * m->value);
}

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n >= m && strcmp(path + n - m, end) == 0;
}

static int read_matrix(const char *option, const char *path, bool integers, struct matrix *m)
{
    struct input in = {.option = option, .path = path, .file = fopen(path, "rbe")};
    if (!in.file)
        return cli_fail(BR_STATUS_IO, "%s %s: %s", option, path, strerror(errno));
    int status = 0;
    off_t size = fseeko(in.file, 0, SEEK_END) ? -1 : ftello(in.file);
    if (size < 0 || fseeko(in.file, 0, SEEK_SET))
        status = cli_fail(BR_STATUS_IO, "%s %s: %s", option, path, strerror(errno));
    in.size = (size_t)size;
    if (status)
        ;
    else if (ends_in(path, ".npy"))
        status = read_npy(&in, integers, m);
    else if (ends_in(path, ".bin"))
        status = read_bin(&in, m);
    else if (ends_in(path, integers ? ".ivecs" : ".fvecs"))
        status = read_vecs(&in, m);
    else
        status = cli_fail(BR_STATUS_USAGE, "%s %s: a file's name ends in .npy, .bin or %s", option, path,
                          integers ? ".ivecs" : ".fvecs");
    fclose(in.file);
    return status;
}

/* ---- Truth ---- */

static int64_t *wide_ids(const struct matrix *m)
{
    int64_t *ids = calloc(m->rows * m->width, sizeof *ids);
    for (size_t i = 0; ids && i < m->rows * m->width; i++) {
        int32_t narrow;
        if (m->value == 8)
            memcpy(&ids[i], m->data + i * 8, 8);
        else
            memcpy(&narrow, m->data + i * 4, 4), ids[i] = narrow;
    }
    return ids;
}

/* ---- The sweep ----
 * cpu_qps is queries per second of processor time: what a query costs also where other programs run beside. */

static int sweep(struct cli *cli, struct br_ann *ann, size_t k, size_t n_queries, json_t *list)
{
    struct br_error err = {0};
    for (size_t i = 0; i < sizeof beams / sizeof *beams; i++) {
        struct br_ann_point p;
        clock_t cpu = clock();
        if (beams[i] < k)
            continue;
        if (cli_stop_signal)
            return cli_fail(BR_STATUS_IO, "interrupted");
        if (br_ann_measure(ann, beams[i], &p, &err))
            return cli_fail_with(&err);
        double cpu_qps = (double)n_queries / ((double)(clock() - cpu + 1) / CLOCKS_PER_SEC);
        if (!cli->json && !cli->jsonl)
            printf("%6zu  %6.4f  %9.0f  %9.1f  %9.1f\n", p.ef, p.recall, p.qps, p.p50_us, p.p99_us);
        json_array_append_new(list, json_pack("{so sf sf sf sf sf}", "ef", json_count(p.ef), "recall", p.recall, "qps",
                                              p.qps, "p50_us", p.p50_us, "p99_us", p.p99_us, "cpu_qps", cpu_qps));
        if (p.recall >= enough)
            break;
    }
    return 0;
}

static int print_sweep(struct cli *cli, struct br_ann *ann, size_t k, size_t n_queries)
{
    json_t *list = json_array();
    if (!cli->json && !cli->jsonl)
        printf("built in %.2f s, %.0f bytes a vector\n%6s  %6s  %9s  %9s  %9s\n", br_ann_build_seconds(ann),
               br_ann_bytes_per_vector(ann), "ef", "recall", "queries/s", "p50 us", "p99 us");
    int status = sweep(cli, ann, k, n_queries, list);
    if (!status && (cli->json || cli->jsonl))
        json_print(cli, json_pack("{sf sf sO}", "build_seconds", br_ann_build_seconds(ann), "bytes_per_vector",
                                  br_ann_bytes_per_vector(ann), "sweep", list),
                   cli->jsonl);
    json_decref(list);
    fflush(stdout);
    return status;
}

static int run(struct cli *cli, const struct br_ann_data *data, const struct br_ann_options *opt)
{
    struct br_error err = {0};
    struct br_ann *ann;
    if (br_ann_new(data, opt, &ann, &err))
        return cli_fail_with(&err);
    int status = print_sweep(cli, ann, opt->k, data->n_queries);
    char line[16];
    while (!status && cli->jsonl && fgets(line, sizeof line, stdin))
        status = print_sweep(cli, ann, opt->k, data->n_queries);
    br_ann_free(ann);
    return status;
}

static int bench_ann(struct cli *cli, struct matrix *base, struct matrix *queries, struct matrix *truth)
{
    const struct args *a = cli->args;
    const char *metric = a->text[OPT_METRIC];
    struct br_ann_options opt = {
        .metric = !metric || strcmp(metric, "cosine") == 0 ? BR_ANN_COSINE : strcmp(metric, "l2") == 0 ? BR_ANN_L2 : BR_ANN_IP,
        .k = a->given[OPT_K] ? (size_t)a->number[OPT_K] : 10,
        .threads = a->given[OPT_THREADS] ? (unsigned)a->number[OPT_THREADS] : 1};
    if (!a->text[OPT_BASE] || !a->text[OPT_QUERIES])
        return cli_fail(BR_STATUS_USAGE, "bench ann needs --base FILE and --queries FILE: see `backread bench --help`");
    int status = read_matrix("--base", a->text[OPT_BASE], false, base);
    if (!status)
        status = read_matrix("--queries", a->text[OPT_QUERIES], false, queries);
    if (!status && a->text[OPT_TRUTH])
        status = read_matrix("--truth", a->text[OPT_TRUTH], true, truth);
    if (status)
        return status;
    if (queries->width != base->width)
        return cli_fail(BR_STATUS_BAD_DATA, "--queries %s: %zu components a vector, and --base has %zu", a->text[OPT_QUERIES],
                        queries->width, base->width);
    opt.k = opt.k < base->rows ? opt.k : base->rows;
    if (truth->data && (truth->rows != queries->rows || truth->width < opt.k))
        return cli_fail(BR_STATUS_BAD_DATA, "--truth %s: %zu rows of %zu for %zu queries and k = %zu", a->text[OPT_TRUTH],
                        truth->rows, truth->width, queries->rows, opt.k);
    int64_t *ids = truth->data ? wide_ids(truth) : NULL;
    if (truth->data && !ids)
        return cli_fail(BR_STATUS_IO, "out of memory for --truth %s", a->text[OPT_TRUTH]);
    const struct br_ann_data data = {.base = (float *)(void *)base->data,
                                     .queries = (const float *)(const void *)queries->data,
                                     .n_base = base->rows,
                                     .n_queries = queries->rows,
                                     .dim = base->width,
                                     .truth = ids,
                                     .truth_width = truth->width};
    base->data = NULL; /* taken over */
    status = run(cli, &data, &opt);
    free(ids);
    return status;
}

int cmd_bench(struct cli *cli)
{
    struct matrix base = {0}, queries = {0}, truth = {0};
    if (strcmp(cli->args->operands.items[0], "ann") != 0)
        return cli_fail(BR_STATUS_USAGE, "bench %s: there is only `bench ann`", cli->args->operands.items[0]);
    int status = bench_ann(cli, &base, &queries, &truth);
    free(base.data);
    free(queries.data);
    free(truth.data);
    return status;
}
