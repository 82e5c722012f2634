/* t_store_damage.c - damage is seen and named; failing disks cost the batch, never what was committed. */
#include "store_test.h"

#include "store_upkeep.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>

static char dir[400], dir2[400];

/* An I/O table that does what the test says. */
static struct {
    int sync_error, allocate_error, write_error; /* positive errno, 0 none */
    int64_t given_back; /* bytes that a file still had when its size was asked */
    int zeros_error, zeros_most; /* as write_error, of zeros alone, as many as that or fewer at a time */
    int64_t room, left; /* that the disk tells of; that may be allocated */
    int syncs, zeros; /* zeros: writes of them */
    char order[512];
} fault;

static void note(const char *what)
{
    size_t n = strlen(fault.order);
    snprintf(fault.order + n, sizeof(fault.order) - n, "%s ", what);
}
static int f_sync(void *ctx, int fd, const char *what)
{
    fault.syncs++;
    note(what);
    return fault.sync_error ? -fault.sync_error : br_io_posix.sync(ctx, fd, what);
}
static int f_allocate(void *ctx, int fd, int64_t offset, int64_t n)
{
    if (n > fault.left)
        return -ENOSPC;
    fault.left -= n;
    return fault.allocate_error ? -fault.allocate_error : br_io_posix.allocate(ctx, fd, offset, n);
}
static ssize_t f_pwrite(void *ctx, int fd, const void *buf, size_t n, int64_t offset)
{
    const char *p = buf;
    note("write");
    if (n > 0 && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0) {
        fault.zeros++;
        if (fault.zeros_error && n <= (size_t)fault.zeros_most)
            return -fault.zeros_error;
    }
    return fault.write_error ? -fault.write_error : br_io_posix.pwrite(ctx, fd, buf, n, offset);
}
static int64_t f_size(void *ctx, int fd)
{
    int64_t size = br_io_posix.size(ctx, fd);
    return size < 0 ? size : size + fault.given_back;
}

static int64_t f_space(void *ctx, const char *path)
{
    (void)ctx, (void)path;
    return fault.room;
}

static struct br_io faulty(void)
{
    struct br_io io = br_io_posix;
    io.syncs_together = false; /* they are noted in order */
    io.sync = f_sync;
    io.allocate = f_allocate;
    io.pwrite = f_pwrite;
    io.size = f_size;
    io.space = f_space;
    memset(&fault, 0, sizeof(fault));
    fault.room = fault.left = INT64_MAX;
    fault.zeros_most = INT32_MAX;
    return io;
}

static struct br_store *create(const struct br_io *io, const char *where, const char *id)
{
    struct br_store *s;
    struct br_err err = {0};
    struct br_store_spec spec = {.workspace_id = id, .model_id = "m", .dim = DIM};
    OK(br_store_create(io, where, &spec, &s, &err));
    return s;
}

static enum br_rc put_text(struct br_store *s, unsigned n, const char *text, size_t len, uint64_t *id, uint64_t *slot, struct br_err *err)
{
    float v[DIM];
    uint64_t seq;
    unit_vector(n, v);
    enum br_rc rc;
    BR_TRY(br_store_begin(s, err));
    BR_TRY(br_store_add_content(s, text, len, id, err));
    BR_TRY(br_store_add_slot(s, *id, v, slot, err));
    BR_TRY(br_store_commit(s, &seq, err));
err:
    return rc;
}

static enum br_rc put(struct br_store *s, unsigned n, uint64_t *id, uint64_t *slot, struct br_err *err)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "message number %u", n);
    return put_text(s, n, text, (size_t)len, id, slot, err);
}

static int setup(void **state)
{
    if (make_tmp(state) != 0)
        return -1;
    snprintf(dir, sizeof(dir), "%s/ws", (char *)*state);
    snprintf(dir2, sizeof(dir2), "%s/ws2", (char *)*state);
    return 0;
}

