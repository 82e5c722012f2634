/* names.c - a hash map from ids to display names, used while importing so that rendering needs no query per mention.
 * Linear probing over XXH3; grows at 70 % load. */
#include "engine_int.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct entry {
    char *id; /* NULL: empty */
    char *name;
    unsigned flags;
};
struct br_name_map {
    struct entry *entries;
    size_t size, used; /* size is a power of two */
};

enum br_rc br_name_map_new(struct br_name_map **out, struct br_err *err)
{
    struct br_name_map *m = calloc(1, sizeof *m);
    if (m) {
        m->size = 256;
        m->entries = calloc(m->size, sizeof *m->entries);
    }
    if (!m || !m->entries) {
        free(m);
        return br_fail_nomem(err);
    }
    *out = m;
    return BR_OK;
}

void br_name_map_free(struct br_name_map *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->size; i++) {
        free(m->entries[i].id);
        free(m->entries[i].name);
    }
    free(m->entries);
    free(m);
}

static struct entry *find(const struct br_name_map *m, const char *id)
{
    size_t i = XXH3_64bits(id, strlen(id)) & (m->size - 1);
    while (m->entries[i].id && strcmp(m->entries[i].id, id) != 0)
        i = (i + 1) & (m->size - 1);
    return &m->entries[i];
}

static bool grow(struct br_name_map *m)
{
    struct br_name_map bigger = {.size = m->size * 2};
    bigger.entries = calloc(bigger.size, sizeof *bigger.entries);
    if (!bigger.entries)
        return false;
    for (size_t i = 0; i < m->size; i++)
        if (m->entries[i].id)
            *find(&bigger, m->entries[i].id) = m->entries[i];
    free(m->entries);
    m->entries = bigger.entries;
    m->size = bigger.size;
    return true;
}

int br_name_map_put(struct br_name_map *m, const char *id, const char *name, unsigned flags)
{
    if (m->used * 10 >= m->size * 7 && !grow(m))
        return -1;
    struct entry *e = find(m, id);
    if (!e->id) {
        e->id = strdup(id);
        if (!e->id)
            return -1;
        m->used++;
    }
    if (name) {
        char *copy = strdup(name);
        if (!copy)
            return -1;
        free(e->name);
        e->name = copy;
    }
    int before = (int)e->flags;
    e->flags |= flags;
    return before;
}

bool br_name_map_has(const struct br_name_map *m, const char *id)
{
    return find(m, id)->id != NULL;
}

const char *br_name_map_get(const struct br_name_map *m, const char *id)
{
    return find(m, id)->name;
}
