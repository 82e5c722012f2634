/* render_blocks.c - a message's "blocks" to plain text: what the client's composer writes (rich_text) and what bots
 * build.
 *
 * Tables map a block's or an element's type to the function that writes it; an unknown block gives up the strings a
 * reader would see. Each JSON node is visited once and depth is capped, so hostile blocks cost no more than their
 * size. */
#include "render_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DEPTH_MAX = 128, /* levels of nesting; what lies deeper is left out */
    INDENT_MAX = 8,  /* levels of list indentation shown */
};

typedef void write_fn(struct br_render *r, const json_t *node, int depth);

static void write_blocks(struct br_render *r, const json_t *blocks, int depth);
static void write_rich_elements(struct br_render *r, const json_t *elements, int depth);
static bool write_known_block(struct br_render *r, const json_t *block, int depth);

const char *br_render_string(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s && *s ? s : NULL;
}

static bool is_type(const json_t *object, const char *type)
{
    const char *s = br_render_string(object, "type");
    return s && strcmp(s, type) == 0;
}

/* --- text objects: {"type": "mrkdwn" or "plain_text", "text": ...}, sometimes a bare string -- */

static void put_text(struct br_render *r, const json_t *text)
{
    bool mrkdwn = is_type(text, "mrkdwn");
    const json_t *string = json_is_string(text) ? text : json_object_get(text, "text");
    if (json_is_string(string))
        br_render_markup(r, mrkdwn ? BR_MARKUP_FULL : BR_MARKUP_TOKENS, json_string_value(string),
            json_string_length(string));
}

static void put_text_line(struct br_render *r, const json_t *text)
{
    br_render_start_line(r);
    put_text(r, text);
}

static void put_member_line(struct br_render *r, const json_t *object, const char *key)
{
    put_text_line(r, json_object_get(object, key));
}

/* --- rich_text elements ---------------------------------------------------------------------- */

static void write_rich_text_text(struct br_render *r, const json_t *e, int depth)
{
    (void)depth;
    const json_t *text = json_object_get(e, "text");
    if (json_is_string(text))
        br_render_put(r, json_string_value(text), json_string_length(text));
}

static void write_rich_link(struct br_render *r, const json_t *e, int depth)
{
    (void)depth;
    br_render_link(r, br_render_string(e, "text"), br_render_string(e, "url"));
}

