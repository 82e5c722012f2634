/* docs.c - which document a slot is, remembered: a search asks it of a few hundred slots, and most of them again in the next search.
 *
 * What is remembered is true of one state of the store (uuid, generation, last_seq, commits); with the next it is forgotten. A table
 * of fixed size in which a slot has one place: 7 MB at most, of which only the pages that are used are there. */
#include "engine_int.h"

#include <stdlib.h>
#include <string.h>

#define PLACES 65536 /* a power of two */

struct br_docs {
    struct br_state state;
    struct br_doc items[PLACES];
    uint64_t slots[PLACES]; /* slot + 1 of the document in a place; 0: none */
};

void br_docs_free(struct br_docs *d)
{
    free(d);
}

void br_docs_begin(struct br_workspace *ws, const struct br_store_info *now)
{
    struct br_docs *d = ws->docs;
    const struct br_state state = br_state_of(now);
    if (d && memcmp(&d->state, &state, sizeof state) == 0)
        return;
    free(d); /* and a new one: pages of zeros cost nothing until they are used */
    ws->docs = d = calloc(1, sizeof *d);
    if (d) /* else every slot is looked up */
        d->state = state;
}

enum br_rc br_doc_of_slot(struct br_workspace *ws, uint64_t slot, struct br_doc *doc, struct br_err *err)
{
    struct br_docs *d = ws->docs;
    size_t place = slot & (PLACES - 1);
    if (d && d->slots[place] == slot + 1) {
        *doc = d->items[place];
        return BR_OK;
    }
    enum br_rc rc = br_slack_doc_of_slot(ws->store, slot, doc, err);
    if (rc == BR_OK && d) {
        d->items[place] = *doc;
        d->slots[place] = slot + 1;
    }
    return rc;
}
