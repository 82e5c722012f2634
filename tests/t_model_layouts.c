/* t_model_layouts.c - models of other layouts give the vectors that they define: widths, layers, pooling, prefixes, lengths, float types, names of
 * tensors, safetensors and ONNX in the forms exporters give it, compared with a slow forward pass; and what is no BERT is refused by name. */
#include "bert_onnx.h"
#include "e2e.h"

#include "embed/embed.h"
#include "json_starved.h"

static char dir[256];
static unsigned made;

static int set_up(void **state)
{
    (void)state;
    e2e_scratch(dir, sizeof dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    e2e_remove_tree(dir);
    return 0;
}

static const char *new_dir(void)
{
    static char path[4][320];
    char *p = path[made % 4];
    snprintf(p, sizeof path[0], "%s/m%u", dir, made++);
    return p;
}

static struct br_model *open_model(const char *path)
{
    struct br_model *m = NULL;
    struct br_err err = {0};
    if (br_model_open(path, &m, &err))
        fail_msg("%s", err.msg);
    return m;
}

/* Converts and opens. */
static struct br_model *converted(const char *from, const struct br_model_options *options)
{
    struct br_err err = {0};
    char out[400];
    snprintf(out, sizeof out, "%s/out%u.brm", dir, made++);
    if (br_model_convert(from, out, options, &err))
        fail_msg("%s", err.msg);
    return open_model(out);
}

static const char *const texts[] = {"", "the lake", "why is the server data again, who broke it?", "lunchs meeting zzz aabbcc . . .", "a",
                                    "query: passage: what when where why how"};
#define TEXTS (sizeof texts / sizeof *texts)

static void embed(const struct br_model *m, bool query, const char *text, float *out)
{
    struct br_embedder *e = NULL;
    struct br_err err = {0};
    size_t n = strlen(text);
    assert_int_equal(br_embedder_new(m, &e, &err), BR_OK);
    enum br_rc rc = query ? br_embed_query(e, text, n, out, &err) : br_embed(e, &text, &n, 1, out, &err);
    if (rc)
        fail_msg("%s", err.msg);
    br_embedder_free(e);
}

/* Least cosine to the slow pass, over all texts; prefix goes before each. */
static double worst_cosine(const struct br_model *m, const struct bert *b, bool cls, bool query, const char *prefix)
{
    double worst = 1, want[256];
    float got[256];
    for (size_t i = 0; i < TEXTS; i++) {
        char whole[400];
        uint16_t ids[BR_MAX_SEQ];
        snprintf(whole, sizeof whole, "%s%s", prefix, texts[i]);
        size_t n = br_tokenize(m, whole, strlen(whole), ids, br_model_info(m)->max_seq);
        bert_embed(b, ids, n, cls, want);
        embed(m, query, texts[i], got);
        double dot = 0;
        for (size_t k = 0; k < b->shape.hidden; k++)
            dot += want[k] * (double)got[k];
        worst = dot < worst ? dot : worst;
    }
    return worst;
}

static const struct bert_shape SHAPES[] = {
    {.layers = 1, .hidden = 32, .heads = 2, .ffn = 16, .positions = 300, .seed = 1},
    {.layers = 12, .hidden = 48, .heads = 4, .ffn = 80, .positions = 64, .type = BERT_F16, .prefix = "bert.", .seed = 2},
    {.layers = 4, .hidden = 80, .heads = 5, .ffn = 112, .positions = 512, .type = BERT_BF16, .seed = 3},
    {.layers = 3, .hidden = 112, .heads = 1, .ffn = 192, .positions = 40, .prefix = "0.auto_model.", .seed = 4},
    {.layers = 2, .hidden = 64, .heads = 16, .ffn = 256, .positions = 257, .type = BERT_F16, .seed = 5},
};

static void every_layout_gives_its_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++)
        for (int cls = 0; cls < 2; cls++) {
            struct bert b = bert_new(SHAPES[i]);
            const char *path = new_dir();
            bert_write_folder(&b.shape, path);
            bert_write_safetensors(&b, path);
            char pooling[400];
            snprintf(pooling, sizeof pooling, "%s/1_Pooling", path);
            assert_int_equal(mkdir(pooling, 0700), 0);
            bert_store_text(pooling, "config.json",
                            cls ? "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false, \"pooling_mode_max_tokens\": false}"
                                : "{\"pooling_mode_mean_tokens\": true}");
            struct br_model *m = open_model(path), *q = converted(path, NULL);
            assert_string_equal(br_model_info(m)->pooling, cls ? "cls" : "mean");
            assert_string_equal(br_model_info(q)->pooling, cls ? "cls" : "mean");
            assert_int_equal(br_model_info(q)->layers, b.shape.layers);
            assert_int_equal(br_model_info(q)->max_seq, b.shape.positions < 256 ? b.shape.positions : 256);
            double real = worst_cosine(m, &b, cls, false, ""), rounded = worst_cosine(q, &b, cls, true, "");
            if (real < 0.999999 || rounded < 0.97)
                fail_msg("layout %zu, %s: float %.7f, int8 %.5f", i, cls ? "cls" : "mean", real, rounded);
            br_model_close(m);
            br_model_close(q);
            bert_free(&b);
        }
}