static int edit_open(const char *name)
{
    char path[450];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void flip(const char *name, off_t offset)
{
    char c;
    int fd = edit_open(name);
    assert_int_equal(pread(fd, &c, 1, offset), 1);
    c ^= 0x10;
    assert_int_equal(pwrite(fd, &c, 1, offset), 1);
    close(fd);
}

static void verify_into(struct br_store_report *r)
{
    struct br_store *s;
    struct br_err err = {0};
    OK(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err));
    OK(br_store_verify(s, true, r, &err));
    br_store_close(s);
}

static void three_messages(void)
{
    struct br_err err = {0};
    uint64_t id, slot;
    struct br_store *s = create(&br_io_posix, dir, "T1");
    for (unsigned n = 0; n < 3; n++)
        OK(put(s, n, &id, &slot, &err));
    br_store_close(s);
}

static void change(const char *sql)
{
    char path[450];
    sqlite3 *db;
    snprintf(path, sizeof(path), "%s/metadata.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void a_writer_opens(void)
{
    struct br_err err = {0};
    struct br_store *s;
    OK(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, &err));
    br_store_close(s);
}

/* A device that forgot a sync: what was acknowledged last is not there. A writer does not build on it; whoever only reads may. */
static void a_writer_checks_the_last_batch(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_store *s;
    struct br_store_report r;
    three_messages();
    off_t vectors = 4096 + 2 * 4096, content = 4096 + 2 * 4096; /* a batch begins on a page */
    a_writer_opens();
    for (int log = 0; log < 2; log++) {
        const char *name = log ? "content.1" : "vectors.1";
        off_t last = log ? content : vectors;
        flip(name, last + 30);
        FAILS(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, &err), BR_E_CORRUPT);
        verify_into(&r); /* opens for reading */
        assert_int_equal(r.corrupt, 1);
        flip(name, last + 30);
        a_writer_opens();
        flip(name, last - 4096 + 30); /* an earlier batch: too much to look at all of them */
        a_writer_opens();
        verify_into(&r);
        assert_int_equal(r.corrupt, 1);
        flip(name, last - 4096 + 30);
    }
    flip("vectors.1", vectors + 3 * DIM * 4); /* padding is no live record */
    a_writer_opens();
}

/* Of a batch that lost a record only what lives is proven; a row that is wrong about a whole one is seen, and mended. */
static void the_journal_is_checked(void **state)
{
    (void)state;
    static const char *const odd[] = {"UPDATE journal SET first_slot = 0 WHERE seq = 2",
                                      "UPDATE journal SET n_slots = 1000000 WHERE seq = 2",
                                      "UPDATE journal SET content_offset = 5 WHERE seq = 3",
                                      "UPDATE journal SET content_bytes = content_bytes - 8 WHERE seq = 3",
                                      "UPDATE journal SET vectors_checksum = vectors_checksum + 1 WHERE seq = 2",
                                      "UPDATE journal SET content_checksum = content_checksum + 1 WHERE seq = 1"};
    struct br_err err = {0};
    struct br_store *s;
    struct br_store_mended logs;
    struct br_store_report r;
    bool mended;
    for (size_t i = 0; i < BR_COUNT(odd); i++) {
        three_messages();
        verify_into(&r);
        assert_int_equal(r.corrupt, 0);
        change(odd[i]);
        verify_into(&r);
        if (r.corrupt != 1 || !strstr(r.first_problem, "journal"))
            fail_msg("%s: %llu problems, %s", odd[i], (unsigned long long)r.corrupt, r.first_problem);
        OK(br_store_open_repair(&br_io_posix, dir, &s, &logs, &err));
        OK(br_store_mend_journal(s, &mended, &err));
        assert_true(mended);
        br_store_close(s);
        verify_into(&r);
        assert_int_equal(r.corrupt, 0);
        a_writer_opens();
        assert_int_equal(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    }
    /* The last batch loses its only record, and its bytes. */
    three_messages();
    OK(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, &err));
    OK(br_store_begin(s, &err));
    OK(br_store_kill_slot(s, 2 * (4096 / (DIM * 4)), &err));
    OK(br_store_commit(s, NULL, &err));
    br_store_close(s);
    flip("vectors.1", 4096 + 2 * 4096);
    a_writer_opens();
    verify_into(&r);
    assert_int_equal(r.corrupt, 0);
}

