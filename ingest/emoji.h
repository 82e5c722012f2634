/* emoji.h - characters of the most common emoji short names (":tada:" without its colons). */
#ifndef BR_EMOJI_H
#define BR_EMOJI_H

#include <stddef.h>

/* The UTF-8 character of a short name, or NULL when the table does not know it. The name holds no NUL. */
const char *br_emoji_character(const char *name, size_t len);

/* For tests: the table's names, in their order. */
size_t br_emoji_count(void);
const char *br_emoji_name(size_t i);

#endif
