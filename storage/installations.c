/* installations.c - the table `installations` and its rows in memory.
 *
 * A row is valid when its sealed bytes open (secret.c) with all its other columns as associated data; so neither tokens nor what they are
 * allowed to do can be moved from one tenant to another, or changed, by whoever can write the file.
 *
 * Associated data: every column of key, text and number in the order of installations.h; text as a 32-bit length (2^32 - 1: NULL) and its
 * bytes, numbers as 8 bytes. Plain text of the sealed bytes: the secrets in their order, like text. Little-endian.
 *
 * A loaded row and its strings are one block of secret memory. */
#include "installations.h"

#include "base/buf.h"
#include "registry_int.h"
#include "secret.h"

#include <stdio.h>
#include <string.h>

#define SECRETS_MAX (6 * (BR_INSTALLATION_FIELD_MAX + 4))
#define AD_BYTES_MAX (64u << 10)

const char *const br_installation_ddl[] = {
    "CREATE TABLE IF NOT EXISTS installations("
    " app_id TEXT NOT NULL,"
    " enterprise_id TEXT NOT NULL DEFAULT '',"
    " team_id TEXT NOT NULL DEFAULT '',"
    " user_id TEXT NOT NULL DEFAULT '',"
    " client_id TEXT,"
    " enterprise_name TEXT,"
    " enterprise_url TEXT,"
    " team_name TEXT,"
    " bot_id TEXT,"
    " bot_user_id TEXT,"
    " bot_scopes TEXT,"
    " user_scopes TEXT,"
    " token_type TEXT,"
    " incoming_webhook_channel TEXT,"
    " incoming_webhook_channel_id TEXT,"
    " incoming_webhook_configuration_url TEXT,"
    " is_enterprise_install INTEGER NOT NULL DEFAULT 0,"
    " bot_token_expires_at INTEGER NOT NULL DEFAULT 0,"
    " user_token_expires_at INTEGER NOT NULL DEFAULT 0,"
    " installed_at INTEGER NOT NULL,"
    " sealed BLOB NOT NULL," /* tokens: secret.c */
    " PRIMARY KEY(app_id, enterprise_id, team_id, user_id)"
    ") STRICT, WITHOUT ROWID",
    NULL,
};

/* The same lists as columns. */
#define COLUMN(name) #name ", "
#define COLUMNS BR_INSTALLATION_KEY(COLUMN) BR_INSTALLATION_TEXT(COLUMN) BR_INSTALLATION_NUMBER(COLUMN) "sealed"
#define MEMBER(name) offsetof(struct br_installation, name),
static const size_t keys[] = {BR_INSTALLATION_KEY(MEMBER)}, texts[] = {BR_INSTALLATION_TEXT(MEMBER)},
                    numbers[] = {BR_INSTALLATION_NUMBER(MEMBER)}, secrets[] = {BR_INSTALLATION_SECRET(MEMBER)};
enum { N_PLAIN = BR_COUNT(keys) + BR_COUNT(texts), N_COLUMNS = N_PLAIN + BR_COUNT(numbers) + 1 };
_Static_assert(N_COLUMNS == 21 && SECRETS_MAX == BR_COUNT(secrets) * (BR_INSTALLATION_FIELD_MAX + 4), "the statements below");

static const char **text_at(struct br_installation *i, size_t offset)
{
    return (const char **)(void *)((char *)i + offset);
}

static const char *text_of(const struct br_installation *i, size_t offset)
{
    return *(const char *const *)(const void *)((const char *)i + offset);
}

static int64_t number_of(const struct br_installation *i, size_t offset)
{
    return *(const int64_t *)(const void *)((const char *)i + offset);
}

/* --- Bytes --- */

static size_t put_number(uint8_t *out, uint64_t v, size_t bytes)
{
    for (size_t k = 0; k < bytes; k++)
        out[k] = (uint8_t)(v >> (8 * k));
    return bytes;
}

static size_t put_text(uint8_t *out, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    put_number(out, text ? n : UINT32_MAX, 4);
    if (n)
        memcpy(out + 4, text, n);
    return 4 + n;
}

static void associated_data(const struct br_installation *i, struct br_buf *ad)
{
    uint8_t bytes[BR_INSTALLATION_FIELD_MAX + 4];
    br_buf_init(ad, AD_BYTES_MAX);
    for (size_t k = 0; k < N_PLAIN; k++)
        br_buf_add(ad, bytes, put_text(bytes, text_of(i, k < BR_COUNT(keys) ? keys[k] : texts[k - BR_COUNT(keys)])));
    for (size_t k = 0; k < BR_COUNT(numbers); k++)
        br_buf_add(ad, bytes, put_number(bytes, (uint64_t)number_of(i, numbers[k]), 8));
}

