/* snippet.c - a line or two of a message around the words that matched. */
#include "engine_int.h"

#include <ctype.h>
#include <string.h>

#define SNIPPET_BYTES 280
#define HITS_MAX 256

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || c == '_';
}

static bool same_ignoring_case(const char *text, const char *lower, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (tolower((unsigned char)text[i]) != (unsigned char)lower[i])
            return false;
    return true;
}

bool br_text_has(const char *text, size_t len, const char *word, bool whole, size_t *at)
{
    size_t n = strlen(word);
    for (size_t i = *at; n && i + n <= len; i++) {
        if (!same_ignoring_case(text + i, word, n))
            continue;
        bool inside = (i > 0 && is_word_byte(text[i - 1]) && is_word_byte(word[0])) ||
                      (i + n < len && is_word_byte(text[i + n]) && is_word_byte(word[n - 1]));
        if (whole && inside)
            continue;
        *at = i;
        return true;
    }
    return false;
}

/* Offsets of all words in the text, in no order. */
static size_t find_words(const char *text, size_t len, char *const *words, size_t n_words, size_t *offsets, bool *matched)
{
    size_t n = 0;
    for (size_t w = 0; w < n_words; w++) {
        size_t at = 0;
        matched[w] = false;
        while (br_text_has(text, len, words[w], true, &at)) {
            matched[w] = true;
            if (n < HITS_MAX)
                offsets[n++] = at;
            at += strlen(words[w]);
        }
    }
    return n;
}

/* The start of the window that holds most of the offsets. */
static size_t best_start(const size_t *offsets, size_t n)
{
    size_t best = 0, best_count = 0;
    for (size_t i = 0; i < n; i++) {
        size_t count = 0;
        for (size_t j = 0; j < n; j++)
            count += offsets[j] >= offsets[i] && offsets[j] < offsets[i] + SNIPPET_BYTES * 3 / 4;
        if (count > best_count || (count == best_count && offsets[i] < best)) {
            best = offsets[i];
            best_count = count;
        }
    }
    return best;
}

/* Back to the start of a word, leaving a little context. */
static size_t back_off(const char *text, size_t at)
{
    size_t from = at > 60 ? at - 60 : 0;
    if (from == 0)
        return 0;
    while (from < at && !isspace((unsigned char)text[from]))
        from++;
    return from < at ? from + 1 : at;
}

static size_t cut_end(const char *text, size_t len, size_t from)
{
    if (len - from <= SNIPPET_BYTES)
        return len;
    size_t end = from + SNIPPET_BYTES, hard = end;
    while (end > from + SNIPPET_BYTES / 2 && !isspace((unsigned char)text[end]))
        end--;
    if (end == from + SNIPPET_BYTES / 2)
        for (end = hard; end > from && ((unsigned char)text[end] & 0xC0) == 0x80;)
            end--;
    return end;
}

void br_snippet(const char *text, size_t len, char *const *words, size_t n_words, struct br_buf *out, bool *matched)
{
    size_t offsets[HITS_MAX];
    size_t n = find_words(text, len, words, n_words, offsets, matched);
    size_t from = n ? back_off(text, best_start(offsets, n)) : 0;
    while (from < len && ((unsigned char)text[from] & 0xC0) == 0x80)
        from++;
    if (len <= SNIPPET_BYTES)
        from = 0;
    size_t end = cut_end(text, len, from);
    if (from)
        br_buf_adds(out, "… ");
    bool blank = false;
    for (size_t i = from; i < end; i++) { /* runs of white space become one blank */
        if (isspace((unsigned char)text[i])) {
            blank = true;
            continue;
        }
        if (blank && i > from)
            br_buf_addc(out, ' ');
        blank = false;
        br_buf_addc(out, text[i]);
    }
    if (end < len)
        br_buf_adds(out, " …");
}
