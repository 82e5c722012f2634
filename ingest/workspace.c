/* workspace.c - which workspace an archive is of: team ids of its users, else of its posts, else something made up
 * that a later
 * export of the same workspace gives, too. */
#include "source_int.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "limits.h"

#define TALLY_MAX  64
#define TALLY_TEXT 48

struct tally { /* votes; beyond TALLY_MAX different texts the rest does not count */
    struct vote {
        char text[TALLY_TEXT];
        uint64_t n;
    } votes[TALLY_MAX];
    size_t n;
};

static void vote(struct tally *t, const char *text, size_t len)
{
    if (!text || !len || len >= TALLY_TEXT)
        return;
    for (size_t i = 0; i < t->n; i++)
        if (strncmp(t->votes[i].text, text, len) == 0 && !t->votes[i].text[len]) {
            t->votes[i].n++;
            return;
        }
    if (t->n == TALLY_MAX)
        return;
    struct vote *v = &t->votes[t->n++];
    memcpy(v->text, text, len);
    v->text[len] = 0;
    v->n = 1;
}

/* Anything but an id is no vote: the workspace is known by what wins. */
static void vote_team(struct tally *t, const char *id)
{
    size_t n = id ? strlen(id) : 0;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)id[i]) && id[i] != '_' && id[i] != '-')
            return;
    vote(t, id, n);
}

static const char *winner(const struct tally *t)
{
    const struct vote *best = NULL;
    for (size_t i = 0; i < t->n; i++)
        if (!best || t->votes[i].n > best->n || (t->votes[i].n == best->n && strcmp(t->votes[i].text, best->text) < 0))
            best = &t->votes[i];
    return best ? best->text : NULL;
}

static uint64_t votes_of(const struct tally *t, const char *text)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->votes[i].text, text) == 0)
            return t->votes[i].n;
    return 0;
}

struct posts_ctx {
    struct tally teams, domains;
    const struct br_scope *scope;
    size_t seen;
};

/* "https://acme.slack.com/...": acme. */
static void vote_domain(struct posts_ctx *p, const char *url)
{
    size_t n = 0;
    if (!url || strncmp(url, "https://", 8) != 0)
        return;
    url += 8;
    while (isalnum((unsigned char)url[n]) || url[n] == '-')
        n++;
    if (strncmp(url + n, ".slack.com/", 11) == 0 && !(n == 5 && memcmp(url, "files", 5) == 0))
        vote(&p->domains, url, n);
}

/* Links to messages of listed channels tell the domain as well as a file's permalink does. */
static void vote_links(struct posts_ctx *p, const char *text)
{
    char id[32];
    static const char mark[] = ".slack.com/archives/", scheme[] = "https://";
    for (const char *at = text; at && (at = strstr(at, mark)) != NULL;) {
        const char *path = at + sizeof mark - 1, *url = at;
        while (url > text && at - url < 64 && (isalnum((unsigned char)url[-1]) || url[-1] == '-'))
            url--;
        at = path;
        if (url - text < (ptrdiff_t)sizeof scheme - 1 || memcmp(url - 8, scheme, 8) != 0)
            continue;
        size_t n = strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
        if (n < 8 || n >= sizeof id)
            continue;
        memcpy(id, path, n);
        id[n] = 0;
        if (br_id_map_get(&p->scope->by_id, id) != BR_ID_NONE)
            vote_domain(p, url - 8);
    }
}

static enum br_rc take_post(struct br_reading *r, json_t *element, struct br_err *err)
{
    struct posts_ctx *p = r->ctx;
    const json_t *files = json_object_get(element, "files"), *f;
    const char *team = br_get_string(element, "team", NULL);
    size_t i;
    (void)err;
    vote_team(&p->teams, team);
    json_array_foreach(files, i, f) vote_domain(p, br_get_string(f, "permalink", NULL));
    vote_domain(p, br_get_string(json_object_get(element, "file"), "permalink", NULL));
    vote_links(p, br_get_string(element, "text", NULL));
    r->stop = ++p->seen >= BR_LIMIT_SCAN_POSTS;
    return BR_OK;
}

/* Looks at the first posts of a scope, or of one folder of it. */
static enum br_rc scan_posts(struct br_source *s, uint32_t scope, uint32_t folder, struct posts_ctx *p,
                             struct br_err *err)
{
    *p = (struct posts_ctx){.scope = &s->scopes[scope]};
    for (size_t i = 0; i < s->n_files && p->seen < BR_LIMIT_SCAN_POSTS; i++) {
        const struct br_message_file *f = &s->files[i];
        if (!f->is_day || s->folders[f->folder].scope != scope || (folder != BR_ID_NONE && f->folder != folder))
            continue;
        struct br_reading r = {.take = take_post, .ctx = p, .no_array = BR_WARN_NOT_A_MESSAGE_FILE};
        r.member = s->is_dump ? "messages" : NULL;
        enum br_rc rc = br_read_entry(s, f->entry, &r, err);
        if (rc != BR_OK)
            return rc;
    }
    return BR_OK;
}

