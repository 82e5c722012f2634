/* passages.c - cuts a thread into passages: runs of messages with their speakers' names that fit the model.
 *
 * Measured on labelled community chat, passages of a thread find the right conversation more often than lone messages do. Consecutive
 * passages share a message where it is short, so that a question and its answer are seen together. Lines are separated by a newline, which
 * the tokenizer treats as a blank: the pieces of a passage are the sum of the pieces of its lines. */
#include "engine_int.h"

#include <string.h>

#include "render.h"

#define OVERLAP_PIECES_MAX 64
#define SPEAKER_BYTES_MAX 80
#define WORD_BYTES_MAX 8192 /* of a run without blanks looked at in one go: a passage holds less of a language written without them */

struct cutter {
    const struct br_model *model;
    size_t pieces_max; /* of a passage */
    struct br_arena *arena;
    struct br_passage *items; /* in the arena; doubled by copying */
    size_t n, alloc;
    struct br_buf text; /* the passage being filled */
    struct br_buf scratch;
    bool no_memory; /* for scratch: something was counted wrong */
    size_t pieces;
    int64_t first_ts, last_ts;
    size_t last_line; /* offset in text of its last line */
    size_t last_line_pieces;
};

static size_t count(struct cutter *c, const char *text, size_t len, size_t limit)
{
    br_buf_reset(&c->scratch);
    br_render_for_embedding(text, len, &c->scratch);
    c->no_memory |= c->scratch.no_memory;
    return br_token_count(c->model, br_buf_str(&c->scratch), c->scratch.len, limit);
}

static void flush(struct cutter *c)
{
    if (!c->text.len)
        return;
    if (c->n == c->alloc) {
        size_t alloc = c->alloc ? c->alloc * 2 : 8;
        struct br_passage *items = br_arena_array(c->arena, alloc, sizeof *items);
        if (!items)
            return; /* arena.failed tells */
        if (c->n)
            memcpy(items, c->items, c->n * sizeof *items);
        c->items = items;
        c->alloc = alloc;
    }
    size_t len = c->text.len - 1; /* without the last newline */
    c->items[c->n++] = (struct br_passage){
        .text = br_arena_strn(c->arena, c->text.data, len), .len = len, .first_ts = c->first_ts, .last_ts = c->last_ts};
}

/* Starts the next passage, with the last line of the one just flushed where that is short and leaves room for `next`. */
static void restart(struct cutter *c, size_t next_pieces)
{
    size_t keep = c->last_line_pieces;
    bool overlap = c->last_line > 0 && keep <= OVERLAP_PIECES_MAX && keep + next_pieces <= c->pieces_max;
    if (overlap) {
        size_t len = c->text.len - c->last_line;
        memmove(c->text.data, c->text.data + c->last_line, len);
        br_buf_truncate(&c->text, len);
        c->first_ts = c->last_ts;
        c->pieces = keep;
    } else {
        br_buf_truncate(&c->text, 0);
        c->pieces = 0;
    }
    c->last_line = 0;
}

static void add_line(struct cutter *c, const char *speaker, size_t speaker_len, const char *text, size_t len, size_t pieces, int64_t ts)
{
    if (c->text.len && c->pieces + pieces > c->pieces_max) {
        flush(c);
        restart(c, pieces);
    }
    if (!c->text.len)
        c->first_ts = ts;
    c->last_line = c->text.len;
    c->last_line_pieces = pieces;
    br_buf_add(&c->text, speaker, speaker_len);
    br_buf_adds(&c->text, ": ");
    br_buf_add(&c->text, text, len);
    br_buf_addc(&c->text, '\n');
    c->pieces += pieces;
    c->last_ts = ts;
}

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\n' || ch == '\t' || ch == '\r';
}

/* At most n, and no character is cut. */
static size_t whole_characters(const char *text, size_t len, size_t n)
{
    if (n >= len)
        return len;
    while (n && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    return n;
}

/* Bytes of the longest prefix of text, cut at a blank where possible, that has at most room pieces; > 0. */
static size_t fitting_prefix(struct cutter *c, const char *text, size_t len, size_t room, size_t *pieces)
{
    size_t end = 0;
    *pieces = 0;
    while (end < len) {
        size_t word = end;
        while (word < len && is_blank(text[word]))
            word++;
        while (word < len && !is_blank(text[word]) && word - end < WORD_BYTES_MAX)
            word++;
        word = end + whole_characters(text + end, len - end, word - end);
        size_t n = count(c, text + end, word - end, room + 1);
        if (*pieces + n > room)
            break;
        *pieces += n;
        end = word;
    }
    if (end)
        return end;
    size_t n = whole_characters(text, len, WORD_BYTES_MAX); /* one word without blanks that alone is too much: halve it */
    while (n > 1 && (*pieces = count(c, text, n, room + 1)) > room)
        n /= 2;
    while (n < len && ((unsigned char)text[n] & 0xC0) == 0x80)
        n++;
    return n;
}

static void add_message(struct cutter *c, const struct br_thread_text *m)
{
    size_t speaker_len = strlen(m->speaker);
    if (speaker_len > SPEAKER_BYTES_MAX)
        for (speaker_len = SPEAKER_BYTES_MAX; speaker_len && ((unsigned char)m->speaker[speaker_len] & 0xC0) == 0x80;)
            speaker_len--;
    size_t head = count(c, m->speaker, speaker_len, c->pieces_max / 2) + 1; /* and the colon */
    size_t pieces = count(c, m->text, m->len, c->pieces_max + 1);
    if (head + pieces <= c->pieces_max) {
        add_line(c, m->speaker, speaker_len, m->text, m->len, head + pieces, m->ts);
        return;
    }
    for (size_t at = 0; at < m->len;) {
        size_t n = fitting_prefix(c, m->text + at, m->len - at, c->pieces_max - head, &pieces);
        add_line(c, m->speaker, speaker_len, m->text + at, n, head + pieces, m->ts);
        at += n;
        while (at < m->len && is_blank(m->text[at]))
            at++;
    }
}

enum br_rc br_passages_cut(const struct br_model *m, const struct br_thread_text *msgs, size_t n, struct br_arena *arena,
                           struct br_passage **out, size_t *n_out, struct br_err *err)
{
    struct cutter c = {.model = m, .pieces_max = br_passage_pieces(m), .arena = arena};
    size_t spoken = 0, last = 0;
    br_buf_init(&c.text, 4 * (size_t)BR_RENDER_TEXT_MAX);
    br_buf_init(&c.scratch, 4 * (size_t)BR_RENDER_TEXT_MAX);
    for (size_t i = 0; i < n; i++)
        if (msgs[i].len) {
            spoken++;
            last = i;
        }
    bool lone = spoken == 1 && count(&c, msgs[last].text, msgs[last].len, c.pieces_max + 1) <= c.pieces_max;
    if (spoken && !lone) {
        for (size_t i = 0; i < n; i++)
            if (msgs[i].len)
                add_message(&c, &msgs[i]);
        flush(&c);
    }
    enum br_rc rc = arena->failed || c.no_memory ? br_fail_nomem(err) : br_buf_status(&c.text, err);
    if (rc == BR_OK) {
        *out = c.items;
        *n_out = c.n;
    }
    br_buf_free(&c.text);
    br_buf_free(&c.scratch);
    return rc;
}
