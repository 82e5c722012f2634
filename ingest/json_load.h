/* json_load.h - a parser's answer that is either right or "no memory". */
#ifndef BR_JSON_LOAD_H
#define BR_JSON_LOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* As json_loadb. NULL: this is no JSON, or *no_memory. Thread-safe. */
json_t *br_json_load(const char *bytes, size_t n, size_t flags, bool *no_memory);

#endif
