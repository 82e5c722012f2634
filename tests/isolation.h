/* isolation.h - two workspaces full of canaries, and homes that hold one or both. Header-only; include once a program.
 *
 * Every string that a workspace owns (texts, names, topics, file names, bot names, reactions, ids, keys of the raw JSON) contains acanary or
 * bcanary in some case. Both workspaces have the same number of everything, at the same times. */
#ifndef BR_TEST_ISOLATION_H
#define BR_TEST_ISOLATION_H

#include "e2e.h"
#include "tiny_model.h"

#include <ctype.h>
#include <dirent.h>
#include <sys/stat.h>

#define TEAM_A "T0ALPHA01"
#define TEAM_B "T0BRAVO01"
#define CANARY_A "acanary"
#define CANARY_B "bcanary"

static struct {
    char scratch[256], model[300], export_a[300], export_b[300];
    char both[300], alone[300]; /* homes: A and B; A only */
} iso;

static inline void iso_write(const char *dir, const char *name, const char *text)
{
    char path[1400];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* x: 'a' or 'b'. @ stands for it (but not in a mention, <@), ^ for its capital. */
static inline char *iso_fill(char x, const char *pattern, char *out, size_t n)
{
    size_t i = 0;
    for (char before = 0; *pattern && i + 1 < n; before = *pattern++)
        out[i++] = *pattern == '@' && before != '<' ? x : *pattern == '^' ? (char)toupper((unsigned char)x) : *pattern;
    out[i] = 0;
    return out;
}

static inline void iso_export(char x, const char *team, const char *dir)
{
    static const char *const words[] = {"deployment", "failed", "lake", "config", "lunch", "release", "pipeline", "invoice", "garden", "copper"};
    static char text[1 << 19], filled[1 << 19];
    char name[1300];
    assert_int_equal(mkdir(dir, 0700), 0);
    snprintf(text, sizeof text,
             "[{\"id\":\"U0^CANARY01\",\"team_id\":\"%s\",\"name\":\"@canaryuser\",\"real_name\":\"Ada @canaryreal\","
             "\"profile\":{\"display_name\":\"@canarydisplay\"}},"
             "{\"id\":\"U0^CANARY02\",\"team_id\":\"%s\",\"name\":\"@canaryother\",\"real_name\":\"Bob @canarysecond\","
             "\"profile\":{\"display_name\":\"\"}}]",
             team, team);
    iso_write(dir, "users.json", iso_fill(x, text, filled, sizeof filled));
    iso_write(dir, "channels.json",
              iso_fill(x,
                       "[{\"id\":\"C0^CANARY01\",\"name\":\"@canarygeneral\",\"created\":1704000000,\"creator\":\"U0^CANARY01\","
                       "\"members\":[\"U0^CANARY01\",\"U0^CANARY02\"],\"topic\":{\"value\":\"@canarytopic\"},"
                       "\"purpose\":{\"value\":\"@canarypurpose\"}}]",
                       filled, sizeof filled));
    iso_write(dir, "groups.json",
              iso_fill(x,
                       "[{\"id\":\"G0^CANARY01\",\"name\":\"@canaryprivate\",\"created\":1704000000,\"creator\":\"U0^CANARY01\","
                       "\"members\":[\"U0^CANARY01\"],\"topic\":{\"value\":\"\"},\"purpose\":{\"value\":\"\"}}]",
                       filled, sizeof filled));
    for (int c = 0; c < 2; c++) {
        snprintf(name, sizeof name, "%s/%ccanary%s", dir, x, c ? "private" : "general");
        assert_int_equal(mkdir(name, 0700), 0);
        size_t n = (size_t)snprintf(text, sizeof text, "[");
        for (int i = 0; i < 60; i++) {
            n += (size_t)snprintf(text + n, sizeof text - n,
                                  "%s{\"type\":\"message\",\"user\":\"U0^CANARY0%d\",\"team\":\"%s\",\"ts\":\"17041%05d.000100\",\"@canarykey\":"
                                  "\"@canaryraw%d\",\"text\":\"the %s %s @canarytext%d and <@U0^CANARY01> %s\"",
                                  i ? "," : "", 1 + i % 2, team, 3200 + 60 * i + c, i, words[i % 10], words[i * 7 / 10 % 10], i,
                                  i % 5 == 4 ? "see <https://@canary.example/x>" : "");
            if (i % 6 == 1)
                n += (size_t)snprintf(text + n, sizeof text - n, ",\"thread_ts\":\"17041%05d.000100\"", 3200 + 60 * (i - 1) + c);
            if (i % 7 == 0)
                n += (size_t)snprintf(text + n, sizeof text - n,
                                      ",\"reactions\":[{\"name\":\"@canaryemoji\",\"count\":1,\"users\":[\"U0^CANARY02\"]}]");
            if (i % 8 == 3)
                n += (size_t)snprintf(text + n, sizeof text - n,
                                      ",\"files\":[{\"id\":\"F0^CANARY%02d\",\"name\":\"@canaryfile%d.pdf\",\"title\":\"@canarytitle\","
                                      "\"mimetype\":\"application/pdf\",\"mode\":\"hosted\",\"size\":77}]",
                                      i, i);
            if (i % 9 == 5)
                n += (size_t)snprintf(text + n, sizeof text - n,
                                      ",\"subtype\":\"bot_message\",\"bot_id\":\"B0^CANARY01\",\"username\":\"@canarybot\"");
            n += (size_t)snprintf(text + n, sizeof text - n, "}");
        }
        /* what an import warns about, with a canary in it */
        n += (size_t)snprintf(text + n, sizeof text - n, ",{\"type\":\"message\",\"ts\":\"@canarybadts\",\"text\":\"@canarylost\"}]");
        assert_true(n < sizeof text - 1);
        iso_write(name, "2024-01-01.json", iso_fill(x, text, filled, sizeof filled));
    }
}

static inline void iso_import(const char *home_dir, const char *path, const char *team)
{
    struct br_home *home = e2e_home(home_dir, iso.model);
    struct br_import_reports r = e2e_import(home, path, false);
    assert_string_equal(r.sum.workspace, team);
    br_import_reports_free(&r);
    br_home_close(home);
}

static inline int iso_setup(void **state)
{
    (void)state;
    e2e_scratch(iso.scratch, sizeof iso.scratch);
    tiny_model(iso.scratch, iso.model, sizeof iso.model);
    snprintf(iso.export_a, sizeof iso.export_a, "%s/export-a", iso.scratch);
    snprintf(iso.export_b, sizeof iso.export_b, "%s/export-b", iso.scratch);
    snprintf(iso.both, sizeof iso.both, "%s/both", iso.scratch);
    snprintf(iso.alone, sizeof iso.alone, "%s/alon", iso.scratch); /* as long as "both" */
    iso_export('a', TEAM_A, iso.export_a);
    iso_export('b', TEAM_B, iso.export_b);
    iso_import(iso.both, iso.export_b, TEAM_B);
    iso_import(iso.both, iso.export_a, TEAM_A);
    iso_import(iso.both, iso.export_b, TEAM_B);
    iso_import(iso.alone, iso.export_a, TEAM_A);
    return 0;
}

static inline int iso_teardown(void **state)
{
    (void)state;
    e2e_remove_tree(iso.scratch);
    return 0;
}

static inline void iso_dir(char *out, size_t n, const char *home, const char *team)
{
    snprintf(out, n, "%s/workspaces/%s", home, team);
}

/* Do these bytes hold the word, in any case? */
static inline bool iso_has(const void *bytes, size_t n, const char *word)
{
    const unsigned char *p = bytes;
    size_t w = strlen(word);
    for (size_t i = 0; i + w <= n; i++) {
        size_t k = 0;
        while (k < w && tolower(p[i + k]) == word[k])
            k++;
        if (k == w)
            return true;
    }
    return false;
}

static inline bool iso_file_has(const char *path, const char *word)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f || fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode)) {
        if (f)
            fclose(f);
        return false;
    }
    char *bytes = malloc((size_t)st.st_size + 1);
    assert_non_null(bytes);
    size_t n = fread(bytes, 1, (size_t)st.st_size, f);
    fclose(f);
    bool has = iso_has(bytes, n, word);
    free(bytes);
    return has;
}

