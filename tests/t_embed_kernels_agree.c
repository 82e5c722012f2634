/* t_embed_kernels_agree.c - every instance of the embedding kernels that this CPU has gives the very bits that plain C gives: with every row tail, with
 * ordinary and with extreme values. And plain C gives what it should: exact integer sums, GELU within what its declaration says. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "embed/math_kernels.h"

static const struct br_math *others[BR_MATH_INSTANCES];
static size_t n_others;
static const struct br_math *const plain = &br_math_scalar;
static unsigned seed = 3;

static int set_up(void **state)
{
    (void)state;
    n_others = br_math_all(others);
    assert_ptr_equal(others[n_others - 1], plain);
    n_others--;
    for (size_t i = 0; i < n_others; i++)
        print_message("%s\n", others[i]->name);
    return 0;
}

static void *room(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    assert_non_null(p);
    return p;
}

static float ordinary(void)
{
    return ((float)(rand_r(&seed) % 20001) - 10000.0f) / 3000.0f;
}

static float extreme(void)
{
    static const float VALUES[] = {0.0f, -0.0f, 1e-45f, -1e-40f, 1.17549435e-38f, 1e-30f, 1e30f, -1e30f, 3.4e38f, -3.4e38f, 100.0f, -100.0f,
                                   4.0f, -4.0f, INFINITY, -INFINITY, NAN};
    size_t i = (size_t)rand_r(&seed) % (2 * BR_COUNT(VALUES));
    return i < BR_COUNT(VALUES) ? VALUES[i] : ordinary();
}

static float *floats(size_t n, float (*value)(void))
{
    float *x = room(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = value();
    return x;
}

/* A NaN is as good as another. */
static void assert_same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("float %zu of %zu is %a, plain C gives %a", i, n, (double)b[i], (double)a[i]);
}

static float *copy(const float *x, size_t n)
{
    float *y = room(n * sizeof *y);
    memcpy(y, x, n * sizeof *y);
    return y;
}

/* ---- Integer sums ---- */

static void assert_sums(const uint8_t *q, size_t rows, size_t in, const int8_t *panel)
{
    int32_t *acc = room(rows * 16 * sizeof *acc);
    void *scratch = room(rows * in * 2);
    for (size_t m = 0; m <= n_others; m++) {
        const struct br_math *math = m < n_others ? others[m] : plain;
        math->sums(q, rows, in, panel, acc, scratch);
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < 16; c++) {
                int64_t sum = 0;
                for (size_t k = 0; k < in; k++)
                    sum += (int64_t)q[r * in + k] * panel[k / 4 * 64 + c * 4 + k % 4];
                assert_int_equal(acc[r * 16 + c], sum);
            }
    }
    free(acc);
    free(scratch);
}

static void integer_sums_are_exact(void **state)
{
    (void)state;
    static const size_t IN[] = {16, 48, 1536};
    for (size_t i = 0; i < BR_COUNT(IN); i++)
        for (size_t rows = 1; rows <= 17; rows++) {
            uint8_t *q = room(rows * IN[i]);
            int8_t *panel = room(16 * IN[i]);
            for (size_t j = 0; j < rows * IN[i]; j++)
                q[j] = (uint8_t)rand_r(&seed);
            for (size_t j = 0; j < 16 * IN[i]; j++)
                panel[j] = (int8_t)rand_r(&seed);
            assert_sums(q, rows, IN[i], panel);
            memset(q, 255, rows * IN[i]);
            memset(panel, -128, 16 * IN[i]);
            assert_sums(q, rows, IN[i], panel);
            free(q);
            free(panel);
        }
}

/* ---- Linears ---- */

struct weights {
    struct br_linear l, next;
    int8_t *panels;
    float *scale, *bias, *smooth, *shift, *packed, *next_smooth, *next_shift;
    int32_t *sums;
};

static struct weights weights(size_t in, size_t out, size_t parts, size_t next_parts)
{
    struct weights w = {.panels = room(in * out), .scale = floats(parts * out, ordinary), .bias = floats(out, ordinary), .smooth = floats(in, ordinary),
                        .shift = floats(in, ordinary), .packed = floats(in * out, ordinary), .next_smooth = floats(out, ordinary),
                        .next_shift = floats(out, ordinary), .sums = room(parts * out * sizeof(int32_t))};
    for (size_t i = 0; i < in * out; i++)
        w.panels[i] = (int8_t)rand_r(&seed);
    memset(w.sums, 0, parts * out * sizeof *w.sums);
    for (size_t c = 0; c < out; c++)
        for (size_t k = 0; k < in; k++)
            w.sums[k / (in / parts) * out + c] += w.panels[c / 16 * in * 16 + k / 4 * 64 + c % 16 * 4 + k % 4];
    for (size_t i = 0; i < parts * out; i++)
        w.scale[i] /= 1000;
    w.l = (struct br_linear){.in = in, .out = out, .part = in / parts, .panels = w.panels, .scale = w.scale, .bias = w.bias, .sums = w.sums, .smooth_inv = w.smooth,
                             .shift = w.shift, .packed = w.packed};
    w.next = (struct br_linear){.part = out / next_parts, .smooth_inv = w.next_smooth, .shift = w.next_shift};
    return w;
}

