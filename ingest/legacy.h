/* legacy.h - the earlier design's database as a source of events; behind source.h. */
#ifndef BR_LEGACY_H
#define BR_LEGACY_H

#include "source.h"

struct br_legacy;
/* Reads a dump whole (into a temporary file), a SQLite file hardly. workspace: id and name, valid until close. */
BR_MUST_USE enum br_rc br_legacy_open(const char *path, const char *name_hint, struct br_legacy **out, struct br_source_workspace *workspace,
                                      struct br_err *err);
BR_MUST_USE enum br_rc br_legacy_run(struct br_legacy *l, const struct br_sink *sink, struct br_err *err);
void br_legacy_close(struct br_legacy *l);

#endif
