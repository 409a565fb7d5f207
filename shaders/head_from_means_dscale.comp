/* dscale = p.scale * sum of parts[task][o] over the classes o; the second pass of head_from_means_back.comp.
 * Grid: lib/grid.glsl's workgroups, one a task. Reference: MEAN_HEAD_BACK. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/reduce.glsl"

layout(push_constant) uniform Push { ad_push_mean_head_back p; };
layout(set = 0, binding = 5) writeonly buffer Dscale { float dscale[]; };
layout(set = 0, binding = 6) readonly buffer Parts { float parts[]; };

void main() {
    const uint task = task_index(), classes = uint(p.classes), lane = gl_LocalInvocationID.x;
    float sum = 0.0;
    for (uint o = lane; o < classes; o += gl_WorkGroupSize.x) sum += parts[task * classes + o];
    sum = reduce_sum(sum);
    if (lane == 0) dscale[task * uint(p.dscale_task)] = p.scale * sum;
}
