/* fault_scenarios.h - the calls that t_engine_survives_every_fault makes, and what it must know of each. Its part, behind fault_home.h. */
#ifndef BR_TEST_FAULT_SCENARIOS_H
#define BR_TEST_FAULT_SCENARIOS_H

enum base { NOTHING, ONE, TWO, BACKED_UP, WITH_BACKUP, BESIDE, BAD_VECTORS, BAD_CONTENT, BAD_METADATA, BAD_REGISTRY, NO_GRAPH, LITTERED, BASES };
static struct sim_disk *bases[BASES];

/* What it answers goes here, question by question: a hash, 0 for none. */
#define QUESTIONS 13
static uint64_t answers[QUESTIONS], right_answers[QUESTIONS];
static size_t n_answers;

static int import(struct sim_disk *d, const char *archive, bool dry, struct br_error *e)
{
    struct br_home h = home_at(d, "home");
    struct br_import_reports r = {0};
    const struct br_import_options o = {.dry_run = dry};
    int status = br_import(&h, archive, &o, &r, e);
    br_import_reports_free(&r);
    return status;
}

static int import_first(struct sim_disk *d, struct br_error *e)
{
    return import(d, zip_first, false, e);
}
static int import_dir(struct sim_disk *d, struct br_error *e)
{
    return import(d, dir_first, false, e);
}
static int import_second(struct sim_disk *d, struct br_error *e)
{
    return import(d, zip_second, false, e);
}
static int import_long(struct sim_disk *d, struct br_error *e)
{
    return import(d, zip_long, false, e);
}
static int import_dry(struct sim_disk *d, struct br_error *e)
{
    setenv("TMPDIR", sim_disk_root(d), 1);
    int status = import(d, zip_second, true, e);
    unsetenv("TMPDIR");
    return status;
}
static int forget(struct sim_disk *d, const struct br_forget_options *o, struct br_error *e)
{
    struct br_home h = home_at(d, "home");
    struct br_forget_report r;
    return br_forget(&h, NULL, o, &r, e);
}
static int forget_user(struct sim_disk *d, struct br_error *e)
{
    const struct br_forget_options o = {.user = "U2"};
    return forget(d, &o, e);
}
static int forget_message(struct sim_disk *d, struct br_error *e)
{
    const struct br_forget_options o = {.message = "general:1704103201.000100"};
    return forget(d, &o, e);
}
static int compact(struct sim_disk *d, struct br_error *e)
{
    struct br_home h = home_at(d, "home");
    struct br_compact_report r;
    return br_compact(&h, NULL, NULL, &r, e);
}
static int repair(struct sim_disk *d, struct br_error *e)
{
    struct br_home h = home_at(d, "home");
    struct br_repair_report r = {0};
    int status = br_repair(&h, NULL, NULL, &r, e);
    if (status == 0 && !r.ok) {
        e->status = status = BR_STATUS_DAMAGED;
        snprintf(e->message, sizeof e->message, "repaired, but: %.250s", r.problem);
    }
    br_repair_report_free(&r);
    return status;
}
static int backup(struct sim_disk *d, struct br_error *e)
{
    struct br_home h = home_at(d, "home");
    struct br_backup_report r;
    char path[300];
    path_on(d, "backup", path);
    return br_backup(&h, NULL, path, NULL, &r, e);
}
static int restore_as(struct sim_disk *d, const char *home, const char *name, struct br_error *e)
{
    struct br_home h = home_at(d, home);
    struct br_backup_report r;
    char path[300];
    path_on(d, "backup", path);
    return br_restore(&h, path, name, NULL, &r, e);
}
static int restore(struct sim_disk *d, struct br_error *e)
{
    return restore_as(d, "home", NULL, e);
}
static int restore_beside(struct sim_disk *d, struct br_error *e)
{
    return restore_as(d, "home", "copy", e);
}
static int migrate(struct sim_disk *d, const char *path, const char *workspace, struct br_error *e)
{
    struct br_home h = home_at(d, "home");
    struct br_migrate_report *r = __real_calloc(1, sizeof *r);
    const struct br_import_options o = {.name = workspace ? NULL : "old"};
    int status = br_migrate(&h, path, workspace, &o, r, e);
    free(r);
    return status;
}
static int migrate_dump(struct sim_disk *d, struct br_error *e)
{
    return migrate(d, dump, NULL, e);
}
static int migrate_into(struct sim_disk *d, struct br_error *e)
{
    return migrate(d, old_db, "T1", e);
}

