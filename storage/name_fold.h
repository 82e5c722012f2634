/* name_fold.h - names as people type them: compared without case, and without the marks on letters. */
#ifndef BR_NAME_FOLD_H
#define BR_NAME_FOLD_H

#include <stdbool.h>
#include <stddef.h>

#define BR_NAME_BYTES 256 /* longer names are cut */

/* Case folded, for the scripts with case that names are written in; white space as single blanks, none at the ends. */
void br_name_fold_case(const char *in, char out[BR_NAME_BYTES]);
/* On top of that: Latin, Greek and Cyrillic letters without their marks (composed or not), and ss for sharp s and the like. */
void br_name_fold_marks(const char *in, char out[BR_NAME_BYTES]);
/* Levenshtein's distance in bytes, cut off at limit + 1. */
size_t br_name_distance(const char *a, const char *b, size_t limit);
/* Is part (not empty) a whole word, or several, of name? Both folded. */
bool br_name_has_words(const char *name, const char *part);

#endif
