/* y = w*gain[x]/norms[x], x the channel of each number.
 * Layout: kernels [taps][inputs][outputs], one number an invocation. Grid: lib/grid.glsl, an item a number. Bytes: 8 a
 * number.
 * Reference: WEIGHT_SCALE. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"

layout(push_constant) uniform Push { ad_push_weights p; };
#include "lib/weights.glsl"
layout(set = 0, binding = 0) readonly buffer W { float w[]; };
layout(set = 0, binding = 1) readonly buffer Gain { float gain[]; };
layout(set = 0, binding = 2) readonly buffer Norms { float norms[]; };
layout(set = 0, binding = 3) writeonly buffer Y { float y[]; };

void main() {
    const uint e = item_index(), task = task_index();
    if (e >= channel_count() * channel_size()) return;
    const uint x = channel_of(e);
    const float factor = gain[task * uint(p.gain_task) + x] / norms[task * uint(p.norms_task) + x];
    y[task * uint(p.y_task) + e] = w[task * uint(p.w_task) + e] * factor;
}
