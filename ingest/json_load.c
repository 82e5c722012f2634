/* json_load.c - see json_load.h.
 *
 * jansson's lexer keeps the characters of a token in a buffer, and where that cannot grow it leaves one out and goes on. What looks like a text or
 * number of the archive then is none; worse, without its closing quote a string is read past its end, and other gaps meet an assertion. So a parse
 * has what its lexer may still need: memory in which one more growth of that buffer fits. The first allocation that fails is met from there, and
 * turns the rest of the bytes, which are a copy, into zeros: the next one read is an error, with which jansson ends and frees everything. The
 * functions that jansson was told to use stay in use, behind ours. */
#include "json_load.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#define ALIGN 16

static json_malloc_t next_malloc;
static json_free_t next_free;
static _Thread_local bool starved;
/* Of the parse under way: n bytes of text, then the memory that is left for its end. NULL: none is. */
static _Thread_local struct {
    char *text, *left, *end;
    size_t n;
} parse;

static void *last_memory(size_t n)
{
    starved = true;
    if (!parse.text)
        return NULL;
    memset(parse.text, 0, parse.n);
    if (n > (size_t)(parse.end - parse.left))
        return NULL; /* a growth of the lexer's fits: this is none, and jansson can do without */
    char *p = parse.left;
    n = (n + ALIGN - 1) / ALIGN * ALIGN;
    parse.left += n < (size_t)(parse.end - p) ? n : (size_t)(parse.end - p);
    return p;
}

static void *watched_malloc(size_t n)
{
    void *p = next_malloc(n);
    return p ? p : last_memory(n);
}

static void watched_free(void *p)
{
    uintptr_t at = (uintptr_t)p;
    if (!parse.text || at < (uintptr_t)parse.text || at >= (uintptr_t)parse.end)
        next_free(p);
}

static void watch(void)
{
    json_get_alloc_funcs(&next_malloc, &next_free);
    json_set_alloc_funcs(watched_malloc, watched_free);
}

static void begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch);
    starved = false;
}

/* v, unless something of it is missing. */
static json_t *whole(json_t *v, bool *no_memory)
{
    *no_memory = starved;
    if (!starved)
        return v;
    json_decref(v);
    return NULL;
}

json_t *br_json_load(const char *bytes, size_t n, size_t flags, bool *no_memory)
{
    /* The buffer doubles, from 16 bytes on, and no token is longer than the text. */
    size_t text = n / ALIGN * ALIGN + ALIGN, left = 2 * n + 64;
    begin();
    char *room = n < SIZE_MAX / 8 ? malloc(text + left) : NULL;
    *no_memory = !room;
    if (!room)
        return NULL;
    memcpy(room, bytes, n);
    parse.text = room;
    parse.n = n;
    parse.left = room + text;
    parse.end = room + text + left;
    json_t *v = whole(json_loadb(room, n, flags, NULL), no_memory);
    parse.text = NULL;
    free(room);
    return v;
}

json_t *br_json_string(const char *bytes, size_t n, bool *no_memory)
{
    begin();
    return whole(json_stringn(bytes, n), no_memory);
}
