/* t_json_survives_no_memory.c - a parse whose n-th allocation fails, once or for good, gives the whole value or says "no memory": it neither drops
 * characters nor reads past a token (AddressSanitizer looks on) nor stops the program. */
#include "e2e.h"

#include "base/base.h"
#include "json_load.h"
#include "json_starved.h"

/* Tokens of every length around those at which the lexer's buffer grows, with what it treats apart at every place in them. */
static char *document(unsigned seed, size_t *n)
{
    static const char *const pieces[] = {"a", "\\n", "\\\"", "\\u00e9", "\\ud83d\\ude00", "\xC3\xA9", "\xF0\x9F\x98\x80", " ", "\\\\"};
    static const char *const numbers[] = {"1", "-12345678901234", "1.5", "123456.7890123456789012345678", "1e-12", "-0.000000000000000001e+10",
                                          "1234567890123456.25e-300"};
    char *text = NULL;
    FILE *f = open_memstream(&text, n);
    fputc('[', f);
    for (unsigned i = 0; i < 12; i++) {
        fprintf(f, "%s{\"", i ? "," : "");
        for (unsigned k = 0; k <= (seed + i) % 19; k++)
            fputs(pieces[(seed + i * k) % 9], f);
        fprintf(f, "%u\":\"", i);
        for (unsigned k = 0, many = 10 + (seed + i * 11) % 60; k < many; k++)
            fputs(pieces[k + 3 < many ? 0 : (seed + k) % 9], f);
        fprintf(f, "\",\"n\":%s,\"t\":true,\"l\":[null,%s,[]]}", numbers[(seed + i) % 7], numbers[seed % 7]);
    }
    fputc(']', f);
    fclose(f);
    return text;
}

static void a_value_is_whole_or_none(void **state)
{
    (void)state;
    unsigned starved = 0;
    for (unsigned seed = 0; seed < 40; seed++) {
        size_t n;
        bool no_memory, met = true;
        char *text = document(seed, &n);
        json_t *whole = br_json_load(text, n, 0, &no_memory);
        assert_non_null(whole);
        for (unsigned at = 1; met; at++) {
            json_starve(at, seed % 2);
            json_t *v = br_json_load(text, n, JSON_REJECT_DUPLICATES, &no_memory);
            met = json_starved();
            assert_int_equal(!v, met);
            assert_int_equal(no_memory, met);
            assert_true(!v || json_equal(v, whole));
            json_decref(v);
            starved += met;
        }
        json_decref(whole);
        free(text);
    }
    assert_true(starved > 5000);
}

static void what_is_no_json_is_told_apart(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "[", "[1", "[\"a", "{\"a\":1,\"a\":2}", "[1]x", "[\"\x01\"]", "[\"\xFF\"]", "[1e]"};
    for (size_t i = 0; i < BR_COUNT(bad); i++) {
        bool no_memory = true;
        assert_null(br_json_load(bad[i], strlen(bad[i]), JSON_REJECT_DUPLICATES, &no_memory));
        assert_false(no_memory);
    }
    bool no_memory = true;
    assert_null(br_json_string("\xFF", 1, &no_memory));
    assert_false(no_memory);
    json_starve(1, false);
    assert_null(br_json_string("text", 4, &no_memory));
    assert_true(json_starved() && no_memory);
}

int main(void)
{
    json_starve_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_whole_or_none),
        cmocka_unit_test(what_is_no_json_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
