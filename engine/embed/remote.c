/* remote.c - see remote.h.
 *
 *   kind     POST                  body                                             answer
 *   openai   URL/v1/embeddings     {model, input[], encoding_format: "float"}       data[]{index, embedding[]}, ordered by index here
 *   ollama   URL/api/embed         {model, input[], truncate: false}                embeddings[][]
 * Rules
 *   1. https, or http to this machine; no redirects, no credentials in the URL; what is sent is what is asked for, cut at 254 pieces here.
 *   2. 429, 5xx and failures of the connection are tried again, TRIES times in all: after Retry-After, else after a wait that doubles, with
 *      jitter; both have a cap. Every other status is final.
 *   3. An answer counts when it has as many vectors as there were texts, each of the known dimension, finite and not zero; it is brought to unit
 *      length here. Anything else is final: an endpoint that lies once is not to be believed the next time. No more is read than such an answer
 *      can need, so that a lie costs little memory.
 *   4. Who asks for a stop does not wait for the endpoint, nor for the next try.
 *   5. The key is in one header and in no message; nothing of an answer's text is shown. It stands in the caller's guarded memory alone: libcurl
 *      is given that very header, and copies it only into what it sends.
 * libcurl is loaded when an endpoint is used first: who has none pays nothing for it. */
#include "embed/remote.h"

#include "base/buf.h"
#include "json_load.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIES 6
#define RETRY_AFTER_MAX 120 /* seconds */
#define BACKOFF_MAX_MS 30000
#define NUMBER_BYTES 64  /* of an answer for a number, indented or not; for what is around a vector as much as for 16 */
#define ANSWER_BYTES_MORE ((size_t)64 << 10)
#define STOP_MS 100 /* between two looks whether to stop */
#define CUT_BYTES_MAX ((size_t)64 << 10) /* more has more pieces than any text may have */

/* --- libcurl --- */

static struct {
    CURLcode (*global_init)(long);
    CURL *(*init)(void);
    void (*cleanup)(CURL *);
    CURLcode (*setopt)(CURL *, CURLoption, ...);
    CURLcode (*perform)(CURL *);
    CURLcode (*getinfo)(CURL *, CURLINFO, ...);
    const char *(*strerror)(CURLcode);
    struct curl_slist *(*append)(struct curl_slist *, const char *);
    void (*free_all)(struct curl_slist *);
    CURLU *(*url)(void);
    void (*url_cleanup)(CURLU *);
    CURLUcode (*url_set)(CURLU *, CURLUPart, const char *, unsigned);
    CURLUcode (*url_get)(const CURLU *, CURLUPart, char **, unsigned);
    void (*free)(void *);
    bool usable;
} curl;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
    void *lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    const struct {
        const char *name;
        void *to;
    } functions[] = {{"curl_global_init", &curl.global_init}, {"curl_easy_init", &curl.init},          {"curl_easy_cleanup", &curl.cleanup},
                     {"curl_easy_setopt", &curl.setopt},      {"curl_easy_perform", &curl.perform},    {"curl_easy_getinfo", &curl.getinfo},
                     {"curl_easy_strerror", &curl.strerror},  {"curl_slist_append", &curl.append},     {"curl_slist_free_all", &curl.free_all},
                     {"curl_url", &curl.url},                 {"curl_url_cleanup", &curl.url_cleanup}, {"curl_url_set", &curl.url_set},
                     {"curl_url_get", &curl.url_get},         {"curl_free", &curl.free}};
    curl.usable = lib != NULL;
    for (size_t i = 0; lib && i < BR_COUNT(functions); i++) {
        void *f = dlsym(lib, functions[i].name);
        memcpy(functions[i].to, &f, sizeof f);
        curl.usable = curl.usable && f;
    }
    curl.usable = curl.usable && curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* --- The endpoint --- */

