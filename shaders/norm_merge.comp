/* Merges RUN parts of n_i positions with mean m_i and biased variance v_i to one of N positions: mean = sum n_i m_i/N,
 * variance = sum n_i (v_i + (m_i - mean)^2)/N, all terms of which are positive [Chan, Golub & LeVeque 1983, eq. 2.1].
 * Layout: parts as in abi_other.h. Grid: lib/grid.glsl, ceil(parts/RUN)*channels4 items a task.
 * Bytes: 32*channels4*parts*(1 + 1/RUN) a task. Reference: BN_STATS. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/run.glsl"

layout(push_constant) uniform Push { ad_push_merge p; };
layout(set = 0, binding = 0) readonly buffer From4 { vec4 from4[]; };
layout(set = 0, binding = 1) writeonly buffer To4 { vec4 to4[]; };

void main() {
    const uint item = item_index(), task = task_index(), channels4 = uint(p.width) / 2, parts = uint(p.parts);
    const uint group = item / channels4, channel = item % channels4, begin = group * RUN;
    const uint from = uint(p.from) + 2 * task * parts * channels4 + channel;
    if (begin >= parts) return;
    float count[RUN], total = 0.0;
    vec4 m[RUN], v[RUN], mean = vec4(0.0), variance = vec4(0.0);
    [[unroll]] for (uint r = 0; r < RUN; r++) {
        const uint i = min(begin + r, parts - 1), first = i * uint(p.run);
        count[r] = begin + r < parts ? float(min(uint(p.run), uint(p.positions) - first)) : 0.0;
        m[r] = from4[from + 2 * i * channels4];
        v[r] = from4[from + (2 * i + 1) * channels4];
        mean += count[r] * m[r];
        total += count[r];
    }
    mean /= total;
    [[unroll]] for (uint r = 0; r < RUN; r++) {
        const vec4 deviation = m[r] - mean;
        variance += count[r] * (v[r] + deviation * deviation);
    }
    const uint to = uint(p.to) + task * uint(p.to_task) / 4 + 2 * group * channels4 + channel;
    to4[to] = mean;
    to4[to + channels4] = variance / total;
}
