/* model_quantise.c - int8 weights for the linears, chosen by what they do to calibration texts.
 *
 * At run time activations are quantised per token to u8 and weights are s8 per output channel. The calibration texts run through the float model and
 * through the model as quantised so far, side by side, linear by linear; all sums over tokens are weighted by what an error there does to a text's
 * vector (model_sensitivity.c; of the whole model's loss as in GuidedQuant, Kim et al., arXiv 2505.07004). For each linear:
 *   1. Shift and smoothing: from column k of the input its mean is subtracted (Outlier Suppression+, Wei et al., arXiv 2304.09145; the bias makes up for
 *      it), then it is divided by s[k] and row k of the weights multiplied by it (SmoothQuant, Xiao et al., arXiv 2211.10438). s starts from
 *      (mean x[k]^4)^(1/8) / max|w[k]|^(1/2) and is improved (model_smooth.c).
 *   2. Correction: the weights move to those that give the float model's output from the quantised model's input, by ridge regression, so that a
 *      linear makes up for errors of those before it (as in GPTAQ, Li et al., arXiv 2504.02692).
 *   3. Rounding that compensates its errors (model_gptq.c).
 *   4. The mean error that is left goes into the bias (Nagel et al., arXiv 1906.04721). */
#include "embed/model_quantise.h"

#include "embed/model_file.h"
#include "embed/model_gptq.h"
#include "embed/model_sensitivity.h"
#include "embed/model_smooth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 256 /* tokens at once */
/* Relative to the Hessian's mean diagonal. The correction is held back much more: a few thousand tokens would otherwise be learnt by heart. */
#define RIDGE 3.0
#define DAMPING 0.05
/* No more calibration tokens than a multiple of the widest input: small models need few. */
#define TOKENS_PER_INPUT 32
#define SEQUENCES_MAX 2048

/* One of the two models' state over all calibration tokens. */
struct path {
    float *x;       /* [tokens][hidden]: the residual stream */
    float *wide;    /* [tokens][max(3 hidden, ffn)]: QKV, a linear's output, FFN */
    float *context; /* [tokens][hidden]: attention's output, FFN down's output */
};

struct calibration {
    const struct br_model *m;
    size_t tokens, sequences;
    uint16_t *ids;
    size_t *lengths;
    struct path real, rounded;
    /* scratch of one block and one linear, for the widest */
    uint8_t *bytes;
    float *a, *columns, *y, *errors, *product; /* [BLOCK][in], [in][BLOCK], [BLOCK][out], [out][BLOCK], [n][in] */
    float *smooth, *weights;
    struct br_sensitivity sensitivity;
    const float *matters, *channels; /* its part of the linear */
    double *h, *factor, *residual, *w;
    double *sum_in, *sum_error;
    size_t *order;
};

static int8_t to_s8(float x)
{
    long v = lrintf(x);
    return (int8_t)(v < -127 ? -127 : v > 127 ? 127 : v);
}

static float step_of(float most)
{
    return most > 0 ? most / 127 : 1;
}

float br_quantise_row(const float *x, size_t n, int8_t *q)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    float scale = step_of(most);
    for (size_t i = 0; i < n; i++)
        q[i] = to_s8(x[i] / scale);
    return scale;
}

