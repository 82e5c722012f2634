/* render_message.c - puts a message's text together: its own words, its attachments, its files.
 *
 * Slack says the same thing in several places (text beside blocks, an unfurl beside its link, a file's name in the
 * sentence that announces it); each is said once here. */
#include "render_int.h"

#include <string.h>

enum {
    SAID_SEARCH_MAX = 64 * 1024, /* bytes of the text so far that are searched for a repetition */
    SAID_LOOKUPS_MAX = 2000,
};

/* --- what was said already ------------------------------------------------------------------- */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || ((unsigned char)c & 0x80);
}

/* Would c continue a word or an address? A full stop or comma may end a sentence. */
static bool continues(char c)
{
    return is_word(c) || (c && strchr("_-/%?=&#", c));
}

static bool said(struct br_render *r, const char *s, size_t n)
{
    const char *text = br_buf_str(r->out) + r->base;
    const char *end = text + BR_MIN(r->out->len - r->base, (size_t)SAID_SEARCH_MAX), *at = text;
    while (n && r->lookups++ < SAID_LOOKUPS_MAX && (at = memmem(at, (size_t)(end - at), s, n))) {
        bool starts = at == text || !continues(at[-1]);
        if (starts && (at + n == end || !continues(at[n])))
            return true;
        at++;
    }
    return false;
}

/* Bytes of the white space, punctuation, symbol or emoji at s; 0 for what words are made of. */
static size_t insignificant(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    if (p[0] < 0x80)
        return !is_word(s[0]);
    if (n >= 2 && p[0] == 0xC2 && (p[1] <= 0xA9 || p[1] == 0xAE))
        return 2;
    if (n >= 3 && p[0] == 0xE2 && p[1] <= 0xAF) /* U+2000 to U+2BFF */
        return 3;
    if (n >= 3 && p[0] == 0xEF && p[1] == 0xB8) /* U+FE00 to U+FE3F, variation selectors */
        return 3;
    return n >= 4 && p[0] == 0xF0 && p[1] == 0x9F ? 4 : 0; /* U+1F000 to U+1FFFF */
}

/* Keeps the words of b only: text and blocks differ in bullets, blanks and emoji even where they say the same. */
static void keep_words(struct br_buf *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->len;) {
        size_t skip = insignificant(b->data + i, b->len - i);
        if (!skip)
            b->data[n++] = b->data[i++];
        i += skip;
    }
    br_buf_truncate(b, n);
}

static void keep_non_blanks(struct br_buf *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->len; i++)
        if (!strchr(" \t\r\n", b->data[i]))
            b->data[n++] = b->data[i];
    br_buf_truncate(b, n);
}

/* What could not be written beside r is missing in r. */
static void carry_failure(struct br_render *r, const struct br_buf *buf)
{
    r->out->failed = r->out->failed || buf->failed;
    r->out->no_memory = r->out->no_memory || buf->no_memory;
}

/* Is what `part` says in `whole`, give or take blanks and marks? A part without words ("?!") is compared by its
 * marks. */
static bool contains(struct br_render *r, const struct br_buf *whole, const struct br_buf *part)
{
    struct br_buf a, b;
    br_buf_init(&a, whole->len);
    br_buf_init(&b, part->len);
    br_buf_add(&a, whole->data, whole->len);
    br_buf_add(&b, part->data, part->len);
    keep_words(&b);
    if (b.len) {
        keep_words(&a);
    } else {
        br_buf_add(&b, part->data, part->len);
        keep_non_blanks(&a);
        keep_non_blanks(&b);
    }
    bool yes = !a.failed && !b.failed && (!b.len || memmem(br_buf_str(&a), a.len, b.data, b.len));
    carry_failure(r, &a);
    carry_failure(r, &b);
    br_buf_free(&a);
    br_buf_free(&b);
    return yes;
}

/* --- bodies ---------------------------------------------------------------------------------- */

/* A rendering of its own, beside r. */
static void aside(const struct br_render *r, struct br_render *part, struct br_buf *buf)
{
    br_buf_init(buf, BR_RENDER_TEXT_MAX);
    br_render_begin(part, r->names, buf);
    part->source = r->source;
    part->lookups = r->lookups;
}

static void join(struct br_render *r, const struct br_render *part)
{
    br_render_put(r, br_buf_str(part->out), part->out->len);
    r->full = r->full || part->full;
    r->lookups = part->lookups;
}

