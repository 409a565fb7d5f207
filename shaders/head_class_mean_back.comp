/* dx[n][c] = dmean[label][c] / (number of rows with the label of row n), 0 where that is no class; added to dx where
 * accumulate.
 * Layout: rows of any length, a workgroup takes a row; labels int32, of all tasks one after the other.
 * Grid: lib/grid.glsl's workgroups, rows a task. Bytes: 8 an element. Reference: CLASS_MEAN_BACK. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/reduce.glsl"

layout(push_constant) uniform Push { ad_push_class_mean_back p; };
layout(set = 0, binding = 0) readonly buffer Dmean { float dmean[]; };
layout(set = 0, binding = 1) readonly buffer Labels { int labels[]; };
layout(set = 0, binding = 2) buffer Dx { float dx[]; };

void main() {
    const uint row = group_index(), task = task_index(), columns = uint(p.columns), rows = uint(p.rows);
    if (row >= rows) return;
    const uint lane = gl_LocalInvocationID.x, first_label = task * rows, label = uint(labels[first_label + row]);
    float count = 0.0;
    for (uint n = lane; n < rows; n += gl_WorkGroupSize.x) count += uint(labels[first_label + n]) == label ? 1.0 : 0.0;
    count = reduce_sum(count);
    const bool of_class = label < uint(p.classes);
    const uint from = task * uint(p.dmean_task) + label * columns, to = task * uint(p.dx_task) + row * columns;
    for (uint c = lane; c < columns; c += gl_WorkGroupSize.x) {
        float d = 0.0;
        if (of_class) d = dmean[from + c] / count;
        if (p.accumulate != 0) d += dx[to + c];
        dx[to + c] = d;
    }
}
