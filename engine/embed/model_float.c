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
#include <unistd.h>

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
    if (types < 1)
        BR_TRY(br_fail(err, BR_E_DATA, "%s: tensor embeddings.token_type_embeddings.weight is absent or empty", f->path));
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

/* Vectors are means over tokens here: a model that was trained to pool otherwise would give wrong ones. Without the file the mean is assumed. */
static enum br_rc check_pooling(const char *dir, struct br_err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/1_Pooling/config.json", dir);
    if (access(path, F_OK) != 0)
        return BR_OK;
    json_t *config = json_load_file(path, 0, NULL), *value;
    const char *key, *other = json_is_object(config) ? NULL : "unreadable";
    bool mean = false;
    json_object_foreach(config, key, value)
    {
        bool named = strcmp(key, "pooling_mode") == 0 && json_is_string(value);
        bool is_mean = strcmp(key, "pooling_mode_mean_tokens") == 0 || (named && strcmp(json_string_value(value), "mean") == 0);
        if (strncmp(key, "pooling_mode", strlen("pooling_mode")) != 0 || !(named || json_is_true(value)))
            continue;
        mean = mean || is_mean;
        if (!is_mean && !other)
            other = named ? json_string_value(value) : key;
    }
    enum br_rc rc = BR_OK;
    if (!mean || other)
        rc = br_fail(err, BR_E_DATA, "%s asks for another pooling than the mean over tokens (%.60s): such models are not supported", path,
                     other ? other : "none");
    json_decref(config);
    return rc;
}

/* The weights whose provenance is known, by their sha256. Of all others nothing is claimed. */
static const struct {
    const char *sha256, *name, *licence, *origin;
} KNOWN[] = {
    {"53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", "all-MiniLM-L6-v2", "Apache-2.0",
     "sentence-transformers/all-MiniLM-L6-v2; based on nreimers/MiniLM-L6-H384-uncased (MIT)"},
};

static void name_model(struct br_model_info *info, const char *dir)
{
    char *real = realpath(dir, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL, *name = slash && slash[1] ? slash + 1 : "unnamed";
    br_clean_text(info->name, sizeof info->name, name, strlen(name));
    free(real);
    for (size_t i = 0; i < BR_COUNT(KNOWN); i++)
        if (strcmp(info->source_sha256, KNOWN[i].sha256) == 0) {
            snprintf(info->name, sizeof info->name, "%s", KNOWN[i].name);
            snprintf(info->licence, sizeof info->licence, "%s", KNOWN[i].licence);
            snprintf(info->origin, sizeof info->origin, "%s", KNOWN[i].origin);
        }
}

enum br_rc br_model_float_open(struct br_model *m, const char *dir, struct br_err *err)
{
    char path[4096];
    struct br_safetensors f = {0};
    enum br_rc rc;
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    BR_TRY(read_config(m, dir, err));
    BR_TRY(check_pooling(dir, err));
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
    br_sha256_hex(f.map, f.bytes, m->info.id);
    memcpy(m->info.source_sha256, m->info.id, sizeof m->info.id);
    name_model(&m->info, dir);
    m->map = f.map;
    m->map_bytes = f.bytes;
    f.map = NULL;
err:
    br_safetensors_close(&f);
    return rc;
}
