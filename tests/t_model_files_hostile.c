/* t_model_files_hostile.c - model files are taken from strangers: weights and .brm files that lie about their shapes, hold no numbers, or carry
 * other things than they should are refused with one line, and conversion claims and touches nothing that is not its own. */
#include "tiny_model.h"

#include "base/crc32c.h"

#include <fcntl.h>
#include <math.h>

static char dir[1024], weights[1200], brm[1200];

static int set_up(void **state)
{
    (void)state;
    e2e_scratch(dir, sizeof dir);
    tiny_model(dir, brm, sizeof brm);
    snprintf(weights, sizeof weights, "%s/weights", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    e2e_remove_tree(dir);
    return 0;
}

struct bytes {
    uint8_t *at;
    size_t n;
};

static struct bytes load(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    struct bytes b = {aligned_alloc(64, ((size_t)st.st_size + 63) & ~(size_t)63), (size_t)st.st_size};
    assert_non_null(b.at);
    assert_int_equal(fread(b.at, 1, b.n, f), b.n);
    fclose(f);
    return b;
}

static void store(const char *path, const void *at, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(at, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void copy(const char *from_dir, const char *to_dir, const char *name)
{
    char path[1400];
    snprintf(path, sizeof path, "%s/%s", from_dir, name);
    struct bytes b = load(path);
    snprintf(path, sizeof path, "%s/%s", to_dir, name);
    store(path, b.at, b.n);
    free(b.at);
}

/* ---- Original weights ---- */

struct source {
    char dir[1100], path[1300];
    json_t *header;
    uint8_t *data;
    size_t n_data, header_bytes;
    struct bytes file;
};

/* A copy of the tiny model's folder, its header taken apart for changing. */
static struct source source_new(const char *name)
{
    struct source s = {0};
    uint64_t n;
    snprintf(s.dir, sizeof s.dir, "%.900s/%s", dir, name);
    assert_int_equal(mkdir(s.dir, 0700), 0);
    copy(weights, s.dir, "vocab.txt");
    copy(weights, s.dir, "config.json");
    snprintf(s.path, sizeof s.path, "%s/model.safetensors", weights);
    s.file = load(s.path);
    memcpy(&n, s.file.at, 8);
    s.header_bytes = n;
    s.header = json_loadb((const char *)s.file.at + 8, n, 0, NULL);
    assert_non_null(s.header);
    s.data = s.file.at + 8 + n;
    s.n_data = s.file.n - 8 - n;
    snprintf(s.path, sizeof s.path, "%s/model.safetensors", s.dir);
    return s;
}

static void source_write(struct source *s)
{
    char *header = json_dumps(s->header, JSON_COMPACT);
    uint64_t len = strlen(header), padded = (len + 7) / 8 * 8;
    FILE *f = fopen(s->path, "wb");
    assert_non_null(f);
    fwrite(&padded, 8, 1, f);
    fprintf(f, "%-*s", (int)padded, header);
    fwrite(s->data, 1, s->n_data, f);
    assert_int_equal(fclose(f), 0);
    free(header);
    json_decref(s->header);
    free(s->file.at);
}

static void set_tensor(struct source *s, const char *name, json_int_t rows, json_int_t cols, json_int_t from, json_int_t to)
{
    json_object_set_new(s->header, name,
                        json_pack("{sss[II]s[II]}", "dtype", "F32", "shape", rows, cols, "data_offsets", from, to));
}

static json_int_t offset_of(const struct source *s, const char *name, size_t which)
{
    return json_integer_value(json_array_get(json_object_get(json_object_get(s->header, name), "data_offsets"), which));
}

static void assert_refused(const char *path, const char *says)
{
    struct br_model *m = NULL;
    struct br_err err = {0};
    enum br_rc rc = br_model_open(path, &m, &err);
    if (rc == BR_OK)
        br_model_close(m);
    assert_int_equal(rc, BR_E_DATA);
    if (!strstr(err.msg, says))
        fail_msg("'%s' is not in: %s", says, err.msg);
    for (const char *p = err.msg; *p; p++)
        assert_true((unsigned char)*p >= 0x20);
}

#define TYPES "embeddings.token_type_embeddings.weight"

static void shapes_and_offsets_must_agree(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        json_int_t rows, cols;
        bool at_end;
        json_int_t length;
    } CASES[] = {
        {"none", 0, TINY_HIDDEN, true, 0},
        {"wraps", (json_int_t)1 << 57, TINY_HIDDEN, true, 0},
        {"wraps-to-one", ((json_int_t)1 << 57) + 1, TINY_HIDDEN, false, 4 * TINY_HIDDEN},
        {"negative", -1, TINY_HIDDEN, true, 0},
        {"short", 2, TINY_HIDDEN, false, 4 * TINY_HIDDEN},
        {"outside", 2, TINY_HIDDEN, true, 8 * TINY_HIDDEN},
        {"backwards", 2, TINY_HIDDEN, false, -8 * TINY_HIDDEN},
        {"wide", 1, 2 * TINY_HIDDEN, false, 8 * TINY_HIDDEN},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct source s = source_new(CASES[i].name);
        json_int_t from = CASES[i].at_end ? (json_int_t)s.n_data : offset_of(&s, TYPES, 0);
        set_tensor(&s, TYPES, CASES[i].rows, CASES[i].cols, from, from + CASES[i].length);
        source_write(&s);
        assert_refused(s.dir, "tensor");
    }
}

static void tensors_must_not_share_bytes(void **state)
{
    (void)state;
    struct source s = source_new("shared");
    json_int_t from = offset_of(&s, "embeddings.word_embeddings.weight", 0);
    set_tensor(&s, TYPES, 2, TINY_HIDDEN, from, from + 8 * TINY_HIDDEN);
    source_write(&s);
    assert_refused(s.dir, "share");
}

static void weights_must_be_finite(void **state)
{
    (void)state;
    static const char *const TENSORS[] = {TYPES, "encoder.layer.0.attention.self.key.weight", "encoder.layer.0.output.LayerNorm.bias"};
    static const float BAD[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "bad%zu", i);
        struct source s = source_new(name);
        memcpy(s.data + offset_of(&s, TENSORS[i], 1) - 4, &BAD[i], 4);
        source_write(&s);
        assert_refused(s.dir, "finite");
    }
}

/* Finite, but not what can be calculated with. */
static void an_overflow_is_an_error_not_a_vector(void **state)
{
    (void)state;
    struct source s = source_new("overflow");
    json_int_t from = offset_of(&s, "encoder.layer.0.output.dense.weight", 0), to = offset_of(&s, "encoder.layer.0.output.dense.weight", 1);
    for (json_int_t at = from; at < to; at += 4)
        memcpy(s.data + at, &(float){3e38f}, 4);
    source_write(&s);
    struct br_home *home = e2e_home(dir, s.dir);
    struct br_error err = {0};
    float v[TINY_HIDDEN];
    const char *text = "hello";
    char out[1200];
    assert_int_equal(br_embed_texts(home, &text, 1, v, &err), BR_STATUS_BAD_DATA);
    assert_non_null(strstr(err.message, "finite"));
    br_home_close(home);
    snprintf(out, sizeof out, "%s/overflow.brm", dir);
    assert_int_equal(br_model_file_convert(s.dir, out, &err), BR_STATUS_BAD_DATA);
    assert_int_not_equal(access(out, F_OK), 0);
}

static void other_poolings_are_refused(void **state)
{
    (void)state;
    static const char *const OTHERS[] = {
        "{\"pooling_mode_max_tokens\":true,\"pooling_mode_mean_tokens\":false}",
        "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":true}",
        "{\"pooling_mode_mean_tokens\":false}",
        "{\"pooling_mode\":\"lasttoken\"}",
        "[]",
        "no JSON",
    };
    char path[1400];
    struct source s = source_new("pooling");
    source_write(&s);
    snprintf(path, sizeof path, "%s/1_Pooling", s.dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/1_Pooling/config.json", s.dir);
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        store(path, OTHERS[i], strlen(OTHERS[i]));
        assert_refused(s.dir, "1_Pooling/config.json");
    }
    const char *mean = "{\"word_embedding_dimension\":32,\"pooling_mode_cls_token\":false,\"pooling_mode_mean_tokens\":true}";
    store(path, mean, strlen(mean));
    br_home_close(e2e_home(dir, s.dir));
}

