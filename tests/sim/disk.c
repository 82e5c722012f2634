/* disk.c - inodes, names, what waits to be durable, and the power cut. See disk.h. */
#include "sim/disk.h"
#include "sim/stacks.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATH_ROOM 300
#define NAMES_MAX 256
#define DISKS_MAX 64

/* One operation on a file that no sync has covered yet. bytes NULL: the file's size becomes `offset`. */
struct waiting {
    struct waiting *next;
    int64_t offset;
    size_t len;
    uint8_t *bytes;
};

struct sim_inode {
    int refs;     /* names, open files, waiting directory operations */
    int fd;       /* a memory file: what readers and maps see */
    int64_t size;   /* as seen */
    int64_t extent; /* zeros from here to size */
    uint8_t *durable;
    size_t durable_len, durable_alloc; /* bytes past durable_len and below durable_size are zero */
    int64_t durable_size;
    struct waiting *first, **last;
    void *extra, *owner;
};

struct name {
    char path[PATH_ROOM];
    struct sim_inode *inode; /* NULL: a directory */
};

struct names {
    struct name items[NAMES_MAX];
    size_t n;
};

/* One change of names that no sync of its directory has covered yet. */
struct dir_change {
    struct dir_change *next;
    enum { ADD, REMOVE, RENAME } kind;
    char path[PATH_ROOM], to[PATH_ROOM];
    struct sim_inode *inode; /* of ADD */
};

struct sim_disk {
    pthread_mutex_t lock;
    struct br_io io;
    char root[32];
    uint64_t random, now;
    struct names seen, durable;
    struct dir_change *first, **last;
    uint64_t changes, calls;
    void (*on_change)(void *ctx, uint64_t change);
    void *on_change_ctx;
    uint64_t fail_call;
    int fail_errno;
    bool fail_sticky, failed, wrote;
};

void (*sim_extra_free)(void *extra);

static pthread_mutex_t disks_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sim_disk *disks[DISKS_MAX];

_Thread_local volatile bool sim_allocating;

void *sim_alloc(void *p, size_t n)
{
    sim_allocating = true;
    void *q = p ? realloc(p, n) : calloc(1, n);
    sim_allocating = false;
    if (!q)
        abort();
    return q;
}

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* ---- inodes ---- */

static struct sim_inode *inode_new(void)
{
    struct sim_inode *n = sim_alloc(NULL, sizeof *n);
    n->refs = 1;
    n->fd = memfd_create("sim", MFD_CLOEXEC);
    if (n->fd < 0)
        abort();
    n->last = &n->first;
    return n;
}

static void drop_waiting(struct sim_inode *n)
{
    while (n->first) {
        struct waiting *w = n->first;
        n->first = w->next;
        free(w->bytes);
        free(w);
    }
    n->last = &n->first;
}

static void inode_unref(struct sim_inode *n)
{
    if (!n || --n->refs)
        return;
    drop_waiting(n);
    if (n->extra && sim_extra_free)
        sim_extra_free(n->extra);
    close(n->fd);
    free(n->durable);
    free(n);
}

static void durable_write(struct sim_inode *n, int64_t offset, const uint8_t *bytes, size_t len)
{
    size_t end = (size_t)offset + len;
    if (end > n->durable_alloc) {
        n->durable_alloc = end + end / 2 + 4096;
        n->durable = sim_alloc(n->durable, n->durable_alloc);
    }
    if (end > n->durable_len) {
        memset(n->durable + n->durable_len, 0, end - n->durable_len);
        n->durable_len = end;
    }
    memcpy(n->durable + offset, bytes, len);
    if ((int64_t)end > n->durable_size)
        n->durable_size = (int64_t)end;
}

static void durable_resize(struct sim_inode *n, int64_t size)
{
    if ((int64_t)n->durable_len > size)
        n->durable_len = (size_t)size;
    n->durable_size = size;
}

static void wait_for_sync(struct sim_inode *n, int64_t offset, const void *bytes, size_t len)
{
    struct waiting *w = sim_alloc(NULL, sizeof *w);
    w->offset = offset;
    w->len = len;
    if (bytes) {
        w->bytes = sim_alloc(NULL, len ? len : 1);
        memcpy(w->bytes, bytes, len);
    }
    *n->last = w;
    n->last = &w->next;
}

static void make_durable(struct sim_inode *n)
{
    for (struct waiting *w = n->first; w; w = w->next) {
        if (w->bytes)
            durable_write(n, w->offset, w->bytes, w->len);
        else
            durable_resize(n, w->offset);
    }
    drop_waiting(n);
}

