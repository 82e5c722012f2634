/* disk.h - a simulated disk: files and directories in memory, and what a power cut may leave of them.
 *
 * What was synced is durable; everything since waits, operation by operation, in the order it was asked for. A power cut decides for each
 * waiting operation alone whether it is kept, dropped, torn (at 512 or 4096 bytes), or its range zero or noise, so writes of one file and of
 * several may arrive in any order. Directory entries are durable when their directory was synced. The same disk serves the I/O table of
 * the stores and SQLite (vfs.c), so that one log orders both.
 *
 * All functions take the disk's lock: a disk may be used by the threads of an import. */
#ifndef BR_SIM_DISK_H
#define BR_SIM_DISK_H

#include "base/io.h"

struct sim_disk;
struct sim_inode;

/* Root directory "/sim/<n>", which exists and is empty. seed: of everything random that the disk hands out. */
struct sim_disk *sim_disk_new(uint64_t seed);
void sim_disk_free(struct sim_disk *d);
const struct br_io *sim_disk_io(struct sim_disk *d); /* its sqlite_vfs is the one of vfs.c */
extern const struct br_io sim_io; /* its members (io.c) */
const char *sim_disk_root(const struct sim_disk *d);

/* Which states a power cut may leave. */
enum sim_cut {
    SIM_KEEP_OR_DROP, /* of each operation */
    SIM_TORN,         /* sectors of 512 or 4096 bytes, and zeros */
    SIM_GARBAGE,      /* also whole pages of 4096 bytes as noise */
    SIM_CUTS
};
/* A new disk as a power cut now would leave it, everything durable. d is as it was. */
struct sim_disk *sim_disk_cut(struct sim_disk *d, uint64_t seed, enum sim_cut kind);

/* A new disk with what is seen now, everything durable. */
struct sim_disk *sim_disk_copy(struct sim_disk *d);

/* Called before every operation that changes something, with the number of such operations before it; the lock is not held. */
void sim_disk_on_change(struct sim_disk *d, void (*fn)(void *ctx, uint64_t change), void *ctx);
uint64_t sim_disk_changes(const struct sim_disk *d);
bool sim_disk_wrote(const struct sim_disk *d); /* was the last of them a write, which alone commits nothing? */

/* The call-th call from now (1: the next) of any kind fails with sys_errno; sticky: and every one after it. 0: no more. A sys_errno of 0 makes
 * reads and writes short instead. A sync that fails leaves of the file what a power cut would, and forgets that it was dirty. */
void sim_disk_fail(struct sim_disk *d, uint64_t call, int sys_errno, bool sticky);
uint64_t sim_disk_calls(const struct sim_disk *d);
bool sim_disk_failed(const struct sim_disk *d); /* has the fault been met? */

/* Every file's bytes as they are seen now, without the zeros that a file may have been grown by: fn(path, bytes, n). */
void sim_disk_each_file(struct sim_disk *d, void (*fn)(void *ctx, const char *path, const void *bytes, size_t n), void *ctx);

/* --- For io.c and vfs.c: one operation each, 0 or more, or a negative errno. --- */
int sim_open(struct sim_disk *d, const char *path, int flags, struct sim_inode **out);
struct sim_inode *sim_anonymous(struct sim_disk *d);
void sim_close(struct sim_disk *d, struct sim_inode *n);
ssize_t sim_read(struct sim_disk *d, struct sim_inode *n, void *buf, size_t len, int64_t offset);
ssize_t sim_write(struct sim_disk *d, struct sim_inode *n, const void *buf, size_t len, int64_t offset);
int sim_sync(struct sim_disk *d, struct sim_inode *n);
int sim_resize(struct sim_disk *d, struct sim_inode *n, int64_t size, bool only_grow);
int64_t sim_size(struct sim_disk *d, struct sim_inode *n);
int sim_map(struct sim_disk *d, struct sim_inode *n, size_t len, bool writable_private, void **out);
int sim_rename(struct sim_disk *d, const char *from, const char *to);
int sim_unlink(struct sim_disk *d, const char *path);
int sim_mkdir(struct sim_disk *d, const char *path);
int sim_rmdir(struct sim_disk *d, const char *path);
int sim_stat(struct sim_disk *d, const char *path, struct br_io_stat *out);
int sim_list(struct sim_disk *d, const char *dir, int (*fn)(void *arg, const char *name), void *arg);
int sim_sync_dir(struct sim_disk *d, const char *path);
int sim_call(struct sim_disk *d); /* a call that does nothing to the disk: 0, or the fault */
void sim_random(struct sim_disk *d, void *buf, size_t n);
int64_t sim_now(struct sim_disk *d); /* microseconds, a little later each time */
void **sim_inode_extra(struct sim_inode *n); /* one pointer that vfs.c hangs on an inode */
void **sim_inode_owner(struct sim_inode *n); /* who holds the lock of io.c */
/* The disk of a path, NULL if there is none. */
struct sim_disk *sim_disk_of(const char *path);
extern void (*sim_extra_free)(void *extra);
/* Zeroed, or p grown; never NULL. While it runs sim_allocating is set: a test that makes allocations fail spares the disk's own. */
void *sim_alloc(void *p, size_t n);
extern _Thread_local volatile bool sim_allocating;
const char *sim_vfs_name(void); /* registers it at first */

#endif
