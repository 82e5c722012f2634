/* fuzz.c - see fuzz.h: inputs, changes and files in memory. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

char *fuzz_string(struct fuzz_input piece)
{
    char *s = malloc(piece.left + 1);
    BR_ASSERT(s);
    if (piece.left)
        memcpy(s, piece.at, piece.left);
    s[piece.left] = 0;
    return s;
}

int64_t fuzz_edge(uint8_t i)
{
    static const int64_t edges[] = {0,
                                    1,
                                    -1,
                                    2,
                                    7,
                                    64,
                                    4095,
                                    4096,
                                    4097,
                                    INT64_C(1) << 16,
                                    INT32_MAX,
                                    INT32_MIN,
                                    UINT32_MAX,
                                    INT64_C(1) << 32,
                                    INT64_C(1) << 40,
                                    (INT64_C(1) << 47) - 1,
                                    INT64_C(1) << 47,
                                    (INT64_C(1) << 47) + 1,
                                    INT64_C(1) << 62,
                                    INT64_MAX,
                                    INT64_MAX - 4096,
                                    INT64_MIN,
                                    1500000000000000};
    return edges[i % BR_COUNT(edges)];
}

static void set(uint8_t *bytes, size_t n, size_t at, const void *what, size_t len)
{
    if (at < n)
        memcpy(bytes + at, what, BR_MIN(len, n - at));
}

void fuzz_change(struct fuzz_input *in, uint8_t *bytes, size_t *n, size_t alloc)
{
    uint8_t op = (uint8_t)fuzz_number(in, 1);
    size_t at = *n ? (size_t)fuzz_number(in, 3) % *n : 0;
    int64_t edge;
    struct fuzz_input piece;
    switch (op % 4) {
    case 0:
        piece = fuzz_take(in, 1 + op / 4 % 16);
        if (piece.left)
            set(bytes, *n, at, piece.at, piece.left);
        break;
    case 1:
        edge = fuzz_edge((uint8_t)fuzz_number(in, 1));
        set(bytes, *n, at & ~(size_t)3, &edge, op & 4 ? 8 : 4);
        break;
    case 2: {
        size_t from = *n ? (size_t)fuzz_number(in, 3) % *n : 0, len = (size_t)fuzz_number(in, 1);
        memmove(bytes + at, bytes + from, BR_MIN(len, *n - BR_MAX(at, from)));
        break;
    }
    default: {
        size_t size = (size_t)fuzz_number(in, 3) % (alloc + 1);
        if (size > *n)
            memset(bytes + *n, 0, size - *n);
        *n = size;
    }
    }
}

const char *fuzz_file(int which, const void *bytes, size_t n)
{
    static struct {
        int fd;
        char path[32];
    } files[4];
    if (!files[which].path[0]) {
        files[which].fd = memfd_create("fuzz", MFD_CLOEXEC);
        BR_ASSERT(files[which].fd >= 0);
        snprintf(files[which].path, sizeof files[which].path, "/proc/self/fd/%d", files[which].fd);
    }
    BR_ASSERT(ftruncate(files[which].fd, 0) == 0);
    for (size_t done = 0; done < n;) {
        ssize_t r = pwrite(files[which].fd, (const char *)bytes + done, n - done, (off_t)done);
        BR_ASSERT(r > 0);
        done += (size_t)r;
    }
    return files[which].path;
}
