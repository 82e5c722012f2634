/* container.c - what ZIP files and directories have in common: the list of entries, and its limits. */
#include "container.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "entry_name.h"
#include "limits.h"

static enum br_rc check_limits(struct br_container *c, const char *name, const struct br_entry *e, struct br_err *err)
{
    if (e->size > BR_LIMIT_BOMB_BYTES && e->size / BR_LIMIT_BOMB_RATIO >= e->packed)
        return br_fail(err, BR_E_DATA,
                       "zip_bomb: %s: entry %s unpacks %llu bytes to %llu; remove it from the archive if it is genuine",
                       c->path, name, (unsigned long long)e->packed, (unsigned long long)e->size);
    if (!br_has_suffix(name, ".json"))
        return BR_OK; /* never read */
    if (e->size > BR_LIMIT_ENTRY_BYTES)
        return br_fail(err, BR_E_TOOBIG, "%s: entry %s has %llu bytes, more than the limit of %llu per entry", c->path,
                       name, (unsigned long long)e->size, BR_LIMIT_ENTRY_BYTES);
    c->total += e->size;
    if (c->total > BR_LIMIT_TOTAL_BYTES)
        return br_fail(err, BR_E_TOOBIG, "%s: unpacks to more than the limit of %llu bytes", c->path,
                       BR_LIMIT_TOTAL_BYTES);
    return BR_OK;
}

static enum br_rc append(struct br_container *c, const struct br_entry *e, struct br_err *err)
{
    uint32_t at = (uint32_t)c->n;
    if (!br_id_map_add(&c->seen, e->name, &at))
        return br_fail_nomem(err);
    if (at != c->n) { /* of two entries of one name the first is kept */
        c->warned[BR_WARN_IGNORED_ENTRY]++;
        return BR_OK;
    }
    if (c->n == c->alloc) {
        size_t alloc = c->alloc ? c->alloc * 2 : 256;
        struct br_entry *p = realloc(c->entries, alloc * sizeof *p);
        if (!p)
            return br_fail_nomem(err);
        c->entries = p;
        c->alloc = alloc;
    }
    c->entries[c->n++] = *e;
    return BR_OK;
}

enum br_rc br_container_add(struct br_container *c, const char *raw, const struct br_entry *e, struct br_err *err)
{
    struct br_entry_name name = br_entry_name_read(raw, strlen(raw), &c->names);
    if (!name.text)
        return br_fail_nomem(err);
    if (name.kind == BR_NAME_UNSAFE)
        return br_fail(err, BR_E_DATA,
                       "unsafe_name: %s: entry \"%.200s\" leads out of the archive; pack the export again", c->path,
                       raw);
    if (name.kind == BR_NAME_FOLDER) {
        c->warned[BR_WARN_IGNORED_ENTRY] += e->size > 0;
        return BR_OK;
    }
    enum br_rc rc = check_limits(c, name.text, e, err);
    if (rc != BR_OK)
        return rc;
    if (name.kind == BR_NAME_JUNK) {
        c->warned[BR_WARN_IGNORED_ENTRY]++;
        return BR_OK;
    }
    if (c->n >= BR_LIMIT_ENTRIES)
        return br_fail(err, BR_E_TOOBIG, "%s: more than the limit of %u entries", c->path, BR_LIMIT_ENTRIES);
    c->warned[BR_WARN_NAME_CP437] += name.cp437;
    struct br_entry added = *e;
    added.name = name.text;
    return append(c, &added, err);
}

enum br_rc br_container_open(const char *path, struct br_container **out, struct br_err *err)
{
    struct stat st;
    *out = NULL;
    if (stat(path, &st) != 0)
        return br_fail_errno(err, errno, "cannot open %s", path);
    struct br_container *c = calloc(1, sizeof *c);
    if (!c)
        return br_fail_nomem(err);
    c->dir_fd = -1;
    br_arena_init(&c->names, BR_LIMIT_NAMES_BYTES);
    c->path = strdup(path);
    enum br_rc rc;
    if (!c->path)
        rc = br_fail_nomem(err);
    else if (S_ISDIR(st.st_mode))
        rc = br_container_open_dir(c, err);
    else if (S_ISREG(st.st_mode))
        rc = br_container_open_zip(c, err);
    else
        rc = br_fail(err, BR_E_DATA, "not_an_export: %s is neither a file nor a directory", path);
    if (rc != BR_OK) {
        br_container_close(c);
        return rc;
    }
    *out = c;
    return BR_OK;
}

void br_container_close(struct br_container *c)
{
    if (!c)
        return;
    if (c->ops)
        c->ops->close(c);
    free(c->entries);
    free(c->path);
    br_id_map_free(&c->seen);
    br_arena_free(&c->names);
    free(c);
}

enum br_rc br_stream_open(struct br_container *c, size_t entry, struct br_stream *st, struct br_err *err)
{
    BR_ASSERT(entry < c->n);
    *st = (struct br_stream){.container = c, .entry = &c->entries[entry], .fd = -1};
    if (c->entries[entry].unsupported)
        return BR_OK; /* an empty stream; the container has counted it */
    return c->ops->open_entry(c, &c->entries[entry], st, err);
}

enum br_rc br_stream_read(struct br_stream *st, void *buf, size_t n, size_t *got, struct br_err *err)
{
    *got = 0;
    if (st->damaged || st->entry->unsupported)
        return BR_OK;
    enum br_rc rc = st->container->ops->read(st, buf, n, got, err);
    st->done += *got;
    return rc;
}

void br_stream_close(struct br_stream *st)
{
    if (st->container)
        st->container->ops->close_entry(st);
    st->container = NULL;
}