/* ---- What conversion says and touches ---- */

static void nothing_is_claimed_of_unknown_weights(void **state)
{
    (void)state;
    const char *models[] = {weights, brm};
    for (size_t i = 0; i < 2; i++) {
        struct br_home *home = e2e_home(dir, models[i]);
        struct br_model_description d;
        struct br_error err;
        assert_int_equal(br_model_describe(home, &d, &err), 0);
        assert_string_equal(d.name, "weights"); /* the folder's */
        assert_string_equal(d.licence, "");
        assert_string_equal(d.origin, "");
        br_home_close(home);
    }
}

static void conversion_touches_only_its_own_files(void **state)
{
    (void)state;
    struct br_error err = {0};
    char out[1200], tmp[1300];
    snprintf(out, sizeof out, "%s/keep", dir);
    snprintf(tmp, sizeof tmp, "%s.tmp", out);
    store(tmp, "mine", 4);
    assert_int_not_equal(br_model_file_convert("/nonexistent", out, &err), 0);
    assert_int_equal(access(tmp, F_OK), 0);
    assert_int_equal(br_model_file_convert(weights, out, &err), BR_STATUS_USAGE);
    assert_non_null(strstr(err.message, "keep.tmp"));
    struct bytes b = load(tmp);
    assert_int_equal(b.n, 4);
    free(b.at);
    assert_int_not_equal(access(out, F_OK), 0);
    assert_int_equal(unlink(tmp), 0);
    assert_int_equal(br_model_file_convert(weights, out, &err), 0);
    assert_int_not_equal(access(tmp, F_OK), 0);
}

