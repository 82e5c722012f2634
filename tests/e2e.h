/* e2e.h - what the end-to-end tests share: scratch homes, test data, files as bytes. Header-only; include once a program. */
#ifndef BR_TEST_E2E_H
#define BR_TEST_E2E_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backread.h"

static inline int e2e_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void e2e_remove_tree(const char *path)
{
    nftw(path, e2e_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A new empty directory below the temporary directory. */
static inline void e2e_scratch(char *out, size_t n)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(out, n, "%s/backread-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(out));
}

/* A file of the repository. */
static inline void e2e_source_path(char *out, size_t n, const char *relative)
{
    const char *root = getenv("BACKREAD_SOURCE_DIR");
    snprintf(out, n, "%s/%s", root ? root : ".", relative);
}

/* A file of the large test data; false (and a line saying so) when it is not there. */
static inline bool e2e_data_path(char *out, size_t n, const char *relative)
{
    const char *root = getenv("BACKREAD_TEST_DATA");
    if (root) {
        snprintf(out, n, "%s/%s", root, relative);
        if (access(out, R_OK) == 0)
            return true;
    }
    printf("SKIPPED: %s is not available (BACKREAD_TEST_DATA)\n", relative);
    return false;
}

static inline struct br_home *e2e_home(const char *dir, const char *model)
{
    struct br_error err = {0};
    struct br_home *home = NULL;
    if (br_home_open(dir, model, &home, &err))
        fail_msg("%s", err.message);
    return home;
}

static inline struct br_import_reports e2e_import(struct br_home *home, const char *path, bool dry_run)
{
    struct br_error err = {0};
    struct br_import_reports reports = {0};
    const struct br_import_options options = {.dry_run = dry_run};
    if (br_import(home, path, &options, &reports, &err))
        fail_msg("%s: %s", path, err.message);
    return reports;
}

static inline void e2e_verify(struct br_home *home, const char *workspace)
{
    struct br_error err = {0};
    struct br_verify_report r = {0};
    if (br_verify(home, workspace, true, &r, &err))
        fail_msg("verify: %s", err.message);
    if (!r.ok)
        fail_msg("verify: %s", r.first_problem);
}

static const char *e2e_needle;
static size_t e2e_needle_found;

static inline int e2e_scan_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type != FTW_F || st->st_size == 0)
        return 0;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *bytes = malloc((size_t)st->st_size);
    assert_non_null(bytes);
    size_t n = fread(bytes, 1, (size_t)st->st_size, f);
    fclose(f);
    if (memmem(bytes, n, e2e_needle, strlen(e2e_needle)))
        e2e_needle_found++;
    free(bytes);
    return 0;
}

/* In how many files below dir do these bytes occur? */
static inline size_t e2e_files_with(const char *dir, const char *bytes)
{
    e2e_needle = bytes;
    e2e_needle_found = 0;
    assert_int_equal(nftw(dir, e2e_scan_one, 16, FTW_PHYS), 0);
    return e2e_needle_found;
}

#endif
