/* onnx_bert.c - finds BERT in an ONNX graph, from its output backwards: every value has one maker, so there is one way back.
 *
 *   last hidden state = LN2(linear(gelu(linear(y))) + y)                    once per layer, the last one first
 *                   y = LN1(linear(context) + x)
 *             context = softmax(linear(x) linear(x)^T ...) linear(x)
 *                   x = the layer before, in the end LN(words + positions + types)
 * A linear is MatMul with a constant matrix [in][out] (or one that is transposed on the way), then Add of a constant vector. LN is the operator
 * LayerNormalization or what exporters made of it before there was one. That an activation is erf GELU is asked by calculating it. Where values only
 * change their shape or type they are followed through. Every search is bounded in depth and steps. */
#include "embed/onnx_bert.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 24
#define STEPS_MAX 400

struct walk {
    const struct br_onnx *o;
    const struct br_onnx_shape *shape;
    struct br_onnx_bert *out;
    unsigned steps; /* of the search under way */
};

/* --- Small questions --- */

static const struct br_onnx_node *maker(const struct walk *w, struct br_slice name)
{
    struct br_onnx_value v = br_onnx_find(w->o, name);
    return v.kind == BR_ONNX_NODE && v.output == 0 ? &w->o->nodes[v.index] : NULL;
}

static bool is_op(const struct br_onnx_node *n, const char *op)
{
    return n && br_slice_is(n->op, op); /* operators of other domains were refused before, but for Gelu */
}

static bool is_one_of(const struct br_onnx_node *n, const char *const *ops)
{
    for (; *ops; ops++)
        if (is_op(n, *ops))
            return true;
    return false;
}

/* The value behind steps that change nothing but its type. */
static struct br_slice settle(const struct walk *w, struct br_slice v)
{
    static const char *const ops[] = {"Identity", "Cast", "Dropout", NULL};
    for (unsigned i = 0; i < DEPTH_MAX; i++) {
        const struct br_onnx_node *n = maker(w, v);
        if (!is_one_of(n, ops))
            break;
        v = br_onnx_input(w->o, n, 0);
    }
    return v;
}

static bool same(const struct walk *w, struct br_slice a, struct br_slice b)
{
    return br_slice_equal(settle(w, a), settle(w, b));
}

static const struct br_onnx_tensor *constant(const struct walk *w, struct br_slice v)
{
    struct br_onnx_value x = br_onnx_find(w->o, settle(w, v));
    return x.kind == BR_ONNX_TENSOR ? &w->o->tensors[x.index] : NULL;
}

static bool float_type(const struct br_onnx_tensor *t, enum br_tensor_type *type)
{
    *type = t->type == BR_ONNX_FLOAT16 ? BR_TENSOR_F16 : t->type == BR_ONNX_BFLOAT16 ? BR_TENSOR_BF16 : BR_TENSOR_F32;
    return !t->elsewhere && (t->type == BR_ONNX_FLOAT || *type != BR_TENSOR_F32);
}

static bool scalar(const struct walk *w, struct br_slice v, double *out)
{
    const struct br_onnx_tensor *t = constant(w, v);
    struct br_tensor x = {.rows = 1, .cols = 1};
    size_t bytes;
    float f;
    bool one = t && (t->n_dims == 0 || (t->n_dims == 1 && t->dims[0] == 1));
    if (!one || !float_type(t, &x.type) || !br_tensor_bytes(&x, &bytes) || t->data.n != bytes)
        return false;
    x.data = t->data.at;
    br_tensor_convert(&x, &f);
    *out = (double)f;
    return true;
}

/* A constant matrix, as rows x cols; cols 0: a vector. */
static bool weight(const struct br_onnx_tensor *t, size_t rows, size_t cols, bool transposed, struct br_tensor *out)
{
    size_t bytes, first = transposed ? cols : rows, second = transposed ? rows : cols;
    *out = (struct br_tensor){.rows = rows, .cols = cols ? cols : 1, .transposed = transposed};
    bool fits = t && t->n_dims == (cols ? 2 : 1) && t->dims[0] == (int64_t)first && (!cols || t->dims[1] == (int64_t)second);
    if (!fits || !float_type(t, &out->type) || !br_tensor_bytes(out, &bytes) || t->data.n != bytes)
        return false;
    out->data = t->data.at;
    return true;
}

