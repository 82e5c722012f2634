/* engine_int.h - what the files of engine/ share: the handles behind the public header, and the steps of import and search. */
#ifndef BR_ENGINE_INT_H
#define BR_ENGINE_INT_H

#include "backread.h"

#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "base/io.h"
#include "embed/embed.h"
#include "index.h"
#include "registry.h"
#include "slack.h"
#include "slack_upkeep.h"
#include "store.h"

#define BR_PATH_MAX 4096

struct br_home {
    const struct br_io *io;
    char path[BR_PATH_MAX]; /* "" when neither the caller nor the environment names one */
    char notice[256];
    struct br_model *model; /* owned */
    bool named_model;       /* by who opened it; else the built-in one */
    bool may_send;          /* texts of workspaces that were not there before, to an endpoint */
};

/* The graph beside a store, as far as it has followed the journal. */
struct br_graph {
    struct br_index *index; /* owned; NULL: none yet */
    uint64_t applied_seq;   /* journal rows the index includes */
    uint64_t slot_end;      /* slots below are in the index (or dead, or gaps); the tail starts here */
    char ckpt_file[64];     /* the checkpoint it was opened from or written to last, "" none */
    uint64_t ckpt_end;      /* slot_end of that checkpoint: where the tail starts for others */
    uint64_t tail_max;      /* 0: br_graph_tail_max; tests set it after the open */
};

/* A state of a store: every transaction of a writer moves to another. No padding: compared and hashed as bytes. */
struct br_state {
    uint8_t uuid[16];
    uint64_t generation, last_seq, commits;
};
_Static_assert(sizeof(struct br_state) == 40, "no padding");
static inline struct br_state br_state_of(const struct br_store_info *info)
{
    struct br_state s = {.generation = info->generation, .last_seq = info->last_seq, .commits = info->commits};
    memcpy(s.uuid, info->uuid, sizeof s.uuid);
    return s;
}

struct br_workspace {
    struct br_home *home; /* borrowed */
    struct br_store *store;
    struct br_graph graph;
    struct br_searcher *searcher;
    struct br_embedder *embedder;         /* made at the first semantic query */
    struct br_slack_tokenizer *tokenizer; /* made at the first query */
    struct br_cache *cache;
    struct br_word_memory *words; /* postings.c; shared with helpers */
    struct br_docs *docs;       /* docs.c */
    struct br_helpers *helpers; /* batch.c: made at the first batch */
    struct br_conversations *conversations; /* conversations.c */
    char id[65], name[256], domain[256];
};

/* The public error from an internal one. Returns the status. */
int br_status_of(enum br_rc rc, const struct br_err *e, struct br_error *out);

/* --- home.c --- */
/* The registry of the home; here it shows whether there is a home directory at all. */
BR_MUST_USE enum br_rc br_home_registry(struct br_home *h, bool create, struct br_registry **out, struct br_err *err);
/* The store of a workspace the registry lists, for reading. One that is not there is damage (BR_E_CORRUPT), not "nothing found". */
BR_MUST_USE enum br_rc br_home_open_store(struct br_home *h, const char *id, struct br_store **out, struct br_err *err);
BR_MUST_USE enum br_rc br_home_dir_of(struct br_home *h, const char *id, char *out, size_t n, struct br_err *err);
/* Backups that the home keeps: <home>/backups, and how many of them are of this workspace. */
BR_MUST_USE enum br_rc br_home_backups_dir(const struct br_home *h, char *out, size_t n, struct br_err *err);
BR_MUST_USE enum br_rc br_home_count_backups(struct br_home *h, const char *id, uint64_t *n, struct br_err *err);
/* Removes, durably, what stopped restores and backups left in the home: their texts may have been forgotten since. Every writer comes by here
 * first, and goes on when it fails; only forget, which promises that the texts are gone, fails with it. What is in the workspaces' directories
 * is br_store_sweep's and br_rebuild_sweep's, what dry runs left in TMPDIR br_scratch_sweep's. */
BR_MUST_USE enum br_rc br_home_sweep(struct br_home *h, struct br_err *err);
/* The directory of workspace id holds the files of another one: refused. uuids tell single files apart, this a whole set of them. */
BR_MUST_USE enum br_rc br_home_check_id(const char *id, const struct br_store_info *info, struct br_err *err);
/* A workspace is about to get this model: where that sends its texts away, was it said that they may be? */
BR_MUST_USE enum br_rc br_home_check_consent(const struct br_home *h, struct br_err *err);
/* The store was made with another model than the one in use: refused. */
BR_MUST_USE enum br_rc br_home_check_model(const struct br_home *h, const struct br_store_info *info, struct br_err *err);