/* The secrets of n bytes of plain text into i, which they stay in; false: no plain text of ours. */
static bool take_secrets(char *plain, size_t n, struct br_installation *i)
{
    size_t at = 0;
    for (size_t k = 0; k < BR_COUNT(secrets); k++) {
        if (n - at < 4)
            return false;
        const uint8_t *p = (const uint8_t *)plain + at;
        uint32_t len = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        plain[at] = 0; /* ends the text before */
        at += 4;
        if (len == UINT32_MAX)
            continue;
        if (len > n - at || len > BR_INSTALLATION_FIELD_MAX)
            return false;
        *text_at(i, secrets[k]) = plain + at;
        at += len;
    }
    return at == n; /* one byte more is there, a zero */
}

/* --- Checks --- */

static enum br_rc check(const struct br_installation *i, struct br_err *err)
{
    if (!i->app_id[0] || (!i->team_id[0] && !i->enterprise_id[0]))
        return br_fail(err, BR_E_DATA, "an installation names its app, and a team or an enterprise");
    for (size_t k = 0; k < N_PLAIN + BR_COUNT(secrets); k++) {
        size_t offset = k < BR_COUNT(keys) ? keys[k] : k < N_PLAIN ? texts[k - BR_COUNT(keys)] : secrets[k - N_PLAIN];
        const char *text = text_of(i, offset);
        if (text && strlen(text) > BR_INSTALLATION_FIELD_MAX)
            return br_fail(err, BR_E_TOOBIG, "a field of an installation is longer than %u bytes", BR_INSTALLATION_FIELD_MAX);
    }
    return BR_OK;
}

/* For messages: which row, in Slack's ids. */
static void name_of(const struct br_installation *i, char out[200])
{
    snprintf(out, 200, "installation %.40s/%.40s/%.40s/%.40s", i->app_id, i->enterprise_id, i->team_id, i->user_id);
}

static enum br_rc table(const struct br_registry *r, bool write, struct br_err *err)
{
    if (write && (!r->db || sqlite3_db_readonly(r->db, "main") == 1))
        return br_fail(err, BR_E_IO, "the registry in %s is not open for writing", r->home);
    return BR_OK;
}

static enum br_rc sql_fail(struct br_registry *r, bool write, struct br_err *err)
{
    return br_sql_fail(r->db, err, r->db_path, write ? "cannot write" : "cannot read");
}

static void bind_key(sqlite3_stmt *st, const char *app_id, const char *enterprise_id, const char *team_id, const char *user_id)
{
    const char *const key[] = {app_id, enterprise_id, team_id, user_id};
    for (int k = 0; k < 4; k++)
        sqlite3_bind_text(st, k + 1, key[k] ? key[k] : "", -1, SQLITE_STATIC);
}

/* --- Put --- */

static enum br_rc seal_row(struct br_registry *r, const struct br_installation *i, const struct br_token_key *key, uint8_t *sealed,
                           size_t *n, struct br_err *err)
{
    struct br_buf ad;
    size_t len = 0;
    uint8_t *plain = br_secret_alloc(SECRETS_MAX);
    if (!plain)
        return br_fail_nomem(err);
    associated_data(i, &ad);
    for (size_t k = 0; k < BR_COUNT(secrets); k++)
        len += put_text(plain + len, text_of(i, secrets[k]));
    enum br_rc rc = br_buf_status(&ad, err);
    if (rc == BR_OK)
        rc = br_seal(r->io, key, ad.data, ad.len, plain, len, sealed, err);
    br_secret_free(plain);
    br_buf_free(&ad);
    *n = len + BR_SEAL_OVERHEAD;
    return rc;
}

