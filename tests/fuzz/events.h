/* events.h - what must hold of every event a source yields, whatever the archive: a sink that checks and counts. */
#ifndef BR_FUZZ_EVENTS_H
#define BR_FUZZ_EVENTS_H

#include "fuzz.h"

#include "render.h"
#include "slack_object.h"
#include "source.h"
#include "utf8_check.h"

struct fuzz_counts {
    uint64_t events, warnings, text_bytes;
    bool damaged; /* an element could not be read */
};

/* Text that may be stored: UTF-8 (NUL cannot be in it). */
static inline void fuzz_check_text(const char *s)
{
    if (s)
        BR_ASSERT(br_utf8_valid(s, strlen(s)));
}

static inline void fuzz_check_id(const char *s)
{
    fuzz_check_text(s);
    if (s)
        BR_ASSERT(strlen(s) <= BR_ID_BYTES_MAX);
}

/* Rendered text: UTF-8, in bounds, no blank ends; its embedding form is not longer. */
static inline size_t fuzz_check_rendered(const json_t *message, const struct br_names *names)
{
    struct br_buf text, embedded;
    bool truncated;
    br_buf_init(&text, 4 * (size_t)BR_RENDER_TEXT_MAX);
    br_buf_init(&embedded, 4 * (size_t)BR_RENDER_TEXT_MAX);
    br_render_message(message, names, &text, &truncated);
    BR_ASSERT(!text.failed && text.len <= BR_RENDER_TEXT_MAX && br_utf8_valid(br_buf_str(&text), text.len));
    BR_ASSERT(!memchr(br_buf_str(&text), 0, text.len) && !strstr(br_buf_str(&text), "\n\n\n"));
    br_render_for_embedding(br_buf_str(&text), text.len, &embedded);
    BR_ASSERT(!embedded.failed && embedded.len <= text.len && br_utf8_valid(br_buf_str(&embedded), embedded.len));
    size_t len = text.len;
    br_buf_free(&text);
    br_buf_free(&embedded);
    return len;
}

static inline void fuzz_check_message(const struct br_message_event *m, struct fuzz_counts *k)
{
    fuzz_check_id(m->channel_id);
    fuzz_check_id(m->user_id);
    fuzz_check_id(m->bot_id);
    fuzz_check_text(m->bot_name);
    fuzz_check_text(m->subtype);
    fuzz_check_text(m->team_id);
    BR_ASSERT(m->channel_id && m->ts > 0 && m->thread_ts >= 0 && m->edited_ts >= 0 && m->reply_count >= 0);
    for (size_t i = 0; i < m->n_reactions; i++) {
        const struct br_reaction_event *r = &m->reactions[i];
        BR_ASSERT(r->name && r->folded && r->count >= 0);
        fuzz_check_text(r->name);
        fuzz_check_text(r->folded);
        for (size_t j = 0; j < r->n_users; j++)
            fuzz_check_id(r->users[j]);
    }
    for (size_t i = 0; i < m->n_files; i++) {
        fuzz_check_text(m->files[i].id);
        fuzz_check_text(m->files[i].name);
        fuzz_check_text(m->files[i].title);
        fuzz_check_text(m->files[i].mimetype);
        fuzz_check_text(m->files[i].mode);
    }
    char *raw = json_dumps(m->raw, JSON_COMPACT); /* what is stored of it */
    BR_ASSERT(raw && br_utf8_valid(raw, strlen(raw)));
    free(raw);
    k->text_bytes += fuzz_check_rendered(m->raw, NULL);
}

static inline enum br_rc fuzz_event(void *ctx, const struct br_event *ev, struct br_err *err)
{
    struct fuzz_counts *k = ctx;
    (void)err;
    k->events++;
    switch (ev->kind) {
    case BR_EVENT_USER:
        BR_ASSERT(ev->user.id && *ev->user.id);
        fuzz_check_id(ev->user.id);
        fuzz_check_text(ev->user.name);
        fuzz_check_text(ev->user.real_name);
        fuzz_check_text(ev->user.display_name);
        break;
    case BR_EVENT_CHANNEL:
        BR_ASSERT(ev->channel.id && *ev->channel.id);
        fuzz_check_id(ev->channel.id);
        fuzz_check_text(ev->channel.name);
        fuzz_check_text(ev->channel.topic);
        fuzz_check_text(ev->channel.purpose);
        for (size_t i = 0; i < ev->channel.n_members; i++)
            fuzz_check_id(ev->channel.members[i]);
        break;
    case BR_EVENT_MESSAGE:
        fuzz_check_message(&ev->message, k);
        break;
    case BR_EVENT_DELETE:
        BR_ASSERT(ev->deletion.channel_id && ev->deletion.ts > 0);
        break;
    }
    return BR_OK;
}

static inline void fuzz_warn(void *ctx, enum br_warning w, uint64_t n, const char *where)
{
    struct fuzz_counts *k = ctx;
    (void)where;
    BR_ASSERT(w < BR_WARN_COUNT);
    k->warnings += n;
    k->damaged |= w == BR_WARN_BAD_JSON || w == BR_WARN_DEEP_JSON;
}

static inline void fuzz_progress(void *ctx, uint64_t done, uint64_t total)
{
    (void)ctx;
    BR_ASSERT(done <= total);
}

#endif
