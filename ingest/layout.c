/* layout.c - which folder is which conversation: lists are read once for ids and names, folders are matched to them. */
#include "source_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "decompose.h"
#include "entry_name.h"

const enum br_channel_kind br_list_kinds[BR_LIST_COUNT] = {BR_CHANNEL_PUBLIC, BR_CHANNEL_PRIVATE, BR_CHANNEL_DM,
                                                           BR_CHANNEL_GROUP_DM};
static const char *const list_names[BR_LIST_COUNT] = {"channels.json", "groups.json", "dms.json", "mpims.json"};

enum br_rc br_add_conversation(struct br_source *s, uint32_t scope, const char *id, const char *name,
                               enum br_channel_kind kind, uint32_t *at, struct br_err *err)
{
    struct br_scope *sc = &s->scopes[scope];
    *at = br_id_map_get(&sc->by_id, id);
    if (*at != BR_ID_NONE)
        return BR_OK;
    struct br_conversation c = {.id = br_arena_str(&s->strings, id),
                                .name = name ? br_arena_str(&s->strings, name) : NULL,
                                .kind = kind,
                                .scope = scope,
                                .workspace = s->is_grid && scope ? scope - 1 : 0};
    bool ok = c.id && (c.name || !name) && br_array_fit(&s->conversations, &s->conversations_alloc, s->n_conversations + 1, sizeof c);
    *at = (uint32_t)s->n_conversations;
    uint32_t by_id = *at, by_name = *at;
    if (!ok || !br_id_map_add(&sc->by_id, c.id, &by_id) || (c.name && !br_id_map_add(&sc->by_name, c.name, &by_name)))
        return br_fail_nomem(err);
    c.second_of_name = by_name != *at;
    s->conversations[s->n_conversations++] = c;
    return BR_OK;
}

enum br_rc br_add_folder(struct br_source *s, uint32_t scope, const char *name, uint32_t *at, struct br_err *err)
{
    struct br_scope *sc = &s->scopes[scope];
    *at = br_id_map_get(&sc->folders, name);
    if (*at != BR_ID_NONE)
        return BR_OK;
    struct br_folder f = {.name = br_arena_str(&s->strings, name), .scope = scope, .conversation = BR_ID_NONE};
    bool ok = f.name && br_array_fit(&s->folders, &s->folders_alloc, s->n_folders + 1, sizeof f);
    *at = (uint32_t)s->n_folders;
    if (!ok || !br_id_map_add(&sc->folders, f.name, at))
        return br_fail_nomem(err);
    s->folders[s->n_folders++] = f;
    return BR_OK;
}

enum br_rc br_add_file(struct br_source *s, uint32_t folder, uint32_t entry, bool is_day, struct br_err *err)
{
    bool ok = br_array_fit(&s->files, &s->files_alloc, s->n_files + 1, sizeof *s->files);
    if (!ok)
        return br_fail_nomem(err);
    s->files[s->n_files++] = (struct br_message_file){.folder = folder, .entry = entry, .is_day = is_day};
    s->folders[folder].has_day |= is_day;
    return BR_OK;
}

/* ---- scopes ---- */

static int by_label(const void *a, const void *b)
{
    return strcmp(((const struct br_scope *)a)->label, ((const struct br_scope *)b)->label);
}

/* The workspace folder of a Grid entry's name below the root; NULL when it is in none. */
static const char *team_label(struct br_source *s, const char *rel)
{
    const char *slash = strncmp(rel, "teams/", 6) == 0 ? strchr(rel + 6, '/') : NULL;
    return slash ? br_arena_strn(&s->strings, rel + 6, (size_t)(slash - rel - 6)) : NULL;
}

