/* wal_ahead.c - the write-ahead log is grown ahead of its use, and emptied into the database now and then.
 *
 * A sync of a file that has grown waits for the file system's journal, one of bytes written before waits for the device alone. So while a
 * writer commits small batches, zeros are appended to metadata.db-wal, and SQLite's frames come to lie on them. Zeros are no frame: a frame
 * has a page number, which is not 0. They are appended behind the end of the file, where nothing is that anybody could have acknowledged
 * or read; so it does not matter what becomes of them, and failures are ignored. Once SQLite starts the log over from its beginning there is
 * nothing to grow any more. The fence (commit.c) cuts off what a killed writer leaves of them. Where little room is left it is for the batches
 * to come: zeros would take what the logs need.
 *
 * SQLite tells the number of frames in a hook that also decides on checkpoints: here after WAL_FRAMES of them rather than 1,000, because the
 * pages of an import are written over again and again, and every checkpoint waits for two more syncs. Not more, because whoever opens the
 * workspace first after a crash reads all of them: 8 MiB. */
#include "store_core.h"

#include <errno.h>
#include <fcntl.h>

#define WAL_HEADER 32
#define FRAME_HEADER 24
#define WAL_FRAMES 2048
#define AHEAD_MAX (1u << 20)
#define SMALL (64u << 10) /* larger commits gain less than the zeros cost */

static int after_commit(void *arg, sqlite3 *db, const char *name, int frames)
{
    struct br_wal *w = &((struct br_store *)arg)->wal;
    uint64_t end = WAL_HEADER + (uint64_t)frames * (FRAME_HEADER + w->page);
    w->last = end > w->end ? end - w->end : end; /* else it was started over */
    w->end = end;
    w->total += w->last;
    if (frames >= WAL_FRAMES)
        sqlite3_wal_checkpoint(db, name); /* as SQLite's own hook: what is not copied now is copied later */
    return SQLITE_OK;
}

enum br_rc br_store_watch_wal(struct br_store *s, const char *path, struct br_err *err)
{
    int64_t page;
    enum br_rc rc = br_sql_int(s->db, "PRAGMA page_size", path, &page, err);
    if (rc != BR_OK)
        return rc;
    s->wal = (struct br_wal){.page = (uint64_t)page};
    sqlite3_wal_hook(s->db, after_commit, s);
    return BR_OK;
}

static void append_zeros(struct br_store *s, int fd, uint64_t n)
{
    static const char zeros[65536];
    struct br_wal *w = &s->wal;
    int64_t size = s->io->size(s->io->ctx, fd);
    if (size < 0)
        return;
    w->grown = (uint64_t)size;
    if (w->grown >= w->end + 2 * w->last)
        return; /* it was longer than we knew */
    for (uint64_t done = 0, some; done < n; done += some, w->grown += some) {
        some = BR_MIN(n - done, (uint64_t)sizeof(zeros));
        if (br_io_pwrite_full(s->io, fd, zeros, (size_t)some, (int64_t)w->grown) < 0) {
            s->io->truncate(s->io->ctx, fd, size); /* gives back what it took of the last room; where it fails, zeros are what is there */
            w->grown = (uint64_t)size;
            return;
        }
    }
}

void br_store_wal_ahead(struct br_store *s)
{
    char path[BR_PATH_MAX];
    struct br_wal *w = &s->wal;
    if (w->last == 0 || w->last > SMALL || w->end + 2 * w->last <= w->grown)
        return;
    if (!br_log_has_room(s->io, s->dir) || br_path(path, s->dir, "metadata.db-wal", NULL) != BR_OK)
        return;
    int fd = s->io->open(s->io->ctx, path, O_RDWR, 0); /* SQLite's locks are on metadata.db: this file may be opened and closed */
    if (fd < 0)
        return;
    append_zeros(s, fd, BR_MAX(BR_MIN(w->total, (uint64_t)AHEAD_MAX), w->last * 2));
    s->io->close(s->io->ctx, fd);
}
