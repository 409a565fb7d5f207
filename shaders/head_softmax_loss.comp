/* loss[round][task] = mean of losses[task][n] over the rows whose label is not negative (0 of none), losses of the
 * others being 0; the second pass of head_softmax_ce.comp.
 * Grid: lib/grid.glsl's workgroups, one a task. Reference: SOFTMAX_CE. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/reduce.glsl"

layout(push_constant) uniform Push { ad_push_softmax p; };
layout(constant_id = 0) const bool COUNTER = false;
layout(set = 0, binding = 1) readonly buffer Labels { int labels[]; };
layout(set = 0, binding = 2) readonly buffer Counter { int counter[]; };
layout(set = 0, binding = 3) writeonly buffer Loss { float loss[]; };
layout(set = 0, binding = 6) readonly buffer Losses { float losses[]; };

void main() {
    const uint task = task_index(), rows = uint(p.rows), lane = gl_LocalInvocationID.x;
    const uint round = COUNTER ? uint(counter[0]) % uint(p.rounds) : 0, to = round * uint(p.tasks) + task;
    float sum = 0.0, counted = 0.0;
    for (uint n = lane; n < rows; n += gl_WorkGroupSize.x) {
        sum += losses[task * rows + n];
        counted += labels[to * rows + n] < 0 ? 0.0 : 1.0;
    }
    sum = reduce_sum(sum);
    counted = reduce_sum(counted);
    if (lane == 0) loss[to] = sum / max(counted, 1.0);
}