static enum br_rc add_scope(struct br_source *s, const char *label, struct br_err *err)
{
    size_t n = strlen(s->root) + strlen(label) + 16;
    char *prefix = br_arena_alloc(&s->strings, n);
    struct br_scope *p = realloc(s->scopes, (s->n_scopes + 1) * sizeof *p);
    if (p)
        s->scopes = p;
    if (!p || !prefix)
        return br_fail_nomem(err);
    (void)snprintf(prefix, n, *label ? "%steams/%s/" : "%s", s->root, label);
    struct br_scope sc = {.prefix = prefix, .label = label, .users = BR_ID_NONE};
    memset(sc.lists, 0xFF, sizeof sc.lists);
    s->scopes[s->n_scopes++] = sc;
    return BR_OK;
}

static enum br_rc make_scopes(struct br_source *s, struct br_err *err)
{
    struct br_id_map labels = {0};
    enum br_rc rc = add_scope(s, "", err);
    size_t root = strlen(s->root);
    for (size_t i = 0; rc == BR_OK && s->is_grid && i < s->container->n; i++) {
        const char *name = s->container->entries[i].name;
        const char *label = strncmp(name, s->root, root) == 0 ? team_label(s, name + root) : NULL;
        uint32_t at = (uint32_t)labels.n;
        if (!label)
            continue;
        size_t before = labels.n;
        if (!br_id_map_add(&labels, label, &at))
            rc = br_fail_nomem(err);
        else if (labels.n > before)
            rc = add_scope(s, label, err);
    }
    br_id_map_free(&labels);
    if (rc == BR_OK && s->n_scopes > 2)
        qsort(s->scopes + 1, s->n_scopes - 1, sizeof *s->scopes, by_label);
    return rc;
}

