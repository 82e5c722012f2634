/* t_index_checkpoint.c - a checkpoint reopened answers as the graph did and can be extended without touching the
 * file; equal inserts give equal bytes, on any number of threads; a write that fails at any call leaves the earlier file as it was. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "t_index_data.h"

#define N 2600u /* past two segments, the third partial */
#define DIM 40u
#define QUERIES 30u
#define K 10u

static float *base;
static struct br_rows rows;
static char dir[64], path[128], other[128];
static const struct br_index_identity identity = {.store_uuid = "fifteen letters", .generation = 3, .applied_seq = 9};

static struct br_index *built(uint64_t end)
{
    struct br_index *ix = t_new_index(DIM, 60);
    t_add_range(ix, &rows, 0, end);
    return ix;
}

static void save(const struct br_index *ix, const char *to)
{
    struct br_err err = {0};
    t_ok(br_index_checkpoint(ix, &br_io_posix, to, &identity, &err), &err);
}

static struct br_index *reopened(const char *from)
{
    struct br_index *ix;
    struct br_index_identity id;
    struct br_err err = {0};
    t_ok(br_index_open(&br_io_posix, from, &ix, &id, &err), &err);
    assert_memory_equal(id.store_uuid, identity.store_uuid, 16);
    assert_int_equal(id.generation, 3);
    assert_int_equal(id.applied_seq, 9);
    return ix;
}

