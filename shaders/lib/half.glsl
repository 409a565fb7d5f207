/* Operands that may be AD_F16: four halves are a uvec2. Such an operand has two declarations, of which the
 * specialization constant chooses one. */
layout(constant_id = AD_SPEC_F16) const bool F16 = false;

/* A read-only operand as AD_IN_O declares it. The format of a texel buffer says itself what is in there. */
#if defined(AD_TEXEL) || AD_WIDTH == 1
#define AD_IN_F16 AD_IN_O
#else
#define AD_IN_F16(slot, name)                                                                  \
    layout(std430, binding = slot) readonly buffer name##_block { vec4 name##_data[]; };        \
    layout(std430, binding = slot) readonly buffer name##_halves_block { uvec2 name##_halves[]; }; \
    vec4 name(int i) {                                                                          \
        if (!F16) return name##_data[i];                                                        \
        return vec4(unpackHalf2x16(name##_halves[i].x), unpackHalf2x16(name##_halves[i].y));    \
    }
#endif

/* An output of vec4: name##_put(i, v) writes its i-th, or adds to it (lib/accumulate.glsl). */
vec4 ad_finite(vec4 v) { return mix(v, sign(v) * 65504.0, greaterThan(abs(v), vec4(65504.0))); }
#define AD_OUT_F16(slot, name)                                                         \
    layout(std430, binding = slot) buffer name##_block { vec4 name[]; };                \
    layout(std430, binding = slot) buffer name##_halves_block { uvec2 name##_halves[]; }; \
    void name##_put(int i, vec4 v) {                                                    \
        if (F16) {                                                                      \
            v = ad_finite(v);                                                           \
            name##_halves[i] = uvec2(packHalf2x16(v.xy), packHalf2x16(v.zw));           \
        } else {                                                                        \
            name[i] = ACCUMULATE ? name[i] + v : v;                                     \
        }                                                                               \
    }