struct br_remote {
    char url[1024], host[300], model[128];
    bool ollama, plain; /* plain: http */
    uint32_t dim;       /* 0: not known yet */
    unsigned timeout_ms, backoff_ms;
    const volatile int *stop; /* NULL: never */
    char *auth; /* the header with the key; NULL none */
    void (*free_secret)(void *); /* NULL: auth is of malloc */
    const struct br_vocab *vocab;
};

struct br_remote_session {
    struct br_remote *r;
    CURL *handle;
    struct curl_slist *headers, auth; /* auth: made by hand, not libcurl's to free; before the others */
    struct br_buf answer;
    size_t answer_max;
    bool too_large; /* the answer is */
    unsigned seed;
};

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

static bool part(CURLU *u, CURLUPart what, char *out, size_t size)
{
    char *s = NULL;
    bool there = curl.url_get(u, what, &s, CURLU_NO_DEFAULT_PORT) == CURLUE_OK && s;
    snprintf(out, size, "%s", there ? s : "");
    curl.free(s);
    return there;
}

static enum br_rc read_url(struct br_remote *r, const char *url, struct br_err *err)
{
    char scheme[16], port[16], path[sizeof r->url], other[64];
    CURLU *u = curl.url();
    enum br_rc rc = BR_OK;
    if (!u)
        return br_fail_nomem(err);
    if (curl.url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK || !part(u, CURLUPART_SCHEME, scheme, sizeof scheme) ||
        !part(u, CURLUPART_HOST, r->host, sizeof r->host - 16))
        BR_TRY(br_fail(err, BR_E_USAGE, "the endpoint is no URL: give one like https://host or http://localhost:11434"));
    r->plain = strcmp(scheme, "http") == 0;
    if (!r->plain && strcmp(scheme, "https") != 0)
        BR_TRY(br_fail(err, BR_E_USAGE, "the endpoint must be https, or http on this machine"));
    if (r->plain && !is_loopback(r->host))
        BR_TRY(br_fail(err, BR_E_USAGE, "plain http is for endpoints on this machine only: use https for %.100s", r->host));
    if (part(u, CURLUPART_USER, other, sizeof other) || part(u, CURLUPART_PASSWORD, other, sizeof other) ||
        part(u, CURLUPART_QUERY, other, sizeof other) || part(u, CURLUPART_FRAGMENT, other, sizeof other))
        BR_TRY(br_fail(err, BR_E_USAGE, "the endpoint's URL may not hold credentials or a query: give a key with --api-key-file"));
    part(u, CURLUPART_PATH, path, sizeof path);
    size_t n = strlen(path);
    while (n && path[n - 1] == '/')
        path[--n] = 0;
    if (n >= 3 && !r->ollama && strcmp(path + n - 3, "/v1") == 0)
        path[n - 3] = 0; /* both forms of the base are usual */
    bool has_port = part(u, CURLUPART_PORT, port, sizeof port);
    int len = snprintf(r->url, sizeof r->url, "%s://%s%s%s%s%s", scheme, r->host, has_port ? ":" : "", port, path,
                       r->ollama ? "/api/embed" : "/v1/embeddings");
    if (has_port)
        snprintf(r->host + strlen(r->host), 16, ":%.10s", port);
    if (len < 0 || (size_t)len >= sizeof r->url)
        rc = br_fail(err, BR_E_USAGE, "the endpoint's URL is too long");
err:
    curl.url_cleanup(u);
    return rc;
}

static enum br_rc take_key(struct br_remote *r, const struct br_remote_config *cfg, struct br_err *err)
{
    static const char before[] = "Authorization: Bearer ";
    const char *key = cfg->api_key;
    size_t n = key ? strlen(key) : 0;
    if (!n)
        return BR_OK;
    for (size_t i = 0; i < n; i++)
        if (key[i] <= 0x20 || key[i] >= 0x7F)
            return br_fail(err, BR_E_USAGE, "the API key holds a blank or another character that no key has");
    r->free_secret = cfg->secret_alloc ? cfg->secret_free : NULL;
    r->auth = cfg->secret_alloc ? cfg->secret_alloc(sizeof before + n) : malloc(sizeof before + n);
    if (!r->auth)
        return br_fail_nomem(err);
    memcpy(r->auth, before, sizeof before - 1);
    memcpy(r->auth + sizeof before - 1, key, n + 1);
    return BR_OK;
}

