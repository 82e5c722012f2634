/* tar_zstd.c - a tar archive inside one zstd frame with its checksum, so that `tar --zstd -tf` reads it.
 *
 * Member header, 512 bytes (POSIX ustar), then the bytes, padded with zeros to 512:
 *   offset size  meaning
 *        0  100  name, NUL-padded
 *      100    8  mode, octal
 *      108   16  owner and group, octal, 0
 *      124   12  size: octal; from 8 GiB on big-endian binary with the top bit set
 *      136   12  time of change, octal, seconds
 *      148    8  sum of all bytes of the header, these eight taken as spaces
 *      156    1  kind: '0' or NUL, a plain file
 *      157  100  link target, empty
 *      257    8  "ustar", NUL, "00" (when reading also the older "ustar  ")
 *      265  247  names of owner and group, device, prefix: empty
 * Two blocks of zeros end the archive; more zeros may follow. A member is valid when its header's sum is right, it is a plain file
 * with an empty prefix and all its bytes are there; the frame's own checksum and what the caller knows of the bytes prove the rest. */
#include "tar_zstd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#define BLOCK 512u
#define LEVEL 3
#define WINDOW_LOG_MAX 27      /* a frame that wants more memory (128 MiB) is refused */
#define TRAILER_MAX (1u << 20) /* zeros after the archive's end */

struct tar_header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], kind, link[100], magic[8], owner[32], group[32], device[16],
        prefix[155], zero[12];
};
_Static_assert(sizeof(struct tar_header) == BLOCK && offsetof(struct tar_header, size) == 124 &&
                   offsetof(struct tar_header, sum) == 148 && offsetof(struct tar_header, kind) == 156 &&
                   offsetof(struct tar_header, magic) == 257 && offsetof(struct tar_header, prefix) == 345,
               "offsets of the table above");

static unsigned sum_of(const struct tar_header *h)
{
    const unsigned char *p = (const unsigned char *)h;
    unsigned sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : p[i];
    return sum;
}

/* --- Writing --- */

struct br_tar_writer {
    const struct br_io *io;
    char *path;
    int fd;
    uint64_t offset; /* of the file */
    uint64_t left;   /* of the member */
    size_t padding;  /* after it */
    ZSTD_CCtx *zstd;
    char *out;
    size_t out_alloc;
};

void br_tar_writer_free(struct br_tar_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        w->io->close(w->io->ctx, w->fd);
    ZSTD_freeCCtx(w->zstd);
    free(w->out);
    free(w->path);
    free(w);
}

/* A new file under an exclusive lock. A sweep (br_backup_sweep) may find it in the moment before: it has then removed it, or is about to. Where
 * the file system has no locks, none is held. */
static int make_locked(const struct br_io *io, const char *path)
{
    struct br_io_stat st;
    int fd = -EAGAIN;
    for (int i = 0; i < 3 && fd == -EAGAIN; i++) {
        int r = io->unlink(io->ctx, path); /* not truncated: whoever else has the name open keeps what he had, and a link is not followed */
        if (r < 0 && r != -ENOENT)
            return r;
        fd = io->open(io->ctx, path, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd >= 0 && (io->lock(io->ctx, fd, true) == -EAGAIN || io->stat(io->ctx, path, &st) == -ENOENT)) {
            io->close(io->ctx, fd);
            fd = -EAGAIN;
        }
    }
    return fd;
}

enum br_rc br_tar_create(const struct br_io *io, const char *path, struct br_tar_writer **out, struct br_err *err)
{
    enum br_rc rc;
    struct br_tar_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return br_fail_nomem(err);
    *w = (struct br_tar_writer){.io = io, .fd = -1, .path = strdup(path), .zstd = ZSTD_createCCtx(), .out_alloc = ZSTD_CStreamOutSize()};
    w->out = malloc(w->out_alloc);
    if (!w->path || !w->zstd || !w->out)
        BR_TRY(br_fail_nomem(err));
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
    int r = make_locked(io, path);
    if (r < 0)
        BR_TRY(br_fail_errno(err, -r, "cannot create %s", path));
    w->fd = r;
    *out = w;
    return BR_OK;
err:
    br_tar_writer_free(w);
    return rc;
}

static enum br_rc compress(struct br_tar_writer *w, const void *bytes, size_t n, ZSTD_EndDirective mode, struct br_err *err)
{
    ZSTD_inBuffer in = {.src = bytes, .size = n};
    size_t pending;
    do {
        ZSTD_outBuffer out = {.dst = w->out, .size = w->out_alloc};
        pending = ZSTD_compressStream2(w->zstd, &out, &in, mode);
        if (ZSTD_isError(pending))
            return br_fail(err, BR_E_NOMEM, "cannot compress %s: %s", w->path, ZSTD_getErrorName(pending));
        int r = br_io_pwrite_full(w->io, w->fd, w->out, out.pos, (int64_t)w->offset);
        if (r < 0)
            return br_fail_errno(err, -r, "cannot write %s", w->path);
        w->offset += out.pos;
    } while (mode == ZSTD_e_end ? pending > 0 : in.pos < in.size);
    return BR_OK;
}

