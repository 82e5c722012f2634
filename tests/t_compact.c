/* t_compact.c - compaction gives space back and changes nothing else: not an answer, not for a reader beside it, and
 * not when it is killed. */
#include "upkeep.h"

#include "store.h"
#include "slack_upkeep.h"

#include <signal.h>
#include <sys/wait.h>

static void compact(const struct fixture *f)
{
    struct br_error err = {0};
    struct br_compact_report r = {0};
    if (br_compact(f->h, NULL, NULL, &r, &err))
        fail_msg("%s", err.message);
    assert_true(r.bytes_before > 0 && r.bytes_after > 0);
}

static void fill(struct fixture *f, int n)
{
    for (int i = 0; i < n; i++)
        up_message(f, i % 2, i, i % 3 ? "U0ADALOVE" : "U0BABBAGE",
                   i % 9 == 4 ? "equal texts have equal vectors" : up_words(1000 + (unsigned)i),
                   i % 5 ? -1 : i / 25 * 25);
}

/* Edits a third, later half of it again. */
static void edit(struct fixture *f, int version)
{
    for (int c = 0; c < 2; c++)
        for (size_t i = (size_t)version; i < json_array_size(f->days[c]); i += 3) {
            json_t *m = json_array_get(f->days[c], i);
            json_object_set_new(m, "text",
                                json_string(up_words(100000u * (unsigned)version + (unsigned)i * 2 + (unsigned)c)));
            json_object_set_new(m, "edited", json_pack("{ss ss}", "user", "U0ADALOVE", "ts", up_ts(5000 + version)));
        }
}

static const char *const queries[] = {"the first question", "kqxv lmn", "where is it"};

static void answers(const struct fixture *f, char *out[6])
{
    for (int i = 0; i < 6; i++)
        out[i] = up_search(f, queries[i / 2], i % 2);
}

static void same_answers(const struct fixture *f, char *before[6])
{
    char *now[6];
    answers(f, now);
    for (int i = 0; i < 6; i++) {
        if (strcmp(before[i], now[i]) != 0) {
            size_t at = 0;
            while (before[i][at] == now[i][at])
                at++;
            fail_msg("answer %d differs at %zu: %.200s / %.200s", i, at, before[i] + (at > 40 ? at - 40 : 0),
                     now[i] + (at > 40 ? at - 40 : 0));
        }
        free(now[i]);
    }
}

static void free_answers(char *a[6])
{
    for (int i = 0; i < 6; i++)
        free(a[i]);
}

static void answers_are_the_same_and_dead_bytes_gone(void **state)
{
    struct fixture f;
    char *before[6];
    (void)state;
    up_begin(&f);
    fill(&f, 400);
    up_import(&f);
    const char *old_text = json_string_value(json_object_get(json_array_get(f.days[0], 1), "text"));
    char kept[200];
    snprintf(kept, sizeof kept, "%s", old_text);
    edit(&f, 1);
    up_import(&f);
    edit(&f, 2);
    up_import(&f);
    up_there(&f, kept);
    answers(&f, before);
    struct br_workspace_status s = up_status(&f);
    compact(&f);
    struct br_workspace_status t = up_status(&f);
    assert_int_equal(t.documents, s.documents);
    assert_int_equal(t.messages, s.messages);
    assert_true(t.bytes_content < s.bytes_content);
    assert_true(t.bytes_vectors < s.bytes_vectors);
    assert_int_equal(t.indexed_seq, t.last_seq);
    br_workspace_status_free(&s);
    br_workspace_status_free(&t);
    up_gone(&f, kept);
    same_answers(&f, before);
    e2e_verify(f.h, NULL);
    compact(&f); /* twice */
    same_answers(&f, before);
    e2e_verify(f.h, NULL);
    /* Life goes on: an import finds everything unchanged, and adds. */
    up_import(&f);
    same_answers(&f, before);
    for (int i = 0; i < 50; i++)
        up_message(&f, 0, 9000 + i, "U0ADALOVE", up_words(700000u + (unsigned)i), -1);
    up_import(&f);
    e2e_verify(f.h, NULL);
    free_answers(before);
    up_end(&f);
}

