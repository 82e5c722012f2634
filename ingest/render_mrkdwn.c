/* render_mrkdwn.c - Slack's mrkdwn to plain text.
 *
 * Three passes. The first takes the text apart from left to right: code, <tokens>, entities and plain text, written
 * decoded into a scratch buffer with one byte beside each byte that says what it came from. The second finds the
 * *marks* in what came from plain text and flags them. The third copies the rest out and adds the characters of
 * known emoji. So a URL or a piece of code is never mistaken for markup, and a decoded "&lt;@U1&gt;" is never
 * mistaken for a mention. */
#include "emoji.h"
#include "render_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    ID_MAX = 64,           /* bytes of a user, channel or group id */
    EMOJI_NAME_MAX = 64,
    SCRATCH_FACTOR = 4,    /* the scratch buffer's cap; what one token can add beyond BR_RENDER_TEXT_MAX */
};

/* What a byte of the scratch buffer came from. */
enum kind { PLAIN = 'p', LABEL = 'l', VERBATIM = 'v', DROPPED = 'd' };

struct mrkdwn {
    const struct br_names *names;
    enum br_markup markup;
    const char *s;
    size_t n, i; /* i: the next byte to read */
    bool no_fence; /* no ``` follows */
    struct br_buf text, kind; /* of equal length */
};

/* --- writing --------------------------------------------------------------------------------- */

void br_render_begin(struct br_render *r, const struct br_names *names, struct br_buf *out)
{
    size_t room = BR_MIN((size_t)BR_RENDER_TEXT_MAX, out->cap - out->len);
    *r = (struct br_render){.names = names, .out = out, .base = out->len, .limit = out->len + room};
}

void br_render_put(struct br_render *r, const char *s, size_t n)
{
    if (r->full)
        return;
    if (n > r->limit - r->out->len) {
        n = r->limit - r->out->len;
        while (n && ((unsigned char)s[n] & 0xC0) == 0x80)
            n--;
        r->full = true;
    }
    br_buf_add(r->out, s, n);
    if (r->out->failed)
        r->full = true;
}

void br_render_puts(struct br_render *r, const char *s)
{
    br_render_put(r, s, strlen(s));
}

void br_render_start_line(struct br_render *r)
{
    if (r->out->len > r->base && r->out->data[r->out->len - 1] != '\n')
        br_render_put(r, "\n", 1);
}

/* --- small facts about text ------------------------------------------------------------------ */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool begins(const char *s, size_t n, const char *prefix)
{
    size_t len = strlen(prefix);
    return n >= len && strncasecmp(s, prefix, len) == 0;
}

/* The bytes of the entity at s, and in *c its character; 0 if there is none. */
static size_t entity(const char *s, size_t n, char *c)
{
    static const struct {
        const char *name;
        char c;
    } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}};
    for (size_t k = 0; k < BR_COUNT(entities); k++) {
        size_t len = strlen(entities[k].name);
        if (n >= len && memcmp(s, entities[k].name, len) == 0) {
            *c = entities[k].c;
            return len;
        }
    }
    return 0;
}

/* Does s begin like an address? Only what Slack links, so that a stray <foo:bar> stays text. */
static bool is_address(const char *s, size_t n)
{
    static const char *const schemes[] = {"mailto:", "tel:", "sms:", "callto:", "sip:", "skype:", "xmpp:", "facetime:"};
    for (size_t k = 0; k < BR_COUNT(schemes); k++)
        if (begins(s, n, schemes[k]))
            return true;
    size_t i = 0;
    while (i < n && i < 32 && (is_alnum(s[i]) || s[i] == '+' || s[i] == '-' || s[i] == '.'))
        i++;
    return i > 1 && n - i > 3 && memcmp(s + i, "://", 3) == 0;
}

static bool is_id(const char *s, size_t n)
{
    if (!n || n >= ID_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_alnum(s[i]) && !strchr("_.-", s[i]))
            return false;
    return true;
}

/* An address without what a reader does not type: its scheme and a last slash. */
static void bare_address(const char **s, size_t *n)
{
    static const char *const schemes[] = {"https://", "http://", "mailto:", "tel:"};
    for (size_t k = 0; k < BR_COUNT(schemes); k++)
        if (begins(*s, *n, schemes[k])) {
            size_t len = strlen(schemes[k]);
            *s += len;
            *n -= len;
            break;
        }
    if (*n && (*s)[*n - 1] == '/')
        --*n;
}

