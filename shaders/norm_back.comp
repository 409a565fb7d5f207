/* r = 1/sqrt(var + epsilon); dgamma = r*sums[1], dbeta = sums[0]; back[3][c] = A, B, C with A = gamma*r and
 * with BATCH statistics B = -gamma*r^3*sums[1]/positions, C = -A*sums[0]/positions - B*mean, else B = C = 0.
 * Grid: lib/grid.glsl, channels items a task. Reference: BN_BACK. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"

layout(push_constant) uniform Push { ad_push_bn_back p; };
layout(constant_id = 0) const bool BATCH = false;
layout(constant_id = 1) const bool DGAMMA = true;
layout(constant_id = 2) const bool DBETA = true;
layout(constant_id = 3) const bool BACK = true;
layout(set = 0, binding = 0) readonly buffer Sums { float sums[]; };
layout(set = 0, binding = 1) readonly buffer Stats { float stats[]; };
layout(set = 0, binding = 2) readonly buffer Gamma { float gamma[]; };
layout(set = 0, binding = 3) buffer Dgamma { float dgamma[]; };
layout(set = 0, binding = 4) buffer Dbeta { float dbeta[]; };
layout(set = 0, binding = 5) buffer Back { float back[]; };

void main() {
    const uint c = item_index(), task = task_index(), channels = uint(p.channels);
    if (c >= channels) return;
    const uint at_sums = task * uint(p.sums_task) + c, at_stats = task * uint(p.stats_task) + c;
    const float sum = sums[at_sums], sum_x = sums[at_sums + channels],
                r = 1.0 / sqrt(stats[at_stats + channels] + p.epsilon);
    if (DGAMMA) dgamma[task * uint(p.dgamma_task) + c] = r * sum_x;
    if (DBETA) dbeta[task * uint(p.dbeta_task) + c] = sum;
    if (BACK) {
        const uint to = task * uint(p.back_task) + c;
        vec3 abc = vec3(gamma[task * uint(p.gamma_task) + c] * r, 0.0, 0.0);
        if (BATCH) {
            abc.y = -abc.x * r * r * sum_x / p.positions;
            abc.z = -abc.x * sum / p.positions - abc.y * stats[at_stats];
        }
        for (uint i = 0; i < 3; i++) back[to + i * channels] = abc[i];
    }
}
