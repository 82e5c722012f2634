/* crc32c.h - CRC-32C (Castagnoli), RFC 3720 appendix B.4. Start with crc = 0; chain calls by passing the result. */
#ifndef BR_CRC32C_H
#define BR_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t br_crc32c(uint32_t crc, const void *bytes, size_t n);

#endif
