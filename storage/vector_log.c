/* vector_log.c - rows of the vector log.
 *
 *   offset              size    meaning
 *   0                   4096    header (log_file.c)
 *   4096 + s * stride   stride  slot s: dim float32, little endian; stride = 4 * dim
 * Valid when
 *   1. a row of the table `slots` with seq_killed NULL names the slot, and the slot is below the committed tail;
 *   2. the XXH3-64 of the row is that row's vector_checksum.
 * Every batch
 * starts on a page of its own, so that no page with acknowledged rows is written again. The slots up to there belong to the batch
 * before, are never live, and hold zeros: a scan may read every row below the tail. */
#include "vector_log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define EARLY_BYTES (128u << 10)

_Static_assert(sizeof(float) == 4, "rows are float32");

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

uint64_t br_vector_checksum(const float *vector, uint32_t dim)
{
    return XXH3_64bits(vector, (size_t)dim * 4);
}

enum br_rc br_vector_log_open(struct br_vector_log *v, const struct br_io *io, const char *path, bool writable,
                              const struct br_log_identity *id, struct br_err *err)
{
    *v = (struct br_vector_log){.dim = id->dim, .stride = (size_t)id->stride};
    return br_log_open(&v->log, io, path, writable, id, err);
}

static void unmap(struct br_vector_log *v)
{
    if (v->map)
        v->log.io->unmap(v->log.io->ctx, v->map, v->map_bytes);
    v->map = NULL;
}

void br_vector_log_close(struct br_vector_log *v)
{
    unmap(v);
    br_log_close(&v->log);
    free(v->rows);
    v->rows = NULL;
    v->n = v->alloc = 0;
}

/* Slots a batch's first one is a multiple of. */
static uint64_t alignment(const struct br_vector_log *v)
{
    return BR_LOG_PAGE / gcd(BR_LOG_PAGE, v->stride);
}

void br_vector_log_begin(struct br_vector_log *v, uint64_t tail)
{
    uint64_t align = alignment(v);
    v->first = (tail + align - 1) / align * align;
    v->n = v->written = 0;
}

uint64_t br_vector_log_offset(const struct br_vector_log *v, uint64_t slot)
{
    return BR_LOG_HEADER + slot * v->stride;
}

static enum br_rc make_room(struct br_vector_log *v, size_t rows, struct br_err *err)
{
    if (rows <= v->alloc)
        return BR_OK;
    size_t alloc = BR_MAX(rows, v->alloc ? v->alloc * 2 : 256);
    float *p = realloc(v->rows, alloc * v->stride);
    if (!p)
        return br_fail_nomem(err);
    v->rows = p;
    v->alloc = alloc;
    return BR_OK;
}

/* Without a branch for each: it is asked of every vector. */
static bool all_finite(const float *vector, uint32_t dim)
{
    bool finite = true;
    for (uint32_t i = 0; i < dim; i++)
        finite &= isfinite(vector[i]) != 0;
    return finite;
}

/* Rows [written, end), where end is a multiple of the alignment. */
static enum br_rc write_rows(struct br_vector_log *v, size_t end, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_log_reserve(&v->log, br_vector_log_offset(v, v->first + end), err));
    BR_TRY(br_log_write(&v->log, v->rows + v->written * v->dim, (end - v->written) * v->stride,
                        br_vector_log_offset(v, v->first + v->written), err));
    v->written = end;
err:
    return rc;
}

/* The disk works on what there is of a large batch while SQLite works on the rest; a sync then has less to wait for. */
static enum br_rc write_early(struct br_vector_log *v, struct br_err *err)
{
    size_t align = (size_t)alignment(v), end = v->n / align * align;
    if ((end - v->written) * v->stride < EARLY_BYTES)
        return BR_OK;
    enum br_rc rc = write_rows(v, end, err);
    return rc == BR_OK ? br_log_write_out(&v->log, err) : rc;
}

enum br_rc br_vector_log_append(struct br_vector_log *v, const float *vector, uint64_t *slot, uint64_t *checksum,
                                struct br_err *err)
{
    if (!all_finite(vector, v->dim))
        return br_fail(err, BR_E_DATA, "a vector has a component that is not a finite number");
    enum br_rc rc = make_room(v, v->n + 1, err);
    if (rc != BR_OK)
        return rc;
    memcpy(v->rows + v->n * v->dim, vector, v->stride);
    *slot = v->first + v->n++;
    *checksum = br_vector_checksum(vector, v->dim);
    return write_early(v, err);
}

enum br_rc br_vector_log_flush(struct br_vector_log *v, struct br_err *err)
{
    if (v->n == 0)
        return BR_OK;
    size_t align = (size_t)alignment(v), padded = (v->n + align - 1) / align * align;
    enum br_rc rc;
    BR_TRY(make_room(v, padded, err));
    memset(v->rows + v->n * v->dim, 0, (padded - v->n) * v->stride);
    BR_TRY(write_rows(v, padded, err));
err:
    return rc;
}

uint64_t br_vector_log_checksum(const struct br_vector_log *v)
{
    return v->n ? XXH3_64bits(v->rows, v->n * v->stride) : 0;
}

enum br_rc br_vector_log_read(struct br_vector_log *v, uint64_t slot, uint64_t checksum, float *vector, bool *ok,
                              struct br_err *err)
{
    *ok = false;
    if (slot > BR_SLOT_MAX)
        return BR_OK;
    if (slot >= v->first && slot - v->first < v->n) {
        memcpy(vector, v->rows + (slot - v->first) * v->dim, v->stride);
    } else {
        enum br_rc rc = br_log_covers(&v->log, br_vector_log_offset(v, slot), v->stride, ok, err);
        if (rc != BR_OK || !*ok)
            return rc;
        rc = br_log_read(&v->log, vector, v->stride, br_vector_log_offset(v, slot), err);
        if (rc != BR_OK)
            return rc;
    }
    *ok = br_vector_checksum(vector, v->dim) == checksum;
    return BR_OK;
}

enum br_rc br_vector_log_map(struct br_vector_log *v, uint64_t count, struct br_rows *rows, struct br_err *err)
{
    *rows = (struct br_rows){.stride_floats = v->dim, .count = count};
    if (count == 0)
        return BR_OK;
    uint64_t bytes = count * v->stride;
    if (!v->map || BR_LOG_HEADER + bytes > v->map_bytes) {
        bool covers;
        enum br_rc rc = br_log_covers(&v->log, BR_LOG_HEADER, bytes, &covers, err);
        if (rc != BR_OK)
            return rc;
        if (!covers)
            return br_fail(err, BR_E_CORRUPT, "%s is cut short: %llu bytes, %llu are committed", v->log.path,
                           (unsigned long long)v->log.size, (unsigned long long)(BR_LOG_HEADER + bytes));
        unmap(v);
        /* The whole file: what is reserved past the tail comes to life with later commits without mapping again. */
        int r = v->log.io->map(v->log.io->ctx, v->log.fd, (size_t)v->log.size, false, &v->map);
        if (r < 0) {
            v->map = NULL;
            return br_fail_errno(err, -r, "cannot map %s", v->log.path);
        }
        v->map_bytes = (size_t)v->log.size;
    }
    rows->base = (const float *)((const char *)v->map + BR_LOG_HEADER);
    return BR_OK;
}
