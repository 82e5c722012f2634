/* slack.h - the Slack tables: one schema over the store core. Metadata in SQLite, text in the content log.
 *
 * Every function that writes must be called between br_store_begin and br_store_commit. Views handed to callbacks are borrowed
 * until the callback returns. Times are int64 microseconds. */
#ifndef BR_SLACK_H
#define BR_SLACK_H

#include "store.h"
#include "term_counts.h"

enum br_slack_class { BR_MSG_CONTENT, BR_MSG_SYSTEM, BR_MSG_TOMBSTONE, BR_MSG_PLACEHOLDER };
enum br_slack_channel_kind { BR_CH_PUBLIC, BR_CH_PRIVATE, BR_CH_DM, BR_CH_GROUP_DM };

struct br_slack_user {
    const char *id, *team_id, *name, *real_name, *display_name; /* NULL: absent */
    bool is_bot, is_deleted;
    bool is_stub; /* known only from messages: never replaces a listed user's names */
    int64_t freshness; /* as of a message: when the source saw this */
};
struct br_slack_channel {
    const char *id, *name, *topic, *purpose, *creator;
    enum br_slack_channel_kind kind;
    int64_t created;
    bool is_archived, is_general, is_stub;
    const char *const *members; /* NULL: the source does not say */
    size_t n_members;
    int64_t freshness;
};
struct br_slack_reaction {
    const char *name, *folded;
    int64_t count;
    const char *const *users;
    size_t n_users;
};
struct br_slack_file {
    const char *id, *name, *title, *mimetype, *mode;
    int64_t size;
};

struct br_slack_message {
    const char *channel_id;
    int64_t ts;
    int64_t thread_ts; /* 0 none */
    const char *user_id, *bot_id, *bot_name, *subtype, *team_id;
    enum br_slack_class cls;
    bool is_bot, is_broadcast, has_link, is_pinned;
    int64_t edited_ts, reply_count;
    const struct br_slack_reaction *reactions;
    size_t n_reactions;
    const struct br_slack_file *files;
    size_t n_files;
    const char *text; /* rendered; may be empty */
    size_t text_len;
    const char *raw; /* redacted JSON */
    size_t raw_len;
    int64_t freshness; /* when the source saw the message: the date of an export, the time of an event; 0 unknown */
    bool needs_vector; /* content that has something to say */
};

/* A listed row replaces a stub, and a listed row that is no fresher than itself; members likewise. So the order in which sources of different
 * dates arrive does not matter. Equal content writes nothing but a newer freshness. */
BR_MUST_USE enum br_rc br_slack_put_user(struct br_store *s, const struct br_slack_user *u, struct br_err *err);
BR_MUST_USE enum br_rc br_slack_put_channel(struct br_store *s, const struct br_slack_channel *c, struct br_err *err);
/* Would the row's names be the stored ones after a put? Also right in a reading handle. */
BR_MUST_USE enum br_rc br_slack_user_wins(struct br_store *s, const struct br_slack_user *u, bool *wins, struct br_err *err);
BR_MUST_USE enum br_rc br_slack_channel_wins(struct br_store *s, const struct br_slack_channel *c, bool *wins, struct br_err *err);

enum br_slack_outcome { BR_PUT_NEW, BR_PUT_UPDATED, BR_PUT_UNCHANGED, BR_PUT_STALE };
/* Idempotent by (channel, ts), and the same whatever order rows come in: the newest edit is kept, of equal ones the fresher, then the
 * richer; reactions and counters follow freshness alone (slack_merge.c). A delete marker beats content older than it (BR_PUT_STALE). A
 * tombstone erases text and vector of the row and keeps the thread. vector NULL with needs_vector: stored without (a dry run). A changed text or
 * membership marks the thread dirty. A reply without a root gets a placeholder root (BR_MSG_PLACEHOLDER, not searchable, not counted). */
BR_MUST_USE enum br_rc br_slack_put_message(struct br_store *s, const struct br_slack_message *m, const float *vector,
                                            enum br_slack_outcome *outcome, struct br_err *err);
/* Does put_message of this row need a vector? False when the stored text is the same, or needs_vector is false. */
BR_MUST_USE enum br_rc br_slack_wants_vector(struct br_store *s, const struct br_slack_message *m, bool *wants,
                                             struct br_err *err);
