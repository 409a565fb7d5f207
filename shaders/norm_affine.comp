/* y = act(scale[c]*x + shift[c] + residual), coef[2][c] = scale, shift. Without COEF: scale 1, shift 0. y may be x
 * or residual: PLACE then says so, and its own binding is not used.
 * Layout: channels-last, channels and task strides multiples of 4; an invocation takes ROWS vec4 elements of the same
 * channels (abi_other.h), so that coef is read once for all of them. Grid: lib/grid.glsl, slice items a task.
 * Bytes: 4*(2 + RESIDUAL) an element. Reference: AFFINE. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/activation.glsl"

layout(push_constant) uniform Push { ad_push_affine p; };
layout(constant_id = 1) const uint ACT = AD_ACTIVATION_NONE;
layout(constant_id = 0) const uint ROWS = 4;
layout(constant_id = 2) const bool COEF = true;
layout(constant_id = 3) const bool RESIDUAL = false;
layout(constant_id = 4) const uint PLACE = AD_AFFINE_APART; /* of y (abi_other.h) */
layout(set = 0, binding = 0) buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer Coef4 { vec4 coef4[]; };
layout(set = 0, binding = 2) buffer Residual4 { vec4 residual4[]; };
layout(set = 0, binding = 3) writeonly buffer Y4 { vec4 y4[]; };

void main() {
    const uint item = item_index(), task = task_index();
    if (item >= uint(p.slice)) return;
    const uint x = task * uint(p.x_task) / 4, residual = task * uint(p.residual_task) / 4,
               y = task * uint(p.y_task) / 4;
    vec4 scale = vec4(1.0), shift = vec4(0.0);
    if (COEF) {
        const uint coef = task * uint(p.coef_task) / 4 + item % uint(p.channels4);
        scale = coef4[coef];
        shift = coef4[coef + uint(p.channels4)];
    }
    for (uint r = 0; r < ROWS; r++) {
        const uint e = item + r * uint(p.slice);
        if (e >= uint(p.elements4)) break;
        vec4 v = scale * x4[x + e] + shift;
        if (RESIDUAL) v += residual4[residual + e];
        v = act_value(ACT, v, p.slope);
        if (PLACE == AD_AFFINE_IN_X) {
            x4[x + e] = v;
        } else if (PLACE == AD_AFFINE_IN_RESIDUAL) {
            residual4[residual + e] = v;
        } else {
            y4[y + e] = v;
        }
    }
}
