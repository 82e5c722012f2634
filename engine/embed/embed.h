/* embed.h - text to vectors: WordPiece tokenizer and BERT forward pass (see the reference given in the .c files).
 *
 * A model is immutable after opening and shared by threads; an embedder is one thread's scratch memory. The same text
 * gives the same bytes in any batch, order and thread count, with every kernel. */
#ifndef BR_EMBED_H
#define BR_EMBED_H

#include "base/base.h"

#define BR_MAX_SEQ 512         /* positions of the model family */
#define BR_DEFAULT_MAX_SEQ 256 /* [CLS] + 254 pieces + [SEP], as ChromaDB's default embedding function cuts */

struct br_model;
struct br_embedder;

enum br_precision { BR_PRECISION_INT8, BR_PRECISION_F32, BR_PRECISION_REMOTE };
#define BR_REMOTE_DIM_MAX 4096
#define BR_REMOTE_TEXTS 128 /* of a request, at most */

struct br_model_info {
    char name[64];          /* "all-MiniLM-L6-v2" */
    char id[65];            /* what a workspace records: sha256, hex, of our file's sections, or of the original weights; where pooling, prefixes or
                               max_seq are not mean, none and 256, of these, too */
    char source_sha256[65]; /* of the original weights */
    char licence[64];
    char origin[128];
    uint32_t dim, layers, heads, ffn, vocab, max_seq;
    enum br_precision precision;
    char pooling[16]; /* "mean" or "cls": the first token's */
    char query_prefix[64], passage_prefix[64]; /* put before texts; "" none */
    uint64_t bytes;
};

/* What a folder of original weights may not say, and the user knows. Zero: as the folder says. */
struct br_model_options {
    const char *pooling; /* "mean", "cls" */
    const char *query_prefix, *passage_prefix;
    size_t max_tokens; /* [CLS] and [SEP] included, at most BR_MAX_SEQ */
};

/* path NULL: the model linked into the program. path: our flat file, or a folder (or the weights in it) with model.safetensors or model.onnx,
 * config.json, and vocab.txt or tokenizer.json: the float32 path. */
BR_MUST_USE enum br_rc br_model_open(const char *path, struct br_model **out, struct br_err *err);
void br_model_close(struct br_model *m);
const struct br_model_info *br_model_info(const struct br_model *m);
const char *br_embed_kernel_name(const struct br_model *m); /* "avx512vnni", "avxvnni", "avx2", "neon", "scalar" */

/* An endpoint that makes vectors, instead of weights. */
struct br_remote_config {
    const char *url;     /* https, or http on this machine */
    const char *kind;    /* "openai", "ollama" */
    const char *model;   /* its name there */
    const char *api_key; /* NULL none; copied, in no message */
    void *(*secret_alloc)(size_t n); /* where the key is copied to; secret_free wipes. NULL: malloc, wiped when the model is closed */
    void (*secret_free)(void *p);
    const char *query_prefix, *passage_prefix; /* NULL none */
    uint32_t dim;        /* 0: the endpoint is asked, with a word of ours */
    unsigned timeout_ms, backoff_ms; /* 0: two minutes a request; half a second before the second try */
    const volatile int *stop; /* not 0: no more is asked, and what is under way ends; borrowed as long as the model is open; NULL never */
};
/* A model whose vectors come from the endpoint: texts are counted and cut with the built-in model's tokenizer. Its id is made of kind, URL, model,
 * dimension and prefixes. Nothing is sent but for dim 0. */
BR_MUST_USE enum br_rc br_model_open_remote(const struct br_remote_config *cfg, struct br_model **out, struct br_err *err);

/* Token ids of UTF-8 text (invalid bytes are repaired first), [CLS] and [SEP] included, at most max_ids (2..BR_MAX_SEQ).
 * Pure and thread-safe. Returns the number of ids. */
size_t br_tokenize(const struct br_model *m, const char *text, size_t len, uint16_t *ids, size_t max_ids);
/* The number of pieces, without [CLS]/[SEP], counted up to limit (a cheap fit test for passages). */
size_t br_token_count(const struct br_model *m, const char *text, size_t len, size_t limit);

BR_MUST_USE enum br_rc br_embedder_new(const struct br_model *m, struct br_embedder **out, struct br_err *err);
void br_embedder_free(struct br_embedder *e);

/* Texts to be found: the model's passage prefix goes before each. texts[i] (UTF-8, lengths lens[i]) -> out[i * dim ...], unit length. Any n; internally packed into batches without padding.
 * One thread. */
BR_MUST_USE enum br_rc br_embed(struct br_embedder *e, const char *const *texts, const size_t *lens, size_t n, float *out,
                                struct br_err *err);

/* One text to be looked for: with the model's query prefix. */
BR_MUST_USE enum br_rc br_embed_query(struct br_embedder *e, const char *text, size_t len, float *out, struct br_err *err);
/* Several, as br_embed. */
BR_MUST_USE enum br_rc br_embed_query_group(struct br_embedder *e, const char *const *texts, const size_t *lens, size_t n, float *out,
                                        struct br_err *err);
/* Most pieces of a text that a vector of this model takes in; more of a passage would be cut off. At most BR_DEFAULT_MAX_SEQ's. */
size_t br_passage_pieces(const struct br_model *m);

/* Original weights (a folder as br_model_open takes; options may be NULL) to the product's int8 file, with our own calibration texts. The same bytes each time on
 * one CPU type and with the same OpenBLAS (or none). */
BR_MUST_USE enum br_rc br_model_convert(const char *src_dir, const char *out_path, const struct br_model_options *options, struct br_err *err);

#endif
