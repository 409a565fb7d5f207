/* dx[n] = inverse[n]*(dy[n] - y[n] <y[n], dy[n]>).
 * Layout: rows of any length; a workgroup takes a row. Grid: lib/grid.glsl's workgroups, rows a task.
 * Bytes: 12 an element. Reference: ROW_NORM_BACK. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/reduce.glsl"

layout(push_constant) uniform Push { ad_push_rows_back p; };
layout(set = 0, binding = 0) readonly buffer Y { float y[]; };
layout(set = 0, binding = 1) readonly buffer Inverse { float inverse[]; };
layout(set = 0, binding = 2) readonly buffer Dy { float dy[]; };
layout(set = 0, binding = 3) buffer Dx { float dx[]; };

void main() {
    const uint row = group_index(), task = task_index(), columns = uint(p.columns), lane = gl_LocalInvocationID.x;
    if (row >= uint(p.rows)) return;
    const uint at_y = task * uint(p.y_task) + row * columns, at_dy = task * uint(p.dy_task) + row * columns;
    const uint at_dx = task * uint(p.dx_task) + row * columns;
    float product = 0.0;
    for (uint c = lane; c < columns; c += gl_WorkGroupSize.x) product += y[at_y + c] * dy[at_dy + c];
    product = reduce_sum(product);
    const float scale = inverse[task * uint(p.inverse_task) + row];
    for (uint c = lane; c < columns; c += gl_WorkGroupSize.x) {
        dx[at_dx + c] = scale * (dy[at_dy + c] - y[at_y + c] * product);
    }
}