/* --- import.c --- */
struct br_source;
/* *out, also after a failure: the workspaces that are done. */
BR_MUST_USE enum br_rc br_import_source(struct br_home *h, struct br_source *src, const struct br_import_options *opt,
                                        struct br_import_reports *out, struct br_err *err);

/* --- scratch.c --- */
/* A directory in TMPDIR that nobody else has, for the store of a dry run; its path into dir, which is empty when there is none. The store is
 * to be made in its subdirectory BR_SCRATCH_STORE: that is how br_scratch_sweep knows whether it is in use. */
#define BR_SCRATCH_STORE "store"
BR_MUST_USE enum br_rc br_scratch_make(const struct br_io *io, char *dir, size_t n, struct br_err *err);
/* Removes what killed dry runs left in TMPDIR; best effort. */
void br_scratch_sweep(const struct br_io *io);

/* --- backup.c --- */
BR_MUST_USE enum br_rc br_backup_workspace(struct br_home *h, const char *id, const char *path, const struct br_progress_options *opt,
                                           struct br_backup_report *out, struct br_err *err);
/* The id of a workspace that is known by its name alone; as ingest/workspace.c makes it. */
void br_workspace_id_of_name(const char *name, char id[65]);

/* --- embed_api.c --- */
/* As br_embed, on up to `threads` threads; the bytes of the vectors do not depend on their number. */
BR_MUST_USE enum br_rc br_embed_many(const struct br_model *m, const char *const *texts, const size_t *lens, size_t n, unsigned threads,
                                     float *out, struct br_err *err);

/* --- graph.c: the graph follows the journal --- */
/* Opens the checkpoint the store names. Any defect leaves an empty graph and its reason in why (may be NULL, 256 bytes), which most callers
 * need not know: the graph is derived data. Returns what it was: BR_E_CORRUPT; BR_E_NOTFOUND when the file is gone; or something that says nothing
 * of the file. */
enum br_rc br_graph_open(struct br_graph *g, const struct br_io *io, struct br_store *s, char *why);
void br_graph_close(struct br_graph *g);
/* Applies committed journal rows newer than applied_seq. For the writer. */
BR_MUST_USE enum br_rc br_graph_follow(struct br_graph *g, struct br_store *s, struct br_err *err);
/* Writes a checkpoint when the graph has moved since the last one, and points the store at it. */
BR_MUST_USE enum br_rc br_graph_checkpoint(struct br_graph *g, const struct br_io *io, struct br_store *s, struct br_err *err);
/* How many slots other processes may find in the tail before a writer makes a checkpoint; slots: all there are. */
uint64_t br_graph_tail_max(uint64_t slots);
/* Follows, and checkpoints when the tail that others see has grown past br_graph_tail_max. For a writer, after each commit. */
BR_MUST_USE enum br_rc br_graph_keep_up(struct br_graph *g, const struct br_io *io, struct br_store *s, struct br_err *err);
/* For a reader: reopens the checkpoint if the store points at another one. */
void br_graph_refresh(struct br_graph *g, const struct br_io *io, struct br_store *s, const struct br_store_info *info);

/* --- consistency.c --- */
BR_MUST_USE enum br_rc br_consistency_of(struct br_workspace *ws, struct br_consistency *out, struct br_err *err);

/* --- names.c: ids to display names while importing --- */
struct br_name_map;
enum { BR_NAME_LISTED = 1, BR_NAME_COUNTED = 2 };
BR_MUST_USE enum br_rc br_name_map_new(struct br_name_map **out, struct br_err *err);
void br_name_map_free(struct br_name_map *m);
/* name NULL keeps the one there is; flags are added. Returns the flags from before, or -1 without memory. */
int br_name_map_put(struct br_name_map *m, const char *id, const char *name, unsigned flags);
bool br_name_map_has(const struct br_name_map *m, const char *id);
const char *br_name_map_get(const struct br_name_map *m, const char *id); /* NULL unknown; borrowed until the next put */

/* --- passages.c --- */
struct br_thread_text { /* one message of a thread, oldest first */
    int64_t ts;
    const char *speaker; /* never NULL */
    const char *text;
    size_t len;
};
struct br_passage {
    const char *text; /* in the arena */
    size_t len;
    int64_t first_ts, last_ts;
};
/* Cuts a thread into passages with speakers' names that fit the model, overlapping by one message. A lone message that fits the model gives
 * none. A pure function of its input and the model's vocabulary. */
BR_MUST_USE enum br_rc br_passages_cut(const struct br_model *m, const struct br_thread_text *msgs, size_t n, struct br_arena *arena,
                                       struct br_passage **out, size_t *n_out, struct br_err *err);

