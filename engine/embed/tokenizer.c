/* tokenizer.c - text to WordPiece ids in one pass: Hugging Face's BertNormalizer + BertPreTokenizer + WordPiece.
 *
 * Normalisation is a table lookup per code point (unicode_table.c), with a 128-byte table for ASCII. Normalised bytes
 * gather in a buffer of 100 code points, the longest word that is looked up; at the word's end greedy
 * longest-match-first (Wu et al., 2016; Devlin et al., 2018) takes prefixes off it. Prefixes are looked up in an
 * open-addressed hash table under a polynomial hash, so one sweep over a word's rest hashes all its prefixes.
 *
 * Canonical reordering is not done: see data/unicode/README.md for why no id depends on it. */
#include "embed/tokenizer.h"
#include "embed/unicode_table.h"

#include <stdlib.h>
#include <string.h>

#define MAX_POINTS 100 /* a longer word is [UNK] */
#define WORD_BYTES (4 * MAX_POINTS)
#define MAX_TOKENS 65535u /* id + 1 fits a slot's low half */
#define HASH_FACTOR 0x9E3779B97F4A7C15u

enum { PAD, UNK, CLS, SEP, MASK, SPECIALS };

static const struct {
    const char *text;
    size_t len;
    bool needed;
} specials[SPECIALS] = {
    [PAD] = {"[PAD]", 5, false}, [UNK] = {"[UNK]", 5, true},    [CLS] = {"[CLS]", 5, true},
    [SEP] = {"[SEP]", 5, true},  [MASK] = {"[MASK]", 6, false},
};

struct token {
    uint32_t offset; /* into text, behind a "##" */
    uint16_t len;
    uint16_t continues; /* had "##" */
};

struct br_vocab {
    const char *text; /* borrowed */
    uint32_t count;
    uint32_t mask; /* slots - 1 */
    unsigned shift;
    size_t longest[2];         /* bytes, by continues */
    int32_t special[SPECIALS]; /* ids, -1 where missing */
    uint32_t *slots;           /* fingerprint in the high half, id + 1 in the low one; 0 is free */
    struct token tokens[];
};

/* The hash of a prefix is that of the prefix one byte shorter, extended; a piece inside a word starts elsewhere. */
static uint64_t hash_start(bool continues)
{
    return continues ? 0x51ED270B7F3C2A95u : 0;
}

static uint64_t hash_extend(uint64_t h, uint8_t byte)
{
    return (h + byte + 1) * HASH_FACTOR;
}

static uint32_t fingerprint(uint64_t h)
{
    return (uint32_t)(h >> 8) & 0xFFFF0000u;
}

/* The token's slot, or the free one where it belongs. */
static uint32_t *find_slot(const struct br_vocab *v, uint64_t h, const void *bytes, size_t len, bool continues)
{
    for (uint32_t i = (uint32_t)(h >> v->shift);; i++) {
        uint32_t *slot = &v->slots[i & v->mask];
        if (*slot == 0)
            return slot;
        if (((*slot ^ h >> 8) & 0xFFFF0000u) != 0)
            continue;
        const struct token *t = &v->tokens[(*slot & 0xFFFF) - 1];
        if (t->len == len && t->continues == continues && memcmp(v->text + t->offset, bytes, len) == 0)
            return slot;
    }
}

static int32_t find_token(const struct br_vocab *v, const char *bytes, size_t len)
{
    uint64_t h = hash_start(false);
    for (size_t i = 0; i < len; i++)
        h = hash_extend(h, (uint8_t)bytes[i]);
    return (int32_t)(*find_slot(v, h, bytes, len, false) & 0xFFFF) - 1;
}

