/* content_log.c - records of the content log.
 *
 * Record, little endian, padded with zeros to a multiple of 8 bytes:
 *   offset size  meaning
 *        0    4  length of the bytes
 *        4    4  CRC-32C of length, content id and checksum
 *        8    8  content id
 *       16    8  low half of the XXH3-128 of the bytes
 *       24    n  the bytes
 *   24 + n 0..7  zeros, to a multiple of 8
 * Valid when
 *   1. a row of the table `content` that is not dead names its offset, and offset + size is within the committed tail;
 *   2. length and id here are those of the row, and the CRC is right;
 *   3. the XXH3-128 of the bytes is the row's hash, and its low half is the checksum here.
 * The padding proves nothing. A batch starts on a page of its own, so that no page with acknowledged bytes is written again. */
#include "content_log.h"

#include "base/crc32c.h"
#include "store_int.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define FLUSH_BYTES (4u << 20)
#define KEEP_BYTES (16u << 20) /* a larger buffer, of one huge record, is given back */

struct record_header {
    uint32_t length, crc;
    uint64_t content_id, checksum;
};
_Static_assert(sizeof(struct record_header) == 24, "table above");
_Static_assert(offsetof(struct record_header, length) == 0, "table above");
_Static_assert(offsetof(struct record_header, crc) == 4, "table above");
_Static_assert(offsetof(struct record_header, content_id) == 8, "table above");
_Static_assert(offsetof(struct record_header, checksum) == 16, "table above");

void br_content_hash(const void *bytes, size_t len, uint8_t out[16])
{
    XXH128_canonical_t c;
    XXH128_canonicalFromHash(&c, XXH3_128bits(bytes, len));
    memcpy(out, c.digest, 16);
}

/* The canonical form is big endian: the low half is its second. */
static uint64_t low_half(const uint8_t hash[16])
{
    uint64_t v;
    memcpy(&v, hash + 8, 8);
    return __builtin_bswap64(v);
}

static struct record_header header_of(const struct br_content_ref *ref)
{
    struct record_header h = {.length = (uint32_t)ref->length, .content_id = ref->id, .checksum = low_half(ref->hash)};
    uint32_t crc = br_crc32c(0, &h, 4);
    h.crc = br_crc32c(crc, (const char *)&h + 8, 16);
    return h;
}

uint64_t br_content_record_size(uint64_t length)
{
    return (sizeof(struct record_header) + length + 7) & ~UINT64_C(7);
}

enum br_rc br_content_log_open(struct br_content_log *c, const struct br_io *io, const char *path, bool writable,
                               const struct br_log_identity *id, struct br_err *err)
{
    *c = (struct br_content_log){.log.fd = -1};
    br_buf_init(&c->buf, SIZE_MAX / 4);
    if (writable && !(c->batch_sum = XXH3_createState()))
        return br_fail_nomem(err);
    enum br_rc rc = br_log_open(&c->log, io, path, writable, id, err);
    if (rc != BR_OK)
        br_content_log_close(c);
    return rc;
}

void br_content_log_close(struct br_content_log *c)
{
    br_log_close(&c->log);
    br_buf_free(&c->buf);
    free(c->scratch);
    c->scratch = NULL;
    c->scratch_alloc = 0;
    if (c->batch_sum)
        XXH3_freeState(c->batch_sum);
    c->batch_sum = NULL;
}

void br_content_log_begin(struct br_content_log *c, uint64_t tail)
{
    br_buf_reset(&c->buf);
    c->batch_start = c->buf_offset = (tail + BR_LOG_PAGE - 1) / BR_LOG_PAGE * BR_LOG_PAGE;
    XXH3_64bits_reset(c->batch_sum);
}

uint64_t br_content_log_end(const struct br_content_log *c)
{
    return c->buf_offset + c->buf.len;
}