static bool same_address(const char *a, size_t na, const char *b, size_t nb)
{
    bare_address(&a, &na);
    bare_address(&b, &nb);
    return na == nb && strncasecmp(a, b, na) == 0;
}

static bool is_blank(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && is_space(s[i]))
        i++;
    return i == n;
}

/* Of a link that says its address only: is the label the better of the two? */
static bool label_is_enough(const char *url, size_t n)
{
    return begins(url, n, "mailto:") || begins(url, n, "tel:");
}

/* --- first pass: taking apart ---------------------------------------------------------------- */

static void emit(struct mrkdwn *m, const char *s, size_t n, enum kind kind)
{
    char kinds[256];
    memset(kinds, kind, BR_MIN(n, sizeof kinds));
    br_buf_add(&m->text, s, n);
    for (size_t done = 0; done < n; done += BR_MIN(n - done, sizeof kinds))
        br_buf_add(&m->kind, kinds, BR_MIN(n - done, sizeof kinds));
}

static void emits(struct mrkdwn *m, const char *s, enum kind kind)
{
    emit(m, s, strlen(s), kind);
}

static void emit_decoded(struct mrkdwn *m, const char *s, size_t n, enum kind kind)
{
    for (size_t i = 0; i < n;) {
        char c;
        size_t len = s[i] == '&' ? entity(s + i, n - i, &c) : 0;
        if (len) {
            emit(m, &c, 1, kind);
            i += len;
            continue;
        }
        size_t from = i++;
        while (i < n && s[i] != '&')
            i++;
        emit(m, s + from, i - from, kind);
    }
}

/* A name that may or may not carry its sign already. */
static void emit_named(struct mrkdwn *m, char sign, const char *s, size_t n)
{
    emit(m, &sign, 1, VERBATIM);
    if (n && *s == sign)
        s++, n--;
    emit_decoded(m, s, n, VERBATIM);
}

static const char *resolved(const struct br_names *names, char sign, const char *id)
{
    const char *name = NULL;
    if (names && sign == '@' && names->user)
        name = names->user(names->ctx, id);
    if (names && sign == '#' && names->channel)
        name = names->channel(names->ctx, id);
    return name && *name ? name : NULL;
}

static bool emit_mention(struct mrkdwn *m, char sign, const char *s, size_t n, const char *label, size_t label_len)
{
    if (!is_id(s, n))
        return false;
    char id[ID_MAX];
    memcpy(id, s, n);
    id[n] = 0;
    const char *name = resolved(m->names, sign, id);
    if (name) {
        emit(m, &sign, 1, VERBATIM);
        emits(m, name + (*name == sign), VERBATIM);
    } else if (!is_blank(label, label_len)) {
        emit_named(m, sign, label, label_len);
    } else {
        emit_named(m, sign, id, n);
    }
    return true;
}

/* The day of an epoch second, for a date whose fallback is missing. */
static bool emit_day(struct mrkdwn *m, const char *s, size_t n)
{
    char digits[16], day[16];
    size_t len = 0;
    while (len < n && len < sizeof digits - 1 && s[len] >= '0' && s[len] <= '9')
        len++;
    memcpy(digits, s, len);
    digits[len] = 0;
    time_t t = (time_t)strtoll(digits, NULL, 10);
    struct tm tm;
    if (!len || !gmtime_r(&t, &tm) || !strftime(day, sizeof day, "%Y-%m-%d", &tm))
        return false;
    emits(m, day, VERBATIM);
    return true;
}

/* <!here>, <!subteam^S1|@label>, <!date^...|fallback>, <!other|label>: s is what follows the "!". */
static bool emit_special(struct mrkdwn *m, const char *s, size_t n, const char *label, size_t label_len)
{
    static const char *const everybody[] = {"here", "channel", "everyone", "group"};
    for (size_t k = 0; k < BR_COUNT(everybody); k++)
        if (n == strlen(everybody[k]) && memcmp(s, everybody[k], n) == 0) {
            emit_named(m, '@', s, n);
            return true;
        }
    if (!n || !is_alnum(*s))
        return false;
    if (begins(s, n, "subteam^") && n > strlen("subteam^")) {
        size_t skip = strlen("subteam^");
        bool named = !is_blank(label, label_len);
        emit_named(m, '@', named ? label : s + skip, named ? label_len : n - skip);
        return true;
    }
    if (!is_blank(label, label_len)) {
        emit_decoded(m, label, label_len, LABEL);
        return true;
    }
    return begins(s, n, "date^") && emit_day(m, s + strlen("date^"), n - strlen("date^"));
}

