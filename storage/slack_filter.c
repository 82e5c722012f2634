/* slack_filter.c - from a filter to the documents it lets through, and from a slot to its document.
 *
 * Each term of a filter (a channel, an author, a reaction, an expression of words) is one statement that walks the
 * documents it is true of; the filter is their intersection less the terms it excludes, as bitmaps. Dates, flags and
 * each combination of one channel and one author are one walk over an index that holds all that is asked; words are
 * walked in slack_filter_words.c. What passes and why is said in slack.h. */
#include "slack_filter_words.h"
#include "slack_int.h"
#include "store_core.h"

static bool has_message_terms(const struct br_slack_terms *t)
{
    return t->n_authors || t->n_reactions || t->has || t->min_reactions;
}

static bool terms_are_empty(const struct br_slack_terms *t)
{
    return !t->n_channels && !t->n_participants && !has_message_terms(t) && !t->match;
}

bool br_slack_filter_is_empty(const struct br_slack_filter *f)
{
    return terms_are_empty(&f->with) && terms_are_empty(&f->without) && !f->after && !f->before;
}

static bool only_messages(const struct br_slack_filter *f)
{
    return has_message_terms(&f->with) || has_message_terms(&f->without);
}

/* --- Sets --- */

void br_slack_set_free(struct br_slack_set *set)
{
    br_bitmap_free(&set->slots);
    br_bitmap_free(&set->contents);
}

#define NUMBERS_MAX (INT64_C(1) << 30) /* 128 MiB a set; a damaged row must not ask for all memory */

static enum br_rc bitmap_new(struct br_store *s, struct br_bitmap *b, int64_t n, struct br_err *err)
{
    if (n < 0 || n > NUMBERS_MAX)
        return br_fail(err, BR_E_CORRUPT, "%s/metadata.db names slot or content record %lld, which cannot be: restore it from a backup",
                       br_store_dir(s), (long long)n - 1);
    return br_bitmap_init(b, (uint64_t)n, err);
}

/* Room for the highest slot and content record any document has. */
static enum br_rc set_new(struct br_store *s, struct br_slack_set *set, struct br_err *err)
{
    int64_t messages, passages, contents;
    enum br_rc rc;
    *set = (struct br_slack_set){0};
    BR_TRY(br_slack_int(s,
                        "SELECT max(slot) + 1 FROM message_metadata INDEXED BY messages_by_slot"
                        " WHERE workspace_id = ?1 AND slot IS NOT NULL",
                        &messages, err));
    BR_TRY(br_slack_int(s, "SELECT max(slot) + 1 FROM passages INDEXED BY passages_by_slot"
                        " WHERE workspace_id = ?1 AND slot IS NOT NULL",
                        &passages, err));
    BR_TRY(br_slack_int(s, "SELECT max(content_id) + 1 FROM content WHERE workspace_id = ?1", &contents, err));
    BR_TRY(bitmap_new(s, &set->slots, BR_MAX(messages, passages), err));
    BR_TRY(bitmap_new(s, &set->contents, contents, err));
    return BR_OK;
err:
    br_slack_set_free(set);
    return rc;
}

static void intersect(struct br_slack_set *a, const struct br_slack_set *b)
{
    br_bitmap_intersect(&a->slots, &b->slots);
    br_bitmap_intersect(&a->contents, &b->contents);
}

static void subtract(struct br_slack_set *a, const struct br_slack_set *b)
{
    br_bitmap_subtract(&a->slots, &b->slots);
    br_bitmap_subtract(&a->contents, &b->contents);
}

/* --- Walks: each statement gives slot and content record. --- */

/* The same numbers in every statement. Zero: nothing is asked. */
struct walk {
    const char *channel_id; /* ?2 */
    const char *author;     /* ?3 */
    int64_t after, before;  /* ?4, ?5 */
    unsigned has, has_not;  /* ?6, ?8 */
    int64_t least;          /* ?9: of reactions */
    const char *text;       /* ?7: a reaction */
};

#define DATES_AND_FLAGS                                                                                              \
    " AND m.ts >= ?4 AND m.ts < ?5 AND m.flags & ?6 = ?6 AND m.flags & ?8 = 0 AND m.slot IS NOT NULL"

