/* event.h - the typed events that every source yields, whatever its container.
 *
 * All strings are UTF-8 without NUL, repaired at ingest, NULL when absent. Everything in an event is borrowed: valid
 * until the sink returns. Timestamps are int64 microseconds (Slack's "1704103201.000100" = 1704103201000100), never a double. */
#ifndef BR_EVENT_H
#define BR_EVENT_H

#include "base/base.h"

#include <jansson.h>

enum br_event_kind { BR_EVENT_USER, BR_EVENT_CHANNEL, BR_EVENT_MESSAGE, BR_EVENT_DELETE };

/* Anomalies that are counted, never fatal. Names are those of the import report (cli.md). */
#define BR_WARNING_MAP(X)                                                                              \
    X(UNKNOWN_USER, "unknown_user")                                                                    \
    X(ORPHAN_REPLY, "orphan_reply")                                                                    \
    X(MISSING_TS, "missing_ts")                                                                        \
    X(BAD_TS, "bad_ts")                                                                                \
    X(NOT_A_MESSAGE, "not_a_message")                                                                  \
    X(NOT_A_MESSAGE_FILE, "not_a_message_file")                                                        \
    X(FILE_TOMBSTONE, "file_tombstone")                                                                \
    X(FILE_HIDDEN_BY_LIMIT, "file_hidden_by_limit")                                                    \
    X(MESSAGE_HIDDEN_BY_LIMIT, "message_hidden_by_limit")                                              \
    X(DUPLICATE_MESSAGE, "duplicate_message")                                                          \
    X(FOLDER_WITHOUT_CHANNEL, "folder_without_channel")                                                \
    X(FOLDER_RENAMED, "folder_renamed")                                                                \
    X(LONE_SURROGATE, "lone_surrogate")                                                                \
    X(NUL_IN_TEXT, "nul_in_text")                                                                      \
    X(INVALID_UTF8, "invalid_utf8")                                                                    \
    X(WRONG_TYPE, "wrong_type")                                                                        \
    X(BAD_USER, "bad_user")                                                                            \
    X(BAD_JSON, "bad_json")                                                                            \
    X(DEEP_JSON, "deep_json")                                                                          \
    X(UNKNOWN_SUBTYPE, "unknown_subtype")                                                              \
    X(REACTION_COUNT_MISMATCH, "reaction_count_mismatch")                                              \
    X(IGNORED_ENTRY, "ignored_entry")                                                                  \
    X(NAME_CP437, "name_cp437")                                                                        \
    X(BOM, "bom")                                                                                      \
    X(CHANNEL_WITHOUT_FOLDER, "channel_without_folder")                                                \
    X(TEXT_TRUNCATED, "text_truncated")                                                                \
    X(REPLY_COUNT_MISMATCH, "reply_count_mismatch")                                                    \
    X(CRC_MISMATCH, "crc_mismatch")                                                                    \
    X(SYMLINK_ENTRY, "symlink_entry")                                                                  \
    X(UNSUPPORTED_METHOD, "unsupported_method")                                                        \
    X(DUPLICATE_CHANNEL_NAME, "duplicate_channel_name")                                                \
    X(SECRET_REDACTED, "secret_redacted")                                                              \
    X(UNMAPPED_ROW, "unmapped_row")                                                                    \
    X(UNMAPPED_TABLE, "unmapped_table")                                                                \
    X(UNMAPPED_COLUMN, "unmapped_column")

enum br_warning {
#define BR_X(name, text) BR_WARN_##name,
    BR_WARNING_MAP(BR_X)
#undef BR_X
        BR_WARN_COUNT
};
const char *br_warning_name(enum br_warning w);

enum br_channel_kind { BR_CHANNEL_PUBLIC, BR_CHANNEL_PRIVATE, BR_CHANNEL_DM, BR_CHANNEL_GROUP_DM };

struct br_user_event {
    const char *id;
    const char *team_id;
    const char *name;         /* handle */
    const char *real_name;    /* profile.real_name, else real_name */
    const char *display_name; /* profile.display_name */
    bool is_bot, is_deleted;
    bool from_message; /* taken from a message's user_profile: fills a stub, never replaces a listed user */
    bool org_level;    /* from org_users.json at the root: names only, not an entry of this workspace's users.json */
};

struct br_channel_event {
    const char *id;
    const char *name; /* NULL for DMs */
    enum br_channel_kind kind;
    const char *topic, *purpose, *creator;
    int64_t created; /* us, 0 unknown */
    bool is_archived, is_general;
    bool is_stub; /* no list has it: little more than its id and name is known */
    const char *const *members; /* NULL: not given */
    size_t n_members;
    const int64_t *pins; /* ts of messages */
    size_t n_pins;
};

struct br_reaction_event {
    const char *name;   /* as in the source, tone included */
    const char *folded; /* tone stripped, alias resolved */
    int64_t count;      /* as stated; number of users if missing */
    const char *const *users;
    size_t n_users;
};

struct br_file_event {
    const char *id, *name, *title, *mimetype, *mode;
    int64_t size;
};

/* Class decides what is stored, searched and embedded; see the subtype table in message.c. */
enum br_message_class { BR_CLASS_CONTENT, BR_CLASS_SYSTEM, BR_CLASS_TOMBSTONE };

struct br_message_event {
    const char *channel_id;
    int64_t ts;
    int64_t thread_ts; /* 0: plain message. == ts: root */
    const char *user_id;
    const char *bot_id;
    const char *bot_name; /* bot_profile.name, else username */
    const char *subtype;
    const char *team_id;
    enum br_message_class cls;
    bool is_bot, is_broadcast, has_link, is_pinned;
    int64_t edited_ts; /* edited.ts, 0 never */
    int64_t reply_count;
    const struct br_reaction_event *reactions;
    size_t n_reactions;
    const struct br_file_event *files;
    size_t n_files;
    json_t *raw; /* the redacted object, all keys */
};

struct br_delete_event { /* of a deletion log */
    const char *channel_id;
    int64_t ts;
    int64_t deleted_at;
};

struct br_event {
    enum br_event_kind kind;
    union {
        struct br_user_event user;
        struct br_channel_event channel;
        struct br_message_event message;
        struct br_delete_event deletion;
    };
};

#endif