/* The end of what aside began, joined or not. */
static void leave(struct br_render *r, struct br_buf *buf)
{
    carry_failure(r, buf);
    br_buf_free(buf);
}

static void put_markup(struct br_render *r, enum br_markup markup, const json_t *string)
{
    if (json_is_string(string))
        br_render_markup(r, markup, json_string_value(string), json_string_length(string));
}

/* Without blanks at its ends, which page titles tend to have. */
static void put_trimmed(struct br_render *r, enum br_markup markup, const json_t *string)
{
    const char *s = json_string_value(string);
    size_t n = json_string_length(string);
    for (; n && strchr(" \t\r\n", *s); n--)
        s++;
    while (n && strchr(" \t\r\n", s[n - 1]))
        n--;
    br_render_markup(r, markup, s, n);
}

/* Blocks if there are any, and the text before them unless they say the same. */
static void put_body(struct br_render *r, enum br_markup markup, const json_t *text, const json_t *blocks)
{
    br_render_start_line(r);
    if (!json_array_size(blocks)) {
        put_markup(r, markup, text);
        return;
    }
    struct br_buf text_buf, block_buf;
    struct br_render in_text, in_blocks;
    aside(r, &in_text, &text_buf);
    put_markup(&in_text, markup, text);
    aside(r, &in_blocks, &block_buf);
    in_blocks.source = json_string_value(text);
    br_render_blocks(&in_blocks, blocks);
    if (!contains(r, &block_buf, &text_buf)) {
        join(r, &in_text);
        br_render_start_line(r);
    }
    join(r, &in_blocks);
    leave(r, &text_buf);
    leave(r, &block_buf);
}

/* A line of its own for what the text does not say yet. */
static void put_unless_said(struct br_render *r, enum br_markup markup, const json_t *string)
{
    struct br_buf buf;
    struct br_render part;
    aside(r, &part, &buf);
    put_trimmed(&part, markup, string);
    if (buf.len && !said(r, buf.data, buf.len)) {
        unsigned lookups = r->lookups;
        br_render_start_line(r);
        join(r, &part);
        r->lookups = lookups;
    }
    leave(r, &buf);
}

/* --- attachments ----------------------------------------------------------------------------- */

static void put_member(struct br_render *r, const json_t *a, const char *key, enum br_markup markup)
{
    const json_t *value = json_object_get(a, key);
    if (!json_is_string(value) || !json_string_length(value))
        return;
    br_render_start_line(r);
    put_trimmed(r, markup, value);
}

/* "title (link)"; the link only where it is news. */
static void put_title(struct br_render *r, const json_t *a)
{
    const char *title = br_render_string(a, "title"), *link = br_render_string(a, "title_link");
    if (!title) {
        put_unless_said(r, BR_MARKUP_ENTITIES, json_object_get(a, "title_link"));
        return;
    }
    struct br_buf url;
    struct br_render part;
    aside(r, &part, &url);
    if (link)
        br_render_markup(&part, BR_MARKUP_ENTITIES, link, strlen(link));
    bool news = url.len && !said(r, url.data, url.len);
    br_render_start_line(r);
    size_t before = r->out->len;
    put_trimmed(r, BR_MARKUP_TOKENS, json_object_get(a, "title"));
    if (news && !r->full &&
        (r->out->len - before != url.len || memcmp(r->out->data + before, url.data, url.len) != 0)) {
        br_render_puts(r, " (");
        join(r, &part);
        br_render_puts(r, ")");
    }
    leave(r, &url);
}

static void put_fields(struct br_render *r, const json_t *fields)
{
    const json_t *field;
    size_t i;
    json_array_foreach((json_t *)fields, i, field)
    {
        const char *title = br_render_string(field, "title"), *value = br_render_string(field, "value");
        if (r->full)
            return;
        if (!title && !value)
            continue;
        br_render_start_line(r);
        put_markup(r, BR_MARKUP_TOKENS, json_object_get(field, "title"));
        if (title && value)
            br_render_puts(r, title[strlen(title) - 1] == ':' ? " " : ": ");
        put_markup(r, BR_MARKUP_FULL, json_object_get(field, "value"));
    }
}

/* Is there anything but a fallback? */
static bool has_content(const json_t *a)
{
    static const char *const keys[] = {"pretext", "author_name", "title", "title_link", "text", "footer", "from_url"};
    for (size_t i = 0; i < BR_COUNT(keys); i++)
        if (br_render_string(a, keys[i]))
            return true;
    return json_array_size(json_object_get(a, "fields")) || json_array_size(json_object_get(a, "blocks"));
}