/* --- Patterns --- */

struct linear {
    struct br_slice in, at; /* at: what it makes */
    struct br_tensor weight, bias;
};

/* [in][out] as it stands in the graph is the transpose of what checkpoints hold; Transpose of a constant brings that back. */
static bool match_matrix(const struct walk *w, struct br_slice v, size_t in, size_t out, struct br_tensor *to)
{
    const struct br_onnx_node *n = maker(w, settle(w, v));
    int64_t perm[2] = {1, 0};
    if (!is_op(n, "Transpose"))
        return weight(constant(w, v), out, in, true, to);
    size_t given = br_onnx_ints(n, "perm", perm, 2);
    return (given == 0 || (given == 2 && perm[0] == 1 && perm[1] == 0)) &&
           weight(constant(w, br_onnx_input(w->o, n, 0)), out, in, false, to);
}

static bool match_linear(const struct walk *w, struct br_slice v, size_t in, size_t out, struct linear *to)
{
    const struct br_onnx_node *add = maker(w, settle(w, v));
    if (!is_op(add, "Add"))
        return false;
    for (size_t i = 0; i < 2; i++) {
        const struct br_onnx_node *mul = maker(w, settle(w, br_onnx_input(w->o, add, 1 - i)));
        if (is_op(mul, "MatMul") && weight(constant(w, br_onnx_input(w->o, add, i)), out, 0, false, &to->bias) &&
            match_matrix(w, br_onnx_input(w->o, mul, 1), in, out, &to->weight)) {
            to->in = settle(w, br_onnx_input(w->o, mul, 0));
            to->at = settle(w, v);
            return true;
        }
    }
    return false;
}

/* The nearest linear behind v, through other operators. */
static bool find_linear(struct walk *w, struct br_slice v, size_t in, size_t out, const char *const *through, unsigned depth, struct linear *to)
{
    const struct br_onnx_node *n = maker(w, v);
    if (!n || depth > DEPTH_MAX || w->steps++ > STEPS_MAX)
        return false;
    if (match_linear(w, v, in, out, to))
        return true;
    if (is_one_of(n, through))
        for (size_t i = 0; i < n->n_inputs; i++)
            if (find_linear(w, br_onnx_input(w->o, n, i), in, out, through, depth + 1, to))
                return true;
    return false;
}

/* The nearest node of an operator behind v, through others. */
static const struct br_onnx_node *find_op(struct walk *w, struct br_slice v, const char *op, const char *const *through, unsigned depth)
{
    const struct br_onnx_node *n = maker(w, v), *found = NULL;
    if (!n || depth > DEPTH_MAX || w->steps++ > STEPS_MAX)
        return NULL;
    if (is_op(n, op))
        return n;
    if (is_one_of(n, through))
        for (size_t i = 0; i < n->n_inputs && !found; i++)
            found = find_op(w, br_onnx_input(w->o, n, i), op, through, depth + 1);
    return found;
}

struct norm {
    struct br_slice in;
    struct br_tensor gamma, beta;
};

/* x - mean(x) */
static bool match_centred(const struct walk *w, struct br_slice v, struct br_slice *x)
{
    const struct br_onnx_node *sub = maker(w, settle(w, v));
    const struct br_onnx_node *mean = is_op(sub, "Sub") ? maker(w, settle(w, br_onnx_input(w->o, sub, 1))) : NULL;
    if (!is_op(mean, "ReduceMean") || !same(w, br_onnx_input(w->o, sub, 0), br_onnx_input(w->o, mean, 0)))
        return false;
    *x = settle(w, br_onnx_input(w->o, sub, 0));
    return true;
}

