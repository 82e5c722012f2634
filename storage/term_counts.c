/* term_counts.c - an auxiliary function of FTS5 that gathers counts instead of ranking. */
#include "sql.h"

#include "base/array.h"

#include <stdlib.h>

#define POINTER "br_term_counts"
#define RARITY_POINTER "br_term_rarity"
#define POSTINGS_POINTER "br_postings"
#define STEPS_MAX 400 /* rows that are stepped to; finding a phrase anew costs about as much */

void br_term_counts_free(struct br_term_counts *c)
{
    free(c->rows);
    free(c->counts);
    *c = (struct br_term_counts){0};
}

void br_postings_free(struct br_postings *p)
{
    free(p->items);
    *p = (struct br_postings){0};
}

const struct br_term_row *br_term_counts_find(const struct br_term_counts *c, int64_t content_id)
{
    size_t from = 0, to = c->n_rows;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (c->rows[mid].content_id < content_id)
            from = mid + 1;
        else
            to = mid;
    }
    return from < c->n_rows && c->rows[from].content_id == content_id ? &c->rows[from] : NULL;
}

static unsigned count_phrase(const Fts5ExtensionApi *api, Fts5Context *fts, int phrase)
{
    Fts5PhraseIter it;
    int column, offset;
    unsigned n = 0;
    if (api->xPhraseFirst(fts, phrase, &it, &column, &offset) != SQLITE_OK)
        return 0;
    for (; column >= 0 && n < UINT16_MAX; api->xPhraseNext(fts, &it, &column, &offset))
        n++;
    return n;
}

static int totals(const Fts5ExtensionApi *api, Fts5Context *fts, uint64_t *n_documents, uint64_t *n_tokens)
{
    sqlite3_int64 rows = 0, tokens = 0;
    int r = api->xRowCount(fts, &rows);
    if (r == SQLITE_OK)
        r = api->xColumnTotalSize(fts, -1, &tokens);
    *n_documents = (uint64_t)BR_MAX(rows, 0);
    *n_tokens = (uint64_t)BR_MAX(tokens, 0);
    return r;
}

static int count_document(const Fts5ExtensionApi *api, Fts5Context *fts, void *n)
{
    (void)api;
    (void)fts;
    return ++*(uint32_t *)n < BR_RARITY_MAX ? SQLITE_OK : SQLITE_DONE;
}

static void rarity(const Fts5ExtensionApi *api, Fts5Context *fts, struct br_term_rarity *t, sqlite3_context *out)
{
    int r = SQLITE_OK, phrases = BR_MIN(api->xPhraseCount(fts), BR_TERMS_MAX);
    for (int i = t->n ? phrases : 0; r == SQLITE_OK && i < phrases; i++)
        r = api->xQueryPhrase(fts, i, &t->documents[i], count_document);
    t->n = (size_t)phrases;
    if (r == SQLITE_OK)
        sqlite3_result_int(out, 0);
    else
        sqlite3_result_error_code(out, r);
}

/* Numbers no record has are a damaged index's. */
static int add_posting(const Fts5ExtensionApi *api, Fts5Context *fts, void *postings)
{
    struct br_postings *p = postings;
    sqlite3_int64 id = api->xRowid(fts);
    unsigned count = count_phrase(api, fts, 0);
    if (!count || id < 0 || id > UINT32_MAX)
        return SQLITE_OK;
    if (!br_array_fit(&p->items, &p->alloc, p->n + 1, sizeof(*p->items)))
        return SQLITE_NOMEM;
    p->items[p->n++] = (struct br_posting){.content_id = (uint32_t)id, .count = count};
    return SQLITE_OK;
}

