/* io.c - the I/O table over a simulated disk. A descriptor is a number of the process's own table of open files. */
#include "sim/disk.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FILES_MAX 512

static struct file {
    struct sim_disk *disk;
    struct sim_inode *inode;
} files[FILES_MAX];
static pthread_mutex_t files_lock = PTHREAD_MUTEX_INITIALIZER;

static int io_open(void *ctx, const char *path, int flags, unsigned mode)
{
    (void)mode;
    struct sim_inode *n;
    int r = sim_open(ctx, path, flags, &n), fd = -EMFILE;
    if (r < 0)
        return r;
    pthread_mutex_lock(&files_lock);
    for (int i = 0; i < FILES_MAX && fd < 0; i++)
        if (!files[i].inode) {
            files[i] = (struct file){ctx, n};
            fd = i;
        }
    pthread_mutex_unlock(&files_lock);
    if (fd < 0)
        sim_close(ctx, n);
    return fd;
}

static int io_close(void *ctx, int fd)
{
    struct sim_inode *n = files[fd].inode;
    if (*sim_inode_owner(n) == &files[fd])
        *sim_inode_owner(n) = NULL;
    pthread_mutex_lock(&files_lock);
    files[fd] = (struct file){0};
    pthread_mutex_unlock(&files_lock);
    sim_close(ctx, n);
    return 0;
}

static ssize_t io_pread(void *ctx, int fd, void *buf, size_t n, int64_t offset)
{
    return sim_read(ctx, files[fd].inode, buf, n, offset);
}

static ssize_t io_pwrite(void *ctx, int fd, const void *buf, size_t n, int64_t offset)
{
    return sim_write(ctx, files[fd].inode, buf, n, offset);
}

static int io_sync(void *ctx, int fd, const char *what)
{
    (void)what;
    return sim_sync(ctx, files[fd].inode);
}

static int io_allocate(void *ctx, int fd, int64_t offset, int64_t n)
{
    return sim_resize(ctx, files[fd].inode, offset + n, true);
}

static int io_truncate(void *ctx, int fd, int64_t size)
{
    return sim_resize(ctx, files[fd].inode, size, false);
}

static int64_t io_size(void *ctx, int fd)
{
    return sim_size(ctx, files[fd].inode);
}

static int io_map(void *ctx, int fd, size_t n, bool writable_private, void **out)
{
    return sim_map(ctx, files[fd].inode, n, writable_private, out);
}

static int io_unmap(void *ctx, void *p, size_t n)
{
    (void)ctx;
    return munmap(p, n) < 0 ? -errno : 0;
}

static int io_rename(void *ctx, const char *from, const char *to)
{
    return sim_rename(ctx, from, to);
}

static int io_unlink(void *ctx, const char *path)
{
    return sim_unlink(ctx, path);
}

static int io_mkdir(void *ctx, const char *path, unsigned mode)
{
    (void)mode;
    return sim_mkdir(ctx, path);
}

static int io_rmdir(void *ctx, const char *path)
{
    return sim_rmdir(ctx, path);
}

static int io_chmod(void *ctx, const char *path, unsigned mode)
{
    (void)path;
    (void)mode;
    return sim_call(ctx);
}

static int io_stat(void *ctx, const char *path, struct br_io_stat *out)
{
    return sim_stat(ctx, path, out);
}

static bool io_can_write(void *ctx, const char *path)
{
    (void)ctx;
    (void)path;
    return true;
}

static int io_list(void *ctx, const char *dir, int (*fn)(void *arg, const char *name), void *arg)
{
    return sim_list(ctx, dir, fn, arg);
}

static int io_sync_dir(void *ctx, const char *path)
{
    char clean[512];
    size_t n = strlen(path);
    if (n >= sizeof clean)
        return -ENAMETOOLONG;
    memcpy(clean, path, n + 1);
    if (n > 3 && strcmp(clean + n - 3, "/..") == 0) { /* "<dir>/..": the directory above */
        clean[n - 3] = 0;
        *strrchr(clean, '/') = 0;
    }
    return sim_sync_dir(ctx, clean);
}

static int io_lock(void *ctx, int fd, bool exclusive)
{
    int r = sim_call(ctx);
    void **owner = sim_inode_owner(files[fd].inode);
    if (r < 0)
        return r;
    if (*owner && *owner != &files[fd])
        return -EAGAIN;
    if (exclusive)
        *owner = &files[fd];
    return 0;
}

static int64_t io_now(void *ctx)
{
    return sim_now(ctx);
}

static int io_random(void *ctx, void *buf, size_t n)
{
    int r = sim_call(ctx);
    if (r == 0)
        sim_random(ctx, buf, n);
    return r;
}

const struct br_io sim_io = {
    .open = io_open,
    .close = io_close,
    .pread = io_pread,
    .pwrite = io_pwrite,
    .sync = io_sync,
    .allocate = io_allocate,
    .truncate = io_truncate,
    .size = io_size,
    .map = io_map,
    .unmap = io_unmap,
    .rename = io_rename,
    .unlink = io_unlink,
    .mkdir = io_mkdir,
    .rmdir = io_rmdir,
    .chmod = io_chmod,
    .stat = io_stat,
    .can_write = io_can_write,
    .list = io_list,
    .sync_dir = io_sync_dir,
    .lock = io_lock,
    .now = io_now,
    .random = io_random,
};
