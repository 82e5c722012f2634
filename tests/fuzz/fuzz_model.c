/* fuzz_model.c - model files from strangers: a .brm file whose checksums are right, a safetensors file, an ONNX file, and a folder of original
 * weights.
 *
 * Input: u8 kind, then for kind % 8 (and from 5 on, for kind % 4)
 *   0 changes (fuzz_change) of a .brm file        1 a .brm file
 *   2 a safetensors file                          3 u16 length, config.json; then u16 length, vocab.txt; then changes of model.safetensors
 *   4 an ONNX file
 * What opens is used: texts become ids and vectors. */
#include "fuzz.h"

#include "embed/embed.h"
#include "embed/model_file.h"
#include "embed/onnx_bert.h"
#include "embed/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHANGES_MAX 32
#define ROOM 4096

static void use(const struct br_model *m)
{
    static const char *const texts[] = {"the build broke again at the lake", "", "\xF0\x9F\x8E\x89 caf\xC3\xA9 \xFF x1y2z3"};
    const size_t lens[] = {strlen(texts[0]), 0, strlen(texts[2])};
    const struct br_model_info *info = br_model_info(m);
    struct br_embedder *e;
    struct br_err err = {0};
    uint16_t ids[BR_MAX_SEQ];
    float *out = calloc(3 * (size_t)info->dim, sizeof *out);
    BR_ASSERT(out && info->dim > 0 && info->max_seq >= 2 && info->max_seq <= BR_MAX_SEQ);
    for (size_t i = 0; i < BR_COUNT(texts); i++) {
        size_t n = br_tokenize(m, texts[i], lens[i], ids, info->max_seq);
        BR_ASSERT(n >= 2 && n <= info->max_seq);
        for (size_t j = 0; j < n; j++)
            BR_ASSERT(ids[j] < info->vocab);
    }
    BR_ASSERT(br_embedder_new(m, &e, &err) == BR_OK);
    if (br_embed(e, texts, lens, BR_COUNT(texts), out, &err) != BR_OK)
        BR_ASSERT(err.msg[0]);
    br_embedder_free(e);
    free(out);
}

static void open_model(const char *path)
{
    struct br_model *m;
    struct br_err err = {0};
    if (br_model_open(path, &m, &err) != BR_OK) {
        BR_ASSERT(err.rc == BR_E_DATA && err.msg[0] && !strchr(err.msg, '\n'));
        return;
    }
    use(m);
    br_model_close(m);
}

static void brm(struct fuzz_input in, bool whole)
{
    size_t n, alloc;
    const uint8_t *base = fuzz_model_bytes(&n);
    alloc = (BR_MAX(n, in.left) + ROOM) & ~(size_t)63;
    uint8_t *bytes = aligned_alloc(64, alloc);
    BR_ASSERT(bytes);
    if (whole)
        n = in.left;
    if (n)
        memcpy(bytes, whole ? in.at : base, n);
    for (int i = 0; !whole && i < CHANGES_MAX && in.left; i++)
        fuzz_change(&in, bytes, &n, alloc);
    fuzz_model_fix(bytes, n);
    open_model(fuzz_file(1, bytes, n));
    free(bytes);
}

static void safetensors(struct fuzz_input in)
{
    struct br_safetensors f;
    struct br_err err = {0};
    const char *name;
    json_t *tensor;
    float sum = 0;
    if (br_safetensors_open(&f, fuzz_file(1, in.at, in.left), &err) == BR_OK)
        json_object_foreach(f.header, name, tensor)
        {
            struct br_tensor t;
            const json_t *shape = json_object_get(tensor, "shape");
            size_t rows = br_safetensors_rows(&f, name), cols = (size_t)json_integer_value(json_array_get(shape, 1));
            struct br_err why = {0};
            if (br_safetensors_get(&f, name, rows, cols, &t, &why) != BR_OK)
                continue;
            float *p = malloc(rows * (cols ? cols : 1) * sizeof *p);
            BR_ASSERT(p);
            br_tensor_convert(&t, p);
            for (size_t i = 0; i < rows * (cols ? cols : 1); i++)
                sum += p[i];
            free(p);
        }
    BR_ASSERT(sum == sum || 1); /* the sum is there so that all is read */
    br_safetensors_close(&f);
}

/* As small as the one of seeds.c. */
static void onnx(struct fuzz_input in)
{
    static const struct br_onnx_shape shape = {.layers = 1, .hidden = 4, .ffn = 8, .vocab = 40, .positions = 6, .types = 2};
    static struct br_onnx_bert found;
    struct br_onnx o;
    struct br_err err = {0};
    enum br_rc rc = br_onnx_open(&o, fuzz_file(1, in.at, in.left), &err);
    if (rc == BR_OK)
        rc = br_onnx_bert_find(&o, &shape, &found, &err);
    BR_ASSERT(rc == BR_OK || (rc == BR_E_DATA && err.msg[0] && !strchr(err.msg, '\n')));
    for (size_t i = 0; rc == BR_OK && i < found.n; i++) {
        const struct br_tensor *t = &found.weights[i].tensor;
        float numbers[40 * 8];
        BR_ASSERT(t->rows * t->cols <= BR_COUNT(numbers));
        br_tensor_convert(t, numbers);
    }
    BR_ASSERT(rc != BR_OK || found.n == 21);
    br_onnx_close(&o);
}

/* ---- a folder of weights ---- */

