/* model_file.h - the product's model file (.brm): see model_file.c for its format. */
#ifndef BR_MODEL_FILE_H
#define BR_MODEL_FILE_H

#include "embed/model_int.h"

enum br_section_tag {
    BR_SEC_VOCAB = 1,    /* text, a token a line */
    BR_SEC_WORDS,        /* s8 [vocab][hidden] */
    BR_SEC_WORD_SCALES,  /* f32 [vocab] */
    BR_SEC_POSITIONS,    /* f32 [positions][hidden], token type 0 folded in */
    BR_SEC_EMBEDDING_LN, /* f32 gamma[hidden], beta[hidden] */
    BR_SEC_QKV,          /* the four linears of a layer: see below */
    BR_SEC_ATTENTION_OUT,
    BR_SEC_FFN_UP,
    BR_SEC_FFN_DOWN,
    BR_SEC_LAYER_LN, /* f32 gamma1, beta1, gamma2, beta2 */
};
/* A linear's section: s8 panels [out/16][in/4][16][4], then f32 scale[parts][out], f32 bias[out], s32 sums[parts][out], f32 smooth_inv[in],
 * f32 shift[in]. In version 1 there is one part and no shift. */
#define BR_MODEL_VERSION 2
#define BR_LINEAR_BYTES(in, out, parts) ((size_t)(in) * (out) + (4 + 8 * (size_t)(parts)) * (size_t)(out) + 8 * (size_t)(in))
/* Parts of a linear: as many as fours make of FFN down where they can, as its inputs differ most; else one. */
#define BR_LINEAR_PARTS(tag, in) ((tag) == BR_SEC_FFN_DOWN && (in) % (16 * BR_PARTS_MAX) == 0 ? (size_t)BR_PARTS_MAX : (size_t)1)

struct br_section {
    uint32_t tag, layer;
    uint64_t offset, bytes;
    uint32_t crc, zero;
};
#define BR_SECTIONS_MAX 240
struct br_model_header {
    char magic[8]; /* "BRMODEL1" */
    uint32_t endian, version;
    uint32_t hidden, layers, heads, ffn, vocab, max_seq, positions, pooling;
    char name[64], id[65], source_sha256[65], licence[64], origin[128];
    char unicode[64]; /* the tokenizer's tables */
    char prefix_query[64], prefix_document[64];
    char zero[2];
    uint32_t n_sections, header_crc; /* crc over the header with this field 0 */
    uint64_t file_bytes;
    struct br_section sections[BR_SECTIONS_MAX];
    char rest[8];
};

_Static_assert(sizeof(struct br_section) == 32, "table in model_file.c");
_Static_assert(offsetof(struct br_section, tag) == 0, "table in model_file.c");
_Static_assert(offsetof(struct br_section, layer) == 4, "table in model_file.c");
_Static_assert(offsetof(struct br_section, offset) == 8, "table in model_file.c");
_Static_assert(offsetof(struct br_section, bytes) == 16, "table in model_file.c");
_Static_assert(offsetof(struct br_section, crc) == 24, "table in model_file.c");
_Static_assert(offsetof(struct br_section, zero) == 28, "table in model_file.c");
_Static_assert(sizeof(struct br_model_header) == 8336, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, magic) == 0, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, endian) == 8, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, version) == 12, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, hidden) == 16, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, layers) == 20, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, heads) == 24, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, ffn) == 28, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, vocab) == 32, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, max_seq) == 36, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, positions) == 40, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, pooling) == 44, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, name) == 48, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, id) == 112, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, source_sha256) == 177, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, licence) == 242, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, origin) == 306, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, unicode) == 434, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, prefix_query) == 498, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, prefix_document) == 562, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, zero) == 626, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, n_sections) == 628, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, header_crc) == 632, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, file_bytes) == 640, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, sections) == 648, "table in model_file.c");
_Static_assert(offsetof(struct br_model_header, rest) == 8328, "table in model_file.c");

/* Where a section's bytes go or come from. */
void br_linear_point(struct br_linear *l, uint32_t version, enum br_section_tag tag, const uint8_t *bytes, size_t in, size_t out);

#endif
