/* t_reembed.c - a workspace moves to another model as a whole or not at all: readers go on with the old one until then, a run that was killed is
 * finished by the next, whatever happened in between, and a power cut leaves one of the two states. */
#include "upkeep.h"

#include "bert_onnx.h"

#include "sim/workload.h"
#include "slack_upkeep.h"
#include "store.h"

#include <signal.h>
#include <sys/wait.h>
#include <xxhash.h>

static char model_b[320], model_c[320]; /* 48 dimensions, and 80 whose texts are short */

static void make_model(const char *name, struct bert_shape shape, size_t max_tokens, char path[320])
{
    struct bert b = bert_new(shape);
    struct br_error err = {0};
    char folder[300];
    const struct br_convert_options options = {.max_tokens = max_tokens, .pooling = "cls", .query_prefix = "query: "};
    (void)up_model();
    snprintf(folder, sizeof folder, "%s/%s", up_model_dir, name);
    snprintf(path, 320, "%s/%s.brm", up_model_dir, name);
    bert_write_folder(&b.shape, folder);
    bert_write_safetensors(&b, folder);
    if (br_model_file_convert_with(folder, path, &options, &err))
        fail_msg("%s", err.message);
    bert_free(&b);
}

static int set_up(void **state)
{
    (void)state;
    make_model("b", (struct bert_shape){.layers = 2, .hidden = 48, .heads = 4, .ffn = 96, .positions = 300, .seed = 5}, 0, model_b);
    make_model("c", (struct bert_shape){.layers = 1, .hidden = 80, .heads = 2, .ffn = 32, .positions = 64, .seed = 6}, 24, model_c);
    return 0;
}

/* Texts that both vocabularies know. */
static const char *words(unsigned seed)
{
    static char buf[4096][120];
    static int at;
    char *p = buf[at = (at + 1) % 4096];
    *p = 0;
    for (unsigned n = 3 + (unsigned)rand_r(&seed) % 8; n; n--) {
        strcat(p, bert_words[5 + rand_r(&seed) % 11]);
        strcat(p, " ");
    }
    return p;
}

static void fill(struct fixture *f, int from, int n)
{
    for (int i = from; i < from + n; i++)
        up_message(f, i % 2, i, i % 3 ? "U0ADALOVE" : "U0BABBAGE", i % 9 == 4 ? "the data is on the lake" : words(1000 + (unsigned)i),
                   i % 5 ? -1 : i / 50 * 50);
}

static const char *const queries[] = {"the lake", "deploy broke again today", "where is the meeting"};

