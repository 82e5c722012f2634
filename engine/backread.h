/* backread.h - the public interface: a Slack workspace as a private, offline archive that is searched by meaning.
 *
 * Conventions
 * - Functions return 0 (BR_STATUS_OK) or one of the br_status codes, which are also the exit codes of the command line. On failure
 *   *err (never NULL) holds one line: what, where, and what to do. Outputs are untouched on failure.
 * - A br_home may be shared by threads for opening workspaces; a br_workspace belongs to one thread at a time. Open it again for
 *   another thread: readers never wait for a writer. One process at a time writes a workspace.
 * - Strings are UTF-8. Times are int64 microseconds since 1970; a Slack ts "1704103201.000100" is 1704103201000100.
 * - Results are owned by the caller and freed with their br_*_free function; the strings inside belong to them.
 * - Nothing here prints or exits, or touches the network, unless a home is opened with an endpoint (br_home_open_with). One thing is changed in
 *   the process: converting original weights sets OPENBLAS_CORETYPE in the environment, if it is unset, before OpenBLAS is loaded. Convert before
 *   other threads use the environment. */
#ifndef BACKREAD_H
#define BACKREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BR_API __attribute__((visibility("default")))

enum br_status {
    BR_STATUS_OK = 0,
    BR_STATUS_NOT_FOUND = 1,
    BR_STATUS_USAGE = 2,
    BR_STATUS_BAD_DATA = 3,
    BR_STATUS_IO = 4, /* also: locked by another writer, disk full, out of memory */
    BR_STATUS_DAMAGED = 5,
    BR_STATUS_REMOTE = 6,
};

struct br_error {
    int status;
    char message[512];
};

/* ---- Home and workspaces ---- */

struct br_home;
struct br_workspace;

/* path NULL: $BACKREAD_HOME, else $XDG_DATA_HOME/backread, else ~/.local/share/backread. model_path NULL: the built-in model.
 * The directory is made by the first import. When nothing names one, what needs the model alone (describing it, embedding, token ids) works
 * all the same, and the rest is BR_STATUS_USAGE. An empty path is BR_STATUS_USAGE too. */
BR_API int br_home_open(const char *path, const char *model_path, struct br_home **out, struct br_error *err);

/* An endpoint that makes the vectors, instead of a model here: OpenAI's /v1/embeddings (kind "openai") or Ollama's /api/embed ("ollama"). Texts of a
 * workspace are sent there by what embeds: import, search, reembed, repair. A workspace comes to an endpoint only with may_send, when it is made or
 * reembedded; from then on it records the endpoint, and other ones are refused. */
struct br_endpoint {
    const char *url;          /* https, or http on this machine; without the kind's path */
    const char *kind, *model; /* model: its name there */
    const char *api_key_file; /* NULL: $BACKREAD_API_KEY, if set */
    const char *query_prefix, *passage_prefix; /* NULL none */
    uint32_t dimension;       /* 0: asked when the home is opened, with one word that is not yours */
    unsigned timeout_ms, backoff_ms; /* 0: the usual ones */
    const volatile int *stop; /* not 0: who waits for the endpoint stops at once; borrowed until the home is closed; NULL never */
};
struct br_home_options { /* zero: defaults */
    const char *path, *model;    /* as for br_home_open */
    struct br_endpoint endpoint; /* url NULL: none */
    bool may_send;
};
BR_API int br_home_open_with(const struct br_home_options *options, struct br_home **out, struct br_error *err);
BR_API void br_home_close(struct br_home *home);
BR_API const char *br_home_path(const struct br_home *home); /* "" when nothing names one */
/* "" or one line about something worth knowing (a home that others can read). */
BR_API const char *br_home_notice(const struct br_home *home);

struct br_workspace_names {
    size_t count;
    struct {
        char id[65];
        char name[256];
    } *items;
};
BR_API int br_home_workspaces(struct br_home *home, struct br_workspace_names *out, struct br_error *err);
BR_API void br_workspace_names_free(struct br_workspace_names *names);

/* For reading. key: id or name; NULL when there is only one (else BR_STATUS_USAGE). A workspace that is listed but not there is
 * BR_STATUS_DAMAGED. */
BR_API int br_workspace_open(struct br_home *home, const char *key, struct br_workspace **out, struct br_error *err);
BR_API void br_workspace_close(struct br_workspace *ws);
/* What a handle remembers of earlier questions: vectors of their texts; what filters let through, and answers, which go when anything was
 * committed since. Beside it a handle keeps, in fixed bounds of some tens of megabytes that this limit does not touch, where documents and words
 * are; that goes with the next commit, too. */