/* ---- the power cut, for one file ---- */

static void keep_pieces(struct sim_inode *to, const struct waiting *w, size_t piece, uint64_t *random)
{
    for (size_t at = 0; at < w->len;) {
        size_t room = piece - ((size_t)w->offset + at) % piece, n = BR_MIN(room, w->len - at);
        if (next_random(random) & 1)
            durable_write(to, w->offset + (int64_t)at, w->bytes + at, n);
        at += n;
    }
}

/* Every page the write touches, whole: what lay beside it on the page is lost as well. */
static void leave_noise(struct sim_inode *to, const struct waiting *w, uint64_t *random)
{
    int64_t from = w->offset / 4096 * 4096, end = (w->offset + (int64_t)w->len + 4095) / 4096 * 4096;
    uint8_t page[4096];
    for (; from < end; from += 4096) {
        for (size_t i = 0; i < sizeof page; i += 8) {
            uint64_t v = next_random(random);
            memcpy(page + i, &v, 8);
        }
        durable_write(to, from, page, sizeof page);
    }
}

static void apply_cut(struct sim_inode *to, const struct waiting *w, enum sim_cut kind, uint64_t *random)
{
    static const unsigned choices[SIM_CUTS] = {2, 6, 8};
    unsigned choice = (unsigned)(next_random(random) % choices[kind]);
    if (choice == 0)
        return;
    if (!w->bytes) {
        durable_resize(to, w->offset);
        return;
    }
    switch (choice) {
    case 1:
    case 2:
        durable_write(to, w->offset, w->bytes, w->len);
        break;
    case 3:
        keep_pieces(to, w, 512, random);
        break;
    case 4:
        keep_pieces(to, w, 4096, random);
        break;
    case 5: {
        uint8_t *zeros = sim_alloc(NULL, w->len ? w->len : 1);
        durable_write(to, w->offset, zeros, w->len);
        free(zeros);
        break;
    }
    default:
        leave_noise(to, w, random);
    }
}

/* A copy of n as the cut leaves it, seen and durable alike. */
static struct sim_inode *inode_cut(const struct sim_inode *n, enum sim_cut kind, uint64_t *random)
{
    struct sim_inode *to = inode_new();
    if (n->durable_len)
        durable_write(to, 0, n->durable, n->durable_len);
    to->durable_size = n->durable_size;
    for (const struct waiting *w = n->first; w; w = w->next)
        apply_cut(to, w, kind, random);
    if (to->durable_len && pwrite(to->fd, to->durable, to->durable_len, 0) != (ssize_t)to->durable_len)
        abort();
    if (ftruncate(to->fd, to->durable_size) != 0)
        abort();
    to->size = to->durable_size;
    to->extent = BR_MIN((int64_t)to->durable_len, to->size);
    return to;
}

/* A copy of n as it is seen, and durable. */
static struct sim_inode *inode_seen(const struct sim_inode *n)
{
    struct sim_inode *to = inode_new();
    uint8_t *bytes = sim_alloc(NULL, (size_t)n->extent + 1);
    if (pread(n->fd, bytes, (size_t)n->extent, 0) != n->extent || pwrite(to->fd, bytes, (size_t)n->extent, 0) != n->extent ||
        ftruncate(to->fd, n->size) != 0)
        abort();
    if (n->extent)
        durable_write(to, 0, bytes, (size_t)n->extent);
    free(bytes);
    durable_resize(to, n->size);
    to->size = n->size;
    to->extent = n->extent;
    return to;
}

/* ---- names ---- */

static struct name *find_name(struct names *t, const char *path)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->items[i].path, path) == 0)
            return &t->items[i];
    return NULL;
}

static void remove_name(struct names *t, const char *path)
{
    struct name *e = find_name(t, path);
    if (!e)
        return;
    inode_unref(e->inode);
    *e = t->items[--t->n];
}

static void add_name(struct names *t, const char *path, struct sim_inode *inode)
{
    if (inode)
        inode->refs++;
    remove_name(t, path);
    if (t->n == NAMES_MAX)
        abort();
    struct name *e = &t->items[t->n++];
    snprintf(e->path, sizeof e->path, "%s", path);
    e->inode = inode;
}

