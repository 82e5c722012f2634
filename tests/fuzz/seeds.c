/* seeds.c - writes the seed corpora: from the torture exports, from the fixtures, and by hand. Usage: fuzz_seeds SOURCE_DIR OUT_DIR
 * What it writes is committed as corpus/; to make it anew after a format has changed, run it over corpus/. */
#include "bert_onnx.h"
#include "fuzz.h"

#include "base/crc32c.h"
#include "engine_int.h"
#include "sim/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <zip.h>

#define SMALL_ZIP 2500
#define SMALL_JSON 6000

static const char *out_dir;

static void seed(const char *what, const char *name, const void *bytes, size_t n)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", out_dir, what);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", out_dir, what, name);
    FILE *f = fopen(path, "wb");
    BR_ASSERT(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static void seed_text(const char *what, const char *name, const char *text)
{
    seed(what, name, text, strlen(text));
}

/* ---- the torture exports ---- */

static void render_seeds(const char *name, const char *json, size_t n)
{
    json_t *rows = json_loadb(json, n, 0, NULL), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        char file[300], *text = json_dumps(row, JSON_COMPACT);
        if (i < 2 && text && json_object_get(row, "ts") && strlen(text) < 1500) {
            snprintf(file, sizeof file, "%.200s-%zu", name, i);
            seed_text("render", file, text);
        }
        free(text);
    }
    json_decref(rows);
}

static void add_entry(struct br_buf *archive, zip_t *z, zip_uint64_t i, const char *name)
{
    zip_stat_t st;
    zip_file_t *f = zip_stat_index(z, i, 0, &st) == 0 && st.size < SMALL_JSON ? zip_fopen_index(z, i, 0) : NULL;
    char *bytes = f ? malloc(st.size + 1) : NULL;
    if (bytes && zip_fread(f, bytes, st.size) == (zip_int64_t)st.size) {
        br_buf_addf(archive, "%s%s\n", archive->len ? "\x1E" : "", zip_get_name(z, i, ZIP_FL_ENC_RAW));
        br_buf_add(archive, bytes, st.size);
        render_seeds(name, bytes, st.size);
    }
    free(bytes);
    if (f)
        zip_fclose(f);
}

static void torture_seeds(const char *source)
{
    char dir[1024], path[2048];
    struct dirent **names;
    snprintf(dir, sizeof dir, "%s/tests/data/torture", source);
    int n = scandir(dir, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        struct br_buf archive;
        struct stat st;
        snprintf(path, sizeof path, "%s/%s/export.zip", dir, names[i]->d_name);
        br_buf_init(&archive, 1 << 20);
        zip_t *z = stat(path, &st) == 0 ? zip_open(path, ZIP_RDONLY, NULL) : NULL;
        for (zip_int64_t e = 0; z && e < zip_get_num_entries(z, 0); e++)
            add_entry(&archive, z, (zip_uint64_t)e, names[i]->d_name);
        if (archive.len && archive.len < SMALL_JSON)
            seed("export_json", names[i]->d_name, archive.data, archive.len);
        if (stat(path, &st) == 0 && st.st_size < SMALL_ZIP) {
            char bytes[SMALL_ZIP];
            FILE *f = fopen(path, "rb");
            BR_ASSERT(f && fread(bytes, 1, (size_t)st.st_size, f) == (size_t)st.st_size);
            seed("zip", names[i]->d_name, bytes, (size_t)st.st_size);
            fclose(f);
        }
        br_buf_free(&archive);
        if (z)
            zip_discard(z);
        free(names[i]);
    }
    if (n > 0)
        free(names);
}

