/* t_tokenizer_equals_reference.c - the tokenizer gives the reference's ids (Hugging Face tokenizers 0.23.3 on the
 * model's own tokenizer.json): golden texts, every Unicode scalar value, and edge cases on a made-up vocabulary.
 * With BACKREAD_TEST_DATA set all golden texts are compared, else the tenth that is shipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "embed/embed.h"
#include "embed/tokenizer.h"

#define MAX_IDS 256

static struct br_model *model;

static const char *fixture(char path[4096], const char *name)
{
    const char *root = getenv("BACKREAD_SOURCE_DIR");
    snprintf(path, 4096, "%s/tests/data/tokenizer/%s", root != NULL ? root : ".", name);
    return path;
}

/* The unpacked file, NUL-terminated, or NULL. */
static char *read_gz(const char *path, size_t *len)
{
    gzFile f = gzopen(path, "rb");
    if (f == NULL)
        return NULL;
    size_t room = (size_t)1 << 23;
    char *b = malloc(room);
    *len = 0;
    for (;;) {
        assert_non_null(b);
        int n = gzread(f, b + *len, (unsigned)(room - *len - 1));
        assert_true(n >= 0);
        *len += (size_t)n;
        if (n == 0)
            break;
        if (*len == room - 1) {
            room *= 2;
            b = realloc(b, room);
        }
    }
    assert_int_equal(gzclose(f), Z_OK);
    b[*len] = '\0';
    return b;
}

/* One JSON line {"kind","text","ids"}; whether the ids agree. */
static bool line_agrees(const char *line, size_t len)
{
    json_error_t error;
    json_t *o = json_loadb(line, len, JSON_ALLOW_NUL, &error);
    assert_non_null(o);
    const json_t *text = json_object_get(o, "text");
    const json_t *want = json_object_get(o, "ids");
    uint16_t ids[MAX_IDS];
    size_t n = br_tokenize(model, json_string_value(text), json_string_length(text), ids, MAX_IDS);
    bool good = n == json_array_size(want);
    for (size_t i = 0; good && i < n; i++)
        good = ids[i] == json_integer_value(json_array_get(want, i));
    size_t pieces = br_token_count(model, json_string_value(text), json_string_length(text), MAX_IDS - 2);
    good = good && pieces == n - 2;
    json_decref(o);
    return good;
}

static size_t compare_lines(const char *path)
{
    size_t len = 0;
    size_t lines = 0;
    size_t bad = 0;
    char *all = read_gz(path, &len);
    if (all == NULL)
        return 0;
    for (char *p = all, *nl; (nl = strchr(p, '\n')) != NULL; p = nl + 1) {
        lines++;
        if (!line_agrees(p, (size_t)(nl - p)) && bad++ < 5)
            print_error("line %zu differs: %.*s\n", lines, (int)BR_MIN(nl - p, 200), p);
    }
    free(all);
    print_message("%s: %zu texts, %zu differ\n", path, lines, bad);
    assert_int_equal(bad, 0);
    return lines;
}

static void golden_texts(void **state)
{
    (void)state;
    char path[4096];
    assert_true(compare_lines(fixture(path, "tokens.jsonl.gz")) >= 7000);
}

static void all_golden_texts(void **state)
{
    (void)state;
    const char *data = getenv("BACKREAD_TEST_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/tokens.jsonl.gz", data != NULL ? data : "");
    if (data == NULL || compare_lines(path) == 0) {
        print_message("skipped: the full golden texts need BACKREAD_TEST_DATA\n");
        skip();
    }
}

/* The scalar c in UTF-8, with an "a" on both sides or none; its length. */
static size_t put_scalar(char *out, uint32_t c, bool between)
{
    char *p = out;
    if (between)
        *p++ = 'a';
    if (c < 0x80) {
        *p++ = (char)c;
    } else if (c < 0x800) {
        *p++ = (char)(0xC0 | c >> 6);
        *p++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *p++ = (char)(0xE0 | c >> 12);
        *p++ = (char)(0x80 | (c >> 6 & 63));
        *p++ = (char)(0x80 | (c & 63));
    } else {
        *p++ = (char)(0xF0 | c >> 18);
        *p++ = (char)(0x80 | (c >> 12 & 63));
        *p++ = (char)(0x80 | (c >> 6 & 63));
        *p++ = (char)(0x80 | (c & 63));
    }
    if (between)
        *p++ = 'a';
    return (size_t)(p - out);
}