/* The same weights with other settings are another model, and a folder's word on pooling stands. */
static void settings_come_from_the_folder_or_the_user(void **state)
{
    (void)state;
    struct bert b = bert_new(SHAPES[0]);
    struct br_err err = {0};
    const char *path = new_dir();
    char ids[5][65];
    bert_write_folder(&b.shape, path);
    bert_write_safetensors(&b, path);
    const struct br_model_options options[] = {
        {0}, {.pooling = "cls"}, {.query_prefix = "query: "}, {.query_prefix = "query: ", .passage_prefix = "passage: "}, {.max_tokens = 20}};
    for (size_t i = 0; i < 5; i++) {
        struct br_model *q = converted(path, &options[i]);
        snprintf(ids[i], 65, "%s", br_model_info(q)->id);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(ids[i], ids[k]);
        assert_true(worst_cosine(q, &b, i == 1, true, options[i].query_prefix ? options[i].query_prefix : "") > 0.97);
        assert_true(worst_cosine(q, &b, i == 1, false, options[i].passage_prefix ? options[i].passage_prefix : "") > 0.97);
        assert_int_equal(br_model_info(q)->max_seq, i == 4 ? 20 : 256);
        assert_int_equal(br_passage_pieces(q), i == 4 ? 18 : i == 3 ? 252 : 254);
        br_model_close(q);
    }
    bert_store_text(path, "config_sentence_transformers.json", "{\"prompts\": {\"query\": \"query: \", \"document\": \"passage: \"}}");
    bert_store_text(path, "sentence_bert_config.json", "{\"max_seq_length\": 128, \"do_lower_case\": false}");
    struct br_model *m = open_model(path);
    assert_true(worst_cosine(m, &b, false, true, "query: ") > 0.999999);
    assert_true(worst_cosine(m, &b, false, false, "passage: ") > 0.999999);
    assert_int_equal(br_model_info(m)->max_seq, 128);
    br_model_close(m);
    assert_int_equal(mkdir(strcat(strcpy((char[400]){0}, path), "/1_Pooling"), 0700), 0);
    bert_store_text(path, "1_Pooling/config.json", "{\"pooling_mode\": \"cls\"}");
    assert_int_equal(br_model_convert(path, "/nonexistent/x", &(struct br_model_options){.pooling = "mean"}, &err), BR_E_USAGE);
    assert_non_null(strstr(err.msg, "--pooling"));
    err = (struct br_err){0};
    assert_int_equal(br_model_convert(path, "/nonexistent/x", &(struct br_model_options){.max_tokens = 301}, &err), BR_E_USAGE);
    assert_non_null(strstr(err.msg, "maximum length"));
    bert_free(&b);
}