static void *bytes_of(const char *file, size_t *n)
{
    struct stat st;
    int fd = open(file, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    *n = (size_t)st.st_size;
    void *p = malloc(*n);
    assert_int_equal(read(fd, p, *n), *n);
    close(fd);
    return p;
}

static bool same_bytes(const char *a, const char *b)
{
    size_t na, nb;
    void *pa = bytes_of(a, &na), *pb = bytes_of(b, &nb);
    bool same = na == nb && memcmp(pa, pb, na) == 0;
    free(pa);
    free(pb);
    return same;
}

static void check_valid(const struct br_index *ix)
{
    struct br_index_report r;
    struct br_err err = {0};
    t_ok(br_index_check(ix, &r, &err), &err);
    assert_string_equal(r.first_problem, "");
}

static void check_same_answers(struct br_index *a, struct br_index *b)
{
    struct br_searcher *s = t_searcher();
    a->exact_nodes = b->exact_nodes = 0;
    for (size_t i = 0; i < QUERIES; i++) {
        struct br_hit x[K], y[K];
        bool exhaustive;
        size_t n = t_search(a, s, &rows, base + i * 7 * DIM, K, NULL, x, &exhaustive);
        assert_int_equal(t_search(b, s, &rows, base + i * 7 * DIM, K, NULL, y, &exhaustive), n);
        assert_int_equal(t_common(x, n, y, n), n);
    }
    br_searcher_free(s);
}

static void test_reopens(void **state)
{
    (void)state;
    struct br_index *ix = built(N);
    br_index_remove(ix, 17);
    save(ix, path);
    struct br_index *again = reopened(path);
    assert_int_equal(br_index_count(again), N);
    assert_int_equal(br_index_live(again), N - 1);
    assert_int_equal(br_index_slot_end(again), N);
    assert_int_equal(br_index_bytes(again), br_index_bytes(ix));
    check_valid(again);
    check_same_answers(ix, again);
    save(again, other);
    assert_true(same_bytes(path, other));
    br_index_close(again);
    br_index_close(ix);
}

/* Half the inserts, checkpoint, open, the other half: the same graph as all inserts at once. */
static void test_extended(void **state)
{
    (void)state;
    struct br_index *whole = built(N), *half = built(N / 2);
    save(half, path);
    size_t n, n_after;
    void *before = bytes_of(path, &n);
    struct br_index *again = reopened(path);
    t_add_range(again, &rows, N / 2, N);
    br_index_remove(again, 3);
    br_index_remove(whole, 3);
    check_valid(again);
    save(whole, other);
    void *after = bytes_of(path, &n_after);
    assert_int_equal(n, n_after);
    assert_memory_equal(before, after, n); /* the map is private */
    save(again, path);                     /* over the file that is mapped */
    assert_true(same_bytes(path, other));
    free(before);
    free(after);
    br_index_close(again);
    br_index_close(half);
    br_index_close(whole);
}

/* In batches, by any number of threads: the same bytes; and a sound graph. */
static void test_threads(void **state)
{
    (void)state;
    uint64_t slots[N];
    struct br_err err = {0};
    for (uint64_t i = 0; i < N; i++)
        slots[i] = i;
    for (unsigned threads = 1; threads <= 7; threads += 3) {
        struct br_index *ix = t_new_index(DIM, 60);
        t_ok(br_index_add_many(ix, &rows, slots, N, threads, &err), &err);
        check_valid(ix);
        save(ix, threads == 1 ? path : other);
        assert_true(threads == 1 || same_bytes(path, other));
        assert_int_equal(br_index_add_many(ix, &rows, slots, 1, threads, &err), BR_E_USAGE);
        err = (struct br_err){0};
        br_index_close(ix);
    }
}

static void test_empty(void **state)
{
    (void)state;
    struct br_index *ix = built(0);
    check_valid(ix);
    save(ix, path);
    struct br_index *again = reopened(path);
    t_add_range(again, &rows, 0, 50);
    check_valid(again);
    br_index_close(again);
    br_index_close(ix);
}

/* --- An I/O table that fails its n-th call. --- */

static int calls_left;

static bool fails(void)
{
    return calls_left-- == 0;
}
static int f_open(void *ctx, const char *p, int flags, unsigned mode)
{
    return fails() ? -EACCES : br_io_posix.open(ctx, p, flags, mode);
}
static ssize_t f_pwrite(void *ctx, int fd, const void *buf, size_t n, int64_t offset)
{
    return fails() ? -EIO : br_io_posix.pwrite(ctx, fd, buf, n > 100000 ? n / 2 : n, offset);
}
static int f_sync(void *ctx, int fd, const char *what)
{
    return fails() ? -EIO : br_io_posix.sync(ctx, fd, what);
}
static int f_allocate(void *ctx, int fd, int64_t offset, int64_t n)
{
    return fails() ? -ENOSPC : br_io_posix.allocate(ctx, fd, offset, n);
}
static int f_rename(void *ctx, const char *from, const char *to)
{
    return fails() ? -EIO : br_io_posix.rename(ctx, from, to);
}
static int f_sync_dir(void *ctx, const char *p)
{
    return fails() ? -EIO : br_io_posix.sync_dir(ctx, p);
}

static void test_write_fails(void **state)
{
    (void)state;
    struct br_io io = br_io_posix;
    io.open = f_open;
    io.pwrite = f_pwrite;
    io.sync = f_sync;
    io.allocate = f_allocate;
    io.rename = f_rename;
    io.sync_dir = f_sync_dir;
    struct br_index *ix = built(300), *old = built(100);
    save(old, other);
    char tmp[160];
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    for (int n = 0;; n++) {
        struct br_err err = {0};
        save(old, path);
        calls_left = n;
        enum br_rc rc = br_index_checkpoint(ix, &io, path, &identity, &err);
        assert_int_equal(access(tmp, F_OK), -1);
        if (rc == BR_OK) {
            assert_true(n > 8);
            break;
        }
        assert_true(rc == BR_E_IO || (rc == BR_E_NOSPC && n == 1));
        /* After the rename only the directory's sync is left: either file is whole, the caller names neither. */
        struct br_index *again = reopened(path);
        check_valid(again);
        br_index_close(again);
    }
    br_index_close(ix);
    br_index_close(old);
}

static void test_missing(void **state)
{
    (void)state;
    struct br_index *ix;
    struct br_index_identity id;
    struct br_err err = {0};
    assert_int_equal(br_index_open(&br_io_posix, "/nonexistent/graph", &ix, &id, &err), BR_E_IO);
    assert_null(ix);
}

int main(void)
{
    base = t_clustered(N, DIM, 1);
    rows = (struct br_rows){base, DIM, N};
    t_directory(dir);
    snprintf(path, sizeof(path), "%s/graph.1", dir);
    snprintf(other, sizeof(other), "%s/graph.2", dir);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reopens),     cmocka_unit_test(test_extended), cmocka_unit_test(test_threads), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_write_fails), cmocka_unit_test(test_missing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    unlink(other);
    rmdir(dir);
    free(base);
    return failed;
}
