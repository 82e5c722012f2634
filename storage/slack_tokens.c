/* slack_tokens.c - the tokenizer of the keyword index, for texts outside it: what FTS5 found can then be shown,
 * whatever form of the word it was found by. */
#include "slack_int.h"

#include "sql.h"

struct br_slack_tokenizer {
    sqlite3 *db; /* an empty one of its own: a reading connection may not ask for FTS5's inside (authorizer.c) */
    fts5_tokenizer methods;
    Fts5Tokenizer *instance;
};

static fts5_api *api_of(sqlite3 *db)
{
    fts5_api *api = NULL;
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &st, NULL) == SQLITE_OK) {
        sqlite3_bind_pointer(st, 1, &api, "fts5_api_ptr", NULL);
        sqlite3_step(st);
    }
    sqlite3_finalize(st);
    return api;
}

enum br_rc br_slack_tokenizer_new(struct br_slack_tokenizer **out, struct br_err *err)
{
    static const char *args[] = {"unicode61", "remove_diacritics", "2"}; /* as in slack_schema.c */
    void *user = NULL;
    enum br_rc rc;
    struct br_slack_tokenizer *t = calloc(1, sizeof(*t));
    if (!t)
        return br_fail_nomem(err);
    BR_TRY(br_sql_open_memory(&t->db, err));
    fts5_api *api = api_of(t->db);
    if (!api || api->xFindTokenizer(api, "porter", &user, &t->methods) != SQLITE_OK ||
        t->methods.xCreate(user, args, (int)BR_COUNT(args), &t->instance) != SQLITE_OK)
        BR_TRY(br_fail(err, BR_E_IO, "this SQLite has no FTS5 tokenizer \"porter unicode61\""));
    *out = t;
    return BR_OK;
err:
    br_slack_tokenizer_free(t);
    return rc;
}

void br_slack_tokenizer_free(struct br_slack_tokenizer *t)
{
    if (!t)
        return;
    if (t->instance)
        t->methods.xDelete(t->instance);
    sqlite3_close(t->db);
    free(t);
}

struct receiver {
    bool (*fn)(void *ctx, const char *stem, size_t stem_len, size_t start, size_t end);
    void *ctx;
};

static int receive(void *ctx, int flags, const char *token, int n, int start, int end)
{
    struct receiver *r = ctx;
    (void)flags;
    return r->fn(r->ctx, token, (size_t)n, (size_t)start, (size_t)end) ? SQLITE_OK : SQLITE_NOMEM;
}

enum br_rc br_slack_tokenize(struct br_slack_tokenizer *t, const char *text, size_t len,
                             bool (*fn)(void *ctx, const char *stem, size_t stem_len, size_t start, size_t end),
                                 void *ctx,
                             struct br_err *err)
{
    struct receiver r = {.fn = fn, .ctx = ctx};
    int n = (int)BR_MIN(len, (size_t)INT32_MAX);
    int status = t->methods.xTokenize(t->instance, &r, FTS5_TOKENIZE_DOCUMENT, text, n, receive);
    return status == SQLITE_OK ? BR_OK : br_fail_nomem(err);
}