static void compare_scalars(const char *name, bool between)
{
    char path[4096];
    size_t len = 0;
    char *all = read_gz(fixture(path, name), &len);
    assert_non_null(all);
    const uint8_t *p = (const uint8_t *)all;
    const uint8_t *end = p + len;
    size_t scalars = 0;
    size_t bad = 0;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        assert_true(p < end && end - p > 2 * *p);
        size_t want = *p++;
        char text[8];
        uint16_t ids[MAX_IDS];
        size_t n = br_tokenize(model, text, put_scalar(text, c, between), ids, MAX_IDS);
        bool good = n == want + 2 && ids[0] == 101 && ids[n - 1] == 102;
        for (size_t i = 0; good && i < want; i++)
            good = ids[i + 1] == (p[2 * i] | p[2 * i + 1] << 8);
        if (!good && bad++ < 5)
            print_error("U+%04X differs\n", (unsigned)c);
        p += 2 * want;
        scalars++;
    }
    assert_true(p == end);
    free(all);
    print_message("%s: %zu scalar values, %zu differ\n", name, scalars, bad);
    assert_int_equal(bad, 0);
}

static void every_scalar_alone(void **state)
{
    (void)state;
    compare_scalars("scalars-alone.bin.gz", false);
}

static void every_scalar_between_letters(void **state)
{
    (void)state;
    compare_scalars("scalars-between.bin.gz", true);
}

/* ids: 0 PAD, 1 UNK, 2 CLS, 3 SEP, 4 MASK, 5 a, 6 ##a, 7 ab, 8 ##ab, 9 !, 10 e, 11 ", 12 the Hangul of U+AC00 */
#define SMALL(nl)                                                                                                     \
    "[PAD]" nl "[UNK]" nl "[CLS]" nl "[SEP]" nl "[MASK]" nl "a" nl "##a" nl "ab" nl "##ab" nl "!" nl "e" nl "\"" nl   \
    "\xE1\x84\x80\xE1\x85\xA1"
#define SMALL_COUNT 13

struct expectation {
    const char *text;
    size_t len;
    uint16_t ids[8];
    size_t n;
};

#define EXPECT(s, ...) {s, sizeof(s) - 1, {__VA_ARGS__}, sizeof((uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t)}

static void check_small(const struct br_vocab *v)
{
    static const struct expectation cases[] = {
        EXPECT("a", 5),
        EXPECT("aba", 7, 6),
        EXPECT("aab", 5, 8),
        EXPECT("AB a\tA\r\nb", 7, 5, 5, 1),
        EXPECT("ac a", 1, 5),                     /* one bad piece spoils its word only */
        EXPECT("a!a", 5, 9, 5),                   /* punctuation stands alone */
        EXPECT("a\0b\x0B" "a\x7F", 7, 6),         /* controls vanish, words join */
        EXPECT("a\xC2\xAD" "b\xEF\xBB\xBF", 7),   /* soft hyphen, byte order mark */
        EXPECT("\xC3\xA9 e\xCC\x81", 10, 10),     /* composed and decomposed e acute */
        EXPECT("\xEA\xB0\x80", 12),               /* U+AC00 */
        EXPECT("a\xC2\xA0" "a\xE3\x80\x80" "a", 5, 5, 5),
        EXPECT("[SEP]a[MASK]", 3, 5, 4),          /* in raw text special tokens are themselves */
        EXPECT("a[CLS", 5, 1, 1),                 /* cut off: "[" and "cls" */
        EXPECT("[mask]", 1, 1, 1),
        EXPECT("a\xFF" "b", 7),                   /* ill-formed bytes vanish, */
        EXPECT("a\xE2\x82" "b", 7),               /* cut sequences, */
        EXPECT("a\xC0\x80\xED\xA0\x80\xF4\x90\x80\x80" "b", 7), /* overlong, surrogate, past the last */
        EXPECT("a\xF0\x9F\x98" "!\xC3", 5, 9),    /* and never take a good byte with them */
        EXPECT("[SE\xFFP]", 1, 1, 1),             /* repaired after the special tokens are looked for */
    };
    for (size_t i = 0; i < BR_COUNT(cases); i++) {
        uint16_t ids[MAX_IDS];
        size_t n = br_vocab_tokenize(v, cases[i].text, cases[i].len, ids, MAX_IDS);
        bool good = n == cases[i].n + 2 && memcmp(ids + 1, cases[i].ids, 2 * cases[i].n) == 0;
        if (!good)
            print_error("case %zu: \"%s\"\n", i, cases[i].text);
        assert_true(good);
        assert_int_equal(ids[0], 2);
        assert_int_equal(ids[n - 1], 3);
        assert_int_equal(br_vocab_count(v, cases[i].text, cases[i].len, 100), cases[i].n);
    }
    uint16_t ids[2];
    assert_int_equal(br_vocab_tokenize(v, NULL, 0, ids, 2), 2);
}

