/* args.c - takes the command line apart with getopt_long, by the tables in commands.def and options.def. */
#include "args.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define MANY SIZE_MAX

static const struct command COMMAND_TABLE[] = {
#define BR_COMMAND(name, ...) {#name, __VA_ARGS__},
#include "commands.def"
#undef BR_COMMAND
};

enum option_kind { FLAG, TEXT, LIST, NUMBER, CHOICE };

struct option_row {
    const char *name;
    int letter;
    enum option_kind kind;
    long min, max;
    const char *value;
    unsigned scope; /* a bit per command */
    const char *help;
};

#define IN(command) (1u << CMD_##command)
#define IN_ALL      (~0u)
#define IN_EMBEDDING                                                                                                  \
    (IN(import) | IN(search) | IN(migrate) | IN(reembed) | IN(forget) | IN(compact) | IN(repair) | IN(embed) | IN(model))
static const struct option_row OPTION_TABLE[] = {
#define BR_OPTION(ident, ...) {__VA_ARGS__},
#include "options.def"
#undef BR_OPTION
};

/* What getopt_long reported, before it is known which command's row it means. */
struct given {
    size_t row; /* the first row of that name */
    const char *value;
};

struct parse {
    struct option longs[OPTIONS + 1];
    char shorts[2 * OPTIONS + 3];
    struct given *given;
    size_t n_given;
};

enum { LONG_BASE = 256 };

static void *must_alloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p) {
        fputs("backread: out of memory\n", stderr);
        exit(BR_STATUS_IO);
    }
    return p;
}

static size_t first_row_of(const char *name)
{
    size_t i = 0;
    while (strcmp(OPTION_TABLE[i].name, name) != 0)
        i++;
    return i;
}

/* "-" first: operands come in order, wherever they stand; ":" tells a missing value from an unknown option. */
static void make_tables(struct parse *p)
{
    size_t n = 0;
    char *s = p->shorts;
    *s++ = '-';
    *s++ = ':';
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option_row *row = &OPTION_TABLE[i];
        if (first_row_of(row->name) != i)
            continue;
        p->longs[n++] = (struct option){.name = row->name,
                                        .has_arg = row->kind == FLAG ? no_argument : required_argument,
                                        .val = LONG_BASE + (int)i};
        if (row->letter) {
            *s++ = (char)row->letter;
            if (row->kind != FLAG)
                *s++ = ':';
        }
    }
    *s = '\0';
}

static size_t row_of_code(int code)
{
    if (code >= LONG_BASE)
        return (size_t)(code - LONG_BASE);
    size_t i = 0;
    while (i < OPTIONS && OPTION_TABLE[i].letter != code)
        i++;
    return i;
}

/* Edit distance in which a swap of neighbours counts one. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    size_t d[LONGEST + 1][LONGEST + 1];
    size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST)
        return SIZE_MAX;
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *args_closest(const char *typed, const char *const *words)
{
    const char *best = NULL;
    size_t best_cost = strlen(typed) > 4 ? 6 : 4;
    for (; *words; words++) {
        size_t d = distance(typed, *words);
        size_t cost = d < best_cost ? 2 * d : best_cost;
        if (cost > 3 && strlen(typed) >= 3 && strncmp(typed, *words, strlen(typed)) == 0)
            cost = 3; /* the beginning of a word: further than one slip, nearer than two */
        if (cost < best_cost) {
            best = *words;
            best_cost = cost;
        }
    }
    return best;
}

static int unknown_command(const char *typed)
{
    const char *words[COMMANDS + 1] = {NULL};
    for (size_t i = 0; i < COMMANDS; i++)
        words[i] = COMMAND_TABLE[i].name;
    const char *near = args_closest(typed, words);
    if (near)
        return cli_fail(BR_STATUS_USAGE, "unknown command '%s': did you mean `backread %s`?", typed, near);
    return cli_fail(BR_STATUS_USAGE, "unknown command '%s': `backread --help` lists them", typed);
}