/* A row. When there are many, FTS5 finds them all once more, which is faster for each than a step of SQLite's machine, but slow to begin. */
static void posting(const Fts5ExtensionApi *api, Fts5Context *fts, struct br_postings *p, sqlite3_context *out)
{
    int r = p->n ? SQLITE_OK : totals(api, fts, &p->n_documents, &p->n_tokens);
    if (r == SQLITE_OK && p->n < STEPS_MAX) {
        r = add_posting(api, fts, p);
    } else if (r == SQLITE_OK) {
        p->n = 0;
        p->complete = true;
        r = api->xQueryPhrase(fts, 0, p, add_posting);
    }
    p->failed = r == SQLITE_NOMEM;
    if (r == SQLITE_OK)
        sqlite3_result_int(out, 0);
    else
        sqlite3_result_error_code(out, r);
}

static void term_counts(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *out, int n, sqlite3_value **args)
{
    struct br_term_counts *c = n == 1 ? sqlite3_value_pointer(args[0], POINTER) : NULL;
    struct br_term_rarity *t = n == 1 ? sqlite3_value_pointer(args[0], RARITY_POINTER) : NULL;
    struct br_postings *p = n == 1 ? sqlite3_value_pointer(args[0], POSTINGS_POINTER) : NULL;
    int phrases = BR_MIN(api->xPhraseCount(fts), BR_TERMS_MAX);
    if (t) {
        rarity(api, fts, t, out);
        return;
    }
    if (p) {
        posting(api, fts, p, out);
        return;
    }
    if (!c) {
        sqlite3_result_error(out, "term_counts needs a place to count", -1);
        return;
    }
    int r = c->n_rows ? SQLITE_OK : totals(api, fts, &c->n_documents, &c->n_tokens);
    if (r == SQLITE_OK && (!br_array_fit(&c->rows, &c->rows_alloc, c->n_rows + 1, sizeof(*c->rows)) ||
                           !br_array_fit(&c->counts, &c->counts_alloc, c->n_counts + (size_t)phrases, sizeof(*c->counts))))
        r = SQLITE_NOMEM;
    if (r != SQLITE_OK) {
        c->failed = r == SQLITE_NOMEM;
        sqlite3_result_error_code(out, r);
        return;
    }
    struct br_term_row *row = &c->rows[c->n_rows++];
    *row = (struct br_term_row){.content_id = api->xRowid(fts), .first = c->n_counts};
    for (int i = 0; i < phrases; i++) {
        unsigned count = count_phrase(api, fts, i);
        if (!count)
            continue;
        c->counts[c->n_counts++] = (struct br_term_count){.term = (uint16_t)i, .count = (uint16_t)count};
        c->documents_with[i]++;
        row->n++;
    }
    sqlite3_result_int(out, 0);
}

enum br_rc br_term_counts_install(sqlite3 *db, struct br_err *err)
{
    fts5_api *api = NULL;
    sqlite3_stmt *st = NULL;
    int r = sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &st, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_bind_pointer(st, 1, &api, "fts5_api_ptr", NULL);
    if (r == SQLITE_OK)
        r = sqlite3_step(st);
    if (r != SQLITE_ROW && r != SQLITE_DONE) {
        enum br_rc rc = br_sql_fail(db, err, NULL, "cannot use FTS5");
        sqlite3_finalize(st);
        return rc;
    }
    sqlite3_finalize(st);
    if (!api)
        return br_fail(err, BR_E_IO, "this SQLite has no FTS5");
    if (api->xCreateFunction(api, "term_counts", NULL, term_counts, NULL) != SQLITE_OK)
        return br_sql_fail(db, err, NULL, "cannot use FTS5");
    return BR_OK;
}

void br_term_counts_bind(sqlite3_stmt *st, int i, struct br_term_counts *c)
{
    sqlite3_bind_pointer(st, i, c, POINTER, NULL);
}

void br_term_rarity_bind(sqlite3_stmt *st, int i, struct br_term_rarity *r)
{
    sqlite3_bind_pointer(st, i, r, RARITY_POINTER, NULL);
}

void br_postings_bind(sqlite3_stmt *st, int i, struct br_postings *p)
{
    sqlite3_bind_pointer(st, i, p, POSTINGS_POINTER, NULL);
}
