/* Maxima that a NaN survives: what diverged must show at the end, and max() of a NaN and a number may be either. Seen
 * by the bits: what comparisons make of a NaN is the driver's choice. */
void note_nan(inout uvec4 most, vec4 v) { most = max(most, floatBitsToUint(v) & 0x7fffffffu); }
/* v, and NaN where one was noted. */
vec4 nan_where(uvec4 most, vec4 v) {
    return mix(v, uintBitsToFloat(uvec4(0x7fc00000u)), greaterThan(most, uvec4(0x7f800000u)));
}