#define POSITIONS 256
static const char *const shapes[][3] = {{"embeddings.word_embeddings.weight", "v", "h"},
                                        {"embeddings.position_embeddings.weight", "p", "h"},
                                        {"embeddings.token_type_embeddings.weight", "2", "h"},
                                        {"embeddings.LayerNorm.weight", "h", ""},
                                        {"embeddings.LayerNorm.bias", "h", ""},
                                        {"attention.self.query.weight", "h", "h"},
                                        {"attention.self.query.bias", "h", ""},
                                        {"attention.self.key.weight", "h", "h"},
                                        {"attention.self.key.bias", "h", ""},
                                        {"attention.self.value.weight", "h", "h"},
                                        {"attention.self.value.bias", "h", ""},
                                        {"attention.output.dense.weight", "h", "h"},
                                        {"attention.output.dense.bias", "h", ""},
                                        {"attention.output.LayerNorm.weight", "h", ""},
                                        {"attention.output.LayerNorm.bias", "h", ""},
                                        {"intermediate.dense.weight", "f", "h"},
                                        {"intermediate.dense.bias", "f", ""},
                                        {"output.dense.weight", "h", "f"},
                                        {"output.dense.bias", "h", ""},
                                        {"output.LayerNorm.weight", "h", ""},
                                        {"output.LayerNorm.bias", "h", ""}};

static size_t size_of(const char *letter, size_t vocab)
{
    return *letter == 'v' ? vocab : *letter == 'p' ? POSITIONS : *letter == 'h' ? FUZZ_DIM : *letter == 'f' ? 16 : *letter == '2' ? 2 : 0;
}

static const char *weights(size_t *n)
{
    static struct br_buf file;
    size_t len, vocab = 0, at = 0;
    if (file.len) {
        *n = file.len;
        return file.data;
    }
    for (const char *v = fuzz_model_vocabulary(&len), *p = v; p < v + len; p++)
        vocab += *p == '\n';
    br_buf_init(&file, 1 << 20);
    br_buf_add(&file, "\0\0\0\0\0\0\0\0{", 9);
    for (size_t i = 0; i < BR_COUNT(shapes); i++) {
        size_t rows = size_of(shapes[i][1], vocab), cols = size_of(shapes[i][2], vocab), bytes = 4 * rows * (cols ? cols : 1);
        br_buf_addf(&file, "%s\"%s%s\":{\"dtype\":\"F32\",\"shape\":[%zu", i ? "," : "", i < 5 ? "" : "encoder.layer.0.", shapes[i][0], rows);
        if (cols)
            br_buf_addf(&file, ",%zu", cols);
        br_buf_addf(&file, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
    br_buf_addc(&file, '}');
    while (file.len % 8)
        br_buf_addc(&file, ' ');
    uint64_t header = file.len - 8;
    memcpy(file.data, &header, 8);
    for (size_t i = 0; i < at / 4; i++) {
        float v = ((float)(i * 7919 % 2001) - 1000) / 4000;
        br_buf_add(&file, &v, 4);
    }
    BR_ASSERT(!file.failed);
    *n = file.len;
    return file.data;
}

/* A folder (on tmpfs) with nothing but links to files in memory; made once. */
static char folder[64];
static void remove_folder(void)
{
    static const char *const names[] = {"model.safetensors", "config.json", "vocab.txt"};
    char path[128];
    for (size_t i = 0; i < BR_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void make_folder(const char *safetensors_path, const char *config, const char *vocab)
{
    const char *const links[][2] = {{"model.safetensors", safetensors_path}, {"config.json", config}, {"vocab.txt", vocab}};
    char path[128];
    if (folder[0])
        return;
    strcpy(folder, "/dev/shm/backread-fuzz-XXXXXX");
    BR_ASSERT(mkdtemp(folder));
    for (size_t i = 0; i < BR_COUNT(links); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, links[i][0]);
        BR_ASSERT(symlink(links[i][1], path) == 0);
    }
    atexit(remove_folder);
}

static void weights_folder(struct fuzz_input in)
{
    static const char config[] = "{\"hidden_size\":32,\"num_hidden_layers\":1,\"num_attention_heads\":2,\"intermediate_size\":16,\"vocab_size\":97,"
                                 "\"max_position_embeddings\":256}";
    size_t n, vocab_len;
    struct fuzz_input own_config = fuzz_take(&in, fuzz_number(&in, 2)), own_vocab = fuzz_take(&in, fuzz_number(&in, 2));
    const char *vocab = fuzz_model_vocabulary(&vocab_len), *base = weights(&n);
    size_t alloc = n + ROOM;
    uint8_t *bytes = malloc(alloc);
    BR_ASSERT(bytes);
    memcpy(bytes, base, n);
    for (int i = 0; i < CHANGES_MAX && in.left; i++)
        fuzz_change(&in, bytes, &n, alloc);
    const char *a = fuzz_file(1, bytes, n);
    const char *b = own_config.left ? fuzz_file(2, own_config.at, own_config.left) : fuzz_file(2, config, sizeof config - 1);
    const char *c = own_vocab.left ? fuzz_file(3, own_vocab.at, own_vocab.left) : fuzz_file(3, vocab, vocab_len);
    make_folder(a, b, c);
    open_model(folder);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t kind = (uint8_t)fuzz_number(&in, 1) % 8;
    if (kind == 4) {
        onnx(in);
        return 0;
    }
    kind %= 4;
    if (kind < 2)
        brm(in, kind == 1);
    else if (kind == 2)
        safetensors(in);
    else
        weights_folder(in);
    return 0;
}
