/* user.c - users.json entries, and the profiles that messages carry. */
#include "slack_object.h"

bool br_user_read(const json_t *object, struct br_user_event *out)
{
    const char *id = br_get_id(object, "id", NULL);
    const json_t *profile = json_object_get(object, "profile");
    if (!id)
        return false;
    const char *real_name = br_get_string(profile, "real_name", NULL);
    *out = (struct br_user_event){
        .id = id,
        .team_id = br_get_string(object, "team_id", NULL),
        .name = br_get_string(object, "name", NULL),
        .real_name = real_name ? real_name : br_get_string(object, "real_name", NULL),
        .display_name = br_get_string(profile, "display_name", NULL),
        .is_bot = br_get_bool(object, "is_bot"),
        .is_deleted = br_get_bool(object, "deleted"),
    };
    return true;
}

bool br_user_from_message(const json_t *message, const char *user_id, struct br_user_event *out)
{
    const json_t *profile = json_object_get(message, "user_profile");
    if (!user_id || !json_is_object(profile))
        return false;
    *out = (struct br_user_event){
        .id = user_id,
        .team_id = br_get_string(profile, "team", NULL),
        .name = br_get_string(profile, "name", NULL),
        .real_name = br_get_string(profile, "real_name", NULL),
        .display_name = br_get_string(profile, "display_name", NULL),
        .from_message = true,
    };
    return out->name || out->real_name || out->display_name;
}
