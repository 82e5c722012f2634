/* forward.c - BERT's forward pass (Devlin et al., arXiv 1810.04805) over packed batches: all tokens of many texts in one matrix, attention text by text,
 * no padding, no mask; pooling over all tokens (or the first alone) and L2 normalisation as Sentence-BERT does (arXiv 1908.10084). */
#include "embed/model_int.h"

#include "embed/remote.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_TOKENS 192                         /* a batch gets no further text once it has so many */
#define TOKENS_MAX (BATCH_TOKENS + BR_MAX_SEQ)
#define ROW_BLOCK 64                             /* a multiple of 8; rows that go through a layer's linears together: they stay in the second cache */

struct br_embedder {
    const struct br_model *m;
    void *memory;
    uint16_t *ids; /* TOKENS_MAX */
    float *x, *qkv, *context; /* a row a token */
    float *ffn, *scratch;     /* ffn: ROW_BLOCK rows */
    /* What int8 linears take, ROW_BLOCK rows of the widest. */
    uint8_t *q;
    struct br_row_scale *scales;
    struct br_row_range *ranges;
    void *wide;
    struct br_remote_session *session; /* of a model that is an endpoint: then it is all there is */
};

void br_embedder_free(struct br_embedder *e)
{
    if (!e)
        return;
    br_remote_session_free(e->session);
    free(e->memory);
    free(e);
}

/* One piece of an allocation in which everything is a multiple of 64 bytes. With base NULL only the size is counted. */
static void *piece(uint8_t *base, size_t *at, size_t n, size_t size)
{
    void *p = base ? base + *at : NULL;
    *at += (n * size + 63) & ~(size_t)63;
    return p;
}

static size_t lay_out(struct br_embedder *e, uint8_t *base)
{
    size_t hidden = e->m->info.dim, ffn = e->m->info.ffn, in = BR_MAX(ffn, hidden), at = 0;
    e->ids = piece(base, &at, TOKENS_MAX, sizeof *e->ids);
    e->x = piece(base, &at, TOKENS_MAX * hidden, sizeof(float));
    e->qkv = piece(base, &at, TOKENS_MAX * 3 * hidden, sizeof(float));
    e->context = piece(base, &at, TOKENS_MAX * hidden, sizeof(float));
    e->ffn = piece(base, &at, ROW_BLOCK * ffn, sizeof(float));
    e->scratch = piece(base, &at, BR_ATTENTION_SCRATCH(BR_MAX_SEQ, e->m->head_dim), sizeof(float));
    e->q = piece(base, &at, ROW_BLOCK * in, 1);
    e->scales = piece(base, &at, BR_PARTS_MAX * ROW_BLOCK, sizeof *e->scales);
    e->ranges = piece(base, &at, BR_PARTS_MAX * ROW_BLOCK, sizeof *e->ranges);
    e->wide = piece(base, &at, ROW_BLOCK * in, 2);
    return at;
}

enum br_rc br_embedder_new(const struct br_model *m, struct br_embedder **out, struct br_err *err)
{
    struct br_embedder *e = calloc(1, sizeof *e);
    if (!e)
        return br_fail_nomem(err);
    e->m = m;
    if (m->remote) {
        enum br_rc rc = br_remote_session_new(m->remote, &e->session, err);
        if (rc == BR_OK)
            *out = e;
        else
            free(e);
        return rc;
    }
    e->memory = aligned_alloc(64, lay_out(e, NULL));
    if (!e->memory) {
        br_embedder_free(e);
        return br_fail_nomem(err);
    }
    lay_out(e, e->memory);
    *out = e;
    return BR_OK;
}

/* At most ROW_BLOCK rows. */
static void linear(struct br_embedder *e, const struct br_linear *l, const float *x, size_t rows, enum br_linear_mode mode, float *y)
{
    const struct br_math *math = e->m->math;
    if (l->packed) {
        math->linear_f32(l, x, rows, mode, y);
        return;
    }
    math->quantise(x, rows, l->in, l->smooth_inv, l->shift, e->q, e->scales);
    math->linear_int8(l, e->q, e->scales, rows, mode, y, NULL, NULL, e->wide);
}

/* x += down(gelu(up(x))). With int8 what up gives is measured while it is made, and quantised once it is whole. */
static void feed_forward(struct br_embedder *e, const struct br_layer *y, float *x, size_t rows)
{
    const struct br_linear *up = &y->ffn_up, *down = &y->ffn_down;
    const struct br_math *math = e->m->math;
    if (up->packed) {
        math->linear_f32(up, x, rows, BR_LINEAR_GELU, e->ffn);
        math->linear_f32(down, e->ffn, rows, BR_LINEAR_ADD, x);
        return;
    }
    math->quantise(x, rows, up->in, up->smooth_inv, up->shift, e->q, e->scales);
    math->linear_int8(up, e->q, e->scales, rows, BR_LINEAR_GELU, e->ffn, down, e->ranges, e->wide);
    math->quantise_known(e->ffn, rows, down->in, down->part, e->ranges, e->q, e->scales);
    math->linear_int8(down, e->q, e->scales, rows, BR_LINEAR_ADD, x, NULL, NULL, e->wide);
}

