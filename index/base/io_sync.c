/* io_sync.c - files synced at the same time, and written out while the caller does something else.
 *
 * What fdatasync waits for is mostly the device's cache and the file system's journal. Two that come to that point together are answered by
 * one flush; when one comes a little later it waits for the first flush and then for its own. So the bytes of both are written out first,
 * which needs nobody's attention, and then both are synced, the second on a thread that lives as long as that: making it costs little beside
 * a flush, and nothing is left over that a fork or a close would have to know about. It takes no signals. Where no thread can be had, one
 * file follows the other.
 *
 * Writing out promises nothing. But an error that it meets may not be told again by the sync after it: it counts as one of the sync. */
#include "base/io.h"

#include <pthread.h>
#include <signal.h>

static void *sync_one(void *arg)
{
    struct br_io_sync *f = arg;
    int r = f->io->sync(f->io->ctx, f->fd, f->what);
    f->result = f->result < 0 ? f->result : r;
    return NULL;
}

static void write_out(struct br_io_syncs *y, bool wait)
{
    for (unsigned i = 0; i < y->n && y->io->write_out; i++) {
        int r = y->io->write_out(y->io->ctx, y->files[i].fd, wait);
        y->files[i].result = y->files[i].result < 0 ? y->files[i].result : r;
    }
}

static bool start_thread(const struct br_io *io, pthread_t *thread, void *(*fn)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    if (!io->syncs_together || pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool started = pthread_create(thread, NULL, fn, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void br_io_sync_start(struct br_io_syncs *y, const struct br_io *io, unsigned n, const int fd[], const char *const what[])
{
    BR_ASSERT(n <= BR_COUNT(y->files));
    *y = (struct br_io_syncs){.io = io, .n = n};
    for (unsigned i = 0; i < n; i++)
        y->files[i] = (struct br_io_sync){.io = io, .fd = fd[i], .what = what[i]};
    write_out(y, false);
}

void br_io_sync_end(struct br_io_syncs *y, int result[])
{
    pthread_t thread;
    bool together = false;
    if (y->n > 1) {
        write_out(y, true);
        together = start_thread(y->io, &thread, sync_one, &y->files[1]);
    }
    if (y->n > 0)
        sync_one(&y->files[0]);
    if (together)
        pthread_join(thread, NULL);
    else if (y->n > 1)
        sync_one(&y->files[1]);
    for (unsigned i = 0; i < y->n; i++)
        result[i] = y->files[i].result;
}