static bool emit_link(struct mrkdwn *m, const char *url, size_t n, const char *label, size_t label_len)
{
    if (!is_address(url, n))
        return false;
    if (is_blank(label, label_len)) {
        emit_decoded(m, url, n, VERBATIM);
    } else if (same_address(label, label_len, url, n)) {
        bool use_label = label_is_enough(url, n);
        emit_decoded(m, use_label ? label : url, use_label ? label_len : n, VERBATIM);
    } else {
        emit_decoded(m, label, label_len, LABEL);
        emits(m, " (", VERBATIM);
        emit_decoded(m, url, n, VERBATIM);
        emits(m, ")", VERBATIM);
    }
    return true;
}

/* The token at s[0] == '<': its bytes with both brackets, and where it divides. 0 if no '>' closes it on this line. */
static size_t token_at(const char *s, size_t n, size_t *body_len, const char **label, size_t *label_len)
{
    size_t end = 1;
    while (end < n && s[end] != '>' && s[end] != '<' && s[end] != '\n')
        end++;
    if (end == n || s[end] != '>' || end == 1)
        return 0;
    const char *bar = memchr(s + 1, '|', end - 1);
    *body_len = bar ? (size_t)(bar - s) - 1 : end - 1;
    *label = bar ? bar + 1 : s + end;
    *label_len = (size_t)(s + end - *label);
    return end + 1;
}

static bool take_token(struct mrkdwn *m)
{
    const char *s = m->s + m->i, *label;
    size_t body_len, label_len;
    size_t len = token_at(s, m->n - m->i, &body_len, &label, &label_len);
    if (!len || !body_len)
        return false;
    bool known;
    switch (s[1]) {
    case '@':
    case '#':
        known = emit_mention(m, s[1], s + 2, body_len - 1, label, label_len);
        break;
    case '!':
        known = emit_special(m, s + 2, body_len - 1, label, label_len);
        break;
    default:
        known = emit_link(m, s + 1, body_len, label, label_len);
    }
    if (known)
        m->i += len;
    return known;
}

/* Code keeps its text. Only the brackets that Slack puts around an address go: nobody typed them (a typed < is
 * &lt;). */
static void emit_code(struct mrkdwn *m, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = 0, body_len, label_len;
        const char *label;
        if (s[i] == '<')
            len = token_at(s + i, n - i, &body_len, &label, &label_len);
        if (len && is_address(s + i + 1, body_len)) {
            bool named = !is_blank(label, label_len);
            emit_decoded(m, named ? label : s + i + 1, named ? label_len : body_len, VERBATIM);
            i += len;
            continue;
        }
        size_t from = i++;
        while (i < n && s[i] != '<')
            i++;
        emit_decoded(m, s + from, i - from, VERBATIM);
    }
}

/* A fence on lines of its own takes those lines' ends with it. */
static bool take_fence(struct mrkdwn *m)
{
    const char *s = m->s + m->i + 3, *end = m->s + m->n;
    const char *close = m->no_fence ? NULL : memmem(s, (size_t)(end - s), "```", 3);
    if (!close) {
        m->no_fence = true;
        return false;
    }
    m->i = (size_t)(close + 3 - m->s);
    if (close == s) {
        emits(m, "``````", PLAIN);
        return true;
    }
    bool starts_line = !m->text.len || m->text.data[m->text.len - 1] == '\n';
    bool ends_line = m->i == m->n || m->s[m->i] == '\n';
    if (starts_line && *s == '\n')
        s++;
    if (ends_line && close > s && close[-1] == '\n')
        close--;
    emit_code(m, s, (size_t)(close - s));
    return true;
}