/* Slots run in the order of time, from 0, without gaps; the journal is one row. */
static void slots_run_in_time_order(void **state)
{
    struct fixture f;
    struct br_err err = {0};
    struct br_store *s = NULL;
    struct br_rows rows;
    (void)state;
    up_begin(&f);
    fill(&f, 100);
    up_import(&f);
    for (int i = 0; i < 100; i++) /* older ones come later */
        up_message(&f, 1, i - 1000, "U0ADALOVE", up_words(20000 + (unsigned)i), -1);
    up_import(&f);
    compact(&f);
    assert_int_equal(br_store_open(&br_io_posix, f.ws_dir, BR_STORE_READ, &s, &err), BR_OK);
    assert_int_equal(br_store_rows(s, &rows, &err), BR_OK);
    struct br_workspace_status st = up_status(&f);
    assert_int_equal(rows.count, st.documents);
    int64_t last = 0;
    for (uint64_t slot = 0; slot < rows.count; slot++) {
        struct br_doc d;

        assert_int_equal(br_slack_doc_of_slot(s, slot, &d, &err), BR_OK);
        assert_true(d.ts >= last);
        last = d.ts;
    }
    br_workspace_status_free(&st);
    br_store_close(s);
    up_end(&f);
}

/* A reader with a snapshot keeps its generation, maps included; with the next one it is over. */
static void a_reader_goes_over_by_itself(void **state)
{
    struct fixture f;
    struct br_err err = {0};
    struct br_store *r = NULL;
    struct br_rows rows;
    struct br_buf a, b;
    (void)state;
    up_begin(&f);
    fill(&f, 200);
    up_import(&f);
    edit(&f, 1);
    up_import(&f);
    br_buf_init(&a, 1 << 20);
    br_buf_init(&b, 1 << 20);
    struct br_error e = {0};
    struct br_workspace *ws = NULL;
    assert_int_equal(br_workspace_open(f.h, NULL, &ws, &e), 0);
    assert_int_equal(br_store_open(&br_io_posix, f.ws_dir, BR_STORE_READ, &r, &err), BR_OK);
    assert_int_equal(br_store_read_begin(r, &err), BR_OK);
    struct br_store_info old, now;
    assert_int_equal(br_store_info(r, &old, &err), BR_OK);
    assert_int_equal(br_store_rows(r, &rows, &err), BR_OK);
    float *copy = malloc(rows.count * TINY_HIDDEN * sizeof(float));
    memcpy(copy, rows.base, rows.count * TINY_HIDDEN * sizeof(float));
    compact(&f);
    assert_memory_equal(copy, rows.base, rows.count * TINY_HIDDEN * sizeof(float));
    uint64_t live = 0;
    for (uint64_t id = 1; id < 600; id++) {
        br_buf_reset(&a);
        enum br_rc rc = br_store_content(r, id, &a, NULL);
        assert_true(rc == BR_OK || rc == BR_E_NOTFOUND);
        live += rc == BR_OK;
    }
    assert_true(live > 200);
    br_store_read_end(r);
    for (uint64_t id = 1; id < 600; id++) { /* no snapshot around it: each read goes over by itself */
        br_buf_reset(&a);
        enum br_rc rc = br_store_content(r, id, &a, NULL);
        assert_true(rc == BR_OK || rc == BR_E_NOTFOUND);
        live -= rc == BR_OK;
    }
    assert_int_equal(live, 0);
    assert_int_equal(br_store_info(r, &now, &err), BR_OK);
    assert_int_equal(now.generation, old.generation + 1);
    br_store_close(r);
    /* A workspace that was open all the time answers as one opened now. */
    struct br_search_results x = {0};
    assert_int_equal(br_search(ws, queries[0], NULL, &x, &e), 0);
    assert_int_equal(x.count, BR_SEARCH_N_DEFAULT);
    char *fresh = up_search(&f, queries[0], false);
    for (size_t i = 0; i < x.count; i++)
        assert_non_null(strstr(fresh, x.hits[i].message.text));
    free(fresh);
    br_search_results_free(&x);
    br_workspace_close(ws);
    br_buf_free(&a);
    br_buf_free(&b);
    free(copy);
    up_end(&f);
}

