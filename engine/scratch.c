/* scratch.c - the directory in TMPDIR where a dry run makes the store of a workspace that does not exist yet.
 *
 * It is called "backread-dry-run-" and 16 hexadecimal digits, and holds the store in a subdirectory, whose lock says whether it is in use:
 * what a dry run that was killed has left is removed by the next one, and by forget. Nothing else in TMPDIR is touched, and no link followed:
 * others may write there. */
#include "engine_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_PREFIX "backread-dry-run-"

struct sweep {
    const struct br_io *io;
    const char *tmp;
};

static bool is_own_directory(const struct br_io *io, const char *path)
{
    struct br_io_stat st;
    int fd = io->open(io->ctx, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0)
        return false;
    bool own = io->stat(io->ctx, path, &st) == 0 && st.is_dir && st.is_ours;
    io->close(io->ctx, fd);
    return own;
}

/* What a dry run that was killed has left: a store whose lock nobody holds. */
static int sweep_scratch(void *arg, const char *name)
{
    static const char prefix[] = SCRATCH_PREFIX;
    const struct sweep *w = arg;
    const size_t p = sizeof prefix - 1;
    char dir[BR_PATH_MAX - 32], store[BR_PATH_MAX - 16], lock[BR_PATH_MAX];
    if (strncmp(name, prefix, p) != 0 || strlen(name) != p + 16 || strspn(name + p, "0123456789abcdef") != 16)
        return 0;
    int n = snprintf(dir, sizeof dir, "%s/%s", w->tmp, name);
    if (n < 0 || (size_t)n >= sizeof dir || !is_own_directory(w->io, dir))
        return 0;
    (void)snprintf(store, sizeof store, "%s/" BR_SCRATCH_STORE, dir);
    (void)snprintf(lock, sizeof lock, "%s/LOCK", store);
    int fd = is_own_directory(w->io, store) ? w->io->open(w->io->ctx, lock, O_RDWR | O_NOFOLLOW, 0) : -1;
    if (fd < 0)
        return 0;
    if (w->io->lock(w->io->ctx, fd, true) >= 0) {
        br_io_remove_dir(w->io, store);
        br_io_remove_dir(w->io, dir);
    }
    w->io->close(w->io->ctx, fd);
    return 0;
}

static const char *scratch_place(void)
{
    const char *set = getenv("TMPDIR");
    return set && *set ? set : "/tmp";
}

void br_scratch_sweep(const struct br_io *io)
{
    struct sweep sweep = {.io = io, .tmp = scratch_place()};
    (void)io->list(io->ctx, sweep.tmp, sweep_scratch, &sweep);
}

enum br_rc br_scratch_make(const struct br_io *io, char *dir, size_t n, struct br_err *err)
{
    const char *tmp = scratch_place();
    uint64_t tag;
    br_scratch_sweep(io);
    int r = io->random(io->ctx, &tag, sizeof tag);
    int len = snprintf(dir, n, "%s/" SCRATCH_PREFIX "%016llx", tmp, (unsigned long long)tag);
    if (len < 0 || (size_t)len >= n) {
        dir[0] = 0;
        return br_fail(err, BR_E_USAGE, "the path in TMPDIR is too long");
    }
    if (r == 0)
        r = io->mkdir(io->ctx, dir, 0700);
    if (r == 0)
        return BR_OK;
    br_fail_errno(err, -r, "cannot make the scratch directory %s for the dry run", dir);
    dir[0] = 0; /* nothing to remove */
    return err->rc;
}
