/* cache.h - what a workspace handle remembers of earlier questions: the vectors of their texts, the documents that filters let through, and whole
 * answers. Bounded in bytes; what was not asked for the longest goes first. For one thread, as the handle is. */
#ifndef BR_CACHE_H
#define BR_CACHE_H

#include "engine_int.h"

#include <stdatomic.h>

/* What the strings of a result are in. Answers that are kept share it with those that were given out, on whatever thread they are freed. */
struct br_shared {
    atomic_uint refs;
    struct br_arena arena;
};
struct br_shared *br_shared_new(const struct br_arena *arena); /* takes the arena over; NULL without memory */
void br_shared_release(struct br_shared *s);                   /* may be NULL */

struct br_cache;
struct br_cache *br_cache_new(size_t limit); /* bytes; NULL without memory, and then every call does nothing */
void br_cache_free(struct br_cache *c);
void br_cache_set_limit(struct br_cache *c, size_t limit);
void br_cache_status_of(const struct br_cache *c, struct br_cache_status *out);

/* A model's vector for a text never changes: the text is the key. */
bool br_cache_vector(struct br_cache *c, const char *text, size_t len, float *out, uint32_t dim);
void br_cache_keep_vector(struct br_cache *c, const char *text, size_t len, const float *vector, uint32_t dim);

/* The state that what follows is asked in. Where it is another one than before, all goes but vectors: it could never be given again, and may be
 * what was forgotten. */
void br_cache_begin(struct br_cache *c, const struct br_state *now);

/* What a filter lets through. key names everything it depends on, the store's state included. *out is the caller's to free. */
bool br_cache_set(struct br_cache *c, const void *key, size_t len, struct br_slack_set *out);
void br_cache_keep_set(struct br_cache *c, const void *key, size_t len, const struct br_slack_set *set);

/* Bytes that are shared, on any thread. */
struct br_blob {
    atomic_size_t refs;
    size_t size;
    uint64_t bytes[];
};
struct br_blob *br_blob_new(size_t size); /* one reference, the caller's; NULL without memory */
void br_blob_release(struct br_blob *b);  /* may be NULL */
/* A reference for the caller, or NULL. Not counted. */
struct br_blob *br_cache_blob(struct br_cache *c, const void *key, size_t len);
void br_cache_keep_blob(struct br_cache *c, const void *key, size_t len, struct br_blob *b);

/* Is an answer kept? Not counted. */
bool br_cache_has_results(struct br_cache *c, const void *key, size_t len);
/* Answers. key names everything they depend on, the store's state included. */
bool br_cache_results(struct br_cache *c, const void *key, size_t len, struct br_search_results *out);
void br_cache_keep_results(struct br_cache *c, const void *key, size_t len, const struct br_search_results *r);

#endif
