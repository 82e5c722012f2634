/* embed_api.c - the embedding model as callers outside see it: description, vectors, token ids, conversion. */
#include "engine_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int br_model_describe(struct br_home *h, struct br_model_description *out, struct br_error *error)
{
    (void)error;
    const struct br_model_info *m = br_model_info(h->model);
    struct br_model_description d = {.dimension = m->dim,
                                     .layers = m->layers,
                                     .heads = m->heads,
                                     .vocabulary = m->vocab,
                                     .max_tokens = m->max_seq,
                                     .bytes = m->bytes};
    snprintf(d.name, sizeof d.name, "%s", m->name);
    snprintf(d.id, sizeof d.id, "%s", m->id);
    snprintf(d.source_sha256, sizeof d.source_sha256, "%s", m->source_sha256);
    snprintf(d.licence, sizeof d.licence, "%s", m->licence);
    snprintf(d.origin, sizeof d.origin, "%s", m->origin);
    snprintf(d.pooling, sizeof d.pooling, "%s", m->pooling);
    snprintf(d.precision, sizeof d.precision, "%s", m->precision == BR_PRECISION_F32 ? "f32" : "int8");
    snprintf(d.kernel, sizeof d.kernel, "%s", br_embed_kernel_name(h->model));
    *out = d;
    return BR_STATUS_OK;
}

int br_embed_texts(struct br_home *h, const char *const *texts, size_t n, float *out, struct br_error *error)
{
    struct br_err err = {0};
    struct br_embedder *e = NULL;
    enum br_rc rc;
    size_t *lens = malloc((n ? n : 1) * sizeof *lens);
    if (!lens)
        BR_TRY(br_fail_nomem(&err));
    for (size_t i = 0; i < n; i++)
        lens[i] = strlen(texts[i]);
    BR_TRY(br_embedder_new(h->model, &e, &err));
    BR_TRY(br_embed(e, texts, lens, n, out, &err));
err:
    br_embedder_free(e);
    free(lens);
    return br_status_of(rc, &err, error);
}

int br_tokenize_text(struct br_home *h, const char *text, uint16_t *ids, size_t *n_ids, struct br_error *error)
{
    struct br_err err = {0};
    if (*n_ids < 2)
        return br_status_of(br_fail(&err, BR_E_USAGE, "room for at least 2 token ids is needed"), &err, error);
    *n_ids = br_tokenize(h->model, text, strlen(text), ids, BR_MIN(*n_ids, (size_t)BR_DEFAULT_MAX_SEQ));
    return BR_STATUS_OK;
}

int br_model_file_convert(const char *source_dir, const char *out_path, struct br_error *error)
{
    struct br_err err = {0};
    return br_status_of(br_model_convert(source_dir, out_path, &err), &err, error);
}

const char *br_version(void)
{
    return BR_VERSION;
}
