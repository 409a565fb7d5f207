#version 450
/* LINEAR_DX, spread: the formula and layouts of head_linear_dx.comp, for software drivers, which load lane by lane. An
 * invocation computes four n of four c; lanes share the loads of dy (lib/spread.glsl). C % 4 == 0, task strides
 * multiples of 4.
 * Grid: (n/4, LANES vec4 of c) workgroups, c fastest, folded over x and y; z = task.
 * 2 O flops an output; w read n/4 times. dy and w are texel buffers. Double reference: LINEAR_DX. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/spread.glsl"

AD_IN4(0, dy)
AD_IN4(1, w)
AD_OUT(2, vec4, dx)

const int COLUMN_TILES = (C4 + LANES - 1) / LANES;

void main() {
    int lane = int(gl_LocalInvocationID.x), column = ad_group() % COLUMN_TILES * LANES + lane,
        n = ad_group() / COLUMN_TILES * 4;
    vec4 d[AD_LOADS(O)], sum[4];
    /* Workgroups past the last repeat its loads: a return would mask all that follows. */
    int from = min(n, (p.n - 1) / 4 * 4);
    AD_SPREAD_LOAD(d, dy, ad_task_offset(0, 4) + from / 4 * O, O, ((p.n - from) * O + 3) / 4)
    [[unroll]] for (int row = 0; row < 4; row++) sum[row] = vec4(0);
    [[unroll]] for (int o = 0; o < O; o++) {
        vec4 weights = w(ad_task_offset(1, 4) + o * C4 + min(column, C4 - 1));
        [[unroll]] for (int row = 0; row < 4; row++) sum[row] += AD_SPREAD_NUMBER(d, row * O + o) * weights;
    }
    [[unroll]] for (int row = 0; row < 4; row++) {
        int at = ad_task_offset(2, 4) + (n + row) * C4 + column;
        if (n + row < p.n && column < C4) dx[at] = (ACCUMULATE ? dx[at] : vec4(0)) + p.scale * sum[row];
    }
}