#define BR_CACHE_BYTES_DEFAULT ((size_t)16 << 20)
struct br_cache_status {
    uint64_t hits, misses;               /* answers */
    uint64_t vector_hits, vector_misses; /* vectors, where an answer had to be made */
    uint64_t set_hits, set_misses;       /* filters, the same */
    uint64_t evictions, entries, bytes, limit;
};
BR_API void br_workspace_cache_limit(struct br_workspace *ws, size_t bytes); /* 0: nothing is kept */
BR_API void br_workspace_cache_status(const struct br_workspace *ws, struct br_cache_status *out);
BR_API const char *br_workspace_id(const struct br_workspace *ws);
BR_API const char *br_workspace_name(const struct br_workspace *ws);

/* ---- Import ---- */

struct br_import_progress {
    const char *phase; /* "reading", "threads", "index" */
    uint64_t done, total; /* bytes when reading, threads, documents */
    uint64_t messages;    /* so far */
    double seconds;
};
struct br_import_options {
    const char *name; /* label, NULL keeps or takes the archive's */
    bool dry_run;
    void *ctx;
    void (*progress)(void *ctx, const struct br_import_progress *p); /* may be NULL; called a few times a second */
    void (*warning)(void *ctx, const char *code, const char *where); /* may be NULL; each occurrence */
    const volatile int *stop; /* may be NULL; set non-zero to stop at the next commit (BR_STATUS_IO, resumable) */
};
#define BR_IMPORT_WARNINGS_MAX 64
struct br_import_report {
    char workspace[65], name[256];
    bool dry_run;
    uint64_t messages_seen, messages_new, messages_updated, messages_unchanged, messages_deleted;
    uint64_t users, channels, threads, replies, reactions, files, documents, embedded;
    struct {
        const char *code; /* static */
        uint64_t count;
    } warnings[BR_IMPORT_WARNINGS_MAX]; /* those with a count, by code */
    size_t n_warnings;
    double seconds;
};
struct br_import_reports {
    size_t count; /* one per workspace in the archive */
    struct br_import_report *items;
    struct br_import_report sum; /* workspace: the first one's */
};
/* Idempotent; interrupted imports are finished by running them again. A failure at one of several workspaces leaves those before it stored and
 * reported: out is to be freed then, too. */
BR_API int br_import(struct br_home *home, const char *path, const struct br_import_options *options,
                     struct br_import_reports *out, struct br_error *err);
BR_API void br_import_reports_free(struct br_import_reports *reports);

/* ---- Backup and restore ---- */

struct br_progress_options { /* zero: none */
    void *ctx;
    void (*progress)(void *ctx, const struct br_import_progress *p); /* bytes; a few times a second */
    const volatile int *stop; /* non-zero: stop soon, leave nothing behind (BR_STATUS_IO) */
};
struct br_backup_report {
    char workspace[65], name[256];
    uint64_t generation;
    int64_t created_at;                                          /* of the backup */
    uint64_t bytes_metadata, bytes_content, bytes_vectors;       /* unpacked */
    uint64_t bytes_file;
    double seconds;
};
/* One zstd file with a tar archive inside. Beside a writer; a consistent, checked copy; what path names is replaced when all is done.
 * workspace: id or name, NULL the only one. */
BR_API int br_backup(struct br_home *home, const char *workspace, const char *path, const struct br_progress_options *options,
                     struct br_backup_report *out, struct br_error *err);
/* Refused when the workspace is there already, unless a name is given that none has: then the copy gets that label and, if its id
 * is taken, an id made from the name. Everything is verified before the workspace appears. */
BR_API int br_restore(struct br_home *home, const char *path, const char *name, const struct br_progress_options *options,
                      struct br_backup_report *out, struct br_error *err);

/* ---- Migrating from the earlier design ---- */

#define BR_MIGRATE_PLACES_MAX 100
struct br_migrate_report {
    struct br_import_report import;
    char backup[4096]; /* what was backed up first; "" when the workspace did not exist */
    uint64_t unmapped; /* rows that were not taken over, tables' rows included */
    size_t n_places;
    char places[BR_MIGRATE_PLACES_MAX][256]; /* the first of them: file, table, line or row, why */
};
/* A plain SQL dump of PostgreSQL or a SQLite file in which `messages` holds the text. The workspace is `workspace` (id or name of one that
 * exists) or, when that is NULL, the one of the users' team, else of options->name. If it exists it is backed up to the home's folder backups first. All is
 * verified at the end; a second run finds nothing new. options->dry_run is refused. */
