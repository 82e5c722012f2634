/* term.c - colours, width, wrapping, and the cleaning of text that strangers wrote before a terminal sees it. */
#include "term.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wctype.h>

enum { TTY_COLUMNS = 80, PLAIN_COLUMNS = 100, LEAST_COLUMNS = 30, MOST_COLUMNS = 140, WORDS_MAX = 64 };

void term_init(struct term *t, FILE *file, bool no_color)
{
    const char *term = getenv("TERM"), *env = getenv("NO_COLOR");
    struct winsize size;
    bool dumb = term && strcmp(term, "dumb") == 0;
    t->file = file;
    t->is_tty = isatty(fileno(file)) && !dumb;
    t->colour = t->is_tty && !no_color && !(env && *env);
    t->width = t->is_tty ? TTY_COLUMNS : PLAIN_COLUMNS;
    if (t->is_tty && ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        t->width = size.ws_col;
    if (t->width < LEAST_COLUMNS)
        t->width = LEAST_COLUMNS;
    if (t->width > MOST_COLUMNS)
        t->width = MOST_COLUMNS;
}

int term_columns(const struct term *t)
{
    struct winsize size;
    return t->is_tty && ioctl(fileno(t->file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : t->width;
}

const char *term_style(const struct term *t, enum term_style style)
{
    static const char *const ESCAPES[] = {
        [STYLE_NONE] = "\033[0m",     [STYLE_BOLD] = "\033[1m", [STYLE_DIM] = "\033[2m",
        [STYLE_CHANNEL] = "\033[36m", [STYLE_NAME] = "\033[1m", [STYLE_MATCH] = "\033[1;33m",
        [STYLE_ERROR] = "\033[31m",
    };
    return t->colour ? ESCAPES[style] : "";
}

enum { BAD = 0xFFFD };

/* Decodes one code point; an invalid byte is U+FFFD and one byte long. */
static uint32_t next_code(const unsigned char **s)
{
    const unsigned char *p = *s;
    uint32_t c = *p++;
    int more = c < 0x80 ? 0 : c >= 0xC2 && c < 0xE0 ? 1 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : -1;
    *s = p;
    if (more <= 0)
        return more ? BAD : c;
    c &= 0x3Fu >> more;
    for (int i = 0; i < more; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return BAD;
        c = c << 6 | (p[i] & 0x3F);
    }
    if ((more == 2 && c < 0x800) || (more == 3 && (c < 0x10000 || c > 0x10FFFF)) || (c >= 0xD800 && c < 0xE000))
        return BAD;
    *s = p + more;
    return c;
}

/* 0: leave it out. */
static uint32_t harmless(uint32_t c)
{
    if (c == '\n')
        return c;
    if (c == '\t' || c == '\r' || c == 0x2028 || c == 0x2029)
        return ' ';
    if (c < 0x20)
        return 0x2400 + c; /* the control's picture */
    if (c == 0x7F)
        return 0x2421;
    if (c < 0xA0 && c >= 0x80)
        return BAD;
    if ((c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF)
        return 0; /* bidi embeddings, overrides and isolates */
    return c;
}

wchar_t *term_clean(const char *utf8, size_t *n)
{
    size_t len = utf8 ? strlen(utf8) : 0, out = 0;
    wchar_t *codes = malloc((len + 1) * sizeof(*codes));
    *n = 0;
    if (!codes)
        return NULL;
    for (const unsigned char *p = (const unsigned char *)(utf8 ? utf8 : ""); *p;) {
        bool crlf = p[0] == '\r' && p[1] == '\n';
        uint32_t c = harmless(next_code(&p));
        if (c && !crlf)
            codes[out++] = (wchar_t)c;
    }
    *n = out;
    return codes;
}

int term_width(const wchar_t *s, size_t n)
{
    int width = 0;
    for (size_t i = 0; i < n; i++) {
        int w = wcwidth(s[i]);
        width += w < 0 ? 1 : w;
    }
    return width;
}

void term_put(FILE *f, const wchar_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t c = (uint32_t)s[i];
        if (c < 0x80) {
            putc((int)c, f);
            continue;
        }
        if (c < 0x800) {
            putc((int)(0xC0 | c >> 6), f);
        } else {
            if (c < 0x10000) {
                putc((int)(0xE0 | c >> 12), f);
            } else {
                putc((int)(0xF0 | c >> 18), f);
                putc((int)(0x80 | (c >> 12 & 0x3F)), f);
            }
            putc((int)(0x80 | (c >> 6 & 0x3F)), f);
        }
        putc((int)(0x80 | (c & 0x3F)), f);
    }
}

static int one_line(FILE *f, const char *utf8)
{
    size_t n;
    wchar_t *s = term_clean(utf8, &n);
    if (!s)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (s[i] == '\n')
            s[i] = ' ';
    int width = term_width(s, n);
    if (f)
        term_put(f, s, n);
    free(s);
    return width;
}

int term_puts(FILE *f, const char *utf8)
{
    return one_line(f, utf8);
}

int term_width_of(const char *utf8)
{
    return one_line(NULL, utf8);
}

/* ---- Wrapping ---- */

void term_flow(struct term_flow *f, int gap, int width)
{
    if (!f->fresh && f->at + gap + width > f->t->width) {
        fprintf(f->t->file, "\n%*s", f->indent, "");
        f->at = f->indent;
        f->fresh = true;
    }
    if (!f->fresh) {
        fprintf(f->t->file, "%*s", gap, "");
        f->at += gap;
    }
    f->at += width;
    f->fresh = false;
}

struct wrap {
    const struct term *t;
    const struct term_paragraph *how;
    wchar_t *words[WORDS_MAX];
    size_t word_lens[WORDS_MAX], n_words;
};

/* The length of the word at s[i], when it is to be highlighted; else 0. */
static size_t match_at(const struct wrap *w, const wchar_t *s, size_t i, size_t n)
{
    if (!iswalnum((wint_t)s[i]) || (i > 0 && iswalnum((wint_t)s[i - 1])))
        return 0;
    for (size_t k = 0; k < w->n_words; k++) {
        size_t len = w->word_lens[k], j = 0;
        while (j < len && i + j < n && towlower((wint_t)s[i + j]) == (wint_t)w->words[k][j])
            j++;
        if (len == 0 || j < len)
            continue;
        while (i + j < n && iswalnum((wint_t)s[i + j]))
            j++;
        return j;
    }
    return 0;
}

/* The paragraph's, less for an address that needs the room. */
static int indent_of(const struct wrap *w, int room)
{
    return room >= w->how->indent ? w->how->indent : room > 0 ? room : 0;
}

static void put_line(const struct wrap *w, const wchar_t *s, size_t n, bool more)
{
    FILE *f = w->t->file;
    int room = w->t->width - term_width(s, n);
    more = more && room >= 2;
    fprintf(f, "%*s", indent_of(w, more ? room - 2 : room), "");
    for (size_t i = 0; i < n;) {
        size_t m = w->n_words ? match_at(w, s, i, n) : 0;
        if (m) {
            fputs(term_style(w->t, STYLE_MATCH), f);
            term_put(f, s + i, m);
            fputs(term_style(w->t, STYLE_NONE), f);
            i += m;
        } else {
            term_put(f, s + i++, 1);
        }
    }
    fputs(more ? " …\n" : "\n", f);
}

/* The length of the word s begins with when an address is in it, else 0. */
static size_t address(const wchar_t *s, size_t n)
{
    size_t len = 0;
    bool found = false;
    for (; len < n && s[len] != ' ' && s[len] != '\n'; len++)
        found |= s[len] == ':' && len + 2 < n && s[len + 1] == '/' && s[len + 2] == '/';
    return found ? len : 0;
}

/* How many code points of s fit; *next is where the following line begins. */
static size_t fit(const wchar_t *s, size_t n, int columns, size_t *next)
{
    size_t i = 0, space = 0;
    int width = 0;
    for (; i < n && s[i] != '\n'; i++) {
        int c = wcwidth(s[i]);
        width += c < 0 ? 1 : c;
        if (width > columns && i > 0)
            break;
        if (s[i] == ' ' && i > 0)
            space = i;
    }
    if (i == n || s[i] == '\n') {
        *next = i + (i < n);
        return i;
    }
    if (s[i] == ' ')
        space = i;
    if (space == 0) {
        size_t whole = address(s, n);
        if (whole > i)
            i = whole;
        *next = i;
        while (whole && *next < n && s[*next] == ' ')
            (*next)++;
        if (whole && *next < n && s[*next] == '\n')
            (*next)++;
        return i;
    }
    *next = space + 1;
    while (*next < n && s[*next] == ' ')
        (*next)++;
    return space;
}

static size_t squeeze(wchar_t *s, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        wchar_t c = s[i] == '\n' ? L' ' : s[i];
        if (c != ' ' || (out > 0 && s[out - 1] != ' '))
            s[out++] = c;
    }
    return out;
}

void term_wrap(const struct term *t, const char *utf8, const struct term_paragraph *how)
{
    struct wrap w = {.t = t, .how = how};
    size_t n;
    wchar_t *s = term_clean(utf8, &n);
    if (!s)
        return;
    if (how->join)
        n = squeeze(s, n);
    while (n > 0 && (s[n - 1] == '\n' || s[n - 1] == ' '))
        n--;
    for (size_t i = 0; t->colour && i < how->n_words && w.n_words < WORDS_MAX; i++) {
        size_t len, k = w.n_words;
        w.words[k] = term_clean(how->words[i], &len);
        if (!w.words[k])
            continue;
        for (size_t j = 0; j < len; j++)
            w.words[k][j] = (wchar_t)towlower((wint_t)w.words[k][j]);
        w.word_lens[w.n_words++] = len;
    }
    int columns = t->width - how->indent - 2; /* room for the ellipsis */
    int line = 0;
    for (size_t at = 0; at < n;) {
        size_t next, len = fit(s + at, n - at, columns, &next);
        bool last = how->max_lines && ++line == how->max_lines;
        put_line(&w, s + at, len, last && at + next < n);
        at += next;
        if (last)
            break;
    }
    for (size_t i = 0; i < w.n_words; i++)
        free(w.words[i]);
    free(s);
}
