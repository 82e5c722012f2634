/* backup.c - a workspace as one file, taken while others read and write it.
 *
 * The file is a tar archive in one zstd frame (tar_zstd.c) with exactly these members, in this order:
 *   name           bytes
 *   MANIFEST       what the others are (backup_manifest.c)
 *   metadata.db    SQLite, without a write-ahead log and naming no checkpoint
 *   content.<gen>  up to the committed tail
 *   vectors.<gen>  up to the committed tail
 * The graph is left out: it is derived. A backup is valid when sizes and hashes agree with MANIFEST, and the tails in metadata.db with the
 * sizes.
 *
 * One SQLite read transaction is held from first to last. It fixes rows, tails and generation; the logs were opened for the same
 * generation, are append-only below the tails and stay readable when compaction unlinks them. So the writer is never
 * waited for and never waits; its write-ahead log cannot be restarted meanwhile and grows. What may still happen is that erasure zeroes
 * records which the snapshot calls live: every record is checked first, the bytes are hashed twice, and on any disagreement all starts over.
 * The transaction lasts until the file has its name. An erasure is complete only when nobody reads an older snapshot (store_erase.c): so it either
 * came before all that is in the file, or fails and says why, or finds the file finished and counts it. None slips through between.
 *
 * Until it is proven the file is called path.<16 hex digits>.tmp, and locked. One that nobody has locked was stopped, or came back after a
 * power cut: it may hold what was forgotten since. In a home's backups, br_backup_sweep removes it. No finished backup may have such a name. */
#include "backup_int.h"
#include "store_core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define PIECE (1u << 20)
#define COPY_PAGES 1024 /* of metadata.db, between two looks at the stop flag */
#define ATTEMPTS 3

struct backup {
    const struct br_io *io;
    const struct br_backup_options *opt;
    struct br_store *store;
    struct br_manifest manifest;
    char copy[BR_PATH_MAX]; /* the copy of metadata.db while it has a name, "" none */
    int copy_fd;
    char *piece;
    struct br_tar_writer *tar;
    bool made; /* the file exists, under its name of the time before it is proven */
};

enum br_rc br_backup_step(struct br_backup_run *run, uint64_t bytes, struct br_err *err)
{
    run->done += bytes;
    if (run->opt->progress)
        run->opt->progress(run->opt->ctx, run->phase, run->done, run->total);
    if (run->opt->stop && *run->opt->stop)
        return br_fail(err, BR_E_INTERRUPTED, "interrupted: nothing was left behind");
    return BR_OK;
}

/* --- metadata.db --- */

/* Where the copy is made: in the workspace, or beside the backup when the workspace is on read-only media. */
static enum br_rc name_copy(struct backup *b, const char *path, struct br_err *err)
{
    uint64_t tag;
    const char *dir = br_store_dir(b->store);
    int r = b->io->random(b->io->ctx, &tag, sizeof(tag));
    if (r < 0)
        return br_fail_errno(err, -r, "no random numbers");
    bool inside = b->io->can_write(b->io->ctx, dir);
    int n = inside ? snprintf(b->copy, sizeof(b->copy), "%s/backup-%016llx.tmp", dir, (unsigned long long)tag)
                   : snprintf(b->copy, sizeof(b->copy), "%s.%016llx.tmp", path, (unsigned long long)tag);
    if (n < 0 || (size_t)n >= sizeof(b->copy)) {
        b->copy[0] = 0;
        return br_fail(err, BR_E_TOOBIG, "the path of the workspace is too long");
    }
    return BR_OK;
}

