/* reembed_log.c - scratch file of a reembed, reembed.<model id's first letters> in the workspace's directory.
 *
 *   offset   size  meaning
 *        0      8  magic "BRREEMB1"
 *        8      4  version, 1
 *       12      4  endian tag 0x01020304
 *       16     16  uuid of the store
 *       32      4  dimension of the vectors
 *       36      4  CRC-32C of these 128 bytes with this field zero
 *       40     72  id of the model, NUL-padded
 *      112     16  zero
 *     4096         records of 32 + 4 * dimension bytes, one behind the other:
 *        0      8    content id
 *        8     16    hash of the content
 *       24      8    XXH3-64 of what is before and behind this field
 *       32         vector, float32
 * A header is valid when magic, tag, version, CRC, uuid, dimension and model agree; else the file begins anew. A record is valid when its checksum
 * is right; each stands for itself, so that it does not matter which of them a power cut left. It counts while the content it names has that hash.
 * Nothing in a workspace depends on the file: what moves a workspace to the new vectors is the flip of store_compact.c, which copies them. */
#include "reembed_log.h"

#include "base/crc32c.h"
#include "store_core.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define RECORDS_AT 4096

struct reembed_header {
    char magic[8];
    uint32_t version, endian;
    uint8_t uuid[16];
    uint32_t dim, crc;
    char model_id[72];
    uint8_t zero[16];
};
_Static_assert(sizeof(struct reembed_header) == 128, "table above");
_Static_assert(offsetof(struct reembed_header, magic) == 0, "table above");
_Static_assert(offsetof(struct reembed_header, version) == 8, "table above");
_Static_assert(offsetof(struct reembed_header, endian) == 12, "table above");
_Static_assert(offsetof(struct reembed_header, uuid) == 16, "table above");
_Static_assert(offsetof(struct reembed_header, dim) == 32, "table above");
_Static_assert(offsetof(struct reembed_header, crc) == 36, "table above");
_Static_assert(offsetof(struct reembed_header, model_id) == 40, "table above");
_Static_assert(offsetof(struct reembed_header, zero) == 112, "table above");

struct reembed_record {
    uint64_t content_id;
    uint8_t hash[16];
    uint64_t checksum;
};
_Static_assert(sizeof(struct reembed_record) == 32, "table above");
_Static_assert(offsetof(struct reembed_record, content_id) == 0, "table above");
_Static_assert(offsetof(struct reembed_record, hash) == 8, "table above");
_Static_assert(offsetof(struct reembed_record, checksum) == 24, "table above");

static struct reembed_header header_of(const uint8_t uuid[16], const char *model_id, uint32_t dim)
{
    struct reembed_header h = {.version = 1, .endian = 0x01020304, .dim = dim};
    memcpy(h.magic, "BRREEMB1", 8);
    memcpy(h.uuid, uuid, 16);
    snprintf(h.model_id, sizeof(h.model_id), "%s", model_id);
    h.crc = br_crc32c(0, &h, sizeof(h));
    return h;
}

