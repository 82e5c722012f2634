/* cache.c - a hash table of entries on one list by age.
 *
 * An entry's bytes are those it owns: itself, its key, and a vector, two bitmaps, or an answer's hits and strings. No entry may take more than a
 * quarter of the limit. Without memory nothing is kept: a cache may forget, never fail. */
#include "cache.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define CHAINS 16384 /* a power of two */

enum kind { VECTOR, RESULTS, SET, BLOB };

struct entry {
    struct entry *chain, *newer, *older;
    uint64_t hash;
    size_t bytes, key_len;
    enum kind kind;
    union {
        float *vector;
        struct br_search_results results;
        struct br_slack_set set;
        struct br_blob *blob;
    };
    unsigned char key[];
};
struct br_cache {
    struct entry *chains[CHAINS];
    struct entry *newest, *oldest;
    struct br_cache_status status;
    struct br_state state; /* of all but vectors */
};

/* ---- shared strings ---- */

struct br_shared *br_shared_new(const struct br_arena *arena)
{
    struct br_shared *s = malloc(sizeof *s);
    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    s->arena = *arena;
    return s;
}

void br_shared_release(struct br_shared *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    br_arena_free(&s->arena);
    free(s);
}

/* ---- shared bytes ---- */

struct br_blob *br_blob_new(size_t size)
{
    struct br_blob *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->size = size;
    return b;
}

void br_blob_release(struct br_blob *b)
{
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        free(b);
}

/* ---- answers ---- */

void br_search_results_free(struct br_search_results *r)
{
    br_shared_release(r->memory);
    free(r->query);
    free(r->next_cursor);
    free(r->hits);
    *r = (struct br_search_results){0};
}

/* Hits of its own, strings shared. False without memory. */
static bool copy_results(const struct br_search_results *from, struct br_search_results *to)
{
    struct br_shared *shared = from->memory;
    *to = *from;
    to->memory = NULL;
    to->query = strdup(from->query);
    to->next_cursor = from->next_cursor ? strdup(from->next_cursor) : NULL;
    to->hits = malloc((from->count ? from->count : 1) * sizeof *to->hits);
    if (!to->query || !to->hits || (from->next_cursor && !to->next_cursor)) {
        br_search_results_free(to);
        return false;
    }
    if (from->count)
        memcpy(to->hits, from->hits, from->count * sizeof *to->hits);
    if (shared)
        atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    to->memory = shared;
    return true;
}

static size_t bytes_of_results(const struct br_search_results *r)
{
    const struct br_shared *s = r->memory;
    return r->count * sizeof *r->hits + strlen(r->query) + 1 + (r->next_cursor ? strlen(r->next_cursor) + 1 : 0) +
           (s ? sizeof *s + s->arena.used : 0);
}

/* ---- the table ---- */

static uint64_t hash_of(enum kind kind, const void *key, size_t len)
{
    return XXH3_64bits_withSeed(key, len, (XXH64_hash_t)kind + 1);
}

