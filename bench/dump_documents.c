/* dump_documents - every document of a workspace as the model sees it, one JSON object a line: {"slot","kind","text"}.
 * Usage: bench_dump_documents WORKSPACE_DIR [EVERY]; EVERY n keeps each n-th document. Input for measuring other runtimes on the very same texts. */
#include "base/buf.h"
#include "render.h"
#include "slack.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static enum br_rc dump(struct br_store *s, uint64_t every, struct br_err *err)
{
    struct br_store_info info;
    struct br_buf text, shown;
    enum br_rc rc;
    uint64_t n = 0;
    br_buf_init(&text, 2 * (size_t)BR_RENDER_TEXT_MAX);
    br_buf_init(&shown, 2 * (size_t)BR_RENDER_TEXT_MAX);
    BR_TRY(br_store_info(s, &info, err));
    for (uint64_t slot = 0; slot < info.vector_tail; slot++) {
        struct br_doc doc;
        if (br_slack_doc_of_slot(s, slot, &doc, NULL) != BR_OK || n++ % every)
            continue;
        br_buf_reset(&text);
        br_buf_reset(&shown);
        BR_TRY(br_store_content(s, doc.content_id, &text, err));
        br_render_for_embedding(br_buf_str(&text), text.len, &shown);
        json_t *o = json_pack("{sIsssO}", "slot", (json_int_t)slot, "kind", doc.kind == BR_DOC_PASSAGE ? "passage" : "message", "text",
                              json_stringn(br_buf_str(&shown), shown.len));
        json_dumpf(o, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(o);
    }
err:
    br_buf_free(&text);
    br_buf_free(&shown);
    return rc;
}

int main(int argc, char **argv)
{
    struct br_err err = {0};
    struct br_store *s = NULL;
    if (argc < 2) {
        fprintf(stderr, "usage: %s WORKSPACE_DIR [EVERY]\n", argv[0]);
        return 2;
    }
    long every = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
    enum br_rc rc = br_store_open(&br_io_posix, argv[1], BR_STORE_READ, &s, &err);
    if (rc == BR_OK)
        rc = dump(s, every > 0 ? (uint64_t)every : 1, &err);
    if (rc != BR_OK)
        fprintf(stderr, "%s\n", err.msg);
    br_store_close(s);
    return br_rc_exit_status(rc);
}