BR_MUST_USE enum br_rc br_slack_delete_message(struct br_store *s, const char *channel_id, int64_t ts, int64_t deleted_at,
                                               bool *deleted, struct br_err *err);

/* --- Totals of one import, in the archive's own terms (also across commits, and inside a transaction that is rolled back). --- */
struct br_slack_totals {
    uint64_t messages;   /* distinct (channel, ts) */
    uint64_t added, updated, unchanged, deleted;
    uint64_t duplicates; /* rows beyond the first of a key */
    uint64_t threads;    /* distinct (channel, thread_ts) with a reply or a root with reply_count > 0 */
    uint64_t replies, orphan_replies;
    uint64_t reactions; /* sum of counts of the winning rows */
    uint64_t files;
    uint64_t documents; /* message documents of the source + passages of its threads */
    uint64_t reply_count_mismatches; /* roots that state more replies than are stored */
};
BR_MUST_USE enum br_rc br_slack_import_begin(struct br_store *s, struct br_err *err); /* empties the record of this import */
BR_MUST_USE enum br_rc br_slack_import_totals(struct br_store *s, struct br_slack_totals *t, struct br_err *err);

/* --- Passages: a pure function of a thread's stored messages. --- */
struct br_slack_thread_key {
    char channel_id[64];
    int64_t thread_ts; /* of a message without thread: its ts */
};
/* Up to n dirty threads. */
BR_MUST_USE enum br_rc br_slack_dirty_threads(struct br_store *s, struct br_slack_thread_key *keys, size_t n, size_t *n_out,
                                              struct br_err *err);
struct br_slack_passage {
    const char *text;
    size_t text_len;
    int64_t first_ts, last_ts; /* of the messages it is made of */
    const float *vector;       /* NULL in a dry run */
};
/* Replaces the thread's passages and clears its dirty mark. A passage whose text is stored already keeps its record and slot. */
BR_MUST_USE enum br_rc br_slack_put_passages(struct br_store *s, const struct br_slack_thread_key *key,
                                             const struct br_slack_passage *p, size_t n, struct br_err *err);

/* --- Reading --- */
struct br_slack_view {
    const char *channel_id, *channel_name; /* name NULL for a DM */
    enum br_slack_channel_kind channel_kind;
    int64_t ts, thread_ts; /* thread_ts 0 none */
    const char *user_id, *user_name; /* display name, else real name, handle, bot name, id; both NULL unknown */
    const char *subtype;
    enum br_slack_class cls;
    bool is_bot, is_broadcast;
    int64_t edited_ts;
    uint64_t reply_count; /* replies stored */
    uint64_t reactions_total; /* folded by distinct users: "most reacted" */
    uint64_t content_id; /* 0: no text */
    const struct br_slack_reaction *reactions; /* folded, most first; users NULL */
    size_t n_reactions;
    const struct br_slack_file *files;
    size_t n_files;
    const char *text; /* "" when none */
    size_t text_len;
};
typedef enum br_rc (*br_slack_view_fn)(void *ctx, const struct br_slack_view *v, struct br_err *err);

BR_MUST_USE enum br_rc br_slack_message(struct br_store *s, const char *channel_id, int64_t ts, br_slack_view_fn fn, void *ctx,
                                        struct br_err *err); /* BR_E_NOTFOUND */
/* Newest first, placeholders left out. before/after: exclusive, 0 none. channel_id NULL: all. */
BR_MUST_USE enum br_rc br_slack_channel_messages(struct br_store *s, const char *channel_id, int64_t before, int64_t after,
                                                 size_t n, br_slack_view_fn fn, void *ctx, struct br_err *err);
/* Root and replies, oldest first; a message without thread gives itself. */
BR_MUST_USE enum br_rc br_slack_thread(struct br_store *s, const char *channel_id, int64_t thread_ts, br_slack_view_fn fn, void *ctx,
                                       struct br_err *err);
/* n messages before and after ts in its thread if it is a reply or root, else in the channel's flow; oldest first, itself included. */
BR_MUST_USE enum br_rc br_slack_context(struct br_store *s, const char *channel_id, int64_t ts, size_t n, br_slack_view_fn fn,
                                        void *ctx, struct br_err *err);
