/* ckpt_open.c - a file to a graph, in constant time: the header is read and verified, the sections are only mapped.
 *
 * The map is private: inserts and removals edit their own copies of pages, never the file, so that a crash leaves
 * the checkpoint as it was written. Damage inside sections is left to br_index_check, and harmless to searches,
 * which bounds-check what they read. The file size must match exactly: a cut file would end a search with SIGBUS. */
#include "base/crc32c.h"
#include "ckpt_int.h"
#include "hnsw_int.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *br_ckpt_bad_section(const void *map)
{
    const struct br_ckpt_header *h = map;
    for (int i = 0; i < BR_CKPT_SECTIONS; i++) {
        const struct br_ckpt_section *s = &h->section[i];
        if (br_crc32c(0, (const char *)map + s->offset, s->length) != s->crc32c)
            return br_ckpt_section_name((enum br_ckpt_section_id)i);
    }
    return NULL;
}

/* What is wrong with a header whose checksum is right, or NULL. Parameter ranges are checked by br_index_alloc. */
static const char *header_defect(const struct br_ckpt_header *h, uint64_t file_size)
{
    if (h->count > BR_NODE_MAX || h->live > h->count || h->upper_count > (uint64_t)h->count * BR_LEVEL_MAX)
        return "impossible counts";
    if (h->slot_end < h->count) /* count 0, slot_end more: all of them are dead, and none is kept */
        return "impossible slot end";
    if (h->max_level > BR_LEVEL_MAX || (h->count ? h->entry >= h->count : h->entry || h->max_level))
        return "impossible entry point";
    if (!isfinite(h->scale) || h->scale != br_quant_scale(h->dim))
        return "unknown scale of the codes";
    if (!isfinite(h->most_high_residual) || h->most_high_residual < 0)
        return "impossible residual";
    if (h->file_size != file_size)
        return "the file has not the size that its header tells";
    if (h->n_sections != BR_CKPT_SECTIONS)
        return "unknown number of sections";
    return NULL;
}

/* Sections in order, of the sizes that the counts ask for, each within the file. */
static const char *section_defect(const struct br_ckpt_header *h, const struct br_segs *const *segs)
{
    uint64_t end = BR_CKPT_HEADER;
    for (int i = 0; i < BR_CKPT_SECTIONS; i++) {
        const struct br_ckpt_section *s = &h->section[i];
        uint64_t rows = i == BR_CKPT_UPPER ? h->upper_count : h->count;
        if (s->row_size != segs[i]->stride || s->length != rows * segs[i]->stride)
            return "a section has the wrong length";
        if (s->offset % BR_CKPT_ALIGN || s->offset < end || s->offset > h->file_size ||
            s->length > h->file_size - s->offset)
            return "a section is outside the file";
        end = s->offset + s->length;
    }
    return NULL;
}

static enum br_rc read_header(const struct br_io *io, int fd, const char *path, struct br_ckpt_header *h,
                              struct br_err *err)
{
    int64_t size = io->size(io->ctx, fd);
    if (size < 0)
        return br_fail_errno(err, (int)-size, "cannot read the graph checkpoint %s", path);
    if ((uint64_t)size < sizeof(*h))
        return br_fail(err, BR_E_CORRUPT, "graph checkpoint %s: shorter than a header", path);
    int r = br_io_pread_full(io, fd, h, sizeof(*h), 0);
    if (r < 0)
        return br_fail_errno(err, -r, "cannot read the graph checkpoint %s", path);
    if (memcmp(h->magic, BR_CKPT_MAGIC, sizeof(h->magic)) != 0)
        return br_fail(err, BR_E_CORRUPT, "graph checkpoint %s: not a graph file", path);
    if (h->version != BR_CKPT_VERSION || h->endian != BR_CKPT_ENDIAN)
        return br_fail(err, BR_E_CORRUPT, "graph checkpoint %s: format %u of another program version", path,
                       h->version);
    if (br_crc32c(0, h, offsetof(struct br_ckpt_header, header_crc32c)) != h->header_crc32c)
        return br_fail(err, BR_E_CORRUPT, "graph checkpoint %s: the checksum of the header does not match", path);
    if (h->dim < 1 || h->dim > BR_DIM_MAX || h->M < BR_HNSW_M_MIN || h->M > BR_HNSW_M_MAX ||
        h->ef_construction < 1 || h->ef_construction > BR_HNSW_EF_MAX)
        return br_fail(err, BR_E_CORRUPT, "graph checkpoint %s: parameters out of range", path);
    const char *defect = header_defect(h, (uint64_t)size);
    if (defect)
        return br_fail(err, BR_E_CORRUPT, "graph checkpoint %s: %s", path, defect);
    return BR_OK;
}

static enum br_rc map_sections(const struct br_io *io, int fd, const char *path, const struct br_ckpt_header *h,
                               struct br_index *ix, struct br_err *err)
{
    struct br_segs *segs[BR_CKPT_SECTIONS] = {&ix->high, &ix->low, &ix->links0, &ix->upper, &ix->slots, &ix->meta};
    const char *defect = section_defect(h, (const struct br_segs *const *)segs);
    if (defect)
        return br_fail(err, BR_E_CORRUPT, "graph checkpoint %s: %s", path, defect);
    void *map;
    int r = io->map(io->ctx, fd, (size_t)h->file_size, true, &map);
    if (r < 0)
        return br_fail_errno(err, -r, "cannot map the graph checkpoint %s", path);
    ix->io = io;
    ix->map = map;
    ix->map_size = (size_t)h->file_size;
    for (int i = 0; i < BR_CKPT_SECTIONS; i++)
        if (!br_segs_map(segs[i], (char *)map + h->section[i].offset, i == BR_CKPT_UPPER ? h->upper_count : h->count))
            return br_fail_nomem(err);
    return BR_OK;
}

enum br_rc br_index_open(const struct br_io *io, const char *path, struct br_index **out,
                         struct br_index_identity *id, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    struct br_index *ix = NULL;
    int fd = -1;
    *out = NULL;
    struct br_ckpt_header *h = malloc(sizeof(*h));
    if (!h)
        return br_fail_nomem(err);
    fd = io->open(io->ctx, path, O_RDONLY, 0);
    if (fd < 0) {
        rc = br_fail_errno(err, -fd, "cannot open the graph checkpoint %s", path);
        goto err;
    }
    BR_TRY(read_header(io, fd, path, h, err));
    struct br_index_config cfg = {.dim = h->dim, .M = h->M, .ef_construction = h->ef_construction, .seed = h->seed};
    BR_TRY(br_index_alloc(&cfg, &ix, err));
    BR_TRY(map_sections(io, fd, path, h, ix, err));
    ix->count = h->count;
    ix->live = h->live;
    ix->slot_end = h->slot_end;
    ix->entry = h->entry;
    ix->max_level = h->max_level;
    ix->upper_count = h->upper_count;
    if (!h->count || h->most_high_residual > 0)
        ix->most_high_residual = h->most_high_residual;
    else
        ix->most_high_residual = INFINITY;
    *id = (struct br_index_identity){.generation = h->generation, .applied_seq = h->applied_seq};
    memcpy(id->store_uuid, h->store_uuid, sizeof(id->store_uuid));
    *out = ix;
    ix = NULL;
err:
    if (fd >= 0)
        io->close(io->ctx, fd);
    br_index_close(ix);
    free(h);
    return rc;
}
