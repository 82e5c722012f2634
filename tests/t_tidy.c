/* t_tidy.c - house rules that a compiler does not know, looked for in the source text.
 *
 *   1. System calls on files, the clock and randomness only in index/base/io_posix.c.
 *   2. A folder includes only what it may use.
 *   3. No banned function.
 *   4. SQL is never made by formatting.
 *   5. Every .c and .h begins with a comment that says what it is.
 *   6. Every on-disk struct has its size and the offset of every field asserted.
 *   7. Every header compiles alone.
 * Exceptions are in the tables here, each with its reason, and an exception that is needed no more is an offence too. */
#include "e2e.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char offences[1 << 16];
static size_t offences_len;

__attribute__((format(printf, 1, 2))) static void offend(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(offences + offences_len, sizeof offences - offences_len, format, ap);
    va_end(ap);
    if (n > 0 && offences_len + (size_t)n + 2 < sizeof offences) {
        offences_len += (size_t)n;
        offences[offences_len++] = '\n';
        offences[offences_len] = 0;
    }
}

static void no_offence(void)
{
    if (offences_len)
        fail_msg("\n%s", offences);
}

/* --- Source text --- */

static const char *const folders[] = {"index/base", "index", "storage", "ingest", "engine", "engine/embed", "engine/cli"};

struct source {
    char path[300]; /* relative */
    const char *folder;
    char *text; /* as it is */
    char *code; /* comments and the insides of literals blanked, same length */
};

static char *blank_text(const char *text)
{
    char *code = strdup(text);
    assert_non_null(code);
    for (char *p = code; *p;) {
        if (p[0] == '/' && p[1] == '*') {
            while (*p && !(p[0] == '*' && p[1] == '/')) {
                if (*p != '\n')
                    *p = ' ';
                p++;
            }
            for (int i = 0; i < 2 && *p; i++)
                *p++ = ' ';
        } else if (p[0] == '/' && p[1] == '/') {
            while (*p && *p != '\n')
                *p++ = ' ';
        } else if (*p == '"' || *p == '\'') {
            char quote = *p++;
            while (*p && *p != quote && *p != '\n') {
                if (*p == '\\' && p[1])
                    *p++ = ' ';
                *p++ = ' ';
            }
            if (*p)
                p++;
        } else {
            p++;
        }
    }
    return code;
}

static char *read_text(const char *path)
{
    char full[2048];
    e2e_source_path(full, sizeof full, path);
    FILE *f = fopen(full, "rb");
    if (!f)
        fail_msg("cannot read %s", full);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) < (1 << 20) - 1);
    fclose(f);
    return text;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static size_t each_source(void (*fn)(const struct source *s))
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char full[2048];
        e2e_source_path(full, sizeof full, folders[i]);
        DIR *d = opendir(full);
        if (!d)
            fail_msg("cannot list %s", full);
        for (struct dirent *e; (e = readdir(d));) {
            if (!ends_with(e->d_name, ".c") && !ends_with(e->d_name, ".h"))
                continue;
            struct source s = {.folder = folders[i]};
            snprintf(s.path, sizeof s.path, "%s/%s", folders[i], e->d_name);
            s.text = read_text(s.path);
            s.code = blank_text(s.text);
            fn(&s);
            free(s.text);
            free(s.code);
            n++;
        }
        closedir(d);
    }
    return n;
}

static int line_of(const char *text, const char *at)
{
    int line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The next call of a function of this name at or after p: no member (x->open, x.open) and no longer word. */
static const char *next_call(const char *code, const char *p, const char *name)
{
    size_t n = strlen(name);
    for (; (p = strstr(p, name)); p += n) {
        const char *after = p + n;
        while (*after == ' ')
            after++;
        bool member = p > code && (p[-1] == '.' || (p[-1] == '>' && p - 1 > code && p[-2] == '-'));
        if (*after == '(' && !member && (p == code || !word_char(p[-1])))
            return p;
    }
    return NULL;
}

/* --- Exceptions --- */

struct exception {
    const char *path, *name, *reason;
    size_t used;
};

static bool excepted(struct exception *list, size_t n, const char *path, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].path, path) == 0 && strcmp(list[i].name, name) == 0) {
            list[i].used++;
            return true;
        }
    return false;
}