static void rename_name(struct names *t, const char *from, const char *to)
{
    struct name *e = find_name(t, from);
    if (!e)
        return;
    struct sim_inode *inode = e->inode;
    if (inode)
        inode->refs++;
    if (!inode) { /* a directory takes what is below it along */
        size_t len = strlen(from);
        for (size_t i = 0; i < t->n; i++)
            if (strncmp(t->items[i].path, from, len) == 0 && t->items[i].path[len] == '/') {
                char moved[PATH_ROOM * 2];
                snprintf(moved, sizeof moved, "%s%s", to, t->items[i].path + len);
                snprintf(t->items[i].path, PATH_ROOM, "%.*s", PATH_ROOM - 1, moved);
            }
    }
    remove_name(t, from);
    add_name(t, to, inode);
    if (inode)
        inode->refs--;
}

static void apply_change(struct names *t, const struct dir_change *c)
{
    if (c->kind == ADD)
        add_name(t, c->path, c->inode);
    else if (c->kind == REMOVE)
        remove_name(t, c->path);
    else
        rename_name(t, c->path, c->to);
}

static void parent_of(const char *path, char out[PATH_ROOM])
{
    const char *slash = strrchr(path, '/');
    snprintf(out, PATH_ROOM, "%.*s", slash ? (int)(slash - path) : 0, path);
}

static void change_names(struct sim_disk *d, int kind, const char *path, const char *to, struct sim_inode *inode)
{
    struct dir_change *c = sim_alloc(NULL, sizeof *c);
    c->kind = kind;
    snprintf(c->path, sizeof c->path, "%s", path);
    snprintf(c->to, sizeof c->to, "%s", to ? to : "");
    c->inode = inode;
    if (inode)
        inode->refs++;
    apply_change(&d->seen, c);
    *d->last = c;
    d->last = &c->next;
}

static void free_change(struct dir_change *c)
{
    inode_unref(c->inode);
    free(c);
}

/* ---- the disk ---- */

struct sim_disk *sim_disk_new(uint64_t seed)
{
    struct sim_disk *d = sim_alloc(NULL, sizeof *d);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&d->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    d->random = seed ^ 0xD15C;
    d->now = 1700000000000000u;
    d->last = &d->first;
    pthread_mutex_lock(&disks_lock);
    size_t i = 0;
    while (i < DISKS_MAX && disks[i])
        i++;
    if (i == DISKS_MAX)
        abort();
    disks[i] = d;
    pthread_mutex_unlock(&disks_lock);
    snprintf(d->root, sizeof d->root, "/sim/%zu", i);
    add_name(&d->seen, d->root, NULL);
    add_name(&d->durable, d->root, NULL);
    return d;
}

struct sim_disk *sim_disk_of(const char *path)
{
    if (strncmp(path, "/sim/", 5) != 0)
        return NULL;
    char *end;
    unsigned long i = strtoul(path + 5, &end, 10);
    return i < DISKS_MAX && (*end == '/' || *end == 0) ? disks[i] : NULL;
}