static enum br_rc store_row(struct br_registry *r, const struct br_installation *i, const uint8_t *sealed, size_t n, bool *taken,
                            struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    int s = sqlite3_prepare_v2(r->db,
                               "INSERT INTO installations(" COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
                               " ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)"
                               " ON CONFLICT(app_id, enterprise_id, team_id, user_id) DO UPDATE SET client_id = excluded.client_id,"
                               " enterprise_name = excluded.enterprise_name, enterprise_url = excluded.enterprise_url,"
                               " team_name = excluded.team_name, bot_id = excluded.bot_id, bot_user_id = excluded.bot_user_id,"
                               " bot_scopes = excluded.bot_scopes, user_scopes = excluded.user_scopes,"
                               " token_type = excluded.token_type, incoming_webhook_channel = excluded.incoming_webhook_channel,"
                               " incoming_webhook_channel_id = excluded.incoming_webhook_channel_id,"
                               " incoming_webhook_configuration_url = excluded.incoming_webhook_configuration_url,"
                               " is_enterprise_install = excluded.is_enterprise_install,"
                               " bot_token_expires_at = excluded.bot_token_expires_at,"
                               " user_token_expires_at = excluded.user_token_expires_at, installed_at = excluded.installed_at,"
                               " sealed = excluded.sealed WHERE excluded.installed_at >= installed_at",
                               -1, &st, NULL);
    if (s != SQLITE_OK)
        return sql_fail(r, true, err);
    int column = 1;
    for (size_t k = 0; k < BR_COUNT(keys); k++)
        sqlite3_bind_text(st, column++, text_of(i, keys[k]), -1, SQLITE_STATIC);
    for (size_t k = 0; k < BR_COUNT(texts); k++)
        sqlite3_bind_text(st, column++, text_of(i, texts[k]), -1, SQLITE_STATIC);
    for (size_t k = 0; k < BR_COUNT(numbers); k++)
        sqlite3_bind_int64(st, column++, number_of(i, numbers[k]));
    sqlite3_bind_blob(st, column, sealed, (int)n, SQLITE_STATIC);
    sqlite3_step(st);
    enum br_rc rc = sqlite3_errcode(r->db) == SQLITE_DONE ? BR_OK : sql_fail(r, true, err);
    if (rc == BR_OK && taken)
        *taken = sqlite3_changes(r->db) > 0;
    sqlite3_finalize(st);
    return rc;
}

/* A key is made only while nothing is sealed: a new one beside old rows would hide that the old one is lost. */
static enum br_rc key_for_put(struct br_registry *r, struct br_token_key **key, struct br_err *err)
{
    int64_t rows;
    enum br_rc rc = br_sql_int(r->db, "SELECT count(app_id) FROM installations", r->db_path, &rows, err);
    return rc == BR_OK ? br_token_key_open(r->io, r->home, rows == 0, key, err) : rc;
}

