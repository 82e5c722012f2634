/* fuzz_query.c - what people type: queries and conditions, parsed and run on a small workspace.
 *
 * Input: u8 flags, then the query; options may follow, each behind a byte 0x1F and a letter: c(hannel), u(ser), h(as), a(fter), b(efore). */
#include "fuzz.h"

#include "engine_int.h"
#include "utf8_check.h"

#include <math.h>
#include <stdlib.h>

#define OPTIONS_MAX 6

struct options {
    const char *channels[OPTIONS_MAX], *users[OPTIONS_MAX], *has[OPTIONS_MAX];
    char *strings[OPTIONS_MAX];
    struct br_search_options o;
};

static void add_option(struct options *all, size_t i, struct fuzz_input piece)
{
    char letter = (char)fuzz_number(&piece, 1), *s = all->strings[i] = fuzz_string(piece);
    struct br_search_options *o = &all->o;
    if (letter == 'c')
        all->channels[o->n_channels++] = s;
    else if (letter == 'u')
        all->users[o->n_users++] = s;
    else if (letter == 'h')
        all->has[o->n_has++] = s;
    else if (letter == 'a')
        o->after = s;
    else
        o->before = s;
}

static void check_hit(const struct br_search_hit *hit, size_t i, enum br_search_mode mode)
{
    BR_ASSERT(hit->rank == i + 1 && hit->message.text && hit->snippet && hit->reason);
    BR_ASSERT(br_utf8_valid(hit->snippet, strlen(hit->snippet)) && br_utf8_valid(hit->reason, strlen(hit->reason)));
    BR_ASSERT(!isinf(hit->semantic) && !isinf(hit->keyword));
    if (mode == BR_SEARCH_KEYWORD)
        BR_ASSERT(isnan(hit->semantic));
}

static void search(struct br_workspace *ws, const char *query, const struct br_search_options *o)
{
    struct br_search_results r;
    struct br_error e = {0};
    if (br_search(ws, query, o, &r, &e) != 0) {
        /* whatever is typed: not understood, or not found; never an error of the store */
        BR_ASSERT((e.status == BR_STATUS_USAGE || e.status == BR_STATUS_NOT_FOUND) && e.message[0]);
        return;
    }
    BR_ASSERT(r.count <= o->n);
    for (size_t i = 0; i < r.count; i++)
        check_hit(&r.hits[i], i, o->mode);
    br_search_results_free(&r);
}

/* The texts that go through other parsers: message ids and dates. */
static void other_parsers(struct br_workspace *ws, const char *text)
{
    char channel[64];
    int64_t ts, from, to;
    struct br_err err = {0};
    struct br_error e = {0};
    struct br_messages m;
    if (br_parse_message_id(ws, text, channel, &ts, &err) == BR_OK)
        BR_ASSERT(ts > 0 && channel[0]);
    if (br_parse_bounds(text, text, &from, &to, &e) == 0)
        BR_ASSERT(from >= to - 1);
    if (br_channel_messages(ws, text, 3, 0, 0, &m, &e) == 0)
        br_messages_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_home h;
    static struct br_workspace *ws;
    struct fuzz_input in = {data, size};
    struct options all = {0};
    struct br_error e = {0};
    if (!ws) {
        h = fuzz_home_new();
        BR_ASSERT(br_workspace_open(h.home, NULL, &ws, &e) == 0);
    }
    uint8_t flags = (uint8_t)fuzz_number(&in, 1);
    char *query = fuzz_string(fuzz_take_until(&in, 0x1F));
    for (size_t i = 0; i < OPTIONS_MAX && in.left; i++)
        add_option(&all, i, fuzz_take_until(&in, 0x1F));
    all.o.channels = all.channels;
    all.o.users = all.users;
    all.o.has = all.has;
    all.o.mode = (enum br_search_mode)(flags % 3);
    all.o.literal = flags & 8;
    all.o.exact = flags & 16;
    all.o.n = 1 + flags / 32;
    search(ws, query, &all.o);
    other_parsers(ws, query);
    free(query);
    for (size_t i = 0; i < OPTIONS_MAX; i++)
        free(all.strings[i]);
    return 0;
}
