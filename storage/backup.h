/* backup.h - a workspace as one file, and back: see backup.c for the format.
 *
 * A backup is taken beside a writer, from one SQLite snapshot. All of these read or make files through io, which is borrowed. */
#ifndef BR_BACKUP_H
#define BR_BACKUP_H

#include "base/base.h"
#include "base/io.h"

enum br_backup_member { BR_MEMBER_METADATA, BR_MEMBER_CONTENT, BR_MEMBER_VECTORS, BR_MEMBERS };

/* What the file says of itself: the member MANIFEST. */
struct br_manifest {
    char workspace_id[65], name[256], program[64];
    uint8_t uuid[16];
    uint64_t generation;
    int64_t created_at; /* microseconds since 1970 */
    struct {
        uint64_t size; /* bytes */
        uint8_t hash[16]; /* XXH3-128, canonical */
    } members[BR_MEMBERS];
};

struct br_backup_options { /* zero: defaults */
    const char *program; /* version of the program, for the manifest */
    void *ctx;
    /* phase: "checking", "packing", "reading back", "unpacking"; bytes. May be NULL. */
    void (*progress)(void *ctx, const char *phase, uint64_t done, uint64_t total);
    const volatile int *stop; /* may be NULL; non-zero: BR_E_INTERRUPTED */
};

/* Writes path.tmp, reads it back, and gives it its name; a file of that name is replaced. On failure nothing is left. A store whose
 * records fail their checksums is refused: BR_E_CORRUPT. */
BR_MUST_USE enum br_rc br_store_backup(const struct br_io *io, const char *dir, const char *path, const struct br_backup_options *opt,
                                       struct br_manifest *manifest, uint64_t *file_bytes, struct br_err *err);

/* Removes from a directory of backups, durably, what stopped ones left: *.tmp. Those under way are left alone. A directory that is not there is
 * an empty one. */
BR_MUST_USE enum br_rc br_backup_sweep(const struct br_io *io, const char *dir, struct br_err *err);

struct br_backup_reader;
/* Reads the manifest. Whatever is wrong with the file is BR_E_DATA, a wrong checksum BR_E_CORRUPT. */
BR_MUST_USE enum br_rc br_backup_open(const struct br_io *io, const char *path, struct br_backup_reader **out,
                                      struct br_manifest *manifest, struct br_err *err);
void br_backup_close(struct br_backup_reader *r);
/* Reads the rest and compares it with the manifest; writes nothing. */
BR_MUST_USE enum br_rc br_backup_check(struct br_backup_reader *r, const struct br_backup_options *opt, struct br_err *err);

/* Unpacks into a directory of its own below `workspaces`, verifies every record, and renames it to workspaces/<id>, which must not be
 * a workspace (BR_E_USAGE). id other than the manifest's: the copy becomes a workspace of its own, under that id and a new uuid. name NULL keeps
 * the label. On failure nothing is left; a kill leaves a directory that br_restore_sweep removes. */
BR_MUST_USE enum br_rc br_store_restore(struct br_backup_reader *r, const char *workspaces, const char *id, const char *name,
                                        const struct br_backup_options *opt, struct br_err *err);
/* Is there a workspace, whole or damaged, in workspaces/<id>? */
BR_MUST_USE enum br_rc br_store_exists(const struct br_io *io, const char *dir, bool *exists, struct br_err *err);
/* Whether dir is no workspace any more, without its metadata.db, but has texts from which repair can make it one. */
BR_MUST_USE enum br_rc br_store_left_texts(const struct br_io *io, const char *dir, bool *left, struct br_err *err);
/* Removes what killed restores left below `workspaces`, durably. Restores under way are left alone. */
BR_MUST_USE enum br_rc br_restore_sweep(const struct br_io *io, const char *workspaces, struct br_err *err);

#endif
