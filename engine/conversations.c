/* conversations.c - which conversation a passage is of, and how many conversations there are. */
#include "conversations.h"

#include <stdlib.h>

#define CONTENTS_MAX (UINT64_C(1) << 26) /* 256 MiB; of more, the last are not counted */

static void add(void *ctx, int64_t content_id, bool next_conversation)
{
    struct br_conversations *c = ctx;
    c->threads += next_conversation;
    if (content_id >= 0 && (uint64_t)content_id < c->n_contents)
        c->of_content[content_id] = (uint32_t)c->threads;
}

void br_conversations_free(struct br_conversations *c)
{
    if (c)
        free(c->of_content);
    free(c);
}

enum br_rc br_conversations_of(struct br_workspace *ws, const struct br_store_info *now, const struct br_conversations **out, struct br_err *err)
{
    const struct br_state state = br_state_of(now);
    struct br_conversations *c = ws->conversations;
    enum br_rc rc = BR_OK;
    if (c && memcmp(&c->state, &state, sizeof state) == 0) {
        *out = c;
        return BR_OK;
    }
    br_conversations_free(c);
    ws->conversations = NULL;
    c = calloc(1, sizeof *c);
    if (!c)
        return br_fail_nomem(err);
    c->state = state;
    c->n_contents = BR_MIN(now->next_content_id, CONTENTS_MAX); /* a damaged row must not ask for all memory */
    c->of_content = calloc((size_t)c->n_contents + 1, sizeof *c->of_content);
    if (!c->of_content)
        BR_TRY(br_fail_nomem(err));
    BR_TRY(br_slack_passage_threads(ws->store, add, c, err));
    BR_TRY(br_slack_threaded_messages(ws->store, &c->threaded, err));
    *out = ws->conversations = c;
    return BR_OK;
err:
    br_conversations_free(c);
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
