#version 450
/* COMPOSE, spread: the formula and layouts of compose.comp without groups, for software drivers, which load lane by
 * lane. An invocation computes all K*K taps of one c and four o; lanes share the loads of psi (lib/spread.glsl). O % 4
 * == 0, ld % 4 == 0, task strides multiples of 4. Grid: (c, o) invocations, o fastest, folded over x and y; z = task. 2
 * K^2 M flops a (c,o). All operands are texel buffers. Double reference: COMPOSE. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/spread.glsl"

AD_IN4(0, alpha)
AD_IN4(1, psi)
AD_IN4(2, scale)
AD_OUT(3, vec4, w)
AD_IN4(4, base)

const int WEIGHTS = (M * K * K + 3) / 4;

void main() {
    int index = ad_invocation(), at = min(index, C * O4 - 1), o = at % O4, c = at / O4;
    vec4 atoms[AD_LOADS(WEIGHTS)], sum[K * K];
    AD_SPREAD_LOAD(atoms, psi, ad_task_offset(1, 4), WEIGHTS, WEIGHTS)
    [[unroll]] for (int tap = 0; tap < K * K; tap++)
        sum[tap] = (p.optional & AD_COMPOSE_BASE) != 0 ? base(ad_task_offset(4, 4) + tap * C * O4 + at) : vec4(0);
    [[unroll]] for (int m = 0; m < M; m++) {
        vec4 a = alpha(ad_task_offset(0, 4) + (c * M + m) * (p.ld / 4) + o);
        [[unroll]] for (int tap = 0; tap < K * K; tap++) sum[tap] += a * AD_SPREAD_NUMBER(atoms, m * K * K + tap);
    }
    vec4 factor = (p.optional & AD_COMPOSE_SCALE) != 0 ? scale(ad_task_offset(2, 4) + o) : vec4(1);
    int to = ad_task_offset(3, 4) + at;
    [[unroll]] for (int tap = 0; tap < K * K; tap++)
        if (index < p.count) w[to + tap * C * O4] = (ACCUMULATE ? w[to + tap * C * O4] : vec4(0)) + factor * sum[tap];
}
