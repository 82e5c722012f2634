/* t_bench_ann.c - bench ann reads every format it names, orders by every metric as arithmetic does, also where vectors differ in
 * length, prints the fields of its contract, and refuses files that are not what they say. */
#include "cli_run.h"

#include <math.h>

enum { N = 700, QUERIES = 30, DIM = 19, K = 5 };

static float base[N][DIM], queries[QUERIES][DIM];

static double near(const char *metric, const float *q, const float *x)
{
    double dot = 0, qq = 0, xx = 0;
    for (int i = 0; i < DIM; i++) {
        dot += (double)q[i] * (double)x[i];
        qq += (double)q[i] * (double)q[i];
        xx += (double)x[i] * (double)x[i];
    }
    return strcmp(metric, "l2") == 0 ? -(qq + xx - 2 * dot) : strcmp(metric, "ip") == 0 ? dot : dot / sqrt(qq * xx);
}

static void put(FILE *f, const void *p, size_t n)
{
    assert_int_equal(fwrite(p, n, 1, f), 1);
}

static void write_rows(const char *name, const float *rows, uint32_t n)
{
    FILE *f = fopen(in_scratch(name), "wb");
    uint32_t dim = DIM;
    assert_non_null(f);
    if (strstr(name, ".bin")) {
        put(f, &n, 4);
        put(f, &dim, 4);
    } else if (strstr(name, ".npy")) {
        char head[128];
        memset(head, ' ', sizeof head);
        memcpy(head, "\x93NUMPY\x01\x00\x76\x00", 10);
        int len = snprintf(head + 10, sizeof head - 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (%u, %u), }", n, dim);
        head[10 + len] = ' ';
        head[127] = '\n';
        put(f, head, sizeof head);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (strstr(name, ".fvecs"))
            put(f, &dim, 4);
        put(f, rows + i * DIM, sizeof(float) * DIM);
    }
    assert_int_equal(fclose(f), 0);
}

static void write_truth(const char *metric)
{
    FILE *f = fopen(in_scratch("truth.ivecs"), "wb");
    assert_non_null(f);
    for (int i = 0; i < QUERIES; i++) {
        int32_t width = K, ids[K];
        double best[K];
        for (int n = 0, x = 0; x < N; x++) {
            double v = near(metric, queries[i], base[x]);
            int j = n < K ? n++ : K;
            for (; j && v > best[j - 1]; j--)
                if (j < K) {
                    best[j] = best[j - 1];
                    ids[j] = ids[j - 1];
                }
            if (j < K) {
                best[j] = v;
                ids[j] = x;
            }
        }
        put(f, &width, 4);
        put(f, ids, sizeof ids);
    }
    assert_int_equal(fclose(f), 0);
}

static void check(const char *metric, const char *b, const char *q)
{
    write_truth(metric);
    struct outcome o = RUN("none", "bench", "ann", "--base", in_scratch(b), "--queries", in_scratch(q), "--truth", in_scratch("truth.ivecs"),
                           "--metric", metric, "--k", "5", "--json");
    assert_done(&o);
    json_t *j = document(&o), *sweep = at(j, "sweep");
    assert_true(json_is_real(at(j, "build_seconds")) && json_real_value(at(j, "bytes_per_vector")) > 0);
    assert_true(json_array_size(sweep) > 0);
    const json_t *p = json_array_get(sweep, json_array_size(sweep) - 1);
    number(p, "ef");
    for (size_t i = 0; i < 3; i++)
        assert_true(json_real_value(at(p, (const char *const[]){"qps", "p50_us", "p99_us"}[i])) > 0);
    if (json_real_value(at(p, "recall")) < 0.9999)
        fail_msg("%s: recall %f", metric, json_real_value(at(p, "recall")));
    json_decref(j);
    done(&o);
}

static void test_metrics_and_formats(void **state)
{
    (void)state;
    write_rows("b.npy", base[0], N);
    write_rows("b.fvecs", base[0], N);
    write_rows("b.bin", base[0], N);
    write_rows("q.npy", queries[0], QUERIES);
    write_rows("q.fvecs", queries[0], QUERIES);
    write_rows("q.bin", queries[0], QUERIES);
    check("cosine", "b.npy", "q.bin");
    check("ip", "b.fvecs", "q.npy");
    check("l2", "b.bin", "q.fvecs");
}

static void test_bad_files(void **state)
{
    (void)state;
    write_file("short.npy", "\x93NUMPY");
    write_file("lies.bin", "\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f");
    write_file("text.txt", "1 2 3\n");
    static const struct {
        const char *name;
        int status;
    } bad[] = {{"short.npy", 3}, {"lies.bin", 3}, {"text.txt", 2}, {"nowhere.npy", 4}, {"truth.ivecs", 2}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct outcome o = RUN("none", "bench", "ann", "--base", in_scratch(bad[i].name), "--queries", in_scratch("q.npy"));
        assert_error(&o, bad[i].status);
        done(&o);
    }
    struct outcome o = RUN("none", "bench", "ann", "--base", in_scratch("b.npy"));
    assert_error(&o, 2);
    done(&o);
    o = RUN("none", "bench", "sql");
    assert_error(&o, 2);
    done(&o);
}

static int set_up(void **state)
{
    (void)state;
    uint32_t random = 1;
    if (cli_make_scratch() != 0)
        return -1;
    for (int i = 0; i < (N + QUERIES) * DIM; i++) {
        float v = 0;
        for (int j = 0; j < 4; j++)
            v += (float)((random = random * 1664525u + 1013904223u) >> 8) / 16777216.0f - 0.5f;
        (i < N * DIM ? base[i / DIM] : queries[i / DIM - N])[i % DIM] = v * (0.3f + (float)(i / DIM % 7)); /* of unequal lengths */
    }
    return 0;
}

int main(void)
{
    if (!cli_binary())
        return 77;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_metrics_and_formats), cmocka_unit_test(test_bad_files)};
    return cmocka_run_group_tests(tests, set_up, cli_remove_scratch);
}
