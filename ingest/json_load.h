/* json_load.h - what jansson makes of bytes from outside: right, or "no memory". For ingest/ and all of engine/ but the commands. */
#ifndef BR_JSON_LOAD_H
#define BR_JSON_LOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* As json_loadb. NULL: this is no JSON, or *no_memory. Thread-safe. */
json_t *br_json_load(const char *bytes, size_t n, size_t flags, bool *no_memory);
/* As json_stringn. NULL: this is no UTF-8, or *no_memory. Thread-safe. */
json_t *br_json_string(const char *bytes, size_t n, bool *no_memory);

#endif