/* sqrt(mean((x - mean(x))^2) + eps) */
static bool match_deviation(const struct walk *w, struct br_slice v, struct br_slice x)
{
    const struct br_onnx_node *root = maker(w, settle(w, v));
    const struct br_onnx_node *add = is_op(root, "Sqrt") ? maker(w, settle(w, br_onnx_input(w->o, root, 0))) : NULL;
    struct br_slice y;
    double eps, two;
    if (!is_op(add, "Add"))
        return false;
    size_t at = scalar(w, br_onnx_input(w->o, add, 0), &eps) ? 0 : 1;
    const struct br_onnx_node *mean = maker(w, settle(w, br_onnx_input(w->o, add, 1 - at)));
    const struct br_onnx_node *square = is_op(mean, "ReduceMean") ? maker(w, settle(w, br_onnx_input(w->o, mean, 0))) : NULL;
    bool is_square = is_op(square, "Pow") ? scalar(w, br_onnx_input(w->o, square, 1), &two) && two == 2
                                          : is_op(square, "Mul") && same(w, br_onnx_input(w->o, square, 0), br_onnx_input(w->o, square, 1));
    return scalar(w, br_onnx_input(w->o, add, at), &eps) && eps >= 0 && eps < 1e-9 && is_square &&
           match_centred(w, br_onnx_input(w->o, square, 0), &y) && same(w, x, y);
}

static bool match_norm(const struct walk *w, struct br_slice v, struct norm *to)
{
    size_t hidden = w->shape->hidden;
    const struct br_onnx_node *n = maker(w, settle(w, v)), *mul, *div;
    float eps = 1e-5f;
    if (is_op(n, "LayerNormalization")) {
        to->in = settle(w, br_onnx_input(w->o, n, 0));
        return br_onnx_float(n, "epsilon", &eps) && eps >= 0 && eps < 1e-9f &&
               weight(constant(w, br_onnx_input(w->o, n, 1)), hidden, 0, false, &to->gamma) &&
               weight(constant(w, br_onnx_input(w->o, n, 2)), hidden, 0, false, &to->beta);
    }
    for (size_t i = 0; is_op(n, "Add") && i < 2; i++)
        for (size_t k = 0; k < 2; k++) {
            mul = maker(w, settle(w, br_onnx_input(w->o, n, 1 - i)));
            div = is_op(mul, "Mul") ? maker(w, settle(w, br_onnx_input(w->o, mul, 1 - k))) : NULL;
            if (is_op(div, "Div") && weight(constant(w, br_onnx_input(w->o, n, i)), hidden, 0, false, &to->beta) &&
                weight(constant(w, br_onnx_input(w->o, mul, k)), hidden, 0, false, &to->gamma) &&
                match_centred(w, br_onnx_input(w->o, div, 0), &to->in) && match_deviation(w, br_onnx_input(w->o, div, 1), to->in))
                return true;
        }
    return false;
}

/* --- The activation, calculated --- */

static double calculate(struct walk *w, struct br_slice v, struct br_slice u, double at, unsigned depth)
{
    static const char *const twos[] = {"Add", "Sub", "Mul", "Div", NULL};
    double x;
    v = settle(w, v);
    if (br_slice_equal(v, u))
        return at;
    if (scalar(w, v, &x))
        return x;
    const struct br_onnx_node *n = maker(w, v);
    if (!n || depth > DEPTH_MAX || w->steps++ > STEPS_MAX)
        return NAN;
    if (is_op(n, "Gelu")) {
        struct br_slice how;
        bool by_tanh = br_onnx_text(n, "approximate", &how) && !br_slice_is(how, "none");
        x = calculate(w, br_onnx_input(w->o, n, 0), u, at, depth + 1);
        return by_tanh ? NAN : 0.5 * x * (1 + erf(x * M_SQRT1_2));
    }
    if (is_op(n, "Erf"))
        return erf(calculate(w, br_onnx_input(w->o, n, 0), u, at, depth + 1));
    if (!is_one_of(n, twos))
        return NAN;
    double a = calculate(w, br_onnx_input(w->o, n, 0), u, at, depth + 1), b = calculate(w, br_onnx_input(w->o, n, 1), u, at, depth + 1);
    return is_op(n, "Add") ? a + b : is_op(n, "Sub") ? a - b : is_op(n, "Mul") ? a * b : a / b;
}

