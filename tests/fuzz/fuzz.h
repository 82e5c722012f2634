/* fuzz.h - what the fuzz targets share: the entry point, reading an input as numbers and pieces, changing known bytes, and fixtures that live in
 * memory. A target writes nothing to a real disk.
 *
 * A target is one file with one LLVMFuzzerTestOneInput. Linked with libFuzzer (preset fuzz) it is fuzzed; linked with replay.c (every preset) it
 * runs over the committed corpora and regressions. What must hold is asserted with BR_ASSERT. */
#ifndef BR_FUZZ_H
#define BR_FUZZ_H

#include "base/base.h"
#include "base/buf.h"

#include <string.h>

struct sim_disk;
struct br_home;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The unread rest of an input. Past its end everything is 0. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint64_t fuzz_number(struct fuzz_input *in, size_t bytes) /* little endian */
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes && in->left; i++, in->left--)
        v |= (uint64_t)*in->at++ << 8 * i;
    return v;
}

/* The next n bytes, fewer at the end. */
static inline struct fuzz_input fuzz_take(struct fuzz_input *in, size_t n)
{
    struct fuzz_input piece = {in->at, BR_MIN(n, in->left)};
    in->at += piece.left;
    in->left -= piece.left;
    return piece;
}

/* Up to the next `end` byte or the end of the input; the byte itself is left out. */
static inline struct fuzz_input fuzz_take_until(struct fuzz_input *in, uint8_t end)
{
    const uint8_t *p = in->left ? memchr(in->at, end, in->left) : NULL;
    struct fuzz_input piece = fuzz_take(in, p ? (size_t)(p - in->at) : in->left);
    if (p)
        fuzz_take(in, 1);
    return piece;
}

/* A copy with a NUL behind it, malloc'ed. */
char *fuzz_string(struct fuzz_input piece);
/* Numbers at which arithmetic breaks. */
int64_t fuzz_edge(uint8_t i);

/* One change of bytes[n], which has room for alloc, as the input says: some bytes, an edge number, a move, a new length. */
void fuzz_change(struct fuzz_input *in, uint8_t *bytes, size_t *n, size_t alloc);

/* The path of a file in memory that holds these bytes; of each `which` (0..3) there is one file. Regular, can be mapped. */
const char *fuzz_file(int which, const void *bytes, size_t n);

/* --- fixture_model.c: a BERT of one layer, 32 dimensions and some hundred tokens --- */
#define FUZZ_DIM 32
const uint8_t *fuzz_model_bytes(size_t *n); /* as a .brm file; static */
const char *fuzz_model_vocabulary(size_t *n);
void fuzz_model_fix(uint8_t *bytes, size_t n); /* checksums and size of a changed one */

/* --- fixture_home.c: a home directory on a simulated disk, with one workspace --- */
#define FUZZ_WORKSPACE "T0FUZZ"
struct fuzz_home {
    struct sim_disk *disk; /* owned */
    struct br_home *home;  /* owned; its model is shared by all */
    char dir[64];          /* of the workspace */
};
struct fuzz_home fuzz_home_new(void); /* always the same bytes */
void fuzz_home_free(struct fuzz_home *h);
/* A file's bytes on the disk of h, path relative to its root ("home/registry.db"): malloc'ed, room for `extra` more. */
uint8_t *fuzz_home_read(const struct fuzz_home *h, const char *path, size_t extra, size_t *n);
void fuzz_home_write(const struct fuzz_home *h, const char *path, const void *bytes, size_t n);

#endif
