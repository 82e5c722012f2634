/* model_sensitivity.c - slopes of calibration texts' vectors, by back-propagation through the float model.
 *
 * Errors of a linear's outputs do not all matter alike: most of the attention of all tokens goes to a few ([SEP] above all), what a layer norm
 * divides by a large deviation counts for little, and Q and K are seen through a softmax. For each text one direction u of plus and minus ones is
 * drawn, and the slope g of u . vector by each output of each linear is calculated; E[g^2] over directions is what an error there does to the vector,
 * squared. One direction a text is enough, as there are many texts. A text has the same weight whatever its length.
 *
 * Several texts go through the linears together, as in forward.c. Plain loops and sgemm in a fixed order: the same numbers each time. */
#include "embed/model_sensitivity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_TOKENS 256 /* a chunk gets no further text once it has so many */
#define ROWS_MAX (CHUNK_TOKENS + BR_MAX_SEQ)
#define LN_EPS 1e-12f

/* What the way back needs of a layer. */
struct kept {
    float *qkv, *normal1, *normal2, *inner; /* [rows][3 hidden], [rows][hidden], [rows][hidden], [rows][ffn] */
    float *inv1, *inv2;                     /* [rows]: one over the deviation */
};

struct pass {
    const struct br_model *m;
    const size_t *lengths; /* of the chunk's texts */
    size_t texts, rows, hidden, ffn;
    struct kept layers[BR_LAYERS_MAX];
    float *transposed[BR_LAYERS_MAX][4]; /* [in][out] of the linears */
    float *x, *y, *wide, *g, *g_wide, *g_context;  /* scratch */
    float *p, *g_p;                                /* [longest][longest] */
    float *scratch;
    uint32_t seed;
    double *of_channels; /* [4 * layers][widest] */
    struct br_sensitivity *to;
    size_t at; /* the chunk's first token */
};

static void transpose(const float *w, size_t out, size_t in, float *to)
{
    for (size_t j = 0; j < out; j++)
        for (size_t k = 0; k < in; k++)
            to[k * out + j] = w[j * in + k];
}

/* ---- Forward ---- */

static void forward_linear(const struct pass *p, const struct br_linear *l, const float *x, float *y)
{
    br_sgemm(x, p->rows, l->in, l->w, l->out, y);
    for (size_t r = 0; r < p->rows; r++)
        p->m->math->add(y + r * l->out, l->bias, l->out);
}

/* x[rows][n] is normalised; normal and inv are kept for the way back. */
static void forward_norm(const struct pass *p, float *x, const float *gamma, const float *beta, float *normal, float *inv)
{
    size_t n = p->hidden;
    for (size_t r = 0; r < p->rows; r++, x += n, normal += n) {
        double mean = 0, square = 0;
        for (size_t k = 0; k < n; k++)
            mean += (double)x[k];
        mean /= (double)n;
        for (size_t k = 0; k < n; k++)
            square += ((double)x[k] - mean) * ((double)x[k] - mean);
        inv[r] = (float)(1 / sqrt(square / (double)n + (double)LN_EPS));
        for (size_t k = 0; k < n; k++) {
            normal[k] = (x[k] - (float)mean) * inv[r];
            x[k] = normal[k] * gamma[k] + beta[k];
        }
    }
}

static void forward_layer(struct pass *p, const struct br_layer *l, struct kept *k)
{
    const struct br_math *math = p->m->math;
    size_t hidden = p->hidden;
    forward_linear(p, &l->qkv, p->x, k->qkv);
    for (size_t i = 0, at = 0; i < p->texts; at += p->lengths[i++])
        math->attention(k->qkv + at * 3 * hidden, p->lengths[i], p->m->info.heads, p->m->head_dim, p->y + at * hidden, p->scratch);
    forward_linear(p, &l->attention_out, p->y, p->wide);
    math->add(p->x, p->wide, p->rows * hidden);
    forward_norm(p, p->x, l->ln1_gamma, l->ln1_beta, k->normal1, k->inv1);
    forward_linear(p, &l->ffn_up, p->x, k->inner);
    memcpy(p->wide, k->inner, p->rows * p->ffn * sizeof *p->wide);
    math->gelu(p->wide, p->rows * p->ffn);
    forward_linear(p, &l->ffn_down, p->wide, p->y);
    math->add(p->x, p->y, p->rows * hidden);
    forward_norm(p, p->x, l->ln2_gamma, l->ln2_beta, k->normal2, k->inv2);
}

