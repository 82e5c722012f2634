/* t_remote.c - vectors from an endpoint: used only as it was said, tried again as long as that makes sense, believed only when the answer is whole;
 * against a server on this machine that also fails, stalls, shuffles and lies. */
#include "upkeep.h"

#include "embed/embed.h"
#include "json_starved.h"

#include "engine_int.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xxhash.h>

#define DIM 24
#define KEY "sk-test-0123456789"

enum deed {
    WELL, TOO_MANY, BROKEN, REFUSED, NOT_FOUND, SHUFFLED, SHORT, LONG, WRONG_DIM, NOT_A_NUMBER, NULLS, ZERO, TWICE, OUTSIDE, NO_JSON, HANG_UP,
    HALF, STALL, LATER, REDIRECT, REFUSES, HUGE_BODY
};

static struct {
    int fd;
    int port;
    pthread_t thread;
    pthread_mutex_t lock;
    enum deed deeds[32]; /* of the next requests; then WELL */
    size_t n_deeds, next;
    bool ollama, stop;
    unsigned requests;
    char path[100], auth[200];
    char seen[1 << 16]; /* all texts */
    size_t longest;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void vector_of(const char *text, double *v)
{
    for (int i = 0; i < DIM; i++)
        v[i] = (double)(int32_t)XXH32(text, strlen(text), (uint32_t)i) / 1e9;
}

static json_t *vector_json(const char *text, enum deed deed)
{
    double v[DIM];
    json_t *a = json_array();
    vector_of(text, v);
    for (int i = 0; i < DIM - (deed == WRONG_DIM); i++)
        json_array_append_new(a, deed == NULLS && i == 3 ? json_null() : json_real(deed == ZERO ? 0 : v[i]));
    return a;
}

static char *answer_to(const json_t *inputs, enum deed deed)
{
    size_t n = json_array_size(inputs), give = deed == SHORT ? n - 1 : n;
    json_t *list = json_array();
    for (size_t k = 0; k < give; k++) {
        size_t i = deed == SHUFFLED ? n - 1 - k : k;
        json_t *v = vector_json(json_string_value(json_array_get(inputs, i)), deed);
        json_int_t index = deed == TWICE ? 0 : deed == OUTSIDE ? (json_int_t)i + 1 : (json_int_t)i;
        json_array_append_new(list, server.ollama ? v : json_pack("{sI so}", "index", index, "embedding", v));
    }
    if (deed == LONG)
        json_array_append(list, json_array_get(list, 0));
    json_t *o = json_pack("{so}", server.ollama ? "embeddings" : "data", list);
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (deed == NOT_A_NUMBER) { /* as Python writes it */
        char *dot = strchr(text, '.');
        memcpy(dot - 1, "NaN", 3);
    }
    if (deed == NO_JSON)
        text[0] = '<';
    return text;
}

static void send_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t k = send(fd, bytes, n, MSG_NOSIGNAL);
        if (k <= 0)
            return;
        bytes += k;
        n -= (size_t)k;
    }
}

static void reply(int fd, const char *status, const char *headers, const char *body, size_t n)
{
    char head[400];
    int len = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", status,
                       strlen(body), headers);
    send_all(fd, head, (size_t)len);
    send_all(fd, body, n);
}

static void reply_huge(int fd)
{
    static char body[1 << 20];
    memset(body, ' ', sizeof body - 1);
    body[0] = '[';
    reply(fd, "200 OK", "", body, sizeof body - 1);
}

static void take_note(const char *request, const json_t *inputs)
{
    size_t i;
    json_t *text;
    const char *auth = strcasestr(request, "\r\nAuthorization: ");
    snprintf(server.path, sizeof server.path, "%.*s", (int)strcspn(request + 5, " "), request + 5);
    snprintf(server.auth, sizeof server.auth, "%.*s", auth ? (int)strcspn(auth + 17, "\r") : 0, auth ? auth + 17 : "");
    json_array_foreach(inputs, i, text)
    {
        size_t at = strlen(server.seen), n = strlen(json_string_value(text));
        server.longest = n > server.longest ? n : server.longest;
        assert_true(n > 0); /* no endpoint takes an empty text */
        if (at + n + 2 < sizeof server.seen)
            snprintf(server.seen + at, sizeof server.seen - at, "%s\n", json_string_value(text));
    }
}