static void torn_tail_is_ignored(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_store *s;
    struct br_store_info info;
    struct br_store_report r;
    uint64_t id, slot;
    three_messages();
    OK(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err));
    OK(br_store_info(s, &info, &err));
    br_store_close(s);
    char garbage[10000];
    memset(garbage, 0xA5, sizeof(garbage));
    off_t vector_end = (off_t)(4096 + info.vector_tail * DIM * 4);
    for (int cut = 0; cut < 2; cut++) {
        int c = edit_open("content.1"), v = edit_open("vectors.1");
        if (cut) { /* nothing but what is committed */
            assert_int_equal(ftruncate(c, (off_t)info.content_tail), 0);
            assert_int_equal(ftruncate(v, vector_end), 0);
        } else {
            assert_true(pwrite(c, garbage, sizeof(garbage), (off_t)info.content_tail) > 0);
            assert_true(pwrite(v, garbage, sizeof(garbage), vector_end) > 0);
        }
        close(c);
        close(v);
        verify_into(&r);
        assert_string_equal(r.first_problem, "");
        assert_int_equal(r.slots_live, 3);
    }
    OK(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, &err));
    OK(put(s, 3, &id, &slot, &err));
    br_store_close(s);
    verify_into(&r);
    assert_string_equal(r.first_problem, "");
    assert_int_equal(r.slots_live, 4);
}

/* A writer takes space behind its tail and gives it back at any time, also between a reader's look at the size and its reading. */
static void space_given_back_during_verify_is_no_damage(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_store *s;
    struct br_store_info info;
    struct br_store_report r;
    struct br_io io = faulty();
    three_messages();
    OK(br_store_open(&io, dir, BR_STORE_READ, &s, &err));
    OK(br_store_info(s, &info, &err));
    int c = edit_open("content.1"), v = edit_open("vectors.1");
    assert_int_equal(ftruncate(c, (off_t)info.content_tail), 0);
    assert_int_equal(ftruncate(v, (off_t)(4096 + info.vector_tail * DIM * 4)), 0);
    close(c);
    close(v);
    fault.given_back = 1 << 20;
    OK(br_store_verify(s, true, &r, &err));
    assert_string_equal(r.first_problem, "");
    assert_int_equal(r.slots_live, 3);
    br_store_close(s);
}

static void flipped_bytes_are_named(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_store *s;
    struct br_store_report r;
    struct br_buf b;
    float v[DIM];
    bool found;
    three_messages();
    br_buf_init(&b, 1000);
    for (off_t at = 0; at < 24 + 16; at++) { /* every byte of the second record, header included */
        flip("content.1", 8192 + at);
        OK(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err));
        OK(br_store_content(s, 1, &b, &err));
        if (br_store_content(s, 2, &b, &err) != BR_E_CORRUPT || !strstr(err.msg, "content.1") ||
            !strstr(err.msg, "8192"))
            fail_msg("byte %d: %s", (int)at, err.msg);
        err = (struct br_err){0};
        OK(br_store_vector_of_text(s, "message number 1", 16, v, &found, &err));
        assert_false(found); /* rather embed anew than believe */
        br_store_close(s);
        verify_into(&r);
        assert_int_equal(r.corrupt, 1);
        assert_non_null(strstr(r.first_problem, "8192"));
        flip("content.1", 8192 + at);
    }
    br_buf_free(&b);
    flip("vectors.1", 4096 + 4096 + 5); /* the second batch's row: slot 128 */
    verify_into(&r);
    assert_int_equal(r.corrupt, 1);
    assert_non_null(strstr(r.first_problem, "slot 128"));
    OK(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, &err));
    OK(br_store_vector_of_text(s, "message number 1", 16, v, &found, &err));
    assert_false(found);
    OK(br_store_begin(s, &err)); /* the dead are not verified */
    OK(br_store_kill_slot(s, 128, &err));
    OK(br_store_commit(s, NULL, &err));
    br_store_close(s);
    verify_into(&r);
    assert_int_equal(r.corrupt, 0);
}