static void take_backtick(struct mrkdwn *m)
{
    const char *s = m->s + m->i;
    size_t n = m->n - m->i, run = 1, end;
    if (n >= 3 && memcmp(s, "```", 3) == 0 && take_fence(m))
        return;
    while (run < n && s[run] == '`')
        run++;
    for (end = 1; end < n && s[end] != '`' && s[end] != '\n';)
        end++;
    if (run == 1 && end < n && s[end] == '`') {
        emit_code(m, s + 1, end - 1);
        m->i += end + 1;
        return;
    }
    emit(m, s, run, PLAIN);
    m->i += run;
}

/* A bare address in the text: its underscores and colons mean nothing. Bytes, without the punctuation behind it; 0
 * if none. */
static size_t bare_url(const char *s, size_t n)
{
    if (!begins(s, n, "http://") && !begins(s, n, "https://"))
        return 0;
    size_t end = 0;
    while (end < n && !is_space(s[end]) && s[end] != '<' && s[end] != '>' && s[end] != '`' && s[end] != '"')
        end++;
    while (end && strchr("*_~.,:;!?)'", s[end - 1]))
        end--;
    return end;
}

/* The '>' or "&gt;" at s: its bytes; 0 if none. */
static size_t greater_than(const char *s, size_t n)
{
    if (n && *s == '>')
        return 1;
    return begins(s, n, "&gt;") ? 4 : 0;
}

/* At the start of a line: drops up to three quote marks and the blank behind them. ">=", ">:(" and ">_>" are none. */
static void skip_quote(struct mrkdwn *m)
{
    size_t i = m->i;
    for (int k = 0; k < 3; k++)
        i += greater_than(m->s + i, m->n - i);
    if (i == m->i)
        return;
    const char *s = m->s + i;
    size_t n = m->n - i;
    if (n && (strchr("=.:;-", *s) || begins(s, n, "&lt;") || (*s == '_' && (n < 2 || !is_alnum(s[1])))))
        return;
    m->i = i + (n && *s == ' ');
}

static void take_text(struct mrkdwn *m)
{
    const char *s = m->s + m->i;
    size_t n = m->n - m->i, len = bare_url(s, n);
    if (len) {
        emit_decoded(m, s, len, VERBATIM);
        m->i += len;
        return;
    }
    for (len = 1; len < n && !strchr("`<&\nhH", s[len]);)
        len++;
    emit(m, s, len, PLAIN);
    m->i += len;
}

static void take_apart(struct mrkdwn *m)
{
    bool full = m->markup == BR_MARKUP_FULL;
    if (full)
        skip_quote(m);
    while (m->i < m->n && m->text.len <= BR_RENDER_TEXT_MAX && !m->text.failed) {
        char c = m->s[m->i], decoded;
        size_t len;
        if (c == '`' && full) {
            take_backtick(m);
        } else if (c == '<' && m->markup != BR_MARKUP_ENTITIES && take_token(m)) {
            continue;
        } else if (c == '&' && (len = entity(m->s + m->i, m->n - m->i, &decoded)) > 0) {
            emit(m, &decoded, 1, PLAIN);
            m->i += len;
        } else if (c == '\n') {
            emit(m, "\n", 1, PLAIN);
            m->i++;
            if (full)
                skip_quote(m);
        } else {
            take_text(m);
        }
    }
}

/* --- second pass: marks ---------------------------------------------------------------------- */

