/* cli_run.h - running the built program ($BACKREAD_BINARY) and looking at what it says. Header-only; include once a
 * program. */
#ifndef BR_TEST_CLI_RUN_H
#define BR_TEST_CLI_RUN_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

enum { ARGS_MAX = 16, OUTPUT_MAX = 1 << 20, PATH_MAX_HERE = 512 };

static char scratch[256];
static const char *binary;

struct outcome {
    int status; /* exit status, or 128 + signal */
    char *out, *err;
};

static inline char *in_scratch(const char *name)
{
    static char paths[8][PATH_MAX_HERE];
    static size_t next;
    char *p = paths[next++ % 8];
    snprintf(p, PATH_MAX_HERE, "%s/%s", scratch, name);
    return p;
}

/* Finds the program under test; says so and is false where there is none (then main returns 77: skipped). */
static inline bool cli_binary(void)
{
    binary = getenv("BACKREAD_BINARY");
    if (binary && access(binary, X_OK) == 0)
        return true;
    fputs("skipped: BACKREAD_BINARY names no program\n", stderr);
    return false;
}

static inline int cli_make_scratch(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/backread-cli-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(scratch) ? 0 : -1;
}

/* A group's tear-down. */
static inline int cli_remove_scratch(void **state)
{
    (void)state;
    char command[512];
    snprintf(command, sizeof(command), "rm -rf '%s'", scratch);
    return system(command);
}

static inline void write_file(const char *name, const char *content)
{
    FILE *f = fopen(in_scratch(name), "w");
    assert_non_null(f);
    fputs(content, f);
    assert_int_equal(fclose(f), 0);
}

static inline char *read_file(const char *name, size_t *len)
{
    FILE *f = fopen(in_scratch(name), "r");
    assert_non_null(f);
    char *s = calloc(1, OUTPUT_MAX);
    assert_non_null(s);
    size_t n = fread(s, 1, OUTPUT_MAX - 1, f);
    fclose(f);
    if (len)
        *len = n;
    return s;
}

static inline void redirect(const char *path, int flags, int to)
{
    int fd = open(path, flags, 0600);
    if (fd < 0 || dup2(fd, to) < 0)
        _exit(99);
}

/* home is a name in the scratch directory. out_path NULL: stdout is collected. */
static inline struct outcome run_args(const char *home, const char *out_path, const char *const *args)
{
    char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t)binary};
    struct outcome o = {0};
    int status;
    for (size_t i = 0; args[i]; i++) {
        assert_true(i < ARGS_MAX);
        argv[i + 1] = (char *)(uintptr_t)args[i];
    }
    const char *out = out_path ? out_path : in_scratch("stdout"), *err = in_scratch("stderr");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("BACKREAD_HOME", in_scratch(home), 1);
        redirect("/dev/null", O_RDONLY, 0);
        redirect(out, O_WRONLY | O_CREAT | O_TRUNC, 1);
        redirect(err, O_WRONLY | O_CREAT | O_TRUNC, 2);
        execv(binary, argv);
        _exit(98);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    o.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    o.out = out_path ? strdup("") : read_file("stdout", NULL);
    o.err = read_file("stderr", NULL);
    return o;
}

#define RUN(home, ...) run_args(home, NULL, (const char *const[]){__VA_ARGS__, NULL})

static inline void done(struct outcome *o)
{
    free(o->out);
    free(o->err);
}

/* An error is exactly one line that begins with the program's name. */
static inline void assert_error(const struct outcome *o, int status)
{
    if (o->status != status)
        print_error("status %d instead of %d: %s", o->status, status, o->err);
    assert_int_equal(o->status, status);
    assert_true(strncmp(o->err, "backread: ", 10) == 0);
    assert_ptr_equal(strchr(o->err, '\n'), o->err + strlen(o->err) - 1);
}

static inline void assert_done(const struct outcome *o)
{
    if (o->status)
        print_error("status %d: %s", o->status, o->err);
    assert_int_equal(o->status, 0);
}

/* Exactly one document, alone on stdout. */
static inline json_t *document(const struct outcome *o)
{
    json_error_t err;
    json_t *j = json_loads(o->out, 0, &err);
    if (!j)
        print_error("no JSON: %s in: %s", err.text, o->out);
    assert_non_null(j);
    return j;
}

static inline json_t *at(const json_t *j, const char *key)
{
    json_t *value = json_object_get(j, key);
    if (!value)
        print_error("no field %s\n", key);
    assert_non_null(value);
    return value;
}

static inline json_int_t number(const json_t *j, const char *key)
{
    assert_true(json_is_integer(at(j, key)));
    return json_integer_value(at(j, key));
}

static inline void assert_string(const json_t *j, const char *key, const char *expected)
{
    assert_true(json_is_string(at(j, key)));
    assert_string_equal(json_string_value(at(j, key)), expected);
}

#endif
