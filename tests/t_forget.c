/* t_forget.c - what is forgotten is in no file any more: not its text, raw form, words, vector or code, nor those of
 * earlier edits; and no archive brings it back. */
#include "upkeep.h"

#include "engine_int.h"
#include "quant_int.h"
#include "store.h"
#include "store_upkeep.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static int forget(const struct fixture *f, const struct br_forget_options *o, struct br_forget_report *r,
                  struct br_error *err)
{
    *err = (struct br_error){0};
    return br_forget(f->h, NULL, o, r, err);
}

static struct br_forget_report forgotten(const struct fixture *f, struct br_forget_options o)
{
    struct br_error err;
    struct br_forget_report r = {0};
    if (forget(f, &o, &r, &err))
        fail_msg("%s", err.message);
    return r;
}

/* The vector of a text, and the low halves of its code in the graph: so few components that a byte holds but one. The high
 * halves are so coarse that other texts of this small model share pieces of them: that they go too is t_index_erase's to tell. */
struct traces {
    float vector[TINY_HIDDEN];
    uint8_t high[TINY_HIDDEN + 64], low[TINY_HIDDEN + 64];
};

static struct traces traces_of(const struct fixture *f, const char *text)
{
    struct traces t = {0};
    struct br_error err = {0};
    struct br_quant_sums sums;
    if (br_embed_texts(f->h, &text, 1, t.vector, &err))
        fail_msg("%s", err.message);
    assert_true(br_quant_encode(t.vector, TINY_HIDDEN, br_quant_scale(TINY_HIDDEN), t.high, t.low, &sums));
    return t;
}

static void traces_there(const struct fixture *f, const struct traces *t)
{
    assert_non_null(up_find(f, t->vector, sizeof t->vector));
    assert_non_null(up_find(f, t->low, TINY_HIDDEN));
}

static void traces_gone(const struct fixture *f, const struct traces *t)
{
    const char *where = up_find(f, t->vector, sizeof t->vector);
    if (!where)
        where = up_find(f, t->low, TINY_HIDDEN);
    if (where)
        fail_msg("a vector is still in %s", where);
}

static void a_message_leaves_no_byte_and_does_not_come_back(void **state)
{
    struct fixture f;
    (void)state;
    up_begin(&f);
    const char *first = up_words(1), *second = up_words(2), *beside = up_words(3),
               *title = "zzyx quarterly figures of the moon base.pdf";
    up_message(&f, 0, 0, "U0BABBAGE", "who starts the thread about engines", 0);
    json_t *m = up_message(&f, 0, 10, "U0ADALOVE", first, 0);
    json_object_set_new(m, "client_msg_id", json_string("4711beef-cafe-4321-8765-0123456789ab"));
    json_object_set_new(m, "files", json_pack("[{ss ss ss}]", "id", "F0000001", "name", title, "title", title));
    up_message(&f, 0, 20, "U0BABBAGE", beside, 0);
    for (int i = 0; i < 40; i++)
        up_message(&f, 1, i, "U0BABBAGE", up_words(100 + (unsigned)i), -1);
    up_import(&f);
    up_there(&f, first);

    json_object_set_new(m, "text", json_string(second)); /* edited, and the export imported again */
    json_object_set_new(m, "edited", json_pack("{ss ss}", "user", "U0ADALOVE", "ts", up_ts(500)));
    up_import(&f);
    up_there(&f, first);
    up_there(&f, second);
    up_there(&f, "4711beef-cafe");
    up_there(&f, "moon base.pdf");
    struct br_workspace_status before = up_status(&f);

    char id[64];
    snprintf(id, sizeof id, "general:%s", up_ts(10));
    struct br_forget_report r = forgotten(&f, (struct br_forget_options){.message = id});
    assert_int_equal(r.messages, 1);
    assert_int_equal(r.documents, 2); /* the text, and the thread's passage */
    for (int again = 0; again < 2; again++) {
        up_gone(&f, first);
        up_gone(&f, second);
        up_gone(&f, "4711beef-cafe-4321-8765-0123456789ab");
        up_gone(&f, title);
        up_there(&f, beside);
        e2e_verify(f.h, NULL);
        struct br_workspace_status after = up_status(&f);
        assert_int_equal(after.messages, before.messages - 1);
        assert_int_equal(after.pending_threads, 0);
        assert_int_equal(after.indexed_seq, after.last_seq);
        br_workspace_status_free(&after);
        char *hits = up_search(&f, beside, false);
        assert_non_null(strstr(hits, beside));
        free(hits);
        up_import(&f); /* the old export once more */
    }
    /* Again: nothing to do, and no error. */
    r = forgotten(&f, (struct br_forget_options){.message = id});
    assert_int_equal(r.messages, 0);
    br_workspace_status_free(&before);
    up_end(&f);
}

