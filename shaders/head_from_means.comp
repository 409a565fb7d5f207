/* w = s*mean, bias[o] = -s/2*|mean[o]|^2 (BIAS), s = p.scale times scale[0] (SCALE): the head whose logits are
 * s*(<x, mean> - |mean|^2/2).
 * Layout: rows of any length; a workgroup takes a class. Grid: lib/grid.glsl's workgroups, classes a task.
 * Bytes: 8 an element. Reference: MEAN_HEAD. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/reduce.glsl"

layout(push_constant) uniform Push { ad_push_mean_head p; };
layout(constant_id = 0) const bool BIAS = true;
layout(constant_id = 1) const bool SCALE = false;
layout(set = 0, binding = 0) readonly buffer Mean { float mean[]; };
layout(set = 0, binding = 1) writeonly buffer W { float w[]; };
layout(set = 0, binding = 2) writeonly buffer Bias { float bias[]; };
layout(set = 0, binding = 3) readonly buffer Scale { float scale[]; };

void main() {
    const uint way = group_index(), task = task_index(), columns = uint(p.columns), lane = gl_LocalInvocationID.x;
    if (way >= uint(p.classes)) return;
    const uint from = task * uint(p.mean_task) + way * columns, to = task * uint(p.w_task) + way * columns;
    const float s = SCALE ? p.scale * scale[task * uint(p.scale_task)] : p.scale;
    float squares = 0.0;
    for (uint c = lane; c < columns; c += gl_WorkGroupSize.x) {
        const float m = mean[from + c];
        squares += m * m;
        w[to + c] = s * m;
    }
    if (!BIAS) return;
    squares = reduce_sum(squares);
    if (lane == 0) bias[task * uint(p.bias_task) + way] = -0.5 * s * squares;
}