static int unknown_option(const char *typed)
{
    char name[64];
    const char *words[OPTIONS + 1] = {NULL};
    for (size_t i = 0; i < OPTIONS; i++)
        words[i] = OPTION_TABLE[i].name;
    if (strncmp(typed, "--", 2) == 0) {
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(typed + 2, "="), typed + 2);
        const char *near = args_closest(name, words);
        if (near)
            return cli_fail(BR_STATUS_USAGE, "unknown option '--%s': did you mean --%s?", name, near);
    }
    return cli_fail(BR_STATUS_USAGE,
                    "unknown option '%s': see `backread COMMAND --help`, or put -- before a text that "
                    "begins with a minus",
                    typed);
}

static bool takes_text(const struct args *out)
{
    for (size_t i = 0; out->operands.count && i < COMMANDS; i++)
        if (strcmp(COMMAND_TABLE[i].name, out->operands.items[0]) == 0)
            return COMMAND_TABLE[i].flags & TAKES_TEXT;
    return false;
}

/* typed: the argument getopt_long has just refused. */
static int refused(int code, const char *typed, const struct args *out)
{
    char letter[3] = {'-', (char)optopt, '\0'};
    if (code == ':') {
        const struct option_row *row = &OPTION_TABLE[row_of_code(optopt)];
        return cli_fail(BR_STATUS_USAGE, "--%s needs a value: --%s %s", row->name, row->name, row->value);
    }
    if (optopt >= LONG_BASE)
        return cli_fail(BR_STATUS_USAGE, "--%s takes no value: leave out what follows the = in '%s'",
                        OPTION_TABLE[row_of_code(optopt)].name, typed);
    if (optopt && typed[1] != '-' && strlen(typed) > 2 && takes_text(out))
        return cli_fail(BR_STATUS_USAGE, "unknown option '%s': if '%s' is a word to leave out, put -- before the text, as in %s -- %s WORDS",
                        letter, typed, out->operands.items[0], typed);
    if (optopt)
        return unknown_option(letter);
    return unknown_option(typed);
}

/* "-draft of the plan" is a text with an excluded word, not a cluster of options, where the command takes texts. */
static bool is_text(const struct args *out, const char *typed)
{
    return strpbrk(typed, " \t\n") && takes_text(out);
}

static bool is_number(const char *s)
{
    char *end;
    strtol(s, &end, 10);
    return end != s && !*end;
}

/* So are "-windows does not start" and "-nosql in the draft", although there are a -w that takes a text and a -n that takes a number. -w with its value
 * in the same argument is that of one word. */
static bool is_text_after_all(const struct args *out, int code, const char *typed)
{
    bool within = optarg && optarg > typed && optarg < typed + strlen(typed);
    if (code >= LONG_BASE || !within || !is_text(out, typed))
        return false;
    const struct option_row *row = &OPTION_TABLE[row_of_code(code)];
    return row->kind == TEXT || (row->kind == NUMBER && !is_number(optarg));
}

/* getopt_long sees argv from `at` on; an argument it does not know but that is a text is stepped over by starting it
 * anew behind. */
static int read_argv(int argc, char **argv, struct parse *p, struct args *out)
{
    int code, at = 0, looked_at = 0;
    size_t before = 0; /* options given before the argument looked at */
    opterr = 0;
    optind = 0;
    for (;;) {
        int next = at + (optind ? optind : 1);
        if (next != looked_at)
            before = p->n_given;
        looked_at = next;
        code = getopt_long(argc - at, argv + at, p->shorts, p->longs, NULL);
        if (code == -1)
            break;
        if (code == 1) {
            out->operands.items[out->operands.count++] = optarg;
        } else if ((code == '?' && is_text(out, argv[looked_at])) || (code != '?' && code != ':' && is_text_after_all(out, code, argv[looked_at]))) {
            p->n_given = before; /* letters of the text that happened to be options */
            out->operands.items[out->operands.count++] = argv[looked_at];
            at = looked_at;
            optind = 0;
        } else if (code == '?' || code == ':') {
            return refused(code, argv[looked_at], out);
        } else {
            p->given[p->n_given++] = (struct given){row_of_code(code), optarg};
        }
    }
    while (at + optind < argc)
        out->operands.items[out->operands.count++] = argv[at + optind++];
    return 0;
}

