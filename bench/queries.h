/* queries.h - the questions of a benchmark of searches, and the end of one that fails. */
#ifndef BR_BENCH_QUERIES_H
#define BR_BENCH_QUERIES_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backread.h"

static inline void stop_at(int status, const struct br_error *err)
{
    if (status) {
        fprintf(stderr, "%s\n", err->message);
        exit(1);
    }
}

/* The texts of a file with one {"text": ...} a line. Returns their number, 0 when it cannot be read; the caller frees each and all. */
static inline size_t read_texts(const char *path, char ***out)
{
    char *line = NULL, **texts = NULL;
    size_t room = 0, n = 0;
    FILE *f = fopen(path, "r");
    while (f && getline(&line, &room, f) > 0) {
        json_t *j = json_loads(line, 0, NULL);
        const char *text = json_string_value(json_object_get(j, "text"));
        if (text) {
            texts = realloc(texts, (n + 1) * sizeof *texts);
            texts[n++] = strdup(text);
        }
        json_decref(j);
    }
    if (f)
        fclose(f);
    free(line);
    *out = texts;
    return n;
}

#endif
