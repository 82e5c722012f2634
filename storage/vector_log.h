/* vector_log.h - the append-only log of float32 vectors: slot s is the row at 4096 + s * stride. */
#ifndef BR_VECTOR_LOG_H
#define BR_VECTOR_LOG_H

#include "index.h"
#include "log_file.h"

#define BR_SLOT_MAX (UINT64_C(1) << 47) /* no larger number from a file is believed: offsets stay in 63 bits */

struct br_vector_log {
    struct br_log log;
    uint32_t dim;
    size_t stride; /* bytes */
    /* The open batch, in memory until the next: rows first .. first + n - 1, of which the first `written` are in the file too. */
    uint64_t first;
    size_t n, written, alloc; /* rows */
    float *rows;
    void *map; /* of the file's first map_bytes; NULL none */
    size_t map_bytes;
};

BR_MUST_USE enum br_rc br_vector_log_open(struct br_vector_log *v, const struct br_io *io, const char *path,
                                          bool writable, const struct br_log_identity *id, struct br_err *err);
void br_vector_log_close(struct br_vector_log *v);
/* Starts a batch on the first slot at or after tail that lies on a page boundary. */
void br_vector_log_begin(struct br_vector_log *v, uint64_t tail);
/* Now and then also writes what has gathered, and lets the disk begin with it. */
BR_MUST_USE enum br_rc br_vector_log_append(struct br_vector_log *v, const float *vector, uint64_t *slot,
                                            uint64_t *checksum, struct br_err *err);
BR_MUST_USE enum br_rc br_vector_log_flush(struct br_vector_log *v, struct br_err *err);
uint64_t br_vector_log_checksum(const struct br_vector_log *v); /* of the batch's rows */
uint64_t br_vector_log_offset(const struct br_vector_log *v, uint64_t slot); /* in the file */
uint64_t br_vector_checksum(const float *vector, uint32_t dim);
/* A row, from the open batch or the file. *ok: it agrees with the checksum. */
BR_MUST_USE enum br_rc br_vector_log_read(struct br_vector_log *v, uint64_t slot, uint64_t checksum, float *vector,
                                          bool *ok, struct br_err *err);
/* Maps the rows 0 .. count-1; an earlier map may go. */
BR_MUST_USE enum br_rc br_vector_log_map(struct br_vector_log *v, uint64_t count, struct br_rows *rows,
                                         struct br_err *err);

#endif
