/* arena.c - a bump allocator over a list of blocks. */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 << 10)

struct br_arena_block {
    struct br_arena_block *next;
    size_t used, size;
    _Alignas(16) char data[];
};

void br_arena_init(struct br_arena *a, size_t cap_bytes)
{
    *a = (struct br_arena){.cap = cap_bytes};
}

void br_arena_free(struct br_arena *a)
{
    for (struct br_arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    br_arena_init(a, a->cap);
}

static struct br_arena_block *add_block(struct br_arena *a, size_t n)
{
    size_t size = BR_MAX(n, BLOCK_BYTES);
    struct br_arena_block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->used = 0;
    b->size = size;
    b->next = a->head;
    a->head = b;
    return b;
}

void *br_arena_alloc(struct br_arena *a, size_t n)
{
    if (n > a->cap || a->used > a->cap - n) {
        a->failed = true;
        return NULL;
    }
    size_t rounded = (n + 15) & ~(size_t)15;
    struct br_arena_block *b = a->head;
    if (!b || b->size - b->used < rounded)
        b = add_block(a, rounded);
    if (!b) {
        a->failed = true;
        return NULL;
    }
    void *p = b->data + b->used;
    b->used += rounded;
    a->used += rounded;
    return memset(p, 0, n);
}

void *br_arena_array(struct br_arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        a->failed = true;
        return NULL;
    }
    return br_arena_alloc(a, bytes);
}

char *br_arena_strn(struct br_arena *a, const char *s, size_t n)
{
    char *p = br_arena_alloc(a, n + 1);
    if (p && n)
        memcpy(p, s, n);
    return p;
}

char *br_arena_str(struct br_arena *a, const char *s)
{
    return s ? br_arena_strn(a, s, strlen(s)) : NULL;
}