/* "1f44d-1f3fd" to UTF-8, without the skin tone, which the name tells. */
static void decode_unicode(const char *hex, char *out, size_t size)
{
    size_t n = 0;
    while (*hex && n + 5 < size) {
        char *end;
        unsigned long c = strtoul(hex, &end, 16);
        if (end == hex || c < 0x20 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
            break;
        if (c < 0x80) {
            out[n++] = (char)c;
        } else if (c < 0x800) {
            out[n++] = (char)(0xC0 | c >> 6);
            out[n++] = (char)(0x80 | (c & 63));
        } else if (c < 0x10000) {
            out[n++] = (char)(0xE0 | c >> 12);
            out[n++] = (char)(0x80 | (c >> 6 & 63));
            out[n++] = (char)(0x80 | (c & 63));
        } else if (c < 0x1F3FB || c > 0x1F3FF) {
            out[n++] = (char)(0xF0 | c >> 18);
            out[n++] = (char)(0x80 | (c >> 12 & 63));
            out[n++] = (char)(0x80 | (c >> 6 & 63));
            out[n++] = (char)(0x80 | (c & 63));
        }
        hex = end;
        if (*hex++ != '-')
            break;
    }
    out[n] = 0;
}

static void write_rich_emoji(struct br_render *r, const json_t *e, int depth)
{
    (void)depth;
    const char *name = br_render_string(e, "name"), *unicode = br_render_string(e, "unicode");
    json_int_t tone = json_integer_value(json_object_get(e, "skin_tone"));
    char character[64] = "", tone_name[24] = "";
    if (unicode)
        decode_unicode(unicode, character, sizeof character);
    if (!name) {
        br_render_puts(r, character);
        return;
    }
    br_render_puts(r, ":");
    br_render_puts(r, name);
    br_render_puts(r, ":");
    if (tone >= 1 && tone <= 6)
        snprintf(tone_name, sizeof tone_name, ":skin-tone-%d:", (int)tone);
    br_render_puts(r, tone_name);
    br_render_emoji(r, name, character);
}

static void write_rich_user(struct br_render *r, const json_t *e, int depth)
{
    (void)depth;
    const char *id = br_render_string(e, "user_id");
    if (id)
        br_render_mention(r, '@', id);
}

static void write_rich_channel(struct br_render *r, const json_t *e, int depth)
{
    (void)depth;
    const char *id = br_render_string(e, "channel_id");
    if (id)
        br_render_mention(r, '#', id);
}

static void write_rich_usergroup(struct br_render *r, const json_t *e, int depth)
{
    (void)depth;
    const char *id = br_render_string(e, "usergroup_id");
    if (id)
        br_render_mention(r, '!', id);
}

static void write_rich_team(struct br_render *r, const json_t *e, int depth)
{
    (void)depth;
    const char *id = br_render_string(e, "team_id");
    if (id)
        br_render_puts(r, id);
}

static void write_rich_broadcast(struct br_render *r, const json_t *e, int depth)
{
    (void)depth;
    const char *range = br_render_string(e, "range");
    if (range) {
        br_render_puts(r, "@");
        br_render_puts(r, range);
    }
}

static void write_rich_color(struct br_render *r, const json_t *e, int depth)
{
    (void)depth;
    const char *value = br_render_string(e, "value");
    if (value)
        br_render_puts(r, value);
}

static void write_rich_date(struct br_render *r, const json_t *e, int depth)
{
    (void)depth;
    const char *fallback = br_render_string(e, "fallback");
    const json_t *timestamp = json_object_get(e, "timestamp");
    time_t t = (time_t)json_integer_value(timestamp);
    struct tm tm;
    char day[16];
    if (fallback)
        br_render_puts(r, fallback);
    else if (json_is_integer(timestamp) && gmtime_r(&t, &tm) && strftime(day, sizeof day, "%Y-%m-%d", &tm))
        br_render_puts(r, day);
}

static void write_rich_section(struct br_render *r, const json_t *e, int depth)
{
    write_rich_elements(r, json_object_get(e, "elements"), depth + 1);
}

static void write_rich_lines(struct br_render *r, const json_t *e, int depth)
{
    br_render_start_line(r);
    write_rich_section(r, e, depth);
}

/* The n-th (from 0) item's number as Slack shows it: 1. a. i. by level; only the first letters and numerals get
 * that. */
static void format_number(char *out, size_t size, json_int_t n, json_int_t indent)
{
    static const char *const roman[] = {"i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"};
    if (indent % 3 == 1 && n < 26)
        snprintf(out, size, "%c. ", (char)('a' + n));
    else if (indent % 3 == 2 && n < (json_int_t)BR_COUNT(roman))
        snprintf(out, size, "%s. ", roman[n]);
    else
        snprintf(out, size, "%lld. ", (long long)n + 1);
}

static void write_rich_list(struct br_render *r, const json_t *e, int depth)
{
    static const char *const bullets[] = {"\u2022 ", "\u25e6 ", "\u25aa "};
    const json_t *items = json_object_get(e, "elements"), *item;
    const char *style = br_render_string(e, "style");
    bool ordered = style && strcmp(style, "ordered") == 0;
    json_int_t indent = json_integer_value(json_object_get(e, "indent"));
    json_int_t offset = json_integer_value(json_object_get(e, "offset"));
    size_t i;
    indent = BR_MAX(0, BR_MIN(indent, INDENT_MAX));
    if (offset < 0 || offset > 1000000)
        offset = 0;
    json_array_foreach((json_t *)items, i, item)
    {
        char number[32];
        if (r->full)
            return;
        br_render_start_line(r);
        size_t before = r->out->len;
        for (json_int_t k = 0; k < indent; k++)
            br_render_puts(r, "    ");
        format_number(number, sizeof number, offset + (json_int_t)i, indent);
        br_render_puts(r, ordered ? number : bullets[indent % 3]);
        size_t start = r->out->len;
        write_rich_section(r, item, depth);
        if (r->out->len == start) /* a bullet without text says nothing */
            br_buf_truncate(r->out, before);
    }
}

static const struct writer {
    const char *type;
    write_fn *write;
} rich_writers[] = {
    {"text", write_rich_text_text},
    {"link", write_rich_link},
    {"emoji", write_rich_emoji},
    {"user", write_rich_user},
    {"usergroup", write_rich_usergroup},
    {"channel", write_rich_channel},
    {"team", write_rich_team},
    {"broadcast", write_rich_broadcast},
    {"color", write_rich_color},
    {"date", write_rich_date},
    {"rich_text_section", write_rich_lines},
    {"rich_text_list", write_rich_list},
    {"rich_text_quote", write_rich_lines},
    {"rich_text_preformatted", write_rich_lines},
};

static write_fn *find_writer(const struct writer *writers, size_t n, const json_t *node)
{
    const char *type = br_render_string(node, "type");
    for (size_t i = 0; type && i < n; i++)
        if (strcmp(writers[i].type, type) == 0)
            return writers[i].write;
    return NULL;
}

static void write_rich_elements(struct br_render *r, const json_t *elements, int depth)
{
    const json_t *e;
    size_t i;
    if (depth > DEPTH_MAX)
        return;
    json_array_foreach((json_t *)elements, i, e)
    {
        write_fn *write = find_writer(rich_writers, BR_COUNT(rich_writers), e);
        if (r->full)
            return;
        if (!write) { /* new kinds of element have a text or hold further elements */
            write_rich_text_text(r, e, depth);
            write = write_rich_section;
        }
        write(r, e, depth);
    }
}

/* --- blocks ---------------------------------------------------------------------------------- */

static void write_section(struct br_render *r, const json_t *b, int depth)
{
    const json_t *fields = json_object_get(b, "fields"), *field;
    size_t i;
    (void)depth;
    put_member_line(r, b, "text");
    json_array_foreach((json_t *)fields, i, field)
    {
        if (r->full)
            return;
        put_text_line(r, field);
    }
}

static void write_text(struct br_render *r, const json_t *b, int depth)
{
    (void)depth;
    put_member_line(r, b, "text");
}

static void write_title(struct br_render *r, const json_t *b, int depth)
{
    (void)depth;
    put_member_line(r, b, "title");
}

static void write_label(struct br_render *r, const json_t *b, int depth)
{
    (void)depth;
    put_member_line(r, b, "label");
}

/* Its elements stand side by side. */
static void write_context(struct br_render *r, const json_t *b, int depth)
{
    const json_t *elements = json_object_get(b, "elements"), *e;
    size_t i;
    (void)depth;
    br_render_start_line(r);
    json_array_foreach((json_t *)elements, i, e)
    {
        size_t before = r->out->len;
        if (r->full)
            return;
        put_text(r, is_type(e, "image") ? json_object_get(e, "alt_text") : e);
        if (r->out->len > before)
            br_render_puts(r, " ");
    }
}

static void write_image(struct br_render *r, const json_t *b, int depth)
{
    const json_t *title = json_object_get(b, "title"), *alt = json_object_get(b, "alt_text");
    const json_t *shown = json_is_object(title) ? json_object_get(title, "text") : title;
    (void)depth;
    put_text_line(r, title);
    if (!json_equal(shown, alt))
        put_text_line(r, alt);
}

/* Standard Markdown, unescaped; readable as it is. */
static void write_markdown(struct br_render *r, const json_t *b, int depth)
{
    br_render_start_line(r);
    write_rich_text_text(r, b, depth);
}

static void write_video(struct br_render *r, const json_t *b, int depth)
{
    (void)depth;
    put_member_line(r, b, "title");
    put_member_line(r, b, "description");
}

static void put_cell(struct br_render *r, const json_t *cell, int depth)
{
    size_t before = r->out->len, from = before;
    if (is_type(cell, "rich_text"))
        write_rich_elements(r, json_object_get(cell, "elements"), depth + 1);
    else if (is_type(cell, "raw_text"))
        write_rich_text_text(r, cell, depth);
    else
        put_text(r, cell);
    while (from < r->out->len && strchr("\n\t ", r->out->data[from]))
        from++;
    for (; from < r->out->len; from++) /* a row stays one line */
        r->out->data[before++] = strchr("\n\t", r->out->data[from]) ? ' ' : r->out->data[from];
    if (before < r->out->len)
        br_buf_truncate(r->out, before);
}

static void write_table(struct br_render *r, const json_t *b, int depth)
{
    const json_t *rows = json_object_get(b, "rows"), *row, *cell;
    size_t i, j;
    json_array_foreach((json_t *)rows, i, row)
    {
        br_render_start_line(r);
        json_array_foreach((json_t *)row, j, cell)
        {
            if (r->full)
                return;
            if (j)
                br_render_puts(r, "\t");
            put_cell(r, cell, depth);
        }
    }
}

static void write_card(struct br_render *r, const json_t *b, int depth)
{
    (void)depth;
    put_member_line(r, b, "title");
    put_member_line(r, b, "subtitle");
    put_member_line(r, b, "body");
}

static void write_carousel(struct br_render *r, const json_t *b, int depth)
{
    write_blocks(r, json_object_get(b, "cards"), depth + 1);
    write_blocks(r, json_object_get(b, "elements"), depth + 1);
}

static void write_plan(struct br_render *r, const json_t *b, int depth)
{
    put_member_line(r, b, "title");
    write_blocks(r, json_object_get(b, "tasks"), depth + 1);
}

static void write_nothing(struct br_render *r, const json_t *b, int depth)
{
    (void)r;
    (void)b;
    (void)depth;
}

static const struct writer block_writers[] = {
    {"rich_text", write_rich_section},
    {"section", write_section},
    {"header", write_text},
    {"context", write_context},
    {"image", write_image},
    {"markdown", write_markdown},
    {"alert", write_text},
    {"video", write_video},
    {"table", write_table},
    {"card", write_card},
    {"carousel", write_carousel},
    {"task_card", write_title},
    {"plan", write_plan},
    {"input", write_label},
    {"actions", write_nothing},
    {"context_actions", write_nothing},
    {"divider", write_nothing},
    {"file", write_nothing},
};

static bool write_known_block(struct br_render *r, const json_t *block, int depth)
{
    write_fn *write = find_writer(block_writers, BR_COUNT(block_writers), block);
    if (write)
        write(r, block, depth);
    return write != NULL;
}

/* An unknown block: the strings under the keys that readers see, wherever they are; known blocks inside it as such. */
static void collect(struct br_render *r, const json_t *node, int depth)
{
    const json_t *child;
    const char *key;
    size_t i;
    if (depth > DEPTH_MAX || r->full)
        return;
    json_array_foreach((json_t *)node, i, child)
    {
        if (!write_known_block(r, child, depth + 1))
            collect(r, child, depth + 1);
    }
    if (!json_is_object(node))
        return;
    json_object_foreach((json_t *)node, key, child)
    {
        bool shown = strcmp(key, "text") == 0 || strcmp(key, "title") == 0 || strcmp(key, "alt_text") == 0;
        if (shown && json_is_string(child))
            put_text_line(r, strcmp(key, "text") == 0 ? node : child);
        else if (!write_known_block(r, child, depth + 1))
            collect(r, child, depth + 1);
    }
}

static void write_blocks(struct br_render *r, const json_t *blocks, int depth)
{
    const json_t *block;
    size_t i;
    if (depth > DEPTH_MAX)
        return;
    json_array_foreach((json_t *)blocks, i, block)
    {
        if (r->full)
            return;
        br_render_start_line(r);
        if (!write_known_block(r, block, depth))
            collect(r, block, depth);
    }
}

void br_render_blocks(struct br_render *r, const json_t *blocks)
{
    write_blocks(r, blocks, 0);
}