/* By meaning: the keyword side ranks equal words by how the archive came to be. */
static char *answers(const struct fixture *f)
{
    char *out = NULL;
    size_t n = 0;
    FILE *m = open_memstream(&out, &n);
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    const struct br_search_options opt = {.n = 50, .exact = true, .mode = BR_SEARCH_SEMANTIC};
    if (br_workspace_open(f->h, NULL, &ws, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < 3; i++) {
        struct br_search_results r = {0};
        if (br_search(ws, queries[i], &opt, &r, &err))
            fail_msg("%s", err.message);
        for (size_t k = 0; k < r.count; k++)
            fprintf(m, "%lld %d %.6f %s\n", (long long)r.hits[k].message.ts, r.hits[k].kind, r.hits[k].semantic, r.hits[k].message.text);
        br_search_results_free(&r);
    }
    br_workspace_close(ws);
    fclose(m);
    return out;
}

static void use_model(struct fixture *f, const char *path)
{
    br_home_close(f->h);
    f->h = e2e_home(f->home, path);
}

static struct br_reembed_report reembed(struct fixture *f)
{
    struct br_error err = {0};
    struct br_reembed_report r = {0};
    if (br_reembed(f->h, NULL, NULL, &r, &err))
        fail_msg("%s", err.message);
    return r;
}

static int count_files(const struct fixture *f, const char *prefix)
{
    int n = 0;
    DIR *d = opendir(f->ws_dir);
    for (struct dirent *e; (e = readdir(d));)
        n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    closedir(d);
    return n;
}

/* The answers of a workspace that was imported with the model from the start. */
static char *fresh_answers(struct fixture *f, const char *model)
{
    struct fixture other = *f;
    snprintf(other.home, sizeof other.home, "%s/fresh", f->dir);
    e2e_remove_tree(other.home);
    other.h = e2e_home(other.home, model);
    up_import(&other);
    char *out = answers(&other);
    br_home_close(other.h);
    return out;
}

static void assert_is_as_imported(struct fixture *f, const char *model)
{
    char *want = fresh_answers(f, model), *got = answers(f);
    assert_string_equal(want, got);
    free(want);
    free(got);
    e2e_verify(f->h, NULL);
    struct br_workspace_status s = up_status(f);
    struct br_model_description m;
    struct br_error err;
    assert_int_equal(br_model_describe(f->h, &m, &err), 0);
    assert_string_equal(s.model_id, m.id);
    assert_int_equal(s.indexed_seq, s.last_seq);
    assert_int_equal(s.pending_threads, 0);
    br_workspace_status_free(&s);
    assert_int_equal(count_files(f, "reembed."), 0);
    assert_int_equal(count_files(f, "vectors."), 1);
    assert_int_equal(count_files(f, "content."), 1);
}

static void the_workspace_is_as_if_imported_with_the_new_model(void **state)
{
    struct fixture f;
    (void)state;
    up_begin(&f);
    fill(&f, 0, 400);
    up_import(&f);
    char *before = answers(&f);
    use_model(&f, model_b);
    struct br_reembed_report r = reembed(&f);
    assert_false(r.already);
    assert_int_equal(r.dimension, 48);
    assert_true(r.embedded > 300 && r.embedded < r.documents && r.kept == 0); /* equal texts once */
    assert_is_as_imported(&f, model_b);
    /* Life goes on. */
    fill(&f, 400, 40);
    up_import(&f);
    assert_is_as_imported(&f, model_b);
    r = reembed(&f);
    assert_true(r.already && r.embedded == 0);
    /* And back. */
    use_model(&f, up_model());
    reembed(&f);
    assert_is_as_imported(&f, up_model());
    free(before);
    up_end(&f);
}

static void passages_are_cut_for_the_new_model(void **state)
{
    struct fixture f;
    (void)state;
    up_begin(&f);
    fill(&f, 0, 120);
    up_import(&f);
    use_model(&f, model_c);
    struct br_reembed_report r = reembed(&f);
    assert_true(r.threads_cut > 0);
    assert_is_as_imported(&f, model_c);
    up_end(&f);
}

static void another_model_is_refused_with_the_way_out(void **state)
{
    struct fixture f;
    struct br_error err = {0};
    struct br_workspace *ws = NULL;
    struct br_search_results r = {0};
    struct br_import_reports reports = {0};
    struct br_compact_report c;
    struct br_search_options keyword = {.mode = BR_SEARCH_KEYWORD};
    (void)state;
    up_begin(&f);
    fill(&f, 0, 20);
    up_import(&f);
    use_model(&f, model_b);
    assert_int_equal(br_workspace_open(f.h, NULL, &ws, &err), 0);
    assert_int_equal(br_search(ws, "the lake", NULL, &r, &err), BR_STATUS_USAGE);
    assert_non_null(strstr(err.message, "`backread reembed --model FILE`"));
    assert_null(strchr(err.message, '\n'));
    assert_int_equal(br_search(ws, "the lake", &keyword, &r, &err), 0);
    br_search_results_free(&r);
    br_workspace_close(ws);
    assert_int_equal(br_import(f.h, f.export_dir, NULL, &reports, &err), BR_STATUS_USAGE);
    assert_int_equal(br_compact(f.h, NULL, NULL, &c, &err), BR_STATUS_USAGE);
    use_model(&f, up_model());
    e2e_verify(f.h, NULL);
    up_end(&f);
}

/* --- Stopped in the middle --- */

struct stopper {
    const struct fixture *f;
    const struct br_model *model;
    unsigned left; /* steps until it stops; 0: never */
    bool kill;
    void (*each)(struct stopper *st, const char *phase);
    const char *want;
    unsigned looked;
};

static enum br_rc embed(void *ctx, const char *const *texts, const size_t *lens, size_t n, float *out, struct br_err *err)
{
    const struct stopper *st = ctx;
    return br_embed_many(st->model, texts, lens, n, 2, out, err);
}

static enum br_rc stop_step(void *ctx, const char *phase, uint64_t done, uint64_t total, struct br_err *err)
{
    struct stopper *st = ctx;
    (void)done, (void)total;
    if (st->each)
        st->each(st, phase);
    if (st->left && --st->left == 0) {
        if (st->kill)
            raise(SIGKILL);
        return br_fail(err, BR_E_INTERRUPTED, "stopped");
    }
    return BR_OK;
}

static enum br_rc reembed_low(struct stopper *st, struct br_slack_reembed_report *report, struct br_err *err)
{
    struct br_store *s = NULL;
    struct br_model *m = NULL;
    enum br_rc rc;
    BR_TRY(br_model_open(model_b, &m, err));
    st->model = m;
    BR_TRY(br_store_open(&br_io_posix, st->f->ws_dir, BR_STORE_WRITE, &s, err));
    const struct br_slack_reembed how = {
        .model_id = br_model_info(m)->id, .dim = 48, .ctx = st, .embed = embed, .step = stop_step, .report = report};
    BR_TRY(br_slack_reembed(s, &how, err));
err:
    br_store_close(s);
    br_model_close(m);
    return rc;
}

/* Killed at its k-th step; false when it had fewer. */
static bool killed_at(const struct fixture *f, unsigned k)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct br_slack_reembed_report report;
        struct br_err err = {0};
        struct stopper st = {.f = f, .left = k, .kill = true};
        _exit(reembed_low(&st, &report, &err));
    }
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static void search_with_old_model(struct stopper *st, const char *phase)
{
    (void)phase;
    char *got = answers(st->f);
    assert_string_equal(got, st->want);
    free(got);
    st->looked++;
}

