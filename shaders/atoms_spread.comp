#version 450
/* ATOMS, spread: the formula, layouts and grid of atoms.comp, for software drivers, which load lane by lane: lanes
 * share the loads of psi (lib/spread.glsl). O % 4 == 0, task strides multiples of 4. u and psi are texel buffers, u may
 * be AD_F16. Double reference: ATOMS. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"
#include "lib/spread.glsl"

AD_IN4(0, u)
AD_IN4(1, psi)
AD_IN1(2, bias)
AD_OUT(3, vec4, y)

const int WEIGHTS = (M * K * K + 3) / 4;
const int LINE = (TILE_A - 1) * STRIDE + (K - 1) * DIL + 1; /* inputs under a strip */

void main() {
    int index = ad_invocation(), strips = (p.ow + TILE_A - 1) / TILE_A;
    int o = index % O4, strip = index / O4 % strips, line = index / O4 / strips;
    int first = strip * TILE_A, row0 = line % p.oh * STRIDE - PAD, col0 = first * STRIDE - PAD;
    vec4 weights[AD_LOADS(WEIGHTS)], sum[TILE_A];
    AD_SPREAD_LOAD(weights, psi, ad_task_offset(1, 4), WEIGHTS, WEIGHTS)
    [[unroll]] for (int q = 0; q < TILE_A; q++) sum[q] = vec4(0);
    [[unroll]] for (int i = 0; i < K; i++) {
        int row = row0 + i * DIL, from[LINE];
        bool inside[LINE];
        [[unroll]] for (int s = 0; s < LINE; s++) {
            inside[s] = index < p.count && row >= 0 && row < p.h && col0 + s >= 0 && col0 + s < p.w;
            from[s] = ad_task_offset(0, 4) + (inside[s] ? (line / p.oh * p.h + row) * p.w + col0 + s : 0) * M * O4 + o;
        }
        [[unroll]] for (int m = 0; m < M; m++) {
            vec4 inputs[LINE];
            [[unroll]] for (int s = 0; s < LINE; s++) inputs[s] = ad_keep(u(from[s] + m * O4), inside[s]);
            [[unroll]] for (int j = 0; j < K; j++)
                [[unroll]] for (int q = 0; q < TILE_A; q++)
                    sum[q] += AD_SPREAD_NUMBER(weights, (m * K + i) * K + j) * inputs[q * STRIDE + j * DIL];
        }
    }
    int b = ad_task_offset(2, 1) + 4 * o, at = ad_task_offset(3, 4) + (line * p.ow + first) * O4 + o;
    vec4 add = p.optional != 0 ? AD_FOUR(bias, b) : vec4(0);
    [[unroll]] for (int q = 0; q < TILE_A; q++)
        if (index < p.count && first + q < p.ow)
            y[at + q * O4] = (ACCUMULATE ? y[at + q * O4] : vec4(0)) + sum[q] + add;
}