static void put_attachment(struct br_render *r, const json_t *a)
{
    size_t before = r->out->len;
    if (has_content(a)) {
        put_member(r, a, "pretext", BR_MARKUP_FULL);
        put_member(r, a, "author_name", BR_MARKUP_TOKENS);
        put_title(r, a);
        put_body(r, BR_MARKUP_FULL, json_object_get(a, "text"), json_object_get(a, "blocks"));
        put_fields(r, json_object_get(a, "fields"));
        put_member(r, a, "footer", BR_MARKUP_TOKENS);
        put_unless_said(r, BR_MARKUP_ENTITIES, json_object_get(a, "from_url"));
    } else {
        put_member(r, a, "fallback", BR_MARKUP_TOKENS);
    }
    if (r->out->len > before)
        br_render_start_line(r);
}

/* --- files ----------------------------------------------------------------------------------- */

/* A comment of the days before threads: {"comment": text}; announcements quote it in the message's text. */
static void put_comment(struct br_render *r, const json_t *comment)
{
    struct br_buf buf;
    struct br_render part;
    aside(r, &part, &buf);
    put_markup(&part, BR_MARKUP_FULL, json_object_get(comment, "comment"));
    if (buf.len && !contains(r, r->out, &buf)) {
        br_render_start_line(r);
        join(r, &part);
    }
    leave(r, &buf);
}

static void put_file(struct br_render *r, const json_t *file)
{
    const char *mode = br_render_string(file, "mode");
    const json_t *preview = json_object_get(file, "preview");
    put_unless_said(r, BR_MARKUP_TOKENS, json_object_get(file, "title"));
    put_unless_said(r, BR_MARKUP_TOKENS, json_object_get(file, "name"));
    /* other modes' previews are HTML */
    if (json_is_string(preview) && (!mode || strcmp(mode, "snippet") == 0)) {
        br_render_start_line(r);
        br_render_put(r, json_string_value(preview), json_string_length(preview));
    }
}

/* --- the message ----------------------------------------------------------------------------- */

/* In place: CR LF becomes LF and NUL a blank; blank lines at the start, blanks at the end and all but one of
 * several empty lines go. */
static void tidy(struct br_buf *b)
{
    size_t n = 0, newlines = 0, start = 0;
    for (size_t i = 0; i < b->len; i++) {
        char c = b->data[i] ? b->data[i] : ' ';
        if (c == '\r' && i + 1 < b->len && b->data[i + 1] == '\n')
            continue;
        newlines = c == '\n' ? newlines + 1 : 0;
        if (newlines <= 2)
            b->data[n++] = c;
    }
    while (n && strchr(" \t\r\n", b->data[n - 1]))
        n--;
    for (size_t i = 0; i < n && strchr(" \t\r\n", b->data[i]); i++)
        if (b->data[i] == '\n')
            start = i + 1;
    if (n && start)
        memmove(b->data, b->data + start, n - start);
    br_buf_truncate(b, n - start);
}

static void put_message(struct br_render *r, const json_t *msg)
{
    const json_t *attachments = json_object_get(msg, "attachments"), *files = json_object_get(msg, "files"), *item;
    const json_t *file = json_object_get(msg, "file");
    bool plain = json_is_false(json_object_get(msg, "mrkdwn"));
    size_t i;
    put_body(r, plain ? BR_MARKUP_TOKENS : BR_MARKUP_FULL, json_object_get(msg, "text"), json_object_get(msg,
        "blocks"));
    put_comment(r, json_object_get(msg, "comment"));
    if (!json_object_get(msg, "comment"))
        put_comment(r, json_object_get(file, "initial_comment"));
    json_array_foreach((json_t *)attachments, i, item)
    {
        if (r->full)
            break;
        put_attachment(r, item);
    }
    json_array_foreach((json_t *)files, i, item)
    {
        if (r->full)
            break;
        put_file(r, item);
    }
    if (!json_array_size(files))
        put_file(r, file);
}

void br_render_message(const json_t *msg, const struct br_names *names, struct br_buf *out, bool *truncated)
{
    struct br_buf text;
    struct br_render whole, all;
    br_render_begin(&whole, names, out);
    aside(&whole, &all, &text);
    put_message(&all, msg);
    tidy(&text);
    join(&whole, &all);
    *truncated = whole.full;
    leave(&whole, &text);
}
