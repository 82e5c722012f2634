/* backread.h - the public interface: a Slack workspace as a private, offline archive that is searched by meaning.
 *
 * Conventions
 * - Functions return 0 (BR_STATUS_OK) or one of the br_status codes, which are also the exit codes of the command line. On failure
 *   *err (never NULL) holds one line: what, where, and what to do. Outputs are untouched on failure.
 * - A br_home may be shared by threads for opening workspaces; a br_workspace belongs to one thread at a time. Open it again for
 *   another thread: readers never wait for a writer. One process at a time writes a workspace.
 * - Strings are UTF-8. Times are int64 microseconds since 1970; a Slack ts "1704103201.000100" is 1704103201000100.
 * - Results are owned by the caller and freed with their br_*_free function; the strings inside belong to them.
 * - Nothing here touches the network, prints, or exits. One thing is changed in the process: converting original weights sets
 *   OPENBLAS_CORETYPE in the environment, if it is unset, before OpenBLAS is loaded. Convert before other threads use the environment. */
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

/* What people type, to bounds as the calls below take them: YYYY, YYYY-MM, YYYY-MM-DD, today, yesterday (UTC), a ts, or ten digits of whole
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

/* ---- Search ---- */

enum br_search_mode { BR_SEARCH_HYBRID, BR_SEARCH_SEMANTIC, BR_SEARCH_KEYWORD };
#define BR_SEARCH_N_DEFAULT 10
#define BR_SEARCH_N_MAX 1000

struct br_search_options { /* zero: defaults */
    enum br_search_mode mode;
    size_t n;                    /* 0: BR_SEARCH_N_DEFAULT; at most BR_SEARCH_N_MAX */
    const char *const *channels; /* names or ids, @name for a direct message: any of */
    size_t n_channels;
    const char *const *users; /* authors, by name or id, bots too: any of */
    size_t n_users;
    const char *after, *before; /* YYYY, YYYY-MM, YYYY-MM-DD, a ts, today, yesterday (UTC); NULL none. Slack's sense:
                                   after: later than that day, before: earlier than it */
    const char *const *has; /* link, file, reaction, thread, :emoji: (all of) */
    size_t n_has;
    bool exact;   /* scan every vector instead of the graph */
    bool literal; /* the query is text only: no filters, phrases or exclusions inside it */
};
enum br_hit_kind { BR_HIT_MESSAGE, BR_HIT_PASSAGE };
struct br_search_hit {
    size_t rank;           /* from 1 */
    double score;          /* of the fusion, or of the one side; larger is better */
    double semantic;       /* cosine, NAN when that side did not find it */
    double keyword;        /* bm25, larger is better, NAN when that side did not find it */
    enum br_hit_kind kind; /* what matched; a passage stands for its best message */
    struct br_message message;
    const char *snippet; /* a line or two around the match */
    const char *reason;  /* "meaning", "words: lake, configs" (as the message has them), "meaning + words: lake"; "words of the thread" when the
                            message has none itself; "newest" for a query of filters only */
};
struct br_search_results {
    char *query; /* the text that was searched, filters taken out */
    enum br_search_mode mode;
    bool exhaustive; /* the semantic side looked at every vector that passed the filters */
    double took_ms;  /* from parsed query to hits */
    size_t count;
    struct br_search_hit *hits;
    void *memory; /* private */
};
/* A query with conditions and no words gives the newest messages that meet them. Every hit meets every condition: phrases and -words are the
 * keyword index's to judge, by stem, without case and accents. */
BR_API int br_search(struct br_workspace *ws, const char *query, const struct br_search_options *options,
                     struct br_search_results *out, struct br_error *err);
BR_API void br_search_results_free(struct br_search_results *r);

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
    double seconds;
};
/* Deletes for good: importing an older or newer archive does not bring the messages back. On success no byte of their text, raw form or
 * vectors, nor of earlier edits, is in any file of the workspace. BR_STATUS_IO when a reader with an older view stands in the way: what was
 * asked for is deleted and invisible, and its bytes go with the next forget, compact or import. */
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

struct br_repair_report {
    char workspace[65];
    /* What was damaged or missing, and made anew. */
    bool registry, metadata, content, vectors, graph, words;
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
    /* id: sha256 of a model file's contents without its header, or of model.safetensors. name, licence and origin are what the file says;
     * licence and origin are "" when they are not known. */
    char name[64], id[65], source_sha256[65], licence[64], origin[128], pooling[16], precision[8], kernel[64];
    uint32_t dimension, layers, heads, vocabulary, max_tokens;
    uint64_t bytes;
};
BR_API int br_model_describe(struct br_home *home, struct br_model_description *out, struct br_error *err);
/* n texts, just as they are, to n * dimension floats, on all cores; out has room. The same text gives the same bytes on any number of
 * them. (The importer shortens addresses to their host and drops skin tones first; this function does not.) */
BR_API int br_embed_texts(struct br_home *home, const char *const *texts, size_t n, float *out, struct br_error *err);
/* Token ids with [CLS] and [SEP], at most 256. *n_ids in: room, out: count. */
BR_API int br_tokenize_text(struct br_home *home, const char *text, uint16_t *ids, size_t *n_ids, struct br_error *err);
/* Original weights (a folder with model.safetensors, config.json and vocab.txt; mean pooling) to the product's int8 file. out_path.tmp must
 * not exist. */
BR_API int br_model_file_convert(const char *source_dir, const char *out_path, struct br_error *err);

BR_API const char *br_version(void);

#ifdef __cplusplus
}
#endif
#endif