static void all_used(const struct exception *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!list[i].used)
            offend("the exception for %s in %s is needed no more", list[i].name, list[i].path);
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* How long something took is measured, not stored. */
static bool is_stopwatch(const struct source *s, const char *call)
{
    static const char monotonic[] = "clock_gettime(CLOCK_MONOTONIC";
    return strcmp(s->folder, "engine") == 0 && strncmp(call, monotonic, sizeof monotonic - 1) == 0;
}

static void find_calls(const struct source *s, const char *const *names, size_t n, struct exception *list, size_t n_list, const char *why)
{
    for (size_t i = 0; i < n; i++)
        for (const char *p = s->code; (p = next_call(s->code, p, names[i])); p++)
            if (!is_stopwatch(s, p) && !excepted(list, n_list, s->path, names[i]))
                offend("%s:%d: %s(): %s", s->path, line_of(s->code, p), names[i], why);
}

/* --- 1 --- */

static const char *const system_calls[] = {
    "open",      "openat",    "creat",     "close",         "stat",      "fstat",         "lstat",        "fstatat",  "access", "faccessat",
    "unlink",    "unlinkat",  "rename",    "renameat",      "mkdir",     "mkdirat",       "rmdir",        "opendir",  "fdopendir", "readdir",
    "nftw",      "ftw",       "chmod",     "fchmod",        "fsync",     "fdatasync",     "sync",         "mmap",     "munmap", "msync",
    "ftruncate", "truncate",  "fallocate", "posix_fallocate", "pread",   "pwrite",        "read",         "write",    "lseek",  "fopen",
    "freopen",   "tmpfile",   "mkstemp",   "mkdtemp",       "flock",     "fcntl",         "clock_gettime", "gettimeofday", "time", "getrandom",
    "getentropy", "remove",   "link",      "symlink",       "readlink",  "realpath",      "statfs",       "copy_file_range", "sqlite3_open", "sqlite3_open_v2"};

static struct exception call_exceptions[] = {
    {"storage/sql.c", "sqlite3_open_v2", "the one place that opens SQLite, through the table's VFS", 0},
    {"engine/dates.c", "time", "what `today` in a question means is the clock on the wall, and is stored nowhere", 0},
    {"engine/pipeline.c", "clock_gettime", "the clock that pthread_cond_timedwait wants", 0},
    {"engine/embed/model.c", "stat", "the model is no file of a home: read-only input, named by the user", 0},
    {"engine/embed/model.c", "munmap", "the same", 0},
    {"engine/embed/model_file.c", "open", "the same", 0},
    {"engine/embed/model_file.c", "close", "the same", 0},
    {"engine/embed/model_file.c", "fstat", "the same", 0},
    {"engine/embed/model_file.c", "mmap", "the same", 0},
    {"engine/embed/file_map.c", "open", "the same: original weights", 0},
    {"engine/embed/file_map.c", "close", "the same", 0},
    {"engine/embed/file_map.c", "fstat", "the same", 0},
    {"engine/embed/file_map.c", "mmap", "the same", 0},
    {"engine/embed/file_map.c", "munmap", "the same", 0},
    {"engine/embed/file_map.c", "access", "the same", 0},
    {"engine/embed/model_float.c", "realpath", "the same", 0},
    {"engine/embed/model_convert.c", "open", "writes the file that the user names, outside any home", 0},
    {"engine/embed/model_convert.c", "close", "the same", 0},
    {"engine/embed/model_convert.c", "fsync", "the same", 0},
    {"engine/embed/model_convert.c", "rename", "the same", 0},
    {"engine/embed/model_convert.c", "unlink", "the same", 0},
};

static void look_for_system_calls(const struct source *s)
{
    bool exempt = strcmp(s->path, "index/base/io_posix.c") == 0 || strcmp(s->folder, "ingest") == 0 || strcmp(s->folder, "engine/cli") == 0;
    if (!exempt) /* ingest reads archives, the command line its terminal and files that the user names: neither touches a home */
        find_calls(s, system_calls, COUNT(system_calls), call_exceptions, COUNT(call_exceptions), "only index/base/io_posix.c does that");
}

static void system_calls_are_in_one_file(void **state)
{
    (void)state;
    assert_true(each_source(look_for_system_calls) > 100);
    all_used(call_exceptions, COUNT(call_exceptions));
    no_offence();
}

/* --- 2 --- */