/* The next answer; the first failure is the call's. */
static void answered(int status, int *all, const struct br_error *e, struct br_error *first, uint64_t hash)
{
    if (status && !*all) {
        *all = status;
        *first = *e;
    }
    assert_true(n_answers < QUESTIONS);
    answers[n_answers++] = status ? 0 : hash;
}

static uint64_t hash_message(uint64_t h, const struct br_message *m)
{
    char line[1200];
    int n = snprintf(line, sizeof line, "%s %s %s %s %lld %lld %.600s %s %llu %zu %zu", m->channel_id, m->channel_name ? m->channel_name : "-",
                     m->user_id ? m->user_id : "-", m->user_name ? m->user_name : "-", (long long)m->ts, (long long)m->thread_ts, m->text,
                     m->subtype ? m->subtype : "-", (unsigned long long)m->reactions_total, m->n_reactions, m->n_files);
    return XXH3_64bits_withSeed(line, BR_MIN((size_t)n, sizeof line - 1), h);
}

static void ask(struct br_workspace *ws, const char *query, enum br_search_mode mode, int *all, struct br_error *first)
{
    struct br_search_results r = {0};
    struct br_error e = {0};
    const struct br_search_options o = {.mode = mode};
    uint64_t h = 1;
    int status = br_search(ws, query, &o, &r, &e);
    for (size_t i = 0; !status && i < r.count; i++) {
        h = hash_message(h, &r.hits[i].message);
        h = XXH3_64bits_withSeed(r.hits[i].snippet, strlen(r.hits[i].snippet), h);
        h = XXH3_64bits_withSeed(r.hits[i].reason, strlen(r.hits[i].reason), h);
        if (memory_trace)
            printf("  %s: %lld %.60s | %s | %f %f %f\n", query, (long long)r.hits[i].message.ts, r.hits[i].snippet, r.hits[i].reason, r.hits[i].score,
                   r.hits[i].semantic, r.hits[i].keyword);
    }
    answered(status, all, &e, first, h);
    if (!status)
        br_search_results_free(&r);
}

static void list(int status, struct br_messages *m, int *all, const struct br_error *e, struct br_error *first)
{
    uint64_t h = 1;
    for (size_t i = 0; !status && i < m->count; i++)
        h = hash_message(h, &m->items[i]);
    answered(status, all, e, first, h);
    if (!status)
        br_messages_free(m);
}

static int use(struct sim_disk *d, struct br_error *first)
{
    struct br_home h = home_at(d, "home");
    struct br_workspace_names names = {0};
    struct br_workspace *ws = NULL;
    struct br_error e = {0};
    struct br_messages m;
    struct br_workspace_status st;
    struct br_verify_report v;
    int all = 0, status;
    n_answers = 0;
    memset(answers, 0, sizeof answers);
    status = br_home_workspaces(&h, &names, &e);
    answered(status, &all, &e, first, names.count + (names.count ? XXH3_64bits(names.items[0].name, strlen(names.items[0].name)) : 0));
    br_workspace_names_free(&names);
    e = (struct br_error){0};
    status = br_workspace_open(&h, NULL, &ws, &e);
    answered(status, &all, &e, first, 1);
    if (!status) {
        ask(ws, "road layers survey", BR_SEARCH_HYBRID, &all, first);
        ask(ws, "lunch", BR_SEARCH_KEYWORD, &all, first);
        ask(ws, "where do roads come from", BR_SEARCH_SEMANTIC, &all, first);
        ask(ws, "\"road layers\" from:ann in:general -lunch", BR_SEARCH_HYBRID, &all, first);
        ask(ws, "has:link", BR_SEARCH_HYBRID, &all, first);
        e = (struct br_error){0};
        list(br_top_messages(ws, NULL, 0, 0, 10, &m, &e), &m, &all, &e, first);
        e = (struct br_error){0};
        list(br_channel_messages(ws, "general", 10, 0, 0, &m, &e), &m, &all, &e, first);
        e = (struct br_error){0};
        list(br_thread_messages(ws, "general:1704103210.000100", &m, &e), &m, &all, &e, first);
        e = (struct br_error){0};
        list(br_context_messages(ws, "C0GENERAL01:1704103202.000100", 2, &m, &e), &m, &all, &e, first);
        e = (struct br_error){0};
        status = br_workspace_status(ws, &st, &e);
        answered(status, &all, &e, first,
                 status ? 0 : st.messages * 1000000 + st.users * 10000 + st.documents * 100 + st.consistency.divergence + st.n_channel_items);
        if (!status)
            br_workspace_status_free(&st);
        br_workspace_close(ws);
    }
    n_answers = QUESTIONS - 1;
    e = (struct br_error){0};
    status = br_verify(&h, NULL, true, &v, &e);
    answered(status, &all, &e, first, status ? 0 : v.messages * 1000 + v.documents * 2 + v.ok);
    return all;
}