static void free_weights(struct weights *w)
{
    free(w->panels);
    free(w->scale);
    free(w->bias);
    free(w->smooth);
    free(w->shift);
    free(w->packed);
    free(w->next_smooth);
    free(w->next_shift);
    free(w->sums);
}

/* A linear from floats to floats; with GELU, to what the next one takes. q: rows * max(in, out) bytes. */
static void run_int8(const struct br_math *math, const struct weights *w, const float *x, size_t rows, enum br_linear_mode mode, float *y, uint8_t *q,
                     struct br_row_scale *s)
{
    struct br_row_range *ranges = room(BR_PARTS_MAX * rows * sizeof *ranges), *in_ranges = room(BR_PARTS_MAX * rows * sizeof *ranges);
    void *scratch = room(rows * w->l.in * 2);
    if (w->l.part == w->l.in)
        math->quantise(x, rows, w->l.in, w->smooth, w->shift, q, s);
    else {
        for (size_t i = 0; i < w->l.in / w->l.part * rows; i++) /* whatever they are, larger values are cut off */
            for (size_t j = 0; j < 16; j++) {
                in_ranges[i].lo[j] = -(float)(i % 5);
                in_ranges[i].hi[j] = (float)(i % 3 + j % 2);
            }
        math->quantise_known(x, rows, w->l.in, w->l.part, in_ranges, q, s);
    }
    math->linear_int8(&w->l, q, s, rows, mode, y, &w->next, ranges, scratch);
    if (mode == BR_LINEAR_GELU)
        math->quantise_known(y, rows, w->l.out, w->next.part, ranges, q, s);
    free(ranges);
    free(in_ranges);
    free(scratch);
}

static void assert_linear(size_t in, size_t parts, size_t out, size_t next_parts, size_t rows, enum br_linear_mode mode, float (*value)(void))
{
    struct weights w = weights(in, out, parts, next_parts);
    float *x = floats(rows * in, value), *y = floats(rows * out, ordinary), *expected = copy(y, rows * out), *expected_f = copy(y, rows * out);
    size_t bytes = rows * BR_MAX(in, out);
    uint8_t *q = room(bytes), *expected_q = room(bytes);
    struct br_row_scale s[BR_PARTS_MAX * BR_ROWS_MAX], expected_s[BR_PARTS_MAX * BR_ROWS_MAX];
    size_t scales = rows * (mode == BR_LINEAR_GELU ? next_parts : parts);
    memset(q, 0, bytes);
    memset(expected_q, 0, bytes);
    run_int8(plain, &w, x, rows, mode, expected, expected_q, expected_s);
    plain->linear_f32(&w.l, x, rows, mode, expected_f);
    for (size_t m = 0; m < n_others; m++) {
        float *to = copy(y, rows * out);
        run_int8(others[m], &w, x, rows, mode, to, q, s);
        assert_same(expected, to, rows * out);
        assert_memory_equal(expected_q, q, bytes);
        assert_memory_equal(expected_s, s, scales * sizeof *s);
        memcpy(to, y, rows * out * sizeof *to);
        others[m]->linear_f32(&w.l, x, rows, mode, to);
        assert_same(expected_f, to, rows * out);
        free(to);
    }
    free_weights(&w);
    free(x);
    free(y);
    free(expected);
    free(expected_f);
    free(q);
    free(expected_q);
}

static void linears_give_the_same_bits(void **state)
{
    (void)state;
    static const size_t OUT[] = {16, 32, 48, 64, 112};
    for (size_t rows = 1; rows <= 17; rows++)
        for (enum br_linear_mode mode = BR_LINEAR_STORE; mode <= BR_LINEAR_GELU; mode++) {
            assert_linear(48, 1, OUT[rows % BR_COUNT(OUT)], 1, rows, mode, ordinary);
            assert_linear(16, 1, OUT[(rows + 2) % BR_COUNT(OUT)], 1, rows, mode, extreme);
            assert_linear(64, mode == BR_LINEAR_GELU ? 1 : 4, 64, 4, rows, mode, ordinary);
        }
    assert_linear(1552, 1, 48, 1, 11, BR_LINEAR_ADD, ordinary); /* more than a block of k */
    assert_linear(3200, 4, 112, 1, 11, BR_LINEAR_STORE, ordinary);
    assert_linear(16, 1, 192, 4, BR_ROWS_MAX, BR_LINEAR_GELU, ordinary);
}

