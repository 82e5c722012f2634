/* secret.c - sealing of tokens, and the key for it.
 *
 * Decision: tokens are sealed in registry.db (XChaCha20-Poly1305 of libsodium) under a key in a file of its own. Kept outside altogether, they
 * would have no one place for many tenants, nor a rotation (the new pair must be stored before the old one dies) that is one transaction
 * with the row. libsodium rather than libcrypto: an authenticated cipher whose 192-bit nonce may be random, and memory that is guarded,
 * locked and left out of core dumps, in a small library made for just this. What it protects: a copy of registry.db (a backup, a synced
 * folder, a bug report) without the key file is worth nothing, and BACKREAD_TOKEN_KEY_FILE puts the key on other storage. What it does
 * not: a reader of both files, such as this user's other programs.
 *
 * token.key: offset 0, 32 bytes, the key. Valid when it has exactly that size and mode bits for its owner alone.
 *
 * Sealed bytes
 *   offset  size  meaning
 *        0     1  format, 1
 *        1     8  which key: first bytes of BLAKE2b(key), keyed with a constant
 *        9    24  nonce, random
 *       33     n  ciphertext
 *   33 + n    16  Poly1305 tag over ciphertext and associated data
 * Valid when
 *   1. there are at least 49 bytes and the format is 1;
 *   2. the key's name is that of the key at hand (else: another key, not damage);
 *   3. the tag agrees with ciphertext, nonce, key and the associated data, which are the first nine bytes and all columns of the row:
 *      bytes moved to another row, or a row changed around them, are refused. */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define FORMAT 1
#define PATH_BYTES 4096
#define AD_MAX (128u << 10)

enum { AT_FORMAT = 0, AT_KEY_NAME = 1, AT_NONCE = 9, AT_CIPHERTEXT = 33, KEY_NAME_BYTES = 8 };

_Static_assert(AT_NONCE == AT_KEY_NAME + KEY_NAME_BYTES, "the table above");
_Static_assert(AT_CIPHERTEXT == AT_NONCE + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "the table above");
_Static_assert(BR_SEAL_OVERHEAD == AT_CIPHERTEXT + crypto_aead_xchacha20poly1305_ietf_ABYTES, "the table above");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == 32, "token.key");

struct br_token_key {
    uint8_t key[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
    uint8_t name[KEY_NAME_BYTES];
};

void *br_secret_alloc(size_t n)
{
    if (sodium_init() < 0)
        return NULL;
    n = (n + 15) / 16 * 16; /* the block ends at a guard page, so its size is its alignment */
    void *p = sodium_malloc(n ? n : 16);
    if (p)
        memset(p, 0, n);
    return p;
}

void br_secret_free(void *p)
{
    sodium_free(p);
}

enum br_rc br_secret_harden_process(struct br_err *err)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? br_fail_errno(err, errno, "cannot forbid core dumps") : BR_OK;
}

/* --- The key --- */

static enum br_rc key_path(const char *home, char path[PATH_BYTES], bool *given, struct br_err *err)
{
    const char *file = getenv("BACKREAD_TOKEN_KEY_FILE");
    *given = file && *file;
    int n = *given ? snprintf(path, PATH_BYTES, "%s", file) : snprintf(path, PATH_BYTES, "%s/token.key", home);
    return n < 0 || n >= PATH_BYTES ? br_fail(err, BR_E_TOOBIG, "the path of the token key is too long") : BR_OK;
}

