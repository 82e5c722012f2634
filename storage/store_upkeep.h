/* store_upkeep.h - the upkeep of a store: physical erasure, compaction, and the parts of repair that know no messages.
 *
 * Everything here is for a writing handle, between transactions unless said otherwise. */
#ifndef BR_STORE_UPKEEP_H
#define BR_STORE_UPKEEP_H

#include "store.h"

/* --- Erasure (store_erase.c) --- */

/* In an open transaction: what it kills from here on is queued for erasure, in that same transaction, and the queue is
 * not empty after it, whatever it kills. */
BR_MUST_USE enum br_rc br_store_erasing(struct br_store *s, struct br_err *err);
/* Rows that wait in the queue. Also for a reader. */
BR_MUST_USE enum br_rc br_store_erase_queued(struct br_store *s, uint64_t *n, struct br_err *err);
/* Queues every dead record and slot there is: also what edits and deletions left behind long ago. */
BR_MUST_USE enum br_rc br_store_queue_dead(struct br_store *s, struct br_err *err);
/* Empties the write-ahead log. Succeeds only when nobody reads an older snapshot; waits some seconds for readers, then
 * BR_E_BUSY. */
BR_MUST_USE enum br_rc br_store_quiesce(struct br_store *s, struct br_err *err);
/* Zeroes whatever of both logs belongs to no live record or slot, synced, and cuts what is past the tails. Only after
 * br_store_quiesce. */
BR_MUST_USE enum br_rc br_store_erase_logs(struct br_store *s, struct br_err *err);
/* There is no checkpoint any more; files go with the next sweep. */
BR_MUST_USE enum br_rc br_store_clear_checkpoint(struct br_store *s, struct br_err *err);
/* Forgets the checkpoint before the current one, and removes every graph file but that. */
BR_MUST_USE enum br_rc br_store_drop_old_checkpoints(struct br_store *s, struct br_err *err);
/* Removes what repair kept of a damaged metadata.db, since nobody can tell what is in it, and the vectors a stopped reembed left. These and
 * all removals before are then durable. */
BR_MUST_USE enum br_rc br_store_drop_damaged(struct br_store *s, struct br_err *err);
/* Removes what stopped reembeds left, whatever the model. */
BR_MUST_USE enum br_rc br_store_drop_reembeds(struct br_store *s, struct br_err *err);
/* Removes what a reembed to this model left. *others: how many to other models there are, which were stopped. */
BR_MUST_USE enum br_rc br_store_drop_reembed_to(struct br_store *s, const char *model_id, size_t *others, struct br_err *err);
/* Removes the rows of dead records and slots (their hashes tell something too). Only when the current checkpoint, if
 * there is one, knows that they are dead. */
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
    enum br_rc (*step)(void *ctx, uint64_t done, uint64_t total,
                       struct br_err *err); /* its error ends it; may be NULL */
    /* To another model: its id, else NULL; then every vector is new. */
    const char *model_id;
    uint32_t dim;
    enum br_rc (*vector)(void *ctx, uint64_t content_id, float *out, struct br_err *err);
    enum br_rc (*also)(void *ctx, struct br_store *s, struct br_err *err); /* in the transaction of the flip; may be NULL */
};
/* Copies what lives to a new generation of both logs and goes over to it. Fails without a change: BR_E_NOSPC told
 * beforehand where the file system says how much is free, BR_E_CORRUPT when something live is damaged. There is no
 * graph checkpoint afterwards. */
BR_MUST_USE enum br_rc br_store_compact(struct br_store *s, const struct br_compaction *how, struct br_err *err);

/* --- Repair (store_repair.c) --- */

/* Files that were missing, cut short or had a damaged header: what is lost shows as damaged records and rows. */
struct br_store_mended {
    bool content, vectors;
};
/* Opens for writing whatever state the logs are in. BR_E_CORRUPT: metadata.db itself is damaged (every page is looked
 * at). BR_E_NOTFOUND: there is none. */
BR_MUST_USE enum br_rc br_store_open_repair(const struct br_io *io, const char *dir, struct br_store **out,
                                            struct br_store_mended *mended, struct br_err *err);
struct br_id_list { /* ascending; items is malloc'ed */
    uint64_t *items;
    size_t n, alloc;
};
void br_id_list_free(struct br_id_list *l);
/* Live records, or live slots, whose bytes cannot be read or fail their checksum. */
BR_MUST_USE enum br_rc br_store_damaged_contents(struct br_store *s, struct br_id_list *out, struct br_err *err);
BR_MUST_USE enum br_rc br_store_damaged_slots(struct br_store *s, struct br_id_list *out, struct br_err *err);
/* Trims a journal whose rows are at odds with each other or with what they tell of, where every live record is right. */
BR_MUST_USE enum br_rc br_store_mend_journal(struct br_store *s, bool *mended, struct br_err *err);
/* In a transaction: the live record gets these bytes, at a new place in the log. *same: they are what it was made of. */
BR_MUST_USE enum br_rc br_store_mend_content(struct br_store *s, uint64_t content_id, const void *bytes, size_t len,
                                             bool *same, struct br_err *err);
/* The writer's lock of a directory whatever is in it; closed with io->close. BR_E_BUSY. */
BR_MUST_USE enum br_rc br_store_lock(const struct br_io *io, const char *dir, int *fd, struct br_err *err);
/* Every whole record of a content log, in the order of the file, without metadata.db: dead ones too. *damaged: places
 * where something else than a record or zeros begins. Bytes are borrowed until fn returns. */
BR_MUST_USE enum br_rc br_store_scan_content(const struct br_io *io, const char *path,
                                             enum br_rc (*fn)(void *ctx, const char *bytes, size_t len,
                                                              struct br_err *err),
                                             void *ctx, uint64_t *damaged, struct br_err *err);
/* Takes metadata.db and the logs of a store that nobody has open into dir, beside the damaged metadata.db, which is
 * kept as metadata.db.damaged. from and dir are on one file system. Stopped anywhere, it can be done again from the
 * start. */
BR_MUST_USE enum br_rc br_store_replace(const struct br_io *io, const char *from, const char *dir, uint64_t generation,
                                        struct br_err *err);

#endif
