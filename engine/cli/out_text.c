/* out_text.c - results for people: hits and messages, wrapped and coloured for the terminal. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

enum { SNIPPET_LINES = 3, WORDS_MAX = 16, BELOW = 7 /* indent of what stands below a message's first line */ };

const char *format_count(uint64_t n, char buf[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), out = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            buf[out++] = ',';
        buf[out++] = digits[i];
    }
    buf[out] = '\0';
    return buf;
}

const char *format_bytes(uint64_t n, char buf[32])
{
    static const char *const UNITS[] = {"B", "kB", "MB", "GB", "TB"};
    double x = (double)n;
    size_t u = 0;
    for (; x >= 1000 && u + 1 < sizeof(UNITS) / sizeof(UNITS[0]); u++)
        x /= 1000;
    snprintf(buf, 32, u > 0 && x < 100 ? "%.1f %s" : "%.0f %s", x, UNITS[u]);
    return buf;
}

static struct tm utc(int64_t ts)
{
    time_t t = (time_t)(ts / 1000000);
    struct tm tm = {0};
    gmtime_r(&t, &tm);
    return tm;
}

const char *format_day(int64_t ts, char buf[32])
{
    struct tm tm = utc(ts);
    if (strftime(buf, 32, "%Y-%m-%d", &tm) == 0)
        buf[0] = '\0';
    return buf;
}

const char *format_ts(int64_t ts, char buf[32])
{
    snprintf(buf, 32, "%lld.%06lld", (long long)(ts / 1000000), (long long)(ts % 1000000));
    return buf;
}

const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static const char *author(const struct br_message *m)
{
    return m->user_name && *m->user_name ? m->user_name : m->user_id ? m->user_id : "someone";
}

static void put_piece(struct term_flow *f, int gap, enum term_style style, const char *text)
{
    term_flow(f, gap, term_width_of(text));
    fputs(style == STYLE_NONE ? "" : term_style(f->t, style), f->t->file);
    term_puts(f->t->file, text);
    fputs(style == STYLE_NONE ? "" : term_style(f->t, STYLE_NONE), f->t->file);
}

const char *channel_label(const char *name, const char *id)
{
    return name ? name : id[0] == 'D' ? "DM" : id;
}

/* "#tools". */
static void put_channel(struct term_flow *f, const struct br_message *m)
{
    char name[300];
    const char *label = channel_label(m->channel_name, m->channel_id);
    bool plain = m->channel_name ? label[0] != '@' && label[0] != '#' : label == m->channel_id;
    snprintf(name, sizeof(name), "%s%s", plain ? "#" : "", label);
    put_piece(f, 2, STYLE_CHANNEL, name);
}

static void put_author(struct term_flow *f, const struct br_message *m)
{
    put_piece(f, 2, STYLE_NAME, author(m));
}

/* The permalink; where there is none, or the terminal is too narrow to show it in one piece, CHANNEL:TS, which every
 * command takes too. */
static void put_id(struct term_flow *f, int gap, const struct br_message *m)
{
    char id[128], ts[32];
    bool fits = m->permalink && (!f->t->is_tty || term_width_of(m->permalink) <= f->t->width);
    snprintf(id, sizeof(id), "id: %s:%s", m->channel_id, format_ts(m->ts, ts));
    if (fits && f->indent + term_width_of(m->permalink) > f->t->width)
        f->indent = 0;
    put_piece(f, gap, STYLE_DIM, fits ? m->permalink : id);
}

/* The words of a reason such as "meaning + words: lake, config", cut apart inside buf. */
static size_t reason_words(char *buf, const char **words, size_t room)
{
    char *save, *at = strstr(buf, "words:");
    size_t n = 0;
    if (!at)
        return 0;
    for (char *w = strtok_r(at + strlen("words:"), ", ", &save); w && n < room; w = strtok_r(NULL, ", ", &save))
        words[n++] = w;
    return n;
}

static void put_header(const struct term *t, const struct br_search_hit *h, int rank_width)
{
    const struct br_message *m = &h->message;
    char when[32], score[32], thread[48];
    struct tm tm = utc(m->ts);
    struct term_flow f = {.t = t, .indent = rank_width + 2, .at = rank_width};
    fprintf(t->file, "%*zu", rank_width, h->rank);
    put_channel(&f, m);
    put_author(&f, m);
    if (strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm) == 0)
        when[0] = '\0';
    put_piece(&f, 2, STYLE_NONE, when);
    snprintf(thread, sizeof(thread), "(thread of %" PRIu64 ")", m->reply_count + 1);
    if (m->reply_count > 0)
        put_piece(&f, 2, STYLE_NONE, thread);
    else if (m->thread_ts && m->thread_ts != m->ts)
        put_piece(&f, 2, STYLE_NONE, "(in a thread)");
    int len = snprintf(score, sizeof(score), fabs(h->score) >= 0.1 ? "%.2f" : "%.3f", h->score);
    int gap = t->width - f.at - len; /* to the right edge */
    put_piece(&f, gap > 2 ? gap : 2, STYLE_DIM, score);
    putc('\n', t->file);
}

