/* bert_folder.h - small random BERTs of any layout as folders of original weights, in safetensors or ONNX, and the vectors they must give, from a
 * forward pass that is slow and obvious. */
#ifndef BR_TEST_BERT_FOLDER_H
#define BR_TEST_BERT_FOLDER_H

#include "base/buf.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum bert_type { BERT_F32, BERT_F16, BERT_BF16 };

struct bert_shape {
    size_t layers, hidden, heads, ffn, positions;
    enum bert_type type;
    const char *prefix; /* of tensor names */
    unsigned seed;
};

static const char *const bert_words[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "lake", "build", "broke", "again", "server", "deploy",
                                         "data", "meeting", "lunch", "today", "##s", "##ing", "query", "passage", ":", ".", ",", "?", "a", "b",
                                         "c", "##a", "##b", "##c", "is", "in", "on", "it", "who", "what", "when", "where", "why", "how"};
#define BERT_VOCAB (sizeof bert_words / sizeof *bert_words)
#define BERT_TENSORS_MAX (5 + 16 * 12)

struct bert_tensor {
    char name[96];
    size_t rows, cols; /* cols 0: a vector */
    float *at;
};
struct bert {
    struct bert_shape shape;
    struct bert_tensor tensors[BERT_TENSORS_MAX];
    size_t n;
};

/* --- Numbers --- */

/* Ten bits of fraction, above 2^-14; smaller numbers are multiples of 2^-24. */
static inline float bert_half_step(float x)
{
    int e;
    frexpf(x, &e);
    return ldexpf(1, e < -13 ? -24 : e - 11);
}

static inline uint16_t bert_half(float x)
{
    int e;
    float step = bert_half_step(x), m = rintf(fabsf(x) / step);
    frexpf(m * step, &e);
    uint16_t sign = x < 0 ? 0x8000 : 0;
    if (m == 0 || e < -13)
        return (uint16_t)(sign | (uint16_t)m);
    return (uint16_t)(sign | (e + 14) << 10 | ((uint16_t)ldexpf(m * step, 11 - e) & 0x3FF));
}

static inline uint16_t bert_bfloat(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/* As the file will hold it. */
static inline float bert_rounded(float x, enum bert_type type)
{
    if (type == BERT_F16)
        return rintf(x / bert_half_step(x)) * bert_half_step(x);
    uint32_t bits = (uint32_t)bert_bfloat(x) << 16;
    float y;
    memcpy(&y, &bits, 4);
    return type == BERT_BF16 ? y : x;
}

__attribute__((format(printf, 5, 6))) static inline void bert_add(struct bert *b, size_t rows, size_t cols, float base, const char *format, ...)
{
    struct bert_tensor *t = &b->tensors[b->n++];
    size_t n = rows * (cols ? cols : 1);
    va_list ap;
    va_start(ap, format);
    vsnprintf(t->name, sizeof t->name, format, ap);
    va_end(ap);
    t->rows = rows;
    t->cols = cols;
    t->at = malloc(n * sizeof *t->at);
    BR_ASSERT(t->at);
    float scale = cols ? 1.6f / sqrtf((float)cols) : 0.2f;
    for (size_t i = 0; i < n; i++)
        t->at[i] = bert_rounded(base + scale * ((float)(rand_r(&b->shape.seed) % 2001) / 1000.0f - 1.0f), b->shape.type);
}

static inline struct bert bert_new(struct bert_shape s)
{
    struct bert b = {.shape = s};
    size_t h = s.hidden;
    bert_add(&b, BERT_VOCAB, h, 0, "embeddings.word_embeddings.weight");
    bert_add(&b, s.positions, h, 0, "embeddings.position_embeddings.weight");
    bert_add(&b, 2, h, 0, "embeddings.token_type_embeddings.weight");
    bert_add(&b, h, 0, 1, "embeddings.LayerNorm.weight");
    bert_add(&b, h, 0, 0, "embeddings.LayerNorm.bias");
    for (unsigned l = 0; l < s.layers; l++) {
        static const char *const linears[] = {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
                                              "intermediate.dense", "output.dense"};
        for (int i = 0; i < 6; i++) {
            size_t out = i == 4 ? s.ffn : h, in = i == 5 ? s.ffn : h;
            bert_add(&b, out, in, 0, "encoder.layer.%u.%s.weight", l, linears[i]);
            bert_add(&b, out, 0, 0, "encoder.layer.%u.%s.bias", l, linears[i]);
        }
        for (int i = 0; i < 2; i++) {
            const char *where = i ? "output" : "attention.output";
            bert_add(&b, h, 0, 1, "encoder.layer.%u.%s.LayerNorm.weight", l, where);
            bert_add(&b, h, 0, 0, "encoder.layer.%u.%s.LayerNorm.bias", l, where);
        }
    }
    return b;
}

static inline void bert_free(struct bert *b)
{
    for (size_t i = 0; i < b->n; i++)
        free(b->tensors[i].at);
    b->n = 0;
}

__attribute__((format(printf, 2, 3))) static inline const float *bert_get(const struct bert *b, const char *format, ...)
{
    char name[96];
    va_list ap;
    va_start(ap, format);
    vsnprintf(name, sizeof name, format, ap);
    va_end(ap);
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->tensors[i].name, name) == 0)
            return b->tensors[i].at;
    BR_ASSERT(false);
    return NULL;
}