static uint32_t code_point(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    if (n >= 4 && p[0] >= 0xF0)
        return (p[0] & 7u) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 | (p[3] & 63u);
    if (n >= 3 && p[0] >= 0xE0)
        return (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    if (n >= 2 && p[0] >= 0xC0)
        return (p[0] & 31u) << 6 | (p[1] & 63u);
    return p[0];
}

/* Punctuation, symbols and emoji beyond ASCII: what a mark may stand beside. */
static bool is_symbol(uint32_t c)
{
    return (c >= 0xA0 && c <= 0xBF && c != 0xAA && c != 0xB5 && c != 0xBA) || (c >= 0x2000 && c <= 0x206F) ||
           (c >= 0x2190 && c <= 0x2BFF) || (c >= 0x3000 && c <= 0x303F) || (c >= 0xFE00 && c <= 0xFE4F) ||
           (c >= 0xFF00 && c <= 0xFF0F) || (c >= 0xFF1A && c <= 0xFF20) || c >= 0x1F000;
}

/* May a mark open at s[i]? Not inside a word, a path or an expression, and not before a blank. */
static bool opens(const char *s, size_t n, size_t i)
{
    if (i + 1 >= n || is_space(s[i + 1]) || s[i + 1] == s[i])
        return false;
    if (i == 0 || is_space(s[i - 1]))
        return true;
    char before = s[i - 1];
    if ((unsigned char)before < 0x80)
        return before && before != s[i] && strchr("([{<\"'-:;,!?*_~>|", before);
    size_t from = i - 1;
    while (from && i - from < 4 && ((unsigned char)s[from] & 0xC0) == 0x80)
        from--;
    return is_symbol(code_point(s + from, i - from));
}

/* May a mark close at s[i]? "*.c" behind a blank or "(*.c|*.h)" does not. */
static bool closes(const char *s, size_t n, size_t i)
{
    if (is_space(s[i - 1]))
        return false;
    if (i + 1 >= n || is_space(s[i + 1]))
        return true;
    char after = s[i + 1];
    if (after == '.')
        return i + 2 >= n || !is_alnum(s[i + 2]);
    if ((unsigned char)after < 0x80)
        return after && after != s[i] && strchr(")]}>\"'-:;,!?*_~|<", after);
    return is_symbol(code_point(s + i + 1, n - i - 1));
}

/* Flags the pairs of one mark in a line. A mark that finds no partner ends the search: no later one would find any. */
static void drop_marks(const char *s, char *kind, size_t n, char mark)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] != mark || kind[i] != PLAIN || !opens(s, n, i))
            continue;
        size_t end = i + 2;
        while (end < n && !(s[end] == mark && kind[end] == PLAIN && closes(s, n, end)))
            end++;
        if (end >= n)
            return;
        kind[i] = kind[end] = DROPPED;
        i = end;
    }
}

static void drop_all_marks(struct mrkdwn *m)
{
    for (size_t from = 0, to; from < m->text.len; from = to + 1) {
        const char *newline = memchr(m->text.data + from, '\n', m->text.len - from);
        to = newline ? (size_t)(newline - m->text.data) : m->text.len;
        for (const char *mark = "*_~"; *mark; mark++)
            drop_marks(m->text.data + from, m->kind.data + from, to - from, *mark);
    }
}

/* --- third pass: copying out, with emoji ----------------------------------------------------- */

static bool is_emoji_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("_+-'", c));
}

/* ":skin-tone-3:" at s: its bytes; 0 if none. */
static size_t skin_tone(const char *s, size_t n)
{
    return n >= 13 && memcmp(s, ":skin-tone-", 11) == 0 && s[11] >= '1' && s[11] <= '6' && s[12] == ':' ? 13 : 0;
}

/* A known ":name:" at s[i] and its character: the bytes of the name with colons and skin tone, or 0. */
static size_t emoji_at(const char *s, const char *kind, size_t n, size_t i, const char **character)
{
    size_t end = i + 1;
    bool letters = false;
    while (end < n && end - i <= EMOJI_NAME_MAX && is_emoji_char(s[end]) && kind[end] == kind[i]) {
        letters = letters || (s[end] >= 'a' && s[end] <= 'z');
        end++;
    }
    if (end == n || end == i + 1 || s[end] != ':' || kind[end] != kind[i])
        return 0;
    /* 10:100:5 is no emoji */
    if (!letters && ((i && is_alnum(s[i - 1])) || (end + 1 < n && is_alnum(s[end + 1]))))
        return 0;
    *character = br_emoji_character(s + i + 1, end - i - 1);
    if (!*character)
        return 0;
    end++;
    return end - i + skin_tone(s + end, n - end);
}

static void copy_out(const struct mrkdwn *m, struct br_render *r)
{
    const char *s = m->text.data, *kind = m->kind.data, *character;
    size_t n = m->text.len, from = 0;
    for (size_t i = 0; i < n && !r->full; i++) {
        if (kind[i] == DROPPED) {
            br_render_put(r, s + from, i - from);
            from = i + 1;
        } else if (s[i] == ':' && kind[i] != VERBATIM && m->markup != BR_MARKUP_ENTITIES) {
            size_t len = emoji_at(s, kind, n, i, &character);
            if (!len)
                continue;
            br_render_put(r, s + from, i + len - from);
            br_render_puts(r, character);
            from = i + len;
            i = from - 1;
        }
    }
    if (from < n)
        br_render_put(r, s + from, n - from);
}

