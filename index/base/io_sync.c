/* io_sync.c - two files synced at the same time.
 *
 * What fdatasync waits for is mostly the device's cache and the file system's journal. Two that come to that point together are answered by
 * one flush; when one comes a little later it waits for the first flush and then for its own. So the bytes of both are written out first, and
 * then both are synced, the second on a thread that lives as long as the call: making it costs little beside a flush, and nothing is left
 * over that a fork or a close would have to know about. It takes no signals. Where no thread can be had, one file follows the other.
 *
 * Writing out promises nothing. But an error that it meets may not be told again by the sync after it: it counts as one of the sync. */
#include "base/io.h"

#include <pthread.h>
#include <signal.h>

struct task {
    const struct br_io *io;
    int fd;
    int result; /* 0, or the first error */
    const char *what;
};

static void *run(void *arg)
{
    struct task *t = arg;
    int r = t->io->sync(t->io->ctx, t->fd, t->what);
    t->result = t->result < 0 ? t->result : r;
    return NULL;
}

static void write_out(struct task *t, bool wait)
{
    int r = t->io->write_out ? t->io->write_out(t->io->ctx, t->fd, wait) : 0;
    t->result = t->result < 0 ? t->result : r;
}

static bool start(struct task *t, pthread_t *thread)
{
    sigset_t all, before;
    sigfillset(&all);
    if (!t->io->syncs_together || pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool started = pthread_create(thread, NULL, run, t) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void br_io_sync_two(const struct br_io *io, const int fd[2], const char *const what[2], int result[2])
{
    struct task first = {io, fd[0], 0, what[0]}, second = {io, fd[1], 0, what[1]};
    pthread_t thread;
    write_out(&first, false);
    write_out(&second, false);
    write_out(&first, true);
    write_out(&second, true);
    bool together = start(&second, &thread);
    run(&first);
    if (together)
        pthread_join(thread, NULL);
    else
        run(&second);
    result[0] = first.result;
    result[1] = second.result;
}
