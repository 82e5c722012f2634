/* t_slack.h - a small workspace for the tests of the Slack tables: made in a temporary directory and removed. */
#ifndef BR_T_SLACK_H
#define BR_T_SLACK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "slack.h"
#include "store_int.h"

#define CH "C0TEST0001X"
#define CH2 "C0TEST0002X"
#define T0 INT64_C(1704103200000100)
#define AT(n) (T0 + (int64_t)(n) * 1000000)
#define DIM 4

static char fixture_dir[64];

#define OK(expr)                                                                  \
    do {                                                                          \
        struct br_err ok_err = {0}, *err = &ok_err;                               \
        if ((expr) != BR_OK)                                                      \
            fail_msg("%s: %s", #expr, ok_err.msg);                                \
        (void)err;                                                                \
    } while (0)

static inline struct br_store *fixture_open(void)
{
    struct br_store *s = NULL;
    struct br_store_spec spec = {.workspace_id = "T0TEST", .name = "test", .model_id = "fake", .dim = DIM};
    strcpy(fixture_dir, "/tmp/t-slack-XXXXXX");
    assert_non_null(mkdtemp(fixture_dir));
    char dir[80];
    snprintf(dir, sizeof(dir), "%s/ws", fixture_dir);
    OK(br_store_create(&br_io_posix, dir, &spec, &s, err));
    OK(br_store_begin(s, err));
    OK(br_slack_put_channel(s, &(struct br_slack_channel){.id = CH, .name = "general"}, err));
    OK(br_slack_put_channel(s, &(struct br_slack_channel){.id = CH2, .name = "random"}, err));
    OK(br_store_commit(s, NULL, err));
    return s;
}

static inline void fixture_close(struct br_store *s)
{
    char cmd[128];
    br_store_close(s);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", fixture_dir);
    assert_int_equal(system(cmd), 0);
}

static inline const float *vector_of(const char *text)
{
    static float v[DIM];
    memset(v, 0, sizeof(v));
    v[strlen(text) % DIM] = 1;
    return v;
}

static inline struct br_slack_message message(int n, const char *text, const char *raw)
{
    return (struct br_slack_message){.channel_id = CH,
                                     .ts = AT(n),
                                     .user_id = "U1",
                                     .cls = BR_MSG_CONTENT,
                                     .text = text,
                                     .text_len = strlen(text),
                                     .raw = raw,
                                     .raw_len = strlen(raw),
                                     .needs_vector = text[0] != 0};
}

static inline enum br_slack_outcome put(struct br_store *s, const struct br_slack_message *m)
{
    enum br_slack_outcome outcome = BR_PUT_STALE;
    OK(br_slack_put_message(s, m, m->needs_vector ? vector_of(m->text) : NULL, &outcome, err));
    return outcome;
}

static inline void begin(struct br_store *s)
{
    OK(br_store_begin(s, err));
}

static inline void commit(struct br_store *s)
{
    OK(br_store_commit(s, NULL, err));
}

static inline int64_t sql_int(struct br_store *s, const char *sql)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(br_store_db(s), sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

static inline void assert_healthy(struct br_store *s)
{
    struct br_slack_report r;
    OK(br_slack_verify(s, &r, err));
    if (r.missing_vectors || r.orphan_vectors || r.missing_content)
        fail_msg("%s", r.first_problem);
    assert_int_equal(sql_int(s, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

/* Collects "ts:text" of views, ts as n of AT(n). */
static inline enum br_rc collect(void *ctx, const struct br_slack_view *v, struct br_err *err)
{
    struct br_buf *b = ctx;
    br_buf_addf(b, "%s%lld:%s", b->len ? " " : "", (long long)((v->ts - T0) / 1000000), v->text);
    return br_buf_status(b, err);
}

#define ASSERT_LIST(call, want)                  \
    do {                                         \
        struct br_buf list;                      \
        br_buf_init(&list, 1 << 20);             \
        OK(call);                                \
        assert_string_equal(br_buf_str(&list), want); \
        br_buf_free(&list);                      \
    } while (0)

/* Documents of a kind that match. */
static inline size_t hits(struct br_store *s, const char *match, enum br_doc_kind kind)
{
    struct br_term_counts counts;
    OK(br_slack_keyword(s, match, kind, NULL, &counts, err));
    size_t n = counts.n_rows;
    br_term_counts_free(&counts);
    return n;
}

#endif
