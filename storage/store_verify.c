/* store_verify.c - do the three files tell the same story?
 *
 * Reads with pread through a window, never through a map: a bad sector is then an error with a name, not a signal. Only
 * live rows are looked at; what is dead may have been erased. */
#include "store_core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES (1u << 20)

struct window {
    struct br_log *log;
    uint64_t end; /* nothing is read past it: a writer takes and gives back the space behind its tail at any time */
    char *bytes;
    size_t alloc, n;
    uint64_t offset;
};

struct verify {
    struct br_store *s;
    struct br_store_report *report;
    struct br_store_info info;
    bool deep;
    struct window window;
};

static void problem(struct verify *v, uint64_t *counter, const char *fmt, ...) BR_PRINTF(3, 4);
static void problem(struct verify *v, uint64_t *counter, const char *fmt, ...)
{
    ++*counter;
    if (v->report->first_problem[0])
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(v->report->first_problem, sizeof(v->report->first_problem), fmt, ap);
    va_end(ap);
}

/* n bytes at offset, which lie before the window's end; borrowed until the next call. Rows come in the order of the file. */
static enum br_rc window_get(struct window *w, uint64_t offset, size_t n, const char **out, struct br_err *err)
{
    if (offset < w->offset || offset + n > w->offset + w->n) {
        uint64_t left = w->end - offset;
        size_t want = (size_t)BR_MIN(BR_MAX((uint64_t)n, (uint64_t)WINDOW_BYTES), left);
        if (want > w->alloc) {
            char *p = realloc(w->bytes, want);
            if (!p)
                return br_fail_nomem(err);
            w->bytes = p;
            w->alloc = want;
        }
        w->n = 0;
        enum br_rc rc = br_log_read(w->log, w->bytes, want, offset, err);
        if (rc != BR_OK)
            return rc;
        w->offset = offset;
        w->n = want;
    }
    *out = w->bytes + (offset - w->offset);
    return BR_OK;
}

static enum br_rc verify_content_row(struct verify *v, sqlite3_stmt *st, struct br_err *err)
{
    struct br_store_report *r = v->report;
    struct br_log *log = &v->s->content.log;
    struct br_content_ref ref = {.id = (uint64_t)sqlite3_column_int64(st, 0)};
    struct br_err defect = {0};
    r->contents++;
    if (br_content_ref_of(v->s, st, 1, &ref, &defect) != BR_OK) {
        problem(v, &r->missing_content, "%s", defect.msg);
        return BR_OK;
    }
    /* Padding is no part of the proof: the last record may end right at the tail. */
    uint64_t end = ref.offset + 24 + ref.length;
    if (ref.length > BR_CONTENT_MAX || end > v->window.end) {
        problem(v, &r->missing_content, "%s: content record %llu at offset %llu is outside the log", log->path,
                (unsigned long long)ref.id, (unsigned long long)ref.offset);
        return BR_OK;
    }
    if (!v->deep)
        return BR_OK;
    const char *record;
    enum br_rc rc = window_get(&v->window, ref.offset, (size_t)(end - ref.offset), &record, err);
    if (rc != BR_OK)
        return rc;
    r->checked_bytes += end - ref.offset;
    if (!br_content_record_ok(record, &ref))
        problem(v, &r->corrupt, "%s: content record %llu at offset %llu fails its checksum", log->path,
                (unsigned long long)ref.id, (unsigned long long)ref.offset);
    return BR_OK;
}

static enum br_rc verify_slot_row(struct verify *v, sqlite3_stmt *st, struct br_err *err)
{
    struct br_store_report *r = v->report;
    struct br_vector_log *vectors = &v->s->vectors;
    uint64_t slot = (uint64_t)sqlite3_column_int64(st, 0);
    r->slots_live++;
    if (sqlite3_column_type(st, 2) == SQLITE_NULL)
        problem(v, &r->orphan_vectors, "slot %llu has a vector but no content", (unsigned long long)slot);
    uint64_t offset = slot < v->info.vector_tail ? br_vector_log_offset(vectors, slot) : UINT64_MAX;
    if (offset == UINT64_MAX || offset + vectors->stride > v->window.end) {
        problem(v, &r->corrupt, "%s: slot %llu is outside the log", vectors->log.path, (unsigned long long)slot);
        return BR_OK;
    }
    if (!v->deep)
        return BR_OK;
    const char *row;
    enum br_rc rc = window_get(&v->window, offset, vectors->stride, &row, err);
    if (rc != BR_OK)
        return rc;
    r->checked_bytes += vectors->stride;
    if (br_vector_checksum((const float *)(const void *)row, vectors->dim) != (uint64_t)sqlite3_column_int64(st, 1))
        problem(v, &r->corrupt, "%s: slot %llu at offset %llu fails its checksum", vectors->log.path,
                (unsigned long long)slot, (unsigned long long)offset);
    return BR_OK;
}

