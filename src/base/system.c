/* Hashes, the clock, and sizes of memory. */
#include "base/base.h"

#include <stdio.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t ad_hash(const void *bytes, size_t size, uint64_t seed) { return XXH3_64bits_withSeed(bytes, size, seed); }
void ad_hash_hex(uint64_t hash, char out[17]) { snprintf(out, 17, "%016llx", (unsigned long long)hash); }

double ad_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void ad_bytes_text(uint64_t bytes, char out[32]) {
    if (bytes >= (uint64_t)1 << 20)
        ad_print(out, 32, "%.1f MiB", (double)bytes / 0x1p20);
    else if (bytes >= 1024)
        ad_print(out, 32, "%.0f KiB", (double)bytes / 1024);
    else
        snprintf(out, 32, "%u bytes", (unsigned)bytes);
}

uint64_t ad_available_bytes(void) { return ad_available_bytes_in(""); }
