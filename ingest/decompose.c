/* decompose.c - canonical decomposition of names, a code point at a time. */
#include "decompose.h"

#define HANGUL_BASE  0xAC00u
#define HANGUL_COUNT 11172u
#define VOWELS       21u
#define TAILS        28u /* "none" among them */

struct spelled {
    const char *at;
    uint32_t waiting[8]; /* the last one comes next */
    size_t n;
};

static uint32_t next_code_point(const char **s)
{
    const unsigned char *p = (const unsigned char *)*s;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7Fu >> n);
    size_t i = 1;
    for (; i < n && (p[i] & 0xC0) == 0x80; i++)
        c = c << 6 | (p[i] & 0x3F);
    *s += i;
    return c;
}

static const struct br_pair *find_pair(uint32_t c)
{
    size_t low = 0, high = br_n_pairs;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (br_pairs[mid].composed == c)
            return &br_pairs[mid];
        if (br_pairs[mid].composed < c)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static void add_hangul(struct spelled *s, uint32_t index)
{
    uint32_t tail = index % TAILS;
    if (tail)
        s->waiting[s->n++] = 0x11A7 + tail;
    s->waiting[s->n++] = 0x1161 + index / TAILS % VOWELS;
    s->waiting[s->n++] = 0x1100 + index / (TAILS * VOWELS);
}

/* The next code point of the decomposition, 0 at the end. */
static uint32_t next_decomposed(struct spelled *s)
{
    uint32_t c = s->n ? s->waiting[--s->n] : *s->at ? next_code_point(&s->at) : 0;
    const struct br_pair *pair;
    if (c - HANGUL_BASE < HANGUL_COUNT) {
        add_hangul(s, c - HANGUL_BASE);
        return s->waiting[--s->n];
    }
    while ((pair = find_pair(c)) != NULL && s->n < BR_COUNT(s->waiting)) {
        s->waiting[s->n++] = pair->second;
        c = pair->first;
    }
    return c;
}

bool br_is_ascii(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s >= 0x80)
            return false;
    return true;
}

bool br_equal_decomposed(const char *a, const char *b)
{
    struct spelled x = {.at = a}, y = {.at = b};
    for (;;) {
        uint32_t c = next_decomposed(&x);
        if (c != next_decomposed(&y))
            return false;
        if (!c)
            return true;
    }
}