#define MESSAGE "{\"type\":\"message\",\"user\":\"U0ADA00001\",\"ts\":\"1704103201.000100\",\"text\":\"hi <@U0BOB00001> `x` &amp; :tada:\""
static void json_seeds(void)
{
    seed_text("export_json", "dump", "C0GENERAL1.json\n{\"channel_id\":\"C0GENERAL1\",\"name\":\"general\",\"messages\":[" MESSAGE ",\"slackdump_thread_replies\":[" MESSAGE "},"
                                     "{\"type\":\"message\",\"ts\":\"1704103202.000100\",\"thread_ts\":\"1704103201.000100\",\"text\":\"re\"}]}]}");
    seed_text("export_json", "damaged", "channels.json\n[{\"id\":\"C0GENERAL1\",\"name\":\"general\"}]\x1Egeneral/2024-01-01.json\n[\n" MESSAGE
                                        "},\n{\"type\":\"message\",\"ts\":\"17041032,\"text\":\"b\n},\n" MESSAGE "}\n]");
    seed_text("export_json", "events", "channels.json\n[{\"id\":\"C0GENERAL1\",\"name\":\"general\"}]\x1Egeneral/2024-01-01.json\n[{\"type\":\"message\",\"subtype\":"
                                       "\"message_changed\",\"ts\":\"1704103205.000100\",\"message\":" MESSAGE ",\"edited\":{\"ts\":\"1704103209.000000\"}}},"
                                       "{\"type\":\"message\",\"subtype\":\"message_deleted\",\"deleted_ts\":\"1704103201.000100\",\"ts\":\"1704103206.000100\"}]");
    seed_text("render", "mrkdwn", "*b* _i_ ~s~ ```code <a|b>``` > q <https://a.b/c?d|label> <!here> <!subteam^S1|@x> <#C1|c> :+1::skin-tone-3: &lt;&amp;");
    seed_text("render", "blocks",
              MESSAGE ",\"blocks\":[{\"type\":\"rich_text\",\"elements\":[{\"type\":\"rich_text_list\",\"style\":\"ordered\",\"indent\":1,\"elements\":[{\"type\":"
                      "\"rich_text_section\",\"elements\":[{\"type\":\"text\",\"text\":\"a\",\"style\":{\"bold\":true}},{\"type\":\"link\",\"url\":\"https://a.b\","
                      "\"text\":\"t\"},{\"type\":\"user\",\"user_id\":\"U1\"},{\"type\":\"emoji\",\"name\":\"tada\",\"unicode\":\"1f389\"}]}]},{\"type\":"
                      "\"rich_text_preformatted\",\"elements\":[{\"type\":\"text\",\"text\":\"c\"}]}]},{\"type\":\"table\",\"rows\":[[{\"type\":\"raw_text\","
                      "\"text\":\"x\"}]]}],\"attachments\":[{\"title\":\"T\",\"title_link\":\"https://t\",\"text\":\"a\",\"fields\":[{\"title\":\"f\",\"value\":\"v\"}]}],"
                      "\"files\":[{\"id\":\"F1\",\"title\":\"t\",\"name\":\"n\",\"preview\":\"p\"}]}");
}

/* Every kind of block and element the renderer knows, a few to a seed. */
static void block_seeds(void)
{
    static const char *const blocks[] = {
        "{\"type\":\"header\",\"text\":{\"type\":\"plain_text\",\"text\":\"h\"}},{\"type\":\"divider\"},{\"type\":\"context\",\"elements\":[{\"type\":\"mrkdwn\","
        "\"text\":\"*c*\"},{\"type\":\"image\",\"alt_text\":\"a\"}]}",
        "{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":\"s\"},\"fields\":[{\"type\":\"mrkdwn\",\"text\":\"f\"}],\"accessory\":{\"type\":\"button\",\"text\":{"
        "\"type\":\"plain_text\",\"text\":\"b\"},\"url\":\"https://b\"}}",
        "{\"type\":\"actions\",\"elements\":[{\"type\":\"static_select\",\"placeholder\":{\"type\":\"plain_text\",\"text\":\"p\"},\"options\":[]}]},{\"type\":\"image\","
        "\"title\":{\"type\":\"plain_text\",\"text\":\"i\"},\"alt_text\":\"x\",\"image_url\":\"https://i\"},{\"type\":\"video\",\"title\":{\"text\":\"v\"},\"title_url\":"
        "\"https://v\",\"description\":{\"text\":\"d\"}},{\"type\":\"file\",\"external_id\":\"e\"}",
        "{\"type\":\"rich_text\",\"elements\":[{\"type\":\"rich_text_quote\",\"elements\":[{\"type\":\"broadcast\",\"range\":\"here\"},{\"type\":\"usergroup\","
        "\"usergroup_id\":\"S1\"},{\"type\":\"channel\",\"channel_id\":\"C1\"},{\"type\":\"date\",\"timestamp\":1704103201,\"format\":\"{date}\",\"fallback\":\"f\"},{"
        "\"type\":\"color\",\"value\":\"#fff\"},{\"type\":\"team\",\"team_id\":\"T1\"}]}]}",
        "{\"type\":\"table\",\"rows\":[[{\"type\":\"raw_text\",\"text\":\"x\"},{\"type\":\"rich_text\",\"elements\":[{\"type\":\"rich_text_section\",\"elements\":[{\"type\":"
        "\"text\",\"text\":\"y\",\"style\":{\"code\":true,\"strike\":true,\"italic\":true}}]}]}]]},{\"type\":\"markdown\",\"text\":\"# m\"},{\"type\":\"input\",\"label\":{"
        "\"text\":\"l\"},\"element\":{}}"};
    for (size_t i = 0; i < BR_COUNT(blocks); i++) {
        char text[2000], name[32];
        snprintf(text, sizeof text, "%s,\"blocks\":[%s]}", MESSAGE, blocks[i]);
        snprintf(name, sizeof name, "blocks-%zu", i);
        seed_text("render", name, text);
    }
}