static const char by_nothing[] = /* channel by channel, so that dates use the index */
    "SELECT m.slot, m.content_id FROM channels c CROSS JOIN message_metadata m INDEXED BY messages_by_channel"
    " ON m.workspace_id = ?1 AND m.channel_id = c.channel_id WHERE c.workspace_id = ?1" DATES_AND_FLAGS;
static const char by_channel[] = "SELECT m.slot, m.content_id FROM message_metadata m INDEXED BY messages_by_channel"
                                 " WHERE m.workspace_id = ?1 AND m.channel_id = ?2" DATES_AND_FLAGS;
static const char by_user[] = "SELECT m.slot, m.content_id FROM message_metadata m INDEXED BY messages_by_user"
                              " WHERE m.workspace_id = ?1 AND m.user_id = ?3" DATES_AND_FLAGS;
static const char by_both[] = "SELECT m.slot, m.content_id FROM message_metadata m INDEXED BY messages_by_user"
                              " WHERE m.workspace_id = ?1 AND m.user_id = ?3 AND m.channel_id = ?2" DATES_AND_FLAGS;
static const char by_bot[] = /* one by its id and by its name is in the set once all the same */
    "SELECT m.slot, m.content_id FROM message_metadata m INDEXED BY messages_by_bot_id"
    " WHERE m.workspace_id = ?1 AND m.bot_id = ?3 AND (?2 IS NULL OR m.channel_id = ?2)" DATES_AND_FLAGS
    " UNION ALL SELECT m.slot, m.content_id FROM message_metadata m INDEXED BY messages_by_bot_name"
    " WHERE m.workspace_id = ?1 AND m.bot_name = ?3 COLLATE NOCASE AND (?2 IS NULL OR m.channel_id = ?2)" DATES_AND_FLAGS;
/* Of a file of before version 3, which has no index of bots. */
static const char by_bot_unindexed[] = "SELECT m.slot, m.content_id FROM message_metadata m NOT INDEXED"
                             " WHERE m.workspace_id = ?1 AND (m.bot_id = ?3 OR m.bot_name = ?3 COLLATE NOCASE)"
                             " AND (?2 IS NULL OR m.channel_id = ?2)" DATES_AND_FLAGS;
static const char by_reaction[] =
    "SELECT m.slot, m.content_id FROM reactions r INDEXED BY reactions_by_folded CROSS JOIN message_metadata m"
    " ON m.workspace_id = ?1 AND m.channel_id = r.channel_id AND m.ts = r.ts"
    " WHERE r.workspace_id = ?1 AND r.folded = ?7 AND m.slot IS NOT NULL";
static const char by_min_reactions[] = "SELECT slot, content_id FROM message_metadata INDEXED BY messages_by_reactions"
                                       " WHERE workspace_id = ?1 AND reactions_total >= ?9 AND reactions_total > 0"
                                       " AND slot IS NOT NULL";
static const char by_roots[] = /* one index knows roots, the other holds what is asked of them: the wide rows stay unread */
    "SELECT m.slot, m.content_id FROM message_metadata r INDEXED BY messages_by_thread"
    " CROSS JOIN message_metadata m INDEXED BY messages_by_channel"
    " ON m.workspace_id = ?1 AND m.channel_id = r.channel_id AND m.ts = r.ts"
    " WHERE r.workspace_id = ?1 AND r.thread_ts = r.ts AND r.thread_ts IS NOT NULL AND m.slot IS NOT NULL";
/* ?3 wrote in these threads, and is in these direct messages: as a member, or, since exports may lack members, having written there. Bots are
 * no members. */
#define PERSON_WROTE " INDEXED BY messages_by_user WHERE a.workspace_id = ?1 AND a.user_id = ?3 AND a.slot IS NOT NULL"
#define BOT_ID_WROTE " INDEXED BY messages_by_bot_id WHERE a.workspace_id = ?1 AND a.bot_id = ?3 AND a.slot IS NOT NULL"
#define BOT_NAME_WROTE                                                                                               \
    " INDEXED BY messages_by_bot_name WHERE a.workspace_id = ?1 AND a.bot_name = ?3 COLLATE NOCASE AND a.slot IS NOT NULL"
#define BOT_WROTE_UNINDEXED                                                                                          \
    " NOT INDEXED WHERE a.workspace_id = ?1 AND (a.bot_id = ?3 OR a.bot_name = ?3 COLLATE NOCASE) AND a.slot IS NOT NULL"
