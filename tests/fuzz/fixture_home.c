/* fixture_home.c - see fuzz.h: a home with every kind of row a workspace has, made once by the program's own code and copied for each input. */
#include "fuzz.h"

#include "engine_int.h"
#include "sim/disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define TS(i) (INT64_C(1704103200000100) + (int64_t)(i)*1000000)
#define MESSAGES 24
#define FILES_MAX 32

static struct br_model *model;
static struct br_embedder *embedder;

static struct saved {
    char path[200]; /* below the root */
    void *bytes;
    size_t n;
} saved[FILES_MAX];
static size_t n_saved;

#define MUST(call)                                                                        \
    do {                                                                                  \
        struct br_err must_err = {0}, *err = &must_err;                                   \
        if ((call) != BR_OK) {                                                            \
            fprintf(stderr, "%s: %s\n", #call, must_err.msg);                             \
            abort();                                                                      \
        }                                                                                 \
    } while (0)

static const float *vector_of(const char *text)
{
    static float v[FUZZ_DIM];
    size_t len = strlen(text);
    MUST(br_embed(embedder, &text, &len, 1, v, err));
    return v;
}

static void put_names(struct br_store *s)
{
    static const char *const members[] = {"U0ADA00001", "U0BOB00001"};
    static const struct br_slack_channel channels[] = {
        {.id = "C0GENERAL1", .name = "general", .topic = "all", .is_general = true, .members = members, .n_members = 2},
        {.id = "C0RANDOM01", .name = "random", .kind = BR_CH_PRIVATE},
        {.id = "D0ADABOB01", .kind = BR_CH_DM, .members = members, .n_members = 2}};
    static const struct br_slack_user users[] = {{.id = "U0ADA00001", .name = "ada", .real_name = "Ada Lovelace", .display_name = "ada"},
                                                 {.id = "U0BOB00001", .name = "bob", .real_name = "Bob \xC3\x89mile"},
                                                 {.id = "U0STUB0001", .name = "stub", .is_stub = true}};
    for (size_t i = 0; i < BR_COUNT(channels); i++)
        MUST(br_slack_put_channel(s, &channels[i], err));
    for (size_t i = 0; i < BR_COUNT(users); i++)
        MUST(br_slack_put_user(s, &users[i], err));
}

static void put_message(struct br_store *s, int i)
{
    static const char *const texts[] = {"the build broke again", "lunch today?", "deploy the server to the lake", "data of the meeting",
                                        "caf\xC3\xA9 https://example.org/a?b=c :tada:"};
    static const char *const channels[] = {"C0GENERAL1", "C0GENERAL1", "C0RANDOM01", "D0ADABOB01"};
    static const char *const reactors[] = {"U0ADA00001", "U0BOB00001"};
    static const struct br_slack_reaction reactions[] = {{.name = "tada", .folded = "tada", .count = 2, .users = reactors, .n_users = 2},
                                                         {.name = "+1::skin-tone-2", .folded = "+1", .count = 3, .users = reactors, .n_users = 1}};
    static const struct br_slack_file files[] = {{.id = "F1", .name = "a.txt", .title = "A", .mimetype = "text/plain", .mode = "hosted", .size = 9}};
    char text[200], raw[300];
    enum br_slack_outcome outcome;
    snprintf(text, sizeof text, "%s %d", texts[i % 5], i % 7);
    snprintf(raw, sizeof raw, "{\"type\":\"message\",\"text\":\"%s\"}", text);
    struct br_slack_message m = {.channel_id = channels[i % 4],
                                 .ts = TS(i),
                                 .thread_ts = i % 4 < 2 && i >= 4 ? TS(i / 8 * 8 + i % 2) : 0,
                                 .user_id = i % 3 == 2 ? NULL : reactors[i % 3],
                                 .bot_id = i % 3 == 2 ? "B0BOT00001" : NULL,
                                 .bot_name = i % 3 == 2 ? "robot" : NULL,
                                 .is_bot = i % 3 == 2,
                                 .has_link = i % 5 == 4,
                                 .edited_ts = i % 6 == 5 ? TS(100) : 0,
                                 .reactions = reactions,
                                 .n_reactions = (size_t)i % 3,
                                 .files = files,
                                 .n_files = i % 9 == 0,
                                 .text = text,
                                 .text_len = strlen(text),
                                 .raw = raw,
                                 .raw_len = strlen(raw),
                                 .needs_vector = true};
    MUST(br_slack_put_message(s, &m, vector_of(text), &outcome, err));
}

static void put_passages(struct br_store *s)
{
    struct br_slack_thread_key keys[2];
    size_t n;
    MUST(br_slack_dirty_threads(s, keys, BR_COUNT(keys), &n, err));
    for (size_t i = 0; i < n; i++) {
        static const char text[] = "ada: the build broke again\nbob: deploy the server";
        struct br_slack_passage p = {.text = text,
                                     .text_len = sizeof text - 1,
                                     .first_ts = keys[i].thread_ts,
                                     .last_ts = keys[i].thread_ts,
                                     .vector = vector_of(text)};
        MUST(br_slack_put_passages(s, &keys[i], &p, 1, err));
    }
}

static void commit(struct br_store *s)
{
    MUST(br_store_commit(s, NULL, err));
    MUST(br_store_begin(s, err));
}

static void fill(struct sim_disk *disk, const char *dir)
{
    struct br_store *s;
    struct br_graph graph = {0};
    bool deleted;
    struct br_store_spec spec = {.workspace_id = FUZZ_WORKSPACE,
                                 .name = "fuzz",
                                 .domain = "fuzz.example.org",
                                 .model_id = br_model_info(model)->id,
                                 .dim = FUZZ_DIM};
    MUST(br_store_create(sim_disk_io(disk), dir, &spec, &s, err));
    MUST(br_store_begin(s, err));
    put_names(s);
    for (int i = 0; i < MESSAGES; i++) {
        put_message(s, i);
        if (i % 8 == 7)
            commit(s);
    }
    put_passages(s);
    commit(s);
    MUST(br_slack_delete_message(s, "C0GENERAL1", TS(5), TS(200), &deleted, err));
    MUST(br_store_commit(s, NULL, err));
    MUST(br_graph_follow(&graph, s, err));
    MUST(br_graph_checkpoint(&graph, sim_disk_io(disk), s, err));
    MUST(br_store_begin(s, err)); /* the tail that the graph does not have */
    for (int i = MESSAGES; i < MESSAGES + 3; i++)
        put_message(s, i);
    MUST(br_store_commit(s, NULL, err));
    br_graph_close(&graph);
    br_store_close(s);
}

static void save(void *ctx, const char *path, const void *bytes, size_t n)
{
    size_t root = strlen(sim_disk_root(ctx)) + 1;
    BR_ASSERT(n_saved < FILES_MAX);
    struct saved *f = &saved[n_saved++];
    snprintf(f->path, sizeof f->path, "%s", path + root);
    f->bytes = malloc(n + 1);
    BR_ASSERT(f->bytes);
    memcpy(f->bytes, bytes, n);
    f->n = n;
}

static void make(void)
{
    size_t n;
    struct br_registry *r;
    char home[64], dir[120];
    const uint8_t *bytes = fuzz_model_bytes(&n);
    MUST(br_model_open(fuzz_file(0, bytes, n), &model, err));
    MUST(br_embedder_new(model, &embedder, err));
    struct sim_disk *disk = sim_disk_new(1);
    snprintf(home, sizeof home, "%s/home", sim_disk_root(disk));
    snprintf(dir, sizeof dir, "%s/workspaces/" FUZZ_WORKSPACE, home);
    MUST(br_registry_open(sim_disk_io(disk), home, true, &r, NULL, err));
    MUST(br_registry_add(r, FUZZ_WORKSPACE, "fuzz", err));
    br_registry_close(r);
    fill(disk, dir);
    sim_disk_each_file(disk, save, disk);
    sim_disk_free(disk);
}

static void full_path(const struct fuzz_home *h, const char *path, char out[300])
{
    BR_ASSERT(snprintf(out, 300, "%s/%s", sim_disk_root(h->disk), path) < 300);
}

void fuzz_home_write(const struct fuzz_home *h, const char *path, const void *bytes, size_t n)
{
    const struct br_io *io = sim_disk_io(h->disk);
    char full[300];
    full_path(h, path, full);
    int fd = io->open(io->ctx, full, O_RDWR | O_CREAT | O_TRUNC, 0600);
    BR_ASSERT(fd >= 0);
    if (n)
        BR_ASSERT(br_io_pwrite_full(io, fd, bytes, n, 0) == 0);
    io->close(io->ctx, fd);
}

uint8_t *fuzz_home_read(const struct fuzz_home *h, const char *path, size_t extra, size_t *n)
{
    const struct br_io *io = sim_disk_io(h->disk);
    char full[300];
    full_path(h, path, full);
    int fd = io->open(io->ctx, full, O_RDONLY, 0);
    BR_ASSERT(fd >= 0);
    *n = (size_t)io->size(io->ctx, fd);
    uint8_t *bytes = malloc(*n + extra + 1);
    BR_ASSERT(bytes);
    if (*n)
        BR_ASSERT(br_io_pread_full(io, fd, bytes, *n, 0) == 0);
    io->close(io->ctx, fd);
    return bytes;
}

struct fuzz_home fuzz_home_new(void)
{
    if (!n_saved)
        make();
    struct fuzz_home h = {.disk = sim_disk_new(2), .home = calloc(1, sizeof *h.home)};
    const struct br_io *io = sim_disk_io(h.disk);
    static const char *const dirs[] = {"home", "home/workspaces", ("home/workspaces/" FUZZ_WORKSPACE)};
    char full[300];
    BR_ASSERT(h.home);
    for (size_t i = 0; i < BR_COUNT(dirs); i++) {
        full_path(&h, dirs[i], full);
        BR_ASSERT(io->mkdir(io->ctx, full, 0700) == 0);
    }
    snprintf(h.dir, sizeof h.dir, "%s/%s", sim_disk_root(h.disk), dirs[2]);
    for (size_t i = 0; i < n_saved; i++)
        fuzz_home_write(&h, saved[i].path, saved[i].bytes, saved[i].n);
    h.home->io = io;
    h.home->model = model;
    snprintf(h.home->path, sizeof h.home->path, "%s/home", sim_disk_root(h.disk));
    return h;
}

void fuzz_home_free(struct fuzz_home *h)
{
    free(h->home); /* the model is not its own */
    sim_disk_free(h->disk);
}
