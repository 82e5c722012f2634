/* source_int.h - what the files that make up a source share: the layout of an archive, and how its files are read. */
#ifndef BR_SOURCE_INT_H
#define BR_SOURCE_INT_H

#include "container.h"
#include "id_map.h"
#include "json_stream.h"
#include "legacy.h"
#include "slack_object.h"
#include "source.h"

enum br_list { BR_LIST_CHANNELS, BR_LIST_GROUPS, BR_LIST_DMS, BR_LIST_MPIMS, BR_LIST_COUNT };

struct br_conversation {
    const char *id, *name;
    enum br_channel_kind kind;
    uint32_t scope, workspace;
    bool has_folder, is_stub, second_of_name, emitted;
};
struct br_folder {
    const char *name;
    uint32_t scope, conversation; /* BR_ID_NONE: holds no day file and belongs to nobody */
    bool has_day, renamed;
};
struct br_message_file {
    uint32_t folder, entry;
    bool is_day; /* false: some other JSON file in a channel's folder */
};
/* A directory with lists of channels and users: the root, and each workspace of a Grid export. */
struct br_scope {
    const char *prefix, *label;
    uint32_t lists[BR_LIST_COUNT], users; /* entries, BR_ID_NONE when absent */
    struct br_id_map by_id, by_name, folders;
};

struct br_source {
    struct br_legacy *legacy; /* not NULL: this is all there is, beside the workspace */
    struct br_container *container;
    struct br_arena strings;
    const char *root; /* "" or "folder/" */
    const char *name_hint;
    bool is_grid, is_dump;
    uint32_t org_users;
    struct br_scope *scopes; /* the root; in a Grid export the workspaces follow, in the order of their names */
    size_t n_scopes;
    struct br_conversation *conversations;
    size_t n_conversations, conversations_alloc;
    struct br_folder *folders;
    size_t n_folders, folders_alloc;
    struct br_message_file *files; /* by folder, then by name */
    size_t n_files, files_alloc;
    struct br_source_workspace *workspaces;
    size_t n_workspaces;
    int64_t freshness;

    /* of the workspace that runs */
    const struct br_sink *sink;
    struct br_arena run_strings, row_arena;
    struct br_id_map users; /* own, of the organisation, and from profiles */
    uint64_t done_bytes, total_bytes;
};

struct br_reading { /* one file's elements go to take(), until stop */
    enum br_rc (*take)(struct br_reading *r, json_t *element, struct br_err *err);
    struct br_source *source;
    struct br_notes notes;
    struct br_json_stream *js;
    void *ctx;
    enum br_warning no_array; /* what a file that is no array counts as */
    const char *member;       /* the array is this member of an object */
    bool stop;
};
BR_MUST_USE enum br_rc br_read_entry(struct br_source *s, uint32_t entry, struct br_reading *r, struct br_err *err);

/* A damaged file's remains: true when the element is a part of something and not to be taken as a whole. */
bool br_is_fragment(struct br_reading *r, const json_t *element, const char *key);

/* recognise.c: what kind of archive this is, or why it is refused. Sets root, is_grid, is_dump. */
BR_MUST_USE enum br_rc br_recognise(struct br_source *s, struct br_err *err);
/* "D0123ABCD": the form of Slack's ids of conversations. */
bool br_is_conversation_id(const char *name);
/* What the first letter of an id tells, and the name where one is known. */
enum br_channel_kind br_kind_of_id(const char *id, const char *name);
bool br_dump_file_id(const char *name, char id[static 32]); /* "C0123ABCD.json" or "C0123ABCD-1704103201.000100.json" */

/* layout.c: scopes, conversations, folders and files. */
BR_MUST_USE enum br_rc br_layout(struct br_source *s, struct br_err *err);
BR_MUST_USE enum br_rc br_add_conversation(struct br_source *s, uint32_t scope, const char *id, const char *name,
                                           enum br_channel_kind kind, uint32_t *at, struct br_err *err);
BR_MUST_USE enum br_rc br_add_folder(struct br_source *s, uint32_t scope, const char *name, uint32_t *at,
                                     struct br_err *err);
BR_MUST_USE enum br_rc br_add_file(struct br_source *s, uint32_t folder, uint32_t entry, bool is_day,
                                   struct br_err *err);
extern const enum br_channel_kind br_list_kinds[BR_LIST_COUNT];

/* slackdump_dump.c */
BR_MUST_USE enum br_rc br_layout_dump(struct br_source *s, struct br_err *err);

/* freshness.c: the date of the archive, see source.h. */
int64_t br_date_archive(const struct br_source *s);

/* workspace.c: the ids of workspaces, and whose the conversations of an organisation are. */
BR_MUST_USE enum br_rc br_name_workspaces(struct br_source *s, struct br_err *err);

/* export.c */
BR_MUST_USE enum br_rc br_run_users(struct br_source *s, uint32_t workspace, struct br_err *err);
BR_MUST_USE enum br_rc br_run_channels(struct br_source *s, uint32_t workspace, struct br_err *err);
BR_MUST_USE enum br_rc br_run_messages(struct br_source *s, uint32_t workspace, struct br_err *err);
/* The scope a workspace's own lists are in. */
static inline uint32_t br_own_scope(const struct br_source *s, uint32_t workspace)
{
    return s->is_grid ? workspace + 1 : 0;
}

#endif
