/* channel.c - entries of channels.json, groups.json, dms.json and mpims.json. */
#include "slack_object.h"

/* `created` is in seconds; anything that is not a plausible time counts as unknown. */
static int64_t created_us(const json_t *object)
{
    double v = json_number_value(json_object_get(object, "created"));
    return v > 0 && v < 1e11 ? (int64_t)v * 1000000 : 0;
}

/* pins: [{"id": ts, "type": "C", …}]; other things than messages can be pinned too. */
static bool read_pins(const json_t *object, struct br_arena *arena, struct br_channel_event *out)
{
    const json_t *pins = json_object_get(object, "pins"), *v;
    size_t i;
    int64_t *list = br_arena_array(arena, json_array_size(pins) + 1, sizeof *list);
    if (!list)
        return false;
    json_array_foreach(pins, i, v)
    {
        const char *ts = json_string_value(json_object_get(v, "id"));
        out->n_pins += ts && br_ts_parse(ts, &list[out->n_pins]);
    }
    out->pins = list;
    return true;
}

bool br_channel_read(const json_t *object, enum br_channel_kind kind, struct br_arena *arena,
                     struct br_channel_event *out)
{
    const char *id = br_get_id(object, "id", NULL);
    const json_t *members = json_object_get(object, "members");
    if (!id)
        return false;
    const char **list = br_arena_array(arena, json_array_size(members) + 1, sizeof *list);
    size_t n = 0, i;
    const json_t *v;
    if (!list)
        return false;
    json_array_foreach(members, i, v) if (json_string_length(v) && json_string_length(v) <= BR_ID_BYTES_MAX)
        list[n++] = json_string_value(v);
    bool has_list = json_is_array(members); /* none given is not the same as an empty one */
    *out = (struct br_channel_event){
        .id = id,
        .name = kind == BR_CHANNEL_DM ? NULL : br_get_string(object, "name", NULL),
        .kind = kind,
        .topic = br_get_string(json_object_get(object, "topic"), "value", NULL),
        .purpose = br_get_string(json_object_get(object, "purpose"), "value", NULL),
        .creator = br_get_id(object, "creator", NULL),
        .created = created_us(object),
        .is_archived = br_get_bool(object, "is_archived"),
        .is_general = br_get_bool(object, "is_general"),
        .members = has_list ? list : NULL,
        .n_members = n,
    };
    return read_pins(object, arena, out);
}