static void vectors_and_codes_of_long_gone_edits_go_too(void **state)
{
    struct fixture f;
    (void)state;
    up_begin(&f);
    /* The file's title is part of a message's text: here there is none, so that the text is the message's alone. */
    const char *first = up_words(1), *second = up_words(2), *other = up_words(4);
    json_t *m = up_message(&f, 0, 10, "U0ADALOVE", first, -1);
    up_message(&f, 0, 20, "U0BABBAGE", other, -1);
    up_import(&f);
    struct traces t1 = traces_of(&f, first), t2 = traces_of(&f, second), kept = traces_of(&f, other);
    traces_there(&f, &t1);
    json_object_set_new(m, "text", json_string(second));
    json_object_set_new(m, "edited", json_pack("{ss ss}", "user", "U0ADALOVE", "ts", up_ts(500)));
    up_import(&f);
    traces_there(&f, &t1);
    traces_there(&f, &t2);
    char id[64];
    snprintf(id, sizeof id, "general:%s", up_ts(10));
    forgotten(&f, (struct br_forget_options){.message = id});
    traces_gone(&f, &t1);
    traces_gone(&f, &t2);
    traces_there(&f, &kept);
    /* New messages go on over erased nodes. */
    for (int i = 0; i < 300; i++)
        up_message(&f, 1, i, "U0BABBAGE", up_words(1000 + (unsigned)i), -1);
    up_import(&f);
    e2e_verify(f.h, NULL);
    traces_gone(&f, &t1);
    up_end(&f);
}

static void a_person_is_nameless_afterwards(void **state)
{
    struct fixture f;
    (void)state;
    up_begin(&f);
    const char *root = up_words(1), *reply = up_words(2), *own = up_words(3);
    up_message(&f, 0, 0, "U0ADALOVE", root, 0); /* her root stays as a placeholder for his reply */
    json_t *m = up_message(&f, 0, 10, "U0BABBAGE", reply, 0);
    json_object_set_new(m, "reactions",
                        json_pack("[{ss s[ss] si} {ss s[s] si}]", "name", "tada", "users", "U0ADALOVE", "U0BABBAGE",
                                  "count", 2, "name", "eyes", "users", "U0ADALOVE", "count", 1));
    up_message(&f, 1, 20, "U0ADALOVE", own, -1);
    up_import(&f);
    up_there(&f, "Augusta Ada Byron King");
    struct br_forget_report r = forgotten(&f, (struct br_forget_options){.user = "@adacountess"});
    assert_int_equal(r.messages, 2);
    assert_int_equal(r.reactions, 2);
    for (int again = 0; again < 2; again++) {
        up_gone(&f, root);
        up_gone(&f, own);
        up_gone(&f, "Augusta Ada Byron King");
        up_gone(&f, "Countess Lovelace");
        if (up_find(&f, "adacountess\0", 12) || up_find(&f, "!adacountess", 12))
            fail_msg("the handle is still there");
        up_there(&f, reply);
        e2e_verify(f.h, NULL);
        struct br_workspace_status s = up_status(&f);
        assert_int_equal(s.messages, 1);
        br_workspace_status_free(&s);
        up_import(&f);
    }
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    struct br_messages list = {0};
    assert_int_equal(br_workspace_open(f.h, NULL, &ws, &err), 0);
    assert_int_equal(br_top_messages(ws, NULL, 0, 0, 10, &list, &err), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].reactions_total, 1); /* his own */
    br_messages_free(&list);
    br_workspace_close(ws);
    up_end(&f);
}