static void serve_one(int fd)
{
    static char request[1 << 20];
    size_t n = 0, want = 0;
    const char *body = NULL;
    for (ssize_t k; (!body || n < want) && (k = recv(fd, request + n, sizeof request - 1 - n, 0)) > 0;) {
        request[n += (size_t)k] = 0;
        const char *end = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "Content-Length: ");
        if (end && length) {
            body = end + 4;
            want = (size_t)(body - request) + strtoul(length + 16, NULL, 10);
        }
        if (end && strcasestr(request, "100-continue") && n < want)
            send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    }
    if (!body)
        return;
    json_t *o = json_loads(body, 0, NULL), *inputs = json_object_get(o, "input");
    pthread_mutex_lock(&server.lock);
    enum deed deed = server.next < server.n_deeds ? server.deeds[server.next++] : WELL;
    server.requests++;
    take_note(request, inputs);
    assert_string_equal(json_string_value(json_object_get(o, "model")), "mock");
    assert_true(server.ollama ? json_is_false(json_object_get(o, "truncate")) : json_object_get(o, "encoding_format") != NULL);
    char *answer = answer_to(inputs, deed);
    pthread_mutex_unlock(&server.lock);
    json_decref(o);
    if (deed == TOO_MANY)
        reply(fd, "429 Too Many Requests", "Retry-After: 1\r\n", "{}", 2);
    else if (deed == BROKEN)
        reply(fd, "503 Unavailable", "", "{}", 2);
    else if (deed == REFUSED)
        reply(fd, "401 Unauthorized", "", "{\"error\":\"wrong key " KEY "\"}", 20);
    else if (deed == NOT_FOUND)
        reply(fd, "404 Not Found", "", "{}", 2);
    else if (deed == REDIRECT)
        reply(fd, "302 Found", "Location: http://127.0.0.1:1/\r\n", "{}", 2);
    else if (deed == LATER)
        reply(fd, "429 Too Many Requests", "Retry-After: 60\r\n", "{}", 2);
    else if (deed == REFUSES)
        reply(fd, "400 Bad Request", "", "{}", 2);
    else if (deed == HUGE_BODY)
        reply_huge(fd);
    else if (deed == STALL)
        usleep(1100000);
    else if (deed != HANG_UP)
        reply(fd, "200 OK", "", answer, deed == HALF ? strlen(answer) / 2 : strlen(answer));
    free(answer);
}

static void *serve(void *arg)
{
    (void)arg;
    for (int fd; (fd = accept(server.fd, NULL, NULL)) >= 0 && !server.stop; close(fd))
        serve_one(fd);
    return NULL;
}

static int set_up(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    (void)state;
    server.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server.fd, (struct sockaddr *)&a, sizeof a) || listen(server.fd, 16) || getsockname(server.fd, (struct sockaddr *)&a, &n))
        return -1;
    server.port = ntohs(a.sin_port);
    return pthread_create(&server.thread, NULL, serve, NULL);
}

static void behave(bool ollama, const enum deed *deeds, size_t n)
{
    pthread_mutex_lock(&server.lock);
    memcpy(server.deeds, deeds, n * sizeof *deeds);
    server.n_deeds = n;
    server.next = 0;
    server.ollama = ollama;
    server.requests = 0;
    server.seen[0] = 0;
    server.longest = 0;
    pthread_mutex_unlock(&server.lock);
}
#define BEHAVE(ollama, ...) behave(ollama, (const enum deed[]){__VA_ARGS__}, sizeof((const enum deed[]){__VA_ARGS__}) / sizeof(enum deed))

static const char *url(void)
{
    static char buf[64];
    snprintf(buf, sizeof buf, "http://127.0.0.1:%d", server.port);
    return buf;
}

static struct br_model *open_remote(bool ollama, struct br_remote_config cfg)
{
    struct br_err err = {0};
    struct br_model *m = NULL;
    cfg.url = cfg.url ? cfg.url : url();
    cfg.kind = ollama ? "ollama" : "openai";
    cfg.model = "mock";
    cfg.timeout_ms = 1000;
    cfg.backoff_ms = 2;
    if (br_model_open_remote(&cfg, &m, &err))
        fail_msg("%s", err.msg);
    return m;
}

static enum br_rc embed(const struct br_model *m, const char *const *texts, size_t n, float *out, struct br_err *err)
{
    struct br_embedder *e = NULL;
    size_t lens[300];
    *err = (struct br_err){0};
    for (size_t i = 0; i < n; i++)
        lens[i] = strlen(texts[i]);
    assert_int_equal(br_embedder_new(m, &e, err), BR_OK);
    enum br_rc rc = br_embed(e, texts, lens, n, out, err);
    br_embedder_free(e);
    return rc;
}

