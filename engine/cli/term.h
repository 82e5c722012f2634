/* term.h - the terminal: colours, width, and text from strangers made harmless. */
#ifndef BR_CLI_TERM_H
#define BR_CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <wchar.h>

struct term {
    FILE *file;
    bool is_tty, colour;
    int width; /* columns */
};

enum term_style { STYLE_NONE, STYLE_BOLD, STYLE_DIM, STYLE_CHANNEL, STYLE_NAME, STYLE_MATCH, STYLE_ERROR };

void term_init(struct term *t, FILE *file, bool no_color);
/* Columns there are at this moment: fewer than width where that would be too few to write in, or the window was made smaller since. */
int term_columns(const struct term *t);
/* The escape that begins a style, "" without colours; STYLE_NONE ends it. */
const char *term_style(const struct term *t, enum term_style style);

/* UTF-8 to code points that a terminal may be given: no controls (ESC, C1) but newline, no bidi overrides. Owned by the
 * caller; NULL without memory. */
wchar_t *term_clean(const char *utf8, size_t *n);
int term_width(const wchar_t *s, size_t n); /* columns */
void term_put(FILE *f, const wchar_t *s, size_t n);
/* One line: newlines become spaces. Returns the columns taken. */
int term_puts(FILE *f, const char *utf8);
int term_width_of(const char *utf8); /* columns term_puts would take */

/* A line of pieces that stay whole: a date or an address broken at the edge can't be read or copied. */
struct term_flow {
    const struct term *t;
    int indent; /* of the lines after the first */
    int at;     /* columns taken */
    bool fresh; /* nothing stands on this line yet */
};
/* Goes `gap` columns on, or to a new line when `width` more don't fit; the caller then prints that much. */
void term_flow(struct term_flow *f, int gap, int width);

struct term_paragraph {
    int indent;
    int max_lines;            /* 0: all; the last one ends in an ellipsis when there is more */
    bool join;                /* newlines are spaces */
    const char *const *words; /* highlighted where a word begins like one of these; NULL none */
    size_t n_words;
};
/* Breaks lines at spaces, and inside words too long for a line; addresses stay whole. */
void term_wrap(const struct term *t, const char *utf8, const struct term_paragraph *how);

#endif
