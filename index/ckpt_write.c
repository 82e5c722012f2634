/* ckpt_write.c - the graph to a file: temporary name, sync, rename, sync of the directory.
 *
 * Header
 *   offset  size    meaning
 *        0     8    magic "BRGRAPH\n"
 *        8     4    format version, 2
 *       12     4    endian tag 0x01020304
 *       16    16    uuid of the store
 *       32     8    generation of the vector log
 *       40     8    journal sequence that the graph includes
 *       48     8    size of this file
 *       56     8    one past the highest slot
 *       64     8    seed of the levels
 *       72     4    nodes
 *       76     4    live nodes
 *       80     4    dimension
 *       84     4    M
 *       88     4    ef_construction
 *       92     4    entry point
 *       96     4    top level
 *      100     4    upper link records
 *      104     4    scale of the codes, float32
 *      108     4    number of sections, 6
 *      112     6 x 24 sections: offset 8, length 8, row size 4, CRC-32C of the length bytes 4
 *      256     4    largest residual of a high plane, float32; 0: not known (files of before it was kept)
 *      260  3832    zeros
 *     4092     4    CRC-32C of bytes 0..4091
 *     4096          sections, each at a multiple of 64, zeros between
 * Sections, in this order
 *   name    row size  rows          meaning of a row
 *   high    stride    nodes         upper halves of the codes (quant_int.h): 64 bytes for each 128 components begun, padded with 8;
 *                                   all 8 in an erased node
 *   low     stride    nodes         lower halves; 0 in the padding and in an erased node
 *   links0  8 M       nodes         ids of neighbours at level 0, u32; 0xffffffff ends a record that is not full
 *   upper   4 M       upper records the same for levels 1.., a node's levels together, in node order
 *   slots   8         nodes         slot of the node, increasing
 *   meta    24        nodes         struct br_node_meta:
 *     offset  size    meaning
 *          0     4    residual of quantisation, float32
 *          4     4    sum of the codes, signed
 *          8     4    sum of their squares
 *         12     4    first upper record
 *         16     1    level
 *         17     1    flags
 *         18     2    links to the node at level 0, no more counted once at the maximum
 *         20     4    residual of the high plane alone, float32
 *
 * Valid when
 *   1. the store's row in SQLite names the file, and uuid, generation and sequence are that row's (engine/graph.c);
 *   2. magic, version and endian tag are those above, the header's CRC is right, and the file has exactly the size stated;
 *   3. counts, entry point, levels, dimension, M, ef_construction and scale are possible ones (ckpt_open.c);
 *   4. the six sections are in order, aligned, inside the file, and of the lengths that the counts ask for;
 *   5. every section's CRC is right and the graph is sound: looked at by verify --deep alone. Until then each id read from a section is
 *      bounds-checked, so that damage costs answers and never memory.
 * Version 1 had whole codes in one section; it is not read, and the graph is built anew.
 * Equal graphs give equal bytes. Until 1 a crash leaves at most a file that nobody reads. */
#include "base/crc32c.h"
#include "ckpt_int.h"
#include "hnsw_int.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is the memory of a little-endian machine");

const char *br_ckpt_section_name(enum br_ckpt_section_id id)
{
    static const char *const names[BR_CKPT_SECTIONS] = {"high", "low", "links0", "upper", "slots", "meta"};
    return names[id];
}

static int write_section(const struct br_io *io, int fd, const struct br_segs *segs, uint32_t rows,
                         struct br_ckpt_section *section)
{
    uint64_t offset = section->offset;
    section->crc32c = 0;
    for (uint32_t row = 0; row < rows; row += BR_SEG_ROWS) {
        size_t n = (size_t)BR_MIN(rows - row, BR_SEG_ROWS) * segs->stride;
        const void *bytes = br_seg_row(segs, row);
        section->crc32c = br_crc32c(section->crc32c, bytes, n);
        int r = br_io_pwrite_full(io, fd, bytes, n, (int64_t)offset);
        if (r < 0)
            return r;
        offset += n;
    }
    return 0;
}

static uint64_t align(uint64_t offset)
{
    return (offset + BR_CKPT_ALIGN - 1) / BR_CKPT_ALIGN * BR_CKPT_ALIGN;
}

