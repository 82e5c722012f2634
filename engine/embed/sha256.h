/* sha256.h - SHA-256 (FIPS 180-4), for naming model files. Not used for secrets. */
#ifndef BR_SHA256_H
#define BR_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct br_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
};
void br_sha256_init(struct br_sha256 *s);
void br_sha256_add(struct br_sha256 *s, const void *bytes, size_t n);
void br_sha256_end(struct br_sha256 *s, char hex[65]);
void br_sha256_hex(const void *bytes, size_t n, char hex[65]);

#endif
