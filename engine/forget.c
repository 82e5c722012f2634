/* forget.c - br_forget: messages leave the archive for good, then every file of it.
 *
 * Three phases, each of which the next run finishes when this one is stopped: the messages are deleted in small
 * transactions and their bytes queued for erasure; the threads they were in are cut into passages again; what is
 * queued is erased (erase.c). Then what stopped backups, restores and dry runs left goes, too. Backups that were finished are copies: they stay,
 * and the report counts those in the home. */
#include "upkeep.h"

#include <stdio.h>
#include <string.h>

#include "dates.h"

#define BATCH_MESSAGES 300

struct forgetting {
    struct br_upkeep u;
    const struct br_forget_options *opt;
    struct br_slack_forget what;
    char channel_id[64], user_id[64];
    struct br_forget_report report;
};

static enum br_rc check_options(const struct br_forget_options *o, struct br_err *err)
{
    if (!!o->user + !!o->message + !!o->channel + !!o->before != 1)
        return br_fail(err, BR_E_USAGE, "forget takes exactly one of a user, a message, a channel and a date");
    return BR_OK;
}

static enum br_rc ignore_view(void *ctx, const struct br_slack_view *v, struct br_err *err)
{
    (void)ctx, (void)v, (void)err;
    return BR_OK;
}

/* A message is known while it or its marker is there. */
static enum br_rc find_message(struct forgetting *f, struct br_err *err)
{
    struct br_workspace ws = {.home = f->u.home, .store = f->u.store};
    bool deleted = false;
    enum br_rc rc;
    BR_TRY(br_parse_message_id(&ws, f->opt->message, f->channel_id, &f->what.ts, err));
    f->what.channel_id = f->channel_id;
    BR_TRY(br_slack_is_deleted(f->u.store, f->channel_id, f->what.ts, &deleted, err));
    if (!deleted)
        BR_TRY(br_slack_message(f->u.store, f->channel_id, f->what.ts, ignore_view, NULL, err));
err:
    return rc;
}

static enum br_rc resolve(struct forgetting *f, struct br_err *err)
{
    const struct br_forget_options *o = f->opt;
    int64_t to;
    enum br_rc rc = BR_OK;
    if (o->message) {
        BR_TRY(find_message(f, err));
    } else if (o->user) {
        BR_TRY(br_slack_find_user(f->u.store, o->user, f->user_id, err));
        f->what.user_id = f->user_id;
    } else if (o->channel) {
        BR_TRY(br_slack_find_channel(f->u.store, o->channel, f->channel_id, err));
        f->what.channel_id = f->channel_id;
    } else if (!br_parse_date(o->before, &f->what.before, &to)) {
        BR_TRY(br_fail(err, BR_E_USAGE, "'%s' is no date: give " BR_DATE_FORMS, o->before));
    } else {
        f->what.before = BR_MAX(f->what.before, INT64_C(1)); /* 0 is no bound; nothing is before 1970 */
    }
err:
    return rc;
}

static enum br_rc delete_some(struct forgetting *f, bool *more, struct br_err *err)
{
    struct br_store *s = f->u.store;
    uint64_t messages = 0, documents = 0;
    enum br_rc rc;
    BR_TRY(br_store_begin(s, err));
    BR_TRY(br_slack_forget_messages(s, &f->what, BATCH_MESSAGES, &messages, &documents, more, err));
    BR_TRY(br_store_commit(s, NULL, err));
    f->report.messages += messages;
    f->report.documents += documents;
    f->u.progress.messages = f->report.messages;
    return BR_OK;
err:
    br_store_rollback(s);
    return rc;
}

static enum br_rc delete_user(struct forgetting *f, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_store_begin(f->u.store, err));
    BR_TRY(br_slack_forget_user(f->u.store, f->user_id, &f->report.reactions, err));
    return br_store_commit(f->u.store, NULL, err);
err:
    br_store_rollback(f->u.store);
    return rc;
}

static enum br_rc delete_all(struct forgetting *f, struct br_err *err)
{
    bool more = true;
    enum br_rc rc = BR_OK;
    /* The person last: until then the name still finds what is left of it. */
    while (more) {
        BR_TRY(delete_some(f, &more, err));
        BR_TRY(br_upkeep_step(&f->u, "deleting", f->report.messages, 0, err));
    }
    if (f->opt->user)
        BR_TRY(delete_user(f, err));
err:
    return rc;
}

/* Nothing is there to forget; an earlier run that a reader stopped may have left nothing. What backups hold is told all the same. */
static void tell_of_nothing(struct br_home *h, const struct forgetting *f, struct br_forget_report *out)
{
    struct br_err ignored = {0};
    *out = (struct br_forget_report){.seconds = br_upkeep_seconds(&f->u)};
    snprintf(out->workspace, sizeof out->workspace, "%s", f->u.id);
    (void)!br_home_count_backups(h, f->u.id, &out->backups, &ignored);
}

int br_forget(struct br_home *h, const char *workspace, const struct br_forget_options *options,
              struct br_forget_report *out, struct br_error *error)
{
    struct br_err err = {0};
    struct forgetting f = {.opt = options};
    enum br_rc rc;
    BR_TRY(check_options(options, &err));
    BR_TRY(br_upkeep_open(h, workspace, &options->upkeep, &f.u, &err));
    BR_TRY(
        br_erase_finish(h, f.u.store, &f.u.graph, &err)); /* of a run that was stopped: the names may be gone already */
    BR_TRY(resolve(&f, &err));
    BR_TRY(delete_all(&f, &err));
    BR_TRY(br_upkeep_cut_threads(&f.u, &err));
    BR_TRY(br_upkeep_step(&f.u, "erasing", 0, 0, &err));
    BR_TRY(br_store_queue_dead(f.u.store, &err));
    BR_TRY(br_erase_finish(h, f.u.store, &f.u.graph, &err));
    BR_TRY(br_rebuild_sweep(h, f.u.dir, &err));
    BR_TRY(br_home_sweep(h, &err));
    br_scratch_sweep(h->io);
    BR_TRY(br_home_count_backups(h, f.u.id, &f.report.backups, &err));
    snprintf(f.report.workspace, sizeof f.report.workspace, "%s", f.u.id);
    f.report.seconds = br_upkeep_seconds(&f.u);
    br_upkeep_close(&f.u);
    *out = f.report;
    return BR_STATUS_OK;
err:
    if (rc == BR_E_NOTFOUND && f.u.store)
        tell_of_nothing(h, &f, out);
    br_upkeep_close(&f.u);
    return br_status_of(rc, &err, error);
}
