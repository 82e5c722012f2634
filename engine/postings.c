/* postings.c - what the keyword index says of phrases and of conversations, remembered.
 *
 * Questions share their words. To have FTS5 find the documents of several words in step, row by row, was more than half of what a search costs;
 * a list of the documents of one phrase is read once, and lists are merged here. Kept, in the order of when they were last of use and within
 * BR_POSTINGS_BYTES:
 *
 *   'm' or 'p', phrase           struct list: documents and tokens of the whole index, then the postings
 *   't', thread_ts, channel      struct conversation: the slot of its first message, and of each of its passages slot, content record and bytes of text
 *
 * each led by the state of the store it is true of. */
#include "postings.h"

#include <pthread.h>
#include <stdlib.h>

#include "cache.h"
#include "conversations.h"

#define KEY_BYTES_MAX 4096 /* phrases are shorter; a longer one is not kept */

struct br_word_memory {
    pthread_mutex_t lock; /* guards what follows */
    size_t refs;
    struct br_cache *cache;
    pthread_mutex_t reading; /* guards what follows */
    struct br_read_whole whole;
};

struct list {
    uint64_t n_documents, n_tokens; /* 0 without postings */
    size_t n;
    struct br_posting items[];
};
struct conversation {
    uint64_t root_slot;
    struct br_thread_passage passages[];
};

static void key_of(struct br_buf *key, const struct br_state *state, char what, const void *bytes, size_t n)
{
    br_buf_init(key, KEY_BYTES_MAX);
    br_buf_add(key, state, sizeof *state);
    br_buf_addc(key, what);
    br_buf_add(key, bytes, n);
}

struct br_word_memory *br_word_memory_new(void)
{
    struct br_word_memory *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->refs = 1;
    m->cache = br_cache_new(BR_POSTINGS_BYTES);
    pthread_mutex_init(&m->lock, NULL);
    pthread_mutex_init(&m->reading, NULL);
    return m;
}

struct br_word_memory *br_word_memory_share(struct br_word_memory *m)
{
    if (!m)
        return NULL;
    pthread_mutex_lock(&m->lock);
    m->refs++;
    pthread_mutex_unlock(&m->lock);
    return m;
}

void br_word_memory_release(struct br_word_memory *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->lock);
    bool last = --m->refs == 0;
    pthread_mutex_unlock(&m->lock);
    if (!last)
        return;
    br_cache_free(m->cache);
    br_conversations_release(m->whole.conversations);
    br_all_docs_release(m->whole.docs);
    pthread_mutex_destroy(&m->lock);
    pthread_mutex_destroy(&m->reading);
    free(m);
}

struct br_read_whole *br_word_memory_hold(struct br_word_memory *m)
{
    if (!m)
        return NULL;
    pthread_mutex_lock(&m->reading);
    return &m->whole;
}

void br_word_memory_let_go(struct br_word_memory *m)
{
    if (m)
        pthread_mutex_unlock(&m->reading);
}

static struct br_blob *remembered(struct br_word_memory *m, const struct br_state *state, const struct br_buf *key)
{
    if (!m || key->failed)
        return NULL;
    pthread_mutex_lock(&m->lock);
    br_cache_begin(m->cache, state);
    struct br_blob *b = br_cache_blob(m->cache, key->data, key->len);
    pthread_mutex_unlock(&m->lock);
    return b;
}

static void remember(struct br_word_memory *m, const struct br_buf *key, struct br_blob *b)
{
    if (!m || key->failed)
        return;
    pthread_mutex_lock(&m->lock);
    br_cache_keep_blob(m->cache, key->data, key->len, b);
    pthread_mutex_unlock(&m->lock);
}

/* ---- lists ---- */

static const struct list *list_of(const struct br_blob *b)
{
    return (const struct list *)b->bytes;
}

static struct br_blob *list_new(const struct br_postings *p)
{
    struct br_blob *b = br_blob_new(sizeof(struct list) + p->n * sizeof *p->items);
    if (!b)
        return NULL;
    struct list *list = (struct list *)b->bytes;
    *list = (struct list){.n_documents = p->n_documents, .n_tokens = p->n_tokens, .n = p->n};
    if (p->n)
        memcpy(list->items, p->items, p->n * sizeof *p->items);
    return b;
}

static enum br_rc fetch(struct br_workspace *ws, const struct br_phrase *phrase, enum br_doc_kind kind, struct br_blob **out, struct br_err *err)
{
    struct br_postings p = {0};
    struct br_buf text;
    enum br_rc rc;
    br_buf_init(&text, BR_QUERY_MATCH_MAX);
    br_buf_add(&text, phrase->text, phrase->len);
    BR_TRY(br_buf_status(&text, err));
    BR_TRY(br_slack_postings(ws->store, br_buf_str(&text), kind, &p, err));
    *out = list_new(&p);
    if (!*out)
        rc = br_fail_nomem(err);
err:
    br_postings_free(&p);
    br_buf_free(&text);
    return rc;
}

static enum br_rc list_for(struct br_workspace *ws, const struct br_state *state, const struct br_phrase *phrase, enum br_doc_kind kind,
                           struct br_blob **out, struct br_err *err)
{
    struct br_buf key;
    enum br_rc rc = BR_OK;
    key_of(&key, state, kind == BR_DOC_PASSAGE ? 'p' : 'm', phrase->text, phrase->len);
    *out = remembered(ws->words, state, &key);
    if (!*out) {
        BR_TRY(fetch(ws, phrase, kind, out, err));
        remember(ws->words, &key, *out);
    }
err:
    br_buf_free(&key);
    return rc;
}

/* ---- merging ---- */

struct cursor {
    const struct br_posting *at, *end; /* at < end */
    uint16_t term;
};

