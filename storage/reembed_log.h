/* reembed_log.h - the vectors that a workspace has of a model it is being moved to: a scratch file, so that a reembed that was stopped goes on. */
#ifndef BR_REEMBED_LOG_H
#define BR_REEMBED_LOG_H

#include "base/base.h"
#include "base/io.h"

#define BR_REEMBED_PREFIX "reembed." /* of its name in the workspace's directory */

struct br_reembed_entry {
    uint64_t content_id, hash, number; /* hash: the first 8 bytes; number: of the record */
};
struct br_reembed_log {
    const struct br_io *io;
    int fd; /* -1: closed */
    char *path; /* owned */
    uint32_t dim;
    size_t stride;
    uint64_t n; /* records of the file, whole or not */
    struct br_reembed_entry *entries; /* whole ones; by content_id after br_reembed_log_index */
    size_t n_entries, room;
    char *buf; /* one record */
};

/* Its name for a model: out has room for 64 bytes. */
void br_reembed_log_name(const char *model_id, char out[64]);
/* Opens what an earlier run left for exactly this store and model, or begins anew. What is not whole is passed over. Close it in any case. */
BR_MUST_USE enum br_rc br_reembed_log_open(struct br_reembed_log *l, const struct br_io *io, const char *dir, const uint8_t uuid[16],
                                           const char *model_id, uint32_t dim, struct br_err *err);
void br_reembed_log_close(struct br_reembed_log *l);
/* Is there a vector of this record, when it has this hash? Of what was there when it was opened or indexed. */
bool br_reembed_log_has(const struct br_reembed_log *l, uint64_t content_id, const uint8_t hash[16]);
BR_MUST_USE enum br_rc br_reembed_log_append(struct br_reembed_log *l, uint64_t content_id, const uint8_t hash[16], const float *vector,
                                             struct br_err *err);
BR_MUST_USE enum br_rc br_reembed_log_sync(struct br_reembed_log *l, struct br_err *err);
void br_reembed_log_index(struct br_reembed_log *l);
/* BR_E_NOTFOUND when it is not there, or not whole any more. */
BR_MUST_USE enum br_rc br_reembed_log_read(struct br_reembed_log *l, uint64_t content_id, const uint8_t hash[16], float *vector,
                                           struct br_err *err);

#endif
