/* unicode_table.h - what the BERT normaliser does to a code point: the interface of the generated table.
 * See data/unicode/README.md for the Unicode versions it mixes. */
#ifndef BR_UNICODE_TABLE_H
#define BR_UNICODE_TABLE_H

#include <stdint.h>

/* An entry; data/unicode/generate.py has the same numbers. From BR_UNICODE_POOL on, entry - BR_UNICODE_POOL is an
 * offset into the pool: a byte (stands alone: bit 7, code points: bits 4-6, bytes: bits 0-3), then the replacement in
 * UTF-8. */
enum {
    BR_UNICODE_KEEP,   /* part of a word, as it is */
    BR_UNICODE_DROP,   /* vanishes; the word goes on */
    BR_UNICODE_SPACE,  /* ends a word */
    BR_UNICODE_ALONE,  /* punctuation or Chinese: a word of its own, as it is */
    BR_UNICODE_HANGUL, /* a syllable: two or three jamo by arithmetic */
    BR_UNICODE_POOL
};

extern const uint16_t br_unicode_stage1[0x110000 / 128];
extern const uint16_t br_unicode_stage2[];
extern const uint8_t br_unicode_pool[];

/* c: a Unicode scalar value. */
static inline unsigned br_unicode_entry(uint32_t c)
{
    return br_unicode_stage2[(uint32_t)br_unicode_stage1[c >> 7] << 7 | (c & 127)];
}

#endif
