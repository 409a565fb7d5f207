/* dx = dy*s[n][c] (DX), with ACCUMULATE added, and the first pass of ds[n][c] = sum_hw dy*x (DS): the sums of RUN
 * positions of an image, [task][part][n][c]; parts are added up by norm_sum_merge.comp. dx may be dy: DX_IN_DY then
 * says so, and its own binding is not used (abi_other.h).
 * Layout: channels-last, channels and task strides multiples of 4.
 * Grid: lib/grid.glsl, ceil(positions/RUN)*images*channels4 items a task. Bytes: 8 an element, 12 with both results.
 * Reference: CHANNEL_SCALE_BACK. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/run.glsl"

layout(push_constant) uniform Push { ad_push_channel_scale_back p; };
layout(constant_id = 1) const bool ACCUMULATE = false;
layout(constant_id = 2) const bool DX = true;
layout(constant_id = 3) const bool DS = true;
layout(constant_id = 4) const bool DX_IN_DY = false;
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer S4 { vec4 s4[]; };
layout(set = 0, binding = 2) buffer Dy4 { vec4 dy4[]; };
layout(set = 0, binding = 3) buffer Dx4 { vec4 dx4[]; };
layout(set = 0, binding = 4) writeonly buffer To4 { vec4 to4[]; };

void main() {
    const uint item = item_index(), task = task_index(), channels4 = uint(p.channels4), positions = uint(p.positions),
               width = uint(p.images) * channels4;
    const uint part = item / width, image = item % width / channels4, channel = item % channels4, begin = part * RUN;
    if (begin >= positions) return;
    const uint first = image * positions * channels4 + channel;
    const uint x = task * uint(p.x_task) / 4 + first, dy = task * uint(p.dy_task) / 4 + first,
               dx = task * uint(p.dx_task) / 4 + first;
    const vec4 s = s4[task * uint(p.s_task) / 4 + item % width];
    vec4 sum = vec4(0.0);
    [[unroll]] for (uint r = 0; r < RUN; r++) {
        const uint e = min(begin + r, positions - 1) * channels4;
        const vec4 d = dy4[dy + e];
        if (DS) {
            const vec4 product = d * x4[x + e];
            sum += begin + r < positions ? product : vec4(0.0);
        }
        if (DX && begin + r < positions) {
            vec4 v = d * s;
            if (ACCUMULATE) v += DX_IN_DY ? d : dx4[dx + e];
            if (DX_IN_DY) {
                dy4[dy + e] = v;
            } else {
                dx4[dx + e] = v;
            }
        }
    }
    if (DS) to4[task * uint(p.to_task) / 4 + item] = sum;
}