/* ---- Backward ---- */

/* g becomes the slope by a layer norm's input. */
static void back_norm(const struct pass *p, float *g, const float *gamma, const float *normal, const float *inv)
{
    size_t n = p->hidden;
    for (size_t r = 0; r < p->rows; r++, g += n, normal += n) {
        double mean = 0, along = 0;
        for (size_t k = 0; k < n; k++) {
            mean += (double)(g[k] * gamma[k]);
            along += (double)(g[k] * gamma[k] * normal[k]);
        }
        for (size_t k = 0; k < n; k++)
            g[k] = inv[r] * (g[k] * gamma[k] - (float)(mean / (double)n) - normal[k] * (float)(along / (double)n));
    }
}

static void back_gelu(const float *x, float *g, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i];
        g[i] *= 0.5f * (1 + erff(v * 0.70710678f)) + v * 0.39894228f * expf(-0.5f * v * v);
    }
}

static void softmax_rows(float *p, size_t s)
{
    for (size_t r = 0; r < s; r++, p += s) {
        float most = p[0], sum = 0;
        for (size_t k = 1; k < s; k++)
            most = fmaxf(most, p[k]);
        for (size_t k = 0; k < s; k++)
            sum += p[k] = expf(p[k] - most);
        for (size_t k = 0; k < s; k++)
            p[k] /= sum;
    }
}

static float dot(const float *a, const float *b, size_t n)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add_multiple(float *to, const float *from, float times, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += times * from[i];
}

/* One head of one text: slopes by Q, K and V (rows of g, zeroed before) from those by the context. */
static void back_head(struct pass *p, const float *q, size_t s, const float *g_context, float *g)
{
    size_t d = p->m->head_dim, hidden = p->hidden, stride = 3 * hidden;
    const float *k = q + hidden, *v = k + hidden;
    float *gk = g + hidden, *gv = gk + hidden, root = 1 / sqrtf((float)d);
    for (size_t i = 0; i < s; i++)
        for (size_t j = 0; j < s; j++)
            p->p[i * s + j] = dot(q + i * stride, k + j * stride, d) * root;
    softmax_rows(p->p, s);
    for (size_t i = 0; i < s; i++) {
        const float *row = p->p + i * s;
        float mean = 0;
        for (size_t j = 0; j < s; j++) {
            p->g_p[j] = dot(g_context + i * hidden, v + j * stride, d);
            mean += row[j] * p->g_p[j];
            add_multiple(gv + j * stride, g_context + i * hidden, row[j], d);
        }
        for (size_t j = 0; j < s; j++) {
            float slope = row[j] * (p->g_p[j] - mean) * root;
            add_multiple(g + i * stride, k + j * stride, slope, d);
            add_multiple(gk + j * stride, q + i * stride, slope, d);
        }
    }
}

static void back_attention(struct pass *p, const float *qkv, const float *g_context, float *g)
{
    size_t hidden = p->hidden;
    memset(g, 0, p->rows * 3 * hidden * sizeof *g);
    for (size_t i = 0, at = 0; i < p->texts; at += p->lengths[i++])
        for (size_t h = 0; h < hidden; h += p->m->head_dim)
            back_head(p, qkv + at * 3 * hidden + h, p->lengths[i], g_context + at * hidden + h, g + at * 3 * hidden + h);
}

/* Takes note of the slopes g[rows][n] by what a linear gives. */
static void note(struct pass *p, size_t linear, const float *g, size_t n)
{
    float *of_tokens = p->to->of_tokens + linear * p->to->tokens + p->at;
    double *of_channels = p->of_channels + linear * p->to->widest;
    for (size_t i = 0, r = 0; i < p->texts; i++)
        for (size_t end = r + p->lengths[i]; r < end; r++) {
            double sum = 0, weight = (double)p->lengths[i];
            for (size_t j = 0; j < n; j++) {
                double square = (double)g[r * n + j] * (double)g[r * n + j] * weight;
                sum += square;
                of_channels[j] += square;
            }
            of_tokens[r] = (float)sum;
        }
}

