/* registry.h - the workspaces of a home directory ($BACKREAD_HOME): registry.db and workspaces/<id>/. */
#ifndef BR_REGISTRY_H
#define BR_REGISTRY_H

#include "base/base.h"
#include "base/io.h"

struct br_registry;

/* create: make home (0700) and registry.db when absent; otherwise an absent home is an empty registry. A home wider than 0700 is
 * accepted; *warn_mode (may be NULL) is set to its mode. */
BR_MUST_USE enum br_rc br_registry_open(const struct br_io *io, const char *home, bool create, struct br_registry **out,
                                        unsigned *warn_mode, struct br_err *err);
/* Makes registry.db anew when it is missing or damaged, page by page; a damaged one is kept as registry.db.damaged. */
BR_MUST_USE enum br_rc br_registry_repair(const struct br_io *io, const char *home, bool *rebuilt, struct br_err *err);
void br_registry_close(struct br_registry *r);
BR_MUST_USE enum br_rc br_registry_add(struct br_registry *r, const char *id, const char *name, struct br_err *err); /* or relabel */
BR_MUST_USE enum br_rc br_registry_remove(struct br_registry *r, const char *id, struct br_err *err);
BR_MUST_USE enum br_rc br_registry_each(struct br_registry *r, enum br_rc (*fn)(void *ctx, const char *id, const char *name),
                                        void *ctx, struct br_err *err); /* by id */
/* id or name to id. key NULL: the only one. BR_E_USAGE when there are several and key is NULL, or key is ambiguous;
 * BR_E_NOTFOUND when there is none. */
BR_MUST_USE enum br_rc br_registry_find(struct br_registry *r, const char *key, char id[65], struct br_err *err);
/* A workspace that is there without a row, since a crash came between, gets one. For a writer; best effort. */
void br_registry_complete(struct br_registry *r);
/* <home>/workspaces/<id> into out. */
BR_MUST_USE enum br_rc br_registry_dir(const struct br_registry *r, const char *id, char *out, size_t n, struct br_err *err);

#endif