void br_render_markup(struct br_render *r, enum br_markup markup, const char *s, size_t n)
{
    struct mrkdwn m = {.names = r->names, .markup = markup, .s = s, .n = n};
    if (r->full || !n)
        return;
    br_buf_init(&m.text, (size_t)SCRATCH_FACTOR * BR_RENDER_TEXT_MAX);
    br_buf_init(&m.kind, (size_t)SCRATCH_FACTOR * BR_RENDER_TEXT_MAX);
    /* What takes this much to say BR_RENDER_TEXT_MAX is cut in any case, so one piece never passes the scratch cap. */
    bool cut = n > 2 * (size_t)BR_RENDER_TEXT_MAX;
    if (cut) {
        m.n = 2 * (size_t)BR_RENDER_TEXT_MAX;
        while (m.n && ((unsigned char)s[m.n] & 0xC0) == 0x80)
            m.n--;
    }
    take_apart(&m);
    if (m.text.failed || m.kind.failed) {
        r->out->failed = true;
        r->out->no_memory = r->out->no_memory || m.text.no_memory || m.kind.no_memory;
        r->full = true;
    } else if (m.text.len) {
        if (markup == BR_MARKUP_FULL)
            drop_all_marks(&m);
        copy_out(&m, r);
        r->full = r->full || cut || m.i < m.n;
    }
    br_buf_free(&m.text);
    br_buf_free(&m.kind);
}

/* --- the same things from rich_text elements, which are not escaped -------------------------- */

void br_render_link(struct br_render *r, const char *label, const char *url)
{
    size_t label_len = label ? strlen(label) : 0, n = url ? strlen(url) : 0;
    bool blank = is_blank(label, label_len);
    if (n && !blank && same_address(label, label_len, url, n)) {
        bool use_label = label_is_enough(url, n);
        br_render_put(r, use_label ? label : url, use_label ? label_len : n);
        return;
    }
    if (!blank)
        br_render_put(r, label, label_len);
    if (!blank && n)
        br_render_puts(r, " (");
    br_render_put(r, url, n);
    if (!blank && n)
        br_render_puts(r, ")");
}

/* The label the message's own text has for an id whose name nobody knows: "<@U1|ada>". */
static const char *label_in_source(struct br_render *r, const char *prefix, const char *id, size_t *n)
{
    enum { LOOKUPS_MAX = 200 };
    char token[2 * ID_MAX];
    if (!r->source || !is_id(id, strlen(id)) || r->lookups++ >= LOOKUPS_MAX)
        return NULL;
    snprintf(token, sizeof token, "%s%s|", prefix, id); /* is_id bounds it */
    const char *found = strstr(r->source, token);
    if (!found)
        return NULL;
    found += strlen(token);
    *n = strcspn(found, "<>\n");
    return *n && found[*n] == '>' ? found : NULL;
}

void br_render_mention(struct br_render *r, char kind, const char *id)
{
    char sign[2] = {kind == '#' ? '#' : '@', 0};
    const char *prefix = kind == '!' ? "<!subteam^" : kind == '#' ? "<#" : "<@";
    const char *name = resolved(r->names, kind, id);
    size_t n = 0;
    br_render_puts(r, sign);
    if (name) {
        br_render_puts(r, name + (*name == *sign));
    } else if ((name = label_in_source(r, prefix, id, &n))) {
        size_t skip = *name == *sign;
        br_render_markup(r, BR_MARKUP_ENTITIES, name + skip, n - skip);
    } else {
        br_render_puts(r, id);
    }
}

void br_render_emoji(struct br_render *r, const char *name, const char *otherwise)
{
    const char *character = br_emoji_character(name, strlen(name));
    br_render_puts(r, character ? character : otherwise);
}

void br_render_mrkdwn(const char *text, const struct br_names *names, struct br_buf *out)
{
    struct br_render r;
    br_render_begin(&r, names, out);
    br_render_markup(&r, BR_MARKUP_FULL, text, strlen(text));
}
