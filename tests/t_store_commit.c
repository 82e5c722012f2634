/* t_store_commit.c - a batch is there after its commit, and not at all before. */
#include "store_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <time.h>

static char *ws_dir(void **state, const char *name)
{
    static char dir[400];
    snprintf(dir, sizeof(dir), "%s/%s", (char *)*state, name);
    return dir;
}

static struct br_store *create(const char *dir)
{
    struct br_store *s;
    struct br_err err = {0};
    struct br_store_spec spec = {.workspace_id = "T1", .name = "one", .model_id = "m", .dim = DIM};
    OK(br_store_create(&br_io_posix, dir, &spec, &s, &err));
    return s;
}

static struct br_store *reopen(const char *dir, enum br_store_mode mode)
{
    struct br_store *s;
    struct br_err err = {0};
    OK(br_store_open(&br_io_posix, dir, mode, &s, &err));
    return s;
}

static void add(struct br_store *s, unsigned n, uint64_t *id, uint64_t *slot)
{
    struct br_err err = {0};
    char text[64];
    float v[DIM];
    int len = snprintf(text, sizeof(text), "message number %u", n);
    unit_vector(n, v);
    OK(br_store_add_content(s, text, (size_t)len, id, &err));
    OK(br_store_add_slot(s, *id, v, slot, &err));
}

static void assert_content(struct br_store *s, uint64_t id, unsigned n)
{
    struct br_err err = {0};
    struct br_buf b;
    char text[64];
    snprintf(text, sizeof(text), "message number %u", n);
    br_buf_init(&b, 1 << 20);
    OK(br_store_content(s, id, &b, &err));
    assert_string_equal(br_buf_str(&b), text);
    br_buf_free(&b);
}

static void assert_sound(struct br_store *s, uint64_t contents, uint64_t slots)
{
    struct br_store_report r;
    struct br_err err = {0};
    OK(br_store_verify(s, true, &r, &err));
    assert_string_equal(r.first_problem, "");
    assert_int_equal(r.contents, contents);
    assert_int_equal(r.slots_live, slots);
    assert_int_equal(r.corrupt + r.orphan_vectors + r.missing_content, 0);
}

static void committed_survives_reopen(void **state)
{
    char *dir = ws_dir(state, "ws");
    struct br_err err = {0};
    struct br_store_info info;
    struct br_rows rows;
    uint64_t id, slot, seq;
    float v[DIM], w[DIM];
    bool found, live;
    struct br_store *s = create(dir);
    for (unsigned n = 0; n < 5; n++) {
        OK(br_store_begin(s, &err));
        add(s, n, &id, &slot);
        assert_content(s, id, n); /* its own write, before the commit */
        OK(br_store_commit(s, &seq, &err));
        assert_int_equal(seq, n + 1);
        assert_int_equal((4096 + slot * DIM * 4) % 4096, 0);
    }
    OK(br_store_begin(s, &err));
    OK(br_store_set_label(s, "two", NULL, &err));
    OK(br_store_commit(s, &seq, &err));
    assert_int_equal(seq, 5); /* no slot or content changed */
    br_store_close(s);

    s = reopen(dir, BR_STORE_READ);
    OK(br_store_info(s, &info, &err));
    assert_int_equal(info.last_seq, 5);
    assert_string_equal(info.name, "two");
    assert_int_equal(info.vector_tail, slot + 1);
    assert_content(s, id, 4);
    OK(br_store_rows(s, &rows, &err));
    unit_vector(4, v);
    assert_memory_equal(rows.base + slot * rows.stride_floats, v, sizeof(v));
    OK(br_store_vector_of_text(s, "message number 3", 16, w, &found, &err));
    unit_vector(3, v);
    assert_true(found);
    assert_memory_equal(w, v, sizeof(v));
    OK(br_store_vector_of_text(s, "message number 9", 16, w, &found, &err));
    assert_false(found);
    OK(br_store_slot_is_live(s, slot, &live, &err));
    assert_true(live);
    OK(br_store_slot_is_live(s, slot - 1, &live, &err));
    assert_false(live); /* a gap */
    FAILS(br_store_begin(s, &err), BR_E_USAGE);
    assert_sound(s, 5, 5);
    br_store_close(s);
}

