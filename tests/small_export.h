/* small_export.h - exports of a few files, written as a ZIP or a directory. */
#ifndef BR_TEST_SMALL_EXPORT_H
#define BR_TEST_SMALL_EXPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

struct file {
    const char *name, *text;
};

#define MESSAGE(user, ts, rest) "{\"type\":\"message\",\"user\":\"" user "\",\"ts\":\"17041032" ts ".000100\"," rest "}"

static inline void write_zip(const char *path, const struct file *files, size_t n)
{
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(z);
    for (size_t i = 0; i < n; i++) {
        zip_source_t *source = zip_source_buffer(z, files[i].text, strlen(files[i].text), 0);
        assert_true(source && zip_file_add(z, files[i].name, source, ZIP_FL_ENC_UTF_8) >= 0);
    }
    assert_int_equal(zip_close(z), 0);
}

#endif