/* Most reacted first: distinct users over folded reactions, with truncated lists max(distinct users, largest count). after: inclusive. */
BR_MUST_USE enum br_rc br_slack_top(struct br_store *s, const char *channel_id, int64_t after, int64_t before, size_t n,
                                    br_slack_view_fn fn, void *ctx, struct br_err *err);

/* --- Activity (slack_activity.c): messages with content in [after, before), 0 none. --- */
enum br_slack_activity_of { BR_ACTIVITY_OF_USERS, BR_ACTIVITY_OF_CHANNELS };
struct br_slack_activity {
    const char *id, *name; /* of a bot without id: its name twice; name NULL for a DM */
    uint64_t messages, threads, reactions; /* threads they are in; reactions they got, as reactions_total */
    uint64_t spread; /* users: channels they wrote in; channels and totals: authors */
    int64_t first_ts, last_ts;
};
typedef enum br_rc (*br_slack_activity_fn)(void *ctx, const struct br_slack_activity *a, struct br_err *err); /* may not use the store */
/* The n with the most messages, most first. channel_id NULL: all. */
BR_MUST_USE enum br_rc br_slack_activity(struct br_store *s, enum br_slack_activity_of of, const char *channel_id, int64_t after,
                                         int64_t before, size_t n, br_slack_activity_fn fn, void *ctx, struct br_err *err);
BR_MUST_USE enum br_rc br_slack_activity_totals(struct br_store *s, int64_t after, int64_t before, struct br_slack_activity *a,
                                                struct br_err *err); /* id, name NULL */
struct br_slack_busy_thread {
    struct br_slack_thread_key key;
    uint64_t replies; /* in the period */
};
/* Most replies first; out has room for n. */
BR_MUST_USE enum br_rc br_slack_busiest_threads(struct br_store *s, int64_t after, int64_t before, size_t n, struct br_slack_busy_thread *out,
                                                size_t *n_out, struct br_err *err);
/* Public and private channels made in the period, oldest first; those whose birth the sources do not tell are not among them. */
BR_MUST_USE enum br_rc br_slack_new_channels(struct br_store *s, int64_t after, int64_t before,
                                             enum br_rc (*fn)(void *ctx, const char *id, const char *name, int64_t created, struct br_err *err),
                                             void *ctx, struct br_err *err);
BR_MUST_USE enum br_rc br_slack_newest_ts(struct br_store *s, int64_t *ts, struct br_err *err); /* of content; 0 none */

struct br_slack_author;
/* Names to ids. BR_E_NOTFOUND with the nearest names in err. A leading # or @ is accepted; ids first, then names (case-folded). */
BR_MUST_USE enum br_rc br_slack_find_channel(struct br_store *s, const char *name_or_id, char id[64], struct br_err *err);
BR_MUST_USE enum br_rc br_slack_find_user(struct br_store *s, const char *name_or_id, char id[64], struct br_err *err);
/* A user; else a bot, by the id or the name its messages carry. */
BR_MUST_USE enum br_rc br_slack_find_author(struct br_store *s, const char *name_or_id, struct br_slack_author *author, struct br_err *err);
/* fn for each direct message that user is in. BR_E_NOTFOUND when there is none. */
BR_MUST_USE enum br_rc br_slack_find_dms(struct br_store *s, const char *user, enum br_rc (*fn)(void *ctx, const char *id, const char *name),
                                         void *ctx, struct br_err *err);
/* All ids and display names, for rendering. */
BR_MUST_USE enum br_rc br_slack_each_user(struct br_store *s, enum br_rc (*fn)(void *ctx, const char *id, const char *name), void *ctx,
                                          struct br_err *err);
BR_MUST_USE enum br_rc br_slack_each_channel(struct br_store *s, enum br_rc (*fn)(void *ctx, const char *id, const char *name),
                                             void *ctx, struct br_err *err);

/* --- Documents and filters --- */
enum br_doc_kind { BR_DOC_MESSAGE, BR_DOC_PASSAGE };
struct br_doc {
    enum br_doc_kind kind;
    uint64_t content_id, slot; /* slot UINT64_MAX: none */
    char channel_id[64];
    int64_t ts;        /* message; first message of a passage */
    int64_t last_ts;   /* passage: its last message; message: ts */
    int64_t thread_ts; /* conversation: thread root, or the message's own ts */
};
/* BR_E_NOTFOUND: the slot is dead or no document's. */
BR_MUST_USE enum br_rc br_slack_doc_of_slot(struct br_store *s, uint64_t slot, struct br_doc *doc, struct br_err *err);