static const char *const texts[] = {"the lake", "who broke the build?", "ol\xC3\xA9 \"quoted\"\n", "again"};

static void assert_right(const float *out, const char *const *of, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double v[DIM], norm = 0;
        vector_of(of[i], v);
        for (int k = 0; k < DIM; k++)
            norm += v[k] * v[k];
        for (int k = 0; k < DIM; k++)
            assert_true(fabs((double)out[i * DIM + (size_t)k] - v[k] / sqrt(norm)) < 1e-6);
    }
}

static void both_kinds_give_unit_vectors_in_order(void **state)
{
    (void)state;
    for (int ollama = 0; ollama < 2; ollama++) {
        float out[4 * DIM];
        struct br_err err;
        BEHAVE(ollama, WELL, SHUFFLED);
        struct br_model *m = open_remote(ollama, (struct br_remote_config){.api_key = KEY});
        assert_int_equal(br_model_info(m)->dim, DIM);
        assert_string_equal(server.path, ollama ? "/api/embed" : "/v1/embeddings");
        assert_string_equal(server.seen, "dimension\n"); /* nothing of the user's */
        if (ollama)
            BEHAVE(true, WELL);
        assert_int_equal(embed(m, texts, 4, out, &err), BR_OK);
        assert_right(out, texts, 4);
        assert_string_equal(server.auth, "Bearer " KEY);
        br_model_close(m);
    }
}

/* Where memory ends neither a digit of an answer nor a letter of a text is left out. */
static void what_finds_no_memory_is_told(void **state)
{
    (void)state;
    for (int ollama = 0; ollama < 2; ollama++) {
        bool met = true;
        unsigned at = 1;
        BEHAVE(ollama, WELL);
        struct br_model *m = open_remote(ollama, (struct br_remote_config){.dim = DIM});
        for (; met; at++) {
            float out[4 * DIM];
            struct br_err err;
            json_starve(at, ollama);
            enum br_rc rc = embed(m, texts, 4, out, &err);
            met = json_starved();
            if (rc != BR_OK && !(met && rc == BR_E_NOMEM))
                fail_msg("allocation %u: %s", at, err.msg);
            if (rc == BR_OK)
                assert_right(out, texts, 4);
        }
        assert_true(at > 4 * DIM);
        br_model_close(m);
    }
}

static void what_passes_is_tried_again(void **state)
{
    (void)state;
    static const enum deed PASSING[] = {TOO_MANY, BROKEN, HANG_UP, HALF, STALL};
    struct br_model *m = open_remote(false, (struct br_remote_config){.dim = DIM});
    for (size_t i = 0; i < sizeof PASSING / sizeof *PASSING; i++) {
        float out[4 * DIM];
        struct br_err err;
        struct timespec a, b;
        BEHAVE(false, PASSING[i]);
        clock_gettime(CLOCK_MONOTONIC, &a);
        if (embed(m, texts, 4, out, &err))
            fail_msg("%zu: %s", i, err.msg);
        clock_gettime(CLOCK_MONOTONIC, &b);
        assert_right(out, texts, 4);
        if (PASSING[i] == TOO_MANY) /* as long as it asked for */
            assert_true((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9 >= 1);
        assert_true(server.requests == 2 || PASSING[i] == STALL); /* after that one the second may come too soon */
    }
    br_model_close(m);
}

static void what_stays_is_final_and_so_is_a_lie(void **state)
{
    (void)state;
    static const struct {
        enum deed deed;
        const char *says;
    } FINAL[] = {{REFUSED, "401"},       {NOT_FOUND, "404"},     {REDIRECT, "302: it points elsewhere"}, {REFUSES, "400: it refuses"}, {HUGE_BODY, "more than"}, {SHORT, "3 vectors for 4"}, {LONG, "5 vectors for 4"},
                 {WRONG_DIM, "numbers"}, {NOT_A_NUMBER, "JSON"}, {NULLS, "finite"}, {ZERO, "zero"},             {TWICE, "indices"},
                 {OUTSIDE, "indices"},   {NO_JSON, "JSON"}};
    struct br_model *m = open_remote(false, (struct br_remote_config){.dim = DIM, .api_key = KEY});
    for (size_t i = 0; i < sizeof FINAL / sizeof *FINAL; i++) {
        float out[4 * DIM];
        struct br_err err;
        BEHAVE(false, FINAL[i].deed);
        enum br_rc rc = embed(m, texts, 4, out, &err);
        if (br_rc_exit_status(rc) != BR_STATUS_REMOTE || server.requests != 1)
            fail_msg("%zu: %d after %u requests: %s", i, rc, server.requests, err.msg);
        if (!strstr(err.msg, FINAL[i].says) || strstr(err.msg, KEY) || strchr(err.msg, '\n'))
            fail_msg("%zu: %s", i, err.msg);
    }
    /* Nor for ever. */
    float out[4 * DIM];
    struct br_err err;
    BEHAVE(false, BROKEN, BROKEN, BROKEN, BROKEN, BROKEN, BROKEN, BROKEN, BROKEN);
    assert_int_equal(embed(m, texts, 4, out, &err), BR_E_NET);
    assert_int_equal(server.requests, 6);
    assert_non_null(strstr(err.msg, "503"));
    br_model_close(m);
}

static int stop_now;

static void *stop_soon(void *arg)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    *(volatile int *)arg = SIGINT;
    return NULL;
}