static enum br_rc take_user_team(struct br_reading *r, json_t *element, struct br_err *err)
{
    (void)err;
    if (!br_get_bool(element, "is_stranger")) /* a member of another workspace, seen in a shared channel */
        vote_team(r->ctx, br_get_string(element, "team_id", NULL));
    return BR_OK;
}

/* The least id of a public channel, else of any: the same in every export of a workspace. */
static const char *least_channel(const struct br_source *s, uint32_t scope)
{
    const struct br_conversation *best = NULL;
    for (size_t i = 0; i < s->n_conversations; i++) {
        const struct br_conversation *c = &s->conversations[i];
        bool better_kind = best && c->kind == BR_CHANNEL_PUBLIC && best->kind != BR_CHANNEL_PUBLIC;
        bool worse_kind = best && c->kind != BR_CHANNEL_PUBLIC && best->kind == BR_CHANNEL_PUBLIC;
        if (c->scope == scope && !worse_kind && (!best || better_kind || strcmp(c->id, best->id) < 0))
            best = c;
    }
    return best ? best->id : "";
}

static const char *made_id(struct br_source *s, uint32_t scope)
{
    char id[64];
    if (s->name_hint && !s->is_grid)
        (void)snprintf(id, sizeof id, "NAME-%016llX", (unsigned long long)br_id_hash(0, s->name_hint));
    else
        (void)snprintf(id, sizeof id, "CHANNELS-%016llX", (unsigned long long)br_id_hash(0, least_channel(s, scope)));
    return br_arena_str(&s->strings, id);
}

static enum br_rc name_workspace(struct br_source *s, uint32_t i, struct posts_ctx *posts, struct tally *teams,
                                 struct br_err *err)
{
    uint32_t scope = br_own_scope(s, i);
    struct br_source_workspace *w = &s->workspaces[i];
    struct br_reading users = {.take = take_user_team, .ctx = teams, .no_array = BR_WARN_BAD_JSON};
    enum br_rc rc = BR_OK;
    *teams = (struct tally){0};
    if (s->scopes[scope].users != BR_ID_NONE)
        BR_TRY(br_read_entry(s, s->scopes[scope].users, &users, err));
    BR_TRY(scan_posts(s, scope, BR_ID_NONE, posts, err));
    const char *team = winner(teams), *domain = winner(&posts->domains);
    team = team ? team : winner(&posts->teams);
    w->id = team ? br_arena_str(&s->strings, team) : made_id(s, scope);
    w->name = s->is_grid ? s->scopes[scope].label : NULL;
    w->domain = domain ? br_arena_str(&s->strings, domain) : NULL;
    if (!w->id || (domain && !w->domain))
        rc = br_fail_nomem(err);
err:
    return rc;
}

/* A conversation of the organisation goes where most of its posts come from; of equals to the first workspace by
 * name. */
static enum br_rc place_shared(struct br_source *s, struct posts_ctx *posts, struct br_err *err)
{
    for (uint32_t f = 0; f < s->n_folders; f++) {
        uint32_t c = s->folders[f].conversation;
        uint64_t most = 0;
        if (s->folders[f].scope != 0 || c == BR_ID_NONE)
            continue;
        enum br_rc rc = scan_posts(s, 0, f, posts, err);
        if (rc != BR_OK)
            return rc;
        for (uint32_t w = 0; w < s->n_workspaces; w++) {
            uint64_t n = votes_of(&posts->teams, s->workspaces[w].id);
            if (n > most) {
                most = n;
                s->conversations[c].workspace = w;
            }
        }
    }
    return BR_OK;
}

enum br_rc br_name_workspaces(struct br_source *s, struct br_err *err)
{
    s->n_workspaces = s->is_grid ? s->n_scopes - 1 : 1;
    s->workspaces = br_arena_array(&s->strings, s->n_workspaces, sizeof *s->workspaces);
    struct posts_ctx *posts = br_arena_alloc(&s->strings, sizeof *posts);
    struct tally *teams = br_arena_alloc(&s->strings, sizeof *teams);
    if (!s->workspaces || !posts || !teams)
        return br_fail_nomem(err);
    for (uint32_t i = 0; i < s->n_workspaces; i++) {
        enum br_rc rc = name_workspace(s, i, posts, teams, err);
        if (rc != BR_OK)
            return rc;
    }
    return s->is_grid ? place_shared(s, posts, err) : BR_OK;
}
