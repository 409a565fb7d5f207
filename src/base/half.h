/* Half precision (IEEE binary16): 11 significant bits from 2^-14 to 65504, fewer down to 2^-24. The functions are plain
 * arithmetic that compilers turn into vector code. */
#ifndef AD_BASE_HALF_H
#define AD_BASE_HALF_H

#include <stdint.h>
#include <string.h>

#define AD_HALF_MAX 65504.0f

/* Every half is exact in float. */
static inline float ad_half_to_float(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13;
    const uint32_t special = bits >= 0x0f800000 ? 0x7f800000 : 0; /* infinity, NaN */
    float value;
    memcpy(&value, &bits, sizeof value);
    value *= 0x1p112f; /* 2^(127-15) corrects the exponent's bias, and makes subnormal halves normal */
    memcpy(&bits, &value, sizeof bits);
    bits |= special | sign;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Rounds to the nearest half, ties to even. Larger magnitudes become the largest finite half; NaN stays NaN. */
static inline uint16_t ad_half_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000;
    float magnitude = value < 0 ? -value : value, small;
    if (magnitude != magnitude) return (uint16_t)(sign | 0x7e00);
    magnitude = magnitude > AD_HALF_MAX ? AD_HALF_MAX : magnitude;
    /* Floats in [1/2, 1) have the same steps as subnormal halves, 2^-24, so that the addition rounds. */
    if (magnitude < 0x1p-14f) {
        small = magnitude + 0.5f;
        memcpy(&bits, &small, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000));
    }
    memcpy(&bits, &magnitude, sizeof bits);
    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | ((bits >> 13) - (112 << 10)));
}

/* Whether a half holds the number as it is. */
static inline int ad_half_exact(float value) { return ad_half_to_float(ad_half_from_float(value)) == value; }
#endif
