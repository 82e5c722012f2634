/* upkeep.h - what the tests of forget, compact and repair share: a small archive in one directory, changed and read at
 * will, and a search of raw files. Header-only; include once a program. */
#ifndef BR_TEST_UPKEEP_H
#define BR_TEST_UPKEEP_H

#include "e2e.h"
#include "tiny_model.h"

#include <dirent.h>
#include <sys/stat.h>

struct fixture {
    char dir[256], home[300], export_dir[300], ws_dir[400];
    struct br_home *h;
    json_t *days[2]; /* messages of the channels general and random */
};
static const char *const up_channel_names[] = {"general", "random"};
static const char *const up_channel_ids[] = {"C0GENERAL01", "C0RANDOM002"};

static inline void up_write(const struct fixture *f, const char *name, json_t *v)
{
    char path[500];
    snprintf(path, sizeof path, "%s/%s", f->export_dir, name);
    assert_int_equal(json_dump_file(v, path, 0), 0);
}

/* "1704103200.000100" plus n seconds. */
static inline const char *up_ts(int n)
{
    static char buf[4][32];
    static int at;
    at = (at + 1) % 4;
    snprintf(buf[at], sizeof buf[at], "%d.000100", 1704103200 + n);
    return buf[at];
}

static inline json_t *up_message(struct fixture *f, int channel, int n, const char *user, const char *text, int thread)
{
    json_t *m = json_pack("{ss ss ss ss}", "type", "message", "user", user, "text", text, "ts", up_ts(n));
    if (thread >= 0)
        json_object_set_new(m, "thread_ts", json_string(up_ts(thread)));
    json_array_append_new(f->days[channel], m);
    return m;
}

static inline json_t *up_user(const char *id, const char *name, const char *real, const char *display)
{
    return json_pack("{ss ss ss s{ss ss}}", "id", id, "team_id", "T0UPKEEP1", "name", name, "profile", "real_name",
                     real, "display_name", display);
}

static inline void up_write_export(struct fixture *f)
{
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/2024-01-01.json", up_channel_names[i]);
        up_write(f, name, f->days[i]);
    }
}

static inline void up_import(struct fixture *f)
{
    up_write_export(f);
    struct br_import_reports r = e2e_import(f->h, f->export_dir, false);
    snprintf(f->ws_dir, sizeof f->ws_dir, "%s/workspaces/%s", f->home, r.sum.workspace);
    br_import_reports_free(&r);
}

static char up_model_dir[256], up_model_path[320];

static inline void up_remove_model(void)
{
    e2e_remove_tree(up_model_dir);
}

/* One for all tests of a program. */
static inline const char *up_model(void)
{
    if (!up_model_dir[0]) {
        e2e_scratch(up_model_dir, sizeof up_model_dir);
        tiny_model(up_model_dir, up_model_path, sizeof up_model_path);
        atexit(up_remove_model);
    }
    return up_model_path;
}

static inline void up_begin(struct fixture *f)
{
    char path[400];
    *f = (struct fixture){0};
    e2e_scratch(f->dir, sizeof f->dir);
    snprintf(f->home, sizeof f->home, "%s/home", f->dir);
    snprintf(f->export_dir, sizeof f->export_dir, "%s/export", f->dir);
    assert_int_equal(mkdir(f->export_dir, 0700), 0);
    json_t *channels = json_array();
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", f->export_dir, up_channel_names[i]);
        assert_int_equal(mkdir(path, 0700), 0);
        json_array_append_new(channels, json_pack("{ss ss s[ss]}", "id", up_channel_ids[i], "name", up_channel_names[i],
                                                  "members", "U0ADALOVE", "U0BABBAGE"));
        f->days[i] = json_array();
    }
    up_write(f, "channels.json", channels);
    json_decref(channels);
    json_t *users =
        json_pack("[oo]", up_user("U0ADALOVE", "adacountess", "Augusta Ada Byron King", "Countess Lovelace"),
                  up_user("U0BABBAGE", "charles", "Charles Babbage", "Difference Charles"));
    up_write(f, "users.json", users);
    json_decref(users);
    f->h = e2e_home(f->home, up_model());
}

