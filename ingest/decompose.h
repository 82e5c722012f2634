/* decompose.h - are two names the same but for the spelling of letters with marks? */
#ifndef BR_DECOMPOSE_H
#define BR_DECOMPOSE_H

#include "base/base.h"

struct br_pair {
    uint16_t composed, first, second;
};
extern const struct br_pair br_pairs[]; /* by composed */
extern const size_t br_n_pairs;

bool br_is_ascii(const char *s);
/* Compares the canonical decompositions of two valid UTF-8 names. Marks are not put in order: both spellings of one name have them in the same
 * one. */
bool br_equal_decomposed(const char *a, const char *b);

#endif
