/* model_float.c - the float32 path: original weights of a sentence-transformers folder, used where they lie in the mapped file. Only the QKV
 * matrices (one product instead of three) and the positions (token type 0 folded in) are copied. */
#include "embed/model_int.h"

#include "embed/safetensors.h"
#include "embed/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define VOCAB_BYTES_MAX ((long)16 << 20)

static enum br_rc read_vocab(struct br_model *m, const char *dir, struct br_err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/vocab.txt", dir);
    FILE *f = fopen(path, "rb");
    if (!f)
        return br_fail_errno(err, errno, "cannot open %s", path);
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    enum br_rc rc = BR_OK;
    if (n <= 0 || n > VOCAB_BYTES_MAX)
        rc = br_fail(err, BR_E_DATA, "%s is empty or too large", path);
    else if (!(m->vocab_text = malloc((size_t)n)))
        rc = br_fail_nomem(err);
    else if (fread(m->vocab_text, 1, (size_t)n, f) != (size_t)n)
        rc = br_fail(err, BR_E_IO, "cannot read %s", path);
    m->vocab_bytes = n > 0 ? (size_t)n : 0;
    fclose(f);
    return rc ? rc : br_vocab_new(m->vocab_text, (size_t)n, &m->vocab, err);
}

static size_t json_size(const json_t *o, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(o, key));
    return v > 0 && v < 1000000 ? (size_t)v : 0;
}

static enum br_rc read_config(struct br_model *m, const char *dir, struct br_err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/config.json", dir);
    json_t *o = json_load_file(path, 0, NULL);
    if (!o)
        return br_fail(err, BR_E_DATA, "%s is absent or no JSON: a sentence-transformers folder is needed", path);
    m->info.dim = (uint32_t)json_size(o, "hidden_size");
    m->info.layers = (uint32_t)json_size(o, "num_hidden_layers");
    m->info.heads = (uint32_t)json_size(o, "num_attention_heads");
    m->info.ffn = (uint32_t)json_size(o, "intermediate_size");
    m->info.vocab = (uint32_t)json_size(o, "vocab_size");
    m->positions = json_size(o, "max_position_embeddings");
    json_decref(o);
    const struct br_model_info *i = &m->info;
    if (i->dim < 32 || i->dim > BR_HIDDEN_MAX || i->dim % 16 || !i->heads || i->dim % i->heads || i->dim / i->heads > 128 || !i->layers ||
        i->layers > BR_LAYERS_MAX || i->ffn < 16 || i->ffn > BR_FFN_MAX || i->ffn % 16 || i->vocab < 4 || i->vocab > 65535 ||
        m->positions < BR_DEFAULT_MAX_SEQ || m->positions > 4096)
        return br_fail(err, BR_E_DATA, "%s: dimensions out of range for this runtime", path);
    return BR_OK;
}

struct getter {
    const struct br_safetensors *f;
    uint32_t layer;
    struct br_err *err;
    enum br_rc rc;
};

static const float *get(struct getter *g, const char *name, size_t rows, size_t cols)
{
    char full[160];
    const float *p = NULL;
    snprintf(full, sizeof full, "encoder.layer.%u.%s", g->layer, name);
    if (g->rc == BR_OK)
        g->rc = br_safetensors_get(g->f, full, rows, cols, &p, g->err);
    return p;
}

/* Q, K and V of a layer as one matrix and one bias, in memory of the model's. */
static void join_qkv(struct getter *g, struct br_linear *l, size_t hidden, float *memory)
{
    static const char *const names[] = {"query", "key", "value"};
    *l = (struct br_linear){.in = hidden, .out = 3 * hidden, .w = memory, .bias = memory + 3 * hidden * hidden};
    for (size_t i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "attention.self.%s.weight", names[i]);
        const float *w = get(g, name, hidden, hidden);
        snprintf(name, sizeof name, "attention.self.%s.bias", names[i]);
        const float *b = get(g, name, hidden, 0);
        if (g->rc != BR_OK)
            return;
        memcpy(memory + i * hidden * hidden, w, hidden * hidden * sizeof *w);
        memcpy(memory + 3 * hidden * hidden + i * hidden, b, hidden * sizeof *b);
    }
}