enum br_rc br_installation_put(struct br_registry *r, const struct br_installation *in, bool *taken, struct br_err *err)
{
    struct br_installation i = *in;
    struct br_token_key *key = NULL;
    uint8_t sealed[SECRETS_MAX + BR_SEAL_OVERHEAD];
    size_t n = 0;
    enum br_rc rc;
    for (size_t k = 0; k < BR_COUNT(keys); k++)
        if (!text_of(&i, keys[k]))
            *text_at(&i, keys[k]) = "";
    BR_TRY(check(&i, err));
    BR_TRY(table(r, true, err));
    BR_TRY(br_sql_exec(r->db, "BEGIN IMMEDIATE", r->db_path, err)); /* before the key: two processes would each make one */
    BR_TRY(key_for_put(r, &key, err));
    BR_TRY(seal_row(r, &i, key, sealed, &n, err));
    BR_TRY(store_row(r, &i, sealed, n, taken, err));
    BR_TRY(br_sql_exec(r->db, "COMMIT", r->db_path, err));
err:
    br_token_key_close(key);
    if (r->db && !sqlite3_get_autocommit(r->db))
        sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* --- Get --- */

/* A text column into the block at *p. */
static const char *take_text(sqlite3_stmt *st, int column, char **p)
{
    const char *text = (const char *)sqlite3_column_text(st, column);
    if (!text)
        return NULL;
    char *copy = *p;
    size_t n = strlen(text) + 1;
    memcpy(copy, text, n);
    *p += n;
    return copy;
}

/* The row st is at. key NULL: without its secrets. */
static enum br_rc load(sqlite3_stmt *st, const struct br_token_key *key, struct br_installation **out, struct br_err *err)
{
    size_t bytes = sizeof(struct br_installation) + 1;
    for (int k = 0; k < N_COLUMNS; k++)
        bytes += (size_t)sqlite3_column_bytes(st, k) + 1;
    struct br_installation *i = br_secret_alloc(bytes);
    if (!i)
        return br_fail_nomem(err);
    char *p = (char *)(i + 1), name[200];
    int column = 0;
    enum br_rc rc = BR_OK;
    struct br_buf ad = {0};
    for (size_t k = 0; k < BR_COUNT(keys); k++)
        *text_at(i, keys[k]) = take_text(st, column++, &p);
    for (size_t k = 0; k < BR_COUNT(texts); k++)
        *text_at(i, texts[k]) = take_text(st, column++, &p);
    for (size_t k = 0; k < BR_COUNT(numbers); k++)
        *(int64_t *)(void *)((char *)i + numbers[k]) = sqlite3_column_int64(st, column++);
    for (size_t k = 0; k < BR_COUNT(keys); k++)
        if (!text_of(i, keys[k]))
            BR_TRY(br_fail(err, BR_E_CORRUPT, "a row of installations has no key"));
    if (key) {
        size_t n = (size_t)sqlite3_column_bytes(st, column);
        name_of(i, name);
        BR_TRY(check(i, err)); /* bounds what follows */
        associated_data(i, &ad);
        BR_TRY(br_buf_status(&ad, err));
        BR_TRY(br_unseal(key, ad.data, ad.len, sqlite3_column_blob(st, column), n, p, name, err));
        if (!take_secrets(p, n - BR_SEAL_OVERHEAD, i))
            BR_TRY(br_fail(err, BR_E_CORRUPT, "the tokens of %s make no sense: install the app again", name));
    }
    br_buf_free(&ad);
    *out = i;
    return BR_OK;
err:
    br_buf_free(&ad);
    br_secret_free(i);
    return rc;
}

void br_installation_free(struct br_installation *i)
{
    br_secret_free(i);
}

enum br_rc br_installation_get(struct br_registry *r, const char *app_id, const char *enterprise_id, const char *team_id,
                               const char *user_id, struct br_installation **out, struct br_err *err)
{
    struct br_token_key *key = NULL;
    sqlite3_stmt *st = NULL;
    enum br_rc rc = BR_OK;
    *out = NULL;
    if (r->db && r->has_installations &&
        sqlite3_prepare_v2(r->db,
                           "SELECT " COLUMNS " FROM installations WHERE app_id = ?1 AND enterprise_id = ?2 AND team_id = ?3"
                           " AND (?4 IS NULL OR user_id = ?4) ORDER BY installed_at DESC, user_id LIMIT 1",
                           -1, &st, NULL) != SQLITE_OK)
        return sql_fail(r, false, err);
    if (st) {
        bind_key(st, app_id, enterprise_id, team_id, user_id);
        if (!user_id)
            sqlite3_bind_null(st, 4);
    }
    int s = st ? sqlite3_step(st) : SQLITE_DONE;
    if (s == SQLITE_DONE)
        rc = br_fail(err, BR_E_NOTFOUND, "the app is not installed there");
    else if (s != SQLITE_ROW)
        rc = sql_fail(r, false, err);
    if (rc == BR_OK)
        rc = br_token_key_open(r->io, r->home, false, &key, err);
    if (rc == BR_OK)
        rc = load(st, key, out, err);
    br_token_key_close(key);
    sqlite3_finalize(st);
    return rc;
}

enum br_rc br_installation_each(struct br_registry *r, bool with_tokens, enum br_rc (*fn)(void *ctx, const struct br_installation *i),
                                void *ctx, struct br_err *err)
{
    struct br_token_key *key = NULL;
    sqlite3_stmt *st = NULL;
    enum br_rc rc = BR_OK;
    int s = SQLITE_DONE;
    if (!r->db || !r->has_installations)
        return BR_OK;
    if (sqlite3_prepare_v2(r->db, "SELECT " COLUMNS " FROM installations ORDER BY app_id, enterprise_id, team_id, user_id", -1, &st, NULL) !=
        SQLITE_OK)
        return sql_fail(r, false, err);
    while (rc == BR_OK && (s = sqlite3_step(st)) == SQLITE_ROW) {
        struct br_installation *i = NULL;
        if (with_tokens && !key)
            rc = br_token_key_open(r->io, r->home, false, &key, err);
        if (rc == BR_OK)
            rc = load(st, key, &i, err);
        if (rc == BR_OK)
            rc = fn(ctx, i);
        br_installation_free(i);
    }
    if (rc == BR_OK && s != SQLITE_DONE)
        rc = sql_fail(r, false, err);
    br_token_key_close(key);
    sqlite3_finalize(st);
    return rc;
}

enum br_rc br_installation_remove(struct br_registry *r, const char *app_id, const char *enterprise_id, const char *team_id,
                                  const char *user_id, struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    enum br_rc rc = table(r, true, err);
    if (rc != BR_OK)
        return rc;
    if (sqlite3_prepare_v2(r->db, "DELETE FROM installations WHERE app_id = ?1 AND enterprise_id = ?2 AND team_id = ?3 AND user_id = ?4", -1, &st,
                           NULL) != SQLITE_OK)
        return sql_fail(r, true, err);
    bind_key(st, app_id, enterprise_id, team_id, user_id);
    if (sqlite3_step(st) != SQLITE_DONE)
        rc = sql_fail(r, true, err);
    else if (sqlite3_changes(r->db) == 0)
        rc = br_fail(err, BR_E_NOTFOUND, "the app is not installed there");
    sqlite3_finalize(st);
    return rc;
}