#define MEMBERS                                                                                                      \
    "EXISTS(SELECT 1 FROM channel_members b WHERE b.workspace_id = ?1 AND b.channel_id = c.channel_id AND b.user_id = ?3) OR "
#define THREADS_OF(WROTE)                                                                                            \
    "(SELECT DISTINCT a.channel_id AS channel_id, a.thread_ts AS thread_ts FROM message_metadata a" WROTE            \
    " AND a.flags & 8 /* BR_IS_THREAD */ AND a.thread_ts IS NOT NULL) t"
#define DIRECT_MESSAGES_OF(IS_MEMBER, WROTE)                                                                         \
    "(SELECT c.channel_id AS channel_id FROM channels c WHERE c.workspace_id = ?1 AND c.kind IN (2, 3) /* DM, group DM */" \
    " AND (" IS_MEMBER "EXISTS(SELECT 1 FROM message_metadata a" WROTE " AND a.channel_id = c.channel_id))) d"
#define CONVERSATIONS_OF(IS_MEMBER, WROTE)                                                                           \
    {                                                                                                                \
        "SELECT m.slot, m.content_id FROM " THREADS_OF(WROTE)                                                        \
        " CROSS JOIN message_metadata m INDEXED BY messages_by_thread ON m.workspace_id = ?1"                        \
        " AND m.channel_id = t.channel_id AND m.thread_ts = t.thread_ts WHERE m.slot IS NOT NULL",                   \
        "SELECT p.slot, p.content_id FROM " THREADS_OF(WROTE)                                                        \
        " CROSS JOIN passages p ON p.workspace_id = ?1"                                                              \
        " AND p.channel_id = t.channel_id AND p.thread_ts = t.thread_ts WHERE p.slot IS NOT NULL",                   \
        "SELECT m.slot, m.content_id FROM " DIRECT_MESSAGES_OF(IS_MEMBER, WROTE)                                     \
        " CROSS JOIN message_metadata m INDEXED BY messages_by_channel ON m.workspace_id = ?1"                       \
        " AND m.channel_id = d.channel_id WHERE m.slot IS NOT NULL",                                                 \
        "SELECT p.slot, p.content_id FROM " DIRECT_MESSAGES_OF(IS_MEMBER, WROTE)                                     \
        " CROSS JOIN passages p ON p.workspace_id = ?1 AND p.channel_id = d.channel_id WHERE p.slot IS NOT NULL",    \
    }
#define CONVERSATION_WALKS 4
enum { BY_PERSON, BY_BOT_ID, BY_BOT_NAME, BY_BOT_UNINDEXED };
static const char *const by_participant[][CONVERSATION_WALKS] = {
    [BY_PERSON] = CONVERSATIONS_OF(MEMBERS, PERSON_WROTE),
    [BY_BOT_ID] = CONVERSATIONS_OF("", BOT_ID_WROTE),
    [BY_BOT_NAME] = CONVERSATIONS_OF("", BOT_NAME_WROTE),
    [BY_BOT_UNINDEXED] = CONVERSATIONS_OF("", BOT_WROTE_UNINDEXED),
};
_Static_assert(BR_IS_THREAD == 8 && BR_CH_DM == 2 && BR_CH_GROUP_DM == 3, "as in the statements");
/* The ends of a passage are messages of it; only where both are outside must those between be asked. */
#define PASSAGE_DATES                                                                                              \
    " AND p.first_ts < ?5 AND p.last_ts >= ?4 AND p.slot IS NOT NULL AND (p.first_ts >= ?4 OR p.last_ts < ?5"      \
    " OR EXISTS(SELECT 1 FROM message_metadata m INDEXED BY messages_by_thread"                                    \
    "  WHERE m.workspace_id = ?1 AND m.channel_id = p.channel_id AND m.thread_ts = p.thread_ts"                    \
    "  AND m.ts >= ?4 AND m.ts < ?5 AND m.slot IS NOT NULL))"
static const char passages_by_nothing[] =
    "SELECT p.slot, p.content_id FROM passages p WHERE p.workspace_id = ?1" PASSAGE_DATES;
static const char passages_by_channel[] = "SELECT p.slot, p.content_id FROM passages p WHERE p.workspace_id = ?1"
                                          " AND p.channel_id = ?2" PASSAGE_DATES;
