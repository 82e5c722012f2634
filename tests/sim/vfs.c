/* vfs.c - SQLite's files on a simulated disk (https://www.sqlite.org/vfs.html).
 *
 * It does what SQLite's own unix VFS promises where durability depends on it: the first sync of a new journal or WAL syncs its directory,
 * xDelete syncs it when told to, and psow=0 in the URI takes the power-safe-overwrite promise back. Locks and the WAL index live in
 * memory, one set an inode, and are gone after a power cut. Temporary files are not part of the disk. */
#include "sim/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define SHM_REGIONS 64
#define SHM_LOCKS 8

/* What connections to one file share. */
struct shared {
    int readers;            /* SHARED locks */
    const void *reserved, *pending, *exclusive; /* the file that holds each, NULL none */
    int shm_users;
    void *regions[SHM_REGIONS];
    int region_size;
    int shm_shared[SHM_LOCKS];
    const void *shm_exclusive[SHM_LOCKS];
};

struct file {
    sqlite3_file base;
    struct sim_disk *disk;
    struct sim_inode *inode;
    char path[300];
    bool sync_dir, psow, temporary, read_only, shm;
    int lock;
    bool shm_has[SHM_LOCKS]; /* a shared one of ours */
};

static pthread_mutex_t locks = PTHREAD_MUTEX_INITIALIZER;

static void shared_free(void *p)
{
    struct shared *s = p;
    for (int i = 0; i < SHM_REGIONS; i++)
        free(s->regions[i]);
    free(s);
}

static struct shared *shared_of(struct file *f)
{
    static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER; /* connections of several threads may be first */
    pthread_mutex_lock(&making);
    void **extra = sim_inode_extra(f->inode);
    if (!*extra)
        *extra = sim_alloc(NULL, sizeof(struct shared));
    struct shared *s = *extra;
    pthread_mutex_unlock(&making);
    return s;
}

static void parent_of(const char *path, char out[300])
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    memcpy(out, path, n);
    out[n] = 0;
}

static int code(int r, int otherwise)
{
    return r >= 0 ? SQLITE_OK : r == -ENOSPC || r == -EDQUOT ? SQLITE_FULL : r == -ENOMEM ? SQLITE_NOMEM : otherwise;
}

/* ---- a file ---- */

static int f_unlock(sqlite3_file *file, int level);
static int f_shm_unmap(sqlite3_file *file, int remove);

static int f_close(sqlite3_file *file)
{
    struct file *f = (void *)file;
    if (f->shm)
        f_shm_unmap(file, 0);
    f_unlock(file, SQLITE_LOCK_NONE);
    sim_close(f->disk, f->inode);
    return SQLITE_OK;
}

static int f_read(sqlite3_file *file, void *buf, int n, sqlite3_int64 offset)
{
    struct file *f = (void *)file;
    size_t done = 0;
    while (done < (size_t)n) {
        ssize_t r = sim_read(f->disk, f->inode, (char *)buf + done, (size_t)n - done, offset + (int64_t)done);
        if (r == -EINTR)
            continue;
        if (r < 0)
            return SQLITE_IOERR_READ;
        if (r == 0)
            break;
        done += (size_t)r;
    }
    memset((char *)buf + done, 0, (size_t)n - done);
    return done == (size_t)n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int f_write(sqlite3_file *file, const void *buf, int n, sqlite3_int64 offset)
{
    struct file *f = (void *)file;
    for (size_t done = 0; done < (size_t)n;) {
        ssize_t r = sim_write(f->disk, f->inode, (const char *)buf + done, (size_t)n - done, offset + (int64_t)done);
        if (r == -EINTR)
            continue;
        if (r < 0)
            return code((int)r, SQLITE_IOERR_WRITE);
        done += (size_t)r;
    }
    return SQLITE_OK;
}

static int f_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct file *f = (void *)file;
    return code(sim_resize(f->disk, f->inode, size, false), SQLITE_IOERR_TRUNCATE);
}

static int f_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    struct file *f = (void *)file;
    char parent[300];
    if (f->temporary)
        return SQLITE_OK;
    int r = sim_sync(f->disk, f->inode);
    if (r < 0)
        return SQLITE_IOERR_FSYNC;
    if (f->sync_dir) {
        parent_of(f->path, parent);
        if (sim_sync_dir(f->disk, parent) < 0)
            return SQLITE_IOERR_DIR_FSYNC;
        f->sync_dir = false;
    }
    return SQLITE_OK;
}

static int f_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct file *f = (void *)file;
    int64_t r = sim_size(f->disk, f->inode);
    if (r < 0)
        return SQLITE_IOERR_FSTAT;
    *size = r;
    return SQLITE_OK;
}

