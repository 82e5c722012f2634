/* t_embed_near_reference.c - the built-in int8 model and the float path give the vectors of ChromaDB's default embedding function: cosines over the
 * golden texts. Needs BACKREAD_TEST_DATA. */
#include "e2e.h"

#include "embed/embed.h"

#include <jansson.h>
#include <math.h>
#include <zlib.h>

#define DIM 384
#define TEXTS_MAX 4000

static char *texts[TEXTS_MAX];
static size_t lens[TEXTS_MAX], n_texts;
static float *reference;

static const char *shared(const char *name)
{
    static char path[2][1200];
    static int turn;
    char *p = path[turn++ % 2];
    snprintf(p, sizeof path[0], "%s/%s", getenv("BACKREAD_TEST_DATA"), name);
    return p;
}

static bool read_texts(void)
{
    static char line[1 << 20];
    gzFile f = gzopen(shared("golden/embeddings.jsonl.gz"), "rb");
    if (!f)
        return false;
    while (n_texts < TEXTS_MAX && gzgets(f, line, sizeof line)) {
        json_t *o = json_loads(line, JSON_ALLOW_NUL, NULL);
        assert_non_null(o);
        const json_t *text = json_object_get(o, "text");
        lens[n_texts] = json_string_length(text);
        texts[n_texts] = malloc(lens[n_texts] + 1);
        assert_non_null(texts[n_texts]);
        memcpy(texts[n_texts], json_string_value(text), lens[n_texts] + 1);
        n_texts++;
        json_decref(o);
    }
    gzclose(f);
    return true;
}

/* The array is the end of the file. */
static bool read_reference(void)
{
    FILE *f = fopen(shared("golden/embeddings.npy"), "rb");
    size_t n = n_texts * DIM;
    if (!f)
        return false;
    reference = malloc(n * sizeof *reference);
    assert_non_null(reference);
    assert_int_equal(fseek(f, -(long)(n * sizeof *reference), SEEK_END), 0);
    assert_int_equal(fread(reference, sizeof *reference, n, f), n);
    fclose(f);
    return true;
}

static int set_up(void **state)
{
    (void)state;
    if (!getenv("BACKREAD_TEST_DATA") || !read_texts() || !read_reference()) {
        print_message("skipped: golden vectors need BACKREAD_TEST_DATA\n");
        exit(77);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_texts; i++)
        free(texts[i]);
    free(reference);
    return 0;
}

/* Each step-th text is looked at. */
static void assert_near(const char *path, size_t step, double mean, double worst)
{
    struct br_model *m = NULL;
    struct br_embedder *e = NULL;
    struct br_err err = {0};
    double sum = 0, least = 1;
    size_t seen = 0;
    if (br_model_open(path, &m, &err) || br_embedder_new(m, &e, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < n_texts; i += step, seen++) {
        float v[DIM];
        double cosine = 0;
        assert_int_equal(br_embed(e, (const char *const *)&texts[i], &lens[i], 1, v, &err), BR_OK);
        for (size_t k = 0; k < DIM; k++)
            cosine += (double)v[k] * (double)reference[i * DIM + k];
        sum += cosine;
        least = fmin(least, cosine);
    }
    print_message("%s: mean %.7f, worst %.7f of %zu\n", path ? path : "built in", sum / (double)seen, least, seen);
    assert_true(sum / (double)seen >= mean);
    assert_true(least >= worst);
    br_embedder_free(e);
    br_model_close(m);
}

static void int8_is_near(void **state)
{
    (void)state;
    assert_near(NULL, 1, 0.9996, 0.998);
}

static void float_is_the_same(void **state)
{
    (void)state;
    assert_near(shared("models/all-MiniLM-L6-v2"), 10, 0.999999, 0.99999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8_is_near),
        cmocka_unit_test(float_is_the_same),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