/* Step 1; weights[out][in] become the smoothed ones. */
static bool smooth(struct calibration *c, const struct br_linear *l, const float *real_in, struct br_quantised *to)
{
    double *mean = c->sum_error, *fourth = c->sum_in;
    memset(mean, 0, l->in * sizeof *mean);
    memset(fourth, 0, l->in * sizeof *fourth);
    for (size_t i = 0; i < c->tokens * l->in; i++)
        mean[i % l->in] += (double)c->matters[i / l->in] * (double)real_in[i];
    for (size_t k = 0; k < l->in; k++)
        to->shift[k] = (float)(mean[k] / (double)c->tokens);
    for (size_t t = 0; t < c->tokens; t++)
        for (size_t k = 0; k < l->in; k++) {
            double d = (double)real_in[t * l->in + k] - (double)to->shift[k];
            fourth[k] += (double)c->matters[t] * d * d * d * d;
        }
    for (size_t k = 0; k < l->in; k++) {
        float most = 0;
        for (size_t j = 0; j < l->out; j++)
            most = fmaxf(most, fabsf(l->w[j * l->in + k]));
        float s = sqrtf((float)sqrt(sqrt(fourth[k] / (double)c->tokens))) / sqrtf(most);
        c->smooth[k] = isfinite(s) && s > 1e-6f ? s : 1.0f;
    }
    for (size_t k = 0; k < l->in; k += to->part)
        if (!br_smooth_improve(real_in + k, c->matters, c->channels, c->tokens, l->in, to->part, to->shift + k, l->w + k, l->out, c->smooth + k))
            return false;
    for (size_t k = 0; k < l->in; k++) {
        to->smooth_inv[k] = 1.0f / c->smooth[k];
        to->shift[k] = -to->shift[k] / c->smooth[k];
    }
    for (size_t i = 0; i < l->in * l->out; i++)
        c->weights[i] = l->w[i] * c->smooth[i % l->in];
    return true;
}

/* A block of inputs as the runtime sees them: c->a[rows][in]. */
static void quantised_inputs(struct calibration *c, const float *in, size_t rows, size_t n, const struct br_quantised *to)
{
    struct br_row_scale s;
    for (size_t i = 0; i < rows * n; i += to->part) {
        c->m->math->quantise(in + i, 1, to->part, to->smooth_inv + i % n, to->shift + i % n, c->bytes, &s);
        for (size_t k = 0; k < to->part; k++)
            c->a[i + k] = (float)((int32_t)c->bytes[k] - s.zero) * s.scale;
    }
}

/* to[n][rows] = from[rows][n] */
static void transpose(const float *from, size_t rows, size_t n, float *to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < n; k++)
            to[k * rows + r] = from[r * n + k];
}

/* sums[m][n] += x[m][rows] columns[n][rows]^T: in float within a block, in double over the blocks. */
static void add_products(struct calibration *c, const float *x, size_t m, size_t rows, size_t n, double *sums)
{
    br_sgemm(x, m, rows, c->columns, n, c->product);
    for (size_t i = 0; i < m * n; i++)
        sums[i] += (double)c->product[i];
}

/* errors := what the real linear gives minus weights times c->a, a block's rows; sum_error gets their sums. */
static void block_errors(struct calibration *c, const struct br_linear *l, const float *weights, const float *matters,
                         const float *real_out, size_t rows)
{
    br_sgemm(c->a, rows, l->in, weights, l->out, c->y);
    for (size_t i = 0; i < rows * l->out; i++) {
        c->y[i] = real_out[i] - c->y[i];
        c->sum_error[i % l->out] += (double)matters[i / l->out] * (double)c->y[i];
    }
}

/* x[rows][n] *= sqrt(matters) */
static void weigh(const float *matters, float *x, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < n; k++)
            x[r * n + k] *= sqrtf(matters[r]);
}

