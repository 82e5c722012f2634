/* remote.h - vectors from an endpoint over HTTP: OpenAI's /v1/embeddings or Ollama's /api/embed. Only for who configures one. */
#ifndef BR_REMOTE_H
#define BR_REMOTE_H

#include "embed/model_int.h"

struct br_remote;         /* an endpoint; shared by threads */
struct br_remote_session; /* a connection to it; one thread's */

BR_MUST_USE enum br_rc br_remote_new(const struct br_remote_config *cfg, const struct br_vocab *vocab, struct br_remote **out, struct br_err *err);
void br_remote_free(struct br_remote *r);
/* Asks for one vector, of a word of ours, and counts its numbers. */
BR_MUST_USE enum br_rc br_remote_ask_dimension(struct br_remote *r, uint32_t *dim, struct br_err *err);
void br_remote_set_dimension(struct br_remote *r, uint32_t dim);
/* "localhost:11434" */
const char *br_remote_host(const struct br_remote *r);
/* Where is posted to: one text for one place, however the URL was given (with or without a slash, /v1 or the usual port at its end). */
const char *br_remote_url(const struct br_remote *r);

BR_MUST_USE enum br_rc br_remote_session_new(struct br_remote *r, struct br_remote_session **out, struct br_err *err);
void br_remote_session_free(struct br_remote_session *s);
/* As br_embed: unit vectors in the order of the texts. BR_E_NET when the endpoint refuses, fails too often or answers wrongly,
 * BR_E_INTERRUPTED when the configuration's stop was set. */
BR_MUST_USE enum br_rc br_remote_embed(struct br_remote_session *s, const char *prefix, const char *const *texts, const size_t *lens, size_t n,
                                       float *out, struct br_err *err);

#endif