/* In how many files of a directory? The name of one of them into where (may be NULL). */
static inline size_t iso_dir_has(const char *dir, const char *word, char where[300])
{
    char path[1500];
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.' && iso_file_has(path, word)) {
            n++;
            if (where)
                snprintf(where, 300, "%s", e->d_name);
        }
    }
    closedir(d);
    return n;
}

static inline void iso_copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(in && out);
    for (int c; (c = fgetc(in)) != EOF;)
        fputc(c, out);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* A copy of a home, flat files and workspaces/ID/ files. */
static inline void iso_copy_home(const char *from, const char *to)
{
    static const char *const teams[] = {TEAM_A, TEAM_B};
    char a[1500], b[1500], x[1800], y[1800];
    assert_int_equal(mkdir(to, 0700), 0);
    snprintf(a, sizeof a, "%s/registry.db", from);
    snprintf(b, sizeof b, "%s/registry.db", to);
    iso_copy_file(a, b);
    snprintf(b, sizeof b, "%s/workspaces", to);
    assert_int_equal(mkdir(b, 0700), 0);
    for (int i = 0; i < 2; i++) {
        iso_dir(a, sizeof a, from, teams[i]);
        iso_dir(b, sizeof b, to, teams[i]);
        DIR *d = opendir(a);
        if (!d)
            continue;
        assert_int_equal(mkdir(b, 0700), 0);
        for (struct dirent *e; (e = readdir(d));) {
            snprintf(x, sizeof x, "%s/%s", a, e->d_name);
            snprintf(y, sizeof y, "%s/%s", b, e->d_name);
            if (e->d_name[0] != '.')
                iso_copy_file(x, y);
        }
        closedir(d);
    }
}

#endif