BR_API int br_migrate(struct br_home *home, const char *path, const char *workspace, const struct br_import_options *options,
                      struct br_migrate_report *out, struct br_error *err);

/* ---- Messages ---- */

struct br_reaction {
    const char *name; /* tones folded */
    uint64_t count;
};
struct br_file {
    const char *id, *name, *title, *mimetype, *mode;
    int64_t size;
};
struct br_message {
    const char *channel_id, *channel_name; /* name NULL for a direct message */
    const char *user_id, *user_name;       /* NULL unknown */
    int64_t ts, thread_ts;                 /* thread_ts 0: none */
    const char *text;                      /* rendered, whole */
    const char *permalink;                 /* NULL when the workspace's domain is unknown */
    const char *subtype;                   /* NULL none */
    bool is_bot, is_edited, is_deleted, is_system, is_broadcast;
    uint64_t reply_count, reactions_total;
    const struct br_reaction *reactions;
    size_t n_reactions;
    const struct br_file *files;
    size_t n_files;
};
struct br_messages {
    size_t count;
    struct br_message *items;
    void *memory; /* private */
};
BR_API void br_messages_free(struct br_messages *m);

/* What people type, to bounds as the calls below take them: YYYY, YYYY-MM, YYYY-MM-DD, YYYY-Www (ISO week), a month ("june": the last that has begun), today,
 * yesterday (UTC), a ts, or ten digits of whole
 * seconds. Slack's sense: after: later than all of that day; before: earlier than it. NULL gives 0. */
BR_API int br_parse_bounds(const char *after, const char *before, int64_t *after_ts, int64_t *before_ts, struct br_error *err);
/* before, after: exclusive, 0 none. Newest first. */
BR_API int br_channel_messages(struct br_workspace *ws, const char *channel, size_t n, int64_t before, int64_t after,
                               struct br_messages *out, struct br_error *err);
/* Most reacted first (distinct users over folded reactions). channel NULL: all. after, before: exclusive, 0 none. */
BR_API int br_top_messages(struct br_workspace *ws, const char *channel, int64_t after, int64_t before, size_t n,
                           struct br_messages *out, struct br_error *err);
/* id: a permalink of this workspace or CHANNEL:TS (channel id or name). Oldest first. */
BR_API int br_thread_messages(struct br_workspace *ws, const char *id, struct br_messages *out, struct br_error *err);
BR_API int br_context_messages(struct br_workspace *ws, const char *id, size_t around, struct br_messages *out,
                               struct br_error *err);

/* The messages most like a stored one, most like first: by its vector, without embedding anything. Each conversation once, its own left out.
 * n: 1 to BR_SEARCH_N_MAX. BR_STATUS_NOT_FOUND: no such message, or it has no words. */
BR_API int br_similar_messages(struct br_workspace *ws, const char *id, size_t n, struct br_messages *out, struct br_error *err);

/* ---- Activity: of messages with content; joins, notices and what was deleted do not count ---- */

enum br_activity_by { BR_ACTIVITY_BY_USER, BR_ACTIVITY_BY_CHANNEL };
struct br_activity {
    const char *id, *name; /* users: a bot's id, or its name twice; channels: name NULL for a direct message */
    uint64_t messages;
    uint64_t threads;   /* that the messages are in */
    uint64_t reactions; /* to the messages, as reactions_total */
    uint64_t spread;    /* users: channels they wrote in; channels: people who wrote there */
    int64_t first_ts, last_ts;
};
struct br_activities {
    size_t count;
    struct br_activity *items;
    void *memory; /* private */
};
/* The n with the most messages, most first. channel NULL: all. after, before: exclusive, 0 none. */
BR_API int br_activity(struct br_workspace *ws, enum br_activity_by by, const char *channel, int64_t after, int64_t before, size_t n,
                       struct br_activities *out, struct br_error *err);
BR_API void br_activities_free(struct br_activities *a);

