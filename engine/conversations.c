/* conversations.c - which conversation a passage is of, and how many conversations there are.
 *
 * Counted once in each state of the store, by the first handle that wants it: others that share its memory of words wait, and share this too. */
#include "conversations.h"

#include <stdlib.h>
#include <string.h>

#include "postings.h"

#define CONTENTS_MAX (UINT64_C(1) << 26) /* 256 MiB; of more, the last are not counted */

struct counting {
    struct br_conversations *c;
    bool alone; /* the conversation at hand, so far */
};

static void add(void *ctx, int64_t content_id, bool next_conversation, bool replied)
{
    struct counting *n = ctx;
    struct br_conversations *c = n->c;
    if (next_conversation) {
        c->threads++;
        c->alone++;
        n->alone = true;
    }
    if (replied && n->alone) {
        c->alone--;
        n->alone = false;
    }
    if (content_id >= 0 && (uint64_t)content_id < c->n_contents)
        c->of_content[content_id] = (uint32_t)c->threads;
}

void br_conversations_release(struct br_conversations *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(c->of_content);
    free(c);
}

static struct br_conversations *share(struct br_conversations *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

static enum br_rc count(struct br_workspace *ws, const struct br_store_info *now, struct br_conversations **out, struct br_err *err)
{
    struct br_conversations *c = calloc(1, sizeof *c);
    struct counting counting = {.c = c};
    enum br_rc rc;
    if (!c)
        return br_fail_nomem(err);
    atomic_init(&c->refs, 1);
    c->state = br_state_of(now);
    c->n_contents = BR_MIN(now->next_content_id, CONTENTS_MAX); /* a damaged row must not ask for all memory */
    c->of_content = calloc((size_t)c->n_contents + 1, sizeof *c->of_content);
    if (!c->of_content)
        BR_TRY(br_fail_nomem(err));
    BR_TRY(br_slack_passage_threads(ws->store, add, &counting, err));
    BR_TRY(br_slack_threaded_messages(ws->store, &c->threaded, err));
    *out = c;
    return BR_OK;
err:
    br_conversations_release(c);
    return rc;
}

static bool is_of(const struct br_conversations *c, const struct br_state *state)
{
    return c && memcmp(&c->state, state, sizeof *state) == 0;
}

enum br_rc br_conversations_of(struct br_workspace *ws, const struct br_store_info *now, const struct br_conversations **out, struct br_err *err)
{
    const struct br_state state = br_state_of(now);
    enum br_rc rc = BR_OK;
    if (!is_of(ws->conversations, &state)) {
        br_conversations_release(ws->conversations);
        ws->conversations = NULL;
        struct br_read_whole *kept = br_word_memory_hold(ws->words);
        if (kept && is_of(kept->conversations, &state)) {
            ws->conversations = share(kept->conversations);
        } else if ((rc = count(ws, now, &ws->conversations, err)) == BR_OK && kept) {
            br_conversations_release(kept->conversations);
            kept->conversations = share(ws->conversations);
        }
        br_word_memory_let_go(ws->words);
    }
    *out = ws->conversations;
    return rc;
}

enum br_rc br_conversations_with(const struct br_conversations *c, const struct br_term_counts *passages, size_t n_terms, uint64_t *with,
                                 struct br_err *err)
{
    struct br_bitmap seen; /* conversation and term */
    if (!n_terms || !passages->n_rows)
        return BR_OK;
    enum br_rc rc = br_bitmap_init(&seen, (c->threads + 1) * n_terms, err);
    if (rc != BR_OK)
        return rc;
    for (size_t i = 0; i < passages->n_rows; i++) {
        const struct br_term_row *row = &passages->rows[i];
        uint64_t thread = (uint64_t)row->content_id < c->n_contents ? c->of_content[row->content_id] : 0;
        for (uint32_t k = 0; thread && k < row->n; k++) {
            size_t term = passages->counts[row->first + k].term;
            uint64_t bit = thread * n_terms + term;
            with[term] += !br_bitmap_test(&seen, bit);
            br_bitmap_set(&seen, bit);
        }
    }
    br_bitmap_free(&seen);
    return BR_OK;
}