/* --- The forward pass, one text, in double --- */

static inline void bert_linear(const double *x, size_t n, size_t in, size_t out, const float *w, const float *bias, double *y)
{
    for (size_t t = 0; t < n; t++)
        for (size_t j = 0; j < out; j++) {
            double sum = (double)bias[j];
            for (size_t k = 0; k < in; k++)
                sum += x[t * in + k] * (double)w[j * in + k];
            y[t * out + j] = sum;
        }
}

static inline void bert_norm(double *x, size_t n, size_t h, const float *gamma, const float *beta)
{
    for (size_t t = 0; t < n; t++, x += h) {
        double mean = 0, var = 0;
        for (size_t i = 0; i < h; i++)
            mean += x[i] / (double)h;
        for (size_t i = 0; i < h; i++)
            var += (x[i] - mean) * (x[i] - mean) / (double)h;
        for (size_t i = 0; i < h; i++)
            x[i] = (x[i] - mean) / sqrt(var + 1e-12) * (double)gamma[i] + (double)beta[i];
    }
}

static inline void bert_attention(const double *q, const double *k, const double *v, size_t n, size_t h, size_t heads, double *out)
{
    size_t d = h / heads;
    double *p = malloc(n * sizeof *p);
    for (size_t head = 0; head < heads; head++)
        for (size_t t = 0; t < n; t++) {
            double sum = 0;
            for (size_t s = 0; s < n; s++) {
                p[s] = 0;
                for (size_t i = 0; i < d; i++)
                    p[s] += q[t * h + head * d + i] * k[s * h + head * d + i];
                sum += p[s] = exp(p[s] / sqrt((double)d));
            }
            for (size_t i = 0; i < d; i++) {
                double y = 0;
                for (size_t s = 0; s < n; s++)
                    y += p[s] / sum * v[s * h + head * d + i];
                out[t * h + head * d + i] = y;
            }
        }
    free(p);
}

/* The vector of n token ids, unit length. */
static inline void bert_embed(const struct bert *b, const uint16_t *ids, size_t n, bool cls, double *out)
{
    const struct bert_shape *s = &b->shape;
    size_t h = s->hidden, wide = s->ffn > h ? s->ffn : h;
    double *x = calloc(n * h, sizeof *x), *q = calloc(n * wide, sizeof *q), *k = calloc(n * h, sizeof *k), *v = calloc(n * h, sizeof *v),
           *c = calloc(n * h, sizeof *c);
    const float *words = bert_get(b, "embeddings.word_embeddings.weight"), *positions = bert_get(b, "embeddings.position_embeddings.weight"),
                *types = bert_get(b, "embeddings.token_type_embeddings.weight");
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < h; i++)
            x[t * h + i] = (double)words[ids[t] * h + i] + (double)positions[t * h + i] + (double)types[i];
    bert_norm(x, n, h, bert_get(b, "embeddings.LayerNorm.weight"), bert_get(b, "embeddings.LayerNorm.bias"));
#define W(what) bert_get(b, "encoder.layer.%u." what ".weight", l), bert_get(b, "encoder.layer.%u." what ".bias", l)
    for (unsigned l = 0; l < s->layers; l++) {
        bert_linear(x, n, h, h, W("attention.self.query"), q);
        bert_linear(x, n, h, h, W("attention.self.key"), k);
        bert_linear(x, n, h, h, W("attention.self.value"), v);
        bert_attention(q, k, v, n, h, s->heads, c);
        bert_linear(c, n, h, h, W("attention.output.dense"), k);
        for (size_t i = 0; i < n * h; i++)
            x[i] += k[i];
        bert_norm(x, n, h, W("attention.output.LayerNorm"));
        bert_linear(x, n, h, s->ffn, W("intermediate.dense"), q);
        for (size_t i = 0; i < n * s->ffn; i++)
            q[i] = 0.5 * q[i] * (1 + erf(q[i] / sqrt(2)));
        bert_linear(q, n, s->ffn, h, W("output.dense"), k);
        for (size_t i = 0; i < n * h; i++)
            x[i] += k[i];
        bert_norm(x, n, h, W("output.LayerNorm"));
    }
