/* text_slots.h - where a text is that has a vector already: slots by the hash of their text, in memory. */
#ifndef BR_TEXT_SLOTS_H
#define BR_TEXT_SLOTS_H

#include "base/base.h"

struct br_store;

/* Of a handle. Zeroed is empty. */
struct br_text_slots {
    struct br_text_slot {
        uint32_t hash, slot_plus_1; /* 0: a free entry */
    } *entries;                     /* open addressing */
    size_t n, alloc;                /* alloc: a power of two */
    uint64_t first, end;            /* slots in [first, end) were looked at; end 0: nothing was */
};

/* A slot whose text may have this hash; the caller looks whether it has, and lives. Not found says little: of a large store, older slots are
 * looked at some thousands a call. Inside a snapshot or transaction. */
BR_MUST_USE enum br_rc br_text_slots_find(struct br_store *s, const uint8_t hash[16], uint64_t *slot, bool *found, struct br_err *err);
/* Slots from tail on are given out anew: empty, if it knows any of them. */
void br_text_slots_cut(struct br_text_slots *t, uint64_t tail);
/* Makes it empty. */
void br_text_slots_free(struct br_text_slots *t);

#endif
