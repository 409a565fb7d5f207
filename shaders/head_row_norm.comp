/* inverse[n] = 1/max(|x[n]|, 1e-12); y[n] = x[n]*inverse[n].
 * Layout: rows of any length; a workgroup takes a row. Grid: lib/grid.glsl's workgroups, rows a task.
 * Bytes: 8 an element. Reference: ROW_NORM. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/reduce.glsl"

layout(push_constant) uniform Push { ad_push_rows p; };
layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 2) writeonly buffer Inverse { float inverse[]; };

void main() {
    const uint row = group_index(), task = task_index(), columns = uint(p.columns), lane = gl_LocalInvocationID.x;
    if (row >= uint(p.rows)) return;
    const uint from = task * uint(p.x_task) + row * columns, to = task * uint(p.y_task) + row * columns;
    float squares = 0.0;
    for (uint c = lane; c < columns; c += gl_WorkGroupSize.x) squares += x[from + c] * x[from + c];
    const float scale = 1.0 / max(sqrt(reduce_sum(squares)), 1e-12);
    for (uint c = lane; c < columns; c += gl_WorkGroupSize.x) y[to + c] = x[from + c] * scale;
    if (lane == 0) inverse[task * uint(p.inverse_task) + row] = scale;
}