static void rolled_back_never_was(void **state)
{
    char *dir = ws_dir(state, "ws"), path[600];
    struct br_err err = {0};
    struct stat before, after;
    uint64_t id, slot, seq;
    char *big = malloc(3 << 20);
    struct br_store *s = create(dir);
    snprintf(path, sizeof(path), "%s/content.1", dir);
    OK(br_store_begin(s, &err));
    add(s, 1, &id, &slot);
    OK(br_store_commit(s, &seq, &err));
    assert_int_equal(stat(path, &before), 0);
    memset(big, 'x', 3 << 20);
    OK(br_store_begin(s, &err));
    uint64_t ids[8];
    for (int i = 0; i < 8; i++) {
        big[0] = (char)('a' + i);
        OK(br_store_add_content(s, big, 3 << 20, &ids[i], &err));
    }
    for (int i = 0; i < 8; i++) { /* flushed past the tail, or still in the buffer */
        struct br_buf b;
        br_buf_init(&b, 4 << 20);
        OK(br_store_content(s, ids[i], &b, &err));
        assert_int_equal(b.len, 3 << 20);
        assert_int_equal(b.data[0], 'a' + i);
        br_buf_free(&b);
    }
    OK(br_store_kill_slot(s, slot, &err));
    br_store_rollback(s);
    free(big);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    FAILS(br_store_commit(s, &seq, &err), BR_E_USAGE);
    assert_sound(s, 1, 1);
    OK(br_store_begin(s, &err));
    add(s, 2, &id, &slot);
    br_store_close(s); /* rolls back */
    s = reopen(dir, BR_STORE_WRITE);
    assert_sound(s, 1, 1);
    OK(br_store_begin(s, &err));
    add(s, 2, &id, &slot);
    assert_int_equal(id, 2);
    OK(br_store_commit(s, &seq, &err));
    assert_int_equal(seq, 2);
    assert_content(s, id, 2);
    br_store_close(s);
}

struct changes {
    char text[256];
};
static enum br_rc change_cb(void *ctx, const struct br_slot_change *c, struct br_err *err)
{
    struct changes *l = ctx;
    (void)err;
    size_t n = strlen(l->text);
    snprintf(l->text + n, sizeof(l->text) - n, "%c%u", c->added ? '+' : '-', (unsigned)c->slot);
    return BR_OK;
}
static void assert_changes(struct br_store *s, uint64_t after, uint64_t want_last, const char *want)
{
    struct changes l = {{0}};
    struct br_err err = {0};
    uint64_t last;
    OK(br_store_changes(s, after, &last, change_cb, &l, &err));
    assert_int_equal(last, want_last);
    assert_string_equal(l.text, want);
}

static void changes_tell_what_came_and_went(void **state)
{
    struct br_err err = {0};
    uint64_t id[3], slot[3], seq;
    struct br_store *s = create(ws_dir(state, "ws"));
    assert_changes(s, 0, 0, "");
    OK(br_store_begin(s, &err));
    add(s, 0, &id[0], &slot[0]);
    add(s, 1, &id[1], &slot[1]);
    OK(br_store_commit(s, &seq, &err));
    OK(br_store_begin(s, &err));
    OK(br_store_kill_slot(s, 0, &err));
    OK(br_store_kill_slot(s, 0, &err)); /* dead already */
    OK(br_store_kill_content(s, id[0], &err));
    FAILS(br_store_kill_slot(s, 77, &err), BR_E_NOTFOUND);
    OK(br_store_commit(s, &seq, &err));
    assert_int_equal(seq, 2);
    OK(br_store_begin(s, &err));
    add(s, 2, &id[2], &slot[2]);
    assert_changes(s, 0, 2, "+1"); /* nothing of the open batch */
    OK(br_store_commit(s, &seq, &err));
    assert_int_equal(slot[2], 128);
    assert_changes(s, 0, 3, "+1+128");
    assert_changes(s, 1, 3, "+128-0");
    assert_changes(s, 2, 3, "+128");
    assert_changes(s, 3, 3, "");
    struct br_buf b;
    br_buf_init(&b, 100);
    FAILS(br_store_content(s, id[0], &b, &err), BR_E_NOTFOUND);
    br_buf_free(&b);
    float v[DIM];
    bool found;
    OK(br_store_vector_of_text(s, "message number 0", 16, v, &found, &err));
    assert_false(found);
    assert_sound(s, 2, 2);
    br_store_close(s);
}

