/* name_fold.c - folding of names. Not a full Unicode fold: an unfolded letter costs a user the exact spelling, no more. */
#include "name_fold.h"

#include <string.h>

#include "base/base.h"

#define DISTANCE_BYTES 64 /* longer names are compared by equality alone */

/* The letter under a letter's marks; '.': it has none, or is no letter. Composed forms of Unicode's Latin blocks (canonical decomposition),
 * and the few letters with a stroke that people type without. */
#define LATIN_FIRST 0xC0u
#define LATIN_END 0x250u
static const char latin[] = "aaaaaa.ceeeeiiiidnooooo.ouuuuy..aaaaaa.ceeeeiiiidnooooo.ouuuuy.y"
                            "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii..jjkk.llllll."
                            ".llnnnnnn.nnoooooo..rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs"
                            ".................ff.............oo.............uu..............."
                            ".............aaiioouuuuuuuuuu.aaaa....ggkkoooo..j...gg..nnaa..oo"
                            "aaaaeeeeiiiioooorrrruuuusstt..hh......aaeeooooooooyy............"
                            "................";
_Static_assert(sizeof(latin) - 1 == LATIN_END - LATIN_FIRST, "a letter each");
#define ADDITIONAL_FIRST 0x1E00u
#define ADDITIONAL_END 0x1F00u
static const char additional[] = "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmm"
                                 "mmmmnnnnnnnnoooooooopppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvv"
                                 "wwwwwwwwwwxxxxyyzzzzzzhtwy.s....aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeee"
                                 "eeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy......";
_Static_assert(sizeof(additional) - 1 == ADDITIONAL_END - ADDITIONAL_FIRST, "a letter each");

static bool is_mark(unsigned c)
{
    return c >= 0x300 && c < 0x370; /* combining diacritical marks */
}

static unsigned fold_scalar(unsigned c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F))
        return c + 0x20;
    if (c >= 0x400 && c <= 0x40F)
        return c + 0x50;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E))
        return c % 2 ? c + 1 : c;
    if ((c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177) || (c >= 0x460 && c <= 0x4FF) || (c >= 0x1E00 && c <= 0x1EFF))
        return c % 2 ? c : c + 1;
    return c;
}

/* Greek with tonos or dialytika, and the two Cyrillic letters that are often typed without theirs; in lower case. */
static unsigned without_mark(unsigned c)
{
    static const unsigned short pairs[][2] = {{0x3AC, 0x3B1}, {0x3AD, 0x3B5}, {0x3AE, 0x3B7}, {0x3AF, 0x3B9}, {0x3CA, 0x3B9},
                                              {0x3CB, 0x3C5}, {0x3CC, 0x3BF}, {0x3CD, 0x3C5}, {0x3CE, 0x3C9}, {0x386, 0x3B1},
                                              {0x388, 0x3B5}, {0x389, 0x3B7}, {0x38A, 0x3B9}, {0x38C, 0x3BF}, {0x38E, 0x3C5},
                                              {0x38F, 0x3C9}, {0x3C2, 0x3C3}, {0x451, 0x435}, {0x439, 0x438}};
    for (size_t i = 0; i < BR_COUNT(pairs); i++)
        if (pairs[i][0] == c)
            return pairs[i][1];
    return c;
}

static char letter_under(unsigned c)
{
    if (c >= LATIN_FIRST && c < LATIN_END)
        return latin[c - LATIN_FIRST];
    return c >= ADDITIONAL_FIRST && c < ADDITIONAL_END ? additional[c - ADDITIONAL_FIRST] : '.';
}

/* The scalar at *p, and *p moved past it; a byte that begins none is itself. *bytes: its length. */
static unsigned next_scalar(const unsigned char **p, size_t *bytes)
{
    const unsigned char *s = *p;
    *bytes = 1;
    if (s[0] >= 0xC2 && s[0] < 0xE0 && (s[1] & 0xC0) == 0x80)
        *bytes = 2;
    else if (s[0] >= 0xE0 && s[0] < 0xF0 && (s[1] & 0xC0) == 0x80 && (s[2] & 0xC0) == 0x80)
        *bytes = 3;
    *p += *bytes;
    if (*bytes == 2)
        return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
    return *bytes == 3 ? (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu) : s[0];
}

static size_t put_scalar(char *out, unsigned c, size_t bytes)
{
    if (bytes == 1) {
        out[0] = (char)c;
    } else if (bytes == 2) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
    } else {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
    }
    return bytes;
}

static const char *pair_for(unsigned c)
{
    return c == 0xDF || c == 0x1E9E ? "ss" : c == 0xE6 ? "ae" : c == 0x153 ? "oe" : c == 0xFE ? "th" : NULL;
}

static void fold(const char *in, bool marks, char out[BR_NAME_BYTES])
{
    const unsigned char *p = (const unsigned char *)in;
    size_t n = 0;
    while (*p && n + 4 < BR_NAME_BYTES) {
        size_t bytes;
        unsigned c = next_scalar(&p, &bytes);
        if (c <= ' ') {
            if (n && out[n - 1] != ' ')
                out[n++] = ' ';
            continue;
        }
        if (c < 0x80 || bytes > 1) /* a stray byte stays what it is */
            c = fold_scalar(c);
        if (!marks || bytes == 1) {
            n += put_scalar(out + n, c, bytes);
        } else if (pair_for(c)) {
            memcpy(out + n, pair_for(c), 2);
            n += 2;
        } else if (letter_under(c) != '.') {
            out[n++] = letter_under(c);
        } else if (!is_mark(c)) {
            n += put_scalar(out + n, without_mark(c), bytes);
        }
    }
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = 0;
}

void br_name_fold_case(const char *in, char out[BR_NAME_BYTES])
{
    fold(in, false, out);
}

void br_name_fold_marks(const char *in, char out[BR_NAME_BYTES])
{
    fold(in, true, out);
}

size_t br_name_distance(const char *a, const char *b, size_t limit)
{
    size_t na = strlen(a), nb = strlen(b);
    size_t row[DISTANCE_BYTES + 1];
    if (na > DISTANCE_BYTES || nb > DISTANCE_BYTES || (na > nb ? na - nb : nb - na) > limit)
        return limit + 1;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0], least = i;
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = BR_MIN(change, BR_MIN(row[j], row[j - 1]) + 1);
            least = BR_MIN(least, row[j]);
        }
        if (least > limit)
            return limit + 1;
    }
    return row[nb];
}

static bool parts_words(char c)
{
    return c == 0 || strchr(" .-_(),/", c) != NULL;
}

bool br_name_has_words(const char *name, const char *part)
{
    size_t n = strlen(part);
    for (const char *at = strstr(name, part); at && n; at = strstr(at + 1, part))
        if ((at == name || parts_words(at[-1])) && parts_words(at[n]))
            return true;
    return false;
}
