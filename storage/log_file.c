/* log_file.c - header, growth, writes and syncs of an append-only log.
 *
 * Header, 4096 bytes, little endian:
 *   offset size  meaning
 *        0    8  magic "BRCONTNT" or "BRVECTOR"
 *        8    4  version, 1
 *       12    4  endian tag 0x01020304
 *       16   16  uuid of the store
 *       32    8  generation of the log
 *       40    4  dimension (content: 0)
 *       44    4  element type: 1 float32 (content: 0)
 *       48    8  stride in bytes (content: 0)
 *       56 4036  zero
 *     4092    4  CRC-32C of bytes 0..4091
 * Valid when
 *   1. the file has at least 4096 bytes;
 *   2. magic, version and endian tag are those above, and the CRC is right;
 *   3. uuid, generation, dimension, element type and stride equal what the store's row in SQLite says.
 * It is written once, before SQLite names the file, and never again; what follows it is valid only as far as SQLite says. */
#include "log_file.h"

#include "base/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1u
#define ENDIAN_TAG 0x01020304u
#define FLOAT32 1u
#define STEP_MIN (4u << 20)
#define STEP_MAX (16u << 20)
#define ROOM_MIN (64 << 20)
#define AHEAD_MAX (8u << 20)
#define AHEAD_BATCH_MAX (1u << 20) /* larger batches gain less than the zeros cost */

struct header {
    char magic[8];
    uint32_t version, endian;
    uint8_t uuid[16];
    uint64_t generation;
    uint32_t dim, element;
    uint64_t stride;
    uint8_t zero[4036];
    uint32_t crc;
};
_Static_assert(sizeof(struct header) == BR_LOG_HEADER, "the header is one page");
_Static_assert(offsetof(struct header, magic) == 0, "table above");
_Static_assert(offsetof(struct header, version) == 8, "table above");
_Static_assert(offsetof(struct header, endian) == 12, "table above");
_Static_assert(offsetof(struct header, uuid) == 16, "table above");
_Static_assert(offsetof(struct header, generation) == 32, "table above");
_Static_assert(offsetof(struct header, dim) == 40, "table above");
_Static_assert(offsetof(struct header, element) == 44, "table above");
_Static_assert(offsetof(struct header, stride) == 48, "table above");
_Static_assert(offsetof(struct header, zero) == 56, "table above");
_Static_assert(offsetof(struct header, crc) == 4092, "table above");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little endian and mapped as they are");

static void header_fill(struct header *h, const struct br_log_identity *id)
{
    memset(h, 0, sizeof(*h));
    memcpy(h->magic, id->kind == BR_LOG_CONTENT ? "BRCONTNT" : "BRVECTOR", 8);
    h->version = VERSION;
    h->endian = ENDIAN_TAG;
    memcpy(h->uuid, id->uuid, 16);
    h->generation = id->generation;
    h->dim = id->dim;
    h->element = id->kind == BR_LOG_VECTORS ? FLOAT32 : 0;
    h->stride = id->stride;
    h->crc = br_crc32c(0, h, offsetof(struct header, crc));
}