static inline void up_end(struct fixture *f)
{
    br_home_close(f->h);
    json_decref(f->days[0]);
    json_decref(f->days[1]);
    e2e_remove_tree(f->dir);
}

/* --- Raw files --- */

struct up_file {
    char *bytes;
    size_t n;
};

static inline struct up_file up_read(const char *path)
{
    struct up_file r = {0};
    FILE *in = fopen(path, "rb");
    if (!in)
        return r;
    fseek(in, 0, SEEK_END);
    r.n = (size_t)ftell(in);
    rewind(in);
    r.bytes = malloc(r.n + 1);
    assert_non_null(r.bytes);
    assert_int_equal(fread(r.bytes, 1, r.n, in), r.n);
    fclose(in);
    return r;
}

#define UP_PIECE 12
/* The name of a file of the workspace (or the registry) that holds any 12-byte piece of the needle; NULL none. */
static inline const char *up_find(const struct fixture *f, const void *needle, size_t n)
{
    static char found[700];
    DIR *d = opendir(f->ws_dir);
    assert_non_null(d);
    char path[700];
    for (struct dirent *e;;) {
        e = readdir(d);
        if (e)
            snprintf(path, sizeof path, "%s/%s", f->ws_dir, e->d_name);
        else
            snprintf(path, sizeof path, "%s/registry.db", f->home);
        struct up_file file = e && e->d_name[0] == '.' ? (struct up_file){0} : up_read(path);
        bool hit = false;
        for (size_t i = 0; i + UP_PIECE <= n && !hit && file.n; i++)
            hit = memmem(file.bytes, file.n, (const char *)needle + i, UP_PIECE) != NULL;
        free(file.bytes);
        if (hit) {
            memcpy(found, path, sizeof found);
            closedir(d);
            return found;
        }
        if (!e)
            break;
    }
    closedir(d);
    return NULL;
}

static inline void up_gone(const struct fixture *f, const char *needle)
{
    const char *where = up_find(f, needle, strlen(needle));
    if (where)
        fail_msg("\"%s\" is still in %s", needle, where);
}

static inline void up_there(const struct fixture *f, const char *needle)
{
    if (!up_find(f, needle, strlen(needle)))
        fail_msg("\"%s\" is nowhere", needle);
}

/* A search's hits as one text: channel, ts, kind, score. */
static inline char *up_search(const struct fixture *f, const char *query, bool exact)
{
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    struct br_search_results r = {0};
    struct br_search_options opt = {.n = 50, .exact = exact};
    char *out = NULL;
    size_t n = 0;
    FILE *m = open_memstream(&out, &n);
    if (br_workspace_open(f->h, NULL, &ws, &err) || br_search(ws, query, &opt, &r, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < r.count; i++)
        fprintf(m, "%s %lld %d %.9f %.6f %s\n", r.hits[i].message.channel_id, (long long)r.hits[i].message.ts,
                r.hits[i].kind, r.hits[i].score, r.hits[i].semantic, r.hits[i].message.text);
    fclose(m);
    br_search_results_free(&r);
    br_workspace_close(ws);
    return out;
}

static inline struct br_workspace_status up_status(const struct fixture *f)
{
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    struct br_workspace_status s = {0};
    if (br_workspace_open(f->h, NULL, &ws, &err) || br_workspace_status(ws, &s, &err))
        fail_msg("%s", err.message);
    br_workspace_close(ws);
    return s;
}

/* Words that no other text has; good for the next 4096 calls. */
static inline const char *up_words(unsigned seed)
{
    static char buf[4096][160];
    static int at;
    at = (at + 1) % 4096;
    char *p = buf[at];
    for (int w = 0; w < 6; w++) {
        for (int i = 0; i < 16; i++)
            *p++ = (char)('a' + rand_r(&seed) % 26);
        *p++ = w < 5 ? ' ' : 0;
    }
    return buf[at];
}

#endif