/* Calculated in double here, of constants that were rounded to float; the tanh form is off by up to 5e-4. */
static bool is_gelu(struct walk *w, struct br_slice v, struct br_slice u)
{
    for (double x = -4; x <= 4; x += 0.25) {
        w->steps = 0;
        double y = calculate(w, v, u, x, 0), want = 0.5 * x * (1 + erf(x * M_SQRT1_2));
        if (!(fabs(y - want) < 2e-5))
            return false;
    }
    return true;
}

/* --- Layers --- */

static void keep(struct br_onnx_bert *b, struct br_tensor t, const char *name)
{
    struct br_onnx_weight *x = &b->weights[b->n++];
    x->tensor = t;
    snprintf(x->name, sizeof x->name, "%s", name);
}

static void keep_linear(struct walk *w, uint32_t layer, const char *name, const struct linear *l)
{
    char full[64];
    snprintf(full, sizeof full, "encoder.layer.%u.%s.weight", layer, name);
    keep(w->out, l->weight, full);
    snprintf(full, sizeof full, "encoder.layer.%u.%s.bias", layer, name);
    keep(w->out, l->bias, full);
}

static void keep_norm(struct walk *w, const char *prefix, const struct norm *n)
{
    char full[64];
    snprintf(full, sizeof full, "%sLayerNorm.weight", prefix);
    keep(w->out, n->gamma, full);
    snprintf(full, sizeof full, "%sLayerNorm.bias", prefix);
    keep(w->out, n->beta, full);
}

/* v = linear + rest */
static bool match_residual(const struct walk *w, struct br_slice v, size_t in, size_t out, struct linear *l, struct br_slice *rest)
{
    const struct br_onnx_node *add = maker(w, settle(w, v));
    for (size_t i = 0; is_op(add, "Add") && i < 2; i++)
        if (match_linear(w, br_onnx_input(w->o, add, i), in, out, l)) {
            *rest = settle(w, br_onnx_input(w->o, add, 1 - i));
            return true;
        }
    return false;
}

/* context = softmax(q k^T) v: the linears of x that q, k and v are. NULL, or what is not there. */
static const char *match_attention(struct walk *w, uint32_t layer, struct br_slice context, struct br_slice x)
{
    static const char *const shapes[] = {"Transpose", "Reshape", "Identity", "Cast", "Squeeze", "Unsqueeze", NULL};
    static const char *const to_linear[] = {"Transpose", "Reshape", "Identity", "Cast", "Squeeze", "Unsqueeze", "Mul", "Div", NULL};
    static const char *const to_softmax[] = {"Identity", "Cast", "Dropout", "Reshape", "Where", NULL};
    static const char *const to_scores[] = {"Add", "Sub", "Mul", "Div", "Where", "Identity", "Cast", "Reshape", NULL};
    static const char *const names[] = {"attention.self.query", "attention.self.key", "attention.self.value"};
    size_t hidden = w->shape->hidden;
    struct linear l;
    w->steps = 0;
    const struct br_onnx_node *product = find_op(w, context, "MatMul", shapes, 0);
    w->steps = 0;
    const struct br_onnx_node *softmax = product ? find_op(w, br_onnx_input(w->o, product, 0), "Softmax", to_softmax, 0) : NULL;
    w->steps = 0;
    const struct br_onnx_node *scores = softmax ? find_op(w, br_onnx_input(w->o, softmax, 0), "MatMul", to_scores, 0) : NULL;
    if (!scores)
        return "attention (MatMul, Softmax, MatMul)";
    const struct br_slice from[] = {br_onnx_input(w->o, scores, 0), br_onnx_input(w->o, scores, 1), br_onnx_input(w->o, product, 1)};
    for (size_t i = 0; i < 3; i++) {
        w->steps = 0;
        if (!find_linear(w, from[i], hidden, hidden, to_linear, 0, &l) || !same(w, l.in, x))
            return "the query, key and value of attention";
        keep_linear(w, layer, names[i], &l);
    }
    return NULL;
}

