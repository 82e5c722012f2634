/* npy.h - float32 matrices in NumPy's format 1, for the benchmarks of the index. What is wrong ends the program. */
#ifndef BR_BENCH_NPY_H
#define BR_BENCH_NPY_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void npy_die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* Rows in C order; the caller frees them. */
static inline float *npy_read(const char *path, size_t *rows, size_t *dim)
{
    char header[4096] = {0};
    FILE *f = fopen(path, "rb");
    uint16_t len;
    if (!f || fread(header, 1, 10, f) != 10 || memcmp(header, "\x93NUMPY\x01", 7) != 0)
        npy_die("not a version 1 .npy file");
    memcpy(&len, header + 8, 2);
    if (len >= sizeof(header) || fread(header, 1, len, f) != len)
        npy_die("cannot read the header");
    header[len] = '\0';
    const char *shape = strstr(header, "'shape': (");
    if (!strstr(header, "<f4") || !shape || sscanf(shape, "'shape': (%zu, %zu)", rows, dim) != 2)
        npy_die("not a matrix of float32");
    float *v = malloc(*rows * *dim * sizeof(float));
    if (!v || fread(v, sizeof(float) * *dim, *rows, f) != *rows)
        npy_die("cannot read the rows");
    fclose(f);
    return v;
}

/* What comes before the rows: 128 bytes, which keeps them aligned. */
static inline void npy_write_header(FILE *f, size_t rows, size_t dim)
{
    char header[129];
    int n = snprintf(header + 10, sizeof header - 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, dim);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10); /* 0x76: 118 bytes follow */
    memset(header + 10 + n, ' ', 117 - (size_t)n);
    header[127] = '\n';
    if (fwrite(header, 1, 128, f) != 128)
        npy_die("cannot write the header");
}

#endif
