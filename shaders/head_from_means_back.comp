/* The derivative of head_from_means.comp: dmean[o][c] = s*(dw[o][c] - dbias[o]*mean[o][c]), and of each class (DSCALE)
 * parts[task][o] = sum_c mean[o][c]*(dw[o][c] - dbias[o]/2*mean[o][c]), of which head_from_means_dscale.comp makes
 * dscale. dbias is 0 where it is absent (DBIAS); s as there (SCALE).
 * Layout: rows of any length; a workgroup takes a class. Grid: lib/grid.glsl's workgroups, classes a task.
 * Bytes: 12 an element. Reference: MEAN_HEAD_BACK. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/reduce.glsl"

layout(push_constant) uniform Push { ad_push_mean_head_back p; };
layout(constant_id = 0) const bool DBIAS = true;
layout(constant_id = 1) const bool SCALE = false;
layout(constant_id = 2) const bool DSCALE = true;
layout(set = 0, binding = 0) readonly buffer Mean { float mean[]; };
layout(set = 0, binding = 1) readonly buffer Dw { float dw[]; };
layout(set = 0, binding = 2) readonly buffer Dbias { float dbias[]; };
layout(set = 0, binding = 3) readonly buffer Scale { float scale[]; };
layout(set = 0, binding = 4) writeonly buffer Dmean { float dmean[]; };
layout(set = 0, binding = 6) writeonly buffer Parts { float parts[]; };

void main() {
    const uint way = group_index(), task = task_index(), columns = uint(p.columns), lane = gl_LocalInvocationID.x;
    if (way >= uint(p.classes)) return;
    const uint at_mean = task * uint(p.mean_task) + way * columns, at_dw = task * uint(p.dw_task) + way * columns;
    const uint to = task * uint(p.dmean_task) + way * columns;
    const float s = SCALE ? p.scale * scale[task * uint(p.scale_task)] : p.scale;
    const float slope = DBIAS ? dbias[task * uint(p.dbias_task) + way] : 0.0;
    float sum = 0.0;
    for (uint c = lane; c < columns; c += gl_WorkGroupSize.x) {
        const float m = mean[at_mean + c], d = dw[at_dw + c];
        sum += m * (d - 0.5 * slope * m);
        dmean[to + c] = s * (d - slope * m);
    }
    if (!DSCALE) return;
    sum = reduce_sum(sum);
    if (lane == 0) parts[task * uint(p.classes) + way] = sum;
}
