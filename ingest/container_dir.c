/* container_dir.c - an unpacked export: a walk that follows no link and reads regular files only. */
#include "container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "limits.h"

/* Opens path below fd one component at a time, so that no component may be a link. -1 with errno. */
static int open_beneath(int fd, const char *path)
{
    char component[256];
    int at = fd;
    for (;;) {
        const char *slash = strchr(path, '/');
        size_t n = slash ? (size_t)(slash - path) : strlen(path);
        if (n >= sizeof component) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(component, path, n);
        component[n] = 0;
        int next =
            openat(at, component, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (slash ? O_DIRECTORY : O_NONBLOCK | O_NOCTTY));
        int saved = errno;
        if (at != fd)
            (void)close(at);
        errno = saved;
        if (next < 0 || !slash)
            return next;
        at = next;
        path = slash + 1;
    }
}

static enum br_rc open_entry(struct br_container *c, const struct br_entry *e, struct br_stream *st, struct br_err *err)
{
    struct stat file;
    st->fd = open_beneath(c->dir_fd, e->raw);
    if (st->fd < 0)
        return br_fail_errno(err, errno, "cannot open %s/%s", c->path, e->raw);
    if (fstat(st->fd, &file) != 0 || !S_ISREG(file.st_mode))
        return br_fail(err, BR_E_IO, "%s/%s is no regular file any more", c->path, e->raw);
    return BR_OK;
}

static enum br_rc read_entry(struct br_stream *st, void *buf, size_t n, size_t *got, struct br_err *err)
{
    ssize_t r;
    do
        r = read(st->fd, buf, n);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return br_fail_errno(err, errno, "cannot read %s/%s", st->container->path, st->entry->raw);
    *got = (size_t)r;
    return BR_OK;
}

static void close_entry(struct br_stream *st)
{
    if (st->fd >= 0)
        (void)close(st->fd);
    st->fd = -1;
}

static void close_dir(struct br_container *c)
{
    if (c->dir_fd >= 0)
        (void)close(c->dir_fd);
    c->dir_fd = -1;
}

static const struct br_container_ops dir_ops = {open_entry, read_entry, close_entry, close_dir};

static enum br_rc walk(struct br_container *c, int fd, struct br_buf *path, unsigned depth, struct br_err *err);

static enum br_rc visit(struct br_container *c, int fd, const char *name, struct br_buf *path, unsigned depth,
                        struct br_err *err)
{
    struct stat st;
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? BR_OK
                               : br_fail_errno(err, errno, "cannot read %s/%s%s", c->path, br_buf_str(path), name);
    if (S_ISLNK(st.st_mode)) {
        c->warned[BR_WARN_SYMLINK_ENTRY]++;
        return BR_OK;
    }
    size_t before = path->len;
    enum br_rc rc = BR_OK;
    br_buf_adds(path, name);
    if (S_ISDIR(st.st_mode) && depth < BR_LIMIT_WALK_DEPTH) {
        int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        br_buf_addc(path, '/');
        rc = sub < 0 ? br_fail_errno(err, errno, "cannot open %s/%s", c->path, br_buf_str(path))
                     : walk(c, sub, path, depth + 1, err);
    } else if (S_ISREG(st.st_mode)) {
        struct br_entry e = {.size = (uint64_t)st.st_size, .packed = (uint64_t)st.st_size};
        e.modified = BR_MAX((int64_t)st.st_mtim.tv_sec, 0) * 1000000 + st.st_mtim.tv_nsec / 1000;
        e.raw = br_arena_strn(&c->names, br_buf_str(path), path->len);
        rc = e.raw && !path->failed ? br_container_add(c, e.raw, &e, err) : br_fail_nomem(err);
    } else {
        c->warned[BR_WARN_IGNORED_ENTRY]++;
    }
    br_buf_truncate(path, before);
    return rc;
}

/* Lists what is below fd, which it closes. */
static enum br_rc walk(struct br_container *c, int fd, struct br_buf *path, unsigned depth, struct br_err *err)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int saved = errno;
        (void)close(fd);
        return br_fail_errno(err, saved, "cannot read %s/%s", c->path, br_buf_str(path));
    }
    enum br_rc rc = BR_OK;
    const struct dirent *d;
    while (rc == BR_OK && (errno = 0, d = readdir(dir)) != NULL)
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            rc = visit(c, fd, d->d_name, path, depth, err);
    if (rc == BR_OK && errno)
        rc = br_fail_errno(err, errno, "cannot read %s/%s", c->path, br_buf_str(path));
    (void)closedir(dir);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct br_entry *)a)->name, ((const struct br_entry *)b)->name);
}

enum br_rc br_container_open_dir(struct br_container *c, struct br_err *err)
{
    struct br_buf path;
    c->dir_fd = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->dir_fd < 0)
        return br_fail_errno(err, errno, "cannot open %s", c->path);
    c->ops = &dir_ops;
    int fd = openat(c->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return br_fail_errno(err, errno, "cannot open %s", c->path);
    br_buf_init(&path, 1 << 20);
    enum br_rc rc = walk(c, fd, &path, 0, err);
    br_buf_free(&path);
    if (rc == BR_OK && c->n)
        qsort(c->entries, c->n, sizeof *c->entries, by_name); /* readdir has no order of its own */
    return rc;
}
