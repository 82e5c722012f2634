/* entry_name.h - what an archive's entry name means, and whether it may be used at all. */
#ifndef BR_ENTRY_NAME_H
#define BR_ENTRY_NAME_H

#include "base/arena.h"
#include "base/base.h"

enum br_name_kind { BR_NAME_FILE, BR_NAME_FOLDER, BR_NAME_JUNK, BR_NAME_UNSAFE };

struct br_entry_name {
    enum br_name_kind kind;
    const char *text; /* UTF-8, components joined by '/', no leading or trailing one; in the arena */
    bool cp437;       /* the bytes were no UTF-8 */
};

/* raw: the bytes of the name as stored. text NULL: no memory. */
struct br_entry_name br_entry_name_read(const char *raw, size_t n, struct br_arena *arena);

bool br_is_day_file(const char *name); /* YYYY-MM-DD.json */
bool br_has_suffix(const char *s, const char *suffix);

#endif
