/* fuzz_zip.c - a file that claims to be a ZIP archive: listed, each entry read to its end, and run as a source. */
#include "events.h"

#include "container.h"

#include <stdlib.h>

static void read_all(const char *path)
{
    struct br_container *c;
    struct br_err err = {0};
    char buf[4096];
    if (br_container_open(path, &c, &err) != BR_OK)
        return;
    for (size_t i = 0; i < c->n; i++) {
        struct br_stream st = {0};
        uint64_t read = 0;
        size_t got = 0;
        enum br_rc rc = br_stream_open(c, i, &st, &err);
        while (rc == BR_OK && (rc = br_stream_read(&st, buf, sizeof buf, &got, &err)) == BR_OK && got)
            read += got;
        BR_ASSERT(read <= c->entries[i].size); /* the limits were checked against this */
        BR_ASSERT(read == c->entries[i].size || st.damaged || rc != BR_OK || c->entries[i].unsupported);
        br_stream_close(&st);
    }
    br_container_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_counts counts = {0};
    struct br_err err = {0};
    struct br_source *s;
    const struct br_sink sink = {.ctx = &counts, .event = fuzz_event, .warn = fuzz_warn, .progress = fuzz_progress};
    const char *path = fuzz_file(0, data, size);
    read_all(path);
    if (br_source_open(path, NULL, &s, &err) != BR_OK) {
        BR_ASSERT(err.rc != BR_OK && err.msg[0]);
        return 0;
    }
    for (size_t i = 0; i < br_source_workspace_count(s); i++)
        if (br_source_run(s, i, &sink, &err) != BR_OK)
            BR_ASSERT(err.rc == BR_E_IO || err.rc == BR_E_TOOBIG);
    br_source_close(s);
    return 0;
}