/* A whole key or none: under a name of its own until it is durable. */
static enum br_rc make_key(const struct br_io *io, const char *home, const char *path, struct br_token_key *k, struct br_err *err)
{
    char temporary[PATH_BYTES + 8];
    snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    int r = io->random(io->ctx, k->key, sizeof(k->key));
    if (r < 0)
        return br_fail_errno(err, -r, "no random numbers");
    io->unlink(io->ctx, temporary); /* a leftover of a crash */
    int fd = io->open(io->ctx, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return br_fail_errno(err, -fd, "cannot make the token key %s", path);
    r = br_io_pwrite_full(io, fd, k->key, sizeof(k->key), 0);
    if (r >= 0)
        r = io->sync(io->ctx, fd, "token key");
    io->close(io->ctx, fd);
    if (r >= 0)
        r = io->rename(io->ctx, temporary, path);
    if (r >= 0)
        r = io->sync_dir(io->ctx, home);
    return r < 0 ? br_fail_errno(err, -r, "cannot make the token key %s", path) : BR_OK;
}

static enum br_rc read_key(const struct br_io *io, const char *path, struct br_token_key *k, struct br_err *err)
{
    struct br_io_stat st;
    int fd = io->open(io->ctx, path, O_RDONLY | O_NOFOLLOW, 0);
    if (fd < 0)
        return fd == -ENOENT ? br_fail(err, BR_E_NOTFOUND, "the token key %s is missing: tokens cannot be read without it", path)
                             : br_fail_errno(err, -fd, "cannot read the token key %s", path);
    enum br_rc rc;
    int r = io->stat(io->ctx, path, &st);
    if (r < 0)
        BR_TRY(br_fail_errno(err, -r, "cannot read the token key %s", path));
    if (st.mode & 077)
        BR_TRY(br_fail(err, BR_E_USAGE, "the token key %s can be used by others (mode %03o): chmod 600 it", path, st.mode & 0777));
    if (io->size(io->ctx, fd) != (int64_t)sizeof(k->key))
        BR_TRY(br_fail(err, BR_E_USAGE, "%s is no token key: it has to have exactly %zu bytes", path, sizeof(k->key)));
    r = br_io_pread_full(io, fd, k->key, sizeof(k->key), 0);
    rc = r < 0 ? br_fail_errno(err, -r, "cannot read the token key %s", path) : BR_OK;
err:
    io->close(io->ctx, fd);
    return rc;
}

enum br_rc br_token_key_open(const struct br_io *io, const char *home, bool create, struct br_token_key **out, struct br_err *err)
{
    static const uint8_t context[crypto_generichash_KEYBYTES] = "backread token key name";
    char path[PATH_BYTES];
    bool given;
    struct br_io_stat st;
    struct br_token_key *k = NULL;
    enum br_rc rc;
    *out = NULL;
    BR_TRY(key_path(home, path, &given, err));
    k = br_secret_alloc(sizeof(*k));
    if (!k)
        BR_TRY(br_fail_nomem(err));
    if (create && !given && io->stat(io->ctx, path, &st) == -ENOENT)
        BR_TRY(make_key(io, home, path, k, err));
    else
        BR_TRY(read_key(io, path, k, err));
    uint8_t name[crypto_generichash_BYTES_MIN];
    crypto_generichash(name, sizeof(name), k->key, sizeof(k->key), context, sizeof(context));
    memcpy(k->name, name, sizeof(k->name));
    *out = k;
    return BR_OK;
err:
    br_secret_free(k);
    return rc;
}

void br_token_key_close(struct br_token_key *k)
{
    br_secret_free(k);
}

/* --- Sealing --- */

/* The first nine bytes and ad; owned by the caller. */
static uint8_t *whole_ad(const uint8_t *head, const void *ad, size_t ad_len, struct br_err *err)
{
    uint8_t *whole = ad_len <= AD_MAX ? malloc(AT_NONCE + ad_len) : NULL;
    if (!whole) {
        br_fail_nomem(err);
        return NULL;
    }
    memcpy(whole, head, AT_NONCE);
    memcpy(whole + AT_NONCE, ad, ad_len);
    return whole;
}

enum br_rc br_seal(const struct br_io *io, const struct br_token_key *k, const void *ad, size_t ad_len, const void *plain, size_t n,
                   uint8_t *out, struct br_err *err)
{
    out[AT_FORMAT] = FORMAT;
    memcpy(out + AT_KEY_NAME, k->name, KEY_NAME_BYTES);
    int r = io->random(io->ctx, out + AT_NONCE, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
    if (r < 0)
        return br_fail_errno(err, -r, "no random numbers");
    uint8_t *whole = whole_ad(out, ad, ad_len, err);
    if (!whole)
        return BR_E_NOMEM;
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + AT_CIPHERTEXT, NULL, plain, n, whole, AT_NONCE + ad_len, NULL, out + AT_NONCE, k->key);
    free(whole);
    return BR_OK;
}

enum br_rc br_unseal(const struct br_token_key *k, const void *ad, size_t ad_len, const uint8_t *sealed, size_t sealed_len, void *plain,
                     const char *what, struct br_err *err)
{
    if (!sealed || sealed_len < BR_SEAL_OVERHEAD || sealed[AT_FORMAT] != FORMAT)
        return br_fail(err, BR_E_CORRUPT, "the tokens of %s are damaged: install the app again", what);
    if (memcmp(sealed + AT_KEY_NAME, k->name, KEY_NAME_BYTES) != 0)
        return br_fail(err, BR_E_USAGE, "the tokens of %s were sealed with another token key: put that one back", what);
    uint8_t *whole = whole_ad(sealed, ad, ad_len, err);
    if (!whole)
        return BR_E_NOMEM;
    int r = crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed + AT_CIPHERTEXT, sealed_len - AT_CIPHERTEXT, whole,
                                                       AT_NONCE + ad_len, sealed + AT_NONCE, k->key);
    free(whole);
    return r == 0 ? BR_OK : br_fail(err, BR_E_CORRUPT, "the tokens of %s are damaged, or belong to another row: install the app again", what);
}