static enum br_rc copy_pages(struct backup *b, sqlite3 *to, struct br_err *err)
{
    struct br_backup_run run = {.opt = &(struct br_backup_options){.stop = b->opt->stop}};
    enum br_rc rc = BR_OK;
    int r;
    sqlite3_backup *pages = sqlite3_backup_init(to, "main", b->store->db, "main");
    if (!pages)
        return br_sql_fail(to, err, b->copy, "cannot copy metadata.db to");
    do {
        r = sqlite3_backup_step(pages, COPY_PAGES);
        rc = br_backup_step(&run, 0, err);
    } while (r == SQLITE_OK && rc == BR_OK);
    int end = sqlite3_backup_finish(pages);
    if (rc == BR_OK && (r != SQLITE_DONE || end != SQLITE_OK))
        rc = br_sql_fail(to, err, b->copy, "cannot copy metadata.db to");
    return rc;
}

/* A file that is complete in itself and names no graph. */
static enum br_rc make_copy(struct backup *b, struct br_err *err)
{
    sqlite3 *to = NULL;
    enum br_rc rc;
    BR_TRY(br_sql_open(b->io, b->copy, BR_SQL_CREATE, &to, err));
    int r = b->io->chmod(b->io->ctx, b->copy, 0600);
    if (r < 0)
        BR_TRY(br_fail_errno(err, -r, "cannot protect %s", b->copy));
    BR_TRY(br_sql_exec(to, "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY", b->copy, err)); /* it is of no use to anybody but us */
    BR_TRY(copy_pages(b, to, err));
    BR_TRY(br_sql_exec(to,
                       "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=DELETE; PRAGMA foreign_keys=OFF;"
                       "UPDATE store SET ckpt_file = NULL, ckpt_seq = 0, prev_ckpt_file = NULL, prev_ckpt_seq = 0",
                       b->copy, err));
err:
    if (sqlite3_close(to) != SQLITE_OK && rc == BR_OK)
        rc = br_fail(err, BR_E_IO, "cannot close %s", b->copy);
    return rc;
}

static void remove_copy(struct backup *b)
{
    char journal[BR_PATH_MAX + 16];
    static const char *const tails[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; b->copy[0] && i < BR_COUNT(tails); i++) {
        snprintf(journal, sizeof(journal), "%s%s", b->copy, tails[i]);
        b->io->unlink(b->io->ctx, journal);
    }
    b->copy[0] = 0;
}

static enum br_rc copy_metadata(struct backup *b, const char *path, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(name_copy(b, path, err));
    BR_TRY(make_copy(b, err));
    int fd = b->io->open(b->io->ctx, b->copy, O_RDONLY, 0);
    if (fd < 0)
        BR_TRY(br_fail_errno(err, -fd, "cannot open %s", b->copy));
    b->copy_fd = fd;
    int64_t size = b->io->size(b->io->ctx, fd);
    if (size < 0)
        BR_TRY(br_fail_errno(err, (int)-size, "cannot use %s", b->copy));
    b->manifest.members[BR_MEMBER_METADATA].size = (uint64_t)size;
err:
    remove_copy(b); /* the descriptor is enough: a kill from here on leaves nothing */
    return rc;
}

/* --- The snapshot --- */

static void drop_snapshot(struct backup *b)
{
    if (b->copy_fd >= 0)
        b->io->close(b->io->ctx, b->copy_fd);
    b->copy_fd = -1;
    if (b->store && b->store->read_depth > 0)
        br_store_read_end(b->store);
    br_store_close(b->store);
    b->store = NULL;
}

static enum br_rc check_records(struct backup *b, struct br_err *err)
{
    struct br_store_report report;
    enum br_rc rc = br_store_verify(b->store, true, &report, err);
    if (rc == BR_OK && (report.corrupt || report.missing_content || report.orphan_vectors))
        rc = br_fail(err, BR_E_CORRUPT, "%s: a damaged workspace is not backed up: see `backread verify --deep`", report.first_problem);
    return rc;
}

