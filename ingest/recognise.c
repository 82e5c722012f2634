/* recognise.c - tells exports from other archives, and finds where in the archive the export begins. */
#include "source_int.h"

#include <ctype.h>
#include <string.h>

#include "entry_name.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static size_t depth_of(const char *path)
{
    size_t n = 0;
    for (; *path; path++)
        n += *path == '/';
    return n;
}

static bool is_list_name(const char *name)
{
    static const char *const names[] = {"channels.json", "users.json", "org_users.json",
                                        "groups.json",   "dms.json",   "mpims.json"};
    for (size_t i = 0; i < BR_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Bytes of the id of a conversation that name starts with, 0 when it starts with none. */
static size_t id_length(const char *name)
{
    size_t n = 0;
    while (n < 31 && (isupper((unsigned char)name[n]) || isdigit((unsigned char)name[n])))
        n++;
    return n >= 9 && strchr("CDG", name[0]) ? n : 0;
}

bool br_is_conversation_id(const char *name)
{
    size_t n = id_length(name);
    return n && !name[n];
}

enum br_channel_kind br_kind_of_id(const char *id, const char *name)
{
    if (id[0] == 'D')
        return BR_CHANNEL_DM;
    if (id[0] != 'G' && id[0] != 'C')
        return BR_CHANNEL_PUBLIC;
    if (name && strncmp(name, "mpdm-", 5) == 0)
        return BR_CHANNEL_GROUP_DM;
    return id[0] == 'G' ? BR_CHANNEL_PRIVATE : BR_CHANNEL_PUBLIC;
}

bool br_dump_file_id(const char *name, char id[static 32])
{
    size_t n = id_length(name);
    if (!n)
        return false;
    memcpy(id, name, n);
    id[n] = 0;
    const char *rest = name + n;
    if (*rest == '-')
        rest += 1 + strspn(rest + 1, "0123456789.");
    if (rest > name + n && rest[-1] == '.')
        rest--; /* the point of the suffix */
    return strcmp(rest, ".json") == 0;
}

/* The folder of the entry, with its slash; "teams/<folder>/" of a Grid export belongs to the root above it. */
static const char *folder_of(struct br_source *s, const char *path)
{
    size_t n = (size_t)(base_name(path) - path);
    if (n) {
        size_t last = n - 1;
        while (last && path[last - 1] != '/')
            last--;
        if (last >= 6 && memcmp(path + last - 6, "teams/", 6) == 0 && (last == 6 || path[last - 7] == '/'))
            n = last - 6;
    }
    return br_arena_strn(&s->strings, path, n);
}

/* ".../teams/<folder>/users.json" */
static bool is_grid_list(const char *path)
{
    size_t depth = depth_of(path);
    while (depth-- > 2)
        path = strchr(path, '/') + 1;
    return strncmp(path, "teams/", 6) == 0 && strchr(path + 6, '/');
}

static bool is_grid(const struct br_source *s)
{
    size_t root = strlen(s->root);
    for (size_t i = 0; i < s->container->n; i++) {
        const char *name = s->container->entries[i].name;
        if (strncmp(name, s->root, root) == 0 && strncmp(name + root, "teams/", 6) == 0 && depth_of(name + root) == 2 &&
            is_list_name(base_name(name)))
            return true;
    }
    return false;
}

/* A file somebody attached to a message, as slackdump keeps it: its name tells nothing about the archive. */
static bool is_attached(const char *path)
{
    static const char *const folders[] = {"__uploads/", "attachments/"};
    for (size_t i = 0; i < BR_COUNT(folders); i++) {
        const char *at = strstr(path, folders[i]);
        while (at && at != path && at[-1] != '/')
            at = strstr(at + 1, folders[i]);
        if (at)
            return true;
    }
    return false;
}

/* The shallowest entry that fits; BR_ID_NONE: none. */
static uint32_t shallowest(const struct br_source *s, bool (*fits)(const char *base))
{
    uint32_t best = BR_ID_NONE;
    size_t best_depth = SIZE_MAX;
    for (size_t i = 0; i < s->container->n; i++) {
        const char *name = s->container->entries[i].name;
        if (fits(base_name(name)) && depth_of(name) < best_depth && !is_attached(name)) {
            best = (uint32_t)i;
            best_depth = depth_of(name);
        }
    }
    return best;
}

static bool is_dump_name(const char *base)
{
    char id[32];
    return br_dump_file_id(base, id);
}

static bool is_chunk_name(const char *base)
{
    return br_has_suffix(base, ".json.gz");
}

static bool is_database_name(const char *base)
{
    return br_has_suffix(base, ".sqlite");
}

/* "<root><folder>/<day>.json" */
static bool is_day_below(const char *path, const char *root)
{
    size_t n = strlen(root);
    return strncmp(path, root, n) == 0 && depth_of(path + n) == 1 && br_is_day_file(base_name(path)) && !is_attached(path);
}

static bool has_day_files(const struct br_source *s, const char *root)
{
    for (size_t i = 0; i < s->container->n; i++)
        if (is_day_below(s->container->entries[i].name, root))
            return true;
    return false;
}

/* The single-user variant: channels/ and dms/ with text files, perhaps below one more folder. */
static bool is_txt_export(const struct br_source *s)
{
    for (size_t i = 0; i < s->container->n; i++) {
        const char *name = s->container->entries[i].name, *slash = strchr(name, '/');
        if (!br_has_suffix(name, ".txt"))
            continue;
        const char *below = slash ? slash + 1 : name;
        if (strncmp(name, "channels/", 9) == 0 || strncmp(name, "dms/", 4) == 0 ||
            strncmp(below, "channels/", 9) == 0 || strncmp(below, "dms/", 4) == 0)
            return true;
    }
    return false;
}

static enum br_rc refuse(const struct br_source *s, struct br_err *err)
{
    const char *path = s->container->path;
    uint32_t found;
    if ((found = shallowest(s, is_chunk_name)) != BR_ID_NONE || (found = shallowest(s, is_database_name)) != BR_ID_NONE)
        return br_fail(err, BR_E_DATA,
                       "not_an_export: %s: %.100s is slackdump's own format; convert it first: slackdump convert -f "
                       "export -o OUT.zip DIR",
                       path, s->container->entries[found].name);
    if (is_txt_export(s))
        return br_fail(err, BR_E_DATA,
                       "txt_export: %s is a single-user text export, without times or threads; ask for a JSON export",
                       path);
    return br_fail(err, BR_E_DATA,
                   "not_an_export: %s holds neither channels.json nor users.json; give the ZIP or directory that does",
                   path);
}

enum br_rc br_recognise(struct br_source *s, struct br_err *err)
{
    uint32_t list = shallowest(s, is_list_name), dump = shallowest(s, is_dump_name);
    const struct br_entry *entries = s->container->entries;
    if (list == BR_ID_NONE && dump == BR_ID_NONE)
        return refuse(s, err);
    if (list != BR_ID_NONE && dump != BR_ID_NONE && depth_of(entries[list].name) > depth_of(entries[dump].name) &&
        !is_grid_list(entries[list].name))
        list = BR_ID_NONE; /* below a dump there are attached files only */
    s->root = folder_of(s, entries[list != BR_ID_NONE ? list : dump].name);
    if (!s->root)
        return br_fail_nomem(err);
    s->is_grid = list != BR_ID_NONE && is_grid(s);
    if (dump != BR_ID_NONE && !s->is_grid && !has_day_files(s, s->root)) {
        const char *root = folder_of(s, entries[dump].name);
        if (!root)
            return br_fail_nomem(err);
        s->is_dump = strcmp(root, s->root) == 0;
    }
    return BR_OK;
}