/* p->g: slopes by what the layer gives; then, by what it takes. */
static void back_layer(struct pass *p, size_t layer)
{
    const struct br_layer *l = &p->m->layers[layer];
    const struct kept *k = &p->layers[layer];
    float *const *w = p->transposed[layer];
    size_t hidden = p->hidden, ffn = p->ffn;
    back_norm(p, p->g, l->ln2_gamma, k->normal2, k->inv2);
    note(p, 4 * layer + 3, p->g, hidden);
    br_sgemm(p->g, p->rows, hidden, w[3], ffn, p->g_wide);
    back_gelu(k->inner, p->g_wide, p->rows * ffn);
    note(p, 4 * layer + 2, p->g_wide, ffn);
    br_sgemm(p->g_wide, p->rows, ffn, w[2], hidden, p->y);
    p->m->math->add(p->g, p->y, p->rows * hidden);
    back_norm(p, p->g, l->ln1_gamma, k->normal1, k->inv1);
    note(p, 4 * layer + 1, p->g, hidden);
    br_sgemm(p->g, p->rows, hidden, w[1], hidden, p->g_context);
    back_attention(p, k->qkv, p->g_context, p->g_wide);
    note(p, 4 * layer, p->g_wide, 3 * hidden);
    br_sgemm(p->g_wide, p->rows, 3 * hidden, w[0], hidden, p->y);
    p->m->math->add(p->g, p->y, p->rows * hidden);
}

/* ---- A chunk of texts ---- */

static float plus_or_minus(struct pass *p)
{
    p->seed = p->seed * 1664525u + 1013904223u;
    return p->seed >> 31 ? 1.0f : -1.0f;
}

/* p->g: the slopes of u . vector by the last layer's tokens. */
static void begin_back(struct pass *p)
{
    size_t hidden = p->hidden;
    float mean[BR_HIDDEN_MAX], slope[BR_HIDDEN_MAX];
    for (size_t i = 0, at = 0; i < p->texts; at += p->lengths[i++]) {
        size_t pooled = p->m->pool_cls ? 1 : p->lengths[i];
        double square = 0, along = 0;
        for (size_t k = 0; k < hidden; k++) {
            mean[k] = 0;
            for (size_t t = 0; t < pooled; t++)
                mean[k] += p->x[(at + t) * hidden + k] / (float)pooled;
            slope[k] = plus_or_minus(p);
            square += (double)mean[k] * (double)mean[k];
            along += (double)mean[k] * (double)slope[k];
        }
        square = fmax(square, 1e-24);
        for (size_t k = 0; k < hidden; k++)
            slope[k] = (float)(((double)slope[k] - (double)mean[k] * along / square) / sqrt(square) / (double)pooled);
        for (size_t t = 0; t < p->lengths[i]; t++)
            for (size_t k = 0; k < hidden; k++)
                p->g[(at + t) * hidden + k] = t < pooled ? slope[k] : 0;
    }
}

static void run_chunk(struct pass *p, const uint16_t *ids)
{
    const struct br_model *m = p->m;
    size_t hidden = p->hidden, row = 0;
    for (size_t i = 0; i < p->texts; i++)
        for (size_t t = 0; t < p->lengths[i]; t++, row++)
            for (size_t k = 0; k < hidden; k++)
                p->x[row * hidden + k] = m->word_f[ids[row] * hidden + k] + m->position[t * hidden + k];
    m->math->layer_norm(p->x, p->rows, hidden, m->ln_gamma, m->ln_beta);
    for (size_t l = 0; l < m->info.layers; l++)
        forward_layer(p, &m->layers[l], &p->layers[l]);
    begin_back(p);
    for (size_t l = m->info.layers; l-- > 0;)
        back_layer(p, l);
}

/* One piece of an allocation in which everything is a multiple of 64 bytes. With base NULL only the size is counted. */
static void *piece(uint8_t *base, size_t *at, size_t n, size_t size)
{
    void *p = base ? base + *at : NULL;
    *at += (n * size + 63) & ~(size_t)63;
    return p;
}