static enum br_rc take_snapshot(struct backup *b, const char *dir, const char *path, struct br_err *err)
{
    struct br_store_info info;
    struct br_manifest *m = &b->manifest;
    struct br_backup_run run = {.opt = b->opt, .phase = "checking", .total = 1};
    enum br_rc rc;
    BR_TRY(br_store_open(b->io, dir, BR_STORE_READ, &b->store, err));
    BR_TRY(br_store_read_begin(b->store, err));
    BR_TRY(br_store_state(b->store, &info, NULL, err));
    *m = (struct br_manifest){.generation = info.generation, .created_at = b->io->now(b->io->ctx)};
    memcpy(m->workspace_id, info.workspace_id, sizeof(m->workspace_id));
    memcpy(m->name, info.name, sizeof(m->name));
    memcpy(m->uuid, info.uuid, sizeof(m->uuid));
    snprintf(m->program, sizeof(m->program), "%s", b->opt->program ? b->opt->program : "");
    m->members[BR_MEMBER_CONTENT].size = info.content_tail;
    m->members[BR_MEMBER_VECTORS].size = br_vector_log_offset(&b->store->vectors, info.vector_tail);
    BR_TRY(br_backup_step(&run, 0, err));
    BR_TRY(check_records(b, err));
    BR_TRY(copy_metadata(b, path, err));
err:
    return rc;
}

/* --- The file --- */

static int fd_of(const struct backup *b, enum br_backup_member i)
{
    return i == BR_MEMBER_METADATA ? b->copy_fd : i == BR_MEMBER_CONTENT ? b->store->content.log.fd : b->store->vectors.log.fd;
}

/* Reads a member from its descriptor, hashes it, and writes it when there is an archive to write to. */
static enum br_rc read_member(struct backup *b, enum br_backup_member i, bool write, uint8_t hash[16], struct br_backup_run *run,
                              struct br_err *err)
{
    uint64_t size = b->manifest.members[i].size;
    XXH128_canonical_t sum;
    enum br_rc rc = BR_OK;
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        return br_fail_nomem(err);
    XXH3_128bits_reset(state);
    for (uint64_t at = 0; at < size;) {
        size_t n = (size_t)BR_MIN((uint64_t)PIECE, size - at);
        int r = br_io_pread_full(b->io, fd_of(b, i), b->piece, n, (int64_t)at);
        if (r < 0)
            BR_TRY(br_fail_errno(err, -r, "cannot read the workspace %s", br_store_dir(b->store)));
        XXH3_128bits_update(state, b->piece, n);
        if (write)
            BR_TRY(br_tar_write(b->tar, b->piece, n, err));
        at += n;
        BR_TRY(br_backup_step(run, n, err));
    }
    XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(state));
    memcpy(hash, sum.digest, 16);
err:
    XXH3_freeState(state);
    return rc;
}

static uint64_t total_of(const struct br_manifest *m)
{
    return m->members[BR_MEMBER_METADATA].size + m->members[BR_MEMBER_CONTENT].size + m->members[BR_MEMBER_VECTORS].size;
}

static enum br_rc write_manifest(struct backup *b, struct br_err *err)
{
    struct br_buf text;
    enum br_rc rc;
    br_buf_init(&text, BR_MANIFEST_MAX);
    BR_TRY(br_manifest_write(&b->manifest, &text, err));
    BR_TRY(br_tar_member(b->tar, "MANIFEST", text.len, b->manifest.created_at / 1000000, err));
    BR_TRY(br_tar_write(b->tar, br_buf_str(&text), text.len, err));
err:
    br_buf_free(&text);
    return rc;
}

/* Its lock goes, too. */
static void close_file(struct backup *b)
{
    br_tar_writer_free(b->tar);
    b->tar = NULL;
}

