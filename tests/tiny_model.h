/* tiny_model.h - a seeded random BERT of one layer and 32 dimensions over the real vocabulary, written as original weights and converted as the
 * real one is: for tests where the vectors' meaning does not matter and time does. */
#ifndef BR_TEST_TINY_MODEL_H
#define BR_TEST_TINY_MODEL_H

#include "e2e.h"

#include "embed/model_file.h"

#include <jansson.h>
#include <sys/stat.h>

#define TINY_HIDDEN 32
#define TINY_FFN 64
#define TINY_POSITIONS 256

/* The built-in model's vocabulary: texts then have as many tokens as in real life. */
static inline size_t tiny_vocab(FILE *f)
{
    extern const uint8_t br_builtin_model_begin[];
    const struct br_model_header *h = (const void *)br_builtin_model_begin;
    for (uint32_t i = 0; i < h->n_sections; i++)
        if (h->sections[i].tag == BR_SEC_VOCAB)
            fwrite(br_builtin_model_begin + h->sections[i].offset, 1, h->sections[i].bytes, f);
    return h->vocab;
}

struct tiny_tensors {
    json_t *header;
    FILE *data;
    size_t at;
    unsigned seed;
};

static inline void tiny_tensor(struct tiny_tensors *t, const char *name, size_t rows, size_t cols, float base)
{
    size_t n = rows * (cols ? cols : 1);
    for (size_t i = 0; i < n; i++) {
        float v = base + ((float)(rand_r(&t->seed) % 2001) - 1000.0f) / 4000.0f;
        fwrite(&v, sizeof v, 1, t->data);
    }
    json_t *shape = cols ? json_pack("[II]", (json_int_t)rows, (json_int_t)cols) : json_pack("[I]", (json_int_t)rows);
    json_object_set_new(t->header, name,
                        json_pack("{sssos[II]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)t->at,
                                  (json_int_t)(t->at + n * sizeof(float))));
    t->at += n * sizeof(float);
}

static inline void tiny_layer(struct tiny_tensors *t)
{
    static const struct {
        const char *name;
        size_t out, in;
    } linears[] = {{"attention.self.query", TINY_HIDDEN, TINY_HIDDEN},     {"attention.self.key", TINY_HIDDEN, TINY_HIDDEN},
                   {"attention.self.value", TINY_HIDDEN, TINY_HIDDEN},     {"attention.output.dense", TINY_HIDDEN, TINY_HIDDEN},
                   {"intermediate.dense", TINY_FFN, TINY_HIDDEN},          {"output.dense", TINY_HIDDEN, TINY_FFN}};
    char name[128];
    for (size_t i = 0; i < sizeof linears / sizeof *linears; i++) {
        snprintf(name, sizeof name, "encoder.layer.0.%s.weight", linears[i].name);
        tiny_tensor(t, name, linears[i].out, linears[i].in, 0);
        snprintf(name, sizeof name, "encoder.layer.0.%s.bias", linears[i].name);
        tiny_tensor(t, name, linears[i].out, 0, 0);
    }
    for (int i = 0; i < 2; i++) {
        const char *ln = i ? "output.LayerNorm" : "attention.output.LayerNorm";
        snprintf(name, sizeof name, "encoder.layer.0.%s.weight", ln);
        tiny_tensor(t, name, TINY_HIDDEN, 0, 1);
        snprintf(name, sizeof name, "encoder.layer.0.%s.bias", ln);
        tiny_tensor(t, name, TINY_HIDDEN, 0, 0);
    }
}

/* Makes dir/weights/ (original form) and dir/tiny.brm; path gets the latter's. */
static inline void tiny_model(const char *dir, char *path, size_t n)
{
    char weights[1200], name[1400];
    struct br_error err = {0};
    struct tiny_tensors t = {.header = json_object(), .data = tmpfile(), .seed = 7};
    snprintf(weights, sizeof weights, "%s/weights", dir);
    assert_int_equal(mkdir(weights, 0700), 0);
    snprintf(name, sizeof name, "%s/vocab.txt", weights);
    FILE *f = fopen(name, "wb");
    size_t vocab = tiny_vocab(f);
    fclose(f);
    snprintf(name, sizeof name, "%s/config.json", weights);
    json_t *config = json_pack("{sIsIsIsIsIsI}", "hidden_size", (json_int_t)TINY_HIDDEN, "num_hidden_layers", (json_int_t)1, "num_attention_heads",
                               (json_int_t)1, "intermediate_size", (json_int_t)TINY_FFN, "vocab_size", (json_int_t)vocab,
                               "max_position_embeddings", (json_int_t)TINY_POSITIONS);
    assert_int_equal(json_dump_file(config, name, 0), 0);
    json_decref(config);
    tiny_tensor(&t, "embeddings.word_embeddings.weight", vocab, TINY_HIDDEN, 0);
    tiny_tensor(&t, "embeddings.position_embeddings.weight", TINY_POSITIONS, TINY_HIDDEN, 0);
    tiny_tensor(&t, "embeddings.token_type_embeddings.weight", 2, TINY_HIDDEN, 0);
    tiny_tensor(&t, "embeddings.LayerNorm.weight", TINY_HIDDEN, 0, 1);
    tiny_tensor(&t, "embeddings.LayerNorm.bias", TINY_HIDDEN, 0, 0);
    tiny_layer(&t);
    snprintf(name, sizeof name, "%s/model.safetensors", weights);
    f = fopen(name, "wb");
    char *header = json_dumps(t.header, JSON_COMPACT);
    uint64_t len = strlen(header), padded = (len + 7) / 8 * 8;
    fwrite(&padded, 8, 1, f);
    fprintf(f, "%-*s", (int)padded, header);
    rewind(t.data);
    for (int c; (c = fgetc(t.data)) != EOF;)
        fputc(c, f);
    fclose(f);
    fclose(t.data);
    free(header);
    json_decref(t.header);
    snprintf(path, n, "%s/tiny.brm", dir);
    if (br_model_file_convert(weights, path, &err))
        fail_msg("%s", err.message);
}

#endif
