/* Philox4x32-10 [Salmon et al., SC 2011], number by number the ad_philox of base/base.c. */
uvec4 philox(uvec4 counter, uvec2 key) {
    for (int round = 0; round < 10; round++) {
        uint high0, low0, high1, low1;
        umulExtended(0xD2511F53u, counter.x, high0, low0);
        umulExtended(0xCD9E8D57u, counter.z, high1, low1);
        counter = uvec4(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
        key += uvec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return counter;
}

/* Uniform in [0, 1) from 24 bits, exact. */
float uniform01(uint bits) { return float(bits >> 8) * (1.0 / 16777216.0); }
vec4 uniform01(uvec4 bits) { return vec4(bits >> 8) * (1.0 / 16777216.0); }
/* Integer in [0, bound), bound < 65536. */
uint below(uint bits, uint bound) { return ((bits >> 16) * bound) >> 16; }