struct br_new_channel {
    char id[64], name[256];
    int64_t created;
};
#define BR_DIGEST_N_MAX 100
struct br_digest {
    char week[16];    /* "2024-W05" when the period is one, else "" */
    int64_t from, to; /* [from, to); to 0: no end */
    uint64_t messages, people, threads, reactions;
    struct br_messages top;             /* most reacted first */
    struct br_messages busiest_threads; /* their roots, most replies in the period first */
    uint64_t *thread_replies;           /* of each, in the period */
    struct br_activities users, channels;
    struct br_new_channel *new_channels; /* those whose birth the sources tell */
    size_t n_new_channels;
};
/* after, before: exclusive, 0 none (br_parse_bounds of "2024-W05" gives a week); neither: the week of the newest message. At most n of each
 * list, but all new channels. */
BR_API int br_digest(struct br_workspace *ws, int64_t after, int64_t before, size_t n, struct br_digest *out, struct br_error *err);
BR_API void br_digest_free(struct br_digest *d);

/* ---- Search ---- */

enum br_search_mode { BR_SEARCH_HYBRID, BR_SEARCH_SEMANTIC, BR_SEARCH_KEYWORD };
#define BR_SEARCH_N_DEFAULT 10
#define BR_SEARCH_N_MAX 1000
#define BR_SEARCH_FILTERS_MAX 64 /* in the query and in the options together */

struct br_search_options { /* zero: defaults */
    enum br_search_mode mode;
    size_t n;                    /* 0: BR_SEARCH_N_DEFAULT; at most BR_SEARCH_N_MAX */
    const char *const *channels; /* names or ids, @name for a direct message: any of */
    size_t n_channels;
    const char *const *users; /* authors, by name or id, bots too: any of */
    size_t n_users;
    const char *after, *before; /* YYYY, YYYY-MM, YYYY-MM-DD, YYYY-Www, june, a ts, today, yesterday (UTC); NULL none. Slack's sense:
                                   after: later than that day, before: earlier than it */
    const char *const *has; /* link, file, reaction, pin, thread, :emoji: (all of) */
    size_t n_has;
    const char *const *with; /* persons or bots, by name or id (all of): threads they wrote in, direct messages they are in */
    size_t n_with;
    const char *const *is; /* thread: any message of one; root: the first of one (all of) */
    size_t n_is;
    uint64_t min_reactions; /* distinct users over folded reactions, as br_top_messages counts; 0 any */
    const char *me;         /* who "me" is in a filter, by name or id; NULL: $BACKREAD_ME */
    const char *cursor; /* next_cursor of the page before, of the same question; NULL: the first page */
    bool exact;   /* scan every vector instead of the graph */
    bool literal; /* the query is text only: no filters, phrases or exclusions inside it */
    bool explain; /* say how the answer came about (br_search_results.explain); it is made anew then, whatever is remembered */
};

/* ---- How an answer came about. Nothing of it is worked out unless it is asked for ---- */

