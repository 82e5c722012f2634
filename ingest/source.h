/* source.h - opening an export, whatever its container, and running it as a stream of events.
 *
 * Order within a workspace: users, channels, then messages. A message may come more than once (two day files); order is
 * not by ts. Memory does not grow with the archive, except by one name per channel, user id and archive entry. */
#ifndef BR_SOURCE_H
#define BR_SOURCE_H

#include "event.h"

struct br_source; /* one archive; use from one thread */

struct br_source_workspace {
    const char *id;   /* team id; made from channel ids (or the archive's --name) when the archive names none */
    const char *name; /* NULL unknown; a Grid folder's name */
    const char *domain; /* for permalinks, when a permalink in the data tells; NULL unknown */
};

struct br_sink {
    void *ctx;
    enum br_rc (*event)(void *ctx, const struct br_event *ev, struct br_err *err);
    /* where: file and record, for -v; may be NULL */
    void (*warn)(void *ctx, enum br_warning w, uint64_t n, const char *where);
    /* bytes of message files read so far, of all; called at least once a file */
    void (*progress)(void *ctx, uint64_t done_bytes, uint64_t total_bytes);
};

/* Recognises ZIP or directory: native export, re-zipped export, Enterprise Grid, slackdump export and dump. Refusals are
 * BR_E_DATA with one line that begins with the reason: unsafe_name, zip_bomb, encrypted, truncated, not_an_export, txt_export.
 * name_hint: --name, may be NULL; used for the workspace key when the archive states no team. */
BR_MUST_USE enum br_rc br_source_open(const char *path, const char *name_hint, struct br_source **out, struct br_err *err);
/* The database of the earlier design: a plain SQL dump or a SQLite file. One workspace. Refusals: BR_E_DATA. */
BR_MUST_USE enum br_rc br_source_open_legacy(const char *path, const char *name_hint, struct br_source **out, struct br_err *err);
/* Its only workspace is this one, whatever the data say. id: borrowed until close. */
void br_source_rename(struct br_source *s, const char *id);
void br_source_close(struct br_source *s);
size_t br_source_workspace_count(const struct br_source *s);
const struct br_source_workspace *br_source_workspace(const struct br_source *s, size_t i);
/* When the archive was made, in microseconds since 1970, as well as it tells: the end of the newest day it has messages of, else the newest
 * modification time of its JSON files; 0 unknown. What an archive says beats what an older one says. */
int64_t br_source_freshness(const struct br_source *s);
/* Yields every event of workspace i. A sink error stops the run and is returned. */
BR_MUST_USE enum br_rc br_source_run(struct br_source *s, size_t i, const struct br_sink *sink, struct br_err *err);

#endif
