/* io.h - the one table of functions through which index/, storage/ and engine/ touch the files of a home directory, the clock and the
 * source of randomness. No other file of these folders makes such system calls (the test t_tidy looks).
 *
 * Tests replace it to fail the n-th call, or by a simulated disk. Every member returns a value >= 0, or a negative errno. Short reads and writes are possible; the br_io_*_full helpers loop.
 * fsync is never retried after a failure: the kernel may have dropped the dirty pages (PostgreSQL, 2018);
 * callers poison their handle instead. Thread-safe as far as the system calls are. */
#ifndef BR_IO_H
#define BR_IO_H

#include "base/base.h"

#include <sys/types.h>

struct br_io_stat {
    int64_t size;
    unsigned mode; /* permission bits */
    bool is_dir;
    bool is_special; /* neither a directory nor a regular file: a device, a pipe, a socket */
    bool is_ours; /* the user who runs this owns it */
};

struct br_io {
    void *ctx;              /* passed to every member */
    const char *sqlite_vfs; /* the SQLite VFS that goes with this table; NULL: SQLite's own */
    bool syncs_together;    /* sync may be called on two threads at a time, for different files; where calls are counted it may not */
    int (*open)(void *ctx, const char *path, int flags, unsigned mode); /* O_CLOEXEC is added */
    int (*close)(void *ctx, int fd);
    ssize_t (*pread)(void *ctx, int fd, void *buf, size_t n, int64_t offset);
    ssize_t (*pwrite)(void *ctx, int fd, const void *buf, size_t n, int64_t offset);
    int (*sync)(void *ctx, int fd, const char *what); /* fdatasync; what names the file's role */
    /* Starts to write out what is dirty of a file, or waits until it is. No promise of durability: sync is asked all the same. An error is
     * one of sync, which the kernel may not tell again. NULL: there is no such thing. */
    int (*write_out)(void *ctx, int fd, bool wait);
    int (*allocate)(void *ctx, int fd, int64_t offset, int64_t n); /* extends the file, space reserved */
    int (*truncate)(void *ctx, int fd, int64_t size);
    int64_t (*size)(void *ctx, int fd);
    int (*map)(void *ctx, int fd, size_t n, bool writable_private, void **out); /* from offset 0 */
    int (*unmap)(void *ctx, void *p, size_t n);
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*unlink)(void *ctx, const char *path);
    int (*mkdir)(void *ctx, const char *path, unsigned mode);
    int (*rmdir)(void *ctx, const char *path);
    int (*chmod)(void *ctx, const char *path, unsigned mode);
    int (*stat)(void *ctx, const char *path, struct br_io_stat *out);
    bool (*can_write)(void *ctx, const char *path); /* may the process make entries in this directory? */
    /* fn for every entry but "." and "..", in no order; entries that come or go meanwhile may or may not be seen. Ends early, with its
     * value, when fn returns non-zero. */
    int (*list)(void *ctx, const char *dir, int (*fn)(void *arg, const char *name), void *arg);
    int (*sync_dir)(void *ctx, const char *path);
    int64_t (*space)(void *ctx, const char *path);  /* bytes that may still be written to its file system; NULL: unknown */
    int (*lock)(void *ctx, int fd, bool exclusive); /* OFD lock, not waiting; -EAGAIN when held */
    int64_t (*now)(void *ctx);                      /* microseconds since 1970 */
    int (*random)(void *ctx, void *buf, size_t n);  /* n <= 256 bytes */
};

extern const struct br_io br_io_posix;

/* The whole range or an error; a read past the end of file is -EIO. 0 or negative errno. */
BR_MUST_USE int br_io_pread_full(const struct br_io *io, int fd, void *buf, size_t n, int64_t offset);
BR_MUST_USE int br_io_pwrite_full(const struct br_io *io, int fd, const void *buf, size_t n, int64_t offset);
/* Is this name itself a directory, not a link to one? 1, 0 (also where there is nothing), or a negative errno. */
BR_MUST_USE int br_io_is_dir(const struct br_io *io, const char *path);
/* Removes a directory of files, one level (of a link, the link), and as much of it as can be: 1 when it is gone, 0 when there
 * was none, else the first error. That it is gone is durable once the directory above is synced. */
int br_io_remove_dir(const struct br_io *io, const char *dir);

/* Syncs of one or two files, the long part of which is under way while the caller does something else. */
struct br_io_syncs {
    const struct br_io *io;
    struct br_io_sync {
        const struct br_io *io;
        int fd;
        const char *what;
        int result;
    } files[2];
    unsigned n;
};
/* The disk begins with n files (at most 2), to which nothing is written until br_io_sync_end. */
void br_io_sync_start(struct br_io_syncs *y, const struct br_io *io, unsigned n, const int fd[], const char *const what[]);
/* Syncs them, at the same time where the table allows it. Returns when all are done, whether or not one failed; result: of each, 0 or a
 * negative errno. To be called once for each start. */
void br_io_sync_end(struct br_io_syncs *y, int result[]);

#endif