/* tail: where the committed part of the log ends. */
static enum br_rc each(struct verify *v, struct br_log *log, uint64_t tail, const char *sql,
                       enum br_rc (*fn)(struct verify *, sqlite3_stmt *, struct br_err *), struct br_err *err)
{
    sqlite3_stmt *st;
    int r = SQLITE_DONE;
    v->window = (struct window){.log = log, .end = BR_MIN(tail, log->size)};
    enum br_rc rc = br_store_stmt(v->s, sql, &st, err);
    if (rc != BR_OK)
        return rc;
    while (rc == BR_OK && (r = sqlite3_step(st)) == SQLITE_ROW)
        rc = fn(v, st, err);
    if (rc == BR_OK && r != SQLITE_DONE)
        rc = br_store_sql_fail(v->s, err, "cannot read");
    sqlite3_reset(st);
    free(v->window.bytes);
    return rc;
}

static enum br_rc verify_tails(struct verify *v, struct br_err *err)
{
    struct br_store *s = v->s;
    bool covers;
    enum br_rc rc;
    s->content.log.size = s->vectors.log.size = 0; /* what was seen at open may have changed: look again */
    BR_TRY(br_log_covers(&s->content.log, BR_LOG_HEADER, v->info.content_tail - BR_LOG_HEADER, &covers, err));
    if (!covers)
        problem(v, &v->report->corrupt, "%s is shorter than its committed tail", s->content.log.path);
    BR_TRY(br_log_covers(&s->vectors.log, BR_LOG_HEADER, v->info.vector_tail * s->vectors.stride, &covers, err));
    if (!covers)
        problem(v, &v->report->corrupt, "%s is shorter than its committed tail", s->vectors.log.path);
err:
    return rc;
}

/* SQLite's own check. Damage that keeps it from running is damage as well. */
static enum br_rc verify_metadata(struct verify *v, struct br_err *err)
{
    char found[256], path[BR_PATH_MAX];
    enum br_rc rc;
    BR_TRY(br_path(path, v->s->dir, "metadata.db", err));
    BR_TRY(br_sql_check(v->s->db, !v->deep, path, found, err));
    if (found[0])
        problem(v, &v->report->corrupt, "%s: %s", path, found);
err:
    return rc;
}

enum br_rc br_store_verify(struct br_store *s, bool deep, struct br_store_report *report, struct br_err *err)
{
    struct verify v = {.s = s, .report = report, .deep = deep};
    *report = (struct br_store_report){0};
    if (s->txn.open)
        return br_fail(err, BR_E_USAGE, "verify wants what is committed: a transaction is open");
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(br_store_state(s, &v.info, NULL, err));
    BR_TRY(verify_metadata(&v, err));
    BR_TRY(verify_tails(&v, err));
    BR_TRY(each(&v, &s->content.log, v.info.content_tail,
                "SELECT content_id, offset, length, hash FROM content WHERE workspace_id = ?1 AND dead = 0"
                " ORDER BY content_id",
                verify_content_row, err));
    BR_TRY(each(&v, &s->vectors.log, br_vector_log_offset(&s->vectors, v.info.vector_tail),
                "SELECT s.slot, s.vector_checksum, c.content_id FROM slots AS s LEFT JOIN content AS c"
                " ON c.workspace_id = s.workspace_id AND c.content_id = s.content_id AND c.dead = 0"
                " WHERE s.workspace_id = ?1 AND s.seq_killed IS NULL ORDER BY s.slot",
                verify_slot_row, err));
    if (!report->corrupt) /* else it is told already, record by record */
        BR_TRY(br_store_verify_journal(s, &v.info, deep, report, err));
err:
    br_store_read_end(s);
    return rc;
}
