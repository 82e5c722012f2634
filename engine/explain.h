/* explain.h - what a search notes down about itself, for who asked. Where nobody did, x is NULL and every call does nothing. */
#ifndef BR_EXPLAIN_H
#define BR_EXPLAIN_H

#include "engine_int.h"

/* Milliseconds of a steady clock; 0 without x. */
double br_explain_clock(const struct br_explain *x);
/* All vectors were compared: as was wished, or for want of a graph. */
void br_explain_scan(struct br_explain *x, bool wished);
/* tail: vectors that are not in the graph. */
void br_explain_plan(struct br_explain *x, const struct br_search_plan *plan, uint64_t tail);
/* Words and conditions, and what passes those: alone by asking the store for each, and together in allowed (NULL: everything), the set the search
 * kept to. Strings go into arena. */
BR_MUST_USE enum br_rc br_explain_query(struct br_workspace *ws, const struct br_query *q, const struct br_bitmap *allowed, struct br_arena *arena,
                                        struct br_explain *x, struct br_err *err);

#endif
