/* coef[2][c] = scale, shift with scale = gamma/sqrt(var + epsilon), shift = beta - mean*scale; stats[2][c] = mean, var.
 * Grid: lib/grid.glsl, channels items a task. Reference: BN_FOLD. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"

layout(push_constant) uniform Push { ad_push_bn_fold p; };
layout(set = 0, binding = 0) readonly buffer Stats { float stats[]; };
layout(set = 0, binding = 1) readonly buffer Gamma { float gamma[]; };
layout(set = 0, binding = 2) readonly buffer Beta { float beta[]; };
layout(set = 0, binding = 3) writeonly buffer Coef { float coef[]; };

void main() {
    const uint c = item_index(), task = task_index(), channels = uint(p.channels);
    if (c >= channels) return;
    const uint at = task * uint(p.stats_task) + c, to = task * uint(p.coef_task) + c;
    const float scale = gamma[task * uint(p.gamma_task) + c] / sqrt(stats[at + channels] + p.epsilon);
    coef[to] = scale;
    coef[to + channels] = beta[task * uint(p.beta_task) + c] - stats[at] * scale;
}