enum br_rc br_remote_new(const struct br_remote_config *cfg, const struct br_vocab *vocab, struct br_remote **out, struct br_err *err)
{
    struct br_remote *r = NULL;
    enum br_rc rc;
    pthread_once(&once, load);
    if (!curl.usable)
        return br_fail(err, BR_E_USAGE, "endpoints need libcurl (libcurl.so.4): install the package libcurl4");
    if (!cfg->model || !*cfg->model || strlen(cfg->model) >= sizeof r->model)
        return br_fail(err, BR_E_USAGE, "an endpoint needs the name of its model: give it with --endpoint-model");
    if (!cfg->kind || (strcmp(cfg->kind, "openai") != 0 && strcmp(cfg->kind, "ollama") != 0))
        return br_fail(err, BR_E_USAGE, "the kind of an endpoint is openai or ollama: give it with --endpoint-kind");
    r = calloc(1, sizeof *r);
    if (!r)
        return br_fail_nomem(err);
    r->ollama = strcmp(cfg->kind, "ollama") == 0;
    r->vocab = vocab;
    r->dim = cfg->dim;
    r->timeout_ms = cfg->timeout_ms ? cfg->timeout_ms : 120000;
    r->backoff_ms = cfg->backoff_ms ? cfg->backoff_ms : 500;
    r->stop = cfg->stop;
    snprintf(r->model, sizeof r->model, "%s", cfg->model);
    BR_TRY(read_url(r, cfg->url, err));
    BR_TRY(take_key(r, cfg, err));
    *out = r;
    return BR_OK;
err:
    br_remote_free(r);
    return rc;
}

void br_remote_free(struct br_remote *r)
{
    if (!r)
        return;
    if (r->free_secret) {
        r->free_secret(r->auth);
    } else if (r->auth) {
        explicit_bzero(r->auth, strlen(r->auth));
        free(r->auth);
    }
    free(r);
}

const char *br_remote_host(const struct br_remote *r)
{
    return r->host;
}

const char *br_remote_url(const struct br_remote *r)
{
    return r->url;
}

void br_remote_set_dimension(struct br_remote *r, uint32_t dim)
{
    r->dim = dim;
}

/* --- A session --- */

static size_t take_answer(char *bytes, size_t size, size_t n, void *ctx)
{
    struct br_remote_session *s = ctx;
    s->too_large = size * n > s->answer_max - s->answer.len;
    if (!s->too_large)
        br_buf_add(&s->answer, bytes, size * n);
    return s->too_large || s->answer.failed ? 0 : size * n;
}

static bool must_stop(const struct br_remote *r)
{
    return r->stop && *r->stop;
}

/* libcurl asks about once a second; not 0 ends the request. */
static int is_over(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    return must_stop(ctx);
}