/* SQLite zeroes what it frees, but leaves copies where it moves rows between pages: rows that come in no order make it
 * move many. */
static void rows_that_sqlite_moved_leave_no_copies(void **state)
{
    struct fixture f;
    unsigned seed = 3;
    (void)state;
    up_begin(&f);
    json_t *all[1500];
    for (int i = 0; i < 1500; i++) {
        char title[300];
        snprintf(title, sizeof title, "%.*s %s %.*s.pdf", (int)(rand_r(&seed) % 90), up_words((unsigned)i),
                 i % 4 ? "hisharmlesstitle" : "hersecrettitle", (int)(rand_r(&seed) % 90),
                 up_words(5000u + (unsigned)i));
        all[i] = json_pack("{ss ss ss ss s[{ss ss}]}", "type", "message", "user", i % 4 ? "U0BABBAGE" : "U0ADALOVE",
                           "text", "see the file", "ts", up_ts(i), "files", "id", "F1", "title", title);
    }
    for (int round = 0; round < 5; round++) {
        for (int n = 0; n < 300; n++) {
            int i;
            do
                i = (int)(rand_r(&seed) % 1500);
            while (!all[i]);
            json_array_append_new(f.days[0], all[i]);
            all[i] = NULL;
        }
        up_import(&f);
    }
    up_there(&f, "hersecrettitle");
    assert_int_equal(forgotten(&f, (struct br_forget_options){.user = "adacountess"}).messages, 375);
    up_gone(&f, "hersecrettitle");
    up_there(&f, "hisharmlesstitle");
    e2e_verify(f.h, NULL);
    up_end(&f);
}

static void channels_and_dates_go_in_many_batches(void **state)
{
    struct fixture f;
    (void)state;
    up_begin(&f);
    for (int i = 0; i < 700; i++)
        up_message(&f, 1, i, "U0BABBAGE", up_words(1000 + (unsigned)i), -1);
    for (int i = 0; i < 30; i++)
        up_message(&f, 0, i, "U0BABBAGE", up_words(3000 + (unsigned)i), i < 10 ? -1 : 10);
    up_import(&f);
    struct br_forget_report r = forgotten(&f, (struct br_forget_options){.channel = "#random"});
    assert_int_equal(r.messages, 700);
    for (unsigned i = 0; i < 700; i += 50)
        up_gone(&f, up_words(1000 + i));
    up_there(&f, up_words(3005));
    r = forgotten(&f, (struct br_forget_options){.before = up_ts(15)});
    assert_int_equal(r.messages, 15);
    for (unsigned i = 0; i < 30; i++) {
        if (i < 15)
            up_gone(&f, up_words(3000 + i));
        else
            up_there(&f, up_words(3000 + i));
    }
    e2e_verify(f.h, NULL);
    struct br_workspace_status s = up_status(&f);
    assert_int_equal(s.messages, 15);
    br_workspace_status_free(&s);
    up_end(&f);
}

/* More than a graph keeps of its dead (hnsw_insert.c): it is made anew, of nothing. */
static void an_archive_of_which_all_is_forgotten_is_whole(void **state)
{
    struct fixture f;
    (void)state;
    up_begin(&f);
    for (int i = 0; i < 1100; i++)
        up_message(&f, 1, i, "U0BABBAGE", up_words(5000 + (unsigned)i), -1);
    up_import(&f);
    struct br_forget_report r = forgotten(&f, (struct br_forget_options){.before = up_ts(2000)});
    assert_int_equal(r.messages, 1100);
    e2e_verify(f.h, NULL);
    up_message(&f, 0, 3000, "U0ADALOVE", up_words(9000), -1);
    up_import(&f);
    e2e_verify(f.h, NULL);
    up_there(&f, up_words(9000));
    up_end(&f);
}

static uint64_t queued(const struct fixture *f)
{
    struct br_err err = {0};
    struct br_store *s = NULL;
    uint64_t n = 0;
    assert_int_equal(br_store_open(&br_io_posix, f->ws_dir, BR_STORE_READ, &s, &err), BR_OK);
    assert_int_equal(br_store_erase_queued(s, &n, &err), BR_OK);
    br_store_close(s);
    return n;
}

