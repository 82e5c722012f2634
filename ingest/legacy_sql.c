/* legacy_sql.c - the part of SQL that dumps are made of.
 *
 * What gives rows is read: COPY ... FROM stdin in text format, INSERT ... VALUES; CREATE TABLE for the order of columns; SET for how strings
 * are written. Everything else is passed over, with its strings, comments and dollar quotes, up to its semicolon. One row is in memory at a
 * time; a value is limited, a line is not. */
#include "legacy_sql.h"

#include "base/buf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 1600                /* PostgreSQL's own limit of columns */
#define ROW_MAX ((size_t)256 << 20)    /* bytes of a row */
#define NAME_MAX_BYTES 64
#define TABLES_MAX 4096

enum { END = -1 };

struct columns { /* of a table, in order */
    char table[NAME_MAX_BYTES];
    char (*names)[NAME_MAX_BYTES];
    size_t n;
};

struct value { /* before the row is whole: its bytes are at row.data[at] */
    size_t at, len;
    bool null;
};

enum token { T_END, T_WORD, T_STRING, T_NUMBER, T_CHAR };

struct sql {
    FILE *f;
    const char *path;
    const struct br_sql_rows *rows;
    unsigned char buf[1 << 16];
    size_t pos, len;
    bool eof;
    uint64_t line;
    bool backslashes; /* standard_conforming_strings = off */
    /* the token */
    enum token token;
    int c;               /* T_CHAR */
    bool quoted;         /* T_WORD: as it stood in double quotes */
    struct br_buf text;  /* T_WORD, T_STRING, T_NUMBER */
    struct br_buf row;
    struct value values[VALUES_MAX];
    size_t n_values;
    char list[VALUES_MAX][NAME_MAX_BYTES]; /* of the statement */
    const char *list_ptrs[VALUES_MAX];
    size_t n_list;
    struct columns *tables; /* seen in CREATE TABLE */
    size_t n_tables;
    enum br_rc rc; /* of the first failure, in *err */
    struct br_err *err;
};

/* --- Bytes --- */

static bool fill(struct sql *s)
{
    memmove(s->buf, s->buf + s->pos, s->len - s->pos);
    s->len -= s->pos;
    s->pos = 0;
    if (!s->eof) {
        size_t n = fread(s->buf + s->len, 1, sizeof s->buf - s->len, s->f);
        s->eof = n == 0;
        s->len += n;
        if (ferror(s->f) && s->rc == BR_OK)
            s->rc = br_fail_errno(s->err, errno ? errno : EIO, "cannot read %s", s->path);
    }
    return s->len > 0;
}

/* The k-th byte from here; k is small against the buffer. */
static int peek(struct sql *s, size_t k)
{
    while (s->pos + k >= s->len && !s->eof)
        (void)fill(s);
    return s->pos + k < s->len ? s->buf[s->pos + k] : END;
}

static int next(struct sql *s)
{
    int c = peek(s, 0);
    if (c == END)
        return END;
    s->pos++;
    s->line += c == '\n';
    return c;
}

static void fail(struct sql *s, const char *why)
{
    if (s->rc == BR_OK)
        s->rc = br_fail(s->err, BR_E_DATA, "%s, line %llu: %s", s->path, (unsigned long long)s->line, why);
}

/* A buffer took no more: its cap, or no memory. */
static void fail_full(struct sql *s, const struct br_buf *b, const char *why)
{
    if (s->rc == BR_OK && b->no_memory)
        s->rc = br_fail_nomem(s->err);
    fail(s, why);
}

static void skip_line(struct sql *s)
{
    int c;
    do
        c = next(s);
    while (c != '\n' && c != END);
}

/* --- Tokens --- */

static void skip_comment(struct sql *s)
{
    unsigned depth = 0;
    do {
        int c = next(s);
        if (c == END)
            return;
        if (c == '/' && peek(s, 0) == '*') {
            next(s);
            depth++;
        } else if (c == '*' && peek(s, 0) == '/') {
            next(s);
            depth--;
        }
    } while (depth);
}

