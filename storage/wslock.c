/* wslock.c - one writer a workspace: an exclusive OFD lock on the file LOCK.
 *
 * The lock belongs to the open file, not to the process, so a second handle in the same process is refused too, and the
 * kernel drops it with the descriptor however the process ends. The file is empty; its existence says nothing. */
#include "store_core.h"

#include <errno.h>
#include <fcntl.h>

enum br_rc br_wslock(const struct br_io *io, const char *dir, bool create, int *fd, struct br_err *err)
{
    char path[BR_PATH_MAX];
    enum br_rc rc = br_path(path, dir, "LOCK", err);
    if (rc != BR_OK)
        return rc;
    int f = io->open(io->ctx, path, O_RDWR | (create ? O_CREAT : 0), 0600);
    if (f == -ENOENT)
        return br_fail(err, BR_E_NOTFOUND, "there is no workspace in %s", dir);
    if (f < 0)
        return br_fail_errno(err, -f, "cannot write to the workspace %s", dir);
    int r = io->lock(io->ctx, f, true);
    if (r >= 0) {
        *fd = f;
        return BR_OK;
    }
    io->close(io->ctx, f);
    if (r == -EAGAIN || r == -EACCES)
        return br_fail(err, BR_E_BUSY,
                       "another process is writing to the workspace %s: wait until it has finished, or stop it", dir);
    return br_fail_errno(err, -r, "cannot lock the workspace %s", dir);
}