/* slot UINT64_MAX when the message has no vector. BR_E_NOTFOUND: there is no such message. */
BR_MUST_USE enum br_rc br_slack_doc_of_message(struct br_store *s, const char *channel_id, int64_t ts, struct br_doc *doc, struct br_err *err);

#define BR_HAS_LINK 1u
#define BR_HAS_FILE 2u
#define BR_HAS_REACTION 4u
#define BR_IS_THREAD 8u /* in a thread */
#define BR_IS_PINNED 16u
#define BR_IS_ROOT 32u /* the first of a thread; asked of the rows, no stored flag */
/* Who wrote it: a person's id; or a bot's id, or the name a bot posts under. */
struct br_slack_author {
    bool is_bot;
    char key[256];
};
struct br_slack_terms {
    const char *const *channel_ids;
    size_t n_channels;
    const struct br_slack_author *authors;
    size_t n_authors;
    const char *const *reactions; /* folded names */
    size_t n_reactions;
    unsigned has;      /* BR_HAS_*, BR_IS_* */
    int64_t min_reactions; /* reactions_total of a message; 0 none */
    const struct br_slack_author *participants;
    size_t n_participants;
    const char *match; /* FTS5 expression over messages, NULL none */
};
/* What a search is confined to. Zero: everything.
 *
 * A message passes when it is in any of with.channel_ids, by any of with.authors, in a conversation of all of with.participants, has all of
 * with.reactions, with.has, with.min_reactions and with.match, lies in the dates, and nothing in `without` is true of it. Someone's conversations
 * are the threads they wrote in, and the direct messages they are in, one to one or in a group (a bot: that it wrote in). What words it has is FTS5's to say, on both sides of a search: stems, without case and accents.
 *
 * A passage stands for messages, one of which is shown, so it passes when it has a message to show and none that was excluded: its channel
 * passes, so do the participants of its conversation, a message of it lies in the dates, a message of it passes everything (when there is a
 * with.match), and none of its messages has without.match. Author, reactions and flags are a message's own and say nothing of the conversation around it: with any of them in the filter,
 * included or excluded, no passage passes. */
struct br_slack_filter {
    struct br_slack_terms with, without;
    int64_t after, before; /* inclusive lower, exclusive upper bound; 0 none */
};
bool br_slack_filter_is_empty(const struct br_slack_filter *f);
/* A set of documents by both of their numbers. Bits of what is not a live document mean nothing. */
struct br_slack_set {
    struct br_bitmap slots, contents;
};
/* The documents that pass; those without a vector have no words either and never do. Caller frees the set. */
BR_MUST_USE enum br_rc br_slack_filter_set(struct br_store *s, const struct br_slack_filter *f, struct br_slack_set *set, struct br_err *err);
void br_slack_set_free(struct br_slack_set *set);
/* The slots of documents that are there, by enum br_doc_kind. Caller frees both. */
BR_MUST_USE enum br_rc br_slack_live_slots(struct br_store *s, struct br_bitmap of[2], struct br_err *err);
/* The newest n messages of a set that lie in the filter's dates, newest first. */
BR_MUST_USE enum br_rc br_slack_newest(struct br_store *s, const struct br_slack_set *set, const struct br_slack_filter *f, size_t n,
                                       br_slack_view_fn fn, void *ctx, struct br_err *err);
/* The messages a passage is made of that are in slots (NULL: all), oldest first, with their texts. */
BR_MUST_USE enum br_rc br_slack_passage_messages(struct br_store *s, const struct br_doc *passage, const struct br_bitmap *slots,
                                                 enum br_rc (*fn)(void *ctx, int64_t ts, const char *text, size_t len, struct br_err *err),
                                                 void *ctx, struct br_err *err);
/* The documents that an FTS5 match expression (built and quoted by the caller) finds among messages or passages whose content record is in
 * contents (NULL: all), with the counts of its phrases. Caller frees out with br_term_counts_free. The plain way, all in one statement: the engine
 * asks phrase by phrase (br_slack_postings), and the tests hold that to be the same. */
