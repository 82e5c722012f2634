/* schema_fixture.c - writes a small workspace with this program's schema: `schema_fixture DIR`.
 *
 * Run once by each release that changes the schema, its output is committed as tests/data/schema/v<N>/; t_store_migrate.c then
 * proves that every later program brings it up to date. Not a test itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "slack.h"
#include "store_int.h"

#define CH "C0FIXTURE1"
#define T0 INT64_C(1434567890000100)
#define AT(n) (T0 + (int64_t)(n) * 1000000)
#define DIM 8

#define MUST(call)                                                 \
    do {                                                           \
        if ((call) != BR_OK) {                                     \
            fprintf(stderr, "schema_fixture: %s\n", err.msg);      \
            exit(1);                                               \
        }                                                          \
    } while (0)

static void put(struct br_store *s, struct br_slack_message m, const char *text)
{
    struct br_err err = {0};
    char raw[256];
    float v[DIM] = {0};
    enum br_slack_outcome outcome;
    int n = snprintf(raw, sizeof(raw), "{\"ts\":\"%lld\",\"text\":\"%s\"}", (long long)m.ts, text);
    v[strlen(text) % DIM] = 1;
    m.channel_id = CH;
    m.text = text;
    m.text_len = strlen(text);
    m.raw = raw;
    m.raw_len = (size_t)n;
    m.needs_vector = m.cls == BR_MSG_CONTENT && text[0];
    MUST(br_slack_put_message(s, &m, m.needs_vector ? v : NULL, &outcome, &err));
}

static void fill(struct br_store *s)
{
    struct br_err err = {0};
    const char *users[] = {"U0FIXTURE1", "U0FIXTURE2"};
    const struct br_slack_reaction wave = {.name = "wave::skin-tone-2", .folded = "wave", .count = 2, .users = users, .n_users = 2};
    const struct br_slack_file file = {.id = "F0FIXTURE1", .name = "map.png", .mimetype = "image/png", .size = 4711};
    MUST(br_slack_put_user(s, &(struct br_slack_user){.id = users[0], .name = "ada", .real_name = "Ada Lovelace"}, &err));
    MUST(br_slack_put_user(s, &(struct br_slack_user){.id = users[1], .name = "bot", .is_bot = true}, &err));
    MUST(br_slack_put_channel(s, &(struct br_slack_channel){.id = CH, .name = "general", .members = users, .n_members = 2}, &err));
    put(s, (struct br_slack_message){.ts = AT(1), .user_id = users[0], .reactions = &wave, .n_reactions = 1}, "good morning, lake");
    put(s, (struct br_slack_message){.ts = AT(2), .thread_ts = AT(2), .user_id = users[0], .reply_count = 1}, "where are the roads");
    put(s, (struct br_slack_message){.ts = AT(3), .thread_ts = AT(2), .user_id = users[1], .is_bot = true}, "in the second layer");
    put(s, (struct br_slack_message){.ts = AT(4), .user_id = users[0], .files = &file, .n_files = 1}, "a map of them");
    put(s, (struct br_slack_message){.ts = AT(5), .user_id = users[1], .subtype = "channel_join", .cls = BR_MSG_SYSTEM}, "joined");
    put(s, (struct br_slack_message){.ts = AT(6), .user_id = users[1]}, "a secret to be deleted");
}

static void change(struct br_store *s)
{
    struct br_err err = {0};
    bool deleted;
    float v[DIM] = {1};
    const struct br_slack_thread_key key = {.channel_id = CH, .thread_ts = AT(2)};
    const char text[] = "ada: where are the roads\nbot: in the second layer";
    const struct br_slack_passage p = {
        .text = text, .text_len = sizeof(text) - 1, .first_ts = AT(2), .last_ts = AT(3), .vector = v};
    put(s, (struct br_slack_message){.ts = AT(1), .user_id = "U0FIXTURE1", .edited_ts = AT(9)}, "good evening, lake");
    MUST(br_slack_delete_message(s, CH, AT(6), AT(8), &deleted, &err));
    MUST(br_slack_put_passages(s, &key, &p, 1, &err));
}

/* What is reserved past the tails is nothing but zeros: not worth committing. */
static void cut(const char *dir, const char *name, uint64_t size)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (truncate(path, (off_t)size) < 0) {
        perror(path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct br_err err = {0};
    struct br_store *s = NULL;
    struct br_store_info info;
    const struct br_store_spec spec = {.workspace_id = "T0FIXTURE1", .name = "fixture", .model_id = "fixture", .dim = DIM};
    char lock[4096];
    if (argc != 2) {
        fputs("usage: schema_fixture DIR\n", stderr);
        return 2;
    }
    MUST(br_store_create(&br_io_posix, argv[1], &spec, &s, &err));
    MUST(br_store_begin(s, &err));
    fill(s);
    MUST(br_store_commit(s, NULL, &err));
    MUST(br_store_begin(s, &err));
    change(s);
    MUST(br_store_commit(s, NULL, &err));
    MUST(br_store_info(s, &info, &err));
    br_store_close(s);
    cut(argv[1], "content.1", info.content_tail);
    cut(argv[1], "vectors.1", 4096 + info.vector_tail * DIM * 4);
    snprintf(lock, sizeof(lock), "%s/LOCK", argv[1]);
    unlink(lock);
    return 0;
}