static bool before(const struct cursor *a, const struct cursor *b)
{
    return a->at->content_id != b->at->content_id ? a->at->content_id < b->at->content_id : a->term < b->term;
}

/* heap: its top has changed; the least comes on top. */
static void sink(struct cursor *heap, size_t n)
{
    struct cursor moved = heap[0];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < n) {
        child += child + 1 < n && before(&heap[child + 1], &heap[child]);
        if (!before(&heap[child], &moved))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

static size_t add_cursor(struct cursor *heap, size_t n, struct cursor c)
{
    size_t at = n;
    for (; at && before(&c, &heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = c;
    return n + 1;
}

static void add_count(struct br_term_counts *out, const struct cursor *c)
{
    struct br_term_row *row = out->n_rows ? &out->rows[out->n_rows - 1] : NULL;
    if (!row || row->content_id != (int64_t)c->at->content_id) {
        row = &out->rows[out->n_rows++];
        *row = (struct br_term_row){.content_id = c->at->content_id, .first = out->n_counts};
    }
    out->counts[out->n_counts++] = (struct br_term_count){.term = c->term, .count = (uint16_t)c->at->count};
    out->documents_with[c->term]++;
    row->n++;
}

static enum br_rc merge(struct br_blob *const *lists, size_t n_lists, const struct br_bitmap *contents, struct br_term_counts *out,
                        struct br_err *err)
{
    struct cursor heap[BR_TERMS_MAX];
    size_t n = 0, postings = 0;
    for (size_t i = 0; i < n_lists; i++) {
        const struct list *l = list_of(lists[i]);
        if (!l->n)
            continue;
        n = add_cursor(heap, n, (struct cursor){.at = l->items, .end = l->items + l->n, .term = (uint16_t)i});
        postings += l->n;
    }
    out->rows_alloc = out->counts_alloc = BR_MAX(postings, (size_t)1);
    out->rows = malloc(out->rows_alloc * sizeof *out->rows);
    out->counts = malloc(out->counts_alloc * sizeof *out->counts);
    if (!out->rows || !out->counts)
        return br_fail_nomem(err);
    while (n) {
        struct cursor *c = &heap[0];
        if (!contents || br_bitmap_test(contents, c->at->content_id))
            add_count(out, c);
        if (++c->at == c->end)
            *c = heap[--n];
        sink(heap, n);
    }
    for (size_t i = 0; out->n_rows && i < n_lists; i++) {
        out->n_documents = BR_MAX(out->n_documents, list_of(lists[i])->n_documents);
        out->n_tokens = BR_MAX(out->n_tokens, list_of(lists[i])->n_tokens);
    }
    return BR_OK;
}

enum br_rc br_postings_count(struct br_workspace *ws, const struct br_state *state, const struct br_phrase *phrases, size_t n,
                             enum br_doc_kind kind, const struct br_bitmap *contents, struct br_term_counts *out, struct br_err *err)
{
    struct br_blob *lists[BR_TERMS_MAX] = {NULL};
    enum br_rc rc = BR_OK;
    BR_ASSERT(n <= BR_TERMS_MAX);
    *out = (struct br_term_counts){0};
    for (size_t i = 0; i < n; i++)
        BR_TRY(list_for(ws, state, &phrases[i], kind, &lists[i], err));
    BR_TRY(merge(lists, n, contents, out, err));
err:
    for (size_t i = 0; i < n; i++)
        br_blob_release(lists[i]);
    if (rc != BR_OK)
        br_term_counts_free(out);
    return rc;
}

/* ---- conversations ---- */

static void add_passage(void *ctx, int64_t content_id, uint64_t slot, size_t length)
{
    struct br_thread_passage p = {.slot = slot, .content_id = (uint32_t)content_id, .length = (uint32_t)length};
    br_buf_add(ctx, &p, sizeof p);
}

static enum br_rc thread(struct br_workspace *ws, const char *channel_id, int64_t thread_ts, struct br_blob **out, struct br_err *err)
{
    struct br_buf b;
    uint64_t root;
    enum br_rc rc;
    br_buf_init(&b, (size_t)1 << 30);
    BR_TRY(br_slack_slot_of_message(ws->store, channel_id, thread_ts, &root, err));
    br_buf_add(&b, &root, sizeof root);
    BR_TRY(br_slack_thread_passages(ws->store, channel_id, thread_ts, add_passage, &b, err));
    BR_TRY(br_buf_status(&b, err));
    *out = br_blob_new(b.len);
    if (!*out)
        BR_TRY(br_fail_nomem(err));
    memcpy((*out)->bytes, b.data, b.len);
err:
    br_buf_free(&b);
    return rc;
}

enum br_rc br_postings_thread(struct br_workspace *ws, const struct br_state *state, const char *channel_id, int64_t thread_ts,
                              struct br_thread *out, struct br_err *err)
{
    struct br_buf key;
    enum br_rc rc = BR_OK;
    *out = (struct br_thread){.root_slot = UINT64_MAX};
    key_of(&key, state, 't', &thread_ts, sizeof thread_ts);
    br_buf_adds(&key, channel_id);
    struct br_blob *b = remembered(ws->words, state, &key);
    if (!b) {
        BR_TRY(thread(ws, channel_id, thread_ts, &b, err));
        remember(ws->words, &key, b);
    }
    const struct conversation *c = (const struct conversation *)b->bytes;
    *out = (struct br_thread){
        .root_slot = c->root_slot, .passages = c->passages, .n = (b->size - sizeof *c) / sizeof *c->passages, .memory = b};
err:
    br_buf_free(&key);
    return rc;
}

void br_thread_release(struct br_thread *t)
{
    br_blob_release(t->memory);
    *t = (struct br_thread){.root_slot = UINT64_MAX};
}