static void small_vocabulary(void **state)
{
    (void)state;
    static const char *const texts[] = {SMALL("\n"), SMALL("\r\n"), SMALL("\n") "\n", SMALL("\r\n") "\r\n"};
    for (size_t i = 0; i < BR_COUNT(texts); i++) {
        struct br_vocab *v = NULL;
        assert_int_equal(br_vocab_new(texts[i], strlen(texts[i]), &v, NULL), BR_OK);
        assert_int_equal(br_vocab_size(v), SMALL_COUNT);
        check_small(v);
        br_vocab_free(v);
    }
}

static void bad_vocabulary(void **state)
{
    (void)state;
    struct br_vocab *v = NULL;
    struct br_err err = {0};
    assert_int_equal(br_vocab_new("", 0, &v, &err), BR_E_DATA);
    assert_null(v);
    assert_int_equal(br_vocab_new("[UNK]\n[CLS]\na\n", 14, &v, NULL), BR_E_DATA);
    char *lines = calloc(1, 70000);
    assert_non_null(lines);
    memset(lines, '\n', 70000);
    assert_int_equal(br_vocab_new(lines, 70000, &v, NULL), BR_E_DATA);
    free(lines);
    br_vocab_free(NULL);
}

/* Words of 100 and 101 code points, and of megabytes. */
static void long_words(void **state)
{
    (void)state;
    struct br_vocab *v = NULL;
    assert_int_equal(br_vocab_new(SMALL("\n"), sizeof SMALL("\n") - 1, &v, NULL), BR_OK);
    size_t big = (size_t)4 << 20;
    char *a = malloc(big);
    assert_non_null(a);
    memset(a, 'a', big);
    assert_int_equal(br_vocab_count(v, a, 100, 1000), 100);
    assert_int_equal(br_vocab_count(v, a, 101, 1000), 1);
    assert_int_equal(br_vocab_count(v, a, big, 1000), 1);
    a[big - 2] = ' ';
    assert_int_equal(br_vocab_count(v, a, big, 1000), 2);
    for (size_t i = 0; i < big; i += 2)
        a[i] = ' ';
    assert_int_equal(br_vocab_count(v, a, big, SIZE_MAX), big / 2);
    assert_int_equal(br_vocab_count(v, a, big, 7), 7);
    assert_int_equal(br_vocab_count(v, a, big, 0), 0);
    memset(a, 0xCC, big); /* nothing but cut sequences */
    assert_int_equal(br_vocab_count(v, a, big, 1000), 0);
    for (size_t i = 0; i + 3 <= big; i += 3)
        memcpy(a + i, "\xEA\xB0\x80", 3); /* two jamo each: 50 syllables are 100 code points */
    assert_int_equal(br_vocab_count(v, a, 150, 1000), 1);
    free(a);
    br_vocab_free(v);
}

/* A smaller limit gives a prefix of the same pieces; random bytes stay inside the buffers. */
static void limits_are_prefixes(void **state)
{
    (void)state;
    static const char alphabet[] = "abcABC [SEP]!e\"\t\xC3\xA9\xCC\x81\xEA\xB0\x80\xF0\x9F\x98\x80\xE4\xBD\xA0\xFF";
    uint32_t seed = 1;
    for (int round = 0; round < 2000; round++) {
        size_t len = (size_t)round % 600;
        char *text = malloc(len + 1); /* exact, for the address sanitizer */
        assert_non_null(text);
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = round % 3 == 0 ? (char)(seed >> 24) : alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        char *exact = realloc(text, len > 0 ? len : 1);
        assert_non_null(exact);
        uint16_t all[BR_MAX_SEQ];
        size_t n = br_tokenize(model, exact, len, all, BR_MAX_SEQ);
        assert_int_equal(br_token_count(model, exact, len, BR_MAX_SEQ - 2), n - 2);
        for (size_t max = 2; max < n; max += 1 + max / 4) {
            uint16_t some[BR_MAX_SEQ];
            size_t k = br_tokenize(model, exact, len, some, max);
            assert_int_equal(k, max);
            assert_memory_equal(some, all, 2 * (max - 1));
            assert_int_equal(some[max - 1], 102);
        }
        free(exact);
    }
}

static int open_model(void **state)
{
    (void)state;
    struct br_err err = {0};
    if (br_model_open(NULL, &model, &err) == BR_OK)
        return 0;
    print_error("%s\n", err.msg);
    return -1;
}

static int close_model(void **state)
{
    (void)state;
    br_model_close(model);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_vocabulary),
        cmocka_unit_test(bad_vocabulary),
        cmocka_unit_test(long_words),
        cmocka_unit_test(limits_are_prefixes),
        cmocka_unit_test(every_scalar_alone),
        cmocka_unit_test(every_scalar_between_letters),
        cmocka_unit_test(golden_texts),
        cmocka_unit_test(all_golden_texts),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
