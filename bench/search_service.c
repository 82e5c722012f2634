/* search_service.c - how fast a workspace is searched: one question after the other, the same ones again (from the cache), and all of them on all cores.
 *
 *   bench_search_service HOME QUERIES.jsonl [hybrid|semantic|keyword] [N]
 *
 * QUERIES holds one {"text": …} a line, taken literally; HOME one workspace. Run it on an idle machine, several times: percentiles of single
 * searches are of wall time. `cpu` is the processor time of all threads, which a busy machine disturbs less. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queries.h"

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, double *ms, size_t n, double wall, double cpu)
{
    qsort(ms, n, sizeof *ms, ascending);
    printf("%-10s p50 %8.3f ms  p99 %8.3f ms  %8.0f queries/s  cpu %.3f ms a query\n", what, ms[n / 2], ms[n * 99 / 100], (double)n / wall,
           cpu * 1e3 / (double)n);
}

static void one_by_one(struct br_workspace *ws, char **texts, size_t n, const struct br_search_options *o, const char *what)
{
    double *ms = calloc(n, sizeof *ms), wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    size_t cached = 0;
    for (size_t i = 0; i < n; i++) {
        struct br_search_results r = {0};
        struct br_error err = {0};
        double from = now(CLOCK_MONOTONIC);
        stop_at(br_search(ws, texts[i], o, &r, &err), &err);
        ms[i] = (now(CLOCK_MONOTONIC) - from) * 1e3;
        cached += r.cached;
        br_search_results_free(&r);
    }
    report(what, ms, n, now(CLOCK_MONOTONIC) - wall, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    if (cached && cached < n)
        printf("           %zu of %zu from the cache\n", cached, n);
    free(ms);
}

static void drop(void *ctx, size_t i, int status, struct br_search_results *r, const struct br_error *err)
{
    (void)ctx, (void)i;
    stop_at(status, err);
    br_search_results_free(r);
}

static void all_together(struct br_workspace *ws, char **texts, size_t n, const struct br_search_options *o, const char *what)
{
    struct br_error err = {0};
    double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    stop_at(br_search_many(ws, (const char *const *)texts, n, o, drop, NULL, &err), &err);
    wall = now(CLOCK_MONOTONIC) - wall;
    printf("%-10s %44.0f queries/s  cpu %.3f ms a query\n", what, (double)n / wall, (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3 / (double)n);
}

int main(int argc, char **argv)
{
    struct br_error err = {0};
    struct br_home *home;
    struct br_workspace *ws;
    char **texts;
    size_t n = argc > 2 ? read_texts(argv[2], &texts) : 0;
    if (!n) {
        fprintf(stderr, "usage: bench_search_service HOME QUERIES.jsonl [hybrid|semantic|keyword] [N]\n");
        return 2;
    }
    struct br_search_options o = {.literal = true, .n = argc > 4 ? strtoul(argv[4], NULL, 10) : 10};
    o.mode = argc > 3 && argv[3][0] == 's' ? BR_SEARCH_SEMANTIC : argc > 3 && argv[3][0] == 'k' ? BR_SEARCH_KEYWORD : BR_SEARCH_HYBRID;
    stop_at(br_home_open(argv[1], NULL, &home, &err), &err);
    stop_at(br_workspace_open(home, NULL, &ws, &err), &err);
    br_workspace_cache_limit(ws, (size_t)1 << 30);
    one_by_one(ws, texts, n, &o, "first"); /* pages of the files come in, too */
    one_by_one(ws, texts, n, &o, "again");
    br_workspace_cache_limit(ws, 0);
    one_by_one(ws, texts, n, &o, "uncached");
    br_workspace_cache_limit(ws, BR_CACHE_BYTES_DEFAULT);
    struct br_workspace *fresh;
    stop_at(br_workspace_open(home, NULL, &fresh, &err), &err);
    all_together(fresh, texts, n, &o, "together");
    br_workspace_close(fresh);
    br_workspace_close(ws);
    br_home_close(home);
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
    return 0;
}
