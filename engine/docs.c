/* docs.c - which document a slot is, or a content record, remembered: a search asks it of a few hundred, and most of them again in the next search.
 *
 * What is remembered is true of one state of the store (uuid, generation, last_seq, commits); with the next it is forgotten. At first it is
 * what was asked for, in two tables of fixed size in which a slot, or a record, has one place: 16 MB at most, of which only the pages that are
 * used are there. When so many had to be looked up that to read all in one go would have been less work, and the archive is of a size for it
 * (WHOLE_SLOTS_MAX), all are read: 48 bytes a document, and 4 a slot and a record. Handles that share a memory of words share that. */
#include "engine_int.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "postings.h"

#define PLACES 65536 /* a power of two */
#define WHOLE_SLOTS_MAX (UINT64_C(1) << 18)
#define WHOLE_CONTENTS_MAX (UINT64_C(1) << 20)
#define WHOLE_AFTER 16 /* looking one up takes as long as reading about so many in order */

/* All documents. Never changed once they are read. */
struct br_all_docs {
    atomic_size_t refs;
    struct br_state state;
    struct brief {
        int64_t ts, last_ts, thread_ts;
        uint32_t slot, content_id, length, channel; /* slot: UINT32_MAX none */
        enum br_doc_kind kind;
    } *items; /* owned */
    char (*channels)[64]; /* owned */
    uint32_t *by_slot, *by_content; /* owned; place in items + 1, 0 none */
    size_t n, alloc, n_channels, channels_alloc;
    uint64_t n_slots, n_contents;
    bool failed;
};

struct br_docs {
    struct br_state state;
    struct br_all_docs *all; /* a reference; NULL: not read */
    uint64_t lookups;
    bool tried;
    struct br_doc items[PLACES];
    uint64_t slots[PLACES]; /* slot + 1 of the document in a place; 0: none */
    struct {
        struct br_doc doc;
        size_t length;
        int64_t content_id; /* 0: none */
    } contents[PLACES];
};

/* ---- all of them ---- */