static void weights_may_be_named_from_inside_their_folder(void **state)
{
    (void)state;
    char before[1024];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(weights), 0);
    br_home_close(e2e_home(dir, "model.safetensors"));
    br_home_close(e2e_home(dir, "./model.safetensors"));
    br_home_close(e2e_home(dir, "."));
    assert_int_equal(chdir(before), 0);
}

/* ---- Our own files ---- */

static struct br_section *section_of(struct bytes *b, uint32_t tag)
{
    struct br_model_header *h = (void *)b->at;
    for (uint32_t i = 0; i < h->n_sections; i++)
        if (h->sections[i].tag == tag)
            return &h->sections[i];
    fail();
    return NULL;
}

/* A stranger can calculate checksums too. */
static void sign(struct bytes *b)
{
    struct br_model_header *h = (void *)b->at;
    for (uint32_t i = 0; i < h->n_sections; i++)
        h->sections[i].crc = br_crc32c(0, b->at + h->sections[i].offset, h->sections[i].bytes);
    h->header_crc = 0;
    h->header_crc = br_crc32c(0, h, sizeof *h);
}

static void assert_file_refused(struct bytes *b, const char *says)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/changed.brm", dir);
    sign(b);
    store(path, b->at, b->n);
    free(b->at);
    assert_refused(path, says);
}

static void an_id_is_64_digits(void **state)
{
    (void)state;
    static const char *const IDS[] = {"", "\033[31mred", "abc", "ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789"};
    for (size_t i = 0; i < 2 * sizeof IDS / sizeof *IDS; i++) {
        struct bytes b = load(brm);
        struct br_model_header *h = (void *)b.at;
        char *id = i % 2 ? h->source_sha256 : h->id;
        memset(id, 0, 65);
        memcpy(id, IDS[i / 2], strlen(IDS[i / 2]));
        assert_file_refused(&b, "sha256");
    }
    struct bytes b = load(brm);
    struct br_model_header *h = (void *)b.at;
    h->id[64] = '0'; /* no end */
    assert_file_refused(&b, "sha256");
}

static void texts_are_cleaned(void **state)
{
    (void)state;
    char path[1200];
    struct bytes b = load(brm);
    struct br_model_header *h = (void *)b.at;
    memset(h->name, 'n', sizeof h->name);
    memcpy(h->name, "\033[31m \xFF \xC3\xA9 \xC2\x9B", 13);
    memset(h->licence, 0, sizeof h->licence);
    memcpy(h->licence, "two\nlines\x7F", 10);
    sign(&b);
    snprintf(path, sizeof path, "%s/texts.brm", dir);
    store(path, b.at, b.n);
    free(b.at);
    struct br_home *home = e2e_home(dir, path);
    struct br_model_description d;
    struct br_error err;
    assert_int_equal(br_model_describe(home, &d, &err), 0);
    assert_int_equal(strncmp(d.name, "?[31m ? \xC3\xA9 ??n", 14), 0);
    assert_string_equal(d.licence, "two?lines?");
    br_home_close(home);
}