void sim_disk_free(struct sim_disk *d)
{
    if (!d)
        return;
    while (d->first) {
        struct dir_change *c = d->first;
        d->first = c->next;
        free_change(c);
    }
    for (size_t i = 0; i < d->seen.n; i++)
        inode_unref(d->seen.items[i].inode);
    for (size_t i = 0; i < d->durable.n; i++)
        inode_unref(d->durable.items[i].inode);
    pthread_mutex_lock(&disks_lock);
    for (size_t i = 0; i < DISKS_MAX; i++)
        if (disks[i] == d)
            disks[i] = NULL;
    pthread_mutex_unlock(&disks_lock);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

const struct br_io *sim_disk_io(struct sim_disk *d)
{
    d->io = sim_io;
    d->io.ctx = d;
    d->io.sqlite_vfs = sim_vfs_name();
    return &d->io;
}

const char *sim_disk_root(const struct sim_disk *d)
{
    return d->root;
}

void sim_disk_on_change(struct sim_disk *d, void (*fn)(void *ctx, uint64_t change), void *ctx)
{
    d->on_change = fn;
    d->on_change_ctx = ctx;
}

uint64_t sim_disk_changes(const struct sim_disk *d)
{
    return d->changes;
}

bool sim_disk_wrote(const struct sim_disk *d)
{
    return d->wrote;
}

uint64_t sim_disk_calls(const struct sim_disk *d)
{
    return d->calls;
}

bool sim_disk_failed(const struct sim_disk *d)
{
    return d->failed;
}

void sim_disk_fail(struct sim_disk *d, uint64_t call, int sys_errno, bool sticky)
{
    pthread_mutex_lock(&d->lock);
    d->fail_call = call ? d->calls + call : 0;
    d->fail_errno = sys_errno;
    d->fail_sticky = sticky;
    d->failed = false;
    pthread_mutex_unlock(&d->lock);
}

/* A path of the old disk on the new one. */
static void moved_path(const struct sim_disk *from, const struct sim_disk *to, const char *path, char out[PATH_ROOM])
{
    snprintf(out, PATH_ROOM, "%s%s", to->root, path + strlen(from->root));
}

struct sim_disk *sim_disk_cut(struct sim_disk *d, uint64_t seed, enum sim_cut kind)
{
    uint64_t random = seed;
    struct sim_disk *to = sim_disk_new(seed);
    struct names names = {.n = 0};
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->durable.n; i++)
        add_name(&names, d->durable.items[i].path, d->durable.items[i].inode);
    /* A journaling file system keeps a first part of the changes of names; a simpler one any of them. */
    bool any = next_random(&random) & 1, stopped = false;
    for (const struct dir_change *c = d->first; c && !stopped; c = c->next) {
        bool keep = any ? next_random(&random) & 1 : next_random(&random) % 8 != 0;
        if (keep)
            apply_change(&names, c);
        else
            stopped = !any;
    }
    to->now = d->now + 1000000;
    for (size_t i = 0; i < names.n; i++) {
        char path[PATH_ROOM], parent[PATH_ROOM];
        struct sim_inode *n = NULL;
        parent_of(names.items[i].path, parent);
        bool reachable = strcmp(names.items[i].path, d->root) == 0 || find_name(&names, parent);
        if (reachable) {
            moved_path(d, to, names.items[i].path, path);
            if (names.items[i].inode)
                n = inode_cut(names.items[i].inode, kind, &random);
            add_name(&to->seen, path, n);
            add_name(&to->durable, path, n);
            inode_unref(n);
        }
    }
    for (size_t i = 0; i < names.n; i++)
        inode_unref(names.items[i].inode);
    pthread_mutex_unlock(&d->lock);
    return to;
}

struct sim_disk *sim_disk_copy(struct sim_disk *d)
{
    struct sim_disk *to = sim_disk_new(0);
    pthread_mutex_lock(&d->lock);
    to->random = d->random;
    to->now = d->now;
    for (size_t i = 0; i < d->seen.n; i++) {
        const struct sim_inode *from = d->seen.items[i].inode;
        struct sim_inode *n = from ? inode_seen(from) : NULL;
        char path[PATH_ROOM];
        moved_path(d, to, d->seen.items[i].path, path);
        add_name(&to->seen, path, n);
        add_name(&to->durable, path, n);
        inode_unref(n);
    }
    pthread_mutex_unlock(&d->lock);
    return to;
}

void sim_disk_each_file(struct sim_disk *d, void (*fn)(void *ctx, const char *path, const void *bytes, size_t n), void *ctx)
{
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->seen.n; i++) {
        struct sim_inode *n = d->seen.items[i].inode;
        if (!n)
            continue;
        uint8_t *bytes = sim_alloc(NULL, (size_t)n->extent + 1);
        ssize_t got = pread(n->fd, bytes, (size_t)n->extent, 0);
        fn(ctx, d->seen.items[i].path, bytes, got > 0 ? (size_t)got : 0);
        free(bytes);
    }
    pthread_mutex_unlock(&d->lock);
}

/* ---- one operation ---- */

/* Takes the lock. 0, or the fault that this call meets (1: be short). */
static int enter(struct sim_disk *d, bool changes)
{
    if (changes && d->on_change)
        d->on_change(d->on_change_ctx, d->changes);
    pthread_mutex_lock(&d->lock);
    d->calls++;
    d->changes += changes;
    if (changes)
        d->wrote = false;
    sim_stacks_call(SIM_DISK_CALL, d->calls, d->calls == d->fail_call);
    if (!d->fail_call || d->calls < d->fail_call || (d->calls > d->fail_call && !d->fail_sticky))
        return 0;
    d->failed = true;
    return d->fail_errno ? -d->fail_errno : 1;
}

static int leave(struct sim_disk *d, int r)
{
    pthread_mutex_unlock(&d->lock);
    return r;
}

int sim_call(struct sim_disk *d)
{
    int fault = enter(d, false);
    return leave(d, fault < 0 ? fault : 0);
}