/* What a folder may name in quotes: its own headers, and these. A name ending in / stands for all below it. */
static const struct {
    const char *folder, *may[12];
} arrows[] = {
    {"index/base", {"base/"}},
    {"index", {"base/"}},
    {"storage", {"base/", "index.h"}},
    {"ingest", {"base/"}},
    {"engine", {"base/", "index.h", "embed/embed.h", "embed/blas.h"}}, /* and what storage and ingest make public: below */
    {"engine/embed", {"base/", "embed/", "json_load.h"}}, /* one loader of JSON, which never drops what finds no memory */
    {"engine/cli", {"bench_ann.h", "base/", "backread.h", "commands.def", "options.def"}},
};
/* Libraries by who may use them. */
static const struct {
    const char *header, *folders[4];
} libraries[] = {
    {"sqlite3.h", {"storage", "ingest"}}, {"xxhash.h", {"storage", "engine"}}, {"sodium.h", {"storage"}},         {"zip.h", {"ingest"}},
    {"jansson.h", {"ingest", "engine/cli", "engine/embed", "engine"}},         {"zlib.h", {"ingest"}},            {"dlfcn.h", {"engine/embed"}},
    {"curl/curl.h", {"engine/embed"}},
};

static bool own_header(const char *folder, const char *name)
{
    char full[2048], path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    e2e_source_path(full, sizeof full, path);
    return !strchr(name, '/') && access(full, R_OK) == 0;
}

static bool may_include(const char *folder, const char *name)
{
    for (size_t i = 0; i < COUNT(arrows); i++)
        for (size_t k = 0; strcmp(arrows[i].folder, folder) == 0 && k < COUNT(arrows[i].may) && arrows[i].may[k]; k++) {
            const char *may = arrows[i].may[k];
            if (strcmp(may, name) == 0 || (ends_with(may, "/") && strncmp(may, name, strlen(may)) == 0))
                return true;
        }
    if (own_header(folder, name))
        return true;
    bool is_private = ends_with(name, "_int.h") || ends_with(name, "_core.h") || strcmp(name, "sql.h") == 0 || strcmp(name, "authorizer.h") == 0;
    return strcmp(folder, "engine") == 0 && !is_private && (own_header("storage", name) || own_header("ingest", name));
}

static bool may_use(const char *folder, const char *header)
{
    for (size_t i = 0; i < COUNT(libraries); i++) {
        bool found = strcmp(libraries[i].header, header) != 0;
        for (size_t k = 0; !found && k < COUNT(libraries[i].folders) && libraries[i].folders[k]; k++)
            found = strcmp(libraries[i].folders[k], folder) == 0;
        if (!found)
            return false;
    }
    return true;
}

static void look_for_arrows(const struct source *s)
{
    char name[200];
    for (const char *p = s->text; p; p = strchr(p, '\n'), p = p ? p + 1 : p) {
        if (sscanf(p, " # include \"%199[^\"\n]\"", name) == 1 && !may_include(s->folder, name))
            offend("%s:%d: %s may not include \"%s\"", s->path, line_of(s->text, p), s->folder, name);
        if (sscanf(p, " # include <%199[^>\n]>", name) == 1 && !may_use(s->folder, name))
            offend("%s:%d: %s may not use <%s>", s->path, line_of(s->text, p), s->folder, name);
    }
}

static void folders_include_what_they_may(void **state)
{
    (void)state;
    each_source(look_for_arrows);
    no_offence();
}

/* --- 3 --- */

static const char *const banned[] = {"strcpy",  "strcat", "stpcpy",  "sprintf", "vsprintf", "gets",   "strtok",  "strncpy", "atoi",
                                     "atol",    "atoll",  "atof",    "system",  "popen",    "tmpnam", "tempnam", "mktemp",  "alloca",
                                     "gmtime",  "localtime", "asctime", "ctime", "rand",    "srand",  "setjmp",  "longjmp", "siglongjmp",
                                     "vfork",   "execlp", "execvp",  "bcopy",   "bzero",    "sqlite3_get_table", "sqlite3_enable_load_extension",
                                     "sqlite3_load_extension"};

static void look_for_banned(const struct source *s)
{
    find_calls(s, banned, COUNT(banned), NULL, 0, "banned");
}

static void no_banned_function(void **state)
{
    (void)state;
    each_source(look_for_banned);
    no_offence();
}

/* --- 4 --- */