/* *v: the layer's output; becomes its input. */
static const char *match_layer(struct walk *w, uint32_t layer, struct br_slice *v)
{
    static const char *const of_gelu[] = {"Add", "Sub", "Mul", "Div", "Erf", "Gelu", "Identity", "Cast", NULL};
    size_t hidden = w->shape->hidden, ffn = w->shape->ffn;
    struct norm norm;
    struct linear down, up, out;
    struct br_slice y, x;
    char prefix[64];
    if (!match_norm(w, *v, &norm))
        return "a LayerNorm with eps 1e-12 at its end";
    snprintf(prefix, sizeof prefix, "encoder.layer.%u.output.", layer);
    keep_norm(w, prefix, &norm);
    if (!match_residual(w, norm.in, ffn, hidden, &down, &y))
        return "the second half of the feed-forward part";
    w->steps = 0;
    bool found = find_linear(w, down.in, hidden, ffn, of_gelu, 0, &up);
    if (!found || !same(w, up.in, y))
        return "the first half of the feed-forward part";
    if (!is_gelu(w, down.in, up.at))
        return "erf GELU as its activation";
    keep_linear(w, layer, "output.dense", &down);
    keep_linear(w, layer, "intermediate.dense", &up);
    if (!match_norm(w, y, &norm))
        return "the LayerNorm after attention";
    snprintf(prefix, sizeof prefix, "encoder.layer.%u.attention.output.", layer);
    keep_norm(w, prefix, &norm);
    if (!match_residual(w, norm.in, hidden, hidden, &out, &x))
        return "attention's output";
    keep_linear(w, layer, "attention.output.dense", &out);
    *v = x;
    return match_attention(w, layer, out.in, x);
}

/* --- Embeddings --- */

/* Words, positions, types by the number of their rows: no two of them may be alike. */
static bool keep_table(struct walk *w, const struct br_onnx_tensor *t, bool seen[3])
{
    static const char *const names[] = {"embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight",
                                        "embeddings.token_type_embeddings.weight"};
    const struct br_onnx_shape *s = w->shape;
    int64_t rows = t && t->n_dims == 2 ? t->dims[0] : 0;
    int which = rows < 1 ? -1 : rows == s->vocab ? 0 : rows == s->positions ? 1 : !s->types || rows == s->types ? 2 : -1;
    struct br_tensor x;
    if (which < 0 || seen[which] || !weight(t, (size_t)rows, s->hidden, false, &x))
        return false;
    seen[which] = true;
    keep(w->out, x, names[which]);
    return true;
}

/* v: sums of Gathers. */
static bool match_tables(struct walk *w, struct br_slice v, unsigned depth, bool seen[3])
{
    const struct br_onnx_node *n = maker(w, settle(w, v));
    int64_t axis = 0;
    if (depth > 4)
        return false;
    if (is_op(n, "Gather") && (br_onnx_ints(n, "axis", &axis, 1), axis == 0))
        return keep_table(w, constant(w, br_onnx_input(w->o, n, 0)), seen);
    return is_op(n, "Add") && match_tables(w, br_onnx_input(w->o, n, 0), depth + 1, seen) &&
           match_tables(w, br_onnx_input(w->o, n, 1), depth + 1, seen);
}

static const char *match_embeddings(struct walk *w, struct br_slice v)
{
    struct norm norm;
    bool seen[3] = {false};
    if (!match_norm(w, v, &norm))
        return "a LayerNorm with eps 1e-12 after the embeddings";
    keep_norm(w, "embeddings.", &norm);
    if (!match_tables(w, norm.in, 0, seen) || !seen[0] || !seen[1] || !seen[2])
        return "the sum of word, position and token type embeddings";
    return NULL;
}

