/* running[2][c] = (1 - momentum)*running + momentum*(mean, var*correction); stats[2][c] = mean, var.
 * Grid: lib/grid.glsl, channels items a task. Reference: BN_RUNNING. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"

layout(push_constant) uniform Push { ad_push_bn_running p; };
layout(set = 0, binding = 0) readonly buffer Stats { float stats[]; };
layout(set = 0, binding = 1) buffer Running { float running[]; };

void main() {
    const uint c = item_index(), task = task_index(), channels = uint(p.channels);
    if (c >= channels) return;
    const uint from = task * uint(p.stats_task) + c, to = task * uint(p.running_task) + c;
    running[to] = (1.0 - p.momentum) * running[to] + p.momentum * stats[from];
    running[to + channels] =
        (1.0 - p.momentum) * running[to + channels] + p.momentum * (stats[from + channels] * p.correction);
}
