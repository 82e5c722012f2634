/* fault_archives.h - the archives that t_engine_survives_every_fault imports and migrates. Its part, behind its includes. */
#ifndef BR_TEST_FAULT_ARCHIVES_H
#define BR_TEST_FAULT_ARCHIVES_H

static char scratch[256], model_path[400], zip_first[400], zip_second[400], zip_long[400], dir_first[400], dump[1200], old_db[1200];
static struct br_home *shared; /* for its model */

#define CHANNELS                                                                                       \
    "channels.json", "[{\"id\":\"C0GENERAL01\",\"name\":\"general\",\"topic\":{\"value\":\"roads\"},"  \
                     "\"members\":[\"U1\",\"U2\"]},{\"id\":\"C0RANDOM002\",\"name\":\"random\"}]"
#define USERS                                                                                                                     \
    "users.json", "[{\"id\":\"U1\",\"team_id\":\"T1\",\"name\":\"ann\",\"profile\":{\"display_name\":\"Ann\",\"real_name\":\"Ann Ash\"}}," \
                  "{\"id\":\"U2\",\"team_id\":\"T1\",\"name\":\"bob\",\"profile\":{\"display_name\":\"Bob\"}}]"
#define THREAD "\"thread_ts\":\"1704103210.000100\""
#define WORDS "the road layers come from the survey of the lake and are loaded every night by the importer on the second machine"

static const struct file first_export[] = {
    {USERS},
    {CHANNELS},
    {"general/2024-01-01.json",
     "[" MESSAGE("U2", "01", "\"text\":\"hello <@U1> in <#C0GENERAL01>\",\"reactions\":[{\"name\":\"eyes\",\"users\":[\"U1\",\"U2\"],"
                             "\"count\":2},{\"name\":\"tada\",\"users\":[\"U1\"],\"count\":1}]") ","
     MESSAGE("U1", "02", "\"text\":\"a token: xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcBrzbqgy\"") ","
     MESSAGE("U1", "03", "\"text\":\"to be deleted, it has more words\",\"files\":[{\"id\":\"F1\",\"name\":\"map.png\",\"size\":12}]") ","
     MESSAGE("U1", "10", "\"text\":\"where do the road layers come from?\",\"reply_count\":3," THREAD) ","
     MESSAGE("U2", "11", "\"text\":\"" WORDS "\"," THREAD) "," MESSAGE("U9", "12", "\"text\":\"and from us: " WORDS ", says https://x.org\"," THREAD) ","
     MESSAGE("U1", "13", "\"text\":\"thank you both\"," THREAD) "]"},
    {"random/2024-01-01.json", "[" MESSAGE("U2", "20", "\"text\":\"lunch by the lake\"") "," MESSAGE("U1", "21", "\"text\":\":+1:\"") "]"},
};
static const struct file second_export[] = {
    {USERS},
    {CHANNELS},
    {"general/2024-01-01.json",
     "[" MESSAGE("U2", "01", "\"text\":\"hello <@U1> in <#C0GENERAL01>\",\"reactions\":[{\"name\":\"eyes\",\"users\":[\"U2\"],\"count\":1}]") ","
     MESSAGE("U1", "02", "\"text\":\"a sentence after the edit\",\"edited\":{\"user\":\"U1\",\"ts\":\"1704189602.000000\"}") ","
     MESSAGE("USLACKBOT", "03", "\"subtype\":\"tombstone\",\"text\":\"This message was deleted.\"") ","
     MESSAGE("U1", "10", "\"text\":\"where do the road layers come from?\",\"reply_count\":3," THREAD) ","
     MESSAGE("U2", "11", "\"text\":\"edited: " WORDS "\",\"edited\":{\"user\":\"U2\",\"ts\":\"1704189603.000000\"}," THREAD) ","
     MESSAGE("U9", "12", "\"text\":\"and from us: " WORDS ", says https://x.org\"," THREAD) ","
     "{\"type\":\"message\",\"subtype\":\"message_deleted\",\"ts\":\"1704189604.000000\",\"deleted_ts\":\"1704103213.000100\"}" "]"},
    {"random/2024-01-01.json", "[" MESSAGE("U2", "20", "\"text\":\"lunch by the lake\"") "," MESSAGE("U1", "21", "\"text\":\":+1:\"") "]"},
    {"random/2024-01-02.json", "[" MESSAGE("U1", "40", "\"text\":\"the second day: more roads\"") "]"},
};

/* Four batches, so that more wait than the pipeline takes. */
static void write_long_zip(void)
{
    char *day = NULL;
    size_t n;
    FILE *f = open_memstream(&day, &n);
    fputc('[', f);
    for (int i = 0; i < 1100; i++)
        fprintf(f, "%s{\"type\":\"message\",\"user\":\"U%d\",\"ts\":\"%d.000100\",\"text\":\"road %d of %d\"}", i ? "," : "", 1 + i % 2,
                1704103200 + i, i, i % 7);
    fputc(']', f);
    fclose(f);
    const struct file files[] = {{USERS}, {CHANNELS}, {"general/2024-01-01.json", day}};
    write_zip(zip_long, files, BR_COUNT(files));
    free(day);
}

static void write_dir(const char *dir, const struct file *files, size_t n)
{
    assert_int_equal(mkdir(dir, 0700), 0);
    for (size_t i = 0; i < n; i++) {
        char path[700];
        const char *slash = strchr(files[i].name, '/');
        if (slash) {
            snprintf(path, sizeof path, "%s/%.*s", dir, (int)(slash - files[i].name), files[i].name);
            (void)mkdir(path, 0700);
        }
        snprintf(path, sizeof path, "%s/%s", dir, files[i].name);
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        fputs(files[i].text, f);
        fclose(f);
    }
}

static void write_archives(void)
{
    snprintf(zip_first, sizeof zip_first, "%s/first.zip", scratch);
    snprintf(zip_second, sizeof zip_second, "%s/second.zip", scratch);
    snprintf(zip_long, sizeof zip_long, "%s/long.zip", scratch);
    snprintf(dir_first, sizeof dir_first, "%s/first", scratch);
    write_zip(zip_first, first_export, BR_COUNT(first_export));
    write_zip(zip_second, second_export, BR_COUNT(second_export));
    write_dir(dir_first, first_export, BR_COUNT(first_export));
    write_long_zip();
    e2e_source_path(dump, sizeof dump, "tests/data/legacy/eleven.sql");
    e2e_source_path(old_db, sizeof old_db, "tests/data/legacy/eleven.db");
}

#endif