/* The Hessian, and the errors' products with the inputs; the errors' mean is left out, as the bias will take it. */
static void gather(struct calibration *c, const struct br_linear *l, const float *real_out, const float *in,
                   const struct br_quantised *to)
{
    size_t n = l->in, out = l->out;
    memset(c->h, 0, n * n * sizeof *c->h);
    memset(c->residual, 0, n * out * sizeof *c->residual);
    memset(c->sum_in, 0, n * sizeof *c->sum_in);
    memset(c->sum_error, 0, out * sizeof *c->sum_error);
    for (size_t t = 0; t < c->tokens; t += BLOCK) {
        size_t rows = BR_MIN((size_t)BLOCK, c->tokens - t);
        memset(c->a, 0, BLOCK * n * sizeof *c->a); /* products take whole blocks: the last one ends in zeros */
        memset(c->y, 0, BLOCK * out * sizeof *c->y);
        quantised_inputs(c, in + t * n, rows, n, to);
        block_errors(c, l, c->weights, c->matters + t, real_out + t * out, rows);
        for (size_t i = 0; i < rows * n; i++)
            c->sum_in[i % n] += (double)c->matters[t + i / n] * (double)c->a[i];
        weigh(c->matters + t, c->a, rows, n);
        weigh(c->matters + t, c->y, rows, out);
        transpose(c->a, BLOCK, n, c->columns);
        transpose(c->y, BLOCK, out, c->errors);
        add_products(c, c->columns, n, BLOCK, n, c->h);
        add_products(c, c->errors, out, BLOCK, n, c->residual);
    }
    for (size_t j = 0; j < out; j++)
        for (size_t k = 0; k < n; k++)
            c->residual[j * n + k] -= c->sum_error[j] * c->sum_in[k] / (double)c->tokens;
}

/* Step 4, and both paths' outputs: real_out gets its bias, out is written. */
static void finish(struct calibration *c, const struct br_linear *l, float *real_out, const float *in, float *out, struct br_quantised *to)
{
    size_t n = l->in;
    for (size_t i = 0; i < n * l->out; i++)
        c->weights[i] = (float)to->q[i] * to->scale[i % n / to->part * l->out + i / n];
    memset(c->sum_error, 0, l->out * sizeof *c->sum_error);
    for (size_t t = 0; t < c->tokens; t += BLOCK) {
        size_t rows = BR_MIN((size_t)BLOCK, c->tokens - t), at = t * l->out;
        quantised_inputs(c, in + t * n, rows, n, to);
        block_errors(c, l, c->weights, c->matters + t, real_out + at, rows);
        for (size_t i = 0; i < rows * l->out; i++)
            out[at + i] = real_out[at + i] - c->y[i];
    }
    for (size_t j = 0; j < l->out; j++)
        to->bias[j] = l->bias[j] + (float)(c->sum_error[j] / (double)c->tokens);
    for (size_t t = 0; t < c->tokens; t++) {
        c->m->math->add(real_out + t * l->out, l->bias, l->out);
        c->m->math->add(out + t * l->out, to->bias, l->out);
    }
}

static bool allocate(struct br_quantised *to, size_t in, size_t out, size_t parts)
{
    to->part = in / parts;
    to->q = malloc(in * out + (2 * in + (1 + parts) * out) * sizeof(float)); /* in and out are multiples of 16 */
    if (!to->q)
        return false;
    to->scale = (float *)(void *)(to->q + in * out);
    to->bias = to->scale + parts * out;
    to->smooth_inv = to->bias + out;
    to->shift = to->smooth_inv + in;
    return true;
}

/* Quantises a linear and takes both paths through it. */
static enum br_rc quantise_linear(struct calibration *c, const struct br_linear *l, const float *real_in, float *real_out, const float *in,
                                  float *out, size_t linear, struct br_quantised *to, struct br_err *err)
{
    if (!allocate(to, l->in, l->out, linear % 4 == 3 ? BR_LINEAR_PARTS(BR_SEC_FFN_DOWN, l->in) : 1))
        return br_fail_nomem(err);
    br_sgemm(real_in, c->tokens, l->in, l->w, l->out, real_out);
    for (size_t i = 0; i < c->tokens * l->out; i++)
        if (!isfinite(real_out[i]))
            return br_fail(err, BR_E_DATA, "the weights give values that are not finite");
    c->matters = c->sensitivity.of_tokens + linear * c->tokens;
    c->channels = c->sensitivity.of_channels + linear * c->sensitivity.widest;
    if (!smooth(c, l, real_in, to))
        return br_fail_nomem(err);
    gather(c, l, real_out, in, to);
    for (size_t i = 0; i < l->in * l->out; i++)
        c->w[i] = (double)c->weights[i];
    bool ok = br_gptq_correct(c->h, l->in, RIDGE, c->factor, c->residual, c->w, l->out);
    for (size_t i = 0; ok && i < l->in / to->part * l->out; i++) {
        const double *w = c->w + i % l->out * l->in + i / l->out * to->part;
        double most = 0;
        for (size_t k = 0; k < to->part; k++)
            most = fmax(most, fabs(w[k]));
        to->scale[i] = step_of((float)most);
    }
    if (!ok || !br_gptq_round(c->h, l->in, DAMPING, c->factor, c->order, c->w, to->scale, to->part, l->out, to->q))
        return br_fail(err, BR_E_DATA, "the weights give values that are not finite");
    finish(c, l, real_out, in, out, to);
    return BR_OK;
}