enum br_rc br_slack_match_fail(struct br_store *s, struct br_err *err)
{
    if ((sqlite3_errcode(br_store_db(s)) & 0xff) == SQLITE_ERROR)
        return br_fail(err, BR_E_USAGE, "the search words cannot be understood: %s", sqlite3_errmsg(br_store_db(s)));
    return br_store_sql_fail(s, err, "cannot search");
}

static void bind(sqlite3_stmt *st, const struct walk *w)
{
    int n = sqlite3_bind_parameter_count(st);
    if (n >= 2)
        br_slack_bind_text(st, 2, w->channel_id);
    if (n >= 3)
        br_slack_bind_text(st, 3, w->author);
    if (n >= 4)
        sqlite3_bind_int64(st, 4, w->after);
    if (n >= 5)
        sqlite3_bind_int64(st, 5, w->before ? w->before : INT64_MAX);
    if (n >= 6)
        sqlite3_bind_int64(st, 6, (int64_t)w->has);
    if (n >= 7)
        br_slack_bind_text(st, 7, w->text);
    if (n >= 8)
        sqlite3_bind_int64(st, 8, (int64_t)w->has_not);
    if (n >= 9)
        sqlite3_bind_int64(st, 9, w->least);
}

static enum br_rc walk(struct br_store *s, const char *sql, const struct walk *w, struct br_slack_set *set,
                       struct br_err *err)
{
    sqlite3_stmt *st;
    int r;
    enum br_rc rc = br_store_stmt(s, sql, &st, err);
    if (rc != BR_OK)
        return rc;
    bind(st, w);
    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        br_bitmap_set(&set->slots, (uint64_t)sqlite3_column_int64(st, 0));
        br_bitmap_set(&set->contents, (uint64_t)sqlite3_column_int64(st, 1));
    }
    if (r != SQLITE_DONE)
        rc = br_slack_match_fail(s, err);
    sqlite3_reset(st);
    return rc;
}

/* --- The terms of a filter --- */

static enum br_rc walk_author(struct br_store *s, const struct br_slack_author *a, const struct walk *where,
                              struct br_slack_set *set,
                              struct br_err *err)
{
    struct walk w = *where;
    w.author = a->key;
    const char *bot = s->schema_version < 3 ? by_bot_unindexed : by_bot;
    return walk(s, a->is_bot ? bot : w.channel_id ? by_both : by_user, &w, set, err);
}

/* Channels, authors, dates and flags of the filter: the base on which the other terms work. */
static enum br_rc walk_messages(struct br_store *s, const struct br_slack_filter *f, struct br_slack_set *set,
                                struct br_err *err)
{
    const struct br_slack_terms *t = &f->with;
    struct walk w = {.after = f->after, .before = f->before, .has = t->has & ~BR_IS_ROOT, .has_not = f->without.has & ~BR_IS_ROOT};
    for (size_t c = 0; c < BR_MAX(t->n_channels, (size_t)1); c++) {
        enum br_rc rc = BR_OK;
        w.channel_id = t->n_channels ? t->channel_ids[c] : NULL;
        if (!t->n_authors)
            rc = walk(s, w.channel_id ? by_channel : by_nothing, &w, set, err);
        for (size_t a = 0; a < t->n_authors && rc == BR_OK; a++)
            rc = walk_author(s, &t->authors[a], &w, set, err);
        if (rc != BR_OK)
            return rc;
    }
    return BR_OK;
}

static enum br_rc walk_passages(struct br_store *s, const struct br_slack_filter *f, struct br_slack_set *set,
                                struct br_err *err)
{
    struct walk w = {.after = f->after, .before = f->before};
    if (!f->with.n_channels)
        return walk(s, passages_by_nothing, &w, set, err);
    for (size_t c = 0; c < f->with.n_channels; c++) {
        w.channel_id = f->with.channel_ids[c];
        enum br_rc rc = walk(s, passages_by_channel, &w, set, err);
        if (rc != BR_OK)
            return rc;
    }
    return BR_OK;
}

