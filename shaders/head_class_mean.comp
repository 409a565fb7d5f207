/* mean[o][c] = mean of x[n][c] over the rows n with labels[task][n] == o; 0 where there is none.
 * Layout: rows of any length; labels int32, of all tasks one after the other. Grid: lib/grid.glsl, classes*columns
 * items a task.
 * Bytes: 4*rows*columns*classes a task at most (a class reads its own rows only).
 * Reference: CLASS_MEAN. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"

layout(push_constant) uniform Push { ad_push_class_mean p; };
layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) readonly buffer Labels { int labels[]; };
layout(set = 0, binding = 2) writeonly buffer Mean { float mean[]; };

void main() {
    const uint item = item_index(), task = task_index(), columns = uint(p.columns), rows = uint(p.rows);
    const uint label = item / columns, from = task * uint(p.x_task) + item % columns;
    if (label >= uint(p.classes)) return;
    float sum = 0.0, count = 0.0;
    for (uint n = 0; n < rows; n++) {
        if (uint(labels[task * rows + n]) != label) continue;
        sum += x[from + n * columns];
        count += 1.0;
    }
    mean[task * uint(p.mean_task) + item] = sum / max(count, 1.0);
}
