#version 450
/* LINEAR_DW, spread: the formula and layouts of head_linear_dw.comp, for software drivers, which load lane by lane. An
 * invocation computes all o of four c, four n at a time; lanes share the loads of dy (lib/spread.glsl). The invocation
 * of the first c makes dbias, too.
 * C % 4 == 0, task strides multiples of 4.
 * Grid: C/4 invocations, folded over x and y; z = task.
 * 2 n flops an output; x read once. x and dy are texel buffers. Double reference: LINEAR_DW. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/spread.glsl"

AD_IN4(0, x)
AD_IN4(1, dy)
AD_OUT(2, vec4, dw)
AD_OUT(3, float, dbias)

void main() {
    int lane = int(gl_LocalInvocationID.x), column = ad_invocation(), c = min(column, C4 - 1);
    vec4 sum[O];
    float bias[O];
    [[unroll]] for (int o = 0; o < O; o++) {
        sum[o] = vec4(0);
        bias[o] = 0.0;
    }
    for (int n = 0; n < p.n; n += 4) {
        vec4 d[AD_LOADS(O)];
        [[unroll]] for (int l = 0; l < AD_LOADS(O); l++) {
            int at = n / 4 * O + min(l * LANES + lane, O - 1), left = p.n * O - 4 * at;
            vec4 there = dy(ad_task_offset(1, 4) + min(at, (p.n * O - 1) / 4));
            d[l] = mix(vec4(0), there, lessThan(ivec4(0, 1, 2, 3), ivec4(left)));
        }
        [[unroll]] for (int row = 0; row < 4; row++) {
            vec4 value = ad_keep(x(ad_task_offset(0, 4) + min(n + row, p.n - 1) * C4 + c), n + row < p.n);
            [[unroll]] for (int o = 0; o < O; o++) {
                float factor = AD_SPREAD_NUMBER(d, row * O + o);
                sum[o] += factor * value;
                bias[o] += factor;
            }
        }
    }
    [[unroll]] for (int o = 0; o < O; o++) {
        int at = ad_task_offset(2, 4) + o * C4 + column, b = ad_task_offset(3, 1) + o;
        if (column < C4) dw[at] = (ACCUMULATE ? dw[at] : vec4(0)) + p.scale * sum[o];
        if (column == 0 && p.optional != 0) dbias[b] = (ACCUMULATE ? dbias[b] : 0.0) + bias[o];
    }
}
