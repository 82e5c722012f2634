/* out_text.c - results for people: hits and messages, wrapped and coloured for the terminal. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

enum { SNIPPET_LINES = 3, WORDS_MAX = 16 };

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

/* "#tools"; a direct message has no name. */
static int put_channel(const struct term *t, const struct br_message *m)
{
    int width = 2;
    fputs(term_style(t, STYLE_CHANNEL), t->file);
    if (!m->channel_name)
        fputs("DM", t->file);
    else if (m->channel_name[0] == '@' || m->channel_name[0] == '#')
        width = term_puts(t->file, m->channel_name);
    else
        width = fprintf(t->file, "#") + term_puts(t->file, m->channel_name);
    fputs(term_style(t, STYLE_NONE), t->file);
    return width;
}

static int put_author(const struct term *t, const struct br_message *m)
{
    fputs(term_style(t, STYLE_NAME), t->file);
    int width = term_puts(t->file, author(m));
    fputs(term_style(t, STYLE_NONE), t->file);
    return width;
}

static void put_id(const struct term *t, const struct br_message *m)
{
    char ts[32];
    if (m->permalink) {
        term_puts(t->file, m->permalink);
        return;
    }
    fputs("id: ", t->file);
    term_puts(t->file, m->channel_id);
    fprintf(t->file, ":%s", format_ts(m->ts, ts));
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
    char when[32], score[32];
    struct tm tm = utc(m->ts);
    FILE *f = t->file;
    int width = fprintf(f, "%*zu", rank_width, h->rank) + 4;
    fputs("  ", f);
    width += put_channel(t, m);
    fputs("  ", f);
    width += put_author(t, m);
    if (strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm) == 0)
        when[0] = '\0';
    width += fprintf(f, "  %s", when);
    if (m->reply_count > 0)
        width += fprintf(f, "  (thread of %" PRIu64 ")", m->reply_count + 1);
    else if (m->thread_ts && m->thread_ts != m->ts)
        width += fprintf(f, "  (in a thread)");
    int len = snprintf(score, sizeof(score), fabs(h->score) >= 0.1 ? "%.2f" : "%.3f", h->score);
    int gap = t->width - width - len;
    fprintf(f, "%*s%s%s%s\n", gap > 2 ? gap : 2, "", term_style(t, STYLE_DIM), score, term_style(t, STYLE_NONE));
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
    fprintf(t->file, "%*s%s", rank_width + 2, "", term_style(t, STYLE_DIM));
    if (h->reason && *h->reason) {
        fputs("why: ", t->file);
        term_puts(t->file, h->reason);
        fputs("   ", t->file);
    }
    put_id(t, &h->message);
    fprintf(t->file, "%s\n", term_style(t, STYLE_NONE));
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
    char day[64];
    struct tm tm = utc(ts);
    if (strftime(day, sizeof(day), "%A, %-d %B %Y", &tm) == 0)
        return;
    fprintf(t->file, "%s-- %s (UTC) --%s\n", term_style(t, STYLE_DIM), day, term_style(t, STYLE_NONE));
}

static void put_marks(const struct term *t, const struct br_message *m)
{
    if (!m->is_bot && !m->is_edited && !m->is_deleted && !m->is_broadcast)
        return;
    fputs(term_style(t, STYLE_DIM), t->file);
    if (m->is_bot)
        fputs("  (bot)", t->file);
    if (m->is_edited)
        fputs("  (edited)", t->file);
    if (m->is_deleted)
        fputs("  (deleted)", t->file);
    if (m->is_broadcast)
        fputs("  (also sent to the channel)", t->file);
    fputs(term_style(t, STYLE_NONE), t->file);
}

static void put_below(const struct term *t, const struct br_message *m)
{
    FILE *f = t->file;
    for (size_t i = 0; i < m->n_files; i++) {
        const char *name = m->files[i].title && *m->files[i].title ? m->files[i].title : m->files[i].name;
        fputs("       [file] ", f);
        term_puts(f, name && *name ? name : m->files[i].id);
        putc('\n', f);
    }
    for (size_t i = 0; i < m->n_reactions; i++) {
        fputs(i ? "   :" : "       :", f);
        term_puts(f, m->reactions[i].name);
        fprintf(f, ": %" PRIu64, m->reactions[i].count);
    }
    if (m->n_reactions)
        putc('\n', f);
    if (m->reply_count)
        fprintf(f, "       ↳ %" PRIu64 " repl%s\n", m->reply_count, m->reply_count == 1 ? "y" : "ies");
}

static void put_message(const struct term *t, const struct br_message *m, bool marked, bool with_channel)
{
    static const struct term_paragraph HOW = {.indent = 7};
    char when[32];
    struct tm tm = utc(m->ts);
    FILE *f = t->file;
    if (strftime(when, sizeof(when), "%H:%M", &tm) == 0)
        when[0] = '\0';
    fprintf(f, "%s%s  ", marked ? ">" : "", when);
    if (with_channel) {
        put_channel(t, m);
        fputs("  ", f);
    }
    put_author(t, m);
    put_marks(t, m);
    fputs(term_style(t, STYLE_DIM), f);
    fputs("  ", f);
    put_id(t, m);
    fprintf(f, "%s\n", term_style(t, STYLE_NONE));
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