static void one_writer_many_readers(void **state)
{
    char *dir = ws_dir(state, "ws");
    struct br_err err = {0};
    struct br_store *w = create(dir), *second;
    uint64_t id, slot, seq;
    FAILS(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &second, &err), BR_E_BUSY);
    struct br_store *r = reopen(dir, BR_STORE_READ);
    OK(br_store_read_begin(r, &err));
    OK(br_store_read_begin(r, &err));
    OK(br_store_begin(w, &err));
    add(w, 1, &id, &slot);
    OK(br_store_commit(w, &seq, &err));
    br_store_read_end(r);
    struct br_rows rows;
    struct br_store_info info;
    OK(br_store_rows(r, &rows, &err));
    assert_int_equal(rows.count, 0); /* still the old snapshot */
    br_store_read_end(r);
    OK(br_store_info(r, &info, &err));
    assert_int_equal(info.last_seq, 1);
    OK(br_store_rows(r, &rows, &err));
    assert_int_equal(rows.count, 1);
    assert_content(r, id, 1);
    for (unsigned n = 2; n < 40; n++) { /* rows follow without a new handle */
        OK(br_store_begin(w, &err));
        add(w, n, &id, &slot);
        OK(br_store_commit(w, &seq, &err));
    }
    OK(br_store_rows(r, &rows, &err));
    float v[DIM];
    unit_vector(39, v);
    assert_memory_equal(rows.base + slot * DIM, v, sizeof(v));
    br_store_close(r);
    br_store_close(w);
    OK(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &w, &err));
    br_store_close(w);
}

/* Commits without end, telling each acknowledged number through the pipe. */
_Noreturn static void crash_child(const char *dir, int out, unsigned first)
{
    struct br_store *s;
    struct br_err err = {0};
    if (br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, &err) != BR_OK)
        _exit(3);
    for (unsigned n = first;; n++) {
        uint64_t id, slot, seq;
        float v[DIM];
        char text[64];
        unit_vector(n, v);
        if (br_store_begin(s, &err) != BR_OK)
            _exit(4);
        for (int copy = 0; copy < 3; copy++) { /* three records a batch: all or none */
            int len = snprintf(text, sizeof(text), "batch %u", n);
            if (br_store_add_content(s, text, (size_t)len, &id, &err) != BR_OK ||
                br_store_add_slot(s, id, v, &slot, &err) != BR_OK)
                _exit(5);
        }
        if (br_store_commit(s, &seq, &err) != BR_OK)
            _exit(6);
        if (write(out, &n, sizeof(n)) != sizeof(n))
            _exit(7);
    }
}

static void killed_at_any_moment(void **state)
{
    char *dir = ws_dir(state, "ws");
    struct br_err err = {0};
    unsigned next = 0, seed = 12345;
    br_store_close(create(dir));
    struct br_store *reader = NULL;
    for (int round = 0; round < 20; round++) {
        int fds[2];
        unsigned acked = 0, n;
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(fds[0]);
            crash_child(dir, fds[1], next);
        }
        close(fds[1]);
        /* In half of the rounds a reader keeps the WAL index alive, so that nobody recovers the WAL. It is opened after
         * the fork: SQLite's locks do not survive one. */
        if (round % 2 == 0)
            reader = reopen(dir, BR_STORE_READ);
        seed = seed * 1103515245u + 12345u;
        struct timespec wait = {.tv_nsec = 2000000 + (long)(seed >> 8) % 40000000};
        nanosleep(&wait, NULL);
        kill(pid, SIGKILL);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        while (read(fds[0], &n, sizeof(n)) == sizeof(n)) {
            assert_int_equal(n, next + acked);
            acked++;
        }
        close(fds[0]);
        struct br_store *s = reopen(dir, BR_STORE_WRITE);
        struct br_store_info info;
        /* A batch whose COMMIT was cut off while the reader was there may still be in the WAL: unseen now, found by the
         * next recovery. The first transaction of a writer settles it; without that, a later count would differ. */
        OK(br_store_begin(s, &err));
        br_store_rollback(s);
        OK(br_store_info(s, &info, &err));
        /* What was acknowledged is there; one more may be, whose acknowledgement did not get out. */
        assert_true(info.last_seq == next + acked || info.last_seq == next + acked + 1);
        next = (unsigned)info.last_seq;
        assert_sound(s, 3 * next, 3 * next);
        br_store_close(s);
        br_store_close(reader);
        reader = NULL;
    }
}