static size_t lay_out(struct pass *p, uint8_t *base)
{
    size_t hidden = p->hidden, ffn = p->ffn, wide = BR_MAX(ffn, 3 * hidden), at = 0;
    for (size_t l = 0; l < p->m->info.layers; l++) {
        struct kept *k = &p->layers[l];
        k->qkv = piece(base, &at, ROWS_MAX * 3 * hidden, sizeof(float));
        k->normal1 = piece(base, &at, ROWS_MAX * hidden, sizeof(float));
        k->normal2 = piece(base, &at, ROWS_MAX * hidden, sizeof(float));
        k->inner = piece(base, &at, ROWS_MAX * ffn, sizeof(float));
        k->inv1 = piece(base, &at, ROWS_MAX, sizeof(float));
        k->inv2 = piece(base, &at, ROWS_MAX, sizeof(float));
        p->transposed[l][0] = piece(base, &at, 3 * hidden * hidden, sizeof(float));
        p->transposed[l][1] = piece(base, &at, hidden * hidden, sizeof(float));
        p->transposed[l][2] = piece(base, &at, hidden * ffn, sizeof(float));
        p->transposed[l][3] = piece(base, &at, hidden * ffn, sizeof(float));
    }
    p->x = piece(base, &at, ROWS_MAX * hidden, sizeof(float));
    p->y = piece(base, &at, ROWS_MAX * hidden, sizeof(float));
    p->g = piece(base, &at, ROWS_MAX * hidden, sizeof(float));
    p->g_context = piece(base, &at, ROWS_MAX * hidden, sizeof(float));
    p->wide = piece(base, &at, ROWS_MAX * wide, sizeof(float));
    p->g_wide = piece(base, &at, ROWS_MAX * wide, sizeof(float));
    p->p = piece(base, &at, BR_MAX_SEQ * BR_MAX_SEQ, sizeof(float));
    p->g_p = piece(base, &at, BR_MAX_SEQ, sizeof(float));
    p->scratch = piece(base, &at, BR_ATTENTION_SCRATCH(BR_MAX_SEQ, p->m->head_dim), sizeof(float));
    p->of_channels = piece(base, &at, 4 * p->m->info.layers * p->to->widest, sizeof(double));
    return at;
}

/* So that the mean is 1; where all is zero, or not finite, nothing matters more than anything else. */
static void scale_to_one(float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    for (size_t i = 0; i < n; i++)
        x[i] = sum > 0 && isfinite(sum) ? (float)((double)x[i] * (double)n / sum) : 1.0f;
}

static void scale_all(const struct pass *p, struct br_sensitivity *to)
{
    for (size_t l = 0; l < 4 * (size_t)p->m->info.layers; l++) {
        const struct br_layer *y = &p->m->layers[l / 4];
        const struct br_linear *linears[] = {&y->qkv, &y->attention_out, &y->ffn_up, &y->ffn_down};
        float *of_channels = to->of_channels + l * to->widest;
        for (size_t j = 0; j < linears[l % 4]->out; j++)
            of_channels[j] = (float)p->of_channels[l * to->widest + j];
        scale_to_one(of_channels, linears[l % 4]->out);
        scale_to_one(to->of_tokens + l * to->tokens, to->tokens);
    }
}

enum br_rc br_sensitivity(const struct br_model *m, const uint16_t *ids, const size_t *lengths, size_t sequences, size_t tokens,
                          struct br_sensitivity *to, struct br_err *err)
{
    struct pass p = {.m = m, .hidden = m->info.dim, .ffn = m->info.ffn, .seed = 1, .to = to};
    size_t linears = 4 * (size_t)m->info.layers;
    *to = (struct br_sensitivity){.tokens = tokens, .widest = BR_MAX(p.ffn, 3 * p.hidden)};
    to->of_tokens = malloc(linears * (tokens + to->widest) * sizeof(float));
    uint8_t *memory = aligned_alloc(64, lay_out(&p, NULL));
    if (!to->of_tokens || !memory) {
        free(memory);
        return br_fail_nomem(err);
    }
    to->of_channels = to->of_tokens + linears * tokens;
    lay_out(&p, memory);
    memset(p.of_channels, 0, linears * to->widest * sizeof *p.of_channels);
    for (size_t l = 0; l < m->info.layers; l++) {
        const struct br_layer *y = &m->layers[l];
        transpose(y->qkv.w, y->qkv.out, y->qkv.in, p.transposed[l][0]);
        transpose(y->attention_out.w, y->attention_out.out, y->attention_out.in, p.transposed[l][1]);
        transpose(y->ffn_up.w, y->ffn_up.out, y->ffn_up.in, p.transposed[l][2]);
        transpose(y->ffn_down.w, y->ffn_down.out, y->ffn_down.in, p.transposed[l][3]);
    }
    for (size_t i = 0; i < sequences; i += p.texts, p.at += p.rows) {
        p.lengths = lengths + i;
        for (p.texts = p.rows = 0; i + p.texts < sequences && p.rows < CHUNK_TOKENS; p.texts++)
            p.rows += p.lengths[p.texts];
        run_chunk(&p, ids + p.at);
    }
    scale_all(&p, to);
    free(memory);
    return BR_OK;
}
