/* file_map.c - see file_map.h. */
#include "embed/file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum br_rc br_file_map_open(struct br_file_map *m, const char *path, struct br_err *err)
{
    struct stat st;
    *m = (struct br_file_map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* nor waits for who writes a pipe */
    if (fd < 0)
        return br_fail_errno(err, errno, "cannot open %s", path);
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
    void *p = ok ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (p == MAP_FAILED)
        return br_fail(err, BR_E_DATA, "%s is empty or no regular file", path);
    m->at = p;
    m->bytes = (size_t)st.st_size;
    return BR_OK;
}

void br_file_map_close(struct br_file_map *m)
{
    if (m->at)
        munmap(m->at, m->bytes);
    *m = (struct br_file_map){0};
}

bool br_file_is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

enum br_rc br_file_read(const char *path, size_t most, char **text, size_t *n, struct br_err *err)
{
    struct br_file_map m;
    enum br_rc rc = br_file_map_open(&m, path, err);
    if (rc != BR_OK)
        return rc;
    char *copy = m.bytes <= most ? malloc(m.bytes + 1) : NULL;
    if (m.bytes > most) {
        rc = br_fail(err, BR_E_DATA, "%s is larger than %zu bytes", path, most);
    } else if (!copy) {
        rc = br_fail_nomem(err);
    } else {
        memcpy(copy, m.at, m.bytes);
        copy[m.bytes] = 0;
        *text = copy;
        *n = m.bytes;
    }
    br_file_map_close(&m);
    return rc;
}