static void interrupted_creation_is_completed(void **state)
{
    static const char *const names[] = {"LOCK", "content.1", "vectors.1", "metadata.db"};
    char *dir = ws_dir(state, "ws"), path[600];
    struct br_err err = {0};
    struct br_store *s;
    FAILS(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err), BR_E_NOTFOUND);
    for (size_t upto = 0; upto <= BR_COUNT(names); upto++) {
        char sub[500];
        snprintf(sub, sizeof(sub), "%s%zu", dir, upto);
        assert_int_equal(mkdir(sub, 0700), 0);
        for (size_t i = 0; i < upto; i++) {
            snprintf(path, sizeof(path), "%s/%s", sub, names[i]);
            FILE *f = fopen(path, "w");
            assert_non_null(f);
            if (i == 1)
                fputs("leftover", f);
            fclose(f);
        }
        FAILS(br_store_open(&br_io_posix, sub, BR_STORE_READ, &s, &err), BR_E_NOTFOUND);
        FAILS(br_store_open(&br_io_posix, sub, BR_STORE_WRITE, &s, &err), BR_E_NOTFOUND);
        s = create(sub);
        assert_sound(s, 0, 0);
        br_store_close(s);
        struct br_store_spec spec = {.workspace_id = "T1", .model_id = "m", .dim = DIM};
        FAILS(br_store_create(&br_io_posix, sub, &spec, &s, &err), BR_E_USAGE);
        snprintf(path, sizeof(path), "%s/metadata.db", sub);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

/* A directory nobody may write, as any user but root sees it. */
static void read_only_directory(void **state)
{
    char *dir = ws_dir(state, "ws"), path[600];
    struct br_err err = {0};
    uint64_t id, slot, seq;
    struct br_store *s = create(dir);
    OK(br_store_begin(s, &err));
    add(s, 1, &id, &slot);
    OK(br_store_commit(s, &seq, &err));
    br_store_close(s);
    static const char *const names[] = {"LOCK", "content.1", "vectors.1", "metadata.db"};
    for (size_t i = 0; i < BR_COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        assert_int_equal(chmod(path, 0444), 0);
    }
    assert_int_equal(chmod(dir, 0555), 0);
    assert_int_equal(chmod((char *)*state, 0755), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct br_buf b;
        br_buf_init(&b, 100);
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(0);
        if (br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err) != BR_OK)
            _exit(1);
        if (br_store_content(s, id, &b, &err) != BR_OK)
            _exit(2);
        br_store_close(s);
        br_buf_free(&b);
        _exit(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, &err) == BR_E_IO ? 0 : 3);
    }
    assert_child_ok(pid);
    /* With something in the WAL an immutable open would show the past: refused. */
    assert_int_equal(chmod(dir, 0755), 0);
    snprintf(path, sizeof(path), "%s/metadata.db-wal", dir);
    FILE *f = fopen(path, "w");
    fputs("not empty", f);
    fclose(f);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(dir, 0555), 0);
    pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(0);
        enum br_rc rc = br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err);
        _exit(rc == BR_E_IO && strstr(err.msg, "writable storage") ? 0 : 1);
    }
    assert_child_ok(pid);
    assert_int_equal(chmod(dir, 0755), 0);
}

