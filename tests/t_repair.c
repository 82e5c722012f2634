/* t_repair.c - damage to any one file is mended from the others, and what is lost is named. */
#include "upkeep.h"

#include "store.h"
#include "store_upkeep.h"

#include <signal.h>
#include <sys/wait.h>

static struct br_repair_report repair(const struct fixture *f)
{
    struct br_error err = {0};
    struct br_repair_report r = {0};
    if (br_repair(f->h, NULL, NULL, &r, &err))
        fail_msg("%s", err.message);
    if (!r.ok)
        fail_msg("still damaged: %s", r.problem);
    e2e_verify(f->h, NULL);
    return r;
}

static void fill(struct fixture *f)
{
    up_begin(f);
    for (int i = 0; i < 120; i++) {
        json_t *m = up_message(f, i % 2, i, i % 3 ? "U0ADALOVE" : "U0BABBAGE", up_words(1000 + (unsigned)i),
                               i % 4 ? -1 : i / 24 * 24);
        if (i % 10 == 0)
            json_object_set_new(m, "reactions",
                                json_pack("[{ss s[s] si}]", "name", "tada", "users", "U0BABBAGE", "count", 1));
    }
    up_message(f, 0, 500, "U0ADALOVE", "ask <@U0BABBAGE> about <#C0RANDOM002>", -1);
    up_import(f);
}

/* The file of the workspace whose name begins so. */
static const char *file_of(const struct fixture *f, const char *prefix)
{
    static char path[700];
    DIR *d = opendir(f->ws_dir);
    path[0] = 0;
    for (struct dirent *e; (e = readdir(d));)
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && !strstr(e->d_name, "damaged"))
            snprintf(path, sizeof path, "%s/%s", f->ws_dir, e->d_name);
    closedir(d);
    assert_true(path[0] != 0);
    return path;
}

static void overwrite(const char *path, long at, size_t n, unsigned seed)
{
    FILE *out = fopen(path, "r+b");
    assert_non_null(out);
    fseek(out, at, SEEK_SET);
    for (size_t i = 0; i < n; i++)
        fputc(rand_r(&seed) & 0xff, out);
    assert_int_equal(fclose(out), 0);
}

static char *answers(const struct fixture *f)
{
    char *a = up_search(f, "the first question", true), *b = up_search(f, up_words(1007), true);
    char *both = malloc(strlen(a) + strlen(b) + 1);
    strcpy(both, a);
    strcat(both, b);
    free(a);
    free(b);
    return both;
}

static void same(const struct fixture *f, char *before)
{
    char *now = answers(f);
    assert_string_equal(before, now);
    free(now);
}

static void an_undamaged_archive_stays_as_it_is(void **state)
{
    struct fixture f;
    (void)state;
    fill(&f);
    char *before = answers(&f);
    struct br_repair_report r = repair(&f);
    assert_false(r.registry || r.metadata || r.content || r.vectors || r.graph || r.words);
    assert_int_equal(r.texts_lost + r.raws_lost + r.vectors_embedded + r.texts_rendered, 0);
    same(&f, before);
    free(before);
    br_repair_report_free(&r);
    up_end(&f);
}

static void vectors_are_made_again_from_texts(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        struct fixture f;
        fill(&f);
        char *before = answers(&f);
        const char *path = file_of(&f, "vectors.");
        if (how == 0)
            overwrite(path, 4096 + 128 * 5 + 7, 300, 1);
        else if (how == 1)
            assert_int_equal(truncate(path, 4096 + 1000), 0);
        else if (how == 2)
            assert_int_equal(unlink(path), 0);
        else
            overwrite(path, 0, 64, 2);
        struct br_repair_report r = repair(&f);
        assert_true(r.vectors);
        assert_false(r.content || r.metadata);
        assert_int_equal(r.texts_lost + r.raws_lost, 0);
        if (how < 3)
            assert_true(r.vectors_embedded >= 3);
        else
            assert_int_equal(r.vectors_embedded, 0); /* only the header was bad */
        same(&f, before);
        br_repair_report_free(&r);
        free(before);
        up_end(&f);
    }
}

static void the_graph_is_built_anew(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct fixture f;
        fill(&f);
        char *before = answers(&f);
        const char *path = file_of(&f, "graph.");
        if (how == 0)
            overwrite(path, 4096 + 999, 500, 1);
        else if (how == 1)
            overwrite(path, 100, 64, 2);
        else
            assert_int_equal(unlink(path), 0);
        struct br_repair_report r = repair(&f);
        assert_true(r.graph);
        same(&f, before);
        br_repair_report_free(&r);
        free(before);
        up_end(&f);
    }
}

/* Offset of these bytes in a file. */
static long offset_of(const char *path, const char *needle)
{
    struct up_file file = up_read(path);
    char *at = memmem(file.bytes, file.n, needle, strlen(needle));
    assert_non_null(at);
    long offset = at - file.bytes;
    free(file.bytes);
    return offset;
}

