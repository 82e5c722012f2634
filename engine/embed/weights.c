/* weights.c - see weights.h. */
#include "embed/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWNED_MAX (5 + 16 * BR_ONNX_LAYERS_MAX + 8)

/* ChromaDB keeps model.onnx beside vocab.txt, model repositories one folder further down. */
static const char *const FILES[] = {"model.safetensors", "model.onnx", "onnx/model.onnx"};

/* What checkpoints put before the names: nothing, the class BertForMaskedLM's member, a sentence-transformers module. */
static const char *const PREFIXES[] = {"", "bert.", "0.auto_model.", "model."};

static enum br_rc find_prefix(struct br_weights *w, struct br_err *err)
{
    char name[128];
    for (size_t i = 0; i < BR_COUNT(PREFIXES); i++) {
        snprintf(name, sizeof name, "%sembeddings.word_embeddings.weight", PREFIXES[i]);
        if (!br_safetensors_rows(&w->safetensors, name))
            continue;
        w->prefix = PREFIXES[i];
        if (br_weights_rows(w, "encoder.layer.0.attention.self.distance_embedding.weight"))
            return br_fail(err, BR_E_DATA, "%s has relative position embeddings: only BERT's own, absolute ones are supported", w->path);
        return BR_OK;
    }
    return br_fail(err, BR_E_DATA, "%s has no tensor embeddings.word_embeddings.weight: not a BERT-shaped model", w->path);
}

static enum br_rc open_onnx(struct br_weights *w, const struct br_weights_shape *shape, struct br_err *err)
{
    const struct br_onnx_shape s = {.layers = shape->layers,
                                    .hidden = shape->hidden,
                                    .ffn = shape->ffn,
                                    .vocab = shape->vocab,
                                    .positions = shape->positions,
                                    .types = shape->types};
    enum br_rc rc;
    BR_TRY(br_onnx_open(&w->onnx, w->path, err));
    BR_TRY(br_onnx_bert_find(&w->onnx, &s, &w->graph, err));
err:
    return rc;
}

enum br_rc br_weights_open(struct br_weights *w, const char *dir, const char *only, const struct br_weights_shape *shape, struct br_err *err)
{
    enum br_rc rc;
    size_t i = 0;
    *w = (struct br_weights){.prefix = ""};
    for (; i < BR_COUNT(FILES); i++) {
        if (only && strcmp(FILES[i], only) != 0)
            continue;
        int n = snprintf(w->path, sizeof w->path, "%s/%s", dir, FILES[i]);
        if (n < 0 || (size_t)n >= sizeof w->path)
            return br_fail(err, BR_E_USAGE, "the path is too long: %.200s", dir);
        if (only || br_file_is_there(w->path))
            break;
    }
    if (i == BR_COUNT(FILES))
        return br_fail(err, BR_E_DATA, "%s has neither model.safetensors nor model.onnx (a model.bin has to be saved as safetensors first)", dir);
    w->owned = calloc(OWNED_MAX, sizeof *w->owned);
    if (!w->owned)
        return br_fail_nomem(err);
    w->is_onnx = i > 0;
    if (w->is_onnx)
        return open_onnx(w, shape, err);
    BR_TRY(br_safetensors_open(&w->safetensors, w->path, err));
    BR_TRY(find_prefix(w, err));
err:
    return rc;
}

void br_weights_settle(struct br_weights *w)
{
    json_decref(w->safetensors.header);
    w->safetensors.header = NULL;
    br_onnx_forget(&w->onnx);
}

void br_weights_close(struct br_weights *w)
{
    br_safetensors_close(&w->safetensors);
    br_onnx_close(&w->onnx);
    for (size_t i = 0; i < w->n_owned; i++)
        free(w->owned[i]);
    free(w->owned);
    *w = (struct br_weights){.prefix = ""};
}

const void *br_weights_bytes(const struct br_weights *w, size_t *n)
{
    const struct br_file_map *m = w->is_onnx ? &w->onnx.map : &w->safetensors.map;
    *n = m->bytes;
    return m->at;
}

/* The name in the file; checkpoints that came from TensorFlow call LayerNorm's numbers gamma and beta. */
static void name_in_file(const struct br_weights *w, const char *name, bool old, char out[192])
{
    const char *at = old ? strstr(name, "LayerNorm.") : NULL;
    if (at)
        snprintf(out, 192, "%s%.*s%s", w->prefix, (int)(at - name + 10), name, strcmp(at + 10, "weight") == 0 ? "gamma" : "beta");
    else
        snprintf(out, 192, "%s%s", w->prefix, name);
}

size_t br_weights_rows(const struct br_weights *w, const char *name)
{
    char full[192];
    if (w->is_onnx)
        return br_onnx_bert_rows(&w->graph, name);
    name_in_file(w, name, false, full);
    size_t rows = br_safetensors_rows(&w->safetensors, full);
    if (rows)
        return rows;
    name_in_file(w, name, true, full);
    return br_safetensors_rows(&w->safetensors, full);
}

static enum br_rc find(const struct br_weights *w, const char *name, size_t rows, size_t cols, struct br_tensor *t, struct br_err *err)
{
    char full[192];
    if (w->is_onnx)
        return br_onnx_bert_get(&w->graph, name, rows, cols, t, err);
    name_in_file(w, name, false, full);
    if (!json_object_get(w->safetensors.header, full))
        name_in_file(w, name, true, full);
    if (!json_object_get(w->safetensors.header, full))
        name_in_file(w, name, false, full); /* for the message */
    return br_safetensors_get(&w->safetensors, full, rows, cols, t, err);
}

enum br_rc br_weights_get(struct br_weights *w, const char *name, size_t rows, size_t cols, const float **out, struct br_err *err)
{
    struct br_tensor t;
    const float *p;
    enum br_rc rc = find(w, name, rows, cols, &t, err);
    if (rc != BR_OK)
        return rc;
    if (br_tensor_is_float32(&t)) {
        p = (const void *)t.data;
    } else {
        float *converted = w->n_owned < OWNED_MAX ? malloc(t.rows * t.cols * sizeof *converted) : NULL;
        if (!converted)
            return br_fail_nomem(err);
        w->owned[w->n_owned++] = converted;
        br_tensor_convert(&t, converted);
        p = converted;
    }
    if (!br_all_finite(p, t.rows * t.cols))
        return br_fail(err, BR_E_DATA, "%s: tensor %s holds numbers that are not finite: get the weights again", w->path, name);
    *out = p;
    return BR_OK;
}
