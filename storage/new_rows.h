/* new_rows.h - rows of contents and slots that a batch has made and SQLite has not been told of yet. */
#ifndef BR_NEW_ROWS_H
#define BR_NEW_ROWS_H

#include "content_log.h"

#define BR_NEW_ROWS_MAX 512

struct br_store;

struct br_new_slot {
    uint64_t slot, content_id, checksum;
};

/* Of a writing handle. Zeroed is empty. */
struct br_new_rows {
    struct br_new_rows_room { /* NULL before the first row */
        struct br_content_ref contents[BR_NEW_ROWS_MAX];
        struct br_new_slot slots[BR_NEW_ROWS_MAX];
    } *room;
    size_t n_contents, n_slots;
    bool being_written;
};

/* In a transaction. When there is no room the rows so far are written first. */
BR_MUST_USE enum br_rc br_new_content(struct br_store *s, const struct br_content_ref *ref, struct br_err *err);
BR_MUST_USE enum br_rc br_new_slot(struct br_store *s, const struct br_new_slot *slot, struct br_err *err);
/* Writes what waits. A failure leaves a batch that must not be committed. */
BR_MUST_USE enum br_rc br_new_rows_write(struct br_store *s, struct br_err *err);

#endif
