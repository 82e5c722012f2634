/* words.c - which words of a query a text has, and where. Tokens come from the keyword index's own tokenizer, so that a text shows every match
 * FTS5 found it by; stems are compared by their hashes. */
#include "engine_int.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/array.h"

static bool add_token(void *ctx, const char *stem, size_t stem_len, size_t start, size_t end)
{
    struct br_tokens *t = ctx;
    if (!br_array_fit(&t->items, &t->alloc, t->n + 1, sizeof *t->items))
        return false;
    t->items[t->n++] = (struct br_token){.hash = XXH3_64bits(stem, stem_len), .start = start, .end = end};
    return true;
}

enum br_rc br_tokens_of(struct br_slack_tokenizer *t, const char *text, size_t len, struct br_tokens *out, struct br_err *err)
{
    out->n = 0;
    return br_slack_tokenize(t, text, len, add_token, out, err);
}

void br_tokens_free(struct br_tokens *t)
{
    free(t->items);
    *t = (struct br_tokens){0};
}

static bool term_at(const struct br_term *term, const struct br_tokens *text, size_t at)
{
    if (at + term->n_stems > text->n)
        return false;
    for (size_t i = 0; i < term->n_stems; i++)
        if (text->items[at + i].hash != term->stems[i])
            return false;
    return true;
}

size_t br_terms_find(const struct br_term *terms, size_t n_terms, const struct br_tokens *text, struct br_term_hit *out, size_t room)
{
    size_t n = 0, share = n_terms ? room / n_terms : 0; /* so that a frequent term leaves room for the others */
    for (size_t w = 0; w < n_terms; w++)
        for (size_t i = 0, first = n; i < text->n && n < first + share;) {
            if (!term_at(&terms[w], text, i)) {
                i++;
                continue;
            }
            size_t last = i + terms[w].n_stems - 1;
            out[n++] = (struct br_term_hit){.term = w, .start = text->items[i].start, .end = text->items[last].end};
            i = last + 1;
        }
    return n;
}

size_t br_terms_count(const struct br_term *terms, size_t n_terms, const struct br_tokens *text)
{
    size_t n = 0;
    for (size_t w = 0; w < n_terms; w++)
        for (size_t i = 0; i < text->n; i++)
            if (term_at(&terms[w], text, i)) {
                n++;
                break;
            }
    return n;
}
