/* model.c - opening a model, and the small questions about it. */
#include "embed/model_int.h"

#include "embed/model_folder.h"
#include "embed/remote.h"
#include "embed/sha256.h"
#include "embed/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Weights of the float path as the kernels take them. */
static void pack(struct br_linear *l, float **to)
{
    float *p = *to;
    l->packed = p;
    for (size_t column = 0; column < l->out; column += BR_PANEL_COLUMNS)
        for (size_t k = 0; k < l->in; k++)
            for (size_t c = 0; c < BR_PANEL_COLUMNS; c++)
                *p++ = l->w[(column + c) * l->in + k];
    *to = p;
}

static enum br_rc pack_all(struct br_model *m, struct br_err *err)
{
    size_t hidden = m->info.dim, floats = m->info.layers * (4 * hidden * hidden + 2 * hidden * m->info.ffn);
    float *at = m->packed = aligned_alloc(64, floats * sizeof(float)); /* sizes are multiples of 16 */
    if (!at)
        return br_fail_nomem(err);
    for (size_t i = 0; i < m->info.layers; i++) {
        struct br_layer *l = &m->layers[i];
        pack(&l->qkv, &at);
        pack(&l->attention_out, &at);
        pack(&l->ffn_up, &at);
        pack(&l->ffn_down, &at);
    }
    return BR_OK;
}

enum br_rc br_model_open(const char *path, struct br_model **out, struct br_err *err)
{
    return br_model_open_with(path, NULL, out, err);
}

/* NULL: it names no weights. */
static const char *weights_file(const char *name)
{
    static const char *const names[] = {"model.safetensors", "model.onnx"};
    for (size_t i = 0; i < BR_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return names[i];
    return NULL;
}

enum br_rc br_model_open_with(const char *path, const struct br_model_options *options, struct br_model **out, struct br_err *err)
{
    struct stat st;
    char dir[4096];
    enum br_rc rc;
    struct br_model *m = calloc(1, sizeof *m);
    if (!m)
        return br_fail_nomem(err);
    m->math = br_math_pick();
    snprintf(dir, sizeof dir, "%s", path ? path : "");
    char *slash = strrchr(dir, '/');
    const char *weights = weights_file(slash ? slash + 1 : dir);
    if (weights && slash)
        slash[slash == dir] = 0; /* the folder it lies in; "/" stays */
    else if (weights)
        snprintf(dir, sizeof dir, ".");
    if (path && (weights || (stat(dir, &st) == 0 && S_ISDIR(st.st_mode))))
        rc = br_model_float_open(m, dir, weights, options, err);
    else
        rc = br_model_file_open(m, path, err);
    if (rc == BR_OK && m->info.precision == BR_PRECISION_F32)
        rc = pack_all(m, err);
    if (rc != BR_OK) {
        br_model_close(m);
        return rc;
    }
    m->head_dim = m->info.dim / m->info.heads;
    snprintf(m->kernel, sizeof m->kernel, "%s", m->math->name);
    m->pool_cls = strcmp(m->info.pooling, "cls") == 0;
    *out = m;
    return BR_OK;
}

/* What a workspace records of an endpoint: <kind>-<16 digits of the hash>-<its name of the model>. */
static void identify_remote(struct br_model_info *i, const struct br_remote_config *cfg, const char *url)
{
    struct br_sha256 sha;
    char dim[16];
    snprintf(dim, sizeof dim, "%u", i->dim);
    const char *const parts[] = {cfg->kind, url, cfg->model, dim, i->query_prefix, i->passage_prefix};
    br_sha256_init(&sha);
    for (size_t k = 0; k < BR_COUNT(parts); k++)
        br_sha256_add(&sha, parts[k], strlen(parts[k]) + 1);
    br_sha256_end(&sha, i->source_sha256);
    int n = snprintf(i->id, sizeof i->id, "%.6s-%.16s-", cfg->kind, i->source_sha256);
    for (const char *p = cfg->model; *p && n < 64; p++)
        i->id[n++] = *p > 0x20 && *p < 0x7F ? *p : '_';
    i->id[n] = 0;
}

enum br_rc br_model_open_remote(const struct br_remote_config *cfg, struct br_model **out, struct br_err *err)
{
    enum br_rc rc;
    struct br_model *m = calloc(1, sizeof *m);
    if (!m)
        return br_fail_nomem(err);
    struct br_model_info *i = &m->info;
    m->math = br_math_pick();
    BR_TRY(br_model_file_open(m, NULL, err)); /* for its tokenizer */
    BR_TRY(br_remote_new(cfg, m->vocab, &m->remote, err));
    *i = (struct br_model_info){.dim = cfg->dim, .vocab = i->vocab, .max_seq = BR_DEFAULT_MAX_SEQ, .precision = BR_PRECISION_REMOTE};
    BR_TRY(br_take_prefix("query", cfg->query_prefix, i->query_prefix, err));
    BR_TRY(br_take_prefix("passage", cfg->passage_prefix, i->passage_prefix, err));
    if (!i->dim)
        BR_TRY(br_remote_ask_dimension(m->remote, &i->dim, err));
    br_remote_set_dimension(m->remote, i->dim);
    br_clean_text(i->name, sizeof i->name, cfg->model, strlen(cfg->model));
    br_clean_text(i->origin, sizeof i->origin, br_remote_host(m->remote), strlen(br_remote_host(m->remote)));
    snprintf(i->pooling, sizeof i->pooling, "remote");
    snprintf(m->kernel, sizeof m->kernel, "%.8s", cfg->kind);
    identify_remote(i, cfg, br_remote_url(m->remote));
    *out = m;
    return BR_OK;
err:
    br_model_close(m);
    return rc;
}

void br_model_close(struct br_model *m)
{
    if (!m)
        return;
    br_remote_free(m->remote);
    br_vocab_free(m->vocab);
    if (m->map)
        munmap(m->map, m->map_bytes);
    free(m->vocab_text);
    free(m->owned);
    free(m->packed);
    if (m->weights)
        br_weights_close(m->weights);
    free(m->weights);
    free(m);
}

const struct br_model_info *br_model_info(const struct br_model *m)
{
    return &m->info;
}

const char *br_embed_kernel_name(const struct br_model *m)
{
    return m->kernel;
}

size_t br_tokenize(const struct br_model *m, const char *text, size_t len, uint16_t *ids, size_t max_ids)
{
    return br_vocab_tokenize(m->vocab, text, len, ids, max_ids);
}

size_t br_token_count(const struct br_model *m, const char *text, size_t len, size_t limit)
{
    return br_vocab_count(m->vocab, text, len, limit);
}

/* The prefix and the text meet at a blank, or nearly so: its pieces are counted by themselves. */
size_t br_passage_pieces(const struct br_model *m)
{
    size_t most = BR_MIN((size_t)m->info.max_seq, (size_t)BR_DEFAULT_MAX_SEQ) - 2;
    size_t prefix = br_vocab_count(m->vocab, m->info.passage_prefix, strlen(m->info.passage_prefix), most);
    return BR_MAX(most - BR_MIN(prefix, most), (size_t)8);
}
