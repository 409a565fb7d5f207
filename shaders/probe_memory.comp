/* The rate of memory: MODE 0 reads `from`, 1 writes `to`, 2 copies `from` to `to`, p.vectors vec4 in all.
 * Layout: a workgroup's invocations touch neighbouring vec4. Grid: vectors / (AD_PROBE_GROUP * AD_PROBE_VECTORS)
 * workgroups.
 * Bytes: 16*vectors, twice that for the copy. A probe (src/vk/program/probe.c): no operation, no reference. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "abi.h"

layout(local_size_x = AD_PROBE_GROUP) in;
layout(push_constant) uniform Push { ad_push_probe p; };
layout(set = 0, binding = 0) readonly buffer From { vec4 from[]; };
layout(set = 0, binding = 1) writeonly buffer To { vec4 to[]; };

void main() {
    const uint begin = gl_WorkGroupID.x * (AD_PROBE_GROUP * AD_PROBE_VECTORS) + gl_LocalInvocationID.x;
    vec4 sum = vec4(0);
    [[unroll]] for (uint i = 0; i < AD_PROBE_VECTORS; i++) {
        const uint at = begin + i * AD_PROBE_GROUP;
#if MODE == 0
        sum += from[at];
#elif MODE == 1
        to[at] = vec4(p.term);
#else
        to[at] = from[at];
#endif
    }
#if MODE == 0
    if (sum.x < 0) to[0] = sum; /* never: the buffer holds zeros */
#endif
}
