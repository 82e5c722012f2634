/* filters.c - what a filter lets through, remembered.
 *
 * To find it means to walk an index of all messages, or all that have a word: milliseconds, and more than the search itself where words are
 * frequent. The same filter is asked for again, with other words, mode and page. What it lets through depends on its terms and on the state of
 * the store, and both are the key. */
#include "cache.h"
#include "cache_key.h"

#define KEY_BYTES_MAX ((size_t)1 << 18)

static void add_authors(struct br_buf *b, const struct br_slack_author *items, size_t n)
{
    br_key_number(b, n);
    for (size_t i = 0; i < n; i++) {
        br_key_number(b, items[i].is_bot);
        br_key_string(b, items[i].key);
    }
}

static void add_terms(struct br_buf *b, const struct br_slack_terms *t)
{
    br_key_strings(b, t->channel_ids, t->n_channels);
    add_authors(b, t->authors, t->n_authors);
    br_key_strings(b, t->reactions, t->n_reactions);
    br_key_number(b, t->has);
    br_key_number(b, (uint64_t)t->min_reactions);
    add_authors(b, t->participants, t->n_participants);
    br_key_string(b, t->match);
}
_Static_assert(sizeof(struct br_slack_terms) == 11 * sizeof(uint64_t), "every term is in the key");

static enum br_rc key_of(struct br_workspace *ws, const struct br_slack_filter *f, struct br_buf *key, struct br_err *err)
{
    struct br_store_info info;
    enum br_rc rc;
    BR_TRY(br_store_now(ws->store, &info, err));
    const struct br_state state = br_state_of(&info);
    br_buf_add(key, &state, sizeof state);
    add_terms(key, &f->with);
    add_terms(key, &f->without);
    br_key_number(key, (uint64_t)f->after);
    br_key_number(key, (uint64_t)f->before);
err:
    return rc;
}

enum br_rc br_filter_set(struct br_workspace *ws, const struct br_slack_filter *f, struct br_slack_set *set, bool *remembered, struct br_err *err)
{
    struct br_buf key;
    enum br_rc rc;
    br_buf_init(&key, KEY_BYTES_MAX);
    BR_TRY(key_of(ws, f, &key, err));
    struct br_cache *cache = key.failed ? NULL : ws->cache; /* a key that is too long is no key: the set is made, and not kept */
    *remembered = br_cache_set(cache, key.data, key.len, set);
    if (*remembered)
        goto err;
    BR_TRY(br_slack_filter_set(ws->store, f, set, err));
    br_cache_keep_set(cache, key.data, key.len, set);
err:
    br_buf_free(&key);
    return rc;
}
