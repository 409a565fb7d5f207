/* The first pass of sums[2][c] = sum_nhw d, sum_nhw d*(x - mean[c]) with d = dy*act'(y), mean = stats[0]: parts[task][item /
 * channels4][2][c] over the elements of one invocation, added up by sum_parts.comp.
 * Layout: channels-last, channels and task strides multiples of 4; an invocation takes all vec4 elements item, item + slice ...
 * (abi_other.h). Grid: lib/grid.glsl, slice items a task. Bytes: 12 an element (8 without activation).
 * Reference: AFFINE_SUMS. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/activation.glsl"

layout(push_constant) uniform Push { ad_push_affine_sums p; };
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer Y4 { vec4 y4[]; };
layout(set = 0, binding = 2) readonly buffer Dy4 { vec4 dy4[]; };
layout(set = 0, binding = 3) readonly buffer Stats4 { vec4 stats4[]; };
layout(set = 0, binding = 5) writeonly buffer Parts4 { vec4 parts4[]; };

void main() {
    const uint item = item_index(), task = task_index(), channels4 = uint(p.channels4), channel = item % channels4;
    if (item >= uint(p.slice)) return;
    const uint x = task * uint(p.x_task) / 4, y = task * uint(p.y_task) / 4, dy = task * uint(p.dy_task) / 4;
    const vec4 mean = stats4[task * uint(p.stats_task) / 4 + channel];
    vec4 sum = vec4(0.0), sum_x = vec4(0.0);
    for (uint e = item; e < uint(p.elements4); e += uint(p.slice)) {
        vec4 d = dy4[dy + e];
        if (ACT != 0) d *= activation_slope(y4[y + e], p.slope);
        sum += d;
        sum_x += d * (x4[x + e] - mean);
    }
    const uint part = 2 * (task * uint(p.slice) + item - channel) + channel;
    parts4[part] = sum;
    parts4[part + channels4] = sum_x;
}