static void embed_tokens(const struct calibration *c, bool rounded, float *x)
{
    const struct br_model *m = c->m;
    size_t hidden = m->info.dim;
    int8_t q[BR_HIDDEN_MAX];
    const uint16_t *id = c->ids;
    for (size_t i = 0; i < c->sequences; i++)
        for (size_t t = 0; t < c->lengths[i]; t++, id++, x += hidden) {
            const float *word = m->word_f + *id * hidden, *position = m->position + t * hidden;
            float scale = br_quantise_row(word, hidden, q);
            for (size_t k = 0; k < hidden; k++)
                x[k] = (rounded ? (float)q[k] * scale : word[k]) + position[k];
        }
}

static void attend(const struct calibration *c, const struct path *p, float *scratch)
{
    size_t hidden = c->m->info.dim;
    for (size_t i = 0, at = 0; i < c->sequences; at += c->lengths[i++])
        c->m->math->attention(p->wide + at * 3 * hidden, c->lengths[i], c->m->info.heads, c->m->head_dim, p->context + at * hidden, scratch);
}

static void add_and_norm(const struct calibration *c, const struct path *p, const float *y, const float *gamma, const float *beta)
{
    c->m->math->add(p->x, y, c->tokens * c->m->info.dim);
    c->m->math->layer_norm(p->x, c->tokens, c->m->info.dim, gamma, beta);
}

/* One layer of the forward pass (forward.c), both paths in step. */
static enum br_rc quantise_layer(struct calibration *c, size_t layer, struct br_quantised *to, struct br_err *err)
{
    const struct br_layer *l = &c->m->layers[layer];
    struct path *real = &c->real, *rounded = &c->rounded;
    size_t inner = c->tokens * c->m->info.ffn;
    enum br_rc rc;
    BR_TRY(quantise_linear(c, &l->qkv, real->x, real->wide, rounded->x, rounded->wide, 4 * layer, to, err));
    attend(c, real, c->y);
    attend(c, rounded, c->y);
    BR_TRY(quantise_linear(c, &l->attention_out, real->context, real->wide, rounded->context, rounded->wide, 4 * layer + 1, to + 1, err));
    add_and_norm(c, real, real->wide, l->ln1_gamma, l->ln1_beta);
    add_and_norm(c, rounded, rounded->wide, l->ln1_gamma, l->ln1_beta);
    BR_TRY(quantise_linear(c, &l->ffn_up, real->x, real->wide, rounded->x, rounded->wide, 4 * layer + 2, to + 2, err));
    c->m->math->gelu(real->wide, inner);
    c->m->math->gelu(rounded->wide, inner);
    BR_TRY(quantise_linear(c, &l->ffn_down, real->wide, real->context, rounded->wide, rounded->context, 4 * layer + 3, to + 3, err));
    add_and_norm(c, real, real->context, l->ln2_gamma, l->ln2_beta);
    add_and_norm(c, rounded, rounded->context, l->ln2_gamma, l->ln2_beta);
err:
    return rc;
}

/* One piece of an allocation in which everything is a multiple of 64 bytes. With base NULL only the size is counted. */
static void *piece(uint8_t *base, size_t *at, size_t n, size_t size)
{
    void *p = base ? base + *at : NULL;
    *at += (n * size + 63) & ~(size_t)63;
    return p;
}

