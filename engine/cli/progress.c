/* progress.c - how far an import has come: a bar on a terminal, a plain line every ten seconds elsewhere. */
#include <string.h>

#include "cli.h"

enum { PLAIN_EVERY_SECONDS = 10, BAR_CELLS = 20 };

static double share_of(const struct br_import_progress *now)
{
    if (now->total == 0)
        return 0;
    double share = (double)now->done / (double)now->total;
    return share > 1 ? 1 : share;
}

/* "1:02 left", "" while it is too early to tell. Seconds count from the import's start, so phases after the first are
 * not told. */
static void time_left(char *buf, size_t size, const struct br_import_progress *now, double share)
{
    buf[0] = '\0';
    if (strcmp(now->phase, "reading") != 0 || share < 0.01 || share >= 1 || now->seconds < 2)
        return;
    long s = (long)(now->seconds * (1 - share) / share + 0.5);
    if (s >= 3600)
        snprintf(buf, size, "  %ld:%02ld:%02ld left", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(buf, size, "  %ld:%02ld left", s / 60, s % 60);
}

static void facts(char *buf, size_t size, const struct br_import_progress *now)
{
    char count[32], rate[32], left[48];
    double share = share_of(now);
    time_left(left, sizeof(left), now, share);
    if (now->messages == 0 && strcmp(now->phase, "reading") != 0) { /* a copy: what counts are bytes */
        snprintf(buf, size, "%3.0f %%  %s", share * 100, format_bytes(now->done, count));
        return;
    }
    uint64_t per_second = now->seconds > 0 ? (uint64_t)((double)now->messages / now->seconds) : 0;
    snprintf(buf, size, "%3.0f %%  %s messages  %s/s%s", share * 100, format_count(now->messages, count),
             format_count(per_second, rate), left);
}

static void draw_bar(struct progress *p, const struct br_import_progress *now)
{
    char bar[BAR_CELLS + 1], text[160], line[256];
    int full = (int)(share_of(now) * BAR_CELLS);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', (size_t)full);
    bar[BAR_CELLS] = '\0';
    facts(text, sizeof(text), now);
    int room = term_columns(&p->cli->err) - 1;
    int n = snprintf(line, sizeof(line), "%-12s [%s] %s", now->phase, bar, text);
    if (n > room) /* the numbers say more than the bar */
        n = snprintf(line, sizeof(line), "%s %s", now->phase, text);
    fprintf(stderr, "\r%.*s\033[K", n < room ? n : room, line);
    fflush(stderr);
    p->drawn = true;
}

void progress_update(struct progress *p, const struct br_import_progress *now)
{
    char text[160];
    if (p->cli->quiet)
        return;
    if (p->cli->err.is_tty) {
        draw_bar(p, now);
        return;
    }
    if (now->seconds - p->last_plain < PLAIN_EVERY_SECONDS)
        return;
    p->last_plain = now->seconds;
    facts(text, sizeof(text), now);
    fprintf(stderr, "%s %s\n", now->phase, text);
}

void progress_clear(struct progress *p)
{
    if (p->drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    p->drawn = false;
}
