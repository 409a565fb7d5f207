/* x[n][c] = table[index[round][task][n] - first][c], round = counter % rounds; rows outside [first, first + chunk) are
 * left as they are.
 * Layout: table [chunk][columns], shared; any number of columns. Grid: lib/grid.glsl, rows*columns items a task.
 * Bytes: 8*rows*columns a task. Reference: GATHER_ROWS. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"

layout(push_constant) uniform Push { ad_push_gather_rows p; };
layout(constant_id = 0) const bool COUNTER = false;
layout(set = 0, binding = 0) readonly buffer Table { float table[]; };
layout(set = 0, binding = 1) readonly buffer Index { int index[]; };
layout(set = 0, binding = 2) readonly buffer Counter { int counter[]; };
layout(set = 0, binding = 3) writeonly buffer X { float x[]; };

void main() {
    const uint item = item_index(), task = task_index(), columns = uint(p.columns), row = item / columns;
    if (row >= uint(p.rows)) return;
    const uint round = COUNTER ? uint(counter[0]) % uint(p.rounds) : 0;
    const uint source = uint(index[(round * uint(p.tasks) + task) * uint(p.rows) + row] - p.first);
    if (source >= uint(p.chunk)) return;
    x[task * uint(p.x_task) + item] = table[source * columns + item % columns];
}
