/* archive_faults.h - the calls that read archives fail on demand: a test that is linked with these names wrapped (tests/CMakeLists.txt) includes it
 * once. */
#ifndef BR_TEST_ARCHIVE_FAULTS_H
#define BR_TEST_ARCHIVE_FAULTS_H

#include "sim/stacks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

static bool archive_counts;
static uint64_t archive_calls, archive_at;
static int archive_errno; /* 0: be short */
static bool archive_sticky, archive_failed;

static bool archive_fails(void)
{
    if (!archive_counts)
        return false;
    uint64_t n = ++archive_calls;
    sim_stacks_call(SIM_ARCHIVE_CALL, n, n == archive_at);
    if (!archive_at || n < archive_at || (n > archive_at && !archive_sticky))
        return false;
    archive_failed = true;
    errno = archive_errno;
    return true;
}

#define ARCHIVE_WRAP(type, name, params, args, failure)                              \
    type __real_##name params;                                                       \
    type __wrap_##name params;                                                       \
    type __wrap_##name params                                                        \
    {                                                                                \
        return archive_fails() && archive_errno ? (failure) : __real_##name args;    \
    }
ARCHIVE_WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL)
ARCHIVE_WRAP(int, stat, (const char *path, struct stat *st), (path, st), -1)
ARCHIVE_WRAP(int, fstat, (int fd, struct stat *st), (fd, st), -1)
ARCHIVE_WRAP(int, fstatat, (int fd, const char *path, struct stat *st, int flags), (fd, path, st, flags), -1)
ARCHIVE_WRAP(DIR *, fdopendir, (int fd), (fd), NULL)
ARCHIVE_WRAP(struct dirent *, readdir, (DIR * d), (d), NULL)

int __real_open(const char *path, int flags, unsigned mode);
int __wrap_open(const char *path, int flags, unsigned mode);
int __wrap_open(const char *path, int flags, unsigned mode)
{
    return archive_fails() && archive_errno ? -1 : __real_open(path, flags, mode);
}
int __real_openat(int fd, const char *path, int flags, unsigned mode);
int __wrap_openat(int fd, const char *path, int flags, unsigned mode);
int __wrap_openat(int fd, const char *path, int flags, unsigned mode)
{
    return archive_fails() && archive_errno ? -1 : __real_openat(fd, path, flags, mode);
}
ssize_t __real_read(int fd, void *buf, size_t n);
ssize_t __wrap_read(int fd, void *buf, size_t n);
ssize_t __wrap_read(int fd, void *buf, size_t n)
{
    bool fails = archive_fails();
    return fails && archive_errno ? -1 : __real_read(fd, buf, fails && n > 1 ? n / 2 : n);
}
size_t __real_fread(void *buf, size_t size, size_t n, FILE *f);
size_t __wrap_fread(void *buf, size_t size, size_t n, FILE *f);
size_t __wrap_fread(void *buf, size_t size, size_t n, FILE *f)
{
    if (!archive_fails() || !archive_errno) /* short only at the end, or after an error */
        return __real_fread(buf, size, n, f);
    int fd = dup(fileno(f)), error = archive_errno; /* an error of the stream is made by a descriptor that cannot be read */
    char one;
    int null = __real_open("/dev/null", O_WRONLY, 0);
    dup2(null, fileno(f));
    setvbuf(f, NULL, _IONBF, 0);
    (void)!__real_fread(&one, 1, 1, f);
    dup2(fd, fileno(f));
    close(null);
    close(fd);
    errno = error;
    return 0;
}
zip_t *__real_zip_open(const char *path, int flags, int *error);
zip_t *__wrap_zip_open(const char *path, int flags, int *error);
zip_t *__wrap_zip_open(const char *path, int flags, int *error)
{
    if (!archive_fails() || !archive_errno)
        return __real_zip_open(path, flags, error);
    if (error)
        *error = ZIP_ER_READ;
    errno = archive_errno;
    return NULL;
}
zip_file_t *__real_zip_fopen_index(zip_t *z, zip_uint64_t i, zip_flags_t flags);
zip_file_t *__wrap_zip_fopen_index(zip_t *z, zip_uint64_t i, zip_flags_t flags);
zip_file_t *__wrap_zip_fopen_index(zip_t *z, zip_uint64_t i, zip_flags_t flags)
{
    if (!archive_fails() || !archive_errno)
        return __real_zip_fopen_index(z, i, flags);
    zip_error_set(zip_get_error(z), ZIP_ER_READ, archive_errno);
    return NULL;
}
zip_int64_t __real_zip_fread(zip_file_t *f, void *buf, zip_uint64_t n);
zip_int64_t __wrap_zip_fread(zip_file_t *f, void *buf, zip_uint64_t n);
zip_int64_t __wrap_zip_fread(zip_file_t *f, void *buf, zip_uint64_t n)
{
    bool fails = archive_fails();
    if (!fails || !archive_errno)
        return __real_zip_fread(f, buf, fails && n > 1 ? n / 2 : n);
    zip_error_set(zip_file_get_error(f), ZIP_ER_READ, archive_errno);
    return -1;
}

#endif