/* set := set and what sql walks. */
static enum br_rc keep(struct br_store *s, const char *sql, const struct walk *w, struct br_slack_set *set,
                       struct br_err *err)
{
    struct br_slack_set term;
    enum br_rc rc = set_new(s, &term, err);
    if (rc != BR_OK)
        return rc;
    rc = walk(s, sql, w, &term, err);
    intersect(set, &term);
    br_slack_set_free(&term);
    return rc;
}

static enum br_rc walk_conversations(struct br_store *s, int by, const char *key, struct br_slack_set *set, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < CONVERSATION_WALKS && rc == BR_OK; i++)
        rc = walk(s, by_participant[by][i], &(struct walk){.author = key}, set, err);
    return rc;
}

/* Messages and passages of someone's conversations. */
static enum br_rc walk_participant(struct br_store *s, const struct br_slack_author *who, struct br_slack_set *set, struct br_err *err)
{
    if (!who->is_bot)
        return walk_conversations(s, BY_PERSON, who->key, set, err);
    if (s->schema_version < 3)
        return walk_conversations(s, BY_BOT_UNINDEXED, who->key, set, err);
    enum br_rc rc = walk_conversations(s, BY_BOT_ID, who->key, set, err);
    return rc == BR_OK ? walk_conversations(s, BY_BOT_NAME, who->key, set, err) : rc;
}

/* set := of it what is in conversations of all participants. */
static enum br_rc keep_participants(struct br_store *s, const struct br_slack_terms *t, struct br_slack_set *set, struct br_err *err)
{
    for (size_t i = 0; i < t->n_participants; i++) {
        struct br_slack_set term;
        enum br_rc rc = set_new(s, &term, err);
        if (rc != BR_OK)
            return rc;
        rc = walk_participant(s, &t->participants[i], &term, err);
        intersect(set, &term);
        br_slack_set_free(&term);
        if (rc != BR_OK)
            return rc;
    }
    return BR_OK;
}

/* Messages that have the words; found holds them for their passages. */
static enum br_rc walk_words(struct br_store *s, const char *match, struct br_word_messages *found, struct br_slack_set *set, struct br_err *err)
{
    enum br_rc rc = br_slack_word_messages(s, match, found, err);
    for (size_t i = 0; rc == BR_OK && i < found->n; i++) {
        br_bitmap_set(&set->slots, (uint64_t)found->items[i].slot);
        br_bitmap_set(&set->contents, (uint64_t)found->items[i].content_id);
    }
    return rc;
}

static enum br_rc keep_words(struct br_store *s, const char *match, struct br_word_messages *found, struct br_slack_set *set, struct br_err *err)
{
    struct br_slack_set term;
    enum br_rc rc = set_new(s, &term, err);
    if (rc != BR_OK)
        return rc;
    rc = walk_words(s, match, found, &term, err);
    intersect(set, &term);
    br_slack_set_free(&term);
    return rc;
}

static void add_document(void *set, int64_t slot, int64_t content_id)
{
    br_bitmap_set(&((struct br_slack_set *)set)->slots, (uint64_t)slot);
    br_bitmap_set(&((struct br_slack_set *)set)->contents, (uint64_t)content_id);
}

/* Adds the passages that have one of these messages, if it is in the set. */
static enum br_rc add_passages_of(struct br_store *s, struct br_word_messages *found, struct br_slack_set *set, struct br_err *err)
{
    br_slack_word_messages_keep(found, &set->slots);
    return br_slack_word_passages(s, found, add_document, set, err);
}

/* What `without` names, messages and passages; stored flags are the base's. */
static enum br_rc walk_excluded(struct br_store *s, const struct br_slack_terms *t, struct br_slack_set *set,
                                struct br_err *err)
{
    struct br_word_messages found = {0};
    enum br_rc rc = BR_OK;
    const struct walk none = {0};
    for (size_t i = 0; i < t->n_channels; i++) {
        BR_TRY(walk(s, by_channel, &(struct walk){.channel_id = t->channel_ids[i]}, set, err));
        BR_TRY(walk(s, passages_by_channel, &(struct walk){.channel_id = t->channel_ids[i]}, set, err));
    }
    for (size_t i = 0; i < t->n_authors; i++)
        BR_TRY(walk_author(s, &t->authors[i], &none, set, err));
    for (size_t i = 0; i < t->n_reactions; i++)
        BR_TRY(walk(s, by_reaction, &(struct walk){.text = t->reactions[i]}, set, err));
    if (t->min_reactions)
        BR_TRY(walk(s, by_min_reactions, &(struct walk){.least = t->min_reactions}, set, err));
    if (t->has & BR_IS_ROOT)
        BR_TRY(walk(s, by_roots, &(struct walk){0}, set, err));
    for (size_t i = 0; i < t->n_participants; i++)
        BR_TRY(walk_participant(s, &t->participants[i], set, err));
    if (t->match) {
        BR_TRY(walk_words(s, t->match, &found, set, err));
        BR_TRY(add_passages_of(s, &found, set, err));
    }
err:
    br_slack_word_messages_free(&found);
    return rc;
}