/* Texts come first in the log, raw forms behind them: the first find is the text. */
static void a_text_is_rendered_again_from_its_raw_form(void **state)
{
    struct fixture f;
    (void)state;
    fill(&f);
    char *before = answers(&f);
    const char *path = file_of(&f, "content.");
    overwrite(path, offset_of(path, up_words(1007)), 20, 1);
    overwrite(path, offset_of(path, "ask @Difference Charles about #random"), 20, 1);
    struct br_repair_report r = repair(&f);
    assert_true(r.content);
    assert_int_equal(r.texts_rendered, 2);
    assert_int_equal(r.texts_lost + r.raws_lost, 0);
    assert_int_equal(r.vectors_embedded, 0);
    same(&f, before);
    br_repair_report_free(&r);
    free(before);
    up_end(&f);
}

static void a_lost_text_is_named_and_an_import_brings_it_back(void **state)
{
    struct fixture f;
    (void)state;
    fill(&f);
    char *before = answers(&f);
    const char *path = file_of(&f, "content."), *text = up_words(1007);
    struct up_file file = up_read(path);
    for (size_t i = 0; i + strlen(text) < file.n; i++) /* text, raw form, passages */
        if (memcmp(file.bytes + i, text, strlen(text)) == 0)
            overwrite(path, (long)i, 10, 3);
    free(file.bytes);
    struct br_repair_report r = repair(&f);
    assert_int_equal(r.texts_lost, 1);
    assert_int_equal(r.raws_lost, 1);
    assert_int_equal(r.n_lost, 1);
    assert_string_equal(r.lost[0].channel_id, up_channel_ids[1]);
    assert_int_equal(r.lost[0].ts, INT64_C(1704103207000100));
    br_repair_report_free(&r);
    struct br_workspace_status s = up_status(&f);
    assert_int_equal(s.messages, 121);
    br_workspace_status_free(&s);
    up_import(&f);
    same(&f, before);
    e2e_verify(f.h, NULL);
    free(before);
    up_end(&f);
}

static void a_missing_content_log_keeps_the_rows(void **state)
{
    struct fixture f;
    (void)state;
    fill(&f);
    char *before = answers(&f);
    assert_int_equal(unlink(file_of(&f, "content.")), 0);
    struct br_repair_report r = repair(&f);
    assert_int_equal(r.texts_lost, 121);
    assert_int_equal(r.n_lost, 121);
    br_repair_report_free(&r);
    struct br_workspace_status s = up_status(&f);
    assert_int_equal(s.messages, 121);
    assert_int_equal(s.documents, 0);
    br_workspace_status_free(&s);
    up_import(&f);
    same(&f, before);
    e2e_verify(f.h, NULL);
    free(before);
    up_end(&f);
}

/* Messages of the archive as the listing commands give them. */
static char *listing(const struct fixture *f)
{
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    char *out = NULL;
    size_t n = 0;
    FILE *m = open_memstream(&out, &n);
    if (br_workspace_open(f->h, NULL, &ws, &err))
        fail_msg("%s", err.message);
    for (int c = 0; c < 2; c++) {
        struct br_messages list = {0};
        if (br_channel_messages(ws, up_channel_ids[c], 1000, 0, 0, &list, &err))
            fail_msg("%s", err.message);
        for (size_t i = 0; i < list.count; i++)
            fprintf(m, "%s %lld %lld %s %s %d %d\n", list.items[i].channel_id, (long long)list.items[i].ts,
                    (long long)list.items[i].thread_ts, list.items[i].user_id, list.items[i].text,
                    (int)list.items[i].reactions_total, (int)list.items[i].reply_count);
        br_messages_free(&list);
    }
    br_workspace_close(ws);
    fclose(m);
    return out;
}