static enum br_rc point_at_layers(struct br_model *m, const struct br_safetensors *f, float *memory, struct br_err *err)
{
    size_t hidden = m->info.dim, ffn = m->info.ffn;
    struct getter g = {.f = f, .err = err};
    for (uint32_t i = 0; i < m->info.layers && g.rc == BR_OK; i++) {
        struct br_layer *l = &m->layers[i];
        g.layer = i;
        join_qkv(&g, &l->qkv, hidden, memory + i * 3 * hidden * (hidden + 1));
        l->attention_out = (struct br_linear){.in = hidden,
                                              .out = hidden,
                                              .w = get(&g, "attention.output.dense.weight", hidden, hidden),
                                              .bias = get(&g, "attention.output.dense.bias", hidden, 0)};
        l->ffn_up = (struct br_linear){.in = hidden,
                                       .out = ffn,
                                       .w = get(&g, "intermediate.dense.weight", ffn, hidden),
                                       .bias = get(&g, "intermediate.dense.bias", ffn, 0)};
        l->ffn_down = (struct br_linear){.in = ffn,
                                         .out = hidden,
                                         .w = get(&g, "output.dense.weight", hidden, ffn),
                                         .bias = get(&g, "output.dense.bias", hidden, 0)};
        l->ln1_gamma = get(&g, "attention.output.LayerNorm.weight", hidden, 0);
        l->ln1_beta = get(&g, "attention.output.LayerNorm.bias", hidden, 0);
        l->ln2_gamma = get(&g, "output.LayerNorm.weight", hidden, 0);
        l->ln2_beta = get(&g, "output.LayerNorm.bias", hidden, 0);
    }
    return g.rc;
}

static enum br_rc point_at_embeddings(struct br_model *m, const struct br_safetensors *f, float *positions, struct br_err *err)
{
    size_t hidden = m->info.dim;
    const float *p, *type;
    size_t types = br_safetensors_rows(f, "embeddings.token_type_embeddings.weight");
    enum br_rc rc;
    BR_TRY(br_safetensors_get(f, "embeddings.word_embeddings.weight", m->info.vocab, hidden, &m->word_f, err));
    BR_TRY(br_safetensors_get(f, "embeddings.position_embeddings.weight", m->positions, hidden, &p, err));
    BR_TRY(br_safetensors_get(f, "embeddings.token_type_embeddings.weight", types, hidden, &type, err));
    BR_TRY(br_safetensors_get(f, "embeddings.LayerNorm.weight", hidden, 0, &m->ln_gamma, err));
    BR_TRY(br_safetensors_get(f, "embeddings.LayerNorm.bias", hidden, 0, &m->ln_beta, err));
    for (size_t i = 0; i < m->positions * hidden; i++)
        positions[i] = p[i] + type[i % hidden];
    m->position = positions;
err:
    return rc;
}

enum br_rc br_model_float_open(struct br_model *m, const char *dir, struct br_err *err)
{
    char path[4096];
    struct br_safetensors f = {0};
    enum br_rc rc;
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    BR_TRY(read_config(m, dir, err));
    BR_TRY(read_vocab(m, dir, err));
    if (br_vocab_size(m->vocab) != m->info.vocab)
        BR_TRY(br_fail(err, BR_E_DATA, "%s/vocab.txt has %u tokens, config.json says %u", dir, br_vocab_size(m->vocab), m->info.vocab));
    BR_TRY(br_safetensors_open(&f, path, err));
    size_t hidden = m->info.dim, qkv = m->info.layers * 3 * hidden * (hidden + 1);
    m->owned = malloc((qkv + m->positions * hidden) * sizeof(float));
    if (!m->owned)
        BR_TRY(br_fail_nomem(err));
    BR_TRY(point_at_embeddings(m, &f, m->owned + qkv, err));
    BR_TRY(point_at_layers(m, &f, m->owned, err));
    m->info.precision = BR_PRECISION_F32;
    m->info.max_seq = BR_DEFAULT_MAX_SEQ;
    m->info.bytes = f.bytes;
    snprintf(m->info.pooling, sizeof m->info.pooling, "mean");
    snprintf(m->info.name, sizeof m->info.name, "all-MiniLM-L6-v2");
    br_sha256_hex(f.map, f.bytes, m->info.id);
    memcpy(m->info.source_sha256, m->info.id, sizeof m->info.id);
    m->map = f.map;
    m->map_bytes = f.bytes;
    f.map = NULL;
err:
    br_safetensors_close(&f);
    return rc;
}
