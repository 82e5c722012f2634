/* args.h - the command line, taken apart. Commands and options are listed in commands.def and options.def. */
#ifndef BR_CLI_ARGS_H
#define BR_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cli;

enum command_id {
#define BR_COMMAND(name, ...) CMD_##name,
#include "commands.def"
#undef BR_COMMAND
    COMMANDS
};

enum option_id {
#define BR_OPTION(ident, ...) OPT_##ident,
#include "options.def"
#undef BR_OPTION
    OPTIONS
};

enum command_flag { OPENS_HOME = 1, OPENS_MODEL = 2, TAKES_TEXT = 4 };

struct command {
    const char *name;
    int (*run)(struct cli *cli); /* returns the exit status */
    unsigned flags;
    size_t least, most;   /* operands */
    const char *operands; /* for the help; NULL none */
    const char *summary, *examples;
};

struct arg_list {
    size_t count;
    const char **items;
};

struct args {
    const struct command *command; /* NULL: only help or version is wanted, or nothing */
    struct arg_list operands;      /* without the command */
    bool given[OPTIONS];
    const char *text[OPTIONS]; /* TEXT and CHOICE; NULL when not given */
    long number[OPTIONS];      /* NUMBER */
    struct arg_list list[OPTIONS];
};

/* 0, or the exit status after one line about what is wrong was printed. Strings stay those of argv. */
int args_parse(int argc, char **argv, struct args *out);
void args_free(struct args *a);

/* "endpoint-kind". */
const char *args_name(enum option_id option);
/* command NULL: the list of commands. */
void args_help(FILE *f, const struct command *command);
/* The word of the list (NULL at its end) closest to what was typed, or NULL when none is close. */
const char *args_closest(const char *typed, const char *const *words);

#endif
