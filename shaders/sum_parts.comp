/* out[task][e] = sum of parts[task][part][e] over the parts: the second pass of reductions, a workgroup per vec4 of out.
 * Grid: lib/grid.glsl's workgroups, elements4 a task. Bytes: 16*parts*elements4 a task. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#define REDUCE_TYPE vec4
#include "lib/reduce.glsl"

layout(push_constant) uniform Push { ad_push_sum_parts p; };
layout(set = 0, binding = 0) writeonly buffer Out4 { vec4 out4[]; };
layout(set = 0, binding = 1) readonly buffer Parts4 { vec4 parts4[]; };

void main() {
    const uint element = group_index(), task = task_index(), elements4 = uint(p.elements4), parts = uint(p.parts);
    if (element >= elements4) return;
    vec4 sum = vec4(0.0);
    for (uint i = gl_LocalInvocationID.x; i < parts; i += gl_WorkGroupSize.x) sum += parts4[(task * parts + i) * elements4 + element];
    sum = reduce_sum(sum);
    if (gl_LocalInvocationID.x == 0) out4[task * uint(p.out_task) / 4 + element] = sum;
}