enum br_rc br_content_log_append(struct br_content_log *c, const void *bytes, size_t len, struct br_content_ref *ref,
                                 struct br_err *err)
{
    static const char zeros[8];
    if (len > BR_CONTENT_MAX)
        return br_fail(err, BR_E_TOOBIG, "a text of %zu bytes exceeds the limit of %u", len, BR_CONTENT_MAX);
    ref->offset = br_content_log_end(c);
    ref->length = len;
    br_content_hash(bytes, len, ref->hash);
    struct record_header h = header_of(ref);
    size_t before = c->buf.len;
    br_buf_add(&c->buf, &h, sizeof(h));
    br_buf_add(&c->buf, bytes, len);
    br_buf_add(&c->buf, zeros, br_content_record_size(len) - sizeof(h) - len);
    if (c->buf.failed)
        return br_fail_nomem(err);
    XXH3_64bits_update(c->batch_sum, c->buf.data + before, c->buf.len - before);
    return c->buf.len >= FLUSH_BYTES ? br_content_log_flush(c, err) : BR_OK;
}

enum br_rc br_content_log_flush(struct br_content_log *c, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    if (c->buf.len == 0)
        return BR_OK;
    BR_TRY(br_log_reserve(&c->log, br_content_log_end(c), err));
    BR_TRY(br_log_write(&c->log, c->buf.data, c->buf.len, c->buf_offset, err));
    c->buf_offset += c->buf.len;
    br_buf_reset(&c->buf);
    if (c->buf.alloc > KEEP_BYTES)
        br_buf_free(&c->buf);
err:
    return rc;
}

uint64_t br_content_log_checksum(const struct br_content_log *c)
{
    return XXH3_64bits_digest(c->batch_sum);
}

bool br_content_record_ok(const void *record, const struct br_content_ref *ref)
{
    uint8_t hash[16];
    struct record_header want = header_of(ref);
    if (memcmp(record, &want, sizeof(want)) != 0)
        return false;
    br_content_hash((const char *)record + sizeof(want), ref->length, hash);
    return memcmp(hash, ref->hash, 16) == 0;
}

bool br_content_header_read(const void *record, uint64_t *id, uint64_t *length)
{
    struct record_header h;
    memcpy(&h, record, sizeof(h));
    uint32_t crc = br_crc32c(0, &h, 4);
    if (br_crc32c(crc, (const char *)&h + 8, 16) != h.crc || h.content_id == 0 || h.length > BR_CONTENT_MAX)
        return false;
    *id = h.content_id;
    *length = h.length;
    return true;
}

bool br_content_bytes_ok(const void *record, uint64_t length)
{
    struct record_header h;
    uint8_t hash[16];
    memcpy(&h, record, sizeof(h));
    br_content_hash((const char *)record + sizeof(h), length, hash);
    return low_half(hash) == h.checksum;
}

static enum br_rc damaged(const struct br_content_log *c, const struct br_content_ref *ref, const char *why,
                          struct br_err *err)
{
    return br_fail(err, BR_E_CORRUPT, "%s: content record %llu at offset %llu %s", c->log.path,
                   (unsigned long long)ref->id, (unsigned long long)ref->offset, why);
}

enum br_rc br_content_log_read(struct br_content_log *c, const struct br_content_ref *ref, const char **bytes,
                               struct br_err *err)
{
    enum br_rc rc = BR_OK;
    const size_t head = sizeof(struct record_header);
    if (ref->length > BR_CONTENT_MAX)
        return damaged(c, ref, "has an impossible length", err);
    const char *record;
    if (c->buf.len > 0 && ref->offset >= c->buf_offset) {
        if (ref->offset - c->buf_offset > c->buf.len || c->buf.len - (ref->offset - c->buf_offset) < head + ref->length)
            return damaged(c, ref, "is outside the log", err);
        record = c->buf.data + (ref->offset - c->buf_offset);
    } else {
        bool covers;
        BR_TRY(br_log_covers(&c->log, ref->offset, head + ref->length, &covers, err));
        if (!covers)
            return damaged(c, ref, "is outside the log", err);
        if (c->scratch_alloc < head + ref->length) {
            size_t alloc = BR_MAX(head + ref->length, (size_t)65536);
            char *p = realloc(c->scratch, alloc);
            if (!p)
                return br_fail_nomem(err);
            c->scratch = p;
            c->scratch_alloc = alloc;
        }
        BR_TRY(br_log_read(&c->log, c->scratch, head + ref->length, ref->offset, err));
        record = c->scratch;
    }
    if (!br_content_record_ok(record, ref))
        return damaged(c, ref, "fails its checksum", err);
    *bytes = record + head;
err:
    return rc;
}