static void readers_go_on_until_the_flip_and_then_are_told(void **state)
{
    struct fixture f;
    struct br_err err = {0};
    struct br_error e = {0};
    struct br_slack_reembed_report report;
    struct br_workspace *old = NULL, *new = NULL;
    struct br_search_results r = {0};
    (void)state;
    up_begin(&f);
    fill(&f, 0, 600);
    up_import(&f);
    char *before = answers(&f);
    struct br_home *other = e2e_home(f.home, model_b);
    assert_int_equal(br_workspace_open(f.h, NULL, &old, &e), 0);
    assert_int_equal(br_workspace_open(other, NULL, &new, &e), 0);
    assert_int_equal(br_search(new, "the lake", NULL, &r, &e), BR_STATUS_USAGE);
    struct stopper st = {.f = &f, .each = search_with_old_model, .want = before};
    assert_int_equal(reembed_low(&st, &report, &err), BR_OK);
    assert_true(st.looked > 3);
    /* Open all the time: the one is refused, the other works, and sees the new vectors. */
    assert_int_equal(br_search(old, "the lake", NULL, &r, &e), BR_STATUS_USAGE);
    assert_int_equal(br_search(new, "the lake", NULL, &r, &e), 0);
    assert_int_equal(r.count, BR_SEARCH_N_DEFAULT);
    br_search_results_free(&r);
    br_workspace_close(old);
    br_workspace_close(new);
    br_home_close(other);
    use_model(&f, model_b);
    assert_true(reembed(&f).already); /* completes: the graph */
    assert_is_as_imported(&f, model_b);
    free(before);
    up_end(&f);
}

static void killed_anywhere_it_goes_on(void **state)
{
    struct fixture f;
    (void)state;
    up_begin(&f);
    fill(&f, 0, 700);
    up_import(&f);
    char *before = answers(&f);
    unsigned k = 1;
    for (; killed_at(&f, k); k++) { /* embedding, copying, each time a little further */
        char *got = answers(&f);
        assert_string_equal(before, got);
        free(got);
        e2e_verify(f.h, NULL);
        assert_true(k < 50);
    }
    assert_true(k > 2);
    use_model(&f, model_b);
    reembed(&f);
    assert_is_as_imported(&f, model_b);
    free(before);
    up_end(&f);
}

