/* registry_int.h - the registry's handle, for the files that implement registry.h and installations.h. */
#ifndef BR_REGISTRY_INT_H
#define BR_REGISTRY_INT_H

#include "registry.h"
#include "store_core.h"

struct br_registry {
    const struct br_io *io;
    char *home;
    char db_path[BR_PATH_MAX];
    sqlite3 *db;            /* NULL: the directories are the registry */
    bool has_installations; /* its table is there */
    enum br_rc unreadable;  /* without db: what kept it from being read, when it is not known to be absent or damaged */
};

extern const char *const br_installation_ddl[]; /* NULL-terminated; runs on an existing table too */

#endif