static void numbers_must_be_possible(void **state)
{
    (void)state;
    static const uint32_t TAGS[] = {BR_SEC_WORD_SCALES, BR_SEC_POSITIONS, BR_SEC_EMBEDDING_LN, BR_SEC_LAYER_LN};
    for (size_t i = 0; i < sizeof TAGS / sizeof *TAGS; i++) {
        struct bytes b = load(brm);
        struct br_section *s = section_of(&b, TAGS[i]);
        memcpy(b.at + s->offset + s->bytes - 4, &(float){NAN}, 4);
        assert_file_refused(&b, "finite");
    }
    for (size_t i = 0; i < 5; i++) { /* scale, bias, sums, smooth_inv, shift: an offset in each */
        struct bytes b = load(brm);
        struct br_section *s = section_of(&b, BR_SEC_FFN_UP);
        uint8_t *at = b.at + s->offset + TINY_HIDDEN * TINY_FFN + 4 * (i < 4 ? i * TINY_FFN : 3 * TINY_FFN + TINY_HIDDEN);
        if (i == 2)
            memcpy(at, &(int32_t){INT32_MAX}, 4);
        else
            memcpy(at, &(float){INFINITY}, 4);
        assert_file_refused(&b, "finite or too large");
    }
}

/* Whatever finite numbers are in it, the arithmetic is defined, and the answer is a finite vector or an error. */
static void large_numbers_are_survived(void **state)
{
    (void)state;
    static const uint32_t TAGS[] = {BR_SEC_WORD_SCALES, BR_SEC_POSITIONS, BR_SEC_EMBEDDING_LN, BR_SEC_LAYER_LN, BR_SEC_QKV, BR_SEC_FFN_DOWN};
    static const float LARGE[] = {3e38f, -3e38f, 1e30f, 1e-38f};
    char path[1200];
    snprintf(path, sizeof path, "%s/large.brm", dir);
    for (size_t i = 0; i < sizeof TAGS / sizeof *TAGS; i++)
        for (size_t k = 0; k < sizeof LARGE / sizeof *LARGE; k++) {
            struct bytes b = load(brm);
            struct br_section *s = section_of(&b, TAGS[i]);
            size_t from = TAGS[i] == BR_SEC_QKV ? TINY_HIDDEN * 3 * TINY_HIDDEN : TAGS[i] == BR_SEC_FFN_DOWN ? TINY_HIDDEN * TINY_FFN : 0;
            size_t to = from ? from + 8 * TINY_HIDDEN : s->bytes; /* scales and biases */
            for (size_t at = from; at < to; at += 4)
                memcpy(b.at + s->offset + at, &LARGE[k], 4);
            sign(&b);
            store(path, b.at, b.n);
            free(b.at);
            struct br_home *home = e2e_home(dir, path);
            struct br_error err = {0};
            float v[2 * TINY_HIDDEN];
            const char *texts[] = {"hello world", "bike lanes"};
            int status = br_embed_texts(home, texts, 2, v, &err);
            assert_true(status == 0 || status == BR_STATUS_BAD_DATA);
            for (size_t j = 0; j < 2 * TINY_HIDDEN && !status; j++)
                assert_true(isfinite(v[j]));
            br_home_close(home);
        }
}

static void sections_come_once_and_whole(void **state)
{
    (void)state;
    struct bytes b = load(brm);
    struct br_model_header *h = (void *)b.at;
    h->sections[h->n_sections++] = *section_of(&b, BR_SEC_VOCAB);
    assert_file_refused(&b, "damaged");
    b = load(brm);
    section_of(&b, BR_SEC_QKV)->bytes -= 64;
    assert_file_refused(&b, "damaged");
    b = load(brm);
    h = (void *)b.at;
    h->n_sections = BR_SECTIONS_MAX + 1;
    char path[1200];
    snprintf(path, sizeof path, "%s/count.brm", dir);
    h->header_crc = 0;
    h->header_crc = br_crc32c(0, h, sizeof *h);
    store(path, b.at, b.n);
    free(b.at);
    assert_refused(path, "out of range");
}

