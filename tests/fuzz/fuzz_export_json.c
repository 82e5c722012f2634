/* fuzz_export_json.c - an export's files, in memory: recognised, laid out, read by the streaming reader, made into events and rendered.
 *
 * Input: files, separated by the byte 0x1E (which JSON never has): "NAME\nCONTENTS". What is not damaged reads the same in one
 * piece and in small ones; where the reader goes on after damage may depend on what it has at hand. */
#include "events.h"

#include "source_int.h"

#include <stdlib.h>

#define FILES_MAX 16

static struct {
    struct fuzz_input bytes[FILES_MAX];
    size_t piece; /* bytes a read gives at most */
} archive;

static enum br_rc open_entry(struct br_container *c, const struct br_entry *e, struct br_stream *st, struct br_err *err)
{
    (void)c, (void)e, (void)err;
    st->fd = -1;
    return BR_OK;
}

static enum br_rc read_entry(struct br_stream *st, void *buf, size_t n, size_t *got, struct br_err *err)
{
    const struct fuzz_input *f = &archive.bytes[st->entry->index];
    (void)err;
    *got = BR_MIN(BR_MIN(n, archive.piece), f->left - (size_t)st->done);
    if (*got)
        memcpy(buf, f->at + st->done, *got);
    return BR_OK;
}

static void close_entry(struct br_stream *st)
{
    (void)st;
}

static void close_container(struct br_container *c)
{
    (void)c;
}

static const struct br_container_ops ops = {open_entry, read_entry, close_entry, close_container};

static enum br_rc list(struct br_container *c, struct fuzz_input in, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    for (uint64_t i = 0; i < FILES_MAX && in.left && rc == BR_OK; i++) {
        struct fuzz_input file = fuzz_take_until(&in, 0x1E), name = fuzz_take_until(&file, '\n');
        archive.bytes[i] = file;
        char *raw = fuzz_string(name);
        struct br_entry e = {.index = i, .size = file.left, .packed = file.left, .modified = (int64_t)i};
        rc = br_container_add(c, raw, &e, err);
        free(raw);
    }
    return rc;
}

/* As br_source_open, over the archive in memory. */
static enum br_rc open_source(struct fuzz_input in, struct br_source **out, struct br_err *err)
{
    enum br_rc rc;
    struct br_source *s = *out = calloc(1, sizeof *s);
    BR_ASSERT(s);
    br_arena_init(&s->strings, 64 << 20);
    br_arena_init(&s->run_strings, 64 << 20);
    br_arena_init(&s->row_arena, 64 << 20);
    s->container = calloc(1, sizeof *s->container);
    BR_ASSERT(s->container);
    s->container->ops = &ops;
    s->container->dir_fd = -1;
    s->container->path = strdup("archive");
    br_arena_init(&s->container->names, 64 << 20);
    BR_TRY(list(s->container, in, err));
    BR_TRY(br_recognise(s, err));
    BR_TRY(br_layout(s, err));
    BR_TRY(br_name_workspaces(s, err));
    s->freshness = br_date_archive(s);
err:
    return rc;
}

static struct fuzz_counts run(struct fuzz_input in, size_t piece)
{
    struct fuzz_counts counts = {0};
    struct br_err err = {0};
    struct br_source *s;
    archive.piece = piece;
    const struct br_sink sink = {.ctx = &counts, .event = fuzz_event, .warn = fuzz_warn, .progress = fuzz_progress};
    if (open_source(in, &s, &err) == BR_OK)
        for (size_t i = 0; i < br_source_workspace_count(s); i++) {
            fuzz_check_text(br_source_workspace(s, i)->id);
            fuzz_check_text(br_source_workspace(s, i)->name);
            fuzz_check_text(br_source_workspace(s, i)->domain);
            BR_ASSERT(br_source_run(s, i, &sink, &err) == BR_OK); /* nothing in an archive stops a run */
        }
    else
        BR_ASSERT(err.rc != BR_OK && err.msg[0] && !strchr(err.msg, '\n'));
    br_source_close(s);
    return counts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct fuzz_counts first = run(in, SIZE_MAX), second = run(in, 64 + size % 61);
    BR_ASSERT(first.damaged || second.damaged ||
              (first.events == second.events && first.warnings == second.warnings &&
               first.text_bytes == second.text_bytes));
    return 0;
}