void br_all_docs_release(struct br_all_docs *w)
{
    if (!w || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(w->items);
    free(w->channels);
    free(w->by_slot);
    free(w->by_content);
    free(w);
}

static struct br_all_docs *share(struct br_all_docs *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

/* They come channel by channel, of messages and then of passages. */
static bool channel_of(struct br_all_docs *w, const char *id, uint32_t *out)
{
    bool same = w->n_channels && strcmp(w->channels[w->n_channels - 1], id) == 0;
    if (!same && !br_array_fit(&w->channels, &w->channels_alloc, w->n_channels + 1, sizeof *w->channels))
        return false;
    if (!same)
        snprintf(w->channels[w->n_channels++], sizeof *w->channels, "%s", id);
    *out = (uint32_t)w->n_channels - 1;
    return true;
}

static void add(void *ctx, const struct br_doc *d, size_t length)
{
    struct br_all_docs *w = ctx;
    bool has_slot = d->slot < w->n_slots;
    if (w->failed || d->content_id >= w->n_contents || (!has_slot && d->slot != UINT64_MAX)) /* numbers that cannot be: left to a look-up */
        return;
    w->failed = !br_array_fit(&w->items, &w->alloc, w->n + 1, sizeof *w->items);
    struct brief *b = w->failed ? NULL : &w->items[w->n];
    if (w->failed || !channel_of(w, d->channel_id, &b->channel)) {
        w->failed = true;
        return;
    }
    *b = (struct brief){.ts = d->ts,
                        .last_ts = d->last_ts,
                        .thread_ts = d->thread_ts,
                        .slot = has_slot ? (uint32_t)d->slot : UINT32_MAX,
                        .content_id = (uint32_t)d->content_id,
                        .length = (uint32_t)length,
                        .channel = b->channel,
                        .kind = d->kind};
    w->by_content[d->content_id] = (uint32_t)++w->n;
    if (has_slot)
        w->by_slot[d->slot] = (uint32_t)w->n;
}

/* NULL: what cannot be had is looked up one by one, which also tells what is wrong. */
static struct br_all_docs *read_all(struct br_workspace *ws, const struct br_store_info *now)
{
    struct br_all_docs *w = calloc(1, sizeof *w);
    struct br_err ignored = {0};
    if (!w)
        return NULL;
    atomic_init(&w->refs, 1);
    w->state = br_state_of(now);
    w->n_slots = now->vector_tail;
    w->n_contents = now->next_content_id;
    w->by_slot = calloc((size_t)w->n_slots + 1, sizeof *w->by_slot);
    w->by_content = calloc((size_t)w->n_contents + 1, sizeof *w->by_content);
    if (w->by_slot && w->by_content && br_slack_each_doc(ws->store, add, w, &ignored) == BR_OK && !w->failed)
        return w;
    br_all_docs_release(w);
    return NULL;
}

/* Those another handle has read of the same state; else, if may_read, they are read for all. */
static void take_all(struct br_workspace *ws, struct br_docs *d, const struct br_store_info *now, bool may_read)
{
    struct br_read_whole *kept = br_word_memory_hold(ws->words);
    if (kept && kept->docs && memcmp(&kept->docs->state, &d->state, sizeof d->state) == 0) {
        d->all = share(kept->docs);
    } else if (may_read) {
        d->tried = true;
        d->all = read_all(ws, now);
        if (kept && d->all) {
            br_all_docs_release(kept->docs);
            kept->docs = share(d->all);
        }
    }
    br_word_memory_let_go(ws->words);
}

static void give(const struct br_all_docs *w, uint32_t place, struct br_doc *doc, size_t *length)
{
    const struct brief *b = &w->items[place - 1];
    *doc = (struct br_doc){.kind = b->kind,
                           .content_id = b->content_id,
                           .slot = b->slot == UINT32_MAX ? UINT64_MAX : b->slot,
                           .ts = b->ts,
                           .last_ts = b->last_ts,
                           .thread_ts = b->thread_ts};
    memcpy(doc->channel_id, w->channels[b->channel], sizeof doc->channel_id);
    *length = b->length;
}

/* ---- the interface ---- */

void br_docs_free(struct br_docs *d)
{
    if (d)
        br_all_docs_release(d->all);
    free(d);
}

void br_docs_begin(struct br_workspace *ws, const struct br_store_info *now)
{
    struct br_docs *d = ws->docs;
    const struct br_state state = br_state_of(now);
    if (!d || memcmp(&d->state, &state, sizeof state) != 0) {
        br_docs_free(d); /* and a new one: pages of zeros cost nothing until they are used */
        ws->docs = d = calloc(1, sizeof *d);
        if (!d) /* every slot is looked up */
            return;
        d->state = state;
        take_all(ws, d, now, false);
    } else if (!d->all && !d->tried && d->lookups * WHOLE_AFTER > now->vector_tail && now->vector_tail <= WHOLE_SLOTS_MAX &&
               now->next_content_id <= WHOLE_CONTENTS_MAX) {
        take_all(ws, d, now, true);
    }
}

enum br_rc br_doc_of_slot(struct br_workspace *ws, uint64_t slot, struct br_doc *doc, struct br_err *err)
{
    struct br_docs *d = ws->docs;
    size_t place = slot & (PLACES - 1), length;
    uint32_t known = d && d->all && slot < d->all->n_slots ? d->all->by_slot[slot] : 0;
    if (known) {
        give(d->all, known, doc, &length);
        return BR_OK;
    }
    if (d && d->slots[place] == slot + 1) {
        *doc = d->items[place];
        return BR_OK;
    }
    enum br_rc rc = br_slack_doc_of_slot(ws->store, slot, doc, err);
    if (rc == BR_OK && d) {
        d->items[place] = *doc;
        d->slots[place] = slot + 1;
        d->lookups++;
    }
    return rc;
}

enum br_rc br_doc_of_content(struct br_workspace *ws, enum br_doc_kind kind, int64_t content_id, struct br_doc *doc, size_t *length,
                             struct br_err *err)
{
    struct br_docs *d = ws->docs;
    size_t place = (uint64_t)content_id & (PLACES - 1);
    uint32_t known = d && d->all && (uint64_t)content_id < d->all->n_contents ? d->all->by_content[content_id] : 0;
    if (known && d->all->items[known - 1].kind == kind) {
        give(d->all, known, doc, length);
        return BR_OK;
    }
    if (d && content_id && d->contents[place].content_id == content_id && d->contents[place].doc.kind == kind) {
        *doc = d->contents[place].doc;
        *length = d->contents[place].length;
        return BR_OK;
    }
    enum br_rc rc = br_slack_doc_of_content(ws->store, kind, content_id, doc, length, err);
    if (rc == BR_OK && d) {
        d->contents[place].doc = *doc;
        d->contents[place].length = *length;
        d->contents[place].content_id = content_id;
        d->lookups++;
    }
    return rc;
}
