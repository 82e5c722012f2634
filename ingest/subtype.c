/* subtype.c - what each message subtype means for storing and searching. */
#include "subtype.h"

#include <string.h>

#define CONTENT BR_CLASS_CONTENT
#define SYSTEM  BR_CLASS_SYSTEM

static const struct br_subtype table[] = {
    {"bot_message", CONTENT},
    {"me_message", CONTENT},
    {"thread_broadcast", CONTENT},
    {"reply_broadcast", CONTENT},
    {"file_share", CONTENT},
    {"file_mention", CONTENT},
    {"file_comment", CONTENT},
    {"reminder_add", CONTENT},
    {"slackbot_response", CONTENT},
    {"huddle_thread", CONTENT},
    {"sh_room_created", CONTENT},
    {"assistant_app_thread", CONTENT},
    {"channel_join", SYSTEM},
    {"channel_leave", SYSTEM},
    {"channel_topic", SYSTEM},
    {"channel_purpose", SYSTEM},
    {"channel_name", SYSTEM},
    {"channel_archive", SYSTEM},
    {"channel_unarchive", SYSTEM},
    {"channel_convert_to_private", SYSTEM},
    {"channel_posting_permissions", SYSTEM},
    {"group_join", SYSTEM},
    {"group_leave", SYSTEM},
    {"group_topic", SYSTEM},
    {"group_purpose", SYSTEM},
    {"group_name", SYSTEM},
    {"group_archive", SYSTEM},
    {"group_unarchive", SYSTEM},
    {"group_convert_to_private", SYSTEM},
    {"group_posting_permissions", SYSTEM},
    {"pinned_item", SYSTEM},
    {"unpinned_item", SYSTEM},
    {"bot_add", SYSTEM},
    {"bot_remove", SYSTEM},
    {"bot_enable", SYSTEM},
    {"bot_disable", SYSTEM},
    {"joiner_notification", SYSTEM},
    {"app_conversation_leave", SYSTEM},
    {"channel_canvas_updated", SYSTEM},
    {"tabbed_canvas_updated", SYSTEM},
    {"ekm_access_denied", SYSTEM},
    {"tombstone", BR_CLASS_TOMBSTONE},
};

const struct br_subtype *br_subtype_find(const char *name)
{
    for (size_t i = 0; i < BR_COUNT(table); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}