static const char *const sql_makers[] = {"sqlite3_mprintf", "sqlite3_vmprintf", "sqlite3_snprintf", "sqlite3_str_new", "sqlite3_str_appendf"};
static struct exception sql_exceptions[] = {
    {"storage/store.c", "PRAGMA", "two numbers of ours: a pragma takes no parameters", 0},
    {"storage/registry.c", "PRAGMA", "the same", 0},
    {"storage/store_migrate.c", "PRAGMA", "the same", 0},
    {"storage/restore.c", "sqlite3_snprintf", "each of our own tables in turn; the schema was compared with ours before, and names are quoted (%w)", 0},
    {"storage/restore.c", "SELECT", "the same", 0},
    {"storage/restore.c", "UPDATE", "the same", 0},
    {"ingest/legacy_db.c", "sqlite3_vmprintf", "tables and columns of a foreign database, their names known from the file alone; quoted (%w, %Q)", 0},
    {"ingest/legacy_db.c", "sqlite3_mprintf", "the same", 0},
    {"ingest/legacy_db.c", "SELECT", "the same", 0},
    {"ingest/legacy_db.c", "CREATE", "the same", 0},
    {"ingest/legacy_db.c", "ALTER", "the same", 0},
    {"ingest/legacy_db.c", "INSERT", "the same", 0},
    {"ingest/legacy_db.c", "ATTACH", "the path, quoted: read only, to a connection that has nothing of ours", 0},
    {"ingest/legacy_row.c", "sqlite3_mprintf", "as in legacy_db.c", 0},
    {"ingest/legacy_row.c", "SELECT", "the same", 0},
    {"ingest/legacy.c", "SELECT", "the same", 0},
};

/* A literal that begins like a statement and holds a conversion of printf. */
static bool formats_sql(const char *literal, size_t n, const char **verb)
{
    static const char *const verbs[] = {"SELECT ", "INSERT ", "UPDATE ", "DELETE ", "REPLACE ", "CREATE ", "DROP ", "ALTER ", "ATTACH ", "PRAGMA ",
                                        "WITH ", "VACUUM", "SAVEPOINT "};
    size_t i = 0;
    while (i < sizeof verbs / sizeof *verbs && strncmp(literal, verbs[i], strlen(verbs[i])) != 0)
        i++;
    if (i == sizeof verbs / sizeof *verbs)
        return false;
    *verb = verbs[i];
    for (size_t k = 0; k + 1 < n; k++)
        if (literal[k] == '%' && (isalpha((unsigned char)literal[k + 1]) || literal[k + 1] == '.' || literal[k + 1] == '*'))
            return true;
    return false;
}

static void look_for_made_sql(const struct source *s)
{
    const char *verb = "";
    find_calls(s, sql_makers, COUNT(sql_makers), sql_exceptions, COUNT(sql_exceptions), "SQL is not made by formatting");
    for (const char *p = s->code; (p = strchr(p, '"')); p++) { /* the insides are blank in code, so quotes pair up */
        const char *end = strchr(p + 1, '"');
        char name[16];
        if (!end)
            break;
        if (formats_sql(s->text + (p + 1 - s->code), (size_t)(end - p - 1), &verb)) {
            snprintf(name, sizeof name, "%.*s", (int)strcspn(verb, " "), verb);
            if (!excepted(sql_exceptions, COUNT(sql_exceptions), s->path, name))
                offend("%s:%d: SQL is made by formatting: %s…", s->path, line_of(s->code, p), name);
        }
        p = end;
    }
    /* sqlite3_exec outside sql.c: a literal only */
    for (const char *p = s->code; (p = next_call(s->code, p, "sqlite3_exec")); p++) {
        const char *comma = strchr(p, ',');
        if (strcmp(s->path, "storage/sql.c") != 0 && comma && comma[1 + strspn(comma + 1, " \n")] != '"')
            offend("%s:%d: sqlite3_exec of something that is no literal", s->path, line_of(s->code, p));
    }
}

static void sql_is_never_formatted(void **state)
{
    (void)state;
    each_source(look_for_made_sql);
    all_used(sql_exceptions, COUNT(sql_exceptions));
    no_offence();
}

/* --- 5 --- */

static void look_for_comment(const struct source *s)
{
    const char *name = strrchr(s->path, '/') + 1;
    if (strncmp(s->text, "/* ", 3) != 0)
        offend("%s: does not begin with a comment", s->path);
    else if (strncmp(s->text + 3, name, strlen(name)) != 0)
        offend("%s: the comment at its top begins with another name", s->path);
}

static void every_file_says_what_it_is(void **state)
{
    (void)state;
    each_source(look_for_comment);
    no_offence();
}

/* --- 6 --- */