/* https://www.sqlite.org/lockingv3.html */
static int f_lock(sqlite3_file *file, int level)
{
    struct file *f = (void *)file;
    struct shared *s = shared_of(f);
    int rc = SQLITE_OK;
    if (f->lock >= level)
        return SQLITE_OK;
    if (f->read_only && level > SQLITE_LOCK_SHARED)
        return SQLITE_IOERR_LOCK; /* as fcntl does with a descriptor that cannot write */
    if (sim_call(f->disk) < 0)
        return SQLITE_IOERR_LOCK;
    pthread_mutex_lock(&locks);
    if (level == SQLITE_LOCK_SHARED) {
        if (s->pending || s->exclusive)
            rc = SQLITE_BUSY;
        else
            s->readers++;
    } else if (level == SQLITE_LOCK_RESERVED) {
        if (s->reserved || s->pending || s->exclusive)
            rc = SQLITE_BUSY;
        else
            s->reserved = f;
    } else {
        if ((s->pending && s->pending != f) || (s->reserved && s->reserved != f)) {
            rc = SQLITE_BUSY;
        } else {
            s->pending = f;
            if (s->readers > 1)
                rc = SQLITE_BUSY;
            else
                s->exclusive = f;
        }
    }
    if (rc == SQLITE_OK)
        f->lock = level;
    pthread_mutex_unlock(&locks);
    return rc;
}

static int f_unlock(sqlite3_file *file, int level)
{
    struct file *f = (void *)file;
    struct shared *s = shared_of(f);
    pthread_mutex_lock(&locks);
    if (s->exclusive == f)
        s->exclusive = NULL;
    if (s->pending == f)
        s->pending = NULL;
    if (s->reserved == f)
        s->reserved = NULL;
    if (f->lock >= SQLITE_LOCK_SHARED && level == SQLITE_LOCK_NONE)
        s->readers--;
    if (f->lock > level)
        f->lock = level;
    pthread_mutex_unlock(&locks);
    return SQLITE_OK;
}

static int f_check_reserved(sqlite3_file *file, int *out)
{
    struct file *f = (void *)file;
    pthread_mutex_lock(&locks);
    *out = shared_of(f)->reserved != NULL;
    pthread_mutex_unlock(&locks);
    return SQLITE_OK;
}

static int f_control(sqlite3_file *file, int op, void *arg)
{
    struct file *f = (void *)file;
    if (op == SQLITE_FCNTL_POWERSAFE_OVERWRITE) {
        int *v = arg;
        if (*v < 0)
            *v = f->psow;
        else
            f->psow = *v != 0;
        return SQLITE_OK;
    }
    return SQLITE_NOTFOUND;
}

static int f_sector_size(sqlite3_file *file)
{
    (void)file;
    return 4096;
}

static int f_characteristics(sqlite3_file *file)
{
    return ((struct file *)(void *)file)->psow ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0;
}

/* ---- the WAL index ---- */

static int f_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    struct file *f = (void *)file;
    struct shared *s = shared_of(f);
    *out = NULL;
    if (sim_call(f->disk) < 0)
        return SQLITE_IOERR_SHMMAP;
    if (region >= SHM_REGIONS)
        return SQLITE_IOERR_SHMSIZE;
    pthread_mutex_lock(&locks);
    if (!f->shm) {
        f->shm = true;
        s->shm_users++;
    }
    if (!s->regions[region] && extend)
        s->regions[region] = sim_alloc(NULL, (size_t)size);
    *out = s->regions[region];
    pthread_mutex_unlock(&locks);
    return SQLITE_OK;
}

static int f_shm_lock(sqlite3_file *file, int first, int n, int flags)
{
    struct file *f = (void *)file;
    struct shared *s = shared_of(f);
    int rc = SQLITE_OK;
    pthread_mutex_lock(&locks);
    for (int i = first; i < first + n && rc == SQLITE_OK; i++) {
        if (!(flags & SQLITE_SHM_LOCK))
            continue;
        if (flags & SQLITE_SHM_SHARED)
            rc = s->shm_exclusive[i] ? SQLITE_BUSY : SQLITE_OK;
        else
            rc = s->shm_exclusive[i] || s->shm_shared[i] > (f->shm_has[i] ? 1 : 0) ? SQLITE_BUSY : SQLITE_OK;
    }
    for (int i = first; i < first + n && rc == SQLITE_OK; i++) {
        bool lock = flags & SQLITE_SHM_LOCK;
        if (flags & SQLITE_SHM_SHARED) {
            s->shm_shared[i] += lock && !f->shm_has[i] ? 1 : !lock && f->shm_has[i] ? -1 : 0;
            f->shm_has[i] = lock;
        } else if (lock) {
            s->shm_exclusive[i] = f;
        } else if (s->shm_exclusive[i] == f) {
            s->shm_exclusive[i] = NULL;
        }
    }
    pthread_mutex_unlock(&locks);
    return rc;
}