static int open_home(struct sim_disk *d, struct br_error *e)
{
    struct br_home *h = NULL;
    (void)d;
    int status = br_home_open("/nowhere/home", model_path, &h, e);
    br_home_close(h);
    return status;
}

enum kind { MEMORY = 1, DISK = 2, ARCHIVE = 4 };
static const struct scenario {
    const char *name;
    enum base base;
    int (*run)(struct sim_disk *d, struct br_error *e);
    int faults;   /* which kinds it can meet */
    unsigned part; /* of the points of a short run, in hundredths */
    bool mends;   /* the home is damaged until it is done */
    bool asks;    /* answers */
    bool once;    /* a second time there is nothing left to do: BR_STATUS_USAGE */
    const char *gone; /* once it is done this is in no file, also after a power cut */
} scenarios[] = {
    {"first import", NOTHING, import_first, MEMORY | DISK | ARCHIVE, 150, false, false, false, NULL},
    {"import of a directory", NOTHING, import_dir, ARCHIVE, 100, false, false, false, NULL},
    {"second import", ONE, import_second, MEMORY | DISK, 200, false, false, false, NULL},
    {"long import", NOTHING, import_long, MEMORY | DISK, 40, false, false, false, NULL},
    {"dry run", ONE, import_dry, MEMORY | DISK, 60, false, false, false, NULL},
    {"forget a user", TWO, forget_user, MEMORY | DISK, 150, false, false, false, "lunch by the lake"},
    {"forget among leftovers", LITTERED, forget_user, MEMORY | DISK, 60, false, false, false, "lunch by the lake"},
    {"forget a message", TWO, forget_message, MEMORY | DISK, 60, false, false, false, "hello"},
    {"compact", TWO, compact, MEMORY | DISK, 150, false, false, false, NULL},
    {"repair vectors", BAD_VECTORS, repair, MEMORY | DISK, 80, true, false, false, NULL},
    {"repair content", BAD_CONTENT, repair, MEMORY | DISK, 80, true, false, false, NULL},
    {"repair metadata", BAD_METADATA, repair, MEMORY | DISK, 80, true, false, false, NULL},
    {"repair registry", BAD_REGISTRY, repair, MEMORY | DISK, 80, true, false, false, NULL},
    {"repair graph", NO_GRAPH, repair, MEMORY | DISK, 60, true, false, false, NULL},
    {"repair nothing", TWO, repair, MEMORY | DISK, 80, false, false, false, NULL},
    {"backup", BACKED_UP, backup, MEMORY | DISK, 100, false, false, false, NULL},
    {"restore", WITH_BACKUP, restore, MEMORY | DISK, 100, false, false, true, NULL},
    {"restore beside", BESIDE, restore_beside, MEMORY | DISK, 60, false, false, true, NULL},
    {"migrate a dump", NOTHING, migrate_dump, MEMORY | DISK | ARCHIVE, 60, false, false, false, NULL},
    {"migrate into", ONE, migrate_into, MEMORY | DISK, 60, false, false, false, NULL},
    {"open, search and verify", TWO, use, MEMORY | DISK, 200, false, true, false, NULL},
    {"open a model", NOTHING, open_home, MEMORY, 100, false, false, false, NULL},
};

#endif
