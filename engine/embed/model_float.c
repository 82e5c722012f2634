/* model_float.c - the float32 path: original weights of a folder, used where they lie in the mapped file as far as they are float32 and not
 * transposed. The QKV matrices (one product instead of three) and the positions (token type 0 folded in) are copied. */
#include "embed/model_int.h"

#include "embed/model_folder.h"
#include "embed/sha256.h"
#include "embed/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct getter {
    struct br_weights *f;
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
        g->rc = br_weights_get(g->f, full, rows, cols, &p, g->err);
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

static enum br_rc point_at_layers(struct br_model *m, struct br_weights *f, float *memory, struct br_err *err)
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

static enum br_rc point_at_embeddings(struct br_model *m, struct br_weights *f, float *positions, struct br_err *err)
{
    size_t hidden = m->info.dim;
    const float *p, *type;
    size_t types = br_weights_rows(f, "embeddings.token_type_embeddings.weight");
    enum br_rc rc;
    if (types < 1)
        BR_TRY(br_fail(err, BR_E_DATA, "%s: tensor embeddings.token_type_embeddings.weight is absent or empty", f->path));
    BR_TRY(br_weights_get(f, "embeddings.word_embeddings.weight", m->info.vocab, hidden, &m->word_f, err));
    BR_TRY(br_weights_get(f, "embeddings.position_embeddings.weight", m->positions, hidden, &p, err));
    BR_TRY(br_weights_get(f, "embeddings.token_type_embeddings.weight", types, hidden, &type, err));
    BR_TRY(br_weights_get(f, "embeddings.LayerNorm.weight", hidden, 0, &m->ln_gamma, err));
    BR_TRY(br_weights_get(f, "embeddings.LayerNorm.bias", hidden, 0, &m->ln_beta, err));
    for (size_t i = 0; i < m->positions * hidden; i++)
        positions[i] = p[i] + type[i % hidden];
    m->position = positions;
err:
    return rc;
}

/* The weights whose provenance is known, by their sha256. Of all others nothing is claimed. */
static const struct {
    const char *sha256, *name, *licence, *origin;
} KNOWN[] = {
    {"53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", "all-MiniLM-L6-v2", "Apache-2.0",
     "sentence-transformers/all-MiniLM-L6-v2; based on nreimers/MiniLM-L6-H384-uncased (MIT)"},
    {"ca46f1a88a9c6e61b918af1ab38be3e7903b986616551f0a6f10a7ecc5730cd4", "all-MiniLM-L6-v2", "Apache-2.0", /* the same, as ONNX */
     "sentence-transformers/all-MiniLM-L6-v2; based on nreimers/MiniLM-L6-H384-uncased (MIT)"},
};

/* The folder's name; of ".../name/onnx" the one above. */
static void name_of_folder(const char *dir, char *out, size_t size)
{
    char *real = realpath(dir, NULL), *slash = real ? strrchr(real, '/') : NULL;
    if (slash && slash != real && strcmp(slash, "/onnx") == 0) {
        *slash = 0;
        slash = strrchr(real, '/');
    }
    const char *name = slash && slash[1] ? slash + 1 : "unnamed";
    br_clean_text(out, size, name, strlen(name));
    free(real);
}

static void name_model(struct br_model_info *info, const char *dir)
{
    name_of_folder(dir, info->name, sizeof info->name);
    for (size_t i = 0; i < BR_COUNT(KNOWN); i++)
        if (strcmp(info->source_sha256, KNOWN[i].sha256) == 0) {
            snprintf(info->name, sizeof info->name, "%s", KNOWN[i].name);
            snprintf(info->licence, sizeof info->licence, "%s", KNOWN[i].licence);
            snprintf(info->origin, sizeof info->origin, "%s", KNOWN[i].origin);
        }
}

/* Of the weights alone, as long as nothing else makes the vectors: then of both. */
static void identify(struct br_model_info *info, const void *bytes, size_t n)
{
    struct br_sha256 sha;
    br_sha256_hex(bytes, n, info->source_sha256);
    memcpy(info->id, info->source_sha256, sizeof info->id);
    if (br_settings_are_plain(info))
        return;
    br_sha256_init(&sha);
    br_sha256_add(&sha, info->source_sha256, 64);
    br_settings_hash(info, &sha);
    br_sha256_end(&sha, info->id);
}

enum br_rc br_model_float_open(struct br_model *m, const char *dir, const char *weights, const struct br_model_options *options, struct br_err *err)
{
    struct br_folder folder = {0};
    size_t bytes;
    enum br_rc rc;
    m->weights = calloc(1, sizeof *m->weights);
    if (!m->weights)
        BR_TRY(br_fail_nomem(err));
    BR_TRY(br_folder_read(&folder, dir, options, &m->info, err));
    m->positions = folder.positions;
    m->vocab_text = folder.vocab;
    m->vocab_bytes = folder.vocab_bytes;
    folder.vocab = NULL;
    BR_TRY(br_vocab_new(m->vocab_text, m->vocab_bytes, &m->vocab, err));
    if (br_vocab_size(m->vocab) != m->info.vocab)
        BR_TRY(br_fail(err, BR_E_DATA, "%s: the vocabulary has %u tokens, config.json says %u", dir, br_vocab_size(m->vocab), m->info.vocab));
    const struct br_weights_shape shape = {.layers = m->info.layers,
                                           .hidden = m->info.dim,
                                           .ffn = m->info.ffn,
                                           .vocab = m->info.vocab,
                                           .positions = (uint32_t)m->positions,
                                           .types = folder.types};
    BR_TRY(br_weights_open(m->weights, dir, weights, &shape, err));
    size_t hidden = m->info.dim, qkv = m->info.layers * 3 * hidden * (hidden + 1);
    m->owned = malloc((qkv + m->positions * hidden) * sizeof(float));
    if (!m->owned)
        BR_TRY(br_fail_nomem(err));
    BR_TRY(point_at_embeddings(m, m->weights, m->owned + qkv, err));
    BR_TRY(point_at_layers(m, m->weights, m->owned, err));
    m->info.precision = BR_PRECISION_F32;
    const void *all = br_weights_bytes(m->weights, &bytes);
    m->info.bytes = bytes;
    identify(&m->info, all, bytes);
    name_model(&m->info, dir);
    br_weights_settle(m->weights);
err:
    br_folder_free(&folder);
    return rc;
}
