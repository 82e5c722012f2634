/* content_log.h - the append-only log of message text: framed, checksummed records, batch after batch. */
#ifndef BR_CONTENT_LOG_H
#define BR_CONTENT_LOG_H

#include "base/buf.h"
#include "log_file.h"

#define BR_CONTENT_MAX (256u << 20) /* bytes of one record */

struct br_content_log {
    struct br_log log;
    /* The open batch: [batch_start, buf_offset) is in the file, then come buf's bytes. */
    struct br_buf buf;
    uint64_t batch_start, buf_offset;
    void *batch_sum; /* XXH3 state over the batch */
    char *scratch;   /* the record read last */
    size_t scratch_alloc;
};

/* A row of the table content: where a record is and what proves it. */
struct br_content_ref {
    uint64_t id, offset, length;
    uint8_t hash[16];
};

BR_MUST_USE enum br_rc br_content_log_open(struct br_content_log *c, const struct br_io *io, const char *path,
                                           bool writable, const struct br_log_identity *id, struct br_err *err);
void br_content_log_close(struct br_content_log *c);
/* Starts a batch on the first page at or after tail; drops what an earlier batch left in memory. */
void br_content_log_begin(struct br_content_log *c, uint64_t tail);
/* ref->id is given; the rest is filled. */
BR_MUST_USE enum br_rc br_content_log_append(struct br_content_log *c, const void *bytes, size_t len,
                                             struct br_content_ref *ref, struct br_err *err);
BR_MUST_USE enum br_rc br_content_log_flush(struct br_content_log *c, struct br_err *err);
uint64_t br_content_log_end(const struct br_content_log *c); /* one past the batch's last byte */
uint64_t br_content_log_checksum(const struct br_content_log *c);
uint64_t br_content_record_size(uint64_t length); /* framed and padded */
/* Its bytes, checked against ref, borrowed until the next call. Damage: BR_E_CORRUPT with file and offset. */
BR_MUST_USE enum br_rc br_content_log_read(struct br_content_log *c, const struct br_content_ref *ref,
                                           const char **bytes, struct br_err *err);
/* Does the header at `record` (24 bytes) agree with itself? Then its id and length are told. For a scan without any row to go by. */
bool br_content_header_read(const void *record, uint64_t *id, uint64_t *length);
/* Do the bytes behind such a header agree with it? */
bool br_content_bytes_ok(const void *record, uint64_t length);
/* Does a whole record (header and bytes) agree with ref? */
bool br_content_record_ok(const void *record, const struct br_content_ref *ref);

#endif