static void fill_header(const struct br_index *ix, const struct br_index_identity *id, struct br_ckpt_header *h)
{
    const struct br_segs *segs[BR_CKPT_SECTIONS] = {&ix->high, &ix->low, &ix->links0, &ix->upper, &ix->slots, &ix->meta};
    *h = (struct br_ckpt_header){.version = BR_CKPT_VERSION,
                                 .endian = BR_CKPT_ENDIAN,
                                 .generation = id->generation,
                                 .applied_seq = id->applied_seq,
                                 .slot_end = ix->slot_end,
                                 .seed = ix->seed,
                                 .count = ix->count,
                                 .live = ix->live,
                                 .dim = ix->dim,
                                 .M = ix->M,
                                 .ef_construction = ix->ef_construction,
                                 .entry = ix->entry,
                                 .max_level = ix->max_level,
                                 .upper_count = ix->upper_count,
                                 .scale = ix->scale,
                                 .most_high_residual = isfinite(ix->most_high_residual) ? ix->most_high_residual : 0,
                                 .n_sections = BR_CKPT_SECTIONS};
    memcpy(h->magic, BR_CKPT_MAGIC, sizeof(h->magic));
    memcpy(h->store_uuid, id->store_uuid, sizeof(h->store_uuid));
    uint64_t offset = BR_CKPT_HEADER;
    for (int i = 0; i < BR_CKPT_SECTIONS; i++) {
        uint64_t rows = i == BR_CKPT_UPPER ? ix->upper_count : ix->count;
        h->section[i] = (struct br_ckpt_section){
            .offset = offset, .length = rows * segs[i]->stride, .row_size = (uint32_t)segs[i]->stride};
        offset = align(offset + h->section[i].length);
    }
    h->file_size = offset;
}

/* 0 or a negative errno. */
static int write_all(const struct br_index *ix, const struct br_io *io, int fd, struct br_ckpt_header *h)
{
    const struct br_segs *segs[BR_CKPT_SECTIONS] = {&ix->high, &ix->low, &ix->links0, &ix->upper, &ix->slots, &ix->meta};
    /* Space is taken first: a full disk is found before anything is written. The padding between sections is what
     * the allocation left there, zeros. */
    int r = io->allocate(io->ctx, fd, 0, (int64_t)h->file_size);
    for (int i = 0; i < BR_CKPT_SECTIONS && r >= 0; i++)
        r = write_section(io, fd, segs[i], i == BR_CKPT_UPPER ? ix->upper_count : ix->count, &h->section[i]);
    if (r < 0)
        return r;
    h->header_crc32c = br_crc32c(0, h, offsetof(struct br_ckpt_header, header_crc32c));
    r = br_io_pwrite_full(io, fd, h, sizeof(*h), 0);
    return r < 0 ? r : io->sync(io->ctx, fd, "graph checkpoint");
}

static int sync_parent(const struct br_io *io, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return io->sync_dir(io->ctx, ".");
    char *dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!dir)
        return -ENOMEM;
    int r = io->sync_dir(io->ctx, dir);
    free(dir);
    return r;
}

enum br_rc br_index_checkpoint(const struct br_index *ix, const struct br_io *io, const char *path,
                               const struct br_index_identity *id, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    char *tmp = NULL;
    struct br_ckpt_header *h = malloc(sizeof(*h));
    if (!h || asprintf(&tmp, "%s.tmp", path) < 0) {
        free(h);
        return br_fail_nomem(err);
    }
    fill_header(ix, id, h);
    int fd = io->open(io->ctx, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600);
    int r = fd;
    if (fd >= 0) {
        r = write_all(ix, io, fd, h);
        int closed = io->close(io->ctx, fd);
        if (r >= 0 && closed < 0)
            r = closed;
        if (r >= 0)
            r = io->rename(io->ctx, tmp, path);
        if (r < 0)
            io->unlink(io->ctx, tmp);
        else
            r = sync_parent(io, path);
    }
    if (r < 0)
        rc = br_fail_errno(err, -r, "cannot write the graph checkpoint %s", path);
    free(tmp);
    free(h);
    return rc;
}