/* One condition, alone. */
struct br_explain_filter {
    const char *key;   /* in, from, with, has, is, min_reactions, dates, words (phrases; excluded: words to leave out) */
    const char *value; /* what it resolved to: a name, a date range, an FTS5 expression */
    const char *id;    /* NULL: none */
    bool excluded;
    uint64_t messages, passages; /* that pass it */
};
struct br_explain {
    const char *text;         /* what is embedded; "" for conditions alone */
    const char *const *terms; /* words and phrases that rank by BM25, with the parts of those that are several to the index */
    size_t n_terms;
    const char *match;        /* the FTS5 expression that ranked, with rare words only where there are many; NULL: none ran */
    const struct br_explain_filter *filters;
    size_t n_filters;
    bool filtered;                   /* it kept to a set of documents: by conditions, or on a later page after something was written */
    uint64_t messages, passages;     /* that have a vector and words: what can be found at all */
    uint64_t messages_pass, passages_pass; /* all conditions */
    bool answer_remembered;  /* without explain, the cache would have answered */
    bool vector_remembered;  /* the query's vector came from the cache */
    bool filter_remembered;  /* and so did the set of documents that pass */
    const char *index;       /* graph walk, filtered graph walk, graph walk within the filter, scan of codes, scan of vectors, newest; NULL: no semantic side */
    const char *index_why;
    uint64_t graph_nodes, graph_matches, tail; /* tail: vectors newer than the graph, compared one by one */
    size_t ef, rounds;       /* of the walk, 0 none; rounds: lists were taken so many times, each longer */
    size_t semantic, keyword_messages, keyword_passages; /* candidates of each list, of the last round */
    size_t matched_messages, matched_passages;           /* that have any of the words */
    size_t conversations, scored; /* that the candidates are of; scored in full */
    struct {
        double parse, filter, embed, semantic, keyword, fuse, enrich, total; /* milliseconds; total: without what explaining takes */
        double explain;                                                      /* selectivity of each filter, names */
    } ms;
};
/* score = keyword_part + semantic_part, unless it was lowered to that of the hit before. */
struct br_explain_hit {
    size_t semantic_rank, semantic_passage_rank; /* in the list of the nearest documents, from 1, of the best message and passage; 0: not there */
    size_t keyword_rank, keyword_passage_rank;   /* in the lists of messages and of passages by their words */
    double message_similarity; /* as scored: of a thread's message that is in no list, that of the list's last one */
    double passage_similarity; /* of the nearest passage; of a message without passages, the same again */
    double opening_similarity; /* of how the conversation begins: the mean of its first message and first passage, as far as they pass */
    double opening_weight;     /* less, the more words the query has */
    double words, most_words;    /* BM25; most: of the conversation that has the highest */
    double keyword_part;         /* words / most_words */
    double semantic_part;        /* weight * mean of message and passage + opening_weight * opening */
    bool further;                /* a further message of a conversation: scored by its own list entries alone */
    bool lowered;
};
enum br_hit_kind { BR_HIT_MESSAGE, BR_HIT_PASSAGE };
struct br_search_hit {
    size_t rank;           /* from 1 */
    double score;          /* of the fusion, or of the one side; larger is better */
    double semantic;       /* cosine, NAN when that side did not find it */
    double keyword;        /* BM25 of the whole conversation, larger is better, NAN when it has none of the words */
    enum br_hit_kind kind; /* what matched; a passage stands for its best message */
    struct br_message message;
    const char *snippet; /* a line or two around the match */
    const char *reason;  /* "meaning", "words: lake, configs" (as the message has them), "meaning + words: lake"; "words of the thread" when the
                            message has none itself; "newest" for a query of filters only */
    struct br_explain_hit *explain; /* NULL: not asked for, or nothing but time ranked it */
};
struct br_search_results {
    char *query; /* the text that was searched, filters taken out */
    enum br_search_mode mode;
    bool exhaustive; /* the semantic side looked at every vector that passed the filters */
    double took_ms;  /* from parsed query to hits */
    bool cached;     /* the answer of an equal question, nothing having been committed since */
    char *next_cursor; /* for the next page; NULL: there is none. Pages are parts of one ranking: what was written since the first is left out */
    size_t count;
    struct br_search_hit *hits;
    struct br_explain *explain; /* NULL: not asked for */
    void *memory; /* private */
};
/* A query with conditions and no words gives the newest messages that meet them. Every hit meets every condition: phrases and -words are the
 * keyword index's to judge, by stem, without case and accents. */
BR_API int br_search(struct br_workspace *ws, const char *query, const struct br_search_options *options,
                     struct br_search_results *out, struct br_error *err);
BR_API void br_search_results_free(struct br_search_results *r);

/* Called for each query of br_search_many, on several threads at a time, in any order. Status and err are br_search's; *r is the callee's to free. */
typedef void (*br_search_each_fn)(void *ctx, size_t i, int status, struct br_search_results *r, const struct br_error *err);
/* br_search for n queries, on all cores; the same answers. ws is in use until it returns; handles for the other threads are opened beside it
 * and stay for the next time. options->cursor must be NULL. */
BR_API int br_search_many(struct br_workspace *ws, const char *const *queries, size_t n, const struct br_search_options *options,
                          br_search_each_fn each, void *ctx, struct br_error *err);

/* ---- Status and verification ---- */