/* *moved: bytes below the tails changed between the two readings. */
static enum br_rc write_file(struct backup *b, const char *tmp, uint64_t *file_bytes, bool *moved, struct br_err *err)
{
    struct br_backup_run run = {.opt = b->opt, .phase = "checking", .total = total_of(&b->manifest)};
    uint8_t hash[16];
    char name[64];
    enum br_rc rc;
    for (int i = 0; i < BR_MEMBERS; i++)
        BR_TRY(read_member(b, (enum br_backup_member)i, false, b->manifest.members[i].hash, &run, err));
    run.phase = "packing";
    run.done = 0;
    BR_TRY(br_tar_create(b->io, tmp, &b->tar, err));
    b->made = true;
    BR_TRY(write_manifest(b, err));
    for (int i = 0; i < BR_MEMBERS && !*moved; i++) {
        br_manifest_member_name(&b->manifest, (enum br_backup_member)i, name);
        BR_TRY(br_tar_member(b->tar, name, b->manifest.members[i].size, b->manifest.created_at / 1000000, err));
        BR_TRY(read_member(b, (enum br_backup_member)i, true, hash, &run, err));
        *moved = memcmp(hash, b->manifest.members[i].hash, 16) != 0;
    }
    if (!*moved)
        BR_TRY(br_tar_finish(b->tar, file_bytes, err));
err:
    return rc;
}

static enum br_rc read_back(struct backup *b, const char *tmp, struct br_err *err)
{
    struct br_backup_reader *reader = NULL;
    struct br_manifest m;
    enum br_rc rc;
    BR_TRY(br_backup_open(b->io, tmp, &reader, &m, err));
    BR_TRY(br_backup_check(reader, b->opt, err));
err:
    br_backup_close(reader);
    return rc;
}

