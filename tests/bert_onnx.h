/* bert_onnx.h - the random BERTs of bert_folder.h as ONNX graphs, in the forms that exporters give them. */
#ifndef BR_TEST_BERT_ONNX_H
#define BR_TEST_BERT_ONNX_H

#include "bert_folder.h"

struct bert_onnx_form {
    bool norm_operator;   /* LayerNormalization instead of its parts */
    bool transposes;      /* weights as checkpoints hold them, with Transpose nodes */
    bool bias_last;       /* Add(product, bias) */
    bool scale_first;     /* query and key are scaled, not the scores */
    bool constants;       /* Constant nodes instead of initializers */
    bool float_data;      /* numbers of small tensors in float_data */
    bool elsewhere;       /* weights are in another file */
    bool tanh_gelu;       /* not what BERT has */
    float eps;            /* 0: 1e-12 */
    const char *extra_op; /* a node of this kind at the end */
};

struct bert_onnx {
    const struct bert *b;
    struct bert_onnx_form form;
    struct br_buf graph;
    unsigned next; /* names of values carry no meaning */
};

static inline void onnx_varint(struct br_buf *b, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        br_buf_addc(b, (char)(v | 128));
    br_buf_addc(b, (char)v);
}

static inline void onnx_bytes(struct br_buf *b, unsigned field, const void *at, size_t n)
{
    onnx_varint(b, field << 3 | 2);
    onnx_varint(b, n);
    br_buf_add(b, at, n);
}

static inline void onnx_text(struct br_buf *b, unsigned field, const char *text)
{
    onnx_bytes(b, field, text, strlen(text));
}

static inline void onnx_number(struct br_buf *b, unsigned field, uint64_t v)
{
    onnx_varint(b, field << 3);
    onnx_varint(b, v);
}

struct onnx_name {
    char text[16];
};

static inline struct onnx_name onnx_new_name(struct bert_onnx *o)
{
    struct onnx_name n;
    snprintf(n.text, sizeof n.text, "v%u", o->next++);
    return n;
}

/* A node with an attribute, if attribute is not NULL. */
static inline struct onnx_name onnx_node_with(struct bert_onnx *o, const char *op, const char *a, const char *b, const char *c,
                                              const struct br_buf *attribute)
{
    struct onnx_name out = onnx_new_name(o);
    const char *inputs[] = {a, b, c};
    struct br_buf n;
    br_buf_init(&n, 64 << 20);
    for (int i = 0; i < 3; i++)
        if (inputs[i])
            onnx_text(&n, 1, inputs[i]);
    onnx_text(&n, 2, out.text);
    onnx_text(&n, 4, op);
    if (attribute)
        onnx_bytes(&n, 5, attribute->data, attribute->len);
    onnx_bytes(&o->graph, 1, n.data, n.len);
    br_buf_free(&n);
    return out;
}

static inline struct onnx_name onnx_node(struct bert_onnx *o, const char *op, const char *a, const char *b)
{
    return onnx_node_with(o, op, a, b, NULL, NULL);
}

static inline struct onnx_name onnx_tensor(struct bert_onnx *o, const size_t *dims, size_t n_dims, const float *at, size_t n)
{
    struct onnx_name name = onnx_new_name(o);
    struct br_buf t, a;
    br_buf_init(&t, 64 << 20);
    br_buf_init(&a, 64 << 20);
    for (size_t i = 0; i < n_dims; i++)
        onnx_number(&t, 1, dims[i]);
    onnx_number(&t, 2, 1);
    if (o->form.elsewhere)
        onnx_number(&t, 14, 1);
    onnx_bytes(&t, o->form.float_data && n < 200 ? 4 : 9, at, n * sizeof *at);
    if (o->form.constants) {
        onnx_text(&a, 1, "value");
        onnx_bytes(&a, 5, t.data, t.len);
        name = onnx_node_with(o, "Constant", NULL, NULL, NULL, &a);
    } else {
        onnx_text(&t, 8, name.text);
        onnx_bytes(&o->graph, 5, t.data, t.len);
    }
    br_buf_free(&t);
    br_buf_free(&a);
    return name;
}

static inline struct onnx_name onnx_scalar(struct bert_onnx *o, float x)
{
    return onnx_tensor(o, NULL, 0, &x, 1);
}

