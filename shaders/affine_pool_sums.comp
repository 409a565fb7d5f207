/* The first pass of sums[2][c] = sum d, sum d*(x - mean[c]) over the windows' winners with d = dy*act', mean =
 * stats[0]: the sums of RUN windows; parts are added up by norm_sum_merge.comp.
 * Layout: channels-last, channels and task strides multiples of 4; windows as in lib/windows.glsl, parts as in
 * abi_other.h.
 * Grid: lib/grid.glsl, ceil(windows/RUN)*channels4 items a task. Bytes: 4*K*K + 9 + 8/RUN an element of y.
 * Reference: AFFINE_POOL_SUMS. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/activation.glsl"
#include "lib/windows.glsl"

layout(push_constant) uniform Push { ad_push_affine_pool_sums p; };
layout(constant_id = 1) const uint ACT = AD_ACTIVATION_NONE;
layout(constant_id = 8) const int RUN = 16; /* without control flow, as in lib/run.glsl */
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer Y4 { vec4 y4[]; };
layout(set = 0, binding = 2) readonly buffer Winner { uint winner[]; };
layout(set = 0, binding = 3) readonly buffer Dy4 { vec4 dy4[]; };
layout(set = 0, binding = 4) readonly buffer Stats4 { vec4 stats4[]; };
layout(set = 0, binding = 5) writeonly buffer To4 { vec4 to4[]; };

void main() {
    const int item = int(item_index()), task = int(task_index()), part = item / CHANNELS4, channel = item % CHANNELS4,
              begin = part * RUN;
    if (begin >= p.windows) return;
    const int x = task * p.x_task / 4, y = task * p.y_task / 4, dy = task * p.dy_task / 4, taps = task * p.winner_task;
    const vec4 mean = stats4[task * p.stats_task / 4 + channel];
    vec4 sum = vec4(0.0), sum_x = vec4(0.0);
    [[unroll]] for (int r = 0; r < RUN; r++) {
        const int window = min(begin + r, p.windows - 1), e = window * CHANNELS4 + channel;
        const int corner = (window / OW / OH * H + window / OW % OH * K) * LINE + window % OW * K * CHANNELS4 + channel;
        vec4 d = dy4[dy + e], at = vec4(0.0);
        if (ACT != AD_ACTIVATION_NONE) d *= act_slope(ACT, y4[y + e], p.slope);
        d = begin + r < p.windows ? d : vec4(0.0);
        const ivec4 first = unpack_taps(winner[taps + e]);
        for (int tap = 0; tap < K * K; tap++)
            at = mix(at, x4[x + corner + tap / K * LINE + tap % K * CHANNELS4], equal(first, ivec4(tap)));
        sum += d;
        sum_x += d * (at - mean);
    }
    const int to = task * p.to_task / 4 + 2 * part * CHANNELS4 + channel;
    to4[to] = sum;
    to4[to + CHANNELS4] = sum_x;
}
