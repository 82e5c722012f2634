/* backup_int.h - what backup.c and restore.c share. */
#ifndef BR_BACKUP_INT_H
#define BR_BACKUP_INT_H

#include "backup.h"
#include "base/buf.h"
#include "tar_zstd.h"

#define BR_MANIFEST_MAX 16384u

struct br_backup_reader {
    const struct br_io *io;
    char *path;
    struct br_tar_reader *tar;
    struct br_manifest manifest;
};

/* backup_manifest.c */
BR_MUST_USE enum br_rc br_manifest_write(const struct br_manifest *m, struct br_buf *out, struct br_err *err);
/* text: n bytes and a NUL. path is for the error. */
BR_MUST_USE enum br_rc br_manifest_parse(char *text, size_t n, const char *path, struct br_manifest *m, struct br_err *err);
void br_manifest_member_name(const struct br_manifest *m, enum br_backup_member i, char out[64]);

/* Progress and the stop flag, once a piece. */
struct br_backup_run {
    const struct br_backup_options *opt;
    const char *phase;
    uint64_t done, total;
};
BR_MUST_USE enum br_rc br_backup_step(struct br_backup_run *run, uint64_t bytes, struct br_err *err);
/* Member i from the archive, hashed and compared; fd -1: not written. */
BR_MUST_USE enum br_rc br_backup_take(struct br_backup_reader *r, enum br_backup_member i, int fd, const char *to,
                                      struct br_backup_run *run, struct br_err *err);

#endif
