/* SHA-256, by which a page allows its own script and no other. */
#ifndef CLI_SHA256_H
#define CLI_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32 };
void sha256(const void *bytes, size_t size, uint8_t out[SHA256_BYTES]);
#endif
