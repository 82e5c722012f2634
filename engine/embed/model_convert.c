/* model_convert.c - original weights to the product's int8 file. The linears' weights are made by model_quantise.c; the word table is s8 per row. */
#include "embed/model_file.h"
#include "embed/model_folder.h"
#include "embed/model_quantise.h"
#include "embed/sha256.h"

#include "base/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct writer {
    FILE *f;
    uint64_t at;
    struct br_model_header h;
    struct br_sha256 sha;
    struct br_err *err;
    enum br_rc rc;
};

static void put(struct writer *w, const void *bytes, size_t n)
{
    if (w->rc == BR_OK && n && fwrite(bytes, 1, n, w->f) != n)
        w->rc = br_fail_errno(w->err, errno, "cannot write the model file");
    w->at += n;
}

static void section(struct writer *w, uint32_t tag, uint32_t layer, const void *bytes, size_t n)
{
    static const char zeros[64];
    put(w, zeros, (64 - w->at % 64) % 64);
    w->h.sections[w->h.n_sections++] =
        (struct br_section){.tag = tag, .layer = layer, .offset = w->at, .bytes = n, .crc = br_crc32c(0, bytes, n)};
    br_sha256_add(&w->sha, bytes, n);
    put(w, bytes, n);
}

static void write_linear(struct writer *w, uint32_t tag, uint32_t layer, const struct br_linear *l, const struct br_quantised *from)
{
    size_t in = l->in, out = l->out, parts = BR_LINEAR_PARTS(tag, in), bytes = BR_LINEAR_BYTES(in, out, parts);
    int8_t *panels = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    if (!panels) {
        w->rc = br_fail_nomem(w->err);
        return;
    }
    float *scale = (float *)(void *)(panels + in * out), *bias = scale + parts * out, *smooth_inv = bias + (1 + parts) * out, *shift = smooth_inv + in;
    int32_t *sums = (int32_t *)(void *)(bias + out);
    memcpy(scale, from->scale, parts * out * sizeof *scale);
    memset(sums, 0, parts * out * sizeof *sums);
    memcpy(bias, from->bias, out * sizeof *bias);
    memcpy(smooth_inv, from->smooth_inv, in * sizeof *smooth_inv);
    memcpy(shift, from->shift, in * sizeof *shift);
    for (size_t j = 0; j < out; j++) {
        int8_t *p = panels + (j / BR_PANEL_COLUMNS) * in * BR_PANEL_COLUMNS + (j % BR_PANEL_COLUMNS) * 4;
        for (size_t k = 0; k < in; k++) {
            p[(k / 4) * (BR_PANEL_COLUMNS * 4) + k % 4] = from->q[j * in + k];
            sums[k / (in / parts) * out + j] += from->q[j * in + k];
        }
    }
    section(w, tag, layer, panels, bytes);
    free(panels);
}

static void write_words(struct writer *w, const struct br_model *m)
{
    size_t hidden = m->info.dim, vocab = m->info.vocab;
    int8_t *q = malloc(vocab * hidden);
    float *scales = malloc(vocab * sizeof *scales);
    if (!q || !scales) {
        w->rc = br_fail_nomem(w->err);
    } else {
        for (size_t v = 0; v < vocab; v++)
            scales[v] = br_quantise_row(m->word_f + v * hidden, hidden, q + v * hidden);
        section(w, BR_SEC_WORDS, 0, q, vocab * hidden);
        section(w, BR_SEC_WORD_SCALES, 0, scales, vocab * sizeof *scales);
    }
    free(q);
    free(scales);
}

static void write_pair(struct writer *w, uint32_t tag, uint32_t layer, const float *const *parts, size_t n_parts, size_t n)
{
    float *both = malloc(n_parts * n * sizeof *both);
    if (!both) {
        w->rc = br_fail_nomem(w->err);
        return;
    }
    for (size_t i = 0; i < n_parts; i++)
        memcpy(both + i * n, parts[i], n * sizeof *both);
    section(w, tag, layer, both, n_parts * n * sizeof *both);
    free(both);
}

/* The vocabulary as one text with LF, whatever the source had: the tokenizer takes both. */
static void write_sections(struct writer *w, const struct br_model *m, const struct br_quantised *linears)
{
    size_t hidden = m->info.dim;
    section(w, BR_SEC_VOCAB, 0, m->vocab_text, m->vocab_bytes);
    write_words(w, m);
    section(w, BR_SEC_POSITIONS, 0, m->position, m->positions * hidden * sizeof(float));
    write_pair(w, BR_SEC_EMBEDDING_LN, 0, (const float *[]){m->ln_gamma, m->ln_beta}, 2, hidden);
    for (uint32_t i = 0; i < m->info.layers && w->rc == BR_OK; i++) {
        const struct br_layer *l = &m->layers[i];
        write_linear(w, BR_SEC_QKV, i, &l->qkv, linears + 4 * i);
        write_linear(w, BR_SEC_ATTENTION_OUT, i, &l->attention_out, linears + 4 * i + 1);
        write_linear(w, BR_SEC_FFN_UP, i, &l->ffn_up, linears + 4 * i + 2);
        write_linear(w, BR_SEC_FFN_DOWN, i, &l->ffn_down, linears + 4 * i + 3);
        write_pair(w, BR_SEC_LAYER_LN, i, (const float *[]){l->ln1_gamma, l->ln1_beta, l->ln2_gamma, l->ln2_beta}, 4, hidden);
    }
}