static void unlink_age(struct br_cache *c, struct entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct br_cache *c, struct entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static struct entry *find(struct br_cache *c, enum kind kind, const void *key, size_t len)
{
    uint64_t hash = hash_of(kind, key, len);
    struct entry *e = c->chains[hash & (CHAINS - 1)];
    while (e && (e->hash != hash || e->kind != kind || e->key_len != len || memcmp(e->key, key, len) != 0))
        e = e->chain;
    if (e && e != c->newest) {
        unlink_age(c, e);
        link_newest(c, e);
    }
    return e;
}

static void drop(struct br_cache *c, struct entry *e)
{
    struct entry **at = &c->chains[e->hash & (CHAINS - 1)];
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    unlink_age(c, e);
    c->status.bytes -= e->bytes;
    c->status.entries--;
    if (e->kind == RESULTS)
        br_search_results_free(&e->results);
    else if (e->kind == SET)
        br_slack_set_free(&e->set);
    else if (e->kind == BLOB)
        br_blob_release(e->blob);
    else
        free(e->vector);
    free(e);
}

void br_cache_begin(struct br_cache *c, const struct br_state *now)
{
    if (!c || memcmp(&c->state, now, sizeof *now) == 0)
        return;
    for (struct entry *e = c->oldest, *newer; e; e = newer) {
        newer = e->newer;
        if (e->kind != VECTOR)
            drop(c, e);
    }
    c->state = *now;
}

static void make_room(struct br_cache *c, size_t bytes)
{
    while (c->oldest && c->status.bytes + bytes > c->status.limit) {
        drop(c, c->oldest);
        c->status.evictions++;
    }
}

/* A new entry without its value, not in the table yet; NULL when it is not to be kept. value: bytes of the value. */
static struct entry *new_entry(struct br_cache *c, enum kind kind, const void *key, size_t len, size_t value)
{
    size_t bytes = sizeof(struct entry) + len + value;
    if (bytes > c->status.limit / 4)
        return NULL;
    struct entry *e = calloc(1, sizeof *e + len);
    if (!e)
        return NULL;
    e->kind = kind;
    e->hash = hash_of(kind, key, len);
    e->key_len = len;
    e->bytes = bytes;
    memcpy(e->key, key, len);
    return e;
}

static void insert(struct br_cache *c, struct entry *e)
{
    make_room(c, e->bytes);
    e->chain = c->chains[e->hash & (CHAINS - 1)];
    c->chains[e->hash & (CHAINS - 1)] = e;
    link_newest(c, e);
    c->status.bytes += e->bytes;
    c->status.entries++;
}

/* ---- the interface ---- */

struct br_cache *br_cache_new(size_t limit)
{
    struct br_cache *c = calloc(1, sizeof *c);
    if (c)
        c->status.limit = limit;
    return c;
}

void br_cache_free(struct br_cache *c)
{
    while (c && c->oldest)
        drop(c, c->oldest);
    free(c);
}

void br_cache_set_limit(struct br_cache *c, size_t limit)
{
    if (!c)
        return;
    c->status.limit = limit;
    make_room(c, 0);
}

void br_cache_status_of(const struct br_cache *c, struct br_cache_status *out)
{
    *out = c ? c->status : (struct br_cache_status){0};
}

bool br_cache_vector(struct br_cache *c, const char *text, size_t len, float *out, uint32_t dim)
{
    const struct entry *e = c ? find(c, VECTOR, text, len) : NULL;
    if (c)
        ++*(e ? &c->status.vector_hits : &c->status.vector_misses);
    if (e)
        memcpy(out, e->vector, dim * sizeof *out);
    return e;
}

void br_cache_keep_vector(struct br_cache *c, const char *text, size_t len, const float *vector, uint32_t dim)
{
    if (!c || find(c, VECTOR, text, len))
        return;
    struct entry *e = new_entry(c, VECTOR, text, len, dim * sizeof *vector);
    if (!e)
        return;
    e->vector = malloc(dim * sizeof *vector);
    if (!e->vector) {
        free(e);
        return;
    }
    memcpy(e->vector, vector, dim * sizeof *vector);
    insert(c, e);
}

static size_t bytes_of_bits(const struct br_bitmap *b)
{
    return (size_t)(b->n_bits / 8);
}

static bool copy_set(const struct br_slack_set *from, struct br_slack_set *to)
{
    *to = (struct br_slack_set){0};
    if (br_bitmap_copy(&to->slots, &from->slots, NULL) == BR_OK && br_bitmap_copy(&to->contents, &from->contents, NULL) == BR_OK)
        return true;
    br_slack_set_free(to);
    return false;
}

bool br_cache_set(struct br_cache *c, const void *key, size_t len, struct br_slack_set *out)
{
    const struct entry *e = c ? find(c, SET, key, len) : NULL;
    bool hit = e && copy_set(&e->set, out);
    if (c)
        ++*(hit ? &c->status.set_hits : &c->status.set_misses);
    return hit;
}

void br_cache_keep_set(struct br_cache *c, const void *key, size_t len, const struct br_slack_set *set)
{
    if (!c || find(c, SET, key, len))
        return;
    struct entry *e = new_entry(c, SET, key, len, bytes_of_bits(&set->slots) + bytes_of_bits(&set->contents) + 4 * sizeof(uint64_t));
    if (!e)
        return;
    if (!copy_set(set, &e->set)) {
        free(e);
        return;
    }
    insert(c, e);
}

struct br_blob *br_cache_blob(struct br_cache *c, const void *key, size_t len)
{
    const struct entry *e = c ? find(c, BLOB, key, len) : NULL;
    if (!e)
        return NULL;
    atomic_fetch_add_explicit(&e->blob->refs, 1, memory_order_relaxed);
    return e->blob;
}

void br_cache_keep_blob(struct br_cache *c, const void *key, size_t len, struct br_blob *b)
{
    if (!c || find(c, BLOB, key, len))
        return;
    struct entry *e = new_entry(c, BLOB, key, len, sizeof *b + b->size);
    if (!e)
        return;
    e->blob = b;
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    insert(c, e);
}

bool br_cache_has_results(struct br_cache *c, const void *key, size_t len)
{
    return c && find(c, RESULTS, key, len);
}

bool br_cache_results(struct br_cache *c, const void *key, size_t len, struct br_search_results *out)
{
    const struct entry *e = c ? find(c, RESULTS, key, len) : NULL;
    bool hit = e && copy_results(&e->results, out);
    if (c)
        ++*(hit ? &c->status.hits : &c->status.misses);
    return hit;
}

void br_cache_keep_results(struct br_cache *c, const void *key, size_t len, const struct br_search_results *r)
{
    if (!c || find(c, RESULTS, key, len))
        return;
    struct entry *e = new_entry(c, RESULTS, key, len, bytes_of_results(r));
    if (!e)
        return;
    if (!copy_results(r, &e->results)) {
        free(e);
        return;
    }
    insert(c, e);
}
