/* sha256.c - SHA-256 as FIPS 180-4 states it; its constants are computed from the primes. */
#include "embed/sha256.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint32_t rotr(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes (exact in long double). */
static void constants(uint32_t k[64], uint32_t h[8])
{
    int n = 0;
    for (int p = 2; n < 64; p++) {
        int prime = 1;
        for (int d = 2; d * d <= p; d++)
            prime &= p % d != 0;
        if (!prime)
            continue;
        long double c = cbrtl(p), r = sqrtl(p);
        k[n] = (uint32_t)((c - floorl(c)) * 4294967296.0L);
        if (n < 8)
            h[n] = (uint32_t)((r - floorl(r)) * 4294967296.0L);
        n++;
    }
}

static void compress(uint32_t state[8], const uint32_t k[64], const uint8_t *p)
{
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25), ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t t1 = v[7] + s1 + ch + k[i] + w[i];
        uint32_t s0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22), maj = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + s0 + maj;
    }
    for (int i = 0; i < 8; i++)
        state[i] += v[i];
}

void br_sha256_init(struct br_sha256 *s)
{
    uint32_t k[64];
    memset(s, 0, sizeof *s);
    constants(k, s->state);
}

void br_sha256_add(struct br_sha256 *s, const void *bytes, size_t n)
{
    uint32_t k[64], h[8];
    const uint8_t *p = bytes;
    constants(k, h);
    while (n) {
        size_t at = s->bytes % 64, take = 64 - at < n ? 64 - at : n;
        memcpy(s->block + at, p, take);
        s->bytes += take;
        p += take;
        n -= take;
        if (s->bytes % 64 == 0)
            compress(s->state, k, s->block);
    }
}

void br_sha256_end(struct br_sha256 *s, char hex[65])
{
    uint64_t bits = s->bytes * 8;
    uint8_t length[8];
    br_sha256_add(s, "\x80", 1);
    while (s->bytes % 64 != 56)
        br_sha256_add(s, "", 1);
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    br_sha256_add(s, length, 8);
    for (int i = 0; i < 8; i++)
        snprintf(hex + 8 * i, 9, "%08x", s->state[i]);
}

void br_sha256_hex(const void *bytes, size_t n, char hex[65])
{
    struct br_sha256 s;
    br_sha256_init(&s);
    br_sha256_add(&s, bytes, n);
    br_sha256_end(&s, hex);
}
