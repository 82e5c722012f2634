/* forward.c - BERT's forward pass (Devlin et al., arXiv 1810.04805) over packed batches: all tokens of many texts in one matrix, attention text by text,
 * no padding, no mask; pooling over all tokens (or the first alone) and L2 normalisation as Sentence-BERT does (arXiv 1908.10084). */
#include "embed/model_int.h"

#include "embed/remote.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_TOKENS 1024
#define ROW_BLOCK 48

struct br_embedder {
    const struct br_model *m;
    uint16_t *ids;   /* BATCH_TOKENS */
    float *x, *qkv, *context, *ffn, *scratch;
    uint8_t *quantised;
    struct br_row_scale *scales;
    int32_t *acc;
    int16_t *widened;
    struct br_remote_session *session; /* of a model that is an endpoint: then it is all there is */
};

void br_embedder_free(struct br_embedder *e)
{
    if (!e)
        return;
    br_remote_session_free(e->session);
    free(e->ids);
    free(e->x);
    free(e->qkv);
    free(e->context);
    free(e->ffn);
    free(e->scratch);
    free(e->quantised);
    free(e->scales);
    free(e->acc);
    free(e->widened);
    free(e);
}

static void *aligned(size_t n, size_t size)
{
    return aligned_alloc(64, (n * size + 63) & ~(size_t)63);
}

enum br_rc br_embedder_new(const struct br_model *m, struct br_embedder **out, struct br_err *err)
{
    size_t hidden = m->info.dim, ffn = m->info.ffn, wide = BR_MAX(ffn, 3 * hidden);
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
    e->ids = aligned(BATCH_TOKENS, sizeof *e->ids);
    e->x = aligned(BATCH_TOKENS * hidden, sizeof(float));
    e->qkv = aligned(BATCH_TOKENS * 3 * hidden, sizeof(float));
    e->context = aligned(BATCH_TOKENS * hidden, sizeof(float));
    e->ffn = aligned(BATCH_TOKENS * ffn, sizeof(float));
    e->scratch = aligned(BR_ATTENTION_SCRATCH(BR_MAX_SEQ, m->head_dim), sizeof(float));
    e->quantised = aligned(ROW_BLOCK * wide, 1);
    e->scales = aligned(ROW_BLOCK, sizeof *e->scales);
    e->acc = aligned(ROW_BLOCK * wide, sizeof *e->acc);
    e->widened = aligned(ROW_BLOCK * wide, sizeof *e->widened);
    if (!e->ids || !e->x || !e->qkv || !e->context || !e->ffn || !e->scratch || !e->quantised || !e->scales || !e->acc || !e->widened) {
        br_embedder_free(e);
        return br_fail_nomem(err);
    }
    *out = e;
    return BR_OK;
}

static void linear(struct br_embedder *e, const struct br_linear *l, const float *x, size_t rows, float *y)
{
    const struct br_model *m = e->m;
    if (l->w) {
        br_sgemm(x, rows, l->in, l->w, l->out, y);
        for (size_t r = 0; r < rows; r++)
            m->math->add(y + r * l->out, l->bias, l->out);
        return;
    }
    for (size_t r = 0; r < rows; r += ROW_BLOCK) {
        size_t n = BR_MIN((size_t)ROW_BLOCK, rows - r);
        m->math->quantise(x + r * l->in, n, l->in, l->smooth_inv, e->quantised, e->scales);
        m->gemm->run(e->quantised, n, l->in, l->panels, l->out, e->acc, e->widened);
        m->math->dequantise(e->acc, n, l->out, e->scales, l->scale, l->sums, l->bias, y + r * l->out);
    }
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
            const int8_t *w = m->word_q + ids[t] * hidden;
            float s = m->word_scale[ids[t]];
            for (size_t i = 0; i < hidden; i++)
                x[i] = (float)w[i] * s + p[i];
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

/* The texts' tokens are in e->ids, one after another; lengths[i] tokens each. */
static void run_batch(struct br_embedder *e, const size_t *lengths, size_t n, float *out)
{
    const struct br_model *m = e->m;
    size_t hidden = m->info.dim, tokens = 0;
    for (size_t i = 0; i < n; tokens += lengths[i++])
        embed_tokens(m, e->ids + tokens, lengths[i], e->x + tokens * hidden);
    m->math->layer_norm(e->x, tokens, hidden, m->ln_gamma, m->ln_beta);
    for (size_t l = 0; l < m->info.layers; l++) {
        const struct br_layer *y = &m->layers[l];
        linear(e, &y->qkv, e->x, tokens, e->qkv);
        for (size_t i = 0, at = 0; i < n; at += lengths[i++])
            m->math->attention(e->qkv + at * 3 * hidden, lengths[i], m->info.heads, m->head_dim, e->context + at * hidden, e->scratch);
        linear(e, &y->attention_out, e->context, tokens, e->qkv);
        m->math->add(e->x, e->qkv, tokens * hidden);
        m->math->layer_norm(e->x, tokens, hidden, y->ln1_gamma, y->ln1_beta);
        linear(e, &y->ffn_up, e->x, tokens, e->ffn);
        m->math->gelu(e->ffn, tokens * m->info.ffn);
        linear(e, &y->ffn_down, e->ffn, tokens, e->qkv);
        m->math->add(e->x, e->qkv, tokens * hidden);
        m->math->layer_norm(e->x, tokens, hidden, y->ln2_gamma, y->ln2_beta);
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
    size_t lengths[BATCH_TOKENS / 2];
    size_t max_ids = e->m->info.max_seq;
    if (e->session)
        return br_remote_embed(e->session, prefix, texts, lens, n, out, err);
    for (size_t i = 0; i < n;) {
        size_t tokens = 0, count = 0;
        while (i + count < n && tokens + max_ids <= BATCH_TOKENS && count < BR_COUNT(lengths)) {
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