static void headers_and_tails_are_checked_at_open(void **state)
{
    (void)state;
    static const char *const logs[] = {"content.1", "vectors.1"};
    struct br_err err = {0};
    struct br_store *s;
    char from[450], to[500];
    three_messages();
    br_store_close(create(&br_io_posix, dir2, "T1"));
    for (size_t i = 0; i < BR_COUNT(logs); i++) {
        for (off_t at = 0; at < 4096; at += 37) {
            flip(logs[i], at);
            FAILS(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err), BR_E_CORRUPT);
            flip(logs[i], at);
        }
        snprintf(from, sizeof(from), "%s/%s", dir, logs[i]);
        snprintf(to, sizeof(to), "%s.kept", from);
        assert_int_equal(rename(from, to), 0);
        FAILS(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err), BR_E_CORRUPT);
        char other[450];
        snprintf(other, sizeof(other), "%s/%s", dir2, logs[i]);
        assert_int_equal(link(other, from), 0);
        enum br_rc rc = br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, &err);
        assert_int_equal(rc, BR_E_CORRUPT);
        assert_non_null(strstr(err.msg, "another workspace"));
        err = (struct br_err){0};
        assert_int_equal(rename(to, from), 0);
        int fd = edit_open(logs[i]);
        struct stat st;
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(ftruncate(fd, 4100), 0);
        FAILS(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err), BR_E_CORRUPT);
        assert_int_equal(ftruncate(fd, 10), 0);
        FAILS(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err), BR_E_CORRUPT);
        close(fd);
        /* The rest of the test needs a whole workspace. */
        char cmd[450];
        snprintf(cmd, sizeof(cmd), "%s/ws_%zu", (char *)*state, i);
        assert_int_equal(rename(dir, cmd), 0);
        three_messages();
    }
    int fd = edit_open("metadata.db");
    char zeros[4096] = {0};
    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 0), 4096);
    close(fd);
    FAILS(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err), BR_E_CORRUPT);
}

static void full_disk_costs_only_the_batch(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_store_report r;
    uint64_t id, slot;
    struct br_io io = faulty();
    struct br_store *s = create(&io, dir, "T1");
    for (int i = 0; i < 2; i++) { /* at the first growth */
        fault.allocate_error = ENOSPC;
        FAILS(put(s, 0, &id, &slot, &err), BR_E_NOSPC);
    }
    fault.allocate_error = 0;
    OK(put(s, 0, &id, &slot, &err));
    fault.write_error = ENOSPC;
    FAILS(put(s, 1, &id, &slot, &err), BR_E_NOSPC);
    fault.write_error = EIO;
    FAILS(put(s, 1, &id, &slot, &err), BR_E_IO);
    fault.write_error = 0;
    OK(put(s, 1, &id, &slot, &err));
    assert_int_equal(id, 2);
    OK(br_store_verify(s, true, &r, &err));
    assert_string_equal(r.first_problem, "");
    assert_int_equal(r.slots_live, 2);
    br_store_close(s);
}

