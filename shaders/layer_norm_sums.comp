/* The first pass of sums[2][c] = sum_nhw dy, sum_nhw dy*(x - mean)*r, stats [position][2] = mean, r: the sums of RUN
 * positions; parts are added up by norm_sum_merge.comp.
 * Layout: channels-last, channels and task strides multiples of 4; parts as in abi_other.h.
 * Grid: lib/grid.glsl, ceil(positions/RUN)*channels4 items a task. Bytes: 8 + 8/RUN an element.
 * Reference: LAYER_NORM_SUMS. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/run.glsl"

layout(push_constant) uniform Push { ad_push_layer_norm_sums p; };
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer Stats { vec2 stats[]; };
layout(set = 0, binding = 2) readonly buffer Dy4 { vec4 dy4[]; };
layout(set = 0, binding = 3) writeonly buffer To4 { vec4 to4[]; };

void main() {
    const uint item = item_index(), task = task_index(), channels4 = uint(p.channels4), positions = uint(p.positions);
    const uint part = item / channels4, channel = item % channels4, begin = part * RUN;
    if (begin >= positions) return;
    const uint x = task * uint(p.x_task) / 4, dy = task * uint(p.dy_task) / 4, at = task * uint(p.stats_task) / 2;
    vec4 sum = vec4(0.0), sum_u = vec4(0.0);
    [[unroll]] for (uint r = 0; r < RUN; r++) {
        const uint position = min(begin + r, positions - 1), e = position * channels4 + channel;
        const vec2 mean_r = stats[at + position];
        const vec4 u = (x4[x + e] - mean_r.x) * mean_r.y;
        vec4 d = dy4[dy + e];
        vec4 product = d * u;
        sum += begin + r < positions ? d : vec4(0.0);
        sum_u += begin + r < positions ? product : vec4(0.0);
    }
    const uint to = task * uint(p.to_task) / 4 + 2 * part * channels4 + channel;
    to4[to] = sum;
    to4[to + channels4] = sum_u;
}
