/* retrieve.h - the two sides of a search, each giving documents best first. */
#ifndef BR_RETRIEVE_H
#define BR_RETRIEVE_H

#include "engine_int.h"

struct br_semantic_hit {
    struct br_doc doc;
    float similarity;
};
struct br_semantic_hits {
    struct br_semantic_hit *items; /* owned */
    size_t count;
    bool exhaustive;
};

/* The `want` nearest live documents among allow (NULL: all): graph and fresh tail, or every vector with exact. Fewer only when fewer exist. */
BR_MUST_USE enum br_rc br_retrieve_semantic(struct br_workspace *ws, const char *text, size_t len, const struct br_bitmap *allow, size_t want,
                                            bool exact, struct br_semantic_hits *out, struct br_err *err);
/* The same for a vector there is already. */
BR_MUST_USE enum br_rc br_retrieve_nearest(struct br_workspace *ws, const float *vector, const struct br_bitmap *allow, size_t want, bool exact,
                                           struct br_semantic_hits *out, struct br_err *err);
void br_semantic_hits_free(struct br_semantic_hits *h);

#endif
