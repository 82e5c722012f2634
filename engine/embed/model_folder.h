/* model_folder.h - what a sentence-transformers folder says about its model beside the weights. */
#ifndef BR_MODEL_FOLDER_H
#define BR_MODEL_FOLDER_H

#include "embed/model_int.h"
#include "embed/sha256.h"

struct br_folder {
    size_t positions;
    uint32_t types; /* 0: not said */
    char *vocab;    /* owned: a token a line */
    size_t vocab_bytes;
};

/* Fills dimensions, pooling, prefixes and max_seq of info. BR_E_DATA when the model is another than our runtime calculates. */
BR_MUST_USE enum br_rc br_folder_read(struct br_folder *f, const char *dir, const struct br_model_options *options, struct br_model_info *info,
                                      struct br_err *err);
void br_folder_free(struct br_folder *f);

/* A prefix as a model's info holds it; NULL is none. BR_E_DATA when it does not fit or would not come out as it went in: it makes vectors. */
BR_MUST_USE enum br_rc br_take_prefix(const char *what, const char *text, char out[64], struct br_err *err);

/* Pooling, prefixes and length make vectors as the weights do. Plain: mean, none, BR_DEFAULT_MAX_SEQ. */
bool br_settings_are_plain(const struct br_model_info *info);
void br_settings_hash(const struct br_model_info *info, struct br_sha256 *sha);

#endif