static bool set_options(struct br_remote_session *s)
{
    const struct br_remote *r = s->r;
    bool ok = curl.setopt(s->handle, CURLOPT_URL, r->url) == CURLE_OK;
    ok &= curl.setopt(s->handle, CURLOPT_HTTPHEADER, r->auth ? &s->auth : s->headers) == CURLE_OK;
    ok &= curl.setopt(s->handle, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    ok &= curl.setopt(s->handle, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl.setopt(s->handle, CURLOPT_CONNECTTIMEOUT_MS, (long)BR_MIN(r->timeout_ms, 10000u)) == CURLE_OK;
    ok &= curl.setopt(s->handle, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms) == CURLE_OK;
    ok &= curl.setopt(s->handle, CURLOPT_WRITEFUNCTION, take_answer) == CURLE_OK;
    ok &= curl.setopt(s->handle, CURLOPT_WRITEDATA, s) == CURLE_OK;
    ok &= curl.setopt(s->handle, CURLOPT_XFERINFOFUNCTION, is_over) == CURLE_OK;
    ok &= curl.setopt(s->handle, CURLOPT_XFERINFODATA, r) == CURLE_OK;
    ok &= curl.setopt(s->handle, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
    if (r->plain) /* what is sent in the clear stays on this machine */
        ok &= curl.setopt(s->handle, CURLOPT_NOPROXY, "*") == CURLE_OK;
    /* A second lock: read_url has looked at the scheme, and libcurl before 7.85 does not know the option. */
    (void)curl.setopt(s->handle, CURLOPT_PROTOCOLS_STR, r->plain ? "http" : "https");
    return ok;
}

enum br_rc br_remote_session_new(struct br_remote *r, struct br_remote_session **out, struct br_err *err)
{
    struct br_remote_session *s = calloc(1, sizeof *s);
    if (!s)
        return br_fail_nomem(err);
    s->r = r;
    s->seed = (unsigned)(uintptr_t)s ^ (unsigned)((uintptr_t)s >> 12);
    br_buf_init(&s->answer, SIZE_MAX / 4); /* take_answer has the limit */
    s->handle = curl.init();
    s->headers = curl.append(NULL, "Content-Type: application/json");
    s->auth = (struct curl_slist){.data = r->auth, .next = s->headers};
    if (!s->handle || !s->headers || !set_options(s)) {
        br_remote_session_free(s);
        return br_fail_nomem(err);
    }
    *out = s;
    return BR_OK;
}

void br_remote_session_free(struct br_remote_session *s)
{
    if (!s)
        return;
    if (s->handle)
        curl.cleanup(s->handle);
    curl.free_all(s->headers);
    br_buf_free(&s->answer);
    free(s);
}

/* --- A request --- */

/* What was said counts, also when the rest of the answer did not come. */
static bool is_transient(CURLcode c, long status)
{
    if (status >= 300)
        return status == 429 || status >= 500;
    switch (c) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return true;
    default:
        return false;
    }
}

static void wait_before(struct br_remote_session *s, unsigned attempt)
{
    curl_off_t after = 0;
    uint64_t ms = BR_MIN((uint64_t)s->r->backoff_ms << attempt, (uint64_t)BACKOFF_MAX_MS);
    ms = ms / 2 + (uint64_t)rand_r(&s->seed) % (ms / 2 + 1);
    if (curl.getinfo(s->handle, CURLINFO_RETRY_AFTER, &after) == CURLE_OK && after > 0)
        ms = (uint64_t)BR_MIN(after, (curl_off_t)RETRY_AFTER_MAX) * 1000 + ms / 4;
    for (uint64_t part; ms && !must_stop(s->r); ms -= part) {
        part = BR_MIN(ms, (uint64_t)STOP_MS);
        struct timespec t = {.tv_nsec = (long)part * 1000000};
        nanosleep(&t, NULL);
    }
}

static const char *hint_of(long status)
{
    if (status == 401 || status == 403)
        return ": check the key in --api-key-file";
    if (status == 404)
        return ": check the URL, --endpoint-kind and --endpoint-model";
    if (status >= 300 && status < 400)
        return ": it points elsewhere, which is not followed; give the URL where it is";
    if (status == 429 || status >= 500)
        return ": try again later, or see its log";
    return ": it refuses what it is asked; check --endpoint-kind and --endpoint-model, or see its log";
}

/* The body is sent until it is answered with 200: s->answer. */
static enum br_rc post(struct br_remote_session *s, const char *body, size_t len, struct br_err *err)
{
    long status = 0;
    CURLcode c = CURLE_OK;
    curl.setopt(s->handle, CURLOPT_POSTFIELDS, body);
    curl.setopt(s->handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    for (unsigned attempt = 0; attempt < TRIES; attempt++) {
        if (attempt)
            wait_before(s, attempt - 1);
        if (must_stop(s->r))
            break;
        br_buf_reset(&s->answer);
        s->too_large = false;
        status = 0;
        c = curl.perform(s->handle);
        curl.getinfo(s->handle, CURLINFO_RESPONSE_CODE, &status);
        if (c == CURLE_OK && status == 200)
            return br_buf_status(&s->answer, err);
        if (!is_transient(c, status))
            break;
    }
    if (must_stop(s->r))
        return br_fail(err, BR_E_INTERRUPTED, "stopped; run the same command again to finish it");
    if (s->answer.no_memory)
        return br_fail_nomem(err);
    if (s->too_large && status < 300)
        return br_fail(err, BR_E_NET, "the endpoint %s answers wrongly: with more than %zu bytes", s->r->host, s->answer_max);
    if (c != CURLE_OK && status < 300)
        return br_fail(err, BR_E_NET, "the endpoint %s cannot be used (%s): search --mode keyword works without it", s->r->host, curl.strerror(c));
    return br_fail(err, BR_E_NET, "the endpoint %s answers with status %ld%s", s->r->host, status, hint_of(status));
}

/* At most the pieces a text may have, at a character's end. */
static size_t cut(const struct br_remote *r, const char *prefix, const char *text, size_t len)
{
    size_t most = BR_DEFAULT_MAX_SEQ - 2, used = br_vocab_count(r->vocab, prefix, strlen(prefix), most);
    size_t room = most - BR_MIN(used, most - 1), fits = 0, n = BR_MIN(len, CUT_BYTES_MAX);
    if (n == len && br_vocab_count(r->vocab, text, len, room + 1) <= room)
        return len;
    for (size_t too_long = n + 1; too_long - fits > 1;) {
        size_t mid = fits + (too_long - fits) / 2;
        if (br_vocab_count(r->vocab, text, mid, room + 1) <= room)
            fits = mid;
        else
            too_long = mid;
    }
    while (fits && fits < len && ((unsigned char)text[fits] & 0xC0) == 0x80)
        fits--;
    return fits;
}

static json_t *input_of(const struct br_remote *r, const char *prefix, const char *text, size_t len)
{
    size_t before = strlen(prefix), n = cut(r, prefix, text, len);
    char *whole = malloc(before + n + 1);
    if (!whole)
        return NULL;
    memcpy(whole, prefix, before);
    if (n)
        memcpy(whole + before, text, n);
    n += before;
    if (!n)
        whole[n++] = ' '; /* no text may be empty */
    bool no_memory;
    json_t *s = br_json_string(whole, n, &no_memory);
    if (!s && !no_memory) { /* it was no UTF-8 */
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)whole[i] >= 0x80)
                whole[i] = '?';
        s = br_json_string(whole, n, &no_memory);
    }
    free(whole);
    return s;
}

static char *body_of(const struct br_remote *r, const char *prefix, const char *const *texts, const size_t *lens, size_t n)
{
    json_t *inputs = json_array();
    bool ok = inputs != NULL;
    for (size_t i = 0; i < n && ok; i++)
        ok = json_array_append_new(inputs, input_of(r, prefix, texts[i], lens[i])) == 0;
    json_t *o = !ok         ? NULL
                : r->ollama ? json_pack("{ss sO sb}", "model", r->model, "input", inputs, "truncate", 0)
                            : json_pack("{ss sO ss}", "model", r->model, "input", inputs, "encoding_format", "float");
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    json_decref(inputs);
    return text;
}

/* --- The answer --- */

static enum br_rc lies(const struct br_remote *r, const char *how, struct br_err *err)
{
    return br_fail(err, BR_E_NET, "the endpoint %s answers wrongly: %s", r->host, how);
}

static enum br_rc take_vector(const struct br_remote *r, const json_t *v, float *out, struct br_err *err)
{
    double norm = 0;
    if (json_array_size(v) != r->dim)
        return br_fail(err, BR_E_NET, "the endpoint %s answers wrongly: a vector has %zu numbers, not %u", r->host, json_array_size(v), r->dim);
    for (size_t i = 0; i < r->dim; i++) {
        const json_t *x = json_array_get(v, i);
        if (!json_is_number(x) || !isfinite((float)json_number_value(x)))
            return lies(r, "a vector holds what is no finite number", err);
        norm += json_number_value(x) * json_number_value(x);
    }
    if (!(norm > 1e-24) || !isfinite(norm))
        return lies(r, "a vector is zero", err);
    for (size_t i = 0; i < r->dim; i++)
        out[i] = (float)(json_number_value(json_array_get(v, i)) / sqrt(norm));
    return BR_OK;
}

/* The vectors by place, whatever order they come in. */
static enum br_rc list_vectors(const struct br_remote *r, const json_t *answer, size_t n, const json_t **vectors, struct br_err *err)
{
    const json_t *list = json_object_get(answer, r->ollama ? "embeddings" : "data");
    if (!json_is_array(list) || json_array_size(list) != n)
        return br_fail(err, BR_E_NET, "the endpoint %s answers wrongly: %zu vectors for %zu texts", r->host, json_array_size(list), n);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i), *index = json_object_get(item, "index");
        json_int_t place = r->ollama ? (json_int_t)i : json_is_integer(index) ? json_integer_value(index) : -1;
        if (place < 0 || (size_t)place >= n || vectors[place])
            return lies(r, "its indices are not those of the texts", err);
        vectors[place] = r->ollama ? item : json_object_get(item, "embedding");
        if (!json_is_array(vectors[place]))
            return lies(r, "a vector is no list of numbers", err);
    }
    return BR_OK;
}