static int take_command(struct args *out)
{
    if (out->operands.count == 0)
        return 0;
    const char *name = out->operands.items[0];
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(COMMAND_TABLE[i].name, name) == 0)
            out->command = &COMMAND_TABLE[i];
    if (!out->command)
        return unknown_command(name);
    out->operands.count--;
    memmove(out->operands.items, out->operands.items + 1, out->operands.count * sizeof(out->operands.items[0]));
    return 0;
}

static bool is_choice(const char *choices, const char *word)
{
    size_t n = strlen(word);
    while (*choices) {
        size_t len = strcspn(choices, "|");
        if (len == n && strncmp(choices, word, n) == 0)
            return true;
        choices += len + (choices[len] == '|');
    }
    return false;
}

static int set_number(const struct option_row *row, const char *value, long *out)
{
    char *end;
    errno = 0;
    long n = strtol(value, &end, 10);
    if (end == value || *end || errno || n < row->min || n > row->max)
        return cli_fail(BR_STATUS_USAGE, "%s--%s: '%s' is not a whole number from %ld to %ld: give one of those",
                        row->letter == 'n' ? "-n, " : row->letter == 'C' ? "-C, " : "", row->name, value, row->min, row->max);
    *out = n;
    return 0;
}

/* Where nothing is a value of its own. */
static bool may_be_empty(size_t option)
{
    switch (option) {
    case OPT_NAME:
    case OPT_ME:
    case OPT_ENDPOINT_QUERY_PREFIX:
    case OPT_ENDPOINT_PASSAGE_PREFIX:
    case OPT_QUERY_PREFIX:
    case OPT_PASSAGE_PREFIX:
        return true;
    default:
        return false;
    }
}

static int set_option(const struct given *g, struct args *out)
{
    size_t i = g->row;
    const char *name = OPTION_TABLE[i].name;
    if (out->command) {
        unsigned bit = 1u << (unsigned)(out->command - COMMAND_TABLE);
        while (i < OPTIONS && !(strcmp(OPTION_TABLE[i].name, name) == 0 && OPTION_TABLE[i].scope & bit))
            i++;
        if (i == OPTIONS)
            return cli_fail(BR_STATUS_USAGE, "--%s is no option of `%s`: `backread %s --help` lists them", name,
                            out->command->name, out->command->name);
    }
    const struct option_row *row = &OPTION_TABLE[i];
    out->given[i] = true;
    if ((row->kind == TEXT || row->kind == LIST) && !*g->value && !may_be_empty(i)) /* an unset variable, most likely */
        return cli_fail(BR_STATUS_USAGE, "--%s is empty: give --%s %s, or leave it out", name, name, row->value);
    switch (row->kind) {
    case FLAG:
        return 0;
    case LIST:
        out->list[i].items[out->list[i].count++] = g->value;
        return 0;
    case NUMBER:
        return set_number(row, g->value, &out->number[i]);
    case CHOICE:
        if (!is_choice(row->value, g->value))
            return cli_fail(BR_STATUS_USAGE, "--%s '%s' is unknown: give one of %s", name, g->value, row->value);
        break;
    case TEXT:
        break;
    }
    out->text[i] = g->value;
    return 0;
}

static int check_operands(const struct args *a)
{
    const struct command *c = a->command;
    if (a->operands.count < c->least)
        return cli_fail(BR_STATUS_USAGE, "%s needs %s: see `backread %s --help`", c->name, c->operands, c->name);
    if (a->operands.count > c->most)
        return cli_fail(BR_STATUS_USAGE, "%s does not know what to do with '%s': see `backread %s --help`", c->name,
                        a->operands.items[c->most], c->name);
    return 0;
}