/* "why: meaning + words: lake, config   https://..." */
static void put_reason(const struct term *t, const struct br_search_hit *h, int indent)
{
    struct term_flow f = {.t = t, .indent = indent, .at = indent, .fresh = true};
    char *reason = h->reason && *h->reason ? strdup(h->reason) : NULL, *save;
    if (reason) {
        fprintf(t->file, "%*s", indent, "");
        put_piece(&f, 0, STYLE_DIM, "why:");
    } else {
        f.at = 0; /* nothing to stand beside: the address has the whole line */
    }
    for (char *w = reason ? strtok_r(reason, " ", &save) : NULL; w; w = strtok_r(NULL, " ", &save))
        put_piece(&f, 1, STYLE_DIM, w);
    put_id(&f, 3, &h->message);
    putc('\n', t->file);
    free(reason);
}

static void put_hit(const struct term *t, const struct br_search_hit *h, int rank_width)
{
    const char *words[WORDS_MAX];
    char *reason = strdup(h->reason ? h->reason : "");
    struct term_paragraph how = {.indent = rank_width + 2, .max_lines = SNIPPET_LINES, .join = true, .words = words};
    put_header(t, h, rank_width);
    if (reason)
        how.n_words = reason_words(reason, words, WORDS_MAX);
    const char *text = h->snippet && *h->snippet ? h->snippet : h->message.text;
    if (text && *text)
        term_wrap(t, text, &how);
    put_reason(t, h, rank_width + 2);
    free(reason);
}

void text_results(const struct cli *cli, const struct br_search_results *r)
{
    char digits[24];
    int rank_width = r->count ? snprintf(digits, sizeof(digits), "%zu", r->hits[r->count - 1].rank) : 1;
    if (rank_width < 2)
        rank_width = 2;
    for (size_t i = 0; i < r->count; i++) {
        if (i > 0)
            putc('\n', cli->out.file);
        put_hit(&cli->out, &r->hits[i], rank_width);
    }
    fflush(cli->out.file);
    cli_note(cli, "%zu hit%s in %.0f ms (%s, %s)", r->count, plural(r->count), r->took_ms, search_mode_name(r->mode),
             r->exhaustive ? "exhaustive" : "approximate: --exact looks at every vector");
}

/* ---- Messages ---- */

static void put_day(const struct term *t, int64_t ts)
{
    char day[64], line[96];
    struct tm tm = utc(ts);
    if (strftime(day, sizeof(day), "%A, %-d %B %Y", &tm) == 0)
        return;
    int width = snprintf(line, sizeof(line), "-- %s (UTC) --", day);
    fprintf(t->file, "%s%s%s\n", term_style(t, STYLE_DIM), width <= t->width ? line : format_day(ts, day),
            term_style(t, STYLE_NONE));
}

static void put_marks(struct term_flow *f, const struct br_message *m)
{
    if (m->is_bot)
        put_piece(f, 2, STYLE_DIM, "(bot)");
    if (m->is_edited)
        put_piece(f, 2, STYLE_DIM, "(edited)");
    if (m->is_deleted)
        put_piece(f, 2, STYLE_DIM, "(deleted)");
    if (m->is_broadcast)
        put_piece(f, 2, STYLE_DIM, "(also sent to the channel)");
}

static void put_reactions(const struct term *t, const struct br_message *m)
{
    struct term_flow f = {.t = t, .indent = BELOW, .at = BELOW, .fresh = true};
    fprintf(t->file, "%*s", BELOW, "");
    for (size_t i = 0; i < m->n_reactions; i++) {
        char one[300];
        snprintf(one, sizeof(one), ":%.250s: %" PRIu64, m->reactions[i].name, m->reactions[i].count);
        put_piece(&f, 3, STYLE_NONE, one);
    }
    putc('\n', t->file);
}

static void put_below(const struct term *t, const struct br_message *m)
{
    FILE *f = t->file;
    for (size_t i = 0; i < m->n_files; i++) {
        const char *name = m->files[i].title && *m->files[i].title ? m->files[i].title : m->files[i].name;
        fprintf(f, "%*s[file] ", BELOW, "");
        term_puts(f, name && *name ? name : m->files[i].id);
        putc('\n', f);
    }
    if (m->n_reactions)
        put_reactions(t, m);
    if (m->reply_count)
        fprintf(f, "%*s↳ %" PRIu64 " repl%s\n", BELOW, "", m->reply_count, m->reply_count == 1 ? "y" : "ies");
}

static void put_message(const struct term *t, const struct br_message *m, bool marked, bool with_channel)
{
    static const struct term_paragraph HOW = {.indent = BELOW};
    char when[32];
    struct tm tm = utc(m->ts);
    struct term_flow f = {.t = t, .indent = BELOW};
    if (strftime(when, sizeof(when), "%H:%M", &tm) == 0)
        when[0] = '\0';
    f.at = fprintf(t->file, "%s%s", marked ? ">" : "", when);
    if (with_channel)
        put_channel(&f, m);
    put_author(&f, m);
    put_marks(&f, m);
    put_id(&f, 2, m);
    putc('\n', t->file);
    if (m->text && *m->text)
        term_wrap(t, m->text, &HOW);
    put_below(t, m);
}

void text_messages(const struct cli *cli, const struct br_messages *m, int64_t mark, bool with_channel)
{
    char day[32], shown[32] = "";
    for (size_t i = 0; i < m->count; i++) {
        format_day(m->items[i].ts, day);
        if (strcmp(day, shown) != 0) {
            fputs(i ? "\n" : "", cli->out.file);
            put_day(&cli->out, m->items[i].ts);
            memcpy(shown, day, sizeof(shown));
        }
        put_message(&cli->out, &m->items[i], mark && m->items[i].ts == mark, with_channel);
    }
    fflush(cli->out.file);
}
