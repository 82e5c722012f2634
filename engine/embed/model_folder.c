/* model_folder.c - the small files of a sentence-transformers folder.
 *
 *   config.json                         dimensions; refused when it is no BERT with erf GELU and absolute positions
 *   modules.json                        Transformer, Pooling, Normalize; any other module is refused
 *   1_Pooling/config.json               mean or CLS; without it the mean is assumed
 *   sentence_bert_config.json           max_seq_length; else 256
 *   config_sentence_transformers.json   prompts: "query", and "passage" or "document"
 *   tokenizer_config.json               refused when it is not uncased
 *   vocab.txt, or tokenizer.json        WordPiece
 * Options of the conversion come first; only pooling may not contradict the folder. */
#include "embed/model_folder.h"

#include "embed/file_map.h"
#include "json_load.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_BYTES_MAX ((size_t)64 << 20)
#define VOCAB_BYTES_MAX ((size_t)16 << 20)
#define TOKENS_MAX 65535

struct reading {
    const char *dir;
    const struct br_model_options *options;
    struct br_model_info *info;
    struct br_folder *folder;
    struct br_err *err;
};

/* *out NULL when there is no such file. */
static enum br_rc load(const struct reading *r, const char *name, json_t **out)
{
    char path[4096], *text = NULL;
    size_t n = 0;
    *out = NULL;
    int len = snprintf(path, sizeof path, "%s/%s", r->dir, name);
    if (len < 0 || (size_t)len >= sizeof path)
        return br_fail(r->err, BR_E_USAGE, "the path is too long: %.200s", r->dir);
    if (!br_file_is_there(path))
        return BR_OK;
    enum br_rc rc = br_file_read(path, JSON_BYTES_MAX, &text, &n, r->err);
    if (rc != BR_OK)
        return rc;
    bool no_memory;
    *out = br_json_load(text, n, 0, &no_memory);
    free(text);
    if (no_memory)
        return br_fail_nomem(r->err);
    return *out ? BR_OK : br_fail(r->err, BR_E_DATA, "%s is no JSON", path);
}

static size_t size_of(const json_t *o, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(o, key));
    return v > 0 && v < 1000000 ? (size_t)v : 0;
}

/* --- config.json --- */

/* A text that is there must be this one. */
static bool is_or_absent(const json_t *o, const char *key, const char *want)
{
    const json_t *v = json_object_get(o, key);
    return !v || json_is_null(v) || (json_is_string(v) && strcmp(json_string_value(v), want) == 0);
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "no text";
}

static enum br_rc check_kind(const struct reading *r, const json_t *o)
{
    const json_t *eps = json_object_get(o, "layer_norm_eps");
    if (!is_or_absent(o, "model_type", "bert"))
        return br_fail(r->err, BR_E_DATA, "%s/config.json: a model of type %.40s: only BERT is supported", r->dir, text_of(o, "model_type"));
    if (!is_or_absent(o, "hidden_act", "gelu"))
        return br_fail(r->err, BR_E_DATA, "%s/config.json: the activation is %.40s: only gelu (by erf) is supported", r->dir,
                       text_of(o, "hidden_act"));
    if (!is_or_absent(o, "position_embedding_type", "absolute"))
        return br_fail(r->err, BR_E_DATA, "%s/config.json: %.40s position embeddings: only absolute ones are supported", r->dir,
                       text_of(o, "position_embedding_type"));
    if (json_is_number(eps) && !(json_number_value(eps) >= 0 && json_number_value(eps) < 1e-9))
        return br_fail(r->err, BR_E_DATA, "%s/config.json: layer_norm_eps is %g: only BERT's 1e-12 is supported", r->dir, json_number_value(eps));
    if (json_is_true(json_object_get(o, "is_decoder")))
        return br_fail(r->err, BR_E_DATA, "%s/config.json: the model is a decoder: only BERT's encoder is supported", r->dir);
    return BR_OK;
}

