/* id_map.c - an open-addressing hash table of borrowed strings. */
#include "id_map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* FNV-1a with a final mix. */
uint64_t br_id_hash(uint64_t seed, const char *s)
{
    uint64_t h = 14695981039346656037ull ^ seed;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211ull;
    h ^= h >> 32;
    h *= 0x9E3779B97F4A7C15ull;
    return h ^ (h >> 29);
}

void br_id_map_free(struct br_id_map *m)
{
    free(m->slots);
    *m = (struct br_id_map){0};
}

static struct br_id_slot *find(const struct br_id_map *m, uint64_t hash, const char *key)
{
    for (size_t i = (size_t)hash & (m->alloc - 1);; i = (i + 1) & (m->alloc - 1)) {
        struct br_id_slot *s = &m->slots[i];
        if (!s->key || (s->hash == hash && strcmp(s->key, key) == 0))
            return s;
    }
}

static bool grow(struct br_id_map *m)
{
    struct br_id_map bigger = {.alloc = m->alloc ? m->alloc * 2 : 64, .n = m->n, .seed = m->seed};
    /* Names come from outside: a secret start value makes chosen collisions hard. */
    if (!m->alloc && getrandom(&bigger.seed, sizeof bigger.seed, GRND_NONBLOCK) < 0)
        bigger.seed = 1;
    bigger.slots = calloc(bigger.alloc, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < m->alloc; i++)
        if (m->slots[i].key)
            *find(&bigger, m->slots[i].hash, m->slots[i].key) = m->slots[i];
    free(m->slots);
    *m = bigger;
    return true;
}

uint32_t br_id_map_get(const struct br_id_map *m, const char *key)
{
    if (!m->alloc)
        return BR_ID_NONE;
    const struct br_id_slot *s = find(m, br_id_hash(m->seed, key), key);
    return s->key ? s->value : BR_ID_NONE;
}

bool br_id_map_add(struct br_id_map *m, const char *key, uint32_t *value)
{
    if (m->n * 4 >= m->alloc * 3 && !grow(m))
        return false;
    uint64_t hash = br_id_hash(m->seed, key);
    struct br_id_slot *s = find(m, hash, key);
    if (!s->key) {
        *s = (struct br_id_slot){.key = key, .hash = hash, .value = *value};
        m->n++;
    }
    *value = s->value;
    return true;
}