/* A prefix and a text are one text to the tokenizer, also where no blank parts them. */
static void prefix_and_text_meet_as_in_one_text(void **state)
{
    (void)state;
    struct bert b = bert_new(SHAPES[0]);
    const char *path = new_dir();
    bert_write_folder(&b.shape, path);
    bert_write_safetensors(&b, path);
    struct br_model *plain = converted(path, NULL), *q = converted(path, &(struct br_model_options){.query_prefix = "lake lun"});
    float want[32], got[32];
    embed(plain, false, "lake lunch", want);
    embed(q, true, "ch", got);
    assert_memory_equal(want, got, sizeof got);
    br_model_close(plain);
    br_model_close(q);
    bert_free(&b);
}

/* --- ONNX --- */

static void onnx_gives_what_safetensors_gives(void **state)
{
    (void)state;
    static const struct bert_onnx_form FORMS[] = {
        {0},
        {.norm_operator = true, .bias_last = true},
        {.transposes = true, .scale_first = true},
        {.constants = true, .float_data = true, .bias_last = true, .scale_first = true},
    };
    struct bert_shape shape = SHAPES[2];
    shape.type = BERT_F32;
    struct bert b = bert_new(shape);
    const char *path = new_dir();
    bert_write_folder(&shape, path);
    bert_write_safetensors(&b, path);
    struct br_model *want = converted(path, NULL);
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        struct br_buf file;
        const char *other = new_dir();
        bert_onnx_bytes(&b, FORMS[i], &file);
        bert_write_folder(&shape, other);
        bert_store(other, "model.onnx", file.data, file.len);
        br_buf_free(&file);
        struct br_model *got = converted(other, NULL), *real = open_model(other);
        assert_string_equal(br_model_info(got)->id, br_model_info(want)->id); /* of all that makes vectors */
        assert_true(worst_cosine(real, &b, false, false, "") > 0.999999);
        br_model_close(got);
        br_model_close(real);
    }
    br_model_close(want);
    bert_free(&b);
}

/* Who names one of two files means it, whatever lies beside it. */
static void the_weights_that_are_named_are_taken(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"model.safetensors", "model.onnx"};
    struct bert_shape shape = SHAPES[2];
    shape.type = BERT_F32;
    struct bert b = bert_new(shape);
    const char *path = new_dir();
    struct br_buf file;
    char of[2][65], named[400];
    bert_onnx_bytes(&b, (struct bert_onnx_form){0}, &file);
    bert_write_folder(&shape, path);
    bert_write_safetensors(&b, path);
    bert_store(path, "model.onnx", file.data, file.len);
    br_buf_free(&file);
    for (size_t i = 0; i < 2; i++) {
        snprintf(named, sizeof named, "%s/%s", path, NAMES[i]);
        struct br_model *m = open_model(named);
        memcpy(of[i], br_model_info(m)->source_sha256, 65);
        br_model_close(m);
    }
    assert_string_not_equal(of[0], of[1]);
    bert_free(&b);
}

static void assert_refused(const char *path, const char *says)
{
    struct br_model *m = NULL;
    struct br_err err = {0};
    enum br_rc rc = br_model_open(path, &m, &err);
    if (rc == BR_OK)
        br_model_close(m);
    if (rc != BR_E_DATA || !strstr(err.msg, says) || strchr(err.msg, '\n'))
        fail_msg("'%s' is not in: %d %s", says, rc, err.msg);
}

