/* installations.h - which Slack tenants have installed the app, and with which tokens: table `installations` of registry.db.
 *
 * Names are Slack's (oauth.v2.access, and the columns of its SDKs). A row is one (app, enterprise, team, user); of two installations the one with
 * the newer installed_at is kept. Tokens are sealed on disk (secret.h) and in secret memory while loaded; no error text holds one. A
 * program that loads tokens calls br_secret_harden_process first. */
#ifndef BR_INSTALLATIONS_H
#define BR_INSTALLATIONS_H

#include "registry.h"

/* X(member): the key, never NULL on the way out, NULL or "" for none on the way in. team_id is "" for an organisation's installation. */
#define BR_INSTALLATION_KEY(X) X(app_id) X(enterprise_id) X(team_id) X(user_id)
/* X(member): text in clear, NULL for none. */
#define BR_INSTALLATION_TEXT(X)                                                                                                       \
    X(client_id) X(enterprise_name) X(enterprise_url) X(team_name) X(bot_id) X(bot_user_id) X(bot_scopes) X(user_scopes) X(token_type) \
    X(incoming_webhook_channel) X(incoming_webhook_channel_id) X(incoming_webhook_configuration_url)
/* X(member): numbers. Times are microseconds since 1970, 0 for none. */
#define BR_INSTALLATION_NUMBER(X) X(is_enterprise_install) X(bot_token_expires_at) X(user_token_expires_at) X(installed_at)
/* X(member): sealed, NULL for none. app_token is the xapp one; who knows a webhook's URL can post. */
#define BR_INSTALLATION_SECRET(X) \
    X(bot_token) X(bot_refresh_token) X(user_token) X(user_refresh_token) X(app_token) X(incoming_webhook_url)

struct br_installation {
#define BR_X(name) const char *name;
    BR_INSTALLATION_KEY(BR_X)
    BR_INSTALLATION_TEXT(BR_X)
    BR_INSTALLATION_SECRET(BR_X)
#undef BR_X
#define BR_X(name) int64_t name;
    BR_INSTALLATION_NUMBER(BR_X)
#undef BR_X
};

#define BR_INSTALLATION_FIELD_MAX 4096u /* bytes of one text or token */

/* Stores it, making the token key if this is the first. *taken (may be NULL): false when a newer one is stored already. registry: opened
 * with create. */
BR_MUST_USE enum br_rc br_installation_put(struct br_registry *r, const struct br_installation *in, bool *taken, struct br_err *err);
/* The one with this key; user_id NULL: the newest of any user. Owned by the caller. BR_E_NOTFOUND: none. BR_E_CORRUPT: the row was changed
 * or its tokens are another row's. BR_E_USAGE: another token key. */
BR_MUST_USE enum br_rc br_installation_get(struct br_registry *r, const char *app_id, const char *enterprise_id, const char *team_id,
                                           const char *user_id, struct br_installation **out, struct br_err *err);
void br_installation_free(struct br_installation *i); /* wipes */
/* Every one, by key. with_tokens false: secrets are NULL and no key is needed; such a row is unproven. Borrowed until fn returns. */
BR_MUST_USE enum br_rc br_installation_each(struct br_registry *r, bool with_tokens,
                                            enum br_rc (*fn)(void *ctx, const struct br_installation *i), void *ctx,
                                            struct br_err *err);
BR_MUST_USE enum br_rc br_installation_remove(struct br_registry *r, const char *app_id, const char *enterprise_id, const char *team_id,
                                              const char *user_id, struct br_err *err);

#endif
