/* tokenizer.h - text to WordPiece ids, bit-exact with the tokenizer of all-MiniLM-L6-v2.
 *
 * A vocabulary is immutable after building and shared by threads. Tokenising takes no heap memory and about 5 kB of
 * stack; its time is linear in the text, and it stops early when the ids are full. */
#ifndef BR_TOKENIZER_H
#define BR_TOKENIZER_H

#include "base/base.h"

struct br_vocab;

/* vocab: the text of vocab.txt (LF or CRLF), a token a line; borrowed, must outlive the vocabulary. BR_E_DATA when
 * [UNK], [CLS] or [SEP] is missing or there are more than 65,535 lines. */
BR_MUST_USE enum br_rc br_vocab_new(const char *vocab, size_t len, struct br_vocab **out, struct br_err *err);
void br_vocab_free(struct br_vocab *v); /* NULL is allowed */
uint32_t br_vocab_size(const struct br_vocab *v);

/* Ids of UTF-8 text with [CLS] and [SEP], at most max_ids (>= 2). Invalid bytes count as U+FFFD, which the normaliser
 * drops. Returns the number of ids. */
size_t br_vocab_tokenize(const struct br_vocab *v, const char *text, size_t len, uint16_t *ids, size_t max_ids);
/* The same of a prefix and a text behind it, as if they were one. */
size_t br_vocab_tokenize_after(const struct br_vocab *v, const char *prefix, const char *text, size_t len, uint16_t *ids, size_t max_ids);
/* The number of pieces without [CLS] and [SEP]; counting stops at limit. */
size_t br_vocab_count(const struct br_vocab *v, const char *text, size_t len, size_t limit);

#endif