static void what_was_done_is_kept_whatever_comes_between(void **state)
{
    struct fixture f;
    (void)state;
    up_begin(&f);
    fill(&f, 0, 700);
    up_import(&f);
    assert_true(killed_at(&f, 2)); /* two blocks are done */
    /* Edits, new messages, a compaction. */
    for (size_t i = 0; i < 30; i++)
        json_object_set_new(json_array_get(f.days[0], 11 * i), "text", json_string(words(90000 + (unsigned)i)));
    for (size_t i = 0; i < 30; i++)
        json_object_set_new(json_array_get(f.days[0], 11 * i), "edited", json_pack("{ss ss}", "user", "U0ADALOVE", "ts", up_ts(9000)));
    fill(&f, 700, 60);
    up_import(&f);
    struct br_compact_report c;
    struct br_error err = {0};
    assert_int_equal(br_compact(f.h, NULL, NULL, &c, &err), 0);
    e2e_verify(f.h, NULL);
    use_model(&f, model_b);
    struct br_reembed_report r = reembed(&f);
    assert_true(r.kept > 400 && r.kept < r.documents);
    assert_is_as_imported(&f, model_b);
    up_end(&f);
}

/* Run without the other model, by mistake say. */
static void the_present_model_leaves_a_stopped_move_alone(void **state)
{
    struct fixture f;
    struct br_error err = {0};
    struct br_reembed_report r;
    const struct br_upkeep_options discard = {.discard = true};
    (void)state;
    up_begin(&f);
    fill(&f, 0, 700);
    up_import(&f);
    assert_false(reembed(&f).stopped);
    assert_true(killed_at(&f, 2));
    r = reembed(&f);
    assert_true(r.already && r.stopped);
    assert_int_equal(count_files(&f, "reembed."), 1);
    use_model(&f, model_b);
    r = reembed(&f);
    assert_true(r.kept > 400 && !r.already && !r.stopped);
    assert_is_as_imported(&f, model_b);
    /* What is left of the move itself goes. */
    char path[600];
    struct br_model_description m;
    assert_int_equal(br_model_describe(f.h, &m, &err), 0);
    snprintf(path, sizeof path, "%s/reembed.%.32s", f.ws_dir, m.id);
    fclose(fopen(path, "wb"));
    r = reembed(&f);
    assert_true(r.already && !r.stopped);
    assert_int_equal(count_files(&f, "reembed."), 0);
    use_model(&f, up_model());
    reembed(&f);
    assert_true(killed_at(&f, 2));
    use_model(&f, model_b); /* where to, instead of from: it is not moved there */
    assert_int_equal(br_reembed(f.h, NULL, &discard, &r, &err), BR_STATUS_USAGE);
    assert_int_equal(count_files(&f, "reembed."), 1);
    use_model(&f, up_model());
    assert_int_equal(br_reembed(f.h, NULL, &discard, &r, &err), 0);
    assert_true(r.already && !r.stopped && r.discarded);
    assert_int_equal(count_files(&f, "reembed."), 0);
    assert_int_equal(br_reembed(f.h, NULL, &discard, &r, &err), 0);
    assert_true(r.already && !r.stopped && !r.discarded);
    up_end(&f);
}

static void a_damaged_scratch_file_costs_time_and_no_more(void **state)
{
    struct fixture f;
    unsigned seed = 4;
    (void)state;
    up_begin(&f);
    fill(&f, 0, 700);
    up_import(&f);
    for (int i = 0; i < 4; i++) {
        char name[64], path[600];
        struct br_model *m = NULL;
        struct br_err err = {0};
        assert_true(killed_at(&f, 2));
        assert_int_equal(br_model_open(model_b, &m, &err), BR_OK);
        snprintf(name, sizeof name, "reembed.%.32s", br_model_info(m)->id);
        br_model_close(m);
        snprintf(path, sizeof path, "%s/%s", f.ws_dir, name);
        struct up_file file = up_read(path);
        assert_true(file.n > 4096 + 512 * 200);
        for (int k = 0; k < 40; k++)
            file.bytes[(size_t)rand_r(&seed) % (i == 0 ? 4096 : file.n)] ^= (char)(1 + rand_r(&seed) % 255);
        FILE *out = fopen(path, "wb");
        assert_int_equal(fwrite(file.bytes, 1, file.n - (size_t)i * 77, out), file.n - (size_t)i * 77);
        fclose(out);
        free(file.bytes);
    }
    use_model(&f, model_b);
    struct br_reembed_report r = reembed(&f);
    assert_true(r.kept > 200);
    assert_is_as_imported(&f, model_b);
    up_end(&f);
}

