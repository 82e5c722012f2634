/* id_map.h - strings to small numbers: channel ids, folder names, user ids, entry names. Not thread-safe. */
#ifndef BR_ID_MAP_H
#define BR_ID_MAP_H

#include "base/base.h"

#define BR_ID_NONE UINT32_MAX

struct br_id_slot {
    const char *key; /* NULL: free */
    uint64_t hash;
    uint32_t value;
};
struct br_id_map {
    struct br_id_slot *slots;
    size_t n, alloc; /* alloc is 0 or a power of two */
    uint64_t seed;
};

void br_id_map_free(struct br_id_map *m); /* leaves an empty, usable map; a zeroed struct is one, too */
uint32_t br_id_map_get(const struct br_id_map *m, const char *key); /* BR_ID_NONE when absent */
/* Adds key unless it is there; the key is borrowed for the map's life. *value is the stored one. false: no memory. */
BR_MUST_USE bool br_id_map_add(struct br_id_map *m, const char *key, uint32_t *value);

uint64_t br_id_hash(uint64_t seed, const char *s); /* stable: made-up ids depend on it */

#endif
