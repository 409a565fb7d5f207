/* With d = dy*act': dx = A[c]*d + B[c]*x + C[c] (X) or A[c]*d; back[3][c] = A, B, C, without BACK A = 1. dresidual =
 * d, with ACCUMULATE added. act' is taken from y or, as the activation wants, at scale*x + shift; without COEF at x. dx
 * or dresidual may be dy, not both: DX_IN_DY or DRESIDUAL_IN_DY then says so, and its own binding is not used
 * (abi_other.h).
 * Layout: channels-last, channels and task strides multiples of 4; an invocation takes ROWS vec4 elements of the same
 * channels (abi_other.h). Grid: lib/grid.glsl, slice items a task. Bytes: 4 an element and tensor.
 * Reference: AFFINE_BACK. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/activation.glsl"

layout(push_constant) uniform Push { ad_push_affine_back p; };
layout(constant_id = 1) const uint ACT = AD_ACTIVATION_NONE;
layout(constant_id = 0) const bool ACCUMULATE = false;
layout(constant_id = 2) const uint ROWS = 4;
layout(constant_id = 3) const bool BACK = true;
layout(constant_id = 4) const bool X = true;
layout(constant_id = 5) const bool DX = true;
layout(constant_id = 6) const bool DRESIDUAL = false;
layout(constant_id = 7) const bool DX_IN_DY = false;
layout(constant_id = 8) const bool DRESIDUAL_IN_DY = false;
layout(constant_id = 9) const bool COEF = false;
layout(set = 0, binding = 0) readonly buffer Y4 { vec4 y4[]; };
layout(set = 0, binding = 1) buffer Dy4 { vec4 dy4[]; };
layout(set = 0, binding = 2) readonly buffer Back4 { vec4 back4[]; };
layout(set = 0, binding = 3) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 4) writeonly buffer Dx4 { vec4 dx4[]; };
layout(set = 0, binding = 5) buffer Dresidual4 { vec4 dresidual4[]; };
layout(set = 0, binding = 6) readonly buffer Coef4 { vec4 coef4[]; };

void main() {
    const bool by_input = !act_by_output(ACT);
    const uint item = item_index(), task = task_index();
    if (item >= uint(p.slice)) return;
    vec4 a = vec4(1.0), b = vec4(0.0), c = vec4(0.0);
    if (BACK && DX) {
        const uint back = task * uint(p.back_task) / 4 + item % uint(p.channels4);
        a = back4[back];
        if (X) {
            b = back4[back + uint(p.channels4)];
            c = back4[back + 2 * uint(p.channels4)];
        }
    }
    vec4 scale = vec4(1.0), shift = vec4(0.0);
    if (by_input && COEF) {
        const uint coef = task * uint(p.coef_task) / 4 + item % uint(p.channels4);
        scale = coef4[coef];
        shift = coef4[coef + uint(p.channels4)];
    }
    for (uint r = 0; r < ROWS; r++) {
        const uint e = item + r * uint(p.slice);
        if (e >= uint(p.elements4)) break;
        const uint at_dy = task * uint(p.dy_task) / 4 + e, at_dresidual = task * uint(p.dresidual_task) / 4 + e;
        const vec4 dy = dy4[at_dy];
        vec4 d = dy, x = vec4(0.0);
        if ((X && DX) || by_input) x = x4[task * uint(p.x_task) / 4 + e];
        if (by_input) {
            d *= act_slope(ACT, scale * x + shift, p.slope);
        } else if (ACT != AD_ACTIVATION_NONE) {
            d *= act_slope(ACT, y4[task * uint(p.y_task) / 4 + e], p.slope);
        }
        vec4 dx = a * d;
        if (X && DX) dx += b * x + c;
        if (DRESIDUAL && ACCUMULATE) d += DRESIDUAL_IN_DY ? dy : dresidual4[at_dresidual];
        /* Everything has been read. */
        if (DX && DX_IN_DY) dy4[at_dy] = dx;
        if (DX && !DX_IN_DY) dx4[task * uint(p.dx_task) / 4 + e] = dx;
        if (DRESIDUAL && DRESIDUAL_IN_DY) dy4[at_dy] = d;
        if (DRESIDUAL && !DRESIDUAL_IN_DY) dresidual4[at_dresidual] = d;
    }
}
