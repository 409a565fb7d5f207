/* y[n][p][q][c] = maximum over the window of v = act(scale[c]*x + shift[c] + residual); winner = tap number of the
 * first maximum in row-major order, a byte a channel. Without COEF: scale 1, shift 0. A NaN in a window makes a NaN.
 * Layout: channels-last, channels and task strides multiples of 4; windows as in lib/windows.glsl.
 * Grid: lib/grid.glsl, images*oh*ow*channels4 items a task. Bytes: 4*(1 + RESIDUAL) an element of x, 4 + WINNER of y.
 * Reference: AFFINE_POOL. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/activation.glsl"
#include "lib/nan.glsl"
#include "lib/windows.glsl"

layout(push_constant) uniform Push { ad_push_affine_pool p; };
layout(constant_id = 1) const uint ACT = AD_ACTIVATION_NONE;
layout(constant_id = 8) const bool COEF = true;
layout(constant_id = 9) const bool RESIDUAL = false;
layout(constant_id = 10) const bool WINNER = true;
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer Coef4 { vec4 coef4[]; };
layout(set = 0, binding = 2) readonly buffer Residual4 { vec4 residual4[]; };
layout(set = 0, binding = 3) writeonly buffer Y4 { vec4 y4[]; };
layout(set = 0, binding = 4) writeonly buffer Winner { uint winner[]; };

void main() {
    const int item = int(item_index()), channel = item % CHANNELS4, column = item / CHANNELS4 % OW,
              row = item / CHANNELS4 / OW % OH;
    const int image = item / CHANNELS4 / OW / OH, task = int(task_index());
    if (image >= p.images) return;
    const int corner = (image * H + row * K) * LINE + column * K * CHANNELS4 + channel;
    const int x = task * p.x_task / 4 + corner, residual = task * p.residual_task / 4 + corner;
    vec4 scale = vec4(1.0), shift = vec4(0.0), best = vec4(0.0);
    ivec4 first = ivec4(0);
    uvec4 most = uvec4(0);
    if (COEF) {
        const int coef = task * p.coef_task / 4 + channel;
        scale = coef4[coef];
        shift = coef4[coef + CHANNELS4];
    }
    for (int tap = 0; tap < K * K; tap++) {
        const int at = tap / K * LINE + tap % K * CHANNELS4;
        vec4 v = scale * x4[x + at] + shift;
        if (RESIDUAL) v += residual4[residual + at];
        v = act_value(ACT, v, p.slope);
        first = tap == 0 ? ivec4(0) : mix(first, ivec4(tap), greaterThan(v, best));
        best = tap == 0 ? v : max(v, best);
        note_nan(most, v);
    }
    y4[task * p.y_task / 4 + item] = nan_where(most, best);
    if (WINNER) winner[task * p.winner_task + item] = pack_taps(first);
}