/* ---- Rows and functions ---- */

static void assert_rows(size_t n, float (*value)(void))
{
    enum { ROWS = 3 };
    float *x = floats(ROWS * n, value), *gamma = floats(n, ordinary), *beta = floats(n, ordinary);
    uint8_t *q = room(2 * ROWS * n), *p = q + ROWS * n;
    int8_t *word = room(n);
    struct br_row_scale s[ROWS], t[ROWS];
    for (size_t i = 0; i < n; i++)
        word[i] = (int8_t)rand_r(&seed);
    for (size_t m = 0; m < n_others; m++) {
        float *a = copy(x, ROWS * n), *b = copy(x, ROWS * n);
        plain->layer_norm(a, ROWS, n, gamma, beta);
        others[m]->layer_norm(b, ROWS, n, gamma, beta);
        assert_same(a, b, ROWS * n);
        plain->quantise(x, ROWS, n, gamma, beta, q, s);
        others[m]->quantise(x, ROWS, n, gamma, beta, p, t);
        assert_memory_equal(q, p, ROWS * n);
        assert_memory_equal(s, t, sizeof s);
        plain->gelu(a, ROWS * n);
        others[m]->gelu(b, ROWS * n);
        assert_same(a, b, ROWS * n);
        plain->add(a, x, ROWS * n);
        others[m]->add(b, x, ROWS * n);
        assert_same(a, b, ROWS * n);
        plain->embed_s8(word, x[0], gamma, n, a);
        others[m]->embed_s8(word, x[0], gamma, n, b);
        assert_same(a, b, n);
        plain->sgemm(x, ROWS, n, x, ROWS, a);
        others[m]->sgemm(x, ROWS, n, x, ROWS, b);
        assert_same(a, b, ROWS * ROWS);
        free(a);
        free(b);
    }
    free(x);
    free(gamma);
    free(beta);
    free(q);
    free(word);
}

static void rows_give_the_same_bits(void **state)
{
    (void)state;
    static const size_t N[] = {16, 32, 80, 384};
    for (size_t i = 0; i < BR_COUNT(N); i++)
        for (int round = 0; round < 4; round++) {
            assert_rows(N[i], ordinary);
            assert_rows(N[i], extreme);
        }
}

static void assert_attention(size_t s, size_t heads, size_t dims, float (*value)(void))
{
    size_t hidden = heads * dims;
    float *qkv = floats(s * 3 * hidden, value), *a = room(s * hidden * sizeof(float)), *b = room(s * hidden * sizeof(float));
    float *scratch = room(BR_ATTENTION_SCRATCH(s, dims) * sizeof(float));
    plain->attention(qkv, s, heads, dims, a, scratch);
    for (size_t m = 0; m < n_others; m++) {
        others[m]->attention(qkv, s, heads, dims, b, scratch);
        assert_same(a, b, s * hidden);
    }
    free(qkv);
    free(a);
    free(b);
    free(scratch);
}

static void attention_gives_the_same_bits(void **state)
{
    (void)state;
    for (size_t s = 1; s <= 35; s++) {
        assert_attention(s, 1, 32, ordinary);
        assert_attention(s, 2, s % 2 ? 24 : 64, s % 3 ? ordinary : extreme);
    }
    assert_attention(65, 2, 32, ordinary);
}

static void gelu_is_what_it_says(void **state)
{
    (void)state;
    enum { IN = 16, OUT = 16 };
    struct weights w = weights(IN, OUT, 1, 1);
    memset(w.shift, 0, IN * sizeof *w.shift);
    memset(w.next_shift, 0, OUT * sizeof *w.next_shift);
    for (size_t c = 0; c < OUT; c++)
        w.next_smooth[c] = 1.0f;
    for (float x = -9.0f; x < 9.0f; x += 0.013f) {
        float v[16], y[OUT], zeros[IN] = {0};
        uint8_t q[IN];
        struct br_row_scale s[1];
        double expected = 0.5 * (double)x * (1 + erf((double)x / sqrt(2)));
        for (size_t i = 0; i < 16; i++)
            v[i] = w.bias[i] = x;
        plain->gelu(v, 16);
        assert_true(fabs((double)v[0] - expected) <= 2e-7 * fmax(1, fabs((double)x)));
        run_int8(plain, &w, zeros, 1, BR_LINEAR_GELU, y, q, s);
        assert_true(fabs((double)y[5] - expected) <= 3e-4);
    }
    free_weights(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_sums_are_exact),  cmocka_unit_test(linears_give_the_same_bits),
        cmocka_unit_test(rows_give_the_same_bits), cmocka_unit_test(attention_gives_the_same_bits),
        cmocka_unit_test(gelu_is_what_it_says),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