struct br_channel_status {
    char id[64], name[256], kind[16]; /* kind: public, private, dm, group_dm */
    uint64_t messages;
    int64_t first_ts, last_ts;
};
/* How far the two stores are apart, of one moment and without reading a log: lag is work not yet done, divergence is damage. */
struct br_consistency {
    uint64_t lag_commits, lag_vectors; /* commits the graph has not followed, vectors it does not hold (searched exactly) */
    uint64_t pending_threads;          /* to be cut into passages again */
    uint64_t erase_queue;              /* what a forget has still to erase */
    uint64_t vectors_live, vectors_dead, content_live, content_dead; /* dead: until the next compact or forget */
    uint64_t content_named;            /* records that messages and passages name */
    uint64_t vectors_missing, vectors_orphaned;
    uint64_t divergence; /* 0, or how many documents, vectors and records lack their counterpart */
};
struct br_workspace_status {
    char id[65], name[256], model_id[65];
    uint64_t messages, users, channels, documents, threads, pending_threads;
    uint64_t bytes_metadata, bytes_content, bytes_vectors, bytes_graph;
    uint64_t last_seq, indexed_seq;
    struct br_consistency consistency;
    struct br_channel_status *channel_items;
    size_t n_channel_items;
};
BR_API int br_workspace_status(struct br_workspace *ws, struct br_workspace_status *out, struct br_error *err);
BR_API void br_workspace_status_free(struct br_workspace_status *s);

struct br_verify_report {
    bool ok;
    uint64_t messages, documents, missing_vectors, orphan_vectors, missing_content, corrupt, pending_threads;
    uint64_t graph_nodes, graph_reachable;
    bool graph_ok;
    char first_problem[256]; /* "" when ok */
};
/* Damage is a report, not an error, also where a store is too damaged for br_workspace_open: corrupt is 1 or more then, and first_problem says
 * what. deep: every checksum, and the graph. */
BR_API int br_verify(struct br_home *home, const char *workspace, bool deep, struct br_verify_report *out, struct br_error *err);

/* ---- Upkeep: each is for one workspace, and for the only writer of it (else BR_STATUS_IO) ---- */

struct br_upkeep_options { /* zero: none */
    void *ctx;
    void (*progress)(void *ctx, const struct br_import_progress *p); /* may be NULL; phases: "deleting", "threads", "erasing",
                                                                        "copying", "embedding", "index" */
    const volatile int *stop; /* may be NULL; set non-zero to stop at the next commit (BR_STATUS_IO; run it again to finish) */
    bool discard;             /* br_reembed to the model a workspace has: what a stopped move to another one has done is not kept. BR_STATUS_USAGE, and
                                 nothing is done, with any other model */
};

struct br_forget_options { /* exactly one of the four, the others NULL */
    const char *user;    /* name or id: all messages of the author, the profile, memberships and reactions */
    const char *message; /* a permalink or CHANNEL:TS */
    const char *channel; /* name or id: all its messages */
    const char *before;  /* all messages earlier than this date: YYYY[-MM[-DD]], today, yesterday, or a ts */
    struct br_upkeep_options upkeep;
};
struct br_forget_report {
    char workspace[65];
    uint64_t messages, documents; /* gone; documents: message texts and passages that had a vector */
    uint64_t reactions;           /* of the user to messages of others */
    uint64_t backups;             /* of the workspace that are in the home's `backups`: they still hold what is gone here */
    double seconds;
};
/* Deletes for good: importing an older or newer archive does not bring the messages back. On success no byte of their text, raw form or
 * vectors, nor of earlier edits, is in any file of the workspace, nor in what stopped backups and restores left in the home. Finished backups
 * stay as they are. BR_STATUS_IO when a reader with an older view stands in the way: what was
 * asked for is deleted and invisible, and its bytes go with the next forget, compact or import. BR_STATUS_NOT_FOUND when the workspace has none of it:
 * out then tells which workspace, and its backups. */
BR_API int br_forget(struct br_home *home, const char *workspace, const struct br_forget_options *options,
                     struct br_forget_report *out, struct br_error *err);

struct br_compact_report {
    char workspace[65];
    uint64_t bytes_before, bytes_after; /* of metadata.db, logs and graph together */
    double seconds;
};
/* Gives back the space of what was edited, deleted or forgotten, and erases what of it is left. Readers go on meanwhile; they use the old
 * files until they ask anew. Needs as much free space as the live content takes. Cut short, the archive is as before or compacted. */
BR_API int br_compact(struct br_home *home, const char *workspace, const struct br_upkeep_options *options,
                      struct br_compact_report *out, struct br_error *err);

