/* container.h - a ZIP file or a directory as a list of named byte streams. Nothing is ever written or unpacked to
 * disk. */
#ifndef BR_CONTAINER_H
#define BR_CONTAINER_H

#include "base/arena.h"
#include "base/base.h"
#include "event.h"
#include "id_map.h"

struct br_entry {
    const char *name; /* decoded, '/' between components */
    const char *raw;  /* directories: the path as the file system has it */
    uint64_t index;   /* ZIP: the entry's number */
    uint64_t size, packed;
    int64_t modified; /* us since 1970, 0 unknown */
    bool unsupported; /* a compression method that cannot be read */
};

struct br_stream;
struct br_container;

struct br_container_ops {
    enum br_rc (*open_entry)(struct br_container *c, const struct br_entry *e, struct br_stream *st,
                             struct br_err *err);
    /* *got 0: end. Damage ends the stream, too, and sets st->damaged. */
    enum br_rc (*read)(struct br_stream *st, void *buf, size_t n, size_t *got, struct br_err *err);
    void (*close_entry)(struct br_stream *st);
    void (*close)(struct br_container *c);
};

struct br_container {
    const struct br_container_ops *ops;
    char *path;
    struct br_entry *entries; /* files only, junk and second copies left out; central directory or name order */
    size_t n, alloc;
    uint64_t total;
    struct br_arena names;
    struct br_id_map seen;
    uint64_t warned[BR_WARN_COUNT]; /* what was met while listing */
    void *zip;
    int dir_fd;
};

struct br_stream {
    struct br_container *container;
    const struct br_entry *entry;
    void *zip_file;
    int fd;
    uint64_t done;
    bool damaged; /* does not unpack, or not to what the checksum says */
};

BR_MUST_USE enum br_rc br_container_open(const char *path, struct br_container **out, struct br_err *err);
void br_container_close(struct br_container *c);

BR_MUST_USE enum br_rc br_stream_open(struct br_container *c, size_t entry, struct br_stream *st, struct br_err *err);
BR_MUST_USE enum br_rc br_stream_read(struct br_stream *st, void *buf, size_t n, size_t *got, struct br_err *err);
void br_stream_close(struct br_stream *st);

/* For the two kinds: lists one entry, or refuses the archive for it. */
BR_MUST_USE enum br_rc br_container_add(struct br_container *c, const char *raw, const struct br_entry *e,
                                        struct br_err *err);
BR_MUST_USE enum br_rc br_container_open_zip(struct br_container *c, struct br_err *err);
BR_MUST_USE enum br_rc br_container_open_dir(struct br_container *c, struct br_err *err);

#endif