static enum br_rc read_config(struct reading *r)
{
    struct br_model_info *i = r->info;
    json_t *o;
    enum br_rc rc;
    BR_TRY(load(r, "config.json", &o));
    if (!json_is_object(o))
        BR_TRY(br_fail(r->err, BR_E_DATA, "%s/config.json is absent or no JSON object: a sentence-transformers folder is needed", r->dir));
    BR_TRY(check_kind(r, o));
    i->dim = (uint32_t)size_of(o, "hidden_size");
    i->layers = (uint32_t)size_of(o, "num_hidden_layers");
    i->heads = (uint32_t)size_of(o, "num_attention_heads");
    i->ffn = (uint32_t)size_of(o, "intermediate_size");
    i->vocab = (uint32_t)size_of(o, "vocab_size");
    r->folder->types = (uint32_t)size_of(o, "type_vocab_size");
    size_t positions = r->folder->positions = size_of(o, "max_position_embeddings");
    if (i->dim < 32 || i->dim > BR_HIDDEN_MAX || i->dim % 16 || !i->heads || i->dim % i->heads || i->dim / i->heads > 128 || !i->layers ||
        i->layers > BR_LAYERS_MAX || i->ffn < 16 || i->ffn > BR_FFN_MAX || i->ffn % 16 || i->vocab < 4 || i->vocab > TOKENS_MAX ||
        positions < 16 || positions > 4096)
        BR_TRY(br_fail(r->err, BR_E_DATA, "%s/config.json: dimensions out of range for this runtime (hidden %u, layers %u, heads %u, feed-forward "
                       "%u, vocabulary %u, positions %zu)", r->dir, i->dim, i->layers, i->heads, i->ffn, i->vocab, positions));
err:
    json_decref(o);
    return rc;
}

/* --- Modules and pooling --- */

static enum br_rc check_modules(struct reading *r)
{
    static const char *const known[] = {"Transformer", "Pooling", "Normalize"};
    json_t *o, *module;
    size_t i;
    enum br_rc rc;
    BR_TRY(load(r, "modules.json", &o));
    json_array_foreach(o, i, module)
    {
        const char *type = json_string_value(json_object_get(module, "type")), *dot = type ? strrchr(type, '.') : NULL;
        bool ok = false;
        for (size_t k = 0; k < BR_COUNT(known); k++)
            ok = ok || (type && strcmp(dot ? dot + 1 : type, known[k]) == 0);
        if (!ok)
            BR_TRY(br_fail(r->err, BR_E_DATA, "%s/modules.json: the module %.60s is not supported", r->dir, type ? type : "without a type"));
    }
err:
    json_decref(o);
    return rc;
}

/* The one pooling that is asked for; "" when it is none of ours, or several. */
static const char *pooling_of(const json_t *config, const char **other)
{
    json_t *value;
    const char *key, *found = NULL;
    *other = json_is_object(config) ? NULL : "unreadable";
    json_object_foreach((json_t *)(uintptr_t)config, key, value)
    {
        bool named = strcmp(key, "pooling_mode") == 0 && json_is_string(value);
        if (strncmp(key, "pooling_mode", strlen("pooling_mode")) != 0 || !(named || json_is_true(value)))
            continue;
        const char *says = named ? json_string_value(value) : key;
        bool mean = strcmp(says, "mean") == 0 || strcmp(says, "pooling_mode_mean_tokens") == 0;
        bool cls = strcmp(says, "cls") == 0 || strcmp(says, "pooling_mode_cls_token") == 0;
        if ((!mean && !cls) || (found && strcmp(found, mean ? "mean" : "cls") != 0))
            *other = says;
        found = mean ? "mean" : "cls";
    }
    if (!found && !*other)
        *other = "none";
    return *other ? "" : found;
}

static enum br_rc read_pooling(struct reading *r)
{
    const char *wanted = r->options && r->options->pooling ? r->options->pooling : NULL, *other = NULL, *says = NULL;
    json_t *o;
    enum br_rc rc;
    BR_TRY(load(r, "1_Pooling/config.json", &o));
    if (wanted && strcmp(wanted, "mean") != 0 && strcmp(wanted, "cls") != 0)
        BR_TRY(br_fail(r->err, BR_E_USAGE, "pooling is mean or cls, not %.40s", wanted));
    says = o ? pooling_of(o, &other) : NULL;
    if (other)
        BR_TRY(br_fail(r->err, BR_E_DATA, "%s/1_Pooling/config.json asks for another pooling than mean or cls (%.60s): such models are not "
                       "supported", r->dir, other));
    if (says && wanted && strcmp(says, wanted) != 0)
        BR_TRY(br_fail(r->err, BR_E_USAGE, "%s/1_Pooling/config.json says the pooling is %s: leave out --pooling %s", r->dir, says, wanted));
    snprintf(r->info->pooling, sizeof r->info->pooling, "%s", wanted ? wanted : says ? says : "mean");
err:
    json_decref(o);
    return rc;
}