static const struct {
    const char *path, *name;
} on_disk[] = {
    {"storage/log_file.c", "header"},
    {"storage/content_log.c", "record_header"},
    {"storage/reembed_log.c", "reembed_header"},
    {"index/ckpt_int.h", "br_ckpt_section"},
    {"index/ckpt_int.h", "br_ckpt_header"},
    {"index/hnsw_int.h", "br_node_meta"},
    {"engine/embed/model_file.h", "br_section"},
    {"engine/embed/model_file.h", "br_model_header"},
};

/* Members of `struct name {…};` in blanked code, each asserted in the same file: sizeof(struct name) and offsetof(struct name, member). */
static size_t look_for_layout(const char *path, const char *code, const char *name)
{
    char pattern[200], member[64];
    size_t members = 0;
    snprintf(pattern, sizeof pattern, "struct %s {", name);
    const char *p = strstr(code, pattern), *end = p ? strchr(p, '}') : NULL;
    if (!end) {
        offend("%s: there is no struct %s", path, name);
        return 0;
    }
    snprintf(pattern, sizeof pattern, "_Static_assert(sizeof(struct %s) ==", name);
    if (!strstr(code, pattern))
        offend("%s: the size of struct %s is not asserted", path, name);
    for (p = strchr(p, '{'); p < end; p++) { /* a member's name ends at , ; or [ */
        if (*p != ',' && *p != ';' && *p != '[')
            continue;
        const char *last = p, *first = p;
        while (first[-1] == ' ')
            first--, last--;
        while (word_char(first[-1]))
            first--;
        snprintf(member, sizeof member, "%.*s", (int)(last - first), first);
        if (*p == '[')
            p = strchr(p, ']');
        if (!member[0] || isdigit((unsigned char)member[0]))
            continue;
        snprintf(pattern, sizeof pattern, "_Static_assert(offsetof(struct %s, %s) ==", name, member);
        if (!strstr(code, pattern))
            offend("%s: the offset of %s.%s is not asserted", path, name, member);
        members++;
    }
    return members;
}

static void structs_on_disk_are_asserted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(on_disk); i++) {
        char *text = read_text(on_disk[i].path), *code = blank_text(text);
        assert_true(look_for_layout(on_disk[i].path, code, on_disk[i].name) >= 4);
        free(text);
        free(code);
    }
    no_offence();
}

/* --- 7 --- */

static const struct {
    const char *folder, *includes[5];
} paths[] = {
    {"index/base", {"index"}},
    {"index", {"index"}},
    {"storage", {"index", "storage"}},
    {"ingest", {"index", "ingest"}},
    {"engine", {"index", "storage", "ingest", "engine"}},
    {"engine/embed", {"index", "engine", "ingest"}},
    {"engine/cli", {"index", "engine", "engine/cli"}},
};

static const char *const *headers_of(const char *folder, const char *only, char (*room)[600], size_t *n)
{
    static const char *argv[128];
    size_t count = 0;
    char full[2048];
    e2e_source_path(full, sizeof full, folder);
    DIR *d = opendir(full);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        if (ends_with(e->d_name, ".h") && (!only || strcmp(only, e->d_name) == 0)) {
            assert_true(count < 60);
            snprintf(room[count], 600, "%.300s/%.200s", full, e->d_name);
            argv[count] = room[count];
            count++;
        }
    closedir(d);
    *n = count;
    return argv;
}