static void metadata_is_made_anew_from_the_content_log(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        struct fixture f;
        fill(&f);
        char forged[400], kept[700];
        /* Someone quotes what looks like a raw form: it must stay a text. */
        snprintf(forged, sizeof forged,
                 "{\"type\":\"message\",\"user\":\"U0BABBAGE\",\"text\":\"forged\",\"ts\":\"%s\",\"channel\":"
                 "\"C0GENERAL01\"}",
                 up_ts(900));
        up_message(&f, 0, 600, "U0ADALOVE", forged, -1);
        json_t *m = json_array_get(f.days[0], 3);
        json_object_set_new(m, "text", json_string(up_words(7777)));
        json_object_set_new(m, "edited", json_pack("{ss ss}", "user", "U0ADALOVE", "ts", up_ts(700)));
        up_import(&f);
        struct br_error err = {0};
        struct br_forget_report fr;
        char id[64];
        snprintf(id, sizeof id, "general:%s", up_ts(2));
        if (br_forget(f.h, NULL, &(struct br_forget_options){.message = id}, &fr, &err))
            fail_msg("%s", err.message);
        char *before = answers(&f), *rows = listing(&f);
        struct br_workspace_status s = up_status(&f);
        char path[500];
        snprintf(path, sizeof path, "%s/metadata.db", f.ws_dir);
        if (how == 0)
            overwrite(path, 0, 100, 1); /* the header */
        else if (how == 1)
            assert_int_equal(unlink(path), 0);
        else if (how == 2) { /* pages in the middle */
            struct up_file file = up_read(path);
            overwrite(path, (long)(file.n / 3 / 4096 * 4096), file.n / 3, 2);
            free(file.bytes);
        } else
            assert_int_equal(truncate(path, 4096 * 3), 0);
        struct br_repair_report r = repair(&f);
        if (!r.metadata)
            fail_msg("way %d: not noticed", how);
        assert_int_equal(r.messages, 121);
        assert_int_equal(r.texts_lost, 0);
        assert_int_equal(r.records_damaged, 0);
        br_repair_report_free(&r);
        snprintf(kept, sizeof kept, "%s/metadata.db.damaged", f.ws_dir);
        assert_int_equal(access(kept, R_OK), how == 1 ? -1 : 0);
        snprintf(kept, sizeof kept, "%s.repair", f.ws_dir);
        assert_int_equal(access(kept, F_OK), -1);
        struct br_workspace_status t = up_status(&f);
        assert_int_equal(t.messages, s.messages);
        br_workspace_status_free(&s);
        br_workspace_status_free(&t);
        up_gone(&f, up_words(1002)); /* the forgotten one stays so */
        snprintf(id, sizeof id, "%s:%s", up_channel_ids[0],
                 up_ts(14)); /* and no copy of the damaged file keeps the next one */
        if (br_forget(f.h, NULL, &(struct br_forget_options){.message = id}, &fr, &err))
            fail_msg("%s", err.message);
        up_gone(&f, up_words(1014));
        up_import(&f); /* names and channels come back */
        char *now = listing(&f);
        if (how == 2) /* with markers lost, an import may revive what was forgotten: then that alone is new */
            assert_true(strlen(now) >= strlen(rows));
        else
            assert_true(strlen(now) > 0);
        for (char *line = strtok(rows, "\n"); line; line = strtok(NULL, "\n"))
            if (!strstr(now, line) && !strstr(line, up_words(1014)))
                fail_msg("lost: %s", line);
        if (strstr(now, "1704104100000100"))
            fail_msg("a forged message came to life");
        e2e_verify(f.h, NULL);
        free(now);
        free(rows);
        free(before);
        up_end(&f);
    }
}

static void a_killed_repair_can_be_run_again(void **state)
{
    struct fixture f;
    unsigned seed = 9;
    char path[500];
    (void)state;
    fill(&f);
    char *rows = listing(&f);
    snprintf(path, sizeof path, "%s/metadata.db", f.ws_dir);
    for (int i = 0; i < 8; i++) {
        overwrite(path, 0, 100, 1);
        pid_t pid = fork();
        if (pid == 0) {
            struct br_error err;
            struct br_repair_report r;
            _exit(br_repair(f.h, NULL, NULL, &r, &err));
        }
        usleep((useconds_t)(rand_r(&seed) % 150000));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        struct br_repair_report r = repair(&f);
        br_repair_report_free(&r);
        struct br_workspace_status s = up_status(&f);
        assert_int_equal(s.messages, 121);
        br_workspace_status_free(&s);
    }
    up_import(&f);
    char *now = listing(&f);
    assert_string_equal(rows, now);
    free(rows);
    free(now);
    up_end(&f);
}

static void the_registry_is_made_anew(void **state)
{
    struct fixture f;
    char path[400];
    (void)state;
    fill(&f);
    char *before = answers(&f);
    snprintf(path, sizeof path, "%s/registry.db", f.home);
    overwrite(path, 0, 4096, 1);
    struct br_repair_report r = repair(&f);
    assert_true(r.registry);
    same(&f, before);
    br_repair_report_free(&r);
    free(before);
    up_end(&f);
}

static void it_waits_for_no_writer(void **state)
{
    struct fixture f;
    struct br_err e = {0};
    struct br_error err = {0};
    struct br_store *s = NULL;
    struct br_repair_report r = {0};
    (void)state;
    fill(&f);
    assert_int_equal(br_store_open(&br_io_posix, f.ws_dir, BR_STORE_WRITE, &s, &e), BR_OK);
    assert_int_equal(br_repair(f.h, NULL, NULL, &r, &err), BR_STATUS_IO);
    br_store_close(s);
    up_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_undamaged_archive_stays_as_it_is),
        cmocka_unit_test(vectors_are_made_again_from_texts),
        cmocka_unit_test(the_graph_is_built_anew),
        cmocka_unit_test(a_text_is_rendered_again_from_its_raw_form),
        cmocka_unit_test(a_lost_text_is_named_and_an_import_brings_it_back),
        cmocka_unit_test(a_missing_content_log_keeps_the_rows),
        cmocka_unit_test(metadata_is_made_anew_from_the_content_log),
        cmocka_unit_test(a_killed_repair_can_be_run_again),
        cmocka_unit_test(the_registry_is_made_anew),
        cmocka_unit_test(it_waits_for_no_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
