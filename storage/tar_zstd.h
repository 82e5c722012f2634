/* tar_zstd.h - a tar archive inside one zstd frame, written and read as a stream. Knows nothing of what the members are. */
#ifndef BR_TAR_ZSTD_H
#define BR_TAR_ZSTD_H

#include "base/base.h"
#include "base/io.h"

struct br_tar_writer;
/* Makes path anew (0600; what is there goes), locked until the writer is freed. io is borrowed. */
BR_MUST_USE enum br_rc br_tar_create(const struct br_io *io, const char *path, struct br_tar_writer **out, struct br_err *err);
/* A member begins; exactly `size` bytes follow. name: at most 99 bytes. mtime: seconds. */
BR_MUST_USE enum br_rc br_tar_member(struct br_tar_writer *w, const char *name, uint64_t size, int64_t mtime, struct br_err *err);
BR_MUST_USE enum br_rc br_tar_write(struct br_tar_writer *w, const void *bytes, size_t n, struct br_err *err);
/* Ends the archive and syncs the file. */
BR_MUST_USE enum br_rc br_tar_finish(struct br_tar_writer *w, uint64_t *file_bytes, struct br_err *err);
void br_tar_writer_free(struct br_tar_writer *w); /* closes; the file stays */

struct br_tar_reader;
BR_MUST_USE enum br_rc br_tar_open(const struct br_io *io, const char *path, struct br_tar_reader **out, struct br_err *err);
/* The next member, which must be a plain file. Defects of the file: BR_E_DATA. The bytes of the one before must have been read. */
BR_MUST_USE enum br_rc br_tar_next(struct br_tar_reader *r, char name[101], uint64_t *size, struct br_err *err);
/* Exactly n bytes of the member. */
BR_MUST_USE enum br_rc br_tar_read(struct br_tar_reader *r, void *bytes, size_t n, struct br_err *err);
/* Nothing but the archive's end may follow. */
BR_MUST_USE enum br_rc br_tar_end(struct br_tar_reader *r, struct br_err *err);
uint64_t br_tar_packed(const struct br_tar_reader *r); /* bytes of the file used so far */
void br_tar_reader_free(struct br_tar_reader *r);

#endif