/* ---- logs and graph ---- */

static void number(struct br_buf *b, uint64_t v, size_t bytes)
{
    br_buf_add(b, &v, bytes); /* little endian */
}

static void log_seeds(void)
{
    for (unsigned flags = 0; flags < 16; flags += 3) {
        struct br_buf b;
        char name[32];
        br_buf_init(&b, 1 << 20);
        number(&b, flags, 1);
        number(&b, 5, 1);
        const uint64_t rows[5][3] = {{1, 4096, 5}, {2, 4128, 20}, {3, 4176, 0}, {4, 4096, UINT64_MAX - 23}, {5, 8192, 8}};
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < 3; j++)
                number(&b, rows[i][j], 8);
        if (flags & 1)
            br_buf_add(&b, "\4\20\0\0aaaaaaaaaaaaaaaaaaaa", 24);
        for (int i = 0; i < 40; i++)
            br_buf_adds(&b, "text....");
        snprintf(name, sizeof name, "flags-%u", flags);
        seed("content_log", name, b.data, b.len);
        br_buf_reset(&b);
        number(&b, flags & 3, 1);
        number(&b, 7 + flags, 1);
        number(&b, 4, 1);
        const uint64_t slots[4] = {0, 3, UINT64_C(1) << 47, UINT64_MAX / 16};
        for (int i = 0; i < 4; i++)
            number(&b, slots[i], 8);
        number(&b, flags + 2, 2);
        if (flags & 1)
            br_buf_add(&b, "\4\20\0\0aaaaaaaaaaaaaaaaaaaa", 24);
        for (int i = 0; i < 160; i++) {
            float v = i % 41 == 40 ? (float)0xffffffff * (float)i : (float)i / 160;
            br_buf_add(&b, &v, 4);
        }
        seed("vector_log", name, b.data, b.len);
        br_buf_free(&b);
    }
}

