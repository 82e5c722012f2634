/* io.h - the one table of functions through which index/ and storage/ touch files.
 *
 * Tests replace it to fail the n-th call or to record the order of writes and syncs. Every member returns a
 * value >= 0, or a negative errno. Short reads and writes are possible; the br_io_*_full helpers loop.
 * fsync is never retried after a failure: the kernel may have dropped the dirty pages (PostgreSQL, 2018);
 * callers poison their handle instead. Thread-safe as far as the system calls are. */
#ifndef BR_IO_H
#define BR_IO_H

#include "base/base.h"

#include <sys/types.h>

struct br_io {
    void *ctx; /* passed to every member */
    int (*open)(void *ctx, const char *path, int flags, unsigned mode); /* O_CLOEXEC is added */
    int (*close)(void *ctx, int fd);
    ssize_t (*pread)(void *ctx, int fd, void *buf, size_t n, int64_t offset);
    ssize_t (*pwrite)(void *ctx, int fd, const void *buf, size_t n, int64_t offset);
    int (*sync)(void *ctx, int fd, const char *what); /* fdatasync; what names the file's role */
    int (*allocate)(void *ctx, int fd, int64_t offset, int64_t n); /* extends the file, space reserved */
    int (*truncate)(void *ctx, int fd, int64_t size);
    int64_t (*size)(void *ctx, int fd);
    int (*map)(void *ctx, int fd, size_t n, bool writable_private, void **out); /* from offset 0 */
    int (*unmap)(void *ctx, void *p, size_t n);
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*unlink)(void *ctx, const char *path);
    int (*mkdir)(void *ctx, const char *path, unsigned mode);
    int (*sync_dir)(void *ctx, const char *path);
    int (*lock)(void *ctx, int fd, bool exclusive); /* OFD lock, not waiting; -EAGAIN when held */
};

extern const struct br_io br_io_posix;

/* The whole range or an error; a read past the end of file is -EIO. 0 or negative errno. */
BR_MUST_USE int br_io_pread_full(const struct br_io *io, int fd, void *buf, size_t n, int64_t offset);
BR_MUST_USE int br_io_pwrite_full(const struct br_io *io, int fd, const void *buf, size_t n, int64_t offset);

#endif
