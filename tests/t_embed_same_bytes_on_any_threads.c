/* t_embed_same_bytes_on_any_threads.c - the vectors of many texts are the same bytes, in the same order, on one thread and on many, with int8 and
 * with float weights; and the command needs no home directory for them. */
#include "tiny_model.h"

#include "engine_int.h"

enum { TEXTS = 301, TEXT_BYTES = 400 };

static char dir[1024], weights[1200], brm[1200];
static char text[TEXTS][TEXT_BYTES];
static const char *texts[TEXTS];
static size_t lens[TEXTS];

static int set_up(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"bridge", "closed", "until", "the", "deployment", "failed", "lunch", "ok",
                                        "https://example.org/a?b=c", "étage"};
    unsigned seed = 11;
    e2e_scratch(dir, sizeof dir);
    tiny_model(dir, brm, sizeof brm);
    snprintf(weights, sizeof weights, "%s/weights", dir);
    for (size_t i = 0; i < TEXTS; i++) {
        size_t words = (size_t)(rand_r(&seed) % 30); /* some are empty */
        for (size_t w = 0; w < words; w++) {
            lens[i] += (size_t)snprintf(text[i] + lens[i], TEXT_BYTES - lens[i], "%s ", WORDS[rand_r(&seed) % 10]);
            lens[i] = lens[i] < TEXT_BYTES ? lens[i] : TEXT_BYTES - 1;
        }
        texts[i] = text[i];
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    e2e_remove_tree(dir);
    return 0;
}

static void assert_same_on_any_threads(const char *path, size_t n)
{
    static const unsigned THREADS[] = {2, 3, 8, 1000};
    struct br_err err = {0};
    struct br_model *m = NULL;
    struct br_embedder *e = NULL;
    if (br_model_open(path, &m, &err))
        fail_msg("%s", err.msg);
    size_t dim = br_model_info(m)->dim, bytes = n * dim * sizeof(float);
    float *one = malloc(bytes), *many = malloc(bytes);
    assert_true(one && many);
    assert_int_equal(br_embed_many(m, texts, lens, n, 1, one, &err), BR_OK);
    for (size_t i = 0; i < sizeof THREADS / sizeof *THREADS; i++) {
        memset(many, 0, bytes);
        assert_int_equal(br_embed_many(m, texts, lens, n, THREADS[i], many, &err), BR_OK);
        assert_memory_equal(one, many, bytes);
    }
    /* One by one, as a question is embedded: what else is in a batch does not matter. */
    assert_int_equal(br_embedder_new(m, &e, &err), BR_OK);
    for (size_t i = 0; i < n; i += 7) {
        assert_int_equal(br_embed(e, &texts[i], &lens[i], 1, many, &err), BR_OK);
        assert_memory_equal(one + i * dim, many, dim * sizeof(float));
    }
    br_embedder_free(e);
    br_model_close(m);
    free(one);
    free(many);
}

static void int8_weights(void **state)
{
    (void)state;
    assert_same_on_any_threads(brm, TEXTS);
}

static void float_weights(void **state)
{
    (void)state;
    assert_same_on_any_threads(weights, TEXTS);
}

static void the_built_in_model(void **state)
{
    (void)state;
    assert_same_on_any_threads(NULL, 20); /* two groups: enough for two threads, and quick under sanitizers */
}

static void no_texts_are_no_work(void **state)
{
    (void)state;
    assert_same_on_any_threads(brm, 0);
}

static void embedding_needs_no_home_directory(void **state)
{
    (void)state;
    static const char *const VARIABLES[] = {"BACKREAD_HOME", "XDG_DATA_HOME", "HOME"};
    struct br_error err = {0};
    struct br_workspace_names names;
    struct br_model_description d;
    float v[TINY_HIDDEN];
    for (size_t i = 0; i < 3; i++)
        unsetenv(VARIABLES[i]);
    struct br_home *home = e2e_home(NULL, brm);
    assert_string_equal(br_home_path(home), "");
    assert_int_equal(br_embed_texts(home, texts, 1, v, &err), 0);
    assert_int_equal(br_model_describe(home, &d, &err), 0);
    assert_int_equal(br_home_workspaces(home, &names, &err), BR_STATUS_USAGE);
    assert_non_null(strstr(err.message, "--home"));
    br_home_close(home);
    assert_int_equal(br_home_open("", NULL, &home, &err), BR_STATUS_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8_weights),         cmocka_unit_test(float_weights),
        cmocka_unit_test(the_built_in_model),   cmocka_unit_test(no_texts_are_no_work),
        cmocka_unit_test(embedding_needs_no_home_directory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
