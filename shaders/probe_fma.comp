/* The rate of multiply-adds in registers: AD_PROBE_SUMS independent sums, s = s*factor + term, in REAL4 (vec4 or
 * f16vec4).
 * Grid: any; every invocation computes for itself. FLOPs: turns * AD_PROBE_UNROLL * AD_PROBE_SUMS * 8 an invocation;
 * bytes: none (the sums are written only if they are what they cannot be). A probe (src/vk/program/probe.c): no
 * operation, no reference. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef AD_HALF
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define REAL float16_t
#define REAL4 f16vec4
#else
#define REAL float
#define REAL4 vec4
#endif
#include "abi.h"

layout(local_size_x = AD_PROBE_GROUP) in;
layout(push_constant) uniform Push { ad_push_probe p; };
layout(set = 0, binding = 0) writeonly buffer Out { vec4 result[]; };

void main() {
    const REAL4 factor = REAL4(REAL(p.factor)), term = REAL4(REAL(p.term));
    REAL4 a = term * REAL(gl_LocalInvocationID.x & 7u), b = a + term, c = b + term;
    for (int turn = 0; turn < p.turns; turn++) {
        [[unroll]] for (int i = 0; i < AD_PROBE_UNROLL; i++) {
            a = fma(a, factor, term);
            b = fma(b, factor, term);
            c = fma(c, factor, term);
        }
    }
    const vec4 sum = vec4(a + b + c);
    if (sum.x < 0) result[0] = sum;
}