/* --- pipeline.c: batches through embedding to the commit --- */
struct br_pipeline;

/* One thing to store. Everything it points to lives in the batch's arena. */
struct br_item {
    enum br_item_kind { BR_ITEM_USER, BR_ITEM_CHANNEL, BR_ITEM_MESSAGE, BR_ITEM_DELETE, BR_ITEM_PASSAGES, BR_ITEM_VECTOR } kind;
    union {
        struct br_slack_user user;
        struct br_slack_channel channel;
        struct br_slack_message message;
        struct {
            const char *channel_id;
            int64_t ts, deleted_at;
        } deletion;
        struct {
            struct br_slack_thread_key key;
            struct br_slack_passage *items;
            size_t n;
        } passages;
        struct br_slack_vectorless vectorless; /* a stored document that gets its vector */
    };
    float *vector; /* of a message or a stored document: NULL none; filled by the time the writer sees it */
};
struct br_pipeline_config {
    struct br_home *home;
    struct br_store *writer; /* used by the pipeline's writer thread alone until finish; inline: by the caller too */
    struct br_graph *graph;  /* follows after each commit; NULL none */
    unsigned threads;        /* embedding threads */
    bool dry_run;            /* inline, no vectors, no commit: the caller rolls back */
    void *ctx;
    void (*tick)(void *ctx); /* on the caller's thread, a few times a second while it waits; may be NULL */
};
BR_MUST_USE enum br_rc br_pipeline_new(const struct br_pipeline_config *cfg, struct br_pipeline **out, struct br_err *err);
/* The next item of the batch being filled, zeroed but for its kind, and the batch's arena. Both never NULL after success; the item's address
 * stands until the next one. */
BR_MUST_USE enum br_rc br_pipeline_item(struct br_pipeline *p, enum br_item_kind kind, struct br_item **item,
                                        struct br_arena **arena, struct br_err *err);
/* Asks for the vector of text (in the arena): embedded in this batch, once for equal texts. NULL without memory. */
float *br_pipeline_vector(struct br_pipeline *p, const char *text, size_t len);
/* Room for a vector the caller has already. */
float *br_pipeline_vector_room(struct br_pipeline *p);
/* Sends the batch off if it is full (or force). Waits while too many are under way. Reports the first error of the stages behind. */
BR_MUST_USE enum br_rc br_pipeline_submit(struct br_pipeline *p, bool force, struct br_err *err);
/* Sends the rest and waits until everything is committed. The pipeline stays usable. */
BR_MUST_USE enum br_rc br_pipeline_drain(struct br_pipeline *p, struct br_err *err);
uint64_t br_pipeline_embedded(const struct br_pipeline *p);
void br_pipeline_free(struct br_pipeline *p); /* drops what was not committed */

/* --- threads.c: dirty threads to passages --- */
struct br_cutting {
    struct br_home *home;
    struct br_store *reader; /* sees what the pipeline commits */
    struct br_pipeline *pipeline;
    bool dry_run;
    void *ctx;
    enum br_rc (*step)(void *ctx, uint64_t done, uint64_t total, struct br_err *err); /* after each thread; its error ends it. May be NULL */
};
/* Until none is dirty; all of it is committed when it returns BR_OK. */
BR_MUST_USE enum br_rc br_cut_dirty_threads(const struct br_cutting *c, struct br_err *err);

/* --- messages.c: store views to public messages --- */
struct br_message_list {
    struct br_arena arena;
    struct br_message *items; /* malloc'ed */
    size_t count, alloc;
    const struct br_workspace *ws;
};
void br_message_list_init(struct br_message_list *l, const struct br_workspace *ws);
void br_message_list_free(struct br_message_list *l);
/* A br_slack_view_fn: ctx is the list. */
BR_MUST_USE enum br_rc br_message_list_add(void *ctx, const struct br_slack_view *v, struct br_err *err);
/* Hands the list over to the caller, or frees it. Returns the status. */
int br_message_list_give(struct br_message_list *l, struct br_messages *out, struct br_error *error);
/* Permalink, CHANNEL:TS (id or name) to channel id and ts. */
BR_MUST_USE enum br_rc br_parse_message_id(struct br_workspace *ws, const char *id, char channel_id[64], int64_t *ts, struct br_err *err);