__attribute__((format(printf, 3, 4))) static inline struct onnx_name onnx_weight(struct bert_onnx *o, bool transposed, const char *format, ...)
{
    char name[96];
    va_list ap;
    va_start(ap, format);
    vsnprintf(name, sizeof name, format, ap);
    va_end(ap);
    for (size_t i = 0; i < o->b->n; i++) {
        const struct bert_tensor *t = &o->b->tensors[i];
        if (strcmp(t->name, name) != 0)
            continue;
        size_t n = t->rows * (t->cols ? t->cols : 1), dims[2] = {t->rows, t->cols};
        if (!transposed)
            return onnx_tensor(o, dims, t->cols ? 2 : 1, t->at, n);
        float *turned = malloc(n * sizeof *turned);
        for (size_t r = 0; r < t->rows; r++)
            for (size_t c = 0; c < t->cols; c++)
                turned[c * t->rows + r] = t->at[r * t->cols + c];
        struct onnx_name out = onnx_tensor(o, (size_t[]){t->cols, t->rows}, 2, turned, n);
        free(turned);
        return out;
    }
    BR_ASSERT(false);
    return (struct onnx_name){""};
}

static inline struct onnx_name onnx_perm(struct bert_onnx *o, const char *in, const int *perm, size_t n)
{
    struct br_buf a;
    br_buf_init(&a, 1000);
    onnx_text(&a, 1, "perm");
    for (size_t i = 0; i < n; i++)
        onnx_number(&a, 8, (uint64_t)perm[i]);
    struct onnx_name out = onnx_node_with(o, "Transpose", in, NULL, NULL, &a);
    br_buf_free(&a);
    return out;
}

static inline struct onnx_name onnx_linear(struct bert_onnx *o, const char *x, unsigned layer, const char *what)
{
    struct onnx_name bias = onnx_weight(o, false, "encoder.layer.%u.%s.bias", layer, what);
    struct onnx_name w = onnx_weight(o, !o->form.transposes, "encoder.layer.%u.%s.weight", layer, what);
    if (o->form.transposes)
        w = onnx_perm(o, w.text, (int[]){1, 0}, 2);
    struct onnx_name y = onnx_node(o, "MatMul", x, w.text);
    return o->form.bias_last ? onnx_node(o, "Add", y.text, bias.text) : onnx_node(o, "Add", bias.text, y.text);
}

static inline struct onnx_name onnx_norm(struct bert_onnx *o, const char *x, const char *where)
{
    struct onnx_name gamma = onnx_weight(o, false, "%sLayerNorm.weight", where), beta = onnx_weight(o, false, "%sLayerNorm.bias", where);
    float eps = o->form.eps > 0 ? o->form.eps : 1e-12f;
    if (o->form.norm_operator) {
        struct br_buf a;
        br_buf_init(&a, 1000);
        onnx_text(&a, 1, "epsilon");
        onnx_varint(&a, 2 << 3 | 5);
        br_buf_add(&a, &eps, 4);
        struct onnx_name y = onnx_node_with(o, "LayerNormalization", x, gamma.text, beta.text, &a);
        br_buf_free(&a);
        return y;
    }
    struct onnx_name mean = onnx_node(o, "ReduceMean", x, NULL), centred = onnx_node(o, "Sub", x, mean.text), two = onnx_scalar(o, 2);
    struct onnx_name square = onnx_node(o, "Pow", centred.text, two.text), var = onnx_node(o, "ReduceMean", square.text, NULL);
    struct onnx_name small = onnx_scalar(o, eps), sum = onnx_node(o, "Add", var.text, small.text), root = onnx_node(o, "Sqrt", sum.text, NULL);
    struct onnx_name unit = onnx_node(o, "Div", centred.text, root.text), scaled = onnx_node(o, "Mul", unit.text, gamma.text);
    return onnx_node(o, "Add", scaled.text, beta.text);
}

static inline struct onnx_name onnx_gelu(struct bert_onnx *o, const char *u)
{
    struct onnx_name one = onnx_scalar(o, 1), half = onnx_scalar(o, 0.5f), inner;
    if (o->form.tanh_gelu) {
        struct onnx_name s = onnx_scalar(o, 0.79788456f), a = onnx_node(o, "Mul", u, s.text);
        inner = onnx_node(o, "Tanh", a.text, NULL);
    } else {
        struct onnx_name root = onnx_scalar(o, 1.41421356f), a = onnx_node(o, "Div", u, root.text);
        inner = onnx_node(o, "Erf", a.text, NULL);
    }
    struct onnx_name sum = onnx_node(o, "Add", inner.text, one.text), y = onnx_node(o, "Mul", u, sum.text);
    return onnx_node(o, "Mul", y.text, half.text);
}