int sim_open(struct sim_disk *d, const char *path, int flags, struct sim_inode **out)
{
    char parent[PATH_ROOM];
    int fault = enter(d, (flags & (O_CREAT | O_TRUNC)) != 0);
    if (fault < 0)
        return leave(d, fault);
    struct name *e = find_name(&d->seen, path);
    if (e && !e->inode)
        return leave(d, -EISDIR);
    if (e && (flags & O_CREAT) && (flags & O_EXCL))
        return leave(d, -EEXIST);
    if (!e && !(flags & O_CREAT))
        return leave(d, -ENOENT);
    if (!e) {
        parent_of(path, parent);
        struct name *dir = find_name(&d->seen, parent);
        if (!dir || dir->inode)
            return leave(d, -ENOENT);
        struct sim_inode *n = inode_new();
        change_names(d, ADD, path, NULL, n);
        *out = n; /* the reference it was made with is the opener's */
        return leave(d, 0);
    }
    e->inode->refs++;
    *out = e->inode;
    if ((flags & O_TRUNC) && e->inode->size) {
        if (ftruncate(e->inode->fd, 0) != 0)
            abort();
        e->inode->size = e->inode->extent = 0;
        wait_for_sync(e->inode, 0, NULL, 0);
    }
    return leave(d, 0);
}

struct sim_inode *sim_anonymous(struct sim_disk *d)
{
    (void)d;
    return inode_new();
}

void sim_close(struct sim_disk *d, struct sim_inode *n)
{
    pthread_mutex_lock(&d->lock);
    inode_unref(n);
    pthread_mutex_unlock(&d->lock);
}

ssize_t sim_read(struct sim_disk *d, struct sim_inode *n, void *buf, size_t len, int64_t offset)
{
    int fault = enter(d, false);
    if (fault < 0)
        return leave(d, fault);
    if (fault && len > 1)
        len /= 2;
    ssize_t r = pread(n->fd, buf, len, offset);
    leave(d, 0);
    return r;
}

ssize_t sim_write(struct sim_disk *d, struct sim_inode *n, const void *buf, size_t len, int64_t offset)
{
    int fault = enter(d, true);
    if (fault < 0)
        return leave(d, fault);
    d->wrote = true;
    if (fault && len > 1)
        len /= 2;
    if (pwrite(n->fd, buf, len, offset) != (ssize_t)len)
        abort();
    if (offset + (int64_t)len > n->size)
        n->size = offset + (int64_t)len;
    n->extent = BR_MAX(n->extent, offset + (int64_t)len);
    wait_for_sync(n, offset, buf, len);
    leave(d, 0);
    return (ssize_t)len;
}

int sim_sync(struct sim_disk *d, struct sim_inode *n)
{
    int fault = enter(d, true);
    if (fault < 0) { /* the kernel may have dropped any of the pages, and calls all of them clean */
        for (struct waiting *w = n->first; w; w = w->next)
            apply_cut(n, w, SIM_TORN, &d->random);
        drop_waiting(n);
        return leave(d, fault);
    }
    make_durable(n);
    return leave(d, 0);
}

int sim_resize(struct sim_disk *d, struct sim_inode *n, int64_t size, bool only_grow)
{
    int fault = enter(d, true);
    if (fault < 0)
        return leave(d, fault);
    if (!only_grow || size > n->size) {
        if (ftruncate(n->fd, size) != 0)
            abort();
        n->size = size;
        n->extent = BR_MIN(n->extent, size);
        wait_for_sync(n, size, NULL, 0);
    }
    return leave(d, 0);
}

int64_t sim_size(struct sim_disk *d, struct sim_inode *n)
{
    int fault = enter(d, false);
    int64_t size = fault < 0 ? fault : n->size;
    leave(d, 0);
    return size;
}

int sim_map(struct sim_disk *d, struct sim_inode *n, size_t len, bool writable_private, void **out)
{
    int fault = enter(d, false);
    if (fault < 0)
        return leave(d, fault);
    void *p = mmap(NULL, len, writable_private ? PROT_READ | PROT_WRITE : PROT_READ, writable_private ? MAP_PRIVATE : MAP_SHARED, n->fd, 0);
    if (p == MAP_FAILED)
        return leave(d, -errno);
    *out = p;
    return leave(d, 0);
}

int sim_rename(struct sim_disk *d, const char *from, const char *to)
{
    int fault = enter(d, true);
    if (fault < 0)
        return leave(d, fault);
    if (!find_name(&d->seen, from))
        return leave(d, -ENOENT);
    change_names(d, RENAME, from, to, NULL);
    return leave(d, 0);
}

