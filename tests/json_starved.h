/* json_starved.h - allocations of jansson's that fail: the n-th of a thread, once or for good. Header-only; include once a program, which calls json_starve_init
 * first in main: the program's own loader then watches what is here. */
#ifndef BR_TEST_JSON_STARVED_H
#define BR_TEST_JSON_STARVED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>

static _Thread_local unsigned json_allocations, json_starve_at; /* 0: none fails */
static _Thread_local bool json_starve_on;

static inline void *json_starved_malloc(size_t n)
{
    unsigned i = ++json_allocations, at = json_starve_at;
    return at && (i == at || (i > at && json_starve_on)) ? NULL : malloc(n);
}

static inline void json_starve_init(void)
{
    json_set_alloc_funcs(json_starved_malloc, free);
}

/* The n-th from now; for_good: and all after it. */
static inline void json_starve(unsigned n, bool for_good)
{
    json_starve_on = for_good;
    json_allocations = 0;
    json_starve_at = n;
}

/* Ends it. True when it was met. */
static inline bool json_starved(void)
{
    bool met = json_allocations >= json_starve_at;
    json_starve_at = 0;
    return met;
}

#endif
