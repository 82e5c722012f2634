/* model_smooth.c - factors that make the error of a quantised linear least.
 *
 * Column k of the input is divided by s[k], row k of the weights multiplied by it (SmoothQuant, Xiao et al., arXiv 2211.10438): what makes activations
 * easy to quantise makes weights hard. Instead of a rule of thumb the expected squared error of the output is made small:
 *   activations   a token's values are rounded to steps of (its range) / 255: E[range^2] / 255^2 / 12 x sum over k of s[k]^2 |w[k]|^2
 *   weights       a channel's are rounded to steps of max|s w| / 127: sum over channels of max^2 / 127^2 / 12 x sum over k of E[x[k]^2] / s[k]^2,
 *                 times WEIGHTS_LEFT
 * with each token and each channel weighted by what an error there does to a text's vector (model_sensitivity.c).
 * A range depends on the two columns alone that are its ends, so the slope is cheap; it is followed in log s by Adam (Kingma & Ba, arXiv 1412.6980), the
 * step becoming smaller and smaller. Plain loops in a fixed order. */
#include "embed/model_smooth.h"

#include "base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX 3072 /* looked at: others are passed over evenly */
#define STEPS 100
#define FIRST_STEP 0.05
/* So much the weights' error counts beside the activations'. Compensation leaves a part of it only; but what is left is alike in all tokens of a text and
 * does not average out. */
#define WEIGHTS_LEFT 1.0

struct search {
    const float *x, *matters, *channels, *shift, *w;
    size_t tokens, step, stride, n, out;
    double *variance, *power;             /* of the inputs; of the weights, summed over channels */
    double *at, *best, *slope, *m1, *m2;  /* in log s; Adam's moments */
    float *s, *inv, *v;
};

/* Between which columns a token's values lie, 0 among them; n is a multiple of 16. */
static void ends_of(const float *v, size_t n, size_t *least, size_t *most)
{
    float lo[16] = {0}, hi[16] = {0}, bottom = 0, top = 0;
    for (size_t i = 0; i < n; i += 16)
        for (size_t j = 0; j < 16; j++) {
            lo[j] = v[i + j] < lo[j] ? v[i + j] : lo[j];
            hi[j] = v[i + j] > hi[j] ? v[i + j] : hi[j];
        }
    for (size_t j = 0; j < 16; j++) {
        bottom = fminf(bottom, lo[j]);
        top = fmaxf(top, hi[j]);
    }
    *least = *most = n;
    for (size_t i = n; i-- > 0;) {
        if (v[i] == bottom && bottom < 0)
            *least = i;
        if (v[i] == top && top > 0)
            *most = i;
    }
}

/* The activations' error; its slope is added. */
static double of_activations(struct search *t)
{
    double square = 0, power = 0, seen = 0, *slope = t->slope;
    for (size_t k = 0; k < t->n; k++)
        power += t->power[k] * (double)t->s[k] * (double)t->s[k];
    for (size_t r = 0; r < t->tokens; r += t->step) {
        double matters = (double)t->matters[r];
        seen += matters;
        size_t least, most;
        for (size_t k = 0; k < t->n; k++)
            t->v[k] = (t->x[r * t->stride + k] - t->shift[k]) * t->inv[k];
        ends_of(t->v, t->n, &least, &most);
        double lo = least < t->n ? (double)t->v[least] : 0, hi = most < t->n ? (double)t->v[most] : 0, range = hi - lo;
        square += matters * range * range;
        if (most < t->n)
            slope[most] -= matters * 2 * range * hi * power;
        if (least < t->n)
            slope[least] += matters * 2 * range * lo * power;
    }
    for (size_t k = 0; k < t->n; k++)
        slope[k] = (slope[k] / seen + 2 * square / seen * t->power[k] * (double)t->s[k] * (double)t->s[k]) / (255.0 * 255 * 12);
    return square / seen * power / (255.0 * 255 * 12);
}

