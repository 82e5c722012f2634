/* replay.c - runs a fuzz target over files, without libFuzzer: the committed corpora and regressions, in every build.
 * Usage: replay_<target> FILE_OR_DIRECTORY... */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int run_file(const char *path, size_t size)
{
    uint8_t *bytes = malloc(size ? size : 1); /* to the byte: reading past the end shows under ASan */
    FILE *f = fopen(path, "rb");
    if (!f || !bytes || fread(bytes, 1, size, f) != size) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    fclose(f);
    fprintf(stderr, "%s\n", path); /* the last one shown is the one that fails */
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return 1;
}

static int run(const char *path)
{
    struct stat st;
    struct dirent **names;
    int count = 0;
    if (stat(path, &st) != 0) {
        fprintf(stderr, "cannot find %s\n", path);
        exit(2);
    }
    if (!S_ISDIR(st.st_mode))
        return run_file(path, (size_t)st.st_size);
    int n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char entry[4096];
        snprintf(entry, sizeof entry, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            count += run(entry);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++)
        count += run(argv[i]);
    printf("%d inputs\n", count);
    return count ? 0 : 2; /* nothing replayed is nothing tested */
}