static inline struct onnx_name onnx_heads(struct bert_onnx *o, const char *x, bool key)
{
    struct onnx_name y = onnx_node(o, "Reshape", x, "shape");
    return onnx_perm(o, y.text, key ? (int[]){0, 2, 3, 1} : (int[]){0, 2, 1, 3}, 4);
}

static inline struct onnx_name onnx_attention(struct bert_onnx *o, const char *x, unsigned layer)
{
    float d = (float)(o->b->shape.hidden / o->b->shape.heads);
    /* The key first: whoever goes by the order of nodes mixes them up. */
    struct onnx_name k = onnx_linear(o, x, layer, "attention.self.key"), v = onnx_linear(o, x, layer, "attention.self.value");
    struct onnx_name q = onnx_linear(o, x, layer, "attention.self.query"), s = onnx_scalar(o, o->form.scale_first ? 1 / sqrtf(sqrtf(d)) : sqrtf(d));
    k = onnx_heads(o, k.text, true);
    v = onnx_heads(o, v.text, false);
    q = onnx_heads(o, q.text, false);
    if (o->form.scale_first) {
        q = onnx_node(o, "Mul", q.text, s.text);
        k = onnx_node(o, "Mul", k.text, s.text);
    }
    struct onnx_name scores = onnx_node(o, "MatMul", q.text, k.text);
    if (!o->form.scale_first)
        scores = onnx_node(o, "Div", scores.text, s.text);
    scores = onnx_node(o, "Add", scores.text, "mask");
    struct onnx_name p = onnx_node(o, "Softmax", scores.text, NULL), c = onnx_node(o, "MatMul", p.text, v.text);
    c = onnx_perm(o, c.text, (int[]){0, 2, 1, 3}, 4);
    return onnx_node(o, "Reshape", c.text, "shape");
}

static inline struct onnx_name onnx_layer(struct bert_onnx *o, const char *x, unsigned layer)
{
    char where[64];
    struct onnx_name c = onnx_attention(o, x, layer), y = onnx_linear(o, c.text, layer, "attention.output.dense");
    y = onnx_node(o, "Add", y.text, x);
    snprintf(where, sizeof where, "encoder.layer.%u.attention.output.", layer);
    y = onnx_norm(o, y.text, where);
    struct onnx_name u = onnx_linear(o, y.text, layer, "intermediate.dense"), g = onnx_gelu(o, u.text);
    g = onnx_linear(o, g.text, layer, "output.dense");
    g = onnx_node(o, "Add", g.text, y.text);
    snprintf(where, sizeof where, "encoder.layer.%u.output.", layer);
    return onnx_norm(o, g.text, where);
}

/* The bytes of a file; buf is initialised here. */
static inline void bert_onnx_bytes(const struct bert *b, struct bert_onnx_form form, struct br_buf *buf)
{
    static const char *const inputs[] = {"input_ids", "attention_mask", "token_type_ids", "mask", "shape", "position_ids"};
    struct bert_onnx o = {.b = b, .form = form};
    struct br_buf value;
    br_buf_init(&o.graph, 64 << 20);
    br_buf_init(&value, 1000);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        br_buf_reset(&value);
        onnx_text(&value, 1, inputs[i]);
        onnx_bytes(&o.graph, 11, value.data, value.len);
    }
    struct onnx_name t = onnx_weight(&o, false, "embeddings.token_type_embeddings.weight"), p = onnx_weight(&o, false, "embeddings.position_embeddings.weight"),
                     w = onnx_weight(&o, false, "embeddings.word_embeddings.weight");
    t = onnx_node(&o, "Gather", t.text, "token_type_ids");
    p = onnx_node(&o, "Gather", p.text, "position_ids");
    w = onnx_node(&o, "Gather", w.text, "input_ids");
    struct onnx_name x = onnx_node(&o, "Add", w.text, t.text);
    x = onnx_node(&o, "Add", x.text, p.text);
    x = onnx_norm(&o, x.text, "embeddings.");
    for (unsigned l = 0; l < b->shape.layers; l++)
        x = onnx_layer(&o, x.text, l);
    if (form.extra_op)
        onnx_node(&o, form.extra_op, x.text, NULL);
    br_buf_reset(&value);
    onnx_text(&value, 1, x.text);
    onnx_bytes(&o.graph, 12, value.data, value.len);
    br_buf_init(buf, 64 << 20);
    onnx_number(buf, 1, 7);
    onnx_bytes(buf, 7, o.graph.data, o.graph.len);
    br_buf_free(&o.graph);
    br_buf_free(&value);
}

#endif
