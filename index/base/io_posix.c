/* io_posix.c - the I/O table over Linux system calls, and its looping helpers. */
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static int px_open(void *ctx, const char *path, int flags, unsigned mode)
{
    (void)ctx;
    int fd = open(path, flags | O_CLOEXEC, (mode_t)mode);
    return fd < 0 ? -errno : fd;
}

static int px_close(void *ctx, int fd)
{
    (void)ctx;
    return close(fd) < 0 ? -errno : 0;
}

static ssize_t px_pread(void *ctx, int fd, void *buf, size_t n, int64_t offset)
{
    (void)ctx;
    ssize_t r = pread(fd, buf, n, offset);
    return r < 0 ? -errno : r;
}

static ssize_t px_pwrite(void *ctx, int fd, const void *buf, size_t n, int64_t offset)
{
    (void)ctx;
    ssize_t r = pwrite(fd, buf, n, offset);
    return r < 0 ? -errno : r;
}

static int px_sync(void *ctx, int fd, const char *what)
{
    (void)ctx;
    (void)what;
    return fdatasync(fd) < 0 ? -errno : 0;
}

static int px_write_out(void *ctx, int fd, bool wait)
{
    (void)ctx;
    unsigned how = SYNC_FILE_RANGE_WRITE | (wait ? SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER : 0);
    if (sync_file_range(fd, 0, 0, how) == 0)
        return 0;
    return errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP ? 0 : -errno; /* a file system without it */
}

static int px_allocate(void *ctx, int fd, int64_t offset, int64_t n)
{
    (void)ctx;
    return -posix_fallocate(fd, offset, n);
}

static int px_truncate(void *ctx, int fd, int64_t size)
{
    (void)ctx;
    return ftruncate(fd, size) < 0 ? -errno : 0;
}

static int64_t px_size(void *ctx, int fd)
{
    (void)ctx;
    struct stat st;
    return fstat(fd, &st) < 0 ? -errno : st.st_size;
}

static int px_map(void *ctx, int fd, size_t n, bool writable_private, void **out)
{
    (void)ctx;
    int prot = writable_private ? PROT_READ | PROT_WRITE : PROT_READ;
    void *p = mmap(NULL, n, prot, writable_private ? MAP_PRIVATE : MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    *out = p;
    return 0;
}

static int px_unmap(void *ctx, void *p, size_t n)
{
    (void)ctx;
    return munmap(p, n) < 0 ? -errno : 0;
}

static int px_rename(void *ctx, const char *from, const char *to)
{
    (void)ctx;
    return rename(from, to) < 0 ? -errno : 0;
}

static int px_unlink(void *ctx, const char *path)
{
    (void)ctx;
    return unlink(path) < 0 ? -errno : 0;
}

static int px_mkdir(void *ctx, const char *path, unsigned mode)
{
    (void)ctx;
    return mkdir(path, (mode_t)mode) < 0 ? -errno : 0;
}

static int px_rmdir(void *ctx, const char *path)
{
    (void)ctx;
    return rmdir(path) < 0 ? -errno : 0;
}

static int px_chmod(void *ctx, const char *path, unsigned mode)
{
    (void)ctx;
    return chmod(path, (mode_t)mode) < 0 ? -errno : 0;
}

static int px_stat(void *ctx, const char *path, struct br_io_stat *out)
{
    (void)ctx;
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    *out = (struct br_io_stat){.size = st.st_size,
                               .mode = st.st_mode & 07777,
                               .is_dir = S_ISDIR(st.st_mode),
                               .is_special = !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode),
                               .is_ours = st.st_uid == geteuid()};
    return 0;
}

