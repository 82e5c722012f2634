/* t_render_survives_hostile_blocks.c - whatever JSON a message is made of, rendering ends soon, stays in bounds and
 * writes whole UTF-8 characters: wrong types everywhere, nesting beyond every sane depth, huge arrays, texts beyond
 * the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "render.h"
#include "utf8_check.h"

enum { SECONDS_MAX = 20 }; /* far above what any case takes, far below what quadratic work would */

/* Renders and takes msg; returns the length of the text, which is checked. */
static size_t render(json_t *msg, bool *truncated, char *begin, size_t begin_size)
{
    struct br_buf b;
    time_t start = time(NULL);
    br_buf_init(&b, 2 * (size_t)BR_RENDER_TEXT_MAX);
    br_render_message(msg, NULL, &b, truncated);
    assert_false(b.failed);
    assert_true(b.len <= BR_RENDER_TEXT_MAX);
    assert_true(br_utf8_valid(br_buf_str(&b), b.len));
    assert_true(time(NULL) - start < SECONDS_MAX);
    if (begin)
        snprintf(begin, begin_size, "%s", br_buf_str(&b));
    size_t len = b.len;
    br_buf_free(&b);
    json_decref(msg);
    return len;
}

static json_t *text_element(const char *text)
{
    return json_pack("{s:s, s:s}", "type", "text", "text", text);
}

/* inner within n objects of a type, each in the key of the one around it. */
static json_t *nest(json_t *inner, size_t n, const char *type, const char *key, bool in_array)
{
    for (size_t i = 0; i < n; i++)
        inner = in_array ? json_pack("{s:s, s:[o]}", "type", type, key, inner)
                         : json_pack("{s:s, s:o}", "type", type, key, inner);
    return inner;
}

static void deep_nesting_is_capped(void **state)
{
    static const struct {
        const char *type, *key;
        bool in_array;
    } shapes[] = {
        {"rich_text", "elements", true},      {"rich_text_section", "elements", true},
        {"rich_text_list", "elements", true}, {"rich_text_quote", "elements", true},
        {"carousel", "cards", true},          {"plan", "tasks", true},
        {"unheard_of", "inner", true},        {"unheard_of", "text", false},
        {"unheard_of", "title", false},       {"table", "rows", true},
        {"section", "text", false},           {"context", "elements", true},
    };
    static const size_t depths[] = {1, 100, 1000, 20000};
    (void)state;
    for (size_t i = 0; i < BR_COUNT(shapes); i++)
        for (size_t d = 0; d < BR_COUNT(depths); d++) {
            bool truncated;
            json_t *block = nest(text_element("bottom"), depths[d], shapes[i].type, shapes[i].key, shapes[i].in_array);
            render(json_pack("{s:[o]}", "blocks", block), &truncated, NULL, 0);
            assert_false(truncated);
        }
}

static void text_a_hundred_levels_down_is_found(void **state)
{
    char text[64];
    bool truncated;
    (void)state;
    json_t *block = nest(text_element("bottom"), 100, "rich_text_section", "elements", true);
    render(json_pack("{s:s, s:[{s:s, s:[o]}]}", "text", "", "blocks", "type", "rich_text", "elements", block),
        &truncated,
        text, sizeof text);
    assert_string_equal(text, "bottom");
}

/* Every key the renderer knows, of every wrong type, at several places. */
static void wrong_types_are_ignored(void **state)
{
    static const char *const keys[] = {"text", "blocks", "attachments", "files", "file", "comment", "initial_comment",
        "mrkdwn", "type", "elements", "style", "indent", "offset", "fields", "title", "title_link", "alt_text", "label",
        "rows", "cards", "tasks", "pretext", "author_name", "value", "footer", "from_url", "fallback", "name", "mode",
        "preview", "url", "unicode", "skin_tone", "user_id", "channel_id", "usergroup_id", "team_id", "range",
        "timestamp"};
    static const char *const values[] = {"null", "true", "-1", "1e300", "9223372036854775807", "\"\"", "\"x\"", "[]",
        "{}",
        "[[[]]]", "[null,1,\"x\",{}]", "{\"type\":7}", "{\"text\":{\"text\":[1]}}", "[{\"type\":\"rich_text_list\"}]"};
    static const char *const types[] = {"text", "link", "emoji", "user", "usergroup", "channel", "team", "broadcast",
        "color",
        "date", "rich_text", "rich_text_section", "rich_text_list", "section", "header", "context", "image", "markdown",
        "alert", "video", "table", "card", "carousel", "task_card", "plan", "input", "unheard_of"};
    bool truncated;
    (void)state;
    for (size_t v = 0; v < BR_COUNT(values); v++) {
        json_t *everything = json_object();
        for (size_t k = 0; k < BR_COUNT(keys); k++) {
            json_t *value = json_loads(values[v], JSON_DECODE_ANY, NULL);
            assert_non_null(value);
            render(json_pack("{s:O}", keys[k], value), &truncated, NULL, 0);
            json_object_set_new(everything, keys[k], value);
        }
        for (size_t t = 0; t < BR_COUNT(types); t++) {
            json_t *typed = json_deep_copy(everything);
            json_object_set_new(typed, "type", json_string(types[t]));
            json_t *section = json_pack("{s:s, s:[O, [O]]}", "type", "rich_text", "elements", typed, typed);
            render(json_pack("{s:[O, O], s:[O, O], s:[O], s:O}", "blocks", section, typed, "attachments", typed,
                section,
                       "files", typed, "comment", typed),
                &truncated, NULL, 0);
            json_decref(section);
            json_decref(typed);
        }
        render(everything, &truncated, NULL, 0);
    }
    render(json_null(), &truncated, NULL, 0);
    render(json_array(), &truncated, NULL, 0);
    render(json_string("x"), &truncated, NULL, 0);
}