enum br_rc br_log_create(const struct br_io *io, const char *path, const struct br_log_identity *id,
                         struct br_err *err)
{
    struct header h;
    header_fill(&h, id);
    int fd = io->open(io->ctx, path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return br_fail_errno(err, -fd, "cannot create %s", path);
    int r = br_io_pwrite_full(io, fd, &h, sizeof(h), 0);
    if (r == 0)
        r = io->sync(io->ctx, fd, path);
    int r2 = io->close(io->ctx, fd);
    r = r < 0 ? r : r2;
    return r < 0 ? br_fail_errno(err, -r, "cannot write %s", path) : BR_OK;
}

enum br_rc br_log_mend(const struct br_io *io, const char *path, const struct br_log_identity *id, uint64_t end,
                       struct br_err *err)
{
    struct header h;
    header_fill(&h, id);
    int fd = io->open(io->ctx, path, O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        return br_fail_errno(err, -fd, "cannot mend %s", path);
    int64_t size = io->size(io->ctx, fd);
    int r = size < 0 ? (int)size : 0;
    if (r == 0 && (uint64_t)size < end)
        r = io->allocate(io->ctx, fd, size, (int64_t)end - size);
    if (r >= 0)
        r = br_io_pwrite_full(io, fd, &h, sizeof(h), 0);
    if (r >= 0)
        r = io->sync(io->ctx, fd, path);
    int r2 = io->close(io->ctx, fd);
    r = r < 0 ? r : r2;
    return r < 0 ? br_fail_errno(err, -r, "cannot mend %s", path) : BR_OK;
}

/* What to tell about a header that is not the expected one. */
static const char *header_defect(const struct header *h, const struct header *want)
{
    if (memcmp(h->magic, want->magic, 8) != 0)
        return "is not a log of this program";
    if (h->version != VERSION)
        return "has another format version";
    if (h->endian != ENDIAN_TAG)
        return "was written on a machine of another byte order";
    if (h->crc != br_crc32c(0, h, offsetof(struct header, crc)))
        return "has a damaged header";
    if (memcmp(h->uuid, want->uuid, 16) != 0)
        return "belongs to another workspace";
    return "does not fit metadata.db (generation, dimension or element type differ)";
}

enum br_rc br_log_open(struct br_log *log, const struct br_io *io, const char *path, bool writable,
                       const struct br_log_identity *id, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    struct header h, want;
    *log = (struct br_log){.io = io, .fd = -1, .path = strdup(path)};
    if (!log->path)
        return br_fail_nomem(err);
    int fd = io->open(io->ctx, path, writable ? O_RDWR : O_RDONLY, 0);
    if (fd == -ENOENT)
        BR_TRY(br_fail(err, BR_E_CORRUPT, "%s is missing", path));
    if (fd < 0)
        BR_TRY(br_fail_errno(err, -fd, "cannot open %s", path));
    log->fd = fd;
    int64_t size = io->size(io->ctx, fd);
    if (size < 0)
        BR_TRY(br_fail_errno(err, (int)-size, "cannot use %s", path));
    log->size = (uint64_t)size;
    if (log->size < BR_LOG_HEADER)
        BR_TRY(br_fail(err, BR_E_CORRUPT, "%s is cut short: %lld bytes", path, (long long)size));
    int r = br_io_pread_full(io, fd, &h, sizeof(h), 0);
    if (r < 0)
        BR_TRY(br_fail_errno(err, -r, "cannot read %s", path));
    header_fill(&want, id);
    if (memcmp(&h, &want, sizeof(h)) != 0)
        BR_TRY(br_fail(err, BR_E_CORRUPT, "%s %s", path, header_defect(&h, &want)));
    return BR_OK;
err:
    br_log_close(log);
    return rc;
}

enum br_rc br_log_stamp(const struct br_io *io, const char *path, const struct br_log_identity *was,
                        const struct br_log_identity *id, struct br_err *err)
{
    struct br_log log;
    struct header h;
    enum br_rc rc = br_log_open(&log, io, path, true, was, err);
    if (rc != BR_OK)
        return rc;
    header_fill(&h, id);
    log.dirty = true;
    int r = br_io_pwrite_full(io, log.fd, &h, sizeof(h), 0);
    rc = r < 0 ? br_fail_errno(err, -r, "cannot write %s", path) : br_log_sync(&log, "header", err);
    br_log_close(&log);
    return rc;
}

void br_log_close(struct br_log *log)
{
    if (log->path && log->fd >= 0)
        log->io->close(log->io->ctx, log->fd);
    free(log->path);
    *log = (struct br_log){.fd = -1};
}

static int allocate_to(struct br_log *log, uint64_t end)
{
    int r;
    do
        r = log->io->allocate(log->io->ctx, log->fd, (int64_t)log->size, (int64_t)(end - log->size));
    while (r == -EINTR);
    return r;
}

bool br_log_has_room(const struct br_io *io, const char *path)
{
    int64_t room = io->space ? io->space(io->ctx, path) : -1;
    return room < 0 || room >= ROOM_MIN;
}

/* Growing in steps keeps the file in few extents and makes a full disk show here, before anything was written. The last room is left to what
 * needs it: the other log, or the write-ahead log. */
enum br_rc br_log_reserve(struct br_log *log, uint64_t end, struct br_err *err)
{
    if (end <= log->size)
        return BR_OK;
    uint64_t step = BR_MIN(BR_MAX(log->size / 4, (uint64_t)STEP_MIN), (uint64_t)STEP_MAX);
    uint64_t least = (end + BR_LOG_PAGE - 1) / BR_LOG_PAGE * BR_LOG_PAGE;
    uint64_t want = br_log_has_room(log->io, log->path) ? BR_MAX(least, log->size + step) : least;
    log->dirty = true;
    int r = allocate_to(log, want);
    if ((r == -ENOSPC || r == -EDQUOT || r == -EFBIG) && want > least) {
        br_log_shrink(log, log->size); /* what the failed step may have taken */
        want = least;
        r = allocate_to(log, want);
    }
    if (r < 0) {
        br_log_shrink(log, log->size);
        return br_fail_errno(err, -r, "cannot grow %s", log->path);
    }
    log->size = want;
    return BR_OK;
}

enum br_rc br_log_write(struct br_log *log, const void *bytes, size_t n, uint64_t offset, struct br_err *err)
{
    BR_ASSERT(offset >= BR_LOG_HEADER && offset + n <= log->size);
    log->dirty = true;
    int r = br_io_pwrite_full(log->io, log->fd, bytes, n, (int64_t)offset);
    return r < 0 ? br_fail_errno(err, -r, "cannot write %s", log->path) : BR_OK;
}

/* An error here may not be told again by the sync: the batch must fail. */
enum br_rc br_log_write_out(struct br_log *log, struct br_err *err)
{
    int r = log->io->write_out ? log->io->write_out(log->io->ctx, log->fd, false) : 0;
    return r < 0 ? br_fail_errno(err, -r, "cannot write %s", log->path) : BR_OK;
}

/* File systems mark reserved space as unwritten; to clear the mark a sync has to wait for their journal, and two that do so wait for each
 * other. Zeros that find no room (a file system that copies on write has reserved none) are missed by nobody; any other failure is one of the
 * file that the batch is in, and may not be told again. */
enum br_rc br_log_zero_ahead(struct br_log *log, uint64_t start, uint64_t end, struct br_err *err)
{
    static const char zeros[65536];
    uint64_t ahead = BR_MIN(log->batches_bytes, (uint64_t)AHEAD_MAX) / BR_LOG_PAGE * BR_LOG_PAGE;
    uint64_t from = (end + BR_LOG_PAGE - 1) / BR_LOG_PAGE * BR_LOG_PAGE, to = BR_MIN(from + ahead, log->size);
    log->batches_bytes += end - start;
    if (end <= log->zeroed || end - start > AHEAD_BATCH_MAX)
        return BR_OK;
    log->dirty = true;
    for (uint64_t at = from; at < to; at += sizeof(zeros)) {
        int r = br_io_pwrite_full(log->io, log->fd, zeros, (size_t)BR_MIN(to - at, (uint64_t)sizeof(zeros)), (int64_t)at);
        if (r == -ENOSPC || r == -EDQUOT)
            to = at;
        else if (r < 0)
            return br_fail_errno(err, -r, "cannot write %s", log->path);
    }
    log->zeroed = BR_MAX(end, to);
    return BR_OK;
}

enum br_rc br_log_sync(struct br_log *log, const char *what, struct br_err *err)
{
    if (!log->dirty)
        return BR_OK;
    int r = log->io->sync(log->io->ctx, log->fd, what);
    if (r < 0)
        return br_fail_errno(err, -r, "cannot sync %s", log->path);
    log->dirty = false;
    return BR_OK;
}

void br_log_sync_start(struct br_log_syncs *y, struct br_log *content, struct br_log *vectors)
{
    struct br_log *const logs[] = {content, vectors};
    static const char *const names[] = {"content", "vectors"};
    const char *what[2];
    int fd[2];
    y->n = 0;
    for (int i = 0; i < 2; i++)
        if (logs[i] && logs[i]->dirty) {
            fd[y->n] = logs[i]->fd;
            what[y->n] = names[i];
            y->logs[y->n++] = logs[i];
        }
    br_io_sync_start(&y->io, y->n > 0 ? y->logs[0]->io : NULL, y->n, fd, what);
}

enum br_rc br_log_sync_end(struct br_log_syncs *y, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    int r[2];
    br_io_sync_end(&y->io, r);
    for (unsigned i = 0; i < y->n; i++) {
        y->logs[i]->dirty = r[i] < 0;
        if (r[i] < 0)
            rc = br_fail_errno(err, -r[i], "cannot sync %s", y->logs[i]->path);
    }
    return rc;
}

void br_log_shrink(struct br_log *log, uint64_t size)
{
    BR_ASSERT(size >= BR_LOG_HEADER);
    if (log->io->truncate(log->io->ctx, log->fd, (int64_t)size) >= 0) {
        log->size = size;
        log->zeroed = BR_MIN(log->zeroed, size);
    }
}

enum br_rc br_log_covers(struct br_log *log, uint64_t offset, uint64_t n, bool *covers, struct br_err *err)
{
    uint64_t end;
    *covers = false;
    if (offset < BR_LOG_HEADER || __builtin_add_overflow(offset, n, &end))
        return BR_OK;
    if (end > log->size) {
        int64_t size = log->io->size(log->io->ctx, log->fd);
        if (size < 0)
            return br_fail_errno(err, (int)-size, "cannot use %s", log->path);
        log->size = (uint64_t)size;
    }
    *covers = end <= log->size;
    return BR_OK;
}

enum br_rc br_log_read(struct br_log *log, void *buf, size_t n, uint64_t offset, struct br_err *err)
{
    int r = br_io_pread_full(log->io, log->fd, buf, n, (int64_t)offset);
    if (r < 0)
        return br_fail_errno(err, -r, "cannot read %s at offset %llu", log->path, (unsigned long long)offset);
    return BR_OK;
}
