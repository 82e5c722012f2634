/* log_file.h - an append-only file with a 4 KiB header: what the content log and the vector log have in common. */
#ifndef BR_LOG_FILE_H
#define BR_LOG_FILE_H

#include "base/base.h"
#include "base/io.h"

#define BR_LOG_HEADER 4096u
#define BR_LOG_PAGE 4096u

enum br_log_kind { BR_LOG_CONTENT, BR_LOG_VECTORS };

/* What the header says, and what the reader of the file expects. */
struct br_log_identity {
    enum br_log_kind kind;
    uint8_t uuid[16];
    uint64_t generation;
    uint32_t dim;    /* vectors only, else 0 */
    uint64_t stride; /* bytes a row; vectors only, else 0 */
};

struct br_log {
    const struct br_io *io;
    int fd;        /* -1: closed */
    char *path;    /* owned */
    uint64_t size; /* of the file, what is reserved included */
    bool dirty;    /* written or grown since the last sync */
    uint64_t batches_bytes; /* through this handle, see br_log_zero_ahead */
    uint64_t zeroed;        /* bytes below are known to be written, not merely reserved; 0 nothing is known */
};

/* Makes the file anew (over a leftover) with its header, synced. */
BR_MUST_USE enum br_rc br_log_create(const struct br_io *io, const char *path, const struct br_log_identity *id,
                                     struct br_err *err);
/* Makes of whatever is there (or not) a log with this header and at least `end` bytes, synced; bytes behind the header stay, new ones are
 * zero. For repair. */
BR_MUST_USE enum br_rc br_log_mend(const struct br_io *io, const char *path, const struct br_log_identity *id, uint64_t end,
                                   struct br_err *err);
/* Gives a file another identity: its header must be exactly `was`'s (BR_E_CORRUPT) and becomes `id`'s, synced. Nobody else has it open. */
BR_MUST_USE enum br_rc br_log_stamp(const struct br_io *io, const char *path, const struct br_log_identity *was,
                                    const struct br_log_identity *id, struct br_err *err);
/* Opens a file and refuses one whose header is not exactly id's: BR_E_CORRUPT. */
BR_MUST_USE enum br_rc br_log_open(struct br_log *log, const struct br_io *io, const char *path, bool writable,
                                   const struct br_log_identity *id, struct br_err *err);
void br_log_close(struct br_log *log);
/* Has the disk that this is on so much room that more may be taken than is needed? Not known: yes. */
bool br_log_has_room(const struct br_io *io, const char *path);
/* Reserves space so that the file reaches at least `end`. */
BR_MUST_USE enum br_rc br_log_reserve(struct br_log *log, uint64_t end, struct br_err *err);
BR_MUST_USE enum br_rc br_log_write(struct br_log *log, const void *bytes, size_t n, uint64_t offset,
                                    struct br_err *err);
/* Lets the disk begin with what was written; nothing is durable by that. */
BR_MUST_USE enum br_rc br_log_write_out(struct br_log *log, struct br_err *err);
/* [start, end) is a batch just written. Now and then writes zeros behind it, into space that is reserved: as much as this handle wrote
 * before, and up to 8 MiB at a time. The batches that come to lie there need no metadata of the file system to change when they are synced. No
 * room for them is no failure. */
BR_MUST_USE enum br_rc br_log_zero_ahead(struct br_log *log, uint64_t start, uint64_t end, struct br_err *err);
/* Nothing to do when nothing was written. A failure is final: the caller poisons its handle. */
BR_MUST_USE enum br_rc br_log_sync(struct br_log *log, const char *what, struct br_err *err);
/* The same for two logs, at the same time where the disk can; it works on them while the caller does something else. */
struct br_log_syncs {
    struct br_log *logs[2];
    unsigned n;
    struct br_io_syncs io;
};
/* Either may be NULL. Nothing is written to them until br_log_sync_end, which must follow. */
void br_log_sync_start(struct br_log_syncs *y, struct br_log *content, struct br_log *vectors);
/* A failure of either is a failure. */
BR_MUST_USE enum br_rc br_log_sync_end(struct br_log_syncs *y, struct br_err *err);
/* Gives back space past `size`; best effort. */
void br_log_shrink(struct br_log *log, uint64_t size);
/* Is [offset, offset + n) inside the file? Looks again when the file was shorter before. */
BR_MUST_USE enum br_rc br_log_covers(struct br_log *log, uint64_t offset, uint64_t n, bool *covers,
                                     struct br_err *err);
BR_MUST_USE enum br_rc br_log_read(struct br_log *log, void *buf, size_t n, uint64_t offset, struct br_err *err);

#endif