static void add_token(struct br_vocab *v, uint32_t id, size_t offset, size_t len)
{
    const char *s = v->text + offset;
    bool continues = len > 2 && s[0] == '#' && s[1] == '#';
    if (continues) {
        offset += 2;
        s += 2;
        len -= 2;
    }
    /* An id without a token stays possible: an empty line, and what no word is long enough for. */
    if (len == 0 || len > WORD_BYTES)
        return;
    v->tokens[id] = (struct token){(uint32_t)offset, (uint16_t)len, continues};
    v->longest[continues] = BR_MAX(v->longest[continues], len);
    uint64_t h = hash_start(continues);
    for (size_t i = 0; i < len; i++)
        h = hash_extend(h, (uint8_t)s[i]);
    /* Of two equal lines the later counts, as in the reference. */
    *find_slot(v, h, s, len, continues) = fingerprint(h) | (id + 1);
}

enum br_rc br_vocab_new(const char *vocab, size_t len, struct br_vocab **out, struct br_err *err)
{
    *out = NULL;
    if (len > UINT32_MAX)
        return br_fail(err, BR_E_DATA, "vocabulary of %zu bytes is too long", len);
    size_t lines = len > 0 && vocab[len - 1] != '\n';
    for (size_t i = 0; i < len; i++)
        lines += vocab[i] == '\n';
    if (lines > MAX_TOKENS)
        return br_fail(err, BR_E_DATA, "vocabulary has %zu tokens, at most %u are supported", lines, MAX_TOKENS);

    /* At most half full, so that a miss ends soon. */
    unsigned bits = 4;
    while ((size_t)1 << bits < 2 * lines)
        bits++;
    struct br_vocab *v = calloc(1, sizeof *v + lines * sizeof v->tokens[0]);
    if (v == NULL)
        return br_fail_nomem(err);
    v->slots = calloc((size_t)1 << bits, sizeof v->slots[0]);
    if (v->slots == NULL) {
        br_vocab_free(v);
        return br_fail_nomem(err);
    }
    v->text = vocab;
    v->count = (uint32_t)lines;
    v->mask = ((uint32_t)1 << bits) - 1;
    v->shift = 64 - bits;

    size_t at = 0;
    for (uint32_t id = 0; id < lines; id++) {
        const char *nl = memchr(vocab + at, '\n', len - at);
        size_t end = nl != NULL ? (size_t)(nl - vocab) : len;
        size_t n = end - at;
        add_token(v, id, at, n > 0 && vocab[end - 1] == '\r' ? n - 1 : n);
        at = end + 1;
    }

    for (int i = 0; i < SPECIALS; i++) {
        v->special[i] = find_token(v, specials[i].text, specials[i].len);
        if (v->special[i] < 0 && specials[i].needed) {
            br_vocab_free(v);
            return br_fail(err, BR_E_DATA, "vocabulary has no token %s: not a BERT vocab.txt", specials[i].text);
        }
    }
    *out = v;
    return BR_OK;
}

void br_vocab_free(struct br_vocab *v)
{
    if (v != NULL)
        free(v->slots);
    free(v);
}

uint32_t br_vocab_size(const struct br_vocab *v)
{
    return v->count;
}

/* One text on its way. */
struct scan {
    const struct br_vocab *v;
    uint16_t *ids; /* NULL when only counting */
    size_t n, max;
    size_t points; /* of the word so far; past MAX_POINTS its bytes are no longer kept */
    size_t len;    /* bytes kept */
    uint8_t word[WORD_BYTES];
};

static void emit(struct scan *s, int32_t id)
{
    if (s->n >= s->max)
        return;
    if (s->ids != NULL)
        s->ids[s->n] = (uint16_t)id;
    s->n++;
}

/* The longest token that begins the len > 0 bytes at w; its length, 0 when there is none. */
static size_t longest_match(const struct br_vocab *v, const uint8_t *w, size_t len, bool continues, uint16_t *id)
{
    uint64_t prefix[WORD_BYTES];
    size_t n = BR_MIN(len, v->longest[continues]);
    uint64_t h = hash_start(continues);
    for (size_t i = 0; i < n; i++)
        prefix[i] = h = hash_extend(h, w[i]);
    for (; n > 0; n--) {
        if (n < len && (w[n] & 0xC0) == 0x80)
            continue; /* inside a code point */
        uint32_t slot = *find_slot(v, prefix[n - 1], w, n, continues);
        if (slot != 0) {
            *id = (uint16_t)((slot & 0xFFFF) - 1);
            return n;
        }
    }
    return 0;
}