int args_parse(int argc, char **argv, struct args *out)
{
    size_t room = 0;
    for (int i = 0; i < argc; i++)
        room += strlen(argv[i]); /* a cluster of letters is several options */
    struct parse p = {.given = must_alloc(room, sizeof(p.given[0]))};
    memset(out, 0, sizeof(*out));
    out->operands.items = must_alloc((size_t)argc + 1, sizeof(out->operands.items[0]));
    make_tables(&p);

    int status = read_argv(argc, argv, &p, out);
    bool wants_help = false;
    for (size_t i = 0; i < p.n_given; i++)
        wants_help |= p.given[i].row == OPT_HELP || p.given[i].row == OPT_VERSION;
    if (!status && out->operands.count && strcmp(out->operands.items[0], "help") == 0) {
        out->given[OPT_HELP] = wants_help = true;
        out->operands.count--;
        memmove(out->operands.items, out->operands.items + 1, out->operands.count * sizeof(out->operands.items[0]));
    }
    if (!status)
        status = take_command(out);
    for (size_t i = 0; i < OPTIONS; i++)
        if (OPTION_TABLE[i].kind == LIST)
            out->list[i].items = must_alloc(p.n_given, sizeof(out->list[i].items[0]));
    for (size_t i = 0; i < p.n_given && !status; i++)
        status = set_option(&p.given[i], out);
    if (!status && out->command && !wants_help)
        status = check_operands(out);
    free(p.given);
    return status;
}

const char *args_name(enum option_id option)
{
    return OPTION_TABLE[option].name;
}

void args_free(struct args *a)
{
    free(a->operands.items);
    for (size_t i = 0; i < OPTIONS; i++)
        free(a->list[i].items);
    memset(a, 0, sizeof(*a));
}

static void help_row(FILE *f, const struct option_row *row)
{
    char left[96];
    int n = snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
                     row->letter ? "," : " ", row->name, row->value ? " " : "", row->value ? row->value : "");
    if (n > 30)
        fprintf(f, "%s\n%32s%s\n", left, "", row->help);
    else
        fprintf(f, "%-32s%s\n", left, row->help);
}

static void help_options(FILE *f, unsigned bit, bool global)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if ((OPTION_TABLE[i].scope == IN_ALL) == global && OPTION_TABLE[i].scope & bit)
            help_row(f, &OPTION_TABLE[i]);
}

static void help_examples(FILE *f, const char *examples)
{
    fputs("Examples:\n", f);
    for (const char *line = examples; *line;) {
        size_t n = strcspn(line, "\n");
        fprintf(f, "  %.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
}

static void help_of(FILE *f, const struct command *c)
{
    unsigned bit = 1u << (unsigned)(c - COMMAND_TABLE);
    fprintf(f, "backread %s - %s\n\n", c->name, c->summary);
    help_examples(f, c->examples);
    fprintf(f, "\nUsage: backread %s [OPTIONS]%s%s\n", c->name, c->operands ? " " : "", c->operands ? c->operands : "");
    bool own = false;
    for (size_t i = 0; i < OPTIONS; i++)
        own |= OPTION_TABLE[i].scope != IN_ALL && OPTION_TABLE[i].scope & bit;
    if (own) {
        fputs("\nOptions:\n", f);
        help_options(f, bit, false);
    }
    fputs("\nOptions of every command:\n", f);
    help_options(f, bit, true);
}

void args_help(FILE *f, const struct command *command)
{
    if (command) {
        help_of(f, command);
        return;
    }
    fputs("backread - a private, offline archive of a Slack workspace that is searched by meaning\n\n", f);
    help_examples(f, "backread import export.zip\n"
                     "backread search \"why did the deployment fail\"\n"
                     "backread search \"bike lanes from:@ada in:#tools after:2015-06\"\n"
                     "backread thread C024BE91L:1434204000.000100\n");
    fputs("\nUsage: backread COMMAND [OPTIONS] ...\n\nCommands:\n", f);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(f, "  %-10s%s\n", COMMAND_TABLE[i].name, COMMAND_TABLE[i].summary);
    fputs("\nOptions of every command:\n", f);
    help_options(f, IN_ALL, true);
    fputs("\nExit status: 0 done, 1 nothing found, 2 wrong usage, 3 bad input data, 4 input/output, lock or full "
          "disk,\n"
          "5 store damaged, 6 network or remote refused. `backread COMMAND --help` says more.\n",
          f);
}
