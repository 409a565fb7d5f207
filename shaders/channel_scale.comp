/* y[n][h][w][c] = x[n][h][w][c]*s[n][c]. y may be x: IN_X then says so, and its own binding is not used (abi_other.h).
 * Layout: channels-last, channels and task strides multiples of 4; an invocation takes ROWS vec4 elements of the same
 * channels of an image. Grid: lib/grid.glsl, images*slice items a task. Bytes: 8 an element.
 * Reference: CHANNEL_SCALE. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"

layout(push_constant) uniform Push { ad_push_channel_scale p; };
layout(constant_id = 0) const uint ROWS = 4;
layout(constant_id = 1) const bool IN_X = false;
layout(set = 0, binding = 0) buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer S4 { vec4 s4[]; };
layout(set = 0, binding = 2) writeonly buffer Y4 { vec4 y4[]; };

void main() {
    const uint item = item_index(), task = task_index(), image = item / uint(p.slice), first = item % uint(p.slice);
    if (image >= uint(p.images)) return;
    const uint x = task * uint(p.x_task) / 4 + image * uint(p.elements4),
               y = task * uint(p.y_task) / 4 + image * uint(p.elements4);
    const vec4 s = s4[task * uint(p.s_task) / 4 + image * uint(p.channels4) + first % uint(p.channels4)];
    for (uint r = 0; r < ROWS; r++) {
        const uint e = first + r * uint(p.slice);
        if (e >= uint(p.elements4)) break;
        const vec4 v = x4[x + e] * s;
        if (IN_X) {
            x4[x + e] = v;
        } else {
            y4[y + e] = v;
        }
    }
}