static void checkpoints_come_and_go(void **state)
{
    char *dir = ws_dir(state, "ws"), path[600];
    static const char *const names[] = {"graph.1", "graph.2", "graph.3", "graph.9.tmp", "graph.7"};
    struct br_err err = {0};
    struct br_store_info info;
    struct br_store *s = create(dir);
    for (size_t i = 0; i < BR_COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        fclose(fopen(path, "w"));
    }
    OK(br_store_set_checkpoint(s, "graph.1", 0, &err));
    OK(br_store_set_checkpoint(s, "graph.2", 0, &err));
    snprintf(path, sizeof(path), "%s/graph.1", dir);
    assert_int_equal(access(path, F_OK), 0);
    OK(br_store_set_checkpoint(s, "graph.3", 0, &err));
    assert_int_not_equal(access(path, F_OK), 0);
    FAILS(br_store_set_checkpoint(s, "../graph.3", 0, &err), BR_E_USAGE);
    br_store_sweep(s);
    for (size_t i = 0; i < BR_COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        assert_int_equal(access(path, F_OK) == 0, i == 1 || i == 2);
    }
    OK(br_store_info(s, &info, &err));
    assert_string_equal(info.ckpt_file, "graph.3");
    br_store_close(s);
}

/* Where the frames of the write-ahead log end: a header of 32 bytes with the page's size at 8, then frames of 24 bytes and a page. */
static off_t end_of_frames(int fd)
{
    unsigned char h[32], frame[24];
    assert_int_equal(pread(fd, h, sizeof(h), 0), sizeof(h));
    off_t step = 24 + (h[8] << 24 | h[9] << 16 | h[10] << 8 | h[11]), at = 32;
    while (pread(fd, frame, sizeof(frame), at) == sizeof(frame) && (frame[0] | frame[1] | frame[2] | frame[3])) /* page 0 is none */
        at += step;
    return at;
}

/* The longest run of such bytes. */
static size_t run_of(int fd, unsigned char byte)
{
    unsigned char buf[4096];
    size_t run = 0, longest = 0;
    ssize_t n;
    for (off_t at = 0; (n = pread(fd, buf, sizeof(buf), at)) > 0; at += n)
        for (ssize_t i = 0; i < n; i++) {
            run = buf[i] == byte ? run + 1 : 0;
            longest = BR_MAX(longest, run);
        }
    return longest;
}

/* What a killed writer left behind the last frame it published could become a transaction again, once other frames stand before it. */
static void what_was_not_acknowledged_is_cut_from_the_log(void **state)
{
    char *dir = ws_dir(state, "ws"), path[600];
    struct br_err err = {0};
    uint64_t id, slot, seq;
    struct br_store *s = create(dir), *reader = reopen(dir, BR_STORE_READ); /* which keeps the log from being emptied at close */
    OK(br_store_begin(s, &err));
    add(s, 1, &id, &slot);
    OK(br_store_commit(s, &seq, &err));
    br_store_close(s);
    snprintf(path, sizeof(path), "%s/metadata.db-wal", dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    unsigned char left[3 * 4120];
    memset(left, 0xA5, sizeof(left));
    assert_int_equal(pwrite(fd, left, sizeof(left), end_of_frames(fd)), sizeof(left));
    assert_true(run_of(fd, 0xA5) >= sizeof(left));
    s = reopen(dir, BR_STORE_WRITE);
    OK(br_store_begin(s, &err));
    br_store_rollback(s);
    assert_true(run_of(fd, 0xA5) < sizeof(left) / 2);
    close(fd);
    assert_sound(reader, 1, 1);
    br_store_close(reader);
    br_store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(committed_survives_reopen, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(rolled_back_never_was, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(changes_tell_what_came_and_went, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(one_writer_many_readers, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(killed_at_any_moment, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(interrupted_creation_is_completed, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(read_only_directory, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(checkpoints_come_and_go, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(what_was_not_acknowledged_is_cut_from_the_log, make_tmp, remove_tmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
