/* Counter-based random numbers. */
#include "base/base.h"

#include <math.h>

void ad_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

ad_random ad_random_make(uint64_t seed, uint32_t stream, uint32_t index) {
    ad_random r = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32)}, .counter = {0, 0, index, stream}, .used = 4};
    return r;
}

uint32_t ad_random_bits(ad_random *r) {
    if (r->used == 4) {
        ad_philox(r->counter, r->key, r->block);
        if (++r->counter[0] == 0) r->counter[1]++;
        r->used = 0;
    }
    return r->block[r->used++];
}

uint32_t ad_random_below(ad_random *r, uint32_t bound) {
    /* Lemire's method: rejects the few products that would favour small results. */
    uint64_t product = (uint64_t)ad_random_bits(r) * bound;
    if ((uint32_t)product < bound) {
        uint32_t threshold = (uint32_t)(-bound) % bound;
        while ((uint32_t)product < threshold) product = (uint64_t)ad_random_bits(r) * bound;
    }
    return (uint32_t)(product >> 32);
}

float ad_random_uniform(ad_random *r) { return ad_uniform(ad_random_bits(r)); }

float ad_random_normal(ad_random *r) {
    double u = ((double)ad_random_bits(r) + 1.0) * 0x1p-32, v = (double)ad_random_bits(r) * 0x1p-32;
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}