static void readers_never_fail_beside_compactions(void **state)
{
    struct fixture f;
    (void)state;
    up_begin(&f);
    fill(&f, 200);
    up_import(&f);
    char *want = up_search(&f, queries[0], true);
    pid_t pid = fork();
    if (pid == 0) {
        int status = 0;
        struct br_error err = {0};
        for (int i = 0; i < 6 && !status; i++) {
            struct br_compact_report r;
            status = br_compact(f.h, NULL, NULL, &r, &err);
        }
        _exit(status);
    }
    int status = 0, n = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        char *got = up_search(&f, queries[0], true); /* opens anew: in the middle of a flip, too */
        assert_string_equal(want, got);
        free(got);
        n++;
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(n > 2);
    free(want);
    e2e_verify(f.h, NULL);
    up_end(&f);
}

static int count_files(const struct fixture *f, const char *prefix)
{
    int n = 0;
    DIR *d = opendir(f->ws_dir);
    for (struct dirent *e; (e = readdir(d));)
        n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    closedir(d);
    return n;
}

static void killed_anywhere_it_is_as_before_or_done(void **state)
{
    struct fixture f;
    char *before[6];
    unsigned seed = 11;
    (void)state;
    up_begin(&f);
    fill(&f, 300);
    up_import(&f);
    edit(&f, 1);
    up_import(&f);
    answers(&f, before);
    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct br_error err;
            struct br_compact_report r;
            _exit(br_compact(f.h, NULL, NULL, &r, &err));
        }
        usleep((useconds_t)(rand_r(&seed) % 50000));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        same_answers(&f, before);
        e2e_verify(f.h, NULL);
    }
    compact(&f);
    assert_int_equal(count_files(&f, "content."), 1);
    assert_int_equal(count_files(&f, "vectors."), 1);
    assert_int_equal(count_files(&f, "graph."), 1);
    same_answers(&f, before);
    e2e_verify(f.h, NULL);
    free_answers(before);
    up_end(&f);
}

static int64_t no_space(void *ctx, const char *path)
{
    (void)ctx, (void)path;
    return 4096;
}

static enum br_rc no_renumber(struct br_store *s, struct br_err *err)
{
    (void)s, (void)err;
    return BR_OK;
}

static void too_little_space_is_said_before_anything_is_written(void **state)
{
    struct fixture f;
    struct br_err err = {0};
    struct br_store *s = NULL;
    struct br_io io = br_io_posix;
    (void)state;
    io.space = no_space;
    up_begin(&f);
    fill(&f, 20);
    up_import(&f);
    assert_int_equal(br_store_open(&io, f.ws_dir, BR_STORE_WRITE, &s, &err), BR_OK);
    const struct br_compaction how = {.renumber = no_renumber};
    assert_int_equal(br_store_compact(s, &how, &err), BR_E_NOSPC);
    assert_non_null(strstr(err.msg, "free space"));
    assert_int_equal(count_files(&f, "content."), 1);
    br_store_close(s);
    e2e_verify(f.h, NULL);
    up_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_the_same_and_dead_bytes_gone),
        cmocka_unit_test(slots_run_in_time_order),
        cmocka_unit_test(a_reader_goes_over_by_itself),
        cmocka_unit_test(readers_never_fail_beside_compactions),
        cmocka_unit_test(killed_anywhere_it_is_as_before_or_done),
        cmocka_unit_test(too_little_space_is_said_before_anything_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