static enum br_rc end_member(struct br_tar_writer *w, struct br_err *err)
{
    static const char zeros[BLOCK];
    size_t n = w->padding;
    BR_ASSERT(w->left == 0);
    w->padding = 0;
    return compress(w, zeros, n, ZSTD_e_continue, err);
}

enum br_rc br_tar_member(struct br_tar_writer *w, const char *name, uint64_t size, int64_t mtime, struct br_err *err)
{
    struct tar_header h = {.kind = '0'};
    char field[32];
    enum br_rc rc;
    BR_TRY(end_member(w, err));
    BR_ASSERT(strlen(name) < sizeof(h.name));
    memcpy(h.name, name, strlen(name));
    memcpy(h.mode, "0000600", 8);
    memcpy(h.uid, "0000000", 8);
    memcpy(h.gid, "0000000", 8);
    memcpy(h.magic, "ustar\00000", 8);
    if (size < UINT64_C(1) << 33) {
        snprintf(field, sizeof(field), "%011llo", (unsigned long long)size);
        memcpy(h.size, field, 12);
    } else {
        h.size[0] = (char)0x80;
        for (size_t i = 0; i < 8; i++)
            h.size[11 - i] = (char)(size >> (8 * i));
    }
    snprintf(field, sizeof(field), "%011llo", (unsigned long long)(mtime > 0 ? mtime : 0) & 077777777777);
    memcpy(h.mtime, field, 12);
    snprintf(field, sizeof(field), "%06o", sum_of(&h) & 0777777);
    memcpy(h.sum, field, 7);
    h.sum[7] = ' ';
    w->left = size;
    w->padding = (size_t)((BLOCK - size % BLOCK) % BLOCK);
    BR_TRY(compress(w, &h, sizeof(h), ZSTD_e_continue, err));
err:
    return rc;
}

enum br_rc br_tar_write(struct br_tar_writer *w, const void *bytes, size_t n, struct br_err *err)
{
    BR_ASSERT(n <= w->left);
    w->left -= n;
    return compress(w, bytes, n, ZSTD_e_continue, err);
}

enum br_rc br_tar_finish(struct br_tar_writer *w, uint64_t *file_bytes, struct br_err *err)
{
    static const char zeros[2 * BLOCK];
    enum br_rc rc;
    BR_TRY(end_member(w, err));
    BR_TRY(compress(w, zeros, sizeof(zeros), ZSTD_e_end, err));
    int r = w->io->sync(w->io->ctx, w->fd, "backup");
    if (r < 0)
        BR_TRY(br_fail_errno(err, -r, "cannot sync %s", w->path));
    *file_bytes = w->offset;
err:
    return rc;
}

/* --- Reading --- */

struct br_tar_reader {
    const struct br_io *io;
    char *path;
    int fd;
    uint64_t offset; /* of the file: read into `in` so far */
    uint64_t left;   /* of the member */
    size_t padding;
    ZSTD_DCtx *zstd;
    char *in_bytes;
    size_t in_alloc;
    ZSTD_inBuffer in;
    bool in_frame; /* more must come */
    bool pending;  /* the decoder may give more without more input */
    bool seen;     /* it has given something */
    bool ended;    /* no more bytes in the file */
};

void br_tar_reader_free(struct br_tar_reader *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        r->io->close(r->io->ctx, r->fd);
    ZSTD_freeDCtx(r->zstd);
    free(r->in_bytes);
    free(r->path);
    free(r);
}

