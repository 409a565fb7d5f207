#version 450
/* COMPOSE_DALPHA, spread: the formula and layouts of compose_dalpha.comp without groups, for software drivers, which
 * load lane by lane. An invocation computes dalpha of one c, four o and all m; lanes share the loads of psi
 * (lib/spread.glsl). O % 4 == 0, ld % 4 == 0, task strides multiples of 4. Grid: (row, o of ld) invocations, o fastest,
 * folded over x and y; z = task. 2 K^2 flops an element; dw read once. dw and psi are texel buffers. Double reference:
 * COMPOSE_DALPHA. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/spread.glsl"

AD_IN4(0, dw)
AD_IN4(1, psi)
AD_OUT(2, vec4, dalpha)

const int WEIGHTS = (M * K * K + 3) / 4;

void main() {
    int index = ad_invocation(), columns = p.ld / 4, o = index % columns, c = index / columns;
    bool inside = c < C && o < O4;
    vec4 atoms[AD_LOADS(WEIGHTS)], rows[K * K];
    AD_SPREAD_LOAD(atoms, psi, ad_task_offset(1, 4), WEIGHTS, WEIGHTS)
    [[unroll]] for (int tap = 0; tap < K * K; tap++)
        rows[tap] = ad_keep(dw(ad_task_offset(0, 4) + tap * C * O4 + (inside ? c * O4 + o : 0)), inside);
    [[unroll]] for (int m = 0; m < M; m++) {
        vec4 sum = vec4(0);
        [[unroll]] for (int tap = 0; tap < K * K; tap++) sum += rows[tap] * AD_SPREAD_NUMBER(atoms, m * K * K + tap);
        int at = ad_task_offset(2, 4) + (c * M + m) * columns + o;
        if (index < p.count) dalpha[at] = ACCUMULATE ? dalpha[at] + sum : sum;
    }
}