static void forgetting_forgets_the_new_vectors_too(void **state)
{
    struct fixture f;
    struct br_error err = {0};
    struct br_forget_report r = {0};
    (void)state;
    up_begin(&f);
    fill(&f, 0, 300);
    up_import(&f);
    assert_true(killed_at(&f, 1));
    assert_int_equal(count_files(&f, "reembed."), 1);
    char id[64];
    snprintf(id, sizeof id, "C0GENERAL01:%s", up_ts(0));
    const struct br_forget_options options = {.message = id};
    assert_int_equal(br_forget(f.h, NULL, &options, &r, &err), 0);
    assert_int_equal(count_files(&f, "reembed."), 0);
    e2e_verify(f.h, NULL);
    up_end(&f);
}

static void killed_at_random_times_the_command_finishes(void **state)
{
    struct fixture f;
    unsigned seed = 21;
    (void)state;
    up_begin(&f);
    fill(&f, 0, 500);
    up_import(&f);
    for (int i = 0; i < 6; i++) {
        const char *to = i % 3 == 2 ? up_model() : model_b;
        use_model(&f, to);
        pid_t pid = fork();
        if (pid == 0) {
            struct br_error err;
            struct br_reembed_report r;
            _exit(br_reembed(f.h, NULL, NULL, &r, &err));
        }
        usleep((useconds_t)(rand_r(&seed) % 120000));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        e2e_verify(f.h, NULL);
    }
    use_model(&f, model_b);
    const struct br_upkeep_options discard = {.discard = true}; /* back may have been begun */
    struct br_reembed_report r;
    struct br_error err = {0};
    if (br_reembed(f.h, NULL, &discard, &r, &err) != 0) /* or done */
        reembed(&f);
    assert_is_as_imported(&f, model_b);
    up_end(&f);
}

/* --- Power cuts and faults, on the simulated disk --- */

#define NEW_DIM 12

static enum br_rc sim_embed(void *ctx, const char *const *texts, const size_t *lens, size_t n, float *out, struct br_err *err)
{
    (void)ctx, (void)err;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < NEW_DIM; k++)
            out[i * NEW_DIM + k] = (float)(int32_t)XXH32(texts[i], lens[i], (uint32_t)k) / 4e9f;
    return BR_OK;
}

static enum br_rc sim_reembed(struct sim_disk *d, struct br_err *err)
{
    struct br_slack_reembed_report report;
    struct br_store *s = NULL;
    struct br_store_info info;
    char dir[64];
    enum br_rc rc;
    snprintf(dir, sizeof dir, "%s/ws", sim_disk_root(d));
    BR_TRY(br_store_open(sim_disk_io(d), dir, BR_STORE_WRITE, &s, err));
    br_store_sweep(s);
    BR_TRY(br_store_info(s, &info, err));
    const struct br_slack_reembed how = {.model_id = "new", .dim = NEW_DIM, .embed = sim_embed, .report = &report};
    if (strcmp(info.model_id, "new") != 0)
        BR_TRY(br_slack_reembed(s, &how, err));
err:
    br_store_close(s);
    return rc;
}

static struct sim_disk *sim_begin(uint64_t seed, uint64_t *digest)
{
    struct sim_disk *d = sim_disk_new(seed);
    struct workload w;
    workload_init(&w, d, seed);
    for (unsigned i = 0; i < 25; i++)
        assert_int_equal(workload_step(&w, i), BR_OK);
    *digest = w.states[w.acked];
    workload_close(&w);
    return d;
}

#define CUTS 10 /* disks at a time */
struct cutting {
    struct sim_disk *d;
    uint64_t states[2];
    unsigned change, from, n; /* cuts come before the changes from, from + 1, ... of the run */
    struct sim_disk *cuts[CUTS];
};

static void at_change(void *ctx, uint64_t change)
{
    struct cutting *c = ctx;
    if (c->change >= c->from && c->n < CUTS)
        c->cuts[c->n++] = sim_disk_cut(c->d, change * 977 + 1, (enum sim_cut)(change % SIM_CUTS));
    c->change++;
}

