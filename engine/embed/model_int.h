/* model_int.h - a model in memory, as the files of embed/ share it. */
#ifndef BR_MODEL_INT_H
#define BR_MODEL_INT_H

#include "embed/embed.h"
#include "embed/math_kernels.h"
#include "embed/tokenizer.h"

struct br_weights;
struct br_remote;

#define BR_LAYERS_MAX 24
#define BR_HIDDEN_MAX 1024
#define BR_FFN_MAX 4096

struct br_layer {
    struct br_linear qkv, attention_out, ffn_up, ffn_down;
    const float *ln1_gamma, *ln1_beta, *ln2_gamma, *ln2_beta;
};

struct br_model {
    struct br_model_info info;
    size_t head_dim;
    struct br_vocab *vocab;
    const int8_t *word_q; /* [vocab][hidden] */
    const float *word_scale;
    const float *word_f;
    const float *position; /* [positions][hidden], token type 0 folded in */
    const float *ln_gamma, *ln_beta;
    size_t positions;
    struct br_layer layers[BR_LAYERS_MAX];
    const struct br_math *math;
    char kernel[64];
    bool pool_cls; /* a text's vector is its first token's, not the mean over all */
    /* what is owned */
    void *map;
    size_t map_bytes;
    char *vocab_text;
    size_t vocab_bytes;
    float *owned;               /* float path: concatenated QKV and folded positions */
    float *packed;              /* float path: weights as the kernels take them */
    struct br_weights *weights; /* float path: where the other pointers go */
    struct br_remote *remote;   /* vectors come from there; NULL: they are calculated here */
};

/* model_file.c */
BR_MUST_USE enum br_rc br_model_file_open(struct br_model *m, const char *path, struct br_err *err); /* NULL: the built-in one */
/* Text from outside, at most n bytes up to a NUL: what is no UTF-8 or a control character becomes '?', and what has no room is left out whole. */
void br_clean_text(char *to, size_t size, const char *from, size_t n);
/* model_float.c: weights as they come, of the file of the folder that is named, else (NULL) of what there is; options may be NULL */
BR_MUST_USE enum br_rc br_model_float_open(struct br_model *m, const char *dir, const char *weights, const struct br_model_options *options,
                                            struct br_err *err);
/* model.c: as br_model_open, with what the user says of a folder. */
BR_MUST_USE enum br_rc br_model_open_with(const char *path, const struct br_model_options *options, struct br_model **out, struct br_err *err);
/* blas.c: y[m][n] = x[m][k] w[n][k]^T */
void br_sgemm(const float *x, size_t m, size_t k, const float *w, size_t n, float *y);

#endif
