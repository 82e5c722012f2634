/* bitmap.c - a set of slots, one bit each. */
#include "dist_int.h"
#include "index.h"

#include <stdlib.h>
#include <string.h>

static uint64_t word_count(uint64_t n_bits)
{
    return n_bits / 64 + (n_bits % 64 != 0);
}

enum br_rc br_bitmap_init(struct br_bitmap *b, uint64_t n_bits, struct br_err *err)
{
    *b = (struct br_bitmap){0};
    b->words = calloc((size_t)word_count(n_bits) + 1, sizeof(uint64_t)); /* + 1: never a NULL for an empty set */
    if (!b->words)
        return br_fail_nomem(err);
    b->n_bits = n_bits;
    return BR_OK;
}

enum br_rc br_bitmap_copy(struct br_bitmap *to, const struct br_bitmap *from, struct br_err *err)
{
    enum br_rc rc = br_bitmap_init(to, from->n_bits, err);
    if (rc == BR_OK)
        memcpy(to->words, from->words, (size_t)word_count(from->n_bits) * sizeof(uint64_t));
    return rc;
}

void br_bitmap_free(struct br_bitmap *b)
{
    free(b->words);
    *b = (struct br_bitmap){0};
}

void br_bitmap_set(struct br_bitmap *b, uint64_t bit)
{
    if (bit < b->n_bits)
        b->words[bit / 64] |= UINT64_C(1) << bit % 64;
}

void br_bitmap_clear(struct br_bitmap *b, uint64_t bit)
{
    if (bit < b->n_bits)
        b->words[bit / 64] &= ~(UINT64_C(1) << bit % 64);
}

bool br_bitmap_test(const struct br_bitmap *b, uint64_t bit)
{
    return bit < b->n_bits && (b->words[bit / 64] >> bit % 64 & 1);
}

uint64_t br_bitmap_count(const struct br_bitmap *b)
{
    return br_bitmap_count_both(b, b);
}

uint64_t br_bitmap_count_both(const struct br_bitmap *a, const struct br_bitmap *b)
{
    uint64_t bits = BR_MIN(a->n_bits, b->n_bits), n = br_kernels()->count_both(a->words, b->words, bits / 64);
    if (bits % 64)
        n += (uint64_t)__builtin_popcountll(a->words[bits / 64] & b->words[bits / 64] & ((UINT64_C(1) << bits % 64) - 1));
    return n;
}

void br_bitmap_fill(struct br_bitmap *b)
{
    for (uint64_t i = 0; i < b->n_bits / 64; i++)
        b->words[i] = ~UINT64_C(0);
    if (b->n_bits % 64)
        b->words[b->n_bits / 64] = (UINT64_C(1) << b->n_bits % 64) - 1;
}

void br_bitmap_intersect(struct br_bitmap *a, const struct br_bitmap *b)
{
    uint64_t common = BR_MIN(word_count(a->n_bits), word_count(b->n_bits));
    for (uint64_t i = 0; i < common; i++)
        a->words[i] &= b->words[i];
    for (uint64_t i = common; i < word_count(a->n_bits); i++)
        a->words[i] = 0;
}

void br_bitmap_subtract(struct br_bitmap *a, const struct br_bitmap *b)
{
    for (uint64_t i = 0; i < BR_MIN(word_count(a->n_bits), word_count(b->n_bits)); i++)
        a->words[i] &= ~b->words[i];
}