static void skip_space(struct sql *s)
{
    for (;;) {
        int c = peek(s, 0);
        if (c == '-' && peek(s, 1) == '-')
            skip_line(s);
        else if (c == '/' && peek(s, 1) == '*')
            skip_comment(s);
        else if (c != END && isspace(c))
            next(s);
        else
            return;
    }
}

static void put_utf8(struct br_buf *b, uint32_t c)
{
    if (c == 0 || c > 0x10FFFF)
        c = 0xFFFD;
    if (c < 0x80) {
        br_buf_addc(b, (char)c);
    } else if (c < 0x800) {
        br_buf_addc(b, (char)(0xC0 | c >> 6));
        br_buf_addc(b, (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        br_buf_addc(b, (char)(0xE0 | c >> 12));
        br_buf_addc(b, (char)(0x80 | (c >> 6 & 63)));
        br_buf_addc(b, (char)(0x80 | (c & 63)));
    } else {
        br_buf_addc(b, (char)(0xF0 | c >> 18));
        br_buf_addc(b, (char)(0x80 | (c >> 12 & 63)));
        br_buf_addc(b, (char)(0x80 | (c >> 6 & 63)));
        br_buf_addc(b, (char)(0x80 | (c & 63)));
    }
}

/* Up to `most` digits of a base from the input. */
static uint32_t digits(struct sql *s, unsigned base, unsigned most, unsigned *n)
{
    uint32_t v = 0;
    for (*n = 0; *n < most; ++*n) {
        int c = peek(s, 0);
        unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0') : c != END && isxdigit(c) ? (unsigned)(tolower(c) - 'a') + 10 : 99;
        if (d >= base)
            break;
        v = v * base + d;
        next(s);
    }
    return v;
}

/* \uXXXX or \UXXXXXXXX; two halves make one character. */
static void unicode_escape(struct sql *s, unsigned most, struct br_buf *out)
{
    unsigned n;
    uint32_t c = digits(s, 16, most, &n);
    if (c >= 0xD800 && c < 0xDC00 && peek(s, 0) == '\\' && peek(s, 1) == 'u') {
        next(s);
        next(s);
        uint32_t low = digits(s, 16, 4, &n);
        c = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
    }
    put_utf8(out, c >= 0xD800 && c < 0xE000 ? 0xFFFD : c);
}

/* What follows a backslash, in E'' and in COPY alike; COPY knows neither \u nor \U. */
static void escape(struct sql *s, bool copy, struct br_buf *out)
{
    static const char from[] = "bfnrtv", to[] = "\b\f\n\r\t\v";
    unsigned n;
    int c = peek(s, 0);
    const char *known = c > 0 ? strchr(from, c) : NULL;
    if (c == END)
        return;
    if (c >= '0' && c <= '7') {
        br_buf_addc(out, (char)digits(s, 8, 3, &n));
        return;
    }
    next(s);
    if (known && (copy || c != 'v'))
        br_buf_addc(out, to[known - from]);
    else if (c == 'x' && peek(s, 0) != END && isxdigit(peek(s, 0)))
        br_buf_addc(out, (char)digits(s, 16, 2, &n));
    else if (!copy && (c == 'u' || c == 'U'))
        unicode_escape(s, c == 'u' ? 4 : 8, out);
    else
        br_buf_addc(out, (char)c);
}

/* After the opening quote. Adjacent literals on later lines belong to it, as in the standard. */
static void read_string(struct sql *s, bool backslashes)
{
    for (;;) {
        int c = next(s);
        if (c == END) {
            fail(s, "a string does not end: the file is cut short");
            return;
        }
        if (c == '\'' && peek(s, 0) != '\'') {
            bool line = false;
            while (peek(s, 0) != END && isspace(peek(s, 0)))
                line |= next(s) == '\n';
            if (!line || peek(s, 0) != '\'')
                return;
            next(s);
        } else if (c == '\'') {
            next(s);
            br_buf_addc(&s->text, '\'');
        } else if (c == '\\' && backslashes) {
            escape(s, false, &s->text);
        } else {
            br_buf_addc(&s->text, (char)c);
        }
    }
}

/* U&'...': \XXXX, \+XXXXXX, \\. UESCAPE with another character is not what dumps do. */
static void read_unicode_string(struct sql *s)
{
    unsigned n;
    for (;;) {
        int c = next(s);
        if (c == END) {
            fail(s, "a string does not end: the file is cut short");
            return;
        }
        if (c == '\'') {
            if (peek(s, 0) != '\'')
                return;
            br_buf_addc(&s->text, (char)next(s));
        } else if (c == '\\' && peek(s, 0) != '\\') {
            bool plus = peek(s, 0) == '+';
            if (plus)
                next(s);
            put_utf8(&s->text, digits(s, 16, plus ? 6 : 4, &n));
        } else {
            br_buf_addc(&s->text, (char)(c == '\\' ? next(s) : c));
        }
    }
}

/* $tag$...$tag$: true when there was one. Otherwise nothing was taken. */
static bool read_dollar(struct sql *s)
{
    char tag[NAME_MAX_BYTES];
    size_t n = 0;
    while (n + 2 < sizeof tag) {
        int c = peek(s, 1 + n);
        if (c == '$')
            break;
        if (c == END || !(isalpha(c) || c == '_' || c >= 0x80 || (n && isdigit(c))))
            return false;
        tag[n++] = (char)c;
    }
    if (peek(s, 1 + n) != '$')
        return false;
    for (size_t i = 0; i < n + 2; i++)
        next(s);
    for (;;) {
        int c = next(s);
        size_t i = 0;
        if (c == END) {
            fail(s, "a dollar-quoted string does not end: the file is cut short");
            return true;
        }
        while (c == '$' && i < n && peek(s, i) == (unsigned char)tag[i])
            i++;
        if (c == '$' && i == n && peek(s, n) == '$') {
            for (i = 0; i <= n; i++)
                next(s);
            return true;
        }
        br_buf_addc(&s->text, (char)c);
    }
}

static bool word_char(int c)
{
    return c != END && (isalnum(c) || c == '_' || c == '$' || c >= 0x80);
}

static void read_word(struct sql *s)
{
    while (word_char(peek(s, 0))) {
        int c = next(s);
        br_buf_addc(&s->text, (char)(c < 0x80 ? tolower(c) : c));
    }
    s->token = T_WORD;
}

static void read_number(struct sql *s)
{
    for (;;) {
        int c = peek(s, 0);
        bool sign = (c == '+' || c == '-') && strchr("eE", s->text.data[s->text.len - 1]);
        if (c == END || !(isalnum(c) || c == '.' || sign))
            break;
        br_buf_addc(&s->text, (char)next(s));
    }
    s->token = T_NUMBER;
}

static void read_identifier(struct sql *s)
{
    s->token = T_WORD;
    s->quoted = true;
    next(s);
    for (int c; (c = next(s)) != END;) {
        if (c == '"' && peek(s, 0) != '"')
            return;
        if (c == '"')
            next(s);
        br_buf_addc(&s->text, (char)c);
    }
}

static void advance(struct sql *s)
{
    br_buf_reset(&s->text);
    s->quoted = false;
    skip_space(s);
    int c = peek(s, 0), d = peek(s, 1);
    s->token = c == END || s->rc != BR_OK ? T_END : T_CHAR;
    s->c = c;
    if (s->token == T_END)
        return;
    if (c == '\'' || ((c == 'e' || c == 'E') && d == '\'') || ((c == 'n' || c == 'N' || c == 'b' || c == 'B' || c == 'x' || c == 'X') && d == '\'')) {
        next(s);
        if (c != '\'')
            next(s);
        s->token = T_STRING;
        read_string(s, c == 'e' || c == 'E' || s->backslashes);
    } else if ((c == 'u' || c == 'U') && d == '&' && peek(s, 2) == '\'') {
        for (int i = 0; i < 3; i++)
            next(s);
        s->token = T_STRING;
        read_unicode_string(s);
    } else if (c == '$' && read_dollar(s)) {
        s->token = T_STRING;
    } else if (c == '"' || c == '`') {
        c == '"' ? read_identifier(s) : (void)next(s);
    } else if (isdigit(c) || (c == '.' && d != END && isdigit(d))) {
        br_buf_addc(&s->text, (char)next(s));
        read_number(s);
    } else if (word_char(c) && c != '$') {
        read_word(s);
    } else {
        next(s);
    }
    if (s->text.failed) {
        fail_full(s, &s->text, "a value is larger than 256 MiB");
        br_buf_reset(&s->text);
    }
}

static bool is_word(const struct sql *s, const char *word)
{
    return s->token == T_WORD && !s->quoted && strcmp(br_buf_str(&s->text), word) == 0;
}

static bool is_char(const struct sql *s, int c)
{
    return s->token == T_CHAR && s->c == c;
}

static void skip_statement(struct sql *s)
{
    while (s->token != T_END && !is_char(s, ';'))
        advance(s);
}

/* --- Names --- */

static void take_name(struct sql *s, char out[NAME_MAX_BYTES])
{
    snprintf(out, NAME_MAX_BYTES, "%.63s", br_buf_str(&s->text));
    advance(s);
}

/* [schema.]table */
static bool read_table(struct sql *s, char table[NAME_MAX_BYTES])
{
    if (s->token != T_WORD)
        return false;
    take_name(s, table);
    while (is_char(s, '.')) {
        advance(s);
        if (s->token != T_WORD)
            return false;
        take_name(s, table);
    }
    return true;
}

/* "(a, b, c)"; the token is behind it. */
static bool read_list(struct sql *s)
{
    s->n_list = 0;
    advance(s);
    while (s->token == T_WORD && s->n_list < VALUES_MAX) {
        take_name(s, s->list[s->n_list++]);
        if (is_char(s, ','))
            advance(s);
    }
    if (!is_char(s, ')'))
        return false;
    advance(s);
    return true;
}

static struct columns *find_columns(struct sql *s, const char *table)
{
    for (size_t i = 0; i < s->n_tables; i++)
        if (strcmp(s->tables[i].table, table) == 0)
            return &s->tables[i];
    return NULL;
}

static void keep_columns(struct sql *s, const char *table)
{
    struct columns *p = find_columns(s, table);
    if (p || s->n_tables == TABLES_MAX)
        return;
    p = realloc(s->tables, (s->n_tables + 1) * sizeof *p);
    if (!p) {
        s->rc = br_fail_nomem(s->err);
        return;
    }
    s->tables = p;
    p += s->n_tables;
    *p = (struct columns){.names = malloc((s->n_list ? s->n_list : 1) * NAME_MAX_BYTES), .n = s->n_list};
    if (!p->names) {
        s->rc = br_fail_nomem(s->err);
        return;
    }
    s->n_tables++;
    snprintf(p->table, sizeof p->table, "%s", table);
    memcpy(p->names, s->list, s->n_list * NAME_MAX_BYTES);
}

/* CREATE TABLE name (column type..., constraint...): the words that begin its parts. */
static void create_table(struct sql *s)
{
    static const char *const no_columns[] = {"constraint", "primary", "foreign", "unique", "check", "exclude", "like"};
    char table[NAME_MAX_BYTES];
    while (is_word(s, "if") || is_word(s, "not") || is_word(s, "exists"))
        advance(s);
    if (!read_table(s, table) || !is_char(s, '('))
        return;
    int depth = 1;
    bool first = true;
    s->n_list = 0;
    for (advance(s); s->token != T_END && depth > 0; advance(s)) {
        bool column = first && s->token == T_WORD;
        for (size_t i = 0; column && i < BR_COUNT(no_columns); i++)
            column = !is_word(s, no_columns[i]);
        if (column && s->n_list < VALUES_MAX)
            snprintf(s->list[s->n_list++], NAME_MAX_BYTES, "%.63s", br_buf_str(&s->text));
        depth += is_char(s, '(') - is_char(s, ')');
        first = depth == 1 && is_char(s, ',');
    }
    keep_columns(s, table);
}

/* --- Rows --- */

static void begin_row(struct sql *s)
{
    br_buf_reset(&s->row);
    s->n_values = 0;
}

static struct value *begin_value(struct sql *s)
{
    if (s->n_values == VALUES_MAX) {
        fail(s, "a row has more than 1600 values");
        s->n_values--;
    }
    struct value *v = &s->values[s->n_values++];
    *v = (struct value){.at = s->row.len};
    return v;
}

static void end_value(struct sql *s, struct value *v)
{
    v->len = s->row.len - v->at;
    br_buf_addc(&s->row, 0);
}

static void give_row(struct sql *s, uint64_t line)
{
    struct br_sql_value values[VALUES_MAX];
    if (s->row.failed)
        fail_full(s, &s->row, "a row is larger than 256 MiB");
    if (s->rc != BR_OK)
        return;
    for (size_t i = 0; i < s->n_values; i++) {
        const struct value *v = &s->values[i];
        values[i] = (struct br_sql_value){.text = v->null ? NULL : s->row.data + v->at, .len = v->len};
    }
    s->rc = s->rows->row(s->rows->ctx, values, s->n_values, line, s->err);
}

static bool announce(struct sql *s, const char *table, bool listed, uint64_t line)
{
    const struct columns *known = listed ? NULL : find_columns(s, table);
    bool want = false;
    size_t n = listed ? s->n_list : known ? known->n : 0;
    for (size_t i = 0; i < n; i++)
        s->list_ptrs[i] = listed ? s->list[i] : known->names[i];
    if (s->rc == BR_OK)
        s->rc = s->rows->table(s->rows->ctx, table, n ? s->list_ptrs : NULL, n, line, &want, s->err);
    return want;
}

static void bad(struct sql *s, const char *table, uint64_t line, const char *why)
{
    if (s->rc == BR_OK)
        s->rc = s->rows->bad(s->rows->ctx, table, line, why, s->err);
}

/* --- COPY --- */

/* One line of a block; false at its end mark. */
static bool copy_line(struct sql *s)
{
    begin_row(s);
    if (peek(s, 0) == '\\' && peek(s, 1) == '.') {
        skip_line(s);
        return false;
    }
    struct value *v = begin_value(s);
    for (;;) {
        int c = peek(s, 0);
        if (c == END) {
            fail(s, "a COPY block does not end: the file is cut short");
            return false;
        }
        next(s);
        if (c == '\r' && peek(s, 0) == '\n')
            continue;
        if (c == '\t' || c == '\n') {
            end_value(s, v);
            if (c == '\n')
                return true;
            v = begin_value(s);
        } else if (c == '\\' && peek(s, 0) == 'N' && s->row.len == v->at &&
                   (peek(s, 1) == '\t' || peek(s, 1) == '\n' || peek(s, 1) == '\r' || peek(s, 1) == END)) {
            next(s);
            v->null = true;
        } else if (c == '\\') {
            escape(s, true, &s->row);
        } else {
            br_buf_addc(&s->row, (char)c);
        }
    }
}

static void copy(struct sql *s, uint64_t line)
{
    char table[NAME_MAX_BYTES];
    bool listed = false, from_stdin = false, csv = false;
    if (!read_table(s, table) || (is_char(s, '(') && !(listed = read_list(s)))) {
        skip_statement(s);
        return;
    }
    for (; s->token != T_END && !is_char(s, ';'); advance(s)) {
        from_stdin |= is_word(s, "stdin");
        csv |= is_word(s, "csv") || is_word(s, "binary") || is_word(s, "delimiter");
    }
    if (!from_stdin)
        return;
    skip_line(s);
    bool want = announce(s, table, listed, line);
    if (csv && want)
        bad(s, table, line, "a COPY block in another format than text");
    for (uint64_t at = s->line; s->rc == BR_OK && copy_line(s); at = s->line)
        if (!csv)
            give_row(s, at);
}

/* --- INSERT --- */

static void take_text(struct sql *s)
{
    br_buf_add(&s->row, br_buf_str(&s->text), s->text.len);
}

/* ARRAY['a', 'b'] as {"a","b"}: the form that COPY has. */
static void array_value(struct sql *s)
{
    br_buf_addc(&s->row, '{');
    advance(s);
    if (is_char(s, '['))
        advance(s);
    for (bool first = true; s->token != T_END && !is_char(s, ']') && !is_char(s, ';'); advance(s)) {
        if (s->token != T_STRING && s->token != T_NUMBER)
            continue;
        br_buf_adds(&s->row, first ? "\"" : ",\"");
        for (size_t i = 0; i < s->text.len; i++) {
            if (strchr("\"\\", s->text.data[i]))
                br_buf_addc(&s->row, '\\');
            br_buf_addc(&s->row, s->text.data[i]);
        }
        br_buf_addc(&s->row, '"');
        first = false;
    }
    br_buf_addc(&s->row, '}');
    advance(s);
}

/* Casts and what else may follow a value; the token is then "," or ")". A call, an operator: false. */
static bool skip_cast(struct sql *s)
{
    while (is_char(s, ':') || is_word(s, "collate") || is_word(s, "at")) {
        bool cast = is_char(s, ':');
        advance(s);
        if (cast && !is_char(s, ':'))
            return false;
        if (cast)
            advance(s);
        for (int depth = 0; s->token != T_END && !is_char(s, ';');) { /* a type: words, points, (numbers), [] */
            depth += is_char(s, '(');
            if (depth == 0 && (s->token == T_CHAR && !is_char(s, '.') && !is_char(s, '[') && !is_char(s, ']')))
                break;
            depth -= is_char(s, ')');
            advance(s);
        }
    }
    return is_char(s, ',') || is_char(s, ')');
}

static bool insert_value(struct sql *s)
{
    struct value *v = begin_value(s);
    bool known = true;
    if (is_char(s, '-') || is_char(s, '+')) {
        if (is_char(s, '-'))
            br_buf_addc(&s->row, '-');
        advance(s);
        known = s->token == T_NUMBER;
    }
    if (s->token == T_STRING || s->token == T_NUMBER) {
        take_text(s);
        advance(s);
    } else if (is_word(s, "null") || is_word(s, "default")) {
        v->null = true;
        advance(s);
    } else if (is_word(s, "true") || is_word(s, "false")) {
        br_buf_addc(&s->row, is_word(s, "true") ? 't' : 'f');
        advance(s);
    } else if (is_word(s, "array")) {
        array_value(s);
    } else if (is_word(s, "timestamp") || is_word(s, "timestamptz") || is_word(s, "date") || is_word(s, "json") || is_word(s, "jsonb")) {
        do
            advance(s);
        while (s->token == T_WORD); /* timestamp with time zone '...' */
        known = s->token == T_STRING;
        take_text(s);
        advance(s);
    } else {
        known = false;
    }
    end_value(s, v);
    return skip_cast(s) && known;
}

/* One "(...)"; the token is behind it. */
static void insert_row(struct sql *s, const char *table, bool want)
{
    uint64_t line = s->line;
    bool known = true;
    begin_row(s);
    advance(s);
    while (s->token != T_END && !is_char(s, ')') && known) {
        known = insert_value(s);
        if (known && is_char(s, ','))
            advance(s);
    }
    for (int depth = 0; !known && s->token != T_END && !is_char(s, ';'); advance(s)) { /* to the end of what is not understood */
        if (is_char(s, ')') && depth-- == 0)
            break;
        depth += is_char(s, '(');
    }
    if (s->token == T_END) {
        fail(s, "an INSERT does not end: the file is cut short");
        return;
    }
    if (known)
        give_row(s, line);
    else if (want)
        bad(s, table, line, "a value that is an expression");
    if (is_char(s, ')'))
        advance(s);
}

static void insert(struct sql *s, uint64_t line)
{
    char table[NAME_MAX_BYTES];
    bool listed = false;
    while (s->token == T_WORD && !is_word(s, "into")) /* INSERT OR IGNORE INTO */
        advance(s);
    advance(s);
    if (!read_table(s, table) || (is_char(s, '(') && !(listed = read_list(s)))) {
        bad(s, "?", line, "an INSERT that is not understood");
        skip_statement(s);
        return;
    }
    while (s->token == T_WORD && !is_word(s, "values") && !is_word(s, "select"))
        advance(s); /* OVERRIDING SYSTEM VALUE, AS alias */
    bool want = announce(s, table, listed, line);
    if (!is_word(s, "values")) {
        bad(s, table, line, "an INSERT without VALUES");
        skip_statement(s);
        return;
    }
    advance(s);
    while (is_char(s, '(') && s->rc == BR_OK) {
        insert_row(s, table, want);
        if (!is_char(s, ','))
            break;
        advance(s);
    }
    skip_statement(s);
}

/* --- Statements --- */

static void set(struct sql *s)
{
    char name[NAME_MAX_BYTES];
    take_name(s, name);
    if (is_char(s, '=') || is_word(s, "to"))
        advance(s);
    const char *value = br_buf_str(&s->text);
    if (strcmp(name, "standard_conforming_strings") == 0)
        s->backslashes = strcmp(value, "off") == 0 || strcmp(value, "false") == 0;
    if (strcmp(name, "client_encoding") == 0 && strcasecmp(value, "utf8") != 0 && strcasecmp(value, "utf-8") != 0 &&
        strcasecmp(value, "unicode") != 0 && strcasecmp(value, "sql_ascii") != 0)
        fail(s, "the dump is not in UTF-8: make it again with pg_dump --encoding=UTF8");
    skip_statement(s);
}

static void statement(struct sql *s)
{
    uint64_t line = s->line;
    if (is_word(s, "copy")) {
        advance(s);
        copy(s, line);
    } else if (is_word(s, "insert") || is_word(s, "replace")) {
        advance(s);
        insert(s, line);
    } else if (is_word(s, "set")) {
        advance(s);
        set(s);
    } else if (is_word(s, "create")) {
        advance(s);
        while (is_word(s, "unlogged") || is_word(s, "temporary") || is_word(s, "temp") || is_word(s, "foreign"))
            advance(s);
        if (is_word(s, "table")) {
            advance(s);
            create_table(s);
        }
        skip_statement(s);
    } else {
        skip_statement(s);
    }
}

/* What is no plain dump, by its first bytes. */
static void check_kind(struct sql *s)
{
    static const struct {
        const char *magic;
        size_t n;
        const char *advice;
    } kinds[] = {{"PGDMP", 5, "a dump in pg_dump's own format: make plain SQL of it with `pg_restore -f dump.sql FILE`"},
                 {"\x1f\x8b", 2, "compressed: unpack it first (gunzip)"},
                 {"\x28\xb5\x2f\xfd", 4, "compressed: unpack it first (zstd -d)"},
                 {"PK\x03\x04", 4, "a ZIP file: unpack it first, or import it when it is a Slack export"},
                 {"BZh", 3, "compressed: unpack it first (bunzip2)"}};
    (void)peek(s, 7);
    for (size_t i = 0; i < BR_COUNT(kinds); i++)
        if (s->len >= kinds[i].n && memcmp(s->buf, kinds[i].magic, kinds[i].n) == 0 && s->rc == BR_OK)
            s->rc = br_fail(s->err, BR_E_DATA, "%s is %s", s->path, kinds[i].advice);
    if (s->len >= 3 && memcmp(s->buf, "\xef\xbb\xbf", 3) == 0)
        s->pos = 3;
}

enum br_rc br_sql_read(const char *path, const struct br_sql_rows *rows, struct br_err *err)
{
    struct br_err local = {0};
    struct sql *s = calloc(1, sizeof *s);
    if (!s)
        return br_fail_nomem(err);
    s->path = path;
    s->rows = rows;
    s->line = 1;
    s->err = err ? err : &local;
    br_buf_init(&s->text, ROW_MAX);
    br_buf_init(&s->row, ROW_MAX);
    s->f = fopen(path, "rbe");
    if (!s->f)
        s->rc = br_fail_errno(s->err, errno, "cannot open %s", path);
    else
        check_kind(s);
    while (s->rc == BR_OK) {
        skip_space(s);
        if (peek(s, 0) == '\\') { /* psql's own commands */
            skip_line(s);
            continue;
        }
        advance(s);
        if (s->token == T_END)
            break;
        statement(s);
    }
    if (s->f)
        fclose(s->f);
    for (size_t i = 0; i < s->n_tables; i++)
        free(s->tables[i].names);
    free(s->tables);
    br_buf_free(&s->text);
    br_buf_free(&s->row);
    enum br_rc rc = s->rc;
    free(s);
    return rc;
}