/* --- Prefixes and length --- */

enum br_rc br_take_prefix(const char *what, const char *text, char out[64], struct br_err *err)
{
    char clean[64];
    size_t n = text ? strlen(text) : 0;
    if (n >= sizeof clean)
        return br_fail(err, BR_E_DATA, "the %s prefix is longer than %zu bytes: %.60s...", what, sizeof clean - 1, text);
    br_clean_text(clean, sizeof clean, text ? text : "", n);
    if (n && strcmp(clean, text) != 0)
        return br_fail(err, BR_E_DATA, "the %s prefix has control characters or is no UTF-8", what);
    snprintf(out, 64, "%s", clean);
    return BR_OK;
}

static enum br_rc read_prefixes(struct reading *r)
{
    const struct br_model_options *opt = r->options;
    json_t *o;
    enum br_rc rc;
    BR_TRY(load(r, "config_sentence_transformers.json", &o));
    const json_t *prompts = json_object_get(o, "prompts");
    const char *query = json_string_value(json_object_get(prompts, "query"));
    const char *passage = json_string_value(json_object_get(prompts, "passage"));
    if (!passage)
        passage = json_string_value(json_object_get(prompts, "document"));
    BR_TRY(br_take_prefix("query", opt && opt->query_prefix ? opt->query_prefix : query, r->info->query_prefix, r->err));
    BR_TRY(br_take_prefix("passage", opt && opt->passage_prefix ? opt->passage_prefix : passage, r->info->passage_prefix, r->err));
err:
    json_decref(o);
    return rc;
}

static enum br_rc read_length(struct reading *r)
{
    size_t positions = r->folder->positions, most = BR_MIN(positions, (size_t)BR_MAX_SEQ);
    size_t wanted = r->options ? r->options->max_tokens : 0;
    json_t *o;
    enum br_rc rc;
    BR_TRY(load(r, "sentence_bert_config.json", &o));
    size_t says = size_of(o, "max_seq_length");
    if (wanted && (wanted < 16 || wanted > most))
        BR_TRY(br_fail(r->err, BR_E_USAGE, "the maximum length is 16 to %zu tokens for this model, not %zu", most, wanted));
    r->info->max_seq = (uint32_t)(wanted ? wanted : BR_MAX(BR_MIN(says ? says : (size_t)BR_DEFAULT_MAX_SEQ, most), (size_t)16));
err:
    json_decref(o);
    return rc;
}

/* --- The tokenizer --- */

static enum br_rc check_tokenizer(struct reading *r)
{
    json_t *o;
    enum br_rc rc;
    BR_TRY(load(r, "tokenizer_config.json", &o));
    if (json_is_false(json_object_get(o, "do_lower_case")))
        BR_TRY(br_fail(r->err, BR_E_DATA, "%s/tokenizer_config.json: the model tells capital letters apart: only uncased ones are supported", r->dir));
    if (json_is_false(json_object_get(o, "strip_accents")) || json_is_false(json_object_get(o, "tokenize_chinese_chars")))
        BR_TRY(br_fail(r->err, BR_E_DATA, "%s/tokenizer_config.json: only tokenizers that strip accents and split Chinese characters are supported",
                       r->dir));
err:
    json_decref(o);
    return rc;
}

