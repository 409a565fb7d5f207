/* Hashes, the clock, and sizes of memory. */
#include "base/base.h"

#include <stdio.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t ad_hash(const void *bytes, size_t size, uint64_t seed) { return XXH3_64bits_withSeed(bytes, size, seed); }

struct ad_hash_state {
    XXH3_state_t xxh;
};

ad_hash_state *ad_hash_begin(adatom_context *ctx, uint64_t seed) {
    ad_hash_state *state = ad_calloc(ctx, 1, sizeof *state); /* the reset looks at what was there before */
    if (state) XXH3_64bits_reset_withSeed(&state->xxh, seed);
    return state;
}

void ad_hash_add(ad_hash_state *state, const void *bytes, size_t size) { XXH3_64bits_update(&state->xxh, bytes, size); }

uint64_t ad_hash_end(ad_hash_state *state) {
    const uint64_t hash = state ? XXH3_64bits_digest(&state->xxh) : 0;
    ad_free(state);
    return hash;
}

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

uint64_t ad_available_bytes(void) {
#ifdef _WIN32
    return windows_available_bytes();
#else
    return ad_available_bytes_in("");
#endif
}