/* An older view may still ask for the bytes: they stay until it is gone, and the next run takes them. */
static void a_reader_of_an_older_view_is_waited_for(void **state)
{
    struct fixture f;
    struct br_err e = {0};
    struct br_error err;
    struct br_store *reader = NULL;
    struct br_forget_report r = {0};
    (void)state;
    up_begin(&f);
    const char *text = up_words(1);
    up_message(&f, 0, 0, "U0ADALOVE", text, -1);
    up_message(&f, 0, 1, "U0BABBAGE", up_words(2), -1);
    up_import(&f);
    assert_int_equal(br_store_open(&br_io_posix, f.ws_dir, BR_STORE_READ, &reader, &e), BR_OK);
    assert_int_equal(br_store_read_begin(reader, &e), BR_OK);
    char id[64];
    snprintf(id, sizeof id, "general:%s", up_ts(0));
    assert_int_equal(forget(&f, &(struct br_forget_options){.message = id}, &r, &err), BR_STATUS_IO);
    assert_non_null(strstr(err.message, "close it"));
    assert_true(queued(&f) > 0);
    struct br_buf b;
    br_buf_init(&b, 4096);
    assert_int_equal(br_store_content(reader, 1, &b, &e), BR_OK); /* as if nothing had happened */
    br_buf_free(&b);
    br_store_read_end(reader);
    br_store_close(reader);
    up_there(&f, text);
    up_import(&f); /* finishes it */
    up_gone(&f, text);
    assert_int_equal(queued(&f), 0);
    e2e_verify(f.h, NULL);
    up_end(&f);
}

/* A backup that all is in, a moment before it gets its name. */
static const struct fixture *backed_up;
static int forget_meanwhile;
static struct br_error meanwhile;

static int rename_after_a_forget(void *ctx, const char *from, const char *to)
{
    if (strstr(to, "/backups/")) {
        struct br_forget_report r = {0};
        char id[64];
        snprintf(id, sizeof id, "general:%s", up_ts(0));
        forget_meanwhile = forget(backed_up, &(struct br_forget_options){.message = id}, &r, &meanwhile);
    }
    return br_io_posix.rename(ctx, from, to);
}

/* The text is in a file that is no backup yet: forget does not say that it is gone, nor that no backup has it. */
static void a_backup_under_way_is_waited_for(void **state)
{
    struct fixture f;
    struct br_error err = {0};
    struct br_backup_report b;
    struct br_forget_report r = {0};
    char path[500], id[64];
    (void)state;
    up_begin(&f);
    const char *text = up_words(1);
    up_message(&f, 0, 0, "U0ADALOVE", text, -1);
    up_message(&f, 0, 1, "U0BABBAGE", up_words(2), -1);
    up_import(&f);
    snprintf(path, sizeof path, "%s/backups", f.home);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/backups/%s-20240101T000000Z.tar.zst", f.home, strrchr(f.ws_dir, '/') + 1);
    struct br_io io = br_io_posix;
    struct br_home other = *f.h;
    io.rename = rename_after_a_forget;
    other.io = &io;
    backed_up = &f;
    forget_meanwhile = -1;
    if (br_backup(&other, NULL, path, NULL, &b, &err))
        fail_msg("%s", err.message);
    assert_int_equal(forget_meanwhile, BR_STATUS_IO);
    assert_non_null(strstr(meanwhile.message, "backing it up"));
    snprintf(id, sizeof id, "general:%s", up_ts(0));
    if (forget(&f, &(struct br_forget_options){.message = id}, &r, &err))
        fail_msg("%s", err.message);
    assert_int_equal(r.backups, 1);
    up_gone(&f, text);
    up_end(&f);
}

