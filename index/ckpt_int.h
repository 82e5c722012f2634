/* ckpt_int.h - the checkpoint file as it is on disk. Little endian. Private to index/. Format table: ckpt_write.c. */
#ifndef BR_CKPT_INT_H
#define BR_CKPT_INT_H

#include <stddef.h>
#include <stdint.h>

#define BR_CKPT_MAGIC "BRGRAPH\n"
#define BR_CKPT_VERSION 2u
#define BR_CKPT_ENDIAN 0x01020304u
#define BR_CKPT_HEADER 4096u
#define BR_CKPT_ALIGN 64u

enum br_ckpt_section_id { BR_CKPT_HIGH, BR_CKPT_LOW, BR_CKPT_LINKS0, BR_CKPT_UPPER, BR_CKPT_SLOTS, BR_CKPT_META, BR_CKPT_SECTIONS };

struct br_ckpt_section {
    uint64_t offset; /* multiple of BR_CKPT_ALIGN */
    uint64_t length; /* rows * row_size */
    uint32_t row_size;
    uint32_t crc32c; /* of length bytes */
};

struct br_ckpt_header {
    char magic[8];
    uint32_t version;
    uint32_t endian;
    uint8_t store_uuid[16];
    uint64_t generation;
    uint64_t applied_seq;
    uint64_t file_size;
    uint64_t slot_end;
    uint64_t seed;
    uint32_t count;
    uint32_t live;
    uint32_t dim;
    uint32_t M;
    uint32_t ef_construction;
    uint32_t entry;
    uint32_t max_level;
    uint32_t upper_count;
    float scale;
    uint32_t n_sections;
    struct br_ckpt_section section[BR_CKPT_SECTIONS];
    float most_high_residual;
    uint8_t zero[BR_CKPT_HEADER - 264];
    uint32_t header_crc32c; /* of all bytes before it */
};
_Static_assert(sizeof(struct br_ckpt_section) == 24, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_section, offset) == 0, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_section, length) == 8, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_section, row_size) == 16, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_section, crc32c) == 20, "table in ckpt_write.c");
_Static_assert(sizeof(struct br_ckpt_header) == BR_CKPT_HEADER, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, magic) == 0, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, version) == 8, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, endian) == 12, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, store_uuid) == 16, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, generation) == 32, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, applied_seq) == 40, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, file_size) == 48, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, slot_end) == 56, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, seed) == 64, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, count) == 72, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, live) == 76, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, dim) == 80, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, M) == 84, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, ef_construction) == 88, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, entry) == 92, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, max_level) == 96, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, upper_count) == 100, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, scale) == 104, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, n_sections) == 108, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, section) == 112, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, most_high_residual) == 256, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, zero) == 260, "table in ckpt_write.c");
_Static_assert(offsetof(struct br_ckpt_header, header_crc32c) == 4092, "table in ckpt_write.c");

const char *br_ckpt_section_name(enum br_ckpt_section_id id);
/* Reads a whole mapped file; the name of the first section whose checksum is wrong, or NULL. */
const char *br_ckpt_bad_section(const void *map);

#endif