/* Zeros for batches to come find no room: the batch that is there fits. An error of the disk is one. */
static void zeros_ahead_cost_no_batch(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_store_report r;
    uint64_t id, slot;
    struct br_io io = faulty();
    struct br_store *s = create(&io, dir, "T1");
    const int full[] = {ENOSPC, EDQUOT};
    char text[5000];
    memset(text, 'x', sizeof(text));
    for (unsigned n = 0; n < 10; n++) {
        fault.zeros_error = full[n % 2];
        OK(put_text(s, n, text, sizeof(text), &id, &slot, &err));
    }
    assert_true(fault.zeros > 0);
    OK(br_store_verify(s, true, &r, &err));
    assert_string_equal(r.first_problem, "");
    assert_int_equal(r.slots_live, 10);
    fault.zeros_error = EIO;
    FAILS(put_text(s, 10, text, sizeof(text), &id, &slot, &err), BR_E_IO);
    fault.zeros_error = 0;
    OK(put_text(s, 10, text, sizeof(text), &id, &slot, &err));
    br_store_close(s);
}

/* One log does not take ahead what the other needs. */
static void a_batch_that_fits_is_taken(void **state)
{
    (void)state;
    struct br_err err = {0};
    uint64_t id, slot;
    struct br_io io = faulty();
    struct br_store *s = create(&io, dir, "T1");
    fault.room = fault.left = 4 << 20;
    OK(put(s, 0, &id, &slot, &err));
    fault.room = fault.left = 0;
    FAILS(put(s, 1, &id, &slot, &err), BR_E_NOSPC);
    br_store_close(s);
}

/* On a disk with little room the write-ahead log has its frames and nothing more. */
static void the_last_room_is_left_to_the_batches(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct stat st;
    uint64_t id, slot;
    char wal[450];
    struct br_io io = faulty();
    struct br_store *s = create(&io, dir, "T1");
    snprintf(wal, sizeof(wal), "%s/metadata.db-wal", dir);
    fault.room = 4 << 20;
    for (unsigned n = 0; n < 20; n++) {
        OK(put(s, n, &id, &slot, &err));
        assert_int_equal(stat(wal, &st), 0);
        assert_int_equal((st.st_size - 32) % (4096 + 24), 0);
    }
    fault.room = -1; /* not known: then the disk tells, in the middle of it */
    fault.zeros_error = ENOSPC;
    fault.zeros_most = 65535;
    OK(put(s, 20, &id, &slot, &err));
    assert_int_equal(stat(wal, &st), 0);
    assert_true(fault.zeros > 1);
    assert_int_equal((st.st_size - 32) % (4096 + 24), 0);
    fault.zeros_error = 0;
    off_t frames = st.st_size;
    OK(put(s, 21, &id, &slot, &err));
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size >= frames * 3 / 2); /* else this proves nothing */
    br_store_close(s);
}

static void failed_sync_poisons(void **state)
{
    (void)state;
    struct br_err err = {0};
    struct br_store_report r;
    uint64_t id, slot;
    struct br_io io = faulty();
    struct br_store *s = create(&io, dir, "T1");
    fault.order[0] = 0;
    OK(put(s, 0, &id, &slot, &err));
    assert_string_equal(fault.order, "write write content vectors "); /* then, and only then, SQLite */
    fault.sync_error = EIO;
    fault.syncs = 0;
    FAILS(put(s, 1, &id, &slot, &err), BR_E_IO);
    assert_int_equal(fault.syncs, 2); /* each log once, and not tried again */
    fault.sync_error = 0;
    FAILS(put(s, 1, &id, &slot, &err), BR_E_IO);
    assert_int_equal(fault.syncs, 2);
    struct br_buf b;
    br_buf_init(&b, 100);
    OK(br_store_content(s, 1, &b, &err)); /* reading goes on */
    br_buf_free(&b);
    br_store_close(s);
    OK(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, &err));
    OK(put(s, 1, &id, &slot, &err));
    assert_int_equal(id, 2);
    OK(br_store_verify(s, true, &r, &err));
    assert_string_equal(r.first_problem, "");
    assert_int_equal(r.slots_live, 2);
    br_store_close(s);
}

/* A disk of which one log takes long to sync, and then may fail. */
static const char *slow;
static int slow_error;
static atomic_int done;