/* Killed anywhere, the next run finishes. */
static void a_killed_forget_is_finished_by_the_next(void **state)
{
    struct fixture f;
    unsigned seed = 5;
    (void)state;
    up_begin(&f);
    for (int i = 0; i < 200; i++)
        up_message(&f, 0, i, i % 2 ? "U0ADALOVE" : "U0BABBAGE", up_words(1000 + (unsigned)i),
                   i < 20 ? -1 : 20 + i / 50);
    up_import(&f);
    for (int kill_no = 0; kill_no < 8; kill_no++) {
        char id[64];
        snprintf(id, sizeof id, "general:%s", up_ts(kill_no * 7 + 1));
        pid_t pid = fork();
        if (pid == 0) {
            struct br_error err;
            struct br_forget_report r;
            _exit(forget(&f, &(struct br_forget_options){.message = id}, &r, &err));
        }
        usleep((useconds_t)(rand_r(&seed) % 60000));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        forgotten(&f, (struct br_forget_options){.message = id});
        up_gone(&f, up_words(1000 + (unsigned)(kill_no * 7 + 1)));
        assert_int_equal(queued(&f), 0);
        e2e_verify(f.h, NULL);
    }
    struct br_workspace_status s = up_status(&f);
    assert_int_equal(s.messages, 192);
    br_workspace_status_free(&s);
    up_end(&f);
}

