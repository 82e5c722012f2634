/* import_int.h - one import of one workspace: what its parts share. */
#ifndef BR_IMPORT_INT_H
#define BR_IMPORT_INT_H

#include "upkeep.h"

#include <time.h>

#include "render.h"
#include "source.h"

struct br_import_run {
    struct br_home *home;
    const struct br_import_options *opt;
    struct br_import_report *report;
    struct br_store *writer, *reader; /* a dry run reads through the writer's own transaction */
    struct br_graph graph;
    struct br_pipeline *pipeline;
    struct br_name_map *users, *channels;
    struct br_name_map *pins; /* "CHANNEL:ts" of messages that channels list as pinned */
    struct br_names names;
    struct br_buf text, raw;
    int64_t freshness; /* of the source */
    uint64_t warnings[BR_WARN_COUNT];
    uint64_t n_users, n_channels, n_messages;
    struct br_import_progress progress;
    struct timespec started, reported;
};

/* --- import.c --- */
/* A br_sink's warning: counted, and told to whoever asked for it. */
void br_import_warn(void *run, enum br_warning w, uint64_t n, const char *where);

/* --- import_events.c --- */
/* A br_sink's event becomes an item of the pipeline; a message's author and reactors that nobody listed become users before it. */
BR_MUST_USE enum br_rc br_import_event(struct br_import_run *im, const struct br_event *ev, struct br_err *err);

/* --- import_report.c --- */
/* What the store tells of the import, and the warnings counted by the run, into the run's report. */
void br_import_fill_report(struct br_import_run *im, const struct br_slack_totals *totals);
/* Adds one's numbers to sum's. */
void br_import_add_report(struct br_import_report *sum, const struct br_import_report *one);

#endif
