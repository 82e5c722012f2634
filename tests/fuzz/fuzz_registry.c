/* fuzz_registry.c - registry.db of any bytes: read, asked, and written by the next import; the workspaces are never lost by it. Input: u8 flags, then
 * the file. */
#include "fuzz.h"

#include "engine_int.h"
#include "sim/disk.h"

struct seen {
    unsigned n;
    bool ours;
};

static enum br_rc see(void *ctx, const char *id, const char *name)
{
    struct seen *seen = ctx;
    (void)name;
    BR_ASSERT(strlen(id) <= 64 && strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(id));
    seen->n++;
    seen->ours |= strcmp(id, FUZZ_WORKSPACE) == 0;
    return BR_OK;
}

static void ask(struct br_registry *r)
{
    static const char *const keys[] = {NULL, FUZZ_WORKSPACE, "fuzz", "", "no such"};
    struct seen seen = {0};
    struct br_err err = {0};
    if (br_registry_each(r, see, &seen, &err) != BR_OK)
        BR_ASSERT(err.msg[0]);
    for (size_t i = 0; i < BR_COUNT(keys); i++) {
        char id[65];
        struct br_err why = {0};
        if (br_registry_find(r, keys[i], id, &why) == BR_OK)
            BR_ASSERT(strlen(id) <= 64);
        else
            BR_ASSERT(why.msg[0]);
    }
}

static void write_to(struct br_registry *r)
{
    struct seen seen = {0};
    struct br_err err = {0};
    if (br_registry_add(r, "T0NEW", "new", &err) != BR_OK)
        return;
    if (br_registry_each(r, see, &seen, &err) == BR_OK)
        BR_ASSERT(seen.n >= 1);
    if (br_registry_remove(r, "T0NEW", &err) != BR_OK)
        BR_ASSERT(err.msg[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct br_registry *r;
    struct br_workspace_names names;
    struct br_error error = {0};
    struct br_err err = {0};
    uint8_t flags = (uint8_t)fuzz_number(&in, 1);
    struct fuzz_home h = fuzz_home_new();
    fuzz_home_write(&h, "home/registry.db", in.at, in.left);
    if (br_registry_open(h.home->io, h.home->path, false, &r, NULL, &err) == BR_OK) {
        ask(r);
        br_registry_close(r);
    }
    if (br_home_workspaces(h.home, &names, &error) == 0)
        br_workspace_names_free(&names);
    err = (struct br_err){0};
    if (flags & 1 && br_registry_open(h.home->io, h.home->path, true, &r, NULL, &err) == BR_OK) {
        write_to(r);
        ask(r);
        br_registry_close(r);
    }
    fuzz_home_free(&h);
    return 0;
}