static void leave(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Texts are also in what killed processes left: a backup without its name, an unpacked restore, the store of a dry run. A backup that was
 * finished is a copy: it stays, and is told of. */
static void what_stopped_processes_left_goes_too(void **state)
{
    struct fixture f;
    char dir[400], mine[500], far[300], far_text[400], link[500], half[600], busy[600], unpacked[600], unpacked_text[700], dry[600], dry_lock[700], path[500];
    struct br_error err;
    struct br_forget_report r = {0};
    (void)state;
    up_begin(&f);
    up_message(&f, 0, 0, "U0ADALOVE", up_words(1), -1);
    up_message(&f, 0, 1, "U0ADALOVE", up_words(2), -1);
    up_import(&f);
    snprintf(dir, sizeof dir, "%s/backups", f.home);
    assert_int_equal(mkdir(dir, 0700), 0);
    const char *id = strrchr(f.ws_dir, '/') + 1;
    for (int i = 0; i < 3; i++) {
        static const char *const tails[] = {"20240101T000000Z.tar.zst", "20240101T000000Z-1.tar.zst", "beside-20240101T000000Z.tar.zst"};
        snprintf(path, sizeof path, "%s/%s-%s", dir, id, tails[i]); /* the last is of another workspace */
        leave(path, "a backup");
    }
    snprintf(half, sizeof half, "%s/%s-20240101T000001Z.tar.zst.0123456789abcdef.tmp", dir, id);
    snprintf(busy, sizeof busy, "%s/%s-20240101T000002Z.tar.zst.0123456789abcdef.tmp", dir, id);
    snprintf(unpacked, sizeof unpacked, "%s/workspaces/.restore-0123456789abcdef", f.home);
    snprintf(unpacked_text, sizeof unpacked_text, "%s/content.1", unpacked);
    snprintf(path, sizeof path, "%s/backread-dry-run-0123456789abcdef", f.dir);
    snprintf(dry, sizeof dry, "%s/store", path);
    snprintf(dry_lock, sizeof dry_lock, "%s/LOCK", dry);
    setenv("TMPDIR", f.dir, 1);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(mkdir(dry, 0700), 0);
    leave(dry_lock, "");
    leave(half, up_words(1));
    assert_int_equal(mkdir(unpacked, 0700), 0);
    leave(unpacked_text, up_words(1));
    leave(busy, "");
    snprintf(mine, sizeof mine, "%s/mine.tmp", dir);
    leave(mine, "a finished backup of a strange name, or anything else");
    snprintf(far, sizeof far, "%s/far", f.dir);
    snprintf(far_text, sizeof far_text, "%s/a", far);
    snprintf(link, sizeof link, "%s/workspaces/.restore-a-link", f.home);
    assert_int_equal(mkdir(far, 0700), 0);
    leave(far_text, "not of this home");
    assert_int_equal(symlink(far, link), 0);
    snprintf(path, sizeof path, "%s/a-directory.0123456789abcdef.tmp", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/backread-dry-run-0123456789abcdef", f.dir);
    const struct br_io *io = &br_io_posix;
    int lock = io->open(io->ctx, busy, O_RDWR, 0);
    assert_int_equal(io->lock(io->ctx, lock, true), 0);

    char message[64];
    snprintf(message, sizeof message, "general:%s", up_ts(0));
    r = forgotten(&f, (struct br_forget_options){.message = message});
    assert_int_equal(r.messages, 1);
    assert_int_equal(r.backups, 2);
    assert_false(is_there(half));
    assert_true(is_there(busy)); /* under way */
    assert_false(is_there(unpacked));
    assert_false(is_there(path));
    assert_true(is_there(mine));
    assert_true(is_there(far_text));
    io->close(io->ctx, lock);

    /* What it cannot remove it says; the next writer of any kind removes it. */
    leave(half, up_words(2));
    snprintf(message, sizeof message, "general:%s", up_ts(1));
    assert_int_equal(mkdir(unpacked, 0700), 0);
    leave(unpacked_text, up_words(2));
    char below[800];
    snprintf(below, sizeof below, "%s/below", unpacked);
    assert_int_equal(mkdir(below, 0700), 0);
    assert_int_equal(forget(&f, &(struct br_forget_options){.message = message}, &r, &err), BR_STATUS_IO);
    assert_non_null(strstr(err.message, "stopped restore"));
    assert_false(is_there(half));
    assert_false(is_there(busy));
    assert_int_equal(rmdir(below), 0);
    up_import(&f);
    assert_false(is_there(unpacked));
    unsetenv("TMPDIR");
    up_end(&f);
}

/* The first day of time is no bound that is missing. */
static void before_the_first_day_is_nothing(void **state)
{
    static const char *const DAYS[] = {"1970", "1970-01", "1970-01-01", "0.000000", "1969", "1969-12-31", "0001"};
    struct fixture f;
    (void)state;
    up_begin(&f);
    up_message(&f, 0, 0, "U0ADALOVE", up_words(1), -1);
    up_import(&f);
    for (size_t i = 0; i < sizeof DAYS / sizeof *DAYS; i++)
        assert_int_equal(forgotten(&f, (struct br_forget_options){.before = DAYS[i]}).messages, 0);
    up_there(&f, up_words(1));
    up_end(&f);
}

static void it_asks_for_exactly_one_thing_and_one_that_exists(void **state)
{
    struct fixture f;
    struct br_error err;
    struct br_forget_report r = {0};
    (void)state;
    up_begin(&f);
    up_message(&f, 0, 0, "U0ADALOVE", "here I am", -1);
    up_import(&f);
    assert_int_equal(forget(&f, &(struct br_forget_options){0}, &r, &err), BR_STATUS_USAGE);
    assert_int_equal(forget(&f, &(struct br_forget_options){.user = "a", .channel = "b"}, &r, &err), BR_STATUS_USAGE);
    assert_int_equal(forget(&f, &(struct br_forget_options){.before = "soon"}, &r, &err), BR_STATUS_USAGE);
    assert_int_equal(forget(&f, &(struct br_forget_options){.user = "nobody"}, &r, &err), BR_STATUS_NOT_FOUND);
    assert_int_equal(forget(&f, &(struct br_forget_options){.message = "general:1.000001"}, &r, &err),
                     BR_STATUS_NOT_FOUND);
    up_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_leaves_no_byte_and_does_not_come_back),
        cmocka_unit_test(vectors_and_codes_of_long_gone_edits_go_too),
        cmocka_unit_test(a_person_is_nameless_afterwards),
        cmocka_unit_test(rows_that_sqlite_moved_leave_no_copies),
        cmocka_unit_test(channels_and_dates_go_in_many_batches),
        cmocka_unit_test(an_archive_of_which_all_is_forgotten_is_whole),
        cmocka_unit_test(a_reader_of_an_older_view_is_waited_for),
        cmocka_unit_test(a_backup_under_way_is_waited_for),
        cmocka_unit_test(a_killed_forget_is_finished_by_the_next),
        cmocka_unit_test(what_stopped_processes_left_goes_too),
        cmocka_unit_test(before_the_first_day_is_nothing),
        cmocka_unit_test(it_asks_for_exactly_one_thing_and_one_that_exists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