struct br_reembed_report {
    char workspace[65], model[64], model_id[65], previous_id[65];
    uint32_t dimension;
    bool already;         /* it had this model's vectors: nothing was to be done */
    bool stopped;         /* already, but a move to another model was begun: it goes on when that model is named again */
    bool discarded;       /* already, and such a move was given up */
    uint64_t documents;   /* moved */
    uint64_t embedded;    /* texts; equal ones once */
    uint64_t kept;        /* documents that an earlier run, which was stopped, had embedded */
    uint64_t threads_cut; /* their passages were too long for the model */
    double seconds;
};
/* Moves a workspace to the home's model: all documents are embedded anew, then vectors, model and dimension change in one step. Searches go on with
 * the old model until then, and need the new one afterwards. Nothing else can be written meanwhile. Stopped or killed, the workspace is as it was,
 * and the next run goes on where this one stopped. Needs free space of up to twice the new vectors and once the texts. */
BR_API int br_reembed(struct br_home *home, const char *workspace, const struct br_upkeep_options *options, struct br_reembed_report *out,
                      struct br_error *err);

struct br_repair_report {
    char workspace[65];
    /* What was damaged or missing, and made anew. */
    bool registry, metadata, content, vectors, graph, words;
    bool journal; /* the batches' own checksums, in metadata.db: only trimmed */
    /* What came of it. */
    uint64_t texts_rendered;                 /* lost texts made again from raw forms */
    uint64_t texts_lost, raws_lost;          /* for good; an import of the archive they came from brings them back */
    uint64_t vectors_embedded;               /* made again from texts */
    uint64_t messages, users, channels, deletions; /* metadata: found again */
    uint64_t records_damaged;                /* metadata: places of the content log that could not be read */
    struct br_lost_message {
        char channel_id[64];
        int64_t ts;
    } *lost; /* messages whose text is lost, owned; up to BR_REPAIR_LOST_MAX of texts_lost */
    size_t n_lost;
    bool ok; /* a deep verification finds nothing any more */
    char problem[256]; /* "" or what it finds */
    double seconds;
};
#define BR_REPAIR_LOST_MAX 10000
/* Mends what damage to one file did, of registry.db, metadata.db, content, vectors and graph. A damaged metadata.db is kept as
 * metadata.db.damaged and made anew from the content log: channels, people and deletions then as far as it can still be read. */
BR_API int br_repair(struct br_home *home, const char *workspace, const struct br_upkeep_options *options,
                     struct br_repair_report *out, struct br_error *err);
BR_API void br_repair_report_free(struct br_repair_report *r);

/* ---- Embedding ---- */

struct br_model_description {
    /* id: sha256 of a model file's contents, or of the original weights, and of pooling, prefixes and length where these are not the usual ones.
     * name, licence and origin are what the file says; licence and origin are "" when they are not known. pooling: "mean" or "cls". */
    char name[64], id[65], source_sha256[65], licence[64], origin[128], pooling[16], precision[8], kernel[64];
    char query_prefix[64], passage_prefix[64]; /* what the model wants before queries and before what is searched; "" none */
    uint32_t dimension, layers, heads, vocabulary, max_tokens;
    uint64_t bytes;
};
BR_API int br_model_describe(struct br_home *home, struct br_model_description *out, struct br_error *err);
/* n texts, just as they are, to n * dimension floats, on all cores; out has room. The same text gives the same bytes on any number of
 * them. (The importer shortens addresses to their host and drops skin tones first; this function does not.) */
BR_API int br_embed_texts(struct br_home *home, const char *const *texts, size_t n, float *out, struct br_error *err);
/* The same for texts to look for others with: models that know a prefix for queries make other vectors of them. One thread. */
BR_API int br_embed_queries(struct br_home *home, const char *const *texts, size_t n, float *out, struct br_error *err);
/* Token ids with [CLS] and [SEP], without prefixes, at most 256. *n_ids in: room, out: count. */
BR_API int br_tokenize_text(struct br_home *home, const char *text, uint16_t *ids, size_t *n_ids, struct br_error *err);
struct br_convert_options { /* what the folder does not say; zero: as it says */
    const char *pooling; /* "mean", "cls" */
    const char *query_prefix, *passage_prefix;
    size_t max_tokens; /* of a text, [CLS] and [SEP] included: 16 to 512 */
};
/* Original weights to the product's int8 file: a folder with model.safetensors or model.onnx, config.json, and vocab.txt or tokenizer.json of a
 * BERT-shaped model. out_path.tmp must not exist. */
BR_API int br_model_file_convert(const char *source_dir, const char *out_path, struct br_error *err);
BR_API int br_model_file_convert_with(const char *source_dir, const char *out_path, const struct br_convert_options *options, struct br_error *err);

BR_API const char *br_version(void);

#ifdef __cplusplus
}
#endif
#endif