static void graph_seed(const char *name, uint32_t dim, uint32_t M, uint64_t nodes, uint8_t flags)
{
    struct br_index_config cfg = {.dim = dim, .M = M, .ef_construction = 16, .seed = 7};
    struct br_index_identity id = {.generation = 1, .applied_seq = 3};
    struct br_index *ix;
    struct br_err err = {0};
    struct br_buf b;
    float v[64];
    char path[64];
    struct sim_disk *disk = sim_disk_new(1);
    const struct br_io *io = sim_disk_io(disk);
    snprintf(path, sizeof path, "%s/graph.3", sim_disk_root(disk));
    BR_ASSERT(br_index_create(&cfg, &ix, &err) == BR_OK);
    for (uint64_t i = 0; i < nodes; i++) {
        memset(v, 0, sizeof v);
        v[i % dim] = 0.8f;
        v[(i * 7 + 1) % dim] += 0.6f;
        BR_ASSERT(br_index_add(ix, 2 * i, v, &err) == BR_OK);
    }
    br_index_remove(ix, 4);
    BR_ASSERT(br_index_checkpoint(ix, io, path, &id, &err) == BR_OK);
    br_index_close(ix);
    int fd = io->open(io->ctx, path, O_RDONLY, 0);
    size_t n = (size_t)io->size(io->ctx, fd);
    char *bytes = malloc(n);
    BR_ASSERT(bytes && br_io_pread_full(io, fd, bytes, n, 0) == 0);
    io->close(io->ctx, fd);
    br_buf_init(&b, 1 << 20);
    number(&b, flags, 1);
    number(&b, 4, 1);
    number(&b, 2 * nodes + 5, 1);
    br_buf_add(&b, bytes, n);
    seed("graph", name, b.data, b.len);
    br_buf_free(&b);
    free(bytes);
    sim_disk_free(disk);
}

/* ---- databases ---- */

static void registry_seeds(void)
{
    size_t n;
    struct fuzz_home h = fuzz_home_new();
    uint8_t *bytes = fuzz_home_read(&h, "home/registry.db", 0, &n);
    memmove(bytes + 1, bytes, n); /* room for one byte more is there */
    for (uint8_t flags = 0; flags < 2; flags++) {
        bytes[0] = flags;
        seed("registry", flags ? "written" : "read", bytes, n + 1);
    }
    seed("registry", "empty", "\1", 1);
    seed("registry", "header", bytes, 101);
    free(bytes);
    fuzz_home_free(&h);
}

static void metadata_seeds(void)
{
    seed("metadata", "sound", "\0", 1);
    seed("metadata", "sound-written", "\3", 1);
    /* A table that is a view: sqlite_schema is the last of the tables. */
    for (unsigned row = 0; row < 40; row += 9) {
        static const char view[] = "CREATE VIEW x AS SELECT 1, 2, 3";
        struct br_buf b;
        char name[32];
        br_buf_init(&b, 1024);
        br_buf_add(&b, "\1\3", 2);
        for (int column = 0; column < 3; column++) {
            const uint8_t head[] = {22, (uint8_t[]){0, 3, 4}[column], (uint8_t)row};
            br_buf_add(&b, head, sizeof head);
            br_buf_add(&b, column == 1 ? "\0\0" : column == 0 ? "\4\4view" : "\4\37", column == 1 ? 2 : column == 0 ? 6 : 2);
            if (column == 2)
                br_buf_adds(&b, view);
        }
        snprintf(name, sizeof name, "schema-%u", row);
        seed("metadata", name, b.data, b.len);
        br_buf_free(&b);
    }
    for (unsigned t = 0; t < 24; t++)
        for (unsigned c = 0; c < 2; c++) {
            struct br_buf b;
            char name[32];
            br_buf_init(&b, 1024);
            number(&b, (t + c) % 4, 1);
            number(&b, 2, 1);
            for (unsigned i = 0; i < 2; i++) {
                number(&b, t, 1);
                number(&b, 2 + 3 * c + i, 1);
                number(&b, i, 1);
                number(&b, 0, 1);
                number(&b, 5 * t + 7 * c + i, 1);
            }
            snprintf(name, sizeof name, "table-%u-%u", t, c);
            seed("metadata", name, b.data, b.len);
            br_buf_free(&b);
        }
    seed("metadata", "bytes", "\0\0\0\1\2\3abcd\1\0\1\0\12\3\0\100\0", 19);
}

