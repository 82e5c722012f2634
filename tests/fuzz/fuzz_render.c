/* fuzz_render.c - one message object: redacted, read as a row of a day file, and rendered with names that are no help. Input: JSON; what is no JSON
 * is rendered as mrkdwn. */
#include "events.h"

#include <stdlib.h>

static const char *user_name(void *ctx, const char *id)
{
    (void)ctx;
    return id[0] == 'U' ? (id[1] == '0' ? "Ada <U1> & *Co*" : "") : NULL;
}

static const char *channel_name(void *ctx, const char *id)
{
    (void)ctx;
    return id[0] == 'C' ? "gen`eral\n" : NULL;
}

static void render_text(const char *text)
{
    const struct br_names names = {.user = user_name, .channel = channel_name};
    struct br_buf out, again;
    br_buf_init(&out, 4 << 20);
    br_buf_init(&again, 4 << 20);
    br_render_mrkdwn(text, &names, &out);
    br_render_for_embedding(br_buf_str(&out), out.len, &again);
    BR_ASSERT(!out.failed && !again.failed && again.len <= out.len);
    if (br_utf8_valid(text, strlen(text)))
        BR_ASSERT(br_utf8_valid(br_buf_str(&out), out.len));
    br_buf_free(&out);
    br_buf_free(&again);
}

static void render_object(json_t *message)
{
    const struct br_names names = {.user = user_name, .channel = channel_name};
    struct fuzz_counts counts = {0};
    const struct br_sink sink = {.ctx = &counts, .warn = fuzz_warn};
    const struct br_notes notes = {.sink = &sink, .file = "file", .record = 1};
    struct br_arena arena;
    struct br_event ev;
    fuzz_check_rendered(message, &names);
    br_arena_init(&arena, 64 << 20);
    if (br_message_read(message, "C0GENERAL1", &notes, &arena, &ev) == BR_ROW_EVENT) {
        fuzz_event(&counts, &ev, NULL);
        uint64_t secrets = 0;
        if (ev.kind == BR_EVENT_MESSAGE) /* redacting leaves nothing to redact */
            BR_ASSERT(br_redact(ev.message.raw, &secrets) && !secrets);
    }
    br_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *message = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
    char *text = fuzz_string((struct fuzz_input){data, size});
    if (message)
        render_object(message);
    else
        render_text(text);
    json_decref(message);
    free(text);
    return 0;
}