int sim_unlink(struct sim_disk *d, const char *path)
{
    int fault = enter(d, true);
    if (fault < 0)
        return leave(d, fault);
    if (!find_name(&d->seen, path))
        return leave(d, -ENOENT);
    change_names(d, REMOVE, path, NULL, NULL);
    return leave(d, 0);
}

int sim_mkdir(struct sim_disk *d, const char *path)
{
    char parent[PATH_ROOM];
    int fault = enter(d, true);
    if (fault < 0)
        return leave(d, fault);
    parent_of(path, parent);
    if (find_name(&d->seen, path))
        return leave(d, -EEXIST);
    if (!find_name(&d->seen, parent))
        return leave(d, -ENOENT);
    change_names(d, ADD, path, NULL, NULL);
    return leave(d, 0);
}

int sim_rmdir(struct sim_disk *d, const char *path)
{
    int fault = enter(d, true);
    if (fault < 0)
        return leave(d, fault);
    size_t len = strlen(path);
    for (size_t i = 0; i < d->seen.n; i++)
        if (strncmp(d->seen.items[i].path, path, len) == 0 && d->seen.items[i].path[len] == '/')
            return leave(d, -ENOTEMPTY);
    if (!find_name(&d->seen, path))
        return leave(d, -ENOENT);
    change_names(d, REMOVE, path, NULL, NULL);
    return leave(d, 0);
}

int sim_stat(struct sim_disk *d, const char *path, struct br_io_stat *out)
{
    int fault = enter(d, false);
    if (fault < 0)
        return leave(d, fault);
    struct name *e = find_name(&d->seen, path);
    if (strcmp(path, "/sim") == 0) { /* where the disks are mounted */
        *out = (struct br_io_stat){.mode = 0755, .is_dir = true};
        return leave(d, 0);
    }
    if (!e)
        return leave(d, -ENOENT);
    *out = (struct br_io_stat){.size = e->inode ? e->inode->size : 0, .mode = e->inode ? 0600 : 0700, .is_dir = !e->inode};
    return leave(d, 0);
}

int sim_list(struct sim_disk *d, const char *dir, int (*fn)(void *arg, const char *name), void *arg)
{
    size_t len = strlen(dir), n = 0;
    int fault = enter(d, false);
    if (fault < 0)
        return leave(d, fault);
    if (!find_name(&d->seen, dir))
        return leave(d, -ENOENT);
    static _Thread_local char found[NAMES_MAX][PATH_ROOM]; /* fn may change what is listed */
    for (size_t i = 0; i < d->seen.n; i++) {
        const char *path = d->seen.items[i].path;
        if (strncmp(path, dir, len) == 0 && path[len] == '/' && !strchr(path + len + 1, '/'))
            snprintf(found[n++], PATH_ROOM, "%s", path + len + 1);
    }
    leave(d, 0);
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = fn(arg, found[i]);
    return r;
}

int sim_sync_dir(struct sim_disk *d, const char *path)
{
    int fault = enter(d, true);
    if (fault < 0)
        return leave(d, fault);
    if (!find_name(&d->seen, path))
        return leave(d, -ENOENT);
    for (struct dir_change **c = &d->first; *c;) {
        char parent[PATH_ROOM], other[PATH_ROOM];
        struct dir_change *now = *c;
        parent_of(now->path, parent);
        parent_of(now->to, other);
        if (strcmp(parent, path) != 0 && (now->kind != RENAME || strcmp(other, path) != 0)) {
            c = &now->next;
            continue;
        }
        apply_change(&d->durable, now);
        *c = now->next;
        free_change(now);
    }
    d->last = &d->first;
    while (*d->last)
        d->last = &(*d->last)->next;
    return leave(d, 0);
}

void sim_random(struct sim_disk *d, void *buf, size_t n)
{
    pthread_mutex_lock(&d->lock);
    for (uint8_t *p = buf; n; n--)
        *p++ = (uint8_t)next_random(&d->random);
    pthread_mutex_unlock(&d->lock);
}

int64_t sim_now(struct sim_disk *d)
{
    pthread_mutex_lock(&d->lock);
    int64_t now = (int64_t)(d->now += 1000);
    pthread_mutex_unlock(&d->lock);
    return now;
}

void **sim_inode_extra(struct sim_inode *n)
{
    return &n->extra;
}

void **sim_inode_owner(struct sim_inode *n)
{
    return &n->owner;
}