static bool is_unbounded(const struct br_slack_filter *f)
{
    return !f->with.n_channels && !f->after && !f->before && !only_messages(f);
}

/* Everything that has a vector: the few documents that lack one (see verify) pass no filter, whatever it is. */
static enum br_rc everything(struct br_store *s, struct br_slack_set *set, struct br_err *err)
{
    struct br_slack_set lacking;
    enum br_rc rc = set_new(s, &lacking, err);
    if (rc != BR_OK)
        return rc;
    rc = walk(s,
              "SELECT -1, content_id FROM message_metadata INDEXED BY messages_without_vector"
              " WHERE workspace_id = ?1 AND needs_vector = 1 AND slot IS NULL UNION ALL"
              " SELECT -1, content_id FROM passages INDEXED BY passages_without_vector"
              " WHERE workspace_id = ?1 AND slot IS NULL",
              &(struct walk){0}, &lacking, err);
    br_bitmap_fill(&set->slots);
    br_bitmap_fill(&set->contents);
    subtract(set, &lacking);
    br_slack_set_free(&lacking);
    return rc;
}

/* Is there a term that says more than "all messages", or one that the base alone answers? */
static bool wants_base(const struct br_slack_filter *f)
{
    const struct br_slack_terms *t = &f->with;
    bool other = t->n_reactions || t->min_reactions || t->has & BR_IS_ROOT;
    return t->n_channels || t->n_authors || f->after || f->before || (t->has | f->without.has) & ~BR_IS_ROOT || !other;
}

/* The first term without a base to narrow gives the set, each further one narrows it. */
static enum br_rc narrow(struct br_store *s, const char *sql, const struct walk *w, bool *first, struct br_slack_set *set, struct br_err *err)
{
    enum br_rc rc = (*first ? walk : keep)(s, sql, w, set, err);
    *first = false;
    return rc;
}

/* The messages that pass, before anything but flags is excluded; everything, passages too, when nothing confines. */
static enum br_rc included(struct br_store *s, const struct br_slack_filter *f, struct br_word_messages *found, struct br_slack_set *set,
                           struct br_err *err)
{
    const struct br_slack_terms *t = &f->with;
    bool first = false;
    enum br_rc rc = BR_OK;
    if (is_unbounded(f))
        BR_TRY(everything(s, set, err));
    else if (wants_base(f))
        BR_TRY(walk_messages(s, f, set, err));
    else
        first = true;
    for (size_t i = 0; i < t->n_reactions; i++)
        BR_TRY(narrow(s, by_reaction, &(struct walk){.text = t->reactions[i]}, &first, set, err));
    if (t->min_reactions)
        BR_TRY(narrow(s, by_min_reactions, &(struct walk){.least = t->min_reactions}, &first, set, err));
    if (t->has & BR_IS_ROOT)
        BR_TRY(narrow(s, by_roots, &(struct walk){0}, &first, set, err));
    if (t->match)
        BR_TRY(keep_words(s, t->match, found, set, err));
err:
    return rc;
}

enum br_rc br_slack_filter_set(struct br_store *s, const struct br_slack_filter *f, struct br_slack_set *set,
                               struct br_err *err)
{
    struct br_slack_set without = {0};
    struct br_word_messages found = {0}; /* messages with with.match */
    *set = (struct br_slack_set){0};
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(set_new(s, set, err));
    BR_TRY(included(s, f, &found, set, err));
    if (!terms_are_empty(&f->without)) {
        BR_TRY(set_new(s, &without, err));
        BR_TRY(walk_excluded(s, &f->without, &without, err));
        subtract(set, &without);
    }
    if (only_messages(f)) {
        BR_TRY(keep_participants(s, &f->with, set, err));
        goto err;
    }
    if (f->with.match)
        BR_TRY(add_passages_of(s, &found, set, err));
    else if (!is_unbounded(f))
        BR_TRY(walk_passages(s, f, set, err));
    if (without.slots.words)
        subtract(set, &without);
    BR_TRY(keep_participants(s, &f->with, set, err));
err:
    br_store_read_end(s);
    br_slack_set_free(&without);
    br_slack_word_messages_free(&found);
    if (rc != BR_OK)
        br_slack_set_free(set);
    return rc;
}

