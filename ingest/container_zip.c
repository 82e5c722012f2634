/* container_zip.c - ZIP archives, in the order of the central directory. */
#include "container.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

static enum br_rc open_entry(struct br_container *c, const struct br_entry *e, struct br_stream *st, struct br_err *err)
{
    st->zip_file = zip_fopen_index(c->zip, e->index, 0);
    if (st->zip_file)
        return BR_OK;
    const zip_error_t *why = zip_get_error(c->zip);
    int code = zip_error_code_zip(why);
    if (code == ZIP_ER_MEMORY)
        return br_fail_nomem(err);
    if (code == ZIP_ER_READ || code == ZIP_ER_SEEK || code == ZIP_ER_OPEN)
        return br_fail_errno(err, zip_error_code_system(why), "cannot read %s", c->path);
    st->damaged = true;
    return BR_OK;
}

static enum br_rc read_entry(struct br_stream *st, void *buf, size_t n, size_t *got, struct br_err *err)
{
    /* The limits were checked against the stated size: no more than that is ever unpacked, whatever the data says. */
    uint64_t left = st->entry->size - st->done;
    char extra;
    if (!st->zip_file)
        return BR_OK;
    zip_int64_t r = left ? zip_fread(st->zip_file, buf, BR_MIN((uint64_t)n, left)) : zip_fread(st->zip_file, &extra, 1);
    if (left && r > 0) {
        *got = (size_t)r;
        return BR_OK;
    }
    const zip_error_t *why = zip_file_get_error(st->zip_file);
    if (r < 0 && zip_error_code_zip(why) == ZIP_ER_MEMORY)
        return br_fail_nomem(err);
    if (r < 0 && (zip_error_code_zip(why) == ZIP_ER_READ || zip_error_code_zip(why) == ZIP_ER_SEEK))
        return br_fail_errno(err, zip_error_code_system(why), "cannot read %s", st->container->path);
    st->damaged = left || r != 0; /* too short, too long, or a wrong checksum */
    return BR_OK;
}

static void close_entry(struct br_stream *st)
{
    if (st->zip_file)
        (void)zip_fclose(st->zip_file);
    st->zip_file = NULL;
}

static void close_zip(struct br_container *c)
{
    if (c->zip)
        zip_discard(c->zip);
    c->zip = NULL;
}

static const struct br_container_ops zip_ops = {open_entry, read_entry, close_entry, close_zip};

static enum br_rc refuse(struct br_container *c, int zip_error, struct br_err *err)
{
    unsigned char magic[16] = {0};
    FILE *f = fopen(c->path, "rbe");
    size_t n = f ? fread(magic, 1, sizeof magic, f) : 0;
    if (f)
        (void)fclose(f);
    if (!f || zip_error == ZIP_ER_OPEN || zip_error == ZIP_ER_READ)
        return br_fail(err, BR_E_IO, "cannot read %s", c->path);
    if (zip_error == ZIP_ER_MEMORY)
        return br_fail_nomem(err);
    if (n == sizeof magic && memcmp(magic, "SQLite format 3", sizeof magic) == 0)
        return br_fail(err, BR_E_DATA,
                       "not_an_export: %s is a database; convert it first: slackdump convert -f export -o OUT.zip FILE",
                       c->path);
    if (n >= 4 && memcmp(magic, "PK\3\4", 4) == 0)
        return br_fail(err, BR_E_DATA,
                       "truncated: %s is cut off (no readable list of entries at its end); download it again", c->path);
    return br_fail(
        err, BR_E_DATA,
        "not_an_export: %s is no ZIP file; give the export as downloaded, or the directory it was unpacked to",
        c->path);
}

static bool is_symlink(zip_t *z, zip_uint64_t i)
{
    zip_uint8_t system = 0;
    zip_uint32_t attributes = 0;
    return zip_file_get_external_attributes(z, i, 0, &system, &attributes) == 0 && system == ZIP_OPSYS_UNIX &&
           S_ISLNK(attributes >> 16);
}

static enum br_rc list_entry(struct br_container *c, zip_uint64_t i, uint64_t *packed_total, struct br_err *err)
{
    zip_stat_t st;
    const char *raw = zip_get_name(c->zip, i, ZIP_FL_ENC_RAW);
    if (!raw || zip_stat_index(c->zip, i, 0, &st) != 0)
        return br_fail(err, BR_E_DATA, "truncated: %s: entry %llu cannot be read; download it again", c->path,
                       (unsigned long long)i);
    if (is_symlink(c->zip, i)) {
        c->warned[BR_WARN_SYMLINK_ENTRY]++;
        return BR_OK;
    }
    if (st.encryption_method != ZIP_EM_NONE)
        return br_fail(err, BR_E_DATA,
                       "encrypted: %s: entry %.200s is protected by a password; unpack it and import the directory",
                       c->path, raw);
    struct br_entry e = {.index = i, .size = st.size, .packed = st.comp_size};
    if ((st.valid & ZIP_STAT_MTIME) && st.mtime > 0)
        e.modified = (int64_t)st.mtime * 1000000;
    e.unsupported = !zip_compression_method_supported(st.comp_method, 0);
    c->warned[BR_WARN_UNSUPPORTED_METHOD] += e.unsupported;
    *packed_total += e.packed;
    return br_container_add(c, raw, &e, err);
}

enum br_rc br_container_open_zip(struct br_container *c, struct br_err *err)
{
    int zip_error = 0;
    struct stat file;
    uint64_t packed = 0;
    c->zip = zip_open(c->path, ZIP_RDONLY, &zip_error);
    if (!c->zip)
        return refuse(c, zip_error, err);
    c->ops = &zip_ops; /* from here on it is closed by them */
    if (stat(c->path, &file) != 0)
        return br_fail_errno(err, errno, "cannot look at %s", c->path);
    zip_int64_t n = zip_get_num_entries(c->zip, 0);
    for (zip_int64_t i = 0; i < n; i++) {
        enum br_rc rc = list_entry(c, (zip_uint64_t)i, &packed, err);
        if (rc != BR_OK)
            return rc;
    }
    if (packed > (uint64_t)file.st_size)
        return br_fail(err, BR_E_DATA, "zip_bomb: %s: its entries overlap; pack the export again", c->path);
    return BR_OK;
}
