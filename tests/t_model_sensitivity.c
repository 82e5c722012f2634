/* t_model_sensitivity.c - what conversion takes for the importance of tokens and channels is what small changes there do to a text's vector. */
#include "tiny_model.h"

#include "embed/model_sensitivity.h"

#include <math.h>

#define TEXTS 4096 /* the same one: each draws another direction */
#define SMALL 1e-3f

static char dir[1024], weights[1200];

static int set_up(void **state)
{
    char brm[1200];
    (void)state;
    e2e_scratch(dir, sizeof dir);
    tiny_model(dir, brm, sizeof brm);
    snprintf(weights, sizeof weights, "%s/weights", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    e2e_remove_tree(dir);
    return 0;
}

static const char *const text = "bike lanes and other words";

static void embed(const struct br_model *m, float *v)
{
    struct br_embedder *e = NULL;
    struct br_err err = {0};
    size_t n = strlen(text);
    assert_int_equal(br_embedder_new(m, &e, &err), BR_OK);
    assert_int_equal(br_embed(e, &text, &n, 1, v, &err), BR_OK);
    br_embedder_free(e);
}

/* |change of the vector|^2 for a small change of output j, of all tokens. */
static double effect(const struct br_model *m, struct br_linear *l, size_t j)
{
    float bias[3 * TINY_HIDDEN], a[TINY_HIDDEN], b[TINY_HIDDEN];
    const float *whole = l->bias;
    double square = 0;
    memcpy(bias, whole, l->out * sizeof *bias);
    l->bias = bias;
    bias[j] = whole[j] + SMALL;
    embed(m, a);
    bias[j] = whole[j] - SMALL;
    embed(m, b);
    l->bias = whole;
    for (size_t k = 0; k < TINY_HIDDEN; k++)
        square += (double)(a[k] - b[k]) * (double)(a[k] - b[k]);
    return square / 4 / (double)(SMALL * SMALL);
}

/* The first n outputs' importance, up to a factor. */
static void assert_channels(const struct br_model *m, struct br_linear *l, size_t n, const float *importance)
{
    double effects[3 * TINY_HIDDEN], sum = 0, total = 0;
    for (size_t j = 0; j < n; j++) {
        sum += effects[j] = effect(m, l, j);
        total += (double)importance[j];
    }
    for (size_t j = 0; j < n; j++) {
        double want = effects[j] / sum * (double)n, got = (double)importance[j] / total * (double)n;
        if (fabs(want - got) > 0.1 * want + 0.02)
            fail_msg("output %zu of %zu matters %f, by changing it %f", j, n, got, want);
    }
}

/* Where the first token alone is pooled, a single layer's other tokens matter as keys and values only, so that what a change to all tokens does is what
 * a change to the first does. */
static void slopes_are_what_small_changes_do(void **state)
{
    (void)state;
    struct br_model *m = NULL;
    struct br_err err = {0};
    struct br_sensitivity s;
    static uint16_t ids[TEXTS * 16];
    static size_t lengths[TEXTS];
    assert_int_equal(br_model_open(weights, &m, &err), BR_OK);
    m->pool_cls = true;
    size_t n = br_tokenize(m, text, strlen(text), ids, 16);
    for (size_t i = 0; i < TEXTS; i++) {
        memcpy(ids + i * n, ids, n * sizeof *ids);
        lengths[i] = n;
    }
    assert_int_equal(br_sensitivity(m, ids, lengths, TEXTS, TEXTS * n, &s, &err), BR_OK);
    struct br_layer *l = &m->layers[0];
    assert_channels(m, &l->qkv, TINY_HIDDEN, s.of_channels);
    assert_channels(m, &l->attention_out, TINY_HIDDEN, s.of_channels + s.widest);
    assert_channels(m, &l->ffn_up, TINY_FFN, s.of_channels + 2 * s.widest);
    assert_channels(m, &l->ffn_down, TINY_HIDDEN, s.of_channels + 3 * s.widest);
    for (size_t linear = 0; linear < 4; linear++)
        for (size_t t = 0; t < TEXTS * n; t++) {
            float matters = s.of_tokens[linear * s.tokens + t];
            assert_true(t % n == 0 || linear == 0 ? matters > 0 : matters == 0);
        }
    free(s.of_tokens);
    br_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(slopes_are_what_small_changes_do)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
