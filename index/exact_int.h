/* exact_int.h - the k best of a stream. Private to index/. */
#ifndef BR_EXACT_INT_H
#define BR_EXACT_INT_H

#include "index.h"

/* hits: a heap with the worst hit on top, room for k. Order: larger similarity, then smaller slot. */
void br_topk_push(struct br_hit *hits, size_t *n, size_t k, uint64_t slot, float similarity);
void br_topk_sort(struct br_hit *hits, size_t n); /* heap to best first */

#endif
