/* lines.c - files of JSON objects, one a line, as --batch takes them. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { LINE_BYTES_MAX = 1 << 20 };

int json_lines_open(struct json_lines *in, const char *path)
{
    *in = (struct json_lines){.path = path};
    if (strcmp(path, "-") == 0) {
        in->file = stdin;
        in->path = "standard input";
        return 0;
    }
    in->file = fopen(path, "re");
    if (!in->file)
        return cli_fail(errno == ENOENT ? BR_STATUS_USAGE : BR_STATUS_IO, "--batch %s: %s: give a file of JSON lines",
                        path, strerror(errno));
    return 0;
}

void json_lines_close(struct json_lines *in)
{
    if (in->file && in->file != stdin)
        fclose(in->file);
    free(in->line);
}

static bool is_surrogate(const char *s, char low, char high)
{
    return s[0] == '\\' && s[1] == 'u' && tolower((unsigned char)s[2]) == 'd' && tolower((unsigned char)s[3]) >= low &&
           tolower((unsigned char)s[3]) <= high && isxdigit((unsigned char)s[4]) && isxdigit((unsigned char)s[5]);
}

/* Half a surrogate pair is no character, but it is what some programs write: U+FFFD takes its place. */
static void mend_surrogates(char *s)
{
    while ((s = strchr(s, '\\'))) {
        if (is_surrogate(s, '8', 'b') && is_surrogate(s + 6, 'c', 'f')) {
            s += 12;
        } else if (is_surrogate(s, '8', 'f')) {
            memcpy(s + 2, "fffd", 4);
            s += 6;
        } else {
            s += s[1] ? 2 : 1;
        }
    }
}

/* A file that an editor saved with a byte-order mark is read as if it had none. */
static char *without_bom(char *line, ssize_t *len)
{
    if (*len < 3 || memcmp(line, "\xEF\xBB\xBF", 3) != 0)
        return line;
    *len -= 3;
    return line + 3;
}

/* The next line, as getline gives it: its length, or -1 at the end. Of one longer than LINE_BYTES_MAX the rest is passed over, and its length is
 * LINE_BYTES_MAX + 1. */
static ssize_t next_line(struct json_lines *in)
{
    size_t n = 0;
    int c;
    while ((c = getc_unlocked(in->file)) != EOF) {
        if (n + 2 > in->room && n <= LINE_BYTES_MAX) {
            size_t room = in->room ? in->room * 2 : 4096;
            char *line = realloc(in->line, room);
            if (!line)
                exit(cli_fail(BR_STATUS_IO, "out of memory at %s line %lu: split the file", in->path, in->number + 1));
            in->line = line;
            in->room = room;
        }
        if (n <= LINE_BYTES_MAX)
            in->line[n++] = (char)c;
        if (c == '\n')
            break;
    }
    if (!n)
        return -1;
    in->line[n] = '\0';
    return (ssize_t)n;
}

int json_lines_next(struct json_lines *in, json_t **object)
{
    ssize_t len;
    while ((len = next_line(in)) >= 0) {
        json_error_t err;
        char *line = in->number++ == 0 ? without_bom(in->line, &len) : in->line;
        if (len > LINE_BYTES_MAX)
            return -cli_fail(BR_STATUS_BAD_DATA, "%s line %lu is longer than %d bytes: write one text a line, and shorter ones", in->path,
                             in->number, LINE_BYTES_MAX);
        if (strspn(line, " \t\r\n") == (size_t)len)
            continue;
        mend_surrogates(line);
        *object = json_loadb(line, (size_t)len, JSON_ALLOW_NUL, &err);
        if (json_is_object(*object))
            return 1;
        json_decref(*object);
        *object = NULL;
        return -cli_fail(BR_STATUS_BAD_DATA, "%s line %lu is no JSON object: write one {\"text\": ...} a line",
                         in->path, in->number);
    }
    if (ferror(in->file))
        return -cli_fail(BR_STATUS_IO, "cannot read %s: %s: check the file", in->path, strerror(errno));
    return 0;
}

char *json_lines_text(const struct json_lines *in, const json_t *object)
{
    const json_t *text = json_object_get(object, "text");
    if (!json_is_string(text)) {
        cli_fail(BR_STATUS_BAD_DATA, "%s line %lu has no string \"text\": write one {\"text\": ...} a line", in->path,
                 in->number);
        return NULL;
    }
    const char *s = json_string_value(text);
    size_t len = json_string_length(text), n = 0;
    char *copy = malloc(len + 1);
    if (!copy) {
        cli_fail(BR_STATUS_IO, "out of memory at %s line %lu: split the file", in->path, in->number);
        return NULL;
    }
    for (size_t i = 0; i < len; i++)
        if (s[i])
            copy[n++] = s[i];
    copy[n] = '\0';
    return copy;
}
