/* secret.h - memory and sealing for tokens: what must not reach a disk, a log or a core dump in clear text. */
#ifndef BR_SECRET_H
#define BR_SECRET_H

#include "base/base.h"
#include "base/io.h"

/* n bytes, zeroed, between guard pages, locked where the system allows, left out of core dumps. NULL without memory. Freeing wipes. */
void *br_secret_alloc(size_t n);
void br_secret_free(void *p); /* NULL is fine */
/* Forbids core dumps and debuggers of this process. For a program about to load tokens; a library does not do it to its host unasked. */
BR_MUST_USE enum br_rc br_secret_harden_process(struct br_err *err);

/* The 256-bit key that seals a home's tokens; in secret memory. */
struct br_token_key;
/* From the file that BACKREAD_TOKEN_KEY_FILE names, else <home>/token.key, which create makes when it is absent. BR_E_NOTFOUND: there is
 * none. BR_E_USAGE: others can read it, or it is no key. */
BR_MUST_USE enum br_rc br_token_key_open(const struct br_io *io, const char *home, bool create, struct br_token_key **out,
                                         struct br_err *err);
void br_token_key_close(struct br_token_key *k);

#define BR_SEAL_OVERHEAD 49u /* bytes that sealing adds */

/* Seals n bytes to n + BR_SEAL_OVERHEAD in out. ad: what the bytes belong to; opening wants exactly the same. */
BR_MUST_USE enum br_rc br_seal(const struct br_io *io, const struct br_token_key *k, const void *ad, size_t ad_len, const void *plain,
                               size_t n, uint8_t *out, struct br_err *err);
/* sealed_len - BR_SEAL_OVERHEAD bytes to plain, which is secret memory. BR_E_USAGE: another key sealed it. BR_E_CORRUPT: damaged, or it
 * belongs to something else. what is for the message. */
BR_MUST_USE enum br_rc br_unseal(const struct br_token_key *k, const void *ad, size_t ad_len, const uint8_t *sealed, size_t sealed_len,
                                 void *plain, const char *what, struct br_err *err);

#endif