static void f_shm_barrier(sqlite3_file *file)
{
    (void)file;
    __sync_synchronize();
}

static int f_shm_unmap(sqlite3_file *file, int remove)
{
    (void)remove; /* the last user takes the index with it, as the last process does */
    struct file *f = (void *)file;
    struct shared *s = shared_of(f);
    pthread_mutex_lock(&locks);
    for (int i = 0; i < SHM_LOCKS; i++) {
        s->shm_shared[i] -= f->shm_has[i];
        f->shm_has[i] = false;
        if (s->shm_exclusive[i] == f)
            s->shm_exclusive[i] = NULL;
    }
    if (f->shm && --s->shm_users == 0)
        for (int i = 0; i < SHM_REGIONS; i++) {
            free(s->regions[i]);
            s->regions[i] = NULL;
        }
    f->shm = false;
    pthread_mutex_unlock(&locks);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_check_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector_size,
    .xDeviceCharacteristics = f_characteristics,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

/* ---- the file system ---- */

static struct sim_disk *temporary_disk(void)
{
    static struct sim_disk *d;
    pthread_mutex_lock(&locks);
    if (!d)
        d = sim_disk_new(1);
    pthread_mutex_unlock(&locks);
    return d;
}

static int v_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    struct file *f = (void *)file;
    memset(f, 0, sizeof *f);
    if (!path) {
        f->disk = temporary_disk();
        f->inode = sim_anonymous(f->disk);
        f->temporary = true;
    } else {
        f->disk = sim_disk_of(path);
        if (!f->disk || strlen(path) >= sizeof f->path)
            return SQLITE_CANTOPEN;
        strcpy(f->path, path);
        int how = flags & SQLITE_OPEN_CREATE ? O_CREAT | O_RDWR : O_RDWR;
        if (flags & SQLITE_OPEN_EXCLUSIVE)
            how |= O_EXCL;
        int r = sim_open(f->disk, path, how, &f->inode);
        if (r < 0)
            return r == -ENOENT && !(flags & SQLITE_OPEN_CREATE) ? SQLITE_CANTOPEN : code(r, SQLITE_CANTOPEN);
        f->sync_dir = (flags & SQLITE_OPEN_CREATE) &&
                      (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL | SQLITE_OPEN_SUPER_JOURNAL));
        f->read_only = flags & SQLITE_OPEN_READONLY;
        f->psow = sqlite3_uri_boolean(flags & SQLITE_OPEN_MAIN_DB ? path : NULL, "psow", 1);
    }
    f->base.pMethods = &methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
    (void)vfs;
    struct sim_disk *d = sim_disk_of(path);
    char parent[300];
    int r = d ? sim_unlink(d, path) : -ENOENT;
    if (r == -ENOENT)
        return SQLITE_IOERR_DELETE_NOENT;
    if (r < 0)
        return SQLITE_IOERR_DELETE;
    parent_of(path, parent);
    return sync_dir && sim_sync_dir(d, parent) < 0 ? SQLITE_IOERR_DIR_FSYNC : SQLITE_OK;
}

static int v_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    (void)vfs;
    (void)flags;
    struct br_io_stat st;
    struct sim_disk *d = sim_disk_of(path);
    int r = d ? sim_stat(d, path, &st) : -ENOENT;
    if (r < 0 && r != -ENOENT)
        return SQLITE_IOERR_ACCESS;
    *out = r == 0 && (flags != SQLITE_ACCESS_EXISTS || st.size > 0);
    return SQLITE_OK;
}

static int v_full_path(sqlite3_vfs *vfs, const char *path, int n, char *out)
{
    (void)vfs;
    if (strlen(path) >= (size_t)n)
        return SQLITE_CANTOPEN;
    strcpy(out, path);
    return SQLITE_OK;
}

static int v_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    sim_random(temporary_disk(), out, (size_t)n);
    return n;
}

static int v_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

static int v_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    *out = 2460000.5;
    return SQLITE_OK;
}

static int v_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    if (n > 0)
        out[0] = 0;
    return 0;
}

static sqlite3_vfs sim_vfs = {
    .iVersion = 1,
    .szOsFile = sizeof(struct file),
    .mxPathname = 299,
    .zName = "simulated-disk",
    .xOpen = v_open,
    .xDelete = v_delete,
    .xAccess = v_access,
    .xFullPathname = v_full_path,
    .xRandomness = v_randomness,
    .xSleep = v_sleep,
    .xCurrentTime = v_time,
    .xGetLastError = v_last_error,
};

const char *sim_vfs_name(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    extern void sim_vfs_register(void);
    pthread_once(&once, sim_vfs_register);
    return sim_vfs.zName;
}

void sim_vfs_register(void);
void sim_vfs_register(void)
{
    sim_extra_free = shared_free;
    sqlite3_vfs_register(&sim_vfs, 0);
}