/* Neither in a request that stalls nor in the wait for the next one, of which this server wants a minute. */
static void a_stop_is_not_waited_for(void **state)
{
    static const enum deed SLOW[] = {STALL, LATER};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        float out[4 * DIM];
        struct br_err err = {0};
        struct timespec a, b;
        struct br_model *m = NULL;
        pthread_t thread;
        const struct br_remote_config cfg = {.url = url(), .kind = "openai", .model = "mock", .dim = DIM, .stop = &stop_now};
        stop_now = 0;
        assert_int_equal(br_model_open_remote(&cfg, &m, &err), BR_OK);
        BEHAVE(false, SLOW[i]);
        clock_gettime(CLOCK_MONOTONIC, &a);
        pthread_create(&thread, NULL, stop_soon, &stop_now);
        assert_int_equal(embed(m, texts, 4, out, &err), BR_E_INTERRUPTED);
        clock_gettime(CLOCK_MONOTONIC, &b);
        assert_true(b.tv_sec - a.tv_sec < 20);
        pthread_join(thread, NULL);
        br_model_close(m);
    }
}

static void one_place_has_one_id_and_prefixes_are_whole(void **state)
{
    static const char *const ENDS[] = {"", "/", "/v1", "/v1/"};
    char first[65] = "", at[100];
    struct br_err err = {0};
    struct br_model *m = NULL;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        snprintf(at, sizeof at, "%s%s", url(), ENDS[i]);
        m = open_remote(false, (struct br_remote_config){.url = at, .dim = DIM});
        if (i && strcmp(br_model_info(m)->id, first) != 0)
            fail_msg("%s: %s, not %s", at, br_model_info(m)->id, first);
        snprintf(first, sizeof first, "%s", br_model_info(m)->id);
        br_model_close(m);
    }
    static const char *const BAD[] = {"Instruct: a text that is longer than what there is room for in a file\n", "query:\n"};
    for (size_t i = 0; i < 4; i++) {
        const struct br_remote_config cfg = {.url = url(), .kind = "openai", .model = "mock", .dim = DIM,
                                             .query_prefix = i < 2 ? BAD[i] : NULL, .passage_prefix = i < 2 ? NULL : BAD[i - 2]};
        m = NULL;
        err = (struct br_err){0};
        assert_int_equal(br_model_open_remote(&cfg, &m, &err), BR_E_DATA);
        assert_non_null(strstr(err.msg, i < 2 ? "query prefix" : "passage prefix"));
    }
}

static void texts_are_cut_here_and_never_empty(void **state)
{
    (void)state;
    static char big[100000];
    const char *odd[] = {"", big, "\xFF\xFE no utf-8"};
    float out[3 * DIM];
    struct br_err err;
    for (size_t i = 0; i + 6 < sizeof big; i += 5)
        memcpy(big + i, "lake ", 5);
    struct br_model *m = open_remote(false, (struct br_remote_config){.dim = DIM, .passage_prefix = "passage: "});
    BEHAVE(false, WELL);
    assert_int_equal(embed(m, odd, 3, out, &err), BR_OK);
    assert_int_equal(server.longest, strlen("passage: ") + 5 * 252 ); /* "passage", ":" and 252 pieces */
    assert_non_null(strstr(server.seen, "passage: ?? no utf-8\n"));
    br_model_close(m);
}