void br_reembed_log_name(const char *model_id, char out[64])
{
    size_t n = strspn(model_id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    snprintf(out, 64, BR_REEMBED_PREFIX "%.*s", (int)BR_MIN(n, (size_t)32), model_id);
}

static uint64_t checksum_of(const struct br_reembed_log *l, const char *record)
{
    const struct reembed_record *r = (const void *)record;
    return XXH3_64bits_withSeed(record + sizeof(*r), l->stride - sizeof(*r), r->content_id ^ XXH3_64bits(r->hash, 16));
}

static enum br_rc io_fail(const struct br_reembed_log *l, int r, const char *what, struct br_err *err)
{
    return br_fail_errno(err, -r, "cannot %s %s", what, l->path);
}

/* --- Opening --- */

static bool add_entry(struct br_reembed_log *l, const struct reembed_record *r)
{
    if (l->n_entries == l->room) {
        size_t room = l->room ? 2 * l->room : 1024;
        struct br_reembed_entry *entries = realloc(l->entries, room * sizeof(*entries));
        if (!entries)
            return false;
        l->entries = entries;
        l->room = room;
    }
    struct br_reembed_entry *e = &l->entries[l->n_entries++];
    *e = (struct br_reembed_entry){.content_id = r->content_id, .number = l->n};
    memcpy(&e->hash, r->hash, sizeof(e->hash));
    return true;
}

static enum br_rc begin_anew(struct br_reembed_log *l, const struct reembed_header *h, const char *dir, struct br_err *err)
{
    const struct br_io *io = l->io;
    int r = io->truncate(io->ctx, l->fd, 0);
    if (r >= 0)
        r = br_io_pwrite_full(io, l->fd, h, sizeof(*h), 0);
    if (r >= 0)
        r = io->truncate(io->ctx, l->fd, RECORDS_AT);
    if (r >= 0)
        r = io->sync(io->ctx, l->fd, "reembed");
    if (r >= 0)
        r = io->sync_dir(io->ctx, dir);
    return r < 0 ? io_fail(l, r, "write", err) : BR_OK;
}

static enum br_rc look_through(struct br_reembed_log *l, int64_t size, struct br_err *err)
{
    uint64_t whole = size > RECORDS_AT ? (uint64_t)(size - RECORDS_AT) / l->stride : 0;
    for (; l->n < whole; l->n++) {
        int r = br_io_pread_full(l->io, l->fd, l->buf, l->stride, (int64_t)(RECORDS_AT + l->n * l->stride));
        if (r < 0)
            return io_fail(l, r, "read", err);
        const struct reembed_record *record = (const void *)l->buf;
        if (record->checksum == checksum_of(l, l->buf) && !add_entry(l, record))
            return br_fail_nomem(err);
    }
    br_reembed_log_index(l);
    return BR_OK;
}

enum br_rc br_reembed_log_open(struct br_reembed_log *l, const struct br_io *io, const char *dir, const uint8_t uuid[16],
                               const char *model_id, uint32_t dim, struct br_err *err)
{
    const struct reembed_header want = header_of(uuid, model_id, dim);
    struct reembed_header h;
    char name[64], path[BR_PATH_MAX];
    enum br_rc rc;
    *l = (struct br_reembed_log){.io = io, .fd = -1, .dim = dim, .stride = sizeof(struct reembed_record) + (size_t)dim * 4};
    br_reembed_log_name(model_id, name);
    BR_TRY(br_path(path, dir, name, err));
    l->path = strdup(path);
    l->buf = malloc(l->stride);
    if (!l->path || !l->buf)
        return br_fail_nomem(err);
    l->fd = io->open(io->ctx, path, O_RDWR | O_CREAT, 0600);
    if (l->fd < 0)
        return io_fail(l, l->fd, "open", err);
    int64_t size = io->size(io->ctx, l->fd);
    if (size < 0)
        return io_fail(l, (int)size, "read", err);
    bool ours = size >= RECORDS_AT && br_io_pread_full(io, l->fd, &h, sizeof(h), 0) >= 0 && memcmp(&h, &want, sizeof(h)) == 0;
    if (ours)
        rc = look_through(l, size, err);
    else
        rc = begin_anew(l, &want, dir, err);
err:
    return rc;
}

void br_reembed_log_close(struct br_reembed_log *l)
{
    if (l->fd >= 0)
        l->io->close(l->io->ctx, l->fd);
    free(l->path);
    free(l->entries);
    free(l->buf);
    *l = (struct br_reembed_log){.fd = -1};
}

/* --- Records --- */

/* Of several for one content the newest comes last. */
static int by_content(const void *a, const void *b)
{
    const struct br_reembed_entry *x = a, *y = b;
    if (x->content_id != y->content_id)
        return x->content_id < y->content_id ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

void br_reembed_log_index(struct br_reembed_log *l)
{
    if (l->n_entries)
        qsort(l->entries, l->n_entries, sizeof(*l->entries), by_content);
}

static const struct br_reembed_entry *find(const struct br_reembed_log *l, uint64_t content_id, const uint8_t hash[16])
{
    size_t from = 0, to = l->n_entries; /* the first one behind content_id */
    uint64_t h;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (l->entries[mid].content_id <= content_id)
            from = mid + 1;
        else
            to = mid;
    }
    memcpy(&h, hash, sizeof(h));
    const struct br_reembed_entry *e = from ? &l->entries[from - 1] : NULL;
    return e && e->content_id == content_id && e->hash == h ? e : NULL;
}

bool br_reembed_log_has(const struct br_reembed_log *l, uint64_t content_id, const uint8_t hash[16])
{
    return find(l, content_id, hash) != NULL;
}

enum br_rc br_reembed_log_append(struct br_reembed_log *l, uint64_t content_id, const uint8_t hash[16], const float *vector,
                                 struct br_err *err)
{
    struct reembed_record *record = (void *)l->buf;
    for (uint32_t i = 0; i < l->dim; i++)
        if (!isfinite(vector[i]))
            return br_fail(err, BR_E_DATA, "a vector has a component that is not a finite number");
    *record = (struct reembed_record){.content_id = content_id};
    memcpy(record->hash, hash, 16);
    memcpy(l->buf + sizeof(*record), vector, (size_t)l->dim * 4);
    record->checksum = checksum_of(l, l->buf);
    int r = br_io_pwrite_full(l->io, l->fd, l->buf, l->stride, (int64_t)(RECORDS_AT + l->n * l->stride));
    if (r < 0)
        return io_fail(l, r, "write", err);
    if (!add_entry(l, record))
        return br_fail_nomem(err);
    l->n++;
    return BR_OK;
}

enum br_rc br_reembed_log_sync(struct br_reembed_log *l, struct br_err *err)
{
    int r = l->io->sync(l->io->ctx, l->fd, "reembed");
    return r < 0 ? io_fail(l, r, "sync", err) : BR_OK;
}

enum br_rc br_reembed_log_read(struct br_reembed_log *l, uint64_t content_id, const uint8_t hash[16], float *vector, struct br_err *err)
{
    const struct br_reembed_entry *e = find(l, content_id, hash);
    const struct reembed_record *record = (const void *)l->buf;
    if (!e)
        return br_fail(err, BR_E_NOTFOUND, "%s has no vector of content %llu", l->path, (unsigned long long)content_id);
    int r = br_io_pread_full(l->io, l->fd, l->buf, l->stride, (int64_t)(RECORDS_AT + e->number * l->stride));
    if (r < 0)
        return io_fail(l, r, "read", err);
    if (record->checksum != checksum_of(l, l->buf) || record->content_id != content_id || memcmp(record->hash, hash, 16) != 0)
        return br_fail(err, BR_E_NOTFOUND, "%s was damaged while it was used: run the command again", l->path);
    memcpy(vector, l->buf + sizeof(*record), (size_t)l->dim * 4);
    return BR_OK;
}
