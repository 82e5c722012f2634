/* freshness.c - how new an archive is, so that it does not matter in which order archives are imported. */
#include "source_int.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "entry_name.h"

#define SECOND_US INT64_C(1000000)
#define DAY_S     86400

/* The end of the day that names the file, 0 when there is no such day. */
static int64_t end_of_day(const char *entry)
{
    const char *slash = strrchr(entry, '/'), *name = slash ? slash + 1 : entry;
    if (!br_is_day_file(name))
        return 0;
    const struct tm named = {.tm_year = (int)strtol(name, NULL, 10) - 1900,
                             .tm_mon = (int)strtol(name + 5, NULL, 10) - 1,
                             .tm_mday = (int)strtol(name + 8, NULL, 10)};
    struct tm day = named;
    time_t start = timegm(&day); /* 2024-02-31 becomes another day */
    return start > 0 && day.tm_mday == named.tm_mday && day.tm_mon == named.tm_mon ? (start + DAY_S) * SECOND_US : 0;
}

/* A dump's files are named by channel; an archive without messages has lists only. */
static int64_t newest_modified(const struct br_source *s)
{
    int64_t newest = 0;
    for (size_t i = 0; i < s->n_files; i++)
        newest = BR_MAX(newest, s->container->entries[s->files[i].entry].modified);
    for (size_t i = 0; s->n_files == 0 && i < s->container->n; i++)
        if (br_has_suffix(s->container->entries[i].name, ".json"))
            newest = BR_MAX(newest, s->container->entries[i].modified);
    return newest;
}

int64_t br_date_archive(const struct br_source *s)
{
    int64_t newest = 0;
    for (size_t i = 0; i < s->n_files; i++) {
        int64_t end = s->files[i].is_day ? end_of_day(s->container->entries[s->files[i].entry].name) : 0;
        newest = BR_MAX(newest, end);
    }
    return newest ? newest : newest_modified(s);
}
