/* json_load.c - see json_load.h.
 *
 * jansson's lexer leaves characters out when its buffer cannot grow, and goes on: a text or number without them then looks like what the archive
 * says. So every allocation of a parse is watched. The functions that jansson was told to use stay in use, behind ours. */
#include "json_load.h"

#include <pthread.h>

static json_malloc_t next_malloc;
static json_free_t next_free;
static _Thread_local bool starved;

static void *watched_malloc(size_t n)
{
    void *p = next_malloc(n);
    starved |= !p;
    return p;
}

static void watch(void)
{
    json_get_alloc_funcs(&next_malloc, &next_free);
    json_set_alloc_funcs(watched_malloc, next_free);
}

json_t *br_json_load(const char *bytes, size_t n, size_t flags, bool *no_memory)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch);
    starved = false;
    json_t *v = json_loadb(bytes, n, flags, NULL);
    *no_memory = starved;
    if (!starved)
        return v;
    json_decref(v);
    return NULL;
}