static enum br_rc ask(struct br_remote_session *s, const char *prefix, const char *const *texts, const size_t *lens, size_t n, json_t **answer,
                      const json_t **vectors, struct br_err *err)
{
    char *body = body_of(s->r, prefix, texts, lens, n);
    if (!body)
        return br_fail_nomem(err);
    s->answer_max = ANSWER_BYTES_MORE + n * NUMBER_BYTES * ((size_t)(s->r->dim ? s->r->dim : BR_REMOTE_DIM_MAX) + 16);
    enum br_rc rc = post(s, body, strlen(body), err);
    free(body);
    if (rc != BR_OK)
        return rc;
    bool no_memory;
    *answer = br_json_load(s->answer.data, s->answer.len, 0, &no_memory);
    if (no_memory)
        return br_fail_nomem(err);
    return *answer ? list_vectors(s->r, *answer, n, vectors, err) : lies(s->r, "it is no JSON", err);
}

enum br_rc br_remote_embed(struct br_remote_session *s, const char *prefix, const char *const *texts, const size_t *lens, size_t n, float *out,
                           struct br_err *err)
{
    enum br_rc rc = BR_OK;
    for (size_t at = 0; at < n && rc == BR_OK; at += BR_REMOTE_TEXTS) {
        const json_t *vectors[BR_REMOTE_TEXTS] = {0};
        json_t *answer = NULL;
        size_t count = BR_MIN(n - at, (size_t)BR_REMOTE_TEXTS);
        rc = ask(s, prefix, texts + at, lens + at, count, &answer, vectors, err);
        for (size_t i = 0; i < count && rc == BR_OK; i++)
            rc = take_vector(s->r, vectors[i], out + (at + i) * s->r->dim, err);
        json_decref(answer);
    }
    return rc;
}

enum br_rc br_remote_ask_dimension(struct br_remote *r, uint32_t *dim, struct br_err *err)
{
    const char *text = "dimension";
    const size_t len = strlen(text);
    struct br_remote_session *s = NULL;
    const json_t *vectors[1] = {0};
    json_t *answer = NULL;
    enum br_rc rc;
    BR_TRY(br_remote_session_new(r, &s, err));
    BR_TRY(ask(s, "", &text, &len, 1, &answer, vectors, err));
    size_t n = json_array_size(vectors[0]);
    if (n < 1 || n > BR_REMOTE_DIM_MAX)
        BR_TRY(br_fail(err, BR_E_NET, "the endpoint %s gives vectors of %zu numbers: 1 to %d can be used", r->host, n, BR_REMOTE_DIM_MAX));
    *dim = (uint32_t)n;
err:
    json_decref(answer);
    br_remote_session_free(s);
    return rc;
}