/* {"token": id, ...} to lines. */
static enum br_rc lines_of(struct reading *r, const json_t *vocab)
{
    size_t n = json_object_size(vocab), bytes = 0;
    const char **lines = calloc(n + 1, sizeof *lines), *token;
    char *text = NULL;
    json_t *id;
    enum br_rc rc = BR_OK;
    if (!lines)
        return br_fail_nomem(r->err);
    if (n > TOKENS_MAX)
        BR_TRY(br_fail(r->err, BR_E_DATA, "%s/tokenizer.json has more than %d tokens", r->dir, TOKENS_MAX));
    json_object_foreach((json_t *)(uintptr_t)vocab, token, id)
    {
        json_int_t i = json_is_integer(id) ? json_integer_value(id) : -1;
        if (i < 0 || (size_t)i >= n || lines[i] || strpbrk(token, "\r\n"))
            BR_TRY(br_fail(r->err, BR_E_DATA, "%s/tokenizer.json: the ids of its tokens are not 0 to %zu", r->dir, n - 1));
        lines[i] = token;
        bytes += strlen(token) + 1;
    }
    text = malloc(bytes + 1);
    if (!text)
        BR_TRY(br_fail_nomem(r->err));
    r->folder->vocab = text;
    r->folder->vocab_bytes = bytes;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(lines[i]);
        memcpy(text, lines[i], len);
        text[len] = '\n';
        text += len + 1;
    }
err:
    free(lines);
    return rc;
}

static enum br_rc read_tokenizer_json(struct reading *r)
{
    json_t *o;
    enum br_rc rc;
    BR_TRY(load(r, "tokenizer.json", &o));
    const json_t *model = json_object_get(o, "model"), *normalizer = json_object_get(o, "normalizer");
    if (!o)
        BR_TRY(br_fail(r->err, BR_E_DATA, "%s has neither vocab.txt nor tokenizer.json: only WordPiece models are supported", r->dir));
    if (!is_or_absent(model, "type", "WordPiece") || !json_is_object(json_object_get(model, "vocab")))
        BR_TRY(br_fail(r->err, BR_E_DATA, "%s/tokenizer.json is of type %.40s: only WordPiece models are supported", r->dir, text_of(model, "type")));
    if (json_is_false(json_object_get(normalizer, "lowercase")) || json_is_false(json_object_get(normalizer, "strip_accents")) ||
        json_is_false(json_object_get(normalizer, "handle_chinese_chars")) || !is_or_absent(model, "continuing_subword_prefix", "##"))
        BR_TRY(br_fail(r->err, BR_E_DATA, "%s/tokenizer.json: only uncased BERT tokenizers are supported", r->dir));
    BR_TRY(lines_of(r, json_object_get(model, "vocab")));
err:
    json_decref(o);
    return rc;
}

static enum br_rc read_vocabulary(struct reading *r)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/vocab.txt", r->dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return br_fail(r->err, BR_E_USAGE, "the path is too long: %.200s", r->dir);
    if (!br_file_is_there(path))
        return read_tokenizer_json(r);
    return br_file_read(path, VOCAB_BYTES_MAX, &r->folder->vocab, &r->folder->vocab_bytes, r->err);
}

enum br_rc br_folder_read(struct br_folder *f, const char *dir, const struct br_model_options *options, struct br_model_info *info,
                          struct br_err *err)
{
    struct reading r = {.dir = dir, .options = options, .info = info, .folder = f, .err = err};
    enum br_rc rc;
    *f = (struct br_folder){0};
    BR_TRY(read_config(&r));
    BR_TRY(check_modules(&r));
    BR_TRY(read_pooling(&r));
    BR_TRY(read_prefixes(&r));
    BR_TRY(read_length(&r));
    BR_TRY(check_tokenizer(&r));
    BR_TRY(read_vocabulary(&r));
err:
    return rc;
}

void br_folder_free(struct br_folder *f)
{
    free(f->vocab);
    *f = (struct br_folder){0};
}

bool br_settings_are_plain(const struct br_model_info *info)
{
    return strcmp(info->pooling, "mean") == 0 && !*info->query_prefix && !*info->passage_prefix && info->max_seq == BR_DEFAULT_MAX_SEQ;
}

/* Each with its NUL, so that no two settings are alike. */
void br_settings_hash(const struct br_model_info *info, struct br_sha256 *sha)
{
    char length[16];
    int n = snprintf(length, sizeof length, "%u", info->max_seq);
    br_sha256_add(sha, info->pooling, strlen(info->pooling) + 1);
    br_sha256_add(sha, info->query_prefix, strlen(info->query_prefix) + 1);
    br_sha256_add(sha, info->passage_prefix, strlen(info->passage_prefix) + 1);
    br_sha256_add(sha, length, (size_t)n + 1);
}
