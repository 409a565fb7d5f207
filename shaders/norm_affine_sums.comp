/* The first pass of sums[2][c] = sum_nhw d, sum_nhw d*(x - mean[c]) with d = dy*act', mean = stats[0]: the sums of RUN
 * positions; parts are added up by norm_sum_merge.comp. act' is taken from y or, as the activation wants, at
 * scale*x + shift; without COEF at x.
 * Layout: channels-last, channels and task strides multiples of 4; parts as in abi_other.h.
 * Grid: lib/grid.glsl, ceil(positions/RUN)*channels4 items a task. Bytes: 12 + 8/RUN an element (8 + 8/RUN where y is not
 * read).
 * Reference: AFFINE_SUMS. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/activation.glsl"
#include "lib/run.glsl"

layout(push_constant) uniform Push { ad_push_affine_sums p; };
layout(constant_id = 1) const uint ACT = AD_ACTIVATION_NONE;
layout(constant_id = 2) const bool COEF = false;
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer Y4 { vec4 y4[]; };
layout(set = 0, binding = 2) readonly buffer Dy4 { vec4 dy4[]; };
layout(set = 0, binding = 3) readonly buffer Stats4 { vec4 stats4[]; };
layout(set = 0, binding = 4) writeonly buffer To4 { vec4 to4[]; };
layout(set = 0, binding = 5) readonly buffer Coef4 { vec4 coef4[]; };

void main() {
    const uint item = item_index(), task = task_index(), channels4 = uint(p.channels4), positions = uint(p.positions);
    const uint part = item / channels4, channel = item % channels4, begin = part * RUN;
    if (begin >= positions) return;
    const uint x = task * uint(p.x_task) / 4, y = task * uint(p.y_task) / 4, dy = task * uint(p.dy_task) / 4;
    const vec4 mean = stats4[task * uint(p.stats_task) / 4 + channel];
    const bool by_input = !act_by_output(ACT);
    vec4 sum = vec4(0.0), sum_x = vec4(0.0), scale = vec4(1.0), shift = vec4(0.0);
    if (by_input && COEF) {
        const uint coef = task * uint(p.coef_task) / 4 + channel;
        scale = coef4[coef];
        shift = coef4[coef + channels4];
    }
    [[unroll]] for (uint r = 0; r < RUN; r++) {
        const uint e = min(begin + r, positions - 1) * channels4 + channel;
        const vec4 from_x = x4[x + e];
        vec4 d = dy4[dy + e];
        if (by_input) {
            d *= act_slope(ACT, scale * from_x + shift, p.slope);
        } else if (ACT != AD_ACTIVATION_NONE) {
            d *= act_slope(ACT, y4[y + e], p.slope);
        }
        d = begin + r < positions ? d : vec4(0.0);
        sum += d;
        sum_x += d * (from_x - mean);
    }
    const uint to = task * uint(p.to_task) / 4 + 2 * part * channels4 + channel;
    to4[to] = sum;
    to4[to + channels4] = sum_x;
}