BR_MUST_USE enum br_rc br_slack_keyword(struct br_store *s, const char *match, enum br_doc_kind kind, const struct br_bitmap *contents,
                                        struct br_term_counts *out, struct br_err *err);
/* How rare the phrases of an expression are among messages or passages. */
BR_MUST_USE enum br_rc br_slack_rarity(struct br_store *s, const char *match, enum br_doc_kind kind, struct br_term_rarity *out, struct br_err *err);
/* All documents of a phrase. Caller frees out with br_postings_free. */
BR_MUST_USE enum br_rc br_slack_postings(struct br_store *s, const char *phrase, enum br_doc_kind kind, struct br_postings *out, struct br_err *err);
/* BR_E_NOTFOUND: no document's. length: bytes of a message's text; 0 for a passage. */
BR_MUST_USE enum br_rc br_slack_doc_of_content(struct br_store *s, enum br_doc_kind kind, int64_t content_id, struct br_doc *doc,
                                               size_t *length, struct br_err *err);
/* fn for each document, channel by channel of messages and then of passages; length as above. */
BR_MUST_USE enum br_rc br_slack_each_doc(struct br_store *s, void (*fn)(void *ctx, const struct br_doc *doc, size_t length), void *ctx,
                                         struct br_err *err);
/* UINT64_MAX: there is no such message, or it has no vector. */
BR_MUST_USE enum br_rc br_slack_slot_of_message(struct br_store *s, const char *channel_id, int64_t ts, uint64_t *slot, struct br_err *err);
/* fn for each passage of a conversation, from its beginning; slot UINT64_MAX: none; length: bytes of its text. */
BR_MUST_USE enum br_rc br_slack_thread_passages(struct br_store *s, const char *channel_id, int64_t thread_ts,
                                                void (*fn)(void *ctx, int64_t content_id, uint64_t slot, size_t length), void *ctx,
                                                struct br_err *err);
/* fn for each passage, those of a conversation one after the other. replied: it holds more than the conversation's first message. */
BR_MUST_USE enum br_rc br_slack_passage_threads(struct br_store *s,
                                                void (*fn)(void *ctx, int64_t content_id, bool next_conversation, bool replied), void *ctx,
                                                struct br_err *err);
/* Messages of threads, roots included. */
BR_MUST_USE enum br_rc br_slack_threaded_messages(struct br_store *s, uint64_t *n, struct br_err *err);

/* --- Words as the keyword index sees them: cut, folded and stemmed by its own tokenizer. --- */
struct br_slack_tokenizer;
BR_MUST_USE enum br_rc br_slack_tokenizer_new(struct br_slack_tokenizer **out, struct br_err *err);
void br_slack_tokenizer_free(struct br_slack_tokenizer *t);
/* fn for each token in order: its stem, and where in text it was. fn returns false for want of memory. */
BR_MUST_USE enum br_rc br_slack_tokenize(struct br_slack_tokenizer *t, const char *text, size_t len,
                                         bool (*fn)(void *ctx, const char *stem, size_t stem_len, size_t start, size_t end), void *ctx,
                                         struct br_err *err);

struct br_slack_counts {
    uint64_t messages, users, channels, threads, documents, dirty_threads, reactions, files;
};
BR_MUST_USE enum br_rc br_slack_count(struct br_store *s, struct br_slack_counts *c, struct br_err *err);
struct br_slack_channel_status {
    const char *id, *name;
    enum br_slack_channel_kind kind;
    uint64_t messages;
    int64_t first_ts, last_ts;
};
BR_MUST_USE enum br_rc br_slack_channel_statuses(struct br_store *s,
                                                 enum br_rc (*fn)(void *ctx, const struct br_slack_channel_status *c),
                                                 void *ctx, struct br_err *err);
/* Messages that need a vector and have no live slot ("missing"), as against those that need none; live slots no document names. */
struct br_slack_report {
    uint64_t missing_vectors, orphan_vectors, missing_content, dirty_threads;
    uint64_t wrong_words; /* documents without keyword row, and keyword rows without document */
    char first_problem[256];
};
BR_MUST_USE enum br_rc br_slack_verify(struct br_store *s, struct br_slack_report *r, struct br_err *err);

#endif