#undef W
    double norm = 0;
    for (size_t i = 0; i < h; i++) {
        out[i] = 0;
        for (size_t t = 0; t < (cls ? 1 : n); t++)
            out[i] += x[t * h + i];
        norm += out[i] * out[i];
    }
    for (size_t i = 0; i < h; i++)
        out[i] /= sqrt(norm);
    free(x), free(q), free(k), free(v), free(c);
}

/* --- Folders --- */

static inline void bert_store(const char *dir, const char *name, const void *at, size_t n)
{
    char path[1400];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    BR_ASSERT(f);
    BR_ASSERT(fwrite(at, 1, n, f) == n);
    BR_ASSERT(fclose(f) == 0);
}

static inline void bert_store_text(const char *dir, const char *name, const char *text)
{
    bert_store(dir, name, text, strlen(text));
}

static inline json_t *bert_config(const struct bert_shape *s)
{
    return json_pack("{ss ss sI sI sI sI sI sI sI sf}", "model_type", "bert", "hidden_act", "gelu", "hidden_size", (json_int_t)s->hidden,
                     "num_hidden_layers", (json_int_t)s->layers, "num_attention_heads", (json_int_t)s->heads, "intermediate_size",
                     (json_int_t)s->ffn, "vocab_size", (json_int_t)BERT_VOCAB, "max_position_embeddings", (json_int_t)s->positions,
                     "type_vocab_size", (json_int_t)2, "layer_norm_eps", 1e-12);
}

/* dir is made: config.json and vocab.txt. */
static inline void bert_write_folder(const struct bert_shape *s, const char *dir)
{
    struct br_buf b;
    char path[1400];
    BR_ASSERT(mkdir(dir, 0700) == 0);
    br_buf_init(&b, 1 << 20);
    for (size_t i = 0; i < BERT_VOCAB; i++) {
        br_buf_adds(&b, bert_words[i]);
        br_buf_addc(&b, '\n');
    }
    bert_store(dir, "vocab.txt", b.data, b.len);
    br_buf_free(&b);
    json_t *config = bert_config(s);
    snprintf(path, sizeof path, "%s/config.json", dir);
    BR_ASSERT(json_dump_file(config, path, 0) == 0);
    json_decref(config);
}

static inline void bert_put_numbers(struct br_buf *b, const struct bert_tensor *t, enum bert_type type)
{
    for (size_t i = 0; i < t->rows * (t->cols ? t->cols : 1); i++) {
        uint16_t half = type == BERT_F16 ? bert_half(t->at[i]) : bert_bfloat(t->at[i]);
        if (type == BERT_F32)
            br_buf_add(b, &t->at[i], 4);
        else
            br_buf_add(b, &half, 2);
    }
}

static inline void bert_write_safetensors(const struct bert *b, const char *dir)
{
    static const char *const types[] = {"F32", "F16", "BF16"};
    struct br_buf data, file;
    json_t *header = json_object();
    br_buf_init(&data, 64 << 20);
    br_buf_init(&file, 64 << 20);
    for (size_t i = 0; i < b->n; i++) {
        const struct bert_tensor *t = &b->tensors[i];
        char name[128];
        size_t from = data.len;
        bert_put_numbers(&data, t, b->shape.type);
        json_t *shape = t->cols ? json_pack("[II]", (json_int_t)t->rows, (json_int_t)t->cols) : json_pack("[I]", (json_int_t)t->rows);
        snprintf(name, sizeof name, "%s%s", b->shape.prefix ? b->shape.prefix : "", t->name);
        json_object_set_new(header, name,
                            json_pack("{sssos[II]}", "dtype", types[b->shape.type], "shape", shape, "data_offsets", (json_int_t)from,
                                      (json_int_t)data.len));
    }
    char *text = json_dumps(header, JSON_COMPACT);
    uint64_t len = strlen(text);
    br_buf_add(&file, &len, 8);
    br_buf_adds(&file, text);
    br_buf_add(&file, data.data, data.len);
    bert_store(dir, "model.safetensors", file.data, file.len);
    free(text);
    json_decref(header);
    br_buf_free(&data);
    br_buf_free(&file);
}

#endif
