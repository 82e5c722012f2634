/* io_sync.c - files synced at the same time, and while the caller does something else.
 *
 * What fdatasync waits for is mostly the device's cache and the file system's journal. Two that come to that point together are answered by
 * one flush; when one comes a little later it waits for the first flush and then for its own. So the bytes of both are written out first, and
 * then both are synced, each on a thread. The threads live as long as the syncs: making one costs little beside a flush, and nothing is left
 * over that a fork or a close would have to know about. They take no signals. Where no thread can be had, or calls are counted, one file
 * follows the other, and as late as the caller allows: what a power cut may leave is then no less than with threads.
 *
 * Writing out promises nothing. But an error that it meets may not be told again by the sync after it: it counts as one of the sync. */
#include "base/io.h"

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

static void *sync_all(void *arg)
{
    struct br_io_syncs *y = arg;
    pthread_t thread;
    bool together = false;
    if (y->n > 1) {
        write_out(y, true);
        together = start_thread(y->io, &thread, sync_one, &y->files[1]);
    }
    sync_one(&y->files[0]);
    if (together)
        pthread_join(thread, NULL);
    else if (y->n > 1)
        sync_one(&y->files[1]);
    return NULL;
}

void br_io_sync_start(struct br_io_syncs *y, const struct br_io *io, unsigned n, const int fd[], const char *const what[])
{
    BR_ASSERT(n <= BR_COUNT(y->files));
    *y = (struct br_io_syncs){.io = io, .n = n};
    for (unsigned i = 0; i < n; i++)
        y->files[i] = (struct br_io_sync){.io = io, .fd = fd[i], .what = what[i]};
    write_out(y, false);
    y->on_thread = n > 0 && start_thread(io, &y->thread, sync_all, y);
}

void br_io_sync_wait(struct br_io_syncs *y, int result[])
{
    if (y->on_thread)
        pthread_join(y->thread, NULL);
    else if (y->n > 0)
        sync_all(y);
    for (unsigned i = 0; i < y->n; i++)
        result[i] = y->files[i].result;
}