/* --- words.c: words in texts, compared as the keyword index compares them --- */
struct br_token {
    uint64_t hash; /* of the stem */
    size_t start, end;
};
struct br_tokens {
    struct br_token *items; /* owned; reused by the next call */
    size_t n, alloc;
};
BR_MUST_USE enum br_rc br_tokens_of(struct br_slack_tokenizer *t, const char *text, size_t len, struct br_tokens *out, struct br_err *err);
void br_tokens_free(struct br_tokens *t);
/* A word or phrase of a query: what is typed as one word may be several tokens. */
struct br_term {
    char *text;       /* owned; as typed */
    uint64_t *stems;  /* owned */
    size_t n_stems;   /* > 0 */
};
struct br_term_hit {
    size_t term, start, end; /* bytes in the text */
};
/* Where the terms occur, at most room places, shared out evenly; places of one term do not overlap. */
size_t br_terms_find(const struct br_term *terms, size_t n_terms, const struct br_tokens *text, struct br_term_hit *out, size_t room);
/* How many of the terms occur. */
size_t br_terms_count(const struct br_term *terms, size_t n_terms, const struct br_tokens *text);

/* --- query_parse.c --- */
#define BR_QUERY_WORDS_MAX 64
#define BR_QUERY_MATCH_MAX 8192
#define BR_QUERY_ALTERNATIVES_MAX 64 /* of words and their parts; <= BR_TERMS_MAX */
#define BR_QUERY_OR " OR "
struct br_query {
    struct br_buf text;          /* what is embedded: the query without filters, quotes and excluded words; "" for conditions only */
    struct br_buf match;         /* FTS5 expression that ranks: any of words, "" when there is none */
    size_t alternative_end[BR_QUERY_ALTERNATIVES_MAX]; /* where each of its phrases ends; between them is BR_QUERY_OR */
    size_t n_alternatives;
    struct br_buf phrases;       /* FTS5 expression of filter.with: all of them */
    struct br_buf excluded;      /* FTS5 expression of filter.without: any of them */
    struct br_term words[BR_QUERY_WORDS_MAX]; /* words, phrases and their parts, each once, for ranking, snippets and reasons */
    size_t n_words;
    size_t length; /* in words as they were typed, each once; common ones count only where there are no others */
    struct br_slack_filter filter; /* all conditions; points into lists below */
    struct br_arena arena;         /* their names */
    struct br_query_list {
        const char **items; /* owned */
        size_t n;
    } channels[2], reactions[2]; /* with, without */
    struct br_slack_author *authors[2], *participants[2]; /* owned */
};
BR_MUST_USE enum br_rc br_query_parse(struct br_workspace *ws, struct br_slack_tokenizer *t, const char *query, const struct br_search_options *o,
                                      struct br_query *q, struct br_err *err);
void br_query_free(struct br_query *q);
/* Bytes of a query that are read: all, or a beginning of whole characters. */
size_t br_query_length(const char *query);
/* BR_E_USAGE where behind that stands what hits have to meet, and would be passed over: a filter, a phrase, an exclusion. Not for literal ones. */
BR_MUST_USE enum br_rc br_query_check_end(const char *query, struct br_err *err);
/* The text of a query of nothing but words, as br_query.text has it. */
void br_query_words(const char *query, struct br_buf *out);

/* --- search.c --- */
struct br_page;
/* The search itself, within the caller's snapshot: the first br_page_end hits. */
BR_MUST_USE enum br_rc br_search_fresh(struct br_workspace *ws, const char *query, const struct br_search_options *options,
                                       struct br_page *page, struct br_search_results *out, struct br_err *err);

/* --- docs.c --- */
/* Within a snapshot, whose state is now: before br_doc_of_slot. */
void br_docs_begin(struct br_workspace *ws, const struct br_store_info *now);
/* As br_slack_doc_of_slot. */
BR_MUST_USE enum br_rc br_doc_of_slot(struct br_workspace *ws, uint64_t slot, struct br_doc *doc, struct br_err *err);
/* As br_slack_doc_of_content. */
BR_MUST_USE enum br_rc br_doc_of_content(struct br_workspace *ws, enum br_doc_kind kind, int64_t content_id, struct br_doc *doc, size_t *length,
                                         struct br_err *err);
void br_docs_free(struct br_docs *d);
struct br_all_docs; /* read in one go, shared */
void br_all_docs_release(struct br_all_docs *w); /* may be NULL */

/* --- filters.c --- */
/* As br_slack_filter_set, in the caller's snapshot. *remembered: it was made before. */
BR_MUST_USE enum br_rc br_filter_set(struct br_workspace *ws, const struct br_slack_filter *f, struct br_slack_set *set, bool *remembered,
                                     struct br_err *err);

/* --- batch.c --- */
void br_helpers_free(struct br_helpers *h);

/* --- snippet.c --- */
/* A line or two of text around the densest run of hits; appended to out. */
void br_snippet(const char *text, size_t len, const struct br_term_hit *hits, size_t n_hits, struct br_buf *out);

#endif
