/* arena.h - many small allocations freed in one call, with a cap. Not thread-safe. */
#ifndef BR_ARENA_H
#define BR_ARENA_H

#include "base/base.h"

struct br_arena_block;
struct br_arena {
    struct br_arena_block *head;
    size_t used;   /* bytes handed out */
    size_t cap;    /* allocation past it fails */
    bool failed;   /* an allocation failed since init or reset */
};

void br_arena_init(struct br_arena *a, size_t cap_bytes);
void br_arena_free(struct br_arena *a); /* leaves an empty, usable arena */
/* 16-byte aligned, zeroed. NULL (and a->failed) past the cap or without memory. */
void *br_arena_alloc(struct br_arena *a, size_t n);
void *br_arena_array(struct br_arena *a, size_t n, size_t size); /* overflow-checked */
/* Copies; NULL gives NULL. */
char *br_arena_str(struct br_arena *a, const char *s);
char *br_arena_strn(struct br_arena *a, const char *s, size_t n); /* adds a NUL */

#endif
