/* Merges the sums s_i and squared deviations q_i of bn_stats.comp, n_i positions each, N in all: mean = sum s_i/N and
 * variance = sum (q_i + n_i (s_i/n_i - mean)^2)/N, all terms of which are positive [Chan, Golub & LeVeque 1983, eq. 2.1].
 * Layout: parts [task][part][2][c], stats [2][c]. Grid: lib/grid.glsl's workgroups, channels4 a task, one a vec4 of channels.
 * Reference: BN_STATS. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#define REDUCE_TYPE vec4
#include "lib/reduce.glsl"

layout(push_constant) uniform Push { ad_push_bn_stats p; };
layout(set = 0, binding = 1) writeonly buffer Stats4 { vec4 stats4[]; };
layout(set = 0, binding = 2) readonly buffer Parts4 { vec4 parts4[]; };

void main() {
    const uint channel = group_index(), task = task_index(), channels4 = uint(p.channels4);
    if (channel >= channels4) return;
    const uint parts = uint(p.slice) / channels4, positions = uint(p.elements4) / channels4, lane = gl_LocalInvocationID.x;
    const uint begin = 2 * task * uint(p.slice) + channel;
    vec4 sum = vec4(0.0), squares = vec4(0.0);
    for (uint i = lane; i < parts; i += gl_WorkGroupSize.x) sum += parts4[begin + 2 * i * channels4];
    const vec4 mean = reduce_sum(sum) / float(positions);
    for (uint i = lane; i < parts; i += gl_WorkGroupSize.x) {
        const float count = float((positions - i + parts - 1) / parts);
        const vec4 deviation = parts4[begin + 2 * i * channels4] / count - mean;
        squares += parts4[begin + (2 * i + 1) * channels4] + count * deviation * deviation;
    }
    squares = reduce_sum(squares);
    if (lane > 0) return;
    const uint stats = task * uint(p.stats_task) / 4 + channel;
    stats4[stats] = mean;
    stats4[stats + channels4] = squares / float(positions);
}
