/* t_index_damage.c - a damaged checkpoint is refused or reported, and never crashes a search, an insert or the check.
 * To be run under AddressSanitizer as well. */
#include <fcntl.h>
#include <sys/stat.h>

#include "t_index_data.h"
#include "ckpt_int.h"

#define N 700u
#define DIM 24u
#define K 10u

static float *base;
static struct br_rows rows;
static char dir[64], path[128];
static unsigned char *good;
static size_t good_n;

static void write_file(const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

/* NULL: refused, as BR_E_CORRUPT and with a reason. */
static struct br_index *try_open(void)
{
    struct br_index *ix;
    struct br_index_identity id;
    struct br_err err = {0};
    enum br_rc rc = br_index_open(&br_io_posix, path, &ix, &id, &err);
    if (rc == BR_OK)
        return ix;
    assert_int_equal(rc, BR_E_CORRUPT);
    assert_true(err.msg[0] != '\0');
    assert_null(ix);
    return NULL;
}

/* Everything a caller may do; only not crashing counts. */
static void use(struct br_index *ix, uint64_t *random)
{
    struct br_searcher *s = t_searcher();
    struct br_bitmap allow;
    struct br_err err = {0};
    struct br_hit hits[K];
    bool exhaustive;
    struct br_index_report r;
    t_ok(br_bitmap_init(&allow, N, &err), &err);
    for (int i = 0; i < 200; i++)
        br_bitmap_set(&allow, t_random(random) % N);
    for (int i = 0; i < 8; i++) {
        ix->exact_nodes = ix->exact_matches = i % 2 ? 0 : BR_EXACT_NODES;
        const float *query = base + t_random(random) % N * DIM;
        t_search(ix, s, &rows, query, K, i % 4 > 1 ? &allow : NULL, hits, &exhaustive);
    }
    br_index_remove(ix, t_random(random) % N);
    for (uint64_t slot = 0; slot < 20; slot++)
        t_ok(br_index_add(ix, br_index_slot_end(ix), base + slot * DIM, &err), &err);
    t_ok(br_index_check(ix, &r, &err), &err);
    t_search(ix, s, &rows, base, K, NULL, hits, &exhaustive);
    br_bitmap_free(&allow);
    br_searcher_free(s);
}

static void test_flipped_bytes_are_reported(void **state)
{
    (void)state;
    uint64_t random = 11;
    unsigned char *bad = malloc(good_n);
    for (int round = 0; round < 150; round++) {
        memcpy(bad, good, good_n);
        int flips = 1 + (int)(t_random(&random) % 64);
        size_t at = 0;
        for (int i = 0; i < flips; i++) {
            at = BR_CKPT_HEADER + t_random(&random) % (good_n - BR_CKPT_HEADER);
            bad[at] = (unsigned char)t_random(&random);
        }
        bad[BR_CKPT_HEADER + 5] ^= 1; /* one change at least, inside a section */
        write_file(bad, good_n);
        struct br_index *ix = try_open();
        assert_non_null(ix);
        struct br_index_report r;
        struct br_err err = {0};
        t_ok(br_index_check(ix, &r, &err), &err);
        assert_false(r.ok);
        assert_true(r.first_problem[0] != '\0');
        use(ix, &random);
        br_index_close(ix);
    }
    free(bad);
}

/* Whole sections of noise, the worst of bytes. */
static void test_noise_never_crashes(void **state)
{
    (void)state;
    uint64_t random = 12;
    unsigned char *bad = malloc(good_n);
    for (int round = 0; round < 40; round++) {
        memcpy(bad, good, good_n);
        const struct br_ckpt_header *h = (const void *)bad;
        for (int i = 0; i < BR_CKPT_SECTIONS; i++)
            for (uint64_t j = 0; j < h->section[i].length && (round >> i & 1 || round > 31); j++)
                bad[h->section[i].offset + j] = round % 3 == 0 ? 0xff : (unsigned char)t_random(&random);
        write_file(bad, good_n);
        struct br_index *ix = try_open();
        assert_non_null(ix);
        use(ix, &random);
        br_index_close(ix);
    }
    free(bad);
}

/* Consistent checksums over false links: only the structure can tell. */
static void test_false_links_are_reported(void **state)
{
    (void)state;
    static const char *const expected[] = {"link to node", "link to itself", "two links", "slot", "level", "flags"};
    for (size_t i = 0; i < BR_COUNT(expected); i++) {
        write_file(good, good_n);
        struct br_index *ix = try_open();
        assert_non_null(ix);
        uint32_t cap, *links = br_node_links(ix, 5, 0, &cap);
        if (i == 0)
            links[0] = N;
        else if (i == 1)
            links[0] = 5;
        else if (i == 2)
            links[0] = links[1];
        else if (i == 3)
            *br_node_slot(ix, 5) = 4;
        else if (i == 4)
            br_meta(ix, 5)->level = 200;
        else
            br_meta(ix, 5)->flags = 6;
        ix->changed = true;
        struct br_index_report r;
        struct br_err err = {0};
        t_ok(br_index_check(ix, &r, &err), &err);
        assert_false(r.ok);
        assert_non_null(strstr(r.first_problem, expected[i]));
        br_index_close(ix);
    }
}

static void test_header_damage_is_refused(void **state)
{
    (void)state;
    unsigned char *bad = malloc(good_n + 64);
    for (size_t at = 0; at < BR_CKPT_HEADER; at += at < 240 ? 1 : 97) {
        memcpy(bad, good, good_n);
        bad[at] ^= 0x41;
        write_file(bad, good_n);
        assert_null(try_open());
    }
    memcpy(bad, good, good_n);
    memset(bad + good_n, 0, 64);
    static const int64_t changes[] = {-1, 1, 64, -64};
    for (size_t i = 0; i < BR_COUNT(changes); i++) {
        write_file(bad, (size_t)((int64_t)good_n + changes[i]));
        assert_null(try_open());
    }
    write_file(bad, 100);
    assert_null(try_open());
    write_file(bad, 0);
    assert_null(try_open());
    free(bad);
}

int main(void)
{
    base = t_clustered(N, DIM, 1);
    rows = (struct br_rows){base, DIM, N};
    t_directory(dir);
    snprintf(path, sizeof(path), "%s/graph.1", dir);
    struct br_index *ix = t_new_index(DIM, 40);
    struct br_index_identity id = {.generation = 1};
    struct br_err err = {0};
    t_add_range(ix, &rows, 0, N);
    t_ok(br_index_checkpoint(ix, &br_io_posix, path, &id, &err), &err);
    br_index_close(ix);
    int fd = open(path, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return 1;
    good_n = (size_t)st.st_size;
    good = malloc(good_n);
    if (!good || read(fd, good, good_n) != (ssize_t)good_n)
        return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flipped_bytes_are_reported),
        cmocka_unit_test(test_noise_never_crashes),
        cmocka_unit_test(test_false_links_are_reported),
        cmocka_unit_test(test_header_damage_is_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(dir);
    free(good);
    free(base);
    return failed;
}