static void model_seeds(void)
{
    size_t n;
    const uint8_t *brm = fuzz_model_bytes(&n);
    uint8_t *bytes = malloc(n + 1);
    BR_ASSERT(bytes);
    memcpy(bytes + 1, brm, n);
    bytes[0] = 1;
    seed("model", "brm", bytes, n + 1);
    free(bytes);
    seed("model", "brm-changed", "\0\4\20\0\0\1\1\30\0\0\3", 11);
    seed("model", "brm-sections", "\0\5\230\2\0\22\5\240\2\0\24\3\0\100\0", 15);
    const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[16,20]}} ";
    struct br_buf b;
    br_buf_init(&b, 4096);
    number(&b, 2, 1);
    number(&b, sizeof header - 1, 8);
    br_buf_adds(&b, header);
    br_buf_add(&b, "\0\0\200?\0\0\200?\0\0\200?\0\0\200?\0\0\200?", 20);
    seed("model", "safetensors", b.data, b.len);
    br_buf_reset(&b);
    br_buf_add(&b, "\3\0\0\0\0", 5);
    seed("model", "weights", b.data, b.len);
    br_buf_add(&b, "\4\100\0\0123\1\0\1\0\22", 11);
    seed("model", "weights-changed", b.data, b.len);
    br_buf_reset(&b);
    const char config[] = "{\"hidden_size\":48,\"num_hidden_layers\":2,\"num_attention_heads\":3,\"intermediate_size\":64,\"vocab_size\":4,"
                          "\"max_position_embeddings\":512}";
    number(&b, 3, 1);
    number(&b, sizeof config - 1, 2);
    br_buf_adds(&b, config);
    number(&b, 24, 2);
    br_buf_adds(&b, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n");
    seed("model", "weights-config", b.data, b.len);
    br_buf_free(&b);
}

static void onnx_seeds(void)
{
    static const struct bert_onnx_form forms[] = {{0},
                                                  {.norm_operator = true, .bias_last = true, .float_data = true},
                                                  {.transposes = true, .scale_first = true, .norm_operator = true},
                                                  {.constants = true, .norm_operator = true}};
    struct bert b = bert_new((struct bert_shape){.layers = 1, .hidden = 4, .heads = 2, .ffn = 8, .positions = 6, .seed = 3});
    for (size_t i = 0; i < BR_COUNT(forms); i++) {
        struct br_buf file, kind;
        char name[32];
        bert_onnx_bytes(&b, forms[i], &file);
        br_buf_init(&kind, 1 << 20);
        number(&kind, 4, 1);
        br_buf_add(&kind, file.data, file.len);
        snprintf(name, sizeof name, "onnx-%zu", i);
        seed("model", name, kind.data, kind.len);
        br_buf_free(&kind);
        br_buf_free(&file);
    }
    bert_free(&b);
}

static void query_seeds(void)
{
    static const char *const queries[] = {"the build broke",
                                          "in:general from:ada \"build broke\" -lunch",
                                          "-in:random -from:bob has::tada: has:link is:thread",
                                          "in:@ada after:2024-01-01 before:2025 on:today during:2024-01",
                                          "-\"deploy the\" from:robot has:file has:reaction has:thread",
                                          "from:\"Ada Lovelace\" \xE2\x80\x9Cquoted\xE2\x80\x9D -has::+1:",
                                          "caf\xC3\xA9 AND OR NOT NEAR(a b) \"a\"\"b\" * ^x {y}: col:z",
                                          "before:1704103201.000100 -before:1970",
                                          "https://fuzz.example.org/archives/C0GENERAL1/p1704103208000100?thread_ts=1704103208.000100",
                                          "C0GENERAL1:1704103208.000100",
                                          "x\x1F" "cgeneral\x1Fuada\x1Fhlink\x1F" "a2023\x1F" "b2025-02-30"};
    for (size_t i = 0; i < BR_COUNT(queries); i++) {
        char name[32];
        struct br_buf b;
        br_buf_init(&b, 4096);
        number(&b, 128 + i * 9, 1);
        br_buf_adds(&b, queries[i]);
        snprintf(name, sizeof name, "query-%zu", i);
        seed("query", name, b.data, b.len);
        br_buf_free(&b);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s SOURCE_DIR OUT_DIR\n", argv[0]);
        return 2;
    }
    out_dir = argv[2];
    torture_seeds(argv[1]);
    json_seeds();
    block_seeds();
    log_seeds();
    graph_seed("small", 8, 4, 24, 3);
    graph_seed("walked", 16, 4, 40, 7);
    graph_seed("one", 4, 4, 1, 5);
    registry_seeds();
    metadata_seeds();
    model_seeds();
    onnx_seeds();
    query_seeds();
    return 0;
}