static int slow_sync(void *ctx, int fd, const char *what)
{
    bool is_slow = strcmp(what, slow) == 0;
    if (is_slow)
        usleep(50000);
    int r = br_io_posix.sync(ctx, fd, what);
    atomic_fetch_add(&done, 1);
    return is_slow && slow_error ? -slow_error : r;
}

static void the_slower_sync_is_waited_for(void **state)
{
    static const char *const logs[] = {"content", "vectors"};
    struct br_io io = br_io_posix;
    uint64_t id, slot;
    (void)state;
    slow = "";
    io.sync = slow_sync;
    assert_true(io.syncs_together);
    struct br_store *s = create(&io, dir, "T1");
    for (unsigned i = 0; i < 2; i++) {
        struct br_err err = {0};
        slow = logs[i];
        slow_error = 0;
        atomic_store(&done, 0);
        OK(put(s, i, &id, &slot, &err));
        assert_int_equal(atomic_load(&done), 2);
        slow_error = EIO;
        FAILS(put(s, 9, &id, &slot, &err), BR_E_IO);
        assert_int_equal(atomic_load(&done), 4);
        slow_error = 0;
        FAILS(put(s, 9, &id, &slot, &err), BR_E_IO); /* poisoned */
        assert_int_equal(atomic_load(&done), 4);
        br_store_close(s);
        slow = "";
        OK(br_store_open(&io, dir, BR_STORE_WRITE, &s, &err));
    }
    struct br_store_report r;
    struct br_err err = {0};
    OK(br_store_verify(s, true, &r, &err));
    assert_int_equal(r.slots_live, 2);
    br_store_close(s);
}

static void bad_input_is_refused(void **state)
{
    (void)state;
    struct br_err err = {0};
    uint64_t id, slot, seq;
    float v[DIM] = {1};
    struct br_store_report r;
    struct br_store *s = create(&br_io_posix, dir, "T1");
    OK(br_store_begin(s, &err));
    OK(br_store_add_content(s, "x", 1, &id, &err));
    v[3] = __builtin_nanf("");
    FAILS(br_store_add_slot(s, id, v, &slot, &err), BR_E_DATA);
    FAILS(br_store_commit(s, &seq, &err), BR_E_IO); /* half a batch is none */
    OK(br_store_begin(s, &err));
    v[3] = 0;
    FAILS(br_store_add_slot(s, 99, v, &slot, &err), BR_E_DATA); /* no such content */
    br_store_rollback(s);
    OK(br_store_begin(s, &err));
    OK(br_store_add_content(s, "", 0, &id, &err)); /* empty text is text */
    OK(br_store_commit(s, &seq, &err));
    OK(br_store_verify(s, true, &r, &err));
    assert_string_equal(r.first_problem, "");
    assert_int_equal(r.contents, 1);
    br_store_close(s);
    struct br_store_spec spec = {.workspace_id = "../x", .model_id = "m", .dim = DIM};
    FAILS(br_store_create(&br_io_posix, dir2, &spec, &s, &err), BR_E_USAGE);
    spec = (struct br_store_spec){.workspace_id = "x", .model_id = "m", .dim = BR_DIM_MAX + 1};
    FAILS(br_store_create(&br_io_posix, dir2, &spec, &s, &err), BR_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(torn_tail_is_ignored, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(space_given_back_during_verify_is_no_damage, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(a_writer_checks_the_last_batch, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(the_journal_is_checked, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(flipped_bytes_are_named, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(headers_and_tails_are_checked_at_open, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(full_disk_costs_only_the_batch, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(zeros_ahead_cost_no_batch, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(a_batch_that_fits_is_taken, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(the_last_room_is_left_to_the_batches, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(failed_sync_poisons, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(the_slower_sync_is_waited_for, setup, remove_tmp),
        cmocka_unit_test_setup_teardown(bad_input_is_refused, setup, remove_tmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
