/* fault_home.h - t_engine_survives_every_fault's home on a simulated disk, and what its state is. Its part, behind fault_archives.h. */
#ifndef BR_TEST_FAULT_HOME_H
#define BR_TEST_FAULT_HOME_H

static struct br_home home_at(struct sim_disk *d, const char *name)
{
    struct br_home h = *shared;
    h.io = sim_disk_io(d);
    snprintf(h.path, sizeof h.path, "%s/%s", sim_disk_root(d), name);
    return h;
}

static void path_on(const struct sim_disk *d, const char *name, char out[300])
{
    snprintf(out, 300, "%s/%s", sim_disk_root(d), name);
}

static void add_row(XXH3_state_t *x, sqlite3_stmt *st)
{
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        const char *text = (const char *)sqlite3_column_text(st, i);
        int64_t n = text ? sqlite3_column_bytes(st, i) : -1;
        XXH3_64bits_update(x, &n, sizeof n);
        if (text)
            XXH3_64bits_update(x, text, (size_t)n);
    }
}

/* All that a reader can tell but ids, places and times of our own making. */
static enum br_rc add_store(XXH3_state_t *x, struct br_store *s, struct br_err *err)
{
    static const char *const queries[] = {
        "SELECT workspace_id, name, domain, model_id FROM store",
        "SELECT m.channel_id, m.ts, m.thread_ts, m.user_id, m.bot_id, m.bot_name, m.subtype, m.team_id, m.cls, m.flags, m.is_bot,"
        " m.is_broadcast, m.edited_ts, m.reply_count, m.reactions_total, m.needs_vector, m.content_hash, m.counters_hash, m.freshness,"
        " m.raw_length, hex(c.hash), l.vector_checksum, hex(r.hash), (SELECT hex(sz) FROM fts_messages_docsize WHERE id = m.content_id)"
        " FROM message_metadata m LEFT JOIN content c ON c.workspace_id = m.workspace_id AND c.content_id = m.content_id"
        " LEFT JOIN content r ON r.workspace_id = m.workspace_id AND r.content_id = m.raw_id"
        " LEFT JOIN slots l ON l.workspace_id = m.workspace_id AND l.slot = m.slot AND l.seq_killed IS NULL ORDER BY 1, 2",
        "SELECT p.channel_id, p.thread_ts, p.position, p.first_ts, p.last_ts, hex(c.hash), l.vector_checksum FROM passages p"
        " LEFT JOIN content c ON c.workspace_id = p.workspace_id AND c.content_id = p.content_id"
        " LEFT JOIN slots l ON l.workspace_id = p.workspace_id AND l.slot = p.slot AND l.seq_killed IS NULL ORDER BY 1, 2, 3",
        "SELECT * FROM users ORDER BY user_id",
        "SELECT * FROM channels ORDER BY channel_id",
        "SELECT * FROM channel_members ORDER BY channel_id, user_id",
        "SELECT * FROM reactions ORDER BY channel_id, ts, name",
        "SELECT * FROM reaction_users ORDER BY channel_id, ts, name, user_id",
        "SELECT * FROM files ORDER BY channel_id, ts, position",
        "SELECT channel_id, ts FROM deleted_messages ORDER BY channel_id, ts",
        "SELECT * FROM dirty_threads ORDER BY channel_id, thread_ts",
    };
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    for (size_t i = 0; i < BR_COUNT(queries) && rc == BR_OK; i++) {
        sqlite3_stmt *st = NULL;
        int r = sqlite3_prepare_v2(br_store_db(s), queries[i], -1, &st, NULL);
        while (r == SQLITE_OK || r == SQLITE_ROW) {
            r = sqlite3_step(st);
            if (r == SQLITE_ROW)
                add_row(x, st);
        }
        if (r != SQLITE_DONE)
            rc = br_fail(err, BR_E_IO, "cannot read: %s", sqlite3_errmsg(br_store_db(s)));
        sqlite3_finalize(st);
    }
    br_store_read_end(s);
    return rc;
}

static enum br_rc add_installation(void *ctx, const struct br_installation *i)
{
    XXH3_64bits_update(ctx, i->app_id, strlen(i->app_id));
    if (i->bot_token)
        XXH3_64bits_update(ctx, i->bot_token, strlen(i->bot_token));
    return BR_OK;
}

static enum br_rc add_registry(XXH3_state_t *x, struct br_home *h, struct br_err *err)
{
    struct br_registry *reg;
    enum br_rc rc = br_registry_open(h->io, h->path, false, &reg, NULL, err);
    if (rc != BR_OK)
        return rc;
    rc = br_installation_each(reg, true, add_installation, x, err);
    br_registry_close(reg);
    return rc;
}

/* Of all workspaces and the registry. False: why tells. */
static bool state_of(struct sim_disk *d, const char *home, uint64_t *out, char why[600])
{
    struct br_home h = home_at(d, home);
    struct br_workspace_names names = {0};
    struct br_error error = {0};
    struct br_err err = {0};
    XXH3_state_t *x = XXH3_createState();
    XXH3_64bits_reset(x);
    bool ok = br_home_workspaces(&h, &names, &error) == 0;
    if (!ok)
        snprintf(why, 600, "cannot be listed: %.500s", error.message);
    enum br_rc rc = ok ? add_registry(x, &h, &err) : BR_OK;
    for (size_t i = 0; i < names.count && rc == BR_OK; i++) {
        struct br_store *s = NULL;
        XXH3_64bits_update(x, names.items[i].id, strlen(names.items[i].id));
        XXH3_64bits_update(x, names.items[i].name, strlen(names.items[i].name));
        rc = br_home_open_store(&h, names.items[i].id, &s, &err);
        if (rc == BR_OK)
            rc = add_store(x, s, &err);
        br_store_close(s);
    }
    if (rc != BR_OK)
        snprintf(why, 600, "cannot be read: %.500s", err.msg);
    *out = XXH3_64bits_digest(x);
    XXH3_freeState(x);
    br_workspace_names_free(&names);
    return ok && rc == BR_OK;
}

static bool verifies(struct sim_disk *d, const char *home, char why[600])
{
    struct br_home h = home_at(d, home);
    struct br_workspace_names names = {0};
    struct br_error error = {0};
    bool ok = br_home_workspaces(&h, &names, &error) == 0;
    for (size_t i = 0; i < names.count && ok; i++) {
        struct br_verify_report r = {0};
        ok = br_verify(&h, names.items[i].id, true, &r, &error) == 0 && r.ok;
        if (!ok)
            snprintf(why, 600, "does not verify: %.250s%.250s", error.message, r.first_problem);
    }
    br_workspace_names_free(&names);
    return ok;
}

#endif
