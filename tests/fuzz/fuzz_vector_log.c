/* fuzz_vector_log.c - a vector log of any bytes behind a right header (or one that is a little wrong): rows that slots name, the map, and an exact
 * scan over whatever numbers it holds.
 *
 * Input: flags, u8 dimensions, u8 number of slots, u64 slots, u16 rows to map, [24 bytes that change the header], then the file after it. */
#include "fuzz.h"

#include "base/crc32c.h"
#include "sim/disk.h"
#include "vector_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS_MAX 16
#define DIMS_MAX 64
#define K 5

static void write_file(const struct br_io *io, const char *path, const struct br_log_identity *id, struct fuzz_input body, uint8_t flags,
                       struct fuzz_input *changes)
{
    struct br_err err = {0};
    uint8_t header[BR_LOG_HEADER];
    size_t n = sizeof header;
    BR_ASSERT(br_log_create(io, path, id, &err) == BR_OK);
    int fd = io->open(io->ctx, path, O_RDWR, 0);
    BR_ASSERT(fd >= 0 && br_io_pread_full(io, fd, header, sizeof header, 0) == 0);
    if (flags & 1) {
        fuzz_change(changes, header, &n, sizeof header);
        if (flags & 2) {
            uint32_t crc = br_crc32c(0, header, 4092);
            memcpy(header + 4092, &crc, 4);
        }
        BR_ASSERT(br_io_pwrite_full(io, fd, header, sizeof header, 0) == 0);
    }
    if (body.left)
        BR_ASSERT(br_io_pwrite_full(io, fd, body.at, body.left, BR_LOG_HEADER) == 0);
    io->close(io->ctx, fd);
}

static void scan(const struct br_rows *rows, uint32_t dim)
{
    struct br_hit hits[K];
    float query[DIMS_MAX] = {1, 0.5f};
    size_t n = br_exact_range(rows, dim, query, 0, rows->count, NULL, K, hits);
    BR_ASSERT(n <= BR_MIN((uint64_t)K, rows->count)); /* fewer where rows hold no numbers */
    for (size_t i = 0; i < n; i++) {
        BR_ASSERT(hits[i].slot < rows->count && (i == 0 || hits[i].similarity <= hits[i - 1].similarity));
        for (size_t j = 0; j < i; j++)
            BR_ASSERT(hits[i].slot != hits[j].slot);
    }
}

static void use(struct br_vector_log *v, const uint64_t *slots, size_t n_slots, uint64_t count, struct fuzz_input body)
{
    struct br_err err = {0};
    struct br_rows rows;
    float row[DIMS_MAX];
    bool ok;
    for (size_t i = 0; i < n_slots; i++) {
        uint64_t checksum = i;
        size_t at = slots[i] < SIZE_MAX / v->stride ? (size_t)slots[i] * v->stride : SIZE_MAX;
        bool inside = at < body.left && body.left - at >= v->stride;
        if (inside && i % 4 != 3)
            checksum = br_vector_checksum(memcpy(row, body.at + at, v->stride), v->dim);
        BR_ASSERT(br_vector_log_read(v, slots[i], checksum, row, &ok, &err) == BR_OK);
        BR_ASSERT(inside || !ok);
        if (ok)
            BR_ASSERT(memcmp(row, body.at + at, v->stride) == 0);
    }
    if (br_vector_log_map(v, count, &rows, &err) == BR_OK)
        scan(&rows, v->dim);
    else
        BR_ASSERT(err.rc == BR_E_CORRUPT && count * v->stride > body.left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size}, changes;
    uint64_t slots[SLOTS_MAX];
    struct br_vector_log v;
    struct br_err err = {0};
    char path[64];
    uint8_t flags = (uint8_t)fuzz_number(&in, 1);
    uint32_t dim = 1 + (uint32_t)fuzz_number(&in, 1) % DIMS_MAX;
    size_t n_slots = fuzz_number(&in, 1) % (SLOTS_MAX + 1);
    for (size_t i = 0; i < n_slots; i++)
        slots[i] = fuzz_number(&in, 8);
    uint64_t count = fuzz_number(&in, 2);
    changes = fuzz_take(&in, flags & 1 ? 24 : 0);
    const struct br_log_identity id = {.kind = BR_LOG_VECTORS, .uuid = "fuzz", .generation = 3, .dim = dim, .stride = 4 * dim};
    struct sim_disk *disk = sim_disk_new(1);
    const struct br_io *io = sim_disk_io(disk);
    snprintf(path, sizeof path, "%s/vectors.3", sim_disk_root(disk));
    write_file(io, path, &id, in, flags, &changes);
    if (br_vector_log_open(&v, io, path, false, &id, &err) == BR_OK) {
        use(&v, slots, n_slots, count, in);
        br_vector_log_close(&v);
    } else {
        BR_ASSERT(flags & 1);
    }
    sim_disk_free(disk);
    return 0;
}