static void urls_that_would_leak_are_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {"http://example.org", "http://127.0.0.1.example.org", "http://user:pw@127.0.0.1", "ftp://127.0.0.1", "file:///etc/passwd",
                                      "https://example.org/?key=1", "no url at all", "http://10.0.0.1", ""};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct br_err err = {0};
        struct br_model *m = NULL;
        const struct br_remote_config cfg = {.url = BAD[i], .kind = "openai", .model = "mock", .dim = DIM};
        assert_int_equal(br_model_open_remote(&cfg, &m, &err), BR_E_USAGE);
        assert_null(strchr(err.msg, '\n'));
    }
    struct br_err err = {0};
    struct br_model *m = NULL;
    const struct br_remote_config cfg = {.url = url(), .kind = "openai", .model = "mock", .dim = DIM, .api_key = "two\r\nX: lines"};
    assert_int_equal(br_model_open_remote(&cfg, &m, &err), BR_E_USAGE);
}

/* --- A workspace --- */

static struct br_home *remote_home(const struct fixture *f, const char *model, bool may_send)
{
    struct br_home *h = NULL;
    struct br_error err = {0};
    char key[400];
    snprintf(key, sizeof key, "%s/key", f->dir);
    FILE *k = fopen(key, "w");
    fputs(KEY "\n", k);
    fclose(k);
    const struct br_home_options options = {
        .path = f->home,
        .endpoint = {.url = url(), .kind = "openai", .model = model, .api_key_file = key, .dimension = DIM, .timeout_ms = 2000, .backoff_ms = 2},
        .may_send = may_send};
    if (br_home_open_with(&options, &h, &err))
        fail_msg("%s", err.message);
    return h;
}

/* How often bytes stand in memory that can be written: before a guard page, and elsewhere. */
struct found {
    int guarded, open;
};

static struct found find_in_memory(const char *what, size_t n)
{
    enum { STEP = 1 << 20 };
    char line[400], *at = mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("/proc/self/mem", O_RDONLY), hits = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    struct found found = {0};
    size_t from, to, end = 0;
    char rights[5];
    assert_true(at != MAP_FAILED && fd >= 0 && maps);
    while (fgets(line, sizeof line, maps) && sscanf(line, "%zx-%zx %4s", &from, &to, rights) == 3) {
        *(from == end && strncmp(rights, "---", 3) == 0 ? &found.guarded : &found.open) += hits;
        hits = 0;
        end = to;
        if (strncmp(rights, "rw", 2) != 0 || to - from > (size_t)64 << 20)
            continue; /* the large ones are a sanitizer's */
        while (from < to) {
            ssize_t got = pread(fd, at, to - from < STEP ? to - from : STEP, (off_t)from);
            if (got < (ssize_t)n)
                break;
            for (ssize_t i = 0; i + (ssize_t)n <= got; i++)
                hits += from + (size_t)i - (size_t)at >= STEP && memcmp(at + i, what, n) == 0; /* not what is read here */
            from += (size_t)got - (from + (size_t)got < to ? n - 1 : 0);
        }
        memset(at, 0, STEP);
    }
    found.open += hits;
    fclose(maps);
    close(fd);
    munmap(at, STEP);
    return found;
}

static void the_key_stands_in_guarded_memory_alone(void **state)
{
    static const char key[] = "sk-guarded-in-memory-9876543210", *tail = key + 20; /* of what is freed malloc overwrites the beginning */
    struct fixture f;
    struct br_error err = {0};
    struct br_err e = {0};
    struct br_home *h = NULL;
    struct br_embedder *session = NULL;
    char path[400];
    (void)state;
    up_begin(&f);
    snprintf(path, sizeof path, "%s/key", f.dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, key, sizeof key - 1), sizeof key - 1);
    close(fd);
    const struct br_home_options options = {
        .path = f.home, .endpoint = {.url = url(), .kind = "openai", .model = "mock", .api_key_file = path, .dimension = DIM}};
    assert_int_equal(br_home_open_with(&options, &h, &err), 0);
    assert_int_equal(br_embedder_new(h->model, &session, &e), BR_OK);
    struct found found = find_in_memory(tail, strlen(tail));
    assert_int_equal(found.guarded, 1);
    assert_int_equal(found.open, 0);
    br_embedder_free(session);
    br_home_close(h);
    found = find_in_memory(tail, strlen(tail));
    assert_int_equal(found.guarded + found.open, 0);
    up_end(&f);
}