enum br_rc br_tar_open(const struct br_io *io, const char *path, struct br_tar_reader **out, struct br_err *err)
{
    enum br_rc rc;
    struct br_tar_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return br_fail_nomem(err);
    *r = (struct br_tar_reader){.io = io, .fd = -1, .path = strdup(path), .zstd = ZSTD_createDCtx(), .in_alloc = ZSTD_DStreamInSize()};
    r->in_bytes = malloc(r->in_alloc);
    r->in.src = r->in_bytes;
    if (!r->path || !r->zstd || !r->in_bytes)
        BR_TRY(br_fail_nomem(err));
    ZSTD_DCtx_setParameter(r->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    struct br_io_stat st;
    if (io->stat(io->ctx, path, &st) == 0 && st.is_special) /* an empty pipe would be waited for */
        BR_TRY(br_fail(err, BR_E_DATA, "%s is no regular file: copy the backup into one", path));
    int fd = io->open(io->ctx, path, O_RDONLY, 0);
    if (fd < 0)
        BR_TRY(br_fail_errno(err, -fd, "cannot open the backup %s", path));
    r->fd = fd;
    *out = r;
    return BR_OK;
err:
    br_tar_reader_free(r);
    return rc;
}

static enum br_rc refill(struct br_tar_reader *r, struct br_err *err)
{
    ssize_t n;
    do
        n = r->io->pread(r->io->ctx, r->fd, r->in_bytes, r->in_alloc, (int64_t)r->offset);
    while (n == -EINTR);
    if (n < 0)
        return br_fail_errno(err, (int)-n, "cannot read the backup %s", r->path);
    r->offset += (uint64_t)n;
    r->in = (ZSTD_inBuffer){.src = r->in_bytes, .size = (size_t)n};
    r->ended = n == 0;
    return BR_OK;
}

/* Up to n bytes of the archive; fewer only at the file's proper end. */
static enum br_rc decompress(struct br_tar_reader *r, void *bytes, size_t n, size_t *got, struct br_err *err)
{
    ZSTD_outBuffer out = {.dst = bytes, .size = n};
    while (out.pos < out.size && !r->ended) {
        if (r->in.pos == r->in.size && !r->pending) {
            enum br_rc rc = refill(r, err);
            if (rc != BR_OK)
                return rc;
            if (r->ended)
                break;
        }
        size_t hint = ZSTD_decompressStream(r->zstd, &out, &r->in);
        if (ZSTD_isError(hint))
            return br_fail(err, BR_E_DATA, "%s %s: %s", r->path, r->seen ? "is a damaged backup" : "is no backup",
                           ZSTD_getErrorName(hint));
        r->in_frame = hint != 0;
        r->pending = r->in_frame && out.pos == out.size; /* a full buffer: the decoder may hold more, and is asked first */
        r->seen |= out.pos > 0;
    }
    if (r->ended && r->in_frame)
        return br_fail(err, BR_E_DATA, "the backup %s is cut short", r->path);
    *got = out.pos;
    return BR_OK;
}

static enum br_rc take(struct br_tar_reader *r, void *bytes, size_t n, struct br_err *err)
{
    size_t got;
    enum br_rc rc = decompress(r, bytes, n, &got, err);
    if (rc == BR_OK && got < n)
        rc = br_fail(err, BR_E_DATA, "the backup %s is cut short", r->path);
    return rc;
}

static enum br_rc bad(const struct br_tar_reader *r, const char *why, struct br_err *err)
{
    return br_fail(err, BR_E_DATA, "%s is no backup of this program: %s", r->path, why);
}

/* Octal digits up to a space or NUL, or big-endian binary. false: neither, or too large. */
static bool number_of(const char *field, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;
    if ((unsigned char)field[0] == 0x80) {
        for (i = 1; i < n; i++) {
            if (v >> 55)
                return false;
            v = v << 8 | (unsigned char)field[i];
        }
        *out = v;
        return true;
    }
    while (i < n && field[i] == ' ')
        i++;
    size_t first = i;
    for (; i < n && field[i] >= '0' && field[i] <= '7'; i++)
        v = v << 3 | (uint64_t)(field[i] - '0');
    *out = v;
    return i > first && (i == n || field[i] == 0 || field[i] == ' ');
}

enum br_rc br_tar_next(struct br_tar_reader *r, char name[101], uint64_t *size, struct br_err *err)
{
    struct tar_header h;
    char padding[BLOCK];
    uint64_t sum;
    enum br_rc rc;
    BR_ASSERT(r->left == 0);
    BR_TRY(take(r, padding, r->padding, err));
    BR_TRY(take(r, &h, sizeof(h), err));
    if (memcmp(h.magic, "ustar", 5) != 0 || !number_of(h.sum, sizeof(h.sum), &sum) || sum != sum_of(&h))
        BR_TRY(bad(r, "what should be a member's header is none", err));
    if ((h.kind != '0' && h.kind != 0) || h.prefix[0] || h.link[0])
        BR_TRY(bad(r, "it has a member that is no plain file", err));
    if (!number_of(h.size, sizeof(h.size), size) || *size > INT64_MAX / 2)
        BR_TRY(bad(r, "a member's size makes no sense", err));
    memcpy(name, h.name, sizeof(h.name));
    name[100] = 0;
    r->left = *size;
    r->padding = (size_t)((BLOCK - *size % BLOCK) % BLOCK);
err:
    return rc;
}

enum br_rc br_tar_read(struct br_tar_reader *r, void *bytes, size_t n, struct br_err *err)
{
    BR_ASSERT(n <= r->left);
    r->left -= n;
    return take(r, bytes, n, err);
}

enum br_rc br_tar_end(struct br_tar_reader *r, struct br_err *err)
{
    char block[2 * BLOCK];
    enum br_rc rc;
    size_t got = sizeof(block), total = 0;
    BR_ASSERT(r->left == 0);
    BR_TRY(take(r, block, r->padding, err));
    r->padding = 0;
    for (bool first = true; first || got > 0; first = false) {
        BR_TRY(decompress(r, block, sizeof(block), &got, err));
        if (first && got < sizeof(block))
            BR_TRY(br_fail(err, BR_E_DATA, "the backup %s is cut short", r->path));
        for (size_t i = 0; i < got; i++)
            if (block[i])
                BR_TRY(bad(r, "it has more members than a backup has", err));
        total += got;
        if (total > TRAILER_MAX)
            BR_TRY(bad(r, "it does not end", err));
    }
err:
    return rc;
}

uint64_t br_tar_packed(const struct br_tar_reader *r)
{
    return r->offset - (r->in.size - r->in.pos);
}