static double of_weights(struct search *t)
{
    double steps = 0, power = 0, left = WEIGHTS_LEFT / (127.0 * 127 * 12);
    for (size_t k = 0; k < t->n; k++)
        power += t->variance[k] * (double)t->inv[k] * (double)t->inv[k];
    for (size_t j = 0; j < t->out; j++) {
        size_t most = 0;
        for (size_t k = 0; k < t->n; k++) {
            t->v[k] = fabsf(t->w[j * t->stride + k]) * t->s[k];
            most = t->v[k] > t->v[most] ? k : most;
        }
        steps += (double)t->channels[j] * (double)t->v[most] * (double)t->v[most];
        t->slope[most] += left * 2 * (double)t->channels[j] * (double)t->v[most] * (double)t->v[most] * power;
    }
    for (size_t k = 0; k < t->n; k++)
        t->slope[k] -= left * steps * 2 * t->variance[k] * (double)t->inv[k] * (double)t->inv[k];
    return left * steps * power;
}

static double error_at(struct search *t)
{
    for (size_t k = 0; k < t->n; k++) {
        t->s[k] = (float)exp(t->at[k]);
        t->inv[k] = 1.0f / t->s[k];
        t->slope[k] = 0;
    }
    double activations = of_activations(t);
    return activations + of_weights(t);
}

static void descend(struct search *t)
{
    double least = INFINITY, decay1 = 1, decay2 = 1;
    for (size_t i = 0; i < STEPS; i++) {
        double error = error_at(t), step = FIRST_STEP * (1 - (double)i / STEPS);
        if (error < least) {
            least = error;
            memcpy(t->best, t->at, t->n * sizeof *t->best);
        }
        decay1 *= 0.9;
        decay2 *= 0.99;
        for (size_t k = 0; k < t->n; k++) {
            t->m1[k] = 0.9 * t->m1[k] + 0.1 * t->slope[k];
            t->m2[k] = 0.99 * t->m2[k] + 0.01 * t->slope[k] * t->slope[k];
            double by = step * (t->m1[k] / (1 - decay1)) / (sqrt(t->m2[k] / (1 - decay2)) + 1e-30);
            t->at[k] -= isfinite(by) ? by : 0;
        }
    }
}

static void measure(struct search *t)
{
    for (size_t r = 0; r < t->tokens; r++)
        for (size_t k = 0; k < t->n; k++) {
            double d = (double)t->x[r * t->stride + k] - (double)t->shift[k];
            t->variance[k] += (double)t->matters[r] * d * d / (double)t->tokens;
        }
    for (size_t j = 0; j < t->out; j++)
        for (size_t k = 0; k < t->n; k++)
            t->power[k] += (double)t->channels[j] * (double)t->w[j * t->stride + k] * (double)t->w[j * t->stride + k];
}

bool br_smooth_improve(const float *x, const float *matters, const float *channels, size_t tokens, size_t stride, size_t n, const float *shift,
                       const float *w, size_t out, float *smooth)
{
    struct search t = {.x = x,
                       .matters = matters,
                       .channels = channels,
                       .shift = shift,
                       .w = w,
                       .tokens = tokens,
                       .step = (tokens + TOKENS_MAX - 1) / TOKENS_MAX,
                       .stride = stride,
                       .n = n,
                       .out = out};
    double *memory = calloc(n, 7 * sizeof *memory + 3 * sizeof(float));
    if (!memory)
        return false;
    t.variance = memory;
    t.power = t.variance + n;
    t.at = t.power + n;
    t.best = t.at + n;
    t.slope = t.best + n;
    t.m1 = t.slope + n;
    t.m2 = t.m1 + n;
    t.s = (float *)(void *)(t.m2 + n);
    t.inv = t.s + n;
    t.v = t.inv + n;
    for (size_t k = 0; k < n; k++)
        t.at[k] = t.best[k] = log((double)smooth[k]);
    measure(&t);
    descend(&t);
    for (size_t k = 0; k < n; k++)
        smooth[k] = (float)exp(t.best[k]);
    free(memory);
    return true;
}
