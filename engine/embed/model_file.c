/* model_file.c - opening the product's model file: everything is used where it lies, nothing is parsed or copied.
 *
 * Header, little-endian
 *   offset  size      meaning
 *        0     8      magic "BRMODEL1"
 *        8     4      endian tag 0x01020304
 *       12     4      version, 2; 1 had neither shifts nor parts
 *       16     4      hidden size, the dimension of the vectors
 *       20     4      layers
 *       24     4      heads
 *       28     4      size of the feed-forward layer
 *       32     4      tokens of the vocabulary
 *       36     4      most tokens of a text
 *       40     4      positions
 *       44     4      pooling, 1: mean, 2: the first token ([CLS])
 *       48    64      name
 *      112    65      id: SHA-256, hex, over all sections' bytes; unless pooling, prefixes and most tokens are mean, none and 256, then over
 *                     these, too (model_folder.c)
 *      177    65      SHA-256 of model.safetensors or model.onnx, hex
 *      242    64      licence
 *      306   128      origin
 *      434    64      Unicode tables of the tokenizer
 *      498    64      prefix of queries
 *      562    64      prefix of documents
 *      626     2      zero
 *      628     4      number of sections
 *      632     4      CRC-32C of the header with this field zero
 *      636     4      zero
 *      640     8      size of this file
 *      648   240 x 32 sections: tag 4, layer 4, offset 8, bytes 8, CRC-32C 4, zero 4
 *     8328     8      zero
 *     8336            sections, each at a multiple of 64; what a tag's section holds is in model_file.h
 * Valid when
 *   1. magic, endian tag and version are those above, and the header's CRC is right;
 *   2. the file has exactly the size stated;
 *   3. dimensions and number of sections are within limits;
 *   4. every section is inside the file, aligned, and has the size that its tag and the dimensions ask for;
 *   5. no section is missing;
 *   6. and in a file given by path (the built-in one is part of the program) both SHA-256 are 64 hex digits, every section's CRC is right, every
 *      float finite and every sum of weights possible. */
#include "embed/model_file.h"

#include "base/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern const uint8_t br_builtin_model_begin[], br_builtin_model_end[];

_Static_assert(sizeof(struct br_model_header) == 8336, "the header's size is part of the format");
_Static_assert(offsetof(struct br_model_header, name) == 48 && offsetof(struct br_model_header, id) == 112, "offsets are part of the format");
_Static_assert(offsetof(struct br_model_header, n_sections) == 628 && offsetof(struct br_model_header, sections) == 648,
               "offsets are part of the format");