static void embed_tokens(const struct br_model *m, const uint16_t *ids, size_t n, float *x)
{
    size_t hidden = m->info.dim;
    for (size_t t = 0; t < n; t++, x += hidden) {
        const float *p = m->position + t * hidden;
        if (m->word_f) {
            const float *w = m->word_f + ids[t] * hidden;
            for (size_t i = 0; i < hidden; i++)
                x[i] = w[i] + p[i];
        } else {
            m->math->embed_s8(m->word_q + ids[t] * hidden, m->word_scale[ids[t]], p, hidden, x);
        }
    }
}

static void pool(const float *x, size_t n, size_t hidden, float *out)
{
    double norm = 0;
    memset(out, 0, hidden * sizeof *out);
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < hidden; i++)
            out[i] += x[t * hidden + i];
    for (size_t i = 0; i < hidden; i++) {
        out[i] /= (float)n;
        norm += (double)out[i] * out[i];
    }
    float inv = (float)(1 / fmax(sqrt(norm), 1e-12));
    for (size_t i = 0; i < hidden; i++)
        out[i] *= inv;
}

/* Rows of a block: as many blocks as are needed, of the same size as far as eights allow. A small last one would fetch all weights for few rows. */
static size_t block_rows(size_t tokens)
{
    size_t blocks = (tokens + ROW_BLOCK - 1) / ROW_BLOCK;
    return ((tokens + blocks - 1) / blocks + 7) & ~(size_t)7;
}

/* The texts' tokens are in e->ids, one after another; lengths[i] tokens each. */
static void run_batch(struct br_embedder *e, const size_t *lengths, size_t n, float *out)
{
    const struct br_model *m = e->m;
    size_t hidden = m->info.dim, tokens = 0;
    for (size_t i = 0; i < n; tokens += lengths[i++])
        embed_tokens(m, e->ids + tokens, lengths[i], e->x + tokens * hidden);
    const size_t block = block_rows(tokens);
    m->math->layer_norm(e->x, tokens, hidden, m->ln_gamma, m->ln_beta);
    for (size_t l = 0; l < m->info.layers; l++) {
        const struct br_layer *y = &m->layers[l];
        for (size_t r = 0; r < tokens; r += block)
            linear(e, &y->qkv, e->x + r * hidden, BR_MIN(block, tokens - r), BR_LINEAR_STORE, e->qkv + r * 3 * hidden);
        for (size_t i = 0, at = 0; i < n; at += lengths[i++])
            m->math->attention(e->qkv + at * 3 * hidden, lengths[i], m->info.heads, m->head_dim, e->context + at * hidden, e->scratch);
        for (size_t r = 0; r < tokens; r += block) {
            size_t rows = BR_MIN(block, tokens - r);
            float *x = e->x + r * hidden;
            linear(e, &y->attention_out, e->context + r * hidden, rows, BR_LINEAR_ADD, x);
            m->math->layer_norm(x, rows, hidden, y->ln1_gamma, y->ln1_beta);
            feed_forward(e, y, x, rows);
            m->math->layer_norm(x, rows, hidden, y->ln2_gamma, y->ln2_beta);
        }
    }
    for (size_t i = 0, at = 0; i < n; at += lengths[i++])
        pool(e->x + at * hidden, m->pool_cls ? 1 : lengths[i], hidden, out + i * hidden);
}

/* Finite weights can still overflow in a model that is damaged or was never meant to work. */
static enum br_rc check_finite(const struct br_model *m, const float *x, size_t n, struct br_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return br_fail(err, BR_E_DATA, "the model %s gives a vector that is not finite: its weights are damaged, use another one", m->info.name);
    return BR_OK;
}

static enum br_rc embed_after(struct br_embedder *e, const char *prefix, const char *const *texts, const size_t *lens, size_t n, float *out,
                              struct br_err *err)
{
    size_t lengths[BATCH_TOKENS / 2 + 1]; /* a text has two tokens at least */
    size_t max_ids = e->m->info.max_seq;
    if (e->session)
        return br_remote_embed(e->session, prefix, texts, lens, n, out, err);
    for (size_t i = 0; i < n;) {
        size_t tokens = 0, count = 0;
        while (i + count < n && tokens < BATCH_TOKENS) {
            lengths[count] = br_vocab_tokenize_after(e->m->vocab, prefix, texts[i + count], lens[i + count], e->ids + tokens, max_ids);
            tokens += lengths[count++];
        }
        run_batch(e, lengths, count, out + i * e->m->info.dim);
        enum br_rc rc = check_finite(e->m, out + i * e->m->info.dim, count * e->m->info.dim, err);
        if (rc != BR_OK)
            return rc;
        i += count;
    }
    return BR_OK;
}

enum br_rc br_embed(struct br_embedder *e, const char *const *texts, const size_t *lens, size_t n, float *out, struct br_err *err)
{
    return embed_after(e, e->m->info.passage_prefix, texts, lens, n, out, err);
}

enum br_rc br_embed_query(struct br_embedder *e, const char *text, size_t len, float *out, struct br_err *err)
{
    return embed_after(e, e->m->info.query_prefix, &text, &len, 1, out, err);
}

enum br_rc br_embed_query_group(struct br_embedder *e, const char *const *texts, const size_t *lens, size_t n, float *out, struct br_err *err)
{
    return embed_after(e, e->m->info.query_prefix, texts, lens, n, out, err);
}