static void end_word(struct scan *s)
{
    if (s->points == 0)
        return;
    uint16_t pieces[MAX_POINTS]; /* each holds at least a code point */
    size_t count = 0;
    if (s->points <= MAX_POINTS) {
        for (size_t at = 0, n; at < s->len; at += n) {
            n = longest_match(s->v, s->word + at, s->len - at, at > 0, &pieces[count]);
            if (n == 0) {
                count = 0; /* one bad piece spoils the word */
                break;
            }
            count++;
        }
    }
    if (count == 0)
        emit(s, s->v->special[UNK]);
    for (size_t i = 0; i < count; i++)
        emit(s, pieces[i]);
    s->points = 0;
    s->len = 0;
}

/* n code points of len bytes go to the word. */
static void add_points(struct scan *s, const uint8_t *bytes, size_t len, size_t n)
{
    s->points += n;
    if (s->points <= MAX_POINTS) {
        memcpy(s->word + s->len, bytes, len);
        s->len += len;
    }
}

static void add_alone(struct scan *s, const uint8_t *bytes, size_t len)
{
    end_word(s);
    add_points(s, bytes, len, 1);
    end_word(s);
}

/* Unicode 3.12, conjoining jamo behaviour: syllable to leading consonant, vowel and perhaps trailing consonant. */
static void add_hangul(struct scan *s, uint32_t c)
{
    uint32_t i = c - 0xAC00;
    uint32_t jamo[3] = {0x1100 + i / 588, 0x1161 + i % 588 / 28, 0x11A7 + i % 28};
    for (int j = 0; j < (i % 28 != 0 ? 3 : 2); j++) {
        uint8_t utf8[3] = {(uint8_t)(0xE0 | jamo[j] >> 12), (uint8_t)(0x80 | (jamo[j] >> 6 & 63)),
                           (uint8_t)(0x80 | (jamo[j] & 63))};
        add_points(s, utf8, 3, 1);
    }
}

/* The length of the well-formed sequence at p, which begins with a byte >= 0x80 (Unicode, table 3-7); 0 when it is
 * ill-formed. The caller then steps over one byte: the bytes of the replaced part that follow are ill-formed too. */
static size_t decode(const uint8_t *p, size_t left, uint32_t *c)
{
    uint8_t b = p[0];
    size_t len = b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
    if (b < 0xC2 || b > 0xF4 || left < len)
        return 0;
    uint32_t x = b & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        x = x << 6 | (p[i] & 63);
    }
    if ((len == 3 && (x < 0x800 || (x >= 0xD800 && x <= 0xDFFF))) || (len == 4 && (x < 0x10000 || x > 0x10FFFF)))
        return 0;
    *c = x;
    return len;
}

/* What an ASCII byte becomes: a letter or digit of a word, or one of these. */
enum { A_DROP, A_SPACE, A_ALONE, A_WORD };

#define REP4(x) x, x, x, x
#define LETTERS(x) x + 1, x + 2, x + 3, x + 4, x + 5, x + 6, x + 7, x + 8, x + 9, x + 10, x + 11, x + 12, x + 13, \
    x + 14, x + 15, x + 16, x + 17, x + 18, x + 19, x + 20, x + 21, x + 22, x + 23, x + 24, x + 25, x + 26

static const uint8_t ascii[128] = {
    /* 00 */ REP4(A_DROP), REP4(A_DROP), A_DROP, A_SPACE, A_SPACE, A_DROP, A_DROP, A_SPACE, A_DROP, A_DROP,
    /* 10 */ REP4(A_DROP), REP4(A_DROP), REP4(A_DROP), REP4(A_DROP),
    /* 20 */ A_SPACE, A_ALONE, A_ALONE, A_ALONE, REP4(A_ALONE), REP4(A_ALONE), REP4(A_ALONE),
    /* 30 */ '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', A_ALONE, A_ALONE, REP4(A_ALONE),
    /* 40 */ A_ALONE, LETTERS('`'), A_ALONE, REP4(A_ALONE),
    /* 60 */ A_ALONE, LETTERS('`'), REP4(A_ALONE), A_DROP,
};