static enum br_rc map_file(struct br_model *m, const char *path, struct br_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return br_fail_errno(err, errno, "cannot open the model %s", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(struct br_model_header)) {
        close(fd);
        return br_fail(err, BR_E_DATA, "%s is no model file (too small or not a file)", path);
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int e = errno;
    close(fd);
    if (p == MAP_FAILED)
        return br_fail_errno(err, e, "cannot map the model %s", path);
    m->map = p;
    m->map_bytes = (size_t)st.st_size;
    return BR_OK;
}

/* A sha256 in a file from outside ends up on terminals and in databases: nothing but its 64 digits may be there. */
static bool is_sha256(const char s[65])
{
    return strnlen(s, 65) == 64 && strspn(s, "0123456789abcdef") == 64;
}

/* The length of the UTF-8 character at s, 0 when it is none or a control character. */
static size_t clean_char(const unsigned char *s, size_t n)
{
    size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    if (len == 0 || len > n || s[0] < 0x20 || s[0] == 0x7F)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    bool control = s[0] == 0xC2 && s[1] < 0xA0;
    bool overlong = (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xF0 && s[1] < 0x90);
    bool outside = (s[0] == 0xED && s[1] >= 0xA0) || (s[0] == 0xF4 && s[1] >= 0x90);
    return control || overlong || outside ? 0 : len;
}

void br_clean_text(char *to, size_t size, const char *from, size_t n)
{
    size_t out = 0;
    n = strnlen(from, n);
    for (size_t i = 0; i < n;) {
        size_t len = clean_char((const unsigned char *)from + i, n - i);
        if (out + BR_MAX(len, (size_t)1) >= size)
            break;
        if (len)
            memcpy(to + out, from + i, len);
        else
            to[out] = '?';
        out += BR_MAX(len, (size_t)1);
        i += BR_MAX(len, (size_t)1);
    }
    to[out] = 0;
}

static const char *header_problem(const struct br_model_header *h, size_t bytes)
{
    struct br_model_header copy;
    if (memcmp(h->magic, "BRMODEL1", 8) != 0)
        return "it does not begin with BRMODEL1";
    if (h->endian != 0x01020304 || h->version < 1 || h->version > BR_MODEL_VERSION)
        return "its version or byte order is not ours";
    memcpy(&copy, h, sizeof copy);
    copy.header_crc = 0;
    if (br_crc32c(0, &copy, sizeof copy) != h->header_crc)
        return "its header is damaged";
    if (h->file_bytes != bytes)
        return "it is cut short or has grown";
    if (h->n_sections > BR_SECTIONS_MAX || h->layers < 1 || h->layers > BR_LAYERS_MAX || h->hidden < 32 || h->hidden > BR_HIDDEN_MAX ||
        h->hidden % 16 || h->heads < 1 || h->hidden % h->heads || h->hidden / h->heads > 128 || h->ffn < 16 || h->ffn > BR_FFN_MAX ||
        h->ffn % 16 || h->vocab < 4 || h->vocab > 65535 || h->max_seq < 2 || h->max_seq > BR_MAX_SEQ || h->positions < h->max_seq ||
        h->positions > 4096 || h->pooling < 1 || h->pooling > 2)
        return "its dimensions are out of range";
    if (!is_sha256(h->id) || !is_sha256(h->source_sha256))
        return "what should be a sha256 is none";
    return NULL;
}

void br_linear_point(struct br_linear *l, uint32_t version, enum br_section_tag tag, const uint8_t *bytes, size_t in, size_t out)
{
    size_t parts = version < 2 ? 1 : BR_LINEAR_PARTS(tag, in);
    static const float none[BR_MAX(BR_HIDDEN_MAX, BR_FFN_MAX)];
    *l = (struct br_linear){.in = in, .out = out, .part = in / parts, .panels = (const int8_t *)bytes};
    const uint8_t *p = bytes + in * out;
    l->scale = (const float *)(const void *)p;
    l->bias = l->scale + parts * out;
    l->sums = (const int32_t *)(const void *)(l->bias + out);
    l->smooth_inv = (const float *)(const void *)(l->sums + parts * out);
    l->shift = version < 2 ? none : l->smooth_inv + in;
}

static bool place_vocab(struct br_model *m, uint32_t words, const struct br_section *s, const uint8_t *bytes, bool *no_memory)
{
    if (m->vocab)
        return false;
    enum br_rc rc = br_vocab_new((const char *)bytes, s->bytes, &m->vocab, NULL);
    *no_memory = rc == BR_E_NOMEM;
    return rc == BR_OK && br_vocab_size(m->vocab) == words;
}

static bool place_linear(struct br_linear *l, uint32_t version, const struct br_section *s, const uint8_t *bytes, size_t in, size_t out)
{
    br_linear_point(l, version, s->tag, bytes, in, out);
    return s->bytes == BR_LINEAR_BYTES(in, out, in / l->part) - (version < 2 ? 4 * in : 0);
}

static bool place(struct br_model *m, const struct br_model_header *h, const struct br_section *s, const uint8_t *bytes, bool *no_memory)
{
    size_t hidden = h->hidden, ffn = h->ffn;
    const float *f = (const float *)(const void *)bytes;
    struct br_layer *l = s->layer < h->layers ? &m->layers[s->layer] : NULL;
    switch (s->tag) {
    case BR_SEC_VOCAB:
        return place_vocab(m, h->vocab, s, bytes, no_memory);
    case BR_SEC_WORDS:
        m->word_q = (const int8_t *)bytes;
        return s->bytes == (uint64_t)h->vocab * hidden;
    case BR_SEC_WORD_SCALES:
        m->word_scale = f;
        return s->bytes == 4 * (uint64_t)h->vocab;
    case BR_SEC_POSITIONS:
        m->position = f;
        return s->bytes == 4 * (uint64_t)h->positions * hidden;
    case BR_SEC_EMBEDDING_LN:
        m->ln_gamma = f;
        m->ln_beta = f + hidden;
        return s->bytes == 8 * hidden;
    case BR_SEC_QKV:
        return l && place_linear(&l->qkv, h->version, s, bytes, hidden, 3 * hidden);
    case BR_SEC_ATTENTION_OUT:
        return l && place_linear(&l->attention_out, h->version, s, bytes, hidden, hidden);
    case BR_SEC_FFN_UP:
        return l && place_linear(&l->ffn_up, h->version, s, bytes, hidden, ffn);
    case BR_SEC_FFN_DOWN:
        return l && place_linear(&l->ffn_down, h->version, s, bytes, ffn, hidden);
    case BR_SEC_LAYER_LN:
        if (!l || s->bytes != 16 * hidden)
            return false;
        l->ln1_gamma = f;
        l->ln1_beta = f + hidden;
        l->ln2_gamma = f + 2 * hidden;
        l->ln2_beta = f + 3 * hidden;
        return true;
    default:
        return false;
    }
}

/* ---- Numbers of a file from outside ---- */

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

/* Sums that no weights have would overflow the integer arithmetic behind the product. */
static bool linear_is_sound(const struct br_linear *l)
{
    size_t scales = l->in / l->part * l->out;
    for (size_t i = 0; i < scales; i++)
        if (l->sums[i] > 128 * (int32_t)l->in || l->sums[i] < -128 * (int32_t)l->in)
            return false;
    return all_finite(l->scale, scales) && all_finite(l->bias, l->out) && all_finite(l->smooth_inv, l->in) &&
           all_finite(l->shift, l->in);
}

static bool is_sound(const struct br_model *m, const struct br_model_header *h)
{
    size_t hidden = h->hidden;
    bool ok = all_finite(m->word_scale, h->vocab) && all_finite(m->position, h->positions * hidden) && all_finite(m->ln_gamma, 2 * hidden);
    for (uint32_t i = 0; i < h->layers && ok; i++) {
        const struct br_layer *l = &m->layers[i];
        ok = linear_is_sound(&l->qkv) && linear_is_sound(&l->attention_out) && linear_is_sound(&l->ffn_up) && linear_is_sound(&l->ffn_down) &&
             all_finite(l->ln1_gamma, 4 * hidden);
    }
    return ok;
}

static bool complete(const struct br_model *m, const struct br_model_header *h)
{
    bool ok = m->vocab && m->word_q && m->word_scale && m->position && m->ln_gamma;
    for (uint32_t i = 0; i < h->layers; i++) {
        const struct br_layer *l = &m->layers[i];
        ok = ok && l->qkv.panels && l->attention_out.panels && l->ffn_up.panels && l->ffn_down.panels && l->ln1_gamma;
    }
    return ok;
}

/* Fixed-size texts from a file may lack their NUL. */
#define COPY_TEXT(to, from) br_clean_text(to, sizeof to, from, sizeof from)

enum br_rc br_model_file_open(struct br_model *m, const char *path, struct br_err *err)
{
    const char *what = path ? path : "the built-in model";
    if (path) {
        enum br_rc rc = map_file(m, path, err);
        if (rc != BR_OK)
            return rc;
    }
    const uint8_t *base = path ? m->map : br_builtin_model_begin;
    size_t bytes = path ? m->map_bytes : (size_t)(br_builtin_model_end - br_builtin_model_begin);
    const struct br_model_header *h = (const void *)base;
    const char *problem = bytes < sizeof *h ? "it is too small" : header_problem(h, bytes);
    if (problem)
        return br_fail(err, BR_E_DATA, "%s is no usable model file: %s; convert the original weights again", what, problem);
    for (uint32_t i = 0; i < h->n_sections; i++) {
        const struct br_section *s = &h->sections[i];
        bool inside = s->offset % 64 == 0 && s->offset >= sizeof *h && s->offset <= bytes && s->bytes <= bytes - s->offset;
        bool no_memory = false;
        if (!inside || (path && br_crc32c(0, base + s->offset, s->bytes) != s->crc) || !place(m, h, s, base + s->offset, &no_memory))
            return no_memory ? br_fail_nomem(err) : br_fail(err, BR_E_DATA, "%s is damaged: section %u (tag %u, layer %u)", what, i, s->tag, s->layer);
    }
    if (!complete(m, h))
        return br_fail(err, BR_E_DATA, "%s is no usable model file: a section is missing", what);
    if (path && !is_sound(m, h))
        return br_fail(err, BR_E_DATA, "%s is no usable model file: it holds numbers that are not finite or too large", what);
    m->positions = h->positions;
    m->info = (struct br_model_info){.dim = h->hidden,
                                     .layers = h->layers,
                                     .heads = h->heads,
                                     .ffn = h->ffn,
                                     .vocab = h->vocab,
                                     .max_seq = h->max_seq,
                                     .precision = BR_PRECISION_INT8,
                                     .bytes = bytes};
    snprintf(m->info.pooling, sizeof m->info.pooling, "%s", h->pooling == 2 ? "cls" : "mean");
    COPY_TEXT(m->info.name, h->name);
    COPY_TEXT(m->info.id, h->id);
    COPY_TEXT(m->info.source_sha256, h->source_sha256);
    COPY_TEXT(m->info.licence, h->licence);
    COPY_TEXT(m->info.origin, h->origin);
    COPY_TEXT(m->info.query_prefix, h->prefix_query);
    COPY_TEXT(m->info.passage_prefix, h->prefix_document);
    return BR_OK;
}