static json_t *many(size_t n, const char *item)
{
    json_t *array = json_array(), *one = json_loads(item, 0, NULL);
    assert_non_null(one);
    for (size_t i = 0; i < n; i++)
        json_array_append(array, one);
    json_decref(one);
    return array;
}

static void huge_arrays_are_cut(void **state)
{
    enum { N = 200000 };
    bool truncated;
    (void)state;
    assert_int_equal(render(json_pack("{s:o}", "blocks", many(N, "{\"type\":\"header\",\"text\":\"0123456789\"}")),
                         &truncated, NULL, 0),
        BR_RENDER_TEXT_MAX);
    assert_true(truncated);
    render(json_pack("{s:o}", "attachments", many(N, "{\"title\":\"t\",\"title_link\":\"https://a.example/x\"}")),
        &truncated,
        NULL, 0);
    render(json_pack("{s:o}", "files", many(N, "{\"title\":\"t\",\"name\":\"another name\"}")), &truncated, NULL, 0);
    render(json_pack("{s:o}", "blocks", many(N,
        "{\"type\":\"unheard_of\",\"x\":[{\"text\":\"a\"},{\"title\":\"b\"}]}")),
        &truncated, NULL, 0);
    render(json_pack("{s:s, s:[{s:s, s:o}]}", "text", "<@U1|x>", "blocks", "type", "rich_text", "elements",
               many(N, "{\"type\":\"user\",\"user_id\":\"U1\"}")),
        &truncated, NULL, 0);
    render(json_pack("{s:[{s:o}]}", "attachments", "fields", many(N, "{\"title\":\"t\",\"value\":\"v\"}")),
        &truncated, NULL,
        0);
}

/* Long runs of what opens something and never closes it. */
static void unclosed_markup_stays_linear(void **state)
{
    static const char *const pieces[] = {"*", "_a ", " *a", "`", "``", "```", " `a", "<", "<a", "<@", "<http://", "&",
        "&gt;",
        "&amp;", ":", ":a", ":tada:", ">", "\n>", "http://", "http://:", "mailto:", "https://@", "<!date^", "*a*",
        "<@U1>", "\xc3\xa9", "\xf0\x9f\x8e\x89",
        "~_*", "<http://a|", "h", "\n\n\n", " "};
    enum { BYTES = 3 * BR_RENDER_TEXT_MAX };
    (void)state;
    for (size_t i = 0; i < BR_COUNT(pieces); i++) {
        size_t n = strlen(pieces[i]);
        char *text = malloc(BYTES + 1);
        for (size_t k = 0; k + n <= BYTES; k += n)
            memcpy(text + k, pieces[i], n + 1);
        struct br_buf b;
        bool truncated;
        br_buf_init(&b, BYTES + 1);
        time_t start = time(NULL);
        br_render_for_embedding(text, strlen(text), &b);
        assert_false(b.failed);
        assert_true(b.len <= strlen(text));
        assert_true(time(NULL) - start < SECONDS_MAX);
        br_buf_free(&b);
        render(json_pack("{s:s}", "text", text), &truncated, NULL, 0);
        assert_true(truncated);
        free(text);
    }
}

static void cut_at_a_character(void **state)
{
    (void)state;
    json_t *msg = json_pack("{s:s}", "text", "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
    for (size_t cap = 0; cap <= 9; cap++) {
        struct br_buf b;
        bool truncated = false;
        br_buf_init(&b, cap);
        br_render_message(msg, NULL, &b, &truncated);
        assert_int_equal(b.len, cap / 3 * 3);
        assert_false(b.failed);
        assert_int_equal(truncated, cap < 9);
        br_buf_free(&b);
    }
    json_decref(msg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deep_nesting_is_capped),
        cmocka_unit_test(text_a_hundred_levels_down_is_found),
        cmocka_unit_test(wrong_types_are_ignored),
        cmocka_unit_test(huge_arrays_are_cut),
        cmocka_unit_test(unclosed_markup_stays_linear),
        cmocka_unit_test(cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
