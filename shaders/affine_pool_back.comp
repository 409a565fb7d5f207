/* With d = dy*act' at the window's winner, 0 at every other pixel: dx = A[c]*d + B[c]*x + C[c] (X) or A[c]*d;
 * back[3][c] = A, B, C, without BACK A = 1. dresidual = d, with ACCUMULATE added. An invocation takes a K x K cell of
 * the image; cells at the right and bottom edge may be cut and are then no window.
 * Layout: channels-last, channels and task strides multiples of 4; windows as in lib/windows.glsl.
 * Grid: lib/grid.glsl, images*ceil(h/K)*ceil(w/K)*channels4 items a task. Bytes: 9 an element of y, 4 of x, dx,
 * dresidual.
 * Reference: AFFINE_POOL_BACK. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/activation.glsl"
#include "lib/windows.glsl"

layout(push_constant) uniform Push { ad_push_affine_pool_back p; };
layout(constant_id = 1) const uint ACT = AD_ACTIVATION_NONE;
layout(constant_id = 8) const bool BACK = true;
layout(constant_id = 9) const bool X = true;
layout(constant_id = 10) const bool DX = true;
layout(constant_id = 11) const bool DRESIDUAL = false;
layout(set = 0, binding = 0) readonly buffer Y4 { vec4 y4[]; };
layout(set = 0, binding = 1) readonly buffer Winner { uint winner[]; };
layout(set = 0, binding = 2) readonly buffer Dy4 { vec4 dy4[]; };
layout(set = 0, binding = 3) readonly buffer Back4 { vec4 back4[]; };
layout(set = 0, binding = 4) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 5) writeonly buffer Dx4 { vec4 dx4[]; };
layout(set = 0, binding = 6) buffer Dresidual4 { vec4 dresidual4[]; };

void main() {
    const int item = int(item_index()), rows = (H + K - 1) / K, columns = (W + K - 1) / K;
    const int channel = item % CHANNELS4, column = item / CHANNELS4 % columns, row = item / CHANNELS4 / columns % rows;
    const int image = item / CHANNELS4 / columns / rows, task = int(task_index());
    if (image >= p.images) return;
    const int corner = (image * H + row * K) * LINE + column * K * CHANNELS4 + channel;
    vec4 a = vec4(1.0), b = vec4(0.0), c = vec4(0.0);
    if (BACK && DX) {
        const int back = task * p.back_task / 4 + channel;
        a = back4[back];
        if (X) {
            b = back4[back + CHANNELS4];
            c = back4[back + 2 * CHANNELS4];
        }
    }
    /* A cut cell reads its neighbour's window, so that no load depends on a condition, and gives it no weight. */
    const int window = ((image * OH + min(row, OH - 1)) * OW + min(column, OW - 1)) * CHANNELS4 + channel;
    vec4 d = dy4[task * p.dy_task / 4 + window];
    if (ACT != AD_ACTIVATION_NONE) d *= act_slope(ACT, y4[task * p.y_task / 4 + window], p.slope);
    d = row < OH && column < OW ? d : vec4(0.0);
    const ivec4 first = unpack_taps(winner[task * p.winner_task + window]);
    for (int tap = 0; tap < K * K; tap++) {
        const int i = tap / K, j = tap % K, at = corner + i * LINE + j * CHANNELS4;
        if ((H % K > 0 && row * K + i >= H) || (W % K > 0 && column * K + j >= W)) continue;
        const vec4 mine = mix(vec4(0.0), d, equal(first, ivec4(tap)));
        vec4 dx = a * mine;
        if (X && DX) dx += b * x4[task * p.x_task / 4 + at] + c;
        if (DX) dx4[task * p.dx_task / 4 + at] = dx;
        if (DRESIDUAL) {
            const int to = task * p.dresidual_task / 4 + at;
            dresidual4[to] = ACCUMULATE ? dresidual4[to] + mine : mine;
        }
    }
}
