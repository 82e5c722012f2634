/* source.c - opening an archive and running its workspaces; how one of its files is read. */
#include "source_int.h"

#include <stdlib.h>
#include <string.h>

#include "limits.h"

#define STRINGS_MAX ((size_t)1 << 30)
#define ROW_MAX     ((size_t)256 << 20)

enum br_rc br_source_open(const char *path, const char *name_hint, struct br_source **out, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    *out = NULL;
    struct br_source *s = calloc(1, sizeof *s);
    if (!s)
        return br_fail_nomem(err);
    br_arena_init(&s->strings, STRINGS_MAX);
    br_arena_init(&s->run_strings, STRINGS_MAX);
    br_arena_init(&s->row_arena, ROW_MAX);
    BR_TRY(br_container_open(path, &s->container, err));
    if (name_hint && *name_hint)
        s->name_hint = br_arena_str(&s->strings, name_hint);
    BR_TRY(br_recognise(s, err));
    BR_TRY(br_layout(s, err));
    if (!s->n_conversations)
        BR_TRY(br_fail(err, BR_E_DATA, "not_an_export: %s holds neither channels nor messages; give the export as downloaded",
                       path));
    BR_TRY(br_name_workspaces(s, err));
    s->freshness = br_date_archive(s);
    *out = s;
    return BR_OK;
err:
    br_source_close(s);
    return rc;
}

enum br_rc br_source_open_legacy(const char *path, const char *name_hint, struct br_source **out, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    *out = NULL;
    struct br_source *s = calloc(1, sizeof *s);
    if (!s)
        return br_fail_nomem(err);
    br_arena_init(&s->strings, STRINGS_MAX);
    s->workspaces = br_arena_array(&s->strings, 1, sizeof *s->workspaces);
    if (!s->workspaces)
        BR_TRY(br_fail_nomem(err));
    BR_TRY(br_legacy_open(path, name_hint, &s->legacy, &s->workspaces[0], err));
    s->n_workspaces = 1;
    *out = s;
    return BR_OK;
err:
    br_source_close(s);
    return rc;
}

void br_source_close(struct br_source *s)
{
    if (!s)
        return;
    br_legacy_close(s->legacy);
    for (size_t i = 0; i < s->n_scopes; i++) {
        br_id_map_free(&s->scopes[i].by_id);
        br_id_map_free(&s->scopes[i].by_name);
        br_id_map_free(&s->scopes[i].folders);
    }
    free(s->scopes);
    free(s->conversations);
    free(s->folders);
    free(s->files);
    br_id_map_free(&s->users);
    br_arena_free(&s->strings);
    br_arena_free(&s->run_strings);
    br_arena_free(&s->row_arena);
    br_container_close(s->container);
    free(s);
}

void br_source_rename(struct br_source *s, const char *id)
{
    BR_ASSERT(s->n_workspaces == 1);
    s->workspaces[0].id = id;
}

size_t br_source_workspace_count(const struct br_source *s)
{
    return s->n_workspaces;
}

const struct br_source_workspace *br_source_workspace(const struct br_source *s, size_t i)
{
    BR_ASSERT(i < s->n_workspaces);
    return &s->workspaces[i];
}

int64_t br_source_freshness(const struct br_source *s)
{
    return s->freshness;
}

enum br_rc br_source_run(struct br_source *s, size_t i, const struct br_sink *sink, struct br_err *err)
{
    enum br_rc rc;
    BR_ASSERT(i < s->n_workspaces);
    if (s->legacy)
        return br_legacy_run(s->legacy, sink, err);
    struct br_notes notes = {.sink = sink, .file = s->container->path};
    s->sink = sink;
    for (int w = 0; i == 0 && w < BR_WARN_COUNT; w++)
        br_note(&notes, (enum br_warning)w, s->container->warned[w]);
    BR_TRY(br_run_users(s, (uint32_t)i, err));
    BR_TRY(br_run_channels(s, (uint32_t)i, err));
    BR_TRY(br_run_messages(s, (uint32_t)i, err));
err:
    br_id_map_free(&s->users);
    br_arena_free(&s->run_strings);
    br_arena_free(&s->row_arena);
    s->sink = NULL;
    return rc;
}

/* A whole message: the parts of one have a ts, too (replies, links to other messages). */
static bool is_message(const json_t *element)
{
    static const char *const any_of[] = {"text", "blocks", "subtype", "attachments", "files"};
    const char *type = json_string_value(json_object_get(element, "type"));
    for (size_t i = 0; type && strcmp(type, "message") == 0 && i < BR_COUNT(any_of); i++)
        if (json_object_get(element, any_of[i]))
            return true;
    return false;
}

bool br_is_fragment(struct br_reading *r, const json_t *element, const char *key)
{
    if (!r->js->resynced)
        return false;
    if (!json_object_get(element, key) || (strcmp(key, "ts") == 0 && !is_message(element)))
        return true;
    r->js->resynced = false;
    return false;
}

static void note_end(const struct br_reading *r, const struct br_json_stream *js, enum br_json_got got,
                     const struct br_stream *st)
{
    struct br_notes notes = r->notes;
    notes.record = 0;
    br_note(&notes, BR_WARN_BOM, js->had_bom);
    br_note(&notes, BR_WARN_CRC_MISMATCH, st->damaged);
    br_note(&notes, BR_WARN_DEEP_JSON, js->deep);
    if (got == BR_JSON_NO_ARRAY)
        br_note(&notes, r->no_array, 1);
    else if (js->unreadable && !st->damaged)
        br_note(&notes, BR_WARN_BAD_JSON, 1);
}

enum br_rc br_read_entry(struct br_source *s, uint32_t entry, struct br_reading *r, struct br_err *err)
{
    struct br_stream st;
    struct br_json_stream js;
    if (s->container->entries[entry].unsupported)
        return BR_OK;
    enum br_rc rc = br_stream_open(s->container, entry, &st, err);
    if (rc != BR_OK)
        return rc;
    br_json_stream_init(&js, &st);
    if (r->no_array == BR_WARN_BAD_JSON) { /* a list of users or channels */
        js.bytes_max = BR_LIMIT_LISTED_BYTES;
        js.values_max = BR_LIMIT_LISTED_VALUES;
    }
    r->source = s;
    r->js = &js;
    r->notes.file = s->container->entries[entry].name;
    enum br_json_got got = r->member ? br_json_stream_enter(&js, r->member, NULL, err) : BR_JSON_ELEMENT;
    while (got == BR_JSON_ELEMENT && !r->stop) {
        json_t *element;
        got = br_json_stream_next(&js, &element, err);
        if (got != BR_JSON_ELEMENT)
            break;
        r->notes.record++;
        br_note_repairs(&r->notes, &js.repairs);
        rc = r->take(r, element, err);
        json_decref(element);
        if (rc != BR_OK)
            break;
    }
    if (got == BR_JSON_FAILED)
        rc = js.rc;
    if (rc == BR_OK)
        note_end(r, &js, got, &st);
    r->notes.record = 0;
    br_json_stream_free(&js);
    br_stream_close(&st);
    return rc;
}