static void fill_header(struct br_model_header *h, const struct br_model *m)
{
    memcpy(h->magic, "BRMODEL1", 8);
    h->endian = 0x01020304;
    h->version = BR_MODEL_VERSION;
    h->hidden = m->info.dim;
    h->layers = m->info.layers;
    h->heads = m->info.heads;
    h->ffn = m->info.ffn;
    h->vocab = m->info.vocab;
    h->max_seq = m->info.max_seq;
    h->positions = (uint32_t)m->positions;
    h->pooling = m->pool_cls ? 2 : 1;
    snprintf(h->name, sizeof h->name, "%s", m->info.name);
    memcpy(h->source_sha256, m->info.source_sha256, sizeof h->source_sha256);
    snprintf(h->prefix_query, sizeof h->prefix_query, "%s", m->info.query_prefix);
    snprintf(h->prefix_document, sizeof h->prefix_document, "%s", m->info.passage_prefix);
    snprintf(h->licence, sizeof h->licence, "%s", m->info.licence);
    snprintf(h->origin, sizeof h->origin, "%s", m->info.origin);
    snprintf(h->unicode, sizeof h->unicode, "WordPiece uncased; categories 8.0, decompositions 9.0");
}

/* A file that was there before is someone else's: it is neither written to nor removed. */
static FILE *create_new(const char *path, struct br_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");
    if (f)
        return f;
    if (fd < 0 && errno == EEXIST)
        (void)br_fail(err, BR_E_USAGE, "%s is in the way: move it or give another name", path);
    else
        (void)br_fail_errno(err, errno, "cannot write %s", path);
    if (fd >= 0) {
        close(fd);
        (void)unlink(path);
    }
    return NULL;
}

static enum br_rc write_file(const struct br_model *m, const struct br_quantised *linears, const char *path, struct br_err *err)
{
    struct writer w = {.err = err};
    w.f = create_new(path, err);
    if (!w.f)
        return err->rc;
    fill_header(&w.h, m);
    br_sha256_init(&w.sha);
    put(&w, &w.h, sizeof w.h);
    write_sections(&w, m, linears);
    if (!br_settings_are_plain(&m->info))
        br_settings_hash(&m->info, &w.sha);
    br_sha256_end(&w.sha, w.h.id);
    w.h.file_bytes = w.at;
    w.h.header_crc = br_crc32c(0, &w.h, sizeof w.h);
    if (w.rc == BR_OK && fseek(w.f, 0, SEEK_SET) != 0)
        w.rc = br_fail_errno(err, errno, "cannot write %s", path);
    put(&w, &w.h, sizeof w.h);
    if (w.rc == BR_OK && (fflush(w.f) != 0 || fsync(fileno(w.f)) != 0))
        w.rc = br_fail_errno(err, errno, "cannot write %s", path);
    fclose(w.f);
    if (w.rc != BR_OK)
        (void)unlink(path);
    return w.rc;
}

enum br_rc br_model_convert(const char *src_dir, const char *out_path, const struct br_model_options *options, struct br_err *err)
{
    struct br_model *m = NULL;
    struct br_quantised linears[4 * BR_LAYERS_MAX] = {0};
    char tmp[4096];
    enum br_rc rc;
    int n = snprintf(tmp, sizeof tmp, "%s.tmp", out_path);
    if (n < 0 || (size_t)n >= sizeof tmp)
        return br_fail(err, BR_E_USAGE, "the path is too long: %.200s", out_path);
    BR_TRY(br_model_open_with(src_dir, options, &m, err));
    if (m->info.precision != BR_PRECISION_F32)
        BR_TRY(br_fail(err, BR_E_USAGE, "%s is converted already: give the folder with model.safetensors or model.onnx", src_dir));
    BR_TRY(br_quantise_linears(m, linears, err));
    BR_TRY(write_file(m, linears, tmp, err));
    if (rename(tmp, out_path) != 0) {
        rc = br_fail_errno(err, errno, "cannot rename to %s", out_path);
        (void)unlink(tmp);
    }
err:
    for (size_t i = 0; i < BR_COUNT(linears); i++)
        free(linears[i].q);
    br_model_close(m);
    return rc;
}