static void examine(struct sim_disk *d, const uint64_t states[2], const char *what, uint64_t where)
{
    uint64_t seen;
    struct br_err err = {0};
    const char *problem = workload_examine(d, states, 2, &seen);
    if (problem)
        fail_msg("after %s %llu the workspace %s", what, (unsigned long long)where, problem);
    if (sim_reembed(d, &err) != BR_OK)
        fail_msg("after %s %llu it cannot be finished: %s", what, (unsigned long long)where, err.msg);
    problem = workload_examine(d, states + 1, 1, &seen);
    if (problem)
        fail_msg("after %s %llu and finishing the workspace %s", what, (unsigned long long)where, problem);
}

/* What a finished run leaves: by a run of its own. */
static uint64_t digest_after(uint64_t seed)
{
    struct br_err err = {0};
    struct br_store *s = NULL;
    uint64_t before, after;
    char dir[64];
    struct sim_disk *d = sim_begin(seed, &before);
    assert_int_equal(sim_reembed(d, &err), BR_OK);
    snprintf(dir, sizeof dir, "%s/ws", sim_disk_root(d));
    assert_int_equal(br_store_open(sim_disk_io(d), dir, BR_STORE_READ, &s, &err), BR_OK);
    assert_int_equal(workload_digest(s, &after, &err), BR_OK);
    br_store_close(s);
    sim_disk_free(d);
    assert_true(before != after);
    return after;
}

static void a_power_cut_leaves_one_of_the_two(void **state)
{
    (void)state;
    unsigned all = 0;
    for (uint64_t seed = 1; seed <= 1; seed++) {
        uint64_t after = digest_after(seed);
        struct cutting c = {.n = 1};
        for (unsigned from = 0; c.n; from += CUTS) {
            struct br_err err = {0};
            c = (struct cutting){.from = from, .states = {0, after}};
            c.d = sim_begin(seed, &c.states[0]);
            sim_disk_on_change(c.d, at_change, &c);
            assert_int_equal(sim_reembed(c.d, &err), BR_OK);
            sim_disk_on_change(c.d, NULL, NULL);
            all += c.n;
            for (unsigned i = 0; i < c.n; i++) {
                examine(c.cuts[i], c.states, "a power cut before change", from + i);
                sim_disk_free(c.cuts[i]);
            }
            sim_disk_free(c.d);
        }
    }
    assert_true(all > 30);
}

static void every_fault_leaves_one_of_the_two(void **state)
{
    static const int FAULTS[] = {5 /* EIO */, 28 /* ENOSPC */};
    (void)state;
    uint64_t states[2] = {0, digest_after(2)};
    for (uint64_t call = 1, met = 1; met; call += 1 + call / 12) {
        struct sim_disk *d = sim_begin(2, &states[0]);
        struct br_err err = {0};
        sim_disk_fail(d, call, FAULTS[call % 2], call % 3 == 0);
        enum br_rc rc = sim_reembed(d, &err);
        met = sim_disk_failed(d);
        assert_true(rc == BR_OK || met);
        sim_disk_fail(d, 0, 0, false);
        examine(d, states, "a fault of call", call);
        sim_disk_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_workspace_is_as_if_imported_with_the_new_model),
        cmocka_unit_test(passages_are_cut_for_the_new_model),
        cmocka_unit_test(another_model_is_refused_with_the_way_out),
        cmocka_unit_test(readers_go_on_until_the_flip_and_then_are_told),
        cmocka_unit_test(killed_anywhere_it_goes_on),
        cmocka_unit_test(what_was_done_is_kept_whatever_comes_between),
        cmocka_unit_test(the_present_model_leaves_a_stopped_move_alone),
        cmocka_unit_test(a_damaged_scratch_file_costs_time_and_no_more),
        cmocka_unit_test(forgetting_forgets_the_new_vectors_too),
        cmocka_unit_test(killed_at_random_times_the_command_finishes),
        cmocka_unit_test(a_power_cut_leaves_one_of_the_two),
        cmocka_unit_test(every_fault_leaves_one_of_the_two),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