static void other_graphs_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct bert_onnx_form form;
        const char *says;
    } CASES[] = {
        {{.tanh_gelu = true}, "feed-forward"},
        {{.eps = 1e-5f}, "LayerNorm"},
        {{.norm_operator = true, .eps = 1e-5f}, "LayerNorm"},
        {{.extra_op = "DynamicQuantizeLinear"}, "DynamicQuantizeLinear"},
        {{.extra_op = "MatMulInteger"}, "MatMulInteger"},
    };
    struct bert b = bert_new(SHAPES[0]);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct br_buf file;
        const char *path = new_dir();
        bert_onnx_bytes(&b, CASES[i].form, &file);
        bert_write_folder(&b.shape, path);
        bert_store(path, "model.onnx", file.data, file.len);
        br_buf_free(&file);
        assert_refused(path, CASES[i].says);
    }
    /* Weights in other files are not guessed at, and a pipe is not waited for. */
    {
        struct br_buf file;
        const char *path = new_dir();
        char pipe[400];
        bert_onnx_bytes(&b, (struct bert_onnx_form){.elsewhere = true}, &file);
        bert_write_folder(&b.shape, path);
        bert_store(path, "model.onnx", file.data, file.len);
        br_buf_free(&file);
        assert_refused(path, "other files");
        path = new_dir();
        bert_write_folder(&b.shape, path);
        snprintf(pipe, sizeof pipe, "%s/model.onnx", path);
        assert_int_equal(mkfifo(pipe, 0600), 0);
        assert_refused(path, "no regular file");
    }
    /* More layers than the graph has, and fewer. */
    struct bert two = bert_new((struct bert_shape){.layers = 2, .hidden = 32, .heads = 2, .ffn = 16, .positions = 300, .seed = 9});
    for (int i = 0; i < 2; i++) {
        struct br_buf file;
        const char *path = new_dir();
        bert_onnx_bytes(i ? &two : &b, (struct bert_onnx_form){0}, &file);
        bert_write_folder(i ? &b.shape : &two.shape, path);
        bert_store(path, "model.onnx", file.data, file.len);
        br_buf_free(&file);
        assert_refused(path, i ? "embeddings" : "layer 0");
    }
    bert_free(&two);
    bert_free(&b);
}

/* Cut anywhere, or with any byte changed: refused, or a model of the right shape; never more. */
static void damaged_graphs_do_no_harm(void **state)
{
    (void)state;
    struct bert b = bert_new(SHAPES[0]);
    struct br_buf file;
    const char *path = new_dir();
    unsigned seed = 12, opened = 0;
    bert_onnx_bytes(&b, (struct bert_onnx_form){0}, &file);
    bert_write_folder(&b.shape, path);
    for (int i = 0; i < 300; i++) {
        size_t n = i % 3 ? file.len : (size_t)rand_r(&seed) % file.len;
        char *copy = malloc(file.len);
        memcpy(copy, file.data, file.len);
        for (int k = 0; i % 3 && k < 1 + i % 4; k++) {
            size_t at = (size_t)rand_r(&seed) % file.len;
            if (i % 2) { /* mostly weights: find a length or a name */
                const char *node = memmem(copy + at / 2, file.len - at / 2, "MatMul", 6);
                at = node ? (size_t)(node - copy) - 12 + (size_t)rand_r(&seed) % 24 : at;
            }
            copy[at] = (char)rand_r(&seed);
        }
        bert_store(path, "model.onnx", copy, n);
        free(copy);
        struct br_model *m = NULL;
        struct br_err err = {0};
        if (br_model_open(path, &m, &err) == BR_OK) {
            opened++;
            assert_int_equal(br_model_info(m)->dim, 32);
            br_model_close(m);
        } else {
            assert_int_equal(err.rc, BR_E_DATA);
            assert_null(strchr(err.msg, '\n'));
        }
    }
    assert_true(opened > 0 && opened < 300);
    br_buf_free(&file);
    bert_free(&b);
}

