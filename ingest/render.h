/* render.h - a Slack message object to readable plain text (mrkdwn, blocks, attachments, files).
 *
 * Nothing here fails: whatever has an unexpected JSON type is passed over, too long a text is cut. Only a lack of
 * memory shows, as `failed` of the buffer. The functions are pure but for the names they ask for; nothing here is
 * shared between threads. */
#ifndef BR_RENDER_H
#define BR_RENDER_H

#include "base/base.h"
#include "base/buf.h"

#include <jansson.h>

/* Resolves ids to names; each member may return NULL (unknown). Returned strings are borrowed until the next call. */
struct br_names {
    void *ctx;
    const char *(*user)(void *ctx, const char *user_id);       /* display name without @ */
    const char *(*channel)(void *ctx, const char *channel_id); /* name without # */
};

#define BR_RENDER_TEXT_MAX (1u << 20) /* bytes of one message's text; more is cut at a character boundary */

/* Appends the readable text of msg (a message object) to out: body = blocks if any else text; text first when the
 * blocks do not contain it; then attachments; then file titles, names and snippet previews. Links are "label
 * (url)"; what the text says already (an unfurl's address, a file's name) is not repeated. No blank lines at either
 * end, at most one in a row; a blank result is empty. names may be NULL. *truncated is set to whether the text was
 * cut, at BR_RENDER_TEXT_MAX or at the buffer's cap. */
void br_render_message(const json_t *msg, const struct br_names *names, struct br_buf *out, bool *truncated);

/* Appends mrkdwn text rendered as plain text, cut like a message. An emoji keeps its :name: and gets its character
 * behind it when that is known. */
void br_render_mrkdwn(const char *text, const struct br_names *names, struct br_buf *out);

/* What the model is given for a rendered text: addresses shortened to their host, skin tones dropped. A pure
 * function of the rendered text, so that vectors can be recomputed from the content log alone.
 * "https://user@host:80/path" becomes "host", "mailto:someone@host" becomes "host" (who is written to says nothing
 * about the topic and is personal); a bare "someone@host" is text and stays. Never longer than its input. */
void br_render_for_embedding(const char *text, size_t len, struct br_buf *out);

#endif
