#version 450
/* ATOMS_DU: du[n][h][w][m][o] = sum over (i,j),(p,q) that read (h,w): psi[m][ij] dy[n][p][q][o]. An invocation computes
 * TILE_A neighbouring pixels of a line for one m and one o (AD_WIDTH=1) or four, so that they share psi.
 * dy [task][n][oh][ow][O], psi [task][M][K*K], du [task][n][h][w][M][O]. Without AD_WIDTH=1: O % 4 == 0, task strides
 * of dy and du multiples of 4. Grid: (n, h, strip of w, m, o) invocations, o fastest, folded over x and y; z = task.
 * 2 K^2 flops an output; dy read M K^2 times, all but the first from cache. Double reference: ATOMS_DU. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"

AD_IN_O(0, dy)
AD_IN1(1, psi)
AD_OUT(2, ad_o, du)

void main() {
    int index = ad_invocation();
    if (index >= p.count) return;
    int strips = (p.w + TILE_A - 1) / TILE_A;
    int o = index % OW, m = index / OW % M, strip = index / OW / M;
    int first = strip % strips * TILE_A, line = strip / strips;
    ad_o sum[TILE_A];
    [[unroll]] for (int s = 0; s < TILE_A; s++) sum[s] = ad_o(0);
    for (int i = 0; i < K; i++) {
        [[unroll]] for (int j = 0; j < K; j++) {
            float weight = psi(ad_task_offset(1, 1) + (m * K + i) * K + j);
            [[unroll]] for (int s = 0; s < TILE_A; s++) {
                int position = ad_reader(ad_place(line / p.h, line % p.h, first + s, true), i, j);
                sum[s] += weight * ad_keep(dy(ad_task_offset(0, AD_WIDTH) + max(position, 0) * OW + o), position >= 0);
            }
        }
    }
    [[unroll]] for (int s = 0; s < TILE_A; s++) {
        if (first + s >= p.w) return;
        int at = ad_task_offset(2, AD_WIDTH) + ((line * p.w + first + s) * M + m) * OW + o;
        du[at] = ACCUMULATE ? du[at] + sum[s] : sum[s];
    }
}