enum br_rc br_slack_live_slots(struct br_store *s, struct br_bitmap of[2], struct br_err *err)
{
    static const char *const sql[2] = {
        "SELECT slot, -1 FROM message_metadata INDEXED BY messages_by_slot WHERE workspace_id = ?1 AND slot IS NOT NULL",
        "SELECT slot, -1 FROM passages INDEXED BY passages_by_slot WHERE workspace_id = ?1 AND slot IS NOT NULL"};
    enum br_rc rc = BR_OK;
    of[0] = of[1] = (struct br_bitmap){0};
    for (int kind = 0; kind < 2; kind++) {
        struct br_slack_set set;
        BR_TRY(set_new(s, &set, err));
        rc = walk(s, sql[kind], &(struct walk){0}, &set, err);
        of[kind] = set.slots;
        br_bitmap_free(&set.contents);
        if (rc != BR_OK)
            goto err;
    }
    return BR_OK;
err:
    br_bitmap_free(&of[0]);
    br_bitmap_free(&of[1]);
    return rc;
}

/* --- From a slot to its document --- */

enum br_rc br_slack_doc_of_slot(struct br_store *s, uint64_t slot, struct br_doc *doc, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row = false;
    if (slot <= INT64_MAX) {
        BR_TRY(br_store_stmt(s,
                             "SELECT 0, content_id, channel_id, ts, ts, ifnull(thread_ts, ts)"
                             " FROM message_metadata INDEXED BY messages_by_slot WHERE workspace_id = ?1 AND slot = ?2"
                             " UNION ALL SELECT 1, content_id, channel_id, first_ts, last_ts, thread_ts"
                             " FROM passages INDEXED BY passages_by_slot WHERE workspace_id = ?1 AND slot = ?2",
                             &st, err));
        sqlite3_bind_int64(st, 2, (int64_t)slot);
        BR_TRY(br_slack_step(s, st, &row, err));
    }
    if (!row)
        return br_fail(err, BR_E_NOTFOUND, "slot %llu is no document's", (unsigned long long)slot);
    *doc = (struct br_doc){.kind = sqlite3_column_int(st, 0) ? BR_DOC_PASSAGE : BR_DOC_MESSAGE,
                           .content_id = (uint64_t)sqlite3_column_int64(st, 1),
                           .slot = slot,
                           .ts = sqlite3_column_int64(st, 3),
                           .last_ts = sqlite3_column_int64(st, 4),
                           .thread_ts = sqlite3_column_int64(st, 5)};
    strncat(doc->channel_id, br_slack_column_key(st, 2), sizeof(doc->channel_id) - 1);
    sqlite3_reset(st);
err:
    return rc;
}

enum br_rc br_slack_doc_of_message(struct br_store *s, const char *channel_id, int64_t ts, struct br_doc *doc, struct br_err *err)
{
    struct br_slack_stored row;
    enum br_rc rc = br_slack_load_stored(s, channel_id, ts, &row, err);
    if (rc != BR_OK)
        return rc;
    if (!row.exists || row.cls == BR_MSG_PLACEHOLDER)
        return br_fail(err, BR_E_NOTFOUND, "there is no message %s:%lld.%06lld", channel_id, (long long)(ts / 1000000), (long long)(ts % 1000000));
    *doc = (struct br_doc){.kind = BR_DOC_MESSAGE,
                           .content_id = (uint64_t)row.content_id,
                           .slot = row.slot == BR_NO_SLOT ? UINT64_MAX : (uint64_t)row.slot,
                           .ts = ts,
                           .last_ts = ts,
                           .thread_ts = row.thread_ts ? row.thread_ts : ts};
    strncat(doc->channel_id, channel_id, sizeof(doc->channel_id) - 1);
    return BR_OK;
}
