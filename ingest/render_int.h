/* render_int.h - what the render_*.c files share with each other only. */
#ifndef BR_RENDER_INT_H
#define BR_RENDER_INT_H

#include "render.h"

/* One text being written. `limit` bounds out->len; the first piece that does not fit is cut and sets `full`, after
 * which nothing more is added. */
struct br_render {
    const struct br_names *names; /* may be NULL */
    struct br_buf *out;
    size_t base;  /* out->len when the rendering began */
    size_t limit; /* out->len may not pass it */
    bool full;
    const char *source; /* the message's own mrkdwn text, which may name what its blocks only identify; or NULL */
    unsigned lookups;   /* linear searches done so far; bounded so that a hostile message stays cheap */
};

/* How much of mrkdwn a text speaks. */
enum br_markup {
    BR_MARKUP_ENTITIES, /* only &amp; &lt; &gt; */
    BR_MARKUP_TOKENS,   /* and <...> and emoji: titles, plain_text objects */
    BR_MARKUP_FULL,     /* and *bold* _italic_ ~struck~, code and quotes */
};

/* render_mrkdwn.c */
void br_render_begin(struct br_render *r, const struct br_names *names, struct br_buf *out);
void br_render_put(struct br_render *r, const char *s, size_t n);
void br_render_puts(struct br_render *r, const char *s);
void br_render_start_line(struct br_render *r); /* a newline, unless at the start of a line */
void br_render_markup(struct br_render *r, enum br_markup markup, const char *s, size_t n);
void br_render_link(struct br_render *r, const char *label, const char *url);    /* either may be NULL */
void br_render_mention(struct br_render *r, char kind, const char *id);          /* kind: '@' user, '#' channel */
void br_render_emoji(struct br_render *r, const char *name, const char *otherwise); /* character to use if unknown */

/* render_blocks.c */
void br_render_blocks(struct br_render *r, const json_t *blocks);

/* A non-empty string member, or NULL. */
const char *br_render_string(const json_t *object, const char *key);

#endif
