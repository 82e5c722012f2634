/* store_upkeep.h - the upkeep of a store: physical erasure, compaction, and the parts of repair that know no messages.
 *
 * Everything here is for a writing handle, between transactions unless said otherwise. */
#ifndef BR_STORE_UPKEEP_H
#define BR_STORE_UPKEEP_H

#include "store.h"

/* --- Erasure (store_erase.c) --- */

/* In an open transaction: what it kills from here on is queued for erasure, in that same transaction, and the queue is not empty after it,
 * whatever it kills. */
BR_MUST_USE enum br_rc br_store_erasing(struct br_store *s, struct br_err *err);
/* Rows that wait in the queue. Also for a reader. */
BR_MUST_USE enum br_rc br_store_erase_queued(struct br_store *s, uint64_t *n, struct br_err *err);
/* Queues every dead record and slot there is: also what edits and deletions left behind long ago. */
BR_MUST_USE enum br_rc br_store_queue_dead(struct br_store *s, struct br_err *err);
/* Empties the write-ahead log. Succeeds only when nobody reads an older snapshot; waits some seconds for readers, then BR_E_BUSY. */
BR_MUST_USE enum br_rc br_store_quiesce(struct br_store *s, struct br_err *err);
/* Zeroes whatever of both logs belongs to no live record or slot, synced, and cuts what is past the tails. Only after br_store_quiesce. */
BR_MUST_USE enum br_rc br_store_erase_logs(struct br_store *s, struct br_err *err);
/* There is no checkpoint any more; files go with the next sweep. */
BR_MUST_USE enum br_rc br_store_clear_checkpoint(struct br_store *s, struct br_err *err);
/* Forgets the checkpoint before the current one, and removes every graph file but that. */
BR_MUST_USE enum br_rc br_store_drop_old_checkpoints(struct br_store *s, struct br_err *err);
/* Removes the rows of dead records and slots (their hashes tell something too). Only when the current checkpoint, if there is one, knows
 * that they are dead. */
BR_MUST_USE enum br_rc br_store_erase_rows(struct br_store *s, struct br_err *err);
/* Rewrites metadata.db without free pages and without stale copies of rows. */
BR_MUST_USE enum br_rc br_store_vacuum(struct br_store *s, struct br_err *err);
/* Free pages of all pages of metadata.db. */
BR_MUST_USE enum br_rc br_store_free_pages(struct br_store *s, uint64_t *n_free, uint64_t *n_all, struct br_err *err);
/* Everything is erased: the queue is emptied. */
BR_MUST_USE enum br_rc br_store_erase_done(struct br_store *s, struct br_err *err);

/* --- Compaction (store_compact.c) --- */

struct br_compaction {
    const uint64_t *slots; /* all that shall live on, each once, in their new order: the first becomes slot 0 */
    size_t n_slots;
    /* In the transaction of the flip: rows outside the core get their new slots from temp.renumbered(old, new). */
    enum br_rc (*renumber)(struct br_store *s, struct br_err *err);
    void *ctx;
    enum br_rc (*step)(void *ctx, uint64_t done, uint64_t total, struct br_err *err); /* its error ends it; may be NULL */
};
/* Copies what lives to a new generation of both logs and goes over to it. Fails without a change: BR_E_NOSPC told beforehand where the file
 * system says how much is free, BR_E_CORRUPT when something live is damaged. There is no graph checkpoint afterwards. */
BR_MUST_USE enum br_rc br_store_compact(struct br_store *s, const struct br_compaction *how, struct br_err *err);

#endif
