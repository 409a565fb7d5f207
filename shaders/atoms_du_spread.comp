#version 450
/* ATOMS_DU, spread: the formula and layouts of atoms_du.comp, for software drivers, which load lane by lane. An
 * invocation computes TILE_A neighbouring pixels of a line for four o and all m, so that dy is loaded once for all
 * atoms; lanes share the loads of psi (lib/spread.glsl). O % 4 == 0, task strides multiples of 4.
 * Grid: (n, h, strip of w, o) invocations, o fastest, folded over x and y; z = task.
 * 2 K^2 flops an output; dy read K (1 + (K-1)/TILE_A) times (stride 1). dy and psi are texel buffers. Double reference:
 * ATOMS_DU. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"
#include "lib/spread.glsl"

AD_IN4(0, dy)
AD_IN4(1, psi)
AD_OUT(2, vec4, du)

const int WEIGHTS = (M * K * K + 3) / 4;

void main() {
    int index = ad_invocation(), strips = (p.w + TILE_A - 1) / TILE_A;
    int o = index % O4, strip = index / O4, first = strip % strips * TILE_A, line = strip / strips;
    vec4 weights[AD_LOADS(WEIGHTS)], sum[TILE_A * M];
    AD_SPREAD_LOAD(weights, psi, ad_task_offset(1, 4), WEIGHTS, WEIGHTS)
    [[unroll]] for (int s = 0; s < TILE_A * M; s++) sum[s] = vec4(0);
    [[unroll]] for (int i = 0; i < K; i++)
        [[unroll]] for (int j = 0; j < K; j++)
            [[unroll]] for (int s = 0; s < TILE_A; s++) {
                int position = ad_reader(ad_place(line / p.h, line % p.h, first + s, index < p.count), i, j);
                vec4 d = ad_keep(dy(ad_task_offset(0, 4) + max(position, 0) * O4 + o), position >= 0);
                [[unroll]] for (int m = 0; m < M; m++)
                    sum[s * M + m] += AD_SPREAD_NUMBER(weights, (m * K + i) * K + j) * d;
            }
    [[unroll]] for (int s = 0; s < TILE_A; s++) {
        int at = ad_task_offset(2, 4) + (line * p.w + first + s) * M * O4 + o;
        [[unroll]] for (int m = 0; m < M; m++)
            if (index < p.count && first + s < p.w)
                du[at + m * O4] = ACCUMULATE ? du[at + m * O4] + sum[s * M + m] : sum[s * M + m];
    }
}
