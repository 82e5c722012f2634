/* out_json.c - results as JSON: the field names that scripts rely on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void no_memory(void)
{
    fputs("backread: out of memory while writing JSON: ask for fewer results\n", stderr);
    exit(BR_STATUS_IO);
}

json_t *json_text(const char *s)
{
    if (!s)
        return json_null();
    json_t *j = json_string(s);
    if (j)
        return j;
    char *clean = NULL;
    size_t len = 0, n;
    wchar_t *codes = term_clean(s, &n);
    FILE *f = open_memstream(&clean, &len);
    if (!codes || !f)
        no_memory();
    term_put(f, codes, n);
    fclose(f);
    j = json_string(clean);
    free(clean);
    free(codes);
    return j;
}

json_t *json_count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *json_ts(int64_t ts)
{
    char buf[32];
    return ts ? json_string(format_ts(ts, buf)) : json_null();
}

static json_t *json_files(const struct br_message *m)
{
    json_t *files = json_array();
    for (size_t i = 0; i < m->n_files; i++) {
        const struct br_file *f = &m->files[i];
        json_array_append_new(files,
                              json_pack("{so so so so so sI}", "id", json_text(f->id), "name", json_text(f->name),
                                        "title", json_text(f->title), "mimetype", json_text(f->mimetype), "mode",
                                        json_text(f->mode), "size", (json_int_t)f->size));
    }
    return files;
}

static json_t *json_reactions(const struct br_message *m)
{
    json_t *reactions = json_array();
    for (size_t i = 0; i < m->n_reactions; i++)
        json_array_append_new(reactions, json_pack("{so so}", "name", json_text(m->reactions[i].name), "count",
                                                   json_count(m->reactions[i].count)));
    return reactions;
}

static void add_message(json_t *j, const struct br_message *m)
{
    int rc = json_object_update_new(
        j, json_pack("{s{so so} s{so so} so so so so so so so}", "channel", "id", json_text(m->channel_id), "name",
                     json_text(m->channel_name), "user", "id", json_text(m->user_id), "name", json_text(m->user_name),
                     "ts", json_ts(m->ts), "thread_ts", json_ts(m->thread_ts), "text", json_text(m->text), "permalink",
                     json_text(m->permalink), "reactions", json_reactions(m), "reactions_total",
                     json_count(m->reactions_total), "reply_count", json_count(m->reply_count)));
    rc |=
        json_object_update_new(j, json_pack("{so so sb sb sb sb sb}", "subtype", json_text(m->subtype), "files",
                                            json_files(m), "is_bot", m->is_bot, "is_edited", m->is_edited, "is_deleted",
                                            m->is_deleted, "is_system", m->is_system, "is_broadcast", m->is_broadcast));
    if (rc)
        no_memory();
}

json_t *json_message(const struct br_message *m)
{
    json_t *j = json_object();
    add_message(j, m);
    return j;
}

json_t *json_messages(const struct br_messages *m, const char *next_cursor)
{
    json_t *items = json_array();
    for (size_t i = 0; i < m->count; i++)
        json_array_append_new(items, json_message(&m->items[i]));
    json_t *j = json_pack("{so}", "messages", items);
    if (!next_cursor || *next_cursor)
        json_object_set_new(j, "next_cursor", json_text(next_cursor));
    return j;
}

json_t *json_hit(const struct br_search_hit *h)
{
    json_t *j = json_pack("{so so ss}", "rank", json_count(h->rank), "score", json_number(h->score), "kind",
                          h->kind == BR_HIT_PASSAGE ? "passage" : "message");
    if (!j)
        no_memory();
    add_message(j, &h->message);
    json_object_set_new(j, "scores",
                        json_pack("{so so}", "semantic", json_number(h->semantic), "keyword", json_number(h->keyword)));
    json_object_set_new(j, "snippet", json_text(h->snippet));
    json_object_set_new(j, "reason", json_text(h->reason));
    if (h->explain)
        json_object_set_new(j, "explain", json_explain_hit(h->explain));
    return j;
}

const char *search_mode_name(enum br_search_mode mode)
{
    return mode == BR_SEARCH_SEMANTIC ? "semantic" : mode == BR_SEARCH_KEYWORD ? "keyword" : "hybrid";
}

json_t *json_results(const struct br_search_results *r)
{
    json_t *hits = json_array();
    for (size_t i = 0; i < r->count; i++)
        json_array_append_new(hits, json_hit(&r->hits[i]));
    json_t *j = json_pack("{so ss so sb so}", "query", json_text(r->query), "mode", search_mode_name(r->mode), "took_ms",
                          json_number(r->took_ms), "exhaustive", r->exhaustive, "hits", hits);
    if (r->explain)
        json_object_set_new(j, "explain", json_explain(r->explain));
    return j;
}

/* Outside of strings a document is ASCII, so what a terminal must not be given can be escaped afterwards: DEL, C1
 * controls and bidi overrides (jansson has escaped C0). */
static void write_escaped(FILE *f, const char *s)
{
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        if (*p == 0x7F) {
            fputs("\\u007f", f);
        } else if (p[0] == 0xC2 && p[1] < 0xA0) {
            fprintf(f, "\\u%04x", (unsigned)p[1]);
            p++;
        } else if (p[0] == 0xE2 &&
                   ((p[1] == 0x80 && p[2] >= 0xAA && p[2] <= 0xAE) || (p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9))) {
            fprintf(f, "\\u20%02x", (p[1] == 0x80 ? 0x00u : 0x40u) + (p[2] & 0x3Fu));
            p += 2;
        } else {
            putc_unlocked(*p, f);
        }
    }
}

char *json_line(json_t *document)
{
    char *s = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (!s)
        no_memory();
    json_decref(document);
    return s;
}

void json_print_line(const char *line)
{
    write_escaped(stdout, line);
    putc('\n', stdout);
}

void json_print(const struct cli *cli, json_t *document, bool line)
{
    size_t layout = !line && cli->out.is_tty ? JSON_INDENT(2) : JSON_COMPACT;
    char *s = document ? json_dumps(document, layout | JSON_REAL_PRECISION(9)) : NULL;
    if (!s)
        no_memory();
    write_escaped(stdout, s);
    putc('\n', stdout);
    free(s);
    json_decref(document);
}
