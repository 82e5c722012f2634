/* fuzz_graph.c - a graph checkpoint whose checksums are right and whose sections are hostile: opened, checked, searched, added to, removed from,
 * and written again.
 *
 * Input: u8 flags, u8 k, u8 rows the vector log has, then the file. Its size, header checksum and section checksums are made right. */
#include "fuzz.h"

#include "base/crc32c.h"
#include "ckpt_int.h"
#include "hnsw_int.h"
#include "sim/disk.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIM_MAX 256 /* more costs time and finds nothing new */

static struct br_searcher *searcher;

static void fix(uint8_t *file, size_t n)
{
    struct br_ckpt_header *h = (void *)file;
    if (n < sizeof *h)
        return;
    memcpy(h->magic, BR_CKPT_MAGIC, 8);
    h->version = BR_CKPT_VERSION;
    h->endian = BR_CKPT_ENDIAN;
    h->file_size = n;
    for (int i = 0; i < BR_CKPT_SECTIONS; i++) {
        struct br_ckpt_section *s = &h->section[i];
        if (s->offset <= n && s->length <= n - s->offset)
            s->crc32c = br_crc32c(0, file + s->offset, s->length);
    }
    h->header_crc32c = br_crc32c(0, h, offsetof(struct br_ckpt_header, header_crc32c));
}

static float *rows_new(uint32_t dim, uint64_t count)
{
    float *rows = calloc(count * dim + 1, sizeof *rows);
    BR_ASSERT(rows);
    for (uint64_t i = 0; i < count; i++) {
        rows[i * dim + i % dim] = 0.8f;
        rows[i * dim + (i * 7 + 1) % dim] += 0.6f;
    }
    return rows;
}

static void search(const struct br_index *ix, const struct br_rows *rows, size_t k, const struct br_bitmap *allow)
{
    struct br_hit hits[64];
    struct br_err err = {0};
    size_t n = 0;
    bool exhaustive;
    const struct br_search_params params = {.k = k, .ef = 2 * k, .allow = allow};
    if (br_index_search(ix, searcher, rows, rows->base, &params, hits, &n, &exhaustive, &err) != BR_OK)
        return;
    BR_ASSERT(n <= k);
    for (size_t i = 0; i < n; i++) {
        BR_ASSERT(hits[i].slot < rows->count && isfinite(hits[i].similarity));
        BR_ASSERT(!allow || br_bitmap_test(allow, hits[i].slot));
        BR_ASSERT(i == 0 || hits[i].similarity <= hits[i - 1].similarity);
    }
}

static void searches(const struct br_index *ix, const struct br_rows *rows, size_t k)
{
    struct br_bitmap some;
    struct br_err err = {0};
    search(ix, rows, k, NULL); /* a scan of the codes, or, with the thresholds down, a walk */
    BR_ASSERT(br_bitmap_init(&some, rows->count + 1, &err) == BR_OK);
    for (uint64_t i = 0; i < rows->count; i += 1 + k % 3)
        br_bitmap_set(&some, i);
    search(ix, rows, k, &some);
    br_bitmap_free(&some);
}

/* What the writer does with a graph it opened. */
static void edit(struct br_index *ix, const struct br_rows *rows, uint8_t flags)
{
    struct br_err err = {0};
    for (uint64_t i = 0; i < rows->count; i++) {
        if (i % 5 == flags % 5)
            br_index_remove(ix, i);
        if (i >= br_index_slot_end(ix) && !br_index_has(ix, i) && br_index_add(ix, i, rows->base + i * rows->stride_floats, &err) != BR_OK)
            break;
    }
}

static void use(struct br_index *ix, const struct br_io *io, const char *path, const struct br_rows *rows, size_t k, uint8_t flags)
{
    struct br_index_report report, again;
    struct br_err err = {0};
    struct br_index *copy;
    struct br_index_identity id = {.generation = 1};
    BR_ASSERT(br_index_check(ix, &report, &err) == BR_OK);
    BR_ASSERT(report.ok == !report.first_problem[0]);
    if (flags & 4)
        ix->exact_nodes = ix->exact_matches = 0;
    searches(ix, rows, k);
    if (flags & 1) {
        edit(ix, rows, flags);
        searches(ix, rows, k);
        BR_ASSERT(br_index_check(ix, &again, &err) == BR_OK);
        BR_ASSERT(!report.ok || again.ok); /* a sound graph stays sound */
    }
    if (flags & 2 && br_index_checkpoint(ix, io, path, &id, &err) == BR_OK && report.ok) {
        BR_ASSERT(br_index_open(io, path, &copy, &id, &err) == BR_OK);
        BR_ASSERT(br_index_check(copy, &again, &err) == BR_OK && again.ok && again.nodes == br_index_count(ix));
        br_index_close(copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct br_err err = {0};
    struct br_index *ix;
    struct br_index_identity id;
    char path[64], again[64];
    if (!searcher)
        BR_ASSERT(br_searcher_new(&searcher, &err) == BR_OK);
    uint8_t flags = (uint8_t)fuzz_number(&in, 1);
    size_t k = 1 + fuzz_number(&in, 1) % 64;
    uint64_t count = 1 + fuzz_number(&in, 1);
    uint8_t *file = aligned_alloc(64, (in.left + 64) & ~(size_t)63);
    BR_ASSERT(file);
    if (in.left)
        memcpy(file, in.at, in.left);
    fix(file, in.left);
    struct sim_disk *disk = sim_disk_new(1);
    const struct br_io *io = sim_disk_io(disk);
    snprintf(path, sizeof path, "%s/graph.1", sim_disk_root(disk));
    snprintf(again, sizeof again, "%s/graph.2", sim_disk_root(disk));
    int fd = io->open(io->ctx, path, O_RDWR | O_CREAT, 0600);
    BR_ASSERT(fd >= 0 && (!in.left || br_io_pwrite_full(io, fd, file, in.left, 0) == 0));
    io->close(io->ctx, fd);
    if (br_index_open(io, path, &ix, &id, &err) == BR_OK) {
        uint32_t dim = ((const struct br_ckpt_header *)(const void *)file)->dim;
        float *vectors = dim <= DIM_MAX ? rows_new(dim, count) : NULL;
        const struct br_rows rows = {.base = vectors, .stride_floats = dim, .count = count};
        if (vectors)
            use(ix, io, again, &rows, k, flags);
        free(vectors);
        br_index_close(ix);
    } else {
        BR_ASSERT(err.rc == BR_E_CORRUPT && err.msg[0]);
    }
    free(file);
    sim_disk_free(disk);
    return 0;
}