/* Signs the file, and embeds with it. */
static void embed_with(struct bytes *b, const char *name, float v[TINY_HIDDEN])
{
    char path[1200];
    struct br_error err = {0};
    const char *text = "bike lanes and other words";
    snprintf(path, sizeof path, "%s/%s", dir, name);
    sign(b);
    store(path, b->at, b->n);
    struct br_home *home = e2e_home(dir, path);
    assert_int_equal(br_embed_texts(home, &text, 1, v, &err), 0);
    br_home_close(home);
}

static double cosine(const float *a, const float *b)
{
    double sum = 0;
    for (size_t k = 0; k < TINY_HIDDEN; k++)
        sum += (double)a[k] * (double)b[k];
    return sum;
}

/* Version 1 had no shifts, and FFN down was of one part: with the same weights and no shifts it gives nearly the same. */
static void files_of_version_1_are_read(void **state)
{
    (void)state;
    static const uint32_t TAGS[] = {BR_SEC_QKV, BR_SEC_ATTENTION_OUT, BR_SEC_FFN_UP, BR_SEC_FFN_DOWN};
    enum { PARTS = BR_LINEAR_PARTS(BR_SEC_FFN_DOWN, TINY_FFN), OUT = TINY_HIDDEN };
    float shifted[TINY_HIDDEN], zero[TINY_HIDDEN], old[TINY_HIDDEN];
    struct bytes b = load(brm);
    embed_with(&b, "shifts.brm", shifted);
    for (size_t i = 0; i < BR_COUNT(TAGS); i++) {
        struct br_section *s = section_of(&b, TAGS[i]);
        size_t n = 4 * (TAGS[i] == BR_SEC_FFN_DOWN ? TINY_FFN : TINY_HIDDEN);
        memset(b.at + s->offset + s->bytes - n, 0, n);
    }
    struct br_section *down = section_of(&b, BR_SEC_FFN_DOWN);
    float *scale = (float *)(void *)(b.at + down->offset + TINY_FFN * OUT), *bias = scale + PARTS * OUT, *smooth_inv = bias + (1 + PARTS) * OUT;
    int32_t *sums = (int32_t *)(void *)(bias + OUT);
    for (size_t i = OUT; i < PARTS * OUT; i++)
        scale[i] = scale[i % OUT];
    embed_with(&b, "zero.brm", zero);
    assert_true(cosine(shifted, zero) < 0.9);
    ((struct br_model_header *)(void *)b.at)->version = 1;
    for (size_t i = 0; i < 3; i++)
        section_of(&b, TAGS[i])->bytes -= 4 * TINY_HIDDEN;
    for (size_t i = OUT; i < PARTS * OUT; i++)
        sums[i % OUT] += sums[i];
    memmove(scale + OUT, bias, 2 * OUT * sizeof *scale); /* and the sums */
    memmove(scale + 3 * OUT, smooth_inv, TINY_FFN * sizeof *scale);
    down->bytes = TINY_FFN * OUT + 12 * OUT + 4 * TINY_FFN;
    embed_with(&b, "version1.brm", old);
    if (cosine(old, zero) < 0.99)
        fail_msg("the cosine is %f", cosine(old, zero));
    free(b.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_and_offsets_must_agree),
        cmocka_unit_test(tensors_must_not_share_bytes),
        cmocka_unit_test(weights_must_be_finite),
        cmocka_unit_test(an_overflow_is_an_error_not_a_vector),
        cmocka_unit_test(other_poolings_are_refused),
        cmocka_unit_test(nothing_is_claimed_of_unknown_weights),
        cmocka_unit_test(conversion_touches_only_its_own_files),
        cmocka_unit_test(weights_may_be_named_from_inside_their_folder),
        cmocka_unit_test(an_id_is_64_digits),
        cmocka_unit_test(texts_are_cleaned),
        cmocka_unit_test(numbers_must_be_possible),
        cmocka_unit_test(large_numbers_are_survived),
        cmocka_unit_test(sections_come_once_and_whole),
        cmocka_unit_test(files_of_version_1_are_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