/* ChromaDB's own file, where there is one: BACKREAD_TEST_ONNX is its folder, the safetensors are in BACKREAD_TEST_DATA. */
static void chromas_file_gives_what_its_safetensors_give(void **state)
{
    (void)state;
    const char *onnx = getenv("BACKREAD_TEST_ONNX"), *data = getenv("BACKREAD_TEST_DATA");
    char path[1100];
    if (!onnx || !data) {
        print_message("BACKREAD_TEST_ONNX or BACKREAD_TEST_DATA is not set\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/models/all-MiniLM-L6-v2", data);
    struct br_model *a = open_model(onnx), *b = open_model(path);
    size_t dim = br_model_info(a)->dim;
    float x[1024], y[1024];
    for (size_t i = 0; i < TEXTS; i++) {
        embed(a, false, texts[i], x);
        embed(b, false, texts[i], y);
        assert_memory_equal(x, y, dim * sizeof *x);
    }
    br_model_close(a);
    br_model_close(b);
}

/* --- Folders --- */

static json_t *vocabulary(void)
{
    json_t *vocab = json_object();
    for (size_t i = 0; i < BERT_VOCAB; i++)
        json_object_set_new(vocab, bert_words[i], json_integer((json_int_t)i));
    return vocab;
}

static void tokens_may_come_from_tokenizer_json(void **state)
{
    (void)state;
    struct bert b = bert_new(SHAPES[0]);
    const char *path = new_dir();
    char file[400];
    bert_write_folder(&b.shape, path);
    bert_write_safetensors(&b, path);
    struct br_model *with = converted(path, NULL);
    snprintf(file, sizeof file, "%s/vocab.txt", path);
    assert_int_equal(unlink(file), 0);
    assert_refused(path, "WordPiece");
    json_t *vocab = vocabulary();
    json_t *t = json_pack("{s{ss sb} s{ss sO}}", "normalizer", "type", "BertNormalizer", "lowercase", 1, "model", "type", "WordPiece", "vocab", vocab);
    snprintf(file, sizeof file, "%s/tokenizer.json", path);
    assert_int_equal(json_dump_file(t, file, 0), 0);
    struct br_model *without = converted(path, NULL);
    assert_string_equal(br_model_info(with)->id, br_model_info(without)->id);
    br_model_close(with);
    br_model_close(without);
    json_object_set_new(vocab, "twice", json_integer(3));
    assert_int_equal(json_dump_file(t, file, 0), 0);
    assert_refused(path, "ids");
    bert_store_text(path, "tokenizer.json", "{\"model\": {\"type\": \"BPE\", \"vocab\": {}}}");
    assert_refused(path, "BPE");
    json_decref(t);
    json_decref(vocab);
    bert_free(&b);
}

/* A model is read whole, or memory is said to be short: no setting, token or place of a tensor loses characters. */
static void what_finds_no_memory_is_told(void **state)
{
    (void)state;
    struct bert b = bert_new(SHAPES[0]);
    const char *path = new_dir();
    char file[400];
    bert_write_folder(&b.shape, path);
    bert_write_safetensors(&b, path);
    json_t *vocab = vocabulary();
    json_t *t = json_pack("{s{ss so}}", "model", "type", "WordPiece", "vocab", vocab);
    snprintf(file, sizeof file, "%s/tokenizer.json", path);
    assert_int_equal(json_dump_file(t, file, 0), 0);
    json_decref(t);
    snprintf(file, sizeof file, "%s/vocab.txt", path);
    assert_int_equal(unlink(file), 0);
    bert_store_text(path, "sentence_bert_config.json", "{\"max_seq_length\": 24}");
    bert_store_text(path, "config_sentence_transformers.json", "{\"prompts\": {\"query\": \"what is asked about the lake: \"}}");
    struct br_model *whole = open_model(path);
    bool met = true;
    unsigned at = 1;
    for (; met; at++) {
        struct br_model *m = NULL;
        struct br_err err = {0};
        json_starve(at, at % 2);
        enum br_rc rc = br_model_open(path, &m, &err);
        met = json_starved();
        if (rc != BR_OK && !(met && rc == BR_E_NOMEM))
            fail_msg("allocation %u: %s", at, err.msg);
        if (rc == BR_OK)
            assert_string_equal(br_model_info(m)->id, br_model_info(whole)->id);
        br_model_close(m);
    }
    assert_true(at > BERT_VOCAB);
    br_model_close(whole);
    bert_free(&b);
}

static void what_is_no_bert_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *says;
    } CONFIGS[] = {
        {"model_type", "\"roberta\"", "roberta"},     {"model_type", "\"modernbert\"", "modernbert"},
        {"model_type", "7", "no text"},               {"hidden_act", "\"gelu_new\"", "gelu_new"},
        {"hidden_act", "\"relu\"", "relu"},           {"position_embedding_type", "\"relative_key\"", "relative_key"},
        {"layer_norm_eps", "0.00001", "layer_norm_eps"}, {"is_decoder", "true", "decoder"},
        {"hidden_size", "40", "out of range"},        {"num_attention_heads", "3", "out of range"},
        {"num_hidden_layers", "2", "no tensor"},      {"intermediate_size", "32", "expected shape"},
        {"vocab_size", "41", "vocabulary"},
    };
    static const struct {
        const char *name, *text, *says;
    } FILES[] = {
        {"modules.json", "[{\"type\": \"sentence_transformers.models.Dense\"}]", "Dense"},
        {"tokenizer_config.json", "{\"do_lower_case\": false}", "capital"},
        {"tokenizer_config.json", "{\"strip_accents\": false}", "accents"},
        {"config_sentence_transformers.json", "{\"prompts\": {\"query\": \"two\\nlines\"}}", "control"},
        {"config_sentence_transformers.json", "{\"prompts\": {\"query\": \"far too long for this, as it has more than sixty-three bytes in all\"}}", "longer"},
        {"config_sentence_transformers.json", "{", "JSON"},
    };
    struct bert b = bert_new(SHAPES[0]);
    for (size_t i = 0; i < sizeof CONFIGS / sizeof *CONFIGS; i++) {
        const char *path = new_dir();
        char file[400];
        bert_write_folder(&b.shape, path);
        bert_write_safetensors(&b, path);
        json_t *config = bert_config(&b.shape);
        json_object_set_new(config, CONFIGS[i].key, json_loads(CONFIGS[i].value, JSON_DECODE_ANY, NULL));
        snprintf(file, sizeof file, "%s/config.json", path);
        assert_int_equal(json_dump_file(config, file, 0), 0);
        json_decref(config);
        assert_refused(path, CONFIGS[i].says);
    }
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        const char *path = new_dir();
        bert_write_folder(&b.shape, path);
        bert_write_safetensors(&b, path);
        bert_store_text(path, FILES[i].name, FILES[i].text);
        assert_refused(path, FILES[i].says);
    }
    bert_add(&b, 5, 16, 0, "encoder.layer.0.attention.self.distance_embedding.weight");
    const char *path = new_dir();
    bert_write_folder(&b.shape, path);
    bert_write_safetensors(&b, path);
    assert_refused(path, "relative position");
    assert_int_equal(unlink(strcat(strcpy((char[400]){0}, path), "/model.safetensors")), 0);
    assert_refused(path, "neither");
    bert_free(&b);
}

int main(void)
{
    json_starve_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_gives_its_vectors),
        cmocka_unit_test(settings_come_from_the_folder_or_the_user),
        cmocka_unit_test(prefix_and_text_meet_as_in_one_text),
        cmocka_unit_test(onnx_gives_what_safetensors_gives),
        cmocka_unit_test(the_weights_that_are_named_are_taken),
        cmocka_unit_test(other_graphs_are_refused),
        cmocka_unit_test(damaged_graphs_do_no_harm),
        cmocka_unit_test(chromas_file_gives_what_its_safetensors_give),
        cmocka_unit_test(tokens_may_come_from_tokenizer_json),
        cmocka_unit_test(what_finds_no_memory_is_told),
        cmocka_unit_test(what_is_no_bert_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
