/* The first pass of stats[2][c] = mean and biased variance over the positions: those of RUN positions, from their
 * deviations from their own mean; merged by norm_merge.comp.
 * Layout: channels-last, channels and task strides multiples of 4; parts as in abi_other.h.
 * Grid: lib/grid.glsl, ceil(positions/RUN)*channels4 items a task. Bytes: 4 + 8/RUN an element.
 * Reference: BN_STATS. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/run.glsl"

layout(push_constant) uniform Push { ad_push_bn_stats p; };
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) writeonly buffer To4 { vec4 to4[]; };

void main() {
    const uint item = item_index(), task = task_index(), channels4 = uint(p.channels4), positions = uint(p.positions);
    const uint part = item / channels4, channel = item % channels4, begin = part * RUN,
               x = task * uint(p.x_task) / 4 + channel;
    if (begin >= positions) return;
    const float count = float(min(RUN, positions - begin));
    vec4 v[RUN], sum = vec4(0.0), squares = vec4(0.0);
    [[unroll]] for (uint r = 0; r < RUN; r++) {
        v[r] = x4[x + min(begin + r, positions - 1) * channels4];
        sum += begin + r < positions ? v[r] : vec4(0.0);
    }
    const vec4 mean = sum / count;
    [[unroll]] for (uint r = 0; r < RUN; r++) {
        const vec4 deviation = begin + r < positions ? v[r] - mean : vec4(0.0);
        squares += deviation * deviation;
    }
    const uint to = task * uint(p.to_task) / 4 + 2 * part * channels4 + channel;
    to4[to] = mean;
    to4[to + channels4] = squares / count;
}