static size_t lay_out(struct calibration *c, uint8_t *base)
{
    size_t hidden = c->m->info.dim, ffn = c->m->info.ffn, wide = BR_MAX(ffn, 3 * hidden), in = BR_MAX(ffn, hidden), at = 0;
    size_t largest = hidden * wide, square = in * in, scratch = BR_MAX(BLOCK * wide, BR_ATTENTION_SCRATCH(BR_MAX_SEQ, c->m->head_dim));
    struct path *paths[] = {&c->real, &c->rounded};
    for (size_t i = 0; i < 2; i++) {
        paths[i]->x = piece(base, &at, c->tokens * hidden, sizeof(float));
        paths[i]->wide = piece(base, &at, c->tokens * wide, sizeof(float));
        paths[i]->context = piece(base, &at, c->tokens * hidden, sizeof(float));
    }
    c->bytes = piece(base, &at, in, 1);
    c->a = piece(base, &at, BLOCK * in, sizeof(float));
    c->columns = piece(base, &at, BLOCK * in, sizeof(float));
    c->y = piece(base, &at, scratch, sizeof(float));
    c->errors = piece(base, &at, BLOCK * wide, sizeof(float));
    c->product = piece(base, &at, BR_MAX(square, largest), sizeof(float));
    c->smooth = piece(base, &at, in, sizeof(float));
    c->weights = piece(base, &at, largest, sizeof(float));
    c->h = piece(base, &at, square, sizeof(double));
    c->factor = piece(base, &at, square, sizeof(double));
    c->residual = piece(base, &at, largest, sizeof(double));
    c->w = piece(base, &at, largest, sizeof(double));
    c->sum_in = piece(base, &at, in, sizeof(double));
    c->sum_error = piece(base, &at, BR_MAX(wide, in), sizeof(double));
    c->order = piece(base, &at, in, sizeof *c->order);
    return at;
}

static enum br_rc quantise_layers(struct calibration *c, struct br_quantised *to, struct br_err *err)
{
    const struct br_model *m = c->m;
    enum br_rc rc = BR_OK;
    uint8_t *memory = aligned_alloc(64, lay_out(c, NULL));
    if (!memory)
        return br_fail_nomem(err);
    lay_out(c, memory);
    embed_tokens(c, false, c->real.x);
    embed_tokens(c, true, c->rounded.x);
    m->math->layer_norm(c->real.x, c->tokens, m->info.dim, m->ln_gamma, m->ln_beta);
    m->math->layer_norm(c->rounded.x, c->tokens, m->info.dim, m->ln_gamma, m->ln_beta);
    for (size_t i = 0; rc == BR_OK && i < m->info.layers; i++)
        rc = quantise_layer(c, i, to + 4 * i, err);
    free(memory);
    return rc;
}

enum br_rc br_quantise_linears(const struct br_model *m, struct br_quantised *to, struct br_err *err)
{
    struct calibration c = {.m = m};
    size_t max_tokens = TOKENS_PER_INPUT * (size_t)BR_MAX(m->info.dim, m->info.ffn);
    enum br_rc rc = BR_OK;
    c.ids = malloc(max_tokens * sizeof *c.ids);
    c.lengths = malloc(SEQUENCES_MAX * sizeof *c.lengths);
    if (!c.ids || !c.lengths)
        rc = br_fail_nomem(err);
    else
        c.sequences = br_calibration_sequences(m, c.ids, max_tokens, c.lengths, SEQUENCES_MAX, &c.tokens);
    if (rc == BR_OK)
        rc = br_sensitivity(m, c.ids, c.lengths, c.sequences, c.tokens, &c.sensitivity, err);
    if (rc == BR_OK)
        rc = quantise_layers(&c, to, err);
    free(c.sensitivity.of_tokens);
    free(c.ids);
    free(c.lengths);
    return rc;
}