/* Special tokens are matched in the raw text, before any normalisation. */
static size_t match_special(struct scan *s, const uint8_t *p, size_t left)
{
    for (int i = 0; i < SPECIALS; i++) {
        size_t len = specials[i].len;
        if (s->v->special[i] >= 0 && left >= len && memcmp(p, specials[i].text, len) == 0) {
            end_word(s);
            emit(s, s->v->special[i]);
            return len;
        }
    }
    return 0;
}

/* One code point that is not a letter or digit of ASCII; how many bytes it takes. */
static size_t step(struct scan *s, const uint8_t *p, size_t left)
{
    if (*p < 0x80) {
        size_t n = *p == '[' ? match_special(s, p, left) : 0;
        if (n > 0)
            return n;
        if (ascii[*p] == A_SPACE)
            end_word(s);
        else if (ascii[*p] == A_ALONE)
            add_alone(s, p, 1);
        return 1;
    }
    uint32_t c = 0;
    size_t n = decode(p, left, &c);
    if (n == 0)
        return 1;
    unsigned entry = br_unicode_entry(c);
    switch (entry) {
    case BR_UNICODE_KEEP:
        add_points(s, p, n, 1);
        break;
    case BR_UNICODE_DROP:
        break;
    case BR_UNICODE_SPACE:
        end_word(s);
        break;
    case BR_UNICODE_ALONE:
        add_alone(s, p, n);
        break;
    case BR_UNICODE_HANGUL:
        add_hangul(s, c);
        break;
    default: {
        const uint8_t *item = br_unicode_pool + (entry - BR_UNICODE_POOL);
        if (*item & 0x80)
            add_alone(s, item + 1, *item & 15);
        else
            add_points(s, item + 1, *item & 15, *item >> 4);
    }
    }
    return n;
}

static void scan_part(struct scan *s, const char *text, size_t len)
{
    if (len == 0)
        return; /* text may be NULL */
    const uint8_t *p = (const uint8_t *)text;
    const uint8_t *end = p + len;
    while (p < end && s->n < s->max) {
        while (p < end && *p < 0x80 && ascii[*p] >= A_WORD) {
            if (s->points++ < MAX_POINTS)
                s->word[s->len++] = ascii[*p];
            p++;
        }
        if (p < end)
            p += step(s, p, (size_t)(end - p));
    }
}

static void scan_text(struct scan *s, const char *text, size_t len)
{
    scan_part(s, text, len);
    end_word(s);
}

static void scan_init(struct scan *s, const struct br_vocab *v, uint16_t *ids, size_t max)
{
    s->v = v;
    s->ids = ids;
    s->n = 0;
    s->max = max;
    s->points = 0;
    s->len = 0;
}

size_t br_vocab_tokenize(const struct br_vocab *v, const char *text, size_t len, uint16_t *ids, size_t max_ids)
{
    return br_vocab_tokenize_after(v, "", text, len, ids, max_ids);
}

size_t br_vocab_tokenize_after(const struct br_vocab *v, const char *prefix, const char *text, size_t len, uint16_t *ids, size_t max_ids)
{
    BR_ASSERT(max_ids >= 2);
    struct scan s;
    scan_init(&s, v, ids + 1, max_ids - 2);
    scan_part(&s, prefix, strlen(prefix));
    scan_text(&s, text, len);
    ids[0] = (uint16_t)v->special[CLS];
    ids[s.n + 1] = (uint16_t)v->special[SEP];
    return s.n + 2;
}

size_t br_vocab_count(const struct br_vocab *v, const char *text, size_t len, size_t limit)
{
    struct scan s;
    scan_init(&s, v, NULL, limit);
    scan_text(&s, text, len);
    return s.n;
}
