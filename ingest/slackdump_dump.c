/* slackdump_dump.c - slackdump's dump layout: one file a conversation, {channel_id, name, messages[]}, named by its
 * id. */
#include "source_int.h"

#include <string.h>

/* Reads past the messages: the name may stand behind them. */
static enum br_rc read_name(struct br_source *s, uint32_t entry, json_t *strings, struct br_err *err)
{
    struct br_stream st;
    struct br_json_stream js;
    enum br_rc rc = br_stream_open(s->container, entry, &st, err);
    if (rc != BR_OK)
        return rc;
    br_json_stream_init(&js, &st);
    rc = br_json_stream_enter(&js, NULL, strings, err) == BR_JSON_FAILED ? js.rc : BR_OK;
    br_json_stream_free(&js);
    br_stream_close(&st);
    return rc;
}

static enum br_rc add_dump_file(struct br_source *s, uint32_t entry, const char *id, struct br_err *err)
{
    uint32_t conversation = br_id_map_get(&s->scopes[0].by_id, id), folder;
    enum br_rc rc = BR_OK;
    json_t *strings = NULL;
    if (conversation == BR_ID_NONE) {
        strings = json_object();
        if (!strings)
            return br_fail_nomem(err);
        BR_TRY(read_name(s, entry, strings, err));
        const char *name = id[0] == 'D' ? NULL : br_get_string(strings, "name", NULL);
        BR_TRY(br_add_conversation(s, 0, id, name, br_kind_of_id(id, name), &conversation, err));
        s->conversations[conversation].is_stub = true; /* no list has it: the channel event is made from this */
    }
    BR_TRY(br_add_folder(s, 0, id, &folder, err));
    s->folders[folder].conversation = conversation;
    s->conversations[conversation].has_folder = true;
    BR_TRY(br_add_file(s, folder, entry, true, err));
err:
    json_decref(strings);
    return rc;
}

enum br_rc br_layout_dump(struct br_source *s, struct br_err *err)
{
    size_t root = strlen(s->root);
    char id[32];
    s->n_files = s->n_folders = 0; /* folders of a dump hold downloaded files only */
    br_id_map_free(&s->scopes[0].folders);
    for (size_t i = 0; i < s->container->n; i++) {
        const char *name = s->container->entries[i].name;
        if (strncmp(name, s->root, root) != 0 || !br_dump_file_id(name + root, id))
            continue;
        enum br_rc rc = add_dump_file(s, (uint32_t)i, id, err);
        if (rc != BR_OK)
            return rc;
    }
    return BR_OK;
}
