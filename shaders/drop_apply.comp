/* y = x*mask/max(mean[c], 1e-6), mean = stats[0]. y may be x: IN_X then says so, and its own binding is not used
 * (abi_other.h).
 * Layout: channels-last, channels and task strides multiples of 4, 4 floats an invocation.
 * Grid: lib/grid.glsl, elements4 items a task. Bytes: 12 an element. Reference: DROP_APPLY. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"

layout(push_constant) uniform Push { ad_push_drop_apply p; };
layout(constant_id = 0) const bool IN_X = false;
layout(set = 0, binding = 0) buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer Mask4 { vec4 mask4[]; };
layout(set = 0, binding = 2) readonly buffer Stats4 { vec4 stats4[]; };
layout(set = 0, binding = 3) writeonly buffer Y4 { vec4 y4[]; };

void main() {
    const uint item = item_index(), task = task_index(), x = task * uint(p.x_task) / 4 + item;
    if (item >= uint(p.elements4)) return;
    const vec4 mean = stats4[task * uint(p.stats_task) / 4 + item % uint(p.channels4)];
    const vec4 v = x4[x] * mask4[task * uint(p.mask_task) / 4 + item] / max(mean, 1e-6);
    if (IN_X) {
        x4[x] = v;
    } else {
        y4[task * uint(p.y_task) / 4 + item] = v;
    }
}