/* dir: of BR_PATH_MAX bytes. */
static void directory_of(const char *path, char *dir)
{
    const char *slash = strrchr(path, '/');
    snprintf(dir, BR_PATH_MAX, "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
}

static enum br_rc publish(const struct br_io *io, const char *tmp, const char *path, struct br_err *err)
{
    char dir[BR_PATH_MAX];
    directory_of(path, dir);
    int r = io->rename(io->ctx, tmp, path);
    if (r < 0)
        return br_fail_errno(err, -r, "cannot rename %s to %s", tmp, path);
    r = io->sync_dir(io->ctx, dir);
    return r < 0 ? br_fail_errno(err, -r, "cannot sync %s", dir) : BR_OK;
}

static enum br_rc attempt(struct backup *b, const char *dir, const char *path, const char *tmp, uint64_t *file_bytes, bool *again,
                          struct br_err *err)
{
    bool moved = false;
    enum br_rc rc = take_snapshot(b, dir, path, err);
    *again = rc == BR_E_CORRUPT || rc == BR_E_IO; /* compaction or erasure may have come between: look once more */
    BR_TRY(rc);
    BR_TRY(write_file(b, tmp, file_bytes, &moved, err));
    *again = moved;
    if (moved)
        BR_TRY(br_fail(err, BR_E_BUSY, "the workspace %s is being compacted: try again later", dir));
    BR_TRY(read_back(b, tmp, err));
    return BR_OK; /* the snapshot stays */
err:
    drop_snapshot(b);
    return rc;
}

/* --- What nobody finished --- */

/* ".<16 hex digits>.tmp", or SQLite's journal of that? */
static bool is_unfinished_ending(const char *p)
{
    return *p == '.' && strspn(p + 1, "0123456789abcdef") == 16 && (strcmp(p + 17, ".tmp") == 0 || strcmp(p + 17, ".tmp-journal") == 0);
}

static bool is_unfinished(const char *path)
{
    for (const char *p = strchr(path, '.'); p; p = strchr(p + 1, '.'))
        if (p > path && is_unfinished_ending(p))
            return true;
    return false;
}

struct sweep {
    const struct br_io *io;
    const char *dir, *of; /* of: this backup's alone; NULL any */
    struct br_err *err;
    enum br_rc rc;
};

/* Every one but those that are locked: they are under way. */
static int sweep_entry(void *arg, const char *name)
{
    struct sweep *w = arg;
    const struct br_io *io = w->io;
    char path[BR_PATH_MAX];
    size_t n = w->of ? strlen(w->of) : 0;
    bool ours = w->of ? strncmp(name, w->of, n) == 0 && is_unfinished_ending(name + n) : is_unfinished(name);
    if (!ours || br_path(path, w->dir, name, NULL) != BR_OK)
        return 0;
    int fd = io->open(io->ctx, path, O_RDWR | O_NOFOLLOW, 0), r = fd;
    if (fd >= 0) {
        r = io->lock(io->ctx, fd, true);
        if (r == 0)
            r = io->unlink(io->ctx, path);
        io->close(io->ctx, fd);
    }
    if (r < 0 && r != -EAGAIN && r != -ENOENT && r != -EISDIR && r != -ELOOP) /* the last two: nothing that a backup makes */
        w->rc = br_fail_errno(w->err, -r, "cannot remove %s", path);
    return 0;
}

/* What earlier runs to the same path left when they were killed; best effort. */
static void sweep_earlier(const struct br_io *io, const char *path)
{
    char dir[BR_PATH_MAX];
    struct br_err ignored = {0};
    const char *slash = strrchr(path, '/');
    struct sweep w = {.io = io, .dir = dir, .of = slash ? slash + 1 : path, .err = &ignored};
    directory_of(path, dir);
    (void)io->list(io->ctx, dir, sweep_entry, &w);
}

enum br_rc br_store_backup(const struct br_io *io, const char *dir, const char *path, const struct br_backup_options *opt,
                           struct br_manifest *manifest, uint64_t *file_bytes, struct br_err *err)
{
    struct backup b = {.io = io, .opt = opt, .copy_fd = -1};
    char tmp[BR_PATH_MAX];
    struct br_io_stat st;
    struct br_err local = {0};
    bool again = true;
    enum br_rc rc = BR_OK;
    uint64_t tag;
    if (is_unfinished(path))
        return br_fail(err, BR_E_USAGE, "%s: an unfinished backup is called so: choose another name", path);
    int r = io->random(io->ctx, &tag, sizeof(tag));
    if (r < 0)
        return br_fail_errno(err, -r, "no random numbers");
    int n = snprintf(tmp, sizeof(tmp), "%s.%016llx.tmp", path, (unsigned long long)tag); /* its own: two may be made at once */
    if (n < 0 || (size_t)n >= sizeof(tmp))
        return br_fail(err, BR_E_TOOBIG, "the path of the backup is too long");
    if (io->stat(io->ctx, path, &st) == 0 && (st.is_dir || st.is_special)) /* a device or a pipe would be replaced, not written to */
        return br_fail(err, BR_E_USAGE, "%s is %s: name a file for the backup", path, st.is_dir ? "a directory" : "no regular file");
    if (!(b.piece = malloc(PIECE)))
        return br_fail_nomem(err);
    sweep_earlier(io, path);
    for (int i = 0; i < ATTEMPTS && again; i++) {
        local = (struct br_err){0};
        again = false;
        close_file(&b);
        rc = attempt(&b, dir, path, tmp, file_bytes, &again, &local);
        if (rc == BR_OK)
            break;
    }
    if (rc == BR_OK)
        rc = publish(io, tmp, path, &local);
    drop_snapshot(&b);
    if (rc != BR_OK && b.made)
        io->unlink(io->ctx, tmp);
    close_file(&b);
    free(b.piece);
    if (rc == BR_OK)
        *manifest = b.manifest;
    else if (err && err->rc == BR_OK)
        *err = local;
    return rc;
}

enum br_rc br_backup_sweep(const struct br_io *io, const char *dir, struct br_err *err)
{
    struct sweep w = {.io = io, .dir = dir, .err = err};
    int r = io->list(io->ctx, dir, sweep_entry, &w);
    if (r < 0 && r != -ENOENT)
        return br_fail_errno(err, -r, "cannot list %s", dir);
    if (r >= 0)
        r = io->sync_dir(io->ctx, dir); /* also when nothing was there: it may be gone since a sweep that could not sync */
    return r < 0 && r != -ENOENT ? br_fail_errno(err, -r, "cannot sync %s", dir) : w.rc;
}
