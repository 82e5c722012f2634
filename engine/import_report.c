/* import_report.c - what an import says of itself: the numbers of one, and the sum of several. */
#include "import_int.h"

#include <string.h>

void br_import_fill_report(struct br_import_run *im, const struct br_slack_totals *t)
{
    struct br_import_report *r = im->report;
    uint64_t from_store[][2] = {{BR_WARN_ORPHAN_REPLY, t->orphan_replies},
                                {BR_WARN_DUPLICATE_MESSAGE, t->duplicates},
                                {BR_WARN_REPLY_COUNT_MISMATCH, t->reply_count_mismatches}};
    for (size_t i = 0; i < BR_COUNT(from_store); i++)
        im->warnings[from_store[i][0]] += from_store[i][1];
    r->messages_seen = im->n_messages;
    r->messages_new = t->added;
    r->messages_updated = t->updated;
    r->messages_unchanged = t->unchanged;
    r->messages_deleted = t->deleted;
    r->users = im->n_users;
    r->channels = im->n_channels;
    r->threads = t->threads;
    r->replies = t->replies;
    r->reactions = t->reactions;
    r->files = t->files;
    r->documents = t->documents;
    for (size_t w = 0; w < BR_WARN_COUNT && r->n_warnings < BR_IMPORT_WARNINGS_MAX; w++)
        if (im->warnings[w]) {
            r->warnings[r->n_warnings].code = br_warning_name((enum br_warning)w);
            r->warnings[r->n_warnings++].count = im->warnings[w];
        }
}

void br_import_add_report(struct br_import_report *sum, const struct br_import_report *r)
{
    sum->messages_seen += r->messages_seen;
    sum->messages_new += r->messages_new;
    sum->messages_updated += r->messages_updated;
    sum->messages_unchanged += r->messages_unchanged;
    sum->messages_deleted += r->messages_deleted;
    sum->users += r->users;
    sum->channels += r->channels;
    sum->threads += r->threads;
    sum->replies += r->replies;
    sum->reactions += r->reactions;
    sum->files += r->files;
    sum->documents += r->documents;
    sum->embedded += r->embedded;
    sum->seconds += r->seconds;
    for (size_t i = 0; i < r->n_warnings; i++) {
        size_t j = 0;
        while (j < sum->n_warnings && strcmp(sum->warnings[j].code, r->warnings[i].code) != 0)
            j++;
        if (j == BR_IMPORT_WARNINGS_MAX)
            continue;
        if (j == sum->n_warnings)
            sum->warnings[sum->n_warnings++] = r->warnings[i];
        else
            sum->warnings[j].count += r->warnings[i].count;
    }
}