static void a_workspace_goes_to_an_endpoint_only_when_it_may(void **state)
{
    struct fixture f;
    struct br_error err = {0};
    struct br_reembed_report r;
    struct br_import_reports reports = {0};
    struct br_search_results found = {0};
    struct br_workspace *ws = NULL;
    (void)state;
    up_begin(&f);
    for (int i = 0; i < 300; i++)
        up_message(&f, i % 2, i, "U0ADALOVE", up_words(700 + (unsigned)i), -1);
    up_import(&f);
    br_home_close(f.h);
    BEHAVE(false, WELL);
    /* No consent: nothing is sent, not even by a first import. */
    f.h = remote_home(&f, "mock", false);
    assert_int_equal(br_reembed(f.h, NULL, NULL, &r, &err), BR_STATUS_USAGE);
    assert_non_null(strstr(err.message, "--send-texts"));
    assert_int_equal(br_workspace_open(f.h, NULL, &ws, &err), 0);
    assert_int_equal(br_search(ws, "lake", NULL, &found, &err), BR_STATUS_USAGE);
    br_workspace_close(ws);
    assert_int_equal(server.requests, 0);
    struct fixture other = f;
    snprintf(other.home, sizeof other.home, "%s/other", f.dir);
    other.h = remote_home(&other, "mock", false);
    assert_int_equal(br_import(other.h, f.export_dir, NULL, &reports, &err), BR_STATUS_USAGE);
    assert_int_equal(server.requests, 0);
    br_home_close(other.h);
    br_home_close(f.h);
    /* A server that fails meanwhile costs time; one that lies, the run, and nothing that was there. */
    f.h = remote_home(&f, "mock", true);
    BEHAVE(false, WELL, SHORT, SHORT);
    assert_int_equal(br_reembed(f.h, NULL, NULL, &r, &err), BR_STATUS_REMOTE);
    BEHAVE(false, BROKEN, HANG_UP, BROKEN);
    if (br_reembed(f.h, NULL, NULL, &r, &err))
        fail_msg("%s", err.message);
    assert_int_equal(r.dimension, DIM);
    assert_true(server.requests <= 3 + 1 + r.documents / 128 + r.threads_cut); /* that many texts at once, and what was tried again */
    e2e_verify(f.h, NULL);
    br_home_close(f.h);
    /* From now on it is known. */
    f.h = remote_home(&f, "mock", false);
    for (int i = 300; i < 320; i++)
        up_message(&f, i % 2, i, "U0ADALOVE", up_words(700 + (unsigned)i), -1);
    BEHAVE(false, WELL);
    up_import(&f);
    assert_true(server.requests > 0);
    free(up_search(&f, "lake", false));
    e2e_verify(f.h, NULL);
    /* A hybrid question needs the endpoint, words do not. */
    assert_int_equal(br_workspace_open(f.h, NULL, &ws, &err), 0);
    BEHAVE(false, REFUSED);
    assert_int_equal(br_search(ws, "lake", NULL, &found, &err), BR_STATUS_REMOTE);
    const struct br_search_options keyword = {.mode = BR_SEARCH_KEYWORD};
    assert_int_equal(br_search(ws, "lake", &keyword, &found, &err), 0);
    br_search_results_free(&found);
    br_workspace_close(ws);
    br_home_close(f.h);
    /* Another model of it is another model. */
    f.h = remote_home(&f, "mock2", false);
    assert_int_equal(br_workspace_open(f.h, NULL, &ws, &err), 0);
    assert_int_equal(br_search(ws, "lake", NULL, &found, &err), BR_STATUS_USAGE);
    assert_non_null(strstr(err.message, "openai-"));
    assert_non_null(strstr(err.message, "`backread reembed --endpoint URL`"));
    br_workspace_close(ws);
    assert_int_equal(e2e_files_with(f.home, KEY), 0);
    up_end(&f);
}

int main(void)
{
    json_starve_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_give_unit_vectors_in_order),
        cmocka_unit_test(what_finds_no_memory_is_told),
        cmocka_unit_test(what_passes_is_tried_again),
        cmocka_unit_test(what_stays_is_final_and_so_is_a_lie),
        cmocka_unit_test(a_stop_is_not_waited_for),
        cmocka_unit_test(one_place_has_one_id_and_prefixes_are_whole),
        cmocka_unit_test(texts_are_cut_here_and_never_empty),
        cmocka_unit_test(urls_that_would_leak_are_refused),
        cmocka_unit_test(the_key_stands_in_guarded_memory_alone),
        cmocka_unit_test(a_workspace_goes_to_an_endpoint_only_when_it_may),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