/* The scope of an entry and its name below it; the root of a plain export when no workspace folder fits. */
static const char *find_scope(const struct br_source *s, const char *name, uint32_t *scope)
{
    size_t root = strlen(s->root);
    *scope = 0;
    if (strncmp(name, s->root, root) != 0)
        return NULL;
    if (!s->is_grid || strncmp(name + root, "teams/", 6) != 0 || !strchr(name + root + 6, '/'))
        return name + root; /* with nothing below it, teams is a channel's folder */
    size_t low = 1, high = s->n_scopes;
    while (low < high) { /* labels are sorted */
        size_t mid = low + (high - low) / 2, n = strlen(s->scopes[mid].label);
        const char *label = name + root + 6;
        int order = strncmp(label, s->scopes[mid].label, n);
        if (order == 0 && label[n] == '/') {
            *scope = (uint32_t)mid;
            return label + n + 1;
        }
        size_t have = strcspn(label, "/");
        order = strncmp(label, s->scopes[mid].label, BR_MIN(have, n));
        if (order < 0 || (order == 0 && have < n))
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* ---- entries ---- */

static enum br_rc place_entry(struct br_source *s, uint32_t entry, struct br_err *err)
{
    uint32_t scope, folder;
    const char *rel = find_scope(s, s->container->entries[entry].name, &scope);
    if (!rel) {
        s->container->warned[BR_WARN_IGNORED_ENTRY]++; /* of another export in the same archive, or lying beside it */
        return BR_OK;
    }
    const char *slash = strchr(rel, '/');
    struct br_scope *sc = &s->scopes[scope];
    if (!slash) {
        for (int i = 0; i < BR_LIST_COUNT; i++)
            if (strcmp(rel, list_names[i]) == 0)
                sc->lists[i] = entry;
        if (strcmp(rel, "users.json") == 0)
            sc->users = entry;
        else if (scope == 0 && strcmp(rel, "org_users.json") == 0)
            s->org_users = entry;
        return BR_OK;
    }
    const char *file = slash + 1;
    if (strchr(file, '/') || !br_has_suffix(file, ".json"))
        return BR_OK; /* downloaded files, avatars */
    char *name = br_arena_strn(&s->row_arena, rel, (size_t)(slash - rel));
    if (!name)
        return br_fail_nomem(err);
    enum br_rc rc = br_add_folder(s, scope, name, &folder, err);
    br_arena_free(&s->row_arena);
    return rc == BR_OK ? br_add_file(s, folder, entry, br_is_day_file(file), err) : rc;
}

/* ---- lists ---- */

struct list_ctx {
    uint32_t scope;
    enum br_channel_kind kind;
};

static enum br_rc take_listed(struct br_reading *r, json_t *element, struct br_err *err)
{
    const struct list_ctx *l = r->ctx;
    const char *id = br_get_id(element, "id", NULL); /* a folder whose channel has no usable id is a stub */
    uint32_t at;
    if (!id || br_is_fragment(r, element, "id"))
        return BR_OK;
    const char *name = l->kind == BR_CHANNEL_DM ? NULL : br_get_string(element, "name", NULL);
    return br_add_conversation(r->source, l->scope, id, name, l->kind, &at, err);
}

static enum br_rc read_lists(struct br_source *s, struct br_err *err)
{
    for (uint32_t scope = 0; scope < s->n_scopes; scope++)
        for (int i = 0; i < BR_LIST_COUNT; i++) {
            struct list_ctx ctx = {.scope = scope, .kind = br_list_kinds[i]};
            struct br_reading r = {.take = take_listed, .ctx = &ctx, .no_array = BR_WARN_BAD_JSON};
            uint32_t entry = s->scopes[scope].lists[i];
            enum br_rc rc = entry == BR_ID_NONE ? BR_OK : br_read_entry(s, entry, &r, err);
            if (rc != BR_OK)
                return rc;
        }
    return BR_OK;
}

/* ---- matching ---- */

struct rename_ctx {
    const struct br_folder *folder;
    uint32_t conversation;
};

/* A channel_name message tells what the folder's channel is called now; of several the last one does. */
static enum br_rc take_rename(struct br_reading *r, json_t *element, struct br_err *err)
{
    struct rename_ctx *ctx = r->ctx;
    const char *subtype = br_get_string(element, "subtype", NULL), *name = br_get_string(element, "name", NULL);
    (void)err;
    if (!subtype || !name || (strcmp(subtype, "channel_name") != 0 && strcmp(subtype, "group_name") != 0))
        return BR_OK;
    uint32_t at = br_id_map_get(&r->source->scopes[ctx->folder->scope].by_name, name);
    if (at != BR_ID_NONE && !r->source->conversations[at].has_folder)
        ctx->conversation = at;
    return BR_OK;
}

/* The files are sorted by folder. */
static size_t first_file(const struct br_source *s, uint32_t folder)
{
    size_t low = 0, high = s->n_files;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->files[mid].folder < folder)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static enum br_rc find_renamed(struct br_source *s, uint32_t folder, struct br_err *err)
{
    struct rename_ctx ctx = {.folder = &s->folders[folder], .conversation = BR_ID_NONE};
    for (size_t i = first_file(s, folder); i < s->n_files && s->files[i].folder == folder; i++) {
        struct br_reading r = {.take = take_rename, .ctx = &ctx, .no_array = BR_WARN_NOT_A_MESSAGE_FILE};
        if (!s->files[i].is_day)
            continue;
        enum br_rc rc = br_read_entry(s, s->files[i].entry, &r, err);
        if (rc != BR_OK)
            return rc;
    }
    s->folders[folder].conversation = ctx.conversation;
    s->folders[folder].renamed = ctx.conversation != BR_ID_NONE;
    if (ctx.conversation != BR_ID_NONE)
        s->conversations[ctx.conversation].has_folder = true;
    return BR_OK;
}

/* DMs are found by id; a name wins over the id of another kind of conversation. */
static uint32_t match(const struct br_source *s, const struct br_folder *f)
{
    uint32_t by_id = br_id_map_get(&s->scopes[f->scope].by_id, f->name);
    if (by_id != BR_ID_NONE && s->conversations[by_id].kind == BR_CHANNEL_DM)
        return by_id;
    uint32_t by_name = br_id_map_get(&s->scopes[f->scope].by_name, f->name);
    return by_name != BR_ID_NONE ? by_name : by_id;
}

/* macOS spells "ü" as a letter and an accent when it packs an export again: names are compared decomposed where they do not match as they
 * are. The stored name stays the one in the list. */
static void match_decomposed(struct br_source *s, struct br_folder *f)
{
    if (br_is_ascii(f->name))
        return;
    for (uint32_t i = 0; i < s->n_conversations && f->conversation == BR_ID_NONE; i++) {
        struct br_conversation *c = &s->conversations[i];
        if (c->scope != f->scope || c->has_folder || !c->name || !br_equal_decomposed(c->name, f->name))
            continue;
        f->conversation = i;
        c->has_folder = true;
    }
}

/* A folder nobody lists becomes a channel. Folders of direct messages are named by their ids; any other id is made from the folder's name, so
 * that the next import finds the channel again. */
static enum br_rc add_stub(struct br_source *s, struct br_folder *f, struct br_err *err)
{
    char id[32];
    uint32_t at;
    enum br_channel_kind kind = BR_CHANNEL_PUBLIC;
    if (br_is_conversation_id(f->name)) {
        (void)snprintf(id, sizeof id, "%s", f->name);
        kind = br_kind_of_id(id, NULL);
    } else {
        (void)snprintf(id, sizeof id, "F%015llX", (unsigned long long)(br_id_hash(0, f->name) >> 4));
    }
    enum br_rc rc = br_add_conversation(s, f->scope, id, kind == BR_CHANNEL_DM ? NULL : f->name, kind, &at, err);
    if (rc != BR_OK)
        return rc;
    s->conversations[at].is_stub = true;
    s->conversations[at].has_folder = true;
    f->conversation = at;
    return BR_OK;
}

/* Where slackdump keeps attached files and pictures, unless a channel is called so. */
static bool is_download_folder(const char *name)
{
    return strcmp(name, "__uploads") == 0 || strcmp(name, "__avatars") == 0;
}

static bool is_unmatched(const struct br_folder *f)
{
    return f->conversation == BR_ID_NONE && f->has_day && !is_download_folder(f->name);
}

static enum br_rc match_folders(struct br_source *s, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < s->n_folders; i++) {
        struct br_folder *f = &s->folders[i];
        f->conversation = match(s, f);
        if (f->conversation != BR_ID_NONE && f->has_day)
            s->conversations[f->conversation].has_folder = true;
    }
    for (size_t i = 0; i < s->n_folders; i++)
        if (is_unmatched(&s->folders[i]))
            match_decomposed(s, &s->folders[i]);
    for (uint32_t i = 0; rc == BR_OK && i < s->n_folders; i++)
        if (is_unmatched(&s->folders[i]))
            rc = find_renamed(s, i, err);
    for (size_t i = 0; rc == BR_OK && i < s->n_folders; i++)
        if (is_unmatched(&s->folders[i]))
            rc = add_stub(s, &s->folders[i], err);
    return rc;
}

static int by_folder_and_name(const void *a, const void *b, void *ctx)
{
    const struct br_message_file *x = a, *y = b;
    const struct br_source *s = ctx;
    if (x->folder != y->folder)
        return x->folder < y->folder ? -1 : 1;
    return strcmp(s->container->entries[x->entry].name, s->container->entries[y->entry].name);
}

enum br_rc br_layout(struct br_source *s, struct br_err *err)
{
    enum br_rc rc;
    s->org_users = BR_ID_NONE;
    BR_TRY(make_scopes(s, err));
    for (size_t i = 0; i < s->container->n; i++)
        BR_TRY(place_entry(s, (uint32_t)i, err));
    BR_TRY(read_lists(s, err));
    if (s->is_dump)
        BR_TRY(br_layout_dump(s, err));
    if (s->n_files)
        qsort_r(s->files, s->n_files, sizeof *s->files, by_folder_and_name, s);
    if (!s->is_dump)
        BR_TRY(match_folders(s, err));
    if (s->scopes[0].users == BR_ID_NONE && !s->is_grid) { /* an organisation with one workspace */
        s->scopes[0].users = s->org_users;
        s->org_users = BR_ID_NONE;
    }
err:
    return rc;
}
