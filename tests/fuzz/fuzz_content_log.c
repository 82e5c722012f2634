/* fuzz_content_log.c - a content log of any bytes behind a right header (or one that is a little wrong), and records that rows name.
 *
 * Input: flags, u8 number of rows, rows of 24 bytes {id, offset, length; what makes a row's hash and record right is up to flags}, then the file
 * after its header. What is read must be what the file holds and the row proves. */
#include "fuzz.h"

#include "base/crc32c.h"
#include "content_log.h"
#include "sim/disk.h"
#include "store_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX 16

static const struct br_log_identity identity = {.kind = BR_LOG_CONTENT, .uuid = "fuzz", .generation = 3};

/* Makes the record that the row names: what an attacker who knows the format would do. */
static void forge(uint8_t *file, size_t n, struct br_content_ref *ref)
{
    if (ref->offset < BR_LOG_HEADER || ref->offset > n || n - ref->offset < 24 || ref->length > n - ref->offset - 24)
        return;
    uint8_t *record = file + ref->offset;
    uint64_t low;
    br_content_hash(record + 24, ref->length, ref->hash);
    memcpy(&low, ref->hash + 8, 8);
    low = __builtin_bswap64(low);
    uint32_t length = (uint32_t)ref->length;
    memcpy(record, &length, 4);
    memcpy(record + 8, &ref->id, 8);
    memcpy(record + 16, &low, 8);
    uint32_t crc = br_crc32c(br_crc32c(0, record, 4), record + 8, 16);
    memcpy(record + 4, &crc, 4);
}

static void write_file(const struct br_io *io, const char *path, struct fuzz_input body, struct br_content_ref *rows, size_t n_rows, uint8_t flags,
                       struct fuzz_input *header_changes)
{
    struct br_err err = {0};
    uint8_t header[BR_LOG_HEADER], *file = malloc(BR_LOG_HEADER + body.left + 1);
    size_t n = BR_LOG_HEADER + body.left, header_len = BR_LOG_HEADER;
    BR_ASSERT(file && br_log_create(io, path, &identity, &err) == BR_OK);
    int fd = io->open(io->ctx, path, O_RDWR, 0);
    BR_ASSERT(fd >= 0 && br_io_pread_full(io, fd, header, sizeof header, 0) == 0);
    if (flags & 1) {
        fuzz_change(header_changes, header, &header_len, sizeof header);
        if (flags & 2) {
            uint32_t crc = br_crc32c(0, header, 4092);
            memcpy(header + 4092, &crc, 4);
        }
    }
    memcpy(file, header, sizeof header);
    if (body.left)
        memcpy(file + BR_LOG_HEADER, body.at, body.left);
    for (size_t i = 0; i < n_rows; i++)
        if (!(flags & 4) || i % 2)
            forge(file, n, &rows[i]);
    BR_ASSERT(br_io_pwrite_full(io, fd, file, n, 0) == 0);
    io->close(io->ctx, fd);
    free(file);
}

static void read_row(struct br_content_log *c, const struct br_content_ref *ref)
{
    const char *bytes;
    struct br_err err = {0};
    uint8_t hash[16];
    if (br_content_log_read(c, ref, &bytes, &err) != BR_OK) {
        BR_ASSERT(err.rc == BR_E_CORRUPT && err.msg[0]);
        return;
    }
    br_content_hash(bytes, ref->length, hash); /* all of it can be read */
    BR_ASSERT(memcmp(hash, ref->hash, sizeof hash) == 0);
}

/* A writer goes on behind whatever is there, and what it wrote reads back. */
static void append(struct br_content_log *c, uint64_t tail, const struct br_content_ref *rows, size_t n_rows)
{
    struct br_content_ref ref = {.id = 77};
    struct br_err err = {0};
    br_content_log_begin(c, BR_MAX(tail, (uint64_t)BR_LOG_HEADER));
    BR_ASSERT(br_content_log_append(c, "appended", 8, &ref, &err) == BR_OK);
    for (size_t i = 0; i < n_rows; i++)
        read_row(c, &rows[i]); /* some name what is still in memory */
    read_row(c, &ref);
    BR_ASSERT(br_content_log_flush(c, &err) == BR_OK);
    const char *bytes;
    BR_ASSERT(br_content_log_read(c, &ref, &bytes, &err) == BR_OK && memcmp(bytes, "appended", 8) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size}, changes;
    struct br_content_ref rows[ROWS_MAX] = {0};
    struct br_content_log c;
    struct br_err err = {0};
    char path[64];
    uint8_t flags = (uint8_t)fuzz_number(&in, 1);
    size_t n_rows = fuzz_number(&in, 1) % (ROWS_MAX + 1);
    for (size_t i = 0; i < n_rows; i++) {
        rows[i].id = fuzz_number(&in, 8);
        rows[i].offset = fuzz_number(&in, 8);
        rows[i].length = fuzz_number(&in, 8);
        memcpy(rows[i].hash, &rows[i], 16);
    }
    changes = fuzz_take(&in, flags & 1 ? 24 : 0);
    struct sim_disk *disk = sim_disk_new(1);
    const struct br_io *io = sim_disk_io(disk);
    snprintf(path, sizeof path, "%s/content.3", sim_disk_root(disk));
    write_file(io, path, in, rows, n_rows, flags, &changes);
    if (br_content_log_open(&c, io, path, flags & 8, &identity, &err) == BR_OK) {
        for (size_t i = 0; i < n_rows; i++)
            read_row(&c, &rows[i]);
        if (flags & 8)
            append(&c, BR_LOG_HEADER + in.left, rows, n_rows);
        br_content_log_close(&c);
    } else {
        BR_ASSERT(flags & 1); /* a right header opens */
    }
    sim_disk_free(disk);
    return 0;
}
