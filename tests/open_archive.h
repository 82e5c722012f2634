/* open_archive.h - what tests that ask one open workspace share: a scratch home, filled by an import. Header-only; include once a program. */
#ifndef BR_TEST_OPEN_ARCHIVE_H
#define BR_TEST_OPEN_ARCHIVE_H

#include "tiny_model.h"

#include "small_export.h"

#include <jansson.h>

static char home_dir[1024], home_model[1200];
static struct br_home *home;
static struct br_workspace *ws;

/* With a small model whose vectors mean nothing, or else the one that the program has inside. */
static inline void archive_make(bool with_tiny_model)
{
    e2e_scratch(home_dir, sizeof home_dir);
    if (with_tiny_model)
        tiny_model(home_dir, home_model, sizeof home_model);
    home = e2e_home(home_dir, with_tiny_model ? home_model : NULL);
}

static inline void archive_open(void)
{
    struct br_error err = {0};
    if (br_workspace_open(home, NULL, &ws, &err))
        fail_msg("%s", err.message);
}

/* Imports what is at path, and opens the workspace. */
static inline struct br_import_report archive_fill(const char *path)
{
    struct br_import_reports r = e2e_import(home, path, false);
    struct br_import_report sum = r.sum;
    br_import_reports_free(&r);
    archive_open();
    return sum;
}

/* With the sample workspace. */
static inline struct br_import_report archive_fill_with_sample(void)
{
    char zip[2048];
    e2e_source_path(zip, sizeof zip, "data/sample/houstondatavis.zip");
    return archive_fill(zip);
}

/* Imports one channel, C00000001, whose one day has these messages. Takes day over. */
static inline struct br_import_report archive_import_day(struct br_home *into, const char *users, json_t *day)
{
    char zip[1200], *text = json_dumps(day, 0);
    snprintf(zip, sizeof zip, "%s/export.zip", home_dir);
    const struct file files[] = {{"users.json", users},
                                 {"channels.json", "[{\"id\":\"C00000001\",\"name\":\"general\",\"members\":[]}]"},
                                 {"general/2024-01-01.json", text}};
    write_zip(zip, files, 3);
    free(text);
    json_decref(day);
    struct br_import_reports r = e2e_import(into, zip, false);
    struct br_import_report sum = r.sum;
    br_import_reports_free(&r);
    return sum;
}

/* The same, and opens the workspace. */
static inline struct br_import_report archive_fill_with_day(const char *users, json_t *day)
{
    struct br_import_report sum = archive_import_day(home, users, day);
    archive_open();
    return sum;
}

/* cmocka's teardown. */
static inline int archive_remove(void **state)
{
    (void)state;
    br_workspace_close(ws);
    br_home_close(home);
    e2e_remove_tree(home_dir);
    return 0;
}

#endif
