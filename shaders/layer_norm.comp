/* y[n][h][w][c] = gamma[c]*(x - mean)*r + beta[c], with mean and biased variance over the channels of a position and
 * r = 1/sqrt(variance + epsilon); STATS: [position][2] = mean, r.
 * Layout: channels-last, channels and task strides multiples of 4; lanes as in lib/lanes.glsl.
 * Grid: lib/grid.glsl, positions*LANES items a task. Bytes: 8 an element. Reference: LAYER_NORM. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/lanes.glsl"

layout(push_constant) uniform Push { ad_push_layer_norm p; };
layout(constant_id = 2) const bool STATS = true;
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer Gamma4 { vec4 gamma4[]; };
layout(set = 0, binding = 2) readonly buffer Beta4 { vec4 beta4[]; };
layout(set = 0, binding = 3) writeonly buffer Y4 { vec4 y4[]; };
layout(set = 0, binding = 4) writeonly buffer Stats { vec2 stats[]; };

void main() {
    const int task = int(task_index()), position = min(lane_position(), p.positions - 1);
    const int x = task * p.x_task / 4 + position * CHANNELS4, y = task * p.y_task / 4 + position * CHANNELS4,
              gamma = task * p.gamma_task / 4, beta = task * p.beta_task / 4;
    const float count = 4.0 * float(CHANNELS4);
    float sum = 0.0, squares = 0.0;
    vec4 v[HELD];
    for (int first = 0; first < TURNS; first += HELD) {
        [[unroll]] for (int t = 0; t < HELD; t++) {
            v[t] = x4[x + lane_channel(first + t)];
            sum += lane_has(first + t) ? sum_of(v[t]) : 0.0;
        }
    }
    const float mean = sum_lanes(vec2(sum, 0.0)).x / count;
    for (int first = 0; first < TURNS; first += HELD) {
        [[unroll]] for (int t = 0; t < HELD; t++) {
            if (TURNS > HELD) v[t] = x4[x + lane_channel(first + t)];
            const vec4 d = v[t] - mean;
            squares += lane_has(first + t) ? sum_of(d * d) : 0.0;
        }
    }
    const float variance = sum_lanes(vec2(squares, 0.0)).x / count, r = 1.0 / sqrt(variance + p.epsilon);
    if (lane_position() >= p.positions) return;
    for (int first = 0; first < TURNS; first += HELD) {
        [[unroll]] for (int t = 0; t < HELD; t++) {
            const int c = lane_channel(first + t);
            if (TURNS > HELD) v[t] = x4[x + c];
            const vec4 scaled = gamma4[gamma + c] * ((v[t] - mean) * r) + beta4[beta + c];
            if (lane_has(first + t)) y4[y + c] = scaled;
        }
    }
    if (STATS && lane_number() == 0) stats[task * p.stats_task / 2 + position] = vec2(mean, r);
}
