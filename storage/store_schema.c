/* store_schema.c - the core tables of metadata.db, as data.
 *
 * A change here is a new version: a step in store_migrate.c, and BR_STORE_USER_VERSION.
 * A row is valid when its transaction committed: nothing else is asked. Keys are led by workspace_id although a file
 * holds one workspace, so that a merged or restored file cannot mix two in silence. */
#include "store_int.h"

const char *const br_core_schema[] = {
    /* One row. Tails are the ends of what is committed in the logs; only this row makes a checkpoint file valid. */
    "CREATE TABLE store("
    " workspace_id TEXT NOT NULL PRIMARY KEY,"
    " uuid BLOB NOT NULL CHECK(length(uuid) = 16),"
    " generation INTEGER NOT NULL,"
    " content_tail INTEGER NOT NULL,"
    " vector_tail INTEGER NOT NULL,"
    " next_content_id INTEGER NOT NULL,"
    " last_seq INTEGER NOT NULL,"
    " ckpt_file TEXT,"
    " ckpt_seq INTEGER NOT NULL DEFAULT 0,"
    " prev_ckpt_file TEXT,"
    " prev_ckpt_seq INTEGER NOT NULL DEFAULT 0,"
    " model_id TEXT NOT NULL,"
    " dim INTEGER NOT NULL CHECK(dim > 0),"
    " name TEXT NOT NULL DEFAULT '',"
    " domain TEXT NOT NULL DEFAULT '',"
    " created_at INTEGER NOT NULL,"
    " commits INTEGER NOT NULL DEFAULT 0" /* that changed neither content nor slots: so every commit writes this row, and a WAL always tells whose
                                             it is */
    ") STRICT, WITHOUT ROWID",

    /* One row a commit that changed content or slots. first_slot never falls from row to row. */
    "CREATE TABLE journal("
    " workspace_id TEXT NOT NULL,"
    " seq INTEGER NOT NULL,"
    " first_slot INTEGER NOT NULL,"
    " n_slots INTEGER NOT NULL,"
    " content_offset INTEGER NOT NULL,"
    " content_bytes INTEGER NOT NULL,"
    " vectors_checksum INTEGER NOT NULL,"
    " content_checksum INTEGER NOT NULL,"
    " committed_at INTEGER NOT NULL," /* microseconds since 1970 */
    " PRIMARY KEY(workspace_id, seq)"
    ") STRICT, WITHOUT ROWID",

    "CREATE TABLE content("
    " workspace_id TEXT NOT NULL,"
    " content_id INTEGER NOT NULL,"
    " offset INTEGER NOT NULL,"
    " length INTEGER NOT NULL,"
    " hash BLOB NOT NULL CHECK(length(hash) = 16),"
    " dead INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(workspace_id, content_id)"
    ") STRICT, WITHOUT ROWID",

    /* seq_killed is NULL while the slot lives. */
    "CREATE TABLE slots("
    " workspace_id TEXT NOT NULL,"
    " slot INTEGER NOT NULL,"
    " content_id INTEGER NOT NULL,"
    " vector_checksum INTEGER NOT NULL,"
    " seq_added INTEGER NOT NULL,"
    " seq_killed INTEGER,"
    " PRIMARY KEY(workspace_id, slot),"
    " FOREIGN KEY(workspace_id, content_id) REFERENCES content(workspace_id, content_id)"
    ") STRICT, WITHOUT ROWID",
    "CREATE INDEX slots_by_content ON slots(workspace_id, content_id)",
    "CREATE INDEX slots_by_kill ON slots(workspace_id, seq_killed) WHERE seq_killed IS NOT NULL",

    /* What has to be erased physically and may not be so yet (store_erase.c). content_id 0 and slot -1: none. */
    "CREATE TABLE erase_queue("
    " workspace_id TEXT NOT NULL,"
    " content_id INTEGER NOT NULL,"
    " slot INTEGER NOT NULL,"
    " PRIMARY KEY(workspace_id, content_id, slot)"
    ") STRICT, WITHOUT ROWID",
    NULL,
};

const char *const *const br_store_schemas[] = {br_core_schema, br_slack_schema, NULL};