/* One run of the compiler for a folder's headers: each is a translation unit of its own. False: it said no. */
static bool compile(size_t folder, const char *const *headers, size_t n)
{
    const char *argv[128] = {getenv("BACKREAD_CC") ? getenv("BACKREAD_CC") : "cc", "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-x", "c"};
    char include[5][700];
    size_t k = 6;
    for (size_t i = 0; i < 5 && paths[folder].includes[i]; i++) {
        char full[600];
        e2e_source_path(full, sizeof full, paths[folder].includes[i]);
        snprintf(include[i], sizeof include[i], "-I%s", full);
        argv[k++] = include[i];
    }
    for (size_t i = 0; i < n; i++)
        argv[k++] = headers[i];
    assert_true(k < 127);
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        printf("SKIPPED: there is no C compiler here (BACKREAD_CC)\n");
        return true;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void every_header_compiles_alone(void **state)
{
    (void)state;
    static char room[64][600];
    size_t n;
    for (size_t i = 0; i < COUNT(paths); i++) {
        const char *const *headers = headers_of(paths[i].folder, NULL, room, &n);
        if (n && !compile(i, headers, n))
            offend("a header of %s does not compile alone: see above", paths[i].folder);
    }
    no_offence();
}

/* --- The rules can fail --- */

static void check_snippet(void (*look)(const struct source *), const char *path, const char *folder, const char *text, const char *offence)
{
    struct source s = {.folder = folder};
    snprintf(s.path, sizeof s.path, "%s", path);
    s.text = strdup(text);
    s.code = blank_text(text);
    look(&s);
    bool as_wanted = *offence ? strstr(offences, offence) != NULL : offences_len == 0;
    if (!as_wanted)
        fail_msg("%s\nfound: %s\nwanted: %s", text, offences, offence);
    offences_len = 0;
    offences[0] = 0;
    free(s.text);
    free(s.code);
}

static void rules_find_offenders(void **state)
{
    (void)state;
    check_snippet(look_for_system_calls, "storage/x.c", "storage", "int f(void) { return open(p, 0); }", "x.c:1: open()");
    check_snippet(look_for_system_calls, "storage/x.c", "storage", "\nr = io->open(io->ctx, p);\nr = io.stat(p); reopen(p); /* open(p) */ s = \"open(p)\";", "");
    check_snippet(look_for_system_calls, "engine/x.c", "engine", "t = time (NULL);", "time()");
    check_snippet(look_for_system_calls, "engine/x.c", "engine", "clock_gettime(CLOCK_REALTIME, &t);", "clock_gettime()");
    check_snippet(look_for_system_calls, "engine/x.c", "engine", "clock_gettime(CLOCK_MONOTONIC, &t);", "");
    check_snippet(look_for_arrows, "engine/x.c", "engine", "#include \"sql.h\"\n", "may not include");
    check_snippet(look_for_arrows, "engine/x.c", "engine", "#include \"store.h\"\n#include \"source.h\"\n", "");
    check_snippet(look_for_arrows, "index/x.c", "index", "#include \"store.h\"\n", "index may not include \"store.h\"");
    check_snippet(look_for_arrows, "engine/x.c", "engine", "#include \"slack_int.h\"\n", "may not include");
    check_snippet(look_for_arrows, "engine/cli/x.c", "engine/cli", "\n  #  include <sqlite3.h>\n", "x.c:2: engine/cli may not use <sqlite3.h>");
    check_snippet(look_for_arrows, "storage/x.c", "storage", "#include \"store_core.h\"\n#include <sqlite3.h>\n#include \"base/io.h\"\n", "");
    check_snippet(look_for_banned, "ingest/x.c", "ingest", "strcpy(a, b);", "strcpy()");
    check_snippet(look_for_banned, "ingest/x.c", "ingest", "my_strcpy(a, b); c = '\"'; d = \"strcpy(\";", "");
    check_snippet(look_for_made_sql, "storage/x.c", "storage", "snprintf(b, n, \"SELECT a FROM %s\", t);", "x.c:1: SQL is made by formatting: SELECT");
    check_snippet(look_for_made_sql, "storage/x.c", "storage", "sqlite3_exec(db, sql, 0, 0, 0);", "no literal");
    check_snippet(look_for_made_sql, "storage/x.c", "storage", "sqlite3_exec(db, \"SELECT 1\", 0, 0, 0); x = \"SELECT a LIKE '%' FROM b\";", "");
    check_snippet(look_for_comment, "storage/x.c", "storage", "#include <a.h>\n", "does not begin");
    check_snippet(look_for_comment, "storage/x.c", "storage", "/* y.c - no. */\n", "another name");
    static const char layout[] = "struct s {\n    int a, b;\n    char c[8];\n};\n_Static_assert(sizeof(struct s) == 16, \"\");\n"
                                 "_Static_assert(offsetof(struct s, a) == 0, \"\");\n_Static_assert(offsetof(struct s, c) == 8, \"\");\n";
    assert_int_equal(look_for_layout("x.h", layout, "s"), 3);
    assert_string_equal(offences, "x.h: the offset of s.b is not asserted\n");
    offences_len = 0;
    offences[0] = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_find_offenders),        cmocka_unit_test(system_calls_are_in_one_file), cmocka_unit_test(folders_include_what_they_may),
        cmocka_unit_test(no_banned_function),          cmocka_unit_test(sql_is_never_formatted),       cmocka_unit_test(every_file_says_what_it_is),
        cmocka_unit_test(structs_on_disk_are_asserted), cmocka_unit_test(every_header_compiles_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
