/* cli.h - what the commands share: the parsed line, the open home, the two terminals, and how results are written. */
#ifndef BR_CLI_H
#define BR_CLI_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "args.h"
#include "backread.h"
#include "term.h"

#define CLI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

struct cli {
    const struct args *args;
    struct br_home *home;
    struct br_workspace *ws; /* after cli_open_workspace */
    struct term out, err;
    bool json, jsonl, quiet, verbose;
};

/* ---- main.c ---- */

/* Prints the one line of an error, or a note, to stderr; what came from outside is made harmless. */
int cli_fail(int status, const char *fmt, ...) CLI_PRINTF(2, 3);             /* returns status */
int cli_fail_with(const struct br_error *err);                               /* returns its status */
void cli_note(const struct cli *cli, const char *fmt, ...) CLI_PRINTF(2, 3); /* nothing with -q */
/* Opens the workspace meant by -w, or the only one. An empty home is BR_STATUS_NOT_FOUND, and says how to import. */
int cli_open_workspace(struct cli *cli);

/* ---- sigbus.c ---- */

/* From now on a mapped page that cannot be read ends the program with one line and BR_STATUS_DAMAGED. */
void sigbus_is_told(void);

/* ---- Commands: each returns the exit status ---- */

#define BR_COMMAND(name, function, ...) int function(struct cli *cli);
#include "commands.def"
#undef BR_COMMAND

/* ---- out_json.c ---- */

json_t *json_text(const char *s); /* null for NULL; invalid bytes are replaced */
json_t *json_count(uint64_t n);
json_t *json_message(const struct br_message *m);
json_t *json_messages(const struct br_messages *m, const char *next_cursor); /* next_cursor: "" for no field, NULL for none */
json_t *json_hit(const struct br_search_hit *h);
json_t *json_results(const struct br_search_results *r);
const char *search_mode_name(enum br_search_mode mode);
/* Writes the document (spread over lines on a terminal unless `line`) and a newline to stdout, and releases it. */
void json_print(const struct cli *cli, json_t *document, bool line);
/* The same in two steps: a line, which any thread may make (released by free; the document is released), and printing it. */
char *json_line(json_t *document);
void json_print_line(const char *line);

/* ---- out_explain.c ---- */

json_t *json_explain(const struct br_explain *x);
json_t *json_explain_hit(const struct br_explain_hit *x);
void text_explain(const struct cli *cli, const struct br_search_results *r);

/* ---- out_text.c ---- */

void text_results(const struct cli *cli, const struct br_search_results *r);
/* mark: the message asked for, 0 none. */
void text_messages(const struct cli *cli, const struct br_messages *m, int64_t mark, bool with_channel);
/* What a channel is called: its name; "DM" for a direct message, which has none; else its id, as after a repair. */
const char *channel_label(const char *name, const char *id);
const char *format_count(uint64_t n, char buf[32]); /* 31,204 */
const char *format_bytes(uint64_t n, char buf[32]); /* 12.3 MB */
const char *format_day(int64_t ts, char buf[32]);   /* 2015-06-13, UTC */
const char *format_ts(int64_t ts, char buf[32]);    /* Slack's own form */
const char *plural(uint64_t n);                     /* "" or "s" */

/* ---- lines.c ---- */

/* FILE of JSON objects, one a line; a byte-order mark is passed over. json_lines_next returns 1 with *object (owned by
 * the caller), 0 at the end, or -status after a message; after -BR_STATUS_BAD_DATA the next line may be read. */
struct json_lines {
    FILE *file;
    const char *path;
    char *line;
    size_t room;
    unsigned long number;
};
int json_lines_open(struct json_lines *in, const char *path); /* "-": standard input */
int json_lines_next(struct json_lines *in, json_t **object); /* a line of more than 1 MiB is bad data */
void json_lines_close(struct json_lines *in);
/* The "text" of an object without NUL bytes, for the caller to free; NULL after a message when there is none. */
char *json_lines_text(const struct json_lines *in, const json_t *object);

/* ---- stop.c ---- */

/* The signal (SIGINT, SIGTERM) that asked us to stop, 0 none; a second one ends the program at once. */
extern volatile int cli_stop_signal;
void cli_catch_signals(void);

/* ---- progress.c ---- */

struct progress {
    const struct cli *cli;
    bool drawn;        /* a bar stands on the terminal's line */
    double last_plain; /* when the last plain line was printed, in seconds of the import */
};
void progress_update(struct progress *p, const struct br_import_progress *now);
void progress_clear(struct progress *p); /* before anything else is printed */

#endif
