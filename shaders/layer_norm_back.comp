/* With e = gamma[c]*dy, u = (x - mean)*r and stats [position][2] = mean, r: dx = r*(e - mean_c(e) - u*mean_c(e*u)),
 * with ACCUMULATE added. dx may be dy: DX_IN_DY then says so, and its own binding is not used (abi_other.h).
 * Layout: channels-last, channels and task strides multiples of 4; lanes as in lib/lanes.glsl.
 * Grid: lib/grid.glsl, positions*LANES items a task. Bytes: 12 an element. Reference: LAYER_NORM_BACK. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/lanes.glsl"

layout(push_constant) uniform Push { ad_push_layer_norm_back p; };
layout(constant_id = 2) const bool ACCUMULATE = false;
layout(constant_id = 3) const bool DX_IN_DY = false;
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer Gamma4 { vec4 gamma4[]; };
layout(set = 0, binding = 2) readonly buffer Stats { vec2 stats[]; };
layout(set = 0, binding = 3) buffer Dy4 { vec4 dy4[]; };
layout(set = 0, binding = 4) buffer Dx4 { vec4 dx4[]; };

void main() {
    const int task = int(task_index()), position = min(lane_position(), p.positions - 1);
    const int x = task * p.x_task / 4 + position * CHANNELS4, dy = task * p.dy_task / 4 + position * CHANNELS4,
              dx = task * p.dx_task / 4 + position * CHANNELS4, gamma = task * p.gamma_task / 4;
    const vec2 mean_r = stats[task * p.stats_task / 2 + position];
    vec2 sums = vec2(0.0);
    vec4 from[HELD], u[HELD];
    for (int first = 0; first < TURNS; first += HELD) {
        [[unroll]] for (int t = 0; t < HELD; t++) {
            const int c = lane_channel(first + t);
            from[t] = dy4[dy + c];
            u[t] = (x4[x + c] - mean_r.x) * mean_r.y;
            const vec4 e = gamma4[gamma + c] * from[t];
            sums += lane_has(first + t) ? vec2(sum_of(e), sum_of(e * u[t])) : vec2(0.0);
        }
    }
    sums = sum_lanes(sums) / (4.0 * float(CHANNELS4));
    if (lane_position() >= p.positions) return;
    for (int first = 0; first < TURNS; first += HELD) {
        [[unroll]] for (int t = 0; t < HELD; t++) {
            const int c = lane_channel(first + t);
            if (TURNS > HELD) {
                from[t] = dy4[dy + c];
                u[t] = (x4[x + c] - mean_r.x) * mean_r.y;
            }
            vec4 v = mean_r.y * (gamma4[gamma + c] * from[t] - sums.x - u[t] * sums.y);
            if (ACCUMULATE) v += DX_IN_DY ? from[t] : dx4[dx + c];
            if (!lane_has(first + t)) continue;
            if (DX_IN_DY) {
                dy4[dy + c] = v;
            } else {
                dx4[dx + c] = v;
            }
        }
    }
}