static bool px_can_write(void *ctx, const char *path)
{
    (void)ctx;
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

static int px_list(void *ctx, const char *dir, int (*fn)(void *arg, const char *name), void *arg)
{
    (void)ctx;
    int r = 0;
    DIR *d = opendir(dir);
    if (!d)
        return -errno;
    for (struct dirent *e; r == 0 && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            r = fn(arg, e->d_name);
    closedir(d);
    return r;
}

static int64_t px_space(void *ctx, const char *path)
{
    struct statvfs v;
    (void)ctx;
    if (statvfs(path, &v) < 0)
        return -errno;
    uint64_t bytes;
    if (__builtin_mul_overflow((uint64_t)v.f_bavail, (uint64_t)v.f_frsize, &bytes) || bytes > INT64_MAX)
        return INT64_MAX;
    return (int64_t)bytes;
}

static int px_sync_dir(void *ctx, const char *path)
{
    (void)ctx;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static int px_lock(void *ctx, int fd, bool exclusive)
{
    (void)ctx;
    struct flock fl = {.l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &fl) < 0 ? -errno : 0;
}

static int64_t px_now(void *ctx)
{
    (void)ctx;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int px_random(void *ctx, void *buf, size_t n)
{
    (void)ctx;
    return getrandom(buf, n, 0) == (ssize_t)n ? 0 : -EIO;
}

const struct br_io br_io_posix = {
    .syncs_together = true,
    .open = px_open,
    .close = px_close,
    .pread = px_pread,
    .pwrite = px_pwrite,
    .sync = px_sync,
    .write_out = px_write_out,
    .allocate = px_allocate,
    .truncate = px_truncate,
    .size = px_size,
    .map = px_map,
    .unmap = px_unmap,
    .rename = px_rename,
    .unlink = px_unlink,
    .mkdir = px_mkdir,
    .rmdir = px_rmdir,
    .chmod = px_chmod,
    .stat = px_stat,
    .can_write = px_can_write,
    .list = px_list,
    .sync_dir = px_sync_dir,
    .space = px_space,
    .lock = px_lock,
    .now = px_now,
    .random = px_random,
};

int br_io_pread_full(const struct br_io *io, int fd, void *buf, size_t n, int64_t offset)
{
    char *p = buf;
    while (n > 0) {
        ssize_t r = io->pread(io->ctx, fd, p, n, offset);
        if (r == -EINTR)
            continue;
        if (r < 0)
            return (int)r;
        if (r == 0)
            return -EIO;
        p += r;
        n -= (size_t)r;
        offset += r;
    }
    return 0;
}

int br_io_pwrite_full(const struct br_io *io, int fd, const void *buf, size_t n, int64_t offset)
{
    const char *p = buf;
    while (n > 0) {
        ssize_t r = io->pwrite(io->ctx, fd, p, n, offset);
        if (r == -EINTR)
            continue;
        if (r < 0)
            return (int)r;
        if (r == 0)
            return -EIO;
        p += r;
        n -= (size_t)r;
        offset += r;
    }
    return 0;
}

struct removal {
    const struct br_io *io;
    const char *dir;
    int failed; /* the first error */
};

static void note(struct removal *m, int r)
{
    if (r < 0 && r != -ENOENT && m->failed == 0)
        m->failed = r;
}

static int remove_entry(void *arg, const char *name)
{
    struct removal *m = arg;
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", m->dir, name);
    note(m, n < 0 || (size_t)n >= sizeof path ? -ENAMETOOLONG : m->io->unlink(m->io->ctx, path));
    return 0;
}

int br_io_is_dir(const struct br_io *io, const char *path)
{
    int fd = io->open(io->ctx, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd >= 0)
        io->close(io->ctx, fd);
    if (fd >= 0 || fd == -EISDIR) /* the latter: a table that opens files only */
        return 1;
    return fd == -ENOTDIR || fd == -ELOOP || fd == -ENOENT ? 0 : fd;
}

int br_io_remove_dir(const struct br_io *io, const char *dir)
{
    struct removal m = {.io = io, .dir = dir};
    int is_dir = br_io_is_dir(io, dir);
    if (is_dir < 0)
        return is_dir;
    if (is_dir)
        note(&m, io->list(io->ctx, dir, remove_entry, &m));
    int r = is_dir ? io->rmdir(io->ctx, dir) : io->unlink(io->ctx, dir);
    note(&m, r);
    return m.failed < 0 ? m.failed : r == 0;
}
