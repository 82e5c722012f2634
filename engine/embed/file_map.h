/* file_map.h - files of an original model, which the user names and nobody writes: mapped or read whole. */
#ifndef BR_FILE_MAP_H
#define BR_FILE_MAP_H

#include "base/base.h"

struct br_file_map {
    void *at; /* NULL: none */
    size_t bytes;
};

/* A regular file that is not empty, for reading; else BR_E_DATA, or why it cannot be opened. */
BR_MUST_USE enum br_rc br_file_map_open(struct br_file_map *m, const char *path, struct br_err *err);
void br_file_map_close(struct br_file_map *m);
bool br_file_is_there(const char *path);
/* *text of *n bytes, malloc'ed, NUL behind it; BR_E_DATA when it is empty or longer than most. */
BR_MUST_USE enum br_rc br_file_read(const char *path, size_t most, char **text, size_t *n, struct br_err *err);

#endif