/* --- All of it --- */

static const char *operator_beyond_us(const struct br_onnx *o, char buf[80])
{
    for (size_t i = 0; i < o->n_nodes; i++) {
        struct br_slice d = o->nodes[i].domain, op = o->nodes[i].op;
        bool quantised = op.n >= 8 && (memmem(op.at, op.n, "Quantize", 8) || memmem(op.at, op.n, "Integer", 7));
        if (!quantised && (!d.n || br_slice_is(d, "ai.onnx") || br_slice_is(op, "Gelu")))
            continue;
        size_t n = 0;
        for (; n < op.n && n < 60; n++)
            buf[n] = op.at[n] >= 0x21 && op.at[n] < 0x7F ? (char)op.at[n] : '?';
        buf[n] = 0;
        return buf;
    }
    return NULL;
}

static bool is_in_pieces(const struct br_onnx *o)
{
    for (size_t i = 0; i < o->n_tensors; i++)
        if (o->tensors[i].elsewhere)
            return true;
    return false;
}

enum br_rc br_onnx_bert_find(const struct br_onnx *o, const struct br_onnx_shape *shape, struct br_onnx_bert *out, struct br_err *err)
{
    struct walk w = {.o = o, .shape = shape, .out = out};
    struct br_slice v = {0};
    struct norm norm;
    char op[80];
    const char *beyond = operator_beyond_us(o, op), *missing;
    out->path = o->path;
    out->n = 0;
    if (beyond)
        return br_fail(err, BR_E_DATA, "%s has the operator %s: fused and quantised graphs are not supported, give the float32 model.onnx or "
                                       "model.safetensors", o->path, beyond);
    if (is_in_pieces(o))
        return br_fail(err, BR_E_DATA, "%s keeps weights in other files (external data): save it as one file, or give model.safetensors", o->path);
    for (size_t i = 0; i < o->n_outputs && !v.n; i++)
        if (match_norm(&w, o->outputs[i], &norm))
            v = settle(&w, o->outputs[i]);
    if (!v.n)
        return br_fail(err, BR_E_DATA, "%s: no output of the graph is the last hidden state of a BERT (a LayerNorm with eps 1e-12)", o->path);
    BR_ASSERT(shape->layers <= BR_ONNX_LAYERS_MAX);
    for (uint32_t layer = shape->layers; layer-- > 0;) {
        missing = match_layer(&w, layer, &v);
        if (missing)
            return br_fail(err, BR_E_DATA, "%s: layer %u of the graph is not BERT's: %s was not found (config.json says hidden %u, feed-forward %u)",
                           o->path, layer, missing, shape->hidden, shape->ffn);
    }
    missing = match_embeddings(&w, v);
    if (missing)
        return br_fail(err, BR_E_DATA, "%s: before its %u layers %s was not found", o->path, shape->layers, missing);
    return BR_OK;
}

static const struct br_onnx_weight *find_weight(const struct br_onnx_bert *b, const char *name)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->weights[i].name, name) == 0)
            return &b->weights[i];
    return NULL;
}

size_t br_onnx_bert_rows(const struct br_onnx_bert *b, const char *name)
{
    const struct br_onnx_weight *x = find_weight(b, name);
    return x ? x->tensor.rows : 0;
}

enum br_rc br_onnx_bert_get(const struct br_onnx_bert *b, const char *name, size_t rows, size_t cols, struct br_tensor *out,
                            struct br_err *err)
{
    const struct br_onnx_weight *x = find_weight(b, name);
    if (!x || x->tensor.rows != rows || x->tensor.cols != (cols ? cols : 1))
        return br_fail(err, BR_E_DATA, "%s: tensor %s is not of the expected shape", b->path, name);
    *out = x->tensor;
    return BR_OK;
}
