/* y[e] = sum over t < tasks of factor*x[t][e], from y[e] where accumulate, else from 0. Every product and every sum is
 * rounded: `precise` keeps compilers from fusing them. So the bytes don't depend on how tasks are divided over runs.
 * Layout: 4 floats an invocation; x's task stride is a multiple of 4 floats, count is any number (lib/tail.glsl); y is
 * shared. Grid: lib/grid.glsl, ceil(count/4) items. Bytes: 4*count*(tasks + 2). Reference: TASK_SUM. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/tail.glsl"

layout(push_constant) uniform Push { ad_push_task_sum p; };
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) buffer Y4 { vec4 y4[]; };
layout(set = 0, binding = 1) buffer Y { float y[]; };

void main() {
    const uint begin = 4 * item_index();
    if (begin >= uint(p.count)) return;
    const uint left = uint(p.count) - begin;
    precise vec4 sum = vec4(0.0);
    if (p.accumulate != 0) sum = LOAD4(y, begin, left);
    for (uint t = 0; t < uint(p.tasks); t++) {
        precise const vec4 product = p.factor * LOAD4(x, t * uint(p.x_task) + begin, left);
        sum += product;
    }
    STORE4(y, begin, left, sum);
}
